//! `supervisor why`.

use super::answer::{fail, show};
use super::trace_file;
use crate::cli::escaped;
use crate::cli::subcommand::why::WhyFlags;
use crate::exit_code;
use crate::model::ids::ItemId;
use crate::sys::window;
use crate::trace::why::{self, Story};
use std::fmt::Write;
use std::process::ExitCode;
use textwrap::{Options, WordSplitter};

/// Less than this is no column: then lines are longer than the terminal.
const COLUMNS_MIN: usize = 16;

/// Tells the story of an item.
pub fn run(flags: &WhyFlags) -> ExitCode {
    let history = match trace_file::read(&flags.file) {
        Ok(history) => history,
        Err(exit) => return exit,
    };
    match why::story(&history, ItemId(flags.item)) {
        Ok(story) => show(&text(&story, window::text_columns())),
        Err(error) => fail(&format_args!("failed to {error}"), exit_code::USAGE),
    }
}

/// The title, then each sentence behind its time.
pub fn text(story: &Story, columns: usize) -> String {
    let times: Vec<String> = story.sentences.iter().map(|told| format!("{:.6}", told.at.as_secs_f64())).collect();
    let width = times.iter().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    let options = |columns: usize| Options::new(columns.max(COLUMNS_MIN)).word_splitter(WordSplitter::NoHyphenation);
    for line in textwrap::wrap(&escaped(&story.title), options(columns)) {
        // To write into a text cannot fail.
        let _ = writeln!(text, "{line}");
    }
    for (told, time) in story.sentences.iter().zip(&times) {
        let mut time = time.as_str();
        for line in textwrap::wrap(&escaped(&told.text), options(columns.saturating_sub(width + 2))) {
            let _ = writeln!(text, "{:>width$}  {line}", std::mem::take(&mut time));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Instant;
    use crate::trace::why::Sentence;

    #[test]
    fn sentences_stand_beside_their_times() {
        let told = |ms: u64, text: &str| Sentence { at: Instant(ms * 1_000_000), text: text.to_owned() };
        let sentences = vec![told(3, "It came from the source."), told(12_345, "a\x1b[2Jb c")];
        let story = Story { title: "item 7 (\"seven\"): done, 12 s after its arrival".to_owned(), sentences };
        let expected = "\
item 7 (\"seven\"): done, 12 s
after its arrival
 0.003000  It came from the
           source.
12.345000  a\\u{1b}[2Jb c
";
        assert_eq!(text(&story, 32), expected);
        let lines: Vec<usize> = text(&story, 40).lines().map(|line| line.chars().count()).collect();
        assert!(lines.iter().all(|columns| *columns <= 40), "{lines:?}");
    }
}
