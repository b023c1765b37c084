//! Shared memory: a ring of frames each way in one sealed memory file, and a bell each way for who sleeps.
//!
//! Frames to the worker always stand whole in their ring, and the worker reads them where they lie: it
//! trusts the supervisor. A body that is too large for that lies in the hall, or in the input where that
//! is a file that is mapped, see [`super::shared_input`], and the frame only says where. The other way
//! frames are a stream of bytes, which the supervisor copies out before it judges it, as what comes by a
//! pipe.
//!
//! While both sides are busy no system call is made. The supervisor's end is *awake* then: no fd tells
//! of results or room, so it has to be looked at, and parked before the loop waits.
//!
//! Invariant: whatever a worker writes into the memory, and whenever it dies, it hurts itself alone.

use super::incoming::Incoming;
use super::shared_input;
use super::shm_area::{
    self, ARENA_BYTES, IN_INPUT, INPUT, INPUT_ENDED, ITEMS, ITEMS_PART, PLAN, RESULTS, RESULTS_PART, SUPERVISOR_ASLEEP,
    SUPERVISOR_GONE, WORKER_ASLEEP, WORKER_GONE,
};
use super::shm_arena::Arena;
use super::shm_ring::{Broken, FOR_BYTES, FOR_ROOM, Reader, Words, Writer, doze, must_wake, rise};
use super::staging::{self, Left, Open};
use super::{Channel, ChannelError, Endpoints, Fill, Flush, Large, Transport};
use crate::model::time::Duration;
use crate::sys::block::{Block, BlockSlice};
use crate::sys::shared_area::{Part, SharedArea};
use crate::sys::spill::SpillFile;
use crate::sys::wake_fd::WakeFd;
use crate::wire;
use crate::wire::frame::check_body;
use crate::wire::message::{FromWorker, ToWorker};
use crate::wire::names;
use crate::wire::prefix::{Prefix, SLACK_BYTES};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

/// An area of its own for each worker.
pub(super) struct ShmTransport {
    spin: Duration,
    input: Option<Arc<File>>,
}

impl ShmTransport {
    pub(super) const fn new(spin: Duration) -> Self {
        Self { spin, input: None }
    }
}

impl Transport for ShmTransport {
    fn open(&mut self) -> io::Result<(Box<dyn Channel>, Endpoints)> {
        let (area, memory) = SharedArea::create(PLAN)?;
        let (wake_fd, workers_wake_fd) = (WakeFd::new()?, WakeFd::new()?);
        let mut endpoints = Endpoints::new()
            .fd(&[names::FD_IN], workers_wake_fd.to_fd()?)
            .fd(&[names::FD_OUT], wake_fd.to_fd()?)
            .fd(&[names::FD_MEMORY], memory)
            .variable(names::SPIN, self.spin.0.to_string());
        if let Some(input) = &self.input {
            endpoints = endpoints.fd(&[names::FD_INPUT], input.try_clone()?.into());
        }
        let channel = ShmChannel {
            area,
            wake_fd,
            workers_wake_fd,
            items: Writer::new(ITEMS),
            arena: Arena::new(ARENA_BYTES),
            near_bytes_max: shm_area::near_bytes_max(self.input.is_some()),
            input: self.input.clone(),
            backlog: VecDeque::new(),
            unflushed_bytes: 0,
            is_open: true,
            results: Reader::new(RESULTS),
            incoming: Incoming::new(),
            broken: None,
            parked: false,
            ended: false,
            staging_read: false,
        };
        Ok((Box::new(channel), endpoints))
    }

    fn fds_per_channel(&self) -> u64 {
        2
    }

    fn spin(&self) -> Duration {
        self.spin
    }

    fn share_input(&mut self, input: &Arc<File>) {
        self.input = Some(Arc::clone(input));
    }
}

/// A frame that waits for room.
struct Waiting {
    prefix: Prefix,
    block: Arc<Block>,
    range: Range<usize>,
}

