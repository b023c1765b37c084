//! The settings of a run, as its author makes them: for the command line as for a program that uses the library.
//! `defaults` checks and completes them.
//!
//! Invariant: a setting that was not made is `None`. No default is written here.

#![deny(missing_docs)]

use super::arrangement::Arrangement;
use super::chaos::ChaosPlan;
use super::config::{
    ColorMode, EarlierRun, Grouping, InputSpec, JobLogSpec, OutputMode, ProgressMode, QuotingShell, ResultsSpec,
    ShowWhen, SummaryMode,
};
use super::exit_rule::{ExitMatch, ExitRule};
use super::journal_spec::JournalSpec;
use super::spec::{
    Backoff, Credit, Halt, Intensity, Leftovers, ProtocolKind, QueueOrder, RestartStrategy, RestartType, StartDelay,
    TermStep, TransportKind,
};
use super::time::Duration;
use super::worker_log::WorkerLog;
use std::ffi::OsString;
use std::path::PathBuf;

/// The part of a configuration that is not its author's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Cores that this process may use, at least 1.
    pub cores: u32,
    /// Why that is not the number of cores of the machine.
    pub cores_why: Option<String>,
    /// The seed of a run without a `seed` of its own.
    pub seed: u64,
    /// The id of a run without a `run_id` of its own.
    pub run_id: String,
}

/// Which program works on the items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WorkerChoice {
    BuiltIn,
    Program(Vec<OsString>),
    Command(Vec<OsString>),
}

/// Where items come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceChoice {
    Generate(u64),
    Args(Vec<OsString>),
    Input(InputSpec),
    /// Combinations of several; each with whether it is linked to the one before it. None is several itself.
    Several(Vec<(SourceChoice, bool)>),
}

