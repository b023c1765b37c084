//! Deadlines, the earliest first. At most one per slot and kind, so that setting one replaces it.
//!
//! Invariant: a deadline is set strictly later than the moment it is set at, so that firing what is
//! due always ends.

use crate::model::time::Instant;
use std::collections::BTreeSet;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The deadline of the whole run.
    WholeRun,
    /// The grace of a drain, or of the normal end.
    Grace,
    /// The delay between two starts of processes.
    StartDelay,
    /// A command passes the limit that is a share of the median.
    MedianLimit,
    /// Whatever the slot at this index waits for in its present state.
    Slot(usize),
    /// An item has been in hand for too long.
    Hands,
    /// Chaos has something to do.
    Chaos,
}

#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    /// Sets `timer`, whose deadline is kept in `place`. `Instant(u64::MAX)` means never.
    pub(super) fn set(&mut self, timer: Timer, place: &mut Option<Instant>, deadline: Instant, now: Instant) {
        self.clear(timer, place);
        let deadline = deadline.max(Instant(now.0.saturating_add(1)));
        if deadline < Instant(u64::MAX) {
            *place = Some(deadline);
            self.0.insert((deadline, timer));
        }
    }

    pub(super) fn clear(&mut self, timer: Timer, place: &mut Option<Instant>) {
        if let Some(deadline) = place.take() {
            self.0.remove(&(deadline, timer));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(deadline, _)| *deadline)
    }

    /// Removes and returns a timer that is due. Its `place` still holds the deadline: the caller clears it.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (deadline, timer) = *self.0.first()?;
        if deadline > now {
            return None;
        }
        self.0.pop_first();
        Some(timer)
    }

    /// Whether `timer` is set to `deadline`. For checks.
    pub(super) fn holds(&self, timer: Timer, deadline: Instant) -> bool {
        self.0.contains(&(deadline, timer))
    }
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
