//! One worker slot: Down -> Starting -> Ready -> Draining -> Stopping -> Down, and what it holds.
//!
//! Invariant: a slot is a record. The state changes through [`Pool::turn`](super::pool::Pool::turn)
//! alone, so that the pool's counters and sets follow it.

use super::credit::BatchSizer;
use super::restart::History;
use crate::model::event::EndReason;
use crate::model::exit::ExitStatus;
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId};
use crate::model::time::{Duration, Instant};
use std::collections::VecDeque;

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotState {
    /// No process; perhaps a back-off runs.
    Down,
    /// No process, and the slot takes one item: a process is started together with it.
    Vacant,
    /// Ordered, and not ready yet: not spawned, or its hello is awaited.
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

/// Why the core ends a process, or asked it to leave.
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
    /// The reason that the event gives. A worker that was asked to leave and fails on its way out
    /// ended by itself.
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

/// A batch at a worker: what is left of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) batch: Batch,
    pub(super) priority: i64,
    /// When it was dispatched.
    pub(super) since: Instant,
    /// It was dispatched as a batch of one, so the start of its item is known.
    pub(super) single: bool,
}

#[derive(Debug)]
pub(super) struct WorkerSlot {
    pub(super) state: SlotState,
    pub(super) incarnation: Incarnation,
    /// Of the process, once it is spawned.
    pub(super) pid: Option<u32>,
    pub(super) kill_reason: Option<KillReason>,
    /// Oldest first; the worker answers in this order.
    pub(super) leases: VecDeque<Lease>,
    pub(super) items: u64,
    pub(super) sizer: BatchSizer,
    pub(super) answered_at: Instant,
    /// This process answered something.
    pub(super) answered: bool,
    /// Items that this process settled.
    pub(super) settled: u64,
    /// The item that it was last known to run, and since when.
    pub(super) watch: Option<Watch>,
    pub(super) history: History,
    pub(super) timer: Option<Instant>,
    /// It was ready, or failed, once.
    pub(super) introduced: bool,
    /// Its restart type lets it never be filled again.
    pub(super) retired: bool,
    /// The run was scaled down: the slot is filled again only after it is scaled up.
    pub(super) removed: bool,
    /// It was removed and added again while its process was leaving: filled again whatever the restart type.
    pub(super) refill: bool,
}

/// The item that a worker runs, measured against the hard limit of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) item: ItemId,
    /// When its time began to count; later by the time that was excluded.
    since: Instant,
    probed_at: Instant,
}

impl Watch {
    pub(super) const fn new(item: ItemId, now: Instant) -> Self {
        Self { item, since: now, probed_at: now }
    }

    /// A probe found the same item: its time so far.
    pub(super) fn again(&mut self, now: Instant) -> Duration {
        self.probed_at = now;
        now.since(self.since)
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
            kill_reason: None,
            leases: VecDeque::new(),
            items: 0,
            sizer: BatchSizer::new(),
            answered_at: Instant::ZERO,
            answered: false,
            settled: 0,
            watch: None,
            history: History::default(),
            timer: None,
            introduced: false,
            retired: false,
            removed: false,
            refill: false,
        }
    }

    /// If it has a process, or one is ordered.
    pub(super) fn is_up(&self) -> bool {
        !matches!(self.state, SlotState::Down | SlotState::Vacant)
    }

    /// If it holds this item.
    pub(super) fn holds(&self, item: ItemId) -> bool {
        self.leases.iter().any(|lease| lease.batch.contains(item))
    }

    /// The oldest item that it has not answered for.
    pub(super) fn oldest_item(&self) -> Option<ItemId> {
        self.leases.front().map(|lease| lease.batch.first)
    }

    /// If these are the next items it holds, at this attempt. They may span several leases.
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
