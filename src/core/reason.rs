//! Why the core gives an order, on one page. With `Policy::explains` a reason comes ahead of the order, as
//! [`Action::Because`](super::action::Action::Because).
//!
//! Invariant: a reason is told, never asked: nothing is decided by one.

use crate::model::event::EndReason;
use crate::model::exit::ExitStatus;
use crate::model::exit_rule::ExitRule;
use crate::model::ids::ItemId;
use crate::model::words::counted;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why an order is given, or why none is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Of `Spawn` without items: the slot has no process.
    EmptySlot,
    /// Of `Dispatch`, and of `Spawn` with an item.
    Dispatch {
        /// Why this worker.
        choice: Choice,
        /// Why so many items.
        amount: Amount,
        /// Items in the queue, these included.
        queued: u64,
    },
    /// Of a `WorkerRestarting`: how the end of the last process counts.
    Restart {
        /// What the slot has achieved.
        record: SlotRecord,
        /// Failures that count toward giving up, within the period of the intensity.
        failures: u32,
        /// As many are allowed.
        failures_max: u32,
    },
    /// Of an `ItemRetried`, or of the `Settle` of an item that failed.
    Attempts {
        /// Attempts that ended in this way.
        alike: u32,
        /// So many are allowed; `None`: any number.
        limit: Option<u32>,
        /// A further attempt cannot end differently.
        is_hopeless: bool,
    },
    /// Of the `Settle` of an item whose command ended in a way that has a rule.
    ExitRule {
        /// How it ended.
        exit: ExitStatus,
        /// The rule, which rules out a further attempt.
        rule: ExitRule,
    },
    /// Of `Kill`.
    End {
        /// Why the worker is ended.
        why: EndReason,
        /// The item that passed its limit.
        item: Option<ItemId>,
        /// Which signal of the term sequence it is, from 1.
        step: u32,
    },
    /// Of `CloseInput` and `Recall`.
    Leave(LeaveReason),
    /// Of `Demand`.
    Demand {
        /// Items in the queue that were never dispatched, and items that wait for the delay of their next attempt.
        queued: u64,
        /// As many may be.
        limit: u64,
    },
    /// Of a `Kill` by STOP: others began before it, and the machine is short of something.
    Held,
    /// Of a `Kill` by CONT: the worker was held.
    GoesOn,
    /// Of no order: why nothing is dispatched from now on.
    Waits(WaitReason),
    /// Of `InHand`: the last command of the slot took short, and each slot has an item queued for it.
    InHand {
        /// Items in the queue, this one included.
        queued: u64,
    },
    /// Of `TakeBack`.
    TakeBack(TakeBackReason),
    /// Of a `Kill` that ends or stops a worker: the plan of chaos.
    Chaos,
    /// Of a `Kill` by STOP: the run is paused.
    Paused,
    /// Of a `Kill` by CONT: the run goes on.
    Continued,
    /// Of `Kill`: a person asked for this signal.
    Asked,
}

/// Why a worker was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// It is the first of so many that hold nothing.
    Idle { idle: u32 },
    /// None is idle, and it is the next in turn of so many below their credit.
    InTurn { below_credit: u32 },
}

/// What limits the number of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Amount {
    /// They are all that are queued, or all that are queued in a row.
    Queue,
    /// More than its credit would be at the worker.
    Credit,
    /// Each idle worker gets an equal share.
    Share,
    /// The source has ended: no worker shall hold the rest.
    Tail,
}

/// What a slot's last process has achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlotRecord {
    /// It worked, or was ended by an order.
    Worked,
    /// It was ready and did no work.
    Idle,
    /// It was never ready.
    NeverReady,
    /// It broke the protocol before it did any work.
    Breach,
}

/// Why a worker is asked to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaveReason {
    /// Every item has its outcome.
    NothingLeft,
    /// The run drains.
    Drain,
    /// The run goes on with fewer workers.
    Scaled,
    /// Another process replaces its process, or has replaced the last one that this one stood in for.
    Restarted,
}

/// Why no item is dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitReason {
    /// The queue is empty, and nothing has arrived.
    Source,
    /// The queue is empty, and nothing more is demanded: too much waits for its turn to be shown, or for its next attempt.
    NoDemand,
    /// The queue is empty, and the source has ended.
    NothingLeft,
    /// Every worker holds its credit.
    NoCredit,
    /// No worker is ready.
    NoWorker,
    /// The output takes less than the workers give.
    Congested,
    /// The order of the queue is not certain before more has arrived.
    Order,
    /// Not all workers have been started.
    Starting,
    /// The run stops.
    Stopping,
    /// The delay after the last start of a process is not over.
    StartDelay,
    /// No process is started while the machine is short of something.
    StartsHeld,
    /// The run is paused.
    Paused,
}

