//! What a run does to its own workers by its plan of chaos: KILL, STOP and SEGV by chance, and what the plan has for items.
//!
//! A worker on our SDK does to its items what the plan says, and the core, which has the same plan, knows it. Any other worker
//! is stopped instead: for the delay of an item that is slow, and until its time limit for one that hangs.
//!
//! Invariant: no item is charged for what chaos does, and the time of a stop counts toward no limit. A worker that is stopped
//! goes on by an order, or is ended by KILL. Nothing is done to workers once the run stops or every item has its outcome.

use super::Core;
use super::chaos_plan::{BY_RATE, FOR_EVER};
use super::reason::Reason;
use super::slot::{KillReason, SlotState, WorkerSlot};
use super::timers::Timer;
use crate::model::chaos::{ChaosKind, ItemChaos, TORN_CODE};
use crate::model::event::{RunEvent, Stage};
use crate::model::exit::ExitStatus;
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::signal::Signal;
use crate::model::spec::Blame;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;

/// How long a worker is stopped.
const STOP_MIN: Duration = Duration::from_millis(50);
const STOP_MAX: Duration = Duration::from_millis(500);

/// A program may survive SEGV. A death by SEGV that comes later than this is its own.
const STRIKE_TIME: Duration = Duration::from_secs(1);

impl WorkerSlot {
    fn may_be_struck(&self, kind: ChaosKind, now: Instant) -> bool {
        let is_live = matches!(self.state, SlotState::Starting | SlotState::Ready | SlotState::Draining);
        let is_struck = self.chaos.struck.is_some_and(|(_, at)| now.since(at) <= STRIKE_TIME);
        // What is stopped dies of SEGV when it goes on.
        let is_stopped = kind != ChaosKind::Kill && (self.is_held || self.is_paused || self.chaos.is_stopped());
        is_live && self.pid.is_some() && !self.output_held && !is_struck && !is_stopped
    }
}

impl Core {
    /// The run begins.
    pub(super) fn begin_chaos(&mut self) {
        let Some(chaos) = &mut self.chaos else { return };
        for (due, kind) in chaos.due.iter_mut().zip(BY_RATE) {
            *due = chaos.plan.rate(kind).map(|rate| self.now + chaos.draw.exponential(rate.mean()));
        }
        self.set_chaos_timer();
    }

    pub(super) fn on_chaos_timer(&mut self) {
        let now = self.now;
        for index in 0..self.pool.slots.len() {
            if self.pool.slots[index].chaos.stopped.is_some_and(|until| until <= now) {
                self.end_chaos_stop(index);
            }
        }
        let Some(chaos) = &mut self.chaos else { return };
        chaos.timer = None;
        // One of each: what was due while the clock leapt does not come all at once.
        let is_due = chaos.due.map(|due| due.is_some_and(|due| due <= now));
        for ((due, kind), _) in chaos.due.iter_mut().zip(BY_RATE).zip(is_due).filter(|(_, is_due)| *is_due) {
            *due = chaos.plan.rate(kind).map(|rate| now + chaos.draw.exponential(rate.mean()));
        }
        for (kind, _) in BY_RATE.into_iter().zip(is_due).filter(|(_, is_due)| *is_due) {
            self.strike(kind);
        }
        self.set_chaos_timer();
    }

    fn set_chaos_timer(&mut self) {
        let strikes = self.strikes();
        let Some(chaos) = &mut self.chaos else { return };
        let due = chaos.due.iter().flatten().filter(|_| strikes).copied();
        let stopped = self.pool.slots.iter().filter_map(|slot| slot.chaos.stopped);
        match due.chain(stopped).min() {
            Some(next) => self.timers.set(Timer::Chaos, &mut chaos.timer, next, self.now),
            None => self.timers.clear(Timer::Chaos, &mut chaos.timer),
        }
    }

    /// The run is over.
    pub(super) fn end_chaos(&mut self) {
        if let Some(chaos) = &mut self.chaos {
            self.timers.clear(Timer::Chaos, &mut chaos.timer);
        }
    }

