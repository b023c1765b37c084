//! Everything that `engine::run` needs, checked. The builder makes it, for the command line as for a program that
//! uses the library.

use super::spec::{Policy, TransportSpec};
use super::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub policy: Policy,
    pub worker: WorkerSpec,
    pub source: SourceSpec,
    pub output: OutputSpec,
    /// INT, TERM and QUIT stop the run, and USR1 shows its state.
    pub handles_signals: bool,
    /// Most items in one message to a worker that stays; the core's batches may be longer.
    pub message_items_max: u32,
    /// Names this run in `SUPERVISOR_RUN` and in keys of items: letters, digits, `-`.
    pub run_id: String,
}

/// What a worker is.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerSpec {
    /// The built-in worker: `task` by name, `delay` spent on each item.
    BuiltIn { task: String, delay: Duration, transport: TransportSpec },
    /// The same on threads of this process, without isolation.
    Thread { task: String, delay: Duration },
    /// A program on our SDK, started with these arguments (the first is the program).
    Frames { argv: Vec<OsString>, transport: TransportSpec },
    /// A process for each item.
    Exec(ExecSpec),
}

impl WorkerSpec {
    /// How items travel to worker processes that stay.
    #[must_use]
    pub const fn transport(&self) -> Option<&TransportSpec> {
        match self {
            Self::BuiltIn { transport, .. } | Self::Frames { transport, .. } => Some(transport),
            Self::Thread { .. } | Self::Exec(_) => None,
        }
    }
}

/// A process for each item. `argv[0]` is the program; arguments may contain placeholders such as `{}`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecSpec {
    pub argv: Vec<OsString>,
    /// Join the arguments with spaces and run them by `/bin/sh -c`; items are quoted for the shell.
    pub shell: bool,
    /// The item's bytes on the command's stdin; nothing is appended to its arguments.
    pub stdin: bool,
}

/// Where items come from.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceSpec {
    /// The decimal numbers 0..count.
    Generate { count: u64 },
    /// The words after `:::`.
    Args { items: Vec<OsString> },
    /// The content of a file or of stdin.
    Lines { input: InputSpec, split: Split, priority: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSpec {
    Stdin,
    File(PathBuf),
}

/// Where an item ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// After each delimiter.
    Delimiter(u8),
    /// Blocks of about `bytes`, cut after a delimiter; `None`: cut at exactly `bytes`.
    Block { bytes: u64, delimiter: Option<u8> },
}

/// What the run writes, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    pub mode: OutputMode,
    /// Each line of output is preceded by the item and a tab.
    pub tag: bool,
    /// Commands are printed to stderr before they start.
    pub verbose: bool,
    /// Commands, or items, are printed to stdout and nothing is started.
    pub dry_run: bool,
    /// Every event as one JSON object a line.
    pub events: Option<PathBuf>,
    pub summary: SummaryMode,
    /// Nothing on stderr but errors that end the run.
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// `worker 3 (pid 4123): item 7 -> 49`
    Narrate,
    /// The workers' results and nothing else.
    Results,
    /// One object per settled item.
    Json,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummaryMode {
    /// Always with `Narrate`; otherwise only if some item is not done, a worker died, or the run was broken off.
    Auto,
    Always,
    Never,
}
