//! Floor 1: the scheduler, a pure state machine. Facts go in, orders come out.
//!
//! It decides which worker gets which items, the outcome of each item, which worker is restarted, and when the run is
//! over. Facts and the time come as [`Input`]s; its decisions are [`Action`]s, and the shell carries them out in their
//! order. All kinds of workers use one state machine (`slot.rs`); the differences between the kinds are data, the
//! [`WorkerContract`](crate::model::spec::WorkerContract).
//!
//! Invariant: core never sees the bytes of an item, reads no clock, waits for nothing. It keeps one record per batch
//! and none for finished items: memory is O(batches in flight + batches queued + reorder window), work per step is
//! O(batches touched). No order of inputs makes it fail or panic; [`Core::handle`] counts and drops stale inputs.

pub mod action;
mod admission;
mod arrivals;
mod causes;
mod chaos;
mod chaos_plan;
mod clock;
mod commit_order;
mod credit;
mod dispatch;
mod exits;
mod explain;
mod gate;
mod given_up;
mod halt;
mod in_hand;
pub mod input;
mod invariants;
mod jitter;
mod lifecycle;
mod median;
mod median_limit;
mod pause;
mod pool;
mod queue;
pub mod reason;
mod relief;
mod restart;
mod results;
mod rolling;
mod rolling_restart;
mod scale;
mod shutdown;
mod signalling;
mod slot;
mod slots;
mod start_gate;
mod starts;
mod status;
#[cfg(test)]
mod tests;
mod timers;

use crate::model::event::{RunEvent, Stage};
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{Halted, StopReason, Totals};
use crate::model::signal::Signal;
use crate::model::spec::Policy;
use crate::model::time::{Duration, Instant};
use crate::mutant::{any_is_on, mutant};
use action::Action;
use admission::Admission;
use causes::Causes;
use chaos_plan::Chaos;
use clock::RunClock;
use commit_order::CommitOrder;
use gate::StartGate;
use halt::Breaker;
use input::{Input, SpawnFailure};
use jitter::Jitter;
use median::MedianLimit;
use pool::Pool;
use queue::ItemQueue;
use reason::{TakeBackReason, WaitReason};
use rolling::Rolling;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use timers::{Timer, Timers};

/// The scheduler.
///
/// - Facts: [`Core::handle`], [`Core::handle_timeout`].
/// - Orders: [`Core::poll_action`], until it has none; [`Core::poll_timeout`] is when
///   `handle_timeout` is wanted.
/// - Views: [`Core::status`], [`Core::totals`], [`Core::stage`], [`Core::policy`], [`Core::wants_start`],
///   [`Core::has_work`], [`Core::is_holding`].
/// - Checks: [`Core::check`], [`Core::check_deep`].
#[derive(Debug)]
pub struct Core {
    policy: Policy,
    /// The latest time of an input, by the clock of the run; it never decreases.
    now: Instant,
    clock: RunClock,
    actions: VecDeque<Action>,
    admission: Admission,
    queue: ItemQueue,
    pool: Pool,
    timers: Timers,
    run_timer: Option<Instant>,
    /// The time of the run has passed while only the end of some output was awaited.
    run_overdue: bool,
    grace_timer: Option<Instant>,
    /// When an item has been in hand for too long.
    hand_timer: Option<Instant>,
    /// The causes of failed attempts, by open item.
    causes: BTreeMap<ItemId, Causes>,
    /// An earlier session has begun some of the items: they have attempts without causes.
    goes_on: bool,
    /// Items that were given up and have no outcome, or have not arrived.
    given_up: BTreeSet<ItemId>,
    /// Only in keep-order.
    order: Option<CommitOrder>,
    breaker: Breaker,
    gate: StartGate,
    /// Only with a limit that is a share of the median.
    median_limit: Option<MedianLimit>,
    /// Only with a plan of chaos.
    chaos: Option<Box<Chaos>>,
    jitter: Jitter,
    totals: Totals,
    /// The part of `totals` that an earlier run settled.
    restored: Totals,
    started: bool,
    /// An item was dispatched.
    dispatched: bool,
    /// The output takes less than the workers give.
    congested: bool,
    /// A worker has sent its hello.
    greeted: bool,
    /// Processes that exited by themselves before that.
    start_exits: u32,
    stage: Stage,
    /// Why the run stops, if it does.
    reason: Option<StopReason>,
    /// The state when `--halt` was met.
    halted: Option<Box<Halted>>,
    /// Every item is settled, and the workers were asked to leave.
    closing: bool,
    /// The strongest stop that commands asked for: 1 drains, 2 terminates, 3 kills.
    firmness: u32,
    /// The last signal that asked for a stop and counted, and when by the shell's clock.
    last_signal: Option<(Signal, Instant)>,
    /// Why nothing was dispatched at the end of the last step, as it was told.
    told_wait: Option<WaitReason>,
    /// The last worker that was not restarted because of its restart type, and how it ended.
    last_end: Option<(WorkerId, String)>,
    /// While the workers are replaced one by one.
    rolling: Option<Rolling>,
    /// Somebody watches, who wants the start of each attempt reported.
    starts_wanted: bool,
}

