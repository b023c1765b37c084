//! A channel to a worker that is a thread of the supervisor (`--isolation thread`): two queues of bytes in memory.
//!
//! `--transport` has no name for it, since the worker's end cannot be passed to another process. The bytes are the same
//! as over the other transports, so a difference in speed is the cost of those.
//!
//! The loop waits for descriptors, so each queue has one on the supervisor's side: a wake fd that is readable while
//! there are results, and a writable fd that is not writable while the queue of items is full. The worker waits on a
//! condition variable. No side makes a system call while the other is busy.
//!
//! Invariant: a queue holds at most `QUEUE_BYTES`; no side waits while holding its lock.

use super::copies::Copies;
use super::stream::{self, StreamChannel};
use super::{Channel, Connection};
use crate::sys::wake_fd::{WakeFd, WritableFd};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// As much as a pipe is asked to hold.
const QUEUE_BYTES: usize = 256 * 1024;

/// Descriptors of one channel: a wake fd and a writable fd.
pub const FDS_PER_CHANNEL: u64 = 2;

/// Those of a stream, with a queue in memory in the place of the kernel: into the queue and out of it.
pub const COPIES: Copies = stream::COPIES;

/// Makes a channel to a worker that is yet to start: the supervisor's end, and the worker's.
///
/// # Errors
/// No file descriptors are left.
pub fn open() -> io::Result<(Box<dyn Channel>, End)> {
    let items = Arc::new(ItemPipe { shared: SharedQueue::default(), writable_fd: WritableFd::new()? });
    let results = Arc::new(ResultPipe { shared: SharedQueue::default(), wake_fd: WakeFd::new()? });
    let end = End { items: ItemPipeReader(Arc::clone(&items)), results: ResultPipeWriter(Arc::clone(&results)) };
    Ok((Box::new(StreamChannel::new(ResultPipeReader(results), ItemPipeWriter(items), |_| ())), end))
}

/// The worker's end. It is moved to the worker's thread.
pub struct End {
    items: ItemPipeReader,
    results: ResultPipeWriter,
}

impl End {
    /// The connection of the worker.
    #[must_use]
    pub fn connect(self) -> Connection {
        stream::connection(self.items, self.results)
    }
}

/// Bytes in transit.
#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    writer_gone: bool,
    reader_gone: bool,
    /// The worker waits and has to be woken.
    is_awaited: bool,
    /// The supervisor found the queue full.
    is_full: bool,
}

impl Queue {
    /// Takes as many of `bytes` as fit.
    fn push(&mut self, bytes: &[u8]) -> usize {
        let pushed = bytes.len().min(QUEUE_BYTES.saturating_sub(self.bytes.len()));
        self.bytes.extend(&bytes[..pushed]);
        pushed
    }
}

/// A queue under its lock, and the condition that the worker waits for.
#[derive(Default)]
struct SharedQueue {
    queue: Mutex<Queue>,
    moved: Condvar,
}

impl SharedQueue {
    /// A panic cannot leave a queue half changed: every change under the lock is complete.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the supervisor has moved bytes; for the worker's side only.
    fn wait<'a>(&self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        queue.is_awaited = true;
        self.moved.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the worker if it waits.
    fn wake(&self, queue: &mut Queue) {
        if std::mem::take(&mut queue.is_awaited) {
            self.moved.notify_one();
        }
    }
}

/// From the supervisor to the worker.
struct ItemPipe {
    shared: SharedQueue,
    /// Not writable while `is_full`.
    writable_fd: WritableFd,
}

/// From the worker to the supervisor.
struct ResultPipe {
    shared: SharedQueue,
    /// Readable while there are bytes, or once the worker's end is closed.
    wake_fd: WakeFd,
}

/// The supervisor writes items. Never waits.
struct ItemPipeWriter(Arc<ItemPipe>);

impl Write for ItemPipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let ItemPipe { shared, writable_fd } = &*self.0;
        let mut queue = shared.lock();
        if queue.reader_gone {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut pushed = 0;
        for slice in slices {
            pushed += queue.push(slice);
        }
        if pushed == 0 {
            if !std::mem::replace(&mut queue.is_full, true) {
                writable_fd.block();
            }
            return Err(ErrorKind::WouldBlock.into());
        }
        shared.wake(&mut queue);
        Ok(pushed)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for ItemPipeWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.writable_fd.as_fd()
    }
}

impl Drop for ItemPipeWriter {
    fn drop(&mut self) {
        let mut queue = self.0.shared.lock();
        queue.writer_gone = true;
        self.0.shared.wake(&mut queue);
    }
}

/// The worker reads items. Waits.
struct ItemPipeReader(Arc<ItemPipe>);

impl ItemPipeReader {
    fn reopen(&self, queue: &mut Queue) {
        if std::mem::take(&mut queue.is_full) {
            self.0.writable_fd.unblock();
        }
    }
}

impl Read for ItemPipeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut queue = self.0.shared.lock();
        while queue.bytes.is_empty() && !queue.writer_gone {
            queue = self.0.shared.wait(queue);
        }
        let bytes = queue.bytes.read(into)?;
        self.reopen(&mut queue);
        Ok(bytes)
    }
}

impl Drop for ItemPipeReader {
    fn drop(&mut self) {
        let mut queue = self.0.shared.lock();
        queue.reader_gone = true;
        self.reopen(&mut queue);
    }
}

