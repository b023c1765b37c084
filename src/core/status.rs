//! What the core looks like at the moment, for a person who asks (USR1, a control socket).

use crate::model::event::Stage;
use crate::model::ids::{Incarnation, Run, WorkerId};
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
    pub lease: Option<Run>,
    /// Items it holds in all.
    pub in_flight: u64,
    /// Items it settled in this life.
    pub settled: u64,
}
