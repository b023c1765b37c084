//! The state of a run, for a person who asks.

use super::Core;
use super::slot::{SlotState, WorkerSlot};
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
    /// In the order of their numbers, without the slots that the run was scaled down by.
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
    /// What is left of the oldest batch that it holds.
    pub lease: Option<Batch>,
    /// Items it holds in all.
    pub in_flight: u64,
    /// Items that its present process settled.
    pub settled: u64,
}

impl Core {
    /// The state at the moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let slot = |(index, slot): (usize, &WorkerSlot)| SlotStatus {
            worker: WorkerId::from_index(index),
            state: match slot.state {
                SlotState::Down if slot.retired => "retired",
                SlotState::Down if slot.timer.is_some() => "waiting",
                SlotState::Down | SlotState::Vacant => "down",
                SlotState::Starting => "starting",
                SlotState::Ready if slot.leases.is_empty() => "ready",
                SlotState::Ready => "busy",
                SlotState::HalfClosed => "mute",
                SlotState::Draining => "draining",
                SlotState::Stopping { .. } => "stopping",
            },
            pid: slot.pid,
            incarnation: slot.incarnation,
            lease: slot.leases.front().map(|lease| lease.batch),
            in_flight: slot.items,
            settled: slot.settled,
        };
        // A removed slot is of interest as long as its worker is leaving.
        let is_shown = |(_, slot): &(usize, &WorkerSlot)| slot.is_up() || !slot.removed;
        Status {
            stage: self.stage,
            reason: self.reason.clone(),
            queued: self.queue.items(),
            delayed: self.queue.delayed_items(),
            in_flight: self.pool.in_flight,
            demand: self.admission.outstanding,
            source_ended: self.admission.ended,
            totals: self.totals,
            slots: self.pool.slots.iter().enumerate().filter(is_shown).map(slot).collect(),
        }
    }
}
