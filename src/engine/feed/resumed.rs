//! Items that the journal of the run has: the source delivers them again, and each goes on from where it stands.
//!
//! Invariant: no item leaves here before its block is known to be the one that was recorded, unless that does not matter.

use super::cut;
use super::input_check::{InputCheck, InputDiffers};
use crate::journal::books::{Books, ItemStage, ItemState};
use crate::model::ids::{Attempt, ItemId};
use crate::model::item_set::ItemSet;
use crate::model::outcome::{Cause, FailReason, Outcome};
use crate::source::Payload;
use std::collections::BTreeMap;

/// What becomes of items that the journal has.
pub(super) enum ResumedPart {
    /// They have this outcome. `payload`: their bytes, if their results are still to be shown.
    Settled { count: u32, outcome: Outcome, payload: Option<Payload> },
    /// They are begun, with this attempt; `causes`: of a single item that was to be tried again.
    Waiting { payload: Payload, attempt: Attempt, causes: Vec<Cause> },
    /// It cannot be handed out.
    Rejected(FailReason),
    /// The journal does not have them.
    New(Payload),
}

/// What the journal says of the items.
pub struct ResumedItems {
    books: Books,
    causes: BTreeMap<u64, Vec<Cause>>,
    /// Those whose results were not given away.
    unshown: ItemSet,
    /// `None`: any input will do.
    check: Option<InputCheck>,
    /// The next item.
    at: ItemId,
    /// Parts of the block that is not known to be the same.
    unchecked: Vec<ResumedPart>,
}

impl ResumedItems {
    pub fn new(
        books: Books,
        causes: BTreeMap<u64, Vec<Cause>>,
        unshown: ItemSet,
        check: Option<InputCheck>,
        first: ItemId,
    ) -> Self {
        Self { books, causes, unshown, check, at: first, unchecked: Vec::new() }
    }

    /// Whether the journal has no further items.
    pub(super) fn is_over(&self) -> bool {
        self.at >= self.books.next_item() && self.unchecked.is_empty()
    }

    /// The source has delivered this. Returns what is known to be the same.
    pub(super) fn take(&mut self, payload: Payload, delimiter: u8) -> Result<Vec<ResumedPart>, InputDiffers> {
        let (mut known, mut rest) = (Vec::new(), Some(payload));
        while let Some(payload) = rest.take() {
            let of_block = match &mut self.check {
                Some(check) => check.items_of_block(self.at)?,
                None => (self.at < self.books.next_item()).then_some(u32::MAX),
            };
            let (Some(of_block), Some((end, state))) = (of_block, self.stretch()) else {
                known.push(ResumedPart::New(payload));
                break;
            };
            let count = u64::from(of_block).min(end.0 - self.at.0).min(u64::from(payload.count)) as u32;
            let (part, behind) = cut::split(payload, count, delimiter);
            rest = behind;
            let bytes = &part.block[part.range.clone()];
            let is_known = self.check.as_mut().map_or(Ok(true), |check| check.add(Some(bytes), count, delimiter))?;
            let part = self.part(part, state);
            self.advance(part, count, is_known, &mut known);
        }
        Ok(known)
    }

    /// The same for an item that the source cannot hand out.
    pub(super) fn take_rejected(&mut self, reason: FailReason) -> Result<Vec<ResumedPart>, InputDiffers> {
        let mut known = Vec::new();
        if let Some(check) = &mut self.check {
            check.items_of_block(self.at)?;
        }
        let is_known = self.check.as_mut().map_or(Ok(true), |check| check.add(None, 1, 0))?;
        let part = match self.stretch().and_then(|(_, state)| outcome_of(state.stage)) {
            Some(outcome) => ResumedPart::Settled { count: 1, outcome, payload: None },
            None => ResumedPart::Rejected(reason),
        };
        self.advance(part, 1, is_known, &mut known);
        Ok(known)
    }

    /// The source has ended.
    pub(super) fn ended(&self) -> Result<(), InputDiffers> {
        self.check.as_ref().map_or(Ok(()), |check| check.ended(self.at))
    }

    /// Items from the next one on that are alike: the one behind the last of them, and where they stand.
    fn stretch(&self) -> Option<(ItemId, ItemState)> {
        let (_, end, state) = self.books.from(self.at).next()?;
        let mut end = end.min(self.unshown.change_behind(self.at));
        // An item with causes comes alone.
        if let Some((&item, _)) = self.causes.range(self.at.0..end.0).next() {
            end = ItemId(if item == self.at.0 { item + 1 } else { item });
        }
        Some((end, state))
    }

    fn part(&mut self, payload: Payload, state: ItemState) -> ResumedPart {
        match outcome_of(state.stage) {
            Some(outcome) => {
                let count = payload.count;
                let payload = self.unshown.contains(self.at).then_some(payload);
                ResumedPart::Settled { count, outcome, payload }
            }
            None => {
                let causes = self.causes.remove(&self.at.0).unwrap_or_default();
                ResumedPart::Waiting { payload, attempt: Attempt(state.attempts.saturating_add(1)), causes }
            }
        }
    }

    fn advance(&mut self, part: ResumedPart, count: u32, is_known: bool, known: &mut Vec<ResumedPart>) {
        self.at = self.at.plus(u64::from(count));
        self.unchecked.push(part);
        if is_known {
            known.append(&mut self.unchecked);
        }
    }
}

const fn outcome_of(stage: ItemStage) -> Option<Outcome> {
    match stage {
        ItemStage::Done => Some(Outcome::Done),
        ItemStage::Failed => Some(Outcome::Failed),
        ItemStage::Dead => Some(Outcome::Dead),
        ItemStage::Skipped => Some(Outcome::Skipped),
        ItemStage::Waiting | ItemStage::InFlight => None,
    }
}
