//! Floor 1: the scheduler, a pure state machine. Facts go in, orders come out.
//!
//! It decides which worker gets which items, what becomes of an item, who is started again and when
//! the run is over. It knows of time and of the world only what [`Input`]s say; what it wants is in
//! [`Action`]s, whose order is a promise.
//!
//! Invariant: core never sees the bytes of an item, reads no clock, waits for nothing. It keeps one
//! record per run and none for what is finished: memory is O(runs in flight + runs queued + reorder
//! window), work per step is O(runs touched). No order of inputs makes it fail or panic; stale ones
//! are counted and dropped, in [`Core::handle`].

pub mod action;
mod admission;
mod credit;
mod dispatch;
mod exits;
mod halt;
pub mod input;
mod invariants;
mod lifecycle;
mod mutant;
mod order;
mod pool;
mod queue;
mod random;
mod restart;
mod results;
mod shutdown;
mod slots;
pub mod status;
#[cfg(test)]
mod tests;
mod timers;

use crate::model::event::{RunEvent, Stage};
use crate::model::ids::{Incarnation, ItemId, WorkerId};
use crate::model::outcome::{Cause, StopReason, Totals};
use crate::model::spec::{Lifecycle, Policy};
use crate::model::time::{Duration, Instant};
use action::Action;
use admission::Admission;
use halt::Breaker;
use input::Input;
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
#[cfg(not(feature = "mutants"))]
use mutant::Mutant;
use mutant::Mutation;
use order::Order;
use pool::Pool;
use queue::Queue;
use random::Random;
use std::collections::{BTreeMap, VecDeque};
use timers::{Timer, Timers};

/// The scheduler.
///
/// - Facts: [`Core::handle`], [`Core::handle_timeout`].
/// - Orders: [`Core::poll_action`], until it has none; [`Core::poll_timeout`] says when
///   `handle_timeout` is wanted.
/// - Views: [`Core::status`], [`Core::totals`], [`Core::stage`], [`Core::policy`].
/// - Checks: [`Core::check`], [`Core::check_deep`].
#[derive(Debug)]
pub struct Core {
    policy: Policy,
    mutation: Mutation,
    /// The latest moment that was named; it never goes back.
    now: Instant,
    actions: VecDeque<Action>,
    admission: Admission,
    queue: Queue,
    pool: Pool,
    timers: Timers,
    run_timer: Option<Instant>,
    grace_timer: Option<Instant>,
    /// Of open items that have an attempt behind them.
    causes: BTreeMap<ItemId, Vec<Cause>>,
    /// In keep-order alone.
    order: Option<Order>,
    breaker: Breaker,
    random: Random,
    totals: Totals,
    started: bool,
    stage: Stage,
    /// Why the run stops, as far as it is known.
    reason: Option<StopReason>,
    /// Every item is settled and the workers were asked to leave.
    closing: bool,
    /// Signals that asked for the end.
    signals: u32,
    /// The last worker whose slot is never filled again, and how it ended.
    last_end: Option<(WorkerId, String)>,
}

/// An invariant that does not hold, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

