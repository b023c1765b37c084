//! The bytes between the supervisor and one worker, and which side has closed which end.

use crate::agenda::Effect;
use crate::process::ProcessId;
use crate::scenario::ChannelStyle;
use crate::world::World;
use std::collections::VecDeque;

/// Both directions of one channel.
pub struct Pipe {
    pub style: ChannelStyle,
    /// The worker at the other end, once it is started.
    pub process: Option<ProcessId>,
    pub to_worker: VecDeque<u8>,
    pub from_worker: VecDeque<u8>,
    /// Queued by the shell and not written yet.
    pub backlog: usize,
    /// The supervisor has closed its end for writing.
    pub input_closed: bool,
    /// A write failed: the shell closes its end whatever is queued.
    pub write_failed: bool,
    /// The worker still has its ends.
    pub worker_reads: bool,
    pub worker_writes: bool,
    pub armed: bool,
    /// The shell was told that nothing more will come, or that the channel failed.
    pub read_to_end: bool,
    /// Frames in the staging area that the worker had not sent when it died.
    pub recoverable: Vec<u8>,
    pub recovered: bool,
    /// Items that the shell has sent and the worker has not completely answered, oldest first.
    pub unanswered: VecDeque<u64>,
    /// Items that were queued, and that the shell took answers for.
    pub queued_items: u64,
    pub answered_items: u64,
    /// The shell has dropped its end.
    pub dropped: bool,
}

impl Pipe {
    pub fn new(style: ChannelStyle) -> Self {
        Self {
            style,
            process: None,
            to_worker: VecDeque::new(),
            from_worker: VecDeque::new(),
            backlog: 0,
            input_closed: false,
            write_failed: false,
            worker_reads: true,
            worker_writes: true,
            armed: false,
            read_to_end: false,
            recoverable: Vec::new(),
            recovered: false,
            unanswered: VecDeque::new(),
            queued_items: 0,
            answered_items: 0,
            dropped: false,
        }
    }

    /// Whether a read returns bytes or the end.
    pub fn has_input(&self) -> bool {
        !self.from_worker.is_empty() || !self.worker_writes
    }

    /// Whether a write makes progress or fails, instead of blocking.
    pub fn takes_output(&self) -> bool {
        self.to_worker.len() < self.style.to_worker_bytes_max || !self.worker_reads
    }

    pub fn is_busy_polled(&self) -> bool {
        self.style.busy_polled && !self.armed
    }

    /// Whether its descriptor for reading is readable. That of a busy-polled channel is readable only while it is
    /// armed; then it reports free bytes for writing, too.
    pub fn shows_readable(&self) -> bool {
        if self.style.busy_polled {
            return self.armed && (self.has_input() || (self.backlog > 0 && self.takes_output()));
        }
        self.has_input()
    }
}

impl World {
    /// The shell cannot write to this worker any more, and gives it up.
    pub fn fail_writes(&mut self, pipe: usize) {
        self.pipes[pipe].write_failed = true;
        if let Some(id) = self.pipes[pipe].process {
            self.processes[id].half_closed = true;
        }
    }

    /// Wakes the worker at the other end soon: there is something for it.
    pub fn wake_worker(&mut self, pipe: usize) {
        if let Some(id) = self.pipes[pipe].process
            && self.processes[id].is_alive()
            && !std::mem::replace(&mut self.processes[id].goes_on, true)
        {
            let wait = self.rng.below(20_000);
            self.after(wait, Effect::WorkerGoesOn(id));
        }
    }
}
