//! The one loop: wait, turn readiness into facts, hand them to the core, carry its orders out.
//!
//! Invariant: it waits in one place, the poller, and nothing in it blocks: not a worker, not the
//! source, not stdout. (Starting a worker waits for its exec, which is what vfork means; commands are
//! started by threads of their own.)

use super::awake::Awake;
use super::commands::Launchers;
use super::error::EngineError;
use super::intake::Intake;
use super::messages::Gathered;
use super::resting::Resting;
use super::slots::Slots;
use super::spawning::Spawning;
use super::telling::{Answer, Telling};
use super::token::{Part, Port};
use crate::core::Core;
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::outcome::{RunOutcome, StopReason};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::reporter::ItemTime;
use crate::sys::clock::Clock;
use crate::sys::outbox::Flushed;
use crate::sys::poller::{Interest, Poller, Ready};
use crate::sys::signals::SignalPlane;
use std::collections::VecDeque;
use std::io;

/// Bytes waiting for stdout and stderr above which workers are not read from, until half of them are taken.
const WAITING_BYTES_MAX: u64 = 1 << 20;

/// A run in progress: the core and everything that it gives orders to.
pub struct Engine {
    pub(super) core: Core,
    pub(super) clock: Clock,
    pub(super) now: Instant,
    pub(super) poller: Poller,
    pub(super) signals: SignalPlane,
    pub(super) intake: Intake,
    pub(super) payloads: super::payloads::Payloads,
    pub(super) slots: Slots,
    pub(super) spawning: Spawning,
    /// Where workers are commands.
    pub(super) launchers: Option<Launchers>,
    pub(super) telling: Telling,
    /// Facts that came of carrying out an order; the core hears them next.
    pub(super) facts: VecDeque<Input>,
    /// Orders to resident workers, carried out once nothing is being read from any.
    pub(super) orders: VecDeque<Action>,
    /// Slots whose channels have to be looked at.
    pub(super) awake: Awake,
    /// Slots whose channels are left alone for a moment.
    pub(super) resting: Resting,
    /// Slots whose channels have frames to write.
    pub(super) unwritten: Vec<usize>,
    pub(super) outcome: Option<RunOutcome>,
    /// stdout and stderr take less than the workers give.
    pub(super) congested: bool,
    pub(super) stdout_watch: Interest,
    pub(super) stderr_watched: bool,
    pub(super) stdout_gone: bool,
    /// Most items in one message to a worker.
    pub(super) message_items_max: u32,
    /// Answers of the worker that is being read from; empty between two reads.
    pub(super) gathered: Gathered,
    /// Scratch space for the times of items.
    pub(super) times: Vec<ItemTime>,
}

impl Engine {
    /// Runs to the end.
    ///
    /// # Errors
    /// The poller failed; everything else is a fact for the core.
    pub(super) fn run(mut self) -> Result<RunOutcome, EngineError> {
        self.now = self.clock.now();
        self.feed(Input::Start);
        let mut ready = Vec::new();
        loop {
            let mut more = self.take_in();
            self.run_orders();
            self.write_frames();
            // Before the output is written, so that launchers work meanwhile.
            self.post_orders();
            let congested = self.congested;
            if self.outcome.is_none() {
                self.flush_outboxes();
            }
            if let Some(outcome) = self.outcome.take() {
                // No worker is left, so neither launchers nor guard are needed; it goes while the last bytes leave.
                drop(self.launchers.take());
                self.spawning.guard.dismiss();
                return self.end(outcome);
            }
            // The source was passed over for what has just been written: perhaps nothing else wakes us.
            more |= congested && !self.congested;
            let busy = more || !self.orders.is_empty() || !self.arm();
            self.wait(&mut ready, busy)?;
            self.now = self.clock.now();
            self.end_rests();
            for event in &ready {
                self.on_ready(*event);
            }
            self.hear_launchers()?;
            self.on_timeouts();
        }
    }

    /// Hands a fact to the core and carries its orders out.
    pub(super) fn feed(&mut self, input: Input) {
        self.feed_with(input, None);
    }

    /// The same for a fact that comes with results.
    pub(super) fn feed_with(&mut self, input: Input, answer: Option<Answer<'_>>) {
        self.core.handle(input, self.now);
        self.carry_out(answer);
        self.feed_facts();
    }

    /// Hands over the facts that came of carrying out orders, and of those orders, until none is left.
    fn feed_facts(&mut self) {
        while let Some(fact) = self.facts.pop_front() {
            self.core.handle(fact, self.now);
            self.carry_out(None);
        }
    }

    pub(super) fn next_timeout(&mut self) -> Option<Duration> {
        if self.is_looking() {
            return None;
        }
        let next = self.core.poll_timeout().into_iter().chain(self.resting.next()).min()?;
        Some(next.since(self.clock.now()))
    }

