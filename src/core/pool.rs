//! All worker slots, and the sets of slots that can be sent items. The number of slots grows and shrinks.
//!
//! Invariant: a slot is in one of the sets only if it is vacant, or ready and below its credit.

use super::credit::CreditRules;
use super::slot::{Lease, SlotState, WorkerSlot};
use super::slots::SlotSet;
use crate::model::ids::{Batch, ItemId};
use crate::model::spec::{Credit, Policy, QueueOrder, WorkerContract};
use crate::mutant::mutant;

/// All slots.
#[derive(Debug)]
pub(super) struct Pool {
    /// By number. A removed slot keeps its index, and may be added again.
    pub(super) slots: Vec<WorkerSlot>,
    pub(super) rules: CreditRules,
    contract: WorkerContract,
    /// Slots that hold no items and can be sent some.
    pub(super) idle: SlotSet,
    /// Slots that hold items, can be sent more, and whose items take short.
    pub(super) busy_short: SlotSet,
    /// The same for slots whose items take long, or an unknown time (`BatchSizer::is_slow`).
    pub(super) busy_long: SlotSet,
    /// Slots that can be given an item in hand.
    pub(super) open_hands: SlotSet,
    /// Whether items are given in hand at all.
    gives_in_hand: bool,
    /// One past the slot that was sent items last, so that the next items go to another slot.
    pub(super) cursor: usize,
    /// Slots that are not removed: the number of workers that the run is to have.
    pub(super) target: usize,
    /// Slots with a process.
    pub(super) up: usize,
    /// Slots, removed ones aside, whose first start has succeeded or failed.
    pub(super) tried: usize,
    /// Slots, removed ones aside, that never get a process again.
    pub(super) retired: usize,
    /// Items at all workers.
    pub(super) in_flight: u64,
    /// Items in hand.
    pub(super) hands: u64,
}

impl Pool {
    pub(super) fn new(policy: &Policy) -> Self {
        // In lifo and priority order each item is chosen by itself.
        let batch_max = if policy.queue_order == QueueOrder::Fifo { policy.batch_max.max(1) } else { 1 };
        let contract = policy.worker;
        let credit = if contract.starts_with_item() { Credit::Items(1) } else { contract.credit };
        let mut pool = Self {
            slots: Vec::new(),
            rules: CreditRules::new(credit, batch_max, contract.in_order),
            contract,
            idle: SlotSet::default(),
            busy_short: SlotSet::default(),
            busy_long: SlotSet::default(),
            open_hands: SlotSet::default(),
            gives_in_hand: policy.gives_in_hand(),
            cursor: 0,
            target: 0,
            up: 0,
            tried: 0,
            retired: 0,
            in_flight: 0,
            hands: 0,
        };
        for _ in 0..policy.workers.max(1) {
            pool.add();
        }
        pool
    }

    /// Adds a slot with the next number, and returns its index.
    pub(super) fn add(&mut self) -> usize {
        let index = self.slots.len();
        self.slots.push(WorkerSlot::new());
        for set in [&mut self.idle, &mut self.busy_short, &mut self.busy_long, &mut self.open_hands] {
            set.grow(index + 1);
        }
        self.add_to_target(index);
        index
    }

    /// Adds a removed slot again.
    pub(super) fn revive(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.removed = false;
        slot.refill = slot.is_up();
        if !slot.refill {
            let (incarnation, start_due) = (slot.incarnation, slot.start_due);
            *slot = WorkerSlot { incarnation, start_due, ..WorkerSlot::new() };
        }
        self.update_sets(index);
        self.add_to_target(index);
    }

    fn add_to_target(&mut self, index: usize) {
        self.target += 1;
        // Its process is started together with an item, so no start has to be awaited.
        if self.contract.starts_with_item() {
            self.mark_tried(index);
        }
    }

    /// Removes a slot. Its process, if it has one, keeps running.
    pub(super) fn remove(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        self.target -= 1;
        self.tried -= usize::from(std::mem::take(&mut slot.tried));
        self.retired -= usize::from(std::mem::take(&mut slot.retired));
        (slot.removed, slot.refill) = (true, false);
        self.update_sets(index);
    }

    /// Changes the state of a slot, and the counters and sets that depend on it.
    pub(super) fn set_state(&mut self, index: usize, state: SlotState) {
        let slot = &mut self.slots[index];
        self.up -= usize::from(slot.is_up());
        slot.state = state;
        self.up += usize::from(slot.is_up());
        self.update_sets(index);
    }

