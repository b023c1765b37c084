//! Shared memory: a ring of bytes for each direction in one sealed memory file, and a wake pipe for each side that
//! sleeps.
//!
//! Frames to the worker are always whole in their ring, and the worker reads them in place: it trusts the supervisor.
//! A body that is too large for the ring is in the arena, or in the input where that is a mapped file (see
//! [`super::shared_input`]); then the frame holds a reference instead of the body. The other direction is a stream of
//! bytes, which the supervisor copies out before a protocol checks it, as it does with a pipe.
//!
//! While both sides are busy no system call is made. The supervisor's end is busy-polled then: no fd reports results
//! or free bytes, so it has to be polled, and armed before the loop waits.
//!
//! Invariant: whatever a worker writes into the memory, and whenever it dies, it harms itself alone.

use super::copies::Copies;
use super::shared_input;
use super::shm_area::{
    self, ARENA_BYTES, IN_INPUT, INPUT, INPUT_ENDED, ITEMS, ITEMS_PART, PLAN, RESULTS, RESULTS_PART, SUPERVISOR_ASLEEP,
    SUPERVISOR_GONE, WORKER_ASLEEP, WORKER_GONE,
};
use super::shm_arena::Arena;
use super::shm_ring::{
    Broken, FOR_BYTES, FOR_FREE_BYTES, RingReader, RingWriter, Words, announce_sleep, must_wake, withdraw_sleep,
};
use super::staging::{self, Left, Open};
use super::{Channel, ChannelError, Endpoints, Fill, Flush, OpenError, Transport, shm_needs};
use crate::model::time::Duration;
use crate::sys::block::{Block, BlockSlice};
use crate::sys::fd;
use crate::sys::guard::Leftover;
use crate::sys::shared_area::{AreaPart, SharedArea};
use crate::sys::wake_pipe::{OtherEnd, WakeReceiver, WakeSender, wake_pipe};
use crate::wire;
use crate::wire::frame::check_body;
use crate::wire::message::FromWorker;
use crate::wire::names;
use crate::wire::prefix::{Prefix, SLACK_BYTES};
use crate::wire::read_buffer::ReadBuffer;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

/// There: a body is copied into the ring, or into the arena, and the worker reads it in place. Back: results are copied
/// behind their header in the staging area, from there into the ring, and out of it before they are checked.
pub(super) const COPIES: Copies = Copies::new((1, 3), (1, 3));

/// The transport: each worker gets an area of its own.
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
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let (area, memory) = SharedArea::create(PLAN).map_err(|error| {
            let errno = error.raw_os_error();
            OpenError::Memory { limit: shm_needs::name_limit(error), errno }
        })?;
        let (wakes, workers_sender) = wake_pipe()?;
        let (workers_receiver, worker_waker) = wake_pipe()?;
        let mut endpoints = Endpoints::new()
            .fd(&[names::FD_IN], workers_receiver.into())
            .fd(&[names::FD_OUT], workers_sender.into())
            .fd(&[names::FD_MEMORY], memory)
            .variable(names::SPIN, self.spin.0.to_string());
        if let Some(input) = &self.input {
            endpoints = endpoints.fd(&[names::FD_INPUT], fd::to_read_elsewhere(input)?.into());
        }
        let channel = ShmChannel {
            area,
            wakes,
            worker_waker,
            items: RingWriter::new(ITEMS),
            arena: Arena::new(ARENA_BYTES),
            inline_bytes_max: shm_area::inline_bytes_max(self.input.is_some()),
            input: self.input.clone(),
            backlog: VecDeque::new(),
            unflushed_bytes: 0,
            is_open: true,
            results: RingReader::new(RESULTS),
            broken: None,
            armed: false,
            wakes_ended: false,
        };
        Ok((Box::new(channel), endpoints))
    }

    fn fds_per_channel(&self) -> u64 {
        2
    }

    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }

    fn spin(&self) -> Duration {
        self.spin
    }

    fn share_input(&mut self, input: &Arc<File>) {
        self.input = Some(Arc::clone(input));
    }
}

/// A frame that waits for free bytes in the ring.
struct Waiting {
    prefix: Prefix,
    block: Arc<Block>,
    range: Range<usize>,
}

