//! Every exit code by name: [`of`] a finished run, and [`of_class`] of an error.
//!
//! Invariant: pure. Nothing here exits or raises a signal; the program's `main` does.

use crate::model::exit::ExitStatus;
use crate::model::outcome::{CauseKind, ExitClass, FailReason, RunOutcome, StopReason, Totals};
use crate::model::signal::Signal;
use crate::model::spec::{ExitCodeStyle, Halt, HaltOn, Threshold};

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
/// A shell's number of a signal is this plus its own.
const SIGNAL_BASE: u8 = 128;
/// `supervisor parallel --halt`: the job that decided passed its time limit (GNU parallel, whose code is -1).
pub const TIMED_OUT: u8 = 255;
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
        StopReason::SourceDiffers(_) => ProgramExit::Code(REFUSED),
        StopReason::StorageLost(_) => ProgramExit::Code(STORAGE),
        StopReason::SinkClosed => ProgramExit::Raise(Signal::PIPE),
        StopReason::Signal(signal) => ProgramExit::Raise(*signal),
    }
}

/// The exit of a finished run as the number that a shell sees.
#[must_use]
pub fn number(outcome: &RunOutcome) -> u8 {
    match of(outcome, ExitCodeStyle::Own) {
        ProgramExit::Code(code) => code,
        ProgramExit::Raise(signal) => SIGNAL_BASE.saturating_add(signal.0),
    }
}

/// The code that the outcomes of the items lead to. Items skipped because a success policy was met are not failures, and
/// neither are those that the person who was asked left out, which GNU parallel counts all the same.
fn of_items(outcome: &RunOutcome, style: ExitCodeStyle) -> u8 {
    let totals = &outcome.totals;
    let declined = match style {
        ExitCodeStyle::Count | ExitCodeStyle::Parallel(_) => totals.declined,
        _ => 0,
    };
    let not_done = totals.failed + totals.dead + declined;
    if let ExitCodeStyle::Parallel(Some(halt)) = style
        && let Some(code) = of_halt(outcome, halt)
    {
        return code;
    }
    if not_done == 0 && (totals.skipped == totals.declined || outcome.reason == StopReason::HaltMet) {
        return DONE;
    }
    match style {
        ExitCodeStyle::Own => ITEMS_NOT_DONE,
        // At least 1: items that were only skipped are not a success either.
        ExitCodeStyle::Count | ExitCodeStyle::Parallel(_) => count_code(not_done.max(1)),
        ExitCodeStyle::Xargs if totals.dead > 0 => XARGS_SIGNALLED,
        ExitCodeStyle::Xargs => XARGS_FAILED,
    }
}

fn count_code(failed: u64) -> u8 {
    match u8::try_from(failed) {
        Ok(count) if count <= COUNT_MAX => count,
        _ => COUNT_MORE,
    }
}

/// GNU parallel's code of a run with `--halt`. The code of the job that decided counts if one job was enough to decide;
/// otherwise it is how many jobs had failed, or for a share how many percent of all. `None`: as without it.
fn of_halt(outcome: &RunOutcome, halt: Halt) -> Option<u8> {
    let percent = match halt.threshold {
        Threshold::Percent(percent) | Threshold::PercentOfAll(percent) => Some(u64::from(percent)),
        Threshold::Items(_) => None,
    };
    let is_halt = matches!(outcome.reason, StopReason::HaltMet | StopReason::HaltFailed);
    let Some(halted) = outcome.halted.as_ref().filter(|_| is_halt) else {
        // Not met: the share of those that were started.
        let started = &outcome.totals;
        percent.filter(|_| outcome.reason == StopReason::SourceEnded)?;
        return Some(percent_code(started, started.settled() + started.retried));
    };
    let decided_by_one = match percent {
        Some(percent) => percent.saturating_mul(halted.totals.accepted) == 100,
        None => halt.threshold == Threshold::Items(1),
    };
    Some(match (halt.on, &halted.by) {
        (HaltOn::Success, _) => DONE,
        (HaltOn::Fail | HaltOn::Done, Some(by)) if decided_by_one => job_code(by),
        _ if percent.is_some() => percent_code(&halted.totals, halted.totals.accepted),
        _ => count_code(halted.totals.failed + halted.totals.dead),
    })
}

