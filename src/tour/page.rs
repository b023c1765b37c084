//! The pages of `docs/tour/`, made from the texts of the lessons. Invariant: pure, and no measured value is in them.

use super::frame;
use super::language::Language;
use super::layout::wrapped;
use super::lesson::Lesson;
use std::fmt::Write;

/// Columns of a page's text.
const WIDTH: usize = 118;

/// The page of a lesson in one language.
#[must_use]
pub fn page(lesson: &Lesson, language: Language) -> String {
    let words = lesson.words;
    let mut page = format!("# {}\n\n", words.title.in_language(language));
    for text in words.does {
        paragraph(&mut page, text.in_language(language));
    }
    paragraph(&mut page, frame::RUN_IT.in_language(language));
    fenced(&mut page, &format!("supervisor tour {}", lesson.name));
    heading(&mut page, frame::NOTICE.in_language(language));
    list(&mut page, words.notice.iter().map(|text| text.in_language(language)));
    heading(&mut page, frame::CLAIMS_OF_PAGE.in_language(language));
    list(&mut page, words.claims.iter().map(|text| text.in_language(language)));
    heading(&mut page, frame::COMMANDS.in_language(language));
    for hint in words.commands {
        paragraph(&mut page, hint.why.in_language(language));
        fenced(&mut page, hint.command);
    }
    let last = frame::MADE_FROM.in_language(language);
    paragraph(&mut page, last);
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// The page that lists all lessons, in all languages.
#[must_use]
pub fn index(lessons: &[Lesson]) -> String {
    let mut page = String::new();
    for language in Language::ALL {
        let mark = if page.is_empty() { "#" } else { "\n#" };
        let _ = writeln!(page, "{mark} {}\n", frame::TITLE.in_language(language));
        paragraph(&mut page, frame::INTRODUCTION.in_language(language));
        paragraph(&mut page, frame::USE.in_language(language));
        for lesson in lessons {
            let (name, code) = (lesson.name, language.code());
            let line = format!("- [{name}]({code}/{name}.md): {}", lesson.words.summary.in_language(language));
            let _ = writeln!(page, "{line}");
        }
    }
    page
}

fn heading(page: &mut String, text: &str) {
    let _ = writeln!(page, "## {text}\n");
}

fn paragraph(page: &mut String, text: &str) {
    let _ = writeln!(page, "{}\n", wrapped(&literal(text), "", WIDTH).join("\n"));
}

/// A text in which nothing is a tag.
fn literal(text: &str) -> String {
    text.replace('<', "&lt;")
}

fn list<'a>(page: &mut String, items: impl Iterator<Item = &'a str>) {
    for item in items {
        let _ = writeln!(page, "{}", wrapped(&literal(item), "- ", WIDTH).join("\n"));
    }
    page.push('\n');
}

fn fenced(page: &mut String, command: &str) {
    let _ = writeln!(page, "```sh\n{command}\n```\n");
}
