//! The shadow model: it sees the facts that the core gets and the orders that it gives, and keeps its own
//! count. It never schedules anything; it only knows what must not happen.
//!
//! This file takes in facts, `scaling.rs` commands; `orders.rs` judges orders and `clock.rs` what depends
//! on time.

use crate::chaos::SlotChaos;
use crate::items::{DueOutcome, ItemPlace, ItemTable, ShadowItem, ids};
use crate::marks::{Mark, Marks};
use crate::starts::Starts;
use crate::steering::{ShadowClock, ShadowRestart};
use crate::violation::{BrokenCheck, ensure};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use supervisor::core::input::Input;
use supervisor::model::event::Stage;
use supervisor::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use supervisor::model::outcome::{Cause, CauseKind, FailReason, Outcome, RetryHint, StopReason, Totals};
use supervisor::model::signal::Signal;
use supervisor::model::spec::{Blame, Policy, QueueOrder};
use supervisor::model::time::{Duration, Instant};

/// The true state of a process, whatever the core believes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Truth {
    /// It is there: alive, or dead and not yet reported.
    pub exists: bool,
    /// What its progress page says, if it has one.
    pub running: Option<ItemId>,
    pub since: Instant,
    /// Time before this counts for no limit.
    pub excluded_at: Instant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    #[default]
    Down,
    /// Asked for.
    Asked,
    /// It runs, and its hello is awaited.
    Starting,
    Ready,
}

/// Why the core may end a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillWhy {
    NoHello,
    TimedOut(ItemId),
    Protocol,
    Strategy,
    Stopped,
    Relief,
    GivenUp,
}

#[derive(Debug, Default)]
pub struct ShadowSlot {
    pub phase: Phase,
    pub incarnation: u32,
    pub pid: u32,
    /// It was asked to leave: nothing more may be sent.
    pub leaving: bool,
    /// When it was last asked.
    pub leaving_at: Instant,
    /// It is asked to leave as soon as it is spawned.
    pub leaves_when_spawned: bool,
    /// The run was scaled down by this slot.
    pub removed: bool,
    /// It was added again while its process was leaving.
    pub refill: bool,
    /// It was added, or is one of the first, and has to be filled as soon as a process may be started.
    pub must_start: bool,
    /// It broke the protocol: none of its messages counts any more.
    pub broken: bool,
    /// It closed its channel.
    pub closed: bool,
    /// It has ended, and the end of its output is awaited.
    pub output_held: bool,
    /// It was stopped, and has not been ordered to go on; and whether it is to be.
    pub is_held: bool,
    pub is_to_hold: bool,
    /// It was stopped with the whole run.
    pub is_with_run: bool,
    /// It is to be ended in this step, to make room.
    pub makes_room: bool,
    /// It is to be ended, since an item that it holds was given up.
    pub gives_up: bool,
    /// What chaos has done to its process.
    pub chaos: SlotChaos,
    /// KILL was sent to its process.
    pub got_kill: bool,
    pub leases: VecDeque<Batch>,
    pub held: u64,
    /// When the oldest batch it holds could begin at the earliest: dispatched, and the one before answered.
    pub sent_at: Instant,
    pub started_at: Instant,
    pub settled_by_process: u64,
    pub kill: Option<KillWhy>,
    pub kill_step: usize,
    /// The limit that its command had passed when it was ended.
    pub passed: Option<Duration>,
    pub killed_at: Instant,
    /// Its present process was ready, and was not leaving or ended then.
    pub was_ready: bool,
    /// Failures that count for the restart limit.
    pub counted: VecDeque<Instant>,
    /// One of them is a breach of the protocol.
    pub breach: bool,
    /// Ends in a row that a back-off followed.
    pub row: u32,
    /// When the last of them was, and how long the back-off after it.
    pub row_at: Instant,
    pub row_pause: Duration,
    pub last_end: Instant,
    /// Items that its last process held when it ended.
    pub ended_with: u64,
    /// Its last end counts for the restart limit.
    pub last_counted: bool,
    /// How long the slot stays empty at least.
    pub pause: Duration,
    /// Its last process ended in a way after which the restart type starts no other.
    pub retired: bool,
    /// It was ready, or ended, at least once.
    pub met: bool,
    /// It has to leave because of another worker's end.
    pub companion: bool,
    /// Items in hand, and when each was given.
    pub hands: VecDeque<(Batch, Instant)>,
    /// They were asked for again.
    pub recalled: bool,
    /// Its process was in hand, and is not known to be started.
    pub from_hand: bool,
}

