//! What a page shows: plain values, filled by whoever reads a trace. Times are seconds since the run's start.

#![deny(missing_docs)]

/// A run as a page shows it.
#[derive(Clone, Copy, Debug)]
pub struct FlowPage<'a> {
    /// What ran.
    pub run: &'a PageRun,
    /// Every process of a worker, in the order of its start.
    pub processes: &'a [PageProcess],
    /// Every step, in the order of `t`; a page puts those into order that are not.
    pub steps: &'a [PageStep],
    /// A sentence that says that the trace is torn or incomplete.
    pub cut: Option<&'a str>,
}

/// What ran, for the head of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRun {
    /// The supervisor's version, `0.1.0`.
    pub version: String,
    /// The run's id, as workers see it in `SUPERVISOR_RUN`.
    pub id: String,
    /// The command line, as a person would type it.
    pub command: String,
    /// When it started, in RFC 3339.
    pub started: String,
    /// How bytes travelled, `pipe`.
    pub transport: String,
    /// How workers were spoken to, `frames`.
    pub protocol: String,
    /// Worker slots. A page also shows higher ones that processes or steps name.
    pub workers: u32,
}

/// A process of a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct PageProcess {
    /// Its slot, from 1.
    pub worker: u32,
    /// Its number in this slot, from 1.
    pub incarnation: u32,
    /// Its process id.
    pub pid: u32,
    /// When it was started.
    pub spawned: Option<f64>,
    /// When it said hello.
    pub ready: Option<f64>,
    /// When it ended; `None` for one that outlived the trace.
    pub ended: Option<f64>,
    /// How it ended, `signal 9 (KILL)`; `None` for one that outlived the trace.
    pub exit: Option<String>,
    /// Why it ended, in words; empty if there is nothing to add to `exit`.
    pub reason: String,
    /// Items that it settled.
    pub items: u64,
    /// Processor time in its own code, in microseconds.
    pub user_us: u64,
    /// Processor time in the system on its behalf, in microseconds.
    pub system_us: u64,
    /// The most memory it had at once, in KiB; 0 if that is not known.
    pub rss_max_kib: u64,
}

/// One line of the diagram.
#[derive(Clone, Debug, PartialEq)]
pub struct PageStep {
    /// When it happened.
    pub t: f64,
    /// What it is.
    pub kind: PageKind,
    /// What it is more closely: it decides the shape and the colour, and which process counts as dead.
    pub mark: PageMark,
    /// It is shown unless a person asks for more: the others are the reasoning behind it.
    pub is_main: bool,
    /// Where it began.
    pub from: PageParty,
    /// Where it arrived; the same as `from` for what happened in one place.
    pub to: PageParty,
    /// The worker that it is about, from 1.
    pub worker: Option<u32>,
    /// Which process of that worker, from 1.
    pub incarnation: Option<u32>,
    /// The id of that process.
    pub pid: Option<u32>,
    /// The first of the items that it is about.
    pub item: Option<u64>,
    /// How many consecutive items.
    pub count: Option<u64>,
    /// Which attempt of theirs, from 1.
    pub attempt: Option<u32>,
    /// The size of a frame or an output.
    pub bytes: Option<u64>,
    /// A short sentence.
    pub label: String,
    /// Why, where the scheduler decided it: a clause that follows "because".
    pub because: Option<String>,
    /// When a frame was queued to be written.
    pub queued: Option<f64>,
    /// When it was written.
    pub sent: Option<f64>,
    /// When its receiver took it.
    pub received: Option<f64>,
    /// When work on its first item began.
    pub began: Option<f64>,
    /// When work on its last item ended.
    pub finished: Option<f64>,
}

/// What a step is. The numbers are those of `data.js`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// A message between the supervisor and a worker.
    Frame = 0,
    /// A process started, was ready, or ended.
    Process = 1,
    /// A signal, from or to the supervisor.
    Signal = 2,
    /// Something that the scheduler was told.
    Fact = 3,
    /// Something that the scheduler decided.
    Order = 4,
    /// Bytes to the outside.
    Output = 5,
}

/// What a step is more closely. The numbers are those of `data.js`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageMark {
    /// None of the others.
    Plain = 0,
    /// A process was started: for an incarnation above 1, a restart.
    Started = 1,
    /// It said hello.
    Ready = 2,
    /// It ended as it was meant to.
    Ended = 3,
    /// It ended otherwise: drawn as a death.
    Died = 4,
    /// No end of a process, and still something that a person looks for: a failure, a loss.
    Bad = 5,
}

/// Where a step begins or arrives: a column of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageParty {
    /// The supervisor.
    Supervisor,
    /// A worker, by its slot from 1.
    Worker(u32),
    /// Where items come from.
    Source,
    /// Where results go to.
    Output,
    /// A person, another process, the system.
    Outside,
}
