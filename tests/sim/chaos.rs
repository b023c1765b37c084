//! The shadow model's view of chaos: which signals are by the plan, which ends are, and when a worker that was stopped has to go on.

use crate::choice::Rng;
use crate::clock::LATE;
use crate::marks::{Mark, Marks};
use crate::shadow::{KillWhy, Phase, Shadow};
use crate::violation::{BrokenCheck, ensure};
use supervisor::model::chaos::{ChaosKind, ChaosPlan, ItemChaos, TORN_CODE};
use supervisor::model::event::{RunEvent, Stage};
use supervisor::model::exit::ExitStatus;
use supervisor::model::ids::{Attempt, Batch, ItemId};
use supervisor::model::outcome::CauseKind;
use supervisor::model::signal::Signal;
use supervisor::model::spec::{Blame, Policy};
use supervisor::model::time::{Duration, Instant};

type Judgement = Result<(), BrokenCheck>;

const MS: u64 = 1_000_000;

const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// A program may survive SEGV: what ends it later is something else.
const STRIKE_TIME: Duration = Duration::from_secs(1);
const STOP_MIN: Duration = Duration::from_millis(50);
const STOP_MAX: Duration = Duration::from_millis(500);

/// What chaos has done to the present process of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotChaos {
    /// The signal that has to come next.
    due: Option<Signal>,
    struck: Option<(Signal, Instant)>,
    /// It is stopped until then; for ever: until its item is over.
    stopped: Option<Instant>,
    item: Option<ItemId>,
    /// For how long it was stopped in all.
    pub stopped_for: Duration,
    /// Its last end was by chaos.
    pub ended: bool,
}

/// A plan for a policy whose items take so long: the rates leave time to finish an item.
pub fn draw(policy: &Policy, item_ns_max: u64) -> Option<ChaosPlan> {
    // By a chance of its own, so that the other choices of a seed stay as they are.
    let mut rng = Rng::new(policy.seed ^ 0xc4a0_5c4a_05c4_a05c);
    // In a long delay a world would do little else than ask whom to strike. That of an item doubles for as long as kills are allowed.
    let has_long_delay = policy.retry_delay > Duration::ZERO && policy.kill_limit.is_none();
    if !rng.per_mille(250) || policy.backoff.max > BACKOFF_MAX || has_long_delay {
        return None;
    }
    let mut parts = Vec::new();
    let slow_ms = if rng.per_mille(400) { rng.pick(&[1, 30, 300]) } else { 0 };
    for name in ["kill", "stop", "segv"] {
        let mean_ns = (3 * MS).max((item_ns_max + slow_ms * MS) * rng.pick(&[2, 4, 20]));
        if rng.per_mille(500) {
            let thousandths = 1_000_000_000_000 / mean_ns;
            parts.push(format!("{name}={}.{:03}/s", thousandths / 1000, thousandths % 1000));
        }
    }
    if slow_ms > 0 {
        parts.push(format!("slow={}%..{slow_ms}ms", rng.pick(&[5, 40])));
    }
    if rng.per_mille(300) && policy.timeout.is_some() {
        parts.push(format!("hang={}%", rng.pick(&[3, 20])));
    }
    if rng.per_mille(300) && policy.worker.blame == Blame::ProgressPage {
        parts.push(format!("torn={}%", rng.pick(&[3, 20])));
    }
    // The time of a stop would move a median.
    let has_median = policy.timeout_percent.is_some();
    parts.retain(|part| !has_median || part.starts_with("kill") || part.starts_with("segv"));
    (!parts.is_empty()).then(|| format!("{},seed={}", parts.join(","), rng.next()).parse().expect("a plan"))
}

impl Shadow {
    fn has_sdk(&self) -> bool {
        self.policy.worker.blame == Blame::ProgressPage
    }

    /// What the plan has for an item at its present attempt.
    fn chaos_of(&self, id: ItemId) -> Option<ItemChaos> {
        self.policy.chaos?.of_item(id, self.items.get(id)?.attempt)
    }

