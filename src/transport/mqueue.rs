//! Two POSIX message queues, made to look like streams: frames are cut into messages and put together
//! again, small ones share a message.
//!
//! A queue says nothing when its other side leaves. So a worker is also handed one end of a pair of
//! sockets, the **line**, over which nothing is ever said: that it ends is the end of the input, and
//! of the worker. What was sent before is in the queue by then, and is read first.
//!
//! The queues have a name for two system calls, and are inherited after that like pipes. How large
//! they are follows from how many there are to be: the system counts all queues of a user together,
//! and counts them as full.
//!
//! Invariant: a name is in use only inside [`mqueue::open`]; what a killed supervisor may leave of it
//! there, the guard takes away.

use super::cutter::Cutter;
use super::stream::{self, StreamChannel};
use super::{Channel, Connection, Endpoints, Transport, TransportError};
use crate::sys::guard::Leftover;
use crate::sys::mqueue::{self, Limits, Shape};
use crate::sys::poller::{AnyOf, Interest};
use crate::sys::{limits, random, socket};
use crate::wire::names;
use std::cell::Cell;
use std::ffi::CString;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Shapes beyond this gain nothing: a message is as much as a read, and the queue holds a few.
const SHAPE_MAX: Shape = Shape { messages: 16, bytes: 32 * 1024 };

/// Below these, first the messages get shorter, and then the queue.
const MESSAGES_MIN: u32 = 4;
const MESSAGE_BYTES_MIN: u32 = 1024;

/// Most messages of one read. Empty ones bring nothing: who sends many shall not keep the loop.
const MESSAGES_OF_A_READ: usize = 64;

/// Descriptors of one channel: two queues, the line, and what watches two of them at once.
const FDS_PER_CHANNEL: u64 = 4;

/// What else is opened before the limits of descriptors are looked at.
const OTHER_FDS: u64 = 32;

/// Why message queues cannot serve a run; completes "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    #[error(
        "carry frames by message queues: {workers} workers need {needed} bytes of them and the limit is {limit}; raise `ulimit -q`, give fewer workers or another --transport"
    )]
    Bytes { workers: u32, needed: u64, limit: u64 },
    #[error(
        "carry frames by message queues: {workers} workers need {needed} bytes of them, of {limit} that `ulimit -q` allows all of this user's, and others hold some; raise it, give fewer workers or another --transport"
    )]
    BytesInUse { workers: u32, needed: u64, limit: u64 },
    #[error(
        "carry frames by message queues: {workers} workers need {needed} and /proc/sys/fs/mqueue/queues_max allows {limit} in all; raise it, give fewer workers or another --transport"
    )]
    Queues { workers: u32, needed: u64, limit: u64 },
    #[error("carry frames by message queues: this system has none; give another --transport")]
    Unknown,
}

/// The queues of one run, two for each worker.
pub(super) struct MqueueTransport {
    /// Of each queue for a moment, one at a time.
    name: CString,
    /// The shapes that a queue may have, larger ones first; the first is what all workers were found
    /// to have room for.
    shapes: Vec<Shape>,
}

impl MqueueTransport {
    /// Finds out how large the queues of so many workers can be.
    pub(super) fn new(workers: u32) -> Result<Self, TransportError> {
        let failed = |error| TransportError::System { what: "prepare message queues", error };
        let name = random::name("/supervisor-").map_err(failed)?;
        let allowed = mqueue::limits().map_err(failed)?;
        let mut shapes = shapes(workers, &allowed)?;
        // A supervisor that cannot open them for another reason says so later, with other words.
        if !has_descriptors(workers).map_err(failed)? {
            return Ok(Self { name, shapes });
        }
        loop {
            match try_out(&name, workers, shapes[0]) {
                Ok(()) => return Ok(Self { name, shapes }),
                Err(error) => match judge(&error, workers, shapes[0], &allowed) {
                    Some(QueueError::BytesInUse { .. }) if shapes.len() > 1 => drop(shapes.remove(0)),
                    Some(refused) => return Err(refused.into()),
                    None => return Err(failed(error)),
                },
            }
        }
    }

