//! Changes to a journal that no run writes at the moment, as a person asks for them: items are run again, or given up.
//!
//! [`JournalAmendment::open`] locks and reads the file, [`JournalAmendment::record`] says what is to be appended, and
//! [`JournalAmendment::commit`] appends it. The next session finds these records behind those of the last one.
//!
//! Invariant: the file is changed by `commit` alone, and only if all records can be true; when that returns, they survive
//! the end of the machine. One that is dropped before leaves the file as it was.

use super::books::BookFaultKind;
use super::layout::{self, LayoutError};
use super::locked::{self, JournalLockError};
use super::read_through::{self, JournalOpenError};
use super::record::JournalRecord;
use super::state::{JournalState, JournalStateError};
use crate::model::ids::ItemId;
use crate::sys::durable_file::DurableFile;
use std::io;
use std::path::Path;

/// Why a journal is not changed. The texts complete "failed to change the journal FILE: ".
#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    /// Nothing was changed. So it is with all but the last of these.
    #[error("the file {0}")]
    Open(#[from] JournalOpenError),
    #[error("{0}")]
    Lock(#[from] JournalLockError),
    #[error("the file {0}")]
    State(#[from] JournalStateError),
    #[error("{0}")]
    Untrue(BookFaultKind),
    #[error("{0}")]
    Layout(#[from] LayoutError),
    /// It was written in part, which was taken back as far as that could be done.
    #[error("{0}")]
    Write(io::Error),
}

/// A journal that is locked, and what is to be appended to it.
#[derive(Debug)]
pub struct JournalAmendment {
    file: DurableFile,
    /// With the records that are to be appended.
    state: JournalState,
    appended: Vec<u8>,
}

impl JournalAmendment {
    /// Locks a journal that is there, and reads it. A torn end stays until `commit`.
    ///
    /// # Errors
    /// It is in use, no journal, or a damaged one.
    pub fn open(path: &Path) -> Result<Self, AmendError> {
        // A journal that is not there is not made.
        drop(read_through::open(path)?);
        let file = locked::open(path, false)?;
        let state = JournalState::read(file.file())?;
        Ok(Self { file, state, appended: Vec::new() })
    }

    /// What the journal says, with the records that are to be appended.
    #[must_use]
    pub const fn state(&self) -> &JournalState {
        &self.state
    }

    /// Where the next record will lie.
    fn end(&self) -> u64 {
        self.state.whole_bytes + self.appended.len() as u64
    }

    /// Appends a record with the rest, at [`JournalAmendment::commit`].
    ///
    /// # Errors
    /// It cannot be true, or is too long. Give up the whole amendment then.
    pub fn record(&mut self, record: &JournalRecord<'_>) -> Result<(), AmendError> {
        if self.appended.is_empty() && self.state.is_synced {
            // As a session that syncs does it: it tells damage before from what was never safe.
            self.append(&JournalRecord::Safe { until: self.state.whole_bytes })?;
        }
        self.append(record)?;
        self.state.books.faults().0.first().map_or(Ok(()), |fault| Err(AmendError::Untrue(fault.kind)))
    }

    fn append(&mut self, record: &JournalRecord<'_>) -> Result<(), LayoutError> {
        let offset = self.end();
        layout::append(&mut self.appended, self.state.mark, offset, record)?;
        self.state.take(offset, record);
        Ok(())
    }

    /// The same for each part of these items that a record has room for.
    ///
    /// # Errors
    /// Those of [`JournalAmendment::record`].
    pub fn record_items(
        &mut self,
        first: ItemId,
        end: ItemId,
        record: impl Fn(ItemId, u32) -> JournalRecord<'static>,
    ) -> Result<(), AmendError> {
        let mut at = first;
        while at < end {
            let count = u32::try_from(end.0 - at.0).unwrap_or(u32::MAX);
            self.record(&record(at, count))?;
            at = at.plus(u64::from(count));
        }
        Ok(())
    }

    /// Cuts off a torn end, appends the records, and makes them safe. Without a record, nothing is done.
    ///
    /// # Errors
    /// The disk is full, or has failed.
    pub fn commit(mut self) -> Result<(), AmendError> {
        if self.appended.is_empty() {
            return Ok(());
        }
        let whole_bytes = self.state.whole_bytes;
        if self.file.end() > whole_bytes {
            self.file.cut(whole_bytes).map_err(AmendError::Write)?;
        }
        if self.state.is_synced {
            // So that what they begin with is true also if the machine ends meanwhile.
            self.file.sync().map_err(AmendError::Write)?;
        }
        let written = self.file.append(&self.appended).and_then(|()| self.file.sync());
        if written.is_err() {
            // All or nothing. Where this fails too, some of the records are there, each of them whole.
            let _ = self.file.file().set_len(whole_bytes);
        }
        self.file.give_back_space();
        written.map_err(AmendError::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Accepted, JournalMark, SettledItems};
    use super::super::writer::JournalWriter;
    use super::*;
    use crate::journal::books::ItemStage;
    use crate::model::outcome::Outcome;
    use crate::sys::durable_file::reopened;
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::fs::FileExt;
    use std::path::PathBuf;

    /// Four items, of which the first two died.
    fn journal(place: &Path) -> PathBuf {
        let path = place.join("journal");
        let mut writer = JournalWriter::new(reopened(&path), &path, JournalMark(3), false);
        let accepted = Accepted { first: ItemId(0), count: 4, offset: 0, bytes: 8, hash: 0 };
        for record in [
            JournalRecord::Opened { run_id: "run".into(), facts: Vec::new() },
            JournalRecord::Session { started_unix_ns: 1, pid: 1 },
            JournalRecord::Accepted(accepted),
            JournalRecord::Settled(SettledItems::plain(ItemId(0), 2, Outcome::Dead, 1)),
            JournalRecord::Closed { exit_code: 1, all: false },
        ] {
            writer.record(&record);
        }
        writer.flush().unwrap();
        writer.close();
        drop(writer);
        path
    }

    fn amendment(path: &Path) -> JournalAmendment {
        loop {
            match JournalAmendment::open(path) {
                // A child of another test has a copy of the descriptor until its `exec`.
                Err(AmendError::Lock(JournalLockError::InUse { .. })) => std::thread::yield_now(),
                opened => break opened.unwrap(),
            }
        }
    }

    fn stages(state: &JournalState) -> Vec<ItemStage> {
        (0..4).map(|item| state.books.item(ItemId(item)).unwrap().stage).collect()
    }

    const fn reopened_items(first: ItemId, count: u32) -> JournalRecord<'static> {
        JournalRecord::Reopened { first, count }
    }

    #[test]
    fn records_are_appended_behind_the_whole_ones_by_commit_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = journal(place.path());
        File::options().append(true).open(&path).unwrap().write_all(b"torn").unwrap();
        let before = std::fs::read(&path).unwrap();
        let mut given_up = amendment(&path);
        given_up.record_items(ItemId(0), ItemId(2), reopened_items).unwrap();
        assert_eq!(stages(given_up.state()), [ItemStage::Waiting; 4]);
        drop(given_up);
        amendment(&path).commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before);

        let mut amendment = amendment(&path);
        amendment.record(&JournalRecord::Dropped { first: ItemId(1), count: 2 }).unwrap();
        amendment.record(&reopened_items(ItemId(0), 1)).unwrap();
        amendment.commit().unwrap();
        let state = JournalState::read(&File::open(&path).unwrap()).unwrap();
        let expected = [ItemStage::Waiting, ItemStage::Skipped, ItemStage::Skipped, ItemStage::Waiting];
        assert_eq!((stages(&state), state.torn_bytes, state.pending.len()), (expected.to_vec(), 0, 0));
    }

    /// Damage before the records of a person is told, and does not take them with it.
    #[test]
    fn behind_a_session_that_syncs_the_records_say_what_was_safe() {
        let place = tempfile::tempdir().unwrap();
        let path = journal(place.path());
        let mut writer = JournalWriter::new(reopened(&path), &path, JournalMark(3), true);
        writer.record(&JournalRecord::Session { started_unix_ns: 2, pid: 1 });
        writer.flush().unwrap();
        let damaged = writer.offset();
        writer.record(&JournalRecord::Closed { exit_code: 1, all: false });
        writer.flush().unwrap();
        writer.close();
        drop(writer);
        let mut amendment = amendment(&path);
        amendment.record_items(ItemId(0), ItemId(2), reopened_items).unwrap();
        amendment.commit().unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        assert_eq!(stages(&JournalState::read(&file).unwrap()), [ItemStage::Waiting; 4]);
        // Behind the record of what was safe, which is whole.
        file.write_all_at(&[0xff], damaged + 33 + 26).unwrap();
        assert!(matches!(JournalState::read(&file), Err(JournalStateError::Damaged { .. })));
    }

    #[test]
    fn what_cannot_be_true_and_what_is_no_journal_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = journal(place.path());
        let mut amendment = amendment(&path);
        let error = amendment.record(&reopened_items(ItemId(1), 2)).unwrap_err();
        assert_eq!(error.to_string(), "item 2 was reopened, and has no outcome that can be");
        let words = |path: &Path| JournalAmendment::open(path).unwrap_err().to_string();
        assert!(words(&path).contains("process 1, since 1970-01-01T00:00:00Z"), "{}", words(&path));
        let missing = place.path().join("missing");
        assert!(words(&missing).starts_with("the file cannot be opened: No such file") && !missing.exists());
        std::fs::write(&missing, b"hello, this is no journal").unwrap();
        assert_eq!(words(&missing), "the file is no journal");
    }
}