    fn on_timeouts(&mut self) {
        let has_passed = self.core.poll_timeout().is_some_and(|at| at <= self.now);
        if self.is_really_late(has_passed) {
            self.core.handle_timeout(self.now);
            self.carry_out(None);
            self.feed_facts();
        }
    }

    fn on_ready(&mut self, event: Ready) {
        match Port::of(event.token) {
            Some(Port::Source) => self.intake.woken(),
            Some(Port::Signals) => self.on_signals(),
            Some(Port::Stdout) if event.error || event.hangup => self.stdout_lost(None),
            // Writable: the turn's end writes. Facts are heard in each turn.
            Some(Port::Stdout | Port::Stderr | Port::Launchers | Port::Orders) | None => {}
            Some(Port::Worker { part, index, generation }) => {
                if self.slots.of_event(index, generation).is_some() {
                    self.on_worker(index as usize, part);
                }
            }
        }
    }

    fn on_worker(&mut self, index: usize, part: Part) {
        match part {
            Part::Process => self.resident_ended(index),
            Part::Frames => {
                self.read_frames(index);
                self.run_orders();
                self.note_awake(index);
            }
            Part::Writable => self.write_frames_of(index),
            // In the launchers' pollers.
            Part::CommandStdin | Part::CommandStdout | Part::CommandStderr => {}
        }
    }

    fn on_signals(&mut self) {
        for received in self.signals.drain() {
            if received.signal == Signal::USR1 || received.signal == Signal::QUIT {
                self.tell_status();
            }
            if received.signal != Signal::USR1 {
                self.feed(Input::Signal { signal: received.signal, sender_pid: received.sender_pid });
            }
        }
    }

    /// The state of the run, on stderr.
    pub(super) fn tell_status(&mut self) {
        let status = super::status::text(&self.core.status());
        self.telling.err.buffer().extend_from_slice(status.as_bytes());
    }

    /// Writes what stdout and stderr take, and says what became of them. stdout first: what a command
    /// answered stands before the word on how it ended.
    fn flush_outboxes(&mut self) {
        self.telling.flush_reporters();
        if let Some(failure) = self.telling.take_failure() {
            self.feed(Input::StorageLost { error: failure.to_string() });
        }
        if self.stdout_gone {
            self.telling.out.clear();
        } else {
            match self.telling.out.flush() {
                Ok(flushed) => self.watch_stdout(flushed == Flushed::Blocked),
                Err(error) => self.stdout_lost(Some(&error)),
            }
        }
        match self.telling.err.flush() {
            Ok(flushed) => self.watch_stderr(flushed == Flushed::Blocked),
            Err(_) => self.telling.err.clear(),
        }
        self.note_congestion();
    }

    /// More waits to be written than is good: no new items, and workers are not read from.
    fn note_congestion(&mut self) {
        let waiting = self.telling.out.len() + self.telling.err.len();
        let congested = waiting > if self.congested { WAITING_BYTES_MAX / 2 } else { WAITING_BYTES_MAX };
        if congested != self.congested {
            self.congested = congested;
            self.pause_reading();
        }
    }

    fn stdout_lost(&mut self, error: Option<&io::Error>) {
        if self.stdout_gone {
            return;
        }
        self.watch_stdout_as(None);
        self.stdout_gone = true;
        self.telling.out.clear();
        match error.map(lost_stdout) {
            Some(StopReason::SinkLost(error)) => self.feed(Input::SinkLost { error }),
            _ => self.feed(Input::SinkClosed),
        }
    }

    /// stdout is always watched for its reader going away, and for room while bytes wait.
    pub(super) fn watch_stdout(&mut self, for_room: bool) {
        self.watch_stdout_as(Some(if for_room { Interest::WRITE } else { Interest::NONE }));
    }

    fn watch_stdout_as(&mut self, interest: Option<Interest>) {
        let Some(fd) = self.telling.out.watch_fd() else { return };
        match interest {
            Some(interest) if interest != self.stdout_watch => {
                // A regular file cannot be watched, and need not be.
                let _ = self.poller.modify(fd, interest, Port::Stdout.token());
                self.stdout_watch = interest;
            }
            Some(_) => {}
            None => drop(self.poller.remove(fd)),
        }
    }

    pub(super) fn watch_stderr(&mut self, for_room: bool) {
        if for_room == self.stderr_watched {
            return;
        }
        let Some(fd) = self.telling.err.watch_fd() else { return };
        if for_room {
            let _ = self.poller.add(fd, Interest::WRITE, Port::Stderr.token());
        } else {
            let _ = self.poller.remove(fd);
        }
        self.stderr_watched = for_room;
    }
}

/// What it means that stdout cannot be written to.
pub(super) fn lost_stdout(error: &io::Error) -> StopReason {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StopReason::SinkClosed,
        _ => StopReason::SinkLost(format!("write results to stdout: {error}")),
    }
}
