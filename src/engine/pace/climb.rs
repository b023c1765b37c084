//! How many workers get most done: a search by trial (`-j auto` with `--jobs-max N`).
//!
//! A look compares the items that ended in a second with those of the number before. A quarter more workers that
//! raise the rate by more than half of a quarter stay, and so do a quarter fewer that lower it by less than that;
//! otherwise the number goes back. While the machine is short of memory it falls.
//!
//! Invariant: pure; the number stays between 1 and the maximum.

use crate::model::time::Duration;

/// A look covers at least this time.
const LOOK_NS_MIN: u64 = 1_000_000_000;
/// A look covers at least this many items, and twice as many as there are workers: of fewer, chance decides the rate.
const LOOK_ITEMS_MIN: u64 = 16;
/// A change by a quarter, at least by one.
const STEP: u32 = 4;
/// Looks between two trials; doubled for each trial that failed.
const REST_LOOKS: u32 = 4;
/// The most of them.
const REST_LOOKS_MAX: u32 = 64;

/// What was seen since the last look.
#[derive(Clone, Copy, Debug)]
pub struct RateSample {
    /// Items that ended.
    pub items: u64,
    pub elapsed: Duration,
    /// Processes wait for memory.
    pub is_short: bool,
}

/// A number that is tried, beside the one before.
#[derive(Clone, Copy, Debug)]
struct RateTrial {
    workers: u32,
    /// Items of a second.
    rate: f64,
}

/// The search.
#[derive(Clone, Debug)]
pub struct Climb {
    workers: u32,
    max: u32,
    before: Option<RateTrial>,
    /// Looks until the next trial.
    rest: u32,
    rest_next: u32,
    /// The next trial has fewer workers.
    tries_fewer: bool,
}

impl Climb {
    /// `workers`: the number at the start.
    pub const fn new(workers: u32, max: u32) -> Self {
        Self { workers, max, before: None, rest: 1, rest_next: REST_LOOKS, tries_fewer: false }
    }

    /// Whether enough was seen for a look.
    pub fn is_due(&self, items: u64, elapsed: Duration) -> bool {
        elapsed.0 >= LOOK_NS_MIN && items >= LOOK_ITEMS_MIN.max(2 * u64::from(self.workers))
    }

    /// The number of workers from now on, if it changes.
    pub fn look(&mut self, seen: RateSample) -> Option<u32> {
        let from = self.workers;
        let rate = seen.items as f64 * 1e9 / seen.elapsed.0.max(1) as f64;
        if seen.is_short {
            self.before = None;
            self.rest = self.rest_next;
            self.workers = fewer(from);
        } else if let Some(before) = self.before.take() {
            self.judge(before, rate);
        } else {
            self.rest = self.rest.saturating_sub(1);
            if self.rest == 0 {
                self.try_next(rate);
            }
        }
        (self.workers != from).then_some(self.workers)
    }

    fn judge(&mut self, before: RateTrial, rate: f64) {
        let share = f64::from(self.workers) / f64::from(before.workers) - 1.0;
        if rate / before.rate.max(f64::MIN_POSITIVE) - 1.0 > share / 2.0 {
            // It got more done, or the same with fewer: on in this direction.
            self.rest_next = REST_LOOKS;
            self.try_next(rate);
        } else {
            self.workers = before.workers;
            self.turn_round();
        }
    }

    fn turn_round(&mut self) {
        self.tries_fewer = !self.tries_fewer;
        self.rest = self.rest_next;
        self.rest_next = (self.rest_next * 2).min(REST_LOOKS_MAX);
    }

    fn try_next(&mut self, rate: f64) {
        let next = if self.tries_fewer { fewer(self.workers) } else { more(self.workers, self.max) };
        if next == self.workers {
            self.turn_round();
        } else {
            self.before = Some(RateTrial { workers: self.workers, rate });
            self.workers = next;
        }
    }
}

fn more(workers: u32, max: u32) -> u32 {
    workers.saturating_add((workers / STEP).max(1)).min(max)
}

fn fewer(workers: u32) -> u32 {
    workers.saturating_sub((workers / STEP).max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of 200 looks at a machine on which so many workers get this many items a second done.
    fn numbers(start: u32, max: u32, rate: impl Fn(u32) -> u64) -> Vec<u32> {
        let mut climb = Climb::new(start, max);
        let mut look = || {
            let items = rate(climb.workers);
            climb.look(RateSample { items, elapsed: Duration(1_000_000_000), is_short: false });
            climb.workers
        };
        (0..200).map(|_| look()).collect()
    }

    fn most_common(numbers: &[u32]) -> u32 {
        let count = |number: &u32| numbers.iter().filter(|other| *other == number).count();
        numbers.iter().copied().max_by_key(count).unwrap_or_default()
    }

    #[test]
    fn commands_that_only_wait_get_all_workers_that_are_allowed() {
        let numbers = numbers(2, 64, |workers| u64::from(workers) * 10);
        assert!(numbers.iter().position(|number| *number == 64).is_some_and(|looks| looks < 30), "{numbers:?}");
        assert_eq!(most_common(&numbers), 64);
    }

    #[test]
    fn commands_that_compute_get_as_many_as_there_are_cores() {
        for start in [1, 4, 16] {
            let numbers = numbers(start, 64, |workers| u64::from(workers.min(4)) * 100);
            assert_eq!(most_common(&numbers[40..]), 4, "{start}: {numbers:?}");
        }
    }

    #[test]
    fn where_too_many_workers_hinder_each_other_there_are_fewer() {
        let numbers =
            numbers(32, 64, |workers| if workers <= 8 { 100 * u64::from(workers) } else { 6400 / u64::from(workers) });
        assert!((7..=9).contains(&most_common(&numbers[60..])), "{numbers:?}");
    }

    #[test]
    fn while_memory_is_short_the_number_falls_to_one() {
        let mut climb = Climb::new(8, 8);
        let short = RateSample { items: 100, elapsed: Duration(1_000_000_000), is_short: true };
        let numbers: Vec<_> = (0..9).map(|_| climb.look(short)).collect();
        assert_eq!(numbers, [Some(6), Some(5), Some(4), Some(3), Some(2), Some(1), None, None, None]);
    }

    #[test]
    fn a_look_takes_a_second_and_enough_items() {
        let climb = Climb::new(20, 64);
        let second = Duration(1_000_000_000);
        assert!(climb.is_due(40, second) && !climb.is_due(39, second) && !climb.is_due(40, Duration(second.0 - 1)));
        assert!(!Climb::new(2, 2).is_due(15, second));
    }
}
