//! What a person asks of single workers and items, and what the answers are made of.
//!
//! Invariant: a signal that is asked for changes nothing in the core: what it leads to is what the same signal from outside
//! leads to.

use super::Core;
use super::action::Action;
use super::reason::Reason;
use crate::model::event::{RunEvent, Stage};
use crate::model::ids::{ItemId, WorkerId};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;

impl Core {
    /// Whether the run stops, or every item has its outcome: then no item is given up and the number of workers stays.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.stage > Stage::Running || self.closing
    }

    /// Whether an item has its outcome. One that is still to arrive has none.
    #[must_use]
    pub fn is_settled(&self, item: ItemId) -> bool {
        item.0 < self.admission.next && !self.is_open(item)
    }

    /// Items that were given up and have no outcome yet.
    #[must_use]
    pub fn given_up_items(&self) -> usize {
        self.given_up.len()
    }

    /// The time since the last fact, which a status does not have. None passes in a pause.
    #[must_use]
    pub fn time_since_fact(&self, now: Instant) -> Duration {
        if self.clock.is_paused() { Duration::ZERO } else { now.since(self.clock.latest()) }
    }

    /// A worker without a process gets none. A command that has ended, and whose output is awaited, gets none either.
    pub(super) fn signal_worker(&mut self, worker: WorkerId, signal: Signal) {
        let index = worker.index();
        let Some(slot) = self.pool.slots.get(index).filter(|slot| !slot.output_held) else { return };
        let (Some(pid), incarnation) = (slot.pid, slot.incarnation) else { return };
        self.report(RunEvent::WorkerSignalled { worker, incarnation, pid, signal });
        self.because(|_| Reason::Asked);
        // Not as an order of the core's own, whose stops are no news.
        let order = Action::Kill { worker, incarnation, signal };
        mutant!(AskedSignalLost, self.push(order), drop(order));
        mutant!(AskedSignalIsOrder, {}, self.pool.slots[index].kill_reason = Some(super::slot::KillReason::Strategy));
    }

    pub(super) fn report_starts(&mut self, wanted: bool) {
        self.starts_wanted = wanted;
    }

    /// Whether each attempt that begins is reported.
    pub(super) const fn reports_starts(&self) -> bool {
        self.policy.report_starts || self.starts_wanted
    }
}
