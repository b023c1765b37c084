//! Floor 2: what the user sees. Reporters are views of [`RunEvent`] and of settled items.
//!
//! | file | what | where |
//! |---|---|---|
//! | `text` | a line for each item, for people | stdout |
//! | `results` | what the workers answered, or nothing | stdout |
//! | `json` | an object for each item | stdout |
//! | `notices` | what happens to workers and to the run | stderr |
//! | `summary` | the table and the totals at the end | stderr |
//! | `events` | every event as JSON | a file |
//!
//! Invariant: a reporter decides nothing and knows no process; what it was not told did not happen.

pub mod events;
pub mod json;
pub mod notices;
pub mod object;
#[cfg(test)]
mod recorded;
pub mod results;
pub mod summary;
pub mod text;
pub mod words;

use crate::model::config::{OutputMode, OutputSpec};
use crate::model::event::RunEvent;
use crate::model::exit::ExitStatus;
use crate::model::ids::ItemId;
use crate::model::outcome::Settlement;
use crate::model::spec::{Lifecycle, Policy};
use crate::model::time::{Duration, Instant};
use crate::sys::outbox::Outbox;
use crate::sys::spill::SpilledContent;

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
    pub exit: Option<ExitStatus>,
}

impl<'a> Settled<'a> {
    /// The items of a settlement of several: number, item, result without its newline.
    pub fn each(&self) -> impl Iterator<Item = (ItemId, &'a [u8], &'a [u8])> {
        let (mut inputs, mut results) = (self.inputs, self.results.memory);
        let delimiter = self.delimiter;
        let first = self.settlement.first;
        (0..u64::from(self.settlement.count))
            .map(move |index| (first.plus(index), cut_off(&mut inputs, delimiter), cut_off(&mut results, b'\n')))
    }
}

/// Bytes of a result: first the content of the spill file, then the bytes in memory.
#[derive(Default)]
pub struct Content<'a> {
    /// The reporter that writes it to an outbox takes it; the others only read it. What no reporter takes is freed.
    pub spilled: SpilledContent,
    pub memory: &'a [u8],
}

impl<'a> Content<'a> {
    /// Content that was never spilled.
    #[must_use]
    pub fn in_memory(memory: &'a [u8]) -> Self {
        Self { memory, ..Self::default() }
    }
}

fn spill_failed(spilled: &SpilledContent, error: std::io::Error) -> ReporterError {
    let folder = spilled.folder().map_or_else(String::new, |folder| folder.display().to_string());
    ReporterError::Spill { folder, error }
}

/// Takes what is before the first delimiter off `rest`.
fn cut_off<'a>(rest: &mut &'a [u8], delimiter: u8) -> &'a [u8] {
    match memchr::memchr(delimiter, rest) {
        Some(end) => {
            let piece = &rest[..end];
            *rest = &rest[end + 1..];
            piece
        }
        None => std::mem::take(rest),
    }
}

/// When an item's attempt began, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemTime {
    pub started: Instant,
    pub runtime: Duration,
}

/// A view. It is told each event when it happens, the settling of items included
/// ([`RunEvent::ItemsSettled`]), and each settled item once more, with its bytes, when its turn has
/// come ([`Reporter::settled`]: at once, or in keep-order). `out` is the program's stdout, `err` its
/// stderr: buffers that the engine empties without blocking, so writing to them cannot fail. A
/// reporter with a file of its own may fail. What a view does not care for it leaves out.
pub trait Reporter {
    /// Something happened.
    ///
    /// # Errors
    /// A file of its own could not be written.
    fn event(&mut self, _: Instant, _: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        Ok(())
    }

    /// Items have their outcome, and this is their turn to be shown.
    ///
    /// # Errors
    /// A file of its own could not be written, or spilled content not be read.
    fn settled(
        &mut self,
        _: Instant,
        _: &mut Settled<'_>,
        _: &mut Outbox,
        _: &mut Outbox,
    ) -> Result<(), ReporterError> {
        Ok(())
    }

    /// Once a loop turn, and at the end: push out what is held back.
    ///
    /// # Errors
    /// A file of its own could not be written.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

/// The views that `output` asks for, in the order in which they are to be told.
///
/// # Errors
/// The file of `--events` cannot be created.
pub fn open(output: &OutputSpec, policy: &Policy) -> Result<Vec<Box<dyn Reporter>>, ReporterError> {
    let mut reporters: Vec<Box<dyn Reporter>> = vec![Box::new(notices::Notices::new(output, policy))];
    reporters.push(match output.mode {
        OutputMode::Narrate => Box::new(text::Narrate::default()),
        OutputMode::Results => Box::new(results::Results { tag: output.tag, shown: true }),
        OutputMode::None => Box::new(results::Results { tag: output.tag, shown: false }),
        OutputMode::Json => Box::new(json::Json { answers_are_lines: policy.lifecycle == Lifecycle::Resident }),
    });
    if let Some(path) = &output.events {
        reporters.push(Box::new(events::Events::create(path)?));
    }
    if let Some(summary) = summary::Summary::new(output, policy) {
        reporters.push(Box::new(summary));
    }
    Ok(reporters)
}

/// Why a reporter cannot show what it is told. The texts complete "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ReporterError {
    #[error("create {path}: {error}")]
    Create { path: String, error: std::io::Error },
    #[error("write {path}: {error}")]
    Write { path: String, error: std::io::Error },
    #[error("read back what was spilled to {folder}: {error}")]
    Spill { folder: String, error: std::io::Error },
}
