//! Dispatch: which worker gets the next items, and how many.
//!
//! Invariant: items are dispatched in the queue's order, only to slots that are vacant, or ready and below their
//! credit. A worker that holds items gets no more while another is idle. While the output is congested no process is
//! started for an item: what it writes would have to be kept, and many items may be queued. Nor is one while starts wait.

use super::Core;
use super::action::Action;
use super::queue::Queued;
use super::slot::{Lease, SlotState, Start, Watch};
use crate::model::event::Stage;
use crate::model::ids::{Incarnation, WorkerId};
use crate::model::spec::Blame;
use crate::model::time::Duration;
use crate::mutant::mutant;

/// Probes of a progress page within the time limit of an attempt.
const PROBES_PER_TIMEOUT: u64 = 8;
/// The shortest time between two probes.
const PROBE_INTERVAL_MIN: Duration = Duration::from_millis(5);
/// The longest time between two probes.
const PROBE_INTERVAL_MAX: Duration = Duration::from_millis(250);

impl Core {
    /// Dispatches items until the queue is empty or no worker can be sent any.
    #[inline]
    pub(super) fn dispatch(&mut self) {
        if self.queue.items() == 0 || !self.may_dispatch() {
            return;
        }
        while self.queue.items() > 0 && !self.item_starts_wait() {
            let tail = self.admission.ended && self.queue.items() < self.pool.target as u64;
            let Some(index) = self.pool.next(tail) else { break };
            let (spare, share) = (self.pool.spare(index), self.share(index));
            let Some(queued) = self.queue.pop(spare.min(share).max(1)) else { break };
            self.because(|core| core.why_dispatched(index, queued.batch.count, spare, share));
            self.hand_out(index, queued);
        }
    }

    pub(super) fn may_dispatch(&self) -> bool {
        let together = !self.policy.start_together || self.dispatched || self.pool.tried == self.pool.target;
        let running = mutant!(DispatchInDrain, self.stage == Stage::Running, self.stage <= Stage::Draining);
        let congested = mutant!(CongestionIgnored, self.congested, false);
        let starts = !(congested && self.policy.worker.starts_with_item());
        let paused = mutant!(PausedDispatches, self.clock.is_paused(), false);
        self.started && running && !paused && together && starts && self.order_is_settled()
    }

    /// Whether a process that starts with its item may not be started now.
    #[inline]
    pub(super) const fn item_starts_wait(&self) -> bool {
        self.gate.is_closed() && self.policy.worker.starts_with_item()
    }

    /// Most queued items that one worker may get. While several workers are idle, each gets an equal share, but no
    /// less than is worth a wake-up. After the end of the source a share is halved, so that no worker holds the rest.
    fn share(&self, index: usize) -> u32 {
        let queued = self.queue.items();
        let mut share = u64::MAX;
        let idle = self.pool.idle.len() as u64;
        if idle > 1 {
            share = (queued / idle).max(u64::from(self.pool.slots[index].sizer.worth()));
        }
        if self.admission.ended {
            share = share.min(queued / (2 * self.pool.target as u64));
        }
        share.clamp(1, u64::from(u32::MAX)) as u32
    }

    fn hand_out(&mut self, index: usize, queued: Queued) {
        let batch = queued.batch;
        let lease = Lease { batch, priority: queued.priority, since: self.now, start: Start::of(batch) };
        self.dispatched = true;
        if self.pool.slots[index].state == SlotState::Vacant {
            return self.spawn(index, Some(lease));
        }
        self.pool.lease(index, lease);
        let (worker, incarnation) = self.ids(index);
        self.push(Action::Dispatch { worker, incarnation, batch });
        if self.pool.slots[index].leases.len() == 1 {
            self.begin(index);
        }
        if self.policy.timeout.is_some() && self.pool.slots[index].timer.is_none() {
            self.set_slot_timer(index, self.probe_interval());
        }
    }

    /// A batch became the oldest one that the worker holds. The worker begins it as soon as it reads it; in a batch of
    /// one it is known which item that will be.
    #[inline]
    pub(super) fn begin(&mut self, index: usize) {
        self.chaos_begins(index);
        self.watch_oldest(index);
        let awake_at = self.awake_at(index);
        let slot = &mut self.pool.slots[index];
        if let Some(lease) = slot.leases.front().filter(|lease| lease.start != Start::InBatch) {
            if self.policy.timeout.is_some() {
                slot.watch = Some(Watch::new(lease.batch.first, awake_at));
            }
            self.await_start(index);
        }
    }

    /// With `Blame::OldestHeld`, the time limit of an item counts from the moment at which the item became the oldest
    /// without an answer.
    pub(super) fn watch_oldest(&mut self, index: usize) {
        let (Some(timeout), Blame::OldestHeld) = (self.policy.timeout, self.policy.worker.blame) else { return };
        let awake_at = self.awake_at(index);
        let slot = &mut self.pool.slots[index];
        if !matches!(slot.state, SlotState::Ready | SlotState::Draining) {
            return;
        }
        let Some(item) = slot.oldest_item() else { return self.clear_slot_timer(index) };
        if slot.watch.is_none_or(|watch| watch.item != item) {
            slot.watch = Some(Watch::new(item, awake_at));
            self.set_slot_timer(index, timeout);
        }
    }

    /// The time from a dispatch or a probe to the next probe for a time limit. Without a progress page a probe can only
    /// confirm that the limit has passed, so it comes at the limit.
    pub(super) fn probe_interval(&self) -> Duration {
        let timeout = self.policy.timeout.unwrap_or(PROBE_INTERVAL_MAX);
        if self.policy.worker.blame == Blame::OldestHeld {
            return timeout;
        }
        Duration(timeout.0 / PROBES_PER_TIMEOUT).clamp(PROBE_INTERVAL_MIN, PROBE_INTERVAL_MAX)
    }

    /// The id of a slot, and its present incarnation.
    #[inline]
    pub(super) fn ids(&self, index: usize) -> (WorkerId, Incarnation) {
        (WorkerId::from_index(index), self.pool.slots[index].incarnation)
    }
}