impl Core {
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self::with(policy, Mutation::NONE)
    }

    /// A core with one deliberate defect.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn new_mutant(policy: Policy, mutant: Mutant) -> Self {
        Self::with(policy, Mutation::of(mutant))
    }

    fn with(policy: Policy, mutation: Mutation) -> Self {
        Self {
            mutation,
            now: Instant::ZERO,
            actions: VecDeque::new(),
            admission: Admission::default(),
            queue: Queue::new(policy.queue_order, mutation),
            pool: Pool::new(&policy, mutation),
            timers: Timers::default(),
            run_timer: None,
            grace_timer: None,
            causes: BTreeMap::new(),
            order: policy.keep_order.then(|| Order::new(mutation)),
            breaker: Breaker::new(policy.dead_max, mutation),
            random: Random::new(policy.seed),
            totals: Totals::default(),
            started: false,
            stage: Stage::Running,
            reason: None,
            closing: false,
            signals: 0,
            last_end: None,
            policy,
        }
    }

    /// Takes a fact. Never fails and never panics, whatever the order.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = self.now.max(now);
        if self.stage == Stage::Finished {
            self.totals.stale += 1;
            return;
        }
        self.take_in(input);
        self.follow_up();
    }

    /// Does what is due. To be called when [`Core::poll_timeout`] has passed; earlier is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.pop_due(self.now) {
            match timer {
                Timer::WholeRun => {
                    self.run_timer = None;
                    self.stop(Stage::Terminating, StopReason::RunTimeout);
                }
                Timer::Grace => {
                    self.grace_timer = None;
                    self.on_grace();
                }
                Timer::Slot(index) => {
                    self.pool.slots[index].timer = None;
                    self.on_slot_timer(index);
                }
            }
        }
        self.queue.wake(self.now);
        self.follow_up();
    }

    /// The next order, to be carried out before the next one is taken.
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Core::handle_timeout`] is wanted; `None`: not at all. After `handle_timeout(now)` it is
    /// strictly later than `now`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.timers.next(), self.queue.next_due()) {
            (Some(timer), Some(due)) => Some(timer.min(due)),
            (timer, due) => timer.or(due),
        }
    }

    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    fn take_in(&mut self, input: Input) {
        match input {
            Input::Start => self.on_start(),
            Input::BatchArrived { first, count, priority } => self.on_arrived(first, count, priority),
            Input::ItemRejected { item, reason } => self.on_rejected(item, reason),
            Input::SourceIdle => self.on_source_idle(),
            Input::SourceEnded => self.on_source_ended(),
            Input::SourceLost { error } => self.on_source_lost(error),
            Input::Signal { signal, sender_pid } => self.on_signal(signal, sender_pid),
            Input::SinkClosed => self.stop(Stage::Terminating, StopReason::SinkClosed),
            Input::SinkLost { error } => self.stop(Stage::Terminating, StopReason::SinkLost(error)),
            Input::StorageLost { error } => self.stop(Stage::Terminating, StopReason::StorageLost(error)),
            Input::Spawned { worker, incarnation, pid } => {
                if let Some(index) = self.live(worker, incarnation) {
                    self.on_spawned(index, pid);
                }
            }
            Input::SpawnFailed { worker, incarnation, error } => {
                if let Some(index) = self.live(worker, incarnation) {
                    self.on_spawn_failed(index, error);
                }
            }
            Input::Hello { worker, incarnation } => {
                if let Some(index) = self.live(worker, incarnation) {
                    self.on_hello(index);
                }
            }
            Input::Settled { worker, incarnation, first, count, attempt, busy_ns } => {
                if let Some(index) = self.live_resident(worker, incarnation) {
                    self.on_settled(index, first, count, attempt, busy_ns);
                }
            }
            Input::Failed { worker, incarnation, item, attempt, reason } => {
                if let Some(index) = self.live_resident(worker, incarnation) {
                    self.on_failed(index, item, attempt, reason);
                }
            }
            Input::ProbeResult { worker, incarnation, running } => {
                if let Some(index) = self.live_resident(worker, incarnation) {
                    self.on_probe_result(index, running);
                }
            }
            Input::TimeExcluded { worker, incarnation } => {
                if let Some(index) = self.live_resident(worker, incarnation) {
                    let now = self.now;
                    if let Some(watch) = &mut self.pool.slots[index].watch {
                        watch.exclude_time(now);
                    }
                }
            }
            Input::ChannelClosed { worker, incarnation } => {
                if let Some(index) = self.live_resident(worker, incarnation) {
                    self.on_channel_closed(index);
                }
            }
            Input::ProtocolError { worker, incarnation, error } => {
                if let Some(index) = self.live_resident(worker, incarnation) {
                    self.breach(index, error);
                }
            }
            Input::Exited { worker, incarnation, status, usage, running } => {
                if let Some(index) = self.live(worker, incarnation) {
                    self.on_exited(index, status, usage, running);
                }
            }
        }
    }

    fn on_start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            self.totals.stale += 1;
            return;
        }
        self.report(RunEvent::RunStarted { workers: self.pool.slots.len() as u32 });
        if let Some(limit) = self.policy.run_timeout {
            self.timers.set(Timer::WholeRun, &mut self.run_timer, self.now + limit, self.now);
        }
        if self.policy.lifecycle == Lifecycle::Resident {
            for index in 0..self.pool.slots.len() {
                self.spawn(index);
            }
        }
    }

    /// The slot that a fact is about, if it is about the slot's present process. The one place where
    /// what is stale is counted and dropped.
    #[inline]
    fn live(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<usize> {
        let index = (worker.number() as usize).wrapping_sub(1);
        let current = self.pool.slots.get(index).is_some_and(|slot| {
            slot.is_up() && (slot.incarnation == incarnation || self.mutation.is(Mutant::NoIncarnationCheck))
        });
        if current {
            return Some(index);
        }
        self.totals.stale += 1;
        None
    }

    /// The same for what only a resident worker can say.
    #[inline]
    fn live_resident(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<usize> {
        if self.policy.lifecycle == Lifecycle::PerItem {
            self.totals.stale += 1;
            return None;
        }
        self.live(worker, incarnation)
    }

    /// What every step ends with: room that has come free is filled.
    fn follow_up(&mut self) {
        self.dispatch();
        self.demand();
        self.end_if_over();
        if cfg!(debug_assertions) && !self.mutation.any() {
            let checked = self.check();
            debug_assert!(checked.is_ok(), "{checked:?}");
        }
    }

    #[inline]
    fn push(&mut self, action: Action) {
        self.actions.push_back(action);
    }
    #[inline]
    fn report(&mut self, event: RunEvent) {
        self.actions.push_back(Action::Report(event));
    }

    fn set_slot_timer(&mut self, index: usize, wait: Duration) {
        let place = &mut self.pool.slots[index].timer;
        self.timers.set(Timer::Slot(index), place, self.now + wait, self.now);
    }
    fn clear_slot_timer(&mut self, index: usize) {
        self.timers.clear(Timer::Slot(index), &mut self.pool.slots[index].timer);
    }
}
