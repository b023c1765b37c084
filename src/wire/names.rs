//! The names of the variables by which a worker learns what it needs, before any frame.
//!
//! Invariant: names only; the supervisor sets them, `worker` reads them.

/// The number of the fd that frames come in by.
pub const FD_IN: &str = "SUPERVISOR_FD_IN";
/// The number of the fd that frames go out by; may be the same.
pub const FD_OUT: &str = "SUPERVISOR_FD_OUT";
/// The number of the fd of the scoreboard.
pub const FD_BOARD: &str = "SUPERVISOR_FD_BOARD";
/// 32 hex digits, to be said back in the hello.
pub const TOKEN: &str = "SUPERVISOR_TOKEN";
/// The supervisor's pid.
pub const PARENT: &str = "SUPERVISOR_PARENT";
/// What the items of a run end with: a byte, in decimal.
pub const DELIMITER: &str = "SUPERVISOR_DELIMITER";
/// How frames travel: a name of `--transport`.
pub const TRANSPORT: &str = "SUPERVISOR_TRANSPORT";
/// `1` if the times of each item are wanted.
pub const ITEM_TIMES: &str = "SUPERVISOR_ITEM_TIMES";
/// The slot, from 1; for the worker's own use.
pub const WORKER: &str = "SUPERVISOR_WORKER";
/// The run's name; for the worker's own use.
pub const RUN: &str = "SUPERVISOR_RUN";
