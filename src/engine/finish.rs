//! The end of a run: the last bytes are written, and only then is it reported how the run ended.
//!
//! The core has finished by now: no worker is left. What happens here can still change how the run ended, since a run
//! whose results were not received has not ended well.
//!
//! Invariant: a run that was stopped waits for a reader that does not read no longer than its grace.

use super::commit::{Commit, Stream};
use super::error::EngineError;
use super::feed::Feed;
use super::status;
use super::trace;
use super::turn::Turn;
use crate::core::Core;
use crate::exit_code;
use crate::model::command::{self, Command};
use crate::model::event::{RunEvent, Stage};
use crate::model::outcome::{RunOutcome, StopReason};
use crate::model::spec::Policy;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use crate::sys::outbox::Flushed;
use crate::sys::signals::ReceivedSignal;

/// How long files of reporters are waited for after a run was stopped: a reader that reads takes what waits within it.
const FILES_OF_STOPPED_RUN: Duration = Duration::from_millis(250);

/// After which it is said that the run waits for a file.
const FILES_SAID_AFTER: Duration = Duration::from_secs(1);

/// The components that are left when the workers have ended.
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
        self.commit.output.close_live(self.turn);
        if let Some(error) = mutant!(LastTurnForgotten, self.commit.pass_barrier(self.feed), None) {
            self.strengthen(&mut outcome, StopReason::StorageLost(error));
        }
        // The turn of the last ones may have come with the end of the run.
        self.commit.show_pending(self.turn.now, self.feed);
        if let Some(failure) = self.commit.flush_reporters() {
            self.strengthen(&mut outcome, StopReason::StorageLost(failure.to_string()));
        }
        // A file that fails at once is a reason that is reported.
        self.commit.flush_files(self.turn);
        if let Some(failure) = self.commit.flush_reporters() {
            self.strengthen(&mut outcome, StopReason::StorageLost(failure.to_string()));
        }
        self.write(Stream::Stdout, &mut outcome, deadline)?;
        let all = outcome.reason == StopReason::SourceEnded;
        if let Some(error) = self.commit.close_record(exit_code::number(&outcome), all, self.feed) {
            self.strengthen(&mut outcome, StopReason::StorageLost(error));
        }
        // Nothing more is written to it, and its readiness would end every wait for stderr.
        self.commit.output.unwatch_stdout(self.turn);
        self.commit.show_event(self.turn.now, &RunEvent::RunFinished(outcome.clone()));
        self.write_files(&mut outcome, deadline)?;
        self.end_trace();
        if let Some(failure) = self.commit.flush_reporters() {
            self.turn.notice(&format!("supervisor: failed to {failure}"));
            self.commit.output.err.push(&std::mem::take(&mut self.turn.notices));
            take_stronger(&mut outcome, StopReason::StorageLost(failure.to_string()));
        }
        self.write(Stream::Stderr, &mut outcome, deadline)?;
        Ok(outcome)
    }

    /// Waits until the trace is in its file, and says if it is not whole.
    fn end_trace(&mut self) {
        self.turn.refresh();
        let now = self.turn.now;
        self.turn.trace.end_turn(now, self.commit.output.out.len());
        let end = self.turn.trace.finish(now);
        if let Some(lines) = self.turn.trace.lines() {
            self.commit.output.err.push(lines);
        }
        if let Some(shortfall) = end.as_ref().and_then(trace::shortfall) {
            self.turn.notice(&shortfall);
            self.commit.output.err.push(&std::mem::take(&mut self.turn.notices));
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
            match (output.flush_stream(stream, self.turn), stream) {
                (Ok(Flushed::All), _) => return Ok(()),
                (Ok(Flushed::Blocked), _) => output.watch_stream(stream, true, self.turn),
                (Err(error), Stream::Stdout) => {
                    let lost = self.commit.output.lost(&error);
                    self.cut_short(stream, outcome, lost);
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
            if stream == Stream::Stdout {
                // Notices that came meanwhile; whether they are written is judged in the turn of stderr.
                self.commit.output.flush_stderr(self.turn);
                // One that takes bytes again would end every wait.
                self.commit.flush_files(self.turn);
            }
            let until = deadline.into_iter().chain(self.commit.output.next_retry(now)).min();
            let timeout = until.map(|until| until.since(now));
            self.turn.system.wait(&mut ready, timeout).map_err(EngineError::system("wait for events"))?;
            if mutant!(InterruptedIsDeadline, false, ready.is_empty()) {
                self.cut_short(stream, outcome, StopReason::RunTimeout);
                return Ok(());
            }
            if let Some(ReceivedSignal { signal, sender_pid }) = self.received_signal() {
                if stream == Stream::Stdout {
                    self.commit.show_event(self.turn.now, &RunEvent::SignalReceived { signal, sender_pid });
                }
                self.cut_short(stream, outcome, StopReason::Signal(signal));
                return Ok(());
            }
        }
    }

    /// Waits until the files of reporters are written. A run that was stopped does not wait for a reader that is not
    /// reading: the person who stopped it waits too.
    fn write_files(&mut self, outcome: &mut RunOutcome, deadline: Option<Instant>) -> Result<(), EngineError> {
        let mut ready = Vec::new();
        self.turn.refresh();
        let was_stopped = matches!(outcome.reason, StopReason::Signal(_) | StopReason::Requested);
        let at_once = was_stopped.then(|| self.turn.now + FILES_OF_STOPPED_RUN);
        let deadline = deadline.into_iter().chain(at_once).min();
        let mut say_at = Some(self.turn.now + FILES_SAID_AFTER);
        loop {
            self.commit.flush_files(self.turn);
            self.commit.output.flush_stderr(self.turn);
            self.turn.refresh();
            let now = self.turn.now;
            let is_late = deadline.is_some_and(|deadline| deadline <= now);
            if is_late && self.commit.has_files_behind() {
                take_stronger(outcome, StopReason::RunTimeout);
            }
            if is_late || !self.commit.has_files_behind() {
                return Ok(());
            }
            if say_at.take_if(|at| *at <= now).is_some() {
                self.commit.say_what_is_behind(self.turn);
                self.commit.output.err.push(&std::mem::take(&mut self.turn.notices));
                self.commit.output.flush_stderr(self.turn);
            }
            let looks = [deadline, say_at, self.commit.next_look_at_files(now), self.commit.output.next_retry(now)];
            let timeout = looks.into_iter().flatten().min().map(|until| until.since(now));
            self.turn.system.wait(&mut ready, timeout).map_err(EngineError::system("wait for events"))?;
            if let Some(ReceivedSignal { signal, .. }) = self.received_signal() {
                take_stronger(outcome, StopReason::Signal(signal));
                return Ok(());
            }
        }
    }

    /// The first signal that ends a wait. One that asks for the status is answered.
    fn received_signal(&mut self) -> Option<ReceivedSignal> {
        self.turn.refresh();
        for received in self.turn.system.received_signals() {
            let ReceivedSignal { signal, sender_pid } = received;
            match command::of_signal(signal, sender_pid.is_some()) {
                [Command::Status] => {
                    let text = status::text(&self.core.status(), |_| None);
                    self.commit.output.err.push(text.as_bytes());
                }
                // No worker is left to stop with it.
                [Command::Pause] => self.turn.system.suspend(),
                [Command::Stop] | [Command::Status, Command::Terminate]
                    if !self.core.is_repeated(signal, self.turn.now) =>
                {
                    return Some(received);
                }
                _ => {}
            }
        }
        None
    }

    /// The rest of this stream is not written. Why is reported, unless the last event of the run has been.
    fn cut_short(&mut self, stream: Stream, outcome: &mut RunOutcome, reason: StopReason) {
        if stream == Stream::Stdout {
            self.commit.output.out.clear();
            self.strengthen(outcome, reason);
        } else {
            take_stronger(outcome, reason);
        }
    }

    /// Takes a reason if it is stronger than the one so far, and reports the one that counts.
    fn strengthen(&mut self, outcome: &mut RunOutcome, reason: StopReason) {
        take_stronger(outcome, reason);
        let reason = outcome.reason.clone();
        self.commit.show_event(self.turn.now, &RunEvent::Stopping { stage: Stage::Finished, reason });
    }
}

fn take_stronger(outcome: &mut RunOutcome, reason: StopReason) {
    if reason.outranks(&outcome.reason) {
        outcome.reason = reason;
    }
}

/// Until when readers are waited for; `None`: as long as it takes.
fn deadline_of_output(policy: &Policy, reason: &StopReason, now: Instant) -> Option<Instant> {
    match reason {
        StopReason::SourceEnded
        | StopReason::HaltMet
        | StopReason::HaltFailed
        | StopReason::HaltExit { .. }
        | StopReason::Aborted { .. }
        | StopReason::CommandLost { .. }
        | StopReason::SourceLost(_)
        | StopReason::SourceDiffers(_)
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
