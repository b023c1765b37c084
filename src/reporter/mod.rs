//! Floor 2: what the user sees. Reporters are views of [`RunEvent`] and of settled items; `selection` opens those that
//! a run asks for.
//!
//! | file | what | where |
//! |---|---|---|
//! | `text` | a line for each item, for people | stdout |
//! | `results` | the workers' results, or nothing | stdout |
//! | `final_output` | results that are shown at the end | stderr |
//! | `json` | an object for each item | stdout |
//! | `notices` | what happens to workers and to the run | stderr |
//! | `progress` | the state of the run while it lasts | stderr |
//! | `summary` | the table and the totals at the end | stderr |
//! | `digest` | what the summary says of some items | stderr |
//! | `events` | every event as JSON | a file |
//! | `event_tap` | the same, for those who watch at the moment | clients of the control socket |
//! | `item_files` | the output of each command, in files (`item_columns`: its arguments) | a folder |
//! | `item_table` | the same in one table, or JSON | a file, or stdout |
//! | `dead_letters` | an object for each item that is dead | a file |
//! | `job_log` | a line for each item that has ended, as GNU parallel writes it | a file |
//!
//! Invariant: a reporter decides nothing, asks no process and never blocks on stdout. Its facts are the events and the
//! settled items that it gets.

pub mod caller;
pub mod dead_letters;
pub mod digest;
mod error;
pub mod event_tap;
pub mod events;
mod final_output;
pub mod item_columns;
pub mod item_files;
pub mod item_table;
pub mod job_log;
pub mod json;
pub mod notices;
pub mod object;
pub mod own_file;
pub mod progress;
#[cfg(test)]
mod recorded;
mod repeats;
pub mod results;
mod selection;
pub mod summary;
pub mod text;

pub use error::ReporterError;
pub use selection::{open, silent};

use crate::model::event::RunEvent;
use crate::model::exit::ExitStatus;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::Settlement;
use crate::model::time::{Duration, Instant};
use crate::sys::outbox::Outbox;
use crate::sys::spill::SpilledContent;
use own_file::OwnFile;

/// Settled items with their bytes, in the order of the output.
pub struct Settled<'a> {
    pub settlement: &'a Settlement,
    /// The items: a single one as it is, several each followed by `delimiter`.
    pub inputs: &'a [u8],
    /// The arguments of a single item, each followed by a NUL; `None`: it is one argument.
    pub arguments: Option<&'a [u8]>,
    pub delimiter: u8,
    /// The content for stdout. The result of a single item is as it is; each of several ends with a newline and
    /// contains no other. Empty unless the items are done or a command wrote it.
    pub results: Content<'a>,
    /// A command's stderr, for a single item. Empty for resident workers, which share the supervisor's stderr.
    pub errors: Content<'a>,
    /// Per item, where the worker reports it: when it started and how long it took.
    pub times: Option<&'a [ItemTime]>,
    /// How the process of this item ended; `None` without a process per item.
    pub exit: Option<ExitStatus>,
}

impl<'a> Settled<'a> {
    /// The items of a settlement of several, each as id, item, result without its newline.
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
    /// Bytes of the same output that have left before.
    pub before: u64,
}

impl<'a> Content<'a> {
    /// Content that was never spilled.
    #[must_use]
    pub fn in_memory(memory: &'a [u8]) -> Self {
        Self { memory, ..Self::default() }
    }

    /// How many bytes the whole output has.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.before + self.spilled.bytes() + self.memory.len() as u64
    }
}

fn spill_failed(spilled: &SpilledContent, error: std::io::Error) -> ReporterError {
    let folder = spilled.folder().map_or_else(String::new, |folder| folder.display().to_string());
    ReporterError::Spill { folder, error }
}

/// Cuts the bytes before the first delimiter off `rest`.
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

/// Appends a text about an item, given as the source delivered it, in this slot.
pub type ItemText = Box<dyn FnMut(&[u8], ItemId, WorkerId, &mut Vec<u8>)>;

/// When an item's attempt began, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemTime {
    pub started: Instant,
    pub runtime: Duration,
}

/// A view of the run. `out` is the program's stdout and `err` its stderr: buffers that the engine writes out without
/// blocking, so appending to them cannot fail. A reporter with a file of its own may fail.
///
/// Every implementation decides about every call, also where it has nothing to show.
pub trait Reporter {
    /// Called for each event when it happens, [`RunEvent::ItemsSettled`] included.
    ///
    /// # Errors
    /// A file of its own could not be written.
    fn event(
        &mut self,
        now: Instant,
        event: &RunEvent,
        out: &mut Outbox,
        err: &mut Outbox,
    ) -> Result<(), ReporterError>;

    /// Called for settled items when it is their turn to be shown: at once, or in the order of the items.
    ///
    /// # Errors
    /// A file of its own could not be written, or spilled content not be read.
    fn settled(
        &mut self,
        now: Instant,
        settled: &mut Settled<'_>,
        out: &mut Outbox,
        err: &mut Outbox,
    ) -> Result<(), ReporterError>;

    /// The file of its own that the engine writes, once a loop turn and at the end, as far as that takes bytes.
    fn file(&mut self) -> Option<&mut OwnFile>;

    /// Called once a loop turn, and at the end: write out what is buffered elsewhere, without waiting.
    ///
    /// # Errors
    /// A file of its own could not be written.
    fn flush(&mut self) -> Result<(), ReporterError>;
}
