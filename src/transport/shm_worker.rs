//! The worker's end of shared memory. It waits: it polls for the configured time, then it sleeps until it is woken by
//! its wake pipe.
//!
//! Invariant: items are read in place, and given back when the next frame is asked for. Items in the input are read
//! from there, see [`super::shared_input`].

use super::shared_input::InputReader;
use super::shm_area::{
    self, IN_INPUT, INLINE_BYTES_MAX, INPUT, ITEMS, ITEMS_PART, PLAN, RESULTS, RESULTS_PART, SUPERVISOR_ASLEEP,
    SUPERVISOR_GONE, WORKER_ASLEEP, WORKER_GONE,
};
use super::shm_ring::{
    Broken, FOR_BYTES, FOR_FREE_BYTES, RingReader, RingWriter, Words, announce_sleep, must_wake, withdraw_sleep,
};
use super::{Connection, Endpoints, InputIntegrity, ItemsError, ItemsIn, ResultsOut, Staging, StagingArea, shm_needs};
use crate::sys::clock::monotonic_ns;
use crate::sys::growable_buffer::GrowableBuffer;
use crate::sys::shared_area::{AreaPart, SharedArea};
use crate::sys::wake_pipe::{OtherEnd, WakeReceiver, WakeSender};
use crate::wire::frame::{Frame, HEADER_BYTES, Header};
use crate::wire::names;
use std::hint::spin_loop;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Polls of the ring between two reads of the clock.
const POLLS_PER_CLOCK: u32 = 32;

/// See [`super::connect`].
pub(super) fn connect(mut endpoints: Endpoints) -> io::Result<Connection> {
    let memory = endpoints.take_fd(names::FD_MEMORY)?;
    // The program may have too little address space left beside its own.
    let area = SharedArea::from_fd(memory, PLAN).map_err(|error| io::Error::other(shm_needs::name_limit(error)))?;
    let area = Arc::new(area);
    let wakes = WakeReceiver::from_fd(endpoints.take_fd(names::FD_IN)?)?;
    let supervisor_waker = WakeSender::from_fd(endpoints.take_fd(names::FD_OUT)?)?;
    let spin_ns = endpoints.get_variable(names::SPIN)?.parse().map_err(|_| ErrorKind::InvalidInput)?;
    let end = Arc::new(WorkerEnd { area, wakes, supervisor_waker, spin_ns });
    let input = endpoints.take_fd(names::FD_INPUT).ok().map(|input| InputReader::new(input.into()));
    let items = ShmItems {
        end: Arc::clone(&end),
        reader: RingReader::new(ITEMS),
        borrowed_bytes: 0,
        inline_bytes_max: shm_area::inline_bytes_max(input.is_some()),
        input,
        integrity: Arc::default(),
    };
    let results = ShmResults { end, writer: RingWriter::new(RESULTS) };
    Ok(Connection { items: Box::new(items), results: Box::new(results) })
}

/// What both halves of the worker's end use.
struct WorkerEnd {
    area: Arc<SharedArea>,
    /// The supervisor wakes the worker when it sleeps.
    wakes: WakeReceiver,
    /// The worker wakes the supervisor when it sleeps.
    supervisor_waker: WakeSender,
    spin_ns: u64,
}

impl WorkerEnd {
    /// Waits until `poll` finds something. `BrokenPipe`: the supervisor is gone.
    fn wait<T>(&self, what: u64, mut poll: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
        if let Some(found) = self.spin(&mut poll)? {
            return Ok(found);
        }
        loop {
            announce_sleep(&*self.area, WORKER_ASLEEP, what);
            if let Some(found) = poll()? {
                withdraw_sleep(&*self.area, WORKER_ASLEEP);
                return Ok(found);
            }
            if self.wakes.wait()? == OtherEnd::Closed {
                return poll()?.ok_or_else(|| ErrorKind::BrokenPipe.into());
            }
        }
    }

    fn spin<T>(&self, poll: &mut impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
        let first = poll()?;
        if first.is_some() || self.spin_ns == 0 {
            return Ok(first);
        }
        let until = monotonic_ns().saturating_add(self.spin_ns);
        while monotonic_ns() < until {
            for _ in 0..POLLS_PER_CLOCK {
                spin_loop();
                if let Some(found) = poll()? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn wake_supervisor(&self, what: u64) {
        if must_wake(&*self.area, SUPERVISOR_ASLEEP, what) {
            self.supervisor_waker.wake();
        }
    }
}

/// The supervisor, which is trusted, wrote an invalid index.
fn invalid(broken: Broken) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, broken)
}

/// The worker's end of the ring with items.
struct ShmItems {
    end: Arc<WorkerEnd>,
    reader: RingReader,
    /// Bytes of the last frame in the ring, which is still borrowed.
    borrowed_bytes: u64,
    /// The longest body that is written into its frame; a longer one is replaced by a reference.
    inline_bytes_max: usize,
    input: Option<InputReader>,
    /// Whether the bytes borrowed from the input are there.
    integrity: Arc<InputIntegrity>,
}

/// A frame in the ring.
struct RingFrame {
    header: Header,
    /// The bytes that it takes in the ring.
    ring_bytes: u64,
}

impl ShmItems {
    /// The frame that begins `behind` bytes after the reader's position, if its header is in the `ready` bytes.
    #[inline(always)]
    fn frame_at(&self, behind: u64, ready: u64) -> Result<Option<RingFrame>, ItemsError> {
        if ready < behind + HEADER_BYTES as u64 {
            return Ok(None);
        }
        let header = self.end.area.borrow_bytes(ITEMS_PART, self.reader.at() + behind, HEADER_BYTES);
        let Some(header) = Header::read(header)? else { return Ok(None) };
        let inline_bytes =
            if header.body_bytes <= self.inline_bytes_max { header.body_bytes } else { size_of::<u64>() };
        Ok(Some(RingFrame { header, ring_bytes: (HEADER_BYTES + header.head_bytes + inline_bytes) as u64 }))
    }

