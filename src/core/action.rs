//! Every order that the core gives, on one page. The shell carries them out in this order.

use crate::model::event::RunEvent;
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{RunOutcome, Settlement};
use crate::model::signal::Signal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The source may deliver up to so many items more (in all, beyond what has arrived).
    /// Zero: take the source out of the poll set.
    Demand { items: u64 },
    /// The source shall deliver nothing more, for ever; close it.
    CloseSource,
    /// Start a resident worker for this slot. Answer: `Spawned` or `SpawnFailed`.
    Spawn { worker: WorkerId, incarnation: Incarnation },
    /// Start a process for this item alone. Answer: `Spawned` or `SpawnFailed`.
    Launch { worker: WorkerId, incarnation: Incarnation, batch: Batch },
    /// Send these items to a worker that is ready. All frames of a turn leave in one write.
    Dispatch { worker: WorkerId, incarnation: Incarnation, batch: Batch },
    /// Tell the worker to leave once it has finished what it holds: close its input.
    CloseInput { worker: WorkerId, incarnation: Incarnation },
    /// Tell the worker to leave after the item it is at, and close its input.
    Recall { worker: WorkerId, incarnation: Incarnation },
    /// Read this worker's scoreboard and answer with `ProbeResult` or `TimeExcluded`.
    Probe { worker: WorkerId, incarnation: Incarnation },
    /// Signal this incarnation's process group; one that is already gone is no error.
    Kill { worker: WorkerId, incarnation: Incarnation, signal: Signal },
    /// These items have their outcome, for ever. Keep the results until `Emit` names the items.
    Settle(Settlement),
    /// Tell the reporters the results of these items, then forget their bytes. In keep-order the
    /// order of the items; else at once behind `Settle`. Ranges may join or cut those of `Settle`
    /// only at the borders of settlements.
    Emit { first: ItemId, count: u32 },
    /// Tell the reporters.
    Report(RunEvent),
    /// The run is over: no worker is left. The last action.
    Finish(RunOutcome),
}
