//! Everything that `engine::run` needs, checked. The builder makes it, for the command line as for a program that
//! uses the library.

#![deny(missing_docs)]

pub use super::output_spec::{
    Advice, Grouping, JobLogSpec, OutputMode, OutputSpec, ProgressMode, ResultsFormat, ResultsSpec, ShowOutput,
    ShowWhen, SummaryMode,
};

use super::arrangement::{Arrangement, Insertion, ItemForm};
use super::item_set::ItemSet;
use super::journal_spec::JournalSpec;
use super::spec::{Leftovers, Policy, ProtocolKind, TransportSpec};
use super::surroundings::Surroundings;
use super::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

/// A whole run. [`ConfigBuilder::build`](super::builder::ConfigBuilder::build) makes one and checks it. Fields that are
/// changed afterwards are not checked again.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The numbers and rules that the core decides by.
    pub policy: Policy,
    /// What works on the items. `policy.worker` has to fit it.
    pub worker: WorkerSpec,
    /// Where items come from. `start_with` ignores it.
    pub source: SourceSpec,
    /// What is written to stdout, stderr and the file of events.
    pub output: OutputSpec,
    /// INT, TERM and QUIT stop the run, and USR1 writes its state to stderr. If false, the run catches no signal.
    pub handles_signals: bool,
    /// Where the number of workers stands, at the start and whenever it changes; `None`: `policy.workers` holds.
    pub workers_file: Option<WorkersFileSpec>,
    /// The number of workers is searched for while the run lasts, up to this one; `policy.workers` is the first.
    pub workers_max: Option<u32>,
    /// What the machine has to have to spare before a process is started.
    pub start_rules: StartRules,
    /// With fewer bytes of memory free no process is started, and with fewer than twice as many those that began last are
    /// stopped until there are more; `None`: whatever is free. It adds to `start_rules.free_bytes_min` for starts.
    pub suspend_free_bytes: Option<u64>,
    /// A process is started only on a place of the semaphore of this name, which all runs of the user share.
    pub semaphore: Option<OsString>,
    /// A script of `/bin/sh` that has to exit with 0 before each start of a process; `None`: none has to. With 2 it also has
    /// the process ended that began last.
    pub start_check: Option<OsString>,
    /// Most items in one message to a worker that stays; the core's batches may be longer.
    pub message_items_max: u32,
    /// What worker processes are started in. Threads have none of it.
    pub surroundings: Surroundings,
    /// What `OMP_NUM_THREADS` and its kin say in the environment of workers; `None`: they are as in our own.
    pub threads_per_worker: Option<u32>,
    /// Each command has a terminal of its own as stdout and stderr, in place of two pipes. Each worker that answers in text
    /// has one as stdin and stdout.
    pub pty: bool,
    /// The person at the controlling terminal is asked before each command starts.
    pub asks: bool,
    /// Each command that runs gets further blocks of the input, once every slot has one. `policy` must not let a command run
    /// twice.
    pub round_robin: bool,
    /// Descriptors of this process, from 3 on, that workers inherit under the same numbers. They have to stay open
    /// while the run lasts.
    pub pass_fds: Vec<i32>,
    /// What becomes of the processes that a worker leaves in its process group.
    pub leftovers: Leftovers,
    /// Where temporary files and folders lie, and what workers find in `TMPDIR`; `None`: `TMPDIR` of our own, else `/tmp`.
    pub tmpdir: Option<PathBuf>,
    /// What an earlier run has finished.
    pub earlier: EarlierRun,
    /// The durable record of the run.
    pub journal: Option<JournalSpec>,
    /// Other processes of the user can steer and watch the run over a socket of its own.
    pub control: bool,
    /// What is recorded of the run.
    pub trace: TraceSpec,
    /// Names this run in `SUPERVISOR_RUN` and in keys of items: letters, digits, `-`.
    pub run_id: String,
}

impl Config {
    /// The most workers that the run has at a time, unless it is told another number.
    #[must_use]
    pub fn workers_at_most(&self) -> u32 {
        self.policy.workers.max(self.workers_max.unwrap_or(0))
    }
}

/// Items that an earlier run has finished: they are counted as done, and not handed out again. By default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlierRun {
    /// By their ids, which are their places in the input, from 0.
    pub finished: ItemSet,
    /// Those, too, whose results are in the folder of `output.results`.
    pub stored: bool,
}

