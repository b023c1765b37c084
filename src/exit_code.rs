//! Every exit code by name: [`of`] a finished run, and [`of_class`] of an error.
//!
//! Invariant: pure. Nothing here exits or raises a signal; the program's `main` does.

use crate::model::outcome::{ExitClass, RunOutcome, StopReason};
use crate::model::signal::Signal;
use crate::model::spec::ExitCodeStyle;

/// Every item is done, or as many as `--halt` asks for.
pub const DONE: u8 = 0;
/// The run finished, but some item failed, is dead or was skipped.
pub const ITEMS_NOT_DONE: u8 = 1;
/// Wrong usage; nothing was started.
pub const USAGE: u8 = 2;
/// The run gave up: restart limit, too many dead items in a row, or the workers cannot start.
pub const GAVE_UP: u8 = 3;
/// A file that the run needs for itself failed.
pub const STORAGE: u8 = 4;
/// The source or the sink was lost.
pub const LOST: u8 = 5;
/// Refused before anything was started: limits too low, an unsafe path.
pub const REFUSED: u8 = 6;
/// `--run-timeout` passed (the number of `timeout(1)`).
pub const RUN_TIMEOUT: u8 = 124;
/// The supervisor itself failed.
pub const INTERNAL: u8 = 125;
/// COMMAND exists, but cannot be executed (the shell's number).
pub const NOT_EXECUTABLE: u8 = 126;
/// COMMAND does not exist (the shell's number).
pub const NOT_FOUND: u8 = 127;

/// `--exit-code count`: the number of failed items is the exit code up to this number (GNU parallel).
pub const COUNT_MAX: u8 = 100;
/// `--exit-code count`: more than [`COUNT_MAX`] failed (GNU parallel).
pub const COUNT_MORE: u8 = 101;
/// `--exit-code xargs`: a command ended with another code than 0 (xargs).
pub const XARGS_FAILED: u8 = 123;
/// `--exit-code xargs`: a command ended with 255, which stops the run (xargs).
pub const XARGS_ABORTED: u8 = 124;
/// `--exit-code xargs`: a command was ended by a signal (xargs).
pub const XARGS_SIGNALLED: u8 = 125;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramExit {
    Code(u8),
    /// By this signal's default action, so that a shell sees 128 + its number.
    Raise(Signal),
}

/// The exit of a finished run. The style matters only if the items decide: a signal, a lost sink and a passed deadline
/// have the same exit in each style.
#[must_use]
pub fn of(outcome: &RunOutcome, style: ExitCodeStyle) -> ProgramExit {
    match &outcome.reason {
        StopReason::SourceEnded
        | StopReason::HaltMet
        | StopReason::HaltFailed
        | StopReason::HaltExit { .. }
        | StopReason::Requested => ProgramExit::Code(of_items(outcome, style)),
        StopReason::RunTimeout => ProgramExit::Code(RUN_TIMEOUT),
        StopReason::RestartLimit { .. } | StopReason::DeadLimit { .. } => ProgramExit::Code(GAVE_UP),
        StopReason::CommandLost { missing: true, .. } => ProgramExit::Code(NOT_FOUND),
        StopReason::CommandLost { missing: false, .. } => ProgramExit::Code(NOT_EXECUTABLE),
        StopReason::Aborted { signal: None } => ProgramExit::Code(XARGS_ABORTED),
        StopReason::Aborted { signal: Some(_) } => ProgramExit::Code(XARGS_SIGNALLED),
        StopReason::SourceLost(_) | StopReason::SinkLost(_) => ProgramExit::Code(LOST),
        StopReason::StorageLost(_) => ProgramExit::Code(STORAGE),
        StopReason::SinkClosed => ProgramExit::Raise(Signal::PIPE),
        StopReason::Signal(signal) => ProgramExit::Raise(*signal),
    }
}

/// The code that the outcomes of the items lead to. Items skipped because a success policy was met are not failures, and
/// neither are those that the person who was asked left out, which GNU parallel counts all the same.
fn of_items(outcome: &RunOutcome, style: ExitCodeStyle) -> u8 {
    let totals = &outcome.totals;
    let declined = if style == ExitCodeStyle::Count { totals.declined } else { 0 };
    let not_done = totals.failed + totals.dead + declined;
    if not_done == 0 && (totals.skipped == totals.declined || outcome.reason == StopReason::HaltMet) {
        return DONE;
    }
    match style {
        ExitCodeStyle::Own => ITEMS_NOT_DONE,
        // At least 1: items that were only skipped are not a success either.
        ExitCodeStyle::Count => match u8::try_from(not_done.max(1)) {
            Ok(count) if count <= COUNT_MAX => count,
            _ => COUNT_MORE,
        },
        ExitCodeStyle::Xargs if totals.dead > 0 => XARGS_SIGNALLED,
        ExitCodeStyle::Xargs => XARGS_FAILED,
    }
}

