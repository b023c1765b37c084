//! Every fact that the core takes, on one page. Each variant names the shell's duty.
//!
//! A fact about a worker names the worker's incarnation; one of an old incarnation is counted as
//! stale and dropped. Any order of inputs is legal: none fails, none panics.

use crate::model::command::{Command, Origin};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{Cause, FailReason, Outcome, RetryHint};
use crate::model::signal::Signal;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// First input of a run: start the slots.
    Start,
    /// The source delivered consecutive items, no more than demanded. The shell gives ids in order,
    /// without gaps, from `Policy::first_item` on. `priority` counts in priority order only; there,
    /// `count` is 1.
    BatchArrived { first: ItemId, count: u32, priority: i64 },
    /// The source delivered an item that cannot be dispatched. It takes the next id.
    ItemRejected { item: ItemId, reason: FailReason },
    /// The next ids belong to items that have this outcome already, from an earlier run. They are
    /// counted, and never dispatched, settled or committed. They use up no demand.
    Restored { first: ItemId, count: u32, outcome: Outcome },
    /// The source has nothing more at the moment. In lifo and priority order nothing is dispatched
    /// before the source is idle, has ended, or the queue is full, so that the order means something.
    SourceIdle,
    /// The source will deliver nothing more.
    SourceEnded,
    /// The source broke off; what was accepted still runs.
    SourceLost { error: String },
    /// The process that `Spawn` asked for runs.
    Spawned { worker: WorkerId, incarnation: Incarnation, pid: u32 },
    /// The process could not be started. No `Exited` follows.
    SpawnFailed { worker: WorkerId, incarnation: Incarnation, error: SpawnFailure },
    /// A worker whose contract has a hello sent the right one: token and protocol version fit.
    Hello { worker: WorkerId, incarnation: Incarnation },
    /// A worker finished these items, the next ones it holds, in order; any that it holds, if its contract is not
    /// in order. They may belong to several dispatches, all with this attempt number. `busy_ns` is the time that the worker spent on them,
    /// by its own clock; 0 if unknown.
    Settled { worker: WorkerId, incarnation: Incarnation, first: ItemId, count: u32, attempt: Attempt, busy_ns: u64 },
    /// A large result of a worker has begun to arrive. The core checks the item before the shell waits for the bytes.
    ResultBegins { worker: WorkerId, incarnation: Incarnation, item: ItemId, attempt: Attempt },
    /// A worker's attempt at the next item it holds, likewise, failed; the worker lives on. `hint`: what it says of a further one.
    Failed {
        worker: WorkerId,
        incarnation: Incarnation,
        item: ItemId,
        attempt: Attempt,
        reason: FailReason,
        hint: RetryHint,
    },
    /// The answer to `Probe`: the item that the progress page names. `None`: it names no item, or there is no page.
    ProbeResult { worker: WorkerId, incarnation: Incarnation, running: Option<ItemId> },
    /// The answer to `Probe` while the shell reads from no worker, because stdout takes less than the
    /// workers deliver: a worker may be blocked in a write to the shell, so this time counts for no limit.
    TimeExcluded { worker: WorkerId, incarnation: Incarnation },
    /// This signal has stopped the process, which has not ended; `None`: the process goes on after a stop.
    Stopped { worker: WorkerId, incarnation: Incarnation, by: Option<Signal> },
    /// The worker closed its channel; its exit may follow, or may not.
    ChannelClosed { worker: WorkerId, incarnation: Incarnation },
    /// The worker sent what the protocol does not allow.
    ProtocolError { worker: WorkerId, incarnation: Incarnation, error: String },
    /// The process ended; the last input of its incarnation. The shell has drained its channel
    /// before. `running` is the item that the progress page names; it counts with
    /// `Blame::ProgressPage`, and with `Blame::OldestHeld` as the item that a worker named last which may answer
    /// in any order. With `Blame::WholeProcess` the exit is the item's result.
    Exited { worker: WorkerId, incarnation: Incarnation, status: ExitStatus, usage: Usage, running: Option<ItemId> },
    /// The process that was started for an item has ended, and a process that it left behind holds its output open.
    /// The shell reads on for at most a second, then `Exited` follows. From now on no time limit applies.
    OutputHeld { worker: WorkerId, incarnation: Incarnation },
    /// A signal or a caller asks for something. `command::of_signal` says what a signal asks for.
    Command { command: Command, origin: Origin },
    /// The output takes less than the workers give, or enough again. Meanwhile no item is handed to a process that is
    /// started for it, whose output would have to be kept; resident workers are held back by the shell, which does not
    /// read from them.
    Congested { congested: bool },
    /// This many processes may be started from now on; `None`: any number, as at the beginning. Those that run go
    /// on. For a shell that holds starts back while the machine is short of something.
    StartsPermitted { count: Option<u32> },
    /// The machine is short of something, or has enough again: fewer workers, or more, go on with what they are at.
    Relief(Relief),
    /// The reader of stdout closed it.
    SinkClosed,
    /// stdout or a file of results could not be written.
    SinkLost { error: String },
    /// A file that the run needs for itself could not be written.
    StorageLost { error: String },
    /// An item that a slot had in hand is not started: it was asked for again, or the process before it did not exit with 0,
    /// or was not started. What the shell has in hand then comes ahead of that exit, or failure.
    TakenBack { worker: WorkerId, item: ItemId },
    /// Like `BatchArrived`, of items that an earlier session of this run has begun: `attempt` is the one that begins.
    /// `causes`: why earlier ones failed, of an item that was to be tried again; then `count` is 1.
    ArrivedAgain { first: ItemId, count: u32, priority: i64, attempt: Attempt, causes: Vec<Cause> },
    /// The source delivers other items than those that an earlier session of this run had. They are not accepted, and the run
    /// stops.
    SourceDiffers { error: String },
    /// Somebody gives this item up, which may be still to arrive: it is not begun any more, and what is at it is ended.
    GivenUp { item: ItemId },
    /// A signal was received that asks for nothing of the run. It is reported.
    SignalNoted { signal: Signal, sender_pid: Option<u32> },
}

/// What workers that are at an item do about a machine that is short of something. No item is charged for it, and the
/// time of an attempt goes on meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relief {
    /// This many go on, at least one: those that began first. The others are stopped.
    Run { count: u32 },
    /// One more goes on, if some are stopped: the one that began first.
    GoOn,
    /// The one that began last is ended, if another is at work, and its items return to the queue.
    EndYoungest,
}

/// Why a process could not be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpawnFailure {
    /// The system is short of something; later may be better. Completes "failed to ...".
    Shortage(String),
    /// The command of this item cannot be started now.
    Item(String),
    /// The command of this item can never be started: an argument is too long, or contains a NUL.
    Unfit(String),
    /// The program that all items have in common cannot be executed any more. `missing`: it is not there.
    Lost { error: String, missing: bool },
    /// The worker program cannot be started at all.
    Program(String),
    /// The person who was asked leaves the item of this command out, or the run stops before there is an answer.
    Declined,
}
