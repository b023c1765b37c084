//! The shadow model's checks of the core, by name.

use std::fmt;

/// The checks. Each is a sentence that is true of every step of every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// accepted = queued + dispatched + settled, and the run's totals equal an outside count.
    Conservation,
    /// An item gets one outcome, the one that its attempts gave it, and it never changes.
    OneOutcome,
    /// A settlement names all causes, the last holder and the number of attempts.
    Causes,
    /// An item whose last attempt has ended is settled in the same step.
    SettledAtOnce,
    /// Only the item that was running when its worker ended is charged.
    Blame,
    /// No attempt beyond retries and crash limit, and none before its delay has passed.
    Attempts,
    /// Nothing is sent to a slot that is not ready for it.
    ReadySlot,
    /// A process is started only in a slot that is down, with the next incarnation.
    DownSlot,
    /// No signal to a process that is gone or was never there.
    LivingProcess,
    /// A process is ended only for a reason, and in the order of the term sequence.
    ReasonToKill,
    /// Only items that wait are dispatched.
    QueuedItem,
    /// Items are dispatched in the order of the queue.
    DispatchOrder,
    /// No ready worker is idle while an item may be dispatched.
    WorkConserving,
    /// In flight at one worker never exceeds its credit, nor a message its limit.
    Credit,
    /// Items demanded and items waiting together never exceed the queue's limit.
    Demand,
    /// While the output is congested, no process is started for an item.
    Congestion,
    /// No process is started while none may be, nor before the delay after the last start is over; one that is due is
    /// started then.
    Pace,
    /// While the machine is short those workers are held that began last, and no other; a worker that is held goes on
    /// before it is asked to end.
    Relief,
    /// What is done to workers by the plan of chaos is told, and a worker that it stops goes on in time.
    Chaos,
    /// A signal that is asked for is sent in the same step, if there is a process, and means what it means from outside.
    AskedSignal,
    /// An item that was given up is not begun, and what is at it is ended.
    GivenUp,
    /// While the run is paused every process is stopped, and none is started; nothing is handed out; a stop goes on first.
    Paused,
    /// A process is asked to leave for another one only when that is ready, and each that was there is replaced.
    Rolling,
    /// Items are given in hand only where nothing decides between two commands, and are asked for again where something
    /// does, or when they wait for long.
    InHand,
    /// A result is committed once, after the outcome; in keep-order in the order of the input. A restored
    /// item is never committed.
    CommitOrder,
    /// A run has as many slots as it was scaled to; a removed one is asked to leave and never filled.
    Scale,
    /// Restarts keep to the restart limit and to the back-off; a slot that its restart type retires is not filled.
    Restarts,
    /// A run stops early for a reason that was given or that a limit gives, and never ignores one.
    GivingUp,
    /// A hard timeout strikes neither early nor late.
    Timeouts,
    /// The stage of a stop and its reason only rise.
    StopRises,
    /// A stop ends within its deadlines, in a bounded number of steps.
    StopEnds,
    /// Nothing is left to wait for, and the run is not over.
    Progress,
    /// After `handle_timeout(now)` the next timeout is later than `now`.
    TimerLater,
    /// Finished means: no process, no open item, nothing afterwards.
    Finish,
    /// Reports agree with what happened.
    Reports,
    /// The core's own invariants, or a panic of it.
    Core,
}

/// A check that did not hold.
#[derive(Clone, Debug)]
pub struct BrokenCheck {
    pub check: Check,
    pub text: String,
}

impl fmt::Display for BrokenCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.check, self.text)
    }
}

/// `ensure!(condition, Check, "text {}", ...)`: the text is made only when the condition fails.
macro_rules! ensure {
    ($condition:expr, $check:ident, $($text:tt)+) => {
        if !$condition {
            return Err($crate::violation::BrokenCheck {
                check: $crate::violation::Check::$check,
                text: format!($($text)+),
            });
        }
    };
}
pub(crate) use ensure;