    /// A queue of the largest shape that there is room for: more than all workers have now may be in
    /// use, while the queues of one that ended are still held by what it started.
    fn queue(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        let (last, others) = self.shapes.split_last().ok_or(ErrorKind::InvalidInput)?;
        let opened = others.iter().find_map(|shape| mqueue::open(&self.name, *shape).ok());
        opened.map_or_else(|| mqueue::open(&self.name, *last), Ok)
    }
}

/// The shapes of which the queues of so many workers keep within the limits, larger ones first.
fn shapes(workers: u32, allowed: &Limits) -> Result<Vec<Shape>, QueueError> {
    let needed = |shape: Shape| 2 * u64::from(workers) * shape.charge();
    let mut shape = Shape {
        messages: SHAPE_MAX.messages.min(allowed.shape.messages),
        bytes: SHAPE_MAX.bytes.min(allowed.shape.bytes),
    };
    let mut shapes = Vec::new();
    loop {
        if needed(shape) <= allowed.charge {
            shapes.push(shape);
        }
        if shape.messages > MESSAGES_MIN {
            shape.messages = (shape.messages - shape.messages / 4).max(MESSAGES_MIN);
        } else if shape.bytes > MESSAGE_BYTES_MIN {
            shape.bytes = (shape.bytes / 2).max(MESSAGE_BYTES_MIN);
        } else if shape.messages > 1 {
            shape.messages = 1;
        } else {
            break;
        }
    }
    let least = QueueError::Bytes { workers, needed: needed(shape), limit: allowed.charge };
    if shapes.is_empty() { Err(least) } else { Ok(shapes) }
}

fn has_descriptors(workers: u32) -> io::Result<bool> {
    let raised = limits::raise_open_files()?;
    Ok(limits::open_files_now()? + 2 * u64::from(workers) + OTHER_FDS <= raised.limit())
}

/// Opens, and closes again, what all workers need at once.
fn try_out(name: &CString, workers: u32, shape: Shape) -> io::Result<()> {
    let ends = (0..2 * workers).map(|_| mqueue::open(name, shape).map(|(receiver, _)| receiver));
    ends.collect::<io::Result<Vec<_>>>().map(drop)
}

/// The refusal that an error stands for, if it is one.
fn judge(error: &io::Error, workers: u32, shape: Shape, allowed: &Limits) -> Option<QueueError> {
    let count = 2 * u64::from(workers);
    match error.raw_os_error() {
        Some(libc::EMFILE) => {
            Some(QueueError::BytesInUse { workers, needed: count * shape.charge(), limit: allowed.charge })
        }
        Some(libc::ENOSPC) => Some(QueueError::Queues { workers, needed: count, limit: allowed.queues }),
        Some(libc::ENOSYS) => Some(QueueError::Unknown),
        _ => None,
    }
}

impl Transport for MqueueTransport {
    fn open(&mut self) -> io::Result<(Box<dyn Channel>, Endpoints)> {
        let (their_items, our_items) = self.queue()?;
        let (our_results, their_results) = self.queue()?;
        let (ours, theirs) = socket::pair()?;
        let either = AnyOf::new(&[our_results.as_fd(), ours.as_fd()])?;
        let line = Rc::new(Line { socket: ours, ended: Cell::new(false) });
        let results = Results { queue: Inbox::new(our_results)?, either, line: Rc::clone(&line) };
        let items = Items { queue: Outbox::new(our_items)?, line };
        let channel = StreamChannel::new(results, items, |items| drop(socket::end_output(&items.line.socket)));
        let endpoints = Endpoints::new()
            .fd(&[names::FD_IN], their_items)
            .fd(&[names::FD_OUT], their_results)
            .fd(&[names::FD_LINE], theirs);
        Ok((Box::new(channel), endpoints))
    }

    fn fds_per_channel(&self) -> u64 {
        FDS_PER_CHANNEL
    }

    fn leftovers(&self) -> Vec<Leftover> {
        vec![Leftover::Queue(self.name.clone())]
    }
}

