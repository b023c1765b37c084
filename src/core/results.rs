//! Outcomes of items: results of workers, the decision after a failure, and the one place where an item is settled.
//!
//! Invariant: an item is settled exactly once, in [`Core::settle`], after it was taken out of the queue or out of a
//! lease. The core records causes only for items that an attempt has failed.

use super::Core;
use super::action::Action;
use super::causes::Causes;
use super::halt;
use super::queue::Queued;
use super::reason::Reason;
use super::slot::{KillReason, SlotState, Start, WorkerSlot};
use crate::model::event::{EndReason, ItemFate, RunEvent, Stage};
use crate::model::exit::ExitStatus;
use crate::model::exit_rule::{ExitRule, rule_for};
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{Cause, CauseKind, FailReason, Halted, Outcome, RetryHint, Settlement, StopReason};
use crate::model::time::Duration;
use crate::mutant::mutant;

/// The doubling of the retry delay stops at this, unless the configured delay is longer.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(3600);

/// The decision about an item whose attempt failed.
pub(super) struct FailureDecision {
    causes: Causes,
    /// `None`: the item gets another attempt.
    outcome: Option<Outcome>,
    /// Why, where that is told.
    reason: Option<Reason>,
    /// The run stops because the command of the item ended so.
    halt: Option<ExitStatus>,
}

impl FailureDecision {
    /// Whether the item has failed by it, and is not only left out because the run stops.
    pub(super) const fn fails(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Failed))
    }
}

/// What a worker held before it answered.
#[derive(Clone, Copy)]
struct HeldBefore {
    batches: usize,
    oldest: Option<ItemId>,
}

impl HeldBefore {
    fn of(slot: &WorkerSlot) -> Self {
        Self { batches: slot.leases.len(), oldest: slot.oldest_item() }
    }
}

/// The process that held an item last.
#[derive(Default)]
pub(super) struct Holder {
    worker: Option<WorkerId>,
    incarnation: Option<Incarnation>,
    pid: Option<u32>,
}

/// The settlement of items whose last attempt began.
pub(super) fn settlement(batch: Batch, outcome: Outcome, holder: Holder, causes: Causes) -> Settlement {
    let Batch { first, count, attempt } = batch;
    let Holder { worker, incarnation, pid } = holder;
    let causes_omitted = causes.omitted();
    let kept = causes.into_kept();
    let causes = mutant!(CausesForgotten, kept, kept.into_iter().rev().take(1).collect());
    Settlement {
        first,
        count,
        outcome,
        attempts: attempt.0,
        worker,
        incarnation,
        pid,
        causes,
        causes_omitted,
        shown_item: None,
    }
}

impl Core {
    /// A worker finished the next items that it holds.
    pub(super) fn on_settled(&mut self, index: usize, first: ItemId, count: u32, attempt: Attempt, busy_ns: u64) {
        if !self.fits(index, first, count, attempt) {
            mutant!(
                SecondSettle,
                {},
                if first.0 < self.admission.next && count == 1 {
                    self.settle_done(index, Batch::of_one(first, attempt));
                }
            );
            return;
        }
        self.tell_slow(index, first, count, attempt);
        let slot = &self.pool.slots[index];
        let since = slot.leases.front().map_or(self.now, |lease| lease.since.max(slot.answered_at));
        let busy_ns = if busy_ns == 0 { self.now.since(since).0 } else { busy_ns };
        let held = HeldBefore::of(slot);
        self.pool.slots[index].settled += u64::from(count);
        let (mut next, mut left) = (first, count);
        while left > 0 {
            let Some((batch, _, start)) = self.take_answered(index, next, left) else { break };
            (next, left) = (batch.end(), left - batch.count);
            if start == Start::Awaited {
                self.ended_after(Start::Awaited, index, batch);
            }
            // Each retried item has causes of its own.
            if attempt > Attempt::FIRST {
                self.settle_done(index, batch);
            }
        }
        if attempt == Attempt::FIRST {
            self.settle_done(index, Batch { first, count, attempt });
        }
        self.answered(index, busy_ns, count, held);
    }

    /// Takes items that a worker answered for out of their lease: up to `count`, from `first` on. Returns also the
    /// priority of the lease, and what is known of its start.
    #[inline]
    fn take_answered(&mut self, index: usize, first: ItemId, count: u32) -> Option<(Batch, i64, Start)> {
        let leases = &self.pool.slots[index].leases;
        if let Some(front) = leases.front().filter(|front| front.batch.first == first) {
            let start = front.start;
            return self.pool.take(index, count).map(|(batch, priority)| (batch, priority, start));
        }
        let start = leases.iter().find(|lease| lease.batch.contains(first))?.start;
        self.pool.take_from(index, first, count).map(|(batch, priority)| (batch, priority, start))
    }

