//! How many items got their outcome in each interval of a run.

use crate::model::time::{Duration, Instant};

/// Items over time, from the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throughput {
    /// The length of each interval; the last one may end before that.
    pub interval: Duration,
    /// Items that got their outcome in each.
    pub items: Vec<u64>,
}

impl Throughput {
    /// Counts items in at most `intervals_max` intervals, whose length is 1, 2 or 5 of a decimal unit. `settled`: moments,
    /// and how many items got their outcome then. A run without length has no intervals.
    #[must_use]
    pub fn of(settled: &[(Instant, u64)], end: Instant, intervals_max: u32) -> Self {
        let interval = interval(end.0, intervals_max);
        let intervals = end.0.div_ceil(interval);
        // No more than `intervals_max`.
        let mut items = vec![0_u64; usize::try_from(intervals).unwrap_or(0)];
        let last = items.len().saturating_sub(1);
        for (at, count) in settled {
            let place = usize::try_from(at.0 / interval).unwrap_or(last).min(last);
            if let Some(items) = items.get_mut(place) {
                *items = items.saturating_add(*count);
            }
        }
        Self { interval: Duration(interval), items }
    }

    /// The beginning of each interval, and the items in it.
    pub fn rows(&self) -> impl Iterator<Item = (Instant, u64)> {
        (0..).zip(&self.items).map(|(place, items)| (Instant(self.interval.0.saturating_mul(place)), *items))
    }
}

/// The shortest of 1, 2, 5, 10 ... nanoseconds of which `intervals_max` are as long as the run.
fn interval(run_ns: u64, intervals_max: u32) -> u64 {
    let fits = |interval: &u64| run_ns.div_ceil(*interval) <= u64::from(intervals_max.max(1));
    let units = (0..20).map_while(|power| 10_u64.checked_pow(power));
    let lengths = units.flat_map(|unit| [Some(unit), unit.checked_mul(2), unit.checked_mul(5)]).flatten();
    lengths.into_iter().find(fits).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_round_and_few() {
        for (run, most, expected) in
            [(10, 10, 1), (11, 10, 2), (1_234_567, 20, 100_000), (999, 1, 1000), (7, 0, 10), (0, 5, 1)]
        {
            assert_eq!(interval(run, most), expected, "{run} ns in {most}");
        }
        assert_eq!(interval(u64::MAX, 1), u64::MAX);
        assert_eq!(interval(u64::MAX, 2), 10_u64.pow(19));
    }

    #[test]
    fn each_item_is_in_one_interval() {
        let settled = [(Instant(0), 1), (Instant(9), 2), (Instant(10), 4), (Instant(25), 8), (Instant(99), 16)];
        let found = Throughput::of(&settled, Instant(25), 3);
        assert_eq!((found.interval, &found.items[..]), (Duration(10), &[3, 4, 24][..]));
        assert_eq!(found.rows().last(), Some((Instant(20), 24)));
        assert_eq!(Throughput::of(&settled, Instant::ZERO, 3).items, [0; 0]);
        let huge = Throughput::of(&[(Instant(u64::MAX), u64::MAX), (Instant(u64::MAX), 1)], Instant(u64::MAX), 100);
        assert_eq!(huge.items.last(), Some(&u64::MAX));
    }
}
