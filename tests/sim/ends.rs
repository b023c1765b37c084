//! The shadow model at the end of a process: which item is charged, what comes back, and what counts for
//! the restart limit.

use crate::items::{DueOutcome, ItemPlace};
use crate::marks::{Mark, Marks};
use crate::shadow::{KillWhy, Phase, Shadow};
use supervisor::core::input::SpawnFailure;
use supervisor::model::event::Stage;
use supervisor::model::exit::ExitStatus;
use supervisor::model::exit_rule::ExitRule;
use supervisor::model::ids::{ItemId, WorkerId};
use supervisor::model::outcome::{Cause, CauseKind, FailReason, RetryHint, StopReason};
use supervisor::model::signal::Signal;
use supervisor::model::spec::{Blame, QueueOrder, RestartType};
use supervisor::model::time::{Duration, Instant};

/// A death without an order. KILL and TERM come from outside.
const fn death(status: ExitStatus) -> CauseKind {
    match status {
        ExitStatus::Signal { signal: signal @ (Signal::KILL | Signal::TERM), .. } => CauseKind::Killed(signal),
        _ => CauseKind::Crashed(status),
    }
}

impl Shadow {
    pub fn not_spawned(&mut self, index: usize, error: &SpawnFailure, now: Instant) {
        let given_back = self.leaves(index, now);
        let slot = &mut self.slots[index];
        slot.met = !slot.removed;
        slot.refill = false;
        if let (Some(&id), SpawnFailure::Declined, Stage::Running) = (given_back.first(), error, self.stage) {
            self.items[id].place = ItemPlace::Due(DueOutcome::LeftOut);
            self.due += 1;
            return;
        }
        if let (
            Some(&id),
            SpawnFailure::Item(text) | SpawnFailure::Unfit(text) | SpawnFailure::Lost { error: text, .. },
        ) = (given_back.first(), error)
        {
            let kind = CauseKind::Failed(FailReason::NotStarted(text.clone()));
            let unfit = matches!(error, SpawnFailure::Unfit(_));
            let hint = if unfit { RetryHint::Never } else { RetryHint::Default };
            self.items[id].started = true;
            self.items[id].holder = Some((index, self.slots[index].incarnation, 0));
            self.attempt_failed(id, kind, hint, index);
            if let (SpawnFailure::Lost { error, missing }, ItemPlace::Due(_)) = (error, self.items[id].place) {
                self.lost_row += 1;
                if self.policy.dead_max.is_some_and(|max| self.lost_row >= max) {
                    self.given.push(StopReason::CommandLost { error: error.clone(), missing: *missing });
                }
            }
            return;
        }
        self.give_back(&given_back);
        if self.stage > Stage::Running || self.all_done {
            return;
        }
        let others = self.slots.iter().any(|slot| slot.phase != Phase::Down);
        if matches!(error, SpawnFailure::Program(_)) {
            self.gave_up_on_program = true;
        } else if self.slots[index].removed || !self.slots[index].hands.is_empty() {
            // The run does not want it any more, or it has its next item.
        } else if matches!(error, SpawnFailure::Shortage(_)) && others {
            // While others run, a shortage passes when one of them ends: the slot waits, and no death is counted.
            self.pauses(index, now);
        } else {
            self.count_failure(index, now);
        }
    }

