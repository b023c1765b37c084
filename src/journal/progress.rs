//! How far the run of a journal has come, session by session.
//!
//! Invariant: pure, but for the one function that reads a file.

use super::books::Books;
use super::file_reader::JournalReadError;
use super::read_through::{self, ReadExtent};
use super::record::JournalRecord;
use crate::model::time::Duration;
use std::fs::File;

/// One session of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionProgress {
    /// Since 1970.
    pub started_unix_ns: u64,
    pub pid: u32,
    /// Items that got their outcome in it.
    pub settled: u64,
    /// The latest time of one of its records, since its start.
    pub last_at: Duration,
    /// The exit code that it ended with, if it ended orderly.
    pub exit_code: Option<u8>,
}

/// What the records tell of a run as a whole.
#[derive(Clone, Debug, Default)]
pub struct JournalProgress {
    pub books: Books,
    pub sessions: u64,
    /// The present or last one.
    pub last_session: Option<SessionProgress>,
    /// A session ended with no item left to come.
    pub is_complete: bool,
    pub extent: ReadExtent,
}

impl JournalProgress {
    /// Reads a whole journal.
    ///
    /// # Errors
    /// The file is no journal, or cannot be read.
    pub fn of(file: &File) -> Result<Self, JournalReadError> {
        let mut progress = Self::default();
        let extent = read_through::read(file, |offset, record| progress.take(offset, record))?;
        Ok(Self { extent, ..progress })
    }

    /// Takes the next record, which lies at this offset.
    pub fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        let recognised = |books: &Books| books.earlier_lists().map_or(0, |earlier| earlier.recognised);
        let before = recognised(&self.books);
        self.books.take(offset, record);
        let recognised = recognised(&self.books).saturating_sub(before);
        if let JournalRecord::Session { started_unix_ns, pid } = *record {
            self.sessions += 1;
            self.last_session = Some(SessionProgress { started_unix_ns, pid, ..SessionProgress::default() });
        }
        let Some(session) = &mut self.last_session else { return };
        session.last_at = session.last_at.max(time_of(record).unwrap_or_default());
        match record {
            JournalRecord::Settled(settled) => {
                session.settled += u64::from(settled.count).saturating_sub(recognised);
            }
            // The session has another list.
            JournalRecord::Anew { .. } => self.is_complete = false,
            JournalRecord::Closed { exit_code, all } => {
                session.exit_code = Some(*exit_code);
                self.is_complete |= all;
            }
            _ => {}
        }
    }
}

/// When something happened, since the start of its session, if the record tells.
#[must_use]
pub const fn time_of(record: &JournalRecord<'_>) -> Option<Duration> {
    match record {
        JournalRecord::Begun { at, .. } | JournalRecord::Returned { at, .. } | JournalRecord::Retried { at, .. } => {
            Some(*at)
        }
        JournalRecord::Settled(settled) => Some(settled.at),
        _ => None,
    }
}
