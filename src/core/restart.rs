//! Restarts: the type decides *if* a slot is filled again, the strategy *which others* are restarted
//! with it, the back-off *when*, and the intensity when to give up. Pure functions and one small record.
//!
//! Invariant: a death for which an item is charged is no setback of the slot; that item's limits bound such deaths.
//! Only failed starts, and breaches of the protocol by workers that did no work, make the run give up.

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

/// How the end of a worker counts for its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setback {
    /// None: the worker did some work, or an order of the core ended it. The next process starts at once.
    None,
    /// The worker was ready and ended without work, such as one that was killed while it was idle. The next process
    /// starts after the back-off, as often as it takes.
    Idle,
    /// The worker could not be started, or ended before its hello. Counts toward giving up.
    FailedStart,
    /// The worker broke the protocol before it did any work. Counts toward giving up, also if the next one says hello.
    Breach,
}

/// The setbacks of one slot.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotHistory {
    /// Those within the period that count toward giving up, oldest first.
    failures: VecDeque<Instant>,
    /// One of them is a breach.
    breach: bool,
    /// Setbacks in a row, for the back-off.
    streak: u32,
    last: Instant,
}

impl SlotHistory {
    /// The slot did some work: earlier setbacks no longer count.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.streak > 0 {
            *self = Self::default();
        }
    }

    /// A worker of the slot is ready: earlier failed starts no longer count toward giving up.
    pub(super) fn ready(&mut self) {
        if !self.breach {
            self.failures.clear();
        }
    }

    /// Counts a setback: how long to wait before the restart; `None`: give up.
    pub(super) fn note(
        &mut self,
        setback: Setback,
        now: Instant,
        intensity: Intensity,
        backoff: Backoff,
    ) -> Option<Duration> {
        let counts = match setback {
            Setback::None => return Some(Duration::ZERO),
            Setback::Idle => mutant!(IdleDeathCounted, false, true),
            Setback::FailedStart | Setback::Breach => true,
        };
        if counts {
            self.breach |= setback == Setback::Breach;
            self.failures.push_back(now);
            while self.failures.front().is_some_and(|failure| now.since(*failure) > intensity.period) {
                self.failures.pop_front();
            }
            let allowed = intensity.restarts_max as usize;
            if self.failures.len() > mutant!(IntensityOffByOne, allowed, allowed + 1) {
                return None;
            }
        }
        Some(self.wait(now, intensity.period, backoff))
    }

    /// The next wait of the back-off, without counting toward giving up. Setbacks are in a row if less than `period`
    /// lies between two of them, the wait of the back-off not included.
    pub(super) fn wait(&mut self, now: Instant, period: Duration, backoff: Backoff) -> Duration {
        let waited = backoff.min.doubled(self.streak.saturating_sub(1)).min(backoff.max);
        if now.since(self.last + waited) > period {
            self.streak = 0;
        }
        self.last = now;
        let doublings = mutant!(BackoffNotDoubled, self.streak, 0);
        self.streak = self.streak.saturating_add(1);
        backoff.min.doubled(doublings).min(backoff.max)
    }

    /// Failures within the period, as of the last one.
    pub(super) fn failures(&self) -> usize {
        self.failures.len()
    }
}
