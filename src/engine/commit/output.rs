//! stdout and stderr: what waits for them and for other outputs, and when that is too much.
//!
//! Invariant: never blocks. Above [`WAITING_BYTES_MAX`] the output is congested until half of that is written; the
//! reactor then takes in no items and reads from no resident worker.

use super::super::token::Port;
use super::super::turn::Turn;
use crate::core::input::Input;
use crate::model::outcome::StopReason;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use crate::reporter::caller::UntakenBytes;
use crate::sys::outbox::{Flushed, Outbox};
use crate::sys::poller::Interest;
use std::io;
use std::sync::Arc;

/// Bytes waiting for stdout and stderr above which the output is congested.
const WAITING_BYTES_MAX: u64 = 1 << 20;

/// Below this, a congested output is no longer congested.
pub const RESUME_BYTES: u64 = WAITING_BYTES_MAX / 2;

/// How soon a stream is written to again that the system had no memory to watch.
const WATCH_RETRY: Duration = Duration::from_millis(5);

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Both streams.
pub struct OutputStreams {
    pub out: Outbox,
    pub err: Outbox,
    /// What stdout is watched for.
    stdout_interest: Interest,
    /// stderr is in the poll set.
    stderr_watched: bool,
    stdout_lost: bool,
    congested: bool,
    /// Bytes that wait for files of reporters.
    waiting_for_files: u64,
    /// What the program that started the run has not taken.
    untaken: Option<Arc<UntakenBytes>>,
}

impl OutputStreams {
    pub fn new(out: Outbox, err: Outbox) -> Self {
        Self {
            out,
            err,
            stdout_interest: Interest::NONE,
            stderr_watched: false,
            stdout_lost: false,
            congested: false,
            waiting_for_files: 0,
            untaken: None,
        }
    }

    /// With notifications to a program, which count as bytes that wait.
    #[must_use]
    pub fn with_untaken(mut self, untaken: Arc<UntakenBytes>) -> Self {
        self.untaken = Some(untaken);
        self
    }

    /// Watches stdout for the loss of its reader. A regular file cannot be watched, and need not be.
    pub fn watch(&mut self, turn: &mut Turn) {
        if let Some(fd) = self.out.watch_fd() {
            let _ = turn.system.watch(fd, Interest::NONE, Port::Stdout.token());
        }
    }

    /// Bytes that wait for files of reporters count as bytes that wait for stdout.
    pub const fn set_waiting_for_files(&mut self, bytes: u64) {
        self.waiting_for_files = bytes;
    }

    pub const fn is_congested(&self) -> bool {
        self.congested
    }

    /// When to write again if bytes wait for stderr and it cannot be watched: no event reports that it takes them.
    pub fn next_retry(&self, now: Instant) -> Option<Instant> {
        let unwatched = !self.stderr_watched && self.err.watch_fd().is_some() && !self.err.is_empty();
        unwatched.then(|| now + WATCH_RETRY)
    }

    /// Writes what both streams take, stdout first: the output of a command stands before the notice of its exit.
    pub fn flush(&mut self, turn: &mut Turn) {
        if self.stdout_lost {
            self.out.clear();
        } else {
            match turn.system.flush(&mut self.out) {
                Ok(flushed) => self.watch_stream(Stream::Stdout, flushed == Flushed::Blocked, turn),
                Err(error) => self.lose_stdout(Some(&error), turn),
            }
        }
        self.flush_stderr(turn);
        let untaken = self.untaken.as_ref().map_or(0, |untaken| untaken.bytes());
        let waiting = self.out.len() + self.err.len() + self.waiting_for_files + untaken;
        self.congested = waiting > if self.congested { RESUME_BYTES } else { WAITING_BYTES_MAX };
    }

    /// Writes what stderr takes; what it can never take is dropped.
    pub fn flush_stderr(&mut self, turn: &mut Turn) {
        let flushed = turn.system.flush(&mut self.err);
        if flushed.is_err() {
            self.err.clear();
        }
        self.watch_stream(Stream::Stderr, matches!(flushed, Ok(Flushed::Blocked)), turn);
    }

    /// stdout cannot be written any more. `None`: its reader went away.
    pub fn lose_stdout(&mut self, error: Option<&io::Error>, turn: &mut Turn) {
        if self.stdout_lost {
            return;
        }
        self.unwatch_stdout(turn);
        self.stdout_lost = true;
        self.out.clear();
        turn.report(match error.map(stdout_lost) {
            Some(StopReason::SinkLost(error)) => Input::SinkLost { error },
            _ => Input::SinkClosed,
        });
        mutant!(SinkLossForgotten, (), drop(turn.facts.pop_back()));
    }

    /// Takes stdout out of the poll set.
    pub fn unwatch_stdout(&mut self, turn: &mut Turn) {
        if let Some(fd) = self.out.watch_fd() {
            turn.system.unwatch(fd);
        }
    }

    /// stdout is always watched for the loss of its reader, and for becoming writable while bytes wait; stderr only for
    /// that.
    pub fn watch_stream(&mut self, stream: Stream, for_writing: bool, turn: &mut Turn) {
        match stream {
            Stream::Stdout => {
                let interest =
                    if mutant!(FullStdoutUnwatched, for_writing, false) { Interest::WRITE } else { Interest::NONE };
                let Some(fd) = self.out.watch_fd().filter(|_| interest != self.stdout_interest) else { return };
                let _ = turn.system.rewatch(fd, interest, Port::Stdout.token());
                self.stdout_interest = interest;
            }
            Stream::Stderr => {
                let Some(fd) = self.err.watch_fd().filter(|_| for_writing != self.stderr_watched) else { return };
                if for_writing {
                    // One that cannot be watched is tried again in the next turn.
                    self.stderr_watched = turn.system.watch(fd, Interest::WRITE, Port::Stderr.token()).is_ok();
                } else {
                    turn.system.unwatch(fd);
                    self.stderr_watched = false;
                }
            }
        }
    }
}

/// Why a run stops whose stdout cannot be written.
pub fn stdout_lost(error: &io::Error) -> StopReason {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StopReason::SinkClosed,
        _ => StopReason::SinkLost(format!("write results to stdout: {error}")),
    }
}
