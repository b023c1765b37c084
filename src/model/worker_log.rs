//! Where the stderr of workers goes that stay.

#![deny(missing_docs)]

use std::path::PathBuf;

/// Bytes of a log file above which a new one begins, by default.
pub const LOG_BYTES_MAX: u64 = 8 << 20;

/// Where the stderr of workers goes that stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WorkerLog {
    /// To our own stderr, line by line: with [`WorkerLog::Prefix`] if that is a terminal and there are several workers.
    #[default]
    Auto,
    /// To our own stderr, each line behind `worker N: `.
    Prefix,
    /// Workers have our own stderr. What they write is not seen, and not kept.
    Raw,
    /// To a file for each slot.
    Folder {
        /// The folder of the files, `worker-N.log`. It is created if it is missing; a file that exists is appended to.
        folder: PathBuf,
        /// A file that is longer becomes `worker-N.log.1`, in place of an earlier one, and a new one begins.
        file_bytes_max: u64,
    },
}
