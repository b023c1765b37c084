//! Shared memory: a ring of frames each way in one sealed memory file, and a bell each way for who sleeps.
//!
//! Frames to the worker always stand whole in their ring, and the worker reads them where they lie: it
//! trusts the supervisor. A body that is too large for that lies in the hall, and the frame only says
//! where. The other way frames are a stream of bytes, which the supervisor copies out before it judges
//! it, as what comes by a pipe.
//!
//! While both sides are busy no system call is made. The supervisor's end is *awake* then: no fd tells
//! of results or room, so it has to be looked at, and parked before the loop waits.
//!
//! Invariant: whatever a worker writes into the memory, and whenever it dies, it hurts itself alone.

use super::shm_area::{
    HALL_BYTES, INPUT, INPUT_ENDED, ITEMS, ITEMS_PART, NEAR_BYTES_MAX, PLAN, RESULTS, RESULTS_PART, SUPERVISOR_ASLEEP,
    SUPERVISOR_GONE, WORKER_ASLEEP, WORKER_GONE,
};
use super::shm_hall::Hall;
use super::shm_ring::{Broken, FOR_BYTES, FOR_ROOM, Reader, Words, Writer, doze, must_wake, rise};
use super::{Channel, ChannelError, Fill, Flush, Handed, Transport, judge};
use crate::model::time::Duration;
use crate::sys::bell::Bell;
use crate::sys::block::{Block, BlockSlice};
use crate::sys::shared_area::{Part, SharedArea};
use crate::wire::codec::{self, Message};
use crate::wire::frame::{self, FrameDecoder, HEAD_BYTES_MAX, HEADER_BYTES};
use crate::wire::message::{FromWorker, ToWorker};
use crate::wire::names;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

/// An area of its own for each worker.
pub(super) struct ShmTransport {
    spin: Duration,
}

impl ShmTransport {
    pub(super) const fn new(spin: Duration) -> Self {
        Self { spin }
    }
}

impl Transport for ShmTransport {
    fn open(&mut self) -> io::Result<(Box<dyn Channel>, Handed)> {
        let (area, memory) = SharedArea::create(PLAN)?;
        let (bell, workers_bell) = (Bell::new()?, Bell::new()?);
        let handed = Handed::new()
            .fd(&[names::FD_IN], workers_bell.to_fd()?)
            .fd(&[names::FD_OUT], bell.to_fd()?)
            .fd(&[names::FD_MEMORY], memory)
            .word(names::SPIN, self.spin.0.to_string());
        let channel = ShmChannel {
            area,
            bell,
            workers_bell,
            items: Writer::new(ITEMS),
            hall: Hall::new(HALL_BYTES),
            backlog: VecDeque::new(),
            unflushed_bytes: 0,
            is_open: true,
            results: Reader::new(RESULTS),
            decoder: FrameDecoder::new(),
            broken: None,
            parked: false,
        };
        Ok((Box::new(channel), handed))
    }

    fn fds_per_channel(&self) -> u64 {
        2
    }

    fn spin(&self) -> Duration {
        self.spin
    }
}

/// A frame that waits for room.
struct Waiting {
    lead: Lead,
    block: Arc<Block>,
    range: Range<usize>,
}

/// What a frame begins with: its header and its head.
#[derive(Clone, Copy)]
struct Lead {
    bytes: [u8; HEADER_BYTES + HEAD_BYTES_MAX],
    used: usize,
}