    /// The core does something to a worker, or tells what a worker did to itself.
    pub fn chaos(&mut self, event: &RunEvent, now: Instant, marks: &mut Marks) -> Judgement {
        let RunEvent::Chaos { kind, worker, incarnation, item, time, .. } = *event else { return Ok(()) };
        let plan = self.policy.chaos;
        ensure!(plan.is_some_and(|plan| plan.has(kind)), Chaos, "{event:?} is not in the plan");
        let index = worker.index();
        let own = self.has_sdk() && matches!(kind, ChaosKind::Slow | ChaosKind::Hang | ChaosKind::Torn);
        if own {
            return self.tells_chaos(event, marks);
        }
        self.living(worker, incarnation)?;
        ensure!(self.stage == Stage::Running && !self.all_done, Chaos, "{event:?} in a run that ends");
        let slot = &mut self.slots[index];
        ensure!(slot.chaos.due.is_none() && !slot.output_held, Chaos, "{event:?} to a worker that waits for another");
        slot.chaos.due = Some(match kind {
            ChaosKind::Kill => Signal::KILL,
            ChaosKind::Segv => Signal::SEGV,
            _ => Signal::STOP,
        });
        if slot.chaos.due != Some(Signal::STOP) {
            slot.chaos.struck = slot.chaos.due.map(|signal| (signal, now));
            return Ok(());
        }
        ensure!(slot.chaos.stopped.is_none() && !slot.is_held, Chaos, "{event:?} to a worker that is stopped");
        slot.chaos.stopped = Some(time.map_or(Instant(u64::MAX), |time| now + time));
        slot.chaos.stopped_for = Duration(slot.chaos.stopped_for.0 + time.unwrap_or(Duration::ZERO).0);
        slot.chaos.item = item.filter(|_| kind != ChaosKind::Stop);
        if kind == ChaosKind::Stop {
            let fits = time.is_some_and(|time| (STOP_MIN..=STOP_MAX).contains(&time));
            ensure!(fits, Chaos, "{event:?} for too long, or too short");
            marks.hit(Mark::ChaosStopped);
            return Ok(());
        }
        let drawn = item.and_then(|id| self.chaos_of(id));
        let expected = time.map_or(ItemChaos::Hang, ItemChaos::Slow);
        ensure!(drawn == Some(expected), Chaos, "{event:?}, but the plan has {drawn:?}");
        marks.hit(if kind == ChaosKind::Slow { Mark::ChaosHeldSlow } else { Mark::ChaosHeldForEver });
        Ok(())
    }

    /// A worker on our SDK did it to its item.
    fn tells_chaos(&mut self, event: &RunEvent, marks: &mut Marks) -> Judgement {
        let RunEvent::Chaos { kind, item: Some(item), time, .. } = *event else { return Ok(()) };
        // Its next attempt may be due already.
        let known = self.items.get(item).map_or(Attempt::FIRST, |known| known.attempt);
        let plan = self.policy.chaos.unwrap_or_default();
        let expected = match (kind, time) {
            (ChaosKind::Slow, Some(time)) => ItemChaos::Slow(time),
            (ChaosKind::Hang, _) => ItemChaos::Hang,
            _ => ItemChaos::Torn,
        };
        let attempts = [known, Attempt(known.0.saturating_sub(1))];
        let fits = attempts.into_iter().any(|attempt| plan.of_item(item, attempt) == Some(expected));
        ensure!(fits, Chaos, "{event:?} is not what the plan has for it");
        marks.hit(match kind {
            ChaosKind::Slow => Mark::ChaosSlow,
            ChaosKind::Hang => Mark::ChaosHung,
            _ => Mark::ChaosTorn,
        });
        Ok(())
    }

