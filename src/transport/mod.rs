//! Floor 2: how bytes travel between the supervisor and one resident worker, both ends.
//!
//! The supervisor's end ([`Channel`]) never waits: it names the descriptors to wait for, and the engine's loop waits.
//! The worker's end ([`Connection`]) waits, since a worker has nothing else to do. A [`Transport`] is what all channels
//! of a run share: it opens one for each worker, and the [`Endpoints`] that it hands to the worker become the other end
//! by [`connect`] in the other process.
//!
//! A channel carries any bytes that are a stream: what a worker sends is read into the buffer of a protocol, which
//! makes messages of it. What goes to a worker is queued as a prefix and a body, so that a body can be carried by
//! reference. `shm` and `file` put a reference in the place of the body of a frame; they carry frames alone.
//!
//! Invariant: moves bytes and judges no message; knows no run, no lease and no process. A new transport is one file, a
//! variant of `TransportKind`, and its line in `tests/contract_transport.rs`.

mod cutter;
mod endpoints;
mod file;
pub mod in_process;
mod input_integrity;
mod ipc_channel;
pub mod ipc_rendezvous;
pub mod mqueue;
pub mod pipe;
pub mod progress_page;
mod shared_input;
mod shm;
mod shm_area;
mod shm_arena;
pub mod shm_ring;
mod shm_worker;
mod socket;
mod spool;
mod staging;
mod stream;
#[cfg(test)]
mod testing;

pub use endpoints::Endpoints;
pub use input_integrity::InputIntegrity;
pub use staging::StagingArea;

use crate::model::spec::{TransportKind, TransportSpec};
use crate::model::time::Duration;
use crate::sys::block::BlockSlice;
use crate::sys::growable_buffer::GrowableBuffer;
use crate::sys::guard::Leftover;
use crate::wire::frame::{Frame, FrameError};
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// What one [`Channel::fill`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// So many bytes.
    Bytes(usize),
    /// Nothing at the moment.
    Blocked,
    /// The worker's end is closed; nothing will come any more.
    Closed,
}

/// What one [`Channel::flush`] left in the backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Nothing.
    All,
    /// Something: flush again when [`Channel::write_fd`] is writable.
    Blocked,
    /// Nothing, because the worker's end is closed: the backlog is dropped. The worker's exit explains it.
    Closed,
}

/// The supervisor's end. Never waits.
///
/// - facts in: [`fill`](Self::fill), [`recover`](Self::recover)
/// - orders out: [`queue`](Self::queue), [`flush`](Self::flush), [`close_input`](Self::close_input),
///   [`answered`](Self::answered)
/// - questions: [`read_fd`](Self::read_fd), [`write_fd`](Self::write_fd), [`backlog_bytes`](Self::backlog_bytes)
/// - busy polling: [`is_busy_polled`](Self::is_busy_polled), [`arm`](Self::arm)
///
/// Closing an fd does not take it out of a poll set while a process between fork and exec holds a
/// copy: take both fds out before the channel, or its input, is closed.
pub trait Channel {
    /// Readable when [`fill`](Self::fill) has something to bring.
    fn read_fd(&self) -> BorrowedFd<'_>;

    /// Writable when [`flush`](Self::flush) can go on; may be the same as [`read_fd`](Self::read_fd).
    /// `None` once the input is closed.
    fn write_fd(&self) -> Option<BorrowedFd<'_>>;

    /// One read into the spare bytes of `into`.
    ///
    /// # Errors
    /// [`ChannelError::System`]: the channel is of no use any more. Any other: the worker did not keep to the
    /// transport; the text says how.
    fn fill(&mut self, into: &mut ReadBuffer) -> Result<Fill, ChannelError>;

    /// Appends to `into` what the worker had finished and not sent, where this transport knows it, and returns how
    /// many bytes that is. To be called once, after the worker has ended and [`fill`](Self::fill) brings nothing more,
    /// unless the worker died within a message.
    fn recover(&mut self, into: &mut ReadBuffer) -> usize;

    /// Adds a message to the backlog: `prefix`, then `body`, the bytes of `items` items. Nothing leaves before
    /// [`flush`](Self::flush), so that all messages of a turn leave in one write. Dropped silently once the input is
    /// closed.
    ///
    /// # Errors
    /// The body is over the limit of this transport, or cannot be kept. Nothing was added.
    fn queue(&mut self, prefix: &Prefix, items: u32, body: BlockSlice<'_>) -> Result<(), ChannelError>;

    /// The worker has answered for so many more of the items that were queued, in their order: the bytes of those are
    /// not needed any more.
    fn answered(&mut self, items: u64);

    /// Writes as much of the backlog as fits.
    ///
    /// # Errors
    /// The system's, other than that the worker's end is closed.
    fn flush(&mut self) -> io::Result<Flush>;

    /// Bytes that are queued and not yet written.
    fn backlog_bytes(&self) -> usize;

    /// The worker reads end-of-file behind what was flushed; what was not is dropped. Results still come.
    fn close_input(&mut self);

    /// Whether results may come, or the backlog may move, without any fd becoming ready. Then call
    /// [`fill`](Self::fill) and [`flush`](Self::flush) now and then, and [`arm`](Self::arm) before waiting.
    fn is_busy_polled(&self) -> bool;

    /// From now on [`read_fd`](Self::read_fd) becomes readable when there are results or, if there is a backlog,
    /// when some of it fits; until the next `fill` or `flush`. `false`: there is something now.
    fn arm(&mut self) -> bool;
}

/// The worker's end, in two halves, since a batch is still lent by the one while results leave by the other.
pub struct Connection {
    pub items: Box<dyn ItemsIn>,
    pub results: Box<dyn ResultsOut>,
}

/// Where a worker's items come in, in frames. Waits.
pub trait ItemsIn {
    /// Waits for bytes; `false` at the end of the input.
    ///
    /// # Errors
    /// The system's.
    fn fill(&mut self) -> io::Result<bool>;

