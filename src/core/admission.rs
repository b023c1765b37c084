//! Items come in: how many the source may still deliver, and what it delivered.
//!
//! Invariant: fresh items and those that may still arrive are together within the queue's limit.
//! In keep-order, settled items whose turn has not come count as well, against a window of their
//! own; the item whose turn it is was accepted before and can always run, so that this ends.

use super::Core;
use super::action::Action;
use super::mutant::Mutant;
use crate::model::event::{RunEvent, Stage};
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome, Settlement, StopReason};
use crate::model::spec::QueueOrder;

/// Settled items per worker that may wait for their turn in keep-order, whatever the queue's limit.
const ORDER_ITEMS_PER_WORKER: u64 = 64;

/// What is known of the source.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// The id that the next item gets: so many were accepted.
    pub(super) next: u64,
    /// Items that may still arrive.
    pub(super) outstanding: u64,
    /// Items that arrived beyond what was asked for.
    pub(super) excess: u64,
    /// The last demand was for more than nothing.
    asked: bool,
    was_full: bool,
    /// It has nothing more at the moment.
    idle: bool,
    /// It delivers nothing more, for ever.
    pub(super) ended: bool,
    /// It was told to close.
    pub(super) closed: bool,
}

impl Core {
    pub(super) fn on_arrived(&mut self, first: ItemId, count: u32, priority: i64) {
        if self.admission.ended || first.0 != self.admission.next || count == 0 {
            self.totals.stale += 1;
            return;
        }
        self.accept(u64::from(count));
        self.admission.idle = false;
        let batch = Batch { first, count, attempt: Attempt::FIRST };
        if self.stage == Stage::Running {
            self.queue.push(batch, priority);
        } else {
            self.skip(batch, None, false);
        }
    }

    pub(super) fn on_rejected(&mut self, item: ItemId, reason: FailReason) {
        if self.admission.ended || item.0 != self.admission.next {
            self.totals.stale += 1;
            return;
        }
        self.accept(1);
        let kind = CauseKind::Failed(reason);
        self.settle(Settlement {
            first: item,
            count: 1,
            outcome: Outcome::Failed,
            attempts: 0,
            worker: None,
            incarnation: None,
            pid: None,
            causes: vec![Cause { attempt: Attempt::FIRST, worker: None, pid: None, kind }],
        });
    }

    fn accept(&mut self, count: u64) {
        self.admission.next += count;
        self.totals.accepted += count;
        self.admission.excess += count.saturating_sub(self.admission.outstanding);
        self.admission.outstanding = self.admission.outstanding.saturating_sub(count);
    }

    pub(super) fn on_source_idle(&mut self) {
        self.admission.idle = true;
    }

    pub(super) fn on_source_ended(&mut self) {
        self.admission.ended = true;
        self.admission.outstanding = 0;
        // Now it is known what a share of all items is.
        self.halt_if_met();
    }

    pub(super) fn on_source_lost(&mut self, error: String) {
        if !self.admission.ended {
            self.report(RunEvent::SourceLost { error: error.clone() });
            self.strengthen(StopReason::SourceLost(error));
            self.on_source_ended();
        }
    }

    /// If items may be handed out as far as the queue's order is concerned: lifo and priority mean
    /// something only if all that is there has been read.
    pub(super) fn order_is_settled(&self) -> bool {
        self.policy.queue_order == QueueOrder::Fifo
            || self.admission.idle
            || self.admission.ended
            || self.admission.outstanding == 0
    }

    /// Asks the source for as much as there is room for. Few words: only when half of the demand is
    /// used up and the room is worth it, or nothing is queued.
    pub(super) fn demand(&mut self) {
        if !self.started || self.admission.ended || self.stage != Stage::Running {
            return;
        }
        let limit = self.policy.queue_items_max.max(1);
        let outstanding = self.admission.outstanding;
        if outstanding > limit / 2 {
            return;
        }
        let mut spare = limit.saturating_sub(self.queue.fresh_items());
        if let Some(order) = &self.order {
            let window = limit.max(ORDER_ITEMS_PER_WORKER * self.pool.slots.len() as u64);
            spare = spare.min(window.saturating_sub(order.waiting_items()));
        }
        let worth = spare > outstanding && (spare - outstanding > limit / 4 || self.queue.fresh_items() == 0);
        let muted = self.mutation.is(Mutant::NoDemandAfterFull) && self.admission.was_full;
        if worth && !muted {
            self.admission.outstanding = spare;
            self.admission.asked = true;
            let items = spare + u64::from(self.mutation.is(Mutant::DemandOffByOne));
            self.push(Action::Demand { items });
        } else if outstanding == 0 && self.admission.asked {
            self.admission.asked = false;
            self.admission.was_full = true;
            self.push(Action::Demand { items: 0 });
        }
    }

    /// Tells the source to deliver nothing more.
    pub(super) fn close_source(&mut self) {
        self.admission.outstanding = 0;
        if !self.admission.ended && !self.admission.closed {
            self.admission.closed = true;
            self.push(Action::CloseSource);
        }
    }
}
