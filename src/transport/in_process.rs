//! Two queues of bytes in memory, to a worker that is a thread of the supervisor (`--isolation thread`).
//!
//! No transport that `--transport` names: no descriptor and no word could hand the worker's end to
//! another process. The frames are the same, so whatever differs from the others is what they cost.
//!
//! The loop waits for descriptors, so each queue has one on the supervisor's side: a bell rings while
//! results are there, a gate is shut while items find no room. The worker waits on a condition
//! variable. Neither makes a system call while the other side is awake and busy.
//!
//! Invariant: a queue holds at most [`QUEUE_BYTES`]; nobody waits while holding its lock.

use super::{Channel, ChannelError, Connection, Fill, Flush, ItemsIn, ResultsOut, judge};
use crate::sys::bell::{Bell, Gate};
use crate::sys::block::BlockSlice;
use crate::wire::codec;
use crate::wire::frame::{BUFFER_BYTES, FrameDecoder, Kind};
use crate::wire::message::{FromWorker, ToWorker};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// As much as a pipe is asked to hold.
const QUEUE_BYTES: usize = 256 * 1024;

/// Descriptors of one channel: a bell and a gate.
pub const FDS_PER_CHANNEL: u64 = 2;

/// Makes a channel to a worker that is yet to start: our end, and the worker's.
///
/// # Errors
/// No file descriptors are left.
pub fn open() -> io::Result<(Box<dyn Channel>, End)> {
    let items = Arc::new(Items { queue: Mutex::default(), arrived: Condvar::new(), gate: Gate::new()? });
    let results = Arc::new(Results { queue: Mutex::default(), taken: Condvar::new(), bell: Bell::new()? });
    let channel = InProcessChannel {
        results: Arc::clone(&results),
        items: Some(Arc::clone(&items)),
        decoder: FrameDecoder::new(),
        backlog: Vec::new(),
        written: 0,
    };
    let end = End { items: ThreadItems { items, decoder: FrameDecoder::new() }, results: ThreadResults { results } };
    Ok((Box::new(channel), end))
}

/// The worker's end, to be moved to its thread.
pub struct End {
    items: ThreadItems,
    results: ThreadResults,
}

impl End {
    /// The end in use.
    #[must_use]
    pub fn connect(self) -> Connection {
        Connection { items: Box::new(self.items), results: Box::new(self.results) }
    }
}

/// Bytes on their way.
#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    writer_gone: bool,
    reader_gone: bool,
    /// The worker waits: wake it.
    is_awaited: bool,
    /// The supervisor found no room.
    is_shut: bool,
}

impl Queue {
    /// Takes as much of `bytes` as there is room for.
    fn push(&mut self, bytes: &[u8]) -> usize {
        let pushed = bytes.len().min(QUEUE_BYTES.saturating_sub(self.bytes.len()));
        self.bytes.extend(&bytes[..pushed]);
        pushed
    }

    fn pull(&mut self, decoder: &mut FrameDecoder) -> io::Result<usize> {
        let bytes = self.bytes.read(decoder.spare())?;
        decoder.filled(bytes);
        Ok(bytes)
    }

    /// Wakes the worker if it waits.
    fn wake(&mut self, condition: &Condvar) {
        if std::mem::take(&mut self.is_awaited) {
            condition.notify_one();
        }
    }
}

/// No panic can leave a queue half changed: nothing that is done under its lock is ever half done.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a>(condition: &Condvar, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
    queue.is_awaited = true;
    condition.wait(queue).unwrap_or_else(PoisonError::into_inner)
}

/// From the supervisor to the worker.
struct Items {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Shut while `is_shut`.
    gate: Gate,
}

/// From the worker to the supervisor.
struct Results {
    queue: Mutex<Queue>,
    taken: Condvar,
    /// Rings while there are bytes, or the worker is gone.
    bell: Bell,
}

/// The supervisor's end.
struct InProcessChannel {
    results: Arc<Results>,
    /// `None` once closed.
    items: Option<Arc<Items>>,
    decoder: FrameDecoder,
    /// Whole frames; the first `written` bytes have left.
    backlog: Vec<u8>,
    written: usize,
}

