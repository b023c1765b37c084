//! The life of one worker: started, ready, late, unheard of, ended by us.
//!
//! Invariant: a signal is sent only to an incarnation that was spawned and has not exited. One that
//! shall end before it was spawned ends as soon as it is.

use super::Core;
use super::action::Action;
use super::input::SpawnFailure;
use super::mutant::Mutant;
use super::pool::{KillReason, State, Watch};
use super::queue::Queued;
use crate::model::event::{RunEvent, Stage};
use crate::model::ids::{Batch, Incarnation, ItemId};
use crate::model::outcome::{CauseKind, FailReason, StopReason};
use crate::model::signal::Signal;
use crate::model::spec::Lifecycle;
use crate::model::time::Duration;

/// How long a worker that closed its channel may take to its exit, before it is ended: so short that
/// another one is there within a second.
const HALF_CLOSED_WAIT: Duration = Duration::from_millis(500);

impl Core {
    /// Orders the next process of a slot.
    pub(super) fn spawn(&mut self, index: usize) {
        self.clear_slot_timer(index);
        let slot = &mut self.pool.slots[index];
        slot.incarnation = Incarnation(slot.incarnation.0.wrapping_add(1));
        self.pool.turn(index, State::Starting);
        let (worker, incarnation) = self.who(index);
        self.push(Action::Spawn { worker, incarnation });
    }

    pub(super) fn on_spawned(&mut self, index: usize, pid: u32) {
        if self.pool.slots[index].pid.is_some() {
            self.totals.stale += 1;
            return;
        }
        self.pool.slots[index].pid = Some(pid);
        self.totals.spawned += 1;
        let (worker, incarnation) = self.who(index);
        self.report(RunEvent::WorkerSpawned { worker, incarnation, pid });
        if let Some(lease) = self.pool.slots[index].leases.front() {
            let batch = lease.batch;
            self.report_item_started(index, batch);
        }
        match (self.pool.slots[index].state, self.policy.lifecycle) {
            (State::Starting, Lifecycle::Resident) => {
                self.set_slot_timer(index, self.policy.hello_timeout);
                self.pool.file(index);
            }
            (State::Starting, Lifecycle::PerItem) => {
                self.pool.slots[index].history.clear();
                self.pool.turn(index, State::Ready);
                if let Some(timeout) = self.policy.timeout {
                    self.set_slot_timer(index, timeout);
                }
            }
            (State::Draining, _) => self.push(Action::CloseInput { worker, incarnation }),
            (State::Stopping { .. }, _) if self.stage >= Stage::Killing => self.kill(index),
            (State::Stopping { .. }, _) => self.step(index),
            (State::Down | State::Ready | State::HalfClosed, _) => {}
        }
    }

    pub(super) fn on_spawn_failed(&mut self, index: usize, failure: SpawnFailure) {
        if self.pool.slots[index].pid.is_some() {
            self.totals.stale += 1;
            return;
        }
        let (worker, incarnation) = self.who(index);
        let (SpawnFailure::Shortage(text) | SpawnFailure::Item(text) | SpawnFailure::Program(text)) = &failure;
        let error = text.clone();
        self.report(RunEvent::WorkerNotSpawned { worker, incarnation, error: error.clone() });
        let held = self.pool.take_last(index);
        self.put_down(index);
        self.pool.introduce(index);
        if let Some(lease) = held {
            let queued = Queued { batch: lease.batch, priority: lease.priority, fresh: false };
            let again = if matches!(failure, SpawnFailure::Item(_)) {
                let kind = CauseKind::Failed(FailReason::NotStarted(error.clone()));
                let verdict = self.judge(index, lease.batch, kind);
                self.carry_out(index, queued, verdict)
            } else {
                Some(queued)
            };
            if let Some(queued) = again {
                self.give_back_or_skip(index, queued);
            }
        }
        match (failure, self.policy.lifecycle) {
            _ if !self.restarting() => {}
            (SpawnFailure::Program(last), _) => {
                self.stop(Stage::Terminating, StopReason::RestartLimit { worker, last });
            }
            (SpawnFailure::Item(_), Lifecycle::PerItem) => {}
            // While others run there is progress; and what is short may be free again when one of them ends.
            (SpawnFailure::Shortage(_), _) if self.pool.up > 0 => {
                let delay = self.pool.slots[index].history.wait(self.policy.backoff, self.mutation);
                self.start_later(index, delay);
            }
            _ => self.restart(index, true, error),
        }
    }

