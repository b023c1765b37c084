//! What `--worker-log` and `--worker-log-max` mean together.

use super::args::Flags;
use super::error::UsageError;
use crate::model::worker_log::{LOG_BYTES_MAX, WorkerLog};
use std::ffi::OsString;

/// Where the stderr of workers goes, if that was said.
///
/// # Errors
/// A size without a folder, or a folder without a name.
pub fn worker_log(flags: &Flags) -> Result<Option<WorkerLog>, UsageError> {
    let to = flags.worker_log.as_ref().map(|to| read(to, flags.worker_log_max)).transpose()?;
    match (&to, flags.worker_log_max) {
        (Some(WorkerLog::Folder { .. }), _) | (_, None) => Ok(to),
        _ => Err(UsageError::LogSizeOfNoFolder),
    }
}

/// A word, or the folder of the files.
fn read(to: &OsString, size: Option<u64>) -> Result<WorkerLog, UsageError> {
    Ok(match to.to_str() {
        Some("prefix") => WorkerLog::Prefix,
        Some("raw") => WorkerLog::Raw,
        Some("") => return Err(UsageError::NoLogFolder),
        _ => WorkerLog::Folder { folder: to.into(), file_bytes_max: size.unwrap_or(LOG_BYTES_MAX) },
    })
}
