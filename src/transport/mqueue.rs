//! Two POSIX message queues as streams: bytes are cut into messages and joined again, and small writes share a message.
//!
//! A queue does not report that its other side has closed. So a worker is also handed one end of a pair of sockets,
//! the liveness socket. No bytes are sent over it. If the supervisor closes its end, the input has ended; if the
//! worker's end is closed, the worker has exited. Messages that were sent before are in the queue and are read first.
//!
//! A queue has a name between two system calls and is inherited like a pipe after that. `mqueue_shapes.rs` computes its
//! size.
//!
//! Invariant: a name exists only inside [`mqueue::open`]; the guard removes it if the supervisor is killed there.

use super::copies::Copies;
use super::cutter::Cutter;
use super::mqueue_shapes::{QueueError, judge, shapes};
use super::stream::{self, StreamChannel};
use super::{Channel, Connection, Endpoints, OpenError, Transport, TransportError};
use crate::model::time::Duration;
use crate::sys::guard::Leftover;
use crate::sys::mqueue::{self, Limits, Shape};
use crate::sys::poller::{AnyOf, Interest};
use crate::sys::{limits, random, socket};
use crate::wire::names;
use std::cell::Cell;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

/// Most messages of one read. A limit, since a worker may send any number of empty messages.
const MESSAGES_OF_A_READ: usize = 64;

/// Descriptors of one channel: two queues, the liveness socket, and the poller that watches two of them at once.
const FDS_PER_CHANNEL: u64 = 4;

/// A channel beyond those of the announced workers takes at most this part of the bytes that are left.
const SHARES_OF_THE_REST: u64 = 8;

/// Descriptors that are opened before the limits of descriptors are checked.
const OTHER_FDS: u64 = 32;

/// Those of a stream: `mq_send` copies into the queue, `mq_receive` out of it. The first message of a large body is put
/// together with its header before, which is one copy more of at most a message.
pub(super) const COPIES: Copies = stream::COPIES;

/// The queues of one run, two for each worker.
pub(super) struct MqueueTransport {
    /// The name of the queue that is being opened.
    name: CString,
    /// The number of workers that the run was configured with.
    workers: u32,
    allowed: Limits,
    /// The shapes that a queue may have, larger ones first. The queues of all announced workers fit in the first
    /// shape.
    shapes: Vec<Shape>,
    held: Rc<Cell<Held>>,
}

/// What the open channels of a transport hold.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    channels: u32,
    charge: u64,
}

/// The part of [`Held`] that is one channel's.
struct Charge {
    held: Rc<Cell<Held>>,
    bytes: u64,
}

impl Charge {
    fn new(held: &Rc<Cell<Held>>, bytes: u64) -> Self {
        let Held { channels, charge } = held.get();
        held.set(Held { channels: channels + 1, charge: charge + bytes });
        Self { held: Rc::clone(held), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let Held { channels, charge } = self.held.get();
        self.held.set(Held { channels: channels - 1, charge: charge - self.bytes });
    }
}

impl MqueueTransport {
    /// Determines how large the queues of `workers` workers can be.
    pub(super) fn new(workers: u32) -> Result<Self, TransportError> {
        let failed = |error| TransportError::System { what: "prepare message queues", error };
        let name = random::name("/supervisor-").map_err(failed)?;
        let allowed = mqueue::limits().map_err(failed)?;
        let mut shapes = shapes(workers, &allowed)?;
        // Without enough descriptors the attempt would fail for another reason, which is reported later.
        if has_descriptors(workers).map_err(failed)? {
            while let Err(error) = try_out(&name, workers, shapes[0]) {
                match judge(&error, workers, shapes[0], &allowed) {
                    Some(QueueError::BytesInUse { .. }) if shapes.len() > 1 => drop(shapes.remove(0)),
                    Some(refused) => return Err(refused.into()),
                    None => return Err(failed(error)),
                }
            }
        }
        Ok(Self { name, workers, allowed, shapes, held: Rc::default() })
    }

    /// The shapes to try for the next channel. An announced worker gets the largest one. A worker beyond those gets
    /// at most a part of what is left, so that more may follow.
    fn shapes_now(&self) -> &[Shape] {
        let Held { channels, charge } = self.held.get();
        if channels < self.workers {
            return &self.shapes;
        }
        let share = self.allowed.charge.saturating_sub(charge) / SHARES_OF_THE_REST;
        let fitting = self.shapes.iter().position(|shape| 2 * shape.charge() <= share);
        &self.shapes[fitting.unwrap_or(self.shapes.len() - 1)..]
    }

