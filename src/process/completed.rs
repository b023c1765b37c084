//! What became of a command.

use crate::model::exit::{ExitStatus, Usage};
use crate::model::signal::Signal;
use crate::model::time::Duration;
use std::ffi::OsString;

/// A command that has ended. Of several attempts all fields but the first and the last are about the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// The command with its arguments.
    pub args: Vec<OsString>,
    /// How its process ended.
    pub exit: ExitStatus,
    /// It was ended because [`ProcessSpec::timeout`](super::ProcessSpec::timeout) had passed. `exit` may be any then.
    pub timed_out: bool,
    /// A signal to this process because of which the command was ended, or not tried again. `None` without
    /// [`ProcessSpec::handle_signals`](super::ProcessSpec::handle_signals).
    pub stopped_by: Option<Signal>,
    /// What it wrote, if that was captured.
    pub stdout: Vec<u8>,
    /// Likewise.
    pub stderr: Vec<u8>,
    /// What its process used, with the descendants that it has waited for.
    pub usage: Usage,
    /// From the start of the process to its end.
    pub runtime: Duration,
    /// Attempts that were made, at least 1.
    pub attempts: u32,
}

impl Completed {
    /// Whether it ended by itself, in time, and with 0.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.exit.is_success() && !self.timed_out && self.stopped_by.is_none()
    }
}
