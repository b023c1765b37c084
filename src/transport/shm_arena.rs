//! The places in the arena, and which of them hold bodies that the worker has not read.
//!
//! Bodies are read in the order in which they were written, and places at the start are used again as soon as they
//! are free. So only the pages that bodies in transit need are touched, and those pages stay in the cache.
//!
//! Invariant: two bodies never overlap.

use std::collections::VecDeque;

/// The most bytes of bodies in transit. More gains no speed.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// This many bodies of any size may be in transit: one is sent while the worker is busy with another.
const BODIES_MIN: usize = 2;

/// Bodies begin at pages.
const PAGE_BYTES: usize = 4096;

/// The places in use, oldest first.
#[derive(Debug)]
pub(super) struct Arena {
    bytes: usize,
    bodies: VecDeque<ArenaBody>,
    held_bytes: usize,
}

/// A body in transit.
#[derive(Debug)]
struct ArenaBody {
    /// The worker has read the body once its position in the ring has reached this one.
    until: u64,
    start: usize,
    /// The end of its pages.
    end: usize,
}

impl Arena {
    pub(super) const fn new(bytes: usize) -> Self {
        Self { bytes, bodies: VecDeque::new(), held_bytes: 0 }
    }

    /// A free place for a body of this many bytes; `None` if there is none now.
    pub(super) fn place(&self, bytes: usize) -> Option<u64> {
        let needed = bytes.next_multiple_of(PAGE_BYTES);
        let (Some(oldest), Some(newest)) = (self.bodies.front(), self.bodies.back()) else {
            return (needed <= self.bytes).then_some(0);
        };
        if self.bodies.len() >= BODIES_MIN && self.held_bytes + needed > BYTES_MAX {
            return None;
        }
        // If the newest body is before the oldest, the used part wraps around, and only the gap between them is free.
        let start = match newest.start < oldest.start {
            true if newest.end + needed <= oldest.start => newest.end,
            true => return None,
            false if needed <= oldest.start => 0,
            false if newest.end + needed <= self.bytes => newest.end,
            false => return None,
        };
        Some(start as u64)
    }

    /// Reserves `place` for a body until the worker's position in the ring is `until`.
    pub(super) fn keep_until(&mut self, until: u64, place: u64, bytes: usize) {
        let (start, length) = (place as usize, bytes.next_multiple_of(PAGE_BYTES));
        self.bodies.push_back(ArenaBody { until, start, end: start + length });
        self.held_bytes += length;
    }

    /// The worker's position in the ring is `at`: it has read the bodies before that.
    pub(super) fn free_until(&mut self, at: u64) {
        while let Some(body) = self.bodies.pop_front_if(|body| body.until <= at) {
            self.held_bytes -= body.end - body.start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn two_places_are_enough_for_two_bodies_in_transit() {
        let mut arena = Arena::new(36 * MIB);
        let mut places = Vec::new();
        for turn in 0..6 {
            arena.free_until(turn);
            let place = arena.place(MIB - 5).unwrap();
            arena.keep_until(turn + 2, place, MIB - 5);
            places.push(place as usize / MIB);
        }
        assert_eq!(places, [0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn bodies_never_overlap_and_never_exceed_the_arena() {
        let bytes = 36 * MIB;
        let mut arena = Arena::new(bytes);
        let (mut seed, mut at, mut turned_away) = (7_u64, 0, 0);
        for turn in 0..20_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let size = (seed >> 33) as usize % if turn % 5 == 0 { 18 * MIB } else { MIB };
            match arena.place(size) {
                Some(place) => arena.keep_until(turn, place, size),
                None => turned_away += 1,
            }
            if seed >> 63 == 0 {
                at = turn.saturating_sub((seed >> 50) % 3);
                arena.free_until(at);
            }
            let mut held: Vec<_> = arena.bodies.iter().map(|body| (body.start, body.end)).collect();
            held.sort_unstable();
            assert!(held.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{held:?}");
            assert!(held.last().is_none_or(|last| last.1 <= bytes));
        }
        assert!(at > 0 && turned_away > 100);
    }

    #[test]
    fn any_two_bodies_fit_and_small_ones_up_to_a_limit() {
        let mut arena = Arena::new(36 * MIB);
        for turn in 0..2 {
            let place = arena.place(18 * MIB).unwrap();
            arena.keep_until(turn, place, 18 * MIB);
        }
        assert_eq!(arena.place(1), None);
        arena.free_until(1);
        let fitting = (0..100).take_while(|turn| {
            let place = arena.place(100_000);
            place.inspect(|place| arena.keep_until(2 + turn, *place, 100_000)).is_some()
        });
        assert_eq!(fitting.count(), 20);
    }
}