    /// A worker failed the next item that it holds.
    pub(super) fn on_failed(&mut self, index: usize, failed: Batch, reason: FailReason, hint: RetryHint) {
        if !self.fits(index, failed.first, 1, failed.attempt) {
            return;
        }
        self.tell_slow(index, failed.first, 1, failed.attempt);
        let slot = &self.pool.slots[index];
        let since = slot.leases.front().map_or(self.now, |lease| lease.since.max(slot.answered_at));
        let (busy_ns, held) = (self.now.since(since).0, HeldBefore::of(slot));
        let Some((batch, priority, start)) = self.take_answered(index, failed.first, 1) else { return };
        self.ended_after(start, index, batch);
        let decision = self.decide_failure(index, batch, CauseKind::Failed(reason), hint);
        if decision.outcome.is_some() {
            self.pool.slots[index].settled += 1;
        }
        let again = self.apply_decision(index, Queued { batch, priority, fresh: false }, decision);
        self.answered(index, busy_ns, 1, held);
        if let Some(again) = again {
            self.queue.give_back(again);
        }
    }

    /// Whether an answer is about the next items that the worker holds, or about any that it holds where it may answer
    /// in any order. Any other answer breaks the protocol, also one
    /// about an earlier attempt: a channel keeps its order, so a correct worker never sends one.
    #[inline]
    pub(super) fn fits(&mut self, index: usize, first: ItemId, count: u32, attempt: Attempt) -> bool {
        let slot = &self.pool.slots[index];
        if matches!(slot.kill_reason, Some(KillReason::Protocol(_))) {
            self.totals.stale += 1;
            return false;
        }
        if !self.policy.worker.in_order {
            return self.fits_in_any_order(index, first, count, attempt);
        }
        let fits = slot.holds_next(first, count, attempt);
        if !fits {
            self.breach(index, format!("answered for item {first}, which is not the next one it holds"));
        }
        fits
    }

    fn fits_in_any_order(&mut self, index: usize, first: ItemId, count: u32, attempt: Attempt) -> bool {
        let fits = self.pool.slots[index].holds_all(first, count, attempt);
        if !fits {
            self.breach(index, format!("answered for item {first}, which it does not hold"));
        }
        fits
    }

    /// The worker answered: its batch size adapts, and its earlier deaths no longer count.
    #[inline]
    fn answered(&mut self, index: usize, busy_ns: u64, count: u32, before: HeldBefore) {
        let slot = &mut self.pool.slots[index];
        slot.answered = true;
        slot.answered_at = self.now;
        slot.history.clear();
        // An answer out of order may split a lease.
        let finished = before.batches.saturating_sub(slot.leases.len());
        // A watch ends with its attempt: the same item may come again as the next one.
        if slot.watch.is_some_and(|watch| !slot.holds(watch.item)) {
            slot.watch = None;
        }
        slot.sizer.note(busy_ns, count, finished, self.pool.rules);
        self.pool.update_sets(index);
        // A worker that was asked to leave begins no further batch.
        let begins = mutant!(BeginsAgain, self.pool.slots[index].oldest_item() != before.oldest, true);
        if finished > 0 && begins && self.pool.slots[index].state == SlotState::Ready {
            self.begin(index);
        }
        self.chaos_begins(index);
        mutant!(OldestLimitFromDispatch, self.watch_oldest(index), {});
        self.go_on_if_idle(index);
        self.await_leaving(index);
    }

    pub(super) fn settle_done(&mut self, index: usize, batch: Batch) {
        let causes = self.take_causes(batch);
        self.settle(settlement(batch, Outcome::Done, self.holder(index), causes));
    }

    /// The present process of a slot.
    fn holder(&self, index: usize) -> Holder {
        let (worker, incarnation) = self.ids(index);
        Holder { worker: Some(worker), incarnation: Some(incarnation), pid: self.pool.slots[index].pid }
    }

    /// Settles items as skipped, since the run stops. `held`: the slot that holds them; `interrupted`: how their worker
    /// ended, for a single item that was running.
    pub(super) fn skip(&mut self, batch: Batch, held: Option<usize>, interrupted: Option<ExitStatus>) {
        let mut causes = self.take_causes(batch);
        if let (Some(status), Some(index)) = (interrupted, held) {
            let (worker, pid) = (Some(WorkerId::from_index(index)), self.pool.slots[index].pid);
            causes.add(Cause { attempt: batch.attempt, worker, pid, kind: CauseKind::Interrupted(status) });
            self.totals.interrupted += 1;
        }
        let holder = match (held, causes.last()) {
            (Some(index), _) => self.holder(index),
            (None, Some(last)) => Holder { worker: last.worker, incarnation: None, pid: last.pid },
            (None, None) => Holder::default(),
        };
        let begun = batch.attempt.0;
        let attempts = if interrupted.is_some() { begun } else { begun.saturating_sub(1) };
        self.settle(Settlement { attempts, ..settlement(batch, Outcome::Skipped, holder, causes) });
    }

