//! Keep-order: settled items wait here until every item before them has its outcome.
//!
//! Invariant: what is committed, restored items aside, is the input in order without gaps. Memory is
//! one record per stretch of consecutive items that wait, restored ones apart, and the demand on the
//! source keeps the number of items of this run that wait within a window.

use crate::model::ids::ItemId;
use crate::mutant::mutant;
use std::collections::BTreeMap;

/// A commit counts its items in 32 bits.
const COMMITTED_TOGETHER_MAX: u64 = u32::MAX as u64;

/// Consecutive items that wait for their turn.
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
            self.waiting_items += u64::from(count);
            self.wait(first.0, InTurn { count: count.into(), restored: false });
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
        self.wait(first.0, InTurn { count: count.into(), restored: true });
    }

    /// Files items with those before and behind them.
    fn wait(&mut self, mut first: u64, mut items: InTurn) {
        let is_one = |one: &InTurn, other: &InTurn| {
            one.restored == other.restored && (one.restored || one.count + other.count <= COMMITTED_TOGETHER_MAX)
        };
        if let Some((&at, before)) = self.waiting.range(..first).next_back()
            && at + before.count == first
            && is_one(before, &items)
        {
            (first, items.count) = (at, before.count + items.count);
        }
        let end = first + items.count;
        if let Some(behind) = self.waiting.get(&end)
            && is_one(behind, &items)
        {
            items.count += behind.count;
            self.waiting.remove(&end);
        }
        self.waiting.insert(first, items);
    }

    /// Passes the items whose turn has come to `commit`.
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
                commit(ItemId(first), count as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(order: &mut CommitOrder, settled: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let mut committed = Vec::new();
        for &(first, count) in settled {
            if order.settle(ItemId(first), count) {
                order.pass_on(|first, count| committed.push((first.0, count)));
            }
        }
        committed
    }

    #[test]
    fn consecutive_items_that_wait_are_committed_together() {
        for waiting in [[2, 3, 4], [4, 3, 2], [2, 4, 3], [3, 2, 4], [3, 4, 2], [4, 2, 3]] {
            let mut order = CommitOrder::new(ItemId(0));
            assert_eq!(settle(&mut order, &[(8, 2)]), []);
            assert_eq!(settle(&mut order, &waiting.map(|first| (first, 1))), []);
            assert_eq!(order.waiting().collect::<Vec<_>>(), [(2, 3), (8, 2)], "{waiting:?}");
            assert_eq!(settle(&mut order, &[(0, 2)]), [(2, 3)]);
            assert_eq!((order.next(), order.waiting_items()), (5, 2));
            assert_eq!(settle(&mut order, &[(5, 3)]), [(8, 2)]);
            assert_eq!((order.next(), order.waiting_items()), (10, 0));
        }
    }

    #[test]
    fn a_commit_has_no_more_items_than_it_can_count() {
        let mut order = CommitOrder::new(ItemId(0));
        let most = u64::from(u32::MAX);
        assert_eq!(settle(&mut order, &[(1, u32::MAX - 1), (most, 1)]), []);
        assert_eq!(settle(&mut order, &[(most + 2, u32::MAX), (most + 1, 1)]), []);
        assert_eq!(order.waiting_items(), 2 * most + 1);
        let committed = settle(&mut order, &[(0, 1)]);
        assert_eq!(committed, [(1, u32::MAX), (most + 1, 1), (most + 2, u32::MAX)]);
        assert_eq!((order.next(), order.waiting_items()), (2 * most + 2, 0));
    }

    #[test]
    fn restored_items_share_a_record_among_themselves_alone() {
        let mut order = CommitOrder::new(ItemId(0));
        let never = |_, _| panic!("nothing has its turn");
        assert_eq!(settle(&mut order, &[(1, 1)]), []);
        order.restore(ItemId(2), u32::MAX, never);
        order.restore(ItemId(2 + u64::from(u32::MAX)), 9, never);
        let end = 11 + u64::from(u32::MAX);
        assert_eq!(settle(&mut order, &[(end, 1)]), []);
        assert_eq!(order.waiting().collect::<Vec<_>>(), [(1, 1), (2, end - 2), (end, 1)]);
        assert_eq!((order.waiting_items(), order.restored_items()), (2, end - 2));
        assert_eq!(settle(&mut order, &[(0, 1)]), [(1, 1), (end, 1)]);
        assert_eq!((order.next(), order.waiting_items(), order.restored_items()), (end + 1, 0, 0));
    }
}
