//! The simulated shell: it starts processes, reads their channels and progress pages, learns of their
//! ends, and passes the facts to the core.

use crate::agenda::{Effect, ProcessId};
use crate::channel::WorkerMessage;
use crate::marks::Mark;
use crate::process::Lifetime;
use crate::scenario::Fault;
use crate::violation::BrokenCheck;
use crate::world::World;
use supervisor::core::input::{Input, SpawnFailure};
use supervisor::model::exit::{ExitStatus, Usage};
use supervisor::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use supervisor::model::outcome::{FailReason, RetryHint};

impl World {
    pub fn spawn_answered(&mut self, id: ProcessId) -> Result<(), BrokenCheck> {
        let process = &mut self.processes[id];
        let (worker, incarnation, pid) = (process.worker(), Incarnation(process.incarnation), process.pid);
        if process.fault == Some(Fault::SpawnFails) {
            process.life = Lifetime::Gone;
            self.present[process.slot] = None;
            self.marks.hit(Mark::SpawnFailed);
            let text = || String::from("spawn: no such luck");
            let error = match self.rng.below(8) {
                0 => SpawnFailure::Program(text()),
                7 if self.policy().worker.starts_with_item() => SpawnFailure::Declined,
                1..4 if self.policy().worker.starts_with_item() => {
                    self.marks.hit(Mark::CommandNotStarted);
                    match self.rng.below(3) {
                        0 => SpawnFailure::Item(text()),
                        1 => SpawnFailure::Unfit(text()),
                        _ => SpawnFailure::Lost { error: text(), missing: true },
                    }
                }
                _ => SpawnFailure::Shortage(text()),
            };
            self.hand_comes_back(worker.index())?;
            if self.finished {
                return Ok(());
            }
            return self.input(Input::SpawnFailed { worker, incarnation, error });
        }
        process.life = Lifetime::Running;
        self.soon(Effect::Begins(id));
        self.input(Input::Spawned { worker, incarnation, pid })
    }

    /// The shell reads what is there, or a part of it, and passes the messages on.
    pub fn read(&mut self, id: ProcessId, all: bool) -> Result<(), BrokenCheck> {
        let process = &mut self.processes[id];
        // Under a script what a dead process left in its channel is read with its end, not before.
        let later = self.agenda.scripted && !process.is_alive();
        if process.life == Lifetime::Gone || ((process.end_of_file_seen || later) && !all) {
            return Ok(());
        }
        let mut bytes = usize::MAX;
        if !all && self.rng.per_mille(self.scenario.torn) {
            bytes = self.rng.between(1, 12) as usize;
        }
        let process = &mut self.processes[id];
        let mut told = std::mem::take(&mut self.told);
        process.channel.read(bytes, process.pid, &mut told);
        let (worker, incarnation, dead) = (process.worker(), Incarnation(process.incarnation), !process.is_alive());
        if process.channel.unread_bytes() > 0 {
            self.marks.hit(Mark::TornFrame);
            self.soon(Effect::Read(id));
        }
        let mut outcome = Ok(());
        for message in told.drain(..) {
            if outcome.is_ok() && !self.finished {
                if dead && matches!(message, WorkerMessage::Done { .. }) {
                    self.marks.hit(Mark::ResultOfTheDead);
                }
                self.processes[id].deaf_shell |= message == WorkerMessage::Broken;
                if let Some(begins) = result_begins(worker, incarnation, &message).filter(|_| self.rng.below(4) == 0) {
                    outcome = self.input(begins);
                }
                if outcome.is_ok() && !self.finished {
                    outcome = self.input(to_input(worker, incarnation, message));
                }
            }
        }
        self.told = told;
        outcome
    }

    pub fn end_of_file(&mut self, id: ProcessId) -> Result<(), BrokenCheck> {
        if self.processes[id].life == Lifetime::Gone || self.processes[id].end_of_file_seen {
            return Ok(());
        }
        self.read(id, true)?;
        let process = &mut self.processes[id];
        process.end_of_file_seen = true;
        let (worker, incarnation) = (process.worker(), Incarnation(process.incarnation));
        if self.finished { Ok(()) } else { self.input(Input::ChannelClosed { worker, incarnation }) }
    }

    pub fn probed(&mut self, id: ProcessId) -> Result<(), BrokenCheck> {
        let process = &self.processes[id];
        if process.life == Lifetime::Gone {
            return Ok(());
        }
        let (worker, incarnation) = (process.worker(), Incarnation(process.incarnation));
        let running = self.progress_of(process);
        if self.now < self.scenario.sink_slow_until {
            self.marks.hit(Mark::ProbeExcluded);
            self.processes[id].excluded_at = self.run_now().0;
            return self.input(Input::TimeExcluded { worker, incarnation });
        }
        self.input(Input::ProbeResult { worker, incarnation, running })
    }

