//! Time as a value. The clock that reads it lives in `sys`.

#![deny(missing_docs)]

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// A moment: nanoseconds since the run started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant(pub u64);

/// A length of time in nanoseconds. The core may not name `std::time`, so the project has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Duration(pub u64);

impl Duration {
    /// No time.
    pub const ZERO: Self = Self(0);
    /// This many seconds; at most 584 years.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }
    /// This many milliseconds; at most 584 years.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }
    /// In seconds, rounded.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// This length doubled `times` times, saturating.
    #[must_use]
    pub fn doubled(self, times: u32) -> Self {
        Self(self.0.saturating_mul(1u64.checked_shl(times.min(63)).unwrap_or(u64::MAX)))
    }
}

impl Instant {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
    /// Seconds since the start of the run, rounded.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}
impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(length.0))
    }
}
