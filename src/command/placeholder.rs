//! The placeholders for the arguments of an item, and their values.
//!
//! They are those of GNU parallel. `{}` is the argument, `{.}` without its extension, `{/}` its last path component, `{//}`
//! its directory, `{/.}` its last component without extension. `{#}` is the number of the item and `{%}` that of the slot.
//! With a number before the rest, as in `{2}`, `{-1}` and `{2.}`, they are those of one argument, from the end if it is
//! negative; with a name, as in `{name}` and `{name.}`, those of a column.
//!
//! Invariant: pure. A value is bytes; how they become an argument is decided elsewhere.

use crate::model::arrangement::{ArgumentsOf, ColumnName, ItemForm};
use crate::model::words::push_number;

/// The meaning of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// Each argument of the item, which is most often one.
    Each(PathPart),
    /// One argument by its number: from 1, or from -1 for the last.
    At(i32, PathPart),
    Sequence,
    Slot,
}

/// What a placeholder takes of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathPart {
    Whole,
    NoExtension,
    Basename,
    Dirname,
    BasenameNoExtension,
}

/// The text of each part behind a number or a name; the longer one of two that begin alike comes first.
const PARTS: [(&[u8], PathPart); 5] = [
    (b"//", PathPart::Dirname),
    (b"/.", PathPart::BasenameNoExtension),
    (b"/", PathPart::Basename),
    (b".", PathPart::NoExtension),
    (b"", PathPart::Whole),
];

/// The texts that are placeholders in a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceholderSet {
    /// Stands for the argument in place of `{}`.
    pub replace: Option<Vec<u8>>,
    /// Columns that have a name, with the number of each.
    pub names: Vec<ColumnName>,
}

impl PlaceholderSet {
    /// The text that stands for the whole argument.
    #[must_use]
    pub fn item_text(&self) -> &[u8] {
        self.replace.as_deref().unwrap_or(b"{}")
    }

    /// The length and the meaning of the placeholder at the beginning of `text`.
    #[must_use]
    pub fn at_start(&self, text: &[u8]) -> Option<(usize, Placeholder)> {
        let own = self.replace.as_deref().filter(|own| !own.is_empty() && text.starts_with(own));
        let own = own.map(|own| (own.len(), Placeholder::Each(PathPart::Whole)));
        if text.first() != Some(&b'{') {
            return own;
        }
        let named = self.names.iter().filter_map(|(name, number)| {
            let rest = text[1..].strip_prefix(name.as_slice())?;
            let (bytes, part) = PARTS.iter().find_map(|(own, part)| closed(rest, own, *part))?;
            Some((1 + name.len() + bytes, Placeholder::At(*number, part)))
        });
        // The first of two columns with the same name, as in GNU parallel.
        named.min_by_key(|(bytes, _)| std::cmp::Reverse(*bytes)).or_else(|| {
            let found = [own, self.unnamed(text), self.numbered(text)].into_iter().flatten();
            found.max_by_key(|(bytes, _)| *bytes)
        })
    }

    /// `{}` and its kin without a number.
    fn unnamed(&self, text: &[u8]) -> Option<(usize, Placeholder)> {
        match text {
            [b'{', b'#', b'}', ..] => return Some((3, Placeholder::Sequence)),
            [b'{', b'%', b'}', ..] => return Some((3, Placeholder::Slot)),
            _ => {}
        }
        let found = PARTS.iter().find_map(|(own, part)| closed(&text[1..], own, *part));
        let (bytes, part) = found.filter(|(_, part)| *part != PathPart::Whole || self.replace.is_none())?;
        Some((1 + bytes, Placeholder::Each(part)))
    }

