//! The shadow model judges what depends on time, and on what did not happen: reasons to end a
//! process, reasons to stop, deadlines, and work that no worker takes up.

use crate::marks::{Mark, Marks};
use crate::process::OUTPUT_HELD_NS_MAX;
use crate::shadow::{KillWhy, Phase, Shadow, Truth, at_least};
use crate::violation::{BrokenCheck, ensure};
use supervisor::model::event::Stage;
use supervisor::model::outcome::{StopReason, Totals};
use supervisor::model::spec::{Blame, HaltOn, RestartStrategy, Threshold};
use supervisor::model::time::{Duration, Instant};

type Judgement = Result<(), BrokenCheck>;

/// A worker with a hard limit is probed this many times within it, at intervals within these bounds.
const PROBE_SHARE: u64 = 8;
const PROBE_INTERVAL_MIN: Duration = Duration::from_millis(5);
const PROBE_INTERVAL_MAX: Duration = Duration::from_millis(250);
/// How late the world itself may be: its timers, and the delay of an answer.
pub const LATE: Duration = Duration::from_millis(20);

impl Shadow {
    /// Why a process may be ended at this moment, as far as can be seen from outside.
    pub fn why_kill(&self, index: usize, now: Instant, truth: Truth) -> Option<KillWhy> {
        let slot = &self.slots[index];
        if slot.gives_up {
            return Some(KillWhy::GivenUp);
        }
        // This reason may be older than the process, and it stays.
        if slot.companion {
            return Some(KillWhy::Strategy);
        }
        if self.stage >= Stage::Terminating {
            return Some(KillWhy::Stopped);
        }
        if slot.broken {
            return Some(KillWhy::Protocol);
        }
        if slot.makes_room {
            return Some(KillWhy::Relief);
        }
        if self.has_overstayed(slot, now) {
            return Some(KillWhy::Stopped);
        }
        if slot.phase == Phase::Starting && now >= slot.started_at + self.policy.hello_timeout {
            return Some(KillWhy::NoHello);
        }
        if slot.closed {
            return Some(KillWhy::Protocol);
        }
        let limit = self.limit()?;
        let front = slot.leases.front()?;
        if self.policy.worker.starts_with_item() {
            return (now >= slot.started_at + limit).then_some(KillWhy::TimedOut(front.first));
        }
        if self.policy.worker.blame == Blame::OldestHeld {
            let since = slot.sent_at.max(truth.excluded_at);
            return (now >= since + limit).then_some(KillWhy::TimedOut(front.first));
        }
        // Between two items the next one counts, from the answer to the one before.
        let running = truth.running.filter(|&item| slot.leases.iter().any(|batch| batch.contains(item)));
        let item = running.unwrap_or(front.first);
        let since = if item == front.first { slot.sent_at.min(truth.since) } else { truth.since };
        (now >= since.max(truth.excluded_at) + limit).then_some(KillWhy::TimedOut(item))
    }

    /// The limit of an attempt at the moment: a fixed one, or a share of the median of what succeeded.
    pub fn limit(&self) -> Option<Duration> {
        let Some(percent) = self.policy.timeout_percent else { return self.policy.timeout };
        let median = self.runtimes.get(self.runtimes.len().checked_sub(1)? / 2)?;
        (self.runtimes.len() >= 3).then(|| Duration(median.0 * u64::from(percent) / 100))
    }

    /// Whether the time is over that a drain, or a normal end, leaves to running items.
    fn grace_is_over(&self, now: Instant) -> bool {
        match self.stage {
            Stage::Running => self.all_done && now >= self.done_since + self.policy.leave_time(),
            Stage::Draining => self.drain_until.is_some_and(|until| now >= until),
            _ => now >= self.stage_since + self.policy.grace,
        }
    }

    /// A stop rises without a new reason only after a further signal, or when its time or that of the run is over.
    pub fn may_rise(&self, stage: Stage, now: Instant) -> Judgement {
        // The deadline of the run ends it, whatever stronger reason is told.
        let run_is_over = self.policy.run_timeout.is_some_and(|limit| now >= Instant::ZERO + limit);
        let rises = stage > self.stage && self.stage > Stage::Running;
        let halted = self.policy.halt.is_some_and(|halt| halt.now) && self.halt_is_met().is_some();
        let is_time = self.grace_is_over(now) || run_is_over;
        let fine = !rises || self.firmness >= 2 || halted || self.is_urgent() || is_time;
        ensure!(fine, StopRises, "{stage:?} after {:?} before its time", self.stage);
        Ok(())
    }

    /// Whether a reason was given that leaves no time to running items.
    fn is_urgent(&self) -> bool {
        let waits = |given: &StopReason| {
            matches!(
                given,
                StopReason::Signal(_)
                    | StopReason::Requested
                    | StopReason::Aborted { .. }
                    | StopReason::CommandLost { .. }
            )
        };
        self.given.iter().any(|given| !waits(given))
    }