impl ShadowSlot {
    /// A process is asked for.
    pub fn begin(&mut self, incarnation: u32) {
        (self.phase, self.incarnation, self.pid) = (Phase::Asked, incarnation, 0);
        (self.leaving, self.broken, self.closed, self.companion) = (false, false, false, false);
        (self.leaves_when_spawned, self.must_start, self.was_ready) = (false, false, false);
        (self.output_held, self.got_kill, self.from_hand) = (false, false, false);
        (self.is_held, self.is_to_hold, self.makes_room) = (false, false, false);
        self.is_with_run = false;
        self.gives_up = false;
        self.chaos = SlotChaos::default();
        (self.kill, self.kill_step, self.settled_by_process) = (None, 0, 0);
    }

    pub fn forget_ends(&mut self) {
        self.counted.clear();
        (self.breach, self.row) = (false, 0);
    }

    /// A process that is ready shows that the program can be started: earlier failed starts are forgotten.
    pub fn is_ready(&mut self) {
        self.was_ready = true;
        if !self.breach {
            self.counted.clear();
        }
    }
}

pub struct Shadow {
    pub policy: Policy,
    pub items: ItemTable,
    pub slots: Vec<ShadowSlot>,
    /// Fresh items in order of arrival (fifo, lifo).
    pub fresh: VecDeque<ItemId>,
    /// What workers gave back, in the order of dispatch (fifo, lifo).
    pub returned: VecDeque<ItemId>,
    /// What was in hand and not begun, which comes behind what was given back.
    pub unbegun: BTreeSet<ItemId>,
    /// Priority order, fresh and returned.
    pub ranked: BTreeSet<(i64, ItemId)>,
    /// Fresh items in `ranked`.
    pub ranked_fresh: u64,
    /// Retries that wait, each with its earliest moment.
    pub delayed: BTreeMap<ItemId, Instant>,
    pub in_flight: u64,
    pub in_hand: u64,
    pub due: u64,
    /// Items that were given up and have no outcome, or have not arrived.
    pub given_up: BTreeSet<ItemId>,
    /// The signal that this step has to send, since somebody asked for it.
    pub asked_signal: Option<(WorkerId, Signal)>,
    pub starts: Starts,
    /// How long each command took that succeeded, in order of length.
    pub runtimes: Vec<Duration>,
    /// When the last of them ended, which moved the limit.
    pub limit_moved_at: Instant,
    /// Processes that may be started; `None`: any number.
    pub permitted: Option<u32>,
    /// No process has been ordered since there was a bound.
    pub was_held: bool,
    /// When the last process was ordered.
    pub last_start: Option<Instant>,
    /// The output takes less than the workers produce.
    pub congested: bool,
    pub skipped_now: u64,
    pub demand: u64,
    pub source_over: bool,
    pub source_closed: bool,
    /// The source has nothing more at the moment.
    pub source_idle: bool,
    pub stage: Stage,
    pub reason: Option<StopReason>,
    pub stage_since: Instant,
    /// While the run drains: when the time of the running items, or of the workers that leave, is over; `None`: they
    /// have all the time.
    pub drain_until: Option<Instant>,
    /// Processes that exited by themselves while no worker had sent its hello.
    pub start_exits: u32,
    pub totals: Totals,
    /// The part of `totals` that an earlier run settled.
    pub restored: Totals,
    /// Something was dispatched.
    pub dispatched: bool,
    /// In keep-order: the item whose turn it is.
    pub commit_next: ItemId,
    pub committed: u64,
    pub dead_row: u32,
    /// Items in a row whose command could not be executed.
    pub lost_row: u32,
    /// A worker has sent its hello.
    pub greeted: bool,
    /// Slots whose workers have to leave with one that ended in this step.
    pub new_companions: Vec<usize>,
    /// Every item has its outcome and none will come; and since when.
    pub all_done: bool,
    pub done_since: Instant,
    /// The worker program cannot be started at all.
    pub gave_up_on_program: bool,
    pub finished: bool,
    /// How far the clock leapt in all.
    pub leapt_ns: u64,
    /// Reasons to stop that the world gave: the strongest has to win.
    pub given: Vec<StopReason>,
    /// How firmly commands asked for the end: 1 drains, 2 terminates, 3 kills.
    pub firmness: u32,
    /// The last signal that asked for a stop and counted.
    pub last_signal: Option<(Signal, Instant)>,
    pub clock: ShadowClock,
    pub restart: Option<ShadowRestart>,
}

