//! The checks of the shell, by name.

use std::fmt;

/// The checks. Each is a sentence that is true of every step of every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// A descriptor is watched once, changed only while it is watched, and leaves the poll set before it is closed.
    PollSet,
    /// The loop does not wait while something has happened that no watch reports.
    LostWakeUp,
    /// The loop does not spin on an event that it does not handle.
    Spin,
    /// No signal to a process that was reaped; the rest of a group is killed before its leader is reaped.
    Signals,
    /// A process is reaped once, after its end, when the guard has forgotten its group.
    Reaping,
    /// A channel is used as its trait says, and is read as long as bytes may come.
    Channel,
    /// A worker gets the bytes of the items that it is sent.
    ItemBytes,
    /// An item is at one worker at a time, and is executed again only after a death or a failure.
    Executions,
    /// A result that was complete before its worker died counts.
    ResultOfTheDead,
    /// Only the item that was running is charged for a death.
    Blame,
    /// A time limit strikes no command that ended within it.
    TimeLimit,
    /// Each accepted item is settled once and shown once.
    Settled,
    /// An outcome is one that the workers gave.
    Outcome,
    /// Results are shown as the workers wrote them, each with its own item.
    Results,
    /// In keep-order results are shown in the order of the items.
    Order,
    /// stdout gets what was shown, byte for byte.
    Stdout,
    /// A trace is told of frames of items that have arrived, with times in the past.
    Trace,
    /// A fresh core that is told the recorded facts gives the recorded orders.
    Replay,
    /// Nothing is visible before the durable record of it is safe.
    Barrier,
    /// What was safe survives the end of every process and of the machine, and nothing is invented.
    Disk,
    /// No more items are taken than the queue and the workers may hold, and none after the end of the source.
    Source,
    /// No more processes are ordered than the machine has had room for at the last measurement.
    Pace,
    /// The memory of items and of results in files is free when the run is over.
    Memory,
    /// The run ends, in a bounded number of calls.
    Ends,
    /// The outcome of the run is the one that its events lead to, and nothing is left over.
    Finish,
    /// A panic, or an error of a run that has no reason to fail.
    Engine,
}

/// A check that did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    pub check: Check,
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.check, self.text)
    }
}

/// `hold!(world, condition, Check, "text {}", ...)`: notes a violation in the world, of which the first one counts. The
/// text is made only when the condition fails.
macro_rules! hold {
    ($world:expr, $condition:expr, $check:ident, $($text:tt)+) => {
        if !$condition {
            let text = format!($($text)+);
            $world.violate($crate::check::Check::$check, text);
        }
    };
}
pub(crate) use hold;
