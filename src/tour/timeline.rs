//! When workers were at what: drawn as rows of `#`, and searched for moments at which two were on a core.
//!
//! Invariant: pure.

/// A stretch of work of one worker. Times are of the machine's monotonic clock, the same in all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkStretch {
    pub start_ns: u64,
    pub end_ns: u64,
    /// Processor time in it; the whole stretch, if it was on a core throughout.
    pub cpu_ns: u64,
}

impl WorkStretch {
    /// As a part of a lesson says it.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} {}", self.start_ns, self.end_ns, self.cpu_ns)
    }

    /// Reads [`WorkStretch::line`].
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.split(' ').map_while(|word| word.parse().ok());
        Some(Self { start_ns: numbers.next()?, end_ns: numbers.next()?, cpu_ns: numbers.next()? })
    }

    /// Time in it without a core.
    const fn off_core_ns(&self) -> u64 {
        (self.end_ns - self.start_ns).saturating_sub(self.cpu_ns)
    }
}

/// A row for each worker, `width` columns for `scale_ns`: `#` where it worked, `.` where it did not.
#[must_use]
pub fn rows(workers: &[Vec<WorkStretch>], scale_ns: u64, width: usize) -> Vec<String> {
    let Some(start) = workers.iter().flatten().map(|stretch| stretch.start_ns).min() else { return Vec::new() };
    let length = scale_ns.max(1);
    let column = |at: u64| (((at - start) as u128 * width as u128) / length as u128) as usize;
    let row = |stretches: &Vec<WorkStretch>| {
        let mut row = vec!['.'; width];
        for stretch in stretches {
            let (first, last) = (column(stretch.start_ns).min(width - 1), column(stretch.end_ns).min(width - 1));
            row[first..=last].fill('#');
        }
        row.into_iter().collect()
    };
    if width == 0 { Vec::new() } else { workers.iter().map(row).collect() }
}

/// How long two workers were surely on a core at the same moment. Where two stretches overlap by more than both were
/// without a core, the rest is sure.
#[must_use]
pub fn overlap_ns(first: &[WorkStretch], second: &[WorkStretch]) -> u64 {
    let of_pair = |a: &WorkStretch, b: &WorkStretch| {
        let common = a.end_ns.min(b.end_ns).saturating_sub(a.start_ns.max(b.start_ns));
        common.saturating_sub(a.off_core_ns() + b.off_core_ns())
    };
    first.iter().map(|a| second.iter().map(|b| of_pair(a, b)).sum::<u64>()).sum()
}

/// The time from the first start to the last end.
#[must_use]
pub fn length_ns(workers: &[Vec<WorkStretch>]) -> u64 {
    let all = || workers.iter().flatten();
    let start = all().map(|stretch| stretch.start_ns).min().unwrap_or(0);
    all().map(|stretch| stretch.end_ns).max().unwrap_or(0) - start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(start_ns: u64, end_ns: u64, cpu_ns: u64) -> WorkStretch {
        WorkStretch { start_ns, end_ns, cpu_ns }
    }

    #[test]
    fn rows_show_when_each_worked() {
        let workers = [vec![stretch(100, 150, 50)], vec![stretch(150, 200, 50)]];
        assert_eq!(rows(&workers, 100, 10), ["######....", ".....#####"]);
        assert_eq!(rows(&workers, 200, 10), ["###.......", "..####...."]);
        assert_eq!((length_ns(&workers), rows(&[], 100, 10).len(), rows(&workers, 100, 0).len()), (100, 0, 0));
    }

    #[test]
    fn only_what_was_surely_on_two_cores_counts() {
        let whole = [stretch(0, 100, 100)];
        assert_eq!(overlap_ns(&whole, &[stretch(40, 140, 100)]), 60);
        assert_eq!(overlap_ns(&whole, &[stretch(100, 200, 100)]), 0);
        // For half of its time the other one had no core: it may have been just then.
        assert_eq!(overlap_ns(&whole, &[stretch(0, 100, 50)]), 50);
        assert_eq!(overlap_ns(&[stretch(0, 100, 50)], &[stretch(0, 100, 50)]), 0);
    }

    #[test]
    fn a_line_is_read_back() {
        let one = stretch(1, 22, 3);
        assert_eq!(WorkStretch::parse(&one.line()), Some(one));
        assert_eq!(WorkStretch::parse("1 2"), None);
    }
}
