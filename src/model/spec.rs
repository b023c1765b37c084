//! What a run shall do: the parts of a configuration.

#![deny(missing_docs)]

use super::chaos::ChaosPlan;
use super::exit_rule::{ExitMatch, ExitRule};
use super::ids::ItemId;
use super::signal::Signal;
use super::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The most bytes of one item, and of one result in a frame. The source rejects a longer item, so no
/// frame announces more than its receiver takes.
pub const ITEM_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Names of the built-in worker's tasks, the default first. `worker/tasks.rs` defines them.
pub const TASKS: [&str; 12] =
    ["square", "cube", "echo", "sleep", "countdown", "identity", "hash", "exit", "signal", "panic", "hang", "leak"];

/// Another name of the task `identity`.
pub const IDENTITY_ALIAS: &str = "whoami";

/// The supervisor's first argument when it takes the worker's role because no `supervisor-worker` is installed
/// beside it.
pub const WORKER_ROLE: &str = "__worker";

/// If a worker that ended is started again (OTP's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartType {
    /// Always.
    Permanent,
    /// Only if it ended other than with exit 0.
    Transient,
    /// Never.
    Temporary,
}

/// Which workers are started again with one that ended (OTP's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartStrategy {
    /// It alone.
    OneForOne,
    /// Every worker.
    OneForAll,
    /// It and every slot of a higher number.
    RestForOne,
}

impl RestartType {
    /// Every type, the default first.
    pub const ALL: [Self; 3] = [Self::Permanent, Self::Transient, Self::Temporary];
}
impl RestartStrategy {
    /// Every strategy, the default first.
    pub const ALL: [Self; 3] = [Self::OneForOne, Self::OneForAll, Self::RestForOne];
}

/// At most `restarts_max` restarts of one slot within `period`; one more and the run gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intensity {
    /// Most restarts of a slot within the period; 0 allows none.
    pub restarts_max: u32,
    /// More than 0.
    pub period: Duration,
}

/// The wait before a restart: `min`, doubled after each death in a row, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// After the first death.
    pub min: Duration,
    /// Not below `min`.
    pub max: Duration,
}

/// In which order queued items are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueOrder {
    /// The oldest first.
    Fifo,
    /// The newest first, of all items that could be read ahead.
    Lifo,
    /// The smallest number first, ties in order of arrival.
    Priority,
}

/// How much work may be in flight at one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credit {
    /// About a millisecond of work to a batch, two to four batches out.
    Auto,
    /// Never more than this many items.
    Items(u32),
}

/// What the core may rely on with the workers of a run. What kinds of workers differ in is data here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerContract {
    /// A new process is ready once it has sent a hello; without one, as soon as it is spawned. Counts
    /// for processes that are started ahead of their items, so not with [`Blame::WholeProcess`].
    pub hello: bool,
    /// Work in flight at one worker.
    pub credit: Credit,
    /// How a death is charged to an item.
    pub blame: Blame,
    /// A worker answers for its items in the order in which it got them. If not, it may answer for any item that it
    /// holds, and may have several in work at once.
    pub in_order: bool,
}

/// How it is known which item was running when a worker died or is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The worker writes the item's id to its progress page before it begins it.
    ProgressPage,
    /// The oldest item without an answer: the one that ran, where a worker answers in order. Where it does not, the item
    /// that the worker named last counts, if it did name one that it holds.
    OldestHeld,
    /// The process is started together with its one item, and its exit is that item's result.
    WholeProcess,
}

impl WorkerContract {
    /// A worker of our own protocol: it sends a hello, takes batches and keeps a progress page.
    #[must_use]
    pub const fn resident(credit: Credit) -> Self {
        Self { hello: true, credit, blame: Blame::ProgressPage, in_order: true }
    }
    /// A program that answers in text and keeps no progress page. `hello`: it says when it is ready.
    #[must_use]
    pub const fn foreign(hello: bool, credit: Credit, in_order: bool) -> Self {
        Self { hello, credit, blame: Blame::OldestHeld, in_order }
    }
    /// A process for each item.
    #[must_use]
    pub const fn per_item() -> Self {
        Self { hello: false, credit: Credit::Items(1), blame: Blame::WholeProcess, in_order: true }
    }
    /// If a new process has to send a hello before it is ready.
    #[must_use]
    pub const fn waits_for_hello(&self) -> bool {
        self.hello && !self.starts_with_item()
    }
    /// If a process is started together with its one item, not ahead of it.
    #[must_use]
    pub const fn starts_with_item(&self) -> bool {
        matches!(self.blame, Blame::WholeProcess)
    }
}

