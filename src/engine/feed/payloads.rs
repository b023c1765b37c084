//! The bytes of the items that may still be sent or shown, in the blocks that the source delivered.
//!
//! Invariant: a block is freed with the last of its items. The work for a batch is O(1) if it is a whole segment. Items
//! are counted one by one only where a batch is split, or where a batch was settled in part and its rest is sent or shown
//! again.

use crate::model::ids::ItemId;
use crate::source::Payload;
use crate::sys::block::{Block, BlockSlice};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Consecutive items in one block.
struct Segment {
    block: Arc<Block>,
    range: Range<usize>,
    count: u32,
    /// Released items at the front of `range`. Where they end is computed only when it is needed.
    released: u32,
    /// Each item is followed by the delimiter. Otherwise the segment is one item, without a delimiter.
    delimited: bool,
}

/// The bytes of all accepted items that may still be sent or shown.
pub(super) struct Payloads {
    delimiter: u8,
    /// By the id of the first item that is not released.
    segments: BTreeMap<u64, Segment>,
    bytes: u64,
    /// The body of items that are not held.
    nothing: Arc<Block>,
}

impl Payloads {
    #[must_use]
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, segments: BTreeMap::new(), bytes: 0, nothing: Arc::default() }
    }

    /// Bytes held. Released bytes at the front of a segment count until the segment is split or freed.
    #[must_use]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What ends each item in a body of several.
    #[must_use]
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Keeps a batch, whose first item got the id `first`.
    pub(super) fn insert(&mut self, first: ItemId, payload: Payload) {
        self.bytes += payload.block.held_bytes(payload.range.len());
        let delimited = payload.count > 1;
        let segment =
            Segment { block: payload.block, range: payload.range, count: payload.count, released: 0, delimited };
        self.segments.insert(first.0, segment);
    }

    /// The body for these items: of one, the item; of several, each with its delimiter.
    /// Empty for items that are not held, and for items of more than one segment.
    pub(super) fn body(&mut self, first: ItemId, count: u32) -> BlockSlice<'_> {
        self.cut_at(first.0);
        self.cut_at(first.0 + u64::from(count));
        let delimiter = self.delimiter;
        let Some(segment) = self.segments.get_mut(&first.0).filter(|segment| segment.count == count) else {
            return BlockSlice::whole(&self.nothing);
        };
        self.bytes -= segment.skip_released(delimiter);
        let mut range = segment.range.clone();
        if count == 1 && segment.delimited {
            range.end -= 1;
        }
        BlockSlice::new(&segment.block, range)
    }

    /// One item, without cutting its segment. Empty if it is not held.
    pub(super) fn peek(&self, item: ItemId) -> &[u8] {
        let Some((&at, segment)) = self.segments.range(..=item.0).next_back() else { return &[] };
        let ahead = item.0 - at;
        if ahead >= u64::from(segment.count) {
            return &[];
        }
        let bytes = &segment.block[segment.range.clone()];
        let start = items_length(bytes, segment.released + ahead as u32, self.delimiter);
        let end = if ahead + 1 == u64::from(segment.count) {
            bytes.len() - usize::from(segment.delimited)
        } else {
            memchr::memchr(self.delimiter, &bytes[start..]).map_or(bytes.len(), |length| start + length)
        };
        bytes.get(start..end).unwrap_or_default()
    }

    /// How many of these items are in the segment of the first item; all of them if the first item is not held.
    pub(super) fn contiguous(&self, first: ItemId, count: u32) -> u32 {
        let Some((&at, segment)) = self.segments.range(..=first.0).next_back() else { return count };
        let left = (at + u64::from(segment.count)).saturating_sub(first.0);
        if left == 0 { count } else { u64::from(count).min(left) as u32 }
    }

    /// Frees the bytes of these items. Items that are not held are skipped.
    pub(super) fn release(&mut self, first: ItemId, count: u32) {
        let end = first.0 + u64::from(count);
        self.cut_at(first.0);
        while let Some((&at, _)) = self.segments.range(first.0..end).next()
            && let Some(mut segment) = self.segments.remove(&at)
        {
            let released = u64::from(segment.count).min(end - at);
            segment.count -= released as u32;
            segment.released += released as u32;
            if segment.count == 0 {
                self.bytes -= segment.block.held_bytes(segment.range.len());
            } else {
                self.segments.insert(at + released, segment);
            }
        }
    }

    /// Makes `id` the first item of a segment, if a segment contains it.
    fn cut_at(&mut self, id: u64) {
        let Some((&at, segment)) = self.segments.range_mut(..id).next_back() else { return };
        let ahead = id - at;
        if ahead >= u64::from(segment.count) {
            return;
        }
        self.bytes -= segment.skip_released(self.delimiter);
        let bytes = &segment.block[segment.range.clone()];
        let (front, back) = (ahead as u32, segment.count - ahead as u32);
        // From the nearer end: lifo takes the items of a block one by one from the end.
        let length = if front <= back {
            items_length(bytes, front, self.delimiter)
        } else {
            bytes.len() - last_items_length(bytes, back, self.delimiter)
        };
        let middle = segment.range.start + length;
        let tail = Segment {
            block: Arc::clone(&segment.block),
            range: middle..segment.range.end,
            count: back,
            released: 0,
            delimited: true,
        };
        segment.range.end = middle;
        segment.count = front;
        self.segments.insert(id, tail);
    }
}