    fn take_causes(&mut self, batch: Batch) -> Causes {
        if batch.attempt == Attempt::FIRST {
            Causes::default()
        } else {
            self.causes.remove(&batch.first).unwrap_or_default()
        }
    }

    /// Adds a cause to the causes of a single item, and decides whether the item is tried again. `hint`: what the
    /// attempt says of a further one.
    pub(super) fn decide_failure(
        &mut self,
        index: usize,
        batch: Batch,
        kind: CauseKind,
        hint: RetryHint,
    ) -> FailureDecision {
        let pid = self.pool.slots[index].pid;
        let mut causes = self.take_causes(batch);
        let policy = &self.policy;
        let retries = match hint {
            RetryHint::Always => mutant!(HintIgnored, policy.retries.max(policy.hinted_retries), policy.retries),
            RetryHint::Default | RetryHint::Never => policy.retries,
        };
        let retries = retries.saturating_add(1);
        // An end that asks for another attempt gets at least as many as a failure that does.
        let asked = if hint == RetryHint::Always { retries } else { 1 };
        let crashes = policy.crash_limit.max(asked);
        let (limit, outcome) = match kind {
            CauseKind::Failed(_) | CauseKind::Interrupted(_) => {
                (mutant!(RetriesOffByOne, retries, retries.saturating_add(1)), Outcome::Failed)
            }
            CauseKind::Crashed(_) => (mutant!(CrashLimitOffByOne, crashes, crashes.saturating_add(1)), Outcome::Dead),
            CauseKind::Chaos(_) => (u32::MAX, Outcome::Dead),
            CauseKind::Killed(_) => (policy.kill_limit.map_or(u32::MAX, |limit| limit.max(asked)), Outcome::Dead),
        };
        let is_by_chaos = matches!(kind, CauseKind::Chaos(_));
        let never = is_by_chaos || (matches!(kind, CauseKind::Killed(_)) && policy.kill_limit.is_none());
        let alike = causes.add(Cause { attempt: batch.attempt, worker: Some(WorkerId::from_index(index)), pid, kind });
        let hopeless = mutant!(HopelessRepeated, hint == RetryHint::Never, false);
        let over = hopeless || (alike >= limit && !never);
        let outcome = match (over, self.stage == Stage::Running) {
            (true, _) => Some(outcome),
            (false, true) => None,
            // A run that stops begins no further attempt.
            (false, false) => Some(Outcome::Skipped),
        };
        let limit = (!never).then_some(limit);
        let reason = self.policy.explains.then_some(Reason::Attempts { alike, limit, is_hopeless: hopeless });
        FailureDecision { causes, outcome, reason, halt: None }
    }

    /// The same for the end of a command, which may have a rule. An end that the run brought about has none.
    pub(super) fn decide_exit(
        &mut self,
        index: usize,
        batch: Batch,
        kind: CauseKind,
        status: ExitStatus,
        reason: &EndReason,
    ) -> FailureDecision {
        let rules = mutant!(ExitRulesIgnored, self.policy.exit_rules.as_slice(), &[]);
        let Some(rule) = rule_for(rules, status).filter(|_| *reason == EndReason::Own) else {
            return self.decide_failure(index, batch, kind, RetryHint::Default);
        };
        let hint = if rule == ExitRule::Retry { RetryHint::Always } else { RetryHint::Never };
        let decision = self.decide_failure(index, batch, kind, hint);
        let outcome = match rule {
            ExitRule::Retry => return decision,
            ExitRule::Fail | ExitRule::Halt => Outcome::Failed,
            ExitRule::Dead => Outcome::Dead,
        };
        let reason = self.policy.explains.then_some(Reason::ExitRule { exit: status, rule });
        let halt = mutant!(HaltRuleIgnored, (rule == ExitRule::Halt).then_some(status), None);
        FailureDecision { outcome: Some(outcome), reason, halt, ..decision }
    }

    pub(super) fn fate(batch: Batch, decision: &FailureDecision) -> (ItemId, ItemFate) {
        let fate = match decision.outcome {
            Some(_) => ItemFate::Settled,
            None => ItemFate::Again(Self::next_attempt(batch)),
        };
        (batch.first, fate)
    }

