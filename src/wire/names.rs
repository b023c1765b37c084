//! The names of the variables by which a worker, or a command, learns what it needs, before any frame.
//!
//! Invariant: names only; the supervisor sets them, `worker` reads those that are for it.

use std::ffi::OsStr;

/// The number of the fd that frames come in by.
pub const FD_IN: &str = "SUPERVISOR_FD_IN";
/// The number of the fd that frames go out by; may be the same.
pub const FD_OUT: &str = "SUPERVISOR_FD_OUT";
/// The number of the fd of the memory that both sides map.
pub const FD_MEMORY: &str = "SUPERVISOR_FD_MEMORY";
/// The number of the fd of the file in which items lie.
pub const FD_SPOOL: &str = "SUPERVISOR_FD_SPOOL";
/// The number of the fd of the input, where items lie in that.
pub const FD_INPUT: &str = "SUPERVISOR_FD_INPUT";
/// The number of the fd that ends when the other side does, where the others do not say so.
pub const FD_LINE: &str = "SUPERVISOR_FD_LINE";
/// The number of the fd of the scoreboard.
pub const FD_PROGRESS: &str = "SUPERVISOR_FD_BOARD";
/// 32 hex digits, to be said back in the hello.
pub const TOKEN: &str = "SUPERVISOR_TOKEN";
/// The supervisor's pid.
pub const PARENT: &str = "SUPERVISOR_PARENT";
/// What the items of a run end with: a byte, in decimal.
pub const DELIMITER: &str = "SUPERVISOR_DELIMITER";
/// Who is behind a socket: the pid and the user id of the supervisor, in decimal, a space between.
pub const PEER: &str = "SUPERVISOR_PEER";
/// Where the supervisor is to be met: the path of a socket.
pub const RENDEZVOUS: &str = "SUPERVISOR_RENDEZVOUS";
/// How frames travel: a name of `--transport`.
pub const TRANSPORT: &str = "SUPERVISOR_TRANSPORT";
/// How long a worker looks for items before it sleeps, in nanoseconds.
pub const SPIN: &str = "SUPERVISOR_SPIN";
/// `1` if the times of each item are wanted.
pub const ITEM_TIMES: &str = "SUPERVISOR_ITEM_TIMES";
/// The slot, from 1; for the worker's own use.
pub const WORKER: &str = "SUPERVISOR_WORKER";
/// The run's name; for the worker's own use.
pub const RUN: &str = "SUPERVISOR_RUN";
/// The item of a command, from 0.
pub const ITEM: &str = "SUPERVISOR_ITEM";
/// Its attempt, from 1.
pub const ATTEMPT: &str = "SUPERVISOR_ATTEMPT";
/// The item from 1, for scripts that know GNU parallel.
pub const PARALLEL_SEQ: &str = "PARALLEL_SEQ";
/// The slot from 1, likewise.
pub const PARALLEL_JOBSLOT: &str = "PARALLEL_JOBSLOT";
/// The supervisor's pid, likewise.
pub const PARALLEL_PID: &str = "PARALLEL_PID";

/// The descriptors that transports hand to a worker; each uses its own of them.
pub const TRANSPORT_FDS: [&str; 6] = [FD_IN, FD_OUT, FD_MEMORY, FD_SPOOL, FD_INPUT, FD_LINE];
/// The words that transports hand to a worker, likewise.
pub const TRANSPORT_WORDS: [&str; 3] = [PEER, SPIN, RENDEZVOUS];

const ALL: [&str; 22] = [
    FD_IN,
    FD_OUT,
    FD_MEMORY,
    FD_SPOOL,
    FD_INPUT,
    FD_LINE,
    FD_PROGRESS,
    TOKEN,
    PARENT,
    PEER,
    RENDEZVOUS,
    DELIMITER,
    TRANSPORT,
    SPIN,
    ITEM_TIMES,
    WORKER,
    RUN,
    ITEM,
    ATTEMPT,
    PARALLEL_SEQ,
    PARALLEL_JOBSLOT,
    PARALLEL_PID,
];

/// If this variable is one of those above: then nobody inherits it from a supervisor further up, and
/// takes itself for that one's worker.
#[must_use]
pub fn is_ours(name: &OsStr) -> bool {
    ALL.iter().any(|own| *own == name)
}
