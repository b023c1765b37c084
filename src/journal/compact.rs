//! A journal in less space: the same books, without the records that nothing needs any more.
//!
//! The records are gone through a second time, and each is kept, cut to some of its items, joined with the one before it, or
//! left out, as [`CompactPlan`] says. Their order stays, and with it which session each belongs to.
//!
//! Invariant: what a run goes on with is the same before and after. Whoever writes the file checks that with
//! [`is_same_state`].

use super::compact_plan::{CompactPlan, ReopenedSoFar};
use super::file_reader::JournalFileReader;
use super::kept_marks::MarkTranslation;
use super::record::{GivenAway, JournalRecord, SettledItems};
use super::state::JournalState;
use super::writer::JournalWriter;
use crate::model::ids::ItemId;
use std::borrow::Cow;
use std::fs::File;
use std::io;

/// Writes what the plan keeps of a file. What the writer cannot do it says at its barrier.
///
/// # Errors
/// The file cannot be read.
pub fn write(file: &File, plan: &CompactPlan, out: &mut JournalWriter) -> io::Result<()> {
    let mut reader = JournalFileReader::new(file).map_err(io::Error::other)?;
    let mut second = SecondReading::new(plan);
    while reader.offset() < plan.state.whole_bytes {
        let Some((offset, record)) = reader.next_record()? else { break };
        second.take(offset, &record, out);
    }
    second.write_held(out);
    Ok(())
}

/// Whether a run would go on with both in the same way.
#[must_use]
pub fn is_same_state(one: &JournalState, other: &JournalState) -> bool {
    let stretches = |state: &JournalState| state.books.from(ItemId(0)).collect::<Vec<_>>();
    let pending = |state: &JournalState| {
        let outcomes = state.pending.values().map(|pending| {
            let kinds: Vec<_> = pending.contents.iter().map(|place| place.kind).collect();
            (pending.settled.clone(), kinds)
        });
        outcomes.collect::<Vec<_>>()
    };
    one.opened == other.opened
        && one.books.totals() == other.books.totals()
        && one.books.closed() == other.books.closed()
        && stretches(one) == stretches(other)
        && one.causes == other.causes
        && pending(one) == pending(other)
        && (one.input_bytes, one.output_bytes) == (other.input_bytes, other.output_bytes)
        && one.last_session == other.last_session
}

/// Where the second reading is.
struct SecondReading<'a> {
    plan: &'a CompactPlan,
    so_far: ReopenedSoFar,
    /// The session keeps results.
    is_asked: bool,
    /// An outcome with which the next one may be joined.
    held: Option<SettledItems<'static>>,
    marks: MarkTranslation,
}

impl<'a> SecondReading<'a> {
    fn new(plan: &'a CompactPlan) -> Self {
        let (so_far, marks) = (ReopenedSoFar::default(), MarkTranslation::of(&plan.marks));
        Self { plan, so_far, is_asked: false, held: None, marks }
    }

