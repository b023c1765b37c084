//! Starts of items: what is known of them, and the reports about items that a worker began or gave back.
//!
//! Invariant: the start of an item is reported only if it is known that the worker began it, at most once for each
//! dispatch, and before the report about how the attempt ended. Every attempt that is charged has its start reported;
//! an item that is returned uncharged is reported as returned before it can start again.

use super::Core;
use super::action::Action;
use super::slot::Start;
use crate::model::event::RunEvent;
use crate::model::ids::{Batch, ItemId};
use crate::model::spec::Blame;
use crate::model::time::Duration;
use crate::mutant::mutant;

/// The time from the dispatch of an item to the first look whether the worker has begun it. Each further look comes after
/// twice the time, so that a start is seen at the latest when twice the time to it has passed, and a stopped worker wakes
/// nobody for long.
/// Most items that take longer have begun by then; for shorter ones the start is reported with the end.
const START_PROBE_MIN: Duration = Duration::from_millis(1);

impl Core {
    /// The oldest item that the worker holds was dispatched alone. If starts are reported, the start of this one is
    /// looked up soon.
    #[inline]
    pub(super) fn await_start(&mut self, index: usize) {
        if !self.reports_starts() {
            return;
        }
        if mutant!(StartReportedUnseen, self.policy.worker.blame == Blame::OldestHeld, true) {
            // Such a worker has nothing to show: the oldest item counts as the one that runs.
            return self.oldest_started(index);
        }
        let slot = &self.pool.slots[index];
        if slot.timer.is_none_or(|deadline| deadline > self.now + START_PROBE_MIN) {
            self.set_slot_timer(index, START_PROBE_MIN);
        }
    }

    /// Whether the start of the oldest item at this worker is still to be looked up.
    fn awaits_start(&self, index: usize) -> bool {
        let oldest = self.pool.slots[index].leases.front();
        let awaited = oldest.is_some_and(|lease| lease.start == Start::Awaited);
        awaited && self.reports_starts() && self.policy.worker.blame == Blame::ProgressPage
    }

    /// A deadline of a worker that holds items has passed: it is probed, if there is something to learn.
    pub(super) fn probe(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let oldest_since = slot.leases.front().map_or(self.now, |lease| lease.since.max(slot.answered_at));
        let by_start = self.awaits_start(index).then(|| self.now.since(oldest_since).max(START_PROBE_MIN));
        let by_limit = self.policy.timeout.map(|_| self.probe_interval());
        let Some(wait) = by_start.into_iter().chain(by_limit).min() else { return };
        let (worker, incarnation) = self.ids(index);
        self.push(Action::Probe { worker, incarnation });
        self.set_slot_timer(index, wait);
    }

    /// The oldest item at this worker has begun.
    pub(super) fn oldest_started(&mut self, index: usize) {
        if let Some(item) = self.pool.slots[index].oldest_item() {
            self.seen_running(index, item);
        }
    }

    /// The worker was seen at this item. If it was dispatched alone, its start is reported now.
    pub(super) fn seen_running(&mut self, index: usize, item: ItemId) {
        let awaited = self.pool.slots[index].leases.iter_mut().find(|lease| lease.batch.contains(item));
        let Some(lease) = awaited.filter(|lease| lease.start == Start::Awaited) else { return };
        lease.start = Start::Reported;
        let batch = lease.batch;
        self.report_started(index, batch);
    }

    /// The attempt at a single item that the worker held in a lease with this `start` has ended, so it had begun.
    #[inline]
    pub(super) fn ended_after(&mut self, start: Start, index: usize, batch: Batch) {
        if start != Start::Reported {
            self.report_started(index, batch);
        }
    }

    fn report_started(&mut self, index: usize, batch: Batch) {
        if self.reports_starts() {
            let (worker, incarnation) = self.ids(index);
            let pid = self.pool.slots[index].pid.unwrap_or(0);
            self.report(RunEvent::ItemStarted { item: batch.first, attempt: batch.attempt, worker, incarnation, pid });
        }
    }

    /// A batch comes back from a process, uncharged. `running`: the item that the process was at.
    pub(super) fn report_returned(&mut self, index: usize, batch: Batch, running: Option<ItemId>) {
        let Batch { first, count, attempt } = batch;
        let (worker, incarnation) = self.ids(index);
        let pid = self.pool.slots[index].pid.unwrap_or(0);
        let running = running.filter(|item| batch.contains(*item));
        let event = RunEvent::ItemsReturned { first, count, attempt, worker, incarnation, pid, running };
        mutant!(ReturnNotReported, self.report(event), drop(event));
    }
}
