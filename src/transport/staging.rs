//! The staging area: results that were not sent yet, in memory that outlives their worker.
//!
//! A worker on shared memory builds its results in a staging area in that memory: one half holds the results of the open
//! group, the other half the frames of closed groups, which wait to be sent together. (A group is a stretch of finished
//! items of one batch, and becomes one frame.) After each item, a note records the number of finished items; after each
//! group, another note records the end of the frames. If the worker is killed, the supervisor reads both notes, and no
//! finished item is run again.
//!
//! The notes hold positions in the stream of results, which only grow: the position of the frames is the end of the
//! ring, and the position of the group is the end of the frames. So the store that sends the frames, or that adds a
//! group to them, also invalidates the note about them.
//!
//! Invariant: each finished item counts exactly once, after whichever store the worker was killed.

use super::shm_area::{LINE, STAGING_BYTES};
use super::shm_ring::Words;
use crate::model::ids::{Attempt, ItemId};
use crate::sys::shared_area::{AreaPart, SharedArea};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Written by the worker: the first item of the open group, its attempt, and where its frame will go.
const FIRST: usize = 8 * LINE;
const ATTEMPT: usize = FIRST + 1;
const PLACE: usize = FIRST + 2;
/// The number of items that are done, times 2^32, plus the bytes of their results: one word, so that they agree.
const DONE: usize = FIRST + 3;
const COUNT_SHIFT: u32 = 32;
/// Where the frames in the staging area will go, and where they end then.
const FROM: usize = FIRST + 4;
const UNTIL: usize = FIRST + 5;

/// Each half.
const HALF_BYTES: usize = STAGING_BYTES / 2;

/// The worker's side.
pub struct StagingArea {
    area: Arc<SharedArea>,
    /// The word with the ring's index that the worker moves.
    tail: usize,
}

impl StagingArea {
    pub(super) const fn new(area: Arc<SharedArea>, tail: usize) -> Self {
        Self { area, tail }
    }

    /// The next results are those of `first` and the items behind it, from the start of their half on. This many bytes
    /// of frames wait before them.
    pub fn begin(&self, first: ItemId, attempt: Attempt, framed_bytes: usize) {
        // In this order: the note is void until the place is right, and nothing is done then.
        self.area.store(DONE, 0, Release);
        self.area.store(FIRST, first.0, Release);
        self.area.store(ATTEMPT, u64::from(attempt.0), Release);
        let tail = self.area.load(self.tail, Relaxed);
        self.area.store(PLACE, tail.wrapping_add(framed_bytes as u64), Release);
    }

    /// This many items are done now, and their results are this many bytes.
    #[inline]
    pub fn done(&self, count: u32, bytes: usize) {
        self.area.store(DONE, u64::from(count) << COUNT_SHIFT | bytes as u64, Release);
    }

    /// The frames are this many bytes now, from the start of their half on, and the open group is among them.
    #[inline]
    pub fn framed(&self, bytes: usize) {
        let tail = self.area.load(self.tail, Relaxed);
        self.area.store(UNTIL, tail.wrapping_add(bytes as u64), Release);
        if self.area.load(FROM, Relaxed) != tail {
            self.area.store(FROM, tail, Release);
        }
    }
}

/// What a worker that has ended left in its staging area.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub frames: Vec<u8>,
    pub open: Option<Open>,
}

/// Of the open group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub first: u64,
    pub count: u32,
    pub attempt: u32,
    pub results: Vec<u8>,
}

/// What is there, if the worker's index was at `tail` when it ended. Notes that make no sense are ignored.
pub(super) fn left(area: &SharedArea, tail: u64) -> Left {
    let (from, until) = (area.load(FROM, Acquire), area.load(UNTIL, Acquire));
    let framed = until.checked_sub(tail).filter(|bytes| from == tail && *bytes <= HALF_BYTES as u64).unwrap_or(0);
    Left { frames: taken(area, HALF_BYTES, framed as usize), open: open(area, tail.wrapping_add(framed)) }
}

/// The open group, if its frame would go to `place`.
fn open(area: &SharedArea, place: u64) -> Option<Open> {
    let done = area.load(DONE, Acquire);
    let (count, bytes) = ((done >> COUNT_SHIFT) as u32, done as u32 as usize);
    if area.load(PLACE, Acquire) != place || count == 0 || bytes > HALF_BYTES {
        return None;
    }
    let attempt = u32::try_from(area.load(ATTEMPT, Acquire)).ok()?;
    Some(Open { first: area.load(FIRST, Acquire), count, attempt, results: taken(area, 0, bytes) })
}

fn taken(area: &SharedArea, at: usize, bytes: usize) -> Vec<u8> {
    let mut taken = vec![0; bytes];
    area.take(AreaPart::StagingArea, at as u64, &mut taken);
    taken
}
