//! Text on a terminal: wrapped by words, and counted in columns, of which a Korean character takes two.
//!
//! Invariant: pure. No line is wider than asked for, apart from a word of a command that cannot be cut.

use textwrap::{Options, WordSplitter};

/// No terminal is taken to be narrower.
const COLUMNS_MIN: usize = 20;

/// Columns of a text.
#[must_use]
pub fn columns(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// Cuts `text` into lines of at most `width` columns, at spaces where possible. The first line begins with `first`, the
/// others with as many spaces.
#[must_use]
pub fn wrapped(text: &str, first: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(columns(first));
    let options = Options::new(width.max(COLUMNS_MIN)).initial_indent(first).subsequent_indent(&indent);
    let options = options.word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// A command line over several lines that a shell reads as one: cut in front of a word, with a backslash.
#[must_use]
pub fn command_lines(command: &str, width: usize) -> Vec<String> {
    let room = width.max(COLUMNS_MIN).saturating_sub("$ ".len() + " \\".len());
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in shell_words(command) {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > room {
            lines.push(format!("{} \\", std::mem::take(&mut line)));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.iter().enumerate().map(|(at, line)| format!("{}{line}", if at == 0 { "$ " } else { "  " })).collect()
}

/// The words of a command line; spaces inside quotes are not cut.
fn shell_words(command: &str) -> Vec<&str> {
    let (mut words, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, char) in command.char_indices() {
        match (quote, char) {
            (None, ' ') => {
                words.push(&command[start..at]);
                start = at + 1;
            }
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            _ => {}
        }
    }
    words.push(&command[start..]);
    words
}

/// `text` with spaces behind it, `width` columns in all.
#[must_use]
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{:1$}", "", width.saturating_sub(columns(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_spaces_and_counted_in_columns() {
        assert_eq!(wrapped("one two three four five six", "- ", 20), ["- one two three four", "  five six"]);
        assert_eq!(
            wrapped("프로세스는 메모리를 공유하지 않습니다", "", 20),
            ["프로세스는 메모리를", "공유하지 않습니다"]
        );
        assert_eq!(wrapped("", "- ", 20), ["-"]);
        let long = "x".repeat(45);
        assert_eq!(wrapped(&long, "", 20), ["x".repeat(20), "x".repeat(20), "x".repeat(5)]);
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        let text =
            "교착 상태(deadlock)는 두 프로세스가 서로를 기다리는 상태입니다. Neither of the two can go on, ever.";
        for width in 20..100 {
            for line in wrapped(text, "  * ", width) {
                assert!(columns(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_command_over_several_lines_is_still_one_command() {
        let command = "supervisor --workers 5 -- sh -c 'exit {} ; true' ::: 1 2 3";
        let lines = command_lines(command, 30);
        assert_eq!(lines, ["$ supervisor --workers 5 -- \\", "  sh -c 'exit {} ; true' ::: \\", "  1 2 3"]);
        let joined = lines.iter().map(|line| line[2..].trim_end_matches('\\').trim_end()).collect::<Vec<_>>().join(" ");
        assert_eq!(joined, command);
        assert_eq!(command_lines(command, 100), [format!("$ {command}")]);
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(padded("잠금", 6), "잠금  ");
        assert_eq!(padded("lock", 2), "lock");
    }
}
