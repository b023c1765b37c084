//! The one vocabulary of what happened. Every reporter is a view of these events.

#![deny(missing_docs)]

use super::chaos::ChaosKind;
use super::exit::{ExitStatus, Usage};
use super::ids::{Attempt, Incarnation, ItemId, WorkerId};
use super::outcome::{RunOutcome, Settlement, StopReason};
use super::signal::Signal;
use super::time::Duration;
use serde::{Deserialize, Serialize};

/// Why a worker process ended, as far as the supervisor knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// By itself, or ended from outside the supervisor.
    Own,
    /// It was asked to leave: nothing was left for it, the run drains, or its slot was removed.
    Asked,
    /// Its item passed the hard limit.
    TimedOut,
    /// It sent no hello in time.
    NoHello,
    /// It broke the protocol, as this text says.
    Protocol(String),
    /// Another worker ended, and the strategy restarts this one too.
    Strategy,
    /// The run is being terminated; or its slot was removed and it did not leave.
    Stopped,
    /// The machine was short of something, and it had begun last. Its items go back uncharged.
    Relief,
    /// An item that it held was given up. Its other items go back uncharged.
    GivenUp,
    /// The run did it, by its plan of chaos. Its items go back uncharged.
    Chaos,
}

/// What happens to the item that a worker was at when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemFate {
    /// It goes to another worker (or the same slot's next process) as this attempt.
    Again(Attempt),
    /// It has its outcome now; its settlement follows.
    Settled,
}

/// How far a stop has come; it only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// No stop was asked for, and items are left.
    Running,
    /// No new items; what runs may finish.
    Draining,
    /// Every worker goes through the term sequence.
    Terminating,
    /// KILL to every worker.
    Killing,
    /// Every item has its outcome, and no worker is left.
    Finished,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RunEvent {
    /// The first event of a run.
    RunStarted {
        /// Slots at the start.
        workers: u32,
    },
    /// A process was started.
    WorkerSpawned {
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
    },
    /// A process could not be started.
    WorkerNotSpawned {
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// Completes "failed to ...".
        error: String,
    },
    /// A process of a worker that stays sent its hello and can take items. A process per item reports no such event.
    WorkerReady {
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
    },
    /// A process has ended.
    WorkerExited {
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
        /// How it ended, as the system reports it.
        exit: ExitStatus,
        /// Why it ended.
        reason: EndReason,
        /// The item that it was running, and what becomes of it.
        item: Option<(ItemId, ItemFate)>,
        /// Further items that it held: they go to other workers uncharged, or are skipped if the run stops.
        waiting: u64,
        /// Items it settled in its life.
        items: u64,
        /// What it used in its life.
        usage: Usage,
        /// The end of what it wrote to stderr, at most 4 KiB, if it did not leave when it was asked; `None` where that is not
        /// known: of commands, which have an output of their own, and of workers that have our own stderr.
        #[serde(skip)]
        stderr: Option<Box<str>>,
    },
    /// A signal has stopped a process: it makes no step until it is continued.
    WorkerStopped {
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
        /// STOP, TSTP, TTIN or TTOU.
        signal: Signal,
        /// The item that it was started for; `None` for a worker that stays.
        item: Option<ItemId>,
        /// The beginning of that item, quoted; `None` for an empty one.
        shown_item: Option<Box<str>>,
    },
    /// A process that was stopped goes on.
    WorkerContinued {
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
    },
    /// A new process for this slot starts after `delay`.
    WorkerRestarting {
        /// The slot, from 1.
        worker: WorkerId,
        /// The process that starts, from 1 in each slot.
        incarnation: Incarnation,
        /// The back-off; 0 for a restart at once.
        delay: Duration,
    },
    /// An attempt began; reported only where that is known: of an item that was dispatched alone, and of every attempt
    /// that did not succeed. An attempt that is too short to be seen is reported at its end. Only if
    /// [`Policy::report_starts`](super::spec::Policy::report_starts) is set.
    ItemStarted {
        /// The item.
        item: ItemId,
        /// The attempt that began, from 1.
        attempt: Attempt,
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
    },
    /// Consecutive items came back from a process that ended, and no attempt of theirs is counted. Views expand it into
    /// one `item_returned` each.
    ItemsReturned {
        /// The first of them.
        first: ItemId,
        /// How many.
        count: u32,
        /// The attempt that is not counted. It begins again under the same number.
        attempt: Attempt,
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
        /// The one of them that the process was at, if that is known.
        running: Option<ItemId>,
    },
    /// An attempt failed, and `attempt` follows after `delay`.
    ItemRetried {
        /// The item.
        item: ItemId,
        /// The attempt that follows, from 2.
        attempt: Attempt,
        /// The wait before it, with jitter.
        delay: Duration,
        /// Why the last attempt failed.
        cause: super::outcome::Cause,
        /// The beginning of the item for messages: in quotes and escaped; `None` for an empty one.
        shown_item: Option<Box<str>>,
    },
    /// Consecutive items have their outcome. Views expand it into one `item_settled` each.
    ItemsSettled(Settlement),
    /// The source broke off; the items that were accepted still run.
    SourceLost {
        /// What went wrong, with the name of the input.
        error: String,
    },
    /// A signal came that the run receives.
    SignalReceived {
        /// Which one.
        signal: Signal,
        /// The sending process, where the system reports it.
        sender_pid: Option<u32>,
    },
    /// A stop began, became firmer, or has a stronger reason.
    Stopping {
        /// How far the stop has come.
        stage: Stage,
        /// The strongest reason so far.
        reason: StopReason,
    },
    /// The run goes on with another number of workers.
    Scaled {
        /// Slots before.
        from: u32,
        /// Slots from now on, at least 1.
        to: u32,
    },
    /// The last event of a run. No process is left.
    RunFinished(RunOutcome),
    /// The run did this to a worker, by its plan of chaos. What a worker does to itself by that plan is reported once the run
    /// knows of it: a slow item at its answer, a hang at its time limit, a torn result at the end of its worker.
    Chaos {
        /// What.
        kind: ChaosKind,
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
        /// The item, where it is known.
        item: Option<ItemId>,
        /// How long a stop, or the delay of an item, lasts.
        time: Option<Duration>,
    },
    /// The workers' processes are replaced, one slot after another.
    RestartBegun {
        /// As many; 0 if each item has a process of its own, so that there is nothing to replace.
        workers: u32,
    },
    /// No process is left that was to be replaced, or the first new one could not be started.
    RestartEnded {
        /// Processes that were asked to leave.
        replaced: u32,
        /// Why no process is replaced; completes "failed to ...".
        error: Option<String>,
    },
    /// The processes of all workers were stopped, and nothing is started or handed out until the run is continued.
    RunPaused,
    /// The run goes on after a pause.
    RunContinued,
    /// A worker is sent a signal because a person asked for it.
    WorkerSignalled {
        /// The slot, from 1.
        worker: WorkerId,
        /// Which process of the slot, from 1.
        incarnation: Incarnation,
        /// The process in the system.
        pid: u32,
        /// The signal.
        signal: Signal,
    },
}
