//! The exit of a process: which item is charged, where the items that it held go, and whether its slot gets another
//! process.
//!
//! Invariant: at most one item is charged for a death: the item that was running. All others return to the front of
//! the queue, in order and uncharged.

use super::Core;
use super::queue::Queued;
use super::restart::{self, Setback};
use super::slot::{KillReason, Lease, SlotState, Start};
use crate::model::event::{EndReason, ItemFate, RunEvent, Stage};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{CauseKind, FailReason, RetryHint, StopReason};
use crate::model::signal::Signal;
use crate::model::time::Duration;
use crate::mutant::mutant;

impl Core {
    pub(super) fn on_exited(&mut self, index: usize, status: ExitStatus, usage: Usage, running: Option<ItemId>) {
        if self.policy.worker.starts_with_item() {
            self.on_item_exited(index, status, usage);
            self.clear_process(index);
            if !self.begin_hand(index) {
                self.fill(index);
            }
            if self.run_overdue && self.stage == Stage::Running {
                self.on_run_timeout();
            }
        } else {
            let running = self.ran(index, running);
            self.on_worker_exited(index, status, usage, running);
        }
    }

    /// The exit of a process per item is the result of the item.
    fn on_item_exited(&mut self, index: usize, status: ExitStatus, usage: Usage) {
        let kill_reason = self.pool.slots[index].kill_reason.take();
        let by_chaos = self.is_by_chaos(index, status, kill_reason.as_ref(), None);
        let reason = KillReason::of(kill_reason.as_ref(), status, by_chaos);
        let taken = self.pool.take(index, 1);
        self.mark_down(index);
        self.note_length(index, kill_reason.is_none() && status.is_success());
        if kill_reason.is_none() && status.is_success() {
            self.note_success(index);
        }
        let Some((batch, priority)) = taken else { return };
        let timed_out = !by_chaos && matches!(kill_reason, Some(KillReason::TimedOut(_)));
        let kind = match status {
            _ if by_chaos => Some(Self::chaos_cause(status)),
            _ if timed_out => Some(CauseKind::Failed(self.timed_out(index))),
            ExitStatus::Code(0) => None,
            _ if kill_reason.is_some() => None,
            ExitStatus::Code(code) => Some(CauseKind::Failed(FailReason::Exited(code))),
            ExitStatus::Signal { .. } | ExitStatus::Unknown => Some(Self::death(status)),
        };
        let decision = kind.map(|kind| self.decide_exit(index, batch, kind, status, &reason));
        let stays = kill_reason.is_some() && !timed_out && !status.is_success();
        let returns = stays && reason == EndReason::Relief && self.stage == Stage::Running;
        let skipped = stays && !returns;
        let fate = match &decision {
            Some(decision) => Some(Self::fate(batch, decision)),
            None => returns.then_some((batch.first, ItemFate::Again(batch.attempt))),
        };
        if by_chaos {
            self.count_chaos(1);
        } else if kill_reason.is_none() && matches!(status, ExitStatus::Signal { .. } | ExitStatus::Unknown) {
            self.totals.deaths += 1;
        }
        // An exit code is an answer, a failure included, as for workers that stay.
        let again = matches!(fate, Some((_, ItemFate::Again(_))));
        if matches!(status, ExitStatus::Code(_)) && !skipped && !timed_out && !again {
            self.pool.slots[index].settled += 1;
        }
        let item = fate.unwrap_or((batch.first, ItemFate::Settled));
        self.report_exit(index, status, reason, Some(item), 0, usage);
        match decision {
            Some(decision) => {
                if let Some(again) = self.apply_decision(index, Queued { batch, priority, fresh: false }, decision) {
                    self.queue.give_back(again);
                }
            }
            None if returns => self.return_item(index, Queued { batch, priority, fresh: false }),
            None if skipped => self.skip(batch, Some(index), Some(status)),
            None => self.settle_done(index, batch),
        }
    }

    /// The command of an item was ended to make room: the item runs again, as the same attempt.
    fn return_item(&mut self, index: usize, queued: Queued) {
        let Batch { first, attempt, .. } = queued.batch;
        self.report_returned(index, queued.batch, Some(first));
        let attempt = mutant!(ReliefCharged, attempt, attempt.next());
        self.queue.give_back(Queued { batch: Batch::of_one(first, attempt), ..queued });
    }