/// How items travel to a resident worker, with the flags of that kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportSpec {
    /// The mechanism.
    pub kind: TransportKind,
    /// How long either side of shared memory polls before it sleeps.
    pub spin: Duration,
    /// `file` alone: the folder in which its files get names and stay.
    pub spool: Option<PathBuf>,
    /// The mechanism to use where the system has too little for `kind`; `None`: the run is refused there, since its
    /// author named `kind`.
    pub fallback: Option<TransportKind>,
}

impl From<TransportKind> for TransportSpec {
    /// A transport that was named, without flags of its own.
    fn from(kind: TransportKind) -> Self {
        Self { kind, spin: Duration::ZERO, spool: None, fallback: None }
    }
}

/// The mechanism by which items travel to a resident worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TransportKind {
    /// Two pipes.
    Pipe,
    /// A pair of Unix sockets.
    Socket,
    /// Memory shared by both sides, and a pipe to wake each side that sleeps.
    Shm,
    /// A file for each worker that it maps; pipes carry the positions of items.
    File,
    /// Two POSIX message queues.
    Mqueue,
    /// The crate `ipc-channel`. Needs the feature `channel`.
    Channel,
}

impl TransportKind {
    /// Every transport.
    pub const ALL: [Self; 6] = [Self::Pipe, Self::Socket, Self::Shm, Self::File, Self::Mqueue, Self::Channel];

    /// As `--transport` and a worker's environment spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::Shm => "shm",
            Self::File => "file",
            Self::Mqueue => "mqueue",
            Self::Channel => "channel",
        }
    }
}

/// The form of the messages between the supervisor and a resident worker. Every transport that is a stream of bytes
/// carries any of them; `shm` and `file` carry frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ProtocolKind {
    /// Binary frames: a header with lengths, a small message, a body.
    Frames,
    /// A line for each item, answered by one line, in order.
    Lines,
    /// A JSON object in each line, with the id of its item, answered in any order.
    Json,
}

impl ProtocolKind {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::Frames, Self::Lines, Self::Json];

    /// The name that `--protocol` gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Lines => "lines",
            Self::Json => "json",
        }
    }
}

/// The wait between two starts of processes, drawn anew for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartDelay {
    /// The shortest wait.
    pub min: Duration,
    /// The longest wait, no shorter than `min`.
    pub max: Duration,
}

impl From<Duration> for StartDelay {
    /// Always the same wait.
    fn from(wait: Duration) -> Self {
        Self { min: wait, max: wait }
    }
}

/// One step of the sequence that ends a process: a signal, then a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermStep {
    /// Sent to the process group of the worker.
    pub signal: Signal,
    /// How long the process may take to end before the next step.
    pub wait: Duration,
}

/// A number of items, or a share of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Threshold {
    /// This many, at least 1.
    Items(u64),
    /// Percent. Failures count against the items settled so far, once [`Threshold::PERCENT_ITEMS_MIN`]
    /// failed; successes and outcomes of any kind against all items, once the source has ended.
    Percent(u8),
    /// Percent of all items, once the source has ended, also for failures, as GNU parallel counts.
    PercentOfAll(u8),
}

impl Threshold {
    /// As in GNU parallel, a share of failures means nothing before three items failed.
    pub const PERCENT_ITEMS_MIN: u64 = 3;
}

/// Which outcomes `--halt` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HaltOn {
    /// Failed or dead.
    Fail,
    /// Done.
    Success,
    /// Any outcome.
    Done,
}

/// What becomes of the processes that a worker leaves in its process group when it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leftovers {
    /// They are ended by KILL.
    #[default]
    Kill,
    /// They go on, with nobody to read what they write.
    Leave,
}

/// When to stop early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Which outcomes count.
    pub on: HaltOn,
    /// How many of them stop the run.
    pub threshold: Threshold,
    /// `true`: end the running items too; `false`: let them finish.
    pub now: bool,
}

/// Which program's numbers the exit code of a finished run follows (`exit_code::of`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExitCodeStyle {
    /// The project's own, as the README lists them.
    #[default]
    Own,
    /// How many items failed, as GNU parallel counts without `--halt`.
    Count,
    /// GNU parallel's, with this `--halt`: once it is met, that of the job that decided, or what it says of the jobs.
    Parallel(Option<Halt>),
    /// xargs's.
    Xargs,
}

