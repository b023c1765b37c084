//! The one vocabulary of what happened. Every reporter is a view of these events.

use super::exit::{ExitStatus, Usage};
use super::ids::{Attempt, Incarnation, ItemId, WorkerId};
use super::outcome::{RunOutcome, Settlement, StopReason};
use super::signal::Signal;
use super::time::Duration;

/// Why a worker process ended, as far as the supervisor knows.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// What happens to the item that a worker was at when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemFate {
    /// It goes to another worker (or the same slot's next process) as this attempt.
    Again(Attempt),
    /// It has its outcome now; its settlement follows.
    Settled,
}

/// How far a stop has come; it only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Running,
    /// No new items; what runs may finish.
    Draining,
    /// Every worker goes through the term sequence.
    Terminating,
    /// KILL to every worker.
    Killing,
    Finished,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEvent {
    RunStarted {
        workers: u32,
    },
    WorkerSpawned {
        worker: WorkerId,
        incarnation: Incarnation,
        pid: u32,
    },
    /// A process could not be started.
    WorkerNotSpawned {
        worker: WorkerId,
        incarnation: Incarnation,
        error: String,
    },
    WorkerReady {
        worker: WorkerId,
        incarnation: Incarnation,
        pid: u32,
    },
    WorkerExited {
        worker: WorkerId,
        incarnation: Incarnation,
        pid: u32,
        exit: ExitStatus,
        reason: EndReason,
        /// The item that it was running, and what becomes of it.
        item: Option<(ItemId, ItemFate)>,
        /// Further items that it held: they go to other workers uncharged, or are skipped if the run stops.
        waiting: u64,
        /// Items it settled in its life.
        items: u64,
        usage: Usage,
    },
    /// A new process for this slot starts after `delay`.
    WorkerRestarting {
        worker: WorkerId,
        incarnation: Incarnation,
        delay: Duration,
    },
    /// An attempt began; reported only where that is known (a batch of one, a process per item, a
    /// death, a timeout).
    ItemStarted {
        item: ItemId,
        attempt: Attempt,
        worker: WorkerId,
        incarnation: Incarnation,
        pid: u32,
    },
    /// An attempt failed, and `attempt` follows after `delay`.
    ItemRetried {
        item: ItemId,
        attempt: Attempt,
        delay: Duration,
        cause: super::outcome::Cause,
    },
    /// Consecutive items have their outcome. Views expand it into one `item_settled` each.
    ItemsSettled(Settlement),
    /// The source broke off; the items that were accepted still run.
    SourceLost {
        error: String,
    },
    SignalReceived {
        signal: Signal,
        /// The sending process, where the system reports it.
        sender_pid: Option<u32>,
    },
    Stopping {
        stage: Stage,
        reason: StopReason,
    },
    /// The run goes on with another number of workers.
    Scaled {
        from: u32,
        to: u32,
    },
    RunFinished(RunOutcome),
}
