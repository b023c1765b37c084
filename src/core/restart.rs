//! Restarts: the type decides *if* a slot is filled again, the strategy *which others* are restarted
//! with it, the back-off *when*, and the intensity when to give up. Pure functions and one small record.
//!
//! Invariant: a death for which an item is charged is not counted here; that item's crash limit bounds such deaths.

use crate::model::exit::ExitStatus;
use crate::model::spec::{Backoff, Intensity, RestartStrategy, RestartType};
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use std::collections::VecDeque;
use std::ops::Range;

/// If a slot is filled again. `own`: the worker ended by itself, not by an order of the core.
pub(super) fn wanted(kind: RestartType, own: bool, status: ExitStatus) -> bool {
    match kind {
        RestartType::Permanent => true,
        RestartType::Transient => mutant!(TransientAsPermanent, !own || !status.is_success(), true),
        RestartType::Temporary => false,
    }
}

/// The slots that are restarted with the one at `dead`, itself included.
pub(super) fn companions(strategy: RestartStrategy, dead: usize, slots: usize) -> Range<usize> {
    match strategy {
        RestartStrategy::OneForOne => dead..dead + 1,
        RestartStrategy::OneForAll => mutant!(OneForAllIgnored, 0..slots, dead..dead + 1),
        RestartStrategy::RestForOne => mutant!(RestForOneLower, dead..slots, 0..dead + 1),
    }
}

/// The counted deaths of one slot.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Those within the period, oldest first.
    deaths: VecDeque<Instant>,
    /// Those in a row, for the back-off.
    streak: u32,
}

impl History {
    /// The slot did some work: earlier deaths no longer count.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.streak > 0 {
            self.deaths.clear();
            self.streak = 0;
        }
    }

    /// Counts a death: how long to wait before the restart; `None`: give up.
    pub(super) fn note(&mut self, now: Instant, intensity: Intensity, backoff: Backoff) -> Option<Duration> {
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|death| now.since(*death) > intensity.period) {
            self.deaths.pop_front();
        }
        let allowed = intensity.restarts_max as usize;
        if self.deaths.len() > mutant!(IntensityOffByOne, allowed, allowed + 1) {
            return None;
        }
        Some(self.wait(backoff))
    }

    /// The next wait of the back-off, without counting toward the intensity.
    pub(super) fn wait(&mut self, backoff: Backoff) -> Duration {
        let doublings = mutant!(BackoffNotDoubled, self.streak, 0);
        self.streak = self.streak.saturating_add(1);
        backoff.min.doubled(doublings).min(backoff.max)
    }

    /// Deaths within the period, as of the last one.
    pub(super) fn deaths(&self) -> usize {
        self.deaths.len()
    }
}
