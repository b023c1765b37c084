//! The arguments of an item, as GNU parallel names folders and columns after them.
//!
//! Invariant: pure. What an item holds never becomes a separator of a path.

use super::Settled;
use crate::model::arrangement::{ColumnNames, ItemForm};
use std::borrow::Cow;
use std::cmp::Ordering;

/// The longest name of a file that common file systems take, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// What is known of the arguments of all items.
#[derive(Clone, Debug)]
pub struct ItemColumns {
    pub form: ItemForm,
    /// Names of columns, once the first item is there.
    pub names: ColumnNames,
    /// The names are the first line of each input, and head the columns of a table.
    pub has_header: bool,
    /// How many arguments of an item belong to each combination of values; `None`: all.
    pub per_record: Option<usize>,
}

impl ItemColumns {
    /// The arguments of an item that is settled alone.
    pub fn arguments<'a>(&self, settled: &Settled<'a>) -> Vec<&'a [u8]> {
        self.form.arguments(settled.arguments.unwrap_or(settled.inputs)).collect()
    }

    /// The name of a column, by its number from 1: the path of its input, if that is one of the names.
    pub fn name(&self, number: usize) -> Option<&[u8]> {
        let names = self.names.get().unwrap_or_default();
        let own = names.iter().rfind(|(_, column)| usize::try_from(*column) == Ok(number));
        own.map(|(name, _)| name.as_slice())
    }

    /// Appends `1/VALUE/2/VALUE`, or with the names of columns, in the order of these. `shortens`: no part is longer
    /// than a name may be.
    pub fn push_path(&self, arguments: &[&[u8]], shortens: bool, out: &mut Vec<u8>) {
        let start = out.len();
        for record in arguments.chunks(self.per_record.unwrap_or(arguments.len()).max(1)) {
            let mut columns: Vec<(Cow<'_, [u8]>, &[u8])> = (1..)
                .zip(record)
                .map(|(number, value)| {
                    let named = self.name(number).map(Cow::Borrowed);
                    (named.unwrap_or_else(|| number.to_string().into_bytes().into()), *value)
                })
                .collect();
            columns.sort_by(|(one, _), (other, _)| order(one, other));
            for (name, value) in columns {
                if out.len() > start {
                    out.push(b'/');
                }
                out.extend_from_slice(&name);
                out.push(b'/');
                push_escaped(value, shortens, out);
            }
        }
    }
}

/// Appends a value as a part of a path.
fn push_escaped(value: &[u8], shortens: bool, out: &mut Vec<u8>) {
    let start = out.len();
    for byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0 => out.extend_from_slice(b"\\0"),
            b'/' => out.extend_from_slice(b"\\_"),
            _ => out.push(*byte),
        }
    }
    if shortens {
        out.truncate(start + NAME_BYTES_MAX);
    }
}

/// By the number that a name begins with, then by its bytes.
fn order(one: &[u8], other: &[u8]) -> Ordering {
    number(one).total_cmp(&number(other)).then_with(|| one.cmp(other))
}

/// The number at the beginning of a name, as Perl reads it; 0 if there is none.
fn number(name: &[u8]) -> f64 {
    let text = name.trim_ascii_start();
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let mut end = sign + digits(&text[sign..]);
    if text.get(end) == Some(&b'.') {
        end += 1 + digits(&text[end + 1..]);
    }
    let parsed = std::str::from_utf8(&text[..end]).ok().and_then(|text| text.parse::<f64>().ok());
    // Minus zero is zero.
    parsed.unwrap_or(0.0) + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &[(&str, i32)], per_record: Option<usize>, arguments: &[&str]) -> String {
        let own = ColumnNames::default();
        own.set(names.iter().map(|(name, number)| (name.as_bytes().to_vec(), *number)).collect());
        let columns = ItemColumns { form: ItemForm::List, names: own, has_header: true, per_record };
        let mut out = b"D/".to_vec();
        columns.push_path(&arguments.iter().map(|argument| argument.as_bytes()).collect::<Vec<_>>(), true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_parts_of_a_path_behind_their_numbers_or_names() {
        assert_eq!(path(&[], None, &["a", "b c"]), "D/1/a/2/b c");
        assert_eq!(path(&[], None, &["", "a/../b", "t\tz\0", "b\\"]), "D/1//2/a\\_..\\_b/3/t\\tz\\0/4/b\\\\");
        assert_eq!(path(&[], Some(1), &["a", "b"]), "D/1/a/1/b");
        assert_eq!(path(&[], Some(2), &["a", "b", "c", "d"]), "D/1/a/2/b/1/c/2/d");
        assert_eq!(path(&[("w", 1), ("v", 2)], None, &["a", "b", "c"]), "D/v/b/w/a/3/c");
        assert_eq!(path(&[("11a", 1), ("1b", 2), ("1a", 3)], None, &["x", "y", "z"]), "D/1a/z/1b/y/11a/x");
        assert_eq!(path(&[("w", 1), ("in/put", 1)], None, &["a"]), "D/in/put/a", "the path of the input");
        assert_eq!(path(&[], None, &[]), "D/");
        assert_eq!(path(&[], None, &["x".repeat(300).as_str()]).len(), 4 + 255);
    }
}