/// The supervisor's end.
struct ShmChannel {
    area: SharedArea,
    /// Rung by the worker, when we sleep.
    wake_fd: WakeFd,
    /// Rung by us, when the worker sleeps.
    workers_wake_fd: WakeFd,
    items: Writer,
    arena: Arena,
    /// The longest body that lies in its frame.
    near_bytes_max: usize,
    input: Option<Arc<File>>,
    /// What found no room, in order.
    backlog: VecDeque<Waiting>,
    /// Of the backlog, and of what is written but not published.
    unflushed_bytes: usize,
    is_open: bool,
    results: Reader,
    incoming: Incoming,
    broken: Option<Broken>,
    /// The worker was told that we sleep.
    parked: bool,
    /// The worker has ended: behind what it sent comes, once, what lies on its desk.
    ended: bool,
    staging_read: bool,
}

impl ShmChannel {
    fn wake_up(&mut self) {
        if self.parked {
            self.parked = false;
            rise(&self.area, SUPERVISOR_ASLEEP);
            self.wake_fd.clear();
        }
    }

    /// Writes a frame if there is room for all of it.
    #[inline]
    fn write(&mut self, prefix: &Prefix, body: &BlockSlice<'_>) -> Result<bool, Broken> {
        let body_bytes = body.range().len();
        if body_bytes > self.near_bytes_max {
            return self.write_far(prefix, body);
        }
        if !self.has_room(prefix.bytes() + body_bytes)? {
            return Ok(false);
        }
        self.put(prefix, body.bytes());
        Ok(true)
    }

    /// The same for one whose body lies apart.
    fn write_far(&mut self, prefix: &Prefix, body: &BlockSlice<'_>) -> Result<bool, Broken> {
        if !self.has_room(prefix.bytes() + size_of::<u64>())? {
            return Ok(false);
        }
        if let Some(place) = shared_input::place(self.input.as_ref(), body) {
            self.put(prefix, &(place | IN_INPUT).to_le_bytes());
            return Ok(true);
        }
        let bytes = body.bytes();
        let Some(place) = self.place_in_arena(bytes.len())? else { return Ok(false) };
        self.area.put(Part::Arena, place, bytes);
        self.put(prefix, &place.to_le_bytes());
        self.arena.keep_until(self.items.at(), place, bytes.len());
        Ok(true)
    }

    /// Writes a frame that there is room for.
    #[inline]
    fn put(&mut self, prefix: &Prefix, rest: &[u8]) {
        let (at, prefix_bytes) = (self.items.at(), prefix.bytes());
        let slack = self.items.free() >= (prefix_bytes + SLACK_BYTES) as u64;
        prefix.put(slack, |behind, bytes| self.area.put(ITEMS_PART, at + behind as u64, bytes));
        self.area.put(ITEMS_PART, at + prefix_bytes as u64, rest);
        self.items.wrote((prefix_bytes + rest.len()) as u64);
    }

    /// If so many bytes have room in the ring now.
    #[inline]
    fn has_room(&mut self, bytes: usize) -> Result<bool, Broken> {
        Ok(self.items.room(&self.area, bytes as u64)? >= bytes as u64)
    }

    /// Where in the hall a body of so many bytes may lie now.
    fn place_in_arena(&mut self, bytes: usize) -> Result<Option<u64>, Broken> {
        self.arena.free_until(self.items.look(&self.area)?);
        Ok(self.arena.place(bytes))
    }

    /// If this frame can be written now.
    fn can_write(&mut self, prefix_bytes: usize, body: &BlockSlice<'_>) -> Result<bool, Broken> {
        let body_bytes = body.range().len();
        if body_bytes <= self.near_bytes_max {
            return self.has_room(prefix_bytes + body_bytes);
        }
        let in_input = shared_input::place(self.input.as_ref(), body).is_some();
        Ok(self.has_room(prefix_bytes + size_of::<u64>())? && (in_input || self.place_in_arena(body_bytes)?.is_some()))
    }

