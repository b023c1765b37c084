//! What can be wrong with a configuration. Each text names the setting and the remedy.

#![deny(missing_docs)]

pub use super::setting::Setting;

use super::chaos::ChaosKind;
use super::config::OutputMode;
use super::exit_rule::{ExitMatch, ExitRule};
use super::spec::{ITEM_BYTES_MAX, ProtocolKind, TASKS, TransportKind};

/// Why [`ConfigBuilder::build`](super::builder::ConfigBuilder::build) refuses its settings. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A command or a worker program has no words.
    #[error("the program of the worker is missing; give it as the first of the words")]
    NoProgram,
    /// The built-in worker alone has this setting, and a program is set.
    #[error("`{setting}` is for the built-in worker; leave it out, or set no program")]
    NeedsBuiltIn {
        /// The setting to leave out.
        setting: Setting,
    },
    /// Workers of a protocol of text are ready when they are started, unless they say so.
    #[error(
        "`start_timeout` limits how long a worker takes to say that it is ready, and these say nothing; leave it out, or use \
         `wait_ready` with the protocol `json`"
    )]
    NothingToAwait,
    /// Workers that stay alone have this setting, and a command per item is set.
    #[error(
        "`{setting}` is for workers that stay, but a command runs once per item; leave it out, or use `worker_program`"
    )]
    NeedsResident {
        /// The setting to leave out.
        setting: Setting,
    },
    /// A command per item alone has this setting, and workers that stay are set.
    #[error("`{setting}` is for a command that runs once per item; leave it out, or use `command`")]
    NeedsCommand {
        /// The setting to leave out.
        setting: Setting,
    },
    /// Commands and workers that answer in text alone have this setting.
    #[error(
        "`{setting}` is for a command that runs once per item, or for workers of the protocol lines or json; leave it \
         out, or set one of these protocols"
    )]
    NeedsText {
        /// The setting to leave out.
        setting: Setting,
    },
    /// Lines travel by the terminal of a worker, or in another way.
    #[error("with `pty` lines travel by a terminal, and `{setting}` is another way; leave one of them out")]
    OtherWay {
        /// The setting to leave out.
        setting: Setting,
    },
    /// Worker processes alone have this setting, and threads are set.
    #[error("`{setting}` is for worker processes, and `threads` has none; leave one of them out")]
    NeedsProcesses {
        /// The setting to leave out.
        setting: Setting,
    },
    /// Another transport has this setting, not the one that is used.
    #[error("`{setting}` is for the transport {}; set that, or leave `{setting}` out", transport.name())]
    NeedsTransport {
        /// The setting to leave out.
        setting: Setting,
        /// The only transport that has the setting.
        transport: TransportKind,
    },
    /// Workers of another protocol have this setting.
    #[error("`{setting}` is for workers of the protocol {}; set that, or leave `{setting}` out", protocol.name())]
    NeedsProtocol {
        /// The setting to leave out.
        setting: Setting,
        /// The only protocol that has the setting.
        protocol: ProtocolKind,
    },
    /// The transport is no stream of bytes.
    #[error(
        "the transport {} carries frames, and the protocol {} is text; set the transport pipe or socket, or leave it out",
        transport.name(), protocol.name()
    )]
    FramesOnly {
        /// The transport that was set.
        transport: TransportKind,
        /// The protocol that was set.
        protocol: ProtocolKind,
    },
    /// Each item would be several lines.
    #[error(
        "an item of `block` is many lines, and the protocol lines takes one line for each item; leave one of them out"
    )]
    BlockOfLines,
    /// The setting says how an input is cut, and the items come from no input.
    #[error("`{setting}` is for items from a file or stdin; use `input`, or leave `{setting}` out")]
    NeedsInput {
        /// The setting to leave out.
        setting: Setting,
    },
    /// `delimiter` is `None` without `block`, so nothing would end an item.
    #[error("no `delimiter` is for blocks of an exact size; set `block`, or a delimiter")]
    NoDelimiter,
    /// Blocks have no number to order them by.
    #[error("`block` makes items without a number; leave it out, or use another `queue` than priority")]
    BlockPriority,
    /// A block travels alone.
    #[error("`block` sends one item in a message; leave `batch_max` out")]
    BlockBatchMax,
    /// `pipe` alone has this setting.
    #[error("`{setting}` says how `pipe` cuts and shares out; set that, or leave `{setting}` out")]
    NeedsPipe {
        /// The setting to leave out.
        setting: Setting,
    },
    /// A command that got many blocks cannot get them again, and their number of commands is fixed.
    #[error(
        "with `round_robin` a command gets many blocks, none of them twice, and each slot has one command; leave \
         `{setting}` or `round_robin` out"
    )]
    OneCommandPerSlot {
        /// The setting to leave out.
        setting: Setting,
    },
    /// The setting is for items that are lines, and `pipe` makes blocks of records.
    #[error(
        "`{setting}` is for items of one line, and `pipe` hands out blocks of records; leave one of them out \
         (`record_end` says where a record ends)"
    )]
    PipeOfLines {
        /// The setting to leave out.
        setting: Setting,
    },
    /// A tag would be a whole block.
    #[error("`tag` writes the item before each line, but an item of `block` is many lines; leave one of them out")]
    TagOfBlocks,
    /// Items come from the queue of the journal, and from nowhere else.
    #[error("`keep_open` takes the items of the journal's queue as they are; leave `{setting}` or `keep_open` out")]
    QueueAlone {
        /// The setting to leave out.
        setting: Setting,
    },
    /// There is no journal whose queue could be taken.
    #[error("`keep_open` takes the items of the journal's queue; set `journal`, or leave `keep_open` out")]
    QueueOfNone,
    /// The items of a queue are known by their numbers.
    #[error("`keep_open` takes items that are known by their numbers; leave `resume_by` or `keep_open` out")]
    QueueByItem,
    /// What is read becomes other items, which have neither a number nor the size of a block.
    #[error("`{setting}` makes items of what is read, and `{other}` hands it out as it is; leave one of them out")]
    ArrangedAsRead {
        /// The setting that makes items.
        setting: Setting,
        /// The setting that hands them out as they are.
        other: Setting,
    },
    /// A list of arguments has no bytes for a stdin.
    #[error("`stdin` writes one item as it is, and `{setting}` makes lists of arguments; leave one of them out")]
    ListToStdin {
        /// The setting that makes lists.
        setting: Setting,
    },
    /// stdin has been read when it is read again.
    #[error("stdin is read twice; give a file, or leave one of them out")]
    StdinTwice,
    /// The terminal belongs to one command at a time.
    #[error("`terminal` is for one command at a time; set `workers` to 1, or leave it out")]
    TerminalWorkers,
    /// A command that is stopped would keep the terminal for ever.
    #[error("`terminal` needs `handle_signals`, by which a command that stops is noticed; set it too")]
    TerminalSignals,
    /// A command has either terminal.
    #[error("`terminal` lends commands our terminal, and `pty` gives each its own; leave one of them out")]
    TwoTerminals,
    /// Nothing is started, so this setting has nothing to do.
    #[error("with `dry_run` nothing is started, and `{setting}` has nothing to do; leave one of them out")]
    NothingStarted {
        /// The setting to leave out.
        setting: Setting,
    },
    /// Workers have a stdin, stdout and stderr of their own.
    #[error("`pass_fds` has {fd}, but 0, 1 and 2 are a worker's own stdin, stdout and stderr; give numbers from 3 on")]
    PassedStandard {
        /// The number to leave out.
        fd: i32,
    },
    /// A run sets this variable itself.
    #[error("`variables` sets {name}, which a run sets itself; leave it out")]
    OwnVariable {
        /// The name of the variable.
        name: String,
    },
    /// The system cannot hand this variable over.
    #[error(
        "`variables` has {name:?}; a name is not empty and has no `=`, and neither it nor its value holds a NUL byte"
    )]
    BadVariable {
        /// The name of the variable.
        name: String,
    },
    /// No folder has an empty name, or one with a NUL byte.
    #[error("`workdir` is empty or holds a NUL byte; name a folder, or leave it out")]
    NoWorkdir,
    /// This output shows the item without a tag.
    #[error("`tag` is for the output of results, and {mode:?} names the item already; leave `tag` out")]
    TagOfMode {
        /// The output that was set.
        mode: OutputMode,
    },
    /// Output that leaves while its command runs can neither be changed nor kept.
    #[error("`grouping` lets output leave before its command has ended, which `{setting}` cannot heed; leave one out")]
    EarlyOutput {
        /// The setting that needs the whole output.
        setting: Setting,
    },
    /// This output has another form than what commands write.
    #[error("`{setting}` is for the output of results, and not for {mode:?}; leave one of them out")]
    ShowOfMode {
        /// The setting to leave out.
        setting: Setting,
        /// The output that was set.
        mode: OutputMode,
    },
    /// The name has no byte.
    #[error("`results` has an empty name; give a folder, or a file that ends in .csv, .tsv or .json")]
    NoResultsName,
    /// stdout would have a table and something else.
    #[error("`results` writes its table to stdout, and `{setting}` writes there, too; leave one of them out")]
    ResultsOnStdout {
        /// The setting to leave out.
        setting: Setting,
    },
    /// A summary is wanted always and, because of `quiet`, never.
    #[error("`quiet` leaves the summary out, but `summary` always asks for it; leave one of them out")]
    QuietSummary,
    /// A progress display is wanted and, because of `quiet`, not wanted.
    #[error("`quiet` keeps stderr empty, but `progress` is shown there; leave one of them out")]
    QuietProgress,
    /// A command that has the terminal draws on it itself.
    #[error("`terminal` lends the terminal to commands, and `progress` is shown on it; leave one of them out")]
    TerminalProgress,
    /// Without a trace there is nothing to record the items in.
    #[error("`trace_items` is for a trace; set `trace` to a file, or leave it out")]
    TraceItems,
    /// The built-in worker has no such task.
    #[error("no `task` is called {task:?}; use one of {}", TASKS.join(", "))]
    UnknownTask {
        /// The name that was set.
        task: String,
    },
    /// The number of workers is given twice.
    #[error("`workers` and `workers_file` both say how many; leave one of them out")]
    TwoWorkerCounts,
    /// The number of workers is read from a file, and searched for.
    #[error(
        "`workers_file` says how many workers there are, so `workers_max` has none to search for; leave one of them out"
    )]
    WorkersMaxOfFile,
    /// The search begins above its end.
    #[error("`workers` is {workers}, more than `workers_max`, which is {max}; the search begins with `workers`")]
    WorkersAboveMax {
        /// The first number.
        workers: u32,
        /// The last one.
        max: u32,
    },
    /// One attempt has two limits.
    #[error("`timeout` and `timeout_percent` both limit an attempt; leave one of them out")]
    TwoTimeouts,
    /// The setting is 0 and may not be.
    #[error("`{setting}` is 0; set more than 0, or leave it out for the default")]
    Zero {
        /// The setting that is 0.
        setting: Setting,
    },
    /// The size of a block is 0, or above [`ITEM_BYTES_MAX`].
    #[error("`block` is out of range; set 1 to {ITEM_BYTES_MAX} bytes")]
    BlockBytes,
    /// The last signal of `term_sequence` is not KILL, so a process could survive it.
    #[error("`term_sequence` does not end every process; append the signal KILL and a wait")]
    NoKill,
    /// The minimum of `backoff` is above its maximum.
    #[error("the shortest wait of `backoff` is longer than its longest; exchange them")]
    BackoffOrder,
    /// The minimum of `start_delay` is above its maximum.
    #[error("the shortest wait of `start_delay` is longer than its longest; exchange them")]
    StartDelayOrder,
    /// The share of `halt` is 0 or above 100.
    #[error("the share of `halt` is out of range; set 1 to 100 percent")]
    HaltPercent,
    /// An end of a command has two rules.
    #[error("{status} has two rules, {} and {}; leave one of them out", rules[0].name(), rules[1].name())]
    TwoExitRules {
        /// The end of the command.
        status: ExitMatch,
        /// Both rules.
        rules: [ExitRule; 2],
    },
    /// A rule for exit 0, or for a signal that does not exist.
    #[error("no rule is possible for {status}; give an exit code from 1 to 255, or a signal from 1 to 64")]
    NoExitRule {
        /// The end of the command.
        status: ExitMatch,
    },
    /// A thread gets no signal of its own, and is not ended alone.
    #[error("chaos cannot do {kind} to a thread; leave {kind} out, or run workers as processes")]
    ChaosOfThreads {
        /// The part to leave out.
        kind: ChaosKind,
    },
    /// Workers on the SDK alone tear their result.
    #[error(
        "chaos tears the results of the built-in worker and of programs on our SDK; leave torn out for commands and for the \
         protocols lines and json"
    )]
    ChaosTorn,
    /// Nothing would end an item that hangs.
    #[error(
        "with hang in chaos items are never answered for, and a time limit alone ends them; set a timeout, such as 1s"
    )]
    ChaosHang,
    /// The time of a stop would move the median.
    #[error("chaos with {kind} needs a fixed time limit; give the timeout as a time, not as N%, or leave {kind} out")]
    ChaosMedian {
        /// The part to leave out.
        kind: ChaosKind,
    },
    /// A command that is stopped gives the terminal back.
    #[error("chaos cannot be done to a command that has the terminal; leave one of them out")]
    ChaosTerminal,
    /// A command that got many blocks cannot get them again.
    #[error("chaos ends commands, and with round robin none of them can run again; leave one of them out")]
    ChaosRoundRobin,
    /// Nothing is started.
    #[error("in a dry run nothing is started, and chaos has nothing to do; leave one of them out")]
    ChaosOfNothing,
    /// `run_id` is empty, or has a character that is not allowed.
    #[error("`run_id` is part of paths and keys; use letters, digits and `-`, at least one")]
    RunId,
}
