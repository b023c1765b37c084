//! What a person may ask of a run: one vocabulary for signals and for clients of a control socket.
//!
//! Invariant: a request is a plain value. What it leads to is decided in `core/shutdown.rs` and
//! `core/scale.rs`.

#![deny(missing_docs)]

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
}

/// Where a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A signal to the process of the supervisor.
    Signal {
        /// INT, TERM, HUP, QUIT or USR1.
        signal: Signal,
        /// The sending process; `None` for the terminal and for the system.
        sender_pid: Option<u32>,
    },
    /// A client of the control socket, or the program that uses this library.
    Caller,
}

/// What a signal to the supervisor asks for, in this order. Empty for a signal that asks for nothing.
#[must_use]
pub const fn of_signal(signal: Signal) -> &'static [Command] {
    match signal {
        Signal::INT | Signal::TERM | Signal::HUP => &[Command::Stop],
        Signal::QUIT => &[Command::Status, Command::Terminate],
        Signal::USR1 => &[Command::Status],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_asks_for_what_the_manual_says() {
        assert_eq!(of_signal(Signal::INT), [Command::Stop]);
        assert_eq!(of_signal(Signal::TERM), [Command::Stop]);
        assert_eq!(of_signal(Signal::QUIT), [Command::Status, Command::Terminate]);
        assert_eq!(of_signal(Signal::USR1), [Command::Status]);
        assert_eq!(of_signal(Signal::HUP), [Command::Stop]);
        assert_eq!(of_signal(Signal::KILL), []);
    }
}