    fn on_worker_exited(&mut self, index: usize, status: ExitStatus, usage: Usage, running: Option<ItemId>) {
        let slot = &mut self.pool.slots[index];
        let (kill_reason, refill) = (slot.kill_reason.take(), slot.refill);
        let by_chaos = self.is_by_chaos(index, status, kill_reason.as_ref(), running);
        let reason = KillReason::of(kill_reason.as_ref(), status, by_chaos);
        let blamed = self.blamed(index, kill_reason.as_ref(), &reason, status, running);
        let idle = self.pool.slots[index].leases.is_empty();
        let slot = &self.pool.slots[index];
        let worked = blamed.is_some() || (!idle && slot.answered);
        let setback = match reason {
            EndReason::NoHello => Setback::FailedStart,
            EndReason::Own if !slot.was_ready => Setback::FailedStart,
            EndReason::Own if !worked => Setback::Idle,
            EndReason::Protocol(_) if !worked => Setback::Breach,
            _ => Setback::None,
        };
        if reason == EndReason::Own {
            self.totals.deaths += 1;
        }
        let at =
            blamed.as_ref().map(|(batch, _)| *batch).or_else(|| running.and_then(|item| self.batch_of(index, item)));
        if let Some(batch) = at {
            let lease = self.pool.slots[index].leases.iter().find(|lease| lease.batch.contains(batch.first));
            self.ended_after(lease.map_or(Start::InBatch, |lease| lease.start), index, batch);
        }
        let held = self.take_all(index);
        self.mark_down(index);
        let decision = blamed.map(|(batch, kind)| (batch, self.decide_failure(index, batch, kind, RetryHint::Default)));
        let running = self.stage == Stage::Running;
        let fate = match &decision {
            Some((batch, decision)) => Some(Self::fate(*batch, decision)),
            None if running => at.map(|batch| match self.has_given_up(batch) {
                true => (batch.first, ItemFate::Settled),
                false => (batch.first, ItemFate::Again(batch.attempt)),
            }),
            None => at.map(|batch| (batch.first, ItemFate::Settled)),
        };
        let held_items: u64 = held.iter().map(|lease| u64::from(lease.batch.count)).sum();
        let waiting = held_items.saturating_sub(u64::from(fate.is_some()));
        if by_chaos {
            self.count_chaos(held_items);
        }
        self.report_exit(index, status, reason.clone(), fate, waiting, usage);
        let charge = decision.map(|(batch, decision)| {
            let priority =
                held.iter().find(|lease| lease.batch.contains(batch.first)).map_or(0, |lease| lease.priority);
            (batch, self.apply_decision(index, Queued { batch, priority, fresh: false }, decision))
        });
        self.return_held(index, held, charge, at, status);
        self.pool.slots[index].sizer.halve();
        self.clear_process(index);
        if setback == Setback::FailedStart {
            self.gives_up_restart(index, &format!("start a worker: {status} before its hello"));
        }
        if !self.is_removed(index) {
            self.replace(index, status, reason, setback, refill);
        }
    }

    /// The item that is charged for the end of this worker, and the cause.
    fn blamed(
        &self,
        index: usize,
        kill_reason: Option<&KillReason>,
        reason: &EndReason,
        status: ExitStatus,
        running: Option<ItemId>,
    ) -> Option<(Batch, CauseKind)> {
        let by_chaos = *reason == EndReason::Chaos;
        let crashed = match (kill_reason, reason) {
            (Some(KillReason::TimedOut(item)), _) => {
                let batch = self.batch_of(index, *item)?;
                let timed_out = || CauseKind::Failed(self.timed_out(index));
                return Some((batch, if by_chaos { Self::chaos_cause(status) } else { timed_out() }));
            }
            (_, EndReason::Chaos) => true,
            (_, EndReason::Own | EndReason::NoHello | EndReason::Protocol(_)) => true,
            (_, EndReason::Strategy) => mutant!(StrategyCharged, false, true),
            _ => false,
        };
        let ran = running.filter(|_| crashed)?;
        let item = mutant!(BlameNextItem, ran, {
            let next = ItemId(ran.0.saturating_add(1));
            if self.pool.slots[index].holds(next) { next } else { ran }
        });
        let kind = match reason {
            EndReason::Chaos => Self::chaos_cause(status),
            EndReason::Own => Self::death(status),
            _ => CauseKind::Crashed(status),
        };
        Some((self.batch_of(index, item)?, kind))
    }

