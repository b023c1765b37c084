//! What can be wrong with a command line. Each text is printed behind `supervisor: ` on one line and names the remedy;
//! the exit code is always [`crate::exit_code::USAGE`].

use super::parallel::error::ParallelError;
use crate::model::config_error::ConfigError;
use crate::model::exit_rule::{ExitMatch, ExitRule};

/// Wrong usage; nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The text of the parser of flags.
    #[error("{0}")]
    Flags(String),
    #[error("unexpected word {0:?}; a command goes behind --, items go behind ::: (see --help)")]
    StrayWord(String),
    #[error("unexpected word {word:?}; a command goes behind --: {corrected}")]
    NoSeparator { word: String, corrected: String },
    #[error("unexpected word {word:?}; see supervisor {subcommand} --help")]
    StrayWordOf { subcommand: &'static str, word: String },
    #[error("supervisor run needs a command; give one behind --: supervisor run -- COMMAND [ARG]...")]
    RunNoCommand,
    #[error("supervisor sem needs a name; give one: supervisor sem --id NAME -- COMMAND [ARG]...")]
    SemNoName,
    #[error("supervisor sem needs a command; give one behind --, or --wait")]
    SemNoCommand,
    #[error("--wait runs nothing; leave it out, or leave the command out")]
    SemWaitCommand,
    #[error("supervisor check-worker needs a command; give one behind --: supervisor check-worker -- COMMAND [ARG]...")]
    CheckNoCommand,
    #[error("no command behind --; give one, or leave -- out")]
    NoCommand,
    #[error("{separator} needs the name of a file (- is stdin)")]
    NoFile { separator: &'static str },
    #[error("stdin is read twice; give a file, or leave one of them out")]
    StdinTwice,
    #[error("{flag} makes items of what is read, and {other} hands it out as it is; leave one of them out")]
    ArrangedAsRead { flag: &'static str, other: &'static str },
    #[error("--stdin hands one item over as it is, and {flag} makes lists of arguments; leave one of them out")]
    ListToStdin { flag: &'static str },
    #[error("-I needs a text that stands for the item, such as -I ,,; leave it out for {{}}")]
    NoReplacement,
    #[error(
        "--csv has fields between single bytes, and --colsep {separator:?} is none; give one byte, or leave --csv out"
    )]
    CsvSeparator { separator: String },
    #[error("{first} and {second} are both given, but items come from one place; leave one out")]
    TwoInputs { first: &'static str, second: &'static str },
    #[error("{flag} needs a command; give one behind --")]
    NeedsCommand { flag: &'static str },
    #[error("{flag} is for the built-in worker; leave it out, or leave the command out")]
    NeedsBuiltIn { flag: &'static str },
    #[error(
        "{flag} is for workers that stay, but a command runs once per item; leave it out, or add --protocol lines, json or frames"
    )]
    NeedsFrames { flag: &'static str },
    #[error("{flag} is for --transport {transport}; add that, or leave {flag} out")]
    NeedsTransport { flag: &'static str, transport: &'static str },
    #[error("{flag} is for workers of --protocol {protocol}; add that, or leave {flag} out")]
    NeedsProtocol { flag: &'static str, protocol: &'static str },
    #[error(
        "--transport {transport} carries frames, and --protocol {protocol} is text; use --transport pipe or socket, or leave it out"
    )]
    FramesOnly { transport: &'static str, protocol: &'static str },
    #[error("an item of --block is many lines, and --protocol lines takes one line for each item; use --protocol json")]
    BlockOfLines,
    #[error("{flag} is for a command that runs once per item; leave it out, or use --protocol exec with a command")]
    NeedsExec { flag: &'static str },
    #[error(
        "{flag} is for a command that runs once per item, or with --protocol lines or json; leave it out, or add that"
    )]
    NeedsText { flag: &'static str },
    #[error("with --pty lines travel by a terminal, and {flag} is another way; leave one of them out")]
    OtherWay { flag: &'static str },
    #[error("{flag} is for worker processes, and --isolation thread has none; leave one of them out")]
    NeedsProcesses { flag: &'static str },
    #[error(
        "{flag} is for items from a file or stdin; give one with -a FILE or :::: FILE (- is stdin), or leave {flag} out"
    )]
    NeedsLines { flag: &'static str },
    #[error("a delimiter of no byte is for blocks of an exact size; add --block SIZE, or give one byte")]
    NoDelimiter,
    #[error("--block hands out blocks, which have no number; leave it out, or leave --queue priority out")]
    BlockPriority,
    #[error("{flag} says how --pipe cuts and shares out; add --pipe, or leave {flag} out")]
    NeedsPipe { flag: &'static str },
    #[error(
        "with --round-robin a command gets many blocks, none of them twice, and each slot has one command; leave {flag} or --round-robin out"
    )]
    OneCommandPerSlot { flag: &'static str },
    #[error(
        "{flag} is for items of one line, and --pipe hands out blocks of records; leave one of them out (--recend TEXT says where a record ends)"
    )]
    PipeOfLines { flag: &'static str },
    #[error("--block sends one block in a message; leave --batch-max out")]
    BlockBatchMax,
    #[error(
        "--tag puts the item before each line, and with --block an item is many lines itself; leave one of them out"
    )]
    TagOfBlocks,
    #[error("--tag is for --output results; {mode} names the item already, so leave --tag out")]
    NeedsResults { mode: &'static str },
    #[error("--on gives {status} two rules, {} and {}; leave one of them out", rules[0].name(), rules[1].name())]
    TwoExitRules { status: ExitMatch, rules: [ExitRule; 2] },
    #[error("--tty lends the terminal to one command at a time; give -j 1, or leave -j out")]
    TtyWorkers,
    #[error("--tty lends commands our terminal, and --pty gives each its own; leave one of them out")]
    TwoTerminals,
    #[error("--dry-run starts nothing, so {flag} has nothing to do; leave one of them out")]
    NothingStarted { flag: &'static str },
    #[error("--pass-fd {fd}: 0, 1 and 2 are a worker's own stdin, stdout and stderr; give a number from 3 on")]
    PassedStandard { fd: i32 },
    #[error("--env {name}: a run sets this variable itself; leave it out")]
    OwnVariable { name: String },
    #[error("--workdir '': no folder has an empty name; give one, or leave --workdir out")]
    NoWorkdir,
    #[error("--quiet leaves the summary out, but --summary always asks for it; leave one out")]
    QuietSummary,
    #[error("--quiet keeps stderr empty, but --progress is shown there; leave one out")]
    QuietProgress,
    #[error("--tty lends the terminal to commands, and --progress is shown on it; leave one out")]
    TtyProgress,
    #[error("-j FILE says how many slots there are, so --jobs-max has none to search for; leave one of them out")]
    JobsMaxOfFile,
    #[error("-j {workers} is more than --jobs-max {max}; give -j the number to begin with, or leave it out")]
    JobsAboveMax { workers: u32, max: u32 },
    #[error("--events - would mix events into the results; give a file, or /dev/stderr")]
    EventsOnStdout,
    #[error("{flag} is for --output results, which writes what commands write; leave one of them out")]
    ShowOfMode { flag: &'static str },
    #[error("--results has an empty name; give a folder, or a file that ends in .csv, .tsv or .json")]
    NoResultsName,
    #[error("--results writes its table to stdout, and {flag} writes there too; leave one of them out, or give a file")]
    ResultsOnStdout { flag: &'static str },
    #[error("{grouping} writes output before its command has ended, which {flag} cannot heed; leave one of them out")]
    EarlyOutput { grouping: &'static str, flag: &'static str },
    #[error("--joblog - would mix the log into the results; give a file, or /dev/stderr")]
    JobLogOnStdout,
    #[error(
        "--keep-open takes the items of the journal's queue as they are; leave {flag} or --keep-open out (`supervisor queue JOURNAL add` adds items)"
    )]
    QueueAlone { flag: &'static str },
    #[error("--keep-open takes items that are known by their numbers; leave --resume-by item or --keep-open out")]
    QueueByItem,
    #[error("{flag} makes no sense there; see `supervisor queue --help`")]
    QueueFlag { flag: &'static str },
    #[error("{word:?} is no number of an item; `supervisor queue JOURNAL ls` shows them")]
    QueueNumber { word: String },
    #[error("give the number of an item; `supervisor queue JOURNAL ls` shows them")]
    QueueNoNumber,
    #[error("--worker-log-max is for the files of --worker-log DIR; add that, or leave the size out")]
    LogSizeOfNoFolder,
    #[error("--worker-log needs prefix, raw, or the name of a folder")]
    NoLogFolder,
    #[error(
        "--start-timeout limits how long a worker takes to say that it is ready, and these say nothing; leave it out, or add \
         --wait-ready with --protocol json"
    )]
    NothingToAwait,
    #[error("--dead-letters - would mix them into the results; give a file")]
    DeadLettersOnStdout,
    #[error("--journal - would mix the journal into the results; give a file")]
    JournalOnStdout,
    #[error("--journal {journal} and --resume {resumed} are two journals; leave one of them out")]
    TwoJournals { journal: String, resumed: String },
    #[error("{flag} is for a run with a journal; add --journal FILE, or leave {flag} out")]
    NeedsJournal { flag: &'static str },
    #[error("{flag} is for a journal, and {file} is a joblog; leave {flag} out")]
    OfJournal { flag: &'static str, file: String },
    #[error("--resume {resumed} appends to that joblog, and --joblog {joblog} is another one; leave one of them out")]
    TwoJobLogs { resumed: String, joblog: String },
    #[error("--resume {file} is no joblog, because of its line {line:?}; name another file, or leave --resume out")]
    JobLogLine { file: String, line: String },
    #[error("list shows all dead items; leave ITEM out, or use supervisor show JOURNAL ITEM")]
    DeadListOfItems,
    #[error("--output is for list; leave it out")]
    DeadOutput,
    #[error("{flag} is for a run that goes on; add --resume, or leave {flag} out")]
    NeedsResume { flag: &'static str },
    #[error("--trace-items is for a trace; add --trace FILE, or leave it out")]
    TraceItems,
    #[error("--worker 0: workers are counted from 1")]
    WorkerZero,
    #[error("--follow is for --format text, lines and json, which grow at the end; leave one of them out")]
    FollowFormat,
    #[error("--trace - would mix the trace into the results; give a file")]
    TraceOnStdout,
    #[error("no task is called {task:?}; use one of {known}")]
    NoTask { task: String, known: String },
    #[error("no signal is called {name:?}; use a name such as KILL, or a number from 1 to 64")]
    NoSignal { name: String },
    #[error("{text:?} is no number of workers; give one of at least 1, or +2, or -1")]
    Scale { text: String },
    #[error(transparent)]
    Parallel(#[from] ParallelError),
    /// A setting that no flag can make; the values of flags are checked when they are read.
    #[error(transparent)]
    Settings(#[from] ConfigError),
}
