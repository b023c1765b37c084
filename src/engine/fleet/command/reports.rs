//! What a launcher has to report, and when the loop is woken for it.
//!
//! Invariant: the loop gets all reports, in their order, and is woken at most [`QUIET`] after each was posted. Only of a
//! command that has succeeded, with enough in hand behind it, it need not know at once.

use super::hands::Hands;
use super::messages::Report;
use crate::model::exit::ExitStatus;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use crate::sys::mailbox::Mailbox;
use std::sync::Arc;

/// How long the loop may sleep while there are reports. Nobody sees results come so much later.
const QUIET: Duration = Duration::from_millis(1);

pub struct Reports {
    mailbox: Arc<Mailbox<Report>>,
    /// Those of this turn.
    new: Vec<Report>,
    /// Since when there are reports for which the loop was not woken.
    quiet_since: Option<Instant>,
}

impl Reports {
    pub const fn new(mailbox: Arc<Mailbox<Report>>) -> Self {
        Self { mailbox, new: Vec::new(), quiet_since: None }
    }

    pub fn push(&mut self, report: Report) {
        self.new.push(report);
    }

    pub fn extend(&mut self, reports: impl IntoIterator<Item = Report>) {
        self.new.extend(reports);
    }

    /// Posts what is new. `step`: the number of launchers.
    pub fn post(&mut self, hands: &Hands, step: usize, now: Instant) {
        let is_quiet = |report: &Report| match report {
            Report::Spawned { worker, .. } => !hands.is_low(worker.index() / step),
            Report::Exited(exit) => exit.had_next && exit.status == ExitStatus::Code(0),
            _ => false,
        };
        if self.new.iter().all(is_quiet) {
            if !self.new.is_empty() {
                self.mailbox.post_quietly(&mut self.new);
                self.quiet_since.get_or_insert(now);
            }
            return;
        }
        self.quiet_since = None;
        self.mailbox.post(&mut self.new);
    }

    /// When the loop has to be woken.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.quiet_since.map(|since| since + QUIET)
    }

    /// Wakes the loop, if that is due.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|at| at <= now) {
            self.quiet_since = None;
            mutant!(ReportsKeptQuiet, self.mailbox.wake_for_messages(), {});
        }
    }
}
