//! The worker's end of shared memory. It waits: first awake, if that was asked for, then asleep until its
//! bell rings.
//!
//! Invariant: items are read where they lie, and given back when the next message is asked for; those in the
//! input are read from there, see [`super::shared_input`].

use super::shared_input::InputReader;
use super::shm_area::{
    self, IN_INPUT, INPUT, ITEMS, ITEMS_PART, NEAR_BYTES_MAX, PLAN, RESULTS, RESULTS_PART, SUPERVISOR_ASLEEP,
    SUPERVISOR_GONE, WORKER_ASLEEP, WORKER_GONE,
};
use super::shm_ring::{Broken, FOR_BYTES, FOR_ROOM, Reader, Words, Writer, doze, must_wake, rise};
use super::{ChannelError, Connection, Endpoints, InputIntegrity, ItemsIn, ResultsOut, StagingArea};
use crate::sys::clock::monotonic_ns;
use crate::sys::growable_buffer::GrowableBuffer;
use crate::sys::shared_area::{Part, SharedArea};
use crate::sys::wake_fd::WakeFd;
use crate::wire::codec::{self, Message};
use crate::wire::frame::{HEADER_BYTES, Header, Kind};
use crate::wire::message::ToWorker;
use crate::wire::names;
use std::hint::spin_loop;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Looks at the ring between two looks at the clock.
const LOOKS_PER_CLOCK: u32 = 32;

/// See [`super::connect`].
pub(super) fn connect(mut endpoints: Endpoints) -> io::Result<Connection> {
    let area = Arc::new(SharedArea::from_fd(endpoints.take_fd(names::FD_MEMORY)?, PLAN)?);
    let wake_fd = WakeFd::from_fd(endpoints.take_fd(names::FD_IN)?)?;
    let supervisors_wake_fd = WakeFd::from_fd(endpoints.take_fd(names::FD_OUT)?)?;
    let spin_ns = endpoints.get_variable(names::SPIN)?.parse().map_err(|_| ErrorKind::InvalidInput)?;
    let end = Arc::new(End { area, wake_fd, supervisors_wake_fd, spin_ns });
    let input = endpoints.take_fd(names::FD_INPUT).ok().map(|input| InputReader::new(input.into()));
    let items = ShmItems {
        end: Arc::clone(&end),
        reader: Reader::new(ITEMS),
        borrowed_bytes: 0,
        near_bytes_max: shm_area::near_bytes_max(input.is_some()),
        input,
        integrity: Arc::default(),
    };
    let results = ShmResults { end, writer: Writer::new(RESULTS) };
    Ok(Connection { items: Box::new(items), results: Box::new(results) })
}

/// What both halves of the worker's end use.
struct End {
    area: Arc<SharedArea>,
    /// Rung by the supervisor, when we sleep.
    wake_fd: WakeFd,
    /// Rung by us, when the supervisor sleeps.
    supervisors_wake_fd: WakeFd,
    spin_ns: u64,
}

impl End {
    /// Waits until `look` finds something.
    fn wait<T>(&self, what: u64, mut look: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
        if let Some(found) = self.spin(&mut look)? {
            return Ok(found);
        }
        loop {
            doze(&*self.area, WORKER_ASLEEP, what);
            if let Some(found) = look()? {
                rise(&*self.area, WORKER_ASLEEP);
                return Ok(found);
            }
            self.wake_fd.wait()?;
        }
    }

    fn spin<T>(&self, look: &mut impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
        let first = look()?;
        if first.is_some() || self.spin_ns == 0 {
            return Ok(first);
        }
        let until = monotonic_ns().saturating_add(self.spin_ns);
        while monotonic_ns() < until {
            for _ in 0..LOOKS_PER_CLOCK {
                spin_loop();
                if let Some(found) = look()? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn wake_supervisor(&self, what: u64) {
        if must_wake(&*self.area, SUPERVISOR_ASLEEP, what) {
            self.supervisors_wake_fd.wake();
        }
    }
}

/// The supervisor broke its own ring.
fn invalid(broken: Broken) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, broken)
}

/// The worker's end of the ring with items.
struct ShmItems {
    end: Arc<End>,
    reader: Reader,
    /// What the last message took, which is still lent.
    borrowed_bytes: u64,
    /// The longest body that lies in its frame.
    near_bytes_max: usize,
    input: Option<InputReader>,
    /// If what is lent from the input is there.
    integrity: Arc<InputIntegrity>,
}

/// Where a frame lies.
struct Lying {
    header: Header,
    /// What it takes in the ring.
    ring_bytes: u64,
}

impl ShmItems {
    /// The frame that begins `behind` bytes further, of the `ready` ones.
    #[inline(always)]
    fn lying(&self, behind: u64, ready: u64) -> Result<Option<Lying>, ChannelError> {
        if ready < behind + HEADER_BYTES as u64 {
            return Ok(None);
        }
        let header = self.end.area.lend(ITEMS_PART, self.reader.at() + behind, HEADER_BYTES);
        let Some(header) = Header::read(header)? else { return Ok(None) };
        let near = if header.body_bytes <= self.near_bytes_max { header.body_bytes } else { size_of::<u64>() };
        Ok(Some(Lying { header, ring_bytes: (HEADER_BYTES + header.head_bytes + near) as u64 }))
    }