/// See [`super::connect`].
pub(super) fn connect(mut endpoints: Endpoints) -> io::Result<Connection> {
    let line = Rc::new(endpoints.take_fd(names::FD_LINE)?);
    let items = WorkerItems { queue: Inbox::new(endpoints.take_fd(names::FD_IN)?)?, line: Rc::clone(&line) };
    let results = WorkerResults { queue: Outbox::new(endpoints.take_fd(names::FD_OUT)?)?, line };
    Ok(stream::connection(items, results))
}

/// The end of a queue that is read.
struct Inbox {
    queue: OwnedFd,
    message_bytes: usize,
    /// A message that was longer than there was room for, and what of it is left.
    message: Vec<u8>,
    left: Range<usize>,
}

impl Inbox {
    fn new(queue: OwnedFd) -> io::Result<Self> {
        let message_bytes = mqueue::message_bytes(&queue)?;
        Ok(Self { queue, message_bytes, message: Vec::new(), left: 0..0 })
    }

    /// As many messages as fit into `room`, or a part of one; never nothing.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.left.is_empty() && room.len() < self.message_bytes {
            self.message.resize(self.message_bytes, 0);
            self.left = 0..mqueue::receive(&self.queue, &mut self.message)?;
        }
        let mut bytes = self.left.len().min(room.len());
        room[..bytes].copy_from_slice(&self.message[self.left.start..][..bytes]);
        self.left.start += bytes;
        for _ in 0..MESSAGES_OF_A_READ {
            if room.len() - bytes < self.message_bytes {
                break;
            }
            match mqueue::receive(&self.queue, &mut room[bytes..]) {
                Ok(received) => bytes += received,
                Err(error) if bytes == 0 || error.kind() != ErrorKind::WouldBlock => return Err(error),
                Err(_) => break,
            }
        }
        if bytes == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(bytes) }
    }
}

/// The end of a queue that is written to.
struct Outbox {
    queue: OwnedFd,
    cutter: Cutter,
}

impl Outbox {
    fn new(queue: OwnedFd) -> io::Result<Self> {
        let cutter = Cutter::new(mqueue::message_bytes(&queue)?);
        Ok(Self { queue, cutter })
    }

    /// As many messages as the queue takes; never nothing.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.cutter.write(bytes, |message| mqueue::send(&self.queue, message))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.cutter.write_vectored(slices, |message| mqueue::send(&self.queue, message))
    }
}

fn is_blocked<T>(done: &io::Result<T>) -> bool {
    matches!(done, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Our end of the line.
struct Line {
    socket: OwnedFd,
    /// The worker's is closed, or it has said something: then it is none of ours.
    ended: Cell<bool>,
}

/// The supervisor's end of the queue with results.
struct Results {
    queue: Inbox,
    /// Readable when the queue is, or when the line has ended.
    either: AnyOf,
    line: Rc<Line>,
}

impl Read for Results {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.queue.read(room);
        if !is_blocked(&read) || socket::is_silent(&self.line.socket) {
            return read;
        }
        self.line.ended.set(true);
        // It may have sent something just before.
        let last = self.queue.read(room);
        if is_blocked(&last) { Ok(0) } else { last }
    }
}

impl AsFd for Results {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.either.as_fd()
    }
}

/// The supervisor's end of the queue with items.
struct Items {
    queue: Outbox,
    line: Rc<Line>,
}

