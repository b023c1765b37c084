//! Why a run cannot have its journal. Each text completes "failed to ...".

use super::super::feed::InputDiffers;
use super::facts::FactDifference;
use crate::journal::locked::JournalLockError;
use crate::journal::queue_file::QueueFileError;
use crate::journal::state::JournalStateError;
use crate::model::outcome::ExitClass;
use crate::sys::durable_file::DurableFileError;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("open the journal {}: {error}", path.display())]
    File { path: PathBuf, error: JournalLockError },
    #[error("open the journal {}: the file is there; add --resume to go on with it, or give another name", path.display())]
    Exists { path: PathBuf },
    #[error("open the journal {}: the run writes {what} to it; give another name", path.display())]
    SameFile { path: PathBuf, what: &'static str },
    #[error("go on with the journal {}: it {error}", path.display())]
    State { path: PathBuf, error: JournalStateError },
    #[error("go on with the journal {}: {}; give --force to go on all the same", path.display(), of_fact(difference))]
    Fact { path: PathBuf, difference: FactDifference },
    #[error("go on with the journal {} by item: it was made without --resume-by item, so it has no hashes of its items; leave --resume-by out, or make a new journal with it", path.display())]
    ByPosition { path: PathBuf },
    #[error("go on with the journal {} by position: it was made with --resume-by item; add --resume-by item", path.display())]
    ByItem { path: PathBuf },
    #[error("go on with the journal {}: {error}; give --force to go on all the same", path.display())]
    Input { path: PathBuf, error: InputDiffers },
    #[error("take items from the queue {}: the file {error}", path.display())]
    Queue { path: PathBuf, error: QueueFileError },
    #[error("open the output file {}: {error}", path.display())]
    OutputFile { path: PathBuf, error: DurableFileError },
    #[error("open the output file {}: it holds something, and the run has just begun; give another name, or remove it", path.display())]
    OutputExists { path: PathBuf },
    #[error("go on with the output file {}: it has {bytes} bytes, and the journal says that it had {recorded}", path.display())]
    OutputShort { path: PathBuf, bytes: u64, recorded: u64 },
    #[error("write the journal {error}")]
    Write { error: io::Error },
}

fn of_fact(difference: &FactDifference) -> String {
    let FactDifference { name, recorded, present } = difference;
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    format!("{name} is `{}` there, and `{}` here", shown(recorded), shown(present))
}

/// The error with the name of its file.
pub fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl JournalError {
    /// What the program exits with.
    #[must_use]
    pub const fn class(&self) -> ExitClass {
        match self {
            Self::File { error: JournalLockError::File(DurableFileError::Open(_)), .. }
            | Self::OutputFile { error: DurableFileError::Open(_), .. } => ExitClass::Usage,
            Self::Write { .. } => ExitClass::Storage,
            Self::Queue { error, .. } => error.class(),
            _ => ExitClass::Refused,
        }
    }
}
