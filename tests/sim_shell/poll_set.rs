//! The poll set of the fake system: what is watched, for what, and what each descriptor stands for.

use crate::check::hold;
use crate::process::ProcessId;
use crate::world::World;
use std::os::fd::RawFd;
use supervisor::sys::poller::Interest;

/// What a descriptor stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    Process(ProcessId),
    /// The supervisor's end for reading, of a pipe by its place in the world's list.
    FromWorker(usize),
    /// The supervisor's end for writing.
    ToWorker(usize),
    Source,
    Stdout,
    Stderr,
    /// The reports of the launchers.
    Reports,
}

#[derive(Clone, Copy, Debug)]
pub struct Watch {
    pub fd: RawFd,
    pub object: Object,
    pub interest: Interest,
    pub token: u64,
}

/// Objects by descriptor, and watches in the order in which they were added.
#[derive(Default)]
pub struct PollSet {
    objects: Vec<Option<Object>>,
    pub watches: Vec<Watch>,
    /// Tokens of pidfds that were watched once.
    pub stale_tokens: Vec<u64>,
}

impl PollSet {
    pub fn opened(&mut self, fd: RawFd, object: Object) {
        let at = fd as usize;
        if at >= self.objects.len() {
            self.objects.resize(at + 1, None);
        }
        self.objects[at] = Some(object);
    }

    pub fn object(&self, fd: RawFd) -> Option<Object> {
        self.objects.get(fd as usize).copied().flatten()
    }

    pub fn watch_of(&self, object: Object) -> Option<&Watch> {
        self.watches.iter().find(|watch| watch.object == object)
    }

    pub fn position(&self, fd: RawFd) -> Option<usize> {
        self.watches.iter().position(|watch| watch.fd == fd)
    }
}

impl World {
    pub fn descriptor_closed(&mut self, fd: RawFd) {
        let watched = self.poll_set.position(fd).map(|at| self.poll_set.watches.remove(at));
        hold!(self, watched.is_none(), PollSet, "a descriptor is closed while it is watched: {watched:?}");
        if let Some(object) = self.poll_set.objects.get_mut(fd as usize) {
            *object = None;
        }
    }

    /// The world is not told when a pidfd is closed. Those of reaped processes may not be watched any more.
    pub fn check_pidfds(&mut self) {
        let reaped = |watch: &&Watch| matches!(watch.object, Object::Process(id) if self.processes[id].reaped);
        let left = self.poll_set.watches.iter().find(reaped).copied();
        hold!(self, left.is_none(), PollSet, "the pidfd of a reaped process is watched: {left:?}");
    }
}
