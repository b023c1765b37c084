//! The names of the environment variables that the supervisor sets for a worker or a command.
//!
//! Invariant: names only. Values are made by the supervisor and parsed by `worker`.

use std::ffi::OsStr;

/// The number of the fd that a worker reads items from.
pub const FD_IN: &str = "SUPERVISOR_FD_IN";
/// The number of the fd that a worker writes results to; may be the same.
pub const FD_OUT: &str = "SUPERVISOR_FD_OUT";
/// The number of the fd of the memory that both sides map.
pub const FD_MEMORY: &str = "SUPERVISOR_FD_MEMORY";
/// The number of the fd of the spool, the file that holds the items.
pub const FD_SPOOL: &str = "SUPERVISOR_FD_SPOOL";
/// The number of the fd of the input, where that file holds the items.
pub const FD_INPUT: &str = "SUPERVISOR_FD_INPUT";
/// The number of the fd that reports the end of the supervisor, if the other descriptors do not.
pub const FD_LIVENESS: &str = "SUPERVISOR_FD_LIVENESS";
/// The number of the fd of the progress page.
pub const FD_PROGRESS: &str = "SUPERVISOR_FD_PROGRESS";
/// The token that the hello has to contain, as 32 hex digits.
pub const TOKEN: &str = "SUPERVISOR_TOKEN";
/// The supervisor's pid.
pub const PARENT: &str = "SUPERVISOR_PARENT";
/// The byte, in decimal, that follows each item of a batch of several.
pub const DELIMITER: &str = "SUPERVISOR_DELIMITER";
/// The process at the other end of a socket: the pid and the user id of the supervisor, in decimal, with a space
/// between.
pub const PEER: &str = "SUPERVISOR_PEER";
/// The path of the socket at which the supervisor waits for the worker.
pub const RENDEZVOUS: &str = "SUPERVISOR_RENDEZVOUS";
/// The transport: a name of `--transport`.
pub const TRANSPORT: &str = "SUPERVISOR_TRANSPORT";
/// How long a worker polls for items before it sleeps, in nanoseconds.
pub const SPIN: &str = "SUPERVISOR_SPIN";
/// `1` if the times of each item are wanted.
pub const ITEM_TIMES: &str = "SUPERVISOR_ITEM_TIMES";
/// `1` if the times of the work on each frame are wanted.
pub const WORK_TIMES: &str = "SUPERVISOR_WORK_TIMES";
/// What the worker does to its own items, as `--chaos` spells it; only in a run with such a plan.
pub const CHAOS: &str = "SUPERVISOR_CHAOS";
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

/// The folder for temporary files. The user's own, and set only if the run gives one.
pub const TMPDIR: &str = "TMPDIR";

/// The descriptors that transports hand to a worker; each uses its own of them.
pub const TRANSPORT_FDS: [&str; 6] = [FD_IN, FD_OUT, FD_MEMORY, FD_SPOOL, FD_INPUT, FD_LIVENESS];
/// The other variables that transports hand to a worker, likewise.
pub const TRANSPORT_VARIABLES: [&str; 3] = [PEER, SPIN, RENDEZVOUS];

/// What the descriptor is whose number is in this variable, for people.
#[must_use]
pub fn meaning(name: &str) -> &'static str {
    match name {
        FD_IN => "items",
        FD_OUT => "results",
        FD_MEMORY => "the shared memory",
        FD_SPOOL => "the spool",
        FD_INPUT => "the input",
        FD_LIVENESS => "the end of the supervisor",
        FD_PROGRESS => "the progress page",
        _ => "",
    }
}

const ALL: [&str; 24] = [
    FD_IN,
    FD_OUT,
    FD_MEMORY,
    FD_SPOOL,
    FD_INPUT,
    FD_LIVENESS,
    FD_PROGRESS,
    TOKEN,
    PARENT,
    PEER,
    RENDEZVOUS,
    DELIMITER,
    TRANSPORT,
    SPIN,
    ITEM_TIMES,
    WORK_TIMES,
    CHAOS,
    WORKER,
    RUN,
    ITEM,
    ATTEMPT,
    PARALLEL_SEQ,
    PARALLEL_JOBSLOT,
    PARALLEL_PID,
];

/// The variables by which libraries of threads are told how many to use: OpenMP, the BLAS libraries, numexpr, rayon.
/// They are the user's own, and set only if the run says how many threads a worker has.
pub const THREADS: [&str; 7] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
];

/// Whether this variable is one of those that workers get of a run. Such a variable is not passed on: a process that inherited it from an
/// outer supervisor would take itself for a worker of that supervisor.
#[must_use]
pub fn is_ours(name: &OsStr) -> bool {
    ALL.iter().any(|own| *own == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::surroundings::is_own_variable;

    #[test]
    fn no_user_sets_a_variable_of_ours() {
        assert!(ALL.iter().all(|name| is_own_variable(OsStr::new(name))));
        assert!(!THREADS.iter().chain(&[TMPDIR]).any(|name| is_own_variable(OsStr::new(name))));
    }
}