    /// No item runs for longer than its limit plus two probe intervals.
    pub fn runs_since(&self, index: usize, incarnation: u32, since: Instant, now: Instant) -> Judgement {
        let (slot, Some(limit)) = (&self.slots[index], self.limit()) else { return Ok(()) };
        if slot.incarnation != incarnation || slot.broken || slot.kill.is_some() || slot.closed {
            return Ok(());
        }
        let probe = Duration((limit.0 / PROBE_SHARE).clamp(PROBE_INTERVAL_MIN.0, PROBE_INTERVAL_MAX.0));
        let passed_at = (since + limit).max(self.limit_moved_at);
        let latest = passed_at + probe + probe + LATE + Duration(self.leapt_ns) + self.chaos_excuses(index);
        let number = index + 1;
        ensure!(
            now <= latest,
            Timeouts,
            "worker {number} is at an item since {}, limit {limit:?}, now {}",
            since.0,
            now.0
        );
        Ok(())
    }

    /// A reason to stop has to be one that was given, or one that follows from the counts.
    pub fn may_stop(&self, reason: &StopReason, now: Instant) -> Judgement {
        let given = match reason {
            StopReason::HaltMet | StopReason::HaltFailed => self.halt_is_met() == Some(reason.clone()),
            StopReason::RunTimeout => self.policy.run_timeout.is_some_and(|limit| now >= Instant::ZERO + limit),
            StopReason::RestartLimit { .. } => self.must_give_up(),
            StopReason::SourceEnded => self.all_done && self.grace_is_over(now),
            StopReason::DeadLimit { .. } => {
                self.given.iter().any(|given| matches!(given, StopReason::DeadLimit { .. }))
            }
            other => self.given.contains(other),
        };
        ensure!(given, GivingUp, "it stops for {reason:?}, which was not given");
        Ok(())
    }

    /// A slot died more often than its limit, or no slot can ever be filled again.
    pub fn must_give_up(&self) -> bool {
        let allowed = self.policy.intensity.restarts_max as usize;
        let over = self.slots.iter().any(|slot| slot.last_counted && slot.counted.len() > allowed);
        over || self.gave_up_on_program
            || self.slots.iter().filter(|slot| !slot.removed).all(|slot| slot.phase == Phase::Down && slot.retired)
    }

    pub fn halt_is_met(&self) -> Option<StopReason> {
        self.meets_halt(&self.totals.since(&self.restored))
    }

    /// The reason to stop by `--halt` with these counts.
    pub fn meets_halt(&self, totals: &Totals) -> Option<StopReason> {
        let halt = self.policy.halt?;
        let (count, reason) = match halt.on {
            HaltOn::Fail => (totals.failed + totals.dead, StopReason::HaltFailed),
            HaltOn::Success => (totals.done, StopReason::HaltMet),
            HaltOn::Done => (totals.done + totals.failed + totals.dead, StopReason::HaltMet),
        };
        let met = match halt.threshold {
            Threshold::Items(items) => count >= items,
            Threshold::Percent(percent) if halt.on == HaltOn::Fail => {
                count >= Threshold::PERCENT_ITEMS_MIN && count * 100 >= u64::from(percent) * totals.settled()
            }
            // A share of all items: their number is known once the source has ended.
            Threshold::Percent(percent) | Threshold::PercentOfAll(percent) => {
                self.source_over && count > 0 && count * 100 >= u64::from(percent) * totals.accepted
            }
        };
        met.then_some(reason)
    }

    /// Whatever has to stop the run has stopped it in the same step, for the strongest reason.
    pub fn must_have_stopped(&mut self, now: Instant) -> Judgement {
        if self.finished {
            return Ok(());
        }
        if self.source_over && self.totals.settled() == self.totals.accepted {
            if !self.all_done {
                (self.all_done, self.done_since) = (true, now);
            }
        } else {
            self.all_done = false;
        }
        self.note_drain(now);
        for given in &self.given {
            let stronger = self.reason.as_ref().is_some_and(|reason| at_least(reason, given));
            ensure!(stronger, GivingUp, "{given:?} was given, and it stops for {:?}", self.reason);
        }
        let least = match self.firmness {
            0 | 1 if self.is_urgent() => Stage::Terminating,
            0 => Stage::Running,
            1 => Stage::Draining,
            2 => Stage::Terminating,
            _ => Stage::Killing,
        };
        ensure!(self.stage >= least, StopRises, "asked {} times, and it is only {:?}", self.firmness, self.stage);
        if self.stage == Stage::Running {
            ensure!(self.halt_is_met().is_none(), GivingUp, "the halt is met, and it goes on");
            let open = self.totals.settled() < self.totals.accepted;
            ensure!(!open || !self.must_give_up(), GivingUp, "the restart limit is passed, and it goes on");
            let late = Duration(LATE.0 + self.leapt_ns);
            let over = self.policy.run_timeout.is_some_and(|limit| now > Instant::ZERO + limit + late);
            let awaited = self.source_over
                && self.waiting_items() + self.in_hand == 0
                && self.slots.iter().all(|slot| slot.held == 0 || slot.output_held);
            ensure!(!over || self.all_done || awaited, GivingUp, "the time of the run is over, and it goes on");
        }
        self.stop_ends(now)
    }

