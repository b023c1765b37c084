//! Floor 2: how frames travel between the supervisor and one resident worker, both ends.
//!
//! The supervisor's end ([`Channel`]) never waits: it says what it waits for and the one loop waits.
//! The worker's end ([`Connection`]) waits, since a worker has nothing else to do. What all channels
//! of a run share is a [`Transport`]: it opens one for each worker, and what it hands the worker
//! ([`Endpoints`]) becomes the other end by [`connect`] in the other process.
//!
//! What an end receives is judged here, once: behind [`Channel::next`] a message is well-formed, its
//! body has the shape that `wire/message.rs` promises, and only what the core alone can know (is this
//! the item it holds?) remains to be asked.
//!
//! Invariant: moves bytes and judges their shape; knows no run, no lease and no process.

mod cutter;
mod endpoints;
mod file;
pub mod in_process;
mod incoming;
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

pub use endpoints::Endpoints;
pub use input_integrity::InputIntegrity;
pub use staging::StagingArea;

use crate::model::spec::{TransportKind, TransportSpec};
use crate::model::time::Duration;
use crate::sys::block::BlockSlice;
use crate::sys::growable_buffer::GrowableBuffer;
use crate::sys::guard::Leftover;
use crate::sys::spill::{SpillFile, SpilledContent};
use crate::wire::codec::{self, CodecError, Message};
use crate::wire::frame::{Frame, FrameError, Header, Kind};
use crate::wire::message::{FromWorker, REASON_BYTES_MAX, SMALL_BODY_BYTES_MAX, ToWorker};
use crate::wire::times::{self, PAIR_BYTES};
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// What one [`Channel::fill`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// So many bytes; ask [`Channel::next`] what they are.
    Bytes(usize),
    /// Nothing at the moment.
    Blocked,
    /// The worker's end is closed; nothing will come any more.
    Closed,
}

/// What one [`Channel::flush`] left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Nothing.
    All,
    /// Something: flush again when [`Channel::write_fd`] is writable.
    Blocked,
    /// Nothing, because nobody reads any more; what was queued is dropped. The worker's exit tells the rest.
    Closed,
}

/// A result of more than [`SMALL_BODY_BYTES_MAX`] that has begun to arrive.
#[derive(Debug)]
pub struct Large {
    /// A `Done` of one item.
    pub message: FromWorker,
    /// When it was worked on, once it is whole, if the message is `timed`.
    pub times: [u8; PAIR_BYTES],
    /// The result, once it is whole.
    pub kept: Option<SpilledContent>,
}

/// The supervisor's end. Never waits.
///
/// - facts in: [`fill`](Self::fill), [`next`](Self::next), [`large`](Self::large)
/// - orders out: [`queue`](Self::queue), [`flush`](Self::flush), [`close_input`](Self::close_input)
/// - questions: [`read_fd`](Self::read_fd), [`write_fd`](Self::write_fd), [`backlog_bytes`](Self::backlog_bytes)
///
/// Closing an fd does not take it out of a poll set while a process between fork and exec holds a
/// copy: take both fds out before the channel, or its input, is closed.
pub trait Channel {
    /// Readable when [`fill`](Self::fill) has something to bring.
    fn read_fd(&self) -> BorrowedFd<'_>;

    /// Writable when [`flush`](Self::flush) can go on; may be the same as [`read_fd`](Self::read_fd).
    /// `None` once the input is closed.
    fn write_fd(&self) -> Option<BorrowedFd<'_>>;

    /// One read, of at most [`crate::wire::frame::BUFFER_BYTES`] (more only inside a larger frame).
    ///
    /// # Errors
    /// The system's; the channel is of no use any more.
    fn fill(&mut self) -> io::Result<Fill>;

    /// The next message of those that have arrived, with its body; `None`: ask [`large`](Self::large), then fill again.
    ///
    /// # Errors
    /// The worker broke the protocol. Nothing that follows can be trusted: end it.
    fn next(&mut self) -> Result<Option<(FromWorker, &[u8])>, ChannelError>;

