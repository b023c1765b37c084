//! What each signal to a supervisor does, in words: for `supervisor signals`, and for the documents.
//!
//! Invariant: it says what [`of_signal`](super::command::of_signal) does; a test compares.

#![deny(missing_docs)]

use super::signal::Signal;

/// Some signals that mean the same.
#[derive(Clone, Copy, Debug)]
pub struct SignalRow {
    /// Which ones.
    pub signals: &'static [Signal],
    /// Where they come from, if that matters.
    pub from: &'static str,
    /// What they do.
    pub does: &'static str,
}

const fn row(signals: &'static [Signal], from: &'static str, does: &'static str) -> SignalRow {
    SignalRow { signals, from, does }
}

/// Every signal that a run has to do with.
pub const ROWS: [SignalRow; 14] = [
    row(
        &[Signal::INT, Signal::TERM],
        "",
        "stop: the first lets running items finish within --grace, the second ends workers by --term-seq, the third kills",
    ),
    row(&[Signal::QUIT], "", "the state of the run on stderr, then workers are ended by --term-seq at once"),
    row(&[Signal::HUP], "from a process", "each worker is replaced, one after another; no item is lost or charged"),
    row(&[Signal::HUP], "the terminal is gone", "a stop, like TERM"),
    row(&[Signal::USR1], "", "the state of the run on stderr"),
    row(&[Signal::TTIN], "from a process", "one worker more"),
    row(
        &[Signal::TTOU],
        "from a process",
        "one worker fewer: an idle one, else one after its item; the last one stays",
    ),
    row(&[Signal::TTIN, Signal::TTOU], "from the terminal", "this process stops, as any that is in the background"),
    row(&[Signal::TSTP], "", "the workers stop, then this process; no time limit advances"),
    row(&[Signal::CONT], "", "goes on, with all workers"),
    row(&[Signal::WINCH], "", "a progress bar is drawn again"),
    row(&[Signal::PIPE, Signal::XFSZ], "", "ignored here: the write fails instead; default again in workers"),
    row(&[Signal::CHLD], "", "blocked and read: a worker was stopped or goes on, or an orphan has ended"),
    row(
        &[Signal::KILL, Signal::STOP],
        "",
        "cannot be caught: KILL of this process ends the workers too; STOP stops it alone",
    ),
];

impl SignalRow {
    /// The names, and where from: `HUP (from a process)`.
    #[must_use]
    pub fn label(&self) -> String {
        let names: Vec<String> = self.signals.iter().map(|signal| signal.name()).collect();
        let names = names.join(", ");
        if self.from.is_empty() { names } else { format!("{names} ({})", self.from) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::of_signal;
    use super::*;

    #[test]
    fn every_signal_that_asks_for_something_has_a_row() {
        for signal in (1..=64).map(Signal) {
            let asks = [true, false].map(|is_sent| !of_signal(signal, is_sent).is_empty());
            let rows = ROWS.iter().filter(|row| row.signals.contains(&signal)).count();
            assert!(rows > 0 || asks == [false, false], "{signal}");
            assert!(rows < 2 || of_signal(signal, true) != of_signal(signal, false), "{signal}");
        }
    }
}
