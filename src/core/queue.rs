//! Items that wait for a worker, as batches. Batches that a worker gave back come first, then fresh ones in
//! the queue's order; in priority order, both by priority. Items whose next attempt is not due yet wait apart.
//!
//! Invariant: only fresh items count against the queue's limit. What is given back was in flight
//! before, so memory stays bounded.

use crate::model::ids::{Batch, ItemId};
use crate::model::spec::QueueOrder;
use crate::model::time::Instant;
use crate::mutant::mutant;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// A batch with its priority (0 in any other order). Ordered by priority, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queued {
    pub(super) batch: Batch,
    pub(super) priority: i64,
    /// No worker has held it yet.
    pub(super) fresh: bool,
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.priority, self.batch.first).cmp(&(other.priority, other.batch.first))
    }
}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug)]
pub(super) struct ItemQueue {
    order: QueueOrder,
    /// What arrived: taken from the front in fifo, from the end in lifo. Unused in priority order.
    fresh: VecDeque<Batch>,
    /// Priority order, fresh and given back alike.
    heap: BinaryHeap<Reverse<Queued>>,
    /// What was given back, to be dispatched first. Unused in priority order.
    returned: VecDeque<Queued>,
    /// What was in hand and not begun, to be dispatched next, in the order of the input. In fifo order alone.
    unbegun: BTreeMap<ItemId, Queued>,
    delayed: BTreeMap<(Instant, ItemId), Queued>,
    items: u64,
    fresh_items: u64,
    /// Something was put in since [`ItemQueue::has_changed`] was asked.
    changed: bool,
}

impl ItemQueue {
    pub(super) fn new(order: QueueOrder) -> Self {
        Self {
            order,
            fresh: VecDeque::new(),
            heap: BinaryHeap::new(),
            returned: VecDeque::new(),
            unbegun: BTreeMap::new(),
            delayed: BTreeMap::new(),
            items: 0,
            fresh_items: 0,
            changed: false,
        }
    }

