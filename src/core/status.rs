//! What the core looks like at the moment, for a person who asks.

use super::Core;
use super::pool::State;
use crate::model::event::Stage;
use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::model::outcome::{StopReason, Totals};

/// The whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub stage: Stage,
    /// Why it stops; `None` while it runs.
    pub reason: Option<StopReason>,
    /// Items that wait for a worker.
    pub queued: u64,
    /// Items that wait for the delay of their next attempt.
    pub delayed: u64,
    /// Items at workers.
    pub in_flight: u64,
    /// Items the source may still deliver.
    pub demand: u64,
    pub source_ended: bool,
    pub totals: Totals,
    pub slots: Vec<SlotStatus>,
}

/// One worker slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotStatus {
    pub worker: WorkerId,
    /// `down`, `retired`, `waiting` (for its back-off), `starting`, `ready`, `busy`, `mute`, `draining`, `stopping`.
    pub state: &'static str,
    pub pid: Option<u32>,
    pub incarnation: Incarnation,
    /// What it holds of its oldest run.
    pub lease: Option<Batch>,
    /// Items it holds in all.
    pub in_flight: u64,
    /// Items it settled in this life.
    pub settled: u64,
}

impl Core {
    /// What is left of the oldest run that this worker holds; nothing of one whose answers are not heard.
    #[must_use]
    #[inline]
    pub fn oldest_batch(&self, worker: WorkerId, incarnation: Incarnation) -> Option<Batch> {
        let slot =
            self.pool.slots.get(worker.index()).filter(|slot| slot.incarnation == incarnation && slot.is_up())?;
        slot.leases.front().map(|lease| lease.batch)
    }

    /// How things stand.
    #[must_use]
    pub fn status(&self) -> Status {
        let slot = |(index, slot): (usize, &super::pool::Slot)| SlotStatus {
            worker: WorkerId::from_index(index),
            state: match slot.state {
                State::Down if slot.retired => "retired",
                State::Down if slot.timer.is_some() => "waiting",
                State::Down => "down",
                State::Starting => "starting",
                State::Ready if slot.leases.is_empty() => "ready",
                State::Ready => "busy",
                State::HalfClosed => "mute",
                State::Draining => "draining",
                State::Stopping { .. } => "stopping",
            },
            pid: slot.pid,
            incarnation: slot.incarnation,
            lease: slot.leases.front().map(|lease| lease.batch),
            in_flight: slot.items,
            settled: slot.settled,
        };
        Status {
            stage: self.stage,
            reason: self.reason.clone(),
            queued: self.queue.items(),
            delayed: self.queue.delayed_items(),
            in_flight: self.pool.in_flight,
            demand: self.admission.outstanding,
            source_ended: self.admission.ended,
            totals: self.totals,
            slots: self.pool.slots.iter().enumerate().map(slot).collect(),
        }
    }
}