    /// An attempt did not succeed. The item has its outcome, or waits for its next attempt.
    pub fn attempt_failed(&mut self, id: ItemId, kind: CauseKind, hint: RetryHint, index: usize) {
        let pid = self.items[id].holder.map(|(.., pid)| pid).filter(|&pid| pid != 0);
        let item = &mut self.items[id];
        item.causes.push(Cause {
            attempt: item.attempt,
            worker: Some(WorkerId::from_index(index)),
            pid,
            kind: kind.clone(),
        });
        let retries = match hint {
            RetryHint::Default => self.policy.retries,
            RetryHint::Always => self.policy.retries.max(self.policy.hinted_retries),
            RetryHint::Never => 0,
        };
        let asked = if hint == RetryHint::Always { retries + 1 } else { 1 };
        let (over, outcome) = match kind {
            CauseKind::Crashed(_) => {
                item.crashes += 1;
                (item.crashes >= self.policy.crash_limit.max(asked), DueOutcome::Dead)
            }
            CauseKind::Killed(_) => {
                item.kills += 1;
                (self.policy.kill_limit.is_some_and(|limit| item.kills >= limit.max(asked)), DueOutcome::Dead)
            }
            // It counts toward nothing.
            CauseKind::Chaos(_) => (false, DueOutcome::Dead),
            CauseKind::Failed(_) | CauseKind::Interrupted(_) => {
                item.failures += 1;
                (item.failures > retries, DueOutcome::Failed)
            }
        };
        if over || hint == RetryHint::Never {
            item.place = ItemPlace::Due(outcome);
            self.due += 1;
            return;
        }
        item.place = ItemPlace::Queued;
        item.attempt = item.attempt.next();
        item.started = false;
        self.delayed.insert(id, Instant::ZERO);
    }

    /// The process of this slot is gone; returns the items that it held, in order.
    pub fn leaves(&mut self, index: usize, now: Instant) -> Vec<ItemId> {
        let slot = &mut self.slots[index];
        let held: Vec<ItemId> = slot
            .leases
            .iter()
            .flat_map(|batch| (0..u64::from(batch.count)).map(|offset| batch.first.plus(offset)))
            .collect();
        self.in_flight -= slot.held;
        slot.ended_with = slot.held;
        slot.leases.clear();
        (slot.phase, slot.held, slot.last_end) = (Phase::Down, 0, now);
        (slot.last_counted, slot.pause) = (false, Duration::ZERO);
        held
    }

    fn count_failure(&mut self, index: usize, now: Instant) {
        let period = self.policy.intensity.period;
        let slot = &mut self.slots[index];
        slot.counted.push_back(now);
        while slot.counted.front().is_some_and(|&at| now.since(at) > period) {
            slot.counted.pop_front();
        }
        (slot.last_counted, slot.met) = (true, true);
        self.pauses(index, now);
    }

    /// The slot stays empty for the back-off, which doubles each time in a row. A slot that was filled for longer than
    /// the period begins again with the shortest one.
    fn pauses(&mut self, index: usize, now: Instant) {
        let (backoff, period) = (self.policy.backoff, self.policy.intensity.period);
        let slot = &mut self.slots[index];
        if now.since(slot.row_at + slot.row_pause) > period {
            slot.row = 0;
        }
        slot.pause = backoff.min.doubled(slot.row).min(backoff.max);
        slot.row += 1;
        (slot.row_at, slot.row_pause) = (now, slot.pause);
    }

    /// Items come back uncharged: to the front, in order.
    fn give_back(&mut self, ids: &[ItemId]) {
        for &id in ids.iter().rev() {
            let item = &mut self.items[id];
            (item.place, item.started) = (ItemPlace::Queued, false);
            if self.policy.queue_order == QueueOrder::Priority {
                self.ranked.insert((item.priority, id));
            } else {
                self.returned.push_front(id);
            }
        }
    }

