//! From the records of a trace to the numbers of its run, in one pass.

use super::figures::{LifePart, RunFigures};
use super::items::{ItemFigures, ItemLives};
use super::messages::MessageLives;
use super::percentiles::Samples;
use super::slots::SlotLives;
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::event::RunEvent;
use crate::model::ids::{Attempt, Batch};
use crate::model::time::Instant;
use crate::trace::reader::{TraceReadError, TraceReader};
use crate::trace::record::{TraceHeader, TraceRecord};
use std::path::Path;

/// Takes records, and counts.
#[derive(Debug)]
pub struct StatsBuilder {
    header: TraceHeader,
    /// The latest time so far. The core is told facts with the time at which the turn of the loop began, and what came
    /// before a record happened before it.
    now: Instant,
    items: ItemLives,
    messages: MessageLives,
    slots: SlotLives,
    /// The sizes of what was given to workers.
    dispatches: Samples,
    /// How long each item took, by the worker's clock.
    item_at_work: Samples,
    dropped: u64,
}

impl StatsBuilder {
    #[must_use]
    pub fn new(header: TraceHeader) -> Self {
        Self {
            now: Instant::ZERO,
            items: ItemLives::default(),
            messages: MessageLives::default(),
            slots: SlotLives::new(header.policy.worker.starts_with_item()),
            dispatches: Samples::default(),
            item_at_work: Samples::default(),
            dropped: 0,
            header,
        }
    }

    /// Takes the next record, behind the header.
    pub fn take(&mut self, record: &TraceRecord<'_>) {
        match record {
            TraceRecord::Header(_) | TraceRecord::Texts { .. } => {}
            TraceRecord::Started(start) => self.pass(start.at),
            TraceRecord::Deadlines { until } => self.pass(*until),
            TraceRecord::End { at } => self.pass(*at),
            TraceRecord::Fact { at, input } => {
                self.pass(*at);
                self.fact(input);
            }
            TraceRecord::Order(action) => self.order(action),
            TraceRecord::Frame(frame) => {
                self.pass(frame.passed);
                self.messages.take(frame);
                self.slots.worked(frame);
            }
            TraceRecord::Times(times) => {
                times.times.iter().for_each(|(_, took)| self.item_at_work.add(took.0));
            }
            TraceRecord::Written { at, waiting_bytes } => {
                self.pass(*at);
                if *waiting_bytes == 0 {
                    self.items.shown(self.now);
                }
            }
            TraceRecord::Dropped { records } => self.dropped = self.dropped.saturating_add(*records),
        }
    }

    fn pass(&mut self, at: Instant) {
        self.now = self.now.max(at);
    }

    fn fact(&mut self, input: &Input) {
        let batch = |first, count| Batch { first, count, attempt: Attempt::FIRST };
        match input {
            Input::BatchArrived { first, count, .. } | Input::ArrivedAgain { first, count, .. } => {
                self.items.arrived(self.now, batch(*first, *count))
            }
            Input::ItemRejected { item, .. } => self.items.rejected(self.now, *item),
            Input::Restored { first, count, .. } => self.items.restored(batch(*first, *count)),
            Input::TakenBack { item, .. } => self.items.not_begun(self.now, batch(*item, 1)),
            _ => {}
        }
    }

    fn order(&mut self, action: &Action) {
        let now = self.now;
        match action {
            Action::Spawn { worker, batch, .. } => {
                self.slots.ordered(now, *worker);
                if let Some(batch) = batch {
                    self.items.given(now, *batch);
                }
            }
            // How long its start takes is not known: nothing tells when it begins.
            Action::InHand { batch, .. } => self.items.given(now, *batch),
            Action::Dispatch { batch, .. } => {
                self.dispatches.add(u64::from(batch.count));
                self.items.given(now, *batch);
            }
            Action::Settle { settlement, in_turn } => {
                self.items.settle(now, settlement, *in_turn);
                if let Some(worker) = settlement.worker {
                    self.slots.settled(worker, settlement.count);
                }
            }
            Action::Commit { first, count } => {
                self.items.commit(Batch { first: *first, count: *count, attempt: Attempt::FIRST });
            }
            Action::Report(event) => {
                self.items.event(now, event);
                self.slots.event(now, event);
                if let RunEvent::WorkerExited { worker, incarnation, .. } = event {
                    self.messages.ended(*worker, *incarnation);
                }
            }
            _ => {}
        }
    }

    /// The numbers, as far as records were taken.
    #[must_use]
    pub fn finish(self) -> RunFigures {
        let Self { header, now, items, messages, slots, dispatches, item_at_work, dropped } = self;
        let per_item = header.policy.worker.starts_with_item();
        let traces_items = header.traces_items;
        let (messages, message_parts, batches) = messages.finish(dispatches);
        let (slots, process_parts) = slots.finish(now);
        let ItemFigures { counts: items, settled, parts: item_parts } = items.finish();
        let is_had = |part: &LifePart| match part {
            LifePart::InSupervisor
            | LifePart::OnTheWay
            | LifePart::InWorker
            | LifePart::AtWork
            | LifePart::WayBack
            | LifePart::Message
            | LifePart::Hello => !per_item,
            LifePart::InQueue | LifePart::ToOutcome | LifePart::ToStdout => true,
            LifePart::ItemAtWork => !per_item && traces_items,
            LifePart::Start | LifePart::Command => per_item,
        };
        let own = [(LifePart::ItemAtWork, item_at_work)];
        let parts = message_parts.into_iter().chain(item_parts).chain(process_parts).chain(own);
        let mut parts: Vec<_> =
            parts.filter(|(part, _)| is_had(part)).map(|(part, samples)| (part, samples.percentiles())).collect();
        parts.sort_unstable_by_key(|(part, _)| *part);
        RunFigures {
            header,
            duration: now.since(Instant::ZERO),
            items,
            messages: (!per_item).then_some(messages),
            parts,
            slots,
            batches,
            settled,
            dropped,
            cut: None,
        }
    }
}

/// Reads a trace to its end.
///
/// # Errors
/// It is none.
pub fn read(path: &Path) -> Result<RunFigures, TraceReadError> {
    let mut reader = TraceReader::open(path)?;
    let mut builder = StatsBuilder::new(reader.header().clone());
    while let Some(record) = reader.next()? {
        builder.take(&record);
    }
    let mut figures = builder.finish();
    figures.cut = reader.cut().map(|cut| cut.to_string());
    Ok(figures)
}
