//! A value for each of many items, kept once for consecutive ones.

use crate::model::ids::{Batch, ItemId};
use std::collections::BTreeMap;

/// Items, each with a value.
#[derive(Debug)]
pub(super) struct ItemValues<T> {
    /// By the first item: the one behind the last, and the value.
    stretches: BTreeMap<ItemId, (ItemId, T)>,
}

impl<T> Default for ItemValues<T> {
    fn default() -> Self {
        Self { stretches: BTreeMap::new() }
    }
}

impl<T: Copy> ItemValues<T> {
    /// The items have this value, whatever they had.
    pub fn put(&mut self, batch: Batch, value: T) {
        self.take(batch, |_, _| {});
        if batch.first < batch.end() {
            self.stretches.insert(batch.first, (batch.end(), value));
        }
    }

    /// The items have no value any more. `each`: a value that some of them had, and how many.
    pub fn take(&mut self, batch: Batch, mut each: impl FnMut(T, u64)) {
        let (start, end) = (batch.first, batch.end());
        while let Some((first, behind, value)) = self.last_before(end).filter(|(_, behind, _)| *behind > start) {
            self.stretches.remove(&first);
            if first < start {
                self.stretches.insert(first, (start, value));
            }
            if behind > end {
                self.stretches.insert(end, (behind, value));
            }
            each(value, behind.min(end).0 - first.max(start).0);
        }
    }

    fn last_before(&self, end: ItemId) -> Option<(ItemId, ItemId, T)> {
        self.stretches.range(..end).next_back().map(|(first, (behind, value))| (*first, *behind, *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::testing::batch;

    fn taken(stretches: &mut ItemValues<char>, first: u64, count: u32) -> Vec<(char, u64)> {
        let mut taken = Vec::new();
        stretches.take(batch(first, count, 1), |value, count| taken.push((value, count)));
        taken.sort_unstable();
        taken
    }

    #[test]
    fn each_item_has_its_last_value_until_it_is_taken() {
        let mut stretches = ItemValues::default();
        stretches.put(batch(0, 10, 1), 'a');
        stretches.put(batch(10, 10, 1), 'b');
        stretches.put(batch(4, 1, 1), 'c');
        assert_eq!(taken(&mut stretches, 8, 4), [('a', 2), ('b', 2)]);
        assert_eq!(taken(&mut stretches, 8, 4), []);
        assert_eq!(taken(&mut stretches, 0, 100), [('a', 3), ('a', 4), ('b', 8), ('c', 1)]);
        assert!(stretches.stretches.is_empty());
    }

    #[test]
    fn no_item_is_behind_the_last_number() {
        let mut stretches = ItemValues::default();
        stretches.put(batch(u64::MAX - 1, 9, 1), 'a');
        stretches.put(batch(u64::MAX, 9, 1), 'b');
        stretches.put(batch(5, 0, 1), 'c');
        assert_eq!(taken(&mut stretches, 0, 0), []);
        assert_eq!(taken(&mut stretches, u64::MAX - 5, 9), [('a', 1)]);
        assert!(stretches.stretches.is_empty());
    }
}
