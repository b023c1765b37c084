//! What will happen in the world, and when: the only source of events besides the core's own timer.

use crate::choice::Script;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use supervisor::model::exit::ExitStatus;
use supervisor::model::signal::Signal;

/// A process, by its place in the world's list; its pid follows from it.
pub type ProcessId = usize;

/// Something that is going to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The shell learns whether the process could be started.
    SpawnAnswered(ProcessId),
    /// The process begins to run.
    Begins(ProcessId),
    /// It reads its input.
    Wakes(ProcessId),
    /// It finishes its current item.
    ItemEnds(ProcessId),
    /// The shell reads its channel.
    Read(ProcessId),
    /// The shell sees the end of its channel.
    EndOfFile(ProcessId),
    /// The shell answers a `Probe`.
    Probed(ProcessId),
    /// A signal reaches it.
    Hit(ProcessId, Signal),
    /// It dies, but the shell does not know yet.
    Dies(ProcessId, DeathStatus),
    /// The shell learns that it is dead, and waits for the end of its output, which another process holds open.
    OutputHeld(ProcessId),
    /// The shell learns of its death.
    Reaped(ProcessId),
    /// An order about what a slot has in hand reaches the shell's launcher.
    HandOrdered(usize),
    /// A message that it sent long ago arrives now.
    Late(ProcessId),
    /// The source delivers, if there is demand.
    SourceSpeaks,
    SourceLost,
    Signalled(Signal),
    /// A caller scales the run.
    Scaled(u32),
    /// A caller asks for the end of the run.
    Asked(CallerRequest),
    /// A caller steers the run.
    Steered(SteerRequest),
    SinkClosed,
    SinkLost,
    StorageLost,
    /// The output is, or is no longer, congested.
    Congested(bool),
    /// This many processes may be started from now on; `None`: any number.
    StartsPermitted(Option<u32>),
    /// The machine is short: this many workers go on, at least one.
    Short(u32),
    /// It has room for one more.
    Roomy,
    /// It is so short that a worker has to make room.
    VeryShort,
    /// Somebody asks for a signal to the worker in this slot.
    AskedSignal(u32, Signal),
    /// Somebody gives up the item that stands so many behind the first one.
    GivenUp(u64),
    /// The clock leaps forward by this much.
    Leap(u64),
}

impl Effect {
    /// Whether the order of this effect and another matters to the core: it becomes a fact for the core, or
    /// decides what a crash interrupts.
    const fn order_matters(self) -> bool {
        matches!(self, Self::Begins(_) | Self::ItemEnds(_) | Self::OutputHeld(_) | Self::Reaped(_) | Self::SourceSpeaks)
    }
}

/// What a caller may ask for to end a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallerRequest {
    Stop,
    Drain,
    Terminate,
    Kill,
}

/// What a caller may ask of a run that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SteerRequest {
    RestartAll,
    /// The slot of this index.
    RestartOne(usize),
    AddWorker,
    RemoveWorker,
    Pause,
    Continue,
}

/// [`ExitStatus`] in a form that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeathStatus {
    Code(u8),
    Signal(u8),
}

impl From<DeathStatus> for ExitStatus {
    fn from(status: DeathStatus) -> Self {
        match status {
            DeathStatus::Code(code) => Self::Code(code),
            DeathStatus::Signal(number) => Self::Signal { signal: Signal(number), core_dumped: false },
        }
    }
}

/// When, the tie-breaker, what.
type Entry = (u64, u64, Effect);

/// Ordered by time and then by chance; or, under a script, in every possible order.
#[derive(Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<Entry>>,
    /// Under a script: the effects of which any may be next, whatever their time.
    open: Vec<Effect>,
    /// Under a script: effects whose order does not matter to the core. They happen at once.
    at_once: VecDeque<Effect>,
    pub scripted: bool,
}

impl Agenda {
    pub fn reset(&mut self, scripted: bool) {
        self.heap.clear();
        self.open.clear();
        self.at_once.clear();
        self.scripted = scripted;
    }

    pub fn add(&mut self, at: u64, tie: u64, effect: Effect) {
        if !self.scripted {
            self.heap.push(Reverse((at, tie, effect)));
        } else if effect.order_matters() {
            self.open.push(effect);
        } else {
            self.at_once.push_back(effect);
        }
    }

    /// When the next effect is due; under a script anything is due at once.
    pub fn next_at(&self) -> Option<u64> {
        if self.scripted {
            return (!self.open.is_empty() || !self.at_once.is_empty()).then_some(0);
        }
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub fn pop(&mut self) -> Option<Effect> {
        if self.scripted {
            return self.at_once.pop_front();
        }
        self.heap.pop().map(|Reverse((_, _, effect))| effect)
    }

    /// Under a script: one of the open effects, or `None` for one of `others` that the caller knows.
    pub fn choose(&mut self, script: &mut Script, others: usize) -> Result<Effect, usize> {
        let chosen = script.choose(self.open.len() + others);
        if chosen < self.open.len() { Ok(self.open.remove(chosen)) } else { Err(chosen - self.open.len()) }
    }
}
