//! Commands: a process for each item, whose exit is the item's result.
//!
//! A command has ended when its process has. Its output is complete when both its pipes are closed;
//! a grandchild that holds one open is given [`LINGER`] to go on writing, then the leftovers of the
//! process group are ended. The group is signalled before its leader is reaped: until then nobody
//! else can have its id.
//!
//! Output is read also while stdout takes less than commands give: what is too much for memory goes to
//! a file, and no command stands still, with its time running, because of a slow reader.

use super::event_loop::Engine;
use super::slots::{Command, Occupant};
use super::telling::Answer;
use super::token::{Part, Port};
use crate::command::capture::{Capture, Progress};
use crate::command::exec::LaunchError;
use crate::core::input::{Input, SpawnFailure};
use crate::model::ids::{Incarnation, Run, WorkerId};
use crate::model::signal::Signal;
use crate::model::time::Duration;
use crate::reporter::{Content, ItemTime};
use crate::sys::poller::Interest;

/// How long the leftovers of a command that has ended may hold its output open.
const LINGER: Duration = Duration::from_secs(1);

/// Reads from one pipe of a command before the loop looks at the others.
const READS_PER_EVENT: u32 = 16;

/// Reads from one pipe of a command that has ended: more than a pipe holds (1 MiB at most).
const READS_AT_END: u32 = 64;

impl Engine {
    pub(super) fn launch_command(&mut self, worker: WorkerId, incarnation: Incarnation, run: Run) {
        let item = self.payloads.body(run.first, 1).bytes();
        let now = self.clock.now();
        let launched = self.spawning.launch(worker, run, item, now, &mut self.telling.err);
        let execution = match launched {
            Ok(execution) => execution,
            Err(error) => {
                let error = match error {
                    LaunchError::Item(words) => SpawnFailure::Item(words),
                    LaunchError::Shortage(words) => SpawnFailure::Shortage(words),
                };
                self.facts.push_back(Input::SpawnFailed { worker, incarnation, error });
                return;
            }
        };
        let pid = execution.process.pid;
        let Some(slot) = self.slots.at(worker.index()) else { return };
        slot.incarnation = incarnation;
        let token = |part| slot.token(worker.index(), part);
        let (process, stdout, stderr) = (token(Part::Process), token(Part::CommandStdout), token(Part::CommandStderr));
        let mut watched = self.poller.add(&execution.process.pidfd, Interest::READ, process);
        for (pipe, token) in [(&execution.stdout, stdout), (&execution.stderr, stderr)] {
            if let (Ok(_), Some(pipe)) = (&watched, pipe) {
                watched = self.poller.add(pipe, Interest::READ, token);
            }
        }
        if let Err(error) = watched {
            let _ = self.poller.remove(&execution.process.pidfd);
            for pipe in [&execution.stdout, &execution.stderr].into_iter().flatten() {
                let _ = self.poller.remove(pipe);
            }
            self.spawning.abandon(worker, &execution.process);
            let error = SpawnFailure::Shortage(format!("watch a command: {error}"));
            self.facts.push_back(Input::SpawnFailed { worker, incarnation, error });
            return;
        }
        let stdin = execution.stdin.is_some();
        let command = Command { execution, run, stdin: false, ended: None };
        slot.occupant = Occupant::Command(Box::new(command));
        self.facts.push_back(Input::Spawned { worker, incarnation, pid });
        if stdin {
            self.write_command_stdin(worker.index());
        }
    }

    /// Feeds a command's stdin with its item.
    pub(super) fn write_command_stdin(&mut self, index: usize) {
        let Some(slot) = self.slots.at(index) else { return };
        let token = slot.token(index, Part::CommandStdin);
        let Some(command) = slot.command() else { return };
        let item = self.payloads.body(command.item(), 1).bytes();
        let written = command.execution.write_stdin(item);
        let Some(stdin) = &command.execution.stdin else { return };
        let written = match written {
            Ok(Progress::Blocked) if command.stdin => return,
            Ok(Progress::Blocked) => self.poller.add(stdin, Interest::WRITE, token).map(|_| command.stdin = true),
            Ok(Progress::More | Progress::Closed) => {
                if std::mem::take(&mut command.stdin) {
                    let _ = self.poller.remove(stdin);
                }
                // Now the command sees the end.
                command.execution.stdin = None;
                return;
            }
            Err(error) => Err(error),
        };
        if written.is_err() {
            // It must not take the part that it got for the whole.
            let _ = command.execution.process.signal_group(Signal::KILL);
        }
    }