/// Declares the builder: each setting is a field, `None` until it is set, and a method that sets it.
macro_rules! config_builder {
    (
        values { $($(#[$doc:meta])* $field:ident: $type:ty,)* }
        conversions { $($(#[$into_doc:meta])* $into_field:ident: $into_type:ty,)* }
    ) => {
        /// The settings of a run. Each method sets one; the last call of several counts.
        ///
        /// ```
        /// use supervisor::Config;
        ///
        /// let config = Config::builder().command(["gzip", "-9", "{}"]).items(["a.log", "b.log"]).workers(4).build()?;
        /// assert_eq!(config.policy.workers, 4);
        /// # Ok::<(), supervisor::config::ConfigError>(())
        /// ```
        #[derive(Clone, Debug)]
        #[must_use = "a builder does nothing before `build`"]
        pub struct ConfigBuilder {
            // The command line fills the fields in from its flags, where a flag that is not given is `None`, too.
            pub(crate) host: Host,
            pub(crate) worker: WorkerChoice,
            pub(crate) source: Option<SourceChoice>,
            $(pub(crate) $field: Option<$type>,)*
            $(pub(crate) $into_field: Option<$into_type>,)*
        }

        impl ConfigBuilder {
            /// Nothing is set, which is the demonstration. [`Config::builder`](super::config::Config::builder) also
            /// makes the [`Host`].
            pub const fn new(host: Host) -> Self {
                Self { host, worker: WorkerChoice::BuiltIn, source: None, $($field: None,)* $($into_field: None,)* }
            }
            $(
                $(#[$doc])*
                pub fn $field(self, value: $type) -> Self {
                    Self { $field: Some(value), ..self }
                }
            )*
            $(
                $(#[$into_doc])*
                pub fn $into_field(self, value: impl Into<$into_type>) -> Self {
                    Self { $into_field: Some(value.into()), ..self }
                }
            )*
        }
    };
}

config_builder! {
    values {
        /// Write a line for each item that has ended, as GNU parallel's `--joblog` does. Default: no file.
        joblog: JobLogSpec,
        /// Run commands by this shell as GNU parallel does it. A command without words makes each item a script. Default:
        /// no shell.
        quoting_shell: QuotingShell,
        /// Store the output of each command as GNU parallel's `--results` does, and show it only if `output` is set, too.
        /// Default: nowhere.
        results: ResultsSpec,
        /// Hand out no item that an earlier run has finished. Default: none has.
        earlier: EarlierRun,
        /// Record what becomes of each item so that it survives a crash, and go on with such a record. Default: no record.
        journal: JournalSpec,
        /// Take the items that other processes add to the queue of the journal, until the run is stopped. Default: false.
        keep_open: bool,
        /// How long the built-in worker spends on each item. Default: 0.
        delay: Duration,
        /// Run the built-in worker on threads of this process, without isolation. Default: false.
        threads: bool,
        /// How items travel to workers that stay. Default: shared memory; pipes in the demonstration and for protocols of
        /// text.
        transport: TransportKind,
        /// How a worker program is spoken to. Default: frames, which a program on the SDK of this library speaks.
        protocol: ProtocolKind,
        /// How long a worker may take to say that it is ready: its hello, with the protocol `json` and `wait_ready` its
        /// `{"ready":true}`. One that takes longer is a failed start. Default: 10 s, or what `wait_ready` says.
        start_timeout: Duration,
        /// With the protocol `json`: a worker says `{"ready":true}` before it gets items, and may take this long to do so.
        /// Default: it gets items as soon as it is started.
        wait_ready: Duration,
        /// With the protocol `json`: workers read and write the descriptors that `SUPERVISOR_FD_IN` and
        /// `SUPERVISOR_FD_OUT` name. Default: false, stdin and stdout.
        json_fd: bool,
        /// How long either side of shared memory polls before it sleeps. Default: 0.
        spin: Duration,
        /// Run the command by `/bin/sh -c`, with items quoted. Default: false.
        shell: bool,
        /// Exit codes 75 and 65 mean no more than others. Default: false.
        no_ordinary_exits: bool,
        /// Write the item to the command's stdin, not to its arguments. Default: false.
        stdin: bool,
        /// A command's stderr goes into its stdout, in the order in which it writes. Default: false.
        merge: bool,
        /// Give each attempt an empty temporary folder, which its `TMPDIR` names and which is removed with all that it left
        /// in it. Default: false.
        item_tmp: bool,
        /// Lend each command the controlling terminal while it runs; one worker. Needs `handle_signals`, and a run on
        /// the first thread of the program. Default: false, a command that wants the terminal is stopped by the
        /// system.
        terminal: bool,
        /// Give each command a terminal of its own as its stdout and stderr: programs that see one show colors, and hold no
        /// output back. What it writes to either is its result. Workers of the protocols `lines` and `json` get one as their
        /// stdin and stdout; an item whose line is longer than 4,094 bytes fails alone. Default: false, pipes.
        pty: bool,
        /// Ask at the controlling terminal before each command starts; only an answer that begins with `y` starts it. An item
        /// that is left out is skipped, and counted in `Totals::declined`. Default: false.
        interactive: bool,
        /// Descriptors of this process, from 3 on, that workers inherit under the same numbers. They have to be open
        /// when the run starts, and to stay open while it lasts. Default: none.
        pass_fds: Vec<i32>,
        /// Variables in the environment of worker processes, beside those that they inherit; each a name and a value.
        /// Default: none.
        variables: Vec<(OsString, OsString)>,
        /// Added to the nice value of worker processes, which else is our own. Default: 0.
        nice: i32,
        /// What becomes of the processes that a worker leaves in its process group. Default: they are ended.
        leftovers: Leftovers,
        /// Items in the input end with this byte; `None`: nothing ends them, for blocks of an exact size.
        /// Default: a newline.
        delimiter: Option<u8>,
        /// Items are blocks of about this many bytes, each cut after a delimiter. Default: an item is what a delimiter
        /// ends.
        block: u64,
        /// The command reads blocks of many records on its stdin, cut where GNU parallel's `--pipe` cuts them, and has no
        /// item among its arguments. `block` is the size of a block before the cut, 1 MiB by default. Default: false.
        pipe: bool,
        /// With `pipe`: each worker slot has one command that stays, and takes a further block whenever it has taken the one
        /// before. The first block of each is its item; no command runs twice. Default: false, a command for each block.
        round_robin: bool,
        /// What becomes of what is read: columns, lists of arguments for a command, an order by chance. Default: an item is
        /// what is read.
        arrangement: Arrangement,
        /// Worker slots, at least 1. Default: one for each core; 5 in the demonstration.
        workers: u32,
        /// Sets `OMP_NUM_THREADS` and its kin (of the BLAS libraries, numexpr and rayon) for workers, at least 1. Default:
        /// they are as in our own environment.
        threads_per_worker: u32,
        /// Default: first in, first out. `Priority` reads lines of a number, a tab and the item.
        queue: QueueOrder,
        /// Most items accepted but not yet handed out, at least 1. Default: enough that no worker waits for the source.
        queue_items_max: u64,
        /// Work in flight at one worker. Default: [`Credit::Auto`]; one item with the protocol `lines`.
        credit: Credit,
        /// Most items in one message to a worker that stays, at least 1. Default: no limit.
        batch_max: u32,
        /// Results in the order of the items. Default: false, as they come.
        keep_order: bool,
        /// Further attempts of an item that failed. Default: 0.
        retries: u32,
        /// Workers that one item may end before it is dead, at least 1. Default: 3; for a command one more than the
        /// retries.
        crash_limit: u32,
        /// The same for workers that were ended by KILL or TERM, which the supervisor did not send; `None`: never. Default:
        /// as the crash limit; never in the demonstration.
        kill_limit: Option<u32>,
        /// What the end of a command by itself means for its item; no end has two rules, and exit 0 has none. Default, and for
        /// every end that is not named here: exit 75 is tried again up to `retries`, or 3 times where that is not set;
        /// after exit 65 the item fails at once; of others `retries`, `crash_limit` and `kill_limit` decide.
        exit_rules: Vec<(ExitMatch, ExitRule)>,
        /// Wait before the next attempt, doubled each time, with jitter. Default: 0.
        retry_delay: Duration,
        /// Give up after this many dead items in a row, at least 1; `None`: never. Default: 20.
        dead_max: Option<u32>,
        /// Limit for one attempt, more than 0; then its worker is replaced. Default: none.
        timeout: Duration,
        /// Limit for one attempt of a command instead, in percent of the median of those that succeeded so far, from the
        /// third on. Default: none.
        timeout_percent: u32,
        /// Wait between two starts of processes, such as commands. Default: none.
        start_delay: StartDelay,
        /// Start processes only while fewer than this many threads of the machine run, or wait for a processor or a disk, at
        /// least 1. Default: whatever else runs.
        load_max: u32,
        /// Search for the number of workers that gets most done while the run lasts, from `workers` up to this one, and with
        /// fewer while memory is short. Default: the number stays.
        workers_max: u32,
        /// Start processes only while so many bytes of memory are free, of the machine and of the control group; with fewer
        /// than half of that free, the process that began last is ended, and its items run again. Default: however few are.
        free_bytes_min: u64,
        /// Start processes only while so many bytes of memory are free, beyond `free_bytes_min`; with fewer than twice as many
        /// free, stop those that began last until there are more. Default: however few are.
        suspend_free_bytes: u64,
        /// The signals that end a process and the wait after each; the last signal is KILL.
        /// Default: `TERM,200,TERM,100,TERM,50,KILL,25`, in milliseconds.
        term_sequence: Vec<TermStep>,
        /// How long a stop waits for running items. Default: 10 s.
        grace: Duration,
        /// If a worker that ended is started again. Default: always.
        restart: RestartType,
        /// Which workers are started again with one that ended. Default: that one alone.
        strategy: RestartStrategy,
        /// Give up if a slot's worker dies more often without an item. Default: 5 times in 10 s.
        intensity: Intensity,
        /// Wait before such a restart. Default: 100 ms, doubled up to 10 s.
        backoff: Backoff,
        /// Stop early after this many outcomes. Default: never.
        halt: Halt,
        /// Stop as xargs does, if a command exits with 255 or a signal ends it.
        stop_at_abort: bool,
        /// What the run does to its own workers, as the world would: for whoever wants to see it, or to test a worker. Default:
        /// nothing.
        chaos: ChaosPlan,
        /// Limit for the whole run, more than 0. Default: none.
        run_timeout: Duration,
        /// The seed for the jitter of delays. Default: the host's.
        seed: u64,
        /// Default: results; in the demonstration a line for each item, for people.
        output: OutputMode,
        /// Each line of a result begins with its item and a tab. Default: false.
        tag: bool,
        /// When the output of commands whose item is done is shown. What is shown at the end of the run goes to stderr, all of
        /// it. Default: when it is its turn.
        success_output: ShowWhen,
        /// The same for commands whose item failed, or is dead.
        failure_output: ShowWhen,
        /// What stays together of the output of commands. Default: all that a command writes.
        grouping: Grouping,
        /// Print each command to stderr before it starts, and tell every attempt that is followed by another one. Default:
        /// false, and of attempts that end alike the first three are told.
        verbose: bool,
        /// Print what would run to stdout, and start nothing. Default: false.
        dry_run: bool,
        /// Workers and totals at the end, on stderr. Default: [`SummaryMode::Auto`].
        summary: SummaryMode,
        /// The state of the run on stderr while it lasts. Default: [`ProgressMode::None`].
        progress: ProgressMode,
        /// Nothing on stderr but errors that end the run. Default: false.
        quiet: bool,
        /// Record the times and the text of each item in the trace, too. Default: false.
        trace_items: bool,
        /// A line on stderr for each message, each end and each decision, as it happens. Default: false.
        flow: bool,
        /// Whether the lines of `flow` have colors. Default: on a terminal, unless the environment has `NO_COLOR`.
        color: ColorMode,
        /// Listen on a socket in `$XDG_RUNTIME_DIR/supervisor/`, over which other processes of the user can steer and watch the
        /// run. Default: false; a handle does the same without a socket.
        control: bool,
        /// INT, TERM and QUIT stop the run, and USR1 shows its state on stderr. Default: false, signals are the
        /// program's own.
        handle_signals: bool,
    }
    conversions {
        /// Start a process only while fewer than `workers` run under this name, in all runs of the user. Default: no name.
        semaphore: OsString,
        /// Ask this script of `/bin/sh` before each start of a process, and each second while some is at an item: exit 0 allows
        /// a start, any other exit asks again a second later, and 2 also ends the process that began last, whose items run
        /// again. Default: none.
        start_check: OsString,
        /// Read the number of workers from this file, at the start and whenever it changes: a number, or `200%`, `+2`, `-1`
        /// of the cores. Default: no file.
        workers_file: PathBuf,
        /// With `pipe`: what a record begins with. Default: anything.
        record_start: Vec<u8>,
        /// With `pipe`: what a record ends with. Default: a newline; anything with a `record_start`.
        record_end: Vec<u8>,
        /// The task of the built-in worker, one of [`TASKS`](super::spec::TASKS). Default: the first of them.
        task: String,
        /// The same as `tag` with this text, in which `{}` and its kin stand for the item. Default: no text.
        tag_text: OsString,
        /// The folder in which the files of [`TransportKind::File`] get names and stay. Default: files without a name.
        spool: PathBuf,
        /// The working directory of worker processes. In that of a command placeholders stand for the item. A program whose
        /// name has a slash and begins with none is looked up from there. Default: our own.
        workdir: OsString,
        /// The folder of temporary files, ours and in `TMPDIR` of worker processes. Default: `TMPDIR` as it is, else `/tmp`.
        tmpdir: PathBuf,
        /// Write every event to this file, one JSON object a line. Default: no file.
        events: PathBuf,
        /// Write an object for each item that is dead to this file, which others cannot read: its causes, and a command line that
        /// runs it alone. A file that is there is emptied first, unless the run goes on with its journal. Default: no file.
        dead_letters: PathBuf,
        /// Where the stderr of workers goes that stay. Default: to our own, line by line.
        worker_log: WorkerLog,
        /// Record every message, fact and decision in this file, for `supervisor flow` and its kin. Default: no file.
        trace: PathBuf,
        /// Names the run in `SUPERVISOR_RUN` and in keys of items: letters, digits, `-`. Default: the host's.
        run_id: String,
    }
}

/// What works on the items, and where they come from.
impl ConfigBuilder {
    /// A process for each item: the program, then its arguments, in which `{}` stands for the item.
    pub fn command(self, argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { worker: WorkerChoice::Command(argv.into_iter().map(Into::into).collect()), ..self }
    }

    /// Workers that stay: a program on the SDK of this library, or one of another `protocol`, then its arguments.
    pub fn worker_program(self, argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { worker: WorkerChoice::Program(argv.into_iter().map(Into::into).collect()), ..self }
    }

    /// These items.
    pub fn items(self, items: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { source: Some(SourceChoice::Args(items.into_iter().map(Into::into).collect())), ..self }
    }

    /// The decimal numbers from 0 to `count` - 1.
    pub fn generate(self, count: u64) -> Self {
        Self { source: Some(SourceChoice::Generate(count)), ..self }
    }

    /// The items in a file or in stdin, cut as `delimiter` and `block` say.
    /// Without a source a command or a worker program reads stdin; the built-in worker gets 20 numbers.
    pub fn input(self, input: InputSpec) -> Self {
        Self { source: Some(SourceChoice::Input(input)), ..self }
    }

    /// A further input of these items: each of them goes with every combination of the inputs before; if `linked`, one by
    /// one with the values of the input before it.
    pub fn also_items(self, items: impl IntoIterator<Item = impl Into<OsString>>, linked: bool) -> Self {
        self.also(SourceChoice::Args(items.into_iter().map(Into::into).collect()), linked)
    }

    /// The same with the items in a file or in stdin.
    pub fn also_input(self, input: InputSpec, linked: bool) -> Self {
        self.also(SourceChoice::Input(input), linked)
    }

    /// `choice`: not several inputs itself.
    pub(crate) fn also(self, choice: SourceChoice, linked: bool) -> Self {
        let source = match self.source {
            None => choice,
            Some(SourceChoice::Several(mut inputs)) => {
                inputs.push((choice, linked));
                SourceChoice::Several(inputs)
            }
            Some(first) => SourceChoice::Several(vec![(first, false), (choice, linked)]),
        };
        Self { source: Some(source), ..self }
    }
}
