//! Signals by number and name (Linux numbering, `signal(7)`, x86-64 and arm64).

#![deny(missing_docs)]

use serde::{Deserialize, Serialize};
use std::fmt;

/// A signal, as its Linux number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signal(pub u8);

/// Names without `SIG`, at the place of their number.
const NAMES: [&str; 32] = [
    "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
    "IO", "PWR", "SYS",
];

impl Signal {
    /// The terminal was closed.
    pub const HUP: Self = Self(1);
    /// Ctrl-C.
    pub const INT: Self = Self(2);
    /// Ctrl-backslash.
    pub const QUIT: Self = Self(3);
    /// Access to a page that the file or the machine no longer has.
    pub const BUS: Self = Self(7);
    /// Ends a process. It cannot be caught.
    pub const KILL: Self = Self(9);
    /// For programs. A supervisor writes its state.
    pub const USR1: Self = Self(10);
    /// Access to memory that is not the process's.
    pub const SEGV: Self = Self(11);
    /// For programs.
    pub const USR2: Self = Self(12);
    /// A write to a pipe that has no reader.
    pub const PIPE: Self = Self(13);
    /// Asks a process to end.
    pub const TERM: Self = Self(15);
    /// A child has ended, was stopped, or goes on.
    pub const CHLD: Self = Self(17);
    /// A write beyond the limit of a file's size.
    pub const XFSZ: Self = Self(25);
    /// A stopped process goes on.
    pub const CONT: Self = Self(18);
    /// Stops a process. It cannot be caught.
    pub const STOP: Self = Self(19);
    /// Ctrl-Z.
    pub const TSTP: Self = Self(20);
    /// A process in the background has read from the terminal.
    pub const TTIN: Self = Self(21);
    /// A process in the background has set the terminal, or written to one that forbids it.
    pub const TTOU: Self = Self(22);
    /// The terminal has another size.
    pub const WINCH: Self = Self(28);

    /// The name without `SIG`, such as `KILL`; `RTMIN+3` for real-time signals.
    #[must_use]
    pub fn name(self) -> String {
        match NAMES.get(usize::from(self.0)) {
            Some(name) if !name.is_empty() => (*name).to_owned(),
            _ if self.0 >= 34 => format!("RTMIN+{}", self.0 - 34),
            _ => format!("{}", self.0),
        }
    }

    /// If it is a number from 1 to 64.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(self.0, 1..=64)
    }

    /// Reads `KILL`, `SIGKILL`, `kill` or `9`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<u8>() {
            return Some(Self(number)).filter(|signal| signal.is_known());
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES.iter().position(|known| !known.is_empty() && *known == name).map(|number| Self(number as u8))
    }
}

/// Both forms, as in `9 (KILL)`.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.name())
    }
}
