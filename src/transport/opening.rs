//! What all channels of a run share, and why it cannot be had.

use super::channel::Channel;
use super::endpoints::Endpoints;
#[cfg(feature = "channel")]
use super::ipc_rendezvous;
use super::mqueue_shapes;
use crate::model::time::Duration;
use crate::sys::guard::Leftover;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What all channels of a run share; makes one for each worker.
pub trait Transport {
    /// Makes a channel to a worker that is yet to start: the supervisor's end, and what the worker is handed. All
    /// descriptors are close-on-exec. There is no limit on the number of channels but those of the system.
    ///
    /// # Errors
    /// No file descriptors, or none of what else a channel is made of, are left; the text names the limit.
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError>;

    /// Most descriptors that the supervisor holds for one worker's channel once it is started.
    fn fds_per_channel(&self) -> u64;

    /// Names that are in use for a moment while a channel is opened. The guard removes what a killed supervisor may
    /// leave of them.
    fn leftovers(&self) -> Vec<Leftover>;

    /// How long busy-polled channels are polled in vain before they are armed.
    fn spin(&self) -> Duration;

    /// Blocks of items may be parts of this file, mapped. For channels that are opened from now on.
    fn share_input(&mut self, input: &Arc<File>);
}

/// Why a channel cannot be opened; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    System(#[from] io::Error),
    /// A limit of message queues, and the error that it shows by.
    #[error("{limit}")]
    Queues { limit: mqueue_shapes::QueueError, error: io::Error },
}

impl OpenError {
    /// The system's number of the error, if it is the system's.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        let (Self::System(error) | Self::Queues { error, .. }) = self;
        error.raw_os_error()
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
    #[error("make a spool in {}: {error}", folder.display())]
    Spool { folder: PathBuf, error: io::Error },
    #[error(transparent)]
    Queues(#[from] mqueue_shapes::QueueError),
    #[cfg(feature = "channel")]
    #[error(transparent)]
    Rendezvous(#[from] ipc_rendezvous::SocketFolderError),
    /// The program was built without the feature of this transport.
    #[error(
        "open the transport {transport}: this program was built without it; build it with `--features {transport}`"
    )]
    NotBuilt { transport: &'static str },
}
