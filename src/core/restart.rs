//! If, who and when a slot is filled again: type decides *if*, strategy decides *who*, back-off
//! decides *when*, and intensity decides when to give up. Pure functions and one small record.
//!
//! Invariant: only deaths with no item in hand are counted here; a death at an item is bounded by
//! that item's crash limit.

use super::mutant::{Mutant, Mutation};
use crate::model::exit::ExitStatus;
use crate::model::spec::{Backoff, Intensity, RestartStrategy, RestartType};
use crate::model::time::{Duration, Instant};
use std::collections::VecDeque;
use std::ops::Range;

/// If a slot is filled again. `own`: the worker ended by itself, and not because we ended it.
pub(super) fn wanted(kind: RestartType, own: bool, status: ExitStatus, mutation: Mutation) -> bool {
    match kind {
        RestartType::Permanent => true,
        RestartType::Transient => !own || !status.is_success() || mutation.is(Mutant::TransientAsPermanent),
        RestartType::Temporary => false,
    }
}

/// The slots that are restarted with the one at `dead`, itself included.
pub(super) fn companions(strategy: RestartStrategy, dead: usize, slots: usize, mutation: Mutation) -> Range<usize> {
    match strategy {
        RestartStrategy::OneForAll if !mutation.is(Mutant::OneForAllIgnored) => 0..slots,
        RestartStrategy::RestForOne if mutation.is(Mutant::RestForOneLower) => 0..dead + 1,
        RestartStrategy::RestForOne => dead..slots,
        RestartStrategy::OneForOne | RestartStrategy::OneForAll => dead..dead + 1,
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
    /// The slot did some work: what was before counts no more.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.streak > 0 {
            self.deaths.clear();
            self.streak = 0;
        }
    }

    /// Counts a death: how long to wait before the restart; `None`: give up.
    pub(super) fn note(
        &mut self,
        now: Instant,
        intensity: Intensity,
        backoff: Backoff,
        mutation: Mutation,
    ) -> Option<Duration> {
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|death| now.since(*death) > intensity.period) {
            self.deaths.pop_front();
        }
        let spare = usize::from(mutation.is(Mutant::IntensityOffByOne));
        if self.deaths.len() > intensity.restarts_max as usize + spare {
            return None;
        }
        Some(self.wait(backoff, mutation))
    }

    /// The next wait of the back-off, without counting toward the intensity.
    pub(super) fn wait(&mut self, backoff: Backoff, mutation: Mutation) -> Duration {
        let doublings = if mutation.is(Mutant::BackoffNotDoubled) { 0 } else { self.streak };
        self.streak = self.streak.saturating_add(1);
        backoff.min.doubled(doublings).min(backoff.max)
    }

    /// Deaths within the period, as of the last one.
    pub(super) fn deaths(&self) -> usize {
        self.deaths.len()
    }
}