    /// A queue of the largest of these shapes that the limits allow: more queues than those of all workers may be in
    /// use, while the queues of a worker that has ended are still held by processes that it started.
    fn queue(&self, shapes: &[Shape]) -> Result<((OwnedFd, OwnedFd), Shape), OpenError> {
        let mut refused = None;
        for shape in shapes {
            match mqueue::open(&self.name, *shape) {
                Ok(queue) => return Ok((queue, *shape)),
                Err(error) => refused = Some((error, *shape)),
            }
        }
        let Some((error, shape)) = refused else { return Err(io::Error::from(ErrorKind::InvalidInput).into()) };
        Err(match judge(&error, self.held.get().channels + 1, shape, &self.allowed) {
            Some(limit) => OpenError::Queues { limit, error },
            None => error.into(),
        })
    }
}

fn has_descriptors(workers: u32) -> io::Result<bool> {
    let raised = limits::raise_open_files()?;
    Ok(limits::open_files_now() + 2 * u64::from(workers) + OTHER_FDS <= raised.limit())
}

/// Opens what all workers need at once, and closes it again.
fn try_out(name: &CString, workers: u32, shape: Shape) -> io::Result<()> {
    let ends = (0..2 * workers).map(|_| mqueue::open(name, shape).map(|(receiver, _)| receiver));
    ends.collect::<io::Result<Vec<_>>>().map(drop)
}

impl Transport for MqueueTransport {
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let shapes = self.shapes_now();
        let ((their_items, our_items), items_shape) = self.queue(shapes)?;
        let ((our_results, their_results), results_shape) = self.queue(shapes)?;
        let charge = Charge::new(&self.held, items_shape.charge() + results_shape.charge());
        let (ours, theirs) = socket::pair()?;
        let either = AnyOf::new(&[our_results.as_fd(), ours.as_fd()])?;
        let liveness = Rc::new(Liveness { socket: ours, ended: Cell::new(false) });
        let results = MqueueResultReader {
            queue: MqueueReceiver::new(our_results)?,
            either,
            liveness: Rc::clone(&liveness),
            _charge: charge,
        };
        let items = MqueueItemWriter { queue: MqueueSender::new(our_items)?, liveness };
        let channel = StreamChannel::new(results, items, |items| drop(socket::end_output(&items.liveness.socket)));
        let endpoints = Endpoints::new()
            .fd(&[names::FD_IN], their_items)
            .fd(&[names::FD_OUT], their_results)
            .fd(&[names::FD_LIVENESS], theirs);
        Ok((Box::new(channel), endpoints))
    }

    fn fds_per_channel(&self) -> u64 {
        FDS_PER_CHANNEL
    }

    fn leftovers(&self) -> Vec<Leftover> {
        vec![Leftover::Queue(self.name.clone())]
    }

    /// Its channels are not busy-polled.
    fn spin(&self) -> Duration {
        Duration::ZERO
    }

    /// Bodies are copied out of a mapped input.
    fn share_input(&mut self, _: &Arc<File>) {}
}

/// See [`super::connect`].
pub(super) fn connect(mut endpoints: Endpoints) -> io::Result<Connection> {
    let liveness = Rc::new(endpoints.take_fd(names::FD_LIVENESS)?);
    let items = MqueueItemReader {
        queue: MqueueReceiver::new(endpoints.take_fd(names::FD_IN)?)?,
        liveness: Rc::clone(&liveness),
    };
    let results = MqueueResultWriter { queue: MqueueSender::new(endpoints.take_fd(names::FD_OUT)?)?, liveness };
    Ok(stream::connection(items, results))
}

/// The end of a queue that is read.
struct MqueueReceiver {
    queue: OwnedFd,
    message_bytes: usize,
    /// A message that was longer than the free bytes of a read, and the part of it that was not read.
    message: Vec<u8>,
    left: Range<usize>,
}

impl MqueueReceiver {
    fn new(queue: OwnedFd) -> io::Result<Self> {
        let message_bytes = mqueue::message_bytes(&queue)?;
        Ok(Self { queue, message_bytes, message: Vec::new(), left: 0..0 })
    }

    /// As many messages as fit into `into`, or a part of one; never nothing.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left.is_empty() && into.len() < self.message_bytes {
            self.message.resize(self.message_bytes, 0);
            self.left = 0..mqueue::receive(&self.queue, &mut self.message)?;
        }
        let mut bytes = self.left.len().min(into.len());
        into[..bytes].copy_from_slice(&self.message[self.left.start..][..bytes]);
        self.left.start += bytes;
        for _ in 0..MESSAGES_OF_A_READ {
            if into.len() - bytes < self.message_bytes {
                break;
            }
            match mqueue::receive(&self.queue, &mut into[bytes..]) {
                Ok(received) => bytes += received,
                Err(error) if bytes == 0 || error.kind() != ErrorKind::WouldBlock => return Err(error),
                Err(_) => break,
            }
        }
        if bytes == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(bytes) }
    }
}

/// The end of a queue that is written to.
struct MqueueSender {
    queue: OwnedFd,
    cutter: Cutter,
}

