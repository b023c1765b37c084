//! Whether the source delivers what an earlier session of the run had.
//!
//! Invariant: an item is known to be the same only once the whole block is that it was recorded in.

use super::cut;
use super::refused::{PayloadPart, Refused};
use crate::journal::fingerprint::{Fingerprint, RecordedBlock, RecordedInput};
use crate::model::ids::ItemId;
use crate::mutant::mutant;
use crate::source::{Delivery, Source};
use std::io;

/// Why the input is another one.
#[derive(Debug, thiserror::Error)]
pub enum InputDiffers {
    #[error("the input is not the one of the journal: {} differ", items(*first, *count))]
    Items { first: u64, count: u32 },
    #[error("the input has ended before item {at}, and the journal has items up to {}", end.saturating_sub(1))]
    Short { at: u64, end: u64 },
    #[error("the journal cannot be read: {0}")]
    Read(#[from] io::Error),
}

impl InputDiffers {
    /// Completes "failed to ...".
    pub(super) fn failure(&self) -> String {
        format!("go on with the journal: {self}; give --force to go on all the same")
    }
}

fn items(first: u64, count: u32) -> String {
    match count {
        1 => format!("item {first} seems to"),
        _ => format!("items {first} to {}", first + u64::from(count) - 1),
    }
}

/// Compares what the source delivers with the blocks of a journal.
pub struct InputCheck {
    recorded: RecordedInput,
    /// Items are compared up to here.
    end: ItemId,
    /// The block that is compared, and how many of its items have not come.
    block: Option<(RecordedBlock, u32)>,
    fingerprint: Fingerprint,
}

impl InputCheck {
    /// `end`: the item behind the last one that the journal has.
    pub fn new(recorded: RecordedInput, end: ItemId) -> Self {
        Self { recorded, end, block: None, fingerprint: Fingerprint::default() }
    }

    /// How many items from this one on, the next one, are of the same block. `None`: the journal has no further items.
    pub fn items_of_block(&mut self, at: ItemId) -> Result<Option<u32>, InputDiffers> {
        if let Some((_, left)) = self.block {
            return Ok(Some(left));
        }
        if at >= self.end {
            return Ok(None);
        }
        let block = self.recorded.next_block()?.filter(|block| block.first == at);
        // Books that balance have a block for each item.
        let block = block.ok_or(InputDiffers::Items { first: at.0, count: 1 })?;
        self.block = Some((block, block.count));
        self.fingerprint = Fingerprint::default();
        Ok(Some(block.count))
    }

    /// The next items of the block have come, those of a rejected item without bytes. `true`: all of the block have, and they
    /// are the same.
    pub fn add(&mut self, bytes: Option<&[u8]>, count: u32, delimiter: u8) -> Result<bool, InputDiffers> {
        let Some((block, left)) = &mut self.block else { return Ok(true) };
        if let Some(bytes) = bytes {
            self.fingerprint.add(bytes, count, delimiter);
        }
        *left = left.saturating_sub(count);
        if *left > 0 {
            return Ok(false);
        }
        let block = *block;
        self.block = None;
        match mutant!(FingerprintIgnored, block.hash.is_none_or(|hash| self.fingerprint.hash() == hash), true) {
            true => Ok(true),
            false => Err(InputDiffers::Items { first: block.first.0, count: block.count }),
        }
    }

    /// The source has ended before this item.
    pub fn ended(&self, at: ItemId) -> Result<(), InputDiffers> {
        if at < self.end { Err(InputDiffers::Short { at: at.0, end: self.end.0 }) } else { Ok(()) }
    }

    /// Compares another source of the same items with what a journal has of them.
    ///
    /// # Errors
    /// They are others. A source that breaks off is judged when it is read again.
    pub(super) fn compare(
        &mut self,
        source: &mut dyn Source,
        refused: Option<&Refused>,
        first: ItemId,
        delimiter: u8,
    ) -> Result<(), InputDiffers> {
        let mut at = first;
        loop {
            let parts = match source.next(u64::MAX) {
                Ok(Delivery::Items(payload)) => match refused {
                    Some(refused) if refused.is_in(&payload, delimiter) => refused.parts(payload, delimiter),
                    _ => vec![PayloadPart::Items(payload)],
                },
                Ok(Delivery::Rejected(reason)) => vec![PayloadPart::Refused(reason)],
                Ok(Delivery::Idle) => continue,
                Ok(Delivery::Ended) => return self.ended(at),
                Err(_) => return Ok(()),
            };
            for part in parts {
                let (mut rest, rejected) = match part {
                    PayloadPart::Items(payload) => (Some(payload), 0),
                    PayloadPart::Refused(_) => (None, 1),
                };
                if rejected > 0 && self.items_of_block(at)?.is_some() {
                    self.add(None, rejected, delimiter)?;
                }
                at = at.plus(u64::from(rejected));
                while let Some(payload) = rest.take() {
                    let Some(count) = self.items_of_block(at)? else { return Ok(()) };
                    let (part, behind) = cut::split(payload, count, delimiter);
                    self.add(Some(&part.block[part.range.clone()]), part.count, delimiter)?;
                    (at, rest) = (at.plus(u64::from(part.count)), behind);
                }
            }
        }
    }
}
