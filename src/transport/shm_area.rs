//! What lies where in the memory that a worker and the supervisor share.
//!
//! Invariant: both ends are of one build, or the area's size tells them apart; a word has one writer, but
//! for the two that say who sleeps.

use super::shm_ring::{Ring, Words};
use crate::sys::shared_area::{Part, Plan, SharedArea};
use crate::wire::frame::BODY_BYTES_MAX;
use std::sync::atomic::{Ordering, fence};

/// Each ring. More gains nothing that can be measured, and all of it counts as resident after one lap.
pub(super) const RING_BYTES: usize = 256 * 1024;

/// A longer body does not lie in its frame: where it lies instead is told there.
pub(super) const NEAR_BYTES_MAX: usize = RING_BYTES / 4;

/// The longest body that lies in its frame. If the input is shared none does, however short: then it is in the
/// input, and whoever reads it there sees what is no longer there.
pub(super) const fn near_bytes_max(shares_input: bool) -> usize {
    if shares_input { 0 } else { NEAR_BYTES_MAX }
}

/// A place in the input; without this bit, in the hall.
pub(super) const IN_INPUT: u64 = 1 << 63;

/// GrowableBuffer for two bodies of the largest size. Pages that nothing was written to cost nothing.
pub(super) const ARENA_BYTES: usize = 2 * BODY_BYTES_MAX.next_multiple_of(64 * 1024);

/// Results are put together in one half, and frames of them in the other: in each as many as leave together,
/// and one more.
pub(super) const STAGING_BYTES: usize = 512 * 1024;

pub(super) const PLAN: Plan = Plan { ring_bytes: RING_BYTES, arena_bytes: ARENA_BYTES, staging_bytes: STAGING_BYTES };

/// Words that different sides write lie two cache lines apart: processors fetch lines in pairs.
pub(super) const LINE: usize = 128 / size_of::<u64>();

/// To the worker.
pub(super) const ITEMS: Ring = Ring { tail: 0, head: LINE, bytes: RING_BYTES as u64 };
pub(super) const ITEMS_PART: Part = Part::RingA;
/// To the supervisor.
pub(super) const RESULTS: Ring = Ring { tail: 2 * LINE, head: 3 * LINE, bytes: RING_BYTES as u64 };
pub(super) const RESULTS_PART: Part = Part::RingB;
pub(super) const WORKER_ASLEEP: usize = 4 * LINE;
pub(super) const SUPERVISOR_ASLEEP: usize = 5 * LINE;
/// Written by the supervisor: one of the two below, or 0.
pub(super) const INPUT: usize = 6 * LINE;
pub(super) const INPUT_ENDED: u64 = 1;
pub(super) const SUPERVISOR_GONE: u64 = 2;
/// Written by the worker: 1 once its end is closed. One that was killed says nothing.
pub(super) const WORKER_GONE: usize = 7 * LINE;

impl Words for SharedArea {
    #[inline]
    fn load(&self, word: usize, order: Ordering) -> u64 {
        self.word(word).load(order)
    }

    #[inline]
    fn store(&self, word: usize, value: u64, order: Ordering) {
        self.word(word).store(value, order);
    }

    #[inline]
    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}
