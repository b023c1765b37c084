//! Results that have not left, where they outlive their worker.
//!
//! A worker on shared memory puts results together on a desk in that memory, and notes after each item how
//! many are done. When it is killed, the supervisor reads what is done there, and no finished item is run again.
//!
//! Invariant: what lies there is void as soon as it has left: it names the place in the ring where it would go,
//! and the same store that publishes it moves the ring past that place.

use super::shm_area::{DESK_BYTES, LINE};
use super::shm_ring::Words;
use crate::model::ids::{Attempt, ItemId};
use crate::sys::room::Room;
use crate::sys::shared_area::{Part, SharedArea};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Written by the worker: the first item, its attempt, and where its results will go.
const FIRST: usize = 8 * LINE;
const ATTEMPT: usize = FIRST + 1;
const PLACE: usize = FIRST + 2;
/// How many items are done, times 2^32, plus the bytes of their results: one word, so that they agree.
const DONE: usize = FIRST + 3;
const COUNT_SHIFT: u32 = 32;

/// The worker's side.
pub struct Desk {
    area: Arc<SharedArea>,
    /// The word with the ring's index that the worker moves.
    tail: usize,
}

impl Desk {
    pub(super) const fn new(area: Arc<SharedArea>, tail: usize) -> Self {
        Self { area, tail }
    }

    /// Where results are to be put together, once.
    #[must_use]
    pub fn room(&self) -> Option<Room> {
        self.area.desk()
    }

    /// The next results are those of `first` and the items behind it, from the start of the room on.
    pub fn begin(&self, first: ItemId, attempt: Attempt) {
        // In this order: what is there is void until the place is right, and nothing is done then.
        self.area.store(DONE, 0, Release);
        self.area.store(FIRST, first.0, Release);
        self.area.store(ATTEMPT, u64::from(attempt.0), Release);
        let place = self.area.load(self.tail, Relaxed);
        self.area.store(PLACE, place, Release);
    }

    /// So many items are done now, and their results are so many bytes.
    #[inline]
    pub fn done(&self, count: u32, bytes: usize) {
        self.area.store(DONE, u64::from(count) << COUNT_SHIFT | bytes as u64, Release);
    }
}

/// What a worker that has ended left on its desk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub first: u64,
    pub count: u32,
    pub attempt: u32,
    pub results: Vec<u8>,
}

/// What is there, if the worker's index was at `tail` when it ended; nothing that makes no sense.
pub(super) fn left(area: &SharedArea, tail: u64) -> Option<Left> {
    let done = area.load(DONE, Acquire);
    let (count, bytes) = ((done >> COUNT_SHIFT) as u32, done as u32 as usize);
    if area.load(PLACE, Acquire) != tail || count == 0 || bytes > DESK_BYTES {
        return None;
    }
    let mut results = vec![0; bytes];
    area.take(Part::Desk, 0, &mut results);
    let attempt = u32::try_from(area.load(ATTEMPT, Acquire)).ok()?;
    Some(Left { first: area.load(FIRST, Acquire), count, attempt, results })
}