    fn next_attempt(batch: Batch) -> Attempt {
        mutant!(AttemptNotCounted, batch.attempt.next(), batch.attempt)
    }

    /// Settles the item, or prepares its next attempt. An attempt without a delay is returned for the caller to queue.
    pub(super) fn apply_decision(&mut self, index: usize, queued: Queued, decision: FailureDecision) -> Option<Queued> {
        let batch = queued.batch;
        let attempt = Self::next_attempt(batch);
        let FailureDecision { causes, outcome, reason, halt } = decision;
        if let Some(reason) = reason {
            self.because(|_| reason);
        }
        if let Some(outcome) = outcome {
            let holder = Holder { pid: causes.last().and_then(|cause| cause.pid), ..self.holder(index) };
            self.settle(settlement(batch, outcome, holder, causes));
            if let Some(exit) = halt {
                self.stop(Stage::Terminating, StopReason::HaltExit { exit });
            }
            return None;
        }
        self.totals.retried += 1;
        let is_by_chaos = causes.last().is_some_and(|cause| matches!(cause.kind, CauseKind::Chaos(_)));
        let own = Attempt(batch.attempt.0.saturating_sub(causes.by_chaos()));
        let delay = if is_by_chaos { Duration::ZERO } else { self.retry_delay(own) };
        if let Some(cause) = causes.last().cloned() {
            let item = batch.first;
            self.report(RunEvent::ItemRetried { item, attempt, delay, cause, shown_item: None });
        }
        self.causes.insert(batch.first, causes);
        let queued = Queued { batch: Batch::of_one(batch.first, attempt), ..queued };
        if mutant!(RetryAtOnce, delay > Duration::ZERO, false) {
            self.queue.delay(queued, self.now + delay);
            return None;
        }
        Some(queued)
    }

    /// The delay of the attempt after `attempt`.
    fn retry_delay(&mut self, attempt: Attempt) -> Duration {
        let base = self.policy.retry_delay;
        if base == Duration::ZERO {
            return base;
        }
        let delay = base.doubled(attempt.0.saturating_sub(1)).min(RETRY_DELAY_MAX.max(base));
        self.jitter.of(delay)
    }

    /// Gives items their final outcome.
    pub(super) fn settle(&mut self, settlement: Settlement) {
        let (first, count) = (settlement.first, settlement.count);
        let skipped = settlement.outcome == Outcome::Skipped;
        self.totals.count(&settlement.outcome, u64::from(count));
        self.settles_given_up(first, count);
        let tripped = self.breaker.note(&settlement.outcome);
        let is_done = settlement.outcome == Outcome::Done;
        // Copied only where it may be needed.
        let by = settlement.causes.last().filter(|_| self.policy.halt.is_some() && !is_done);
        let by = by.map(|cause| cause.kind.clone());
        let abort = if self.policy.stop_at_abort { halt::abort(&settlement) } else { None };
        let in_turn = match &mut self.order {
            Some(order) => order.settle(first, count),
            None => mutant!(CommitSkipped, true, !skipped),
        };
        self.actions.push_back(Action::Settle { settlement, in_turn });
        if let Some(order) = self.order.as_mut().filter(|_| in_turn) {
            let actions = &mut self.actions;
            order.pass_on(|first, count| actions.push_back(Action::Commit { first, count }));
        }
        if let Some(reason) = tripped {
            self.stop(Stage::Terminating, reason);
        }
        if let Some(reason) = abort {
            self.stop(Stage::Draining, reason);
        }
        if !skipped {
            self.halt_if_met(by);
        }
    }

    /// An item was settled because the program of all commands cannot be executed any more.
    pub(super) fn note_lost_command(&mut self, error: &str, missing: bool) {
        if self.breaker.note_lost(error) {
            self.stop(Stage::Draining, StopReason::CommandLost { error: error.to_owned(), missing });
        }
    }

    /// `by`: why the item that was settled is not done.
    #[inline]
    pub(super) fn halt_if_met(&mut self, by: Option<CauseKind>) {
        let Some(policy) = &self.policy.halt else { return };
        let now = policy.now;
        let totals = self.totals.since(&self.restored);
        if let Some(reason) = halt::met(policy, &totals, self.admission.ended) {
            // Stop once only: later outcomes meet the same threshold again.
            let known = matches!(self.reason, Some(StopReason::HaltMet | StopReason::HaltFailed));
            if !known {
                self.halted.get_or_insert_with(|| Box::new(Halted { by, totals }));
                self.stop(if now { Stage::Terminating } else { Stage::Draining }, reason);
            }
        }
    }
}
