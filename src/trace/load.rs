//! How many items are queued, and how many are at workers, counted along the steps of a run.

use super::held::HeldItems;
use super::step::{Step, Topic};
use crate::model::ids::Batch;

/// The items of a run at one moment.
#[derive(Debug, Default)]
pub struct Load {
    queued: u64,
    in_flight: u64,
    at_workers: HeldItems<()>,
}

impl Load {
    /// Items in the queue, with those that wait for the delay of their next attempt.
    #[must_use]
    pub const fn queued(&self) -> u64 {
        self.queued
    }

    /// Items that were given to a worker, or for which a process was ordered.
    #[must_use]
    pub const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Goes on by one step. `true`: a number has changed.
    pub fn take(&mut self, step: &Step) -> bool {
        let Some(batch) = step.batch else { return false };
        // No number is behind the last one.
        let count = batch.end().0 - batch.first.0;
        match step.topic {
            Topic::Arrived => self.queued = self.queued.saturating_add(count),
            Topic::Spawn | Topic::Dispatch => {
                // A start that failed for want of something gives its item back without a word.
                let known = self.at_workers.put(batch, ());
                self.queued = self.queued.saturating_sub(count - known);
                self.in_flight = self.in_flight.saturating_add(count - known);
            }
            Topic::Returned { .. } | Topic::Retried { .. } => {
                self.queued = self.queued.saturating_add(self.take_back(batch));
            }
            Topic::Settled { .. } => {
                let known = self.take_back(batch);
                self.queued = self.queued.saturating_sub(count - known);
            }
            _ => return false,
        }
        true
    }

    /// Takes items from the workers that hold them; how many were at one.
    fn take_back(&mut self, batch: Batch) -> u64 {
        let mut taken = 0;
        self.at_workers.take(batch, |count, ()| taken += count);
        self.in_flight = self.in_flight.saturating_sub(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{Attempt, ItemId};
    use crate::model::outcome::Outcome;
    use crate::model::time::{Duration, Instant};
    use crate::trace::step::StepKind;

    /// Queued and in flight after steps about `first..first + count`.
    fn after(steps: &[(Topic, u64, u32)]) -> (u64, u64) {
        let mut load = Load::default();
        for (topic, first, count) in steps {
            let batch = Some(Batch { first: ItemId(*first), count: *count, attempt: Attempt::FIRST });
            load.take(&Step { topic: topic.clone(), batch, ..Step::new(Instant::ZERO, StepKind::Order, "") });
        }
        (load.queued(), load.in_flight())
    }

    const DONE: Topic = Topic::Settled { outcome: Outcome::Done, in_turn: true };
    const RETRIED: Topic = Topic::Retried { delay: Duration::ZERO, by_chaos: false };
    const RETURNED: Topic = Topic::Returned { running: None };

    #[test]
    fn each_item_is_in_one_place() {
        assert_eq!(after(&[(Topic::Arrived, 0, 10)]), (10, 0));
        assert_eq!(after(&[(Topic::Arrived, 0, 10), (Topic::Dispatch, 0, 4)]), (6, 4));
        let dispatched = [(Topic::Arrived, 0, 10), (Topic::Dispatch, 0, 4), (Topic::Dispatch, 4, 4)];
        let and = |more: &[(Topic, u64, u32)]| after(&[&dispatched[..], more].concat());
        assert_eq!(and(&[(DONE, 2, 4)]), (2, 4), "of two batches");
        assert_eq!(and(&[(DONE, 1, 1), (RETRIED, 2, 1), (RETURNED, 3, 1)]), (4, 5));
        assert_eq!(and(&[(DONE, 0, 10)]), (0, 0), "two of them were in the queue");
        assert_eq!(and(&[(Topic::Dispatch, 4, 4)]), (2, 8), "again, without a word");
    }

    #[test]
    fn a_damaged_trace_makes_no_nonsense() {
        assert_eq!(after(&[(DONE, 0, 10), (RETRIED, 3, 1)]), (0, 0));
        assert_eq!(after(&[(Topic::Dispatch, u64::MAX, 9), (DONE, u64::MAX, 9)]), (0, 0));
    }
}