    /// `{2}`, `{-1/}` and their kin. Another text for `{}` has numbers if it begins with a brace itself.
    fn numbered(&self, text: &[u8]) -> Option<(usize, Placeholder)> {
        let digits_at = if text.get(1) == Some(&b'-') { 2 } else { 1 };
        let digits = text[digits_at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let number = text[digits_at..][..digits].iter().fold(0_i32, |number, digit| {
            // A number beyond all arguments stays beyond them.
            number.saturating_mul(10).saturating_add(i32::from(digit - b'0'))
        });
        let number = if digits_at == 2 { -number } else { number };
        let mut at = digits_at + digits;
        at += text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let rest = &text[at..];
        let (bytes, part) = match self.replace.as_deref() {
            None => PARTS.iter().find_map(|(own, part)| closed(rest, own, *part))?,
            Some([b'{', own @ ..]) if rest.starts_with(own) && !own.is_empty() => (own.len(), PathPart::Whole),
            Some(_) => {
                let found = PARTS.iter().find_map(|(own, part)| closed(rest, own, *part));
                found.filter(|(_, part)| *part != PathPart::Whole)?
            }
        };
        let placeholder = if number == 0 { Placeholder::Each(part) } else { Placeholder::At(number, part) };
        Some((at + bytes, placeholder))
    }
}

/// The part `own` and the final brace at the beginning of `text`.
fn closed(text: &[u8], own: &[u8], part: PathPart) -> Option<(usize, PathPart)> {
    let rest = text.strip_prefix(own)?;
    (rest.first() == Some(&b'}')).then_some((own.len() + 1, part))
}

/// The values of the placeholders.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    pub item: &'a [u8],
    /// What the item is: one argument, or a list of them.
    pub form: ItemForm,
    /// The item's number, from 1.
    pub sequence: u64,
    /// The slot's number, from 1.
    pub slot: u32,
}

impl<'a> Values<'a> {
    /// The arguments of the item.
    #[must_use]
    pub const fn arguments(&self) -> ArgumentsOf<'a> {
        self.form.arguments(self.item)
    }

    /// The argument of a number: from 1, or from -1 for the last.
    #[must_use]
    pub fn argument(&self, number: i32) -> Option<&'a [u8]> {
        let place = match usize::try_from(number) {
            Ok(number) => number.checked_sub(1),
            Err(_) => self.arguments().count().checked_sub(number.unsigned_abs() as usize),
        };
        self.arguments().nth(place?)
    }
}

impl Placeholder {
    /// If its value is a number of the supervisor's own, with no byte of the item.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Sequence | Self::Slot)
    }

    /// Appends its value, with `argument` for each argument. `false`: there is no argument of its number.
    pub fn push_value(self, argument: &[u8], values: &Values<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Each(part) => out.extend_from_slice(part.of(argument)),
            Self::At(number, part) => match values.argument(number) {
                Some(argument) => out.extend_from_slice(part.of(argument)),
                None => return false,
            },
            Self::Sequence => push_number(out, values.sequence),
            Self::Slot => push_number(out, u64::from(values.slot)),
        }
        true
    }
}

impl PathPart {
    /// This part of an argument.
    #[must_use]
    pub fn of(self, argument: &[u8]) -> &[u8] {
        match self {
            Self::Whole => argument,
            Self::NoExtension => without_extension(argument),
            Self::Basename => basename(argument),
            Self::Dirname => dirname(argument),
            Self::BasenameNoExtension => without_extension(basename(argument)),
        }
    }
}

/// The path without its extension: a final dot and at least one byte that is neither a dot nor a slash.
fn without_extension(path: &[u8]) -> &[u8] {
    match memchr::memrchr2(b'.', b'/', path) {
        Some(at) if path[at] == b'.' && at + 1 < path.len() => &path[..at],
        _ => path,
    }
}

/// The part after the last slash; empty if the path ends with one.
fn basename(path: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..])
}

