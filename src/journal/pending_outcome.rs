//! An outcome that was recorded and not given away, and where its contents lie.

use super::record::{ContentKind, SettledItems};
use crate::model::ids::ItemId;

/// Where a piece of content lies: in the record at this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PiecePlace {
    pub kind: ContentKind,
    pub record_offset: u64,
}

/// An outcome that was recorded and not given away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingOutcome {
    pub settled: SettledItems<'static>,
    /// In order.
    pub contents: Vec<PiecePlace>,
    /// The line of the contents that is of this item alone, from 0; `None`: all of them.
    pub line: Option<u32>,
    /// The offset of the record of the outcome.
    pub recorded_at: u64,
}

impl PendingOutcome {
    /// The item behind the last one.
    pub(super) fn end(&self) -> ItemId {
        self.settled.first.plus(u64::from(self.settled.count))
    }

    /// What of it is of this item alone; `None`: it is not of this item.
    #[must_use]
    pub fn of_item(&self, item: u64) -> Option<Self> {
        let place = u32::try_from(item.checked_sub(self.settled.first.0)?).ok()?;
        if place >= self.settled.count {
            return None;
        }
        let line = if self.settled.count == 1 { self.line } else { Some(place) };
        let settled = SettledItems { count: 1, ..self.settled.clone() };
        Some(Self { settled, line, ..self.clone() }.moved_to(ItemId(item)))
    }

    /// The outcome of a single item that has another place in a later list.
    #[must_use]
    pub fn moved_to(mut self, item: ItemId) -> Self {
        self.settled.first = item;
        self
    }
}