    /// Whether workers get signals by chance.
    fn strikes(&self) -> bool {
        self.stage == Stage::Running && !self.closing
    }

    /// A signal is due: some worker gets it, if there is one.
    fn strike(&mut self, kind: ChaosKind) {
        if !self.strikes() {
            return;
        }
        let now = self.now;
        let slots = self.pool.slots.iter().enumerate();
        let found: Vec<usize> =
            slots.filter(|(_, slot)| slot.may_be_struck(kind, now)).map(|(index, _)| index).collect();
        let Some(chaos) = self.chaos.as_mut().filter(|_| !found.is_empty()) else { return };
        let index = found[chaos.draw.below(found.len() as u64) as usize];
        let time = (kind == ChaosKind::Stop).then(|| chaos.draw.between(STOP_MIN, STOP_MAX));
        let item = self.pool.slots[index].oldest_item().filter(|_| self.policy.worker.blame != Blame::ProgressPage);
        self.report_chaos(index, kind, item, time);
        let signal = match kind {
            ChaosKind::Segv => Signal::SEGV,
            ChaosKind::Kill => Signal::KILL,
            _ => return self.chaos_stop(index, time),
        };
        self.pool.slots[index].chaos.struck = Some((signal, now));
        self.because(|_| Reason::Chaos);
        self.push_signal(index, signal);
    }

    /// Stops a worker for `time`; `None`: until its item is over. The time counts toward no limit.
    fn chaos_stop(&mut self, index: usize, time: Option<Duration>) {
        let slot = &mut self.pool.slots[index];
        slot.chaos.stopped = Some(time.map_or(FOR_EVER, |time| self.now + time));
        if let Some(time) = time {
            if let Some(watch) = &mut slot.watch {
                watch.delay(time);
            }
            if let Some(deadline) = slot.timer {
                self.timers.set(Timer::Slot(index), &mut slot.timer, deadline + time, self.now);
            }
        }
        self.because(|_| Reason::Chaos);
        self.push_signal(index, Signal::STOP);
        self.set_chaos_timer();
    }

    /// Lets a worker go on that chaos has stopped.
    pub(super) fn end_chaos_stop(&mut self, index: usize) {
        if self.pool.slots[index].chaos.stopped.take().is_some() {
            self.because(|_| Reason::GoesOn);
            mutant!(ChaosStopForgotten, self.push_signal(index, Signal::CONT), {});
        }
    }

    /// From when on time counts for a worker: from now on, or from the end of its stop.
    #[inline]
    pub(super) fn awake_at(&self, index: usize) -> Instant {
        let stopped = self.pool.slots[index].chaos.stopped.filter(|until| *until < FOR_EVER);
        stopped.map_or(self.now, |until| until.max(self.now))
    }

    /// The oldest item of a worker may be another one: if the worker has not our SDK, the plan is carried out here.
    #[inline]
    pub(super) fn chaos_begins(&mut self, index: usize) {
        let is_asked = self.chaos.as_ref().is_some_and(|chaos| chaos.plan.is_about_items());
        if is_asked && self.policy.worker.blame != Blame::ProgressPage {
            self.chaos_of_oldest(index);
        }
    }

    fn chaos_of_oldest(&mut self, index: usize) {
        let slot = &self.pool.slots[index];
        let oldest = slot.leases.front().map(|lease| Batch::of_one(lease.batch.first, lease.batch.attempt));
        if slot.chaos.begun == oldest {
            return;
        }
        if slot.chaos.stopped == Some(FOR_EVER) {
            self.end_chaos_stop(index);
        }
        let strikes = self.strikes();
        let slot = &mut self.pool.slots[index];
        slot.chaos.begun = oldest;
        let may_be_stopped = strikes && slot.state == SlotState::Ready && slot.may_be_struck(ChaosKind::Stop, self.now);
        let Some(batch) = oldest.filter(|_| may_be_stopped) else { return };
        let (kind, time) = match self.chaos.as_ref().and_then(|chaos| chaos.of(batch)) {
            Some(ItemChaos::Slow(time)) => (ChaosKind::Slow, Some(time)),
            Some(ItemChaos::Hang) => (ChaosKind::Hang, None),
            Some(ItemChaos::Torn) | None => return,
        };
        self.report_chaos(index, kind, Some(batch.first), time);
        self.chaos_stop(index, time);
    }

