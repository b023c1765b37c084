//! The durable record of a run, and what is known of it: what has been shown and has left, what an earlier session has left
//! behind, and which items wait for the next session.
//!
//! Invariant: in keep-order nothing is shown behind an item that waits for the next session.

use super::super::answer::Answer;
use super::super::feed::Feed;
use super::pending::{PendingResults, ReadOutcome};
use super::shown::{SessionOutput, ShownInOrder, ShownMarks};
use crate::journal::record::{GivenAway, JournalRecord};
use crate::model::event::RunEvent;
use crate::model::ids::{Batch, ItemId};
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time::Instant;
use crate::mutant::mutant;
use crate::sys::outbox::Outbox;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// A record of outcomes that has to be safe before they become visible.
pub trait DurableRecord {
    /// Items were accepted from the source, or are known. Nothing has to be safe before [`DurableRecord::flush`].
    fn taken_in(&mut self, record: &JournalRecord<'_>);

    /// An attempt at these items begins behind the next barrier.
    fn begun(&mut self, now: Instant, batch: Batch);

    /// An attempt at these items is not counted. It begins again under the same number.
    fn returned(&mut self, now: Instant, batch: Batch);

    /// Something else happened.
    fn happened(&mut self, now: Instant, event: &RunEvent);

    /// Adds a settlement and its results, of which a large one is in the temporary file. `item`: the bytes of a single item
    /// that failed. Returns whether it is an outcome; otherwise the items are as they were, and nothing of them is shown.
    fn settled(&mut self, now: Instant, settlement: &Settlement, answer: Option<&Answer<'_>>, item: &[u8]) -> bool;

    /// A place behind all that was added.
    fn place(&self) -> u64;

    /// What was given away so far, with that many bytes of stdout.
    fn given_away(&mut self, shown: GivenAway, output_bytes: u64);

    /// Whether something was added that is not safe.
    fn is_behind(&self) -> bool;

    /// The barrier: when it returns, everything that was added is safe.
    ///
    /// # Errors
    /// The record is not safe; nothing of this turn or of a later one becomes visible, and the run stops. It is not
    /// called again.
    fn flush(&mut self) -> io::Result<()>;

    /// The end of the run. `all`: no item is left, and none will come.
    ///
    /// # Errors
    /// As of [`DurableRecord::flush`].
    fn close(&mut self, exit_code: u8, all: bool) -> io::Result<()>;
}

/// The record, if there is one.
#[derive(Default)]
pub struct Journaled {
    record: Option<Box<dyn DurableRecord>>,
    /// The barrier did not hold. It is not tried again: after a failed sync, a later one succeeds without the bytes.
    is_lost: bool,
    /// In keep-order.
    in_order: Option<ShownInOrder>,
    /// Settlements in the reorder buffer whose items wait for the next session, by first item.
    open: BTreeSet<u64>,
    /// Items that are in hand, or were; none that has its outcome.
    in_hand: BTreeMap<u64, Batch>,
    /// Of an earlier session.
    pending: Option<PendingResults>,
    /// Something was shown since the last mark.
    has_shown: bool,
    marks: ShownMarks,
    output: SessionOutput,
    /// The place in the record before which everything has been shown.
    recorded_before: u64,
}

impl Journaled {
    /// `in_order`: in keep-order, the item that is shown first.
    pub fn new(record: Box<dyn DurableRecord>, in_order: Option<ItemId>, pending: Option<PendingResults>) -> Self {
        let in_order = in_order.map(|next| ShownInOrder { next, is_closed: false });
        Self { record: Some(record), in_order, pending, ..Self::default() }
    }

    /// With a file of results.
    #[must_use]
    pub fn with_output(self, output: SessionOutput) -> Self {
        Self { output, ..self }
    }

    /// Results of an earlier session that are to be shown.
    #[cfg(test)]
    pub fn pending_outcomes(&self) -> usize {
        self.pending.as_ref().map_or(0, PendingResults::outcomes)
    }

    /// Whether there is a record.
    pub const fn is_on(&self) -> bool {
        self.record.is_some()
    }

    /// An attempt at these items begins behind the next barrier.
    pub fn begin(&mut self, now: Instant, batch: Batch, feed: &mut Feed) {
        if let Some(record) = &mut self.record {
            take_in(record.as_mut(), &mut self.pending, feed);
            mutant!(BeginUnrecorded, record.begun(now, batch), ());
        }
    }

    /// The same for an item that may begin later, or be taken back.
    pub fn begin_in_hand(&mut self, now: Instant, batch: Batch, feed: &mut Feed) {
        if self.is_on() {
            self.in_hand.insert(batch.first.0, batch);
            self.begin(now, batch, feed);
        }
    }

    /// An item that was in hand was not begun.
    pub fn taken_back(&mut self, now: Instant, item: ItemId) {
        if let (Some(record), Some(batch)) = (&mut self.record, self.in_hand.remove(&item.0)) {
            record.returned(now, batch);
        }
    }

    /// Something happened.
    pub fn happened(&mut self, now: Instant, event: &RunEvent) {
        let Some(record) = &mut self.record else { return };
        match event {
            RunEvent::ItemsReturned { first, count, attempt, .. } => {
                record.returned(now, Batch { first: *first, count: *count, attempt: *attempt });
            }
            event => record.happened(now, event),
        }
    }

    /// Items were settled. `false`: they wait for the next session.
    pub fn settled(
        &mut self,
        now: Instant,
        settlement: &Settlement,
        answer: Option<&Answer<'_>>,
        feed: &mut Feed,
    ) -> bool {
        let Some(record) = &mut self.record else { return true };
        take_in(record.as_mut(), &mut self.pending, feed);
        let is_one = settlement.count == 1;
        if is_one {
            self.in_hand.remove(&settlement.first.0);
        }
        let (_, item) = if is_one { feed.peek(settlement.first) } else { (Default::default(), &[][..]) };
        record.settled(now, settlement, answer, item)
    }

    /// Whether something has to be made safe.
    pub fn is_behind(&self) -> bool {
        !self.is_lost && self.record.as_ref().is_some_and(|record| record.is_behind())
    }

    /// Whether nothing becomes visible any more.
    pub const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Makes the record safe.
    ///
    /// # Errors
    /// It is not safe; it is not tried again.
    pub fn flush(&mut self, feed: &mut Feed, out: &Outbox) -> io::Result<()> {
        let Some(record) = &mut self.record else { return Ok(()) };
        take_in(record.as_mut(), &mut self.pending, feed);
        let left = self.output.left(&mut self.marks, out, false);
        if let Ok(Some((shown, bytes))) = left {
            record.given_away(shown, bytes);
        }
        let place = record.place();
        let flushed = left.and_then(|_| mutant!(BarrierNotFlushed, record.flush(), Ok(())));
        self.is_lost = flushed.is_err();
        self.pending.iter_mut().for_each(PendingResults::recorded);
        self.recorded_before = place;
        flushed
    }

    /// Records how the run ended, once stdout is written.
    ///
    /// # Errors
    /// It is not recorded.
    pub fn close(&mut self, exit_code: u8, all: bool, feed: &mut Feed, out: &Outbox) -> io::Result<()> {
        self.note_mark(out);
        let Some(record) = self.record.as_mut().filter(|_| !self.is_lost) else { return Ok(()) };
        take_in(record.as_mut(), &mut self.pending, feed);
        if let Some((shown, bytes)) = self.output.left(&mut self.marks, out, true)? {
            record.given_away(shown, bytes);
        }
        record.close(exit_code, all)
    }

    /// A settlement whose items wait for the next session is in the reorder buffer.
    pub fn hold_open(&mut self, settlement: &Settlement) {
        self.open.insert(settlement.first.0);
    }

    /// Whether the items of a settlement from the reorder buffer wait for the next session.
    pub fn is_open(&mut self, settlement: &Settlement) -> bool {
        settlement.outcome == Outcome::Skipped && self.open.remove(&settlement.first.0)
    }

    /// The turn of items has come that wait for the next session.
    pub const fn note_gap(&mut self) {
        if let Some(shown) = &mut self.in_order {
            shown.is_closed = true;
        }
    }

    /// Whether outcomes may be shown: none before them waits for the next session.
    pub fn may_show(&self) -> bool {
        self.in_order.is_none_or(|shown| !shown.is_closed)
    }

    pub fn note_shown(&mut self, settlement: &Settlement) {
        self.has_shown = true;
        if let Some(shown) = &mut self.in_order {
            shown.next = shown.next.max(settlement.first.plus(u64::from(settlement.count)));
        }
    }

    /// Results of an earlier session whose items the source has delivered, in keep-order those whose turn it is.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn next_pending(&mut self, feed: &Feed) -> io::Result<Option<ReadOutcome>> {
        let Some(pending) = &mut self.pending else { return Ok(None) };
        let Some((_, end)) = pending.first() else { return Ok(None) };
        let is_delivered = end <= feed.next_item();
        let has_turn = self.in_order.is_none_or(|shown| !shown.is_closed && feed.past_restored(shown.next) >= end);
        if is_delivered && has_turn { pending.take_first() } else { Ok(None) }
    }

    /// Notes what has been shown since the last call, and behind which byte of stdout it ends.
    pub fn note_mark(&mut self, out: &Outbox) {
        if !std::mem::take(&mut self.has_shown) || self.record.is_none() {
            return;
        }
        let shown = match (self.in_order, &self.pending) {
            (Some(shown), _) => GivenAway::Before(shown.next),
            // Of results of an earlier session some are left, which stand before all of this one.
            (None, Some(pending)) if pending.first().is_some() => return,
            (None, _) => GivenAway::RecordedBefore(self.recorded_before),
        };
        self.marks.push(shown, out.end());
    }
}

/// Records what was accepted. Results of an earlier session that belong to it are to be shown.
fn take_in(record: &mut dyn DurableRecord, pending: &mut Option<PendingResults>, feed: &mut Feed) {
    feed.take_accepted(|note| {
        record.taken_in(&note.record);
        if let (Some(outcome), Some(pending)) = (note.pending, pending.as_mut()) {
            pending.add(outcome);
        }
    });
}
