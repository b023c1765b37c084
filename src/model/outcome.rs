//! What became of an item, of an attempt, and of a whole run.

#![deny(missing_docs)]

use super::exit::ExitStatus;
use super::ids::{Attempt, Incarnation, ItemId, WorkerId};
use super::signal::Signal;
use super::time::Duration;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of an item. Each accepted item gets exactly one, and it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// An attempt succeeded.
    Done,
    /// Its last attempt failed and no retry is left, or a rule rules one out. The last cause says why.
    Failed,
    /// It was running at as many deaths of workers as the crash limit or the kill limit allows, or its command ended in a
    /// way whose rule is [`ExitRule::Dead`](super::exit_rule::ExitRule::Dead).
    Dead,
    /// The run stopped before it was done, or the person who was asked left it out.
    Skipped,
}

/// Why an attempt failed although no worker died by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailReason {
    /// The handler's message, such as `not an integer: "abc"`.
    Message(String),
    /// A handler's panic, with its text.
    Panicked(String),
    /// A command ended with this code.
    Exited(u8),
    /// The hard limit for one attempt.
    TimedOut {
        /// The configured limit.
        limit: Duration,
    },
    /// The command of this one item could not be started.
    NotStarted(String),
    /// The source could not hand this item out: too large, no priority, and the like.
    Rejected(String),
}

impl fmt::Display for FailReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(text) | Self::NotStarted(text) | Self::Rejected(text) => f.write_str(text),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
            Self::Exited(code) => write!(f, "exit {code}"),
            Self::TimedOut { limit } => write!(f, "timed out after {}s", limit.as_secs_f64()),
        }
    }
}

/// What a failed attempt says of a further one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetryHint {
    /// Nothing: the item is tried again as often as the run allows.
    #[default]
    Default,
    /// The cause is temporary: the item is tried again, up to `Policy::hinted_retries` times where the run allows fewer.
    Always,
    /// A further attempt ends likewise: the item fails at once, whatever the run allows.
    Never,
}

/// What ended one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CauseKind {
    /// The worker died under the item, by itself.
    Crashed(ExitStatus),
    /// The worker was ended under the item by KILL or TERM, which the supervisor did not send.
    Killed(Signal),
    /// The attempt failed, and no worker died by itself.
    Failed(FailReason),
    /// The run was stopped, and its worker ended so while the item was running. The item is skipped.
    Interrupted(ExitStatus),
    /// The run ended the worker under the item, by its plan of chaos. It counts toward no limit.
    Chaos(ExitStatus),
}

impl CauseKind {
    /// How the worker ended, if it died under the item.
    #[must_use]
    pub const fn death(&self) -> Option<ExitStatus> {
        match self {
            Self::Crashed(exit) => Some(*exit),
            Self::Killed(signal) => Some(ExitStatus::Signal { signal: *signal, core_dumped: false }),
            Self::Failed(_) | Self::Interrupted(_) | Self::Chaos(_) => None,
        }
    }
}

/// One attempt that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Which attempt it was, from 1.
    pub attempt: Attempt,
    /// The slot that held it; `None` if none did.
    pub worker: Option<WorkerId>,
    /// The process that held it; `None` if there was none.
    pub pid: Option<u32>,
    /// Why it did not succeed.
    pub kind: CauseKind,
}

/// Consecutive items with the same outcome, settled at once. Failed and dead items, and items
/// with earlier causes, come alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The id of the first item.
    pub first: ItemId,
    /// How many items, at least 1.
    pub count: u32,
    /// What became of each.
    pub outcome: Outcome,
    /// How many attempts were started: 0 for an item that was never begun.
    pub attempts: u32,
    /// The worker that held it last; `None` if no worker did.
    pub worker: Option<WorkerId>,
    /// Which process of that slot, from 1.
    pub incarnation: Option<Incarnation>,
    /// The process that held it last.
    pub pid: Option<u32>,
    /// The attempts that did not succeed, oldest first: the first and the last ones, if there are many.
    pub causes: Vec<Cause>,
    /// Attempts that did not succeed, between the first and the last ones in `causes`.
    pub causes_omitted: u64,
    /// The beginning of a single failed or dead item, escaped and in quotes, for messages.
    pub shown_item: Option<Box<str>>,
}

impl Settlement {
    /// Items that were done at the first attempt, by no worker in particular.
    #[must_use]
    pub const fn of_done(first: ItemId, count: u32) -> Self {
        Self {
            first,
            count,
            outcome: Outcome::Done,
            attempts: 1,
            worker: None,
            incarnation: None,
            pid: None,
            causes: Vec::new(),
            causes_omitted: 0,
            shown_item: None,
        }
    }
}

