//! What a run goes on with: what its journal says of each item, and which outcomes have been recorded and not given away.
//!
//! Invariant: what is read here was written by nobody in particular; records that cannot be true refuse the whole journal.

use super::books::{BookFault, Books};
use super::file_reader::{JournalFileReader, JournalReadError};
use super::known_items::KnownItems;
use super::pending_outcome::{PendingOutcome, PiecePlace};
use super::reader::{HeadError, JournalEnd};
use super::record::{Accepted, ContentKind, GivenAway, JournalMark, JournalRecord, RunFact, SettledItems};
use crate::model::ids::ItemId;
use crate::model::outcome::Cause;
use std::collections::{BTreeMap, BTreeSet};
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

/// What a journal says.
#[derive(Debug)]
pub struct JournalState {
    pub mark: JournalMark,
    /// What the run is; `None`: the journal ends before it says so.
    pub opened: Option<OpenedRun>,
    pub books: Books,
    /// Of a run that goes on by item: what is known by the end of the last list but the present one.
    pub known: KnownItems,
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
    /// What the queue of the journal asks before this offset in it was carried out.
    pub heeded_until: u64,
    /// The last session has synced what it appended.
    pub is_synced: bool,
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
    /// The offset of each record, with the first item of what is left of it.
    by_offset: BTreeSet<(u64, u64)>,
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
    pub fn new(mark: JournalMark) -> Self {
        Self {
            mark,
            opened: None,
            books: Books::new(),
            known: KnownItems::default(),
            causes: BTreeMap::new(),
            pending: BTreeMap::new(),
            places: PendingPlaces::default(),
            input_bytes: 0,
            output_bytes: 0,
            last_session: None,
            heeded_until: 0,
            is_synced: false,
            whole_bytes: 0,
            torn_bytes: 0,
        }
    }

    /// Takes the next record, which lies at this offset.
    pub fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        if let JournalRecord::Anew { facts } = record {
            self.end_list(facts);
        }
        self.books.take(offset, record);
        match record {
            JournalRecord::Opened { run_id, facts } => {
                let facts = facts.iter().map(owned_fact).collect();
                self.opened = Some(OpenedRun { run_id: run_id.clone().into_owned(), facts });
            }
            JournalRecord::Session { started_unix_ns, pid } => {
                self.is_synced = false;
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
            JournalRecord::Reopened { first, count } => self.forget_pending(*first, *count),
            JournalRecord::Dropped { first, count } => {
                self.causes.extract_if(first.0..first.plus(u64::from(*count)).0, |_, _| true).for_each(drop);
                self.forget_pending(*first, *count);
            }
            JournalRecord::Emitted { shown, output_bytes } => {
                self.output_bytes = *output_bytes;
                self.note_shown(*shown);
            }
            JournalRecord::Heeded { until } => self.heeded_until = self.heeded_until.max(*until),
            JournalRecord::Safe { .. } => self.is_synced = true,
            JournalRecord::Hashes { first, hashes } => self.known.push(*first, hashes),
            JournalRecord::Content(_)
            | JournalRecord::Asked { .. }
            | JournalRecord::Anew { .. }
            | JournalRecord::Begun { .. }
            | JournalRecord::Returned { .. }
            | JournalRecord::Compacted { .. }
            | JournalRecord::ResultsKept
            | JournalRecord::Closed { .. } => {}
        }
    }

    /// What comes is of another list.
    fn end_list(&mut self, facts: &[RunFact<'_>]) {
        self.known.end_list(&self.books, std::mem::take(&mut self.causes), &self.pending);
        self.pending.clear();
        self.places = PendingPlaces::default();
        self.input_bytes = 0;
        if let Some(opened) = &mut self.opened {
            opened.facts = facts.iter().map(owned_fact).collect();
        }
    }

    fn settle(&mut self, offset: u64, settled: &SettledItems<'_>) {
        let first = settled.first.0;
        let end = settled.first.plus(u64::from(settled.count)).0;
        self.causes.extract_if(first..end, |_, _| true).for_each(drop);
        let contents = self.places.open.remove(&first).unwrap_or_default();
        let settled = owned_settled(settled);
        self.add_pending(PendingOutcome { settled, contents, line: None, recorded_at: offset });
    }

    fn add_pending(&mut self, pending: PendingOutcome) {
        let first = pending.settled.first.0;
        self.places.by_offset.insert((pending.recorded_at, first));
        self.pending.insert(first, pending);
    }

    /// Outcomes that these items share with others stay the outcomes of those.
    fn forget_pending(&mut self, first: ItemId, count: u32) {
        let end = first.plus(u64::from(count));
        let before = self.pending.range(..first.0).next_back();
        let before = before.filter(|(_, pending)| pending.end() > first).map(|(own, _)| *own);
        let forgotten: Vec<_> = self.pending.extract_if(before.unwrap_or(first.0)..end.0, |_, _| true).collect();
        for (own, pending) in forgotten {
            self.places.by_offset.remove(&(pending.recorded_at, own));
            let parts = [(ItemId(own), first.min(pending.end())), (end.max(ItemId(own)), pending.end())];
            for (first, end) in parts {
                let Ok(count) = u32::try_from(end.0.saturating_sub(first.0)) else { continue };
                if count > 0 {
                    // A result of several items is one content, which has no part of its own for these.
                    let settled = SettledItems { first, count, ..pending.settled.clone() };
                    self.add_pending(PendingOutcome { settled, contents: Vec::new(), ..pending });
                }
            }
        }
    }

    fn note_shown(&mut self, shown: GivenAway) {
        match shown {
            GivenAway::Before(item) => {
                let later = self.pending.split_off(&item.0);
                for pending in std::mem::replace(&mut self.pending, later).into_values() {
                    self.places.by_offset.remove(&(pending.recorded_at, pending.settled.first.0));
                }
            }
            GivenAway::RecordedBefore(until) => {
                let later = self.places.by_offset.split_off(&(until, 0));
                for (_, first) in std::mem::replace(&mut self.places.by_offset, later) {
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