/// What the machine has to have to spare before a process is started. By default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartRules {
    /// Fewer than this many threads of the machine run, or wait for a processor or a disk. At least 1.
    pub load_max: Option<u32>,
    /// At least so many bytes of memory are free, of the machine and of the control group.
    pub free_bytes_min: Option<u64>,
}

impl StartRules {
    /// Whether there is any rule.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.load_max.is_some() || self.free_bytes_min.is_some()
    }
}

/// A file that holds a number of workers, as [`WorkerCount`](super::worker_count::WorkerCount) reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkersFileSpec {
    /// The file.
    pub file: PathBuf,
    /// Cores, for a number in terms of them.
    pub cores: u32,
}

/// What is recorded of a run while it lasts: every message, every fact, every decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceSpec {
    /// The file of the trace, which others cannot read. A trace that is there is replaced, anything else is not.
    pub file: Option<PathBuf>,
    /// The times and the text of each item are recorded, too.
    pub items: bool,
    /// A line on stderr for each message, each end and each decision, as it happens.
    pub flow: bool,
    /// Whether these lines have colors.
    pub color: ColorMode,
}

/// When text has colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMode {
    /// On a terminal, unless the environment has `NO_COLOR`.
    #[default]
    Auto,
    /// In every case.
    Always,
    /// In no case.
    Never,
}

impl ColorMode {
    /// Whether there are colors, if `auto` decides it by itself.
    #[must_use]
    pub fn is_on(self, auto: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Auto => auto(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl TraceSpec {
    /// Whether anything is recorded or shown.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.file.is_some() || self.flow
    }
}

/// What a worker is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WorkerSpec {
    /// The built-in worker. Its program is `supervisor-worker` beside the running program; without it, the running
    /// program is started with [`WORKER_ROLE`](super::spec::WORKER_ROLE) as its first argument.
    BuiltIn {
        /// One of [`TASKS`](super::spec::TASKS).
        task: String,
        /// Spent on each item.
        delay: Duration,
        /// How items travel.
        transport: TransportSpec,
    },
    /// The built-in worker on threads of this process, without isolation.
    Thread {
        /// One of [`TASKS`](super::spec::TASKS).
        task: String,
        /// Spent on each item.
        delay: Duration,
    },
    /// Workers that stay: a program on the SDK, `supervisor::worker`.
    Frames {
        /// The program, searched for in `PATH` if it has no slash, then its arguments.
        argv: Vec<OsString>,
        /// How items travel.
        transport: TransportSpec,
    },
    /// Workers that stay: a program that knows nothing of this library and answers in text.
    Foreign(ForeignSpec),
    /// A process for each item.
    Exec(ExecSpec),
}

/// Workers that stay and answer in text.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignSpec {
    /// The program, searched for in `PATH` if it has no slash, then its arguments.
    pub argv: Vec<OsString>,
    /// A protocol of text.
    pub protocol: ProtocolKind,
    /// A stream of bytes.
    pub transport: TransportSpec,
    /// It says that it is ready before it gets items. `policy.worker.hello` has to agree.
    pub waits_until_ready: bool,
    /// It reads and writes the descriptors that `SUPERVISOR_FD_IN` and `SUPERVISOR_FD_OUT` name, not stdin and stdout.
    pub own_fds: bool,
}

impl WorkerSpec {
    /// How items travel to worker processes that stay.
    #[must_use]
    pub const fn transport(&self) -> Option<&TransportSpec> {
        match self {
            Self::BuiltIn { transport, .. } | Self::Frames { transport, .. } => Some(transport),
            Self::Foreign(spec) => Some(&spec.transport),
            Self::Thread { .. } | Self::Exec(_) => None,
        }
    }
}

/// A shell that runs commands as GNU parallel does it: their words, joined by spaces, are its script, in which arguments
/// stand as quoted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotingShell {
    /// The shell, searched for in `PATH` if it has no slash.
    pub shell: OsString,
    /// The words of the command are quoted too, with the arguments in them.
    pub quotes_words: bool,
    /// The variable of a command that holds its slot, from 0.
    pub slot_variable: OsString,
    /// Not 0: a script is not run but printed, quoted so many times.
    pub prints_quoted: u32,
}

