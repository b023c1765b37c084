//! Keep-order: settled items wait here until every item before them has its outcome.
//!
//! Invariant: what is committed, restored items aside, is the input in order without gaps. Memory is
//! one record per settlement that waits, and the demand on the source keeps their number within a
//! window; consecutive restored items share a record.

use crate::model::ids::ItemId;
use crate::mutant::mutant;
use std::collections::BTreeMap;

/// Items that wait for their turn.
#[derive(Clone, Copy, Debug)]
struct InTurn {
    count: u64,
    /// An earlier run committed these items: they are not committed again.
    restored: bool,
}

#[derive(Debug)]
pub(super) struct CommitOrder {
    /// The item whose turn it is.
    next: u64,
    /// By first item.
    waiting: BTreeMap<u64, InTurn>,
    waiting_items: u64,
    restored_items: u64,
}

impl CommitOrder {
    pub(super) const fn new(first: ItemId) -> Self {
        Self { next: first.0, waiting: BTreeMap::new(), waiting_items: 0, restored_items: 0 }
    }

    /// Items of this run that are settled and not committed yet.
    pub(super) const fn waiting_items(&self) -> u64 {
        self.waiting_items
    }
    /// Restored items whose turn has not come.
    pub(super) const fn restored_items(&self) -> u64 {
        self.restored_items
    }
    /// The item whose turn it is; all before it are committed or restored.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }
    /// Everything that waits: first item and count.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.waiting.iter().map(|(first, waiting)| (*first, waiting.count))
    }

    /// Takes a settlement; `true` if its turn has come. Then [`CommitOrder::pass_on`] has to follow.
    pub(super) fn settle(&mut self, first: ItemId, count: u32) -> bool {
        let has_turn = mutant!(OrderOffByOne, first.0 == self.next, first.0.wrapping_sub(self.next) <= 1);
        if !has_turn {
            self.waiting.insert(first.0, InTurn { count: count.into(), restored: false });
            self.waiting_items += u64::from(count);
            return false;
        }
        self.next += u64::from(count);
        true
    }

    /// Takes items that need no commit.
    pub(super) fn restore(&mut self, first: ItemId, count: u32, commit: impl FnMut(ItemId, u32)) {
        if first.0 == self.next {
            self.next += u64::from(count);
            self.pass_on(commit);
            return;
        }
        self.restored_items += u64::from(count);
        if let Some(mut last) = self.waiting.last_entry() {
            let (at, waiting) = (*last.key(), last.get_mut());
            if waiting.restored && at + waiting.count == first.0 {
                waiting.count += u64::from(count);
                return;
            }
        }
        self.waiting.insert(first.0, InTurn { count: count.into(), restored: true });
    }

    /// Passes every settlement whose turn has come to `commit`.
    pub(super) fn pass_on(&mut self, mut commit: impl FnMut(ItemId, u32)) {
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() != self.next {
                break;
            }
            let (first, InTurn { count, restored }) = entry.remove_entry();
            self.next += count;
            if restored {
                self.restored_items -= count;
            } else {
                self.waiting_items -= count;
                // A settlement counts its items in 32 bits.
                commit(ItemId(first), count as u32);
            }
        }
    }
}
