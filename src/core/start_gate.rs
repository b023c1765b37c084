//! What passes the gate of starts ([`StartGate`](super::gate::StartGate)), and what waits in front of it.
//!
//! Invariant: while the gate is closed no process is started. A slot whose process is due waits in line, so that one
//! whose processes end early keeps no other one waiting for ever. Processes that run go on, and are sent items.

use super::Core;
use super::reason::TakeBackReason;
use super::timers::Timer;
use crate::model::event::Stage;
use crate::model::time::Instant;
use crate::mutant::mutant;

impl Core {
    /// The shell permits this many starts from now on; `None`: any number.
    pub(super) fn on_starts_permitted(&mut self, count: Option<u32>) {
        self.gate.permitted = mutant!(StartsHeldIgnored, count, None);
        if self.gate.permitted.is_some() {
            self.recall_hands(TakeBackReason::Held);
        }
        self.start_due();
    }

    /// The delay after the last start is over.
    pub(super) fn on_start_delay_over(&mut self) {
        self.gate.delay_timer = None;
        mutant!(DueForgotten, self.start_due(), self.gate.due.clear());
    }

    /// A process was ordered: one start less is permitted, and the next one comes after the delay.
    pub(super) fn note_start(&mut self) {
        self.gate.permitted = self.gate.permitted.map(|count| mutant!(PermitNotUsed, count.saturating_sub(1), count));
        let Some(delay) = mutant!(StartDelayIgnored, self.policy.start_delay, None) else { return };
        let wait = self.jitter.between(delay.min, delay.max);
        // A delay that is longer than time itself is one all the same: without a timer there is none.
        let deadline = (self.now + wait).min(Instant(u64::MAX - 1));
        self.timers.set(Timer::StartDelay, &mut self.gate.delay_timer, deadline, self.now);
    }

    /// The slot's process is due, and the gate is closed.
    pub(super) fn wait_for_start(&mut self, index: usize) {
        if !std::mem::replace(&mut self.pool.slots[index].start_due, true) {
            self.gate.due.push_back(index);
        }
    }

    /// Whether a process is due that only waits until the shell permits a start.
    #[must_use]
    pub fn wants_start(&self) -> bool {
        let is_of_item = self.policy.worker.starts_with_item();
        let item = || is_of_item && self.queue.items() > 0 && self.pool.idle.len() > 0 && self.may_dispatch();
        let worker = || !self.gate.due.is_empty() && self.restarting();
        let only_waits = self.gate.permitted == Some(0) && self.gate.delay_timer.is_none() && !self.gate.paused;
        only_waits && self.stage == Stage::Running && (item() || worker())
    }

    /// Starts the processes that are due, as far as the gate lets them pass.
    pub(super) fn start_due(&mut self) {
        while !self.gate.is_closed()
            && let Some(index) = self.gate.due.pop_front()
        {
            let slot = &mut self.pool.slots[index];
            slot.start_due = false;
            if !slot.is_up() && !slot.retired && self.restarting() {
                self.fill(index);
            }
        }
    }
}
