//! The errors that end a worker.

use super::environment::EnvironmentError;
use crate::protocol::ProtocolError;
use crate::transport::ItemsError;
use crate::wire::frame::FrameError;
use std::io;

/// Why a worker ends before the end of its input; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("{doing}: {error}")]
    System { doing: &'static str, error: io::Error },
    #[error(transparent)]
    Items(#[from] ItemsError),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("read a batch of {count} items: its body holds another number")]
    Batch { count: u32 },
    #[error("write a result: {0}")]
    Frame(#[from] FrameError),
    /// There is no supervisor to report to.
    #[error("reach the supervisor: it is gone")]
    SupervisorGone,
    /// By the plan of chaos.
    #[error("write a result whole: the plan of chaos tore it")]
    Torn,
}
