//! A text with placeholders that is not a command: a tag, or the name of a file. No I/O.
//!
//! Invariant: an item is data here too: what it holds is not read as a placeholder.

use super::line::CommandLine;
use super::placeholder::{PlaceholderSet, Values};
use super::words::Word;
use crate::model::arrangement::{ColumnNames, Insertion};
use crate::model::ids::{ItemId, WorkerId};

/// A text with placeholders, which may have to wait for the names of columns.
#[derive(Clone, Debug)]
pub struct TextTemplate {
    text: Vec<u8>,
    insertion: Insertion,
    names: ColumnNames,
    word: Option<Word>,
    line: CommandLine,
}

impl TextTemplate {
    /// `names`: where the names of columns are, once the first item is there.
    #[must_use]
    pub fn new(text: &[u8], insertion: &Insertion, names: ColumnNames) -> Self {
        let insertion = insertion.clone();
        Self { text: text.to_vec(), insertion, names, word: None, line: CommandLine::default() }
    }

    /// Appends the text for an item, as the source delivered it, in this slot. What several arguments make of a word is
    /// joined by spaces, as by GNU parallel.
    pub fn push(&mut self, item: &[u8], id: ItemId, worker: WorkerId, out: &mut Vec<u8>) {
        let values =
            Values { item, form: self.insertion.form, sequence: id.0.saturating_add(1), slot: worker.number() };
        let word = self.word.get_or_insert_with(|| {
            let names = self.names.get().unwrap_or_default().to_vec();
            let set = PlaceholderSet { replace: self.insertion.replace.clone(), names };
            Word::parse(&self.text, &set, self.insertion.repeats)
        });
        self.line.clear();
        word.push(&values, &mut self.line);
        for (number, part) in self.line.arguments().enumerate() {
            if number > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(part);
        }
    }
}

/// Replaces `\t`, `\n`, `\r` and octal numbers as `\0` or `\011`, as GNU parallel does in a tag.
#[must_use]
pub fn unescaped(text: &[u8]) -> Vec<u8> {
    let is_octal = |digit: u8| (b'0'..=b'7').contains(&digit);
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(&first) = rest.first() {
        let (byte, length) = match *rest {
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', a @ b'0'..=b'3', b, c, ..] if is_octal(b) && is_octal(c) => {
                (((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), 4)
            }
            [b'\\', digit, ..] if is_octal(digit) => (digit - b'0', 2),
            _ => (first, 1),
        };
        out.push(byte);
        rest = &rest[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arrangement::ItemForm;

    fn filled(text: &str, item: &str, insertion: &Insertion) -> String {
        let mut out = Vec::new();
        let names = ColumnNames::default();
        names.set(vec![(b"name".to_vec(), 2)]);
        let mut template = TextTemplate::new(text.as_bytes(), insertion, names);
        template.push(item.as_bytes(), ItemId(4), WorkerId::from_index(1), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn placeholders_stand_for_the_item_and_nothing_in_it_is_one() {
        let one = Insertion::default();
        let list = Insertion { form: ItemForm::List, ..Insertion::default() };
        let table = [
            ("{}", "a {#}", &one, "a {#}"),
            ("x{#}-{%}", "a", &one, "x5-2"),
            ("{/.}", "d/a.b", &one, "a"),
            ("", "a", &one, ""),
            ("plain text", "a", &one, "plain text"),
            ("x{}y", "a\0b\0", &list, "xa by"),
            ("{2}-{name}-{3}", "a\0b\0", &list, "b-b-"),
            ("{}", "", &list, ""),
        ];
        for (text, item, insertion, expected) in table {
            assert_eq!(filled(text, item, insertion), expected, "{text}");
        }
        let repeats = Insertion { repeats: true, ..list };
        assert_eq!(filled("x{}y", "a\0b\0", &repeats), "xay xby");
    }

    #[test]
    fn escapes_are_those_of_gnu_parallel() {
        let table = [
            (r"a\tb\n\r", "a\tb\n\r"),
            (r"\0\7\101\8", "\0\u{7}A\\8"),
            (r"\", r"\"),
            (r"\\", r"\\"),
            (r"\777", "\u{7}77"),
        ];
        for (text, expected) in table {
            assert_eq!(unescaped(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }
}
