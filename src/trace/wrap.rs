//! Text in lines of a limited width.

use std::ops::Range;

/// Less than this is no column: then lines are longer than the terminal.
const COLUMNS_MIN: usize = 16;

/// The words of `text` in lines of at most `columns` characters. A longer word is cut.
#[must_use]
pub fn wrapped(text: &str, columns: usize) -> Vec<&str> {
    let columns = columns.max(COLUMNS_MIN);
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut used = columns;
    let mut end = 0;
    for word in text.split(' ') {
        let start = end;
        end += word.len() + 1;
        let width = word.chars().count();
        match lines.last_mut() {
            Some(line) if used + 1 + width <= columns => {
                line.end = start + word.len();
                used += 1 + width;
            }
            _ => used = push_word(&mut lines, word, start, columns),
        }
    }
    lines.into_iter().filter_map(|line| text.get(line)).collect()
}

/// Begins a line with a word that starts at `start`; how wide the last line is then.
fn push_word(lines: &mut Vec<Range<usize>>, word: &str, start: usize, columns: usize) -> usize {
    let mut from = start;
    let mut used = 0;
    for (at, _) in word.char_indices() {
        if used == columns {
            lines.push(from..start + at);
            (from, used) = (start + at, 0);
        }
        used += 1;
    }
    lines.push(from..start + word.len());
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_together_if_they_fit() {
        assert_eq!(wrapped("one two three four five six", 16), ["one two three", "four five six"]);
        assert_eq!(wrapped("", 20), [""]);
        assert_eq!(wrapped("a  b", 20), ["a  b"]);
        assert_eq!(wrapped("äöüä äöüäöü ßßßß ß", 16), ["äöüä äöüäöü ßßßß", "ß"]);
    }

    #[test]
    fn a_long_word_is_cut() {
        let long = "ä".repeat(40);
        let lines = wrapped(&long, 16);
        assert_eq!(lines.iter().map(|line| line.chars().count()).collect::<Vec<_>>(), [16, 16, 8]);
        assert_eq!(wrapped("a bcdefghijklmnopqrstuvwxyz c", 1), ["a", "bcdefghijklmnopq", "rstuvwxyz c"]);
    }
}
