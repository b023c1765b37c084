//! What the core knows of the source.

use crate::model::ids::ItemId;

/// The source, as far as it was reported.
#[derive(Debug)]
pub(super) struct Admission {
    /// The id that the next item gets.
    pub(super) next: u64,
    /// Items that may still arrive.
    pub(super) outstanding: u64,
    /// Items that arrived beyond the demand.
    pub(super) excess: u64,
    /// The last demand was not zero.
    pub(super) asked: bool,
    /// It has no item at the moment.
    pub(super) idle: bool,
    /// It will never deliver an item again.
    pub(super) ended: bool,
    /// It was ordered to close.
    pub(super) closed: bool,
}

impl Admission {
    pub(super) const fn new(first: ItemId) -> Self {
        Self { next: first.0, outstanding: 0, excess: 0, asked: false, idle: false, ended: false, closed: false }
    }

    /// Whether `count` items from `first` on are the next ones that may arrive.
    pub(super) const fn fits(&self, first: ItemId, count: u32) -> bool {
        !self.ended && first.0 == self.next && count > 0 && self.next.checked_add(count as u64).is_some()
    }
}