impl InProcessChannel {
    fn drop_backlog(&mut self) {
        self.backlog.clear();
        self.written = 0;
        // What a huge item needed is given back.
        self.backlog.shrink_to(BUFFER_BYTES);
    }
}

impl Channel for InProcessChannel {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.results.bell.as_fd()
    }

    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.items.as_ref().map(|items| items.gate.as_fd())
    }

    fn fill(&mut self) -> io::Result<Fill> {
        let mut queue = lock(&self.results.queue);
        if queue.bytes.is_empty() {
            return Ok(if queue.writer_gone { Fill::Closed } else { Fill::Blocked });
        }
        let bytes = queue.pull(&mut self.decoder)?;
        queue.wake(&self.results.taken);
        if queue.bytes.is_empty() && !queue.writer_gone {
            self.results.bell.silence();
        }
        Ok(Fill::Bytes(bytes))
    }

    fn next(&mut self) -> Result<Option<(FromWorker, &[u8])>, ChannelError> {
        let Some(frame) = self.decoder.next()? else { return Ok(None) };
        Ok(Some((judge(&frame)?, frame.body)))
    }

    fn queue(&mut self, message: ToWorker, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        if self.items.is_some() {
            crate::wire::append(&message, body.bytes(), &mut self.backlog)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<Flush> {
        let Some(items) = &self.items else { return Ok(Flush::Closed) };
        let mut queue = lock(&items.queue);
        let reader_gone = queue.reader_gone;
        if !reader_gone {
            let pushed = queue.push(&self.backlog[self.written..]);
            self.written += pushed;
            if pushed > 0 {
                queue.wake(&items.arrived);
            }
            if self.written < self.backlog.len() {
                if !std::mem::replace(&mut queue.is_shut, true) {
                    items.gate.shut();
                }
                return Ok(Flush::Blocked);
            }
        }
        drop(queue);
        self.drop_backlog();
        Ok(if reader_gone { Flush::Closed } else { Flush::All })
    }

    fn backlog_bytes(&self) -> usize {
        self.backlog.len() - self.written
    }

    fn close_input(&mut self) {
        if let Some(items) = self.items.take() {
            let mut queue = lock(&items.queue);
            queue.writer_gone = true;
            queue.wake(&items.arrived);
        }
        self.drop_backlog();
    }
}

impl Drop for InProcessChannel {
    fn drop(&mut self) {
        self.close_input();
        let mut queue = lock(&self.results.queue);
        queue.reader_gone = true;
        queue.wake(&self.results.taken);
    }
}

/// The worker's end of the queue of items.
struct ThreadItems {
    items: Arc<Items>,
    decoder: FrameDecoder,
}

impl ItemsIn for ThreadItems {
    fn fill(&mut self) -> io::Result<bool> {
        let mut queue = lock(&self.items.queue);
        while queue.bytes.is_empty() {
            if queue.writer_gone {
                return Ok(false);
            }
            queue = wait(&self.items.arrived, queue);
        }
        queue.pull(&mut self.decoder)?;
        if std::mem::take(&mut queue.is_shut) {
            self.items.gate.open();
        }
        Ok(true)
    }

    fn next(&mut self) -> Result<Option<(ToWorker, &[u8])>, ChannelError> {
        let Some(frame) = self.decoder.next()? else { return Ok(None) };
        if frame.kind != Kind::ToWorker {
            return Err(ChannelError::Direction);
        }
        Ok(Some((codec::decode(frame.head)?, frame.body)))
    }

    fn waiting(&self, most: usize) -> usize {
        self.decoder.whole_frames(most)
    }
}

impl Drop for ThreadItems {
    fn drop(&mut self) {
        let mut queue = lock(&self.items.queue);
        queue.reader_gone = true;
        if std::mem::take(&mut queue.is_shut) {
            self.items.gate.open();
        }
    }
}

/// The worker's end of the queue of results.
struct ThreadResults {
    results: Arc<Results>,
}

impl ResultsOut for ThreadResults {
    fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        let mut rest = frames;
        let mut queue = lock(&self.results.queue);
        while !rest.is_empty() {
            if queue.reader_gone {
                return Err(ErrorKind::BrokenPipe.into());
            }
            if queue.bytes.is_empty() {
                self.results.bell.ring();
            }
            let pushed = queue.push(rest);
            rest = &rest[pushed..];
            if pushed == 0 {
                queue = wait(&self.results.taken, queue);
            }
        }
        Ok(())
    }
}