    pub(super) fn on_hello(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let Some(pid) = slot.pid.filter(|_| self.policy.lifecycle == Lifecycle::Resident) else {
            self.totals.stale += 1;
            return;
        };
        match slot.state {
            State::Starting => {
                self.clear_slot_timer(index);
                self.pool.introduce(index);
                self.pool.turn(index, State::Ready);
                let (worker, incarnation) = self.who(index);
                self.report(RunEvent::WorkerReady { worker, incarnation, pid });
            }
            // It crossed our wish that it leaves.
            State::Draining | State::Stopping { .. } => {}
            State::Down | State::Ready | State::HalfClosed => self.totals.stale += 1,
        }
    }

    /// Its exit should follow; if it does not, the worker is ended.
    pub(super) fn on_channel_closed(&mut self, index: usize) {
        let resident = self.policy.lifecycle == Lifecycle::Resident;
        if resident && matches!(self.pool.slots[index].state, State::Starting | State::Ready) {
            self.pool.turn(index, State::HalfClosed);
            self.set_slot_timer(index, HALF_CLOSED_WAIT);
        }
    }

    /// The worker broke the protocol: nothing it says counts any more.
    pub(super) fn breach(&mut self, index: usize, error: String) {
        let slot = &mut self.pool.slots[index];
        if slot.pid.is_none() || self.policy.lifecycle == Lifecycle::PerItem {
            self.totals.stale += 1;
            return;
        }
        if matches!(slot.kill_reason, None | Some(KillReason::Asked)) {
            slot.kill_reason = Some(KillReason::Protocol(error));
            self.kill(index);
        }
    }

    /// What the scoreboard says. An id that the worker does not hold counts as none; then the item
    /// in question is the next one it owes us: it may be stuck with it before or behind the handler.
    pub(super) fn on_probe_result(&mut self, index: usize, running: Option<ItemId>) {
        let now = self.now;
        let slot = &mut self.pool.slots[index];
        let (Some(timeout), State::Ready | State::Draining) = (self.policy.timeout, slot.state) else { return };
        let Some(front) = slot.leases.front() else { return };
        let item = running.filter(|item| slot.holds(*item)).unwrap_or(front.batch.first);
        match &mut slot.watch {
            Some(watch) if watch.item == item => {
                if watch.again(now) >= timeout {
                    self.time_out(index, item);
                }
            }
            _ => slot.watch = Some(Watch::new(item, now)),
        }
    }

    fn time_out(&mut self, index: usize, item: ItemId) {
        if !self.mutation.is(Mutant::TimeoutNever) {
            self.terminate(index, KillReason::TimedOut(item));
        }
    }

    /// The slot's deadline passed; what that means depends on what it waited for.
    pub(super) fn on_slot_timer(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        match (slot.state, self.policy.lifecycle) {
            (State::Down, Lifecycle::Resident) => {
                if self.restarting() && !slot.retired {
                    self.spawn(index);
                }
            }
            (State::Down, Lifecycle::PerItem) => self.pool.file(index),
            (State::Starting, _) => self.terminate(index, KillReason::NoHello),
            (State::Ready, Lifecycle::PerItem) => {
                if let Some(lease) = slot.leases.front() {
                    self.time_out(index, lease.batch.first);
                }
            }
            // One that was asked to leave finishes its item within the limit, too.
            (State::Ready | State::Draining, Lifecycle::Resident) => {
                if !slot.leases.is_empty() {
                    let (worker, incarnation) = self.who(index);
                    self.push(Action::Probe { worker, incarnation });
                    self.set_slot_timer(index, self.probe_interval());
                }
            }
            (State::HalfClosed, _) => {
                self.terminate(index, KillReason::Protocol("closed its channel and did not exit".to_owned()));
            }
            (State::Draining, Lifecycle::PerItem) => {}
            (State::Stopping { .. }, _) => self.step(index),
        }
    }

