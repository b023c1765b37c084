//! How a process ended, and what it used.

#![deny(missing_docs)]

use super::signal::Signal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(u8),
    /// A signal ended it.
    Signal {
        /// The signal.
        signal: Signal,
        /// If the system wrote a core file.
        core_dumped: bool,
    },
    /// The process has ended, but the host program has reaped it, and the system does not tell how it ended.
    Unknown,
}

impl ExitStatus {
    /// If it is exit 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

/// `exit 3`, `signal 9 (KILL)`, `signal 11 (SEGV), core dumped`, `unknown exit`.
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal { signal, core_dumped } => {
                write!(f, "signal {signal}")?;
                if *core_dumped { write!(f, ", core dumped") } else { Ok(()) }
            }
            Self::Unknown => f.write_str("unknown exit"),
        }
    }
}

/// What a process used, as `wait4` reports it (`getrusage(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time in its own code, in microseconds.
    pub user_us: u64,
    /// Processor time in the system on its behalf, in microseconds.
    pub system_us: u64,
    /// The most memory it had at once, in KiB. Linux counts from before the exec, when the process still had the
    /// supervisor's: it is never less than that.
    pub rss_max_kib: u64,
    /// How often it gave up its processor to wait for something.
    pub voluntary_switches: u64,
    /// How often the system took its processor away while it was running.
    pub involuntary_switches: u64,
}