/// The worker writes results. Waits.
struct ResultPipeWriter(Arc<ResultPipe>);

impl Write for ResultPipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let ResultPipe { shared, wake_fd } = &*self.0;
        let mut queue = shared.lock();
        loop {
            if queue.reader_gone {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let was_empty = queue.bytes.is_empty();
            let pushed = queue.push(bytes);
            if pushed > 0 || bytes.is_empty() {
                if was_empty {
                    wake_fd.wake();
                }
                return Ok(pushed);
            }
            queue = shared.wait(queue);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ResultPipeWriter {
    fn drop(&mut self) {
        let mut queue = self.0.shared.lock();
        queue.writer_gone = true;
        self.0.wake_fd.wake();
    }
}

/// The supervisor reads results. Never waits.
struct ResultPipeReader(Arc<ResultPipe>);

impl Read for ResultPipeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ResultPipe { shared, wake_fd } = &*self.0;
        let mut queue = shared.lock();
        if queue.bytes.is_empty() {
            return if queue.writer_gone { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let bytes = queue.bytes.read(into)?;
        shared.wake(&mut queue);
        if queue.bytes.is_empty() && !queue.writer_gone {
            wake_fd.clear();
        }
        Ok(bytes)
    }
}

impl AsFd for ResultPipeReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.wake_fd.as_fd()
    }
}

impl Drop for ResultPipeReader {
    fn drop(&mut self) {
        let mut queue = self.0.shared.lock();
        queue.reader_gone = true;
        self.0.shared.wake(&mut queue);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Flush;
    use super::super::testing::Frames;
    use super::*;
    use crate::sys::poller::{Interest, Poller};
    use crate::wire::codec;
    use crate::wire::message::{FromWorker, ToWorker};
    use std::thread;

    fn open() -> (Frames, End) {
        let (channel, end) = super::open().unwrap();
        (Frames::of(channel), end)
    }

    fn frames(first: u64, body: &[u8]) -> Vec<u8> {
        let mut frames = Vec::new();
        let done = FromWorker::Done { first, count: 1, attempt: 1, busy_ns: 1, timed: false };
        crate::wire::append(&done, body, &mut frames).unwrap();
        frames
    }

    /// Waits as the loop does.
    fn wait(fd: BorrowedFd<'_>, interest: Interest) {
        let mut poller = Poller::new().unwrap();
        poller.add(fd, interest, 0).unwrap();
        poller.wait(&mut Vec::new(), None).unwrap();
        poller.remove(fd).unwrap();
    }

    /// The next answer: which item, and how many bytes.
    fn receive(channel: &mut Frames) -> Option<(FromWorker, usize)> {
        let (message, body) = channel.receive(|fd| wait(fd, Interest::READ))?;
        Some((message, body.len()))
    }

    #[test]
    fn bodies_larger_than_the_queue_pass_both_ways_in_order() {
        let (mut channel, end) = open();
        let worker = thread::spawn(move || {
            let mut connection = end.connect();
            loop {
                while let Some(frame) = connection.items.next().unwrap() {
                    let ToWorker::Batch { first, .. } = codec::decode(frame.head).unwrap();
                    connection.results.send(&frames(first, frame.body)).unwrap();
                }
                if !connection.items.fill().unwrap() {
                    return;
                }
            }
        });
        for (first, bytes) in [0, 1, QUEUE_BYTES, 3 * QUEUE_BYTES + 7, 9].into_iter().enumerate() {
            channel.queue(first as u64, &vec![7; bytes]).unwrap();
            while channel.flush() == Flush::Blocked {
                wait(channel.channel.write_fd().unwrap(), Interest::WRITE);
            }
            let (message, received) = receive(&mut channel).unwrap();
            assert!(matches!(message, FromWorker::Done { first: of, .. } if of == first as u64));
            assert_eq!((received, channel.channel.backlog_bytes()), (bytes, 0));
        }
        channel.channel.close_input();
        assert_eq!(receive(&mut channel), None);
        worker.join().unwrap();
    }

    #[test]
    fn a_worker_that_leaves_unblocks_the_writer_and_is_reported_behind_its_last_result() {
        let (mut channel, end) = open();
        channel.queue(0, &vec![7; 2 * QUEUE_BYTES]).unwrap();
        assert_eq!(channel.flush(), Flush::Blocked);
        let mut connection = end.connect();
        connection.results.send(&frames(7, b"last\n")).unwrap();
        drop(connection);
        wait(channel.channel.write_fd().unwrap(), Interest::WRITE);
        assert_eq!(channel.flush(), Flush::Closed);
        assert!(receive(&mut channel).is_some());
        assert_eq!(receive(&mut channel), None);
    }

    #[test]
    fn a_supervisor_that_leaves_wakes_a_worker_that_waits_for_a_full_queue() {
        let (channel, end) = open();
        let worker = thread::spawn(move || {
            let mut connection = end.connect();
            let sent = connection.results.send(&vec![7; 2 * QUEUE_BYTES]);
            assert_eq!(sent.unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert!(!connection.items.fill().unwrap());
        });
        wait(channel.channel.read_fd(), Interest::READ);
        drop(channel);
        worker.join().unwrap();
    }
}