/// A process for each item.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecSpec {
    /// The program, searched for in `PATH` if it has no slash, then its arguments. Placeholders such as `{}` stand for
    /// the item; without any, the item is appended.
    pub argv: Vec<OsString>,
    /// Join the arguments with spaces and run them by `/bin/sh -c`; an item is an argument of the shell, never a part
    /// of the script.
    pub shell: bool,
    /// As `shell`, but as GNU parallel does it. Without `argv`, an item is a script itself.
    pub quoting_shell: Option<QuotingShell>,
    /// The item's bytes on the command's stdin; nothing is appended to its arguments.
    pub stdin: bool,
    /// A command's stderr goes where its stdout goes, in the order in which it writes.
    pub merges: bool,
    /// Each attempt gets a temporary folder, which its `TMPDIR` names and which is removed behind it.
    pub item_tmp: bool,
    /// Each command is lent the controlling terminal while it runs. `policy.workers` has to be 1.
    pub terminal: bool,
    /// What an item is to the command, and how its arguments get into it. It has to fit the source.
    pub insertion: Insertion,
}

/// Where items come from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SourceSpec {
    /// The decimal numbers from 0 to `count` - 1.
    Generate {
        /// How many.
        count: u64,
    },
    /// Items that are known from the start, such as the words after `:::`.
    Args {
        /// One item each.
        items: Vec<OsString>,
    },
    /// The content of a file or of stdin.
    Lines {
        /// What is read.
        input: InputSpec,
        /// Where an item ends.
        split: Split,
        /// Each line is a number, a tab and the item. A line without a number fails as an item of its own.
        priority: bool,
    },
    /// Items that other processes add to the queue of the journal. There is always another one to come: the run goes on until
    /// it is stopped.
    Queue,
    /// Other items than what is read: columns, combinations of several inputs, lists of arguments.
    Arranged {
        /// What is read, at least one.
        inputs: Vec<ArrangedInput>,
        /// What becomes of it.
        arrangement: Arrangement,
        /// What an item is.
        form: ItemForm,
    },
}

/// One of several inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrangedInput {
    /// Not arranged itself.
    pub source: SourceSpec,
    /// Its values go together with those of the input before it, one by one, instead of with each of them.
    pub linked: bool,
}

impl SourceSpec {
    /// The files and the stdin that are read.
    pub fn inputs(&self) -> impl Iterator<Item = &InputSpec> {
        let (own, arranged) = match self {
            Self::Lines { input, .. } => (Some(input), &[][..]),
            Self::Arranged { inputs, .. } => (None, inputs.as_slice()),
            Self::Generate { .. } | Self::Args { .. } | Self::Queue => (None, &[][..]),
        };
        own.into_iter().chain(arranged.iter().filter_map(|input| match &input.source {
            Self::Lines { input, .. } => Some(input),
            _ => None,
        }))
    }

    /// If the items are numbers, and nothing else.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        match self {
            Self::Generate { .. } => true,
            Self::Arranged { inputs, .. } => inputs.iter().all(|input| input.source.is_generated()),
            Self::Args { .. } | Self::Lines { .. } | Self::Queue => false,
        }
    }

    /// What an item is to a command.
    #[must_use]
    pub const fn form(&self) -> ItemForm {
        match self {
            Self::Arranged { form, .. } => *form,
            Self::Generate { .. } | Self::Args { .. } | Self::Lines { .. } | Self::Queue => ItemForm::Whole,
        }
    }
}

/// What items are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSpec {
    /// The process's own stdin.
    Stdin,
    /// A file of this path, or a pipe or device.
    File(PathBuf),
}

/// Where an item ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// After each delimiter. The last item needs none.
    Delimiter(u8),
    /// An item is a block of many lines.
    Block {
        /// From 1 to [`ITEM_BYTES_MAX`](super::spec::ITEM_BYTES_MAX): the size of a block, about that size if there is
        /// a delimiter.
        bytes: u64,
        /// A block is cut after this byte; `None`: at exactly `bytes`.
        delimiter: Option<u8>,
    },
    /// An item is a block of many records, cut where GNU parallel's `--pipe` cuts it.
    Records(RecordSplit),
}

impl Split {
    /// Whether an item is a block of many lines or records.
    #[must_use]
    pub const fn makes_blocks(&self) -> bool {
        match self {
            Self::Delimiter(_) => false,
            Self::Block { .. } | Self::Records(_) => true,
        }
    }
}

/// Blocks of records. A record ends where `end` is followed by `start`: the cut is between the two. A block ends at the
/// last such place within its size. If there is none, the size grows, and stays so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSplit {
    /// From 1 to [`ITEM_BYTES_MAX`](super::spec::ITEM_BYTES_MAX): the size of a block before the cut.
    pub block_bytes: u64,
    /// What a record begins with; it may be empty.
    pub start: Vec<u8>,
    /// What a record ends with; it may be empty. If both are, a block is cut at exactly its size.
    pub end: Vec<u8>,
}