    /// From now on results of more than [`SMALL_BODY_BYTES_MAX`] are kept there as they come, and told of by
    /// [`large`](Self::large) alone.
    fn keep_large_in(&mut self, spill: &Arc<SpillFile>) {
        let _ = spill;
    }

    /// The large result that is coming, if one is, as soon as its head is there; once it is whole, the next message
    /// may have arrived, too.
    ///
    /// # Errors
    /// As of [`next`](Self::next); or [`ChannelError::Keep`], for which the worker cannot be blamed.
    fn large(&mut self) -> Result<Option<Large>, ChannelError> {
        Ok(None)
    }

    /// If a part of a message has arrived, and no more, once [`next`](Self::next) and [`large`](Self::large) have given
    /// what is there.
    fn is_torn(&self) -> bool {
        false
    }

    /// Adds a message to the backlog. Nothing leaves before [`flush`](Self::flush), so that all
    /// messages of a turn leave in one write. Dropped silently once nobody reads.
    ///
    /// # Errors
    /// The body is over the limit of a frame.
    fn queue(&mut self, message: ToWorker, body: BlockSlice<'_>) -> Result<(), ChannelError>;

    /// Writes as much of the backlog as fits.
    ///
    /// # Errors
    /// The system's, other than that nobody reads.
    fn flush(&mut self) -> io::Result<Flush>;

    /// Bytes that are queued and not yet written.
    fn backlog_bytes(&self) -> usize;

    /// The worker reads end-of-file behind what was flushed; what was not is dropped. Results still come.
    fn close_input(&mut self);

    /// The worker has ended: from now on [`fill`](Self::fill) also brings, where that is known, what it had
    /// done and not sent.
    fn ended(&mut self) {}

    /// If results, or room for the backlog, may come and no fd says so: then [`fill`](Self::fill) and
    /// [`flush`](Self::flush) now and then, and [`arm`](Self::park) before waiting.
    fn is_busy_polled(&self) -> bool {
        false
    }

    /// From now on [`read_fd`](Self::read_fd) becomes readable when there are results or, if there is a
    /// backlog, room for some of it; until the next `fill` or `flush`. `false`: there is something now.
    fn arm(&mut self) -> bool {
        true
    }
}

/// The worker's end, in two halves, since a run is still lent by the one while results leave by the other.
pub struct Connection {
    pub items: Box<dyn ItemsIn>,
    pub results: Box<dyn ResultsOut>,
}

/// Where a worker's items come in. Waits.
pub trait ItemsIn {
    /// Waits for bytes; `false` at the end of the input.
    ///
    /// # Errors
    /// The system's.
    fn fill(&mut self) -> io::Result<bool>;

    /// The next message of those that have arrived, with its body; `None`: fill again.
    ///
    /// # Errors
    /// The other side does not keep to the protocol.
    fn next(&mut self) -> Result<Option<(ToWorker, &[u8])>, ChannelError>;

    /// How many whole messages [`next`](Self::next) has in store, counted up to `most`.
    fn waiting(&self, most: usize) -> usize;

    /// What tells of the bytes that [`next`](Self::next) lent whether they are there, and afterwards whether they were
    /// whole.
    fn integrity(&self) -> Arc<InputIntegrity> {
        Arc::default()
    }
}

/// Where a worker's results go out. Waits.
pub trait ResultsOut {
    /// Takes whole frames, as [`crate::wire::append`] makes them. Waits until all are written.
    ///
    /// # Errors
    /// The system's; `BrokenPipe` if the supervisor is gone.
    fn send(&mut self, frames: &[u8]) -> io::Result<()>;

    /// If what is written there outlives this process, where results are to be put together, and the frames of
    /// them that wait to be sent: once.
    fn staging(&self) -> Option<(StagingArea, [GrowableBuffer; 2])> {
        None
    }

