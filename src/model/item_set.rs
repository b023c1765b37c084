//! A set of items by their ids, as stretches of consecutive ones.
//!
//! Invariant: stretches are in order, and none touches the next. Memory is that of the stretches, never that of the items.

#![deny(missing_docs)]

use super::ids::ItemId;

/// A set of items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemSet {
    /// The first id of each stretch, and the one behind its last.
    stretches: Vec<(u64, u64)>,
}

impl ItemSet {
    /// Whether there is no item in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// Whether an item is in it.
    #[must_use]
    pub fn contains(&self, item: ItemId) -> bool {
        self.past(item) > item
    }

    /// The first item from `item` on that is not in it.
    #[must_use]
    pub fn past(&self, item: ItemId) -> ItemId {
        let behind = self.stretches.partition_point(|(first, _)| *first <= item.0);
        match behind.checked_sub(1).map(|at| self.stretches[at].1) {
            Some(end) if end > item.0 => ItemId(end),
            _ => item,
        }
    }

    /// Whether any of `count` items from `first` on is in it.
    #[must_use]
    pub fn has_any(&self, first: ItemId, count: u32) -> bool {
        let next = self.stretches.partition_point(|(_, end)| *end <= first.0);
        self.stretches.get(next).is_some_and(|(start, _)| *start < first.0.saturating_add(count.into()))
    }

    /// The first item behind this one that is in the set if this one is not, or that is not if this one is.
    #[must_use]
    pub fn change_behind(&self, item: ItemId) -> ItemId {
        let behind = self.past(item);
        if behind > item {
            return behind;
        }
        let next = self.stretches.partition_point(|(first, _)| *first <= item.0);
        self.stretches.get(next).map_or(ItemId(u64::MAX), |(first, _)| ItemId(*first))
    }

    /// Adds the items behind all others of the set: of a stretch that is counted up.
    pub fn push(&mut self, first: ItemId, count: u32) {
        let end = first.0.saturating_add(count.into());
        match self.stretches.last_mut() {
            Some((_, last)) if *last >= first.0 => *last = end.max(*last),
            _ if end > first.0 => self.stretches.push((first.0, end)),
            _ => {}
        }
    }
}

impl FromIterator<ItemId> for ItemSet {
    /// In any order, any number of times.
    fn from_iter<T: IntoIterator<Item = ItemId>>(items: T) -> Self {
        let mut ids: Vec<ItemId> = items.into_iter().collect();
        ids.sort_unstable();
        let mut set = Self::default();
        ids.into_iter().for_each(|item| set.push(item, 1));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_joined_and_found() {
        let set: ItemSet = [5, 1, 2, 9, 2, 3].into_iter().map(ItemId).collect();
        assert_eq!(set.stretches, [(1, 4), (5, 6), (9, 10)]);
        let within: Vec<u64> = (0..12).filter(|item| set.contains(ItemId(*item))).collect();
        assert_eq!(within, [1, 2, 3, 5, 9]);
        assert_eq!([0, 1, 3, 4, 9].map(|item| set.past(ItemId(item)).0), [0, 4, 4, 4, 10]);
        assert_eq!(
            [(0, 1), (0, 2), (4, 1), (6, 3), (6, 4), (10, 9)].map(|(first, count)| set.has_any(ItemId(first), count)),
            [false, true, false, false, true, false]
        );
        assert_eq!([0, 1, 3, 4, 5, 9].map(|item| set.change_behind(ItemId(item)).0), [1, 4, 4, 5, 6, 10]);
        assert_eq!(set.change_behind(ItemId(10)), ItemId(u64::MAX));
        assert!(ItemSet::default().is_empty() && !ItemSet::default().contains(ItemId(0)));
        assert!([ItemId(u64::MAX)].into_iter().collect::<ItemSet>().is_empty(), "there is no id behind it");
    }
}
