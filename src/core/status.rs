//! The state of a run, for a person who asks.

use super::Core;
use super::slot::{SlotState, WorkerSlot};
use crate::model::ids::WorkerId;
use crate::model::signal::Signal;
use crate::model::status::{SlotStatus, Status, WorkerState};

impl Core {
    /// The state at the moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let slot = |(index, slot): (usize, &WorkerSlot)| SlotStatus {
            worker: WorkerId::from_index(index),
            state: match slot.state {
                SlotState::Down if slot.retired => WorkerState::Retired,
                SlotState::Down if slot.timer.is_some() || slot.start_due => WorkerState::Waiting,
                SlotState::Down | SlotState::Vacant => WorkerState::Down,
                SlotState::Starting => WorkerState::Starting,
                SlotState::Ready if slot.leases.is_empty() => WorkerState::Ready,
                SlotState::Ready => WorkerState::Busy,
                SlotState::HalfClosed => WorkerState::HalfClosed,
                SlotState::Draining => WorkerState::Draining,
                SlotState::Stopping { .. } => WorkerState::Stopping,
            },
            stopped: slot.stopped.or((slot.is_held || slot.is_paused).then_some(Signal::STOP)),
            pid: slot.pid,
            incarnation: slot.incarnation,
            lease: slot.leases.front().map(|lease| lease.batch),
            in_flight: slot.items,
            settled: slot.settled,
            busy: slot.leases.front().map(|lease| self.now.since(lease.since.max(slot.answered_at))),
        };
        // A removed slot is of interest as long as its worker is leaving.
        let is_shown = |(_, slot): &(usize, &WorkerSlot)| slot.is_up() || !slot.removed;
        Status {
            stage: self.stage,
            reason: self.reason.clone(),
            queued: self.queue.items() + self.pool.hands,
            delayed: self.queue.delayed_items(),
            in_flight: self.pool.in_flight,
            demand: self.admission.outstanding,
            source_ended: self.admission.ended,
            totals: self.totals,
            is_paused: self.clock.is_paused(),
            slots: self.pool.slots.iter().enumerate().filter(is_shown).map(slot).collect(),
        }
    }
}
