//! Workers of the protocol `lines` that do not answer. A program that fills a buffer before it writes answers late, or
//! never where few items are in flight: that is said once a run, since nothing else shows it.
//!
//! Invariant: what is said changes nothing. While nothing is owed, no deadline is set; the scan of all slots comes at
//! most once a second.

use super::slots::Slots;
use crate::model::ids::WorkerId;
use crate::model::time::{Duration, Instant};

/// An answer that takes longer is worth a hint.
const SILENCE: Duration = Duration::from_secs(1);

/// Whether workers are watched, and when they are looked at next.
pub struct Silence {
    watches: bool,
    next: Option<Instant>,
}

impl Silence {
    pub const fn new(watches: bool) -> Self {
        Self { watches, next: None }
    }

    /// A batch was sent.
    pub fn note_sent(&mut self, now: Instant) {
        if self.watches && self.next.is_none() {
            self.next = Some(now + SILENCE);
        }
    }

    /// Workers are held: from now on silence tells nothing about their program.
    pub const fn end(&mut self) {
        *self = Self::new(false);
    }

    pub const fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Looks at all workers, if that is due. The first that has owed an answer for long is returned, once.
    pub fn check(&mut self, slots: &Slots, now: Instant) -> Option<WorkerId> {
        self.next = self.next.filter(|next| *next > now);
        if !self.watches || self.next.is_some() {
            return None;
        }
        let owing = (0..slots.len()).filter_map(|index| Some((slots.link(index)?.unanswered_since()?, index)));
        let (since, index) = owing.min()?;
        if since + SILENCE > now {
            self.next = Some(since + SILENCE);
            return None;
        }
        self.watches = false;
        Some(WorkerId::from_index(index))
    }
}

/// The hint.
pub fn notice(worker: WorkerId, pid: u32) -> String {
    format!(
        "supervisor: worker {worker} (pid {pid}) has not answered for 1 s: a program that buffers its output needs a \
         terminal (--pty), or has to be told not to (mawk -W interactive, gawk with fflush(), sed -u, jq --unbuffered, python3 -u), and it has to \
         answer every line; if an item takes that long, all is well"
    )
}
