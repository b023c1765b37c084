//! The lifecycle of one worker: it is started, gets ready, runs out of time, closes its channel, or is ended.
//!
//! Invariant: a signal is sent only to an incarnation that was spawned and has not exited. If a process is to be
//! ended before the shell has spawned it, the term sequence begins when it is spawned.

use super::Core;
use super::action::Action;
use super::chaos_plan::SlotChaos;
use super::input::SpawnFailure;
use super::queue::Queued;
use super::reason::{Reason, TakeBackReason};
use super::restart::Setback;
use super::slot::{KillReason, Lease, SlotState, Watch};
use super::timers::Timer;
use crate::model::event::{RunEvent, Stage};
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{CauseKind, FailReason, RetryHint, StopReason};
use crate::model::signal::Signal;
use crate::model::spec::Blame;
use crate::model::time::Duration;
use crate::mutant::mutant;

/// The time that a worker has to exit after it closed its channel. Short enough that its successor starts within a
/// second.
const HALF_CLOSED_WAIT: Duration = Duration::from_millis(500);

impl Core {
    /// Starts the next process of a slot. If a process is started together with its item, the slot waits for an item.
    pub(super) fn fill(&mut self, index: usize) {
        if self.is_removed(index) {
            return;
        }
        if self.policy.worker.starts_with_item() {
            self.pool.set_state(index, SlotState::Vacant);
        } else if self.gate.is_closed() {
            self.wait_for_start(index);
        } else {
            self.because(|_| Reason::EmptySlot);
            self.spawn(index, None);
        }
    }

    /// Whether the slot gets no process until the run is scaled up.
    pub(super) fn is_removed(&self, index: usize) -> bool {
        mutant!(RemovedRefilled, self.pool.slots[index].removed, false)
    }

    /// Orders the next process of a slot. `lease`: the item that the process is started for; `None`: items follow.
    pub(super) fn spawn(&mut self, index: usize, lease: Option<Lease>) {
        self.clear_slot_timer(index);
        let slot = &mut self.pool.slots[index];
        slot.incarnation = Incarnation(slot.incarnation.0.wrapping_add(1));
        self.pool.set_state(index, SlotState::Starting);
        let batch = lease.as_ref().map(|lease| lease.batch);
        if let Some(lease) = lease {
            self.pool.lease(index, lease);
        }
        let (worker, incarnation) = self.ids(index);
        self.push(Action::Spawn { worker, incarnation, batch });
        self.note_start();
    }

    pub(super) fn on_spawned(&mut self, index: usize, pid: u32) {
        if self.pool.slots[index].pid.is_some() {
            self.totals.stale += 1;
            return;
        }
        let slot = &mut self.pool.slots[index];
        (slot.pid, slot.spawned_at, slot.from_hand) = (Some(pid), self.now, false);
        self.totals.spawned += 1;
        self.breaker.note_spawned();
        let (worker, incarnation) = self.ids(index);
        self.report(RunEvent::WorkerSpawned { worker, incarnation, pid });
        self.oldest_started(index);
        match self.pool.slots[index].state {
            SlotState::Starting if self.policy.worker.waits_for_hello() => {
                self.set_slot_timer(index, self.policy.hello_timeout);
                self.pool.update_sets(index);
            }
            SlotState::Starting => self.ready(index, pid),
            SlotState::Draining => {
                self.because(|core| core.why_asked(index));
                self.push(Action::CloseInput { worker, incarnation });
                self.await_leaving(index);
            }
            SlotState::Stopping { .. } if self.stage >= Stage::Killing => self.kill(index),
            SlotState::Stopping { .. } => self.step(index),
            SlotState::Down | SlotState::Vacant | SlotState::Ready | SlotState::HalfClosed => {}
        }
        mutant!(PauseForgotten, self.stop_with_run(index), {});
    }

