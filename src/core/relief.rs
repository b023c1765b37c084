//! What a run gives up while the machine is short of something: the workers that began last are held by STOP, or one of them
//! is ended and its items return to the queue.
//!
//! Invariant: no item is charged for it. A worker that is held works on an item; it goes on as soon as it does not, and
//! before it is asked to end by a signal other than KILL. In a run that is paused it goes on with the run.

use super::Core;
use super::action::Action;
use super::input::Relief;
use super::reason::{Reason, TakeBackReason};
use super::slot::{KillReason, SlotState, WorkerSlot};
use crate::model::event::Stage;
use crate::model::signal::Signal;
use crate::mutant::mutant;

impl WorkerSlot {
    /// Whether its process works on an item, and nothing has been ordered that ends it.
    pub(super) fn is_at_work(&self) -> bool {
        let is_live = matches!(self.state, SlotState::Ready | SlotState::Draining);
        is_live && self.pid.is_some() && !self.output_held && !self.leases.is_empty()
    }
}

impl Core {
    /// Whether some worker works on an item, which relief may be about.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.pool.slots.iter().any(WorkerSlot::is_at_work)
    }

    /// Whether some worker is held.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.pool.slots.iter().any(|slot| slot.is_held)
    }

    pub(super) fn on_relief(&mut self, relief: Relief) {
        if relief != Relief::GoOn {
            self.recall_hands(TakeBackReason::Short);
        }
        let at_work = self.at_work();
        match relief {
            Relief::Run { count } => {
                for (place, index) in at_work.into_iter().enumerate() {
                    if place < count.max(1) as usize { self.go_on(index) } else { self.hold(index) }
                }
            }
            Relief::GoOn => {
                if let Some(index) = at_work.into_iter().find(|index| self.pool.slots[*index].is_held) {
                    self.go_on(index);
                }
            }
            // The last one goes on: the run would come to nothing otherwise. A run that stops gives its items up anyway.
            Relief::EndYoungest if at_work.len() > 1 && self.stage == Stage::Running => {
                if let Some(index) = at_work.last() {
                    self.terminate(*index, KillReason::Relief);
                }
            }
            Relief::EndYoungest => {}
        }
    }

    /// The slots whose workers are at work, the one that began first before the others.
    fn at_work(&self) -> Vec<usize> {
        let slots = self.pool.slots.iter().enumerate().filter(|(_, slot)| slot.is_at_work());
        let began = |slot: &WorkerSlot| slot.leases.front().map(|lease| (lease.since, lease.batch.first));
        let mut found: Vec<_> = slots.map(|(index, slot)| (began(slot), index)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, index)| index).collect()
    }

    fn hold(&mut self, index: usize) {
        if !std::mem::replace(&mut self.pool.slots[index].is_held, true) {
            self.pool.update_sets(index);
            self.pool.slots[index].chaos.forget_stop();
            if !self.pool.slots[index].is_paused {
                self.because(|_| Reason::Held);
                self.push_signal(index, Signal::STOP);
            }
        }
    }

    /// Lets a worker go on that is held.
    #[inline]
    pub(super) fn go_on(&mut self, index: usize) {
        if std::mem::take(&mut self.pool.slots[index].is_held) {
            self.pool.update_sets(index);
            if !self.pool.slots[index].is_paused {
                self.because(|_| Reason::GoesOn);
                self.push_signal(index, Signal::CONT);
            }
        }
    }

    /// Lets a worker go on that is held, and is not at work any more.
    #[inline]
    pub(super) fn go_on_if_idle(&mut self, index: usize) {
        if self.pool.slots[index].is_held && !self.pool.slots[index].is_at_work() {
            self.go_on(index);
        }
    }

    /// A signal that ends the process, or asks it to.
    pub(super) fn push_kill(&mut self, index: usize, signal: Signal) {
        self.push_signal(index, signal);
        // What is stopped would get it when it goes on, and nothing else makes it do that.
        if signal != Signal::KILL {
            self.end_chaos_stop(index);
            mutant!(HeldWorkerForgotten, self.go_on(index), {});
        }
    }

    pub(super) fn push_signal(&mut self, index: usize, signal: Signal) {
        let (worker, incarnation) = self.ids(index);
        self.pool.slots[index].is_stop_unseen |= signal == Signal::STOP;
        self.push(Action::Kill { worker, incarnation, signal });
    }
}