/// The supervisor's end.
struct ShmChannel {
    area: SharedArea,
    /// The worker wakes the supervisor when it sleeps.
    wakes: WakeReceiver,
    /// The supervisor wakes the worker when it sleeps.
    worker_waker: WakeSender,
    items: RingWriter,
    arena: Arena,
    /// The longest body that is written into its frame; a longer one is replaced by a reference.
    inline_bytes_max: usize,
    input: Option<Arc<File>>,
    /// Frames that did not fit, in order.
    backlog: VecDeque<Waiting>,
    /// Bytes of the backlog, and of what is written but not published.
    unflushed_bytes: usize,
    is_open: bool,
    results: RingReader,
    broken: Option<Broken>,
    /// The supervisor's sleep is announced to the worker.
    armed: bool,
    /// The worker has closed its end of `wakes`: it can wake the supervisor no more.
    wakes_ended: bool,
}

impl ShmChannel {
    fn disarm(&mut self) {
        if self.armed {
            self.armed = false;
            withdraw_sleep(&self.area, SUPERVISOR_ASLEEP);
            self.wakes_ended |= self.wakes.clear() == OtherEnd::Closed;
        }
    }

    /// Writes a frame if all of it fits.
    #[inline]
    fn write(&mut self, prefix: &Prefix, body: &BlockSlice<'_>) -> Result<bool, Broken> {
        let body_bytes = body.range().len();
        if body_bytes > self.inline_bytes_max {
            return self.write_reference(prefix, body);
        }
        if !self.fits_ring(prefix.bytes() + body_bytes)? {
            return Ok(false);
        }
        self.put(prefix, body.bytes());
        Ok(true)
    }

    /// The same for a frame with a reference in the place of its body.
    fn write_reference(&mut self, prefix: &Prefix, body: &BlockSlice<'_>) -> Result<bool, Broken> {
        if !self.fits_ring(prefix.bytes() + size_of::<u64>())? {
            return Ok(false);
        }
        if let Some(place) = shared_input::place(self.input.as_ref(), body) {
            self.put(prefix, &(place | IN_INPUT).to_le_bytes());
            return Ok(true);
        }
        let bytes = body.bytes();
        let Some(place) = self.place_in_arena(bytes.len())? else { return Ok(false) };
        self.area.put(AreaPart::Arena, place, bytes);
        self.put(prefix, &place.to_le_bytes());
        self.arena.keep_until(self.items.at(), place, bytes.len());
        Ok(true)
    }

    /// Writes a frame that fits.
    #[inline]
    fn put(&mut self, prefix: &Prefix, rest: &[u8]) {
        let (at, prefix_bytes) = (self.items.at(), prefix.bytes());
        let slack = self.items.known_free() >= (prefix_bytes + SLACK_BYTES) as u64;
        prefix.put(slack, |behind, bytes| self.area.put(ITEMS_PART, at + behind as u64, bytes));
        self.area.put(ITEMS_PART, at + prefix_bytes as u64, rest);
        self.items.wrote((prefix_bytes + rest.len()) as u64);
    }

    /// Whether this many bytes fit into the ring now.
    #[inline]
    fn fits_ring(&mut self, bytes: usize) -> Result<bool, Broken> {
        Ok(self.items.free_bytes(&self.area, bytes as u64)? >= bytes as u64)
    }

    /// A free place in the arena for a body of this many bytes; `None` if there is none now.
    fn place_in_arena(&mut self, bytes: usize) -> Result<Option<u64>, Broken> {
        self.arena.free_until(self.items.refresh(&self.area)?);
        Ok(self.arena.place(bytes))
    }

    /// Whether this frame can be written now.
    fn can_write(&mut self, prefix_bytes: usize, body: &BlockSlice<'_>) -> Result<bool, Broken> {
        let body_bytes = body.range().len();
        if body_bytes <= self.inline_bytes_max {
            return self.fits_ring(prefix_bytes + body_bytes);
        }
        let in_input = shared_input::place(self.input.as_ref(), body).is_some();
        Ok(self.fits_ring(prefix_bytes + size_of::<u64>())? && (in_input || self.place_in_arena(body_bytes)?.is_some()))
    }

    /// Writes as much of the backlog as fits.
    fn write_backlog(&mut self) -> Result<(), Broken> {
        while let Some(Waiting { prefix, block, range }) = self.backlog.pop_front() {
            if !self.write(&prefix, &BlockSlice::new(&block, range.clone()))? {
                self.backlog.push_front(Waiting { prefix, block, range });
                break;
            }
        }
        Ok(())
    }

