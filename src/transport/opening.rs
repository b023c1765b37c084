//! The transport of a run, which opens a channel for each worker, and the errors of that.

use super::channel::Channel;
use super::endpoints::Endpoints;
#[cfg(feature = "channel")]
use super::ipc_rendezvous;
use super::{mqueue_shapes, shm_needs};
use crate::model::time::Duration;
use crate::sys::guard::Leftover;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Opens a channel for each worker, and holds what all channels of a run share.
pub trait Transport {
    /// Makes a channel to a worker that has not started: the supervisor's end, and the endpoints for the worker. All
    /// descriptors are close-on-exec. Only the limits of the system bound the number of channels.
    ///
    /// # Errors
    /// The system has no file descriptors left, or no memory or queues; the text names the limit.
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError>;

    /// Most descriptors that the supervisor holds for the channel of one worker that has started.
    fn fds_per_channel(&self) -> u64;

    /// Names that exist for a moment while a channel is opened. The guard removes those that a killed supervisor leaves.
    fn leftovers(&self) -> Vec<Leftover>;

    /// How long busy-polled channels are polled without success before they are armed.
    fn spin(&self) -> Duration;

    /// From now on blocks of items may be mapped parts of this file. Affects the channels that are opened later.
    fn share_input(&mut self, input: &Arc<File>);
}

/// Why a channel cannot be opened; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    System(#[from] io::Error),
    /// A file of the channel cannot be made in its folder.
    #[error("make {what} in {}: {error}; give it room and permission, or set TMPDIR to another folder", folder.display())]
    Folder { what: &'static str, folder: PathBuf, error: io::Error },
    /// A limit of message queues, and the system's error.
    #[error("{limit}")]
    Queues { limit: mqueue_shapes::QueueError, error: io::Error },
    /// A limit of memory, and the system's error.
    #[error("share memory: {limit}")]
    Memory { limit: shm_needs::ShmError, errno: Option<i32> },
}

impl OpenError {
    /// The error number of the system, if the system returned the error.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::System(error) | Self::Folder { error, .. } | Self::Queues { error, .. } => error.raw_os_error(),
            Self::Memory { errno, .. } => *errno,
        }
    }
}

/// Why a transport cannot serve a run; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("{what}: {error}")]
    System { what: &'static str, error: io::Error },
    #[error("open {}, the folder for --spool: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error("take {} as the folder for --spool: {why}", path.display())]
    UnsafeFolder { path: PathBuf, why: String },
    #[error("make a spool in {}: {error}; give --spool DIR, or set TMPDIR to another folder", folder.display())]
    Spool { folder: PathBuf, error: io::Error },
    #[error(transparent)]
    Queues(#[from] mqueue_shapes::QueueError),
    #[error("share memory with workers: {0}")]
    Memory(#[from] shm_needs::ShmError),
    #[cfg(feature = "channel")]
    #[error(transparent)]
    Rendezvous(#[from] ipc_rendezvous::SocketFolderError),
    /// The program was built without the feature of this transport.
    #[error(
        "open the transport {transport}: this program was built without it; build it with `--features {transport}`"
    )]
    NotBuilt { transport: &'static str },
}
