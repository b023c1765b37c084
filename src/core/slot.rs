//! One worker slot: its state ([`SlotState`]) and its leases.
//!
//! Invariant: a slot is a record. The state changes through [`Pool::set_state`](super::pool::Pool::set_state)
//! alone, so that the pool's counters and sets follow it.

use super::chaos_plan::SlotChaos;
use super::credit::BatchSizer;
use super::restart::SlotHistory;
use crate::model::event::EndReason;
use crate::model::exit::ExitStatus;
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use std::collections::VecDeque;

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotState {
    /// No process. A back-off may be running.
    Down,
    /// No process. The slot waits for an item, and a process is started together with it.
    Vacant,
    /// The process was ordered, and is not spawned yet or has not sent its hello.
    Starting,
    Ready,
    /// The worker closed its channel and has not exited.
    HalfClosed,
    /// The worker was asked to leave and has not exited.
    Draining,
    /// The worker is being ended by the term sequence. `step`: the last step that was done.
    Stopping {
        step: Option<usize>,
    },
}

/// Why the core ends a process, or asked it to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KillReason {
    Asked,
    TimedOut(ItemId),
    NoHello,
    Protocol(String),
    /// It closed its channel and did not exit. What it wrote before that counts.
    Closed,
    Strategy,
    Stopped,
    /// The machine is short of something.
    Relief,
    /// An item that it holds was given up.
    GivenUp,
}

impl KillReason {
    /// The same, unless chaos has ended it.
    pub(super) fn of(kill_reason: Option<&Self>, status: ExitStatus, by_chaos: bool) -> EndReason {
        if by_chaos { EndReason::Chaos } else { Self::reason(kill_reason, status) }
    }

    /// The reason as the event reports it. If a worker was asked to leave and then fails, it ended by itself.
    pub(super) fn reason(kill_reason: Option<&Self>, status: ExitStatus) -> EndReason {
        match kill_reason {
            None => EndReason::Own,
            Some(Self::Asked) if !status.is_success() => EndReason::Own,
            Some(Self::Asked) => EndReason::Asked,
            Some(Self::TimedOut(_)) => EndReason::TimedOut,
            Some(Self::NoHello) => EndReason::NoHello,
            Some(Self::Protocol(text)) => EndReason::Protocol(text.clone()),
            Some(Self::Closed) => EndReason::Protocol("closed its channel and did not exit".to_owned()),
            Some(Self::Strategy) => EndReason::Strategy,
            Some(Self::Stopped) => EndReason::Stopped,
            Some(Self::Relief) => EndReason::Relief,
            Some(Self::GivenUp) => EndReason::GivenUp,
        }
    }
}

/// A batch at a worker, without the items that were answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) batch: Batch,
    pub(super) priority: i64,
    /// When it was dispatched.
    pub(super) since: Instant,
    pub(super) start: Start,
}

/// What is known of the start of a lease's item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The item is one of a longer batch: its start is reported only if the attempt fails.
    InBatch,
    /// The item was dispatched alone. It was not seen to begin.
    Awaited,
    /// It has begun, and that was reported.
    Reported,
}

impl Start {
    pub(super) const fn of(batch: Batch) -> Self {
        if batch.count == 1 { Self::Awaited } else { Self::InBatch }
    }
}

/// The items that a slot has in hand.
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// In the order of their starts. The time of each is when it was given.
    pub(super) leases: VecDeque<Lease>,
    /// They were asked for again: the answers are on their way.
    pub(super) recalled: bool,
    /// Most items, by the length of the last command.
    pub(super) items_max: usize,
}

