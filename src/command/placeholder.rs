//! The placeholders for an item, and their values.
//!
//! They are those of GNU parallel: `{}` the item, `{.}` without its extension, `{/}` its last path component, `{//}` its
//! directory, `{/.}` its last component without extension, `{#}` the item's number from 1, `{%}` the slot's number from 1.
//!
//! Invariant: pure. A value is bytes; how they become an argument is decided elsewhere.

use crate::model::words::push_number;

/// The meaning of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    Item,
    NoExtension,
    Basename,
    Dirname,
    BasenameNoExtension,
    Sequence,
    Slot,
}

/// The text of each placeholder.
const PLACEHOLDERS: [(&str, Placeholder); 7] = [
    ("{}", Placeholder::Item),
    ("{.}", Placeholder::NoExtension),
    ("{/}", Placeholder::Basename),
    ("{//}", Placeholder::Dirname),
    ("{/.}", Placeholder::BasenameNoExtension),
    ("{#}", Placeholder::Sequence),
    ("{%}", Placeholder::Slot),
];

/// The values of the placeholders.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    pub item: &'a [u8],
    /// The item's number, from 1.
    pub sequence: u64,
    /// The slot's number, from 1.
    pub slot: u32,
}

impl Placeholder {
    /// The placeholder at the beginning of `text`, with its own text.
    pub fn at_start(text: &[u8]) -> Option<(&'static str, Self)> {
        if text.first() != Some(&b'{') {
            return None;
        }
        PLACEHOLDERS.iter().find(|(own, _)| text.starts_with(own.as_bytes())).copied()
    }

    /// If its value is a number of the supervisor's own, with no byte of the item.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Sequence | Self::Slot)
    }

    /// Appends its value for an item.
    pub fn push_value(self, values: &Values<'_>, out: &mut Vec<u8>) {
        let text = match self {
            Self::Item => values.item,
            Self::NoExtension => without_extension(values.item),
            Self::Basename => basename(values.item),
            Self::Dirname => dirname(values.item),
            Self::BasenameNoExtension => without_extension(basename(values.item)),
            Self::Sequence => return push_number(out, values.sequence),
            Self::Slot => return push_number(out, u64::from(values.slot)),
        };
        out.extend_from_slice(text);
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
        assert_eq!(Placeholder::at_start(b"{//}x"), Some(("{//}", Placeholder::Dirname)));
        assert_eq!(Placeholder::at_start(b"{/.}"), Some(("{/.}", Placeholder::BasenameNoExtension)));
        assert_eq!(Placeholder::at_start(b"{x}"), None);
        assert_eq!(Placeholder::at_start(b"x{}"), None);
    }
}
