//! Every order that the core gives, on one page. The shell carries them out in the order in which it gets them.

use super::reason::Reason;
use crate::model::event::RunEvent;
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{RunOutcome, Settlement};
use crate::model::signal::Signal;
use crate::model::status::Status;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The source may deliver up to this many items more (in all, beyond what has arrived).
    /// Zero: take the source out of the poll set.
    Demand { items: u64 },
    /// The source must deliver nothing more; close it.
    CloseSource,
    /// Start a process for this slot. `batch`: start it for this one item, whose result is the
    /// process's exit (`Blame::WholeProcess`); `None`: start it ahead of its items. Answer: `Spawned`
    /// or `SpawnFailed`. The number of slots may grow while a run lasts.
    Spawn { worker: WorkerId, incarnation: Incarnation, batch: Option<Batch> },
    /// Send these items to a worker that is ready. All frames of a turn leave in one write.
    Dispatch { worker: WorkerId, incarnation: Incarnation, batch: Batch },
    /// Ask the worker to leave once it has finished what it holds: close its input.
    CloseInput { worker: WorkerId, incarnation: Incarnation },
    /// Ask the worker to leave after the item it is at, and close its input.
    Recall { worker: WorkerId, incarnation: Incarnation },
    /// Answer with `ProbeResult`, or with `TimeExcluded`. With `Blame::ProgressPage` the core probes a
    /// few times within the hard limit of an attempt; with `Blame::OldestHeld` when the limit has passed.
    Probe { worker: WorkerId, incarnation: Incarnation },
    /// Signal this incarnation's process group; one that is already gone is no error.
    Kill { worker: WorkerId, incarnation: Incarnation, signal: Signal },
    /// The outcome of these items is final. `in_turn`: their results may become visible now, and the
    /// shell may forget their bytes afterwards; else the shell keeps the results until `Commit` names the
    /// items. Without keep-order every settlement is in turn.
    Settle { settlement: Settlement, in_turn: bool },
    /// The results of these items, which were settled out of turn, may become visible now, in the order
    /// of the items. A commit may cover several settlements, but never a part of one.
    Commit { first: ItemId, count: u32 },
    /// Show this state of the run to the person who asked.
    ShowStatus(Box<Status>),
    /// Pass this event to the reporters.
    Report(RunEvent),
    /// Why the next order is given, or why none is; only with `Policy::explains`. The shell passes it to the trace.
    Because(Reason),
    /// The run is over: no worker is left. The last action.
    Finish(RunOutcome),
    /// Keep this item for a slot whose process runs (`Blame::WholeProcess`), behind others that the slot may have in hand.
    /// Once the process before it has exited with 0, start the one of this item at once, as the slot's next incarnation; if
    /// that ends otherwise, or is not started, return the item. Answer: `Spawned` or `SpawnFailed` behind the `Exited` of
    /// the process before; or `TakenBack`.
    InHand { worker: WorkerId, batch: Batch },
    /// Return what the slot has in hand. Answer: `TakenBack` for each item whose process was not started before.
    TakeBack { worker: WorkerId },
}
