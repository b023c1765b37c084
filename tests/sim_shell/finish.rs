//! The end of a run: nothing is left over, and the outcome is the one that its events lead to.

use crate::check::{Check, Violation, hold};
use crate::items::Item;
use crate::marks::Mark;
use crate::output::Lost;
use crate::poll_set::Object;
use crate::world::World;
use supervisor::engine::EngineError;
use supervisor::journal::books::ItemStage;
use supervisor::model::exit_rule::{ExitRule, rule_for};
use supervisor::model::outcome::{RunOutcome, StopReason};
use supervisor::model::spec::RestartType;

impl World {
    /// Judges how the run ended; the first check that did not hold counts.
    pub fn judge(&mut self, ended: Result<RunOutcome, EngineError>) -> Result<RunOutcome, Violation> {
        if let (None, Ok(outcome)) = (&self.violation, &ended) {
            self.check_end(outcome);
        }
        let failed = |error| Violation { check: Check::Engine, text: format!("failed to {error}") };
        let outcome = ended.map_err(failed);
        self.violation.take().map_or(outcome, Err)
    }

    fn check_end(&mut self, outcome: &RunOutcome) {
        self.note(&[70, outcome.totals.done], || format!("the run ends: {outcome:?}"));
        let (dismissed, finished) = (self.dismissed, self.finished);
        hold!(self, dismissed, Finish, "the guard is not dismissed");
        let waits_for_ever = self.storage_failed && self.scenario.record.is_some();
        hold!(self, finished || waits_for_ever, Finish, "the last event is not shown");
        let is_open = self.source.is_open;
        hold!(self, !is_open, Finish, "the source is open");
        let of_run = |object| matches!(object, Object::Stdout | Object::Stderr);
        let left = self.poll_set.watches.iter().find(|watch| !of_run(watch.object)).copied();
        hold!(self, left.is_none(), Finish, "{left:?} is left in the poll set");
        let spilled = self.spill.live_bytes();
        hold!(self, spilled == 0, Memory, "{spilled} bytes in the temporary file are held after the end");
        self.check_items(outcome);
        self.check_reason(&outcome.reason);
        let left = self.output.left();
        let may_be_left = self.output.out.lost.is_some() || self.output.out.waiting > 0;
        hold!(self, left == 0 || may_be_left, Stdout, "{left} bytes never reached stdout");
        let normal = outcome.reason == StopReason::SourceEnded;
        hold!(self, left == 0 || !normal, Stdout, "{left} bytes never reached stdout, and the run ended well");
        self.marks.hit(if normal { Mark::EndedNormally } else { Mark::EndedEarly });
    }

    fn check_items(&mut self, outcome: &RunOutcome) {
        let totals = outcome.totals;
        let accepted = self.items.accepted();
        // Items of a block that was not delivered as a whole are not known to be the same.
        let all = self.session.goes_on && outcome.reason != StopReason::SourceEnded && totals.accepted < accepted;
        let accepted = if all { totals.accepted } else { accepted };
        let unknown = self.items.all().skip(accepted as usize);
        let begun = unknown.filter(|(_, item)| item.attempts > item.attempts_before).map(|(id, _)| id).next();
        hold!(self, begun.is_none(), Finish, "item {begun:?} was begun, and not accepted");
        hold!(self, totals.accepted == accepted, Finish, "{} items are accepted, not {accepted}", totals.accepted);
        hold!(self, totals.settled() == accepted, Finish, "{totals:?}, and {accepted} items were accepted");
        if self.storage_failed {
            return;
        }
        // In keep-order nothing is shown behind an item that waits for the next session.
        let (in_order, mut is_open) = (self.scenario.policy.keep_order, false);
        let mut bad = |item: &Item| {
            // One outcome of several items is shown once the source has delivered all of them.
            let is_cut = item.pending && item.pending_until > accepted;
            let hidden = item.left_open || (in_order && is_open) || is_cut;
            is_open |= item.left_open;
            !item.settled || !(item.shown || hidden)
        };
        let bad = self.items.all().take(accepted as usize).find(|(_, item)| bad(item)).map(|(id, item)| (id, *item));
        hold!(self, bad.is_none(), Settled, "at the end, item and truth: {bad:?}");
        let done = self.items.all().take(accepted as usize).filter(|(_, item)| item.done).count() as u64;
        hold!(self, totals.done == done, Finish, "{} items are done, not {done}", totals.done);
        // A further attempt that is left out does not count as declined.
        let of_earlier =
            |item: &Item| (item.restored || item.pending) && item.recorded_stage == Some(ItemStage::Skipped);
        let earlier = self.items.all().filter(|(_, item)| of_earlier(item)).count() as u64;
        let skipped = (totals.skipped - totals.declined).saturating_sub(self.commands.declined_again + earlier);
        let normal = outcome.reason == StopReason::SourceEnded;
        hold!(self, skipped == 0 || !normal, Finish, "{skipped} items are skipped, and the run ended well");
    }

    /// A reason has its cause, and a loss that the shell knows of is not ignored.
    fn check_reason(&mut self, reason: &StopReason) {
        let policy = &self.scenario.policy;
        let has_cause = match reason {
            StopReason::SourceEnded => self.source.ended && self.source.available == 0,
            StopReason::HaltMet | StopReason::HaltFailed => policy.halt.is_some(),
            StopReason::HaltExit { exit } => rule_for(&policy.exit_rules, *exit) == Some(ExitRule::Halt),
            StopReason::SinkClosed => self.output.out.lost == Some(Lost::Closed),
            StopReason::SinkLost(_) => self.output.out.lost == Some(Lost::Full),
            StopReason::StorageLost(_) => self.storage_failed,
            StopReason::SourceLost(_) => self.source.broken,
            StopReason::Signal(_) => self.signalled,
            StopReason::RunTimeout => policy.run_timeout.is_some() || self.output.out.waiting > 0,
            StopReason::RestartLimit { .. } => {
                let ends = !self.processes.is_empty() || !self.commands.all.is_empty();
                ends || self.starts > 0
                    || policy.restart != RestartType::Permanent
                    || self.scenario.calls.start_shortage + self.scenario.calls.open_shortage > 0
            }
            StopReason::DeadLimit { .. } | StopReason::CommandLost { .. } => policy.dead_max.is_some(),
            StopReason::Aborted { .. } => policy.stop_at_abort,
            // The fake user stops runs by signals alone. A new kind of reason needs an entry here.
            _ => false,
        };
        hold!(self, has_cause, Finish, "the run ends with {reason:?}, which has no cause");
        let sink = if self.output.out.failed { StopReason::SinkClosed } else { StopReason::SourceEnded };
        hold!(self, !sink.outranks(reason), Finish, "stdout was lost, and the run ends with {reason:?}");
        let known = if self.storage_failed { StopReason::StorageLost(String::new()) } else { sink };
        hold!(self, !known.outranks(reason), Finish, "storage was lost, and the run ends with {reason:?}");
    }
}