    /// What the plan has for an item at a worker.
    fn chaos_at(&self, index: usize, item: ItemId) -> Option<ItemChaos> {
        self.chaos.as_ref()?.of(self.batch_of(index, item)?)
    }

    /// How much longer an item may take at a worker that delays it.
    pub(super) fn chaos_delay(&self, index: usize, item: ItemId) -> Duration {
        match self.chaos_at(index, item) {
            Some(ItemChaos::Slow(time)) if self.policy.worker.blame == Blame::ProgressPage => time,
            _ => Duration::ZERO,
        }
    }

    /// A worker on our SDK has answered for these items, some of which it delayed.
    #[inline]
    pub(super) fn tell_slow(&mut self, index: usize, first: ItemId, count: u32, attempt: Attempt) {
        let is_slow = self.chaos.as_ref().is_some_and(|chaos| chaos.plan.slow.is_some());
        if !is_slow || self.policy.worker.blame != Blame::ProgressPage {
            return;
        }
        for item in (0..u64::from(count)).map(|ahead| first.plus(ahead)) {
            let chaos = self.chaos.as_ref().and_then(|chaos| chaos.of(Batch::of_one(item, attempt)));
            if let Some(ItemChaos::Slow(time)) = chaos {
                self.report_chaos(index, ChaosKind::Slow, Some(item), Some(time));
            }
        }
    }

    /// An item has passed its limit: a worker on our SDK did not answer for it, by the plan.
    pub(super) fn tell_hang(&mut self, index: usize, item: ItemId) {
        if self.policy.worker.blame == Blame::ProgressPage && self.chaos_at(index, item) == Some(ItemChaos::Hang) {
            self.report_chaos(index, ChaosKind::Hang, Some(item), None);
        }
    }

    /// Whether chaos has ended a process, which ended like this. `ran`: the item that it was at.
    pub(super) fn is_by_chaos(
        &mut self,
        index: usize,
        status: ExitStatus,
        kill_reason: Option<&KillReason>,
        ran: Option<ItemId>,
    ) -> bool {
        if self.chaos.is_none() {
            return false;
        }
        // It may have ended by itself at the same moment.
        let ended_by = |signal: Signal| matches!(status, ExitStatus::Signal { signal: last, .. } if last == signal);
        let struck = self.pool.slots[index].chaos.struck;
        if struck.is_some_and(|(signal, at)| {
            ended_by(signal) && (signal == Signal::KILL || self.now.since(at) <= STRIKE_TIME)
        }) {
            return true;
        }
        let breach = matches!(kill_reason, Some(KillReason::Protocol(_)));
        match (kill_reason, ran) {
            (Some(KillReason::TimedOut(item)), _) => self.chaos_at(index, *item) == Some(ItemChaos::Hang),
            (None | Some(KillReason::Asked | KillReason::Closed | KillReason::Protocol(_)), Some(item)) => {
                let is_torn = self.chaos_at(index, item) == Some(ItemChaos::Torn)
                    && self.policy.worker.blame == Blame::ProgressPage
                    && (breach || status == ExitStatus::Code(TORN_CODE));
                if is_torn {
                    self.report_chaos(index, ChaosKind::Torn, Some(item), None);
                }
                is_torn
            }
            _ => false,
        }
    }

    /// Counts the end of a process by chaos, which held so many items.
    pub(super) fn count_chaos(&mut self, items: u64) {
        self.totals.chaos_deaths += 1;
        if self.stage == Stage::Running {
            self.totals.chaos_returned += items;
        }
    }

    fn report_chaos(&mut self, index: usize, kind: ChaosKind, item: Option<ItemId>, time: Option<Duration>) {
        let (worker, incarnation) = self.ids(index);
        let pid = self.pool.slots[index].pid.unwrap_or(0);
        self.report(RunEvent::Chaos { kind, worker, incarnation, pid, item, time });
    }
}