/// Why a run stops. A weaker reason never replaces a stronger one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StopReason {
    /// The source has ended and every item has its outcome.
    SourceEnded,
    /// `--halt`: the requested number of items succeeded, or was settled.
    HaltMet,
    /// `--halt`, `--fail-fast`: too many items failed.
    HaltFailed,
    /// A command ended in a way whose rule is [`ExitRule::Halt`](super::exit_rule::ExitRule::Halt).
    HaltExit {
        /// How it ended.
        exit: ExitStatus,
    },
    /// The reader of stdout went away.
    SinkClosed,
    /// `--run-timeout` passed.
    RunTimeout,
    /// Gave up: the restart limit of a slot, or no slot that could be filled is left.
    RestartLimit {
        /// The slot, from 1.
        worker: WorkerId,
        /// How its last process ended, or why it could not be started.
        last: String,
    },
    /// Gave up: this many items in a row are dead and none was done between them.
    DeadLimit {
        /// How many.
        dead: u32,
    },
    /// Gave up: the program of the commands cannot be executed any more; as many items in a row as the limit for dead
    /// items have failed because of it.
    CommandLost {
        /// Why it cannot be executed. Completes "failed to ...".
        error: String,
        /// It is not there.
        missing: bool,
    },
    /// A command asked for the end of the run, as xargs understands it: exit 255, or a signal ended it.
    Aborted {
        /// The signal; `None` for exit 255.
        signal: Option<Signal>,
    },
    /// The source broke off.
    SourceLost(String),
    /// stdout or a file of results could not be written.
    SinkLost(String),
    /// A file that the run needs for itself could not be written.
    StorageLost(String),
    /// A caller asked for it: a client of the control socket, or the program that uses this library.
    Requested,
    /// A signal asked for it; the run ends by raising it again.
    Signal(Signal),
    /// The input is not the one that the run has had in an earlier session.
    SourceDiffers(String),
}

impl StopReason {
    /// If it replaces `other`. The data of a reason does not count: of two of the same kind the first stays.
    #[must_use]
    pub const fn outranks(&self, other: &Self) -> bool {
        self.strength() > other.strength()
    }

    /// Whether a drain for this reason lets running items finish however long they take: `--halt soon`. In all others
    /// the grace begins at once.
    #[must_use]
    pub const fn waits_for_running_items(&self) -> bool {
        matches!(self, Self::HaltMet | Self::HaltFailed)
    }

    const fn strength(&self) -> u8 {
        match self {
            Self::SourceEnded => 0,
            Self::HaltMet => 1,
            Self::HaltFailed => 2,
            Self::HaltExit { .. } => 3,
            Self::SinkClosed => 4,
            Self::RunTimeout => 5,
            Self::RestartLimit { .. } => 6,
            Self::DeadLimit { .. } => 7,
            Self::CommandLost { .. } => 8,
            Self::Aborted { .. } => 9,
            Self::SourceLost(_) => 10,
            Self::SourceDiffers(_) => 11,
            Self::SinkLost(_) => 12,
            Self::StorageLost(_) => 13,
            Self::Requested => 14,
            Self::Signal(_) => 15,
        }
    }
}

/// How many items got which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Items taken from the source. Each gets exactly one outcome.
    pub accepted: u64,
    /// Items whose outcome is [`Outcome::Done`].
    pub done: u64,
    /// Items whose outcome is [`Outcome::Failed`].
    pub failed: u64,
    /// Items whose outcome is [`Outcome::Dead`].
    pub dead: u64,
    /// Items whose outcome is [`Outcome::Skipped`].
    pub skipped: u64,
    /// Items among `skipped` that were running when the run was stopped.
    pub interrupted: u64,
    /// Items among `skipped` that the person who was asked left out before any attempt at them.
    pub declined: u64,
    /// Attempts beyond the first, of any item.
    pub retried: u64,
    /// Worker processes that ended without having been asked to.
    pub deaths: u64,
    /// Processes started.
    pub spawned: u64,
    /// Messages of an old incarnation, counted and dropped.
    pub stale: u64,
    /// Items among `accepted` that had their outcome from an earlier run; the outcome is counted above.
    pub restored: u64,
    /// Processes that the run ended by its plan of chaos; not counted in `deaths`.
    pub chaos_deaths: u64,
    /// Items that came back from them, to go to a worker again.
    pub chaos_returned: u64,
}

impl Totals {
    /// Items that have their outcome; at the end of a run as many as were accepted.
    #[must_use]
    pub const fn settled(&self) -> u64 {
        self.done + self.failed + self.dead + self.skipped
    }

    /// What happened to items since `earlier`; the other numbers as they are.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            accepted: self.accepted - earlier.accepted,
            done: self.done - earlier.done,
            failed: self.failed - earlier.failed,
            dead: self.dead - earlier.dead,
            skipped: self.skipped - earlier.skipped,
            ..*self
        }
    }

    /// Adds items of this outcome.
    pub const fn count(&mut self, outcome: &Outcome, items: u64) {
        let total = match outcome {
            Outcome::Done => &mut self.done,
            Outcome::Failed => &mut self.failed,
            Outcome::Dead => &mut self.dead,
            Outcome::Skipped => &mut self.skipped,
        };
        *total += items;
    }
}

/// The state of a run when `--halt` was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halted {
    /// Why the item that decided is not done; `None` if it is done, or if the end of the source decided.
    pub by: Option<CauseKind>,
    /// What this run had counted then, with that item.
    pub totals: Totals,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// Why it ended; [`StopReason::SourceEnded`] if nothing stopped it.
    pub reason: StopReason,
    /// The final counts.
    pub totals: Totals,
    /// When `--halt` was first met, if it was. A stronger reason may have come later.
    pub halted: Option<Box<Halted>>,
}

/// The kind of error that ended a run without a [`RunOutcome`]. Every error type of the engine names
/// one; `exit_code` turns it into a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitClass {
    /// The command line cannot be carried out: a missing input, a directory as input. Nothing was started.
    Usage,
    /// The workers cannot start.
    GaveUp,
    /// A file that the run needs for itself failed.
    Storage,
    /// The source or the sink was lost.
    Lost,
    /// Limits too low, an unsafe path: refused before anything was started.
    Refused,
    /// The supervisor itself failed.
    Internal,
    /// COMMAND is there, but cannot be executed.
    NotExecutable,
    /// COMMAND is not there.
    NotFound,
}
