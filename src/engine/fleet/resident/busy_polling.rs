//! Busy-polled channels: results, or free bytes, may come and no descriptor reports it. They are polled once a turn, and
//! armed before the loop waits; an armed channel reports by its descriptor.
//!
//! Invariant: work per turn is O(busy-polled channels), and a channel that stays quiet is busy-polled for a few turns
//! only. The poll set is asked at least each [`TURNS_PER_WAIT`] turns, so that deaths and signals do not starve behind
//! busy channels.

use crate::model::time::Duration;

/// Turns without a look at the poll set while channels are busy.
const TURNS_PER_WAIT: u32 = 32;

/// Polls in a row that found nothing, after which a channel is armed although others are busy.
pub const QUIET_POLLS_MAX: u32 = 32;

/// Polls between two looks at the poll set and the clock while nothing happens.
pub const POLLS_PER_LOOK: u32 = 128;

/// What one poll of a channel found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    Something,
    Nothing,
    /// It is armed, or not to be read from: it is not polled any more.
    Over,
    /// The same, and why was reported.
    Ended,
}

/// The slots whose channels are busy-polled, each once.
pub struct BusyPolling {
    pub slots: Vec<usize>,
    /// How long to poll in vain before the loop waits.
    pub spin: Duration,
    turns: u32,
}

impl BusyPolling {
    pub const fn new(spin: Duration) -> Self {
        Self { slots: Vec::new(), spin, turns: 0 }
    }

    /// The worker in this slot has ended.
    pub fn forget(&mut self, index: usize) {
        self.slots.retain(|slot| *slot != index);
    }

    /// Counts a turn; `true` if the poll set is due. `found`: some channel had something.
    pub fn is_wait_due(&mut self, found: bool) -> bool {
        self.turns = if found { self.turns + 1 } else { TURNS_PER_WAIT };
        let due = self.turns >= TURNS_PER_WAIT;
        if due {
            self.turns = 0;
        }
        due
    }
}