    /// What was lent is not any more.
    fn give_back(&mut self) {
        self.reader.took(std::mem::take(&mut self.borrowed_bytes));
    }

    /// The supervisor may write over what was given back.
    fn release(&mut self) {
        if self.reader.release(&*self.end.area) {
            self.end.wake_supervisor(FOR_ROOM);
        }
    }
}

impl ItemsIn for ShmItems {
    fn fill(&mut self) -> io::Result<bool> {
        self.give_back();
        self.release();
        let Self { end, reader, .. } = self;
        end.wait(FOR_BYTES, || {
            // The end comes behind the last item.
            let ended = end.area.load(INPUT, Acquire) != 0;
            let ready = reader.look(&*end.area).map_err(invalid)?;
            Ok(if ready > 0 || ended { Some(ready > 0) } else { None })
        })
    }

    fn next(&mut self) -> Result<Option<(ToWorker, &[u8])>, ChannelError> {
        self.give_back();
        let ready = self.reader.ready(&*self.end.area)?;
        let Some(Lying { header, ring_bytes }) = self.lying(0, ready)? else { return Ok(None) };
        // Large bodies are waited for one by one.
        if header.body_bytes > NEAR_BYTES_MAX || self.reader.unreleased() >= NEAR_BYTES_MAX as u64 {
            self.release();
        }
        if header.kind != Kind::ToWorker {
            return Err(ChannelError::Direction);
        }
        self.borrowed_bytes = ring_bytes;
        if self.input.is_some() {
            self.integrity.begin(0);
        }
        let area = &self.end.area;
        let head_at = self.reader.at() + HEADER_BYTES as u64;
        let head = area.lend(ITEMS_PART, head_at, header.head_bytes);
        let body_at = head_at + header.head_bytes as u64;
        let body = if header.body_bytes <= self.near_bytes_max {
            area.lend(ITEMS_PART, body_at, header.body_bytes)
        } else {
            let mut place = [0; size_of::<u64>()];
            area.take(ITEMS_PART, body_at, &mut place);
            let place = u64::from_le_bytes(place);
            if place & IN_INPUT == 0 {
                area.lend(Part::Arena, place, header.body_bytes)
            } else {
                let input = self.input.as_mut().ok_or(ChannelError::Reference)?;
                input.read(place ^ IN_INPUT, header.body_bytes).unwrap_or_else(|| {
                    self.integrity.lacks();
                    &[]
                })
            }
        };
        // The usual one goes where it is wanted without a stop in between.
        if let Some(ToWorker::Batch { first, count, attempt }) = ToWorker::read(head) {
            return Ok(Some((ToWorker::Batch { first, count, attempt }, body)));
        }
        Ok(Some((codec::decode(head)?, body)))
    }

    fn waiting(&self, most: usize) -> usize {
        let ready = self.reader.known();
        let (mut behind, mut frames) = (self.borrowed_bytes, 0);
        while frames < most
            && let Ok(Some(lying)) = self.lying(behind, ready)
        {
            behind += lying.ring_bytes;
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
    end: Arc<End>,
    writer: Writer,
}

impl ShmResults {
    /// Waits for room for so many bytes, or for some if the ring has not that many.
    fn wait_for_room(&mut self, wanted: u64) -> io::Result<u64> {
        let wanted = wanted.min(RESULTS.bytes);
        let room = self.writer.room(&*self.end.area, wanted).map_err(invalid)?;
        if room >= wanted {
            return Ok(room);
        }
        let Self { end, writer } = self;
        end.wait(FOR_ROOM, || {
            if end.area.load(INPUT, Acquire) == SUPERVISOR_GONE {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let room = writer.room(&*end.area, wanted).map_err(invalid)?;
            Ok((room >= wanted).then_some(room))
        })
    }
}

impl ResultsOut for ShmResults {
    /// All at once if the ring can hold it, so that a death leaves all of it or nothing.
    fn send(&mut self, mut frames: &[u8]) -> io::Result<()> {
        while !frames.is_empty() {
            let room = self.wait_for_room(frames.len() as u64)?;
            let (now, later) = frames.split_at(frames.len().min(room as usize));
            self.end.area.put(RESULTS_PART, self.writer.at(), now);
            self.writer.wrote(now.len() as u64);
            self.writer.publish(&*self.end.area);
            self.end.wake_supervisor(FOR_BYTES);
            frames = later;
        }
        Ok(())
    }

    fn staging(&self) -> Option<(StagingArea, [GrowableBuffer; 2])> {
        let area = &self.end.area;
        Some((StagingArea::new(Arc::clone(area), RESULTS.tail), area.staging()?))
    }
}

impl Drop for ShmResults {
    fn drop(&mut self) {
        self.end.area.store(WORKER_GONE, 1, Release);
        self.end.wake_supervisor(FOR_BYTES);
    }
}
