//! The layout of the memory that a worker and the supervisor share.
//!
//! Invariant: both ends have the same layout; an area of another size is refused. A word has one writer, except the two
//! that say which side sleeps.

use super::shm_ring::{Ring, Words};
use crate::sys::shared_area::{AreaPart, Plan, SharedArea};
use crate::wire::frame::BODY_BYTES_MAX;
use std::sync::atomic::{Ordering, fence};

/// The size of each ring. A larger one gains no speed, and all its pages are resident after one lap.
pub(super) const RING_BYTES: usize = 256 * 1024;

/// The longest body that is written into its frame; a longer one is replaced by a reference.
pub(super) const INLINE_BYTES_MAX: usize = RING_BYTES / 4;

/// The longest body that is written into its frame. None is if the input is shared: the worker reads items of the input
/// in the input, however short they are, and so notices if their bytes are no longer there.
pub(super) const fn inline_bytes_max(shares_input: bool) -> usize {
    if shares_input { 0 } else { INLINE_BYTES_MAX }
}

/// Set in a reference to the input; a reference without this bit is to the arena.
pub(super) const IN_INPUT: u64 = 1 << 63;

/// Two bodies of the largest size fit. Pages that are never written take no memory.
pub(super) const ARENA_BYTES: usize = 2 * BODY_BYTES_MAX.next_multiple_of(64 * 1024);

/// Results are built in one half, and their frames in the other. Each half has room for what is sent together, and for
/// one result more.
pub(super) const STAGING_BYTES: usize = 512 * 1024;

pub(super) const PLAN: Plan = Plan { ring_bytes: RING_BYTES, arena_bytes: ARENA_BYTES, staging_bytes: STAGING_BYTES };

/// Words that different sides write are two cache lines apart: processors fetch lines in pairs.
pub(super) const LINE: usize = 128 / size_of::<u64>();

/// To the worker.
pub(super) const ITEMS: Ring = Ring { tail: 0, head: LINE, bytes: RING_BYTES as u64 };
pub(super) const ITEMS_PART: AreaPart = AreaPart::RingA;
/// To the supervisor.
pub(super) const RESULTS: Ring = Ring { tail: 2 * LINE, head: 3 * LINE, bytes: RING_BYTES as u64 };
pub(super) const RESULTS_PART: AreaPart = AreaPart::RingB;
pub(super) const WORKER_ASLEEP: usize = 4 * LINE;
pub(super) const SUPERVISOR_ASLEEP: usize = 5 * LINE;
/// Written by the supervisor: one of the two below, or 0.
pub(super) const INPUT: usize = 6 * LINE;
pub(super) const INPUT_ENDED: u64 = 1;
pub(super) const SUPERVISOR_GONE: u64 = 2;
/// Written by the worker: 1 once its end is closed. A worker that was killed does not write it.
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