impl MqueueSender {
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

/// The supervisor's end of the liveness socket.
struct Liveness {
    socket: OwnedFd,
    /// The worker's end is closed, or has sent bytes, which the SDK does not.
    ended: Cell<bool>,
}

/// The supervisor's end of the queue with results.
struct MqueueResultReader {
    queue: MqueueReceiver,
    /// Readable when the queue is, or when the liveness socket has ended.
    either: AnyOf,
    liveness: Rc<Liveness>,
    _charge: Charge,
}

impl Read for MqueueResultReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.queue.read(into);
        if !is_blocked(&read) || socket::is_silent(&self.liveness.socket) {
            return read;
        }
        self.liveness.ended.set(true);
        // The worker may have sent something just before.
        let last = self.queue.read(into);
        if is_blocked(&last) { Ok(0) } else { last }
    }
}

impl AsFd for MqueueResultReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.either.as_fd()
    }
}

/// The supervisor's end of the queue with items.
struct MqueueItemWriter {
    queue: MqueueSender,
    liveness: Rc<Liveness>,
}

impl MqueueItemWriter {
    fn check_liveness(&self) -> io::Result<()> {
        if self.liveness.ended.get() { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

impl Write for MqueueItemWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check_liveness()?;
        self.queue.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.check_liveness()?;
        self.queue.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for MqueueItemWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.queue.as_fd()
    }
}

/// The worker's end of the queue with items.
struct MqueueItemReader {
    queue: MqueueReceiver,
    liveness: Rc<OwnedFd>,
}

impl Read for MqueueItemReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.queue.read(into);
            if !is_blocked(&read) {
                return read;
            }
            if !socket::wait_beside(&self.liveness, &self.queue.queue, Interest::READ)? {
                let last = self.queue.read(into);
                return if is_blocked(&last) { Ok(0) } else { last };
            }
        }
    }
}

/// The worker's end of the queue with results.
struct MqueueResultWriter {
    queue: MqueueSender,
    liveness: Rc<OwnedFd>,
}

impl Write for MqueueResultWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = self.queue.write(bytes);
            if !is_blocked(&written) {
                return written;
            }
            if !socket::wait_beside(&self.liveness, &self.queue.queue, Interest::WRITE)? {
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
    fn channels_beyond_the_announced_ones_get_less_and_less_until_the_limit_is_named() {
        let shapes = shapes(1, &USUAL).unwrap();
        let name = random::name("/supervisor-test-").unwrap();
        let transport = MqueueTransport { name, workers: 1, allowed: USUAL, shapes, held: Rc::default() };
        let mut charges = Vec::new();
        let mut before = u64::MAX;
        loop {
            let bytes = 2 * transport.shapes_now()[0].charge();
            if transport.held.get().charge + bytes > USUAL.charge {
                break;
            }
            assert!(bytes <= before);
            before = bytes;
            charges.push(Charge::new(&transport.held, bytes));
        }
        assert!(charges.len() > 30, "{}", charges.len());
        drop(charges);
        let Held { channels, charge } = transport.held.get();
        assert_eq!((channels, charge), (0, 0));
        let impossible = Shape { messages: 1 << 20, bytes: 1 << 20 };
        let error = transport.queue(&[impossible]).unwrap_err();
        assert!(error.errno().is_some(), "{error}");
    }

    #[test]
    fn messages_are_put_together_and_taken_apart_however_short_the_reads_are() {
        let name = random::name("/supervisor-test-").unwrap();
        let (receiver, sender) = mqueue::open(&name, Shape { messages: 4, bytes: 128 }).unwrap();
        let (mut receiver, mut sender) = (MqueueReceiver::new(receiver).unwrap(), MqueueSender::new(sender).unwrap());
        let bytes: Vec<u8> = (0..=255).collect();
        // 6 + 122 bytes are the first message, and then whole ones leave by themselves.
        let parts = [&bytes[..6], &bytes[6..250], &bytes[250..]].map(IoSlice::new);
        assert_eq!(sender.write_vectored(&parts).unwrap(), 128);
        let parts = [&bytes[128..250], &bytes[250..]].map(IoSlice::new);
        assert_eq!(sender.write_vectored(&parts).unwrap(), 128);
        assert_eq!(sender.write_vectored(&[IoSlice::new(&bytes)]).unwrap(), 256);
        assert!(is_blocked(&sender.write(b"full")));
        let mut read = Vec::new();
        for size in [1, 100, 127, 128, 300, 300] {
            let mut into = vec![0; size];
            let bytes = receiver.read(&mut into).unwrap_or(0);
            read.extend_from_slice(&into[..bytes]);
        }
        assert!(read == [&bytes[..], &bytes[..]].concat());
        mqueue::send(&sender.queue, b"").unwrap();
        assert!(is_blocked(&receiver.read(&mut [0; 200])), "an empty message is not the end");
    }
}
