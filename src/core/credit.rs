//! How much work one worker may hold, counted in time: about a millisecond to a run, two to four
//! runs out, more of them when runs are kept short. The rule and its numbers were measured.
//!
//! Facts come from the worker's own clock (`busy_ns`), else from the time between its answers.

use super::mutant::{Mutant, Mutation};
use crate::model::spec::Credit;

/// A run shall be about so much work: long enough that a message costs nothing beside it, short
/// enough that a death or the end of the source loses little.
const BATCH_PS: u64 = 1_000_000_000;
/// What one worker may get while others are idle, however many they are: to wake one, and to have it find its
/// memory again, takes about as long.
const WORTH_PS: u64 = 100_000_000;
/// Runs out: one at work, one waiting, so that the worker never waits for us.
const BATCHES_MIN: usize = 2;
/// More than four runs out gained nothing.
const BATCHES_MAX: usize = 4;
/// Items out when a message may hold few.
const ITEMS_MAX: u64 = 4096;

/// What holds for all workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) credit: Credit,
    /// Most items in one run; at least 1.
    pub(super) batch_max: u32,
    pub(super) mutation: Mutation,
}

/// What is known of one worker.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Items in the next run.
    size: u32,
    /// What an item takes, smoothed, in picoseconds; 0: unknown.
    item_ps: u64,
}

impl Pace {
    /// Starts at one item: a first run of many slow items would be hoarded.
    pub(super) const fn new() -> Self {
        Self { size: 1, item_ps: 0 }
    }

    /// Learns that `count` items took `busy_ns`. `finished`: they ended a run.
    pub(super) fn note(&mut self, busy_ns: u64, count: u32, finished: bool, rules: Rules) {
        if busy_ns == 0 || count == 0 {
            return;
        }
        let ps = (busy_ns.saturating_mul(1000) / u64::from(count)).max(1);
        self.item_ps = if self.item_ps == 0 { ps } else { (self.item_ps / 4 * 3 + ps / 4).max(1) };
        let want = (BATCH_PS / self.item_ps).clamp(1, u64::from(rules.batch_max)) as u32;
        // Part of a run may only shrink the next one: it says little about the rest.
        let grown = if finished { self.size.saturating_mul(2) } else { self.size };
        self.size = want.min(grown).max(1);
    }

    /// The worker died: runs are cut shorter.
    pub(super) fn halve(&mut self) {
        self.size = (self.size / 2).max(1);
    }

    /// If an item takes so long that one waiting behind another is better left to somebody else.
    pub(super) const fn is_slow(&self) -> bool {
        self.item_ps == 0 || self.item_ps >= BATCH_PS
    }

    /// Fewer items than this are not worth another worker, as far as it is known.
    pub(super) fn worth(&self) -> u32 {
        WORTH_PS.checked_div(self.item_ps).map_or(1, |items| items.clamp(1, u64::from(self.size)) as u32)
    }

    /// How many items may be sent to a worker that holds `runs` of `items` in all.
    pub(super) fn spare(&self, rules: Rules, batches: usize, items: u64) -> u32 {
        let spare = u32::from(rules.mutation.is(Mutant::CreditOffByOne));
        match rules.credit {
            Credit::Items(limit) => {
                let limit = limit.max(1);
                let spare = (u64::from(limit) + u64::from(spare)).saturating_sub(items).min(u64::from(u32::MAX)) as u32;
                // Half of it at a time, so that one half is at work while the other travels.
                spare.min(limit.div_ceil(2)).min(rules.batch_max)
            }
            Credit::Auto => {
                let short = self.item_ps > 0 && items.saturating_mul(self.item_ps) < BATCH_PS;
                // When messages are kept short it takes many to make a millisecond.
                let capped = self.size >= rules.batch_max && items < ITEMS_MAX;
                let more = batches < BATCHES_MIN + spare as usize || (short && (batches < BATCHES_MAX || capped));
                if more { self.size.min(rules.batch_max) } else { 0 }
            }
        }
    }

    /// If holding so much is within the credit. Sizes change after a dispatch, so for `auto` only
    /// what holds at all times.
    pub(super) fn permits(rules: Rules, batches: usize, items: u64) -> bool {
        match rules.credit {
            Credit::Items(limit) => items <= u64::from(limit.max(1)),
            Credit::Auto => batches <= BATCHES_MAX || (items <= ITEMS_MAX + u64::from(rules.batch_max)),
        }
    }
}
