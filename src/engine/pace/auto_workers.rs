//! The number of workers of a run that searches for it (`--jobs-max`).
//!
//! Invariant: looks at most once a second, and wakes nothing: an item that ends is an event.

use super::super::turn::Turn;
use super::climb::{Climb, RateSample};
use crate::core::input::Input;
use crate::model::command::{Command, Origin};
use crate::model::time::{Duration, Instant};

/// The time between two looks, at least.
const EVERY: Duration = Duration::from_secs(1);

/// The search, and where its last look ended.
pub struct AutoWorkers {
    climb: Climb,
    since: Instant,
    settled: u64,
    next: Instant,
}

impl AutoWorkers {
    /// `workers`: the number at the start.
    pub fn new(workers: u32, max: u32) -> Self {
        Self { climb: Climb::new(workers, max), since: Instant::ZERO, settled: 0, next: Instant::ZERO + EVERY }
    }

    /// So many items have ended since the start of the run.
    pub fn end_turn(&mut self, settled: u64, turn: &mut Turn) {
        if turn.now < self.next {
            return;
        }
        self.next = turn.now + EVERY;
        let (items, elapsed) = (settled - self.settled, turn.now.since(self.since));
        // A machine that does not tell is not short. While it is, more workers only wait more.
        let is_short = turn.system.machine_state().is_ok_and(|state| state.waits_for_memory());
        if !is_short && !self.climb.is_due(items, elapsed) {
            return;
        }
        (self.since, self.settled) = (turn.now, settled);
        if let Some(workers) = self.climb.look(RateSample { items, elapsed, is_short }) {
            let command = Command::Scale { workers };
            turn.report(Input::Command { command, origin: Origin::Caller });
        }
    }
}
