//! Worker slots: Down -> Starting -> Ready -> Draining -> Stopping -> Down, what each holds, and
//! which of them want items.
//!
//! Invariant: a slot is in a set of those that want items only if it may be sent some: it is ready
//! (or, of a process per item, down), and below its credit.

use super::credit::{Pace, Rules};
use super::mutant::Mutant;
use super::restart::History;
use super::slots::SlotSet;
use crate::model::event::EndReason;
use crate::model::exit::ExitStatus;
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId};
use crate::model::spec::{Lifecycle, Policy, QueueOrder};
use crate::model::time::{Duration, Instant};
use std::collections::VecDeque;

/// Where a slot is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No process; perhaps a back-off runs.
    Down,
    /// Ordered; no hello yet. Of a process per item: not spawned yet.
    Starting,
    Ready,
    /// It closed its channel and its exit is awaited.
    HalfClosed,
    /// It was asked to leave.
    Draining,
    /// It goes through the term sequence; `step` is the one that was done last, `None` before the first.
    Stopping {
        step: Option<usize>,
    },
}

/// Why we end a process, or why it left at our wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KillReason {
    Asked,
    TimedOut(ItemId),
    NoHello,
    Protocol(String),
    Strategy,
    Stopped,
}

impl KillReason {
    /// In the words of the event. A worker that was asked to leave and fails on its way out ended
    /// of its own accord.
    pub(super) fn reason(kill_reason: Option<&Self>, status: ExitStatus) -> EndReason {
        match kill_reason {
            None => EndReason::Own,
            Some(Self::Asked) if !status.is_success() => EndReason::Own,
            Some(Self::Asked) => EndReason::Asked,
            Some(Self::TimedOut(_)) => EndReason::TimedOut,
            Some(Self::NoHello) => EndReason::NoHello,
            Some(Self::Protocol(text)) => EndReason::Protocol(text.clone()),
            Some(Self::Strategy) => EndReason::Strategy,
            Some(Self::Stopped) => EndReason::Stopped,
        }
    }
}

/// A run at a worker: what is left of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) batch: Batch,
    pub(super) priority: i64,
    /// When it was dispatched.
    pub(super) since: Instant,
    /// It was dispatched as a run of one, so that it is known when its item starts.
    pub(super) single: bool,
}

/// How an answer fits what a worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It names the next items.
    Next,
    /// The worker does not keep the protocol: it names other items, or an attempt that is not theirs.
    Wrong,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) state: State,
    pub(super) incarnation: Incarnation,
    /// Of the process, once it is spawned.
    pub(super) pid: Option<u32>,
    pub(super) kill_reason: Option<KillReason>,
    /// Oldest first; the worker answers in this order.
    pub(super) leases: VecDeque<Lease>,
    pub(super) items: u64,
    pub(super) pace: Pace,
    pub(super) answered_at: Instant,
    /// It answered something in this life.
    pub(super) answered: bool,
    /// Items settled in this life.
    pub(super) settled: u64,
    /// The item it was last known to be at, and since when.
    pub(super) watch: Option<Watch>,
    pub(super) history: History,
    pub(super) timer: Option<Instant>,
    /// It was ready, or failed, once.
    pub(super) introduced: bool,
    /// It is never filled again.
    pub(super) retired: bool,
}

/// The item that a worker is at, against the hard limit of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) item: ItemId,
    /// When its time began to count; later by what was excused.
    since: Instant,
    probed_at: Instant,
}

impl Watch {
    pub(super) const fn new(item: ItemId, now: Instant) -> Self {
        Self { item, since: now, probed_at: now }
    }

    /// It is still there: for how long by now.
    pub(super) fn again(&mut self, now: Instant) -> Duration {
        self.probed_at = now;
        now.since(self.since)
    }

    /// The time since the last look does not count.
    pub(super) fn exclude_time(&mut self, now: Instant) {
        self.since = self.since + now.since(self.probed_at);
        self.probed_at = now;
    }
}

impl Slot {
    fn new() -> Self {
        Self {
            state: State::Down,
            incarnation: Incarnation(0),
            pid: None,
            kill_reason: None,
            leases: VecDeque::new(),
            items: 0,
            pace: Pace::new(),
            answered_at: Instant::ZERO,
            answered: false,
            settled: 0,
            watch: None,
            history: History::default(),
            timer: None,
            introduced: false,
            retired: false,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state != State::Down
    }

    /// If it holds this item.
    pub(super) fn holds(&self, item: ItemId) -> bool {
        self.leases.iter().any(|lease| lease.batch.contains(item))
    }

    /// If these are the next items it holds, at this attempt.
    #[inline]
    pub(super) fn fit(&self, first: ItemId, count: u32, attempt: Attempt) -> Fit {
        let mut next = first;
        let mut left = u64::from(count);
        for lease in &self.leases {
            if lease.batch.first != next || lease.batch.attempt != attempt {
                break;
            }
            left = left.saturating_sub(u64::from(lease.batch.count));
            next = lease.batch.end();
            if left == 0 && count > 0 {
                return Fit::Next;
            }
        }
        Fit::Wrong
    }
}

/// All slots.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) slots: Vec<Slot>,
    pub(super) rules: Rules,
    lifecycle: Lifecycle,
    /// Those that hold nothing.
    pub(super) idle: SlotSet,
    /// Those that hold something, could take more, and whose items are short.
    pub(super) quick: SlotSet,
    /// The same for those whose items are long, or of unknown length.
    pub(super) slow: SlotSet,
    /// Where the last item in advance went, so that the next goes to another.
    pub(super) cursor: usize,
    /// Slots that are not down.
    pub(super) up: usize,
    pub(super) introduced: usize,
    pub(super) retired: usize,
    /// Items at all workers.
    pub(super) in_flight: u64,
}

