//! How fast items get their outcomes.
//!
//! The rate is that of the last minute. Where fewer items than workers ended in it, which says little, it is that of the
//! whole run; and there is none before as many items as workers have ended, since the first ones come together.

use crate::model::time::{Duration, Instant};
use std::collections::VecDeque;

/// How far the rate looks back.
const WINDOW: Duration = Duration::from_secs(60);
/// How far samples are apart, at least.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// A shorter time says nothing.
const TIME_MIN: Duration = Duration::from_secs(1);

/// Samples of the last minute: at most 62.
#[derive(Debug)]
pub struct Rates {
    /// When, and how many items had their outcome.
    samples: VecDeque<(Instant, u64)>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { samples: VecDeque::from([(Instant::ZERO, 0)]) }
    }
}

impl Rates {
    /// So many items have had their outcome by now. Returns the rate in items per second, if one is known.
    pub fn note(&mut self, now: Instant, settled: u64, workers: u64) -> Option<f64> {
        // One sample from before the window stays, so that it is covered whole.
        while self.samples.get(1).is_some_and(|(at, _)| *at + WINDOW <= now) {
            self.samples.pop_front();
        }
        if self.samples.back().is_none_or(|(at, _)| *at + SAMPLE_EVERY <= now) {
            self.samples.push_back((now, settled));
        }
        let enough = workers.max(2);
        let rate = |(since, before): (Instant, u64)| {
            let (time, items) = (now.since(since), settled.saturating_sub(before));
            (time >= TIME_MIN && items >= enough).then(|| items as f64 / time.as_secs_f64())
        };
        self.samples.front().copied().and_then(rate).or_else(|| rate((Instant::ZERO, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn there_is_no_rate_before_as_many_items_as_workers_have_ended() {
        let mut rates = Rates::default();
        assert_eq!(rates.note(Instant::ZERO + Duration::from_millis(500), 100, 4), None, "too early");
        assert_eq!(rates.note(at(10), 3, 4), None);
        assert_eq!(rates.note(at(20), 4, 4), Some(0.2));
    }

    #[test]
    fn the_rate_is_that_of_the_last_minute() {
        let mut rates = Rates::default();
        for second in 1..=100 {
            rates.note(at(second), second * 10, 2);
        }
        let mut rate = None;
        for second in 101..=160 {
            rate = rates.note(at(second), 1000 + (second - 100) * 2, 2);
        }
        assert_eq!(rate, Some(2.0));
        assert!(rates.samples.len() <= 62);
    }

    #[test]
    fn a_minute_without_an_end_leaves_the_rate_of_the_whole_run() {
        let mut rates = Rates::default();
        rates.note(at(10), 20, 2);
        for second in 11..200 {
            rates.note(at(second), 20, 2);
        }
        assert_eq!(rates.note(at(200), 20, 2), Some(0.1));
    }
}
