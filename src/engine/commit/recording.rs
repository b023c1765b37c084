//! What a run tells its journal: items that were accepted, attempts that begin, outcomes with their results, and what was
//! given away.
//!
//! Invariant: everything of a turn is written before a frame of it leaves, a command of it starts, or a result of it is
//! shown. An item that was left out because the run was stopped is not settled: it waits for the next session.

use super::super::answer::Answer;
use super::journaled::DurableRecord;
use crate::journal::record::{AttemptTime, ContentKind, GivenAway, JournalRecord, SettledItems};
use crate::journal::writer::{ContentPlace, JournalWriter, PIECE_BYTES_MAX};
use crate::model::event::RunEvent;
use crate::model::ids::Batch;
use crate::model::outcome::{Outcome, Settlement, StopReason};
use crate::model::time::{Duration, Instant};
use crate::reporter::Content;
use std::borrow::Cow;
use std::io;

/// The record of a run in its journal.
pub struct Recording {
    writer: JournalWriter,
    /// Results are recorded ahead of their outcome.
    keeps_results: bool,
    /// Why the run stops, once it does.
    stop: Option<StopReason>,
}

impl Recording {
    /// `writer`: of a journal in which the session has begun.
    pub const fn new(writer: JournalWriter, keeps_results: bool) -> Self {
        Self { writer, keeps_results, stop: None }
    }

    /// Whether an outcome is one. Items that are left out while the run stops wait for the next session, unless enough was
    /// done.
    fn is_outcome(&self, outcome: &Outcome) -> bool {
        *outcome != Outcome::Skipped || matches!(self.stop, None | Some(StopReason::HaltMet))
    }

    fn content(&mut self, settlement: &Settlement, kind: ContentKind, content: &Content<'_>) {
        let bytes = content.spilled.bytes() + content.memory.len() as u64;
        if bytes == 0 {
            return;
        }
        let mut place = ContentPlace { first: settlement.first, count: settlement.count, kind, at: 0 };
        let mut buffer = Vec::new();
        while place.at < content.spilled.bytes() {
            buffer.resize((content.spilled.bytes() - place.at).min(PIECE_BYTES_MAX as u64) as usize, 0);
            if let Err(error) = content.spilled.read_at(place.at, &mut buffer) {
                return self.writer.fail(error);
            }
            let end = place.at + buffer.len() as u64;
            self.writer.content(place, &buffer, end == bytes);
            place.at = end;
        }
        self.writer.content(place, content.memory, !content.memory.is_empty());
    }
}

/// Since the start of the session, whose clock begins at 0.
const fn since_start(at: Instant) -> Duration {
    at.since(Instant::ZERO)
}

impl DurableRecord for Recording {
    fn taken_in(&mut self, record: &JournalRecord<'_>) {
        self.writer.record(record);
    }

    fn begun(&mut self, now: Instant, batch: Batch) {
        let Batch { first, count, attempt } = batch;
        self.writer.record(&JournalRecord::Begun { first, count, attempt, at: since_start(now) });
    }

    fn returned(&mut self, now: Instant, batch: Batch) {
        let Batch { first, count, attempt } = batch;
        self.writer.record(&JournalRecord::Returned { first, count, attempt, at: since_start(now) });
    }

    fn happened(&mut self, now: Instant, event: &RunEvent) {
        match event {
            RunEvent::ItemRetried { item, delay, cause, .. } => {
                let causes = Cow::Borrowed(std::slice::from_ref(cause));
                let (item, after, at) = (*item, *delay, since_start(now));
                self.writer.record(&JournalRecord::Retried { item, after, at, causes });
            }
            RunEvent::Stopping { reason, .. } => self.stop = Some(reason.clone()),
            _ => {}
        }
    }

    fn settled(&mut self, now: Instant, settlement: &Settlement, answer: Option<&Answer<'_>>, item: &[u8]) -> bool {
        if !self.is_outcome(&settlement.outcome) {
            return false;
        }
        if let Some(answer) = answer.filter(|_| self.keeps_results) {
            self.content(settlement, ContentKind::Output, &answer.results);
            self.content(settlement, ContentKind::Errors, &answer.errors);
        }
        let Settlement { first, count, .. } = *settlement;
        if matches!(settlement.outcome, Outcome::Failed | Outcome::Dead) && count == 1 {
            self.writer.content(ContentPlace { first, count, kind: ContentKind::Item, at: 0 }, item, true);
        }
        let times = answer.and_then(|answer| answer.times).filter(|_| count == 1);
        self.writer.record(&JournalRecord::Settled(SettledItems {
            first,
            count,
            outcome: settlement.outcome.clone(),
            attempts: settlement.attempts,
            worker: settlement.worker,
            pid: settlement.pid,
            at: since_start(now),
            time: times
                .and_then(<[_]>::first)
                .map(|time| AttemptTime { started: since_start(time.started), runtime: time.runtime }),
            exit: answer.and_then(|answer| answer.exit),
            causes: Cow::Borrowed(&settlement.causes),
            causes_omitted: settlement.causes_omitted,
        }));
        true
    }

    fn place(&self) -> u64 {
        self.writer.offset()
    }

    fn given_away(&mut self, shown: GivenAway, output_bytes: u64) {
        self.writer.record(&JournalRecord::Emitted { shown, output_bytes });
    }

    fn is_behind(&self) -> bool {
        self.writer.is_behind()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn close(&mut self, exit_code: u8, all: bool) -> io::Result<()> {
        self.writer.record(&JournalRecord::Closed { exit_code, all });
        self.writer.flush()?;
        self.writer.close();
        Ok(())
    }
}
