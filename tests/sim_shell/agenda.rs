//! What will happen in the world, and when: the only source of events besides the calls of the shell.

use crate::process::ProcessId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use supervisor::model::exit::ExitStatus;
use supervisor::model::signal::Signal;

/// Something that is going to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// A worker process goes on: it writes, reads, begins its next item.
    WorkerGoesOn(ProcessId),
    /// A worker has finished the item that it is at.
    ItemEnds(ProcessId),
    /// A signal reaches a process.
    Hit(ProcessId, Signal),
    Dies(ProcessId, End),
    /// The pidfd of a dead process becomes readable.
    EndShows(ProcessId),
    /// A launcher has its turn.
    LauncherGoesOn(usize),
    /// A command ends by itself.
    CommandEnds(usize),
    SourceDelivers(u64),
    SourceEnds,
    SourceBreaks,
    /// The reader of stdout goes away.
    StdoutCloses,
    /// A stream takes bytes again. This changes nothing itself; it only brings the clock to that moment.
    StreamOpens,
    /// The supervisor gets a signal.
    Signalled(Signal),
    /// The clock leaps forward by so much: the supervisor was stopped, while its workers went on.
    Leap(u64),
}

/// [`ExitStatus`] in a form that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Code(u8),
    Signal(u8),
}

impl From<End> for ExitStatus {
    fn from(end: End) -> Self {
        match end {
            End::Code(code) => Self::Code(code),
            End::Signal(number) => Self::Signal { signal: Signal(number), core_dumped: false },
        }
    }
}

/// Effects by time; those of the same moment in a random order.
#[derive(Default)]
pub struct Agenda(BinaryHeap<Reverse<(u64, u64, Effect)>>);

impl Agenda {
    pub fn add(&mut self, at: u64, tie: u64, effect: Effect) {
        self.0.push(Reverse((at, tie, effect)));
    }

    pub fn next_at(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next effect, if it is due.
    pub fn pop_due(&mut self, now: u64) -> Option<Effect> {
        if self.next_at()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, _, effect))| effect)
    }
}