impl Lead {
    fn new(message: &ToWorker, body_bytes: usize) -> Result<Self, ChannelError> {
        let mut room = [0; HEAD_BYTES_MAX];
        let head = codec::encode_into(message, &mut room);
        let header = frame::header(ToWorker::KIND, head.len(), body_bytes)?;
        let mut bytes = [0; HEADER_BYTES + HEAD_BYTES_MAX];
        bytes[..HEADER_BYTES].copy_from_slice(&header);
        bytes[HEADER_BYTES..HEADER_BYTES + head.len()].copy_from_slice(head);
        Ok(Self { bytes, used: HEADER_BYTES + head.len() })
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// The supervisor's end.
struct ShmChannel {
    area: SharedArea,
    /// Rung by the worker, when we sleep.
    bell: Bell,
    /// Rung by us, when the worker sleeps.
    workers_bell: Bell,
    items: Writer,
    hall: Hall,
    /// What found no room, in order.
    backlog: VecDeque<Waiting>,
    /// Of the backlog, and of what is written but not published.
    unflushed_bytes: usize,
    is_open: bool,
    results: Reader,
    decoder: FrameDecoder,
    broken: Option<Broken>,
    /// The worker was told that we sleep.
    parked: bool,
}

impl ShmChannel {
    fn wake_up(&mut self) {
        if self.parked {
            self.parked = false;
            rise(&self.area, SUPERVISOR_ASLEEP);
            self.bell.silence();
        }
    }

    /// Writes a frame if there is room for all of it.
    fn write(&mut self, lead: &Lead, body: &[u8]) -> Result<bool, Broken> {
        if !self.has_room(lead, body.len())? {
            return Ok(false);
        }
        let (at, lead) = (self.items.at(), lead.bytes());
        let rest = at + lead.len() as u64;
        self.area.put(ITEMS_PART, at, lead);
        if body.len() <= NEAR_BYTES_MAX {
            self.area.put(ITEMS_PART, rest, body);
            self.items.wrote((lead.len() + body.len()) as u64);
        } else if let Some(place) = self.hall.place(body.len()) {
            self.area.put(Part::Hall, place, body);
            self.area.put(ITEMS_PART, rest, &place.to_le_bytes());
            self.items.wrote((lead.len() + size_of_val(&place)) as u64);
            self.hall.keep_until(self.items.at(), place, body.len());
        }
        Ok(true)
    }

    /// If a frame can be written now.
    fn has_room(&mut self, lead: &Lead, body_bytes: usize) -> Result<bool, Broken> {
        let in_hall = body_bytes > NEAR_BYTES_MAX;
        let needed = (lead.used + if in_hall { size_of::<u64>() } else { body_bytes }) as u64;
        if self.items.room(&self.area, needed)? < needed {
            return Ok(false);
        }
        if in_hall {
            self.hall.free_until(self.items.look(&self.area)?);
        }
        Ok(!in_hall || self.hall.place(body_bytes).is_some())
    }

    /// Writes what has room of the backlog.
    fn write_backlog(&mut self) -> Result<(), Broken> {
        while let Some(Waiting { lead, block, range }) = self.backlog.pop_front() {
            if !self.write(&lead, &block[range.clone()])? {
                self.backlog.push_front(Waiting { lead, block, range });
                break;
            }
        }
        Ok(())
    }

    /// If the next `fill` or `flush` has something to do.
    fn has_something(&mut self) -> Result<bool, Broken> {
        if self.results.look(&self.area)? > 0 || self.area.load(WORKER_GONE, Acquire) != 0 {
            return Ok(true);
        }
        let first = self.backlog.front().map(|waiting| (waiting.lead, waiting.range.len()));
        first.map_or(Ok(false), |(lead, bytes)| self.has_room(&lead, bytes))
    }

    fn drop_backlog(&mut self) {
        self.backlog = VecDeque::new();
        self.items.retract();
        self.unflushed_bytes = 0;
    }

    fn tell(&self, input: u64) {
        self.area.store(INPUT, input, Release);
        if must_wake(&self.area, WORKER_ASLEEP, FOR_BYTES | FOR_ROOM) {
            self.workers_bell.ring();
        }
    }
}

impl Channel for ShmChannel {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// The same: room is told of by [`Channel::park`].
    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.is_open.then(|| self.bell.as_fd())
    }

    fn fill(&mut self) -> io::Result<Fill> {
        self.wake_up();
        let ready = match self.results.ready(&self.area) {
            // Its `WORKER_GONE` comes behind its last byte.
            Ok(0) if self.area.load(WORKER_GONE, Acquire) != 0 => match self.results.look(&self.area) {
                Ok(0) => return Ok(Fill::Closed),
                looked => looked,
            },
            looked => looked,
        };
        let ready = match ready {
            Ok(0) => return Ok(Fill::Blocked),
            Ok(ready) => ready,
            Err(broken) => {
                // What is wrong `next` says, in words.
                self.broken = Some(broken);
                return Ok(Fill::Blocked);
            }
        };
        let spare = self.decoder.spare();
        let bytes = spare.len().min(usize::try_from(ready).unwrap_or(usize::MAX));
        self.area.take(RESULTS_PART, self.results.at(), &mut spare[..bytes]);
        self.decoder.filled(bytes);
        self.results.took(bytes as u64);
        self.results.release(&self.area);
        if must_wake(&self.area, WORKER_ASLEEP, FOR_ROOM) {
            self.workers_bell.ring();
        }
        Ok(Fill::Bytes(bytes))
    }

    fn next(&mut self) -> Result<Option<(FromWorker, &[u8])>, ChannelError> {
        if let Some(broken) = self.broken {
            return Err(broken.into());
        }
        let Some(frame) = self.decoder.next()? else { return Ok(None) };
        Ok(Some((judge(&frame)?, frame.body)))
    }

    fn queue(&mut self, message: ToWorker, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        if !self.is_open {
            return Ok(());
        }
        let bytes = body.bytes();
        let lead = Lead::new(&message, bytes.len())?;
        if !self.backlog.is_empty() || !self.write(&lead, bytes)? {
            self.backlog.push_back(Waiting { lead, block: Arc::clone(body.block()), range: body.range() });
        }
        self.unflushed_bytes += lead.used + bytes.len();
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
            self.workers_bell.ring();
        }
        self.unflushed_bytes = self.backlog.iter().map(|waiting| waiting.lead.used + waiting.range.len()).sum();
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

    fn is_awake(&self) -> bool {
        !self.parked
    }

    fn park(&mut self) -> bool {
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