    /// A signal has stopped the process, or it goes on. Its time goes on in both cases: what was stopped from outside is
    /// not different from what hangs.
    pub(super) fn on_stopped(&mut self, worker: WorkerId, incarnation: Incarnation, by: Option<Signal>) {
        let Some(index) = self.live(worker, incarnation) else { return };
        let slot = &mut self.pool.slots[index];
        // What the core has ordered is no news, also if it is seen only when the process goes on.
        let is_unseen = std::mem::take(&mut slot.is_stop_unseen);
        if (slot.is_held || slot.is_paused || is_unseen || slot.chaos.is_stopped()) && by == Some(Signal::STOP) {
            return;
        }
        // A process that was not spawned cannot stop.
        let Some(pid) = slot.pid else { return };
        if std::mem::replace(&mut slot.stopped, by) == by {
            return;
        }
        let item = slot.oldest_item().filter(|_| self.policy.worker.starts_with_item());
        self.report(match by {
            Some(signal) => RunEvent::WorkerStopped { worker, incarnation, pid, signal, item, shown_item: None },
            None => RunEvent::WorkerContinued { worker, incarnation, pid },
        });
    }

    /// The process can work. A process that was started for an item already runs it.
    fn ready(&mut self, index: usize, pid: u32) {
        self.greeted = true;
        self.clear_slot_timer(index);
        self.pool.mark_tried(index);
        let slot = &mut self.pool.slots[index];
        slot.was_ready = true;
        slot.history.ready();
        self.pool.set_state(index, SlotState::Ready);
        if self.pool.slots[index].leases.is_empty() {
            let (worker, incarnation) = self.ids(index);
            self.report(RunEvent::WorkerReady { worker, incarnation, pid });
            return;
        }
        // The program can be started, so earlier failed starts no longer count.
        self.pool.slots[index].history.clear();
        if let Some(timeout) = self.policy.timeout {
            self.set_slot_timer(index, timeout);
        }
        self.watch_by_median(index);
        self.chaos_begins(index);
    }

    pub(super) fn on_spawn_failed(&mut self, index: usize, failure: SpawnFailure) {
        if self.pool.slots[index].pid.is_some() {
            self.totals.stale += 1;
            return;
        }
        let (worker, incarnation) = self.ids(index);
        let error = match &failure {
            SpawnFailure::Declined => return self.on_declined(index),
            SpawnFailure::Shortage(error)
            | SpawnFailure::Item(error)
            | SpawnFailure::Unfit(error)
            | SpawnFailure::Lost { error, .. }
            | SpawnFailure::Program(error) => error.clone(),
        };
        self.report(RunEvent::WorkerNotSpawned { worker, incarnation, error: error.clone() });
        let held = self.pool.take_last(index);
        let of_item = held.is_some()
            && matches!(failure, SpawnFailure::Item(_) | SpawnFailure::Unfit(_) | SpawnFailure::Lost { .. });
        self.clear_process(index);
        self.pool.mark_tried(index);
        if let Some(lease) = held {
            let queued = Queued { batch: lease.batch, priority: lease.priority, fresh: false };
            let again = if of_item {
                let kind = CauseKind::Failed(FailReason::NotStarted(error.clone()));
                let unfit = matches!(failure, SpawnFailure::Unfit(_));
                let hint = if unfit { RetryHint::Never } else { RetryHint::Default };
                let decision = self.decide_failure(index, lease.batch, kind, hint);
                let fails = decision.fails();
                let again = self.apply_decision(index, queued, decision);
                if fails && let SpawnFailure::Lost { error, missing } = &failure {
                    self.note_lost_command(error, *missing);
                }
                again
            } else {
                Some(queued)
            };
            if let Some(queued) = again {
                self.give_back_or_skip(index, queued);
            }
        }
        let goes_on = self.begin_hand(index);
        if self.gives_up_restart(index, &error) {
            return;
        }
        match failure {
            _ if !self.restarting() => {}
            SpawnFailure::Program(last) => self.stop(Stage::Terminating, StopReason::RestartLimit { worker, last }),
            _ if goes_on || self.is_removed(index) => {}
            // The item caused the failure, so the slot takes the next item.
            SpawnFailure::Item(_) | SpawnFailure::Unfit(_) | SpawnFailure::Lost { .. } if of_item => self.fill(index),
            // Other workers make progress, and the end of one may free what the system is short of.
            SpawnFailure::Shortage(_) if self.pool.up > 0 => {
                let (now, period, backoff) = (self.now, self.policy.intensity.period, self.policy.backoff);
                let delay = self.pool.slots[index].history.wait(now, period, backoff);
                self.because(|core| core.why_restarted(index, Setback::FailedStart));
                self.start_later(index, delay);
            }
            _ => self.restart(index, Setback::FailedStart, error),
        }
    }

