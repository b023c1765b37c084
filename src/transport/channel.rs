//! The supervisor's end of a channel. The engine knows no more of a transport than this.

use super::shm_ring;
use crate::sys::block::BlockSlice;
use crate::wire::frame::FrameError;
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use std::io;
use std::os::fd::BorrowedFd;

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
