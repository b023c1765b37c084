//! The shadow model's items, by id. Ids of a run begin where its policy says.

use std::ops::{Index, IndexMut};
use supervisor::model::ids::{Attempt, ItemId};
use supervisor::model::outcome::{Cause, Outcome};
use supervisor::model::time::Instant;

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemPlace {
    Queued,
    /// At the present process of this slot.
    Leased(usize),
    /// To be started in this slot, behind its present process.
    InHand(usize),
    /// It has its outcome, which the core has to report before this step is over.
    Due(DueOutcome),
    Settled,
    /// An earlier run settled it.
    Restored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueOutcome {
    Done,
    Failed,
    Dead,
    /// Skipped, since the person who was asked left it out.
    LeftOut,
}

impl DueOutcome {
    /// What an outcome of the core means here; `None`: skipped.
    pub const fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Done => Some(Self::Done),
            Outcome::Failed => Some(Self::Failed),
            Outcome::Dead => Some(Self::Dead),
            Outcome::Skipped => None,
        }
    }
}

#[derive(Debug)]
pub struct ShadowItem {
    pub place: ItemPlace,
    pub attempt: Attempt,
    pub priority: i64,
    pub causes: Vec<Cause>,
    pub crashes: u32,
    pub kills: u32,
    pub failures: u32,
    /// The process that held it last: slot, incarnation, pid.
    pub holder: Option<(usize, u32, u32)>,
    /// It was dispatched in its present attempt.
    pub started: bool,
    /// When it was dispatched last.
    pub sent_at: Instant,
    pub committed: bool,
}

impl ShadowItem {
    pub const fn new(priority: i64, place: ItemPlace) -> Self {
        Self {
            place,
            attempt: Attempt::FIRST,
            priority,
            causes: Vec::new(),
            crashes: 0,
            kills: 0,
            failures: 0,
            holder: None,
            started: false,
            sent_at: Instant::ZERO,
            committed: false,
        }
    }
}

impl ShadowItem {
    /// The causes that a settlement names, and how many it leaves out: it names the first ten and the last ten. `and`: one more, at the
    /// end.
    pub fn kept_causes(&self, and: Option<&Cause>) -> (Vec<Cause>, u64) {
        let all = || self.causes.iter().chain(and);
        let omitted = all().count().saturating_sub(20);
        (all().take(10).chain(all().skip(10 + omitted)).cloned().collect(), omitted as u64)
    }
}

/// Every item that arrived or was restored.
#[derive(Debug, Default)]
pub struct ItemTable {
    first: u64,
    items: Vec<ShadowItem>,
}

impl ItemTable {
    pub fn reset(&mut self, first: ItemId) {
        self.first = first.0;
        self.items.clear();
    }

    pub fn push(&mut self, item: ShadowItem) {
        self.items.push(item);
    }

    /// The id that the next item gets.
    pub fn end(&self) -> ItemId {
        ItemId(self.first + self.items.len() as u64)
    }

    pub fn get(&self, id: ItemId) -> Option<&ShadowItem> {
        self.items.get(id.0.checked_sub(self.first)? as usize)
    }

    /// Whether this batch arrived.
    pub fn has(&self, first: ItemId, count: u32) -> bool {
        count > 0 && first.0 >= self.first && first.0.saturating_add(count.into()) <= self.end().0
    }
}

/// Panics for an item that never arrived; that fails the world as a broken check does.
impl Index<ItemId> for ItemTable {
    type Output = ShadowItem;
    fn index(&self, id: ItemId) -> &ShadowItem {
        &self.items[(id.0 - self.first) as usize]
    }
}
impl IndexMut<ItemId> for ItemTable {
    fn index_mut(&mut self, id: ItemId) -> &mut ShadowItem {
        &mut self.items[(id.0 - self.first) as usize]
    }
}

/// The ids of a batch, in order.
pub fn ids(first: ItemId, count: u32) -> impl Iterator<Item = ItemId> {
    (0..u64::from(count)).map(move |offset| first.plus(offset))
}
