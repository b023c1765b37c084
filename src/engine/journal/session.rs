//! A session that begins on a journal that is there, or on an empty file: what was torn is cut off, and the start of the session
//! is recorded.
//!
//! Invariant: nothing of a session begins before its start is safe.

use super::super::commit::{PendingResults, Recording};
use super::super::feed::{Feed, InputCheck, RecognisedItems, ResumedItems};
use super::error::{JournalError, named};
use super::facts::of_command;
use super::queue_source::AskedOfItems;
use crate::journal::books::Books;
use crate::journal::file_reader::JournalFileReader;
use crate::journal::fingerprint::RecordedInput;
use crate::journal::item_hash::ItemHasher;
use crate::journal::record::{JournalMark, JournalRecord, RunFact};
use crate::journal::state::JournalState;
use crate::journal::writer::JournalWriter;
use crate::model::ids::ItemId;
use crate::model::item_set::ItemSet;
use crate::model::journal_spec::{ResumeBy, TriedAgain};
use crate::model::words::counted;
use crate::mutant::mutant;
use crate::sys::durable_file::{DurableFile, FileCalls};
use crate::sys::spill::SpillFile;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A session that is to begin.
pub struct SessionPlan<'a> {
    pub path: &'a Path,
    pub run_id: &'a str,
    pub facts: &'a [RunFact<'static>],
    /// Of a journal that does not have one.
    pub new_mark: JournalMark,
    /// What the journal says, if the run goes on.
    pub earlier: Option<JournalState>,
    pub again: TriedAgain,
    pub resume_by: ResumeBy,
    /// What is asked of items in the queue of the journal.
    pub queue: Option<AskedOfItems>,
    pub rules: SessionRules,
    pub started_unix_ns: u64,
}

/// How a session is recorded.
#[derive(Clone, Copy)]
pub struct SessionRules {
    /// The journal is synced at each barrier.
    pub syncs: bool,
    /// Any input will do.
    pub is_forced: bool,
    /// Results are recorded ahead of their outcome.
    pub keeps_results: bool,
    /// They stay in a journal that is compacted.
    pub results_stay: bool,
    pub keeps_order: bool,
}

/// A session whose start is safe.
pub struct BegunSession {
    pub recording: Recording,
    /// In keep-order, the item that is shown first.
    pub in_order: Option<ItemId>,
    /// What an earlier session has recorded and not given away.
    pub pending: Option<PendingResults>,
    pub feed: Feed,
    /// What to say of it.
    pub notice: Option<String>,
}