    /// Ends the borrowing of the last frame.
    fn return_borrowed(&mut self) {
        self.reader.took(std::mem::take(&mut self.borrowed_bytes));
    }

    /// Lets the supervisor overwrite what was given back.
    fn release(&mut self) {
        if self.reader.release(&*self.end.area) {
            self.end.wake_supervisor(FOR_FREE_BYTES);
        }
    }
}

impl ItemsIn for ShmItems {
    fn fill(&mut self) -> io::Result<bool> {
        self.return_borrowed();
        self.release();
        let Self { end, reader, .. } = self;
        let filled = end.wait(FOR_BYTES, || {
            // The supervisor sets `INPUT` after the last item.
            let ended = end.area.load(INPUT, Acquire) != 0;
            let ready = reader.refresh(&*end.area).map_err(invalid)?;
            Ok(if ready > 0 || ended { Some(ready > 0) } else { None })
        });
        match filled {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            filled => filled,
        }
    }

    fn next(&mut self) -> Result<Option<Frame<'_>>, ItemsError> {
        self.return_borrowed();
        let ready = self.reader.ready(&*self.end.area)?;
        let Some(RingFrame { header, ring_bytes }) = self.frame_at(0, ready)? else { return Ok(None) };
        // The supervisor waits for the release of each large body.
        if header.body_bytes > INLINE_BYTES_MAX || self.reader.unreleased() >= INLINE_BYTES_MAX as u64 {
            self.release();
        }
        self.borrowed_bytes = ring_bytes;
        if self.input.is_some() {
            self.integrity.begin(0);
        }
        let area = &self.end.area;
        let head_at = self.reader.at() + HEADER_BYTES as u64;
        let head = area.borrow_bytes(ITEMS_PART, head_at, header.head_bytes);
        let body_at = head_at + header.head_bytes as u64;
        let body = if header.body_bytes <= self.inline_bytes_max {
            area.borrow_bytes(ITEMS_PART, body_at, header.body_bytes)
        } else {
            let mut place = [0; size_of::<u64>()];
            area.take(ITEMS_PART, body_at, &mut place);
            let place = u64::from_le_bytes(place);
            if place & IN_INPUT == 0 {
                area.borrow_bytes(AreaPart::Arena, place, header.body_bytes)
            } else {
                let input = self.input.as_mut().ok_or(ItemsError::Reference)?;
                input.read(place ^ IN_INPUT, header.body_bytes).unwrap_or_else(|| {
                    self.integrity.mark_missing();
                    &[]
                })
            }
        };
        Ok(Some(Frame { kind: header.kind, head, body }))
    }

    fn waiting(&self, most: usize) -> usize {
        let ready = self.reader.known();
        let (mut behind, mut frames) = (self.borrowed_bytes, 0);
        while frames < most
            && let Ok(Some(frame)) = self.frame_at(behind, ready)
        {
            behind += frame.ring_bytes;
            frames += 1;
        }
        frames
    }

    fn integrity(&self) -> Arc<InputIntegrity> {
        Arc::clone(&self.integrity)
    }
}

/// The worker's end of the ring with results.
struct ShmResults {
    end: Arc<WorkerEnd>,
    writer: RingWriter,
}

impl ShmResults {
    /// Waits for this many free bytes, or for an empty ring if it has fewer in all.
    fn wait_for_free_bytes(&mut self, wanted: u64) -> io::Result<u64> {
        let wanted = wanted.min(RESULTS.bytes);
        let free = self.writer.free_bytes(&*self.end.area, wanted).map_err(invalid)?;
        if free >= wanted {
            return Ok(free);
        }
        let Self { end, writer } = self;
        end.wait(FOR_FREE_BYTES, || {
            if end.area.load(INPUT, Acquire) == SUPERVISOR_GONE {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let free = writer.free_bytes(&*end.area, wanted).map_err(invalid)?;
            Ok((free >= wanted).then_some(free))
        })
    }
}

impl ResultsOut for ShmResults {
    /// Publishes all frames at once if the ring can hold them, so that a death leaves all of them or none.
    fn send(&mut self, mut frames: &[u8]) -> io::Result<()> {
        while !frames.is_empty() {
            let free = self.wait_for_free_bytes(frames.len() as u64)?;
            let (now, later) = frames.split_at(frames.len().min(free as usize));
            self.end.area.put(RESULTS_PART, self.writer.at(), now);
            self.writer.wrote(now.len() as u64);
            self.writer.publish(&*self.end.area);
            self.end.wake_supervisor(FOR_BYTES);
            frames = later;
        }
        Ok(())
    }

    /// The ring is not a slice: the body is copied behind the frames.
    fn send_parts(&mut self, frames: &[u8], body: &[u8]) -> io::Result<()> {
        self.send(&[frames, body].concat())
    }

    fn staging(&self) -> Option<Staging> {
        let area = &self.end.area;
        let [results, frames] = GrowableBuffer::staging(area)?;
        Some(Staging { area: StagingArea::new(Arc::clone(area), RESULTS.tail), results, frames })
    }
}

impl Drop for ShmResults {
    fn drop(&mut self) {
        self.end.area.store(WORKER_GONE, 1, Release);
        self.end.wake_supervisor(FOR_BYTES);
    }
}
