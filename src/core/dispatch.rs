//! Items go out: which worker gets the next ones, and how many.
//!
//! Invariant: items leave in the queue's order, only to slots that are ready and below their credit,
//! and nobody is sent work in advance while somebody is idle.

use super::Core;
use super::action::Action;
use super::mutant::Mutant;
use super::pool::{Lease, State, Watch};
use super::queue::Queued;
use crate::model::event::{RunEvent, Stage};
use crate::model::ids::{Incarnation, WorkerId};
use crate::model::spec::Lifecycle;
use crate::model::time::Duration;

/// A worker's scoreboard is looked at so many times within the hard limit of an attempt ...
const PROBES_PER_TIMEOUT: u64 = 8;
/// ... but not more often than this, ...
const PROBE_INTERVAL_MIN: Duration = Duration::from_millis(5);
/// ... nor more seldom.
const PROBE_INTERVAL_MAX: Duration = Duration::from_millis(250);

impl Core {
    /// Hands out items until none is left or nobody wants any.
    #[inline]
    pub(super) fn dispatch(&mut self) {
        if self.queue.items() == 0 || !self.may_dispatch() {
            return;
        }
        while self.queue.items() > 0 {
            let tail = self.admission.ended && self.queue.items() < self.pool.slots.len() as u64;
            let Some(index) = self.pool.next(tail) else { break };
            let items_max = self.pool.spare(index).min(self.share(index)).max(1);
            let Some(queued) = self.queue.pop(items_max) else { break };
            self.hand_out(index, queued);
        }
    }

    fn may_dispatch(&self) -> bool {
        let draining = self.stage == Stage::Draining && self.mutation.is(Mutant::DispatchInDrain);
        let together = !self.policy.start_together
            || self.policy.lifecycle == Lifecycle::PerItem
            || self.pool.introduced == self.pool.slots.len();
        self.started && (self.stage == Stage::Running || draining) && together && self.order_is_settled()
    }

    /// The most one worker may get of what is queued: its part beside the idle ones, or more if that is not worth
    /// a worker; and near the end of the source half a part, so that nobody hoards the rest.
    fn share(&self, index: usize) -> u32 {
        let queued = self.queue.items();
        let mut share = u64::MAX;
        let idle = self.pool.idle.len() as u64;
        if idle > 1 {
            share = (queued / idle).max(u64::from(self.pool.slots[index].pace.worth()));
        }
        if self.admission.ended {
            share = share.min(queued / (2 * self.pool.slots.len() as u64));
        }
        share.clamp(1, u64::from(u32::MAX)) as u32
    }

    fn hand_out(&mut self, index: usize, queued: Queued) {
        let batch = queued.batch;
        let lease = Lease { batch, priority: queued.priority, since: self.now, single: batch.count == 1 };
        if self.policy.lifecycle == Lifecycle::PerItem {
            let slot = &mut self.pool.slots[index];
            slot.incarnation = Incarnation(slot.incarnation.0.wrapping_add(1));
            self.pool.turn(index, State::Starting);
            self.pool.lease(index, lease);
            let (worker, incarnation) = self.who(index);
            self.push(Action::Launch { worker, incarnation, batch });
            return;
        }
        self.pool.lease(index, lease);
        let (worker, incarnation) = self.who(index);
        self.push(Action::Dispatch { worker, incarnation, batch });
        if self.pool.slots[index].leases.len() == 1 {
            self.begin(index);
        }
        if self.policy.timeout.is_some() && self.pool.slots[index].timer.is_none() {
            self.set_slot_timer(index, self.probe_interval());
        }
    }

    /// The worker turns to the oldest run it holds. Of a run of one it is known which item that is.
    #[inline]
    pub(super) fn begin(&mut self, index: usize) {
        let slot = &mut self.pool.slots[index];
        if let Some(batch) = slot.leases.front().filter(|lease| lease.single).map(|lease| lease.batch) {
            if self.policy.timeout.is_some() {
                slot.watch = Some(Watch::new(batch.first, self.now));
            }
            self.report_item_started(index, batch);
        }
    }

    pub(super) fn report_item_started(&mut self, index: usize, batch: crate::model::ids::Batch) {
        let (worker, incarnation) = self.who(index);
        let pid = self.pool.slots[index].pid.unwrap_or(0);
        self.report(RunEvent::ItemStarted { item: batch.first, attempt: batch.attempt, worker, incarnation, pid });
    }

    pub(super) fn probe_interval(&self) -> Duration {
        let timeout = self.policy.timeout.unwrap_or(PROBE_INTERVAL_MAX);
        Duration(timeout.0 / PROBES_PER_TIMEOUT).clamp(PROBE_INTERVAL_MIN, PROBE_INTERVAL_MAX)
    }

    /// The names of a slot and its present incarnation.
    #[inline]
    pub(super) fn who(&self, index: usize) -> (WorkerId, Incarnation) {
        (WorkerId::from_index(index), self.pool.slots[index].incarnation)
    }
}