impl Shadow {
    pub fn new(policy: &Policy) -> Self {
        let mut shadow = Self {
            policy: policy.clone(),
            items: ItemTable::default(),
            slots: Vec::new(),
            fresh: VecDeque::new(),
            returned: VecDeque::new(),
            unbegun: BTreeSet::new(),
            ranked: BTreeSet::new(),
            ranked_fresh: 0,
            delayed: BTreeMap::new(),
            in_flight: 0,
            in_hand: 0,
            due: 0,
            given_up: BTreeSet::new(),
            asked_signal: None,
            starts: Starts::default(),
            runtimes: Vec::new(),
            limit_moved_at: Instant::ZERO,
            permitted: None,
            was_held: false,
            last_start: None,
            congested: false,
            skipped_now: 0,
            demand: 0,
            source_over: false,
            source_closed: false,
            source_idle: false,
            stage: Stage::Running,
            reason: None,
            stage_since: Instant::ZERO,
            drain_until: None,
            start_exits: 0,
            totals: Totals::default(),
            restored: Totals::default(),
            dispatched: false,
            commit_next: ItemId(0),
            committed: 0,
            dead_row: 0,
            lost_row: 0,
            greeted: false,
            new_companions: Vec::new(),
            all_done: false,
            done_since: Instant::ZERO,
            gave_up_on_program: false,
            finished: false,
            leapt_ns: 0,
            given: Vec::new(),
            firmness: 0,
            last_signal: None,
            clock: ShadowClock::default(),
            restart: None,
        };
        shadow.reset(policy);
        shadow
    }

    pub fn reset(&mut self, policy: &Policy) {
        self.policy.clone_from(policy);
        self.items.reset(policy.first_item);
        self.slots.clear();
        self.slots.resize_with(policy.workers as usize, ShadowSlot::default);
        self.fresh.clear();
        self.returned.clear();
        self.unbegun.clear();
        self.ranked.clear();
        self.delayed.clear();
        self.given_up.clear();
        self.asked_signal = None;
        self.given.clear();
        self.new_companions.clear();
        self.runtimes.clear();
        self.limit_moved_at = Instant::ZERO;
        (self.permitted, self.was_held, self.last_start) = (None, false, None);
        (self.starts, self.congested, self.in_hand) = (Starts::new(policy.report_starts), false, 0);
        (self.ranked_fresh, self.in_flight, self.due, self.skipped_now, self.demand) = (0, 0, 0, 0, 0);
        (self.source_over, self.source_closed, self.source_idle, self.finished) = (false, false, false, false);
        (self.stage, self.reason, self.stage_since) = (Stage::Running, None, Instant::ZERO);
        (self.totals, self.restored, self.dispatched) = (Totals::default(), Totals::default(), false);
        (self.commit_next, self.committed, self.dead_row) = (policy.first_item, 0, 0);
        (self.lost_row, self.greeted) = (0, false);
        (self.all_done, self.done_since, self.gave_up_on_program) = (false, Instant::ZERO, false);
        (self.leapt_ns, self.firmness, self.last_signal) = (0, 0, None);
        (self.drain_until, self.start_exits) = (None, 0);
        (self.clock, self.restart) = (ShadowClock::default(), None);
    }

    pub const fn leapt(&mut self, length: u64) {
        self.leapt_ns += length;
    }

