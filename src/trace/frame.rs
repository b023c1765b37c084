//! A frame as a trace sees it.

use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::model::time::Instant;
use serde::{Deserialize, Serialize};

/// Which way a frame travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    ToWorker,
    FromWorker,
}

/// What kind of message a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrameKind {
    Hello,
    /// Items to a worker.
    Items,
    Results,
    Failure,
}

impl FrameKind {
    /// As people read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Items => "items",
            Self::Results => "results",
            Self::Failure => "failure",
        }
    }
}

/// A frame that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedFrame {
    pub direction: Direction,
    pub kind: FrameKind,
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    /// The items that it is about; `None` of a hello.
    pub batch: Option<Batch>,
    /// Bytes of items, results or text.
    pub body_bytes: u64,
    /// To a worker: when it was queued. From a worker: when it was read.
    pub queued: Instant,
    /// To a worker: when the last of it was written. From a worker: when it was read.
    pub passed: Instant,
    /// What the worker says of its work on these items, if it was asked to and is one of ours.
    pub work: Option<WorkTimes>,
}

/// When a worker took a frame of items, and when it worked on those that its answer is about. One clock for all
/// processes of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkTimes {
    /// When it read the frame that brought the first of them.
    pub taken: Instant,
    /// When it began the first.
    pub began: Instant,
    /// When it had finished the last.
    pub finished: Instant,
}
