//! The median of the times of commands, and the limit that is a share of it.
//!
//! Invariant: memory and the work of a step are bounded, however many commands a run has.

use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use std::collections::{BTreeSet, VecDeque};

/// Commands that have to succeed before there is a limit: one or two may be far from the others.
const SUCCESSES_MIN: usize = 3;
/// The last so many successes count. The median of so many is as steady as of all, and it follows items whose times
/// change in the course of a run.
const SUCCESSES_MAX: usize = 1000;

/// The limit, and the commands that it is for.
#[derive(Debug)]
pub(super) struct MedianLimit {
    percent: u32,
    /// The times of the last successes, oldest first.
    recent: VecDeque<Duration>,
    /// The same in order.
    sorted: Vec<Duration>,
    /// When each command that runs was started, and its slot.
    pub(super) running: BTreeSet<(Instant, usize)>,
    /// When the command that was started first passes the limit.
    pub(super) timer: Option<Instant>,
}

impl MedianLimit {
    pub(super) const fn new(percent: u32) -> Self {
        Self { percent, recent: VecDeque::new(), sorted: Vec::new(), running: BTreeSet::new(), timer: None }
    }

    /// Counts the time of a command that has succeeded.
    pub(super) fn note(&mut self, runtime: Duration) {
        if self.recent.len() == SUCCESSES_MAX
            && let Some(oldest) = self.recent.pop_front()
            && let Ok(at) = self.sorted.binary_search(&oldest)
        {
            self.sorted.remove(at);
        }
        self.recent.push_back(runtime);
        let at = self.sorted.partition_point(|known| *known < runtime);
        self.sorted.insert(at, runtime);
    }

    /// The limit, once there is one. Of an even number of times the lower one of the middle counts, as in GNU parallel.
    pub(super) fn limit(&self) -> Option<Duration> {
        let enough = self.sorted.len() >= mutant!(LimitFromFirstSuccess, SUCCESSES_MIN, 1);
        let median = self.sorted.get(self.sorted.len().saturating_sub(1) / 2).filter(|_| enough)?;
        let limit = u128::from(median.0) * u128::from(self.percent) / 100;
        Some(Duration(u64::try_from(limit).unwrap_or(u64::MAX)))
    }
}
