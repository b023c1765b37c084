//! One step of a run, as people read it: who told what to whom, and why.
//!
//! The names of [`StepKind`] and [`Party`] are those of `flow --format json`.

use crate::core::reason::WaitReason;
use crate::model::exit::ExitStatus;
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::Outcome;
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use std::fmt;

/// What a step is. The numbers of the variants are those of `html/js/data.js`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// A message passed.
    Frame,
    /// A process was started, got ready, or ended.
    Process,
    /// A signal was sent or received.
    Signal,
    /// The core was told something.
    Fact,
    /// The core decided something.
    Order,
    /// Results were written to stdout.
    Output,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Frame, Self::Process, Self::Signal, Self::Fact, Self::Order, Self::Output];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Process => "process",
            Self::Signal => "signal",
            Self::Fact => "fact",
            Self::Order => "order",
            Self::Output => "output",
        }
    }
}

/// Who takes part in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    Source,
    Supervisor,
    Worker(WorkerId),
    Output,
    /// A person, another process, or the system.
    Outside,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.pad("source"),
            Self::Supervisor => f.pad("supervisor"),
            Self::Worker(worker) => f.pad(&format!("worker {worker}")),
            Self::Output => f.pad("output"),
            Self::Outside => f.pad("outside"),
        }
    }
}

/// The life of a frame. What only the worker can tell is missing until its answer came, and where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameLife {
    /// When the sender put it aside to be sent. A worker does so when it has finished the items.
    pub queued: Option<Instant>,
    /// When the last of it was written.
    pub sent: Option<Instant>,
    /// When the receiver read it.
    pub received: Option<Instant>,
    /// Of an answer: when the worker had read the items that it is about.
    pub taken: Option<Instant>,
    /// When the work on the first of its items began.
    pub began: Option<Instant>,
    /// When the work on the last of its items had ended.
    pub finished: Option<Instant>,
}

/// What a step says, for views that put several steps together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Something that no such view looks for.
    Other,
    /// Items came from the source.
    Arrived,
    /// An item came from the source that cannot be handed out.
    Rejected,
    /// Items have their outcome from an earlier run.
    Restored,
    /// Why nothing is dispatched from now on.
    Waits(WaitReason),
    /// A process is ordered, if the step has items: for them.
    Spawn,
    /// Items are given to a worker.
    Dispatch,
    /// Items passed to a worker.
    Items,
    /// Results or a failure passed from a worker.
    Answer,
    /// The supervisor sends a worker a signal.
    Kill(Signal),
    Spawned,
    NotSpawned,
    /// A process said hello.
    Ready,
    /// A process was stopped by a signal, or goes on.
    Stopped,
    /// A process has ended. The step's items are the one that it was at.
    Exited(ExitStatus),
    /// Items are in the queue again, uncharged. `running`: the one of them that the process was at.
    Returned {
        running: Option<ItemId>,
    },
    /// An item is in the queue again as another attempt, once `delay` has passed.
    Retried {
        delay: Duration,
        /// Chaos ended the attempt before, which counts toward nothing.
        by_chaos: bool,
    },
    /// Items have their outcome. `in_turn`: it may be shown at once.
    Settled {
        outcome: Outcome,
        in_turn: bool,
    },
    /// The turn of items that were settled before has come: they may be shown.
    Commit,
    /// stdout has taken all output of the items that may be shown.
    Shown,
    /// The run stops, or stops more firmly.
    Stopping,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Instant,
    pub kind: StepKind,
    pub topic: Topic,
    pub from: Party,
    pub to: Party,
    pub worker: Option<WorkerId>,
    pub incarnation: Option<Incarnation>,
    pub pid: Option<u32>,
    /// The items that it is about, with their attempt: 0 where it is not known.
    pub batch: Option<Batch>,
    pub bytes: Option<u64>,
    /// What happened, without a final stop. Text from outside in it is not escaped.
    pub label: String,
    /// Why, where the core decided it: a clause that follows "because".
    pub because: Option<String>,
    /// Of a frame.
    pub life: Option<FrameLife>,
    /// Something that a person looks for: an unasked end, a failure, a loss.
    pub is_bad: bool,
    /// It is shown unless other kinds are asked for; the rest is the reasoning behind it.
    pub is_main: bool,
}

impl Step {
    /// A step of the supervisor's own, about nothing in particular.
    #[must_use]
    pub fn new(at: Instant, kind: StepKind, label: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            topic: Topic::Other,
            from: Party::Supervisor,
            to: Party::Supervisor,
            worker: None,
            incarnation: None,
            pid: None,
            batch: None,
            bytes: None,
            label: label.into(),
            because: None,
            life: None,
            is_bad: false,
            is_main: true,
        }
    }
}
