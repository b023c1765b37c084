//! What `--resume FILE` means where the file is a joblog: as in GNU parallel, jobs that are in it are not run again, and
//! further lines are appended to it.
//!
//! Invariant: pure. What the file holds is an argument.

use super::args::Flags;
use super::error::UsageError;
use super::parallel::error::ParallelError;
use super::parallel::resume::{self, Resumption};
use crate::model::config::EarlierRun;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The file that may be a joblog: it is named by --resume, and there is no --journal beside it.
pub fn resumed_file(flags: &Flags) -> Option<PathBuf> {
    let file = flags.resume.as_ref().filter(|file| !file.is_empty() && flags.journal.is_none())?;
    Some(PathBuf::from(file))
}

/// Lets the flags mean a run that goes by this log. Returns the items that it does not run.
///
/// # Errors
/// A flag is for a journal, or the file is no log.
pub fn resume(flags: &mut Flags, log: &[u8]) -> Result<EarlierRun, UsageError> {
    let file = flags.resume.take().unwrap_or_default();
    let name = || file.to_string_lossy().into_owned();
    let of_journal = [
        ("--retry-dead", flags.retry_dead),
        ("--force", flags.force),
        ("--durability", flags.durability.is_some()),
        ("--journal-results", flags.journal_results),
        ("--output-file", flags.output_file.is_some()),
        ("--resume-by", flags.resume_by.is_some()),
        ("--keep-open", flags.keep_open),
    ];
    if let Some((flag, _)) = of_journal.into_iter().find(|(_, is_given)| *is_given) {
        return Err(UsageError::OfJournal { flag, file: name() });
    }
    if let Some(joblog) = flags.joblog.as_deref().filter(|joblog| without_plus(joblog) != file) {
        return Err(UsageError::TwoJobLogs { resumed: name(), joblog: joblog.display().to_string() });
    }
    let resumption = if flags.retry_failed { Resumption::Failed } else { Resumption::Unfinished };
    flags.retry_failed = false;
    let earlier = resume::read(log, resumption, &name()).map_err(|error| match error {
        ParallelError::LogFormat { file, line } => UsageError::JobLogLine { file, line },
        error => error.into(),
    })?;
    let mut appended = OsString::from("+");
    appended.push(&file);
    flags.joblog = Some(appended.into());
    Ok(EarlierRun { finished: earlier.finished, stored: false })
}

/// The name of a log, without the sign that it is appended to.
fn without_plus(name: &Path) -> &OsStr {
    let name = name.as_os_str();
    name.as_bytes().strip_prefix(b"+").map_or(name, OsStr::from_bytes)
}
