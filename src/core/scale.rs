//! The number of workers changes while the run lasts.
//!
//! Invariant: no item is lost or charged. A slot that is removed finishes the item it is at; what only
//! waited at it goes back to the queue. Everything that depends on the number of workers reads
//! `Pool::target`.

use super::Core;
use super::slot::SlotState;
use crate::model::event::{RunEvent, Stage};
use crate::mutant::mutant;
use std::cmp::Reverse;

/// Most slots that scaling reaches: a bound for the memory that one command can take, and twice the
/// `pid_max` of a small system (`proc(5)`: 2^15).
const WORKERS_MAX: u32 = 1 << 16;

impl Core {
    /// From now on the run has this many workers. A run that stops, or has nothing left to do, stays as it is.
    pub(super) fn scale(&mut self, workers: u32) {
        if self.stage > Stage::Running || self.closing {
            return;
        }
        let from = self.pool.target;
        let to = workers.clamp(1, WORKERS_MAX.max(self.policy.workers)) as usize;
        if from == to {
            return;
        }
        self.report(RunEvent::Scaled { from: from as u32, to: to as u32 });
        if to > from { self.grow(to - from) } else { self.shrink(from - to) }
    }

    /// Slots that were removed come first: those without a process, then the lowest numbers.
    fn grow(&mut self, count: usize) {
        let slots = self.pool.slots.iter().enumerate();
        let mut removed: Vec<usize> = slots.filter(|(_, slot)| slot.removed).map(|(index, _)| index).collect();
        removed.sort_by_key(|&index| (self.pool.slots[index].is_up(), index));
        removed.truncate(count);
        for &index in &removed {
            self.pool.revive(index);
        }
        let added = (removed.len()..count).map(|_| self.pool.add());
        let mut new: Vec<usize> = added.collect();
        new.extend(removed);
        new.sort_unstable();
        for index in new {
            if self.started && !self.pool.slots[index].is_up() {
                self.fill(index);
            }
        }
    }

    /// Idle slots go first, then those of the highest numbers.
    fn shrink(&mut self, count: usize) {
        let slots = self.pool.slots.iter().enumerate();
        let mut present: Vec<usize> = slots.filter(|(_, slot)| !slot.removed).map(|(index, _)| index).collect();
        present.sort_by_key(|&index| {
            let busy = !self.pool.slots[index].leases.is_empty();
            (mutant!(ShrinkBusyFirst, busy, !busy), Reverse(index))
        });
        present.truncate(count);
        for index in present {
            self.pool.remove(index);
            mutant!(ShrinkForgotten, self.ask_to_leave(index), {});
            self.await_leaving(index);
        }
    }

    /// A worker whose slot was removed, even if it was added again since, and that holds nothing, shall exit
    /// within the time that workers have at the normal end.
    pub(super) fn await_leaving(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let by_scaling = slot.removed || slot.refill;
        if by_scaling && slot.state == SlotState::Draining && slot.pid.is_some() && slot.leases.is_empty() {
            self.set_slot_timer(index, self.policy.leave_time());
        }
    }
}
