//! Keep-order: settled items wait here, with copies of their results, until every item before them is settled.
//!
//! Invariant: holds only items that the core has settled and not yet ordered to commit. Memory is one record per
//! settlement that waits; the feed reads no further while the results are more than it allows.

use super::super::answer::Answer;
use crate::model::exit::ExitStatus;
use crate::model::ids::ItemId;
use crate::model::outcome::Settlement;
use crate::reporter::{Content, ItemTime};
use crate::sys::spill::SpilledContent;
use std::collections::BTreeMap;

/// A settlement and its results, copied out of the buffers that they were read into.
pub struct HeldResults {
    pub settlement: Settlement,
    results: Copied,
    errors: Copied,
    times: Option<Vec<ItemTime>>,
    exit: Option<ExitStatus>,
}

#[derive(Default)]
struct Copied {
    spilled: SpilledContent,
    memory: Vec<u8>,
    before: u64,
}

/// The reorder buffer.
#[derive(Default)]
pub struct Reorder {
    /// By first item.
    held: BTreeMap<u64, HeldResults>,
    held_bytes: u64,
}

impl Reorder {
    /// Bytes of results that wait for their turn.
    pub const fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Keeps a settlement until [`Reorder::take`] names it.
    pub fn hold(&mut self, held: HeldResults) {
        self.held_bytes += held.bytes();
        self.held.insert(held.settlement.first.0, held);
    }

    /// Takes out the next settlement that begins within these items.
    pub fn take(&mut self, first: ItemId, end: ItemId) -> Option<HeldResults> {
        let (&at, _) = self.held.range(first.0..end.0).next()?;
        let held = self.held.remove(&at)?;
        self.held_bytes -= held.bytes();
        Some(held)
    }
}

impl HeldResults {
    pub fn new(settlement: Settlement, answer: Option<Answer<'_>>) -> Self {
        let Some(answer) = answer else {
            let (results, errors) = (Copied::default(), Copied::default());
            return Self { settlement, results, errors, times: None, exit: None };
        };
        Self {
            settlement,
            results: Copied::from(answer.results),
            errors: Copied::from(answer.errors),
            times: answer.times.map(<[_]>::to_vec),
            exit: answer.exit,
        }
    }

    /// The results, and with them the ownership of their spilled part.
    pub fn answer(&mut self) -> Answer<'_> {
        Answer {
            first: self.settlement.first,
            count: self.settlement.count,
            results: self.results.content(),
            errors: self.errors.content(),
            times: self.times.as_deref(),
            exit: self.exit,
            of_failures: true,
        }
    }

    /// The bytes that make the source wait. The spilled output of a command, which has an exit, is not among them: one
    /// command may write so much that no other would be started. That of a resident worker is, or the file would grow
    /// without limit behind one slow item.
    fn bytes(&self) -> u64 {
        let spilled = if self.exit.is_none() { self.results.spilled.bytes() } else { 0 };
        spilled + (self.results.memory.len() + self.errors.memory.len()) as u64
    }
}

impl Copied {
    fn from(content: Content<'_>) -> Self {
        Self { spilled: content.spilled, memory: content.memory.to_vec(), before: content.before }
    }

    fn content(&mut self) -> Content<'_> {
        Content { spilled: std::mem::take(&mut self.spilled), memory: &self.memory, before: self.before }
    }
}