/// The directory, as `dirname(1)` prints it: without the final slashes, `.` if there is none, and `/` for an entry of the
/// root.
fn dirname(path: &[u8]) -> &[u8] {
    let without_final_slashes = |path: &[u8]| path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let named = without_final_slashes(path);
    let Some(slash) = memchr::memrchr(b'/', &path[..named]) else {
        // A name without a directory, or only slashes.
        return if named == 0 && !path.is_empty() { b"/" } else { b"." };
    };
    match without_final_slashes(&path[..slash]) {
        0 => b"/",
        end => &path[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_placeholder_is_found() {
        use PathPart::{Basename, BasenameNoExtension, Dirname, NoExtension, Whole};
        use Placeholder::{At, Each, Sequence, Slot};
        let none = PlaceholderSet::default();
        for (text, bytes, expected) in [
            ("{}x", 2, Each(Whole)),
            ("{//}x", 4, Each(Dirname)),
            ("{/.}", 4, Each(BasenameNoExtension)),
            ("{#}{%}", 3, Sequence),
            ("{%}", 3, Slot),
            ("{1}", 3, At(1, Whole)),
            ("{12.}}", 5, At(12, NoExtension)),
            ("{-1/}", 5, At(-1, Basename)),
            ("{3 //}", 6, At(3, Dirname)),
            ("{01}", 4, At(1, Whole)),
            ("{0}", 3, Each(Whole)),
            ("{0.}", 4, Each(NoExtension)),
            ("{99999999999}", 13, At(i32::MAX, Whole)),
        ] {
            assert_eq!(none.at_start(text.as_bytes()), Some((bytes, expected)), "{text}");
        }
        for text in ["", "{", "{x}", "x{}", "{ 1}", "{+1}", "{-}", "{1#}", "{1", "{1.", "{.", "{///}", "{1-}"] {
            assert_eq!(none.at_start(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn another_text_for_the_item_takes_the_place_of_the_braces() {
        use PathPart::{Basename, Whole};
        use Placeholder::{At, Each, Sequence};
        let set = |text: &str| PlaceholderSet { replace: Some(text.into()), names: Vec::new() };
        for (replace, text, expected) in [
            (",,", ",,x", Some((2, Each(Whole)))),
            (",,", "{}", None),
            (",,", "{1}", None),
            (",,", "{1/}", Some((4, At(1, Basename)))),
            (",,", "{/}", Some((3, Each(Basename)))),
            (",,", "{#}", Some((3, Sequence))),
            ("{x}", "{x}", Some((3, Each(Whole)))),
            ("{x}", "{2x}", Some((4, At(2, Whole)))),
            ("{x}", "{}", None),
            ("{}", "{}", Some((2, Each(Whole)))),
            ("{}", "{2}", Some((3, At(2, Whole)))),
            ("{}}", "{}}", Some((3, Each(Whole)))),
            ("", "{1/}", Some((4, At(1, Basename)))),
        ] {
            assert_eq!(set(replace).at_start(text.as_bytes()), expected, "{replace} {text}");
        }
    }

    #[test]
    fn a_column_has_a_name() {
        use PathPart::{BasenameNoExtension, Whole};
        use Placeholder::{At, Each};
        let names = [("n", 1), ("nn", 2), ("a b", 3), ("n", 4), ("2", 5)];
        let names = names.iter().map(|(name, number)| (name.as_bytes().to_vec(), *number)).collect();
        let set = PlaceholderSet { replace: None, names };
        for (text, expected) in [
            ("{n}", Some((3, At(1, Whole)))),
            ("{nn}", Some((4, At(2, Whole)))),
            ("{a b/.}", Some((7, At(3, BasenameNoExtension)))),
            ("{2}", Some((3, At(5, Whole)))),
            ("{1}", Some((3, At(1, Whole)))),
            ("{}", Some((2, Each(Whole)))),
            ("{other}", None),
            ("{n", None),
        ] {
            assert_eq!(set.at_start(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn an_argument_has_a_number_from_either_end() {
        let values = Values { item: b"a\0b\0\0", form: ItemForm::List, sequence: 1, slot: 1 };
        let argument = |number| values.argument(number).map(String::from_utf8_lossy);
        let found: Vec<_> = [1, 3, 4, -1, -3, -4, i32::MAX, i32::MIN].into_iter().map(argument).collect();
        let expected = [Some("a"), Some(""), None, Some(""), Some("a"), None, None, None];
        assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }
}
