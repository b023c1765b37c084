//! The attempts of a command, one after the other.

use super::attempt::{AttemptEnd, OneAttempt};
use super::completed::Completed;
use super::error::ProcessError;
use super::ladder::Ender;
use super::spec::ProcessSpec;
use super::supervision::{ProcessNotice, Supervision};
use crate::command::jobserver;
use crate::model::exit::ExitStatus;
use crate::model::outcome::FailReason;
use crate::model::signal::Signal;
use crate::sys::stdio;

/// Runs a command to its end, on this thread, and tries it again as often as the spec allows.
///
/// Nothing is written to stderr. On the first thread of a program that has no handler for SIGCHLD the command may use the
/// terminal, as a job of the shell does; elsewhere the system stops a command that wants it.
///
/// # Errors
/// The command could not be started, or could not be supervised; nothing is left of it then. A command that fails, dies or
/// takes too long is no error: see [`Completed`].
pub fn run(spec: &ProcessSpec) -> Result<Completed, ProcessError> {
    attempts(spec, false, &mut |_| {})
}

/// [`run`] for a program of its own, which has no other children: orphans are reaped, and the command inherits the
/// descriptors of make's jobserver. What a person may want to know goes to `notify`.
///
/// # Errors
/// Those of [`run`], and stdout is closed although the output is captured, which is for stdout then.
#[doc(hidden)]
pub fn run_as_program(
    mut spec: ProcessSpec,
    notify: &mut dyn FnMut(&ProcessNotice),
) -> Result<Completed, ProcessError> {
    if spec.captures && stdio::was_closed(1) {
        return Err(ProcessError::StdoutClosed);
    }
    // Before anything of ours is opened.
    spec.pass_fds.extend(jobserver::inherited());
    attempts(&spec, true, notify)
}

fn attempts(
    spec: &ProcessSpec,
    is_program: bool,
    notify: &mut dyn FnMut(&ProcessNotice),
) -> Result<Completed, ProcessError> {
    let prepared = spec.prepare()?;
    let mut supervision = Supervision::open(spec, is_program, notify)?;
    let mut attempt = 1;
    loop {
        let end = OneAttempt::start(spec, &prepared, &mut supervision)?.run()?;
        let is_stop = end.is_stop;
        let mut completed = completed(spec, attempt, end);
        if completed.is_success() || is_stop || attempt > spec.retries {
            return Ok(completed);
        }
        // One that has come since the command ended.
        let mut signals = supervision.received_signals().into_iter();
        if let Some(signal) = signals.find(|signal| matches!(*signal, Signal::INT | Signal::TERM)) {
            completed.stopped_by = Some(signal);
            return Ok(completed);
        }
        attempt = attempt.saturating_add(1);
        let end = match spec.timeout.filter(|_| completed.timed_out) {
            Some(limit) => FailReason::TimedOut { limit }.to_string(),
            None => completed.exit.to_string(),
        };
        (supervision.notify)(&ProcessNotice::Retry { program: spec.name(), end, attempt });
    }
}

fn completed(spec: &ProcessSpec, attempts: u32, end: AttemptEnd) -> Completed {
    let stopped_by = match (end.ender, end.exit) {
        // What it decides to exit with is its own answer.
        (_, ExitStatus::Code(_)) => None,
        (Some(Ender::Signal(signal)), _) => Some(signal),
        (Some(Ender::Timeout) | None, _) => None,
    };
    Completed {
        args: spec.args.clone(),
        exit: end.exit,
        timed_out: end.ender == Some(Ender::Timeout),
        stopped_by,
        stdout: end.stdout,
        stderr: end.stderr,
        usage: end.usage,
        runtime: end.runtime,
        attempts,
    }
}