    pub fn exited(
        &mut self,
        index: usize,
        status: ExitStatus,
        running: Option<ItemId>,
        now: Instant,
        marks: &mut Marks,
    ) {
        let slot = &self.slots[index];
        let (kill, settled, asked) = (slot.kill, slot.settled_by_process, slot.leaving && slot.kill.is_none());
        let was_ready = slot.was_ready;
        let refill = slot.refill;
        let running = self.ran(index, running);
        let by_chaos = self.ends_by_chaos(index, status, running, now);
        // It ended by itself; that includes a worker that was asked to leave and then failed.
        if kill.is_none() && !by_chaos && !(asked && status.is_success()) {
            self.totals.deaths += 1;
        }
        let held = self.leaves(index, now);
        let chaos = by_chaos.then(|| self.counts_chaos(index, status, held.len() as u64, marks));
        let ran = running.filter(|id| held.contains(id));
        let charged = match kill {
            _ if by_chaos && !matches!(kill, Some(KillWhy::TimedOut(_))) => ran,
            None | Some(KillWhy::Protocol | KillWhy::NoHello) => ran,
            // The item that was over its limit, unless it was answered after all.
            Some(KillWhy::TimedOut(id)) => held.contains(&id).then_some(id),
            Some(KillWhy::Strategy | KillWhy::Stopped | KillWhy::Relief | KillWhy::GivenUp) => None,
        };
        let charged = if asked && status.is_success() { None } else { charged };
        for id in ran.into_iter().chain(charged) {
            self.starts.begun(id);
        }
        let uncharged: Vec<ItemId> = held.iter().copied().filter(|&id| Some(id) != charged).collect();
        if charged.is_some() && !uncharged.is_empty() {
            marks.hit(Mark::PrefetchReturned);
        }
        if let (Some(id), Some(kind)) = (charged, chaos) {
            self.attempt_failed(id, kind, RetryHint::Default, index);
        } else if let Some(id) = charged {
            marks.hit(Mark::ItemCharged);
            if self.policy.worker.blame == Blame::OldestHeld {
                marks.hit(if kill.is_none() { Mark::OldestCharged } else { Mark::OldestEnded });
                if !self.policy.worker.in_order && held.first() != Some(&id) {
                    marks.hit(Mark::NamedCharged);
                }
            }
            let kind = match kill {
                Some(KillWhy::TimedOut(_)) => {
                    marks.hit(Mark::ItemTimedOut);
                    let limit = self.policy.timeout.unwrap_or(Duration::ZERO);
                    CauseKind::Failed(FailReason::TimedOut { limit })
                }
                None => death(status),
                Some(_) => CauseKind::Crashed(status),
            };
            self.attempt_failed(id, kind, RetryHint::Default, index);
        }
        self.give_back(&uncharged);
        if self.stage == Stage::Running {
            self.starts.come_back(&uncharged);
        }
        let last = self.source_over && self.totals.settled() + self.due == self.totals.accepted;
        self.slots[index].refill = false;
        if self.stage > Stage::Running || last || self.slots[index].removed {
            return;
        }
        let at_our_order = asked && status.is_success();
        let own = kill.is_none() && !at_our_order && !by_chaos;
        let retired = match self.policy.restart {
            _ if refill || by_chaos || matches!(kill, Some(KillWhy::Relief | KillWhy::GivenUp)) => false,
            RestartType::Permanent => false,
            RestartType::Transient => own && status.is_success(),
            RestartType::Temporary => true,
        };
        self.slots[index].retired = retired;
        self.slots[index].met |= retired;
        if retired {
            return;
        }
        let silent = own && matches!(status, ExitStatus::Code(_)) && !self.greeted && self.policy.worker.hello;
        self.start_exits += u32::from(silent);
        let too_many = self.policy.start_exits_max.is_some_and(|max| self.start_exits >= max);
        if silent && (status.is_success() || too_many) && self.slots.iter().all(|slot| slot.phase == Phase::Down) {
            self.gave_up_on_program = true;
            return;
        }
        let idle = charged.is_none() && (held.is_empty() || settled == 0);
        if by_chaos {
            // It counts toward no limit of the slot either.
        } else if kill == Some(KillWhy::NoHello) || (own && !was_ready) {
            self.count_failure(index, now);
        } else if kill == Some(KillWhy::Protocol) && idle {
            self.slots[index].breach = true;
            self.count_failure(index, now);
        } else if own && idle {
            marks.hit(Mark::IdleDeath);
            self.slots[index].met = true;
            self.pauses(index, now);
        }
        let gave_way = !by_chaos && matches!(kill, Some(KillWhy::Strategy | KillWhy::Relief | KillWhy::GivenUp));
        if !gave_way && !at_our_order && !self.must_give_up() {
            self.strategy_takes(index, marks);
        }
    }

