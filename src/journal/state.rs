//! What a run goes on with: what its journal says of each item, and which outcomes have been recorded and not given away.
//!
//! Invariant: what is read here was written by nobody in particular; records that cannot be true refuse the whole journal.

use super::books::{BookFault, Books};
use super::file_reader::{JournalFileReader, JournalReadError};
use super::reader::{HeadError, JournalEnd};
use super::record::{Accepted, ContentKind, GivenAway, JournalMark, JournalRecord, RunFact, SettledItems};
use crate::model::ids::ItemId;
use crate::model::outcome::Cause;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;

/// Why a run cannot go on with a journal. The texts complete "the file ...".
#[derive(Debug, thiserror::Error)]
pub enum JournalStateError {
    #[error(transparent)]
    Read(#[from] JournalReadError),
    #[error(
        "is damaged at byte {at}, and whole records follow at byte {next}; `supervisor audit --repair` keeps what is whole"
    )]
    Damaged { at: u64, next: u64 },
    #[error("has records that contradict each other: {} (at byte {})", .0.kind, .0.offset)]
    Books(BookFault),
}

impl From<io::Error> for JournalStateError {
    fn from(error: io::Error) -> Self {
        Self::Read(error.into())
    }
}

/// Who writes, or wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStart {
    pub started_unix_ns: u64,
    pub pid: u32,
}

/// Where a piece of content lies: in the record at this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PiecePlace {
    pub kind: ContentKind,
    pub record_offset: u64,
}

/// An outcome that was recorded and not given away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingOutcome {
    pub settled: SettledItems<'static>,
    /// In order.
    pub contents: Vec<PiecePlace>,
    /// The offset of the record of the outcome.
    pub recorded_at: u64,
}

/// What a journal says.
#[derive(Debug)]
pub struct JournalState {
    pub mark: JournalMark,
    /// What the run is; `None`: the journal ends before it says so.
    pub opened: Option<OpenedRun>,
    pub books: Books,
    /// Of items that are to be tried again.
    pub causes: BTreeMap<u64, Vec<Cause>>,
    /// By first item.
    pub pending: BTreeMap<u64, PendingOutcome>,
    places: PendingPlaces,
    /// Bytes of the input that the journal has.
    pub input_bytes: u64,
    /// Bytes of the output that have been given away, of a run that has a file for it.
    pub output_bytes: u64,
    pub last_session: Option<SessionStart>,
    /// What lies behind the whole records is cut off.
    pub whole_bytes: u64,
    pub torn_bytes: u64,
}

/// What a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedRun {
    pub run_id: String,
    pub facts: Vec<RunFact<'static>>,
}

/// What is known of outcomes that were not given away, while the records are read.
#[derive(Debug, Default)]
struct PendingPlaces {
    /// The first item, by the offset of the record.
    by_offset: BTreeMap<u64, u64>,
    /// Contents whose outcome has not come, by first item.
    open: BTreeMap<u64, Vec<PiecePlace>>,
}

impl JournalState {
    /// Reads the file.
    ///
    /// # Errors
    /// It is no journal, or a damaged one.
    pub fn read(file: &File) -> Result<Self, JournalStateError> {
        Self::read_along(file, |_, _| {})
    }