    /// Writes what has room of the backlog.
    fn write_backlog(&mut self) -> Result<(), Broken> {
        while let Some(Waiting { prefix, block, range }) = self.backlog.pop_front() {
            if !self.write(&prefix, &BlockSlice::new(&block, range.clone()))? {
                self.backlog.push_front(Waiting { prefix, block, range });
                break;
            }
        }
        Ok(())
    }

    /// What the worker, which has ended, had done and not sent.
    fn read_staging(&mut self) -> usize {
        if !self.ended || std::mem::replace(&mut self.staging_read, true) || self.incoming.is_within_frame() {
            return 0;
        }
        let Left { mut frames, open } = staging::left(&self.area, self.results.at());
        if let Some(Open { first, count, attempt, results }) = open {
            let done = FromWorker::Done { first, count, attempt, busy_ns: 0, timed: false };
            // Too much to be honest is left out.
            let _ = wire::append(&done, &results, &mut frames);
        }
        self.incoming.take_in(&frames);
        frames.len()
    }

    /// If the next `fill` or `flush` has something to do.
    fn has_something(&mut self) -> Result<bool, Broken> {
        if self.results.look(&self.area)? > 0 || self.area.load(WORKER_GONE, Acquire) != 0 {
            return Ok(true);
        }
        let first = self.backlog.front();
        let first = first.map(|first| (first.prefix.bytes(), Arc::clone(&first.block), first.range.clone()));
        first.map_or(Ok(false), |(prefix, block, range)| self.can_write(prefix, &BlockSlice::new(&block, range)))
    }

    fn drop_backlog(&mut self) {
        self.backlog = VecDeque::new();
        self.items.retract();
        self.unflushed_bytes = 0;
    }

    fn tell(&self, input: u64) {
        self.area.store(INPUT, input, Release);
        if must_wake(&self.area, WORKER_ASLEEP, FOR_BYTES | FOR_ROOM) {
            self.workers_wake_fd.wake();
        }
    }
}