#[derive(Debug)]
pub(super) struct WorkerSlot {
    pub(super) state: SlotState,
    pub(super) incarnation: Incarnation,
    /// Of the process, once it is spawned.
    pub(super) pid: Option<u32>,
    /// The signal that has stopped it, until it goes on.
    pub(super) stopped: Option<Signal>,
    /// It is stopped by an order of the core, and not ordered to go on.
    pub(super) is_held: bool,
    /// It is stopped with the whole run.
    pub(super) is_paused: bool,
    /// A STOP was ordered, and what became of it was not seen.
    pub(super) is_stop_unseen: bool,
    pub(super) kill_reason: Option<KillReason>,
    /// Oldest first; a worker whose contract is in order answers in this order.
    pub(super) leases: VecDeque<Lease>,
    pub(super) items: u64,
    pub(super) sizer: BatchSizer,
    pub(super) answered_at: Instant,
    /// This process was ready.
    pub(super) was_ready: bool,
    /// This process has ended, and the end of its output is awaited.
    pub(super) output_held: bool,
    /// This process has answered for an item.
    pub(super) answered: bool,
    /// Items that this process settled.
    pub(super) settled: u64,
    /// The item that it was last known to run.
    pub(super) watch: Option<Watch>,
    pub(super) history: SlotHistory,
    pub(super) timer: Option<Instant>,
    /// Its first start has succeeded or failed.
    pub(super) tried: bool,
    /// Its restart type allows no further process.
    pub(super) retired: bool,
    /// The run was scaled down: the slot gets no process until the run is scaled up.
    pub(super) removed: bool,
    /// It was removed and added again while its process was leaving: it gets a process whatever the restart type.
    pub(super) refill: bool,
    /// Its process is due, and waits until processes may be started.
    pub(super) start_due: bool,
    /// When its command was started; only with a limit that is a share of the median.
    pub(super) started_at: Instant,
    /// The limit of that kind that its command has passed.
    pub(super) passed_limit: Option<Duration>,
    /// The items that are started next, without a further order.
    pub(super) hand: Hand,
    /// The present process was in hand, and is not known to be started.
    pub(super) from_hand: bool,
    /// When its process was spawned.
    pub(super) spawned_at: Instant,
    /// What chaos has done to its process.
    pub(super) chaos: SlotChaos,
}

/// The item that a worker runs, and its time so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) item: ItemId,
    /// When its time began to count, plus the time that was excluded.
    since: Instant,
    probed_at: Instant,
}

impl Watch {
    pub(super) const fn new(item: ItemId, now: Instant) -> Self {
        Self { item, since: now, probed_at: now }
    }

    /// A probe found the same item. Returns its time so far.
    pub(super) fn again(&mut self, now: Instant) -> Duration {
        self.probed_at = now;
        now.since(self.since)
    }

    /// When its time has reached this limit.
    pub(super) fn due(&self, limit: Duration) -> Instant {
        self.since + limit
    }

    /// So much time from now on does not count.
    pub(super) fn delay(&mut self, time: Duration) {
        self.since = self.since + time;
    }

    /// The time since the last probe does not count.
    pub(super) fn exclude_time(&mut self, now: Instant) {
        self.since = self.since + now.since(self.probed_at);
        self.probed_at = now;
    }
}

impl WorkerSlot {
    pub(super) fn new() -> Self {
        Self {
            state: SlotState::Down,
            incarnation: Incarnation(0),
            pid: None,
            stopped: None,
            is_held: false,
            is_paused: false,
            is_stop_unseen: false,
            kill_reason: None,
            leases: VecDeque::new(),
            items: 0,
            sizer: BatchSizer::new(),
            answered_at: Instant::ZERO,
            was_ready: false,
            output_held: false,
            answered: false,
            settled: 0,
            watch: None,
            history: SlotHistory::default(),
            timer: None,
            tried: false,
            retired: false,
            removed: false,
            refill: false,
            start_due: false,
            started_at: Instant::ZERO,
            passed_limit: None,
            hand: Hand::default(),
            from_hand: false,
            spawned_at: Instant::ZERO,
            chaos: SlotChaos::default(),
        }
    }

    /// Whether it has a process, or one is ordered.
    pub(super) fn is_up(&self) -> bool {
        !matches!(self.state, SlotState::Down | SlotState::Vacant)
    }

    /// Whether it holds this item.
    pub(super) fn holds(&self, item: ItemId) -> bool {
        self.leases.iter().any(|lease| lease.batch.contains(item))
    }

    /// The oldest item that it has not answered for.
    pub(super) fn oldest_item(&self) -> Option<ItemId> {
        self.leases.front().map(|lease| lease.batch.first)
    }

    /// Whether it holds all of these items, at this attempt. They may be in several leases, in any order.
    pub(super) fn holds_all(&self, first: ItemId, count: u32, attempt: Attempt) -> bool {
        let (mut next, mut left) = (first, u64::from(count));
        while left > 0 {
            let holder = self.leases.iter().find(|lease| lease.batch.contains(next));
            let Some(lease) = holder.filter(|lease| lease.batch.attempt == attempt) else { return false };
            left = left.saturating_sub(lease.batch.end().0 - next.0);
            next = lease.batch.end();
        }
        count > 0
    }

    /// Whether these are the next items that it holds, at this attempt. They may span several leases.
    #[inline]
    pub(super) fn holds_next(&self, first: ItemId, count: u32, attempt: Attempt) -> bool {
        let mut next = first;
        let mut left = u64::from(count);
        for lease in &self.leases {
            if lease.batch.first != next || lease.batch.attempt != attempt {
                break;
            }
            left = left.saturating_sub(u64::from(lease.batch.count));
            next = lease.batch.end();
            if left == 0 && count > 0 {
                return true;
            }
        }
        false
    }
}
