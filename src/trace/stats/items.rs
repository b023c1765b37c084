//! The items of a run along its facts and orders: how many became what, and how long they waited.

use super::figures::{ItemCounts, LifePart};
use super::item_values::ItemValues;
use super::percentiles::Samples;
use crate::model::event::RunEvent;
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time::Instant;

/// What is known of the items in the end.
pub(super) struct ItemFigures {
    pub counts: ItemCounts,
    /// When items got their outcome, and how many.
    pub settled: Vec<(Instant, u64)>,
    pub parts: [(LifePart, Samples); 3],
}

/// What is known of the items so far.
#[derive(Debug, Default)]
pub(super) struct ItemLives {
    counts: ItemCounts,
    /// When items got their outcome, and how many.
    settled: Vec<(Instant, u64)>,
    /// When items came that have no outcome.
    arrived: ItemValues<Instant>,
    /// Since when items are in the queue. A later attempt is there once its delay has passed.
    queued: ItemValues<Instant>,
    /// When items got an outcome whose turn to be shown has not come.
    out_of_turn: ItemValues<Instant>,
    /// Outcomes that may be shown: when they were known, and of how many items.
    due: Vec<(Instant, u64)>,
    in_queue: Samples,
    to_outcome: Samples,
    to_stdout: Samples,
}

impl ItemLives {
    pub fn arrived(&mut self, at: Instant, batch: Batch) {
        add(&mut self.counts.arrived, batch);
        self.arrived.put(batch, at);
        self.queued.put(batch, at);
    }

    /// It cannot be handed out.
    pub fn rejected(&mut self, at: Instant, item: ItemId) {
        let batch = Batch::of_one(item, Attempt::FIRST);
        add(&mut self.counts.arrived, batch);
        self.arrived.put(batch, at);
    }

    pub fn restored(&mut self, batch: Batch) {
        add(&mut self.counts.restored, batch);
    }

    /// They are given to a worker.
    pub fn given(&mut self, at: Instant, batch: Batch) {
        self.queued.take(batch, |since, items| self.in_queue.add_several(at.since(since).0, items));
    }

    /// They are in the queue again, and have not begun.
    pub fn not_begun(&mut self, at: Instant, batch: Batch) {
        self.queued.put(batch, at);
    }

    pub fn event(&mut self, at: Instant, event: &RunEvent) {
        match event {
            RunEvent::ItemsReturned { first, count, attempt, .. } => {
                let batch = Batch { first: *first, count: *count, attempt: *attempt };
                add(&mut self.counts.returned, batch);
                self.queued.put(batch, at);
            }
            RunEvent::ItemRetried { item, attempt, delay, .. } => {
                self.counts.retried = self.counts.retried.saturating_add(1);
                self.queued.put(Batch::of_one(*item, *attempt), at + *delay);
            }
            _ => {}
        }
    }

    pub fn settle(&mut self, at: Instant, settlement: &Settlement, in_turn: bool) {
        let batch = Batch { first: settlement.first, count: settlement.count, attempt: Attempt(settlement.attempts) };
        let counts = &mut self.counts;
        let count = match settlement.outcome {
            Outcome::Done => &mut counts.done,
            Outcome::Failed => &mut counts.failed,
            Outcome::Dead => &mut counts.dead,
            Outcome::Skipped => &mut counts.skipped,
        };
        add(count, batch);
        self.queued.take(batch, |_, _| {});
        self.arrived.take(batch, |since, items| self.to_outcome.add_several(at.since(since).0, items));
        let items = u64::from(batch.count);
        match self.settled.last_mut() {
            Some((last, settled)) if *last == at => *settled = settled.saturating_add(items),
            _ => self.settled.push((at, items)),
        }
        if in_turn {
            self.is_due(at, items);
        } else {
            self.out_of_turn.put(batch, at);
        }
    }

    /// The turn of these items has come.
    pub fn commit(&mut self, batch: Batch) {
        let Self { out_of_turn, due, .. } = self;
        out_of_turn.take(batch, |at, items| due.push((at, items)));
    }

    fn is_due(&mut self, at: Instant, items: u64) {
        match self.due.last_mut() {
            Some((last, due)) if *last == at => *due = due.saturating_add(items),
            _ => self.due.push((at, items)),
        }
    }

    /// stdout has taken everything.
    pub fn shown(&mut self, at: Instant) {
        for (settled, items) in self.due.drain(..) {
            self.to_stdout.add_several(at.since(settled).0, items);
        }
    }

    pub fn finish(self) -> ItemFigures {
        let parts = [
            (LifePart::InQueue, self.in_queue),
            (LifePart::ToOutcome, self.to_outcome),
            (LifePart::ToStdout, self.to_stdout),
        ];
        ItemFigures { counts: self.counts, settled: self.settled, parts }
    }
}

fn add(count: &mut u64, batch: Batch) {
    *count = count.saturating_add(u64::from(batch.count));
}
