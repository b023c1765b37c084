//! A journal that is written anew, and takes the place of its file: one in less space, or one that is mended.
//!
//! Invariant: the file is locked from before it is read until the new one has its name, and the new one was read back and
//! found to be what it has to be before. A file that is refused stays as it is.

use super::audit::JournalAudit;
use super::compact;
use super::compact_plan::CompactPlan;
use super::file_reader::JournalReadError;
use super::locked::{self, JournalLockError};
use super::read_through::{self, JournalOpenError};
use super::record::{JournalMark, JournalRecord};
use super::repair::{RepairPlan, RepairReport};
use super::state::{JournalState, JournalStateError};
use super::writer::JournalWriter;
use crate::sys::durable_file::{DurableFile, DurableFileError};
use crate::sys::random;
use crate::sys::replaced_file::{self, Replacement};
use crate::sys::signals;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What the name of a damaged journal that was mended ends with.
const DAMAGED: &str = "damaged";

/// Why a journal is not written anew. The texts complete "failed to ... the journal FILE: ".
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    #[error("the file {0}")]
    Open(#[from] JournalOpenError),
    #[error("{0}")]
    Lock(#[from] JournalLockError),
    #[error("the file {0}")]
    State(#[from] JournalStateError),
    #[error("what the run is was recorded at its start, and is lost; no run can go on with it")]
    NotOpened,
    #[error("it goes on by item (--resume-by item), and {0}; the file stays as it is")]
    ByItem(&'static str),
    #[error("what was written is not what was read; the file stays as it is")]
    Differs,
    #[error("{0}")]
    Write(io::Error),
}

impl From<JournalReadError> for RewriteError {
    fn from(error: JournalReadError) -> Self {
        Self::State(error.into())
    }
}

impl RewriteError {
    /// Whether the journal is as it should be, and cannot be written.
    #[must_use]
    pub const fn is_of_storage(&self) -> bool {
        matches!(self, Self::Write(_) | Self::Differs | Self::Lock(JournalLockError::File(DurableFileError::Open(_))))
    }
}

/// How many bytes a journal has taken, and takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactedBytes {
    pub before: u64,
    pub after: u64,
}

/// What became of a journal that was to be mended.
#[derive(Debug)]
pub enum Repair {
    /// It is whole: the file stays as it is.
    Sound(JournalAudit),
    /// `kept`: the name of the damaged file. `audit`: of the new one.
    Done { report: RepairReport, kept: PathBuf, audit: JournalAudit },
}

/// Writes the same books in less space, unless they take as much.
///
/// # Errors
/// The journal is in use, none, or damaged, and the like.
pub fn compact(path: &Path) -> Result<CompactedBytes, RewriteError> {
    // A limit of the size of a file is an error, and not the end of this process.
    let _normalised = signals::normalise();
    let old = lock(path)?;
    if has_record(old.file(), |record| matches!(record, JournalRecord::Anew { .. }))? {
        return Err(RewriteError::ByItem("has more than one list, of which the earlier ones cannot be left out"));
    }
    let plan = CompactPlan::of(old.file())?;
    let new = NewJournal::begin(path, &old).map_err(RewriteError::Write)?;
    let written = new.write(|out| compact::write(old.file(), &plan, out))?;
    if !compact::is_same_state(&plan.state, &JournalState::read(&written.file)?) {
        return Err(RewriteError::Differs);
    }
    let (before, after) = (old.end(), written.bytes);
    if after >= before {
        return Ok(CompactedBytes { before, after: before });
    }
    written.replacement.place().map_err(RewriteError::Write)?;
    Ok(CompactedBytes { before, after })
}

/// Writes what is whole of a damaged journal, and keeps the damaged one under another name.
///
/// # Errors
/// The journal is in use, or none, or it cannot be written.
pub fn repair(path: &Path) -> Result<Repair, RewriteError> {
    // A limit of the size of a file is an error, and not the end of this process.
    let _normalised = signals::normalise();
    let old = lock(path)?;
    let audit = JournalAudit::of(old.file())?;
    if audit.is_balanced() && !audit.is_damaged() {
        return Ok(Repair::Sound(audit));
    }
    if has_record(old.file(), |record| matches!(record, JournalRecord::Anew { .. } | JournalRecord::Hashes { .. }))? {
        return Err(RewriteError::ByItem("an item whose hash is lost cannot be recognised; give a new journal"));
    }
    let plan = RepairPlan::of(old.file())?.ok_or(RewriteError::NotOpened)?;
    let new = NewJournal::begin(path, &old).map_err(RewriteError::Write)?;
    let written = new.write(|out| plan.write(old.file(), out).map_err(io::Error::other))?;
    let audit = JournalAudit::of(&written.file)?;
    if !audit.is_balanced() || !audit.extent.damage.is_empty() {
        return Err(RewriteError::Differs);
    }
    let kept = replaced_file::keep(path, DAMAGED).map_err(RewriteError::Write)?;
    written.replacement.place().map_err(RewriteError::Write)?;
    Ok(Repair::Done { report: plan.report, kept, audit })
}

/// A journal that is there, and that no run writes.
fn lock(path: &Path) -> Result<DurableFile, RewriteError> {
    // One that is not there is not made.
    drop(read_through::open(path)?);
    Ok(locked::open(path, false)?)
}

fn has_record(file: &File, is_wanted: impl Fn(&JournalRecord<'_>) -> bool) -> Result<bool, RewriteError> {
    let mut is_found = false;
    read_through::read(file, |_, record| is_found |= is_wanted(record))?;
    Ok(is_found)
}

/// A new file beside the old one.
struct NewJournal {
    replacement: Replacement,
    /// To read it back.
    file: File,
    writer: JournalWriter,
}

/// One that is whole and synced.
struct WrittenJournal {
    replacement: Replacement,
    file: File,
    bytes: u64,
}

impl NewJournal {
    fn begin(path: &Path, old: &DurableFile) -> io::Result<Self> {
        let (replacement, new) = Replacement::begin(path, old)?;
        let file = new.file().try_clone()?;
        // A mark of its own: what a disk shows of the old file is no record of the new one.
        let mark = JournalMark(u64::from_le_bytes(random::bytes()?));
        Ok(Self { replacement, file, writer: JournalWriter::new(new, path, mark, true) })
    }

    /// `fill` writes the records.
    fn write(self, fill: impl FnOnce(&mut JournalWriter) -> io::Result<()>) -> Result<WrittenJournal, RewriteError> {
        let Self { replacement, file, mut writer } = self;
        fill(&mut writer).and_then(|()| writer.flush()).map_err(RewriteError::Write)?;
        let bytes = writer.offset();
        writer.close();
        Ok(WrittenJournal { replacement, file, bytes })
    }
}

#[cfg(test)]
mod tests;
