//! Why a lesson could not be held. Each text completes "failed to ...".

use crate::EngineError;
use crate::config::ConfigError;
use crate::outcomes::ExitClass;
use crate::process::ProcessError;
use std::io;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TourError {
    /// The reader of stdout has left, or stdout takes no more.
    #[error("write the lesson: {0}")]
    Write(io::Error),
    #[error(transparent)]
    Run(#[from] EngineError),
    #[error(transparent)]
    Command(#[from] ProcessError),
    /// A lesson's own settings are refused: a defect of the lesson.
    #[error("prepare the lesson's run: {0}")]
    Settings(#[from] ConfigError),
    /// A process of the lesson said something else than it should.
    #[error("follow the lesson's process {part}: {problem}")]
    Part { part: &'static str, problem: String },
    #[error("{what}: {error}")]
    System { what: &'static str, error: io::Error },
}

impl TourError {
    /// For `map_err`: the system refused what a lesson needs.
    pub fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System { what, error: error.into() }
    }

    /// The reader of stdout has left, as `head` does: no fault.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What the program exits with.
    #[must_use]
    pub const fn class(&self) -> ExitClass {
        match self {
            Self::Write(_) => ExitClass::Lost,
            Self::Run(error) => error.class(),
            Self::Command(error) => error.class(),
            Self::Settings(_) | Self::Part { .. } | Self::System { .. } => ExitClass::Internal,
        }
    }
}
