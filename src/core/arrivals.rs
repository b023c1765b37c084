//! How many items the source may still deliver, and what happens to those that it delivered.
//!
//! Invariant: the number of fresh items in the queue, of items that wait for their next attempt when the demand is made,
//! and the demand together is within the queue's limit. In keep-order the items that are settled and not committed are
//! limited too, by a window of their own; the item that is committed next was accepted before them and can always run,
//! so the window always moves. Items that an earlier run settled count against no limit, since the core keeps no record
//! of them.

use super::Core;
use super::action::Action;
use super::causes::Causes;
use super::input::Input;
use super::reason::Reason;
use super::results::{Holder, settlement};
use crate::model::event::{RunEvent, Stage};
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome, Settlement, StopReason};
use crate::model::spec::QueueOrder;
use crate::mutant::mutant;

/// In keep-order, settled items per worker that may wait for their commit, whatever the queue's limit.
const ORDER_ITEMS_PER_WORKER: u64 = 64;

impl Core {
    /// Facts of the source.
    pub(super) fn on_source(&mut self, fact: Input) {
        match fact {
            Input::BatchArrived { first, count, priority } => {
                self.on_arrived(Batch { first, count, attempt: Attempt::FIRST }, priority);
            }
            Input::ArrivedAgain { first, count, priority, attempt, causes } => {
                self.on_arrived_again(Batch { first, count, attempt }, priority, causes);
            }
            Input::ItemRejected { item, reason } => self.on_rejected(item, reason),
            Input::Restored { first, count, outcome } => self.on_restored(first, count, &outcome),
            Input::SourceIdle => self.admission.idle = true,
            Input::SourceEnded => self.on_source_ended(),
            Input::SourceLost { error } => self.on_source_lost(error),
            Input::SourceDiffers { error } => self.on_source_differs(error),
            _ => {}
        }
    }

    fn on_arrived(&mut self, batch: Batch, priority: i64) {
        let Batch { first, count, .. } = batch;
        if !self.admission.fits(first, count) {
            self.totals.stale += 1;
            return;
        }
        self.accept(count);
        self.admission.idle = false;
        if self.stage == Stage::Running {
            self.queue.push(batch, priority);
        } else {
            self.skip(batch, None, None);
        }
    }

    /// Attempts go on counting, and so do the causes of an item that was to be tried again.
    fn on_arrived_again(&mut self, batch: Batch, priority: i64, causes: Vec<Cause>) {
        let batch = mutant!(AttemptRestarted, batch, Batch { attempt: Attempt::FIRST, ..batch });
        self.goes_on = true;
        if batch.count == 1 && batch.attempt > Attempt::FIRST && self.admission.fits(batch.first, 1) {
            let mut earlier = Causes::default();
            causes.into_iter().for_each(|cause| _ = earlier.add(cause));
            if earlier.last().is_some() {
                self.causes.insert(batch.first, earlier);
            }
        }
        self.on_arrived(batch, priority);
    }

    fn on_source_differs(&mut self, error: String) {
        self.on_source_ended();
        self.stop(Stage::Draining, StopReason::SourceDiffers(error));
    }

    fn on_rejected(&mut self, item: ItemId, reason: FailReason) {
        if !self.admission.fits(item, 1) {
            self.totals.stale += 1;
            return;
        }
        self.accept(1);
        let kind = CauseKind::Failed(reason);
        let mut causes = Causes::default();
        causes.add(Cause { attempt: Attempt::FIRST, worker: None, pid: None, kind });
        let rejected = settlement(Batch::of_one(item, Attempt::FIRST), Outcome::Failed, Holder::default(), causes);
        self.settle(Settlement { attempts: 0, ..rejected });
    }

    fn accept(&mut self, count: u32) {
        let count = u64::from(count);
        self.admission.next += count;
        self.totals.accepted += count;
        self.admission.excess += count.saturating_sub(self.admission.outstanding);
        self.admission.outstanding = self.admission.outstanding.saturating_sub(count);
    }

    /// An earlier run settled the next items. This run only counts them.
    fn on_restored(&mut self, first: ItemId, count: u32, outcome: &Outcome) {
        if !self.admission.fits(first, count) {
            self.totals.stale += 1;
            return;
        }
        mutant!(RestoredQueued, {}, return self.on_arrived(Batch { first, count, attempt: Attempt::FIRST }, 0));
        let items = u64::from(count);
        self.admission.next += items;
        self.totals.restored += items;
        for totals in [&mut self.totals, &mut self.restored] {
            totals.accepted += items;
            totals.count(outcome, items);
        }
        if let Some(order) = &mut self.order {
            let actions = &mut self.actions;
            mutant!(
                RestoredHoldsOrder,
                order.restore(first, count, |first, count| actions.push_back(Action::Commit { first, count })),
                {}
            );
        }
        mutant!(RestoredCommitted, {}, self.push(Action::Commit { first, count }));
    }

    fn on_source_ended(&mut self) {
        self.admission.ended = true;
        self.admission.outstanding = 0;
        // A threshold of `--halt` that is a share of all items can be computed now.
        self.halt_if_met(None);
    }

    fn on_source_lost(&mut self, error: String) {
        if !self.admission.ended {
            self.report(RunEvent::SourceLost { error: error.clone() });
            self.strengthen(StopReason::SourceLost(error));
            self.on_source_ended();
        }
    }

    /// Whether the queue's order allows a dispatch. Lifo and priority order choose among all items that are available,
    /// so those are read first.
    pub(super) fn order_is_settled(&self) -> bool {
        self.policy.queue_order == QueueOrder::Fifo
            || self.admission.idle
            || self.admission.ended
            || self.admission.outstanding == 0
    }

    /// Demands as many items as the limits allow. A new demand is made only while at most half of the limit is
    /// outstanding, and only if it adds more than a quarter of the limit or no fresh item is queued.
    pub(super) fn demand(&mut self) {
        if !self.started || self.admission.ended || self.stage != Stage::Running {
            return;
        }
        let limit = self.policy.queue_items_max.max(1);
        let outstanding = self.admission.outstanding;
        if outstanding > limit / 2 {
            return;
        }
        // Failed items that wait for their next attempt are in memory, too.
        let delayed = mutant!(DelayedNotCounted, self.queue.delayed_items(), 0);
        let mut spare = limit.saturating_sub(self.queue.fresh_items() + delayed);
        if let Some(order) = &self.order {
            let window = limit.max(ORDER_ITEMS_PER_WORKER * self.pool.target as u64);
            spare = spare.min(window.saturating_sub(order.waiting_items()));
        }
        let worth = spare > outstanding && (spare - outstanding > limit / 4 || self.queue.fresh_items() == 0);
        if mutant!(NoDemandAfterFull, worth, worth && (self.admission.asked || self.totals.accepted == 0)) {
            let queued = self.queue.fresh_items() + delayed;
            self.because(|_| Reason::Demand { queued, limit });
            self.admission.outstanding = spare;
            self.admission.asked = true;
            self.push(Action::Demand { items: mutant!(DemandOffByOne, spare, spare + 1) });
        } else if outstanding == 0 && self.admission.asked {
            self.admission.asked = false;
            self.push(Action::Demand { items: 0 });
        }
    }

    /// Orders the source to deliver nothing more.
    pub(super) fn close_source(&mut self) {
        self.admission.outstanding = 0;
        if !self.admission.ended && !self.admission.closed {
            self.admission.closed = true;
            self.push(Action::CloseSource);
        }
    }
}