    /// A drain has the grace from the first reason that is no `--halt soon`; with that one alone, it waits for the running
    /// items, and then for the workers to leave.
    fn note_drain(&mut self, now: Instant) {
        if self.stage != Stage::Draining || self.drain_until.is_some() {
            return;
        }
        let hurries = |given: &StopReason| !matches!(given, StopReason::SourceLost(_));
        if self.firmness > 0 || self.given.iter().any(hurries) {
            self.drain_until = Some(now + self.policy.grace);
        } else if self.totals.settled() == self.totals.accepted {
            self.drain_until = Some(now + self.policy.leave_time());
        }
    }

    /// Each stage of a stop ends in time: every process is gone when the last wait is over.
    fn stop_ends(&self, now: Instant) -> Judgement {
        let waits: u64 = self.policy.term_sequence.iter().map(|step| step.wait.0).sum();
        let (since, bound) = match (self.stage, self.drain_until) {
            (Stage::Running, _) | (Stage::Draining, None) => return Ok(()),
            (Stage::Draining, Some(until)) => (until, Duration(waits)),
            _ => (self.stage_since, Duration(waits)),
        };
        // Each step of the sequence may be late, and so may each of the world's own answers.
        let held = if self.policy.worker.starts_with_item() { OUTPUT_HELD_NS_MAX } else { 0 };
        let late = Duration(20 * LATE.0 + self.leapt_ns + held);
        let latest = since + bound + late;
        ensure!(now <= latest, StopEnds, "{:?} since {}, and not over at {}", self.stage, self.stage_since.0, now.0);
        Ok(())
    }

    /// No ready worker is idle while an item could be dispatched to it.
    pub fn check_waits(&mut self, now: Instant, marks: &mut Marks) -> Judgement {
        if self.finished || self.stage > Stage::Running || self.policy.worker.starts_with_item() {
            return Ok(());
        }
        if self.clock.is_paused() {
            return self.companions_are_ended();
        }
        if self.slots.iter().any(|slot| slot.retired) {
            marks.hit(Mark::NotRestarted);
        }
        self.companions_are_ended()?;
        let held_back = !self.released();
        let met = !self.policy.start_together || self.dispatched || self.all_met();
        if held_back || !met || self.waiting_items() == 0 {
            return Ok(());
        }
        let idle = self.idle_slot();
        let waiting = self.waiting_items();
        ensure!(idle.is_none(), WorkConserving, "{waiting} items wait, worker {:?} idle at {}", idle, now.0);
        Ok(())
    }

    /// Every slot that is not removed was ready, or failed, once.
    pub fn all_met(&self) -> bool {
        self.slots.iter().all(|slot| slot.met || slot.removed)
    }

    /// A slot that could begin an item at once.
    pub fn idle_slot(&self) -> Option<usize> {
        self.slots.iter().position(|slot| {
            let leaves = slot.leaving || slot.removed || slot.broken || slot.closed;
            slot.phase == Phase::Ready && slot.held == 0 && !leaves
        })
    }

    /// A worker that has to leave with another one was ended in the same step.
    fn companions_are_ended(&self) -> Judgement {
        for slot in &self.slots {
            let up = matches!(slot.phase, Phase::Starting | Phase::Ready);
            let told = slot.kill.is_some() || slot.leaving;
            ensure!(!slot.companion || !up || told, Restarts, "pid {} has to leave, and was not ended", slot.pid);
        }
        Ok(())
    }

    /// A worker ended and will be restarted: the strategy names the others that restart with it.
    pub fn strategy_takes(&mut self, dead: usize, marks: &mut Marks) {
        let range = match self.policy.strategy {
            RestartStrategy::OneForOne => return,
            RestartStrategy::OneForAll => 0..self.slots.len(),
            RestartStrategy::RestForOne => dead..self.slots.len(),
        };
        for index in range {
            let slot = &self.slots[index];
            if index != dead && slot.phase != Phase::Down && !slot.companion && !slot.removed {
                self.slots[index].companion = true;
                self.new_companions.push(index);
                marks.hit(Mark::RestartedByStrategy);
            }
        }
    }
}
