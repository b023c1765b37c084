//! Why a run cannot have its journal. Each text completes "failed to ...".

use super::super::feed::InputDiffers;
use super::facts::FactDifference;
use crate::journal::resumption::JournalStateError;
use crate::model::outcome::ExitClass;
use crate::sys::durable_file::DurableFileError;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("open the journal {}: {error}", path.display())]
    File { path: PathBuf, error: DurableFileError },
    #[error("open the journal {}: {}", path.display(), holder(*pid, since))]
    InUse { path: PathBuf, pid: Option<u32>, since: String },
    #[error("open the journal {}: the file is there; add --resume to go on with it, or give another name", path.display())]
    Exists { path: PathBuf },
    #[error("open the journal {}: the run writes {what} to it; give another name", path.display())]
    SameFile { path: PathBuf, what: &'static str },
    #[error("go on with the journal {}: it {error}", path.display())]
    State { path: PathBuf, error: JournalStateError },
    #[error("go on with the journal {}: {}; give --force to go on all the same", path.display(), of_fact(difference))]
    Fact { path: PathBuf, difference: FactDifference },
    #[error("go on with the journal {}: {error}; give --force to go on all the same", path.display())]
    Input { path: PathBuf, error: InputDiffers },
    #[error("write the journal {error}")]
    Write { error: io::Error },
}

fn holder(pid: Option<u32>, since: &str) -> String {
    match pid {
        Some(pid) => format!("the run of process {pid}, since {since}, writes it, or its workers have not ended"),
        None => "another run writes it".to_owned(),
    }
}

fn of_fact(difference: &FactDifference) -> String {
    let FactDifference { name, recorded, present } = difference;
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    format!("{name} is `{}` there, and `{}` here", shown(recorded), shown(present))
}

impl JournalError {
    /// What the program exits with.
    #[must_use]
    pub const fn class(&self) -> ExitClass {
        match self {
            Self::File { error: DurableFileError::Open(_), .. } => ExitClass::Usage,
            Self::Write { .. } => ExitClass::Storage,
            _ => ExitClass::Refused,
        }
    }
}
