//! Wording that several views share, so that the same fact has the same words everywhere.

use super::event::EndReason;
use super::exit::ExitStatus;
use super::ids::ItemId;
use super::outcome::{Cause, CauseKind, FailReason, Outcome, Settlement, StopReason};
use super::signal::Signal;
use super::text::quoted_start;
pub use super::text::{escaped, push_escaped};
use super::time::Duration;
use std::fmt::Write;

/// The longest beginning of a failed item in a message.
pub const SHOWN_CHARS_MAX: usize = 60;

/// Appends a number in decimal.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `10s`, `0.25s`: to the millisecond, or to the microsecond below one.
#[must_use]
pub fn seconds(length: Duration) -> String {
    let rounding = if length < Duration::from_millis(1) { 1_000 } else { 1_000_000 };
    format!("{}s", Duration(length.0 / rounding * rounding).as_secs_f64())
}

/// `1 worker`, `2 workers`.
#[must_use]
pub fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// Why an attempt did not succeed: `signal 9 (KILL)`, `not an integer: "abc"`.
#[must_use]
pub fn cause(cause: &Cause) -> String {
    match &cause.kind {
        CauseKind::Crashed(status) => status.to_string(),
        CauseKind::Killed(signal) => format!("signal {signal} from outside"),
        CauseKind::Failed(reason) => reason.to_string(),
        CauseKind::Interrupted(status) => format!("{status}, the run was stopped"),
        CauseKind::Chaos(status) => format!("ended by chaos: {status}"),
    }
}

/// The kind of a cause, without the text of its item: `signal 9 (KILL)`, `a panic`.
#[must_use]
pub fn kind(cause: &Cause) -> String {
    match &cause.kind {
        CauseKind::Failed(FailReason::Message(_)) => "a failure with a text of its own".to_owned(),
        CauseKind::Failed(FailReason::Panicked(_)) => "a panic".to_owned(),
        CauseKind::Failed(FailReason::NotStarted(_)) => "a command that could not be started".to_owned(),
        _ => self::cause(cause),
    }
}

/// Why a run stops; `None` for the normal end, and after the reader of stdout has gone. `signal`: the last one.
#[must_use]
pub fn why_stopping(reason: &StopReason, signal: Option<Signal>) -> Option<String> {
    Some(match reason {
        StopReason::SourceEnded | StopReason::SinkClosed => return None,
        StopReason::HaltMet => "enough items are settled".to_owned(),
        StopReason::HaltFailed => "too many items failed".to_owned(),
        StopReason::HaltExit { exit } => format!("a command ended with {exit}, at which the run stops"),
        StopReason::RunTimeout => "the time for the run is up".to_owned(),
        StopReason::RestartLimit { worker, last } => {
            format!("giving up: worker {worker} cannot be kept running ({})", escaped(last))
        }
        StopReason::DeadLimit { dead } => {
            format!("giving up: {} in a row died and none was done", counted(u64::from(*dead), "item", "items"))
        }
        StopReason::CommandLost { error, .. } => {
            format!("giving up: the command cannot be executed any more: failed to {}", escaped(error))
        }
        StopReason::Aborted { signal: None } => "a command asked to stop: exit 255".to_owned(),
        StopReason::Aborted { signal: Some(signal) } => format!("a command was ended by signal {signal}"),
        StopReason::SourceLost(error)
        | StopReason::SourceDiffers(error)
        | StopReason::SinkLost(error)
        | StopReason::StorageLost(error) => {
            format!("failed to {}", escaped(error))
        }
        StopReason::Requested => "stop requested".to_owned(),
        StopReason::Signal(first) => signal.unwrap_or(*first).name(),
    })
}

/// An error that ends the run, unlike a signal or a policy that was met.
#[must_use]
pub const fn ends_the_run(reason: &StopReason) -> bool {
    !matches!(
        reason,
        StopReason::SourceEnded
            | StopReason::SinkClosed
            | StopReason::HaltMet
            | StopReason::HaltFailed
            | StopReason::HaltExit { .. }
            | StopReason::Requested
            | StopReason::Signal(_)
    )
}

