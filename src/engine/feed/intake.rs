//! What a journal records of the input: each block of items that was accepted, with its fingerprint, and of a run that goes
//! on by item their hashes, and what is known of them.
//!
//! Invariant: blocks are in order and without gaps.

use crate::journal::fingerprint::Fingerprint;
use crate::journal::pending_outcome::PendingOutcome;
use crate::journal::record::{Accepted, ItemHash, JournalRecord};
use crate::model::ids::ItemId;

/// Hashes of one record.
const HASHES_MAX: usize = 64 * 1024;

/// Notes that may wait for something else to be recorded.
const NOTES_MAX: usize = 64;

/// What a journal is told of the intake.
pub struct IntakeNote {
    pub record: JournalRecord<'static>,
    /// The outcome of the record, with its results, which are to be shown.
    pub pending: Option<PendingOutcome>,
}

impl From<JournalRecord<'static>> for IntakeNote {
    fn from(record: JournalRecord<'static>) -> Self {
        Self { record, pending: None }
    }
}

/// What was accepted and not recorded.
pub(super) struct Intake {
    /// Bytes of all items before, each with the byte behind it.
    offset: u64,
    fresh: Vec<IntakeNote>,
    /// Some note has results that are to be shown.
    holds_results: bool,
}

impl Intake {
    pub(super) const fn new(offset: u64) -> Self {
        Self { offset, fresh: Vec::new(), holds_results: false }
    }

    /// Items were accepted; a rejected one has no bytes.
    pub(super) fn add(&mut self, first: ItemId, count: u32, items: Option<&[u8]>, delimiter: u8) {
        let mut fingerprint = Fingerprint::default();
        if let Some(items) = items {
            fingerprint.add(items, count, delimiter);
        }
        let bytes = items.map_or(0, |items| items.len() as u64 + u64::from(count == 1));
        let accepted = Accepted { first, count, offset: self.offset, bytes, hash: fingerprint.hash() };
        self.note(JournalRecord::Accepted(accepted));
        self.offset += bytes;
    }

    /// Items that were accepted have these hashes.
    pub(super) fn hashes(&mut self, mut first: ItemId, hashes: Vec<ItemHash>) {
        if hashes.len() <= HASHES_MAX {
            return self.note(JournalRecord::Hashes { first, hashes: hashes.into() });
        }
        for part in hashes.chunks(HASHES_MAX) {
            self.note(JournalRecord::Hashes { first, hashes: part.to_vec().into() });
            first = first.plus(part.len() as u64);
        }
    }

    pub(super) fn note(&mut self, note: impl Into<IntakeNote>) {
        let note = note.into();
        self.holds_results |= note.pending.is_some();
        self.fresh.push(note);
    }

    /// Whether notes have to be recorded, although nothing else has happened: many of them wait, or results with them.
    pub(super) const fn is_urgent(&self) -> bool {
        self.fresh.len() >= NOTES_MAX || self.holds_results
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = IntakeNote> + '_ {
        self.holds_results = false;
        self.fresh.drain(..)
    }
}
