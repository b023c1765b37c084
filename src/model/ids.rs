//! Ids of items, worker slots, incarnations and attempts, and batches of items.

#![deny(missing_docs)]

use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of an item in the order of its arrival, from `Policy::first_item` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemId(pub u64);

impl ItemId {
    /// The item `count` places further on; at most the last one that has a number.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

/// A worker slot. Users count slots from 1; [`WorkerId::index`] counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct WorkerId(u32);

impl WorkerId {
    /// The slot at `index`, counted from 0.
    #[must_use]
    pub const fn from_index(index: usize) -> Self {
        Self(index as u32 + 1)
    }
    /// The place of this slot in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }
    /// The number that users see, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for WorkerId {
    type Error = String;
    /// Slots are counted from 1.
    fn try_from(number: u32) -> Result<Self, String> {
        if number == 0 { Err("worker 0: slots are counted from 1".to_owned()) } else { Ok(Self(number)) }
    }
}

/// Numbers the processes of a slot: the first is 1, each new process of the slot is one more.
/// A message that names an older incarnation is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u32);

/// Numbers the attempts at an item, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt(pub u32);

impl Attempt {
    /// Attempt 1.
    pub const FIRST: Self = Self(1);
    /// The attempt after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The unit of work: `count` consecutive items that are all at the same attempt.
/// A single item is a batch of one, so nothing is special-cased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Batch {
    /// The id of the first item.
    pub first: ItemId,
    /// How many items, at least 1.
    pub count: u32,
    /// The attempt that all of them are at.
    pub attempt: Attempt,
}

impl Batch {
    /// A batch of the single item `item`.
    #[must_use]
    pub const fn of_one(item: ItemId, attempt: Attempt) -> Self {
        Self { first: item, count: 1, attempt }
    }
    /// The id one past the last item.
    #[must_use]
    pub const fn end(self) -> ItemId {
        self.first.plus(self.count as u64)
    }
    /// If `item` is one of its items.
    #[must_use]
    pub const fn contains(self, item: ItemId) -> bool {
        self.first.0 <= item.0 && item.0 < self.end().0
    }
    /// The first `count` items and what remains; `count` is capped at the batch's own.
    #[must_use]
    pub fn split(self, count: u32) -> (Self, Option<Self>) {
        let count = count.min(self.count);
        let head = Self { count, ..self };
        let rest = Self { first: self.first.plus(u64::from(count)), count: self.count - count, ..self };
        (head, (rest.count > 0).then_some(rest))
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
