//! The plan of chaos, what is due by it, and what it has done to the process of a slot: records for `chaos.rs`.
//!
//! Invariant: chance comes from the seed of the plan alone.

use super::jitter::Jitter;
use crate::model::chaos::{ChaosKind, ChaosPlan, ItemChaos};
use crate::model::ids::Batch;
use crate::model::signal::Signal;
use crate::model::time::Instant;

/// What comes at a rate.
pub(super) const BY_RATE: [ChaosKind; 3] = [ChaosKind::Kill, ChaosKind::Stop, ChaosKind::Segv];

/// Stopped until its item is over.
pub(super) const FOR_EVER: Instant = Instant(u64::MAX);

/// The plan, and what is due by it.
#[derive(Debug)]
pub(super) struct Chaos {
    pub(super) plan: ChaosPlan,
    pub(super) draw: Jitter,
    /// When the next signal of each rate is due.
    pub(super) due: [Option<Instant>; BY_RATE.len()],
    pub(super) timer: Option<Instant>,
}

impl Chaos {
    pub(super) fn new(plan: ChaosPlan) -> Self {
        let draw = Jitter::new(plan.seed.unwrap_or_default());
        Self { plan, draw, due: [None; BY_RATE.len()], timer: None }
    }

    pub(super) fn of(&self, batch: Batch) -> Option<ItemChaos> {
        self.plan.of_item(batch.first, batch.attempt)
    }
}

/// What chaos has done to the present process of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlotChaos {
    /// The signal that was to end it, and when it was ordered.
    pub(super) struck: Option<(Signal, Instant)>,
    /// It is stopped until then.
    pub(super) stopped: Option<Instant>,
    /// Its oldest item, for which the plan was asked.
    pub(super) begun: Option<Batch>,
}

impl SlotChaos {
    /// Whether chaos has stopped the process.
    pub(super) const fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The process is stopped for another reason, and goes on when that is over.
    pub(super) const fn forget_stop(&mut self) {
        self.stopped = None;
    }
}
