//! Floor 2: what the user sees. Reporters are views of [`RunEvent`] and of settled items.

use crate::model::event::RunEvent;
use crate::model::outcome::Settlement;
use crate::model::time::{Duration, Instant};
use crate::sys::outbox::Outbox;
use crate::sys::spill::Extent;

/// Settled items with their bytes, in the order in which they are told.
pub struct Settled<'a> {
    pub settlement: &'a Settlement,
    /// The items: one, whole, or each followed by `delimiter`.
    pub inputs: &'a [u8],
    pub delimiter: u8,
    /// What stdout gets: of several items, each result ends with its newline and holds no other; of
    /// one, whole. Empty unless done, or a command's output.
    pub results: Content<'a>,
    /// A command's stderr; of one item. Empty for resident workers, who share the supervisor's.
    pub errors: Content<'a>,
    /// Per item, where the worker told: when it started and how long it took.
    pub times: Option<&'a [ItemTime]>,
    /// How the process of this item ended, where there was one.
    pub exit: Option<crate::model::exit::ExitStatus>,
}

/// Bytes of a result: first what was spilled to a file, then what is in memory.
#[derive(Clone, Copy, Default)]
pub struct Content<'a> {
    pub spilled: &'a [Extent],
    pub memory: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemTime {
    pub started: Instant,
    pub runtime: Duration,
}

/// A view. It is told each event when it happens, the settling of items included
/// ([`RunEvent::ItemsSettled`]), and each settled item once more, with its bytes, when its turn has
/// come ([`Reporter::settled`]: at once, or in keep-order). `out` is the program's stdout, `err` its stderr: buffers that the engine empties without
/// blocking, so writing to them cannot fail. A reporter with a file of its own may fail.
pub trait Reporter {
    /// # Errors
    /// A file of its own could not be written.
    fn event(
        &mut self,
        now: Instant,
        event: &RunEvent,
        out: &mut Outbox,
        err: &mut Outbox,
    ) -> Result<(), ReporterError>;
    /// # Errors
    /// A file of its own could not be written.
    fn settled(
        &mut self,
        now: Instant,
        settled: &Settled<'_>,
        out: &mut Outbox,
        err: &mut Outbox,
    ) -> Result<(), ReporterError>;
    /// Once a loop turn, and at the end: push out what is held back.
    ///
    /// # Errors
    /// A file of its own could not be written.
    fn flush(&mut self) -> Result<(), ReporterError>;
}

#[derive(Debug, thiserror::Error)]
pub enum ReporterError {
    #[error("create {path}: {error}")]
    Create { path: String, error: std::io::Error },
    #[error("write {path}: {error}")]
    Write { path: String, error: std::io::Error },
}