    fn take(&mut self, offset: u64, record: &JournalRecord<'_>, out: &mut JournalWriter) {
        if self.marks.is_due(offset) {
            // What is joined lies on one side of the mark.
            self.write_held(out);
            self.marks.reach(offset, out.offset());
        }
        self.so_far.take(record);
        match record {
            JournalRecord::Opened { .. } => {
                self.keep(record, out);
                self.keep(&JournalRecord::Compacted { sessions: self.plan.sessions }, out);
            }
            JournalRecord::Session { .. } => {
                self.is_asked = false;
                self.keep(record, out);
            }
            JournalRecord::ResultsKept => {
                self.is_asked = true;
                self.keep(record, out);
            }
            JournalRecord::Accepted(_)
            | JournalRecord::Recovered { .. }
            | JournalRecord::Hashes { .. }
            | JournalRecord::Heeded { .. } => self.keep(record, out),
            JournalRecord::Begun { first, count, attempt, at } => {
                for (first, count) in self.plan.whole_stories(*first, *count) {
                    self.keep(&JournalRecord::Begun { first, count, attempt: *attempt, at: *at }, out);
                }
            }
            JournalRecord::Returned { first, count, attempt, at } => {
                for (first, count) in self.plan.whole_stories(*first, *count) {
                    self.keep(&JournalRecord::Returned { first, count, attempt: *attempt, at: *at }, out);
                }
            }
            JournalRecord::Reopened { first, count } => {
                for (first, count) in self.plan.whole_stories(*first, *count) {
                    self.keep(&JournalRecord::Reopened { first, count }, out);
                }
            }
            JournalRecord::Dropped { first, count } => {
                for (first, count) in self.plan.whole_stories(*first, *count) {
                    self.keep(&JournalRecord::Dropped { first, count }, out);
                }
            }
            JournalRecord::Retried { item, .. } => {
                if self.plan.has_whole_story(item.0) {
                    self.keep(record, out);
                }
            }
            JournalRecord::Settled(settled) => self.settle(offset, settled, out),
            JournalRecord::Content(piece) => {
                if self.plan.keeps_piece(offset, piece, &self.so_far, self.is_asked) {
                    self.keep(record, out);
                }
            }
            JournalRecord::Emitted { shown, output_bytes } => self.emit(offset, *shown, *output_bytes, out),
            JournalRecord::Closed { exit_code, all } => {
                let all = *all && self.plan.is_last_end(offset);
                self.keep(&JournalRecord::Closed { exit_code: *exit_code, all }, out);
            }
            // Of several lists no journal is compacted.
            JournalRecord::Anew { .. }
            | JournalRecord::Safe { .. }
            | JournalRecord::Asked { .. }
            | JournalRecord::Compacted { .. } => {}
        }
    }

    fn settle(&mut self, offset: u64, settled: &SettledItems<'_>, out: &mut JournalWriter) {
        if !self.plan.keeps_outcome(settled, &self.so_far) {
            return;
        }
        // A result that is to be given away belongs to a record of its own.
        let is_single = self.plan.is_pending(settled, offset) || self.plan.has_whole_story(settled.first.0);
        if !is_single
            && let Some(held) = &mut self.held
            && can_join(held, settled)
        {
            held.count += settled.count;
            return;
        }
        self.write_held(out);
        let causes = Cow::Owned(settled.causes.to_vec());
        let own = SettledItems { causes, outcome: settled.outcome.clone(), ..*settled };
        match is_single {
            true => out.record(&JournalRecord::Settled(own)),
            false => self.held = Some(own),
        }
    }

    fn emit(&mut self, offset: u64, shown: GivenAway, output_bytes: u64, out: &mut JournalWriter) {
        if !self.plan.marks.has(offset) {
            return;
        }
        self.write_held(out);
        let shown = self.marks.translated(shown, out.offset());
        out.record(&JournalRecord::Emitted { shown, output_bytes });
    }

    fn keep(&mut self, record: &JournalRecord<'_>, out: &mut JournalWriter) {
        self.write_held(out);
        out.record(record);
    }

    fn write_held(&mut self, out: &mut JournalWriter) {
        if let Some(held) = self.held.take() {
            out.record(&JournalRecord::Settled(held));
        }
    }
}

/// Whether two outcomes are one of neighbours, of which all that is told is the same.
fn can_join(one: &SettledItems<'_>, next: &SettledItems<'_>) -> bool {
    let is_plain =
        |settled: &SettledItems<'_>| settled.time.is_none() && settled.causes.is_empty() && settled.causes_omitted == 0;
    let told = |settled: &SettledItems<'_>| (settled.attempts, settled.worker, settled.pid, settled.at, settled.exit);
    one.first.plus(u64::from(one.count)) == next.first
        && one.count.checked_add(next.count).is_some()
        && is_plain(one)
        && is_plain(next)
        && one.outcome == next.outcome
        && told(one) == told(next)
}