    /// Reads the file, and gives each record with its offset to `also`.
    ///
    /// # Errors
    /// As of [`JournalState::read`].
    pub fn read_along(file: &File, mut also: impl FnMut(u64, &JournalRecord<'_>)) -> Result<Self, JournalStateError> {
        let mut reader = JournalFileReader::new(file)?;
        let mut read = Self::new(reader.head().mark);
        while let Some((offset, record)) = reader.next_record()? {
            read.take(offset, &record);
            also(offset, &record);
        }
        if let Some(fault) = read.books.faults().0.first() {
            return Err(JournalStateError::Books(*fault));
        }
        read.whole_bytes = reader.offset();
        read.torn_bytes = match reader.end()? {
            JournalEnd::Whole => 0,
            JournalEnd::Torn { bytes, .. } => bytes,
            JournalEnd::Damaged { at, next } => return Err(JournalStateError::Damaged { at, next }),
        };
        Ok(read)
    }

    /// Of a journal without records.
    #[must_use]
    pub const fn new(mark: JournalMark) -> Self {
        Self {
            mark,
            opened: None,
            books: Books::new(),
            causes: BTreeMap::new(),
            pending: BTreeMap::new(),
            places: PendingPlaces { by_offset: BTreeMap::new(), open: BTreeMap::new() },
            input_bytes: 0,
            output_bytes: 0,
            last_session: None,
            whole_bytes: 0,
            torn_bytes: 0,
        }
    }

    /// Takes the next record, which lies at this offset.
    pub fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        self.books.take(offset, record);
        match record {
            JournalRecord::Opened { run_id, facts } => {
                let facts = facts.iter().map(owned_fact).collect();
                self.opened = Some(OpenedRun { run_id: run_id.clone().into_owned(), facts });
            }
            JournalRecord::Session { started_unix_ns, pid } => {
                self.last_session = Some(SessionStart { started_unix_ns: *started_unix_ns, pid: *pid });
                // Contents of attempts whose outcome was not recorded.
                self.places.open.clear();
            }
            JournalRecord::Accepted(Accepted { offset, bytes, .. })
            | JournalRecord::Recovered { offset, bytes, .. } => {
                self.input_bytes = offset.saturating_add(*bytes);
            }
            JournalRecord::Retried { item, causes: new, .. } => {
                self.causes.entry(item.0).or_default().extend(new.iter().cloned());
            }
            JournalRecord::Content(piece) if piece.kind != ContentKind::Item => {
                let places = self.places.open.entry(piece.first.0).or_default();
                if piece.at == 0 {
                    places.retain(|place| place.kind != piece.kind);
                }
                places.push(PiecePlace { kind: piece.kind, record_offset: offset });
            }
            JournalRecord::Settled(settled) => self.settle(offset, settled),
            JournalRecord::Reopened { first, count } => self.reopen(*first, *count),
            JournalRecord::Emitted { shown, output_bytes } => {
                self.output_bytes = *output_bytes;
                self.note_shown(*shown);
            }
            JournalRecord::Content(_)
            | JournalRecord::Begun { .. }
            | JournalRecord::Returned { .. }
            | JournalRecord::Safe { .. }
            | JournalRecord::Compacted { .. }
            | JournalRecord::ResultsKept
            | JournalRecord::Closed { .. } => {}
        }
    }

    fn settle(&mut self, offset: u64, settled: &SettledItems<'_>) {
        let first = settled.first.0;
        let end = settled.first.plus(u64::from(settled.count)).0;
        self.causes.extract_if(first..end, |_, _| true).for_each(drop);
        let contents = self.places.open.remove(&first).unwrap_or_default();
        let settled = owned_settled(settled);
        self.pending.insert(first, PendingOutcome { settled, contents, recorded_at: offset });
        self.places.by_offset.insert(offset, first);
    }

    fn reopen(&mut self, first: ItemId, count: u32) {
        let end = first.plus(u64::from(count)).0;
        for (_, pending) in self.pending.extract_if(first.0..end, |_, _| true) {
            self.places.by_offset.remove(&pending.recorded_at);
        }
    }

    fn note_shown(&mut self, shown: GivenAway) {
        match shown {
            GivenAway::Before(item) => {
                let later = self.pending.split_off(&item.0);
                for pending in std::mem::replace(&mut self.pending, later).into_values() {
                    self.places.by_offset.remove(&pending.recorded_at);
                }
            }
            GivenAway::RecordedBefore(until) => {
                let later = self.places.by_offset.split_off(&until);
                for first in std::mem::replace(&mut self.places.by_offset, later).into_values() {
                    self.pending.remove(&first);
                }
            }
        }
    }

    /// Whether bytes are the beginning of a journal's head: its writer ended before it had written that.
    #[must_use]
    pub fn is_cut_head(error: &JournalStateError, file_bytes: u64) -> bool {
        let is_damaged = matches!(error, JournalStateError::Read(JournalReadError::Head(HeadError::Damaged)));
        is_damaged && file_bytes < super::layout::HEAD_BYTES as u64
    }

    /// The item before which all have their outcome, and it was given away.
    #[must_use]
    pub fn first_not_shown(&self) -> ItemId {
        let open = self.books.from(ItemId(0)).find(|(_, _, state)| !state.stage.is_settled());
        let open = open.map_or(self.books.next_item().0, |(first, ..)| first.0);
        ItemId(self.pending.first_key_value().map_or(open, |(first, _)| open.min(*first)))
    }
}

fn owned_fact(fact: &RunFact<'_>) -> RunFact<'static> {
    RunFact { name: fact.name.to_string().into(), value: fact.value.to_vec().into() }
}

fn owned_settled(settled: &SettledItems<'_>) -> SettledItems<'static> {
    SettledItems { causes: settled.causes.to_vec().into(), outcome: settled.outcome.clone(), ..*settled }
}