impl Channel for ShmChannel {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.wake_fd.as_fd()
    }

    /// The same: room is told of by [`Channel::arm`].
    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.is_open.then(|| self.wake_fd.as_fd())
    }

    fn fill(&mut self) -> io::Result<Fill> {
        self.wake_up();
        let gone = self.area.load(WORKER_GONE, Acquire) != 0;
        let ready = match self.results.ready(&self.area) {
            Ok(0) => {
                return Ok(match self.read_staging() {
                    // Its `WORKER_GONE` comes behind its last byte.
                    0 if gone => Fill::Closed,
                    0 => Fill::Blocked,
                    bytes => Fill::Bytes(bytes),
                });
            }
            Ok(ready) => ready,
            Err(broken) => {
                // What is wrong `next` says, in words.
                self.broken = Some(broken);
                return Ok(Fill::Blocked);
            }
        };
        let spare = self.incoming.spare();
        let bytes = spare.len().min(usize::try_from(ready).unwrap_or(usize::MAX));
        self.area.take(RESULTS_PART, self.results.at(), &mut spare[..bytes]);
        self.incoming.filled(bytes);
        self.results.took(bytes as u64);
        self.results.release(&self.area);
        if must_wake(&self.area, WORKER_ASLEEP, FOR_ROOM) {
            self.workers_wake_fd.wake();
        }
        Ok(Fill::Bytes(bytes))
    }

    fn next(&mut self) -> Result<Option<(FromWorker, &[u8])>, ChannelError> {
        if let Some(broken) = self.broken {
            return Err(broken.into());
        }
        self.incoming.next()
    }

    fn keep_large_in(&mut self, spill: &Arc<SpillFile>) {
        self.incoming.keep_large_in(spill);
    }

    fn large(&mut self) -> Result<Option<Large>, ChannelError> {
        if let Some(broken) = self.broken {
            return Err(broken.into());
        }
        self.incoming.large()
    }

    fn is_torn(&self) -> bool {
        self.incoming.is_within_frame()
    }

    fn queue(&mut self, message: ToWorker, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        if !self.is_open {
            return Ok(());
        }
        let body_bytes = body.range().len();
        check_body(body_bytes)?;
        let prefix = Prefix::new(&message, body_bytes);
        self.unflushed_bytes += prefix.bytes() + body_bytes;
        if !self.backlog.is_empty() || !self.write(&prefix, &body)? {
            self.backlog.push_back(Waiting { prefix, block: Arc::clone(body.block()), range: body.range() });
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<Flush> {
        if !self.is_open {
            return Ok(Flush::Closed);
        }
        if self.area.load(WORKER_GONE, Acquire) != 0 {
            self.drop_backlog();
            return Ok(Flush::Closed);
        }
        if let Err(broken) = self.write_backlog() {
            self.broken = Some(broken);
        }
        if self.items.publish(&self.area) && must_wake(&self.area, WORKER_ASLEEP, FOR_BYTES) {
            self.workers_wake_fd.wake();
        }
        self.unflushed_bytes = self.backlog.iter().map(|waiting| waiting.prefix.bytes() + waiting.range.len()).sum();
        if self.backlog.is_empty() {
            return Ok(Flush::All);
        }
        // If it is parked, then not for room.
        self.wake_up();
        Ok(Flush::Blocked)
    }

    fn backlog_bytes(&self) -> usize {
        self.unflushed_bytes
    }

    fn close_input(&mut self) {
        self.is_open = false;
        self.drop_backlog();
        self.tell(INPUT_ENDED);
    }

    fn ended(&mut self) {
        self.ended = true;
    }

    fn is_busy_polled(&self) -> bool {
        !self.parked
    }

    fn arm(&mut self) -> bool {
        if self.broken.is_none() && !self.parked {
            let for_room = if self.backlog.is_empty() { 0 } else { FOR_ROOM };
            doze(&self.area, SUPERVISOR_ASLEEP, FOR_BYTES | for_room);
            // A broken ring is something, too.
            if self.has_something().unwrap_or(true) {
                rise(&self.area, SUPERVISOR_ASLEEP);
                return false;
            }
            self.parked = true;
        }
        true
    }
}

impl Drop for ShmChannel {
    fn drop(&mut self) {
        self.tell(SUPERVISOR_GONE);
    }
}

#[cfg(test)]
mod tests {
    use super::super::shm_area::NEAR_BYTES_MAX;
    use super::super::{Connection, shm_worker};
    use super::*;
    use crate::model::ids::{Attempt, ItemId};
    use crate::sys::mapping::Mapping;
    use crate::sys::shared_area::WORDS;
    use std::sync::atomic::Ordering::Relaxed;

    /// Both ends, and what a hostile worker could do with the memory.
    fn open() -> (Box<dyn Channel>, Endpoints, SharedArea) {
        let (channel, endpoints) = ShmTransport::new(Duration::ZERO).open().unwrap();
        let memory = endpoints.fds().find(|(names, _)| names.contains(&names::FD_MEMORY)).unwrap().1;
        let area = SharedArea::from_fd(memory, PLAN).unwrap();
        (channel, endpoints, area)
    }

    fn done(first: u64, count: u32) -> FromWorker {
        FromWorker::Done { first, count, attempt: 2, busy_ns: 0, timed: false }
    }

    fn frame(first: u64, body: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        wire::append(&done(first, 1), body, &mut frame).unwrap();
        frame
    }

    /// As the loop does with a worker that has ended.
    fn drain(channel: &mut dyn Channel) -> Result<Vec<(FromWorker, Vec<u8>)>, ChannelError> {
        let mut messages = Vec::new();
        let mut ended = false;
        loop {
            let filled = channel.fill().unwrap();
            while let Some((message, body)) = channel.next()? {
                messages.push((message, body.to_vec()));
            }
            match filled {
                Fill::Bytes(_) => {}
                _ if ended => return Ok(messages),
                _ => {
                    channel.ended();
                    ended = true;
                }
            }
        }
    }

    #[test]
    fn bodies_in_the_input_are_read_there_and_others_travel_with_them() {
        let file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..400_000_u32).map(|number| (number / 7) as u8).collect();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
        let input = Arc::new(file);
        let mut transport = ShmTransport::new(Duration::ZERO);
        transport.share_input(&input);
        let (mut channel, endpoints) = transport.open().unwrap();
        let Connection { mut items, results: _results } = shm_worker::connect(endpoints).unwrap();
        let integrity = items.integrity();
        let mapped = Arc::new(Block::from(Mapping::new(&input, 4000, 390_000).unwrap()));
        let read = Arc::new(Block::from(bytes.clone()));
        let mut check = |block: &Arc<Block>, range: Range<usize>, is_there: bool| {
            let batch = ToWorker::Batch { first: 1, count: 1, attempt: 1 };
            channel.queue(batch, BlockSlice::new(block, range.clone())).unwrap();
            assert_eq!(channel.flush().unwrap(), Flush::All);
            assert!(items.fill().unwrap());
            let (message, body) = items.next().unwrap().unwrap();
            assert_eq!((message, integrity.is_missing()), (batch, !is_there));
            assert!(body == if is_there { &block[range] } else { &[] });
        };
        for range in [0..200_000, 7..9, 9..9] {
            check(&mapped, range, true);
            check(&read, 5..6, true);
        }
        check(&read, 0..400_000, true);
        input.set_len(4000).unwrap();
        for range in [200_000..380_000, 380_000..380_001] {
            check(&mapped, range, false);
            check(&mapped, 9..9, true);
            check(&mapped, 380_002..380_003, false);
            check(&read, 0..400_000, true);
        }
    }

    #[test]
    fn what_was_done_and_not_sent_is_there_after_a_death() {
        let (mut channel, endpoints, _) = open();
        let Connection { items, mut results } = shm_worker::connect(endpoints).unwrap();
        let (staging, [mut room, mut frames]) = results.staging().unwrap();
        results.send(&frame(5, b"five\n")).unwrap();
        let six = frame(6, b"six\n");
        frames[..six.len()].copy_from_slice(&six);
        staging.framed(six.len());
        staging.begin(ItemId(7), Attempt(2), six.len());
        room[..10].copy_from_slice(b"a\nbc\nhalf ");
        staging.done(1, 2);
        staging.done(2, 5);
        // As one that is killed: nobody says goodbye.
        std::mem::forget((items, results));
        let five = (done(5, 1), b"five\n".to_vec());
        let expected = vec![five, (done(6, 1), b"six\n".to_vec()), (done(7, 2), b"a\nbc\n".to_vec())];
        assert_eq!(drain(&mut *channel), Ok(expected));
    }

    /// A worker may be killed between any two of its steps.
    #[test]
    fn what_is_done_counts_once_wherever_a_worker_dies() {
        for steps in 0..14 {
            let (mut channel, endpoints, _) = open();
            let Connection { items, mut results } = shm_worker::connect(endpoints).unwrap();
            let (staging, [mut room, mut frames]) = results.staging().unwrap();
            let (mut left, mut finished) = (steps, 0);
            let mut step = |finishes: bool| {
                let goes = left > 0;
                left -= usize::from(goes);
                finished += u64::from(goes && finishes);
                goes
            };
            // Two groups of one are framed together, sent, and another is framed.
            let mut framed = 0;
            for first in 7..10 {
                if !step(false) {
                    break;
                }
                staging.begin(ItemId(first), Attempt(2), framed);
                room[..2].copy_from_slice(b"a\n");
                if !step(true) {
                    break;
                }
                staging.done(1, 2);
                let bytes = frame(first, b"a\n");
                frames[framed..framed + bytes.len()].copy_from_slice(&bytes);
                if !step(false) {
                    break;
                }
                framed += bytes.len();
                staging.framed(framed);
                if first == 8 {
                    if !step(false) {
                        break;
                    }
                    results.send(&frames[..framed]).unwrap();
                    framed = 0;
                }
            }
            std::mem::forget((items, results));
            let expected: Vec<_> = (7..7 + finished).map(|first| (done(first, 1), b"a\n".to_vec())).collect();
            assert_eq!(drain(&mut *channel), Ok(expected), "after {steps} steps");
        }
    }

    #[test]
    fn a_desk_that_makes_no_sense_is_named_or_ignored() {
        for (count, bytes) in [(1, usize::MAX >> 33), (u32::MAX, 3), (2, 3), (0, 3)] {
            let (mut channel, endpoints, _) = open();
            let Connection { items, results } = shm_worker::connect(endpoints).unwrap();
            let (staging, [mut room, _]) = results.staging().unwrap();
            room[..3].copy_from_slice(b"a\nb");
            staging.begin(ItemId(7), Attempt(2), 0);
            staging.done(count, bytes);
            std::mem::forget((items, results));
            let drained = drain(&mut *channel);
            assert!(matches!(drained, Err(ChannelError::Results { .. })) || drained == Ok(Vec::new()), "{drained:?}");
        }
    }

    /// xorshift64*: the same numbers in each run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }

        fn below(&mut self, limit: usize) -> usize {
            (self.next() >> 33) as usize % limit
        }
    }

    /// Whatever stands in the memory, no call panics, none goes on for ever, and what is wrong is said once for all.
    #[test]
    fn a_worker_that_scribbles_hurts_itself_alone() {
        let words = [ITEMS.head, RESULTS.tail, WORKER_ASLEEP, SUPERVISOR_ASLEEP, WORKER_GONE, ITEMS.tail, RESULTS.head];
        let body = Arc::new(Block::from(vec![b'x'; 200_000]));
        for seed in 1..=300 {
            let mut random = Random(seed);
            let (mut channel, _endpoints, area) = open();
            let mut broken = false;
            let mut written = 0;
            for _ in 0..100 {
                let word = if random.below(4) == 0 { random.below(WORDS) } else { words[random.below(words.len())] };
                let value = match random.below(4) {
                    0 => random.next(),
                    1 => area.word(word).load(Relaxed).wrapping_add(random.next() >> 55),
                    2 => written,
                    _ => random.next() >> random.below(64),
                };
                area.word(word).store(value, Relaxed);
                // Some of it makes sense.
                let message = frame(random.next() >> 60, b"result\n");
                area.put(RESULTS_PART, written, &message);
                area.put(RESULTS_PART, random.next(), &random.next().to_le_bytes());
                if random.below(2) == 0 {
                    written += message.len() as u64;
                    area.word(RESULTS.tail).store(written, Relaxed);
                }
                let _ = channel.fill().unwrap();
                for _ in 0..1000 {
                    match channel.next() {
                        Ok(Some(_)) => assert!(!broken),
                        Ok(None) => break,
                        Err(_) => broken = true,
                    }
                }
                let length = [0, 9, NEAR_BYTES_MAX, 200_000][random.below(4)];
                let batch = ToWorker::Batch { first: 1, count: 1, attempt: 1 };
                match channel.queue(batch, BlockSlice::new(&body, 0..length)) {
                    Ok(()) | Err(ChannelError::Ring(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                let _ = channel.flush().unwrap();
                let _ = channel.arm();
                assert!(channel.backlog_bytes() <= 100 * 200_100);
            }
            channel.ended();
            let _ = channel.fill().unwrap();
            let _ = channel.next();
            channel.close_input();
        }
    }

    #[test]
    fn an_index_that_cannot_be_is_said_in_words() {
        let (mut channel, _endpoints, area) = open();
        area.word(RESULTS.tail).store(RESULTS.bytes + 1, Relaxed);
        assert_eq!(channel.fill().unwrap(), Fill::Blocked);
        let words = "use the ring: the other side says it is at 262145, which is not from 0 to 262144";
        for _ in 0..2 {
            assert_eq!(channel.next().unwrap_err().to_string(), words);
        }
        assert!(channel.arm(), "there is nothing to be woken for");
    }
}