    /// The cause of a death that the core did not order. KILL and TERM come from outside.
    fn death(status: ExitStatus) -> CauseKind {
        match status {
            ExitStatus::Signal { signal: signal @ (Signal::KILL | Signal::TERM), .. } => {
                mutant!(KillCountedAsCrash, CauseKind::Killed(signal), CauseKind::Crashed(status))
            }
            _ => CauseKind::Crashed(status),
        }
    }

    /// The cause of a death by chaos.
    fn chaos_cause(status: ExitStatus) -> CauseKind {
        mutant!(ChaosCharged, CauseKind::Chaos(status), Self::death(status))
    }

    fn timed_out(&self, index: usize) -> FailReason {
        let limit = self.pool.slots[index].passed_limit.or(self.policy.timeout);
        FailReason::TimedOut { limit: limit.unwrap_or(Duration::ZERO) }
    }

    /// The process has ended, so nothing is sent to it any more. Its pid stays on record for the events that follow.
    fn mark_down(&mut self, index: usize) {
        self.clear_slot_timer(index);
        self.pool.slots[index].is_paused = false;
        self.pool.set_state(index, SlotState::Down);
    }

    fn take_all(&mut self, index: usize) -> Vec<Lease> {
        let mut held = Vec::with_capacity(self.pool.slots[index].leases.len());
        while let Some(lease) = self.pool.take_last(index) {
            held.push(lease);
        }
        held.reverse();
        held
    }

    /// Returns everything that a dead worker held to the front of the queue, except the charged item; if that item runs
    /// again without a delay, it returns to its place among the others. `at`: the item that was running. If the run
    /// stops, the end of its worker is its cause.
    fn return_held(
        &mut self,
        index: usize,
        held: Vec<Lease>,
        charge: Option<(Batch, Option<Queued>)>,
        at: Option<Batch>,
        status: ExitStatus,
    ) {
        let running = self.stage == Stage::Running;
        let charged = charge.as_ref().map(|(batch, _)| *batch);
        let mut again = charge.and_then(|(_, again)| again);
        let retried = again.as_ref().map(|again| again.batch);
        let mut pieces = Vec::with_capacity(held.len() + 2);
        for lease in held {
            let whole = Queued { batch: lease.batch, priority: lease.priority, fresh: false };
            // The lease in up to three pieces: before the running item, the item, and after it.
            let Some(item) = charged.or(at.filter(|_| !running)).filter(|item| lease.batch.contains(item.first)) else {
                pieces.push(whole);
                continue;
            };
            let before = (item.first.0 - lease.batch.first.0) as u32;
            let (head, rest) = lease.batch.split(before);
            if head.count > 0 {
                pieces.push(Queued { batch: head, ..whole });
            }
            let Some((here, rest)) = rest.map(|rest| rest.split(1)) else { continue };
            if charged.is_none() {
                pieces.push(Queued { batch: here, ..whole });
            } else if let Some(again) = again.take() {
                pieces.push(again);
            }
            mutant!(
                PrefetchedLost,
                {},
                if charged.is_some() {
                    continue;
                }
            );
            if let Some(behind) = rest {
                let batch = mutant!(PrefetchedCharged, behind, {
                    let attempt = if charged.is_some() { behind.attempt.next() } else { behind.attempt };
                    Batch { attempt, ..behind }
                });
                pieces.push(Queued { batch, ..whole });
            }
        }
        if running {
            // The next attempt of the charged item was reported before.
            for piece in pieces.iter().filter(|piece| retried != Some(piece.batch)) {
                self.report_returned(index, piece.batch, at.map(|at| at.first));
            }
            for piece in pieces.into_iter().rev() {
                self.queue.give_back(piece);
            }
        } else {
            for piece in pieces {
                let interrupted = at.filter(|at| *at == piece.batch).map(|_| status);
                self.skip(piece.batch, Some(index), interrupted);
            }
        }
    }