    /// Items that no worker has held yet: those that count against the queue's limit.
    pub fn fresh_items(&self) -> u64 {
        self.fresh.len() as u64 + self.ranked_fresh
    }

    /// In lifo and priority order nothing is dispatched before all that is there was read.
    pub fn released(&self) -> bool {
        self.policy.queue_order == QueueOrder::Fifo || self.source_idle || self.source_over || self.demand == 0
    }

    /// Items that may be dispatched now.
    pub fn waiting_items(&self) -> u64 {
        (self.fresh.len() + self.returned.len() + self.unbegun.len() + self.ranked.len()) as u64
    }

    /// The slot, if this incarnation of it is the present one and has not ended.
    fn present(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<usize> {
        let index = worker.index();
        let slot = self.slots.get(index)?;
        (slot.phase != Phase::Down && slot.incarnation == incarnation.0).then_some(index)
    }

    /// A fact is on its way to the core.
    pub fn before(&mut self, input: &Input, now: Instant, marks: &mut Marks) {
        if self.finished {
            return;
        }
        match input {
            Input::Start => {
                let residents = !self.policy.worker.starts_with_item();
                self.slots.iter_mut().for_each(|slot| slot.must_start = residents);
            }
            Input::StartsPermitted { count } => {
                self.permitted = *count;
                self.was_held |= count.is_some();
            }
            Input::Relief(relief) => self.relieved(*relief),
            Input::Congested { congested } => self.congested = *congested,
            Input::BatchArrived { first, count, priority } => self.arrived(*first, *count, *priority),
            Input::ArrivedAgain { first, count, priority, attempt, causes } => {
                self.arrived(*first, *count, *priority);
                for offset in 0..u64::from(*count) {
                    let item = &mut self.items[first.plus(offset)];
                    (item.attempt, item.causes, item.failures) = (*attempt, causes.clone(), causes.len() as u32);
                }
            }
            Input::GivenUp { item } => self.gives_up(*item),
            Input::SignalNoted { .. } => {}
            Input::SourceDiffers { error } => {
                self.source_over = true;
                self.given.push(StopReason::SourceDiffers(error.clone()));
            }
            Input::ItemRejected { item, reason } => self.rejected(*item, reason),
            Input::SourceIdle => self.source_idle = true,
            Input::SourceEnded => self.source_over = true,
            Input::SourceLost { error } => {
                self.source_over = true;
                let reason = StopReason::SourceLost(error.clone());
                if self.reason.as_ref().is_none_or(|known| !at_least(known, &reason)) {
                    self.reason = Some(reason);
                }
            }
            Input::Restored { first, count, outcome } => self.restores(*first, *count, outcome, marks),
            Input::Command { command, origin } => self.commanded(*command, *origin, marks),
            Input::TakenBack { worker, item } => {
                if !self.taken_back(*worker, *item, now) {
                    self.totals.stale += 1;
                    marks.hit(Mark::StaleDropped);
                }
            }
            Input::SinkClosed => self.given.push(StopReason::SinkClosed),
            Input::SinkLost { error } => self.given.push(StopReason::SinkLost(error.clone())),
            Input::StorageLost { error } => self.given.push(StopReason::StorageLost(error.clone())),
            Input::Spawned { worker, incarnation, .. }
            | Input::SpawnFailed { worker, incarnation, .. }
            | Input::Hello { worker, incarnation }
            | Input::Settled { worker, incarnation, .. }
            | Input::ResultBegins { worker, incarnation, .. }
            | Input::Failed { worker, incarnation, .. }
            | Input::ProbeResult { worker, incarnation, .. }
            | Input::TimeExcluded { worker, incarnation }
            | Input::Stopped { worker, incarnation, .. }
            | Input::ChannelClosed { worker, incarnation }
            | Input::ProtocolError { worker, incarnation, .. }
            | Input::OutputHeld { worker, incarnation }
            | Input::Exited { worker, incarnation, .. } => match self.present(*worker, *incarnation) {
                Some(index) => self.of_worker(index, input, now, marks),
                None => {
                    self.totals.stale += 1;
                    marks.hit(Mark::StaleDropped);
                }
            },
        }
    }

    fn of_worker(&mut self, index: usize, input: &Input, now: Instant, marks: &mut Marks) {
        match input {
            Input::Spawned { pid, .. } => {
                self.lost_row = 0;
                self.spawned(index, *pid, now);
            }
            Input::SpawnFailed { error, .. } => {
                self.not_spawned(index, error, now);
                self.begins_hand(index, now);
            }
            Input::Hello { .. } => {
                let slot = &mut self.slots[index];
                slot.phase = Phase::Ready;
                // A hello that crosses the order to leave does not count as a start.
                slot.met |= !slot.leaving;
                if !slot.leaving && !slot.closed && !slot.broken && slot.kill.is_none() {
                    slot.is_ready();
                }
                self.greeted |= !slot.leaving;
            }
            Input::Settled { first, count, attempt, .. } => {
                self.settled(index, Batch { first: *first, count: *count, attempt: *attempt }, now, marks);
            }
            Input::ResultBegins { item, attempt, .. } => self.begins(index, Batch::of_one(*item, *attempt)),
            Input::Failed { item, attempt, reason, hint, .. } => {
                let kind = CauseKind::Failed(reason.clone());
                self.failed(index, Batch::of_one(*item, *attempt), kind, *hint, now, marks);
            }
            // A worker that was asked to leave may close its channel at any time, but not under items.
            Input::ChannelClosed { .. } => {
                let slot = &mut self.slots[index];
                slot.closed |= !slot.leaving || slot.held > 0;
            }
            Input::ProtocolError { .. } => self.distrust(index),
            // Of one that is being ended it means nothing.
            Input::OutputHeld { .. } => self.slots[index].output_held = self.slots[index].kill.is_none(),
            Input::Exited { status, .. } if self.policy.worker.starts_with_item() => {
                self.command_exited(index, *status, now, marks);
            }
            Input::Exited { status, running, .. } => self.exited(index, *status, *running, now, marks),
            Input::ProbeResult { running, .. } => {
                let seen = self.can_know(index, *running);
                let seen = seen.filter(|id| self.items.get(*id).is_some_and(|it| it.place == ItemPlace::Leased(index)));
                if let Some(id) = seen {
                    self.starts.begun(id);
                }
            }
            _ => {}
        }
    }

    fn arrived(&mut self, first: ItemId, count: u32, priority: i64) {
        for offset in 0..u64::from(count) {
            let id = first.plus(offset);
            self.accept(priority, ItemPlace::Queued);
            if self.policy.queue_order == QueueOrder::Priority {
                self.ranked.insert((priority, id));
                self.ranked_fresh += 1;
            } else {
                self.fresh.push_back(id);
            }
        }
        self.demand = self.demand.saturating_sub(count.into());
        self.source_idle = false;
    }

    fn rejected(&mut self, item: ItemId, reason: &FailReason) {
        self.accept(0, ItemPlace::Due(DueOutcome::Failed));
        self.demand = self.demand.saturating_sub(1);
        self.due += 1;
        let kind = CauseKind::Failed(reason.clone());
        self.items[item].causes.push(Cause { attempt: Attempt::FIRST, worker: None, pid: None, kind });
    }

    fn accept(&mut self, priority: i64, place: ItemPlace) {
        self.totals.accepted += 1;
        self.items.push(ShadowItem::new(priority, place));
    }

    fn restores(&mut self, first: ItemId, count: u32, outcome: &Outcome, marks: &mut Marks) {
        marks.hit(Mark::ItemsRestored);
        if self.policy.keep_order && self.commit_next < first {
            marks.hit(Mark::RestoredBehindOthers);
        }
        let items = u64::from(count);
        for _ in 0..count {
            self.accept(0, ItemPlace::Restored);
        }
        self.restored.accepted += items;
        self.totals.restored += items;
        for totals in [&mut self.totals, &mut self.restored] {
            match outcome {
                Outcome::Done => totals.done += items,
                Outcome::Failed => totals.failed += items,
                Outcome::Dead => totals.dead += items,
                Outcome::Skipped => totals.skipped += items,
            }
        }
    }

    fn spawned(&mut self, index: usize, pid: u32, now: Instant) {
        self.totals.spawned += 1;
        let per_item = self.policy.worker.starts_with_item();
        let slot = &mut self.slots[index];
        (slot.pid, slot.started_at, slot.from_hand) = (pid, now, false);
        let waits = self.policy.worker.hello && !per_item;
        slot.phase = if waits { Phase::Starting } else { Phase::Ready };
        if !waits && !slot.leaves_when_spawned && !slot.companion {
            slot.met = true;
            slot.is_ready();
        }
        if per_item {
            // The program can be started, so earlier failures are forgotten.
            slot.forget_ends();
        }
        if let (true, Some(batch)) = (per_item, slot.leases.front()) {
            let item = &mut self.items[batch.first];
            item.started = true;
            item.holder = Some((index, slot.incarnation, pid));
            self.starts.begun(batch.first);
        }
    }

    fn settled(&mut self, index: usize, batch: Batch, now: Instant, marks: &mut Marks) {
        if !self.takes_next(index, batch, now, marks) {
            return;
        }
        for id in ids(batch.first, batch.count) {
            self.items[id].place = ItemPlace::Due(DueOutcome::Done);
        }
        self.due += u64::from(batch.count);
        self.life_sign(index);
        if self.policy.keep_order && batch.first > self.commit_next {
            marks.hit(Mark::ResultHeldForOrder);
        }
    }

    fn failed(
        &mut self,
        index: usize,
        batch: Batch,
        kind: CauseKind,
        hint: RetryHint,
        now: Instant,
        marks: &mut Marks,
    ) {
        if !self.takes_next(index, batch, now, marks) {
            return;
        }
        self.attempt_failed(batch.first, kind, hint, index);
        let item = &self.items[batch.first];
        match hint {
            RetryHint::Always if item.place == ItemPlace::Queued && item.failures > self.policy.retries => {
                marks.hit(Mark::RetryAskedFor);
            }
            RetryHint::Never if item.failures <= self.policy.retries => marks.hit(Mark::RetryRefused),
            _ => {}
        }
        self.life_sign(index);
    }

    /// The slot did something useful: its earlier ends are forgotten.
    fn life_sign(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.settled_by_process += 1;
        slot.forget_ends();
    }

    /// None of its messages counts any more, unless it is being ended for another reason already.
    fn distrust(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.broken |= slot.kill.is_none();
    }

    /// A large result that is not the next item's breaks the protocol, already at its head.
    fn begins(&mut self, index: usize, next: Batch) {
        let slot = &self.slots[index];
        let holds = self.may_answer(&slot.leases, next);
        if slot.phase != Phase::Ready || slot.broken || !holds {
            self.distrust(index);
        }
    }

    /// Whether an answer about these items is allowed to a worker that holds `leases`.
    fn may_answer(&self, leases: &VecDeque<Batch>, wanted: Batch) -> bool {
        if self.policy.worker.in_order {
            return holds_next(leases, wanted);
        }
        let holds = |id| leases.iter().any(|batch| batch.attempt == wanted.attempt && batch.contains(id));
        wanted.first.0.checked_add(wanted.count.into()).is_some() && ids(wanted.first, wanted.count).all(holds)
    }

    /// Takes these items off the lease, if they are the oldest that the slot holds; else the slot broke the protocol.
    fn takes_next(&mut self, index: usize, next: Batch, now: Instant, marks: &mut Marks) -> bool {
        let slot = &self.slots[index];
        if slot.phase != Phase::Ready || slot.broken || !self.may_answer(&slot.leases, next) {
            self.distrust(index);
            return false;
        }
        let slot = &mut self.slots[index];
        let oldest = slot.leases.front().map(|batch| batch.first);
        let is_left = |id: ItemId| !next.contains(id);
        let kept = slot.leases.iter().flat_map(|batch| {
            let items = ids(batch.first, batch.count).filter(|id| is_left(*id));
            items.fold(Vec::new(), |mut parts: Vec<Batch>, id| {
                match parts.last_mut().filter(|part| part.end() == id) {
                    Some(part) => part.count += 1,
                    None => parts.push(Batch::of_one(id, batch.attempt)),
                }
                parts
            })
        });
        slot.leases = kept.collect();
        slot.held -= u64::from(next.count);
        if slot.leases.front().map(|batch| batch.first) != oldest {
            slot.sent_at = now;
        } else {
            marks.hit(Mark::AnsweredOutOfOrder);
        }
        self.in_flight -= u64::from(next.count);
        for id in ids(next.first, next.count) {
            self.starts.begun(id);
        }
        self.oldest_counts(index);
        true
    }

    /// Where the oldest item is charged for an end, it counts as the one that runs.
    pub fn oldest_counts(&mut self, index: usize) {
        let oldest = self.slots[index].leases.front().filter(|_| self.policy.worker.blame == Blame::OldestHeld);
        if let Some(batch) = oldest {
            self.starts.begun(batch.first);
        }
    }

    /// Judges a step after its last order.
    pub fn after(&mut self, now: Instant, marks: &mut Marks) -> Result<(), BrokenCheck> {
        ensure!(self.due == 0, SettledAtOnce, "{} items have their outcome, and it was not reported", self.due);
        let stopping = self.stage > Stage::Running;
        ensure!(
            stopping || self.skipped_now == 0,
            OneOutcome,
            "{} items skipped though nothing stops",
            self.skipped_now
        );
        self.skipped_now = 0;
        self.new_companions.clear();
        self.starts.after(|id| self.items[id].place == ItemPlace::Settled)?;
        let queued = self.waiting_items() + self.delayed.len() as u64;
        let all = queued + self.in_hand + self.in_flight + self.totals.settled();
        ensure!(
            all == self.totals.accepted,
            Conservation,
            "{} accepted, but {queued} queued, {} in hand, {} in flight, {} settled",
            self.totals.accepted,
            self.in_hand,
            self.in_flight,
            self.totals.settled()
        );
        ensure!(!stopping || queued == 0 || self.finished, OneOutcome, "{queued} items are kept though the run stops");
        self.follows_scale(now)?;
        self.hands_are_recalled(now, marks)?;
        self.must_have_stopped(now)?;
        self.follows_steering(marks)?;
        self.are_relieved()?;
        self.chaos_is_over_in_time(now)?;
        self.has_given_up(marks)?;
        self.has_sent_asked_signal()?;
        self.check_waits(now, marks)
    }

    /// The item that a worker ran when it ended. `named`: the item on its page, or the last one that it named.
    pub fn ran(&self, index: usize, named: Option<ItemId>) -> Option<ItemId> {
        let contract = &self.policy.worker;
        let counts = contract.blame == Blame::OldestHeld && !contract.in_order;
        let is_held = |id: &ItemId| self.slots[index].leases.iter().any(|batch| batch.contains(*id));
        named.filter(|id| counts && is_held(id)).or_else(|| self.can_know(index, named))
    }

    /// The item that a worker runs, as far as the core can know. `page`: the item on its progress page.
    pub fn can_know(&self, index: usize, page: Option<ItemId>) -> Option<ItemId> {
        match self.policy.worker.blame {
            Blame::OldestHeld => self.slots[index].leases.front().map(|batch| batch.first),
            Blame::ProgressPage | Blame::WholeProcess => page,
        }
    }
}

/// Whether these are the oldest items of what is held, all at this attempt.
fn holds_next(leases: &VecDeque<Batch>, wanted: Batch) -> bool {
    let (mut next, mut left) = (wanted.first, u64::from(wanted.count));
    for batch in leases {
        if left == 0 || batch.first != next || batch.attempt != wanted.attempt {
            break;
        }
        left = left.saturating_sub(batch.count.into());
        next = batch.end();
    }
    left == 0
}

/// Whether `reason` is at least as strong as `other`. Two of one kind are equally strong, whatever they carry.
pub fn at_least(reason: &StopReason, other: &StopReason) -> bool {
    std::mem::discriminant(reason) == std::mem::discriminant(other) || reason.outranks(other)
}
