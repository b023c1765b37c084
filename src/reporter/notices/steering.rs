//! What is said when a run does what a signal or a client has asked for.
//!
//! Invariant: one line for each event.

use super::state::{Notices, push_notice};
use crate::model::event::RunEvent;
use crate::model::words::counted;
use crate::sys::outbox::Outbox;

impl Notices {
    /// The run does what was asked for.
    pub(super) fn steered(&mut self, event: &RunEvent, err: &mut Outbox) {
        if let Some(line) = line(event).filter(|_| !self.quiet) {
            push_notice(err, &line);
        }
    }
}

/// The line for this event, if it is one of those.
fn line(event: &RunEvent) -> Option<String> {
    Some(match event {
        RunEvent::Scaled { from, to } => format!("{} instead of {from}", counted(u64::from(*to), "worker", "workers")),
        RunEvent::RestartBegun { workers: 0 } => {
            "nothing to restart: each item has a process of its own, and what runs finishes".to_owned()
        }
        RunEvent::RestartBegun { workers: 1 } => "restarting 1 worker".to_owned(),
        RunEvent::RestartBegun { workers } => format!("restarting {workers} workers, one after another"),
        RunEvent::RestartEnded { replaced, error: None } => {
            format!("{} replaced", counted(u64::from(*replaced), "worker", "workers"))
        }
        RunEvent::RestartEnded { error: Some(error), .. } => {
            format!("failed to {error}: the workers stay as they are")
        }
        RunEvent::RunPaused => "paused: the workers are stopped, and no time limit advances; CONT goes on".to_owned(),
        RunEvent::RunContinued => "goes on after a pause".to_owned(),
        RunEvent::WorkerSignalled { worker, pid, signal, .. } => {
            format!("sends signal {signal} to worker {worker} (pid {pid}), as asked")
        }
        _ => return None,
    })
}