    /// The same for frames of which the last one's body lies apart.
    ///
    /// # Errors
    /// As of [`send`](Self::send).
    fn send_parts(&mut self, frames: &[u8], body: &[u8]) -> io::Result<()> {
        self.send(&[frames, body].concat())
    }
}

/// Why what arrived is no message; completes "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("read a message: it travels the wrong way")]
    Direction,
    #[error("read a message: it speaks of no items")]
    Empty,
    #[error("read the times of {count} items: the body has {bytes} bytes only")]
    Times { count: u32, bytes: usize },
    #[error("read the results of {count} items: they are not a line each (newlines: {newlines})")]
    Results { count: u32, newlines: usize },
    #[error(
        "read the results of {count} items: {bytes} bytes are over the limit of {SMALL_BODY_BYTES_MAX} for several"
    )]
    Several { count: u32, bytes: usize },
    #[error("keep a result in a temporary file in {folder}: {error}")]
    Keep { folder: String, error: String },
    #[error("read a reason: its {bytes} bytes are over the limit of {REASON_BYTES_MAX}")]
    Reason { bytes: usize },
    #[error("read a hello: a body of {bytes} bytes follows it")]
    Hello { bytes: usize },
    #[error(transparent)]
    Ring(#[from] shm_ring::Broken),
    #[error("read a message: it is no reference to a file")]
    Reference,
    #[error("write an item to the spool in {folder}: {error}")]
    Spool { folder: String, error: String },
    #[error("map {what}: {error}")]
    Map { what: &'static str, error: String },
    #[error("read an item: {what} was cut short meanwhile")]
    Lost { what: &'static str },
}

/// What all channels of a run share; makes one for each worker.
pub trait Transport {
    /// Makes a channel to a worker that is yet to start: our end, and what the worker is handed.
    /// All descriptors are close-on-exec.
    ///
    /// # Errors
    /// No file descriptors, or none of what else a channel is made of, are left.
    fn open(&mut self) -> io::Result<(Box<dyn Channel>, Endpoints)>;

    /// Most descriptors that the supervisor holds for one worker's channel once it is started.
    fn fds_per_channel(&self) -> u64;

    /// What has a name while a channel is opened, for somebody to take away if the supervisor is killed just then.
    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }

    /// How long channels that are awake are looked at, in vain, before they are parked.
    fn spin(&self) -> Duration {
        Duration::ZERO
    }

    /// Blocks of items may be parts of this file, mapped. For channels that are opened from now on.
    fn share_input(&mut self, input: &Arc<File>) {
        let _ = input;
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
/// It was handed less than this transport needs.
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

/// The message in a frame that a worker sent, and its body; each transport's [`Channel::next`] ends here.
///
/// # Errors
/// It is none, or the body is not what `wire/message.rs` promises for it.
#[inline(always)]
pub fn message(frame: Frame<'_>) -> Result<Option<(FromWorker, &[u8])>, ChannelError> {
    let body = frame.body;
    // The usual one goes where it is wanted without a stop in between: there may be one for each tiny item.
    if frame.kind == Kind::FromWorker
        && let Some(FromWorker::Done { first, count, attempt, busy_ns, timed: false }) = FromWorker::read(frame.head)
        && count > 0
    {
        judge_results(count, body)?;
        return Ok(Some((FromWorker::Done { first, count, attempt, busy_ns, timed: false }, body)));
    }
    Ok(Some((judge(&frame)?, body)))
}

#[cold]
fn judge(frame: &Frame<'_>) -> Result<FromWorker, ChannelError> {
    if frame.kind != Kind::FromWorker {
        return Err(ChannelError::Direction);
    }
    let message = codec::decode(frame.head)?;
    let body = frame.body;
    match message {
        FromWorker::Hello { .. } if !body.is_empty() => Err(ChannelError::Hello { bytes: body.len() }),
        FromWorker::Hello { .. } => Ok(message),
        FromWorker::Failed { timed, .. } => match behind_times(body, 1, timed)? {
            reason if reason.len() > REASON_BYTES_MAX => Err(ChannelError::Reason { bytes: reason.len() }),
            _ => Ok(message),
        },
        FromWorker::Done { count: 0, .. } => Err(ChannelError::Empty),
        FromWorker::Done { count, timed, .. } => {
            if count > 1 && body.len() > SMALL_BODY_BYTES_MAX {
                return Err(ChannelError::Several { count, bytes: body.len() });
            }
            judge_results(count, behind_times(body, count, timed)?)?;
            Ok(message)
        }
    }
}

/// The message of a frame of which a large body is yet to come.
///
/// # Errors
/// It is none, or not one that has a large body.
fn judge_prefix(header: Header, head: &[u8]) -> Result<FromWorker, ChannelError> {
    let bytes = header.body_bytes;
    if header.kind != Kind::FromWorker {
        return Err(ChannelError::Direction);
    }
    match codec::decode(head)? {
        FromWorker::Hello { .. } => Err(ChannelError::Hello { bytes }),
        FromWorker::Failed { .. } => Err(ChannelError::Reason { bytes }),
        FromWorker::Done { count: 0, .. } => Err(ChannelError::Empty),
        FromWorker::Done { count, .. } if count > 1 => Err(ChannelError::Several { count, bytes }),
        message @ FromWorker::Done { .. } => Ok(message),
    }
}

/// What follows the times of these items, if they are there.
fn behind_times(body: &[u8], count: u32, timed: bool) -> Result<&[u8], ChannelError> {
    if !timed {
        return Ok(body);
    }
    let (_, rest) = times::split(body, count).ok_or(ChannelError::Times { count, bytes: body.len() })?;
    Ok(rest)
}

/// Several results are a line each. It costs 0.3 ns an item, and lets every reporter cut at newlines.
fn judge_results(count: u32, results: &[u8]) -> Result<(), ChannelError> {
    if count == 1 {
        return Ok(());
    }
    let newlines = memchr::memchr_iter(b'\n', results).count();
    if newlines == count as usize && results.ends_with(b"\n") {
        Ok(())
    } else {
        Err(ChannelError::Results { count, newlines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(count: u32, timed: bool) -> FromWorker {
        FromWorker::Done { first: 7, count, attempt: 1, busy_ns: 1, timed }
    }

    fn judged(kind: Kind, message: FromWorker, body: &[u8]) -> Result<FromWorker, ChannelError> {
        let mut head = Vec::new();
        codec::encode(&message, &mut head);
        judge(&Frame { kind, head: &head, body })
    }

    #[test]
    fn the_shape_of_a_message_is_judged() {
        let hello = FromWorker::Hello { protocol: 1, pid: 2, token: [0; 16] };
        let failed = |timed| FromWorker::Failed { item: 7, attempt: 1, panicked: false, timed };
        let long = vec![b'x'; REASON_BYTES_MAX + 1];
        let longest_timed = vec![b'x'; REASON_BYTES_MAX + times::PAIR_BYTES];
        let good: [(FromWorker, &[u8]); 8] = [
            (hello, b""),
            (failed(false), &long[1..]),
            (failed(true), &longest_timed),
            (done(1, false), b""),
            (done(1, false), b"a\nb"),
            (done(2, false), b"a\n\n"),
            (done(1, true), b"0123456789abcdefresult"),
            (done(2, true), b"0123456789abcdef0123456789abcdef1\n4\n"),
        ];
        for (message, body) in good {
            assert_eq!(judged(Kind::FromWorker, message, body), Ok(message));
            assert_eq!(judged(Kind::ToWorker, message, body), Err(ChannelError::Direction));
        }
        let bad: [(FromWorker, &[u8], &str); 8] = [
            (hello, b"x", "read a hello: a body of 1 bytes follows it"),
            (failed(false), &long, "read a reason: its 65537 bytes are over the limit of 65536"),
            (failed(true), b"oh", "read the times of 1 items: the body has 2 bytes only"),
            (done(0, false), b"", "read a message: it speaks of no items"),
            (done(2, false), b"a\nb", "read the results of 2 items: they are not a line each (newlines: 1)"),
            (done(2, false), b"a\n", "read the results of 2 items: they are not a line each (newlines: 1)"),
            (done(2, true), b"0123456789abcdef\n\n", "read the times of 2 items: the body has 18 bytes only"),
            (done(u32::MAX, true), b"", "read the times of 4294967295 items: the body has 0 bytes only"),
        ];
        for (message, body, words) in bad {
            assert_eq!(judged(Kind::FromWorker, message, body).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn every_transport_has_a_name() {
        assert_eq!(by_name("pipe"), Some(TransportKind::Pipe));
        assert_eq!(by_name("pipes"), None);
    }
}
