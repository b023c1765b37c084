//! Wording that several reporters share, so that the same fact has the same words everywhere.

use crate::model::event::EndReason;
use crate::model::exit::ExitStatus;
use crate::model::outcome::{Cause, CauseKind, Outcome};
use crate::model::time::Duration;
use std::borrow::Cow;
use std::fmt::Write;

/// Appends bytes from outside so that a terminal executes none of them: control characters and bytes that are not
/// UTF-8 are escaped, the rest is unchanged.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        let mut rest = String::with_capacity(chunk.valid().len());
        for char in chunk.valid().chars() {
            if char.is_control() { rest.extend(char.escape_default()) } else { rest.push(char) }
        }
        out.extend_from_slice(rest.as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
}

/// [`push_escaped`] for text.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    push_escaped(&mut out, text.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

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
    }
}

/// The cause of an item's outcome; empty if there is none.
#[must_use]
pub fn last_cause(causes: &[Cause]) -> String {
    causes.last().map(cause).unwrap_or_default()
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
    }
}

/// How a process ended, and why if the supervisor ended it: `signal 15 (TERM), timed out`.
#[must_use]
pub fn exit(exit: ExitStatus, reason: &EndReason) -> String {
    let mut text = exit.to_string();
    let why = match reason {
        EndReason::Own | EndReason::Asked => return text,
        EndReason::TimedOut => "timed out",
        EndReason::NoHello => "no hello in time",
        EndReason::Protocol(error) => {
            // Writing to a string cannot fail.
            let _ = write!(text, ", broke the protocol: {}", escaped(error));
            return text;
        }
        EndReason::Strategy => "restarted with another worker",
        EndReason::Stopped => "the run was stopped",
    };
    text.push_str(", ");
    text.push_str(why);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_from_outside_cannot_control_a_terminal() {
        let shown = |bytes: &[u8]| {
            let mut out = Vec::new();
            push_escaped(&mut out, bytes);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(b"plain \\ \"text\""), "plain \\ \"text\"");
        assert_eq!(shown("\x1b[2J\tä\u{9b}\n\0".as_bytes()), "\\u{1b}[2J\\tä\\u{9b}\\n\\u{0}");
        assert_eq!(shown(b"a\xffb\xc3"), "a\\xffb\\xc3");
        assert_eq!(escaped("a\rb"), "a\\rb");
    }

    #[test]
    fn durations_are_rounded() {
        let shown = |ns| seconds(Duration(ns));
        assert_eq!(shown(10_000_000_000), "10s");
        assert_eq!(shown(1_234_567_890), "1.234s");
        assert_eq!(shown(12_345), "0.000012s");
    }
}
