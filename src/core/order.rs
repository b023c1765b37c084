//! Keep-order: settled items wait here until every item before them is settled.
//!
//! Invariant: what is told is a prefix of the input, without gaps. Memory is one record per
//! settlement that waits, and the demand on the source keeps their number within a window.

use super::mutant::{Mutant, Mutation};
use crate::model::ids::ItemId;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Order {
    mutation: Mutation,
    /// The item whose turn it is.
    next: u64,
    /// Settlements whose turn has not come: first item and count.
    waiting: BTreeMap<u64, u32>,
    waiting_items: u64,
}

impl Order {
    pub(super) fn new(mutation: Mutation) -> Self {
        Self { mutation, next: 0, waiting: BTreeMap::new(), waiting_items: 0 }
    }

    /// Items that are settled and not told yet.
    pub(super) const fn waiting_items(&self) -> u64 {
        self.waiting_items
    }
    /// The item whose turn it is; all before it are told.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.waiting.iter().map(|(first, count)| (*first, *count))
    }

    /// Takes a settlement; hands every one whose turn has come to `emit`.
    pub(super) fn settle(&mut self, first: ItemId, count: u32, mut emit: impl FnMut(ItemId, u32)) {
        let early = self.mutation.is(Mutant::OrderOffByOne) && first.0 == self.next + 1;
        if first.0 != self.next && !early {
            self.waiting.insert(first.0, count);
            self.waiting_items += u64::from(count);
            return;
        }
        emit(first, count);
        self.next += u64::from(count);
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() != self.next {
                break;
            }
            let (first, count) = entry.remove_entry();
            self.waiting_items -= u64::from(count);
            self.next += u64::from(count);
            emit(ItemId(first), count);
        }
    }
}
