//! The end of a run: its last bytes leave, and only then is it said how the run ended.
//!
//! The core has finished by now: no worker is left. What happens here can still change how the run
//! ended, for a run whose results nobody got has not ended well.
//!
//! Invariant: a run that was stopped waits for a reader that does not read no longer than its grace.

use super::error::EngineError;
use super::event_loop::{Engine, lost_stdout};
use crate::model::event::{RunEvent, Stage};
use crate::model::outcome::{RunOutcome, StopReason};
use crate::model::signal::Signal;
use crate::model::time::Instant;
use crate::sys::outbox::Flushed;
use crate::sys::signals::Received;

/// Whose reader is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Engine {
    /// Waits until stdout is written, says how the run ended, and waits until stderr is written. A
    /// signal ends the waiting.
    pub(super) fn end(&mut self, mut outcome: RunOutcome) -> Result<RunOutcome, EngineError> {
        let deadline = self.deadline_of_output(&outcome.reason);
        self.flush_reporters(&mut outcome);
        self.write_out(Stream::Stdout, &mut outcome, deadline)?;
        self.telling.event(self.now, &RunEvent::RunFinished(outcome.clone()));
        self.flush_reporters(&mut outcome);
        self.write_out(Stream::Stderr, &mut outcome, deadline)?;
        Ok(outcome)
    }

    fn flush_reporters(&mut self, outcome: &mut RunOutcome) {
        self.telling.flush_reporters();
        if let Some(failure) = self.telling.take_failure() {
            self.cut_short(Stream::Stdout, outcome, StopReason::StorageLost(failure.to_string()));
        }
    }

    /// Until when readers are waited for, if not for as long as it takes.
    fn deadline_of_output(&self, reason: &StopReason) -> Option<Instant> {
        let policy = self.core.policy();
        match reason {
            StopReason::SourceEnded
            | StopReason::HaltMet
            | StopReason::HaltFailed
            | StopReason::SourceLost(_)
            | StopReason::SinkClosed => policy.run_timeout.map(|limit| Instant::ZERO + limit),
            StopReason::RunTimeout
            | StopReason::RestartLimit { .. }
            | StopReason::DeadLimit { .. }
            | StopReason::SinkLost(_)
            | StopReason::StorageLost(_)
            | StopReason::Requested
            | StopReason::Signal(_) => Some(self.now + policy.grace),
        }
    }

    fn write_out(
        &mut self,
        stream: Stream,
        outcome: &mut RunOutcome,
        deadline: Option<Instant>,
    ) -> Result<(), EngineError> {
        let mut ready = Vec::new();
        loop {
            let outbox = if stream == Stream::Stdout { &mut self.telling.out } else { &mut self.telling.err };
            match (outbox.flush(), stream) {
                (Ok(Flushed::All), _) => return Ok(()),
                (Ok(Flushed::Blocked), Stream::Stdout) => self.watch_stdout(true),
                (Ok(Flushed::Blocked), Stream::Stderr) => self.watch_stderr(true),
                (Err(error), Stream::Stdout) => {
                    self.cut_short(stream, outcome, lost_stdout(&error));
                    return Ok(());
                }
                // Nobody is left to be told.
                (Err(_), Stream::Stderr) => return Ok(()),
            }
            let now = self.clock.now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.cut_short(stream, outcome, StopReason::RunTimeout);
                return Ok(());
            }
            // What is said meanwhile; whether it is taken is looked at when its turn comes.
            let _ = self.telling.err.flush();
            let timeout = deadline.map(|deadline| deadline.since(now));
            self.poller.wait(&mut ready, timeout).map_err(EngineError::system("wait for events"))?;
            self.now = self.clock.now();
            for Received { signal, sender_pid } in self.signals.drain() {
                if signal == Signal::USR1 {
                    self.tell_status();
                    continue;
                }
                if stream == Stream::Stdout {
                    self.telling.event(self.now, &RunEvent::SignalReceived { signal, sender_pid });
                }
                self.cut_short(stream, outcome, StopReason::Signal(signal));
                return Ok(());
            }
        }
    }

    /// The rest of this output is not written. It is said why, unless the run's last event is told.
    fn cut_short(&mut self, stream: Stream, outcome: &mut RunOutcome, reason: StopReason) {
        if reason.outranks(&outcome.reason) {
            outcome.reason = reason;
        }
        if stream == Stream::Stdout {
            self.telling.out.clear();
            let reason = outcome.reason.clone();
            self.telling.event(self.now, &RunEvent::Stopping { stage: Stage::Finished, reason });
        }
    }
}
