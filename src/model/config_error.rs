//! What can be wrong with a configuration. Each text names the setting and the remedy.

use super::config::OutputMode;
use super::spec::{ITEM_BYTES_MAX, TASKS, TransportKind};
use std::fmt;

/// Why [`ConfigBuilder::build`](super::builder::ConfigBuilder::build) refuses its settings. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("the program of the worker is missing; give it as the first of the words")]
    NoProgram,
    #[error("`{setting}` is for the built-in worker; leave it out, or set no program")]
    NeedsBuiltIn { setting: Setting },
    #[error(
        "`{setting}` is for workers that stay, but a command runs once per item; leave it out, or use `worker_program`"
    )]
    NeedsResident { setting: Setting },
    #[error("`{setting}` is for a command that runs once per item; leave it out, or use `command`")]
    NeedsCommand { setting: Setting },
    #[error("`{setting}` is for worker processes, and `threads` has none; leave one of them out")]
    NeedsProcesses { setting: Setting },
    #[error("`{setting}` is for the transport {}; set that, or leave `{setting}` out", transport.name())]
    NeedsTransport { setting: Setting, transport: TransportKind },
    #[error("`{setting}` is for items from a file or stdin; use `input`, or leave `{setting}` out")]
    NeedsInput { setting: Setting },
    #[error("no `delimiter` is for blocks of an exact size; set `block`, or a delimiter")]
    NoDelimiter,
    #[error("`block` makes items without a number; leave it out, or use another `queue` than priority")]
    BlockPriority,
    #[error("`block` sends one item in a message; leave `batch_max` out")]
    BlockBatchMax,
    #[error("`tag` writes the item before each line, but an item of `block` is many lines; leave one of them out")]
    TagOfBlocks,
    #[error("`tag` is for the output of results, and {mode:?} names the item already; leave `tag` out")]
    TagOfMode { mode: OutputMode },
    #[error("`quiet` leaves the summary out, but `summary` always asks for it; leave one of them out")]
    QuietSummary,
    #[error("no `task` is called {task:?}; use one of {}", TASKS.join(", "))]
    UnknownTask { task: String },
    #[error("`{setting}` is 0; set more than 0, or leave it out for the default")]
    Zero { setting: Setting },
    #[error("`block` is out of range; set 1 to {ITEM_BYTES_MAX} bytes")]
    BlockBytes,
    #[error("`term_sequence` does not end every process; append the signal KILL and a wait")]
    NoKill,
    #[error("the shortest wait of `backoff` is longer than its longest; exchange them")]
    BackoffOrder,
    #[error("the share of `halt` is out of range; set 1 to 100 percent")]
    HaltPercent,
    #[error("`run_id` is part of paths and keys; use letters, digits and `-`, at least one")]
    RunId,
}

/// A method of [`ConfigBuilder`](super::builder::ConfigBuilder), as an error names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    Task,
    Delay,
    Threads,
    Transport,
    Spin,
    Spool,
    Credit,
    BatchMax,
    Restart,
    Strategy,
    Shell,
    Stdin,
    Verbose,
    Timeout,
    CrashLimit,
    Delimiter,
    Block,
    /// `queue`, set to priority.
    PriorityQueue,
    Workers,
    QueueItemsMax,
    DeadMax,
    RunTimeout,
    Intensity,
    Halt,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Delay => "delay",
            Self::Threads => "threads",
            Self::Transport => "transport",
            Self::Spin => "spin",
            Self::Spool => "spool",
            Self::Credit => "credit",
            Self::BatchMax => "batch_max",
            Self::Restart => "restart",
            Self::Strategy => "strategy",
            Self::Shell => "shell",
            Self::Stdin => "stdin",
            Self::Verbose => "verbose",
            Self::Timeout => "timeout",
            Self::CrashLimit => "crash_limit",
            Self::Delimiter => "delimiter",
            Self::Block => "block",
            Self::PriorityQueue => "queue",
            Self::Workers => "workers",
            Self::QueueItemsMax => "queue_items_max",
            Self::DeadMax => "dead_max",
            Self::RunTimeout => "run_timeout",
            Self::Intensity => "intensity",
            Self::Halt => "halt",
        })
    }
}