    /// Reads what a command wrote to `part`.
    pub(super) fn read_command(&mut self, index: usize, part: Part) {
        let closed = self.read_pipe(index, part, READS_PER_EVENT);
        if closed {
            self.settle_if_complete(index);
        }
    }

    /// Reads one pipe, at most `reads` times. Returns whether it is closed.
    fn read_pipe(&mut self, index: usize, part: Part, reads: u32) -> bool {
        let Some(collector) = self.spawning.collector() else { return true };
        let Some(command) = self.slots.at(index).and_then(|slot| slot.command()) else { return true };
        let stderr = part == Part::CommandStderr;
        let (mut closed, mut lost) = (false, None);
        for _ in 0..reads {
            let execution = &mut command.execution;
            let read = if stderr { execution.read_stderr(collector) } else { execution.read_stdout(collector) };
            match read {
                Ok(Progress::More) => {}
                Ok(Progress::Blocked) => break,
                Ok(Progress::Closed) => {
                    closed = true;
                    break;
                }
                Err(error) => {
                    lost = Some(error.to_string());
                    closed = true;
                    break;
                }
            }
        }
        let fd = if stderr { &mut command.execution.stderr } else { &mut command.execution.stdout };
        if closed && let Some(fd) = fd.take() {
            let _ = self.poller.remove(&fd);
        }
        if let Some(error) = lost {
            self.feed(Input::StorageLost { error });
        }
        closed
    }

    /// A command's process has ended: reads what is left, and waits for its leftovers if they hold
    /// the output open.
    pub(super) fn command_ended(&mut self, index: usize) {
        let now = self.now;
        let Some(slot) = self.slots.at(index) else { return };
        let token = slot.token(index, Part::Process);
        let Some(command) = slot.command() else { return };
        if command.ended.is_some() {
            return;
        }
        command.ended = Some(now);
        let _ = self.poller.remove(&command.execution.process.pidfd);
        self.read_pipe(index, Part::CommandStdout, READS_AT_END);
        self.read_pipe(index, Part::CommandStderr, READS_AT_END);
        if !self.settle_if_complete(index) {
            self.lingering.push_back((now + LINGER, token));
        }
    }

    /// Its leftovers had their time.
    pub(super) fn end_lingering(&mut self, token: u64) {
        if let Some(Port::Worker { index, generation, .. }) = Port::of(token)
            && let Some(slot) = self.slots.of_event(index, generation)
            && slot.command().is_some_and(|command| command.ended.is_some())
        {
            self.settle_command(index as usize);
        }
    }

    fn settle_if_complete(&mut self, index: usize) -> bool {
        let Some(command) = self.slots.at(index).and_then(|slot| slot.command()) else { return true };
        let execution = &command.execution;
        let complete = command.ended.is_some() && execution.stdout.is_none() && execution.stderr.is_none();
        if complete {
            self.settle_command(index);
        }
        complete
    }

    /// Ends the leftovers, reaps the process, and hands its exit and output to the core.
    fn settle_command(&mut self, index: usize) {
        let worker = WorkerId::from_index(index);
        let Some(slot) = self.slots.at(index) else { return };
        let incarnation = slot.incarnation;
        let Occupant::Command(mut command) = std::mem::replace(&mut slot.occupant, Occupant::Nobody) else { return };
        let _ = command.execution.process.signal_group(Signal::KILL);
        self.spawning.forget(worker);
        let (status, usage) = super::spawning::reap(&command.execution.process);
        for fd in [&command.execution.stdout, &command.execution.stderr].into_iter().flatten() {
            let _ = self.poller.remove(fd);
        }
        if command.stdin
            && let Some(fd) = &command.execution.stdin
        {
            let _ = self.poller.remove(fd);
        }
        let runtime = command.ended.unwrap_or(self.now).since(command.execution.started);
        let times = [ItemTime { started: command.execution.started, runtime }];
        let answer = Answer {
            first: command.item(),
            results: content(&command.execution.out),
            errors: content(&command.execution.err),
            times: Some(&times),
            exit: Some(status),
            of_failures: true,
        };
        self.telling.answered = false;
        self.feed_with(Input::Exited { worker, incarnation, status, usage, running: None }, Some(&answer));
        if !self.telling.answered {
            // Another attempt follows: what this one wrote is not told.
            self.telling.discard([&mut command.execution.out, &mut command.execution.err]);
        }
    }
}

fn content(capture: &Capture) -> Content<'_> {
    Content { spilled: &capture.spilled, memory: &capture.memory }
}
