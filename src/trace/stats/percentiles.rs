//! Percentiles of numbers, by the nearest rank: each is a number that occurred.

use serde::Serialize;

/// How numbers are spread, in the unit of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// So many numbers.
    pub count: u64,
    /// Half of them are not larger.
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
}

impl Percentiles {
    /// How the columns of [`Percentiles::values`] are called.
    pub const NAMES: [&str; 5] = ["50%", "90%", "99%", "99.9%", "max"];

    /// From the median to the largest.
    #[must_use]
    pub const fn values(&self) -> [u64; 5] {
        [self.p50, self.p90, self.p99, self.p99_9, self.max]
    }
}

/// Numbers from `from` to `to`, and how often they occurred. The names of the fields are those of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SizeClass {
    pub from: u64,
    pub to: u64,
    pub count: u64,
}

/// Numbers that were collected.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// A number, and how often it occurred in a row.
    values: Vec<(u64, u64)>,
}

impl Samples {
    pub fn add(&mut self, value: u64) {
        self.add_several(value, 1);
    }

    /// Adds a number that occurred `count` times.
    pub fn add_several(&mut self, value: u64, count: u64) {
        match self.values.last_mut() {
            _ if count == 0 => {}
            Some((last, times)) if *last == value => *times = times.saturating_add(count),
            _ => self.values.push((value, count)),
        }
    }

    /// `None` without a number.
    pub fn percentiles(mut self) -> Option<Percentiles> {
        self.values.sort_unstable();
        let (max, _) = *self.values.last()?;
        let all: u128 = self.values.iter().map(|(_, count)| u128::from(*count)).sum();
        let at = |per_mille: u128| {
            let rank = (all * per_mille).div_ceil(1000);
            let mut up_to = 0;
            let found = self.values.iter().find(|(_, count)| {
                up_to += u128::from(*count);
                up_to >= rank
            });
            found.map_or(max, |(value, _)| *value)
        };
        let count = u64::try_from(all).unwrap_or(u64::MAX);
        Some(Percentiles { count, p50: at(500), p90: at(900), p99: at(990), p99_9: at(999), max })
    }

    /// The numbers in classes that double: 1, 2 to 3, 4 to 7; from the smallest class to the largest that occurred.
    pub fn classes(&self) -> Vec<SizeClass> {
        let mut counts = [0_u64; 64];
        for (value, count) in &self.values {
            let class = &mut counts[value.max(&1).ilog2() as usize];
            *class = class.saturating_add(*count);
        }
        let classes = (0..).zip(counts).map(|(power, count)| {
            let from = 1_u64 << power;
            SizeClass { from, to: from + (from - 1), count }
        });
        let occurs = |class: &SizeClass| class.count > 0;
        let mut classes: Vec<_> = classes.skip_while(|class| !occurs(class)).collect();
        classes.truncate(classes.iter().rposition(occurs).map_or(0, |last| last + 1));
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = (u64, u64)>) -> Samples {
        let mut samples = Samples::default();
        values.into_iter().for_each(|(value, count)| samples.add_several(value, count));
        samples
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        assert_eq!(of([]).percentiles(), None);
        let one = of([(7, 1)]).percentiles().unwrap();
        assert_eq!((one.count, one.values()), (1, [7; 5]));
        // Rank 5 of 10, 9, 10, 10.
        let ten = of((1..=10).rev().map(|value| (value, 1))).percentiles().unwrap();
        assert_eq!((ten.count, ten.values()), (10, [5, 9, 10, 10, 10]));
        // Ranks 1000, 1800, 1980, 1998 of 2000.
        let many = of((1..=2000).map(|value| (value, 1))).percentiles().unwrap();
        assert_eq!(many.values(), [1000, 1800, 1980, 1998, 2000]);
        let weighted = of([(100, 1), (1, 98), (50, 1), (9, 0)]).percentiles().unwrap();
        assert_eq!((weighted.count, weighted.values()), (100, [1, 1, 50, 100, 100]));
    }

    #[test]
    fn no_count_overflows() {
        let samples = of([(u64::MAX, u64::MAX), (u64::MAX, u64::MAX), (0, u64::MAX)]);
        let last = SizeClass { from: 1 << 63, to: u64::MAX, count: u64::MAX };
        assert_eq!(samples.classes().last(), Some(&last));
        let found = samples.percentiles().unwrap();
        assert_eq!((found.count, found.p50, found.p90), (u64::MAX, 0, u64::MAX));
    }

    #[test]
    fn classes_double_and_have_no_empty_ends() {
        let class = |from, to, count| SizeClass { from, to, count };
        assert_eq!(of([]).classes(), []);
        assert_eq!(of([(1, 2)]).classes(), [class(1, 1, 2)]);
        let found = of([(3, 1), (2, 1), (17, 4)]).classes();
        assert_eq!(found, [class(2, 3, 2), class(4, 7, 0), class(8, 15, 0), class(16, 31, 4)]);
    }
}