    /// The shell learns of a death: first it reads what is left, then it reports the exit.
    pub fn reaped(&mut self, id: ProcessId) -> Result<(), BrokenCheck> {
        let Lifetime::Zombie(status) = self.processes[id].life else { return Ok(()) };
        if !self.processes[id].end_of_file_seen {
            self.read(id, true)?;
        }
        if self.finished {
            return Ok(());
        }
        let running = self.progress_of(&self.processes[id]);
        let process = &mut self.processes[id];
        process.life = Lifetime::Gone;
        let (worker, incarnation) = (process.worker(), Incarnation(process.incarnation));
        let slot = process.slot;
        if self.present[slot] == Some(id) {
            self.present[slot] = None;
        }
        if self.rng.per_mille(self.scenario.late) {
            self.soon(Effect::Late(id));
        }
        let (usage, status) = (Usage::default(), ExitStatus::from(status));
        self.hand_ends(slot, status.is_success())?;
        if self.finished {
            return Ok(());
        }
        self.input(Input::Exited { worker, incarnation, status, usage, running })?;
        self.hand_goes_on(slot);
        Ok(())
    }

    /// A process has ended, and another one holds its output open.
    pub fn output_held(&mut self, id: ProcessId) -> Result<(), BrokenCheck> {
        let process = &self.processes[id];
        if self.finished || !matches!(process.life, Lifetime::Zombie(_)) {
            return Ok(());
        }
        let (worker, incarnation) = (process.worker(), Incarnation(process.incarnation));
        self.input(Input::OutputHeld { worker, incarnation })
    }

    /// A message of a dead process, or about it, arrives after its exit was reported.
    pub fn late(&mut self, id: ProcessId) -> Result<(), BrokenCheck> {
        self.marks.hit(Mark::LateResult);
        let process = &self.processes[id];
        let (worker, incarnation) = (process.worker(), Incarnation(process.incarnation));
        let (item, attempt) = process.last_words.unwrap_or((self.policy().first_item, 1));
        let attempt = Attempt(attempt);
        let input = match self.rng.below(8) {
            0 => Input::Hello { worker, incarnation },
            1 if self.rng.below(2) == 0 => Input::ResultBegins { worker, incarnation, item, attempt },
            1 => Input::ChannelClosed { worker, incarnation },
            2 => Input::ProbeResult { worker, incarnation, running: Some(item) },
            3 => Input::ProtocolError { worker, incarnation, error: String::from("late") },
            4 => {
                let (reason, hint) = (FailReason::Message(String::from("late")), hint_of(item));
                Input::Failed { worker, incarnation, item, attempt, reason, hint }
            }
            5 => Input::Exited {
                worker,
                incarnation,
                status: ExitStatus::Code(0),
                usage: Usage::default(),
                running: Some(item),
            },
            _ => Input::Settled { worker, incarnation, first: item, count: 1, attempt, busy_ns: 0 },
        };
        self.input(input)
    }
}

/// The fact that precedes a large result, for a message that could be one.
fn result_begins(worker: WorkerId, incarnation: Incarnation, told: &WorkerMessage) -> Option<Input> {
    let WorkerMessage::Done { first, count: 1, attempt, .. } = *told else { return None };
    Some(Input::ResultBegins { worker, incarnation, item: ItemId(first), attempt: Attempt(attempt) })
}

/// What a failed attempt at this item says of a further one; the same each time.
const fn hint_of(item: ItemId) -> RetryHint {
    match item.0 % 5 {
        1 => RetryHint::Always,
        3 => RetryHint::Never,
        _ => RetryHint::Default,
    }
}

fn to_input(worker: WorkerId, incarnation: Incarnation, told: WorkerMessage) -> Input {
    match told {
        WorkerMessage::Hello => Input::Hello { worker, incarnation },
        WorkerMessage::Done { first, count, attempt, busy_ns } => {
            Input::Settled { worker, incarnation, first: ItemId(first), count, attempt: Attempt(attempt), busy_ns }
        }
        WorkerMessage::Failed { item, attempt } => Input::Failed {
            worker,
            incarnation,
            item: ItemId(item),
            attempt: Attempt(attempt),
            reason: FailReason::Message(String::from("no such thing")),
            hint: hint_of(ItemId(item)),
        },
        WorkerMessage::Broken => {
            Input::ProtocolError { worker, incarnation, error: String::from("read a frame: garbage") }
        }
    }
}
