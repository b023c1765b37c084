//! Floor 5: the guided tour. Each lesson starts real processes, shows and measures them, and checks its own claims.
//!
//! [`LESSONS`] is the table; a lesson is a file here, and its words in both languages are a file in `text/`. A lesson gets a
//! [`stage::LessonStage`], which shows texts and keeps what was measured; processes that are no runs of the library are
//! this program in a part of a lesson ([`actor`], [`parts`]).
//!
//! Invariant: a user of the library like any other. It sees what `lib.rs` shows, comparisons, plain values, and system
//! calls.

pub mod actor;
mod comparison;
mod concurrency;
mod countdown;
mod crash;
mod daemon;
mod echo;
pub mod error;
pub mod flow;
mod frame;
mod identity;
mod ipc;
mod isolation;
pub mod language;
pub mod layout;
pub mod lesson;
mod order;
pub mod page;
pub mod parts;
pub mod processes;
mod queue;
mod race;
pub mod report;
pub mod runs;
mod signals;
pub mod stage;
mod subprocess;
mod terminal;
mod text;
pub mod timeline;
pub mod words;

pub use actor::PART_ROLE;
pub use error::TourError;
pub use language::Language;
pub use lesson::Lesson;
pub use parts::part_main;
pub use stage::{LessonStage, StageOptions};
pub use terminal::options_of_stdout;

use serde_json::json;
use std::io::Write;

/// All lessons, in the order of the tour.
pub const LESSONS: &[Lesson] = &[
    Lesson { name: "subprocess", words: &text::subprocess::WORDS, hold: subprocess::hold },
    Lesson { name: "isolation", words: &text::isolation::WORDS, hold: isolation::hold },
    Lesson { name: "ipc", words: &text::ipc::WORDS, hold: ipc::hold },
    Lesson { name: "queue", words: &text::queue::WORDS, hold: queue::hold },
    Lesson { name: "order", words: &text::order::WORDS, hold: order::hold },
    Lesson { name: "daemon", words: &text::daemon::WORDS, hold: daemon::hold },
    Lesson { name: "concurrency", words: &text::concurrency::WORDS, hold: concurrency::hold },
    Lesson { name: "race", words: &text::race::WORDS, hold: race::hold },
    Lesson { name: "identity", words: &text::identity::WORDS, hold: identity::hold },
    Lesson { name: "signals", words: &text::signals::WORDS, hold: signals::hold },
    Lesson { name: "crash", words: &text::crash::WORDS, hold: crash::hold },
    Lesson { name: "countdown", words: &text::countdown::WORDS, hold: countdown::hold },
];

/// The lesson of this name.
#[must_use]
pub fn lesson(name: &str) -> Option<&'static Lesson> {
    LESSONS.iter().find(|lesson| lesson.name == name)
}

/// Lists the lessons.
///
/// # Errors
/// `out` takes no more.
pub fn show_list(out: &mut dyn Write, options: StageOptions) -> Result<(), TourError> {
    let (language, width) = (options.language, options.width);
    if options.json {
        let entry = |lesson: &Lesson| {
            let (title, summary) = (lesson.words.title, lesson.words.summary);
            let (title, summary) = (title.in_language(language), summary.in_language(language));
            json!({ "lesson": lesson.name, "title": title, "summary": summary })
        };
        let list: Vec<_> = LESSONS.iter().map(entry).collect();
        return writeln!(out, "{}", json!({ "lang": language.code(), "lessons": list })).map_err(TourError::Write);
    }
    let mut lines = vec![frame::TITLE.in_language(language).to_owned(), String::new()];
    lines.extend(layout::wrapped(frame::INTRODUCTION.in_language(language), "", width));
    lines.push(String::new());
    let name_columns = LESSONS.iter().map(|lesson| lesson.name.len()).max().unwrap_or(0);
    for lesson in LESSONS {
        let first = format!("  {:name_columns$}  ", lesson.name);
        lines.extend(layout::wrapped(lesson.words.summary.in_language(language), &first, width));
    }
    lines.push(String::new());
    lines.extend(layout::wrapped(frame::USE.in_language(language), "", width));
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(TourError::Write)
}

#[cfg(test)]
mod tests {
    use super::language::Text;
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Set it to `overwrite` to write the pages anew.
    const SNAPSHOTS: &str = "SNAPSHOTS";

    #[test]
    fn the_pages_are_those_of_the_texts() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tour");
        let mut pages = vec![(folder.join("README.md"), page::index(LESSONS))];
        for language in Language::ALL {
            let page = |lesson: &Lesson| {
                let path = folder.join(language.code()).join(format!("{}.md", lesson.name));
                (path, page::page(lesson, language))
            };
            pages.extend(LESSONS.iter().map(page));
        }
        for (path, text) in pages {
            if std::env::var(SNAPSHOTS).is_ok_and(|value| value == "overwrite") {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                found == text,
                "{} is not made from the texts; write it with {SNAPSHOTS}=overwrite",
                path.display()
            );
        }
    }

    /// Every text of a lesson that is always shown.
    fn texts(lesson: &Lesson) -> Vec<Text> {
        let words = lesson.words;
        let hints = words.commands.iter().map(|hint| hint.why);
        let lists = [words.does, words.notice, words.claims].concat();
        [words.title, words.summary].into_iter().chain(lists).chain(hints).collect()
    }

    #[test]
    fn each_lesson_is_complete_in_both_languages() {
        let names: BTreeSet<&str> = LESSONS.iter().map(|lesson| lesson.name).collect();
        assert_eq!(names.len(), LESSONS.len());
        for lesson in LESSONS {
            let words = lesson.words;
            assert!(!words.does.is_empty() && !words.notice.is_empty(), "{}", lesson.name);
            assert!(!words.claims.is_empty() && !words.commands.is_empty(), "{}", lesson.name);
            for text in texts(lesson) {
                let is_hangul = |c: char| ('\u{ac00}'..='\u{d7a3}').contains(&c);
                assert!(text.ko.chars().any(is_hangul) && !text.en.chars().any(is_hangul), "{text:?}");
                assert!(!text.en.contains("  ") && !text.ko.contains("  "), "{text:?}");
            }
        }
    }

    #[test]
    fn the_list_fits_into_40_columns() {
        for language in Language::ALL {
            let mut out = Vec::new();
            let options = StageOptions { language, json: false, colour: false, waits: false, width: 40 };
            show_list(&mut out, options).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.lines().all(|line| layout::columns(line) <= 40), "{text}");
            assert!(LESSONS.iter().all(|lesson| text.contains(lesson.name)), "{text}");
        }
    }
}
