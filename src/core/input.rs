//! Every fact that the core is told, on one page. Each variant says what the shell owes.
//!
//! Facts that name a worker name its incarnation too; one of an old incarnation is counted as
//! stale and dropped. Any order of inputs is legal: none fails, none panics.

use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use crate::model::outcome::FailReason;
use crate::model::signal::Signal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// First input of a run: start the slots.
    Start,
    /// The source delivered consecutive items, no more than demanded. Ids are given by the shell in
    /// order, without gaps. `priority` counts in priority order alone; there, `count` is 1.
    BatchArrived { first: ItemId, count: u32, priority: i64 },
    /// The source delivered an item that cannot be handed out. It took the next id.
    ItemRejected { item: ItemId, reason: FailReason },
    /// The source has nothing more at the moment. In lifo and priority order nothing is handed out
    /// before the source is idle, has ended, or the queue is full, so that the order means something.
    SourceIdle,
    /// The source will deliver nothing more.
    SourceEnded,
    /// The source broke off; what was accepted still runs.
    SourceLost { error: String },
    /// The process that `Spawn` or `Launch` asked for runs.
    Spawned { worker: WorkerId, incarnation: Incarnation, pid: u32 },
    /// It could not be started. No `Exited` follows.
    SpawnFailed { worker: WorkerId, incarnation: Incarnation, error: SpawnFailure },
    /// A resident worker said hello with the right token and protocol version.
    Hello { worker: WorkerId, incarnation: Incarnation },
    /// A resident worker finished these items, the next ones it holds, in order.
    /// `busy_ns` is the time it spent on them, by its own clock; 0 if unknown.
    Settled { worker: WorkerId, incarnation: Incarnation, first: ItemId, count: u32, attempt: Attempt, busy_ns: u64 },
    /// A resident worker's attempt at the next item it holds failed; the worker lives on.
    Failed { worker: WorkerId, incarnation: Incarnation, item: ItemId, attempt: Attempt, reason: FailReason },
    /// The answer to `Probe`: what the scoreboard says it is at.
    ProbeResult { worker: WorkerId, incarnation: Incarnation, running: Option<ItemId> },
    /// The answer to `Probe` while the shell reads from no worker, because stdout takes less than they
    /// give: the worker may be waiting for us, so this time counts for no limit.
    TimeExcluded { worker: WorkerId, incarnation: Incarnation },
    /// The worker closed its channel; its exit may follow, or may not.
    ChannelClosed { worker: WorkerId, incarnation: Incarnation },
    /// The worker sent what the protocol does not allow.
    ProtocolError { worker: WorkerId, incarnation: Incarnation, error: String },
    /// The process ended; the last input of its incarnation. The shell has drained its channel
    /// before, and read from the scoreboard which item was running.
    /// Of a process per item: the exit is the item's result.
    Exited { worker: WorkerId, incarnation: Incarnation, status: ExitStatus, usage: Usage, running: Option<ItemId> },
    /// INT, TERM or QUIT arrived.
    Signal { signal: Signal, sender_pid: Option<u32> },
    /// The reader of stdout went away.
    SinkClosed,
    /// stdout or a file of results could not be written.
    SinkLost { error: String },
    /// A file that the run needs for itself could not be written.
    StorageLost { error: String },
}

/// Why a process could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpawnFailure {
    /// The system is short of something; later may be better. Completes "failed to ...".
    Shortage(String),
    /// This item's command alone cannot be started: not found, arguments too long.
    Item(String),
    /// The worker program cannot be started at all.
    Program(String),
}
