//! The supervisor's end of a channel. The engine knows no more of a transport than this.

use super::shm_ring;
use crate::sys::block::BlockSlice;
use crate::wire::frame::FrameError;
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use std::io;
use std::os::fd::BorrowedFd;

/// The result of one [`Channel::fill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// This many bytes were read.
    Bytes(usize),
    /// There are no bytes to read now.
    Blocked,
    /// The worker's end is closed, and all bytes have been read.
    Closed,
}

/// The state of the backlog after one [`Channel::flush`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It is empty.
    All,
    /// It is not empty: flush again when [`Channel::write_fd`] is writable.
    Blocked,
    /// The worker's end is closed, so the backlog was dropped. The reason is known when the worker has exited.
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
    /// Readable when [`fill`](Self::fill) can read bytes, or the end.
    fn read_fd(&self) -> BorrowedFd<'_>;

    /// Writable when [`flush`](Self::flush) can write; may be the same as [`read_fd`](Self::read_fd).
    /// `None` once the input is closed.
    fn write_fd(&self) -> Option<BorrowedFd<'_>>;

    /// One read into the spare bytes of `into`.
    ///
    /// # Errors
    /// [`ChannelError::System`]: the channel is unusable from now on. Any other: the worker broke a rule of the
    /// transport, which the text names.
    fn fill(&mut self, into: &mut ReadBuffer) -> Result<Fill, ChannelError>;

    /// Appends the results that the worker had finished and not sent to `into`, if this transport can recover them, and
    /// returns the number of bytes. Call it once, after the worker has exited and [`fill`](Self::fill) has returned
    /// everything, but not if the last message is incomplete.
    fn recover(&mut self, into: &mut ReadBuffer) -> usize;

    /// Adds a message to the backlog: `prefix`, then `body`, the bytes of `items` items. Only [`flush`](Self::flush)
    /// sends it, so that all messages of a turn are sent in one write. Once the input is closed, the message is dropped.
    ///
    /// # Errors
    /// The body is over the limit of this transport, or could not be written to the spool. Nothing was added.
    fn queue(&mut self, prefix: &Prefix, items: u32, body: BlockSlice<'_>) -> Result<(), ChannelError>;

    /// Adds text to the backlog, for a protocol that is a plain stream of bytes; likewise.
    ///
    /// # Errors
    /// This transport carries frames only.
    fn queue_text(&mut self, text: &[u8]) -> Result<(), ChannelError>;

    /// The worker has answered the next `items` items, in the order in which they were queued. A channel that keeps
    /// their bytes frees them.
    fn answered(&mut self, items: u64);

    /// Writes as much of the backlog as the channel takes now.
    ///
    /// # Errors
    /// The system's, except that a closed end of the worker is no error.
    fn flush(&mut self) -> io::Result<Flush>;

    /// Bytes that are queued and not yet written.
    fn backlog_bytes(&self) -> usize;

    /// Ends the input: the worker reads end-of-file after the bytes that were flushed. The backlog is dropped. Results
    /// can still be read.
    fn close_input(&mut self);

    /// Whether results may arrive, or the backlog may fit, without an fd becoming ready. Then call
    /// [`fill`](Self::fill) and [`flush`](Self::flush) in each turn, and [`arm`](Self::arm) before waiting.
    fn is_busy_polled(&self) -> bool;

    /// Until the next `fill` or `flush`, makes [`read_fd`](Self::read_fd) readable when results arrive or, if there is a
    /// backlog, when some of it fits. `false`: one of the two is true already.
    fn arm(&mut self) -> bool;
}

/// Why the supervisor's end of a channel failed; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error(transparent)]
    System(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The worker broke its ring.
    #[error(transparent)]
    Ring(#[from] shm_ring::Broken),
    #[error("send text: this transport carries frames only; use the transport pipe or socket")]
    FramesOnly,
    #[error("send a frame: a terminal carries lines of text only; use the transport pipe or socket")]
    TextOnly,
    /// The disk failed, which is no fault of the worker.
    #[error("write an item to the spool in {folder}: {error}")]
    Spool { folder: String, error: String },
}