    /// The item of a command is left out: no attempt began. In a run that stops it is skipped as any other. A further attempt
    /// that is left out does not make up for those that failed.
    fn on_declined(&mut self, index: usize) {
        let held = self.pool.take_last(index);
        self.clear_process(index);
        self.pool.mark_tried(index);
        if let Some(lease) = held {
            let batch = lease.batch;
            let counts = self.stage == Stage::Running && batch.attempt == Attempt::FIRST;
            self.totals.declined += u64::from(counts);
            mutant!(
                DeclinedAskedAgain,
                self.skip(batch, Some(index), None),
                self.give_back_or_skip(index, Queued { batch, priority: lease.priority, fresh: false })
            );
        }
        if !self.begin_hand(index) && self.restarting() && !self.is_removed(index) {
            mutant!(DeclinedSlotLost, self.fill(index), {});
        }
    }

    pub(super) fn on_hello(&mut self, worker: WorkerId, incarnation: Incarnation) {
        let Some(index) = self.live(worker, incarnation) else { return };
        let slot = &self.pool.slots[index];
        match (slot.state, slot.pid) {
            (SlotState::Starting, Some(pid)) => self.ready(index, pid),
            // The worker sent its hello before it received the order to leave.
            (SlotState::Draining | SlotState::Stopping { .. }, Some(_)) => {}
            _ => self.totals.stale += 1,
        }
    }

    /// The worker closed its channel. If it does not exit soon, it is ended. One that was asked to leave may close it at any
    /// time, but not under items, for which it cannot answer any more.
    pub(super) fn on_channel_closed(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let is_leaving = slot.state == SlotState::Draining && slot.pid.is_some() && !slot.leases.is_empty();
        if is_leaving || matches!(slot.state, SlotState::Starting | SlotState::Ready) {
            self.pool.set_state(index, SlotState::HalfClosed);
            self.set_slot_timer(index, HALF_CLOSED_WAIT);
            self.go_on_if_idle(index);
        }
    }

    /// The worker broke the protocol: it is killed, and its later messages are dropped.
    pub(super) fn breach(&mut self, index: usize, error: String) {
        let slot = &mut self.pool.slots[index];
        if slot.pid.is_none() {
            self.totals.stale += 1;
            return;
        }
        if matches!(slot.kill_reason, None | Some(KillReason::Asked)) {
            slot.kill_reason = Some(KillReason::Protocol(error));
            self.kill(index);
        }
    }

    /// `running`: the item that the progress page names. If there is no page, or the worker does not hold that item,
    /// the time limit applies to the oldest item without an answer: the worker may be stuck outside of its handler.
    pub(super) fn on_probe_result(&mut self, index: usize, running: Option<ItemId>) {
        if let Some(item) = self.running(index, running) {
            self.seen_running(index, item);
        }
        let now = self.now;
        let slot = &self.pool.slots[index];
        let (Some(timeout), SlotState::Ready | SlotState::Draining) = (self.policy.timeout, slot.state) else { return };
        let Some(oldest) = slot.oldest_item() else { return };
        let item = self.running(index, running).filter(|item| slot.holds(*item)).unwrap_or(oldest);
        let (timeout, awake_at) =
            (Duration(timeout.0.saturating_add(self.chaos_delay(index, item).0)), self.awake_at(index));
        let slot = &mut self.pool.slots[index];
        match &mut slot.watch {
            Some(watch) if watch.item == item => {
                let due = watch.due(timeout);
                if watch.again(now) >= timeout {
                    self.time_out(index, item);
                } else if self.chaos.is_some() && self.policy.worker.blame == Blame::OldestHeld {
                    // It was stopped after this probe was ordered.
                    self.timers.set(Timer::Slot(index), &mut slot.timer, due, now);
                }
            }
            _ => slot.watch = Some(Watch::new(item, awake_at)),
        }
    }