    /// The next frame of those that have arrived; `None`: fill again.
    ///
    /// # Errors
    /// What arrived is no frame, or the bytes of its body cannot be had.
    fn next(&mut self) -> Result<Option<Frame<'_>>, ItemsError>;

    /// The number of whole frames that [`next`](Self::next) has in store, counted up to `most`.
    fn waiting(&self, most: usize) -> usize;

    /// Knows whether the bytes that [`next`](Self::next) lent are there, and afterwards whether they were whole.
    fn integrity(&self) -> Arc<InputIntegrity>;
}

/// Where a worker's results go out. Waits.
pub trait ResultsOut {
    /// Takes whole frames, as [`crate::wire::append`] makes them. Waits until all are written.
    ///
    /// # Errors
    /// The system's; `BrokenPipe` if the supervisor is gone.
    fn send(&mut self, frames: &[u8]) -> io::Result<()>;

    /// The same for frames of which the last one's body is apart.
    ///
    /// # Errors
    /// As of [`send`](Self::send).
    fn send_parts(&mut self, frames: &[u8], body: &[u8]) -> io::Result<()>;

    /// The staging area, if what is written there outlives this process. To be asked for once.
    fn staging(&self) -> Option<Staging>;
}

/// A staging area, and the two buffers in it.
pub struct Staging {
    /// Where the worker notes what is done.
    pub area: StagingArea,
    /// For the results of the open group.
    pub results: GrowableBuffer,
    /// For the frames that wait to be sent.
    pub frames: GrowableBuffer,
}

/// Why the supervisor's end of a channel failed; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error(transparent)]
    System(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The worker's fault.
    #[error(transparent)]
    Ring(#[from] shm_ring::Broken),
    /// The supervisor's disk: no fault of the worker.
    #[error("write an item to the spool in {folder}: {error}")]
    Spool { folder: String, error: String },
}

/// Why a worker cannot have its next items; completes "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemsError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Ring(#[from] shm_ring::Broken),
    #[error("read a message: it is no reference to a file")]
    Reference,
    #[error("map {what}: {error}")]
    Map { what: &'static str, error: String },
    #[error("read an item: {what} was cut short meanwhile")]
    Lost { what: &'static str },
}

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
    Queues { limit: mqueue::QueueError, error: io::Error },
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
    Queues(#[from] mqueue::QueueError),
    #[error(transparent)]
    Rendezvous(#[from] ipc_rendezvous::FolderError),
}

/// The transport that `spec` names, for `workers` workers.
///
/// # Errors
/// The system refuses what it needs.
pub fn transport(spec: &TransportSpec, workers: u32) -> Result<Box<dyn Transport>, TransportError> {
    Ok(match spec.kind {
        TransportKind::Pipe => Box::new(pipe::PipeTransport),
        TransportKind::Socket => Box::new(socket::SocketTransport),
        TransportKind::Shm => Box::new(shm::ShmTransport::new(spec.spin)),
        TransportKind::File => Box::new(file::FileTransport::new(spec.spool.as_deref())?),
        TransportKind::Mqueue => Box::new(mqueue::MqueueTransport::new(workers)?),
        TransportKind::Channel => Box::new(ipc_channel::IpcTransport::new(workers)?),
    })
}

/// The worker's end, of what [`Transport::open`] made for it.
///
/// # Errors
/// The endpoints are fewer than this transport needs.
pub fn connect(kind: TransportKind, endpoints: Endpoints) -> io::Result<Connection> {
    match kind {
        TransportKind::Pipe => pipe::connect(endpoints),
        TransportKind::Socket => socket::connect(endpoints),
        TransportKind::Shm => shm_worker::connect(endpoints),
        TransportKind::File => file::connect(endpoints),
        TransportKind::Mqueue => mqueue::connect(endpoints),
        TransportKind::Channel => ipc_channel::connect(&endpoints),
    }
}

/// The transport of this name.
#[must_use]
pub fn by_name(text: &str) -> Option<TransportKind> {
    TransportKind::ALL.into_iter().find(|kind| kind.name() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transport_has_a_name() {
        assert_eq!(by_name("pipe"), Some(TransportKind::Pipe));
        assert_eq!(by_name("pipes"), None);
    }
}
