//! A rolling restart: the processes of the workers are replaced, one slot after another.
//!
//! A slot more than the run is to have, the spare, gets the first new process. Once that is ready, the process of the first
//! slot is asked to leave, and the slot is filled again; once the new one is ready, the next slot follows. The spare leaves
//! last. It takes items as any other worker does.
//!
//! Invariant: a process is asked to leave only if the one that stands in for it is ready, so the restart itself never makes
//! the number of ready workers smaller than it was. No item is lost or charged: whoever leaves finishes the item that it
//! runs, and the others that it holds return to the queue.

use super::Core;
use super::rolling::Rolling;
use super::slot::{SlotState, WorkerSlot};
use crate::model::event::RunEvent;
use crate::model::ids::{Incarnation, WorkerId};
use crate::mutant::mutant;
use std::collections::BTreeSet;

impl WorkerSlot {
    /// Whether it has a process that nothing ends. A slot with another one, or with none, gets a new one anyway.
    fn is_to_stay(&self) -> bool {
        matches!(self.state, SlotState::Starting | SlotState::Ready) && !self.removed
    }
}

impl Core {
    /// The slot that stands in for others while they are replaced.
    pub(super) fn spare(&self) -> Option<usize> {
        self.rolling.as_ref()?.spare
    }

    /// Whether the worker at `index` was asked to leave because another process replaces it.
    pub(super) fn is_replaced(&self, index: usize) -> bool {
        self.rolling.as_ref().is_some_and(|rolling| rolling.last == Some(index) || rolling.spare == Some(index))
    }

    /// Replaces the process of this worker, or of all workers. What is started while that goes on is replaced only if it is
    /// asked for again.
    pub(super) fn restart_workers(&mut self, worker: Option<WorkerId>) {
        if !self.restarting() || !self.started {
            return;
        }
        if self.policy.worker.starts_with_item() {
            return self.report(RunEvent::RestartBegun { workers: 0 });
        }
        let mut rolling = self.rolling.take().unwrap_or_default();
        let known: BTreeSet<(usize, Incarnation)> = rolling.pending.iter().copied().collect();
        let mut added = 0;
        for (index, slot) in self.pool.slots.iter().enumerate() {
            let is_meant = worker.is_none_or(|worker| worker.index() == index) && rolling.spare != Some(index);
            if is_meant && slot.is_to_stay() && !known.contains(&(index, slot.incarnation)) {
                rolling.pending.push_back((index, slot.incarnation));
                added += 1;
            }
        }
        if rolling.spare.is_some() || !rolling.pending.is_empty() {
            self.rolling = Some(rolling);
        }
        if added > 0 {
            self.report(RunEvent::RestartBegun { workers: added });
        }
    }

    /// Takes the next step of a rolling restart, if there is one and its time has come.
    #[inline]
    pub(super) fn go_on_with_restart(&mut self) {
        if self.rolling.is_some() {
            self.take_restart_step();
        }
    }

    fn take_restart_step(&mut self) {
        if !self.restarting() {
            self.rolling = None;
        }
        let Some(rolling) = self.rolling.as_mut().filter(|_| !self.clock.is_paused()) else { return };
        let slots = &self.pool.slots;
        while rolling
            .pending
            .pop_front_if(|(index, incarnation)| {
                let slot = &slots[*index];
                slot.incarnation != *incarnation || !slot.is_to_stay()
            })
            .is_some()
        {}
        let Some(spare) = rolling.spare else {
            if rolling.pending.is_empty() {
                self.rolling = None;
            } else {
                self.add_spare();
            }
            return;
        };
        let stands = |index: usize| slots[index].state == SlotState::Ready;
        let last = rolling.last.filter(|last| !slots[*last].removed && !slots[*last].retired);
        if !mutant!(RestartHurried, stands(spare) && last.is_none_or(stands), true) {
            return;
        }
        // One that is not there yet cannot be asked.
        if rolling.pending.front().is_some_and(|(index, _)| slots[*index].pid.is_none()) {
            return;
        }
        if let Some((index, _)) = rolling.pending.pop_front() {
            rolling.last = Some(index);
            rolling.replaced += 1;
            // Whatever the restart type, its slot is filled again.
            self.pool.slots[index].refill = true;
            self.ask_to_leave(index);
            return self.await_leaving(index);
        }
        let replaced = rolling.replaced;
        mutant!(SpareStays, self.remove_spare(spare), self.rolling = None);
        self.report(RunEvent::RestartEnded { replaced, error: None });
    }

    fn add_spare(&mut self) {
        // One whose process is still leaving would be no new one.
        let is_free = |index: &usize| self.pool.slots[*index].removed && !self.pool.slots[*index].is_up();
        let free = (0..self.pool.slots.len()).find(is_free);
        let spare = if let Some(index) = free {
            self.pool.revive(index);
            index
        } else {
            self.pool.add()
        };
        if let Some(rolling) = &mut self.rolling {
            rolling.spare = Some(spare);
        }
        self.fill(spare);
    }

    /// The spare leaves as the worker of a slot by which the run is scaled down.
    fn remove_spare(&mut self, spare: usize) {
        self.pool.remove(spare);
        self.ask_to_leave(spare);
        self.await_leaving(spare);
        self.rolling = None;
    }

    /// The first new process could not be started: the workers stay as they are. Returns whether that is so.
    pub(super) fn gives_up_restart(&mut self, index: usize, error: &str) -> bool {
        let is_first = |rolling: &Rolling| rolling.spare == Some(index) && rolling.last.is_none();
        // Before any worker was ready, it is not only the new process that cannot be started.
        if !self.greeted || !self.restarting() || !self.rolling.as_ref().is_some_and(is_first) {
            return false;
        }
        self.remove_spare(index);
        self.report(RunEvent::RestartEnded { replaced: 0, error: Some(error.to_owned()) });
        true
    }
}
