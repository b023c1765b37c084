//! The one clock: monotonic time, as nanoseconds since the run started.
//!
//! Invariant: no other module reads the time; a function that needs it takes an [`Instant`]. The clock never goes back,
//! and does not advance while the machine sleeps.

use crate::model::time::Instant;
use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds: the same for all processes of this machine, so that a worker's stamp can be
/// compared with ours. About 30 ns a call.
#[must_use]
pub fn monotonic_ns() -> u64 {
    // The call cannot fail for this clock (`clock_gettime(2)`); a zero would only end a wait early.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| (time.tv_sec() as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec() as u64))
}

/// The time of day, in nanoseconds since 1970; 0 before that. For people: it may be set while a run lasts.
#[must_use]
pub fn unix_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Processor time that the calling thread has used, in nanoseconds.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(0, |time| (time.tv_sec() as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec() as u64))
}

/// The clock of one run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start_ns: u64,
}

impl Clock {
    /// A clock whose zero is now.
    #[must_use]
    pub fn start() -> Self {
        Self { start_ns: monotonic_ns() }
    }

    #[must_use]
    pub fn now(&self) -> Instant {
        self.instant_of(monotonic_ns())
    }

    /// Converts a [`monotonic_ns`] of any process of this machine; a time before the start becomes the start.
    #[must_use]
    pub const fn instant_of(&self, monotonic_ns: u64) -> Instant {
        Instant(monotonic_ns.saturating_sub(self.start_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_starts_at_the_start_and_never_goes_back() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.now() >= first);
        assert_eq!(clock.instant_of(clock.start_ns + 7), Instant(7));
        assert_eq!(clock.instant_of(0), Instant::ZERO);
    }
}
