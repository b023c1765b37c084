//! The worker slots and what fills them.
//!
//! Slots are found by worker and incarnation: an order for an incarnation that is gone finds nothing. Their number grows
//! with the workers that are started; a slot that is not filled costs a few words.
//!
//! Invariant: a descriptor leaves the poll set before it is closed.

use super::super::super::token::{Part, Port, generation};
use super::super::thread::Thread;
use super::link::Link;
use super::worker_log::WorkerStderr;
use crate::model::ids::{Incarnation, WorkerId};
use crate::mutant::mutant;
use crate::sys::pidfd::Process;
use crate::transport::progress_page::ProgressReader;
use std::os::fd::{AsFd, BorrowedFd};

/// One worker slot.
pub struct Slot {
    pub incarnation: Incarnation,
    pub resident: Option<Box<Resident>>,
    /// The end of what the last process that has ended wrote to stderr, and which one that was.
    pub last_stderr: Option<(Incarnation, Vec<u8>)>,
}

/// A worker that stays.
pub struct Resident {
    pub body: Body,
    pub link: Link,
    /// Where the worker writes which item it is at.
    pub progress: Option<ProgressReader>,
    /// Whether the frames that it sends are in the poll set.
    pub reading: Watched,
    /// Its descriptor for writing is in the poll set.
    pub writing: bool,
    /// Its channel is busy-polled.
    pub busy_polled: bool,
    /// Frames wait to be written at the end of the turn.
    pub unwritten: bool,
    /// Its input is closed as soon as what it was sent is written.
    pub leaving: bool,
    /// Items that it was sent and has not answered, where the loop gives way.
    pub held: u64,
    pub stderr: Option<WorkerStderr>,
}

/// What executes a resident worker.
pub enum Body {
    Process(Process),
    Thread(Thread),
}

impl Body {
    /// Of a thread, the supervisor's own.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Process(process) => process.pid,
            Self::Thread(_) => std::process::id(),
        }
    }
}

/// Readable when the body has ended.
impl AsFd for Body {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Process(process) => process.as_fd(),
            Self::Thread(thread) => thread.as_fd(),
        }
    }
}

/// Whether the descriptor for reading is in the poll set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    Yes,
    /// Only for its end, while the output is congested.
    Paused,
    /// Only for its end, for a moment: the channel is throttled.
    Throttled,
    /// Taken out for ever.
    Gone,
}

impl Slot {
    const fn empty() -> Self {
        Self { incarnation: Incarnation(0), resident: None, last_stderr: None }
    }

    /// The token of a part of the worker in this slot.
    pub const fn token(&self, index: usize, part: Part) -> u64 {
        Port::Worker { part, index: index as u32, generation: generation(self.incarnation.0) }.token()
    }
}

/// All slots.
#[derive(Default)]
pub struct Slots(Vec<Slot>);

impl Slots {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The slot of this worker, made if there is none yet.
    pub fn slot_of(&mut self, worker: WorkerId) -> &mut Slot {
        let index = worker.index();
        if index >= self.0.len() {
            self.0.resize_with(index + 1, Slot::empty);
        }
        &mut self.0[index]
    }

    /// The worker, if it is still of this incarnation.
    pub fn get(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<&mut Resident> {
        let slot = self.0.get_mut(worker.index()).filter(|slot| slot.incarnation == incarnation)?;
        slot.resident.as_deref_mut()
    }

    pub fn at(&mut self, index: usize) -> Option<&mut Slot> {
        self.0.get_mut(index)
    }

    pub fn resident(&mut self, index: usize) -> Option<&mut Resident> {
        self.0.get_mut(index)?.resident.as_deref_mut()
    }

    pub fn link(&self, index: usize) -> Option<&Link> {
        self.0.get(index)?.resident.as_deref().map(|resident| &resident.link)
    }

    /// The worker whose process has this pid.
    pub fn of_process(&self, pid: u32) -> Option<(WorkerId, Incarnation)> {
        let is_of = |slot: &Slot| {
            let body = slot.resident.as_deref().map(|resident| &resident.body);
            matches!(body, Some(Body::Process(process)) if process.pid == pid)
        };
        let index = self.0.iter().position(is_of)?;
        Some((WorkerId::from_index(index), self.0[index].incarnation))
    }

    /// Whether an event of the poll set is about the worker that is in the slot now.
    pub fn is_present(&self, index: u32, of: u32) -> bool {
        let is_of = |slot: &Slot| generation(slot.incarnation.0) == of;
        self.0.get(index as usize).is_some_and(|slot| mutant!(StaleEventCounts, is_of(slot), true))
    }
}