/// Why an item in hand is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TakeBackReason {
    /// The command before it takes long, or its output is awaited.
    Long,
    /// The command before it is ended.
    Ended,
    /// The run goes on with fewer workers.
    Removed,
    /// The run stops.
    Stopping,
    /// The output takes less than the workers give.
    Congested,
    /// No process is started for the moment.
    Held,
    /// The machine is short of something.
    Short,
    /// Another slot is free, and nothing is queued for it.
    Idle,
    /// It was given up.
    GivenUp,
    /// The run is paused.
    Paused,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle { idle: 0 | 1 } => f.write_str("the only idle worker"),
            Self::Idle { idle } => write!(f, "the first of {idle} idle workers"),
            Self::InTurn { below_credit: 0 | 1 } => f.write_str("the only worker below its credit"),
            Self::InTurn { below_credit } => {
                write!(f, "the next in turn of {below_credit} below their credit")
            }
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "all that is queued",
            Self::Credit => "up to its credit",
            Self::Share => "an equal share",
            Self::Tail => "a share of the rest",
        })
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "nothing has arrived",
            Self::NoDemand => "enough is read ahead",
            Self::NothingLeft => "no item is left",
            Self::NoCredit => "every worker holds as much as its credit allows",
            Self::NoWorker => "no worker is ready",
            Self::Congested => "the output takes less than the workers give",
            Self::Order => "the order of the queue is not certain yet",
            Self::Starting => "not all workers have been started",
            Self::Stopping => "the run stops",
            Self::StartDelay => "the delay after the last start is not over",
            Self::StartsHeld => "no process is started for the moment",
            Self::Paused => "the run is paused",
        })
    }
}

impl fmt::Display for TakeBackReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Long => "the command before it takes long",
            Self::Ended => "the command before it is ended",
            Self::Removed => "the run goes on with fewer workers",
            Self::Stopping => "the run stops",
            Self::Congested => "the output takes less than the workers give",
            Self::Held => "no process is started for the moment",
            Self::Short => "the machine is short",
            Self::Idle => "another slot is free",
            Self::GivenUp => "an item was given up",
            Self::Paused => "the run is paused",
        })
    }
}

impl fmt::Display for SlotRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worked => "its process worked, so the next one starts at once",
            Self::Idle => "its process was ready and did no work, so the next one starts after a back-off",
            Self::NeverReady => "its process was never ready",
            Self::Breach => "its process broke the protocol before it did any work",
        })
    }
}

/// A clause that follows "because".
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptySlot => f.write_str("the slot has no process"),
            Self::Dispatch { choice, amount, queued } => write!(f, "{choice}; {amount}; {queued} queued"),
            Self::Restart { record: record @ (SlotRecord::Worked | SlotRecord::Idle), .. } => record.fmt(f),
            Self::Restart { record, failures, failures_max } => {
                write!(f, "{record}: failure {failures}, and {failures_max} are allowed")
            }
            Self::Attempts { is_hopeless: true, .. } => f.write_str("a further attempt cannot end differently"),
            Self::Attempts { alike, limit: Some(limit), .. } => {
                write!(f, "it has ended so {} of at most {limit}", counted(u64::from(*alike), "time", "times"))
            }
            Self::Attempts { alike, limit: None, .. } => {
                write!(f, "it has ended so {}, and there is no limit", counted(u64::from(*alike), "time", "times"))
            }
            Self::ExitRule { exit, rule } => write!(f, "the rule for {exit} is {}", rule.name()),
            Self::End { why, item, step } => {
                match (why, item) {
                    (EndReason::TimedOut, Some(item)) => write!(f, "item {item} passed the hard limit")?,
                    (EndReason::TimedOut, None) => f.write_str("its item passed the hard limit")?,
                    (EndReason::NoHello, _) => f.write_str("it sent no hello in time")?,
                    (EndReason::Protocol(error), _) => write!(f, "it broke the protocol: {error}")?,
                    (EndReason::Strategy, _) => {
                        f.write_str("another worker ended, and the strategy restarts it too")?
                    }
                    (EndReason::Own | EndReason::Asked, _) => f.write_str("it was asked to leave and did not")?,
                    (EndReason::Stopped, _) => f.write_str("the run is terminated")?,
                    (EndReason::GivenUp, _) => f.write_str("an item that it holds was given up")?,
                    (EndReason::Relief, _) => f.write_str("the machine is short, and it began last")?,
                    (EndReason::Chaos, _) => f.write_str("the plan of chaos says so")?,
                }
                if *step > 1 { write!(f, ", step {step} of the term sequence") } else { Ok(()) }
            }
            Self::Leave(LeaveReason::NothingLeft) => f.write_str("every item has its outcome"),
            Self::Leave(LeaveReason::Drain) => f.write_str("the run drains"),
            Self::Leave(LeaveReason::Scaled) => f.write_str("the run goes on with fewer workers"),
            Self::Leave(LeaveReason::Restarted) => f.write_str("the workers are restarted one by one"),
            Self::Demand { queued, limit } => write!(f, "{queued} of at most {limit} are queued"),
            Self::Held => f.write_str("the machine is short, and others began before it"),
            Self::GoesOn => f.write_str("it was held"),
            Self::Waits(reason) => reason.fmt(f),
            Self::InHand { queued } => write!(f, "its commands take short; {queued} queued"),
            Self::TakeBack(reason) => reason.fmt(f),
            Self::Chaos => f.write_str("the plan of chaos says so"),
            Self::Paused => f.write_str("the run is paused"),
            Self::Continued => f.write_str("the run goes on"),
            Self::Asked => f.write_str("somebody asked for it"),
        }
    }
}
