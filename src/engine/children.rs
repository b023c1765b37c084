//! Children that are stopped and go on, and orphans that this process has inherited.
//!
//! The system reports a stop of a child by the same signal as each of its ends, so a run of commands would wake the
//! loop for each of them. After a look the loop looks again after [`LOOK_EVERY`] at the earliest, and only if something
//! has happened: a run in which nothing happens wakes nothing.
//!
//! Invariant: says what has happened to which process. What it means is up to the core.

use super::fleet::Fleet;
use super::turn::Turn;
use crate::model::time::{Duration, Instant};

/// Often enough for a person, and rare beside the ends of commands (thousands a second).
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// When the loop looks after its children.
#[derive(Default)]
pub struct Children {
    /// `None`: at the next change.
    next_look: Option<Instant>,
    /// The last look has not seen everything.
    again: bool,
}

impl Children {
    /// Something has happened to a child.
    pub fn on_ready(&mut self, fleet: &mut Fleet, turn: &mut Turn) {
        for change in turn.system.changed_children() {
            fleet.note_change(change, turn);
        }
        self.again = turn.system.reap_adopted(&|pid| fleet.has_process(pid));
        self.next_look = Some(turn.now + LOOK_EVERY);
    }

    pub const fn next_timeout(&self) -> Option<Instant> {
        self.next_look
    }

    /// Once that is due, waits for the next change, or looks again.
    pub fn begin_turn(&mut self, fleet: &mut Fleet, turn: &mut Turn) {
        if self.next_look.is_some_and(|at| at <= turn.now) {
            self.next_look = None;
            if self.again {
                self.on_ready(fleet, turn);
            } else {
                turn.system.watch_children();
            }
        }
    }
}
