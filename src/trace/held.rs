//! Which items are where: stretches of consecutive items, each item in at most one.

use crate::model::ids::{Batch, ItemId};
use std::collections::BTreeMap;

/// Items that somebody holds, in stretches with a mark of whoever put them there.
#[derive(Debug)]
pub struct HeldItems<T> {
    /// By the first item of each stretch: the one behind its last, and the mark.
    stretches: BTreeMap<ItemId, (ItemId, T)>,
}

impl<T> Default for HeldItems<T> {
    fn default() -> Self {
        Self { stretches: BTreeMap::new() }
    }
}

impl<T: Copy> HeldItems<T> {
    /// Puts items there, in the place of those of them that are there already; how many these were.
    pub fn put(&mut self, batch: Batch, mark: T) -> u64 {
        let mut known = 0;
        self.take(batch, |count, _| known += count);
        // No number is behind the last one.
        if batch.end() > batch.first {
            self.stretches.insert(batch.first, (batch.end(), mark));
        }
        known
    }

    /// Takes items away; tells `each` how many of them were in one stretch, with its mark, from the last stretch to
    /// the first.
    pub fn take(&mut self, batch: Batch, mut each: impl FnMut(u64, T)) {
        let (start, end) = (batch.first, batch.end());
        while let Some((&first, &(behind, mark))) =
            self.stretches.range(..end).next_back().filter(|held| held.1.0 > start)
        {
            self.stretches.remove(&first);
            if first < start {
                self.stretches.insert(first, (start, mark));
            }
            if behind > end {
                self.stretches.insert(end, (behind, mark));
            }
            each(behind.min(end).0 - first.max(start).0, mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::testing::batch;

    #[test]
    fn a_part_is_taken_out_of_each_stretch() {
        let mut held = HeldItems::default();
        assert_eq!((held.put(batch(0, 10, 1), 'a'), held.put(batch(10, 5, 1), 'b')), (0, 0));
        let taken = |held: &mut HeldItems<char>, of| {
            let mut taken = Vec::new();
            held.take(of, |count, mark| taken.push((count, mark)));
            taken
        };
        assert_eq!(taken(&mut held, batch(8, 4, 1)), [(2, 'b'), (2, 'a')]);
        assert_eq!(taken(&mut held, batch(3, 1, 1)), [(1, 'a')]);
        assert_eq!(held.put(batch(2, 3, 2), 'c'), 2, "one of them was gone");
        assert_eq!(taken(&mut held, batch(0, u32::MAX, 1)), [(3, 'b'), (3, 'a'), (3, 'c'), (2, 'a')]);
        assert_eq!(taken(&mut held, batch(0, u32::MAX, 1)), []);
        assert_eq!(held.put(batch(u64::MAX, 1, 1), 'd'), 0);
        assert_eq!(taken(&mut held, batch(u64::MAX, 1, 1)), [], "no number is behind it");
    }
}