/// A process was stopped by this signal.
#[must_use]
pub fn stopped(name: &str, signal: Signal, per_item: bool, lends: bool) -> String {
    format!("{name} is stopped ({}){}", signal.name(), terminal_advice(signal, per_item, lends))
}

/// What helps a process that was stopped because it wants the terminal; empty for another signal. `lends`: commands are
/// lent the terminal.
const fn terminal_advice(signal: Signal, per_item: bool, lends: bool) -> &'static str {
    match signal {
        Signal::TTIN | Signal::TTOU if lends => {
            ": it wants the terminal, which belongs to another job; bring this one to the foreground"
        }
        Signal::TTIN | Signal::TTOU if per_item => ": it wants the terminal; use --tty with -j 1",
        Signal::TTIN | Signal::TTOU => ": it wants the terminal, which workers that stay do not get",
        _ => "",
    }
}

/// The cause of an item's outcome; empty if there is none.
#[must_use]
pub fn last_cause(causes: &[Cause]) -> String {
    causes.last().map(cause).unwrap_or_default()
}

/// The beginning of an item, in quotes, as messages show it; `None` for an empty one.
#[must_use]
pub fn shown_item(item: &[u8]) -> Option<String> {
    (!item.is_empty()).then(|| quoted_start(item, SHOWN_CHARS_MAX))
}

/// `item 2 ("/etc/b.conf")`: a single item with its beginning, where that is known.
#[must_use]
pub fn item(settlement: &Settlement) -> String {
    item_of(settlement.first, settlement.shown_item.as_deref())
}

/// The same of an item without an outcome.
#[must_use]
pub fn item_of(id: ItemId, shown: Option<&str>) -> String {
    shown.map_or_else(|| format!("item {id}"), |text| format!("item {id} ({text})"))
}

/// The command that runs for an item.
#[must_use]
pub fn command_of(item: ItemId, shown: Option<&str>) -> String {
    format!("{}: its command", item_of(item, shown))
}

/// The outcome as one word, as in JSON.
#[must_use]
pub const fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Dead => "dead",
        Outcome::Skipped => "skipped",
    }
}

/// Why a process ended, as one word, as in JSON.
#[must_use]
pub const fn reason(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::Own => "own",
        EndReason::Asked => "asked",
        EndReason::TimedOut => "timed_out",
        EndReason::NoHello => "no_hello",
        EndReason::Protocol(_) => "protocol",
        EndReason::Strategy => "strategy",
        EndReason::Stopped => "stopped",
        EndReason::Relief => "relief",
        EndReason::GivenUp => "given_up",
        EndReason::Chaos => "chaos",
    }
}

/// How a process ended, and why if the supervisor ended it: `signal 15 (TERM), timed out`.
#[must_use]
pub fn exit(exit: ExitStatus, reason: &EndReason) -> String {
    let mut text = exit.to_string();
    let why = match reason {
        EndReason::Own | EndReason::Asked => return text,
        // It was not ended: it exited while the run stopped.
        EndReason::Stopped if matches!(exit, ExitStatus::Code(_)) => return text,
        EndReason::Relief | EndReason::GivenUp if exit.is_success() => return text,
        EndReason::TimedOut => "timed out",
        EndReason::NoHello => "no hello in time",
        EndReason::Protocol(error) => {
            // Writing to a string cannot fail.
            let _ = write!(text, ", broke the protocol: {}", escaped(error));
            return text;
        }
        EndReason::Strategy => "restarted with another worker",
        EndReason::Stopped => "the run was stopped",
        EndReason::Relief => "made room",
        EndReason::GivenUp => "its item was given up",
        EndReason::Chaos => return format!("ended by chaos: {text}"),
    };
    text.push_str(", ");
    text.push_str(why);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded() {
        let shown = |ns| seconds(Duration(ns));
        assert_eq!(shown(10_000_000_000), "10s");
        assert_eq!(shown(1_234_567_890), "1.234s");
        assert_eq!(shown(12_345), "0.000012s");
    }
}
