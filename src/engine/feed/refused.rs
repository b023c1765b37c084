//! Items that workers of a protocol cannot take, because of a byte in them. Each fails alone.

use super::cut::{CutPart, cut};
use crate::model::outcome::FailReason;
use crate::source::Payload;

/// A byte that no item may contain, and why.
pub(super) struct Refused {
    byte: u8,
    reason: &'static str,
}

/// A part of a payload.
pub(super) enum PayloadPart {
    Items(Payload),
    /// One item.
    Refused(FailReason),
}

impl Refused {
    pub(super) const fn newlines() -> Self {
        let reason = "the item contains a newline, and a worker of --protocol lines takes one line for each item; use \
            --protocol json, or leave --protocol out";
        Self { byte: b'\n', reason }
    }

    /// Whether some item of the payload contains the byte. Where the byte ends the items, none does.
    pub(super) fn is_in(&self, payload: &Payload, delimiter: u8) -> bool {
        let ends_items = payload.count > 1 && delimiter == self.byte;
        !ends_items && memchr::memchr(self.byte, &payload.block[payload.range.clone()]).is_some()
    }

    /// The payload, cut before and after each item that contains the byte.
    pub(super) fn parts(&self, payload: Payload, delimiter: u8) -> Vec<PayloadPart> {
        let reason = || PayloadPart::Refused(FailReason::Rejected(self.reason.to_owned()));
        let has_byte = |_, item: &[u8]| memchr::memchr(self.byte, item).is_some();
        let parts = cut(payload, delimiter, has_byte).into_iter();
        let of = |part| match part {
            CutPart::Kept(payload) => vec![PayloadPart::Items(payload)],
            CutPart::Picked(count) => (0..count).map(|_| reason()).collect(),
        };
        parts.flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::block::Block;
    use std::sync::Arc;

    /// The parts of NUL-separated items, as text.
    fn parts(text: &str, count: u32) -> Vec<String> {
        let block = Arc::new(Block::from(text.as_bytes().to_vec()));
        let payload = Payload { range: 0..block.len(), block, count, priority: 0 };
        let refused = Refused::newlines();
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
}