    fn report_exit(
        &mut self,
        index: usize,
        exit: ExitStatus,
        reason: EndReason,
        item: Option<(ItemId, ItemFate)>,
        waiting: u64,
        usage: Usage,
    ) {
        let (worker, incarnation) = self.ids(index);
        let slot = &self.pool.slots[index];
        let (pid, items) = (slot.pid.unwrap_or(0), slot.settled);
        // The shell knows it.
        let stderr = None;
        self.report(RunEvent::WorkerExited {
            worker,
            incarnation,
            pid,
            exit,
            reason,
            item,
            waiting,
            items,
            usage,
            stderr,
        });
    }

    /// Whether workers that end are replaced: the run goes on, and items are left or may arrive.
    pub(super) fn restarting(&self) -> bool {
        self.stage == Stage::Running && !self.closing && !(self.admission.ended && self.unsettled() == 0)
    }

    /// Restarts the slot if its restart type says so, and the slots that the strategy names. `refill`: the slot was
    /// removed and added again, so it is restarted whatever its type.
    fn replace(&mut self, index: usize, status: ExitStatus, reason: EndReason, setback: Setback, refill: bool) {
        if setback != Setback::None {
            self.pool.mark_tried(index);
        }
        if !self.restarting() {
            return;
        }
        let own = reason == EndReason::Own;
        // A worker that made room, or that chaos ended, is replaced whatever the restart type: the reason is not its own.
        let gave_way = matches!(reason, EndReason::Relief | EndReason::GivenUp);
        let spared = gave_way || reason == EndReason::Chaos;
        if !refill && !spared && !restart::wanted(self.policy.restart, own, status) {
            self.pool.mark_tried(index);
            self.pool.retire(index);
            self.last_end = Some((WorkerId::from_index(index), status.to_string()));
            return;
        }
        let last = match (&reason, setback) {
            (EndReason::NoHello, _) => format!("{status}, no hello in time"),
            (EndReason::Protocol(text), _) => format!("{status}, {text}"),
            (_, Setback::FailedStart) => format!("{status} before its hello"),
            _ => status.to_string(),
        };
        // A program that exits and says nothing is no worker, and the next start ends like this one: at once after a
        // success, after a few other exits. Another process that is still starting may be a worker.
        let waits = !self.greeted && self.policy.worker.waits_for_hello();
        let silent = own && waits && matches!(status, ExitStatus::Code(_));
        self.start_exits = self.start_exits.saturating_add(u32::from(silent));
        let too_many = self.policy.start_exits_max.is_some_and(|max| self.start_exits >= max);
        if silent && (status.is_success() || too_many) && self.pool.up == 0 {
            let worker = WorkerId::from_index(index);
            self.stop(Stage::Terminating, StopReason::RestartLimit { worker, last });
            return;
        }
        self.restart(index, setback, last);
        if gave_way || matches!(reason, EndReason::Strategy | EndReason::Asked) || !self.restarting() {
            return;
        }
        for other in restart::companions(self.policy.strategy, index, self.pool.slots.len()) {
            if other != index && !self.pool.slots[other].removed {
                self.terminate(other, KillReason::Strategy);
            }
        }
    }

    /// Restarts the slot, at once or after the back-off, or stops the run at the restart limit. `last`: how the worker
    /// ended.
    pub(super) fn restart(&mut self, index: usize, setback: Setback, last: String) {
        let (intensity, backoff) = (self.policy.intensity, self.policy.backoff);
        match self.pool.slots[index].history.note(setback, self.now, intensity, backoff) {
            Some(delay) => {
                self.because(|core| core.why_restarted(index, setback));
                self.start_later(index, delay);
            }
            None => {
                let worker = WorkerId::from_index(index);
                self.stop(Stage::Terminating, StopReason::RestartLimit { worker, last });
            }
        }
    }

    /// Starts the next process of the slot after `delay`.
    pub(super) fn start_later(&mut self, index: usize, delay: Duration) {
        // A process per item is always new, so no restart is reported.
        if !self.policy.worker.starts_with_item() {
            let (worker, incarnation) = self.ids(index);
            let incarnation = Incarnation(incarnation.0.wrapping_add(1));
            self.report(RunEvent::WorkerRestarting { worker, incarnation, delay });
        }
        if delay > Duration::ZERO {
            self.set_slot_timer(index, delay);
        } else {
            self.fill(index);
        }
    }
}
