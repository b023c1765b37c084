//! The end of a run: the last bytes are written, and only then is it reported how the run ended.
//!
//! The core has finished by now: no worker is left. What happens here can still change how the run ended, since a run
//! whose results nobody received has not ended well.
//!
//! Invariant: a run that was stopped waits for a reader that does not read no longer than its grace.

use super::commit::{Commit, Stream, stdout_lost};
use super::error::EngineError;
use super::feed::Feed;
use super::status;
use super::turn::Turn;
use crate::core::Core;
use crate::model::event::{RunEvent, Stage};
use crate::model::outcome::{RunOutcome, StopReason};
use crate::model::signal::Signal;
use crate::model::spec::Policy;
use crate::model::time::Instant;
use crate::sys::outbox::Flushed;
use crate::sys::signals::ReceivedSignal;

/// What is left when the workers are gone.
pub struct Finish<'a> {
    pub core: &'a Core,
    pub commit: &'a mut Commit,
    pub feed: &'a mut Feed,
    pub turn: &'a mut Turn,
}

impl Finish<'_> {
    /// Waits until stdout is written, reports how the run ended, and waits until stderr is written. A signal ends the
    /// waiting.
    ///
    /// # Errors
    /// The poll set failed.
    pub fn run(mut self, mut outcome: RunOutcome) -> Result<RunOutcome, EngineError> {
        let deadline = deadline_of_output(self.core.policy(), &outcome.reason, self.turn.now);
        self.commit.pass_barrier(self.turn, self.feed);
        self.flush_reporters(&mut outcome);
        self.write(Stream::Stdout, &mut outcome, deadline)?;
        self.commit.show_event(self.turn.now, &RunEvent::RunFinished(outcome.clone()));
        self.flush_reporters(&mut outcome);
        self.write(Stream::Stderr, &mut outcome, deadline)?;
        Ok(outcome)
    }

    fn flush_reporters(&mut self, outcome: &mut RunOutcome) {
        if let Some(failure) = self.commit.flush_reporters() {
            self.cut_short(Stream::Stdout, outcome, StopReason::StorageLost(failure.to_string()));
        }
    }

    fn write(
        &mut self,
        stream: Stream,
        outcome: &mut RunOutcome,
        deadline: Option<Instant>,
    ) -> Result<(), EngineError> {
        let mut ready = Vec::new();
        loop {
            let output = &mut self.commit.output;
            let outbox = if stream == Stream::Stdout { &mut output.out } else { &mut output.err };
            match (self.turn.system.flush(outbox), stream) {
                (Ok(Flushed::All), _) => return Ok(()),
                (Ok(Flushed::Blocked), _) => output.watch_stream(stream, true, self.turn),
                (Err(error), Stream::Stdout) => {
                    self.cut_short(stream, outcome, stdout_lost(&error));
                    return Ok(());
                }
                // There is no other place to report it to.
                (Err(_), Stream::Stderr) => return Ok(()),
            }
            self.turn.refresh();
            let now = self.turn.now;
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.cut_short(stream, outcome, StopReason::RunTimeout);
                return Ok(());
            }
            // Notices that came meanwhile; whether they are written is judged in the turn of stderr.
            let _ = self.turn.system.flush(&mut self.commit.output.err);
            let timeout = deadline.map(|deadline| deadline.since(now));
            self.turn.system.wait(&mut ready, timeout).map_err(EngineError::system("wait for events"))?;
            self.turn.refresh();
            for ReceivedSignal { signal, sender_pid } in self.turn.system.received_signals() {
                if signal == Signal::USR1 {
                    let text = status::text(&self.core.status());
                    self.commit.output.err.push(text.as_bytes());
                    continue;
                }
                if stream == Stream::Stdout {
                    self.commit.show_event(self.turn.now, &RunEvent::SignalReceived { signal, sender_pid });
                }
                self.cut_short(stream, outcome, StopReason::Signal(signal));
                return Ok(());
            }
        }
    }

    /// The rest of this stream is not written. Why is reported, unless the last event of the run has been.
    fn cut_short(&mut self, stream: Stream, outcome: &mut RunOutcome, reason: StopReason) {
        if reason.outranks(&outcome.reason) {
            outcome.reason = reason;
        }
        if stream == Stream::Stdout {
            self.commit.output.out.clear();
            let reason = outcome.reason.clone();
            self.commit.show_event(self.turn.now, &RunEvent::Stopping { stage: Stage::Finished, reason });
        }
    }
}

/// Until when readers are waited for; `None`: as long as it takes.
fn deadline_of_output(policy: &Policy, reason: &StopReason, now: Instant) -> Option<Instant> {
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
        | StopReason::Signal(_) => Some(now + policy.grace),
    }
}
