//! How what is read becomes the items of a run: columns, combinations, lists of arguments, an order by chance.
//!
//! The words are those of GNU parallel and xargs. A **value** is what one input has between two delimiters. A **record**
//! has the values of one combination, or the columns of one line. An item is one record, or several in a list of
//! arguments for one command.

#![deny(missing_docs)]

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// The most bytes of a command line that is filled with arguments, unless another limit is given: what GNU parallel
/// computes on Linux, half of the longest argument of a shell without some room. Each word counts with the byte behind
/// it.
pub const LINE_BYTES_MAX: usize = 63_664;

/// What an item is to the command that it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemForm {
    /// One argument, which may be any bytes.
    #[default]
    Whole,
    /// A list of arguments, each followed by a NUL, which no argument of a program can hold. It may be empty.
    List,
}

impl ItemForm {
    /// The arguments of an item.
    #[must_use]
    pub const fn arguments(self, item: &[u8]) -> ArgumentsOf<'_> {
        ArgumentsOf { rest: Some(item), form: self }
    }

    /// An item as people see it: the arguments of a list, joined by spaces.
    #[must_use]
    pub fn shown(self, item: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Whole => Cow::Borrowed(item),
            Self::List => {
                let mut text = item.strip_suffix(&[0]).unwrap_or(item).to_vec();
                text.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
                Cow::Owned(text)
            }
        }
    }
}

/// The arguments of an item, in their order.
#[derive(Clone, Debug)]
pub struct ArgumentsOf<'a> {
    rest: Option<&'a [u8]>,
    form: ItemForm,
}

impl<'a> Iterator for ArgumentsOf<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        match self.form {
            ItemForm::Whole => Some(rest),
            ItemForm::List => {
                let end = memchr::memchr(0, rest)?;
                self.rest = Some(&rest[end + 1..]);
                Some(&rest[..end])
            }
        }
    }
}

/// How values become records, and records become items. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrangement {
    /// Values are cut into columns.
    pub columns: Option<ColumnSplit>,
    /// Columns and inputs have names.
    pub names: Option<NameSource>,
    /// The value that ends its input, and is itself no item.
    pub end_of_file: Option<Vec<u8>>,
    /// Values of white space alone are no items.
    pub skips_blank: bool,
    /// Records come in an order by chance, once all of them are known.
    pub shuffles: bool,
    /// All inputs go together one by one, and one that has ended begins again, until the longest has.
    pub recycles: bool,
    /// Most records in an item; 0: one record, of which the command sees nothing.
    pub records_max: Option<u32>,
    /// The same for lines: a line that ends with white space goes on in the next one. The text around a placeholder is
    /// repeated for each argument.
    pub lines_max: Option<u32>,
    /// Items hold as many records as fit into a command line.
    pub fill: Option<LineFill>,
    /// Most bytes of a command line, each word with the byte behind it.
    pub line_bytes_max: Option<u64>,
    /// A text that stands for the item in place of `{}`.
    pub replace: Option<Vec<u8>>,
}

/// How a value is cut into columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSplit {
    /// At each match of a regular expression, which sees bytes.
    Pattern {
        /// The regular expression.
        regex: Vec<u8>,
        /// White space around a column is cut off.
        trims: bool,
    },
    /// As comma-separated values: a field in double quotes may hold the separator and newlines.
    Csv {
        /// Between two fields.
        separator: u8,
        /// White space around a field is cut off.
        trims: bool,
    },
}

/// Where the names of columns come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameSource {
    /// The first line of each input, cut into columns. The path of a file names its input, too.
    FirstLine,
    /// The path of a file names its input.
    Paths,
}

/// How a command line is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFill {
    /// A word that holds a placeholder is repeated for each argument.
    Repeat,
    /// A placeholder becomes all arguments; what stands before it belongs to the first, what follows to the last.
    Join,
}

impl Arrangement {
    /// If records are more than single values, or several of them may be one item.
    #[must_use]
    pub const fn makes_lists(&self) -> bool {
        self.columns.is_some()
            || self.names.is_some()
            || self.records_max.is_some()
            || self.lines_max.is_some()
            || self.fill.is_some()
            || self.line_bytes_max.is_some()
    }

    /// If the source has anything to do.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.makes_lists() || self.end_of_file.is_some() || self.skips_blank || self.shuffles
    }

    /// If the text around a placeholder is repeated for each argument.
    #[must_use]
    pub const fn repeats(&self) -> bool {
        match self.fill {
            Some(fill) => matches!(fill, LineFill::Repeat),
            None => self.lines_max.is_some(),
        }
    }
}

/// What a command has to know about the items that it gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Insertion {
    /// What an item is.
    pub form: ItemForm,
    /// A word with a placeholder is repeated for each argument of a list.
    pub repeats: bool,
    /// A text that stands for the item in place of `{}`.
    pub replace: Option<Vec<u8>>,
    /// Columns have names, which are known when the first item is.
    pub has_names: bool,
    /// The item is for the stdin of its command alone: placeholders of it are empty, as in GNU parallel with `--pipe`.
    pub hides_item: bool,
}

/// The name of a column, and its number from 1.
pub type ColumnName = (Vec<u8>, i32);

/// The names of columns, with the number of each from 1. Empty until the first line of each input has been read; the
/// source fills it in before it delivers an item.
#[derive(Clone, Debug, Default)]
pub struct ColumnNames(Arc<OnceLock<Vec<ColumnName>>>);

impl ColumnNames {
    /// Makes the names known. The first call counts.
    pub fn set(&self, names: Vec<ColumnName>) {
        let _ = self.0.set(names);
    }

    /// The names, once they are known.
    #[must_use]
    pub fn get(&self) -> Option<&[ColumnName]> {
        self.0.get().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_its_arguments_and_is_shown_with_spaces() {
        let list = |item: &'static [u8]| ItemForm::List.arguments(item).collect::<Vec<_>>();
        assert_eq!(list(b"a\0\0b c\0"), [&b"a"[..], b"", b"b c"]);
        assert_eq!(list(b""), [&b""[..]; 0]);
        assert_eq!(list(b"\0"), [b""]);
        assert_eq!(&*ItemForm::List.shown(b"a\0\0b c\0"), b"a  b c");
        assert_eq!(&*ItemForm::List.shown(b""), b"");
        assert_eq!(ItemForm::Whole.arguments(b"a\0b").collect::<Vec<_>>(), [b"a\0b"]);
        assert_eq!(&*ItemForm::Whole.shown(b"a\0b"), b"a\0b");
    }

    #[test]
    fn names_are_set_once() {
        let names = ColumnNames::default();
        let other = names.clone();
        assert_eq!(other.get(), None);
        names.set(vec![(b"a".to_vec(), 1)]);
        names.set(Vec::new());
        assert_eq!(other.get(), Some(&[(b"a".to_vec(), 1)][..]));
    }
}
