//! The file of a journal, opened and locked by whoever is to write it.
//!
//! Invariant: a file that is refused stays as it is, and at most one process has it.

use super::progress::{JournalProgress, SessionProgress};
use super::state::SessionStart;
use crate::mutant::mutant;
use crate::sys::durable_file::{DurableFile, DurableFileError};
use crate::sys::pidfd::Process;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// How long the guard of a run that was killed is waited for: so many times this long.
const GUARD_WAITS_MAX: u32 = 400;
const GUARD_WAIT: Duration = Duration::from_millis(5);

/// Why the file is not had. The texts follow its path.
#[derive(Debug, thiserror::Error)]
pub enum JournalLockError {
    #[error("{}", holder(*pid, since))]
    InUse { pid: Option<u32>, since: String },
    #[error("{0}")]
    File(DurableFileError),
}

fn holder(pid: Option<u32>, since: &str) -> String {
    match pid {
        Some(pid) => format!("the run of process {pid}, since {since}, writes it, or its workers have not ended"),
        None => "another run writes it".to_owned(),
    }
}

/// Opens and locks the file. A run that was killed keeps it locked for a moment, until its guard has ended its workers.
/// `forced`: also on a file system that has no locks.
///
/// # Errors
/// Another process has it, or it is no file of ours alone.
pub fn open(path: &Path, forced: bool) -> Result<DurableFile, JournalLockError> {
    let (mut waits, mut holder) = (GUARD_WAITS_MAX, None);
    loop {
        let opened = mutant!(LockNotHeld, DurableFile::open(path, forced), {
            let file = File::options().read(true).write(true).open(path).map_err(DurableFileError::Open);
            file.and_then(|file| {
                let bytes = file.metadata().map_err(DurableFileError::Open)?.len();
                Ok(DurableFile::of(file, bytes))
            })
        });
        match opened {
            Ok(file) => return Ok(file),
            Err(DurableFileError::Locked) => {
                let last: Option<SessionStart> = *holder.get_or_insert_with(|| last_session(path));
                if waits == 0 || last.is_none_or(|session| Process::open(session.pid).is_ok()) {
                    return Err(in_use(last));
                }
                waits -= 1;
                std::thread::sleep(GUARD_WAIT);
            }
            Err(error) => return Err(JournalLockError::File(error)),
        }
    }
}

/// Another process has locked the file, and says in it who it is.
fn in_use(last: Option<SessionStart>) -> JournalLockError {
    let since = last.map_or_else(String::new, |session| utc(session.started_unix_ns));
    JournalLockError::InUse { pid: last.map(|session| session.pid), since }
}

fn utc(unix_ns: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(unix_ns));
    time.map_or_else(|_| "an unknown time".to_owned(), |time| format!("{time:.0}"))
}

/// Also of a damaged file.
fn last_session(path: &Path) -> Option<SessionStart> {
    let SessionProgress { started_unix_ns, pid, .. } =
        JournalProgress::of(&File::open(path).ok()?).ok()?.last_session?;
    Some(SessionStart { started_unix_ns, pid })
}
