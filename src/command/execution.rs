//! A command that runs: its process, our ends of its pipes, and its output so far.

use super::capture::{Capture, CaptureError, Collector, Progress};
use super::stdin_feed::StdinFeed;
use crate::model::time::Instant;
use crate::sys::pidfd::Process;
use crate::sys::spawn::PendingExec;
use std::io::{self, PipeReader};

/// A command that was started for an item.
///
/// Remove a descriptor from the poll set before you drop it: a child between clone and exec may hold a copy, and closing
/// alone would leave it in the set.
#[derive(Debug)]
pub struct Execution {
    pub process: Process,
    /// Its program may not run yet: whether it does is still to be asked ([`super::exec::Commander::outcome`]).
    pub pending: Option<PendingExec>,
    /// `None` after end-of-file, and if the command writes to ours.
    pub stdout: Option<PipeReader>,
    /// The same, and `None` if it writes to its stdout.
    pub stderr: Option<PipeReader>,
    /// `None` unless a part of the item is still to be written.
    pub stdin: Option<StdinFeed>,
    pub out: Capture,
    pub err: Capture,
    pub started: Instant,
}

impl Execution {
    /// Reads once from the command's stdout.
    ///
    /// # Errors
    /// The output could not be stored.
    pub fn read_stdout(&mut self, collector: &mut Collector) -> Result<Progress, CaptureError> {
        read(self.stdout.as_ref(), &mut self.out, collector)
    }

    /// Reads once from the command's stderr.
    ///
    /// # Errors
    /// The output could not be stored.
    pub fn read_stderr(&mut self, collector: &mut Collector) -> Result<Progress, CaptureError> {
        read(self.stderr.as_ref(), &mut self.err, collector)
    }

    /// Writes more of the item, which must be the one of the launch. `Closed`: the item is complete, or the command reads no
    /// more; drop `stdin`, so that the command reads end-of-file.
    ///
    /// # Errors
    /// Those of `write(2)`, except `EPIPE`.
    pub fn write_stdin(&mut self, item: &[u8]) -> io::Result<Progress> {
        self.stdin.as_mut().map_or(Ok(Progress::Closed), |feed| feed.write(item))
    }
}

fn read(pipe: Option<&PipeReader>, capture: &mut Capture, collector: &mut Collector) -> Result<Progress, CaptureError> {
    pipe.map_or(Ok(Progress::Closed), |pipe| collector.read(pipe, capture))
}