impl Items {
    fn check_line(&self) -> io::Result<()> {
        if self.line.ended.get() { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

impl Write for Items {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check_line()?;
        self.queue.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.check_line()?;
        self.queue.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Items {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.queue.as_fd()
    }
}

/// The worker's end of the queue with items.
struct WorkerItems {
    queue: Inbox,
    line: Rc<OwnedFd>,
}

impl Read for WorkerItems {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.queue.read(room);
            if !is_blocked(&read) {
                return read;
            }
            if !socket::wait_beside(&self.line, &self.queue.queue, Interest::READ)? {
                let last = self.queue.read(room);
                return if is_blocked(&last) { Ok(0) } else { last };
            }
        }
    }
}

/// The worker's end of the queue with results.
struct WorkerResults {
    queue: Outbox,
    line: Rc<OwnedFd>,
}

impl Write for WorkerResults {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = self.queue.write(bytes);
            if !is_blocked(&written) {
                return written;
            }
            if !socket::wait_beside(&self.line, &self.queue.queue, Interest::WRITE)? {
                return Err(ErrorKind::BrokenPipe.into());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Limits = Limits { shape: Shape { messages: 10, bytes: 8192 }, queues: 256, charge: 819_200 };

    #[test]
    fn queues_shrink_as_workers_become_more_until_nothing_fits() {
        let first = |workers| shapes(workers, &USUAL).map(|shapes| (shapes[0].messages, shapes[0].bytes));
        let expected = [(1, 10, 8192), (4, 10, 8192), (5, 8, 8192), (8, 6, 8192), (12, 4, 8192), (16, 4, 4096)];
        for (workers, messages, bytes) in expected {
            assert_eq!(first(workers), Ok((messages, bytes)), "{workers} workers");
        }
        assert_eq!(first(365), Ok((1, 1024)));
        let error = first(366).unwrap_err();
        assert_eq!(error, QueueError::Bytes { workers: 366, needed: 819_840, limit: 819_200 });
        assert_eq!(
            error.to_string(),
            "carry frames by message queues: 366 workers need 819840 bytes of them and the limit is 819200; \
             raise `ulimit -q`, give fewer workers or another --transport"
        );
        for workers in 1..=365 {
            let found = shapes(workers, &USUAL).unwrap();
            assert!(found.iter().all(|shape| 2 * u64::from(workers) * shape.charge() <= USUAL.charge));
            assert!(found.is_sorted_by_key(|shape| std::cmp::Reverse(shape.charge())), "{found:?}");
        }
        let generous = Limits { shape: Shape { messages: 1000, bytes: 1 << 20 }, charge: u64::MAX, ..USUAL };
        assert_eq!(shapes(1000, &generous).unwrap()[0], SHAPE_MAX);
        let tight = Limits { shape: Shape { messages: 1, bytes: 128 }, ..USUAL };
        assert_eq!(shapes(1, &tight).unwrap(), [Shape { messages: 1, bytes: 128 }]);
    }

    #[test]
    fn refusals_are_told_from_other_errors() {
        let shape = Shape { messages: 1, bytes: 1024 };
        let judged = |errno| judge(&io::Error::from_raw_os_error(errno), 3, shape, &USUAL);
        let in_use = QueueError::BytesInUse { workers: 3, needed: 6720, limit: 819_200 };
        assert_eq!(judged(libc::EMFILE), Some(in_use));
        assert_eq!(judged(libc::ENOSPC), Some(QueueError::Queues { workers: 3, needed: 6, limit: 256 }));
        assert_eq!(judged(libc::ENOSYS), Some(QueueError::Unknown));
        assert_eq!(judged(libc::ENOMEM), None);
    }

    #[test]
    fn messages_are_put_together_and_taken_apart_however_little_room_there_is() {
        let name = random::name("/supervisor-test-").unwrap();
        let (receiver, sender) = mqueue::open(&name, Shape { messages: 4, bytes: 128 }).unwrap();
        let (mut inbox, mut outbox) = (Inbox::new(receiver).unwrap(), Outbox::new(sender).unwrap());
        let bytes: Vec<u8> = (0..=255).collect();
        // 6 + 122 bytes are the first message, and then whole ones leave by themselves.
        let parts = [&bytes[..6], &bytes[6..250], &bytes[250..]].map(IoSlice::new);
        assert_eq!(outbox.write_vectored(&parts).unwrap(), 128);
        let parts = [&bytes[128..250], &bytes[250..]].map(IoSlice::new);
        assert_eq!(outbox.write_vectored(&parts).unwrap(), 128);
        assert_eq!(outbox.write_vectored(&[IoSlice::new(&bytes)]).unwrap(), 256);
        assert!(is_blocked(&outbox.write(b"full")));
        let mut read = Vec::new();
        for size in [1, 100, 127, 128, 300, 300] {
            let mut room = vec![0; size];
            let bytes = inbox.read(&mut room).unwrap_or(0);
            read.extend_from_slice(&room[..bytes]);
        }
        assert!(read == [&bytes[..], &bytes[..]].concat());
        mqueue::send(&outbox.queue, b"").unwrap();
        assert!(is_blocked(&inbox.read(&mut [0; 200])), "an empty message is not the end");
    }
}
