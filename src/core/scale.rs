//! Scaling: the number of workers changes during the run.
//!
//! Invariant: scaling loses and charges no item. The worker of a removed slot finishes its running item; the others
//! that it holds return to the queue. Everything that depends on the number of workers reads `Pool::target`.

use super::Core;
use super::reason::TakeBackReason;
use super::slot::SlotState;
use crate::model::event::{RunEvent, Stage};
use crate::mutant::mutant;
use std::cmp::Reverse;

/// Most slots that scaling reaches: a bound for the memory that one command can take, and twice the
/// `pid_max` of a small system (`proc(5)`: 2^15).
const WORKERS_MAX: u32 = 1 << 16;

impl Core {
    /// Changes the number of workers. A run that stops, or that has settled every item, is not scaled.
    pub(super) fn scale(&mut self, workers: u32) {
        if self.stage > Stage::Running || self.closing {
            return;
        }
        let from = self.wanted_workers();
        let to = self.workers_possible(workers) as usize;
        if from == to {
            return;
        }
        self.report(RunEvent::Scaled { from: from as u32, to: to as u32 });
        if to > from { self.grow(to - from) } else { self.shrink(from - to) }
    }

    /// How many workers the run has if it is asked for so many.
    #[must_use]
    pub fn workers_possible(&self, asked: u32) -> u32 {
        asked.clamp(1, WORKERS_MAX.max(self.policy.workers))
    }

    /// Changes the number of workers by one.
    pub(super) fn scale_by_one(&mut self, is_more: bool) {
        let workers = u32::try_from(self.wanted_workers()).unwrap_or(u32::MAX);
        self.scale(if is_more { workers.saturating_add(1) } else { workers.saturating_sub(1) });
    }

    /// The number of workers that the run is to have, without one that stands in for others meanwhile.
    #[must_use]
    pub fn wanted_workers(&self) -> usize {
        self.pool.target - usize::from(self.spare().is_some())
    }

    /// Adds removed slots first: those without a process, then those of the lowest numbers.
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

    /// Removes idle slots first, then those of the highest numbers.
    fn shrink(&mut self, count: usize) {
        let slots = self.pool.slots.iter().enumerate();
        let spare = self.spare();
        let present = slots.filter(|(index, slot)| !slot.removed && spare != Some(*index));
        let mut present: Vec<usize> = present.map(|(index, _)| index).collect();
        present.sort_by_key(|&index| {
            let busy = !self.pool.slots[index].leases.is_empty();
            (mutant!(ShrinkBusyFirst, busy, !busy), Reverse(index))
        });
        present.truncate(count);
        for index in present {
            self.pool.remove(index);
            self.recall_hand(index, TakeBackReason::Removed);
            mutant!(ShrinkForgotten, self.ask_to_leave(index), {});
            self.await_leaving(index);
        }
    }

    /// Sets a deadline for the exit of a worker whose slot was removed, also if it was added again, and that holds no
    /// items. The time is the one that workers have at the normal end.
    pub(super) fn await_leaving(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let by_scaling = slot.removed || slot.refill;
        if by_scaling && slot.state == SlotState::Draining && slot.pid.is_some() && slot.leases.is_empty() {
            self.set_slot_timer(index, self.policy.leave_time());
        }
    }
}
