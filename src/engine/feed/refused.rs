//! Items that workers of a protocol of text cannot take, because of a byte in them or of their length. Each fails alone.

use super::cut::{CutPart, cut};
use crate::model::outcome::FailReason;
use crate::model::spec::ProtocolKind;
use crate::protocol::json_line_bytes_max;
use crate::source::Payload;
use crate::sys::pty;

/// What no item may be for workers that answer in text.
pub(super) struct Refused {
    protocol: ProtocolKind,
    /// They read lines from a terminal.
    on_terminal: bool,
}

/// A part of a payload.
pub(super) enum PayloadPart {
    Items(Payload),
    /// One item.
    Refused(FailReason),
}

const NEWLINE: &str = "the item contains a newline, and a worker of --protocol lines takes one line for each item; use \
    --protocol json, or leave --protocol out";
const END_OF_INPUT: &str = "the item contains the byte 4 (Ctrl-D), which ends the input of a terminal; leave --pty out, or \
    use --protocol json";
const LONG_LINE: &str = "the item is longer than a line of a terminal may be, which is 4094 bytes; leave --pty out";
const LONG_MESSAGE: &str = "the item's line of JSON is longer than a line of a terminal may be, which is 4094 bytes; leave \
    --pty out";

impl Refused {
    /// `None`: every item is taken.
    pub(super) const fn new(protocol: ProtocolKind, on_terminal: bool) -> Option<Self> {
        match protocol {
            ProtocolKind::Frames => None,
            ProtocolKind::Json if !on_terminal => None,
            ProtocolKind::Lines | ProtocolKind::Json => Some(Self { protocol, on_terminal }),
        }
    }

    /// Why this item is refused, if it is.
    fn why(&self, item: &[u8]) -> Option<&'static str> {
        match self.protocol {
            ProtocolKind::Lines if memchr::memchr(b'\n', item).is_some() => Some(NEWLINE),
            ProtocolKind::Lines if self.on_terminal && memchr::memchr(pty::END_OF_INPUT, item).is_some() => {
                Some(END_OF_INPUT)
            }
            ProtocolKind::Lines if self.on_terminal && item.len() > pty::LINE_BYTES_MAX => Some(LONG_LINE),
            ProtocolKind::Json if self.on_terminal && json_line_bytes_max(item) > pty::LINE_BYTES_MAX => {
                Some(LONG_MESSAGE)
            }
            _ => None,
        }
    }

    /// Whether some item of the payload is refused.
    pub(super) fn is_in(&self, payload: &Payload, delimiter: u8) -> bool {
        let bytes = &payload.block[payload.range.clone()];
        if payload.count <= 1 {
            return self.why(bytes).is_some();
        }
        if self.on_terminal {
            return bytes
                .split(|byte| *byte == delimiter)
                .take(payload.count as usize)
                .any(|item| self.why(item).is_some());
        }
        // Where a newline ends the items, none contains one.
        delimiter != b'\n' && memchr::memchr(b'\n', bytes).is_some()
    }

    /// The payload, cut before and after each item that is refused.
    pub(super) fn parts(&self, payload: Payload, delimiter: u8) -> Vec<PayloadPart> {
        let mut reasons = Vec::new();
        let parts = cut(payload, delimiter, |_, item| {
            let why = self.why(item);
            reasons.extend(why);
            why.is_some()
        });
        let mut reasons = reasons.into_iter().map(|why| PayloadPart::Refused(FailReason::Rejected(why.to_owned())));
        let of = |part| match part {
            CutPart::Kept(payload) => vec![PayloadPart::Items(payload)],
            CutPart::Picked(count) => reasons.by_ref().take(count as usize).collect(),
        };
        parts.into_iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::block::Block;
    use std::sync::Arc;

    /// The parts of NUL-separated items, as text.
    fn parts(text: &str, count: u32) -> Vec<String> {
        parts_of(text.as_bytes(), count, &Refused::new(ProtocolKind::Lines, false).unwrap())
    }

    fn parts_of(text: &[u8], count: u32, refused: &Refused) -> Vec<String> {
        let block = Arc::new(Block::from(text.to_vec()));
        let payload = Payload { range: 0..block.len(), block, count, priority: 0 };
        if !refused.is_in(&payload, 0) {
            return vec!["whole".to_owned()];
        }
        let shown = |part| match part {
            PayloadPart::Items(payload) => {
                format!("{}:{:?}", payload.count, String::from_utf8_lossy(&payload.block[payload.range]))
            }
            PayloadPart::Refused(_) => "refused".to_owned(),
        };
        refused.parts(payload, 0).into_iter().map(shown).collect()
    }

    #[test]
    fn an_item_with_a_newline_is_cut_out() {
        assert_eq!(parts("a\0b\0", 2), ["whole"]);
        assert_eq!(parts("a", 1), ["whole"]);
        assert_eq!(parts("a\nb", 1), ["refused"]);
        assert_eq!(parts("a\0b\nb\0c\0d\0", 4), ["1:\"a\"", "refused", "2:\"c\\0d\\0\""]);
        assert_eq!(parts("\n\0a\0b\0\n\0\n\0", 5), ["refused", "2:\"a\\0b\\0\"", "refused", "refused"]);
    }
    #[test]
    fn a_terminal_takes_neither_long_lines_nor_its_own_end() {
        let lines = Refused::new(ProtocolKind::Lines, true).unwrap();
        let json = Refused::new(ProtocolKind::Json, true).unwrap();
        let long = |bytes: usize| "x".repeat(bytes);
        for (refused, item, why) in [
            (&lines, long(4094), None),
            (&lines, long(4095), Some(LONG_LINE)),
            (&lines, "a\u{4}b".into(), Some(END_OF_INPUT)),
            (&lines, "a\nb".into(), Some(NEWLINE)),
            (&json, long(3900), None),
            (&json, long(4080), Some(LONG_MESSAGE)),
            // Each of them is an escape of six characters.
            (&json, "\u{4}".repeat(600), None),
            (&json, "\u{4}".repeat(700), Some(LONG_MESSAGE)),
        ] {
            assert_eq!(refused.why(item.as_bytes()), why, "{} bytes", item.len());
        }
        let text = [b"a\0b\x04\0".to_vec(), vec![b'x'; 5000], b"\0c\0".to_vec()].concat();
        assert_eq!(parts_of(&text, 4, &lines), ["1:\"a\"", "refused", "refused", "1:\"c\""]);
        assert_eq!(parts_of(&text, 4, &json), ["2:\"a\\0b\\u{4}\\0\"", "refused", "1:\"c\""]);
        assert!(
            Refused::new(ProtocolKind::Json, false).is_none() && Refused::new(ProtocolKind::Frames, true).is_none()
        );
    }
}