/// The exit code of an error of this class.
#[must_use]
pub const fn of_class(class: ExitClass) -> u8 {
    match class {
        ExitClass::Usage => USAGE,
        ExitClass::GaveUp => GAVE_UP,
        ExitClass::Storage => STORAGE,
        ExitClass::Lost => LOST,
        ExitClass::Refused => REFUSED,
        ExitClass::Internal => INTERNAL,
        ExitClass::NotExecutable => NOT_EXECUTABLE,
        ExitClass::NotFound => NOT_FOUND,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exit::ExitStatus;
    use crate::model::ids::WorkerId;
    use crate::model::outcome::Totals;
    use ExitCodeStyle::{Count, Own, Xargs};

    fn code(reason: &StopReason, [failed, dead, skipped]: [u64; 3], style: ExitCodeStyle) -> ProgramExit {
        let totals = Totals { failed, dead, skipped, ..Totals::default() };
        of(&RunOutcome { reason: reason.clone(), totals }, style)
    }

    #[test]
    fn items_decide_when_the_source_has_ended() {
        let table: [([u64; 3], [u8; 3]); 7] = [
            ([0, 0, 0], [0, 0, 0]),
            ([1, 0, 0], [1, 1, 123]),
            ([0, 1, 0], [1, 1, 125]),
            ([2, 3, 9], [1, 5, 125]),
            ([0, 0, 4], [1, 1, 123]),
            ([100, 0, 0], [1, 100, 123]),
            ([100, 1, 0], [1, 101, 125]),
        ];
        for (items, expected) in table {
            let found = [Own, Count, Xargs].map(|style| code(&StopReason::SourceEnded, items, style));
            assert_eq!(found, expected.map(ProgramExit::Code), "{items:?}");
        }
        assert_eq!(code(&StopReason::SourceEnded, [u64::MAX / 2, 1, 0], Count), ProgramExit::Code(101));
    }

    #[test]
    fn skipped_items_are_not_failures_once_a_success_policy_is_met() {
        for style in [Own, Count, Xargs] {
            assert_eq!(code(&StopReason::HaltMet, [0, 0, 7], style), ProgramExit::Code(0));
            assert_ne!(code(&StopReason::HaltMet, [1, 0, 7], style), ProgramExit::Code(0));
            assert_ne!(code(&StopReason::HaltFailed, [1, 0, 7], style), ProgramExit::Code(0));
            let halted = StopReason::HaltExit { exit: ExitStatus::Code(3) };
            assert_eq!(code(&halted, [1, 0, 7], style), code(&StopReason::HaltFailed, [1, 0, 7], style));
        }
    }

    #[test]
    fn a_requested_stop_is_no_fault_if_every_item_is_done() {
        assert_eq!(code(&StopReason::Requested, [0, 0, 0], Own), ProgramExit::Code(0));
        assert_eq!(code(&StopReason::Requested, [0, 0, 3], Own), ProgramExit::Code(1));
        assert_eq!(code(&StopReason::Requested, [2, 0, 3], Own), ProgramExit::Code(1));
    }

    #[test]
    fn other_reasons_have_one_code_in_every_style() {
        let text = String::from("x");
        let table = [
            (StopReason::SinkClosed, ProgramExit::Raise(Signal::PIPE)),
            (StopReason::RunTimeout, ProgramExit::Code(124)),
            (StopReason::RestartLimit { worker: WorkerId::from_index(0), last: text.clone() }, ProgramExit::Code(3)),
            (StopReason::DeadLimit { dead: 20 }, ProgramExit::Code(3)),
            (StopReason::CommandLost { error: text.clone(), missing: true }, ProgramExit::Code(127)),
            (StopReason::CommandLost { error: text.clone(), missing: false }, ProgramExit::Code(126)),
            (StopReason::Aborted { signal: None }, ProgramExit::Code(124)),
            (StopReason::Aborted { signal: Some(Signal::KILL) }, ProgramExit::Code(125)),
            (StopReason::SourceLost(text.clone()), ProgramExit::Code(5)),
            (StopReason::SinkLost(text.clone()), ProgramExit::Code(5)),
            (StopReason::StorageLost(text), ProgramExit::Code(4)),
            (StopReason::Signal(Signal::TERM), ProgramExit::Raise(Signal::TERM)),
        ];
        for (reason, expected) in table {
            for style in [Own, Count, Xargs] {
                assert_eq!(code(&reason, [1, 1, 1], style), expected, "{reason:?}");
            }
        }
    }
}