impl Segment {
    /// Moves the front past the released items. Returns how many bytes were freed.
    fn skip_released(&mut self, delimiter: u8) -> u64 {
        let length = items_length(&self.block[self.range.clone()], self.released, delimiter);
        self.range.start += length;
        self.released = 0;
        self.block.held_bytes(length)
    }
}

/// How many bytes the first `count` delimited items take.
fn items_length(bytes: &[u8], count: u32, delimiter: u8) -> usize {
    match count {
        0 => 0,
        _ => memchr::memchr_iter(delimiter, bytes).nth(count as usize - 1).map_or(bytes.len(), |at| at + 1),
    }
}

/// How many bytes the last `count` of several delimited items take; at least one item is before them.
fn last_items_length(bytes: &[u8], count: u32, delimiter: u8) -> usize {
    // The delimiter behind the item before them is the next one from the end.
    memchr::memrchr_iter(delimiter, bytes).nth(count as usize).map_or(bytes.len(), |at| bytes.len() - at - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ten() -> Payloads {
        let mut payloads = Payloads::new(b'\n');
        let block = Arc::new(Block::from(b"xx0\n1\n22\n3\n\n5\n6\n7\n8\n9\n".to_vec()));
        let range = 2..block.len();
        payloads.insert(ItemId(100), Payload { block, range, count: 10, priority: 0 });
        payloads
    }

    #[test]
    fn a_run_is_cut_where_the_core_cuts_it() {
        let mut payloads = ten();
        assert_eq!(payloads.body(ItemId(100), 3).bytes(), b"0\n1\n22\n");
        assert_eq!(payloads.body(ItemId(104), 1).bytes(), b"");
        assert_eq!(payloads.body(ItemId(103), 1).bytes(), b"3");
        assert_eq!(payloads.body(ItemId(105), 5).bytes(), b"5\n6\n7\n8\n9\n");
        assert_eq!(payloads.body(ItemId(102), 1).bytes(), b"22");
    }

    #[test]
    fn released_items_are_skipped_when_the_rest_is_sent_again() {
        let mut payloads = ten();
        payloads.release(ItemId(100), 2);
        payloads.release(ItemId(102), 1);
        assert_eq!(payloads.body(ItemId(103), 2).bytes(), b"3\n\n");
        // An item in the middle goes first: those around it stay.
        payloads.release(ItemId(107), 1);
        assert_eq!(payloads.body(ItemId(105), 2).bytes(), b"5\n6\n");
        assert_eq!(payloads.body(ItemId(108), 2).bytes(), b"8\n9\n");
        for (first, count) in [(103, 2), (105, 2), (108, 2)] {
            payloads.release(ItemId(first), count);
        }
        assert_eq!(payloads.bytes(), 0);
        assert!(payloads.segments.is_empty());
    }

    #[test]
    fn a_glance_at_an_item_cuts_nothing() {
        let mut payloads = ten();
        let item = |payloads: &Payloads, id| String::from_utf8(payloads.peek(ItemId(id)).to_vec()).unwrap();
        assert_eq!([100, 102, 104, 109, 110, 99].map(|id| item(&payloads, id)), ["0", "22", "", "9", "", ""]);
        payloads.release(ItemId(100), 2);
        assert_eq!([101, 102, 103, 109].map(|id| item(&payloads, id)), ["", "22", "3", "9"]);
        assert_eq!(payloads.segments.len(), 1);
        assert_eq!(payloads.body(ItemId(102), 8).bytes(), b"22\n3\n\n5\n6\n7\n8\n9\n");
        let block = Arc::new(Block::from(b"a\nb\n".to_vec()));
        payloads.insert(ItemId(200), Payload { range: 0..3, block: Arc::clone(&block), count: 1, priority: 0 });
        payloads.insert(ItemId(201), Payload { range: 0..4, block, count: 2, priority: 0 });
        assert_eq!([200, 201, 202].map(|id| item(&payloads, id)), ["a\nb", "a", "b"]);
    }

    #[test]
    fn items_are_taken_from_behind_too() {
        let mut payloads = ten();
        let expected = ["9", "8", "7", "6", "5", "", "3", "22", "1", "0"];
        for (id, item) in (100..110).rev().zip(expected) {
            assert_eq!(payloads.body(ItemId(id), 1).bytes(), item.as_bytes(), "item {id}");
            payloads.release(ItemId(id), 1);
        }
        assert_eq!((payloads.bytes(), payloads.segments.len()), (0, 0));
    }

    #[test]
    fn what_is_not_held_has_no_bytes_and_harms_nothing() {
        let mut payloads = ten();
        assert_eq!(payloads.body(ItemId(7), 1).bytes(), b"");
        assert_eq!(payloads.body(ItemId(108), 9).bytes(), b"");
        payloads.release(ItemId(500), 3);
        payloads.release(ItemId(100), 10);
        assert_eq!(payloads.bytes(), 0);
    }
}