/// Everything that the core decides by, already checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Slots at the start, at least 1. `Command::Scale` changes their number.
    pub workers: u32,
    /// What the core may rely on with the workers.
    pub worker: WorkerContract,
    /// The id of the first item that arrives.
    pub first_item: ItemId,
    /// In which order queued items are handed out.
    pub queue_order: QueueOrder,
    /// Most items accepted but not yet handed out. At least 1.
    pub queue_items_max: u64,
    /// Most items in one dispatch, at least 1.
    pub batch_max: u32,
    /// Results become visible in the order of the items.
    pub keep_order: bool,
    /// Hold the first dispatch until every slot is ready or has failed once, so that each gets a share.
    pub start_together: bool,
    /// Further attempts of an item that failed.
    pub retries: u32,
    /// Further attempts of an item whose attempt asked for another one (`RetryHint::Always`); `retries`, if that is more.
    pub hinted_retries: u32,
    /// What the end of a command by itself means for its item; the first that matches counts. Empty for workers that stay.
    pub exit_rules: Vec<(ExitMatch, ExitRule)>,
    /// Workers that one item may end before it is dead-lettered. At least 1.
    pub crash_limit: u32,
    /// Workers that KILL or TERM from outside may end under one item before it is dead-lettered, at least 1; `None`:
    /// never.
    pub kill_limit: Option<u32>,
    /// Wait before the second attempt. It is doubled for each further one up to an hour, and up to a half is cut at random.
    pub retry_delay: Duration,
    /// Give up after this many dead items in a row with none done between them; `None`: never.
    pub dead_max: Option<u32>,
    /// Hard limit for one attempt, more than 0; `None`: no limit.
    pub timeout: Option<Duration>,
    /// How long a new process may take to its hello.
    pub hello_timeout: Duration,
    /// Give up after this many processes that exited by themselves, in all slots, while no worker of the run had sent its
    /// hello; `None`: the restart limit alone decides.
    pub start_exits_max: Option<u32>,
    /// At least one step; the last signal is KILL.
    pub term_sequence: Vec<TermStep>,
    /// Hard limit for one attempt of a command, in percent of the median of those that succeeded so far, at least 1;
    /// `None`: no such limit.
    pub timeout_percent: Option<u32>,
    /// The wait between two starts of processes: of workers that stay, or of commands; `None`: none.
    pub start_delay: Option<StartDelay>,
    /// How long a stop waits for the items that are running.
    pub grace: Duration,
    /// If a worker that ended is started again.
    pub restart: RestartType,
    /// Which workers are started again with one that ended.
    pub strategy: RestartStrategy,
    /// How often a slot may be filled again before the run gives up.
    pub intensity: Intensity,
    /// The wait before a slot is filled again.
    pub backoff: Backoff,
    /// Stop early after this many outcomes; `None`: never.
    pub halt: Option<Halt>,
    /// Stop as xargs does, if a command exits with 255 or a signal ends it.
    pub stop_at_abort: bool,
    /// Limit for the whole run, more than 0; `None`: no limit.
    pub run_timeout: Option<Duration>,
    /// Report when items start. Workers are then probed soon after they were sent a single item.
    pub report_starts: bool,
    /// Tell ahead of each order why it is given, for a trace.
    pub explains: bool,
    /// The seed for the jitter of delays.
    pub seed: u64,
    /// A slot of commands may be given its next item while its present command runs, to be started at its end.
    pub in_hand: bool,
    /// What the run does to its own workers, with its seed; `None`: nothing.
    pub chaos: Option<ChaosPlan>,
}

impl Policy {
    /// At the normal end workers have nothing to finish, and still need a moment to exit.
    const LEAVE_TIME_MIN: Duration = Duration::from_secs(1);

    /// How long workers may take to leave at the normal end.
    #[must_use]
    pub fn leave_time(&self) -> Duration {
        self.grace.max(Self::LEAVE_TIME_MIN)
    }

    /// Whether slots are given items in hand: nothing else than a failure decides at the end of one command whether, or when,
    /// the next one starts.
    #[must_use]
    pub fn gives_in_hand(&self) -> bool {
        let decides = |halt: Halt| halt.on != HaltOn::Fail;
        let is_free = self.start_delay.is_none() && self.chaos.is_none() && !self.halt.is_some_and(decides);
        self.in_hand && is_free && self.worker.starts_with_item() && self.queue_order == QueueOrder::Fifo
    }

    /// Whether items are read as far ahead as the queue permits, however few would keep the workers busy.
    #[must_use]
    pub fn reads_far(&self) -> bool {
        let counts_all = |halt: Halt| matches!(halt.threshold, Threshold::PercentOfAll(_));
        self.queue_order != QueueOrder::Fifo || self.halt.is_some_and(counts_all)
    }
}