    /// Asks a worker to leave once it has finished what it is at. A process per item leaves anyway.
    pub(super) fn ask_to_leave(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let (state, resident) = (slot.state, self.policy.lifecycle == Lifecycle::Resident);
        match state {
            State::Down => {
                self.clear_slot_timer(index);
                self.pool.file(index);
            }
            State::Starting | State::Ready if resident => {
                let (spawned, busy) = (slot.pid.is_some(), !slot.leases.is_empty());
                let (worker, incarnation) = self.who(index);
                if spawned {
                    self.push(if busy {
                        Action::Recall { worker, incarnation }
                    } else {
                        Action::CloseInput { worker, incarnation }
                    });
                }
                if state == State::Starting {
                    self.clear_slot_timer(index);
                }
                self.pool.slots[index].kill_reason = Some(KillReason::Asked);
                self.pool.turn(index, State::Draining);
            }
            State::Starting | State::Ready | State::HalfClosed | State::Draining | State::Stopping { .. } => {}
        }
    }

    /// Ends a worker by the term sequence. One that is being ended already stays at its own reason.
    pub(super) fn terminate(&mut self, index: usize, kill_reason: KillReason) {
        let slot = &mut self.pool.slots[index];
        if matches!(slot.state, State::Down | State::Stopping { .. }) {
            return;
        }
        if matches!(slot.kill_reason, None | Some(KillReason::Asked)) {
            slot.kill_reason = Some(kill_reason);
        }
        let spawned = slot.pid.is_some();
        self.clear_slot_timer(index);
        self.pool.turn(index, State::Stopping { step: None });
        if spawned {
            self.step(index);
        }
    }

    /// The next step of the term sequence; the last is KILL, whatever the policy says.
    fn step(&mut self, index: usize) {
        let State::Stopping { mut step } = self.pool.slots[index].state else { return };
        loop {
            let next = step.map_or(0, |step| step + 1);
            let (signal, wait) = self
                .policy
                .term_sequence
                .get(next)
                .map_or((Signal::KILL, Duration::ZERO), |step| (step.signal, step.wait));
            let last = signal == Signal::KILL;
            if last && self.mutation.is(Mutant::KillForgotten) {
                return;
            }
            self.push_kill(index, signal);
            self.pool.slots[index].state = State::Stopping { step: Some(next) };
            if last {
                return;
            }
            if wait > Duration::ZERO {
                self.set_slot_timer(index, wait);
                return;
            }
            step = Some(next);
        }
    }

    /// Ends a worker at once.
    pub(super) fn kill(&mut self, index: usize) {
        self.clear_slot_timer(index);
        // Beyond every step: nothing comes after KILL.
        let step = self.pool.slots[index].pid.map(|_| self.policy.term_sequence.len());
        self.pool.turn(index, State::Stopping { step });
        if step.is_some() {
            self.push_kill(index, Signal::KILL);
        }
    }

    fn push_kill(&mut self, index: usize, signal: Signal) {
        let (worker, incarnation) = self.who(index);
        self.push(Action::Kill { worker, incarnation, signal });
    }

    /// The slot has no process any more.
    pub(super) fn put_down(&mut self, index: usize) {
        self.clear_slot_timer(index);
        let slot = &mut self.pool.slots[index];
        slot.pid = None;
        slot.kill_reason = None;
        slot.watch = None;
        slot.answered = false;
        slot.settled = 0;
        self.pool.turn(index, State::Down);
    }

    /// Back into the queue, uncharged; in a run that stops there is no further attempt.
    pub(super) fn give_back_or_skip(&mut self, index: usize, queued: Queued) {
        if self.stage == Stage::Running {
            self.queue.give_back(queued);
        } else {
            self.skip(queued.batch, Some(index), false);
        }
    }

    pub(super) fn batch_of(&self, index: usize, item: ItemId) -> Option<Batch> {
        let lease = self.pool.slots[index].leases.iter().find(|lease| lease.batch.contains(item))?;
        Some(Batch::of_one(item, lease.batch.attempt))
    }
}