    /// Notes that the first start of a slot has succeeded or failed. Later calls change nothing.
    pub(super) fn mark_tried(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if !slot.removed && !std::mem::replace(&mut slot.tried, true) {
            self.tried += 1;
        }
    }

    /// Notes that a slot never gets a process again.
    pub(super) fn retire(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if !slot.removed && !std::mem::replace(&mut slot.retired, true) {
            self.retired += 1;
        }
    }

    /// The number of items that a slot can be sent now.
    #[inline]
    pub(super) fn spare(&self, index: usize) -> u32 {
        let slot = &self.slots[index];
        if slot.is_held {
            return 0;
        }
        let spare = || slot.sizer.spare(self.rules, slot.leases.len(), slot.items);
        match slot.state {
            SlotState::Vacant => 1,
            SlotState::Ready => spare(),
            SlotState::Starting => mutant!(DispatchBeforeHello, 0, if slot.pid.is_some() { spare() } else { 0 }),
            _ => 0,
        }
    }

    /// Updates the sets for a slot. Call it after each change of its state, leases or batch size.
    #[inline]
    pub(super) fn update_sets(&mut self, index: usize) {
        let spare = self.spare(index) > 0;
        let slot = &self.slots[index];
        let (idle, long) = (slot.leases.is_empty(), slot.sizer.is_slow());
        self.idle.set(index, spare && idle);
        self.busy_short.set(index, spare && !idle && !long);
        self.busy_long.set(index, spare && !idle && long);
        if self.gives_in_hand {
            self.open_hands.set(index, self.slots[index].takes_in_hand());
        }
    }

    /// The slot that is sent the next items. Idle slots come first. `tail`: fewer items than workers are left; then a
    /// slot with long items gets none in advance, because another worker will be idle earlier.
    #[inline]
    pub(super) fn next(&self, tail: bool) -> Option<usize> {
        if let Some(index) = self.idle.next_from(0) {
            return Some(index);
        }
        let short = self.busy_short.next_from(self.cursor);
        let long = if tail { None } else { self.busy_long.next_from(self.cursor) };
        match (short, long) {
            // The first slot from the cursor on, wrapping around.
            (Some(a), Some(b)) => Some(if (a < self.cursor, a) < (b < self.cursor, b) { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    /// Adds a lease to a slot.
    pub(super) fn lease(&mut self, index: usize, lease: Lease) {
        let count = u64::from(lease.batch.count);
        self.slots[index].leases.push_back(lease);
        self.slots[index].items += count;
        self.in_flight += count;
        self.cursor = (index + 1) % self.slots.len();
        self.update_sets(index);
    }

    /// Removes up to `count` items from the oldest lease of a slot, and the lease with its last item.
    #[inline]
    pub(super) fn take(&mut self, index: usize, count: u32) -> Option<(Batch, i64)> {
        let slot = &mut self.slots[index];
        let front = slot.leases.front_mut()?;
        let priority = front.priority;
        let (batch, rest) = front.batch.split(count);
        match rest {
            Some(rest) => front.batch = rest,
            None => drop(slot.leases.pop_front()),
        }
        slot.items -= u64::from(batch.count);
        self.in_flight -= u64::from(batch.count);
        Some((batch, priority))
    }

    /// Removes up to `count` items, from `first` on, from the lease that contains `first`. What is left of the lease on
    /// both sides of them stays where it is.
    pub(super) fn take_from(&mut self, index: usize, first: ItemId, count: u32) -> Option<(Batch, i64)> {
        let slot = &mut self.slots[index];
        let at = slot.leases.iter().position(|lease| lease.batch.contains(first))?;
        let lease = slot.leases.remove(at)?;
        let (before, rest) = lease.batch.split((first.0 - lease.batch.first.0) as u32);
        let (batch, behind) = rest?.split(count);
        for part in [behind, Some(before).filter(|before| before.count > 0)].into_iter().flatten() {
            slot.leases.insert(at, Lease { batch: part, ..lease });
        }
        slot.items -= u64::from(batch.count);
        self.in_flight -= u64::from(batch.count);
        Some((batch, lease.priority))
    }

    /// Removes the newest lease of a slot.
    pub(super) fn take_last(&mut self, index: usize) -> Option<Lease> {
        let slot = &mut self.slots[index];
        let lease = slot.leases.pop_back()?;
        slot.items -= u64::from(lease.batch.count);
        self.in_flight -= u64::from(lease.batch.count);
        Some(lease)
    }
}
