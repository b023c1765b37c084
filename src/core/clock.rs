//! The clock of the run: the shell's clock without the time that the run was paused.
//!
//! Every deadline and every time on record is a time of this clock, so a pause makes all of them stand still together.
//!
//! Invariant: while the run is paused the clock stands still; it never goes back for a time of the shell that does not.

use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;

#[derive(Debug, Default)]
pub(super) struct RunClock {
    /// The latest time that the shell gave.
    latest: Instant,
    /// When the run was paused, if it is, by the shell's clock.
    paused_at: Option<Instant>,
    /// How long earlier pauses were.
    stood: Duration,
}

impl RunClock {
    /// The shell gives this time. Returns the time of the run.
    #[inline]
    pub(super) fn note(&mut self, now: Instant) -> Instant {
        self.latest = self.latest.max(now);
        let now = self.paused_at.map_or(now, |paused_at| paused_at.min(now));
        Instant(now.0.saturating_sub(self.stood.0))
    }

    pub(super) const fn latest(&self) -> Instant {
        self.latest
    }

    #[inline]
    pub(super) const fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// When a time of the run comes, by the shell's clock; `None`: not while the run is paused.
    #[inline]
    pub(super) fn shell_time(&self, at: Instant) -> Option<Instant> {
        self.paused_at.is_none().then(|| at + self.stood)
    }

    pub(super) fn pause(&mut self) {
        self.paused_at = self.paused_at.or(Some(self.latest));
    }

    /// Goes on; `false`: it was not paused.
    pub(super) fn go_on(&mut self) -> bool {
        let Some(paused_at) = self.paused_at.take() else { return false };
        self.stood = mutant!(
            PausedTimeCounts,
            Duration(self.stood.0.saturating_add(self.latest.since(paused_at).0)),
            self.stood
        );
        true
    }
}
