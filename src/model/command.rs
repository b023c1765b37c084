//! What a person may ask of a run: one vocabulary for signals and for clients of a control socket.
//!
//! Invariant: a request is a plain value. What it leads to is decided in `core/shutdown.rs`, `core/scale.rs`,
//! `core/rolling_restart.rs`, `core/pause.rs` and `core/signalling.rs`.

#![deny(missing_docs)]

use super::ids::WorkerId;
use super::signal::Signal;
use serde::{Deserialize, Serialize};

/// A request to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Stop, more firmly each time it is given: the first drains, the second terminates, the third kills.
    Stop,
    /// Start nothing new; let the items at workers finish, within the grace.
    Drain,
    /// Send every worker through the term sequence. As a signal, a further one kills: a key that is
    /// pressed again means more, a request that is repeated means the same.
    Terminate,
    /// Send KILL to every worker.
    Kill,
    /// Show the state of the run.
    Status,
    /// Run with this many workers from now on; 0 counts as 1. Ignored by a run that stops.
    Scale {
        /// Slots in all.
        workers: u32,
    },
    /// Replace the process of a slot, or of every slot, one slot after another: the next process is ready before the one
    /// that it stands in for is asked to leave. No item is lost or charged. Processes of an item each have nothing to
    /// replace. Ignored by a run that stops.
    Restart {
        /// The slot; `None`: all of them.
        worker: Option<WorkerId>,
    },
    /// Run with one worker more.
    AddWorker,
    /// Run with one worker fewer, at least one: an idle one leaves, else one leaves after its item.
    RemoveWorker,
    /// Stop the processes of all workers by STOP, and start and hand out nothing until `Continue`. No time limit advances
    /// meanwhile. A stop continues the run first. Ignored by a run that is being terminated, and one that is paused.
    Pause,
    /// Go on after `Pause`. Ignored by a run that is not paused.
    Continue,
    /// Send this signal to the process of a worker, and to its group. It means what the same signal from anywhere else
    /// means. Ignored if the slot has no process.
    SignalWorker {
        /// The slot.
        worker: WorkerId,
        /// Any signal.
        signal: Signal,
    },
    /// Report each attempt that begins from now on, or as the policy says again.
    ReportStarts {
        /// Whatever the policy says.
        wanted: bool,
    },
}

/// Where a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A signal to the process of the supervisor.
    Signal {
        /// One that the run receives.
        signal: Signal,
        /// The sending process; `None` for the terminal and for the system.
        sender_pid: Option<u32>,
    },
    /// A client of the control socket, or the program that uses this library.
    Caller,
}

/// What a signal to the supervisor asks for, in this order. Empty for a signal that asks for nothing. `is_sent`: a process
/// has sent it; else it comes from the terminal or from the system.
#[must_use]
pub const fn of_signal(signal: Signal, is_sent: bool) -> &'static [Command] {
    match signal {
        Signal::HUP if is_sent => &[Command::Restart { worker: None }],
        Signal::INT | Signal::TERM | Signal::HUP => &[Command::Stop],
        Signal::QUIT => &[Command::Status, Command::Terminate],
        Signal::USR1 => &[Command::Status],
        Signal::TTIN if is_sent => &[Command::AddWorker],
        Signal::TTOU if is_sent => &[Command::RemoveWorker],
        Signal::TSTP => &[Command::Pause],
        Signal::CONT => &[Command::Continue],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_asks_for_what_the_manual_says() {
        for is_sent in [false, true] {
            assert_eq!(of_signal(Signal::INT, is_sent), [Command::Stop]);
            assert_eq!(of_signal(Signal::TERM, is_sent), [Command::Stop]);
            assert_eq!(of_signal(Signal::QUIT, is_sent), [Command::Status, Command::Terminate]);
            assert_eq!(of_signal(Signal::USR1, is_sent), [Command::Status]);
            assert_eq!(of_signal(Signal::TSTP, is_sent), [Command::Pause]);
            assert_eq!(of_signal(Signal::CONT, is_sent), [Command::Continue]);
            assert_eq!(of_signal(Signal::KILL, is_sent), []);
        }
        assert_eq!(of_signal(Signal::HUP, true), [Command::Restart { worker: None }]);
        assert_eq!(of_signal(Signal::HUP, false), [Command::Stop]);
        assert_eq!(of_signal(Signal::TTIN, true), [Command::AddWorker]);
        assert_eq!(of_signal(Signal::TTOU, true), [Command::RemoveWorker]);
        assert_eq!(of_signal(Signal::TTIN, false), []);
    }
}
