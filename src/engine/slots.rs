//! The processes, or threads, that fill the worker slots, and the descriptors through which the loop reaches them.
//!
//! Invariant: a descriptor leaves the poller before it is closed.

use super::threads::Thread;
use super::token::{Part, Port, generation};
use crate::model::ids::{Incarnation, WorkerId};
use crate::protocol::Protocol;
use crate::sys::pidfd::Process;
use crate::sys::spill::Filling;
use crate::transport::Channel;
use crate::transport::progress_page::ProgressReader;
use std::os::fd::{AsFd, BorrowedFd};

/// One worker slot.
pub struct Slot {
    pub incarnation: Incarnation,
    pub occupant: Occupant,
}

/// Who fills a slot.
pub enum Occupant {
    Nobody,
    Resident(Box<Resident>),
}

/// A worker that stays.
pub struct Resident {
    pub body: Body,
    /// `None` while the loop reads from it.
    pub link: Option<Box<Link>>,
    pub progress: ProgressReader,
    pub greeted: bool,
    /// Its frames are in the poller.
    pub reading: Watched,
    /// GrowableBuffer in its channel is in the poller.
    pub writing: bool,
    /// Its channel is among those that the loop looks at; how often in a row in vain.
    pub awake: bool,
    pub quiet_looks: u32,
    /// How often in a row little of a frame came.
    pub crumbs: u32,
    /// Frames wait to be written at the end of the turn.
    pub unwritten: bool,
    /// Its input is closed as soon as what it was sent is written.
    pub leaving: bool,
    /// Nothing more is read from it: it broke the protocol, or closed its channel.
    pub finished: bool,
}

/// The way to a resident worker: a channel that carries bytes, and the protocol that makes messages of them.
pub struct Link {
    pub channel: Box<dyn Channel>,
    pub protocol: Protocol,
    /// Where the large result that is arriving is kept.
    pub large: Option<Filling>,
}

/// What a resident worker is.
pub enum Body {
    Process(Process),
    Thread(Thread),
}

impl Body {
    /// A thread's is the supervisor's own.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Process(process) => process.pid,
            Self::Thread(_) => std::process::id(),
        }
    }
}

/// Readable when it has ended.
impl AsFd for Body {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Process(process) => process.as_fd(),
            Self::Thread(thread) => thread.as_fd(),
        }
    }
}

/// Whether a readable descriptor is in the poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    Yes,
    /// For nothing but its end, while the output is congested.
    Paused,
    /// For nothing but its end, for a moment, since it says a few bytes at a time.
    Resting,
    /// Out for ever.
    Gone,
}

impl Slot {
    pub fn empty() -> Self {
        Self { incarnation: Incarnation(0), occupant: Occupant::Nobody }
    }

    /// The token of a part of the process in this slot.
    pub fn token(&self, index: usize, part: Part) -> u64 {
        Port::Worker { part, index: index as u32, generation: generation(self.incarnation.0) }.token()
    }

    pub fn resident(&mut self) -> Option<&mut Resident> {
        match &mut self.occupant {
            Occupant::Resident(resident) => Some(resident),
            _ => None,
        }
    }

    /// The process in this slot, if any.
    pub fn process(&self) -> Option<&Process> {
        match &self.occupant {
            Occupant::Resident(resident) => match &resident.body {
                Body::Process(process) => Some(process),
                Body::Thread(_) => None,
            },
            Occupant::Nobody => None,
        }
    }

    /// The thread in this slot, if any.
    pub fn thread(&self) -> Option<&Thread> {
        match &self.occupant {
            Occupant::Resident(resident) => match &resident.body {
                Body::Thread(thread) => Some(thread),
                Body::Process(_) => None,
            },
            Occupant::Nobody => None,
        }
    }
}

/// The slots, found by worker and incarnation: an order for an incarnation that is gone finds nothing.
pub struct Slots(Vec<Slot>);

impl Slots {
    pub fn new(count: u32) -> Self {
        Self((0..count).map(|_| Slot::empty()).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<&mut Slot> {
        self.0.get_mut(worker.index()).filter(|slot| slot.incarnation == incarnation)
    }

    pub fn at(&mut self, index: usize) -> Option<&mut Slot> {
        self.0.get_mut(index)
    }

    /// The slot that an event is about, unless the event is an older process's.
    pub fn of_event(&mut self, index: u32, of: u32) -> Option<&mut Slot> {
        self.0.get_mut(index as usize).filter(|slot| generation(slot.incarnation.0) == of)
    }
}
