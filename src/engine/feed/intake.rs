//! What a journal records of the input: each block of items that was accepted, with its fingerprint.
//!
//! Invariant: blocks are in order and without gaps.

use crate::journal::fingerprint::Fingerprint;
use crate::journal::record::Accepted;
use crate::model::ids::ItemId;

/// Blocks that were accepted and not recorded.
pub(super) struct Intake {
    /// Bytes of all items before, each with the byte behind it.
    offset: u64,
    fresh: Vec<Accepted>,
}

impl Intake {
    pub(super) const fn new(offset: u64) -> Self {
        Self { offset, fresh: Vec::new() }
    }

    /// Items were accepted; a rejected one has no bytes.
    pub(super) fn add(&mut self, first: ItemId, count: u32, items: Option<&[u8]>, delimiter: u8) {
        let mut fingerprint = Fingerprint::default();
        if let Some(items) = items {
            fingerprint.add(items, count, delimiter);
        }
        let bytes = items.map_or(0, |items| items.len() as u64 + u64::from(count == 1));
        self.fresh.push(Accepted { first, count, offset: self.offset, bytes, hash: fingerprint.hash() });
        self.offset += bytes;
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = Accepted> + '_ {
        self.fresh.drain(..)
    }
}
