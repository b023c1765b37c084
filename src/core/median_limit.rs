//! The time limit of commands that is a share of the median of those that succeeded so far.
//!
//! The limit is common to all commands, so the one that was started first passes it first: one timer is enough. The
//! limit moves with each success, and counts for the commands that run already: those that were started before the first
//! limit was known have one too.
//!
//! Invariant: of a command that has ended, or is being ended, no limit is watched.

use super::Core;
use super::timers::Timer;
use crate::model::time::Duration;
use crate::mutant::mutant;

impl Core {
    /// A command runs from now on.
    pub(super) fn watch_by_median(&mut self, index: usize) {
        if let Some(median) = &mut self.median_limit {
            self.pool.slots[index].started_at = self.now;
            median.running.insert((self.now, index));
            self.set_median_timer();
        }
    }

    /// The limit does not apply to the command of this slot any more: it has ended, or is being ended.
    pub(super) fn unwatch_by_median(&mut self, index: usize) {
        let started_at = self.pool.slots[index].started_at;
        if self.median_limit.as_mut().is_some_and(|median| median.running.remove(&(started_at, index))) {
            self.set_median_timer();
        }
    }

    /// The command of this slot has succeeded. One whose output was held open did so at a time that is not known.
    pub(super) fn note_success(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let Some(median) = self.median_limit.as_mut().filter(|_| !slot.output_held) else { return };
        median.note(self.now.since(slot.started_at));
        self.set_median_timer();
    }

    fn set_median_timer(&mut self) {
        let Some(median) = &mut self.median_limit else { return };
        let first = median.running.first().map(|(started_at, _)| *started_at);
        match first.zip(median.limit()) {
            Some((started_at, limit)) if mutant!(MedianLimitIgnored, true, false) => {
                self.timers.set(Timer::MedianLimit, &mut median.timer, started_at + limit, self.now);
            }
            _ => self.timers.clear(Timer::MedianLimit, &mut median.timer),
        }
    }

    /// The command that was started first has passed the limit, perhaps others have too.
    pub(super) fn on_median_limit(&mut self) {
        if let Some(median) = &mut self.median_limit {
            median.timer = None;
        }
        while let Some((index, limit)) = self.next_over_median() {
            if let Some(item) = self.pool.slots[index].oldest_item() {
                self.pool.slots[index].passed_limit = Some(limit);
                self.time_out(index, item);
            }
        }
        self.set_median_timer();
    }

    /// Takes the next command that has passed the limit.
    fn next_over_median(&mut self) -> Option<(usize, Duration)> {
        let now = self.now;
        let median = self.median_limit.as_mut()?;
        let limit = median.limit()?;
        let &(started_at, index) = median.running.first().filter(|(started_at, _)| *started_at + limit <= now)?;
        median.running.remove(&(started_at, index));
        Some((index, limit))
    }
}