impl Drop for ThreadResults {
    fn drop(&mut self) {
        let mut queue = lock(&self.results.queue);
        queue.writer_gone = true;
        self.results.bell.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poller::{Interest, Poller};
    use std::thread;

    fn run(first: u64) -> ToWorker {
        ToWorker::Run { first, count: 1, attempt: 1 }
    }

    fn queue(channel: &mut dyn Channel, first: u64, body: &[u8]) {
        channel.queue(run(first), BlockSlice::whole(&Arc::new(body.to_vec().into()))).unwrap();
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

    /// The next answer: which item, and how long.
    fn receive(channel: &mut dyn Channel) -> Option<(FromWorker, usize)> {
        loop {
            if let Some((message, body)) = channel.next().unwrap() {
                return Some((message, body.len()));
            }
            match channel.fill().unwrap() {
                Fill::Bytes(_) => {}
                Fill::Blocked => wait(channel.read_fd(), Interest::READ),
                Fill::Closed => return None,
            }
        }
    }

    #[test]
    fn bodies_larger_than_the_queue_pass_both_ways_in_order() {
        let (mut channel, end) = open().unwrap();
        let worker = thread::spawn(move || {
            let mut connection = end.connect();
            loop {
                while let Some((ToWorker::Run { first, .. }, body)) = connection.items.next().unwrap() {
                    connection.results.send(&frames(first, body)).unwrap();
                }
                if !connection.items.fill().unwrap() {
                    return;
                }
            }
        });
        for (first, bytes) in [0, 1, QUEUE_BYTES, 3 * QUEUE_BYTES + 7, 9].into_iter().enumerate() {
            queue(&mut *channel, first as u64, &vec![7; bytes]);
            while channel.flush().unwrap() == Flush::Blocked {
                wait(channel.write_fd().unwrap(), Interest::WRITE);
            }
            let (message, received) = receive(&mut *channel).unwrap();
            assert!(matches!(message, FromWorker::Done { first: of, .. } if of == first as u64));
            assert_eq!((received, channel.backlog_bytes()), (bytes, 0));
        }
        channel.close_input();
        assert_eq!(receive(&mut *channel), None);
        worker.join().unwrap();
    }

    #[test]
    fn a_worker_that_leaves_opens_the_gate_and_is_told_behind_its_last_result() {
        let (mut channel, end) = open().unwrap();
        queue(&mut *channel, 0, &vec![7; 2 * QUEUE_BYTES]);
        assert_eq!(channel.flush().unwrap(), Flush::Blocked);
        let mut connection = end.connect();
        connection.results.send(&frames(7, b"last\n")).unwrap();
        drop(connection);
        wait(channel.write_fd().unwrap(), Interest::WRITE);
        assert_eq!(channel.flush().unwrap(), Flush::Closed);
        assert!(receive(&mut *channel).is_some());
        assert_eq!(receive(&mut *channel), None);
    }

    #[test]
    fn a_supervisor_that_leaves_wakes_a_worker_that_waits_for_room() {
        let (channel, end) = open().unwrap();
        let worker = thread::spawn(move || {
            let mut connection = end.connect();
            let sent = connection.results.send(&vec![7; 2 * QUEUE_BYTES]);
            assert_eq!(sent.unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert!(!connection.items.fill().unwrap());
        });
        wait(channel.read_fd(), Interest::READ);
        drop(channel);
        worker.join().unwrap();
    }
}
