//! How much work one worker may hold, counted in time: about a millisecond to a batch, two to four
//! batches out, more of them when batches are kept short. The rule and its numbers were measured.
//!
//! Facts come from the worker's own clock (`busy_ns`), else from the time between its answers.

use crate::model::spec::Credit;
use crate::mutant::mutant;

/// The work of one batch: long enough that a message costs little beside it, short enough that a death
/// or the end of the source loses little.
const BATCH_PS: u64 = 1_000_000_000;
/// The least share of work that one worker gets while others are idle, however many they are: waking a
/// worker and warming its caches takes about as long.
const WORTH_PS: u64 = 100_000_000;
/// Batches out: one at work, one waiting, so that the worker never waits for the supervisor.
const BATCHES_MIN: usize = 2;
/// More than four batches out gained nothing.
const BATCHES_MAX: usize = 4;
/// Items out when a message may hold few.
const ITEMS_MAX: u64 = 4096;

/// The limits that hold for all workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct CreditRules {
    pub(super) credit: Credit,
    /// Most items in one batch; at least 1.
    pub(super) batch_max: u32,
}

/// Learns how long one worker takes for an item, and sizes its batches by that.
#[derive(Clone, Debug)]
pub(super) struct BatchSizer {
    /// Items in the next batch.
    size: u32,
    /// Time for one item, smoothed, in picoseconds; 0: unknown.
    item_ps: u64,
}

impl BatchSizer {
    /// Starts at one item: a first batch of many slow items would be hoarded.
    pub(super) const fn new() -> Self {
        Self { size: 1, item_ps: 0 }
    }

    /// Learns that `count` items took `busy_ns`. `finished`: so many batches ended with them.
    pub(super) fn note(&mut self, busy_ns: u64, count: u32, finished: usize, rules: CreditRules) {
        if busy_ns == 0 || count == 0 {
            return;
        }
        let ps = (busy_ns.saturating_mul(1000) / u64::from(count)).max(1);
        self.item_ps = if self.item_ps == 0 { ps } else { (self.item_ps / 4 * 3 + ps / 4).max(1) };
        let want = (BATCH_PS / self.item_ps).clamp(1, u64::from(rules.batch_max)) as u32;
        // Part of a batch may only shrink the next one: the rest may take another time.
        let grown = self.size.saturating_mul(1 << finished.min(16));
        self.size = want.min(grown).max(1);
    }

    /// The worker died: its next batches are shorter.
    pub(super) fn halve(&mut self) {
        self.size = (self.size / 2).max(1);
    }

    /// If an item takes so long that one waiting behind another is better left to another worker.
    pub(super) const fn is_slow(&self) -> bool {
        self.item_ps == 0 || self.item_ps >= BATCH_PS
    }

    /// Fewer items than this are not worth waking another worker, as far as is known.
    pub(super) fn worth(&self) -> u32 {
        WORTH_PS.checked_div(self.item_ps).map_or(1, |items| items.clamp(1, u64::from(self.size)) as u32)
    }

    /// How many items may be sent to a worker that holds `batches` of `items` in all.
    pub(super) fn spare(&self, rules: CreditRules, batches: usize, items: u64) -> u32 {
        let excess: u32 = mutant!(CreditOffByOne, 0, 1);
        match rules.credit {
            Credit::Items(limit) => {
                let limit = limit.max(1);
                let spare =
                    (u64::from(limit) + u64::from(excess)).saturating_sub(items).min(u64::from(u32::MAX)) as u32;
                // Half of it at a time, so that one half is at work while the other travels.
                spare.min(limit.div_ceil(2)).min(rules.batch_max)
            }
            Credit::Auto => {
                let short = self.item_ps > 0 && items.saturating_mul(self.item_ps) < BATCH_PS;
                // When messages are kept short it takes many to make a millisecond.
                let capped = self.size >= rules.batch_max && items < ITEMS_MAX;
                let more = batches < BATCHES_MIN + excess as usize || (short && (batches < BATCHES_MAX || capped));
                if more { self.size.min(rules.batch_max) } else { 0 }
            }
        }
    }

    /// If this much is within the credit. Sizes change after a dispatch, so for `auto` only what holds
    /// at all times is checked.
    pub(super) fn permits(rules: CreditRules, batches: usize, items: u64) -> bool {
        match rules.credit {
            Credit::Items(limit) => items <= u64::from(limit.max(1)),
            Credit::Auto => batches <= BATCHES_MAX || (items <= ITEMS_MAX + u64::from(rules.batch_max)),
        }
    }
}
