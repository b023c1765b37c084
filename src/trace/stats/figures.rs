//! What a trace says of its run in numbers, on one page.

use super::percentiles::{Percentiles, SizeClass};
use super::throughput::Throughput;
use crate::model::ids::WorkerId;
use crate::model::time::{Duration, Instant};
use crate::trace::record::TraceHeader;
use serde::Serialize;

/// The numbers of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFigures {
    pub header: TraceHeader,
    /// From the start of the run to the last thing that was recorded.
    pub duration: Duration,
    pub items: ItemCounts,
    /// `None` of a run without messages: each command is started with its item.
    pub messages: Option<MessageCounts>,
    /// In the order of [`LifePart::ALL`]: the parts that a run like this has. `None`: the trace does not tell it.
    pub parts: Vec<(LifePart, Option<Percentiles>)>,
    /// Slots that had a process or an item, in their order.
    pub slots: Vec<SlotFigures>,
    /// Empty of a run without messages, in which each process gets one item.
    pub batches: Vec<BatchFigures>,
    /// When items got their outcome, and how many, in the order of time.
    pub settled: Vec<(Instant, u64)>,
    /// Records that are missing within: every count is then too small.
    pub dropped: u64,
    /// Why the trace ends before its run, if it does: a sentence.
    pub cut: Option<String>,
}

impl RunFigures {
    /// Items that got their outcome, in at most `intervals_max` intervals.
    #[must_use]
    pub fn throughput(&self, intervals_max: u32) -> Throughput {
        Throughput::of(&self.settled, Instant::ZERO + self.duration, intervals_max)
    }

    /// Items that got their outcome in a second of the whole run; `None` of a run without length.
    #[must_use]
    pub fn items_per_second(&self) -> Option<f64> {
        let seconds = self.duration.as_secs_f64();
        (seconds > 0.0).then(|| self.items.settled() as f64 / seconds)
    }

    /// Parts of which the trace tells nothing.
    pub fn untold(&self) -> impl Iterator<Item = LifePart> {
        self.parts.iter().filter(|(_, found)| found.is_none()).map(|(part, _)| *part)
    }
}

/// What became of the items. The names of the fields are those of `stats --format json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ItemCounts {
    /// Items that came from the source, without those of an earlier run.
    pub arrived: u64,
    /// Items that have their outcome from an earlier run.
    pub restored: u64,
    pub done: u64,
    pub failed: u64,
    pub dead: u64,
    pub skipped: u64,
    /// Attempts that were followed by another one.
    pub retried: u64,
    /// Items that went back into the queue uncharged.
    pub returned: u64,
}

impl ItemCounts {
    /// Items that got their outcome in this run.
    #[must_use]
    pub const fn settled(&self) -> u64 {
        self.done.saturating_add(self.failed).saturating_add(self.dead).saturating_add(self.skipped)
    }

    /// Items whose outcome is not in the trace.
    #[must_use]
    pub const fn without_outcome(&self) -> u64 {
        self.arrived.saturating_sub(self.settled())
    }
}

/// The messages of a run, without hellos. The names of the fields are those of `stats --format json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MessageCounts {
    /// To workers.
    pub sent: u64,
    /// Bytes of items in them.
    pub sent_bytes: u64,
    /// Answers from workers.
    pub received: u64,
    /// Bytes of results and errors in them.
    pub received_bytes: u64,
    /// Messages to workers whose last item was not answered.
    pub unanswered: u64,
    /// Answers without the times of the worker's work.
    pub without_times: u64,
}

/// A part of the life of a message, an item or a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifePart {
    /// From the order to send the message to the write of its last byte.
    InSupervisor,
    /// From there to when the worker read it.
    OnTheWay,
    /// From there to when the worker began its first item.
    InWorker,
    /// From the beginning of the first item of an answer to the end of its last.
    AtWork,
    /// From there to when the supervisor read the answer.
    WayBack,
    /// From the order to send the message to when its last answer was read.
    Message,
    /// From when the item came, or came back, to when it was given to a worker.
    InQueue,
    /// From the beginning of the item to its end.
    ItemAtWork,
    /// From when the item came to its outcome.
    ToOutcome,
    /// From the outcome to when stdout had taken everything.
    ToStdout,
    /// From the order to start a worker to its hello.
    Hello,
    /// From the order to start a command to its start.
    Start,
    /// From the start of a command to its end.
    Command,
}