impl Pool {
    pub(super) fn new(policy: &Policy, mutation: super::mutant::Mutation) -> Self {
        let slots = policy.workers.max(1) as usize;
        // In lifo and priority order each item is chosen by itself.
        let batch_max = if policy.queue_order == QueueOrder::Fifo { policy.batch_max.max(1) } else { 1 };
        let mut pool = Self {
            slots: (0..slots).map(|_| Slot::new()).collect(),
            rules: Rules { credit: policy.credit, batch_max, mutation },
            lifecycle: policy.lifecycle,
            idle: SlotSet::new(slots),
            quick: SlotSet::new(slots),
            slow: SlotSet::new(slots),
            cursor: 0,
            up: 0,
            introduced: 0,
            retired: 0,
            in_flight: 0,
        };
        for index in 0..slots {
            pool.file(index);
        }
        pool
    }

    /// Moves a slot to another state.
    pub(super) fn turn(&mut self, index: usize, state: State) {
        let slot = &mut self.slots[index];
        match (slot.is_up(), state != State::Down) {
            (false, true) => self.up += 1,
            (true, false) => self.up -= 1,
            _ => {}
        }
        slot.state = state;
        self.file(index);
    }

    /// Notes that a slot was ready, or failed, for the first time.
    pub(super) fn introduce(&mut self, index: usize) {
        if !std::mem::replace(&mut self.slots[index].introduced, true) {
            self.introduced += 1;
        }
    }

    /// Notes that a slot is never filled again.
    pub(super) fn retire(&mut self, index: usize) {
        if !std::mem::replace(&mut self.slots[index].retired, true) {
            self.retired += 1;
        }
    }

    /// What a slot may be sent now.
    #[inline]
    pub(super) fn spare(&self, index: usize) -> u32 {
        let slot = &self.slots[index];
        match (self.lifecycle, slot.state) {
            (Lifecycle::PerItem, State::Down) if slot.timer.is_none() => 1,
            (Lifecycle::Resident, State::Ready) => slot.pace.spare(self.rules, slot.leases.len(), slot.items),
            (Lifecycle::Resident, State::Starting)
                if slot.pid.is_some() && self.rules.mutation.is(Mutant::DispatchBeforeHello) =>
            {
                slot.pace.spare(self.rules, slot.leases.len(), slot.items)
            }
            _ => 0,
        }
    }

    /// Puts a slot into the sets that fit it; to be called after each change of what decides that.
    #[inline]
    pub(super) fn file(&mut self, index: usize) {
        let spare = self.spare(index) > 0;
        let slot = &self.slots[index];
        let (idle, slow) = (slot.leases.is_empty(), slot.pace.is_slow());
        self.idle.set(index, spare && idle);
        self.quick.set(index, spare && !idle && !slow);
        self.slow.set(index, spare && !idle && slow);
    }

    /// The slot that gets the next items: an idle one before any is sent work in advance. `tail`:
    /// so few items are left that long ones are better kept for whoever is idle first.
    #[inline]
    pub(super) fn next(&self, tail: bool) -> Option<usize> {
        if let Some(index) = self.idle.next_from(0) {
            return Some(index);
        }
        let quick = self.quick.next_from(self.cursor);
        let slow = if tail { None } else { self.slow.next_from(self.cursor) };
        match (quick, slow) {
            // Whichever comes first, going round from the cursor.
            (Some(a), Some(b)) => Some(if (a < self.cursor, a) < (b < self.cursor, b) { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    /// Notes that a slot holds a further run.
    pub(super) fn lease(&mut self, index: usize, lease: Lease) {
        let count = u64::from(lease.batch.count);
        self.slots[index].leases.push_back(lease);
        self.slots[index].items += count;
        self.in_flight += count;
        self.cursor = (index + 1) % self.slots.len();
        self.file(index);
    }

    /// Takes up to `count` items off the oldest lease of a slot; the lease is gone with its last item.
    #[inline]
    pub(super) fn take(&mut self, index: usize, count: u32) -> Option<(Batch, i64)> {
        let slot = &mut self.slots[index];
        let front = slot.leases.front_mut()?;
        let priority = front.priority;
        let (batch, rest) = front.batch.split(count);
        match rest {
            Some(rest) => front.batch = rest,
            None => drop(slot.leases.pop_front()),
        }
        slot.items -= u64::from(batch.count);
        self.in_flight -= u64::from(batch.count);
        Some((batch, priority))
    }

    /// Takes the newest lease of a slot.
    pub(super) fn take_last(&mut self, index: usize) -> Option<Lease> {
        let slot = &mut self.slots[index];
        let lease = slot.leases.pop_back()?;
        slot.items -= u64::from(lease.batch.count);
        self.in_flight -= u64::from(lease.batch.count);
        Some(lease)
    }
}
