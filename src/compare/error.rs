//! Why a mechanism could not be measured.

use crate::EngineError;
use crate::config::ConfigError;
use crate::outcomes::{ExitStatus, StopReason};
use std::io;

/// Completes "failed to ...". A mechanism that fails is a row of the report that says why.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The machine or this build cannot do it.
    #[error(transparent)]
    Run(#[from] EngineError),
    #[error("finish a run of {items} items: {done} are done ({reason:?})")]
    Unfinished { items: u64, done: u64, reason: StopReason },
    #[error("{what}: {error}")]
    System { what: &'static str, error: io::Error },
    /// The program, started as a child, did not succeed; `stderr` is its last line.
    #[error("run a supervisor as a child: {exit}{}{stderr}", if stderr.is_empty() { "" } else { ": " })]
    Child { exit: ExitStatus, stderr: String },
    #[error("time a run: the machine is so busy that a longer one takes no longer; try again when it is quieter")]
    NoDifference,
    #[error("time round trips: {found} of {expected} are in the events")]
    Events { expected: u64, found: u64 },
    #[error("kill a worker at item {item}: it never came there")]
    NotReached { item: u64 },
}

impl CompareError {
    /// A run ended without all of its items done, or without an event of some of them.
    pub(super) const fn is_unfinished(&self) -> bool {
        match self {
            Self::Unfinished { .. } | Self::Events { .. } | Self::NotReached { .. } => true,
            Self::Settings(_) | Self::Run(_) | Self::System { .. } | Self::Child { .. } | Self::NoDifference => false,
        }
    }

    /// For `map_err`.
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}