    /// A signal by the plan; `false` if it is not by the plan.
    pub fn chaos_signals(&mut self, index: usize, signal: Signal, now: Instant, marks: &mut Marks) -> bool {
        let slot = &mut self.slots[index];
        if slot.chaos.due == Some(signal) {
            slot.chaos.due = None;
            slot.got_kill |= signal == Signal::KILL;
            return true;
        }
        // A worker that is short of room is held from now on instead.
        if signal == Signal::STOP {
            slot.chaos.stopped = None;
        }
        let Some(until) = slot.chaos.stopped.filter(|_| signal == Signal::CONT) else { return false };
        let item_is_over = slot.chaos.item.is_some_and(|id| !slot.leases.iter().any(|batch| batch.contains(id)));
        if now < until && slot.kill.is_none() && !item_is_over {
            return false;
        }
        slot.chaos.stopped = None;
        marks.hit(Mark::ChaosWentOn);
        true
    }

    /// At the end of a step: what was announced has come, and no worker is stopped for longer than it was to be.
    pub fn chaos_is_over_in_time(&self, now: Instant) -> Judgement {
        let is_there = |phase| phase != Phase::Down;
        for (index, slot) in self.slots.iter().enumerate().filter(|(_, slot)| is_there(slot.phase)) {
            let number = index + 1;
            ensure!(slot.chaos.due.is_none(), Chaos, "worker {number} was to get {:?}, and did not", slot.chaos.due);
            let latest = slot.chaos.stopped.map(|until| until + LATE + Duration(self.leapt_ns));
            let late = latest.is_some_and(|latest| now > latest);
            ensure!(!late || slot.got_kill, Chaos, "worker {number} stays stopped, {:?}", slot.chaos);
        }
        Ok(())
    }

    /// How much longer than its limit an item may take at this slot, because of chaos.
    pub fn chaos_excuses(&self, index: usize) -> Duration {
        let slow = self.policy.chaos.and_then(|plan| plan.slow).filter(|_| self.has_sdk());
        let longest = slow.map_or(0, |slow| slow.longest.0);
        Duration(self.slots[index].chaos.stopped_for.0.saturating_add(longest))
    }

    /// Whether the process of this slot, which ended so, was ended by chaos. Asked before its items are taken away.
    pub fn ends_by_chaos(&self, index: usize, status: ExitStatus, ran: Option<ItemId>, now: Instant) -> bool {
        let slot = &self.slots[index];
        let holds = |id: &ItemId| slot.leases.iter().any(|batch| batch.contains(*id));
        let ended_by = |signal| matches!(status, ExitStatus::Signal { signal: last, .. } if last == signal);
        let struck = slot
            .chaos
            .struck
            .is_some_and(|(signal, at)| ended_by(signal) && (signal == Signal::KILL || now.since(at) <= STRIKE_TIME));
        let is_breach = slot.kill == Some(KillWhy::Protocol) && slot.broken;
        let hangs = |id: ItemId| holds(&id) && self.chaos_of(id) == Some(ItemChaos::Hang);
        struck
            || match slot.kill {
                Some(KillWhy::TimedOut(id)) => hangs(id),
                None | Some(KillWhy::Protocol) => {
                    let torn = ran.filter(holds).and_then(|id| self.chaos_of(id)) == Some(ItemChaos::Torn);
                    self.has_sdk() && torn && (is_breach || status == ExitStatus::Code(TORN_CODE))
                }
                _ => false,
            }
    }

    /// It was: the item that it was at is not charged, but begins its next attempt.
    pub fn counts_chaos(&mut self, index: usize, status: ExitStatus, held: u64, marks: &mut Marks) -> CauseKind {
        self.slots[index].chaos.ended = true;
        self.totals.chaos_deaths += 1;
        if self.stage == Stage::Running {
            self.totals.chaos_returned += held;
        }
        marks.hit(Mark::ChaosDeath);
        CauseKind::Chaos(status)
    }
}

/// What happens to an item that a worker on our SDK begins.
pub fn of_item(policy: &Policy, batch: Batch) -> Option<ItemChaos> {
    let plan = policy.chaos.filter(|_| policy.worker.blame == Blame::ProgressPage)?;
    plan.of_item(batch.first, batch.attempt)
}
