//! When the outcomes so far end the run early: `--halt`, and the breaker for dead items in a row.

use crate::model::outcome::{Outcome, StopReason, Totals};
use crate::model::spec::{Halt, HaltOn, Threshold};
use crate::mutant::mutant;

/// The reason to stop by `halt` at these totals of this run, if any. `ended`: no item will be added to them.
pub(super) fn met(halt: &Halt, totals: &Totals, ended: bool) -> Option<StopReason> {
    let (counted, reason) = match halt.on {
        HaltOn::Fail => (totals.failed + totals.dead, StopReason::HaltFailed),
        HaltOn::Success => (totals.done, StopReason::HaltMet),
        HaltOn::Done => (totals.done + totals.failed + totals.dead, StopReason::HaltMet),
    };
    let count = mutant!(HaltOffByOne, counted, counted.saturating_sub(1));
    let met = match halt.threshold {
        Threshold::Items(items) => count >= items.max(1),
        Threshold::Percent(percent) => {
            let (whole, known) = match halt.on {
                HaltOn::Fail => (totals.settled(), count >= Threshold::PERCENT_ITEMS_MIN),
                HaltOn::Success | HaltOn::Done => (totals.accepted, ended && count > 0),
            };
            known && u128::from(count) * 100 >= u128::from(percent) * u128::from(whole)
        }
    };
    met.then_some(reason)
}

/// Counts dead items with none done between them.
#[derive(Debug)]
pub(super) struct Breaker {
    dead_max: Option<u32>,
    dead_in_a_row: u32,
}

impl Breaker {
    pub(super) const fn new(dead_max: Option<u32>) -> Self {
        Self { dead_max, dead_in_a_row: 0 }
    }

    /// Takes the outcome of an item; the reason to stop if it was one dead item too many.
    pub(super) fn note(&mut self, outcome: &Outcome) -> Option<StopReason> {
        match outcome {
            Outcome::Done => mutant!(DeadRowNotReset, self.dead_in_a_row = 0, return None),
            Outcome::Dead => self.dead_in_a_row = self.dead_in_a_row.saturating_add(1),
            _ => return None,
        }
        let dead = self.dead_in_a_row;
        let counted = mutant!(DeadMaxOffByOne, dead, dead.saturating_sub(1));
        (dead > 0 && counted >= self.dead_max?.max(1)).then_some(StopReason::DeadLimit { dead })
    }
}
