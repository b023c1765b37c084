//! Times of events, in nanoseconds since the start of the run.

use crate::model::time::Instant;

/// The latest time of an event, 292 years: behind it is a place for what must end later than it began.
const TIME_MAX: u64 = u64::MAX / 2;

/// A moment of the run.
pub fn ns(at: Instant) -> u64 {
    at.0.min(TIME_MAX)
}
