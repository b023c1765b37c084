//! Items that an earlier run has finished: this run counts them, and hands none of them out again.
//!
//! Invariant: an item is asked about once, when the source delivers it.

use super::cut::{CutPart, cut};
use crate::model::ids::ItemId;
use crate::model::item_set::ItemSet;
use crate::source::Payload;

/// Says of an item whether its results are stored.
pub type IsStored = Box<dyn FnMut(ItemId, &[u8]) -> bool>;

/// Which items an earlier run has finished.
pub struct EarlierItems {
    finished: ItemSet,
    is_stored: Option<IsStored>,
}

impl EarlierItems {
    /// `finished`: by their ids. `is_stored`: those, too, of which it says so.
    #[must_use]
    pub fn new(finished: ItemSet, is_stored: Option<IsStored>) -> Self {
        Self { finished, is_stored }
    }

    /// Whether an earlier run has finished this item.
    pub fn has(&mut self, item: ItemId, bytes: &[u8]) -> bool {
        self.finished.contains(item) || self.is_stored.as_mut().is_some_and(|is_stored| is_stored(item, bytes))
    }

    /// The payload, whose first item has the id `first`, without the finished items.
    pub(super) fn cut(&mut self, payload: Payload, first: ItemId, delimiter: u8) -> Vec<CutPart> {
        if self.is_stored.is_none() && !self.finished.has_any(first, payload.count) {
            return vec![CutPart::Kept(payload)];
        }
        cut(payload, delimiter, |index, bytes| self.has(first.plus(index.into()), bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::block::Block;
    use std::sync::Arc;

    fn parts(earlier: &mut EarlierItems, text: &str, count: u32, first: u64) -> Vec<String> {
        let block = Arc::new(Block::from(text.as_bytes().to_vec()));
        let payload = Payload { range: 0..block.len(), block, count, priority: 0 };
        let shown = |part| match part {
            CutPart::Kept(payload) => {
                format!("{}:{:?}", payload.count, String::from_utf8_lossy(&payload.block[payload.range]))
            }
            CutPart::Picked(count) => format!("{count} finished"),
        };
        earlier.cut(payload, ItemId(first), b',').into_iter().map(shown).collect()
    }

    #[test]
    fn finished_items_are_cut_out_and_counted() {
        let mut earlier = EarlierItems::new([3, 4, 7].into_iter().map(ItemId).collect(), None);
        assert_eq!(parts(&mut earlier, "a,b,", 2, 1), ["2:\"a,b,\""]);
        assert_eq!(parts(&mut earlier, "c", 1, 3), ["1 finished"]);
        assert_eq!(parts(&mut earlier, "b,c,d,e,f,g,", 6, 2), ["1:\"b\"", "2 finished", "2:\"e,f,\"", "1 finished"]);
        let stored: IsStored = Box::new(|_, bytes| bytes == b"e");
        let mut earlier = EarlierItems::new(ItemSet::default(), Some(stored));
        assert_eq!(parts(&mut earlier, "d,e,e,", 3, 9), ["1:\"d\"", "2 finished"]);
        assert_eq!(parts(&mut earlier, "d", 1, 9), ["1:\"d\""]);
    }
}
