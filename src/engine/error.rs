//! Why a run could not start, or could not go on. Each text completes "failed to ...".

use super::journal::JournalError;
use crate::command::search::CommandError;
use crate::model::outcome::ExitClass;
use crate::model::words::counted;
use crate::model::worker_count::WorkerCountError;
use crate::reporter::ReporterError;
use crate::source::SourceError;
use crate::sys::folder::FolderError;
use crate::sys::semaphore::SemaphoreError;
use crate::trace::file::TraceFileError;
use crate::transport::TransportError;
use std::io;
use std::path::PathBuf;

/// Why a file gives no number of workers. The text follows the file's name.
#[derive(Debug, thiserror::Error)]
pub enum WorkersFileError {
    #[error("{0}; give a number of workers, or a file with one")]
    Read(#[from] io::Error),
    #[error("it is no regular file; give a number of workers, or a file with one")]
    NotRegular,
    #[error("it holds {content:?}: {error}")]
    Content { content: String, error: WorkerCountError },
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Reporter(#[from] ReporterError),
    #[error(transparent)]
    Semaphore(#[from] SemaphoreError),
    #[error(transparent)]
    Trace(#[from] TraceFileError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("write {what} to {}: it is the input {input}; give another file", file.display())]
    OutputInInput { what: &'static str, file: PathBuf, input: String },
    #[error("pass descriptor {fd} on: it is not open here; open it first, as in: supervisor ... {fd}<FILE")]
    PassedClosed { fd: i32 },
    #[error("enter {folder}: workers stay, so their --workdir cannot depend on an item; name one folder for all")]
    WorkdirOfItem { folder: String },
    #[error(
        "start workers with --nice {more}: {error}; root may, or others within `ulimit -e`; leave it out otherwise"
    )]
    Nice { more: i32, error: io::Error },
    #[error("put temporary files into {}: {error}; give --tmpdir a folder in which files can be created", folder.display())]
    Tmpdir { folder: PathBuf, error: io::Error },
    #[error("keep the stderr of workers in {}: {error}", folder.display())]
    WorkerLog { folder: PathBuf, error: FolderError },
    #[error("read the number of workers from {}: {error}", file.display())]
    WorkersFile { file: PathBuf, error: WorkersFileError },
    #[error("lend commands the terminal: {why}")]
    Terminal { why: String },
    #[error("show a bar: stderr is no terminal that can move its cursor; use --progress auto, which writes lines then")]
    NoBar,
    #[error("ask before commands start: {why}")]
    NobodyToAsk { why: String },
    #[error("write results: stdout is closed; send it to a file, or give --output none")]
    StdoutClosed,
    #[error(
        "start {}: {needed} open files are needed and the limit is {limit}; raise `ulimit -n` or give fewer workers",
        counted(u64::from(*workers), "worker", "workers")
    )]
    OpenFiles { workers: u32, needed: u64, limit: u64 },
    #[error(
        "start {}: {name} allows {limit} processes; raise it or give fewer workers",
        counted(u64::from(*workers), "worker", "workers")
    )]
    Processes { workers: u32, limit: u64, name: String },
    /// The thread of a run panicked: a defect of the supervisor.
    #[error("go on: the thread of the run panicked")]
    Panicked,
    #[error("{what}: {error}")]
    System { what: &'static str, error: io::Error },
}

impl EngineError {
    /// What the program exits with.
    #[must_use]
    pub const fn class(&self) -> ExitClass {
        match self {
            Self::Source(_)
            | Self::Reporter(_)
            | Self::OutputInInput { .. }
            | Self::Terminal { .. }
            | Self::NoBar
            | Self::NobodyToAsk { .. }
            | Self::PassedClosed { .. }
            | Self::WorkdirOfItem { .. }
            | Self::Tmpdir { .. }
            | Self::WorkersFile { .. }
            | Self::WorkerLog { error: FolderError::Open(_), .. }
            | Self::Semaphore(SemaphoreError::Name { .. })
            | Self::Command(CommandError::Placeholder(_) | CommandError::Workdir { .. })
            | Self::Transport(TransportError::Folder { .. }) => ExitClass::Usage,
            Self::Command(CommandError::NotFound { .. }) => ExitClass::NotFound,
            Self::Command(CommandError::NotExecutable { .. }) => ExitClass::NotExecutable,
            Self::StdoutClosed => ExitClass::Lost,
            Self::Journal(error) => error.class(),
            Self::Trace(TraceFileError::Foreign { .. } | TraceFileError::InUse { .. }) => ExitClass::Refused,
            Self::Trace(TraceFileError::Thread { .. }) => ExitClass::Internal,
            Self::Trace(TraceFileError::Open { .. } | TraceFileError::NoFile { .. }) => ExitClass::Usage,
            Self::Semaphore(SemaphoreError::Unsafe { .. })
            | Self::WorkerLog { .. }
            | Self::OpenFiles { .. }
            | Self::Processes { .. }
            | Self::Nice { .. }
            | Self::Transport(
                TransportError::UnsafeFolder { .. }
                | TransportError::Queues(_)
                | TransportError::Memory(_)
                | TransportError::NotBuilt { .. },
            ) => ExitClass::Refused,
            #[cfg(feature = "channel")]
            Self::Transport(TransportError::Rendezvous(_)) => ExitClass::Refused,
            Self::Transport(TransportError::Spool { .. }) => ExitClass::Storage,
            Self::Command(_)
            | Self::Semaphore(SemaphoreError::System { .. })
            | Self::Transport(TransportError::System { .. })
            | Self::Panicked
            | Self::System { .. } => ExitClass::Internal,
        }
    }

    /// For `map_err`: the system refused what the supervisor needs for itself.
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}
