//! The state of a run at one moment, as data.

#![deny(missing_docs)]

use super::event::Stage;
use super::ids::{Batch, Incarnation, WorkerId};
use super::outcome::{StopReason, Totals};
use super::signal::Signal;
use super::time::Duration;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// How far a stop has come.
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
    /// The source delivers no more items.
    pub source_ended: bool,
    /// The counts so far.
    pub totals: Totals,
    /// In the order of their numbers, without the slots that the run was scaled down by.
    pub slots: Vec<SlotStatus>,
    /// The run is paused. Not in a trace.
    #[serde(skip)]
    pub is_paused: bool,
}

/// One worker slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotStatus {
    /// The slot, from 1.
    pub worker: WorkerId,
    /// What its process is at.
    pub state: WorkerState,
    /// The signal that has stopped its process, until it is continued.
    pub stopped: Option<Signal>,
    /// Its process; `None` if it has none.
    pub pid: Option<u32>,
    /// Which process of the slot that is, or was last; 0 before the first.
    pub incarnation: Incarnation,
    /// What is left of the oldest batch that it holds.
    pub lease: Option<Batch>,
    /// Items it holds in all.
    pub in_flight: u64,
    /// Items that its present process settled.
    pub settled: u64,
    /// How long its oldest batch has been the oldest. The time of a pause does not count. Not in a trace.
    #[serde(skip)]
    pub busy: Option<Duration>,
}

/// What a slot is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WorkerState {
    /// It has no process.
    Down,
    /// It has no process and gets none.
    Retired,
    /// It has no process until its back-off is over.
    Waiting,
    /// Its process has not said hello.
    Starting,
    /// Its process holds no item.
    Ready,
    /// Its process holds items.
    Busy,
    /// Its process closed its channel and has not exited.
    HalfClosed,
    /// Its process was asked to leave.
    Draining,
    /// Its process is being ended by signals.
    Stopping,
}

impl fmt::Display for WorkerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Retired => "retired",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Busy => "busy",
            Self::HalfClosed => "half-closed",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
        })
    }
}
