//! Items that are known by their hashes, whatever list they were in: each goes on from where it stands.
//!
//! Invariant: what is known of an item is recorded again, behind the record that it was accepted, so that the books of each
//! list balance.

use super::cut;
use super::intake::{Intake, IntakeNote};
use super::resumed::ResumedPart;
use crate::journal::books::{ItemStage, ItemState};
use crate::journal::item_hash::ItemHasher;
use crate::journal::known_items::KnownItems;
use crate::journal::record::{ContentKind, ContentPiece, ItemHash, JournalRecord, SettledItems};
use crate::journal::writer::PIECE_BYTES_MAX;
use crate::model::ids::{Attempt, ItemId};
use crate::model::journal_spec::TriedAgain;
use crate::model::outcome::Outcome;
use crate::source::Payload;

/// Recognises items.
pub struct RecognisedItems {
    hasher: ItemHasher,
    known: KnownItems,
    /// What is done all the same.
    again: TriedAgain,
}

/// What becomes of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Begun { attempts: u32 },
    Settled(ItemState),
}

impl RecognisedItems {
    #[must_use]
    pub const fn new(hasher: ItemHasher, known: KnownItems, again: TriedAgain) -> Self {
        Self { hasher, known, again }
    }

    /// The source has delivered this, whose first item gets the id `first`.
    pub(super) fn take(
        &mut self,
        payload: Payload,
        mut first: ItemId,
        delimiter: u8,
        intake: &mut Intake,
    ) -> Vec<ResumedPart> {
        let bytes = &payload.block[payload.range.clone()];
        intake.add(first, payload.count, Some(bytes), delimiter);
        let hashes: Vec<ItemHash> = match payload.count {
            0 | 1 => vec![self.hasher.hash(bytes)],
            count => {
                let items = bytes.split(|byte| *byte == delimiter).take(count as usize);
                items.map(|item| self.hasher.hash(item)).collect()
            }
        };
        if self.known.is_empty() {
            intake.hashes(first, hashes);
            return vec![ResumedPart::Waiting { payload, attempt: Attempt::FIRST, causes: Vec::new() }];
        }
        intake.hashes(first, hashes.clone());
        let (mut parts, mut rest, mut hashes) = (Vec::new(), Some(payload), &hashes[..]);
        while let (Some(payload), Some(hash)) = (rest.take(), hashes.first()) {
            let (fate, is_alone) = self.fate(hash);
            let alike = hashes[1..].iter().take_while(|hash| !is_alone && self.fate(hash) == (fate, false));
            let count = 1 + alike.count();
            let (part, behind) = cut::split(payload, count as u32, delimiter);
            parts.push(self.part(part, hash, fate, first, intake));
            (rest, hashes, first) = (behind, &hashes[count..], first.plus(count as u64));
        }
        parts
    }

    /// What becomes of an item, and whether something is known of it that is not of those beside it.
    fn fate(&self, hash: &ItemHash) -> (Fate, bool) {
        match self.known.get(hash) {
            None => (Fate::Begun { attempts: 0 }, false),
            Some(state) if state.stage.is_settled() => {
                (Fate::Settled(state), state.stage != ItemStage::Done || self.known.is_pending(hash))
            }
            Some(state) => (Fate::Begun { attempts: state.attempts }, self.known.has_causes(hash)),
        }
    }

    fn part(
        &mut self,
        payload: Payload,
        hash: &ItemHash,
        fate: Fate,
        first: ItemId,
        intake: &mut Intake,
    ) -> ResumedPart {
        let state = match fate {
            Fate::Begun { attempts } => {
                let attempt = Attempt(attempts.saturating_add(1));
                return ResumedPart::Waiting { payload, attempt, causes: self.known.take_causes(hash) };
            }
            Fate::Settled(state) => state,
        };
        let (count, outcome) = (payload.count, outcome_of(state.stage));
        let record = JournalRecord::Settled(SettledItems::plain(first, count, outcome.clone(), state.attempts));
        let pending = self.known.take_pending(hash);
        if state.stage != ItemStage::Done {
            note_text(first, &payload.block[payload.range.clone()], intake);
        }
        if state.stage.is_tried_again(self.again) {
            intake.note(record);
            intake.note(JournalRecord::Reopened { first, count });
            let attempt = Attempt(state.attempts.saturating_add(1));
            return ResumedPart::Waiting { payload, attempt, causes: Vec::new() };
        }
        let pending = pending.map(|pending| pending.moved_to(first));
        let payload = pending.is_some().then_some(payload);
        intake.note(IntakeNote { record, pending });
        ResumedPart::Settled { count, outcome, payload }
    }
}

/// The text of an item that is not done, as it was recorded in the list in which the item failed.
fn note_text(first: ItemId, bytes: &[u8], intake: &mut Intake) {
    let (mut at, kind, count) = (0, ContentKind::Item, 1);
    loop {
        let end = bytes.len().min(at + PIECE_BYTES_MAX);
        let (is_last, piece) = (end == bytes.len(), bytes[at..end].to_vec().into());
        let piece = ContentPiece { first, count, kind, at: at as u64, is_last, bytes: piece };
        intake.note(JournalRecord::Content(piece));
        at = end;
        if is_last {
            return;
        }
    }
}

/// Of an item that has one.
const fn outcome_of(stage: ItemStage) -> Outcome {
    match stage {
        ItemStage::Failed => Outcome::Failed,
        ItemStage::Dead => Outcome::Dead,
        ItemStage::Done | ItemStage::Skipped | ItemStage::Waiting | ItemStage::InFlight => Outcome::Done,
    }
}