    /// The shell did not read from workers: the time since the last probe does not count.
    pub(super) fn on_time_excluded(&mut self, index: usize) {
        let (now, slot) = (self.now, &mut self.pool.slots[index]);
        let Some(watch) = &mut slot.watch else { return };
        watch.exclude_time(now);
        // Without a progress page no further probe comes before the limit.
        if self.policy.worker.blame == Blame::OldestHeld && matches!(slot.state, SlotState::Ready | SlotState::Draining)
        {
            self.set_slot_timer(index, self.probe_interval());
        }
    }

    /// The item that the worker runs, if that is known. `page`: the item that its progress page names.
    pub(super) fn running(&self, index: usize, page: Option<ItemId>) -> Option<ItemId> {
        match self.policy.worker.blame {
            Blame::OldestHeld => mutant!(OldestNotBlamed, self.pool.slots[index].oldest_item(), None),
            Blame::ProgressPage | Blame::WholeProcess => page,
        }
    }

    /// The item that the worker ran when it ended. `named`: the item on its progress page, or the last one that it named.
    pub(super) fn ran(&self, index: usize, named: Option<ItemId>) -> Option<ItemId> {
        let contract = &self.policy.worker;
        let counts = contract.blame == Blame::OldestHeld && !contract.in_order;
        let named_held = named.filter(|item| counts && self.pool.slots[index].holds(*item));
        mutant!(NamedNotBlamed, named_held, None).or_else(|| self.running(index, named))
    }

    /// The process of an item has ended by itself, so no limit applies to what it left behind: the shell ends that within
    /// a second. One that is being ended goes through its term sequence, which reaches what it left behind too.
    pub(super) fn on_output_held(&mut self, worker: WorkerId, incarnation: Incarnation) {
        let Some(index) = self.live(worker, incarnation) else { return };
        if self.policy.worker.starts_with_item() && self.pool.slots[index].state == SlotState::Ready {
            self.clear_slot_timer(index);
            self.pool.slots[index].output_held = true;
            self.pool.update_sets(index);
            self.recall_hand(index, TakeBackReason::Long);
            self.go_on_if_idle(index);
        }
    }

    pub(super) fn time_out(&mut self, index: usize, item: ItemId) {
        self.tell_hang(index, item);
        mutant!(TimeoutNever, self.terminate(index, KillReason::TimedOut(item)), {});
    }

    /// The slot's deadline passed. The state of the slot decides what that means.
    pub(super) fn on_slot_timer(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        match slot.state {
            SlotState::Down => {
                if self.restarting() && !slot.retired {
                    self.fill(index);
                }
            }
            SlotState::Vacant => {}
            SlotState::Starting => self.terminate(index, KillReason::NoHello),
            // The time limit of an item also applies to a worker that was asked to leave.
            SlotState::Ready | SlotState::Draining => match slot.oldest_item() {
                Some(item) => self.on_item_due(index, item),
                // Its slot was removed, and the worker has not exited in time.
                None if slot.state == SlotState::Draining && self.stage == Stage::Running && !self.closing => {
                    self.terminate(index, KillReason::Stopped);
                }
                None => {}
            },
            SlotState::HalfClosed => {
                self.terminate(index, KillReason::Closed);
            }
            SlotState::Stopping { .. } => self.step(index),
        }
    }

    /// The time limit of an item may have passed. A process per item is ended; any other worker is probed.
    fn on_item_due(&mut self, index: usize, item: ItemId) {
        if self.policy.worker.starts_with_item() {
            return self.time_out(index, item);
        }
        self.probe(index);
    }