    /// Items that can be dispatched now.
    pub(super) const fn items(&self) -> u64 {
        self.items
    }
    /// Those of them that no worker has held yet.
    pub(super) const fn fresh_items(&self) -> u64 {
        self.fresh_items
    }
    /// Items that wait for their delay; each is a batch of one.
    pub(super) fn delayed_items(&self) -> u64 {
        self.delayed.len() as u64
    }
    /// When the first delay ends.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((due, _), _)| *due)
    }

    /// Adds a batch that arrived.
    pub(super) fn push(&mut self, batch: Batch, priority: i64) {
        self.changed = true;
        let count = u64::from(batch.count);
        self.items += count;
        self.fresh_items += count;
        if self.order == QueueOrder::Priority {
            for offset in 0..count {
                let batch = Batch::of_one(batch.first.plus(offset), batch.attempt);
                self.heap.push(Reverse(Queued { batch, priority: Self::rank(priority), fresh: true }));
            }
        } else {
            self.fresh.push_back(batch);
        }
    }

    fn rank(priority: i64) -> i64 {
        mutant!(PriorityReversed, priority, priority.saturating_neg())
    }

    /// Takes back what a worker did not finish. Of several batches, the caller gives back the last one first,
    /// so that they come out in order.
    pub(super) fn give_back(&mut self, queued: Queued) {
        let queued = Queued { fresh: false, ..queued };
        self.changed = true;
        self.items += u64::from(queued.batch.count);
        if self.order == QueueOrder::Priority {
            self.heap.push(Reverse(queued));
        } else {
            mutant!(ReturnedToBack, self.returned.push_front(queued), {
                self.fresh_items += u64::from(queued.batch.count);
                self.fresh.push_back(queued.batch);
            });
        }
    }

    /// Takes back an item that was not begun.
    pub(super) fn give_back_unbegun(&mut self, queued: Queued) {
        self.changed = true;
        self.items += u64::from(queued.batch.count);
        self.unbegun.insert(queued.batch.first, Queued { fresh: false, ..queued });
    }

    /// Keeps an item back until `due`.
    pub(super) fn delay(&mut self, queued: Queued, due: Instant) {
        self.changed = true;
        self.delayed.insert((due, queued.batch.first), queued);
    }

    /// Moves what is due to the front; the one that waited longest comes first.
    pub(super) fn wake(&mut self, now: Instant) {
        let later = self.delayed.split_off(&(Instant(now.0.saturating_add(1)), ItemId(0)));
        let due = std::mem::replace(&mut self.delayed, later);
        for queued in due.into_values().rev() {
            self.give_back(queued);
        }
    }

    /// Removes and returns the next items: at most `items_max`, of one batch.
    pub(super) fn pop(&mut self, items_max: u32) -> Option<Queued> {
        if let Some(front) = self.returned.pop_front() {
            let (batch, rest) = front.batch.split(items_max);
            if let Some(rest) = rest {
                self.returned.push_front(Queued { batch: rest, ..front });
            }
            self.items -= u64::from(batch.count);
            return Some(Queued { batch, ..front });
        }
        if let Some((_, queued)) = self.unbegun.pop_first() {
            self.items -= u64::from(queued.batch.count);
            return Some(queued);
        }
        let queued = match self.order {
            QueueOrder::Priority => self.heap.pop()?.0,
            QueueOrder::Lifo => mutant!(LifoAsFifo, self.pop_newest()?, self.pop_oldest(1)?),
            QueueOrder::Fifo => self.pop_oldest(items_max)?,
        };
        let count = u64::from(queued.batch.count);
        self.items -= count;
        if queued.fresh {
            self.fresh_items = self.fresh_items.saturating_sub(count);
        }
        Some(queued)
    }

    fn pop_oldest(&mut self, items_max: u32) -> Option<Queued> {
        let front = self.fresh.front_mut()?;
        let (batch, rest) = front.split(items_max);
        match rest {
            Some(rest) => *front = rest,
            None => drop(self.fresh.pop_front()),
        }
        Some(Queued { batch, priority: 0, fresh: true })
    }

    fn pop_newest(&mut self) -> Option<Queued> {
        let back = self.fresh.back_mut()?;
        let batch = Batch::of_one(back.first.plus(u64::from(back.count) - 1), back.attempt);
        back.count -= 1;
        if back.count == 0 {
            self.fresh.pop_back();
        }
        Some(Queued { batch, priority: 0, fresh: true })
    }

    /// Whoever asks [`ItemQueue::has_changed`] next has a reason to look again.
    pub(super) const fn note_change(&mut self) {
        self.changed = true;
    }

    /// Whether something was put in since this was asked last.
    pub(super) const fn has_changed(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    /// Takes these items out, wherever they are in it. Returns those that were there, one by one, in order.
    pub(super) fn take_out(&mut self, items: &BTreeSet<ItemId>) -> Vec<Batch> {
        let mut found = Vec::new();
        let cut = |batch: Batch, found: &mut Vec<Batch>| {
            let (mut kept, mut rest) = (Vec::new(), Some(batch));
            for item in items.range(batch.first..batch.end()) {
                let Some((before, from)) = rest.map(|rest| rest.split((item.0 - rest.first.0) as u32)) else { break };
                kept.extend((before.count > 0).then_some(before));
                let (one, behind) = from.map_or((None, None), |from| {
                    let (one, behind) = from.split(1);
                    (Some(one), behind)
                });
                found.extend(one);
                rest = behind;
            }
            kept.extend(rest);
            kept
        };
        self.fresh = self.fresh.iter().flat_map(|batch| cut(*batch, &mut found)).collect();
        self.fresh_items -= found.len() as u64;
        let queued = |queued: Queued, found: &mut Vec<Batch>| -> Vec<Queued> {
            cut(queued.batch, found).into_iter().map(|batch| Queued { batch, ..queued }).collect()
        };
        self.returned = self.returned.iter().flat_map(|one| queued(*one, &mut found)).collect();
        let mut single = |batch: Batch| {
            let is_taken = items.contains(&batch.first);
            found.extend(is_taken.then_some(batch));
            !is_taken
        };
        self.unbegun.retain(|_, queued| single(queued.batch));
        let fresh_items = &mut self.fresh_items;
        self.heap.retain(|Reverse(queued)| {
            let stays = single(queued.batch);
            *fresh_items -= u64::from(!stays && queued.fresh);
            stays
        });
        self.items -= found.len() as u64;
        self.delayed.retain(|_, queued| {
            let is_taken = items.contains(&queued.batch.first);
            found.extend(is_taken.then_some(queued.batch));
            !is_taken
        });
        found.sort_unstable_by_key(|batch| batch.first);
        found
    }

    /// Empties the queue, delayed items included, and returns all batches in the order of their ids.
    pub(super) fn drain(&mut self) -> Vec<Batch> {
        let mut batches: Vec<Batch> = self.batches().collect();
        batches.sort_unstable_by_key(|batch| batch.first);
        self.fresh.clear();
        self.heap.clear();
        self.returned.clear();
        self.unbegun.clear();
        self.delayed.clear();
        self.items = 0;
        self.fresh_items = 0;
        batches
    }

    /// Every batch that waits, in no particular order. For checks and for the end.
    pub(super) fn batches(&self) -> impl Iterator<Item = Batch> + '_ {
        let aside = self.heap.iter().map(|Reverse(queued)| queued.batch);
        let returned =
            self.returned.iter().chain(self.unbegun.values()).chain(self.delayed.values()).map(|queued| queued.batch);
        self.fresh.iter().copied().chain(aside).chain(returned)
    }
}
