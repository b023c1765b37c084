//! The reasons of orders, told only with `Policy::explains`: [`Core::because`], ahead of the order.
//!
//! Invariant: nothing here changes what is decided. Without `Policy::explains` each call costs one comparison.

use super::Core;
use super::action::Action;
use super::reason::{Amount, Choice, LeaveReason, Reason, SlotRecord, WaitReason};
use super::restart::Setback;
use super::slot::{KillReason, SlotState};
use crate::model::event::{EndReason, Stage};
use crate::model::exit::ExitStatus;

impl Core {
    /// Tells why the next order is given.
    #[inline]
    pub(super) fn because(&mut self, reason: impl FnOnce(&Self) -> Reason) {
        if self.policy.explains {
            let reason = Action::Because(reason(self));
            self.actions.push_back(reason);
        }
    }

    /// Why `count` items go to the worker at `index`. `spare` and `share`: what limited them. Call it once the items are
    /// out of the queue, and before the worker has them.
    pub(super) fn why_dispatched(&self, index: usize, count: u32, spare: u32, share: u32) -> Reason {
        let idle = self.pool.idle.len() as u32;
        let below_credit = (self.pool.busy_short.len() + self.pool.busy_long.len()) as u32;
        let choice = if self.pool.slots[index].leases.is_empty() {
            Choice::Idle { idle }
        } else {
            Choice::InTurn { below_credit }
        };
        let amount = match count {
            _ if count < spare.min(share) => Amount::Queue,
            _ if spare <= share => Amount::Credit,
            _ if idle > 1 && !self.admission.ended => Amount::Share,
            _ => Amount::Tail,
        };
        Reason::Dispatch { choice, amount, queued: self.queue.items() + u64::from(count) }
    }

    /// Why the worker at `index` is sent a signal. `step`: which one of the term sequence, from 0.
    pub(super) fn why_killed(&self, index: usize, step: usize) -> Reason {
        let kill_reason = self.pool.slots[index].kill_reason.as_ref();
        let why = KillReason::reason(kill_reason, ExitStatus::Code(0));
        let item = match kill_reason {
            Some(KillReason::TimedOut(item)) => Some(*item),
            _ => None,
        };
        Reason::End { why: if why == EndReason::Own { EndReason::Stopped } else { why }, item, step: step as u32 + 1 }
    }

    /// Why the worker at `index` is asked to leave.
    pub(super) fn why_asked(&self, index: usize) -> Reason {
        Reason::Leave(match () {
            () if self.is_replaced(index) => LeaveReason::Restarted,
            () if self.pool.slots[index].removed => LeaveReason::Scaled,
            () if self.stage > Stage::Running => LeaveReason::Drain,
            () => LeaveReason::NothingLeft,
        })
    }

    /// Why the slot at `index` gets another process, and when.
    pub(super) fn why_restarted(&self, index: usize, setback: Setback) -> Reason {
        let record = match setback {
            Setback::None => SlotRecord::Worked,
            Setback::Idle => SlotRecord::Idle,
            Setback::FailedStart => SlotRecord::NeverReady,
            Setback::Breach => SlotRecord::Breach,
        };
        let failures = self.pool.slots[index].history.failures() as u32;
        Reason::Restart { record, failures, failures_max: self.policy.intensity.restarts_max }
    }

    /// At the end of a step: tells why nothing more is dispatched, if that has changed.
    pub(super) fn tell_wait(&mut self) {
        let wait = self.why_waiting();
        if wait != self.told_wait {
            self.told_wait = wait;
            if let Some(wait) = wait {
                self.because(|_| Reason::Waits(wait));
            }
        }
    }

    fn why_waiting(&self) -> Option<WaitReason> {
        if !self.started || self.stage == Stage::Finished {
            return None;
        }
        let is_ready = |state| matches!(state, SlotState::Ready | SlotState::Vacant);
        Some(match () {
            () if self.stage > Stage::Running => WaitReason::Stopping,
            () if self.clock.is_paused() => WaitReason::Paused,
            () if self.queue.items() > 0 => match () {
                () if self.congested && self.policy.worker.starts_with_item() => WaitReason::Congested,
                () if self.item_starts_wait() && self.gate.permitted == Some(0) => WaitReason::StartsHeld,
                () if self.item_starts_wait() => WaitReason::StartDelay,
                () if !self.order_is_settled() => WaitReason::Order,
                () if self.policy.start_together && !self.dispatched && self.pool.tried < self.pool.target => {
                    WaitReason::Starting
                }
                () if self.pool.slots.iter().any(|slot| is_ready(slot.state) || !slot.leases.is_empty()) => {
                    WaitReason::NoCredit
                }
                () => WaitReason::NoWorker,
            },
            () if self.admission.ended => WaitReason::NothingLeft,
            () if self.admission.outstanding == 0 => WaitReason::NoDemand,
            () => WaitReason::Source,
        })
    }
}