impl LifePart {
    /// Every part, in the order in which they are shown.
    pub const ALL: [Self; 13] = [
        Self::InSupervisor,
        Self::OnTheWay,
        Self::InWorker,
        Self::AtWork,
        Self::WayBack,
        Self::Message,
        Self::InQueue,
        Self::ItemAtWork,
        Self::ToOutcome,
        Self::ToStdout,
        Self::Hello,
        Self::Start,
        Self::Command,
    ];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InSupervisor => "in_supervisor",
            Self::OnTheWay => "on_the_way",
            Self::InWorker => "in_worker",
            Self::AtWork => "at_work",
            Self::WayBack => "way_back",
            Self::Message => "message",
            Self::InQueue => "in_queue",
            Self::ItemAtWork => "item_at_work",
            Self::ToOutcome => "to_outcome",
            Self::ToStdout => "to_stdout",
            Self::Hello => "hello",
            Self::Start => "start",
            Self::Command => "command",
        }
    }

    /// Its name for people, at most 16 columns.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::InSupervisor => "in supervisor",
            Self::OnTheWay => "on the way",
            Self::InWorker => "in worker",
            Self::AtWork => "at work",
            Self::WayBack => "on the way back",
            Self::Message => "in all",
            Self::InQueue => "in the queue",
            Self::ItemAtWork => "at work",
            Self::ToOutcome => "to its outcome",
            Self::ToStdout => "then to stdout",
            Self::Hello => "order to hello",
            Self::Start => "order to start",
            Self::Command => "start to end",
        }
    }

    /// What it is a part of.
    #[must_use]
    pub const fn whole(self) -> LifeOf {
        match self {
            Self::InSupervisor | Self::OnTheWay | Self::InWorker | Self::AtWork | Self::WayBack | Self::Message => {
                LifeOf::Message
            }
            Self::InQueue | Self::ItemAtWork | Self::ToOutcome | Self::ToStdout => LifeOf::Item,
            Self::Hello | Self::Start | Self::Command => LifeOf::Process,
        }
    }
}

/// Whose life it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeOf {
    Message,
    Item,
    Process,
}

impl LifeOf {
    pub const ALL: [Self; 3] = [Self::Message, Self::Item, Self::Process];

    /// As a heading.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Message => "Message",
            Self::Item => "Item",
            Self::Process => "Process",
        }
    }
}

/// What a worker slot did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotFigures {
    pub worker: WorkerId,
    /// Processes that were started.
    pub processes: u64,
    /// Items that got their outcome here.
    pub items: u64,
    /// The time in which the slot had a process.
    pub alive: Duration,
    /// The time of work that its answers tell of; `None` where they tell none. A process that died over an item could not
    /// tell of that one.
    pub busy: Option<Duration>,
    /// Processes that were ordered in place of one that had ended; none of commands.
    pub restarts: u64,
    /// Processes that ended unasked; of commands: by a signal.
    pub deaths: u64,
}

impl SlotFigures {
    /// The part of the time with a process in which it worked, 0 to 1.
    #[must_use]
    pub fn busy_share(&self) -> Option<f64> {
        let busy = self.busy?;
        (self.alive > Duration::ZERO).then(|| (busy.as_secs_f64() / self.alive.as_secs_f64()).min(1.0))
    }
}

/// How many items were in each of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchFigures {
    pub of: BatchOf,
    pub sizes: Percentiles,
    /// Classes that double, none left out between the smallest and the largest.
    pub classes: Vec<SizeClass>,
}

/// What has items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchOf {
    Dispatch,
    Message,
    Answer,
}

impl BatchOf {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatches",
            Self::Message => "messages",
            Self::Answer => "answers",
        }
    }
}
