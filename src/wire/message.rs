//! Every message between supervisor and worker, on one page.
//!
//! A message on the wire is a frame: a fixed header (version, kind, lengths), the message itself by the codec, and a
//! body: the bytes of a batch as a plain slice.
//!
//! Body of `Batch`: a batch of one is the item, whole. A longer batch is its items, each followed by the delimiter
//! that the worker learned at its start (`SUPERVISOR_DELIMITER`).
//!
//! Body of `Done`: of one item, its result, whole, the final newline included. Of several, each result ends with its
//! newline and holds no other; a result that holds one is sent alone. If `timed`, the body begins with `count` pairs
//! of little-endian u64: when the item started (CLOCK_MONOTONIC, ns) and how long it took (ns).
//!
//! A body of more than [`SMALL_BODY_BYTES_MAX`] is the result of one item: it needs no check, so its receiver may
//! keep it in a file instead of memory.
//!
//! Body of `Failed`: the reason as text, at most [`REASON_BYTES_MAX`]; if `timed`, behind such a pair.
//!
//! `protocol/frames.rs` checks all of this.

use serde::{Deserialize, Serialize};

/// Version of everything on this page; a worker of another version is turned away.
pub const PROTOCOL_VERSION: u16 = 1;

/// A reason longer than this is cut by the worker's side and refused by the supervisor's.
pub const REASON_BYTES_MAX: usize = 64 * 1024;

/// Only a `Done` of a single item may have a longer body. A result of 1 MiB, with its times and its newline, is
/// shorter than this. The SDK sends several results together up to a few times 64 KiB.
pub const SMALL_BODY_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;

/// Supervisor to worker. The end of a worker's input is end-of-file, not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Work on these items, in order. The body holds them.
    Batch { first: u64, count: u32, attempt: u32 },
}

/// Worker to supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The first message of a worker. `token` is what it was given in `SUPERVISOR_TOKEN`.
    Hello { protocol: u16, pid: u32, token: [u8; 16] },
    /// These items, the next ones it holds, are done. The body holds their results. `busy_ns` is the time that it
    /// spent on them by its own clock; several frames may wait to be read at once, so each carries its own.
    Done { first: u64, count: u32, attempt: u32, busy_ns: u64, timed: bool },
    /// The next item it holds failed. The body is the reason.
    Failed { item: u64, attempt: u32, panicked: bool, timed: bool },
    /// About the frame of results that follows, if the supervisor asked for it (`SUPERVISOR_WORK_TIMES`): when the worker
    /// read the batch that brought its first item, when it began that item, and when it had finished the last
    /// (CLOCK_MONOTONIC, ns). It has no body.
    Work { taken_ns: u64, began_ns: u64, finished_ns: u64 },
}