    /// Asks a worker to leave after its running item. A process per item exits after its item anyway.
    pub(super) fn ask_to_leave(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let state = slot.state;
        match state {
            SlotState::Down | SlotState::Vacant => {
                self.clear_slot_timer(index);
                self.pool.set_state(index, SlotState::Down);
            }
            SlotState::Starting | SlotState::Ready if !self.policy.worker.starts_with_item() => {
                let (spawned, busy) = (slot.pid.is_some(), !slot.leases.is_empty());
                let (worker, incarnation) = self.ids(index);
                if spawned {
                    self.because(|core| core.why_asked(index));
                    self.push(if busy {
                        Action::Recall { worker, incarnation }
                    } else {
                        Action::CloseInput { worker, incarnation }
                    });
                }
                if state == SlotState::Starting {
                    self.clear_slot_timer(index);
                }
                self.pool.slots[index].kill_reason = Some(KillReason::Asked);
                self.pool.set_state(index, SlotState::Draining);
            }
            _ => {}
        }
    }

    /// Ends a worker by the term sequence. If the worker is being ended already, nothing changes.
    pub(super) fn terminate(&mut self, index: usize, kill_reason: KillReason) {
        let slot = &mut self.pool.slots[index];
        if slot.output_held || matches!(slot.state, SlotState::Down | SlotState::Vacant | SlotState::Stopping { .. }) {
            return;
        }
        if matches!(slot.kill_reason, None | Some(KillReason::Asked)) {
            slot.kill_reason = Some(kill_reason);
        }
        let spawned = slot.pid.is_some();
        self.recall_hand(index, TakeBackReason::Ended);
        self.clear_slot_timer(index);
        self.pool.set_state(index, SlotState::Stopping { step: None });
        if spawned {
            self.step(index);
        }
    }

    /// Sends the next signal of the term sequence. After the last step of the policy comes KILL.
    fn step(&mut self, index: usize) {
        let SlotState::Stopping { mut step } = self.pool.slots[index].state else { return };
        loop {
            let next = step.map_or(0, |step| step + 1);
            let (signal, wait) = self
                .policy
                .term_sequence
                .get(next)
                .map_or((Signal::KILL, Duration::ZERO), |step| (step.signal, step.wait));
            let last = signal == Signal::KILL;
            mutant!(
                KillForgotten,
                {},
                if last {
                    return;
                }
            );
            self.because(|core| core.why_killed(index, next));
            self.push_kill(index, signal);
            self.pool.slots[index].state = SlotState::Stopping { step: Some(next) };
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

    /// Ends a worker by KILL at once.
    pub(super) fn kill(&mut self, index: usize) {
        self.clear_slot_timer(index);
        // A step past the end of the sequence: nothing comes after KILL.
        let step = self.pool.slots[index].pid.map(|_| self.policy.term_sequence.len());
        self.pool.set_state(index, SlotState::Stopping { step });
        if step.is_some() {
            self.because(|core| core.why_killed(index, 0));
            self.push_kill(index, Signal::KILL);
        }
    }

    /// Forgets the process of a slot, and all that was recorded about it.
    pub(super) fn clear_process(&mut self, index: usize) {
        self.clear_slot_timer(index);
        let slot = &mut self.pool.slots[index];
        slot.pid = None;
        slot.stopped = None;
        slot.kill_reason = None;
        slot.watch = None;
        slot.passed_limit = None;
        (slot.was_ready, slot.answered, slot.output_held) = (false, false, false);
        (slot.is_held, slot.is_paused, slot.is_stop_unseen) = (false, false, false);
        slot.settled = 0;
        slot.chaos = SlotChaos::default();
        (slot.refill, slot.from_hand) = (false, false);
        self.pool.set_state(index, SlotState::Down);
    }

    /// Returns a batch to the queue, uncharged. In a run that stops, the batch is skipped instead.
    pub(super) fn give_back_or_skip(&mut self, index: usize, queued: Queued) {
        if self.stage == Stage::Running {
            self.queue.give_back(queued);
        } else {
            self.skip(queued.batch, Some(index), None);
        }
    }

    pub(super) fn batch_of(&self, index: usize, item: ItemId) -> Option<Batch> {
        let lease = self.pool.slots[index].leases.iter().find(|lease| lease.batch.contains(item))?;
        Some(Batch::of_one(item, lease.batch.attempt))
    }
}
