//! Items that somebody gives up while the run goes on.
//!
//! Invariant: once it is given up, an item is not begun, and what is at it is ended. It is skipped, unless its outcome has
//! come before that. No other item is charged.

use super::Core;
use super::reason::TakeBackReason;
use super::slot::{KillReason, WorkerSlot};
use crate::model::event::Stage;
use crate::model::ids::{Batch, ItemId};
use crate::mutant::mutant;

impl WorkerSlot {
    fn has_in_hand(&self, item: ItemId) -> bool {
        self.hand.leases.iter().any(|lease| lease.batch.contains(item))
    }
}

impl Core {
    /// A fact about an item that arrived, or is still to arrive. One that has its outcome keeps it.
    pub(super) fn on_given_up(&mut self, item: ItemId) {
        let arrived = item.0 < self.admission.next;
        // A run that stops begins nothing more.
        if self.stage != Stage::Running || (arrived && !self.is_open(item)) {
            return;
        }
        self.given_up.insert(item);
        self.queue.note_change();
        for index in 0..self.pool.slots.len() {
            if self.pool.slots[index].has_in_hand(item) {
                self.recall_hand(index, TakeBackReason::GivenUp);
            } else if self.pool.slots[index].holds(item) {
                mutant!(GivenUpGoesOn, self.terminate(index, KillReason::GivenUp), ());
            }
        }
    }

    /// Whether an item that arrived has no outcome.
    pub(super) fn is_open(&self, item: ItemId) -> bool {
        let at_worker = |slot: &WorkerSlot| slot.holds(item) || slot.has_in_hand(item);
        self.queue.batches().any(|batch| batch.contains(item)) || self.pool.slots.iter().any(at_worker)
    }

    /// Items that were given up leave the queue, wherever they came from.
    pub(super) fn drop_given_up(&mut self) {
        if self.given_up.is_empty() || !self.queue.has_changed() {
            return;
        }
        for batch in mutant!(GivenUpStays, self.queue.take_out(&self.given_up), Vec::<Batch>::new()) {
            self.skip(batch, None, None);
        }
    }

    /// These items have their outcome.
    pub(super) fn settles_given_up(&mut self, first: ItemId, count: u32) {
        if !self.given_up.is_empty() {
            self.given_up.extract_if(first..first.plus(u64::from(count)), |_| true).for_each(drop);
        }
    }

    /// What a command was given up for that is to be started: as soon as it runs, it is ended.
    pub(super) fn is_given_up(&self, index: usize) -> bool {
        let leases = &self.pool.slots[index].leases;
        !self.given_up.is_empty() && leases.iter().any(|lease| self.has_given_up(lease.batch))
    }

    pub(super) fn has_given_up(&self, batch: Batch) -> bool {
        self.given_up.range(batch.first..batch.end()).next().is_some()
    }
}
