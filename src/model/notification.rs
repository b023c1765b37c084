//! What a run reports to the program that started it.

#![deny(missing_docs)]

use super::event::RunEvent;
use super::exit::ExitStatus;
use super::ids::{ItemId, WorkerId};
use super::outcome::{Cause, Outcome};
use super::time::Instant;

/// Something that a run reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// Something happened to a worker, or to the run. Settled items are reported as [`Notification::Item`].
    Event {
        /// Since the start of the run.
        at: Instant,
        /// What happened.
        event: RunEvent,
    },
    /// An item has its outcome, and its turn has come.
    Item(ItemReport),
}

/// The outcome of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemReport {
    /// Its number in the order of arrival, from 0.
    pub item: ItemId,
    /// What became of it.
    pub outcome: Outcome,
    /// What its worker answered, which the SDK ends with a newline, or what its command wrote to stdout. Always whole, and
    /// of the last attempt alone.
    pub result: Vec<u8>,
    /// What its command wrote to stderr in the last attempt, whole. Empty for workers that stay.
    pub errors: Vec<u8>,
    /// How many attempts were started; 0 for an item that was never begun.
    pub attempts: u32,
    /// The slot that held it last; `None` if none ever did.
    pub worker: Option<WorkerId>,
    /// The process that held it last.
    pub pid: Option<u32>,
    /// The attempts that did not succeed, oldest first: the first and the last ones, if there are many.
    pub causes: Vec<Cause>,
    /// Attempts that did not succeed, between the first and the last ones in `causes`.
    pub causes_omitted: u64,
    /// How its process ended, for a process per item.
    pub exit: Option<ExitStatus>,
    /// When its last attempt began, where that is known.
    pub started: Option<Instant>,
}