/// Failures as percent of `whole`, rounded up.
fn percent_code(totals: &Totals, whole: u64) -> u8 {
    let percent = (totals.failed + totals.dead).saturating_mul(100).div_ceil(whole.max(1));
    u8::try_from(percent).unwrap_or(COUNT_MAX)
}

/// The code of a job that is not done, as a shell has it.
fn job_code(cause: &CauseKind) -> u8 {
    match (cause, cause.death()) {
        (CauseKind::Failed(FailReason::Exited(code)), _) => *code,
        (_, Some(ExitStatus::Signal { signal, .. })) => SIGNAL_BASE | signal.0,
        (CauseKind::Failed(FailReason::TimedOut { .. }), _) => TIMED_OUT,
        (CauseKind::Failed(FailReason::NotStarted(_)), _) => NOT_FOUND,
        _ => ITEMS_NOT_DONE,
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
    use crate::model::ids::WorkerId;
    use crate::model::outcome::Halted;
    use crate::model::time::Duration;
    use ExitCodeStyle::{Count, Own, Parallel, Xargs};

    fn code(reason: &StopReason, [failed, dead, skipped]: [u64; 3], style: ExitCodeStyle) -> ProgramExit {
        let totals = Totals { failed, dead, skipped, ..Totals::default() };
        of(&RunOutcome { reason: reason.clone(), totals, halted: None }, style)
    }

    /// The expected codes are those of GNU parallel 20221122.
    #[test]
    fn a_halt_has_the_code_of_the_job_that_decided() {
        let exited = |code| Some(CauseKind::Failed(FailReason::Exited(code)));
        let killed = Some(CauseKind::Crashed(ExitStatus::Signal { signal: Signal::KILL, core_dumped: false }));
        let late = Some(CauseKind::Failed(FailReason::TimedOut { limit: Duration::from_secs(1) }));
        let (items, share) = (Threshold::Items, Threshold::PercentOfAll);
        for (on, threshold, by, [accepted, failed], expected) in [
            (HaltOn::Fail, items(1), exited(7), [9, 1], 7),
            (HaltOn::Fail, items(1), killed, [9, 1], 137),
            (HaltOn::Fail, items(1), late, [9, 1], 255),
            (HaltOn::Fail, items(2), exited(7), [9, 2], 2),
            (HaltOn::Fail, items(200), exited(7), [900, 200], 101),
            (HaltOn::Fail, share(50), exited(7), [2, 1], 7),
            (HaltOn::Fail, share(50), exited(7), [3, 2], 67),
            (HaltOn::Done, items(1), None, [9, 0], 0),
            (HaltOn::Done, items(1), exited(4), [9, 1], 4),
            (HaltOn::Done, items(3), None, [9, 2], 2),
            (HaltOn::Success, items(1), None, [9, 5], 0),
        ] {
            let halt = Halt { on, threshold, now: true };
            let then = Totals { accepted, failed, ..Totals::default() };
            let halted = Some(Box::new(Halted { by, totals: then }));
            let totals = Totals { accepted, failed, dead: 3, skipped: 1, ..Totals::default() };
            let reason = if on == HaltOn::Fail { StopReason::HaltFailed } else { StopReason::HaltMet };
            let outcome = RunOutcome { reason, totals, halted };
            assert_eq!(of(&outcome, Parallel(Some(halt))), ProgramExit::Code(expected), "{halt:?} {then:?}");
        }
        // Not met.
        let totals = Totals { done: 3, failed: 1, ..Totals::default() };
        let outcome = RunOutcome { reason: StopReason::SourceEnded, totals, halted: None };
        for (threshold, expected) in [(items(9), 1), (share(90), 25)] {
            let halt = Halt { on: HaltOn::Fail, threshold, now: true };
            assert_eq!(of(&outcome, Parallel(Some(halt))), ProgramExit::Code(expected), "{threshold:?}");
        }
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
            (StopReason::SourceDiffers(text.clone()), ProgramExit::Code(6)),
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