    /// Whether the next `fill` or `flush` has something to do.
    fn has_something(&mut self) -> Result<bool, Broken> {
        if self.results.refresh(&self.area)? > 0 || self.is_worker_gone() {
            return Ok(true);
        }
        let first = self.backlog.front();
        let first = first.map(|first| (first.prefix.bytes(), Arc::clone(&first.block), first.range.clone()));
        first.map_or(Ok(false), |(prefix, block, range)| self.can_write(prefix, &BlockSlice::new(&block, range)))
    }

    /// Whether the worker has closed its end. All that it has sent is in the ring then.
    fn is_worker_gone(&self) -> bool {
        self.wakes_ended || self.area.load(WORKER_GONE, Acquire) != 0
    }

    fn drop_backlog(&mut self) {
        self.backlog = VecDeque::new();
        self.items.retract();
        self.unflushed_bytes = 0;
    }

    fn tell(&self, input: u64) {
        self.area.store(INPUT, input, Release);
        if must_wake(&self.area, WORKER_ASLEEP, FOR_BYTES | FOR_FREE_BYTES) {
            self.worker_waker.wake();
        }
    }
}

impl Channel for ShmChannel {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.wakes.as_fd()
    }

    /// The same fd: [`Channel::arm`] makes it report free bytes too.
    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.is_open.then(|| self.wakes.as_fd())
    }

    fn fill(&mut self, into: &mut ReadBuffer) -> Result<Fill, ChannelError> {
        self.disarm();
        if let Some(broken) = self.broken {
            return Err(broken.into());
        }
        let gone = self.is_worker_gone();
        let ready = self.results.ready(&self.area).inspect_err(|broken| self.broken = Some(*broken))?;
        if ready == 0 {
            // The worker closes its end after its last byte.
            return Ok(if gone { Fill::Closed } else { Fill::Blocked });
        }
        let spare = into.spare();
        let bytes = spare.len().min(usize::try_from(ready).unwrap_or(usize::MAX));
        self.area.take(RESULTS_PART, self.results.at(), &mut spare[..bytes]);
        into.filled(bytes);
        self.results.took(bytes as u64);
        self.results.release(&self.area);
        if must_wake(&self.area, WORKER_ASLEEP, FOR_FREE_BYTES) {
            self.worker_waker.wake();
        }
        Ok(Fill::Bytes(bytes))
    }

    fn recover(&mut self, into: &mut ReadBuffer) -> usize {
        if self.broken.is_some() || self.results.ready(&self.area) != Ok(0) {
            return 0;
        }
        let Left { mut frames, open } = staging::left(&self.area, self.results.at());
        if let Some(Open { first, count, attempt, results }) = open {
            let done = FromWorker::Done { first, count, attempt, busy_ns: 0, timed: false };
            // It fails if the results exceed a frame, and those of an honest worker never do.
            let _ = wire::append(&done, &results, &mut frames);
        }
        into.copy_in(&frames);
        frames.len()
    }

    fn queue(&mut self, prefix: &Prefix, _: u32, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        if !self.is_open {
            return Ok(());
        }
        let body_bytes = body.range().len();
        // A larger body has no place in the arena.
        check_body(body_bytes)?;
        self.unflushed_bytes += prefix.bytes() + body_bytes;
        if !self.backlog.is_empty() || !self.write(prefix, &body)? {
            let (block, range) = (Arc::clone(body.block()), body.range());
            self.backlog.push_back(Waiting { prefix: prefix.clone(), block, range });
        }
        Ok(())
    }

    fn queue_text(&mut self, _: &[u8]) -> Result<(), ChannelError> {
        Err(ChannelError::FramesOnly)
    }

    /// The worker's index in the ring shows what it has read.
    fn answered(&mut self, _: u64) {}

    fn flush(&mut self) -> io::Result<Flush> {
        if !self.is_open {
            return Ok(Flush::Closed);
        }
        if self.is_worker_gone() {
            self.drop_backlog();
            return Ok(Flush::Closed);
        }
        if let Err(broken) = self.write_backlog() {
            self.broken = Some(broken);
        }
        if self.items.publish(&self.area) && must_wake(&self.area, WORKER_ASLEEP, FOR_BYTES) {
            self.worker_waker.wake();
        }
        self.unflushed_bytes = self.backlog.iter().map(|waiting| waiting.prefix.bytes() + waiting.range.len()).sum();
        if self.backlog.is_empty() {
            return Ok(Flush::All);
        }
        // It may be armed for bytes to read only. Before the next wait it is armed for free bytes too.
        self.disarm();
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

    fn is_busy_polled(&self) -> bool {
        !self.armed
    }

    fn arm(&mut self) -> bool {
        if self.broken.is_none() && !self.armed {
            let for_free_bytes = if self.backlog.is_empty() { 0 } else { FOR_FREE_BYTES };
            announce_sleep(&self.area, SUPERVISOR_ASLEEP, FOR_BYTES | for_free_bytes);
            // A broken ring has to be reported too.
            if self.has_something().unwrap_or(true) {
                withdraw_sleep(&self.area, SUPERVISOR_ASLEEP);
                return false;
            }
            self.armed = true;
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
    use super::super::shm_area::INLINE_BYTES_MAX;
    use super::super::testing::Frames;
    use super::super::{Connection, Staging, shm_worker};
    use super::*;
    use crate::model::ids::{Attempt, ItemId};
    use crate::sys::mapping::Mapping;
    use crate::sys::shared_area::WORDS;
    use crate::wire::codec;
    use crate::wire::frame::{BODY_BYTES_MAX, FrameError};
    use crate::wire::message::ToWorker;
    use std::sync::atomic::Ordering::Relaxed;

    /// Both ends, and the memory that a hostile worker could write to.
    fn open() -> (Frames, Endpoints, SharedArea) {
        let (channel, endpoints) = ShmTransport::new(Duration::ZERO).open().unwrap();
        let memory = endpoints.fds().find(|(names, _)| names.contains(&names::FD_MEMORY)).unwrap().1;
        let area = SharedArea::from_fd(memory, PLAN).unwrap();
        (Frames::of(channel), endpoints, area)
    }

    fn done(first: u64, count: u32) -> FromWorker {
        FromWorker::Done { first, count, attempt: 2, busy_ns: 0, timed: false }
    }

    fn frame(first: u64, body: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        wire::append(&done(first, 1), body, &mut frame).unwrap();
        frame
    }

    #[test]
    fn bodies_in_the_input_are_read_there_and_others_in_the_arena() {
        let file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..400_000_u32).map(|number| (number / 7) as u8).collect();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
        let input = Arc::new(file);
        let mut transport = ShmTransport::new(Duration::ZERO);
        transport.share_input(&input);
        let (channel, endpoints) = transport.open().unwrap();
        let mut channel = Frames::of(channel);
        let Connection { mut items, results: _results } = shm_worker::connect(endpoints).unwrap();
        let integrity = items.integrity();
        let mapped = Arc::new(Block::from(Mapping::new(&input, 4000, 390_000).unwrap()));
        let read = Arc::new(Block::from(bytes.clone()));
        let mut check = |block: &Arc<Block>, range: Range<usize>, is_there: bool| {
            channel.queue_slice(1, BlockSlice::new(block, range.clone())).unwrap();
            assert_eq!(channel.flush(), Flush::All);
            assert!(items.fill().unwrap());
            let frame = items.next().unwrap().unwrap();
            let message: ToWorker = codec::decode(frame.head).unwrap();
            assert_eq!(message, ToWorker::Batch { first: 1, count: 1, attempt: 1 });
            assert_eq!(integrity.is_missing(), !is_there);
            assert!(frame.body == if is_there { &block[range] } else { &[] });
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
    fn a_body_that_has_no_place_in_the_arena_is_refused_and_nothing_is_lost() {
        let (mut channel, endpoints, _) = open();
        let Connection { mut items, results: _results } = shm_worker::connect(endpoints).unwrap();
        let error = channel.queue(1, &vec![0; BODY_BYTES_MAX + 1]).unwrap_err();
        assert!(matches!(error, ChannelError::Frame(FrameError::Body { .. })), "{error}");
        channel.queue(2, b"fits").unwrap();
        assert_eq!(channel.flush(), Flush::All);
        assert!(items.fill().unwrap());
        assert_eq!(items.next().unwrap().unwrap().body, b"fits");
        assert!(items.next().unwrap().is_none());
    }

    #[test]
    fn what_was_done_and_not_sent_is_there_after_a_death() {
        let (mut channel, endpoints, _) = open();
        let Connection { items, mut results } = shm_worker::connect(endpoints).unwrap();
        let Staging { area: staging, results: mut buffer, mut frames } = results.staging().unwrap();
        results.send(&frame(5, b"five\n")).unwrap();
        let six = frame(6, b"six\n");
        frames[..six.len()].copy_from_slice(&six);
        staging.framed(six.len());
        staging.begin(ItemId(7), Attempt(2), six.len());
        buffer[..10].copy_from_slice(b"a\nbc\nhalf ");
        staging.done(1, 2);
        staging.done(2, 5);
        // Like a worker that is killed: no destructor runs.
        std::mem::forget((items, results));
        let five = (done(5, 1), b"five\n".to_vec());
        let expected = vec![five, (done(6, 1), b"six\n".to_vec()), (done(7, 2), b"a\nbc\n".to_vec())];
        assert_eq!(channel.drain(), expected);
    }

    /// A worker may be killed between any two of its steps.
    #[test]
    fn what_is_done_counts_once_wherever_a_worker_dies() {
        for steps in 0..14 {
            let (mut channel, endpoints, _) = open();
            let Connection { items, mut results } = shm_worker::connect(endpoints).unwrap();
            let Staging { area: staging, results: mut buffer, mut frames } = results.staging().unwrap();
            let (mut left, mut finished) = (steps, 0);
            let mut step = |finishes: bool| {
                let goes = left > 0;
                left -= usize::from(goes);
                finished += u64::from(goes && finishes);
                goes
            };
            // Two groups of one item each are framed and then sent together, and a third group is framed.
            let mut framed = 0;
            for first in 7..10 {
                if !step(false) {
                    break;
                }
                staging.begin(ItemId(first), Attempt(2), framed);
                buffer[..2].copy_from_slice(b"a\n");
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
            assert_eq!(channel.drain(), expected, "after {steps} steps");
        }
    }

    #[test]
    fn a_note_in_the_staging_area_that_makes_no_sense_is_ignored() {
        let notes = [(1, usize::MAX >> 33, false), (u32::MAX, 3, true), (2, 3, true), (0, 3, false)];
        for (count, bytes, is_there) in notes {
            let (mut channel, endpoints, _) = open();
            let Connection { items, results } = shm_worker::connect(endpoints).unwrap();
            let Staging { area: staging, results: mut buffer, .. } = results.staging().unwrap();
            buffer[..3].copy_from_slice(b"a\nb");
            staging.begin(ItemId(7), Attempt(2), 0);
            staging.done(count, bytes);
            std::mem::forget((items, results));
            // The protocol checks later whether the results fit the count.
            let expected = if is_there { vec![(done(7, count), b"a\nb".to_vec())] } else { Vec::new() };
            assert_eq!(channel.drain(), expected);
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

    /// Whatever is in the memory, no call panics or goes on for ever, and a broken ring stays broken.
    #[test]
    fn a_worker_that_overwrites_the_memory_harms_itself_alone() {
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
                // Some of the writes are valid frames.
                let message = frame(random.next() >> 60, b"result\n");
                area.put(RESULTS_PART, written, &message);
                area.put(RESULTS_PART, random.next(), &random.next().to_le_bytes());
                if random.below(2) == 0 {
                    written += message.len() as u64;
                    area.word(RESULTS.tail).store(written, Relaxed);
                }
                match channel.fill() {
                    Ok(fill) => assert!(!broken || fill == Fill::Closed, "{fill:?}"),
                    Err(error) => {
                        assert!(matches!(error, ChannelError::Ring(_)), "{error}");
                        broken = true;
                    }
                }
                while channel.next().is_some() {}
                let length = [0, 9, INLINE_BYTES_MAX, 200_000][random.below(4)];
                match channel.queue_slice(1, BlockSlice::new(&body, 0..length)) {
                    Ok(()) | Err(ChannelError::Ring(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                let _ = channel.flush();
                let _ = channel.channel.arm();
                assert!(channel.channel.backlog_bytes() <= 100 * 200_100);
            }
            channel.channel.recover(&mut ReadBuffer::new());
            channel.channel.close_input();
        }
    }

    #[test]
    fn an_index_out_of_range_is_named() {
        let (mut channel, _endpoints, area) = open();
        area.word(RESULTS.tail).store(RESULTS.bytes + 1, Relaxed);
        let words = "use the ring: the other side says it is at 262145, which is not from 0 to 262144";
        for _ in 0..2 {
            assert_eq!(channel.fill().unwrap_err().to_string(), words);
        }
        assert!(channel.channel.arm(), "there is nothing to be woken for");
    }
}
