//! When the outcomes so far end the run early: `--halt`, a command that ends the run as it would end xargs, and the breaker
//! for items in a row that are dead or whose command cannot be executed.

use crate::model::exit::ExitStatus;
use crate::model::outcome::{CauseKind, FailReason, Outcome, Settlement, StopReason, Totals};
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
            known && is_share(count, percent, whole)
        }
        Threshold::PercentOfAll(percent) => ended && count > 0 && is_share(count, percent, totals.accepted),
    };
    met.then_some(reason)
}

fn is_share(count: u64, percent: u8, whole: u64) -> bool {
    u128::from(count) * 100 >= u128::from(percent) * u128::from(whole)
}

/// The exit code by which a command asks xargs to stop (`xargs(1)`).
const ABORT_CODE: u8 = 255;

/// The reason to stop that xargs sees in the end of a command.
pub(super) fn abort(settlement: &Settlement) -> Option<StopReason> {
    if !matches!(settlement.outcome, Outcome::Failed | Outcome::Dead) {
        return None;
    }
    let kind = &settlement.causes.last()?.kind;
    match (kind, kind.death()) {
        (CauseKind::Failed(FailReason::Exited(ABORT_CODE)), _) => Some(StopReason::Aborted { signal: None }),
        (_, Some(ExitStatus::Signal { signal, .. })) => Some(StopReason::Aborted { signal: Some(signal) }),
        _ => None,
    }
}

/// Counts dead items with none done between them, and items in a row whose command could not be executed.
#[derive(Debug)]
pub(super) struct Breaker {
    dead_max: Option<u32>,
    dead_in_a_row: u32,
    /// Items in a row whose command could not be executed, all for `lost_error`.
    lost_in_a_row: u32,
    lost_error: String,
}

impl Breaker {
    pub(super) const fn new(dead_max: Option<u32>) -> Self {
        Self { dead_max, dead_in_a_row: 0, lost_in_a_row: 0, lost_error: String::new() }
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

    /// A command was executed.
    #[inline]
    pub(super) const fn note_spawned(&mut self) {
        self.lost_in_a_row = 0;
    }

    /// The program of an item could not be executed, and the item has failed; true if it was one item too many.
    pub(super) fn note_lost(&mut self, error: &str) -> bool {
        if self.lost_in_a_row == 0 || self.lost_error != error {
            self.lost_in_a_row = 0;
            error.clone_into(&mut self.lost_error);
        }
        self.lost_in_a_row = self.lost_in_a_row.saturating_add(1);
        self.dead_max.is_some_and(|max| self.lost_in_a_row >= max.max(1))
    }
}
