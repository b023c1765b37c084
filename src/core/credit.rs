//! Credit: how many items one worker may hold. The measure is time: a batch takes about a millisecond, and a worker
//! holds two to four batches, or more if the length of batches is limited. The numbers were measured.
//!
//! The time of an item comes from the worker's clock (`busy_ns`), else from the time between its answers.
//!
//! Invariant: an explicit credit (`Credit::Items`) is never exceeded.

use crate::model::spec::Credit;
use crate::mutant::mutant;

/// The work in one batch, in picoseconds. Long enough that the cost of a message is small, short enough that a death
/// repeats little work and the workers end at about the same time.
const BATCH_PS: u64 = 1_000_000_000;
/// The least work that is worth the wake-up of an idle worker: to wake it and to warm its caches takes about as long.
const WORTH_PS: u64 = 100_000_000;
/// Batches at a worker: one is being worked on, one waits, so that the worker never waits for the supervisor.
const BATCHES_MIN: usize = 2;
/// More than four batches at a worker gained no speed.
const BATCHES_MAX: usize = 4;
/// Most items at a worker if the length of batches is limited.
const ITEMS_MAX: u64 = 4096;

/// The limits that hold for all workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct CreditRules {
    pub(super) credit: Credit,
    /// Most items in one batch; at least 1.
    pub(super) batch_max: u32,
    /// With an explicit credit: a worker that holds items is sent no fewer than this many.
    pub(super) refill_min: u32,
}

impl CreditRules {
    /// An explicit credit from here on is refilled a quarter at a time. A worker that answers each item by itself would
    /// be sent each one by itself otherwise: a write and a wake-up for each.
    const REFILLED_TOGETHER_MIN: u32 = 16;

    /// `in_order`: the worker has one item in work, so it loses nothing while others wait to be sent together.
    pub(super) fn new(credit: Credit, batch_max: u32, in_order: bool) -> Self {
        let refill_min = match credit {
            Credit::Items(limit) if in_order && limit >= Self::REFILLED_TOGETHER_MIN => (limit / 4).min(batch_max),
            Credit::Items(_) | Credit::Auto => 1,
        };
        Self { credit, batch_max, refill_min }
    }
}

/// Measures the time that one worker takes for an item, and adapts the size of its batches.
#[derive(Clone, Debug)]
pub(super) struct BatchSizer {
    /// Items in the next batch.
    size: u32,
    /// Time for one item, smoothed, in picoseconds; 0: unknown.
    item_ps: u64,
}

impl BatchSizer {
    /// Starts at one item: in a first batch of many slow items, most would wait while other workers are idle.
    pub(super) const fn new() -> Self {
        Self { size: 1, item_ps: 0 }
    }

    /// Notes that `count` items took `busy_ns`. `finished`: the number of batches that ended with them.
    pub(super) fn note(&mut self, busy_ns: u64, count: u32, finished: usize, rules: CreditRules) {
        if busy_ns == 0 || count == 0 {
            return;
        }
        let ps = (busy_ns.saturating_mul(1000) / u64::from(count)).max(1);
        self.item_ps = if self.item_ps == 0 { ps } else { (self.item_ps / 4 * 3 + ps / 4).max(1) };
        let want = (BATCH_PS / self.item_ps).clamp(1, u64::from(rules.batch_max)) as u32;
        // A part of a batch may only shrink the next batch: the rest of it may take a different time.
        let grown = self.size.saturating_mul(1 << finished.min(16));
        self.size = want.min(grown).max(1);
    }

    /// Halves the next batch, after the worker died.
    pub(super) fn halve(&mut self) {
        self.size = (self.size / 2).max(1);
    }

    /// Whether an item takes so long that it is better left in the queue than sent in advance.
    pub(super) const fn is_slow(&self) -> bool {
        self.item_ps == 0 || self.item_ps >= BATCH_PS
    }

    /// The number of items that is worth the wake-up of another worker; 1 while the time of an item is unknown.
    pub(super) fn worth(&self) -> u32 {
        WORTH_PS.checked_div(self.item_ps).map_or(1, |items| items.clamp(1, u64::from(self.size)) as u32)
    }

    /// The number of items that may be sent to a worker that holds `batches` batches with `items` items in all.
    pub(super) fn spare(&self, rules: CreditRules, batches: usize, items: u64) -> u32 {
        let excess: u32 = mutant!(CreditOffByOne, 0, 1);
        match rules.credit {
            Credit::Items(limit) => {
                let limit = limit.max(1);
                let spare =
                    (u64::from(limit) + u64::from(excess)).saturating_sub(items).min(u64::from(u32::MAX)) as u32;
                if items > 0 && spare < rules.refill_min {
                    return 0;
                }
                // Half of the credit at a time: one half is worked on while the other is in transit.
                spare.min(limit.div_ceil(2)).min(rules.batch_max)
            }
            Credit::Auto => {
                let short = self.item_ps > 0 && items.saturating_mul(self.item_ps) < BATCH_PS;
                // If the length of batches is limited, a millisecond of work takes many of them.
                let capped = self.size >= rules.batch_max && items < ITEMS_MAX;
                let more = batches < BATCHES_MIN + excess as usize || (short && (batches < BATCHES_MAX || capped));
                if more { self.size.min(rules.batch_max) } else { 0 }
            }
        }
    }

    /// Whether a worker may hold this much. The size of batches changes after a dispatch, so for `auto` only the fixed
    /// limits are checked.
    pub(super) fn permits(rules: CreditRules, batches: usize, items: u64) -> bool {
        match rules.credit {
            Credit::Items(limit) => items <= u64::from(limit.max(1)),
            Credit::Auto => batches <= BATCHES_MAX || (items <= ITEMS_MAX + u64::from(rules.batch_max)),
        }
    }
}