/// An invariant that does not hold, as text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

impl Core {
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            now: Instant::ZERO,
            clock: RunClock::default(),
            actions: VecDeque::new(),
            admission: Admission::new(policy.first_item),
            queue: ItemQueue::new(policy.queue_order),
            pool: Pool::new(&policy),
            timers: Timers::default(),
            run_timer: None,
            run_overdue: false,
            grace_timer: None,
            hand_timer: None,
            causes: BTreeMap::new(),
            goes_on: false,
            given_up: BTreeSet::new(),
            order: policy.keep_order.then(|| CommitOrder::new(policy.first_item)),
            breaker: Breaker::new(policy.dead_max),
            gate: StartGate::default(),
            median_limit: policy.timeout_percent.map(MedianLimit::new),
            chaos: policy.chaos.map(|plan| Box::new(Chaos::new(plan))),
            jitter: Jitter::new(policy.seed),
            totals: Totals::default(),
            restored: Totals::default(),
            started: false,
            dispatched: false,
            congested: false,
            greeted: false,
            start_exits: 0,
            stage: Stage::Running,
            reason: None,
            halted: None,
            closing: false,
            firmness: 0,
            last_signal: None,
            told_wait: None,
            last_end: None,
            rolling: None,
            starts_wanted: false,
            policy,
        }
    }

    /// Handles a fact. Never fails and never panics, in any order of facts.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = self.now.max(self.clock.note(now));
        if self.stage == Stage::Finished {
            self.totals.stale += 1;
            return;
        }
        self.apply_input(input);
        self.follow_up();
    }

    /// Handles the deadlines that had passed at `now`. The shell calls it at [`Core::poll_timeout`]; an earlier call is
    /// harmless. `now` may be earlier than that of the last input: later deadlines wait for the next call.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.note(now);
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::WholeRun => {
                    self.run_timer = None;
                    self.on_run_timeout();
                }
                Timer::Grace => {
                    self.grace_timer = None;
                    self.on_grace();
                }
                Timer::MedianLimit => self.on_median_limit(),
                Timer::StartDelay => self.on_start_delay_over(),
                Timer::Hands => self.on_hand_timer(),
                Timer::Chaos => self.on_chaos_timer(),
                Timer::Slot(index) => {
                    self.pool.slots[index].timer = None;
                    self.on_slot_timer(index);
                }
            }
        }
        self.queue.wake(now);
        self.follow_up();
    }

    /// The next order. The shell carries it out before it polls the next one.
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Core::handle_timeout`] is wanted; `None`: not at all. After `handle_timeout(now)` it is
    /// strictly later than `now`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = match (self.timers.next(), self.queue.next_due()) {
            (Some(timer), Some(due)) => Some(timer.min(due)),
            (timer, due) => timer.or(due),
        };
        self.clock.shell_time(next?)
    }

    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }
    /// Processes that run, or are ordered.
    #[must_use]
    pub const fn processes(&self) -> usize {
        self.pool.up
    }
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    fn apply_input(&mut self, input: Input) {
        match input {
            Input::Start => self.on_start(),
            Input::BatchArrived { .. }
            | Input::ArrivedAgain { .. }
            | Input::ItemRejected { .. }
            | Input::Restored { .. }
            | Input::SourceIdle
            | Input::SourceEnded
            | Input::SourceLost { .. }
            | Input::SourceDiffers { .. } => self.on_source(input),
            Input::Command { command, origin } => self.on_command(command, origin),
            Input::Congested { congested } => self.on_congested(congested),
            Input::StartsPermitted { count } => self.on_starts_permitted(count),
            Input::Relief(relief) => self.on_relief(relief),
            Input::SinkClosed => self.stop(Stage::Terminating, StopReason::SinkClosed),
            Input::SinkLost { error } => self.stop(Stage::Terminating, StopReason::SinkLost(error)),
            Input::StorageLost { error } => self.stop(Stage::Terminating, StopReason::StorageLost(error)),
            Input::Spawned { worker, incarnation, pid } => self.on_start_of(worker, incarnation, Ok(pid)),
            Input::SpawnFailed { worker, incarnation, error } => self.on_start_of(worker, incarnation, Err(error)),
            Input::Hello { worker, incarnation } => self.on_hello(worker, incarnation),
            Input::Settled { worker, incarnation, first, count, attempt, busy_ns } => {
                if let Some(index) = self.live_channel(worker, incarnation) {
                    self.on_settled(index, first, count, attempt, busy_ns);
                }
            }
            Input::ResultBegins { worker, incarnation, item, attempt } => {
                if let Some(index) = self.live_channel(worker, incarnation) {
                    self.fits(index, item, 1, attempt);
                }
            }
            Input::Failed { worker, incarnation, item, attempt, reason, hint } => {
                if let Some(index) = self.live_channel(worker, incarnation) {
                    self.on_failed(index, Batch::of_one(item, attempt), reason, hint);
                }
            }
            Input::ProbeResult { worker, incarnation, running } => {
                if let Some(index) = self.live_channel(worker, incarnation) {
                    self.on_probe_result(index, running);
                }
            }
            Input::TimeExcluded { worker, incarnation } => {
                if let Some(index) = self.live_channel(worker, incarnation) {
                    self.on_time_excluded(index);
                }
            }
            Input::ChannelClosed { worker, incarnation } => {
                if let Some(index) = self.live_channel(worker, incarnation) {
                    self.on_channel_closed(index);
                }
            }
            Input::ProtocolError { worker, incarnation, error } => {
                if let Some(index) = self.live_channel(worker, incarnation) {
                    self.breach(index, error);
                }
            }
            Input::Stopped { worker, incarnation, by } => self.on_stopped(worker, incarnation, by),
            Input::Exited { worker, incarnation, status, usage, running } => {
                if let Some(index) = self.live(worker, incarnation) {
                    self.on_exited(index, status, usage, running);
                }
            }
            Input::OutputHeld { worker, incarnation } => self.on_output_held(worker, incarnation),
            Input::TakenBack { worker, item } => self.on_taken_back(worker, item),
            Input::GivenUp { item } => self.on_given_up(item),
            Input::SignalNoted { signal, sender_pid } => self.report(RunEvent::SignalReceived { signal, sender_pid }),
        }
    }

    /// The output takes less than the commands write, or enough again.
    fn on_congested(&mut self, congested: bool) {
        self.congested = congested;
        if congested {
            self.recall_hands(TakeBackReason::Congested);
        }
    }

    /// The answer to an order to start a process.
    fn on_start_of(&mut self, worker: WorkerId, incarnation: Incarnation, started: Result<u32, SpawnFailure>) {
        if let Some(index) = self.live(worker, incarnation) {
            match started {
                Ok(pid) => self.on_spawned(index, pid),
                Err(error) => self.on_spawn_failed(index, error),
            }
        }
    }

    fn on_start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            self.totals.stale += 1;
            return;
        }
        self.report(RunEvent::RunStarted { workers: self.pool.target as u32 });
        if let Some(limit) = self.policy.run_timeout {
            self.timers.set(Timer::WholeRun, &mut self.run_timer, self.now + limit, self.now);
        }
        for index in 0..self.pool.slots.len() {
            self.fill(index);
        }
        self.begin_chaos();
    }

    /// The index of the slot that a fact is about, if the incarnation is the present one. Stale facts about workers are
    /// counted and dropped here only.
    #[inline]
    fn live(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<usize> {
        let index = (worker.number() as usize).wrapping_sub(1);
        let current = self
            .pool
            .slots
            .get(index)
            .is_some_and(|slot| slot.is_up() && mutant!(NoIncarnationCheck, slot.incarnation == incarnation, true));
        if current {
            return Some(index);
        }
        self.totals.stale += 1;
        None
    }

    /// The same for facts from a channel. A process that is started together with its item has no channel.
    #[inline]
    fn live_channel(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<usize> {
        if self.policy.worker.starts_with_item() {
            self.totals.stale += 1;
            return None;
        }
        self.live(worker, incarnation)
    }

    /// The end of every step: dispatches items, demands more, and ends a run that is over.
    fn follow_up(&mut self) {
        self.drop_given_up();
        self.go_on_with_restart();
        self.dispatch();
        self.fill_hands();
        self.spread_hands();
        self.demand();
        self.end_if_over();
        if self.policy.explains {
            self.tell_wait();
        }
        if cfg!(debug_assertions) && !any_is_on() {
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
        let deadline = self.awake_at(index) + wait;
        self.timers.set(Timer::Slot(index), &mut self.pool.slots[index].timer, deadline, self.now);
    }
    /// Nothing that the slot waits for has a deadline any more.
    fn clear_slot_timer(&mut self, index: usize) {
        self.unwatch_by_median(index);
        self.timers.clear(Timer::Slot(index), &mut self.pool.slots[index].timer);
    }
}
