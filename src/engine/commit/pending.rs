//! Results that an earlier session has recorded and not given away: they are shown when the source has delivered their
//! items again, in keep-order in their turn.
//!
//! Invariant: a result is read from the journal when it is shown, and no more than a part of a large one is in memory.

use super::super::answer::Answer;
use crate::journal::file_reader::JournalFileReader;
use crate::journal::pending_outcome::PendingOutcome;
use crate::journal::record::{ContentKind, JournalRecord};
use crate::model::exit::ExitStatus;
use crate::model::ids::ItemId;
use crate::model::outcome::Settlement;
use crate::model::time::Instant;
use crate::reporter::{Content, ItemTime};
use crate::sys::spill::{SpillFile, SpilledContent};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// More than this of a result goes to the temporary file.
const MEMORY_BYTES_MAX: usize = 1 << 20;

/// What was not given away.
pub struct PendingResults {
    /// By first item.
    outcomes: BTreeMap<u64, PendingOutcome>,
    /// Further ones, until it is recorded where their items are in the present list.
    unrecorded: Vec<PendingOutcome>,
    journal: JournalFileReader<Arc<File>>,
    spill: Arc<SpillFile>,
}

/// A content that was read back.
#[derive(Default)]
pub struct ReadContent {
    pub spilled: SpilledContent,
    pub memory: Vec<u8>,
}

/// A settlement with what belongs to it.
pub struct ReadOutcome {
    pub settlement: Settlement,
    pub output: ReadContent,
    pub errors: ReadContent,
    pub time: Option<ItemTime>,
    pub exit: Option<ExitStatus>,
}

impl ReadOutcome {
    /// What is shown, and with it the ownership of what is in the temporary file.
    pub fn answer(&mut self) -> Answer<'_> {
        Answer {
            results: self.output.content(),
            errors: self.errors.content(),
            times: self.time.as_ref().map(std::slice::from_ref),
            exit: self.exit,
            ..Answer::empty(self.settlement.first, self.settlement.count)
        }
    }
}

impl ReadContent {
    fn content(&mut self) -> Content<'_> {
        Content { spilled: std::mem::take(&mut self.spilled), memory: &self.memory, before: 0 }
    }
}

impl PendingResults {
    pub const fn new(
        outcomes: BTreeMap<u64, PendingOutcome>,
        journal: JournalFileReader<Arc<File>>,
        spill: Arc<SpillFile>,
    ) -> Self {
        Self { outcomes, unrecorded: Vec::new(), journal, spill }
    }

    /// A further outcome is to be shown, once it is recorded of which item it is in the present list.
    pub fn add(&mut self, outcome: PendingOutcome) {
        self.unrecorded.push(outcome);
    }

    /// What was added is recorded.
    pub fn recorded(&mut self) {
        self.outcomes.extend(self.unrecorded.drain(..).map(|outcome| (outcome.settled.first.0, outcome)));
    }

    #[cfg(test)]
    pub fn outcomes(&self) -> usize {
        self.outcomes.len()
    }

    /// The items of the first outcome: the first one, and the one behind the last one.
    pub fn first(&self) -> Option<(ItemId, ItemId)> {
        let (first, pending) = self.outcomes.first_key_value()?;
        Some((ItemId(*first), ItemId(*first).plus(u64::from(pending.settled.count))))
    }

    /// Takes the first outcome and reads its results.
    ///
    /// # Errors
    /// The journal or the temporary file cannot be read.
    pub fn take_first(&mut self) -> io::Result<Option<ReadOutcome>> {
        let Some((_, pending)) = self.outcomes.pop_first() else { return Ok(None) };
        let (mut output, mut errors) = (ReadContent::default(), ReadContent::default());
        let mut lines_before = 0;
        for place in &pending.contents {
            self.journal.go_to(place.record_offset);
            let Some((_, JournalRecord::Content(piece))) = self.journal.next_record()? else { continue };
            let content = match piece.kind {
                ContentKind::Output => &mut output,
                ContentKind::Errors => &mut errors,
                ContentKind::Item => continue,
            };
            match pending.line {
                None => content.memory.extend_from_slice(&piece.bytes),
                // Each of several items has a line of the output.
                Some(wanted) => push_line(&mut content.memory, &piece.bytes, wanted, &mut lines_before),
            }
            if content.memory.len() > MEMORY_BYTES_MAX {
                content.spilled.push(&self.spill, &content.memory)?;
                content.memory.clear();
            }
        }
        let settled = pending.settled;
        let time = settled.time.map(|time| ItemTime { started: Instant::ZERO + time.started, runtime: time.runtime });
        let settlement = Settlement {
            outcome: settled.outcome,
            attempts: settled.attempts,
            worker: settled.worker,
            pid: settled.pid,
            causes: settled.causes.into_owned(),
            causes_omitted: settled.causes_omitted,
            ..Settlement::of_done(settled.first, settled.count)
        };
        Ok(Some(ReadOutcome { settlement, output, errors, time, exit: settled.exit }))
    }
}

/// Appends what a piece has of a line. `before`: how many lines the pieces before it had.
fn push_line(out: &mut Vec<u8>, piece: &[u8], wanted: u32, before: &mut u32) {
    for part in piece.split_inclusive(|byte| *byte == b'\n') {
        if *before == wanted {
            out.extend_from_slice(part);
        }
        *before = before.saturating_add(u32::from(part.ends_with(b"\n")));
    }
}
