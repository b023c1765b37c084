//! All worker slots, and which of them want items. The number of slots grows and shrinks.
//!
//! Invariant: a slot is in a set of those that want items only if it may be sent some: it is ready
//! and below its credit, or it is vacant.

use super::credit::CreditRules;
use super::slot::{Lease, SlotState, WorkerSlot};
use super::slots::SlotSet;
use crate::model::ids::Batch;
use crate::model::spec::{Credit, Policy, QueueOrder, WorkerContract};
use crate::mutant::mutant;

/// All slots.
#[derive(Debug)]
pub(super) struct Pool {
    /// By number. One that was removed stays in its place, and may be added again.
    pub(super) slots: Vec<WorkerSlot>,
    pub(super) rules: CreditRules,
    contract: WorkerContract,
    /// Those that hold nothing.
    pub(super) idle: SlotSet,
    /// Those that hold something, could take more, and whose items are short.
    pub(super) quick: SlotSet,
    /// The same for those whose items are long, or of unknown length.
    pub(super) slow: SlotSet,
    /// Behind the slot that got the last item in advance, so that the next goes to another.
    pub(super) cursor: usize,
    /// Slots that are not removed: as many as the run shall have.
    pub(super) target: usize,
    /// Slots with a process.
    pub(super) up: usize,
    /// Slots, removed ones aside, that were ready or failed once.
    pub(super) introduced: usize,
    /// Slots, removed ones aside, that are never filled again.
    pub(super) retired: usize,
    /// Items at all workers.
    pub(super) in_flight: u64,
}

impl Pool {
    pub(super) fn new(policy: &Policy) -> Self {
        // In lifo and priority order each item is chosen by itself.
        let batch_max = if policy.queue_order == QueueOrder::Fifo { policy.batch_max.max(1) } else { 1 };
        let contract = policy.worker;
        let credit = if contract.starts_with_item() { Credit::Items(1) } else { contract.credit };
        let mut pool = Self {
            slots: Vec::new(),
            rules: CreditRules { credit, batch_max },
            contract,
            idle: SlotSet::default(),
            quick: SlotSet::default(),
            slow: SlotSet::default(),
            cursor: 0,
            target: 0,
            up: 0,
            introduced: 0,
            retired: 0,
            in_flight: 0,
        };
        for _ in 0..policy.workers.max(1) {
            pool.add();
        }
        pool
    }

    /// Adds a slot of the next number; where it is.
    pub(super) fn add(&mut self) -> usize {
        let index = self.slots.len();
        self.slots.push(WorkerSlot::new());
        for set in [&mut self.idle, &mut self.quick, &mut self.slow] {
            set.grow(index + 1);
        }
        self.joins(index);
        index
    }

    /// Adds a slot again that was removed.
    pub(super) fn revive(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.removed = false;
        slot.refill = slot.is_up();
        if !slot.refill {
            let incarnation = slot.incarnation;
            *slot = WorkerSlot { incarnation, ..WorkerSlot::new() };
        }
        self.joins(index);
    }

    fn joins(&mut self, index: usize) {
        self.target += 1;
        // No process is started ahead, so there is none to wait for.
        if self.contract.starts_with_item() {
            self.introduce(index);
        }
    }

    /// Takes a slot out of those that the run shall have.
    pub(super) fn remove(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        self.target -= 1;
        self.introduced -= usize::from(std::mem::take(&mut slot.introduced));
        self.retired -= usize::from(std::mem::take(&mut slot.retired));
        (slot.removed, slot.refill) = (true, false);
    }

    /// Moves a slot to another state.
    pub(super) fn turn(&mut self, index: usize, state: SlotState) {
        let slot = &mut self.slots[index];
        self.up -= usize::from(slot.is_up());
        slot.state = state;
        self.up += usize::from(slot.is_up());
        self.file(index);
    }

    /// Notes that a slot was ready, or failed, for the first time.
    pub(super) fn introduce(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if !slot.removed && !std::mem::replace(&mut slot.introduced, true) {
            self.introduced += 1;
        }
    }

    /// Notes that a slot is never filled again.
    pub(super) fn retire(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if !slot.removed && !std::mem::replace(&mut slot.retired, true) {
            self.retired += 1;
        }
    }

    /// What a slot may be sent now.
    #[inline]
    pub(super) fn spare(&self, index: usize) -> u32 {
        let slot = &self.slots[index];
        let spare = || slot.sizer.spare(self.rules, slot.leases.len(), slot.items);
        match slot.state {
            SlotState::Vacant => 1,
            SlotState::Ready => spare(),
            SlotState::Starting => mutant!(DispatchBeforeHello, 0, if slot.pid.is_some() { spare() } else { 0 }),
            _ => 0,
        }
    }

    /// Puts a slot into the sets that fit it; to be called after each change that decides it.
    #[inline]
    pub(super) fn file(&mut self, index: usize) {
        let spare = self.spare(index) > 0;
        let slot = &self.slots[index];
        let (idle, slow) = (slot.leases.is_empty(), slot.sizer.is_slow());
        self.idle.set(index, spare && idle);
        self.quick.set(index, spare && !idle && !slow);
        self.slow.set(index, spare && !idle && slow);
    }

    /// The slot that gets the next items: an idle one before any is sent work in advance. `tail`:
    /// so few items are left that long ones are better kept for the worker that is idle first.
    #[inline]
    pub(super) fn next(&self, tail: bool) -> Option<usize> {
        if let Some(index) = self.idle.next_from(0) {
            return Some(index);
        }
        let quick = self.quick.next_from(self.cursor);
        let slow = if tail { None } else { self.slow.next_from(self.cursor) };
        match (quick, slow) {
            // The one that comes first, going round from the cursor.
            (Some(a), Some(b)) => Some(if (a < self.cursor, a) < (b < self.cursor, b) { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    /// Notes that a slot holds a further batch.
    pub(super) fn lease(&mut self, index: usize, lease: Lease) {
        let count = u64::from(lease.batch.count);
        self.slots[index].leases.push_back(lease);
        self.slots[index].items += count;
        self.in_flight += count;
        self.cursor = (index + 1) % self.slots.len();
        self.file(index);
    }

    /// Takes up to `count` items off the oldest lease of a slot; the lease is gone with its last item.
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

    /// Takes the newest lease of a slot.
    pub(super) fn take_last(&mut self, index: usize) -> Option<Lease> {
        let slot = &mut self.slots[index];
        let lease = slot.leases.pop_back()?;
        slot.items -= u64::from(lease.batch.count);
        self.in_flight -= u64::from(lease.batch.count);
        Some(lease)
    }
}