impl SessionPlan<'_> {
    /// Begins. `readable`: the file, as it is read.
    ///
    /// # Errors
    /// The disk is full, and the like.
    pub fn begin<F: FileCalls + 'static>(
        mut self,
        file: DurableFile<F>,
        readable: &Arc<File>,
        feed: Feed,
        spill: Arc<SpillFile>,
    ) -> Result<BegunSession, JournalError> {
        let failed = |error| JournalError::State { path: self.path.to_owned(), error };
        let reader = || JournalFileReader::new(Arc::clone(readable)).map_err(|error| failed(error.into()));
        let (pending_reader, checked) = match &self.earlier {
            Some(_) => (Some(reader()?), (!self.rules.is_forced).then(reader).transpose()?),
            None => (None, None),
        };
        let mut writer = self.writer(file)?;
        self.record_start(&mut writer).map_err(|error| JournalError::Write { error })?;
        writer.flush().map_err(|error| JournalError::Write { error })?;
        let queue = self.queue.take().map(|queue| queue.watch(self.earlier.as_ref())).transpose()?;
        let feed = feed.with_queue(queue);
        let recording = Recording::new(writer, self.rules.keeps_results);
        let first = self.rules.keeps_order.then_some(ItemId(0));
        if self.resume_by == ResumeBy::Item {
            let notice = self.earlier.as_ref().map(|earlier| notice_by_item(self.path, earlier));
            let pending = Some(PendingResults::new(BTreeMap::new(), reader()?, spill));
            let known = self.earlier.map(|earlier| earlier.known).unwrap_or_default();
            let recognised = RecognisedItems::new(ItemHasher::new(of_command(self.facts)), known, self.again);
            let feed = feed.with_journal_by_item(recognised);
            return Ok(BegunSession { recording, in_order: first, pending, feed, notice });
        }
        let (Some(earlier), Some(pending_reader)) = (self.earlier, pending_reader) else {
            let feed = feed.with_journal(0, None);
            return Ok(BegunSession { recording, in_order: first, pending: None, feed, notice: None });
        };
        let notice = Some(notice(self.path, &earlier));
        let in_order = self.rules.keeps_order.then_some(earlier.first_not_shown());
        let end = earlier.books.next_item();
        let check = checked.map(|reader| InputCheck::new(RecordedInput::new(reader), end));
        let unshown = unshown(&earlier);
        let JournalState { books, causes, pending, input_bytes, .. } = earlier;
        let resumed = ResumedItems::new(books, causes, unshown, check, ItemId(0));
        let pending = mutant!(PendingForgotten, pending, Default::default());
        let pending = Some(PendingResults::new(pending, pending_reader, spill));
        let feed = feed.with_journal(input_bytes, Some(resumed));
        Ok(BegunSession { recording, in_order, pending, feed, notice })
    }

    /// A file that a crash has left a part of a record in is cut back to the whole ones.
    fn writer<F: FileCalls + 'static>(&self, mut file: DurableFile<F>) -> Result<JournalWriter, JournalError> {
        let write_failed = |error: io::Error| JournalError::Write { error: named(self.path, &error) };
        let mark = match &self.earlier {
            Some(earlier) => {
                if mutant!(TruncationForgotten, file.end() > earlier.whole_bytes, false) {
                    file.cut(earlier.whole_bytes).map_err(write_failed)?;
                }
                earlier.mark
            }
            None => self.new_mark,
        };
        Ok(JournalWriter::new(file, self.path, mark, self.rules.syncs))
    }

    /// Records what the run is, that the session begins, and which items are tried again. That it begins is safe before more
    /// is written: the hole that a loss of power leaves behind it is known from a damage by that.
    fn record_start(&mut self, writer: &mut JournalWriter) -> io::Result<()> {
        let is_opened = self.earlier.as_ref().is_some_and(|earlier| earlier.opened.is_some());
        let mut records = Vec::new();
        if !is_opened {
            let facts = self.facts.to_vec();
            records.push(JournalRecord::Opened { run_id: self.run_id.to_owned().into(), facts });
        }
        records.push(JournalRecord::Session { started_unix_ns: self.started_unix_ns, pid: std::process::id() });
        if let Some(earlier) = &mut self.earlier {
            records.iter().for_each(|record| earlier.take(writer.offset(), record));
        }
        writer.begin(&records);
        records.clear();
        if self.rules.results_stay {
            records.push(JournalRecord::ResultsKept);
        }
        let again = self.again;
        let Some(earlier) = &mut self.earlier else {
            records.iter().for_each(|record| writer.record(record));
            return Ok(());
        };
        match self.resume_by {
            ResumeBy::Position => records.extend(reopened(&earlier.books, again)),
            ResumeBy::Item if is_opened => records.push(JournalRecord::Anew { facts: self.facts.to_vec() }),
            ResumeBy::Item => {}
        }
        if self.rules.syncs && (!records.is_empty() || self.queue.is_some()) {
            writer.flush()?;
        }
        let mut note = |earlier: &mut JournalState, record: &JournalRecord<'_>| {
            earlier.take(writer.offset(), record);
            writer.record(record);
        };
        records.iter().for_each(|record| note(earlier, record));
        if let Some(queue) = &self.queue {
            for first in queue.again(earlier) {
                note(earlier, &JournalRecord::Reopened { first, count: 1 });
            }
            note(earlier, &JournalRecord::Heeded { until: queue.end() });
        }
        Ok(())
    }
}

/// The records of items that have their outcome, and are tried again.
fn reopened(books: &Books, again: TriedAgain) -> Vec<JournalRecord<'static>> {
    let mut records = Vec::new();
    for (first, end, _) in books.from(ItemId(0)).filter(|(.., state)| state.stage.is_tried_again(again)) {
        let mut at = first;
        while at < end {
            let count = u32::try_from(end.0 - at.0).unwrap_or(u32::MAX);
            records.push(JournalRecord::Reopened { first: at, count });
            at = at.plus(u64::from(count));
        }
    }
    records
}

fn unshown(earlier: &JournalState) -> ItemSet {
    let mut unshown = ItemSet::default();
    for (first, pending) in &earlier.pending {
        unshown.push(ItemId(*first), pending.settled.count);
    }
    unshown
}

fn notice(path: &Path, earlier: &JournalState) -> String {
    let totals = earlier.books.totals();
    let waiting = totals.waiting + totals.in_flight;
    let settled = totals.accepted - waiting;
    let (name, torn) = (path.display(), torn(earlier));
    format!(
        "supervisor: goes on with {name}: {settled} of {} items that were read have their outcome, {waiting} run again{torn}",
        totals.accepted
    )
}

fn notice_by_item(path: &Path, earlier: &JournalState) -> String {
    let (known, done) = earlier.known.totals();
    let (name, torn) = (path.display(), torn(earlier));
    let known = counted(known, "item is", "items are");
    format!("supervisor: goes on with {name} by item: {known} known by what they are, {done} of them done{torn}")
}

fn torn(earlier: &JournalState) -> String {
    match earlier.torn_bytes {
        0 => String::new(),
        bytes => format!("; {bytes} bytes behind byte {} were no whole record and are cut off", earlier.whole_bytes),
    }
}