    pub fn command_exited(&mut self, index: usize, status: ExitStatus, now: Instant, marks: &mut Marks) {
        let kill = self.slots[index].kill;
        let by_chaos = self.ends_by_chaos(index, status, None, now);
        let held = self.leaves(index, now);
        let chaos = by_chaos.then(|| self.counts_chaos(index, status, 1, marks));
        let slot = &mut self.slots[index];
        (slot.met, slot.refill) = (!slot.removed, false);
        let (started_at, limit) = (slot.started_at, slot.passed.unwrap_or(Duration::ZERO));
        if kill.is_none() && status.is_success() && !slot.output_held {
            self.runtimes.push(now.since(started_at));
            self.runtimes.sort_unstable();
            self.limit_moved_at = now;
        }
        if kill.is_none() && !by_chaos && matches!(status, ExitStatus::Signal { .. }) {
            self.totals.deaths += 1;
        }
        let Some(&id) = held.first() else { return };
        if let Some(kind) = chaos {
            return self.attempt_failed(id, kind, RetryHint::Default, index);
        }
        let kind = match (kill, status) {
            (Some(KillWhy::TimedOut(_)), _) => CauseKind::Failed(FailReason::TimedOut { limit }),
            (Some(KillWhy::Relief), status) if !status.is_success() && self.stage == Stage::Running => {
                marks.hit(Mark::CommandMadeRoom);
                self.starts.come_back(&held);
                return self.give_back(&held);
            }
            (Some(KillWhy::Strategy | KillWhy::Stopped | KillWhy::Relief | KillWhy::GivenUp), status)
                if !status.is_success() =>
            {
                return self.give_back(&held);
            }
            (_, ExitStatus::Code(0)) => {
                self.items[id].place = ItemPlace::Due(DueOutcome::Done);
                self.due += 1;
                return;
            }
            (_, ExitStatus::Code(code)) => CauseKind::Failed(FailReason::Exited(code)),
            (_, status) => death(status),
        };
        let rules = &self.policy.exit_rules;
        let rule = rules.iter().find(|(end, _)| end.to_string() == bare(status)).map(|(_, rule)| *rule);
        self.command_failed(id, kind, rule.filter(|_| kill.is_none()), index, marks);
        if kill.is_none() && rule == Some(ExitRule::Halt) {
            self.given.push(StopReason::HaltExit { exit: status });
        }
    }

    fn command_failed(&mut self, id: ItemId, kind: CauseKind, rule: Option<ExitRule>, index: usize, marks: &mut Marks) {
        let (hint, outcome, mark) = match rule {
            None => return self.attempt_failed(id, kind, RetryHint::Default, index),
            Some(ExitRule::Retry) => (RetryHint::Always, None, Mark::ExitRetried),
            Some(ExitRule::Fail) => (RetryHint::Never, Some(DueOutcome::Failed), Mark::ExitFailed),
            Some(ExitRule::Dead) => (RetryHint::Never, Some(DueOutcome::Dead), Mark::ExitDead),
            Some(ExitRule::Halt) => (RetryHint::Never, Some(DueOutcome::Failed), Mark::ExitHalted),
        };
        self.attempt_failed(id, kind, hint, index);
        let item = &mut self.items[id];
        if let Some(outcome) = outcome {
            item.place = ItemPlace::Due(outcome);
        }
        let more = item.place == ItemPlace::Queued && item.failures > self.policy.retries;
        if rule != Some(ExitRule::Retry) || more {
            marks.hit(mark);
        }
    }
}

/// The end without a core file, for which no rule differs.
fn bare(status: ExitStatus) -> String {
    match status {
        ExitStatus::Signal { signal, .. } => ExitStatus::Signal { signal, core_dumped: false }.to_string(),
        other => other.to_string(),
    }
}
