//! What is known of each of many consecutive items, in memory that grows with the changes from one item to the next.
//!
//! Invariant: the items from the first to the last one have a value each, and neighbours with equal values share one entry.

use std::collections::BTreeMap;

/// Values of the items from a first one on.
#[derive(Clone, Debug)]
pub struct ItemMap<T> {
    /// By their first item: the item behind the last one, and the value of all.
    entries: BTreeMap<u64, (u64, T)>,
    first: u64,
    /// The item behind the last one.
    end: u64,
}

impl<T: Copy + Eq> ItemMap<T> {
    /// No items, before this one.
    #[must_use]
    pub const fn new(first: u64) -> Self {
        Self { entries: BTreeMap::new(), first, end: first }
    }

    /// The item behind the last one.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// How many entries there are.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Adds items behind the last one.
    pub fn push(&mut self, count: u64, value: T) {
        let begin = self.end;
        self.end = begin.saturating_add(count);
        if self.end == begin {
            return;
        }
        match self.entries.last_entry() {
            Some(mut last) if last.get().1 == value => last.get_mut().0 = self.end,
            _ => _ = self.entries.insert(begin, (self.end, value)),
        }
    }

    /// The stretches among these items, with their values; what lies outside has none.
    pub fn among(&self, begin: u64, end: u64) -> impl Iterator<Item = (u64, u64, T)> + '_ {
        let from = self.entries.range(..=begin).next_back().map_or(begin, |(first, _)| *first);
        let parts = self.entries.range(from..end.max(from));
        let cut = move |(first, (last, value)): (&u64, &(u64, T))| ((*first).max(begin), (*last).min(end), *value);
        parts.map(cut).filter(|(first, last, _)| first < last)
    }

    /// Whether all of these items have a value.
    #[must_use]
    pub const fn holds(&self, begin: u64, end: u64) -> bool {
        self.first <= begin && end <= self.end
    }

    /// Gives each of these items, all of which have a value, a new one that follows from the old one.
    pub fn change(&mut self, begin: u64, end: u64, new_value: impl Fn(T) -> T) {
        if begin >= end || !self.holds(begin, end) {
            return;
        }
        self.cut(begin);
        self.cut(end);
        for (_, (_, value)) in self.entries.range_mut(begin..end) {
            *value = new_value(*value);
        }
        self.join(begin, end);
    }

    /// Lets an entry begin at this item.
    fn cut(&mut self, at: u64) {
        if let Some((_, entry)) = self.entries.range_mut(..at).next_back()
            && entry.0 > at
        {
            let (last, value) = std::mem::replace(entry, (at, entry.1));
            self.entries.insert(at, (last, value));
        }
    }

    /// Joins neighbours that have become equal, from the one before `begin` to the one at `end`.
    fn join(&mut self, begin: u64, end: u64) {
        let mut at = self.entries.range(..begin).next_back().map_or(begin, |(first, _)| *first);
        while let Some((last, value)) = self.entries.get(&at).copied() {
            match self.entries.get(&last).copied() {
                Some((next_last, next)) if next == value => {
                    self.entries.remove(&last);
                    self.entries.insert(at, (next_last, value));
                }
                _ if last > end => return,
                _ => at = last,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(map: &ItemMap<u8>) -> Vec<(u64, u64, u8)> {
        map.among(0, u64::MAX).collect()
    }

    #[test]
    fn neighbours_with_equal_values_are_one_entry() {
        let mut map = ItemMap::new(10);
        map.push(0, 9);
        map.push(5, 0);
        map.push(5, 0);
        assert_eq!(parts(&map), [(10, 20, 0)]);
        map.change(12, 14, |_| 1);
        assert_eq!(parts(&map), [(10, 12, 0), (12, 14, 1), (14, 20, 0)]);
        assert_eq!(map.among(13, 15).collect::<Vec<_>>(), [(13, 14, 1), (14, 15, 0)]);
        assert_eq!(map.among(3, 11).collect::<Vec<_>>(), [(10, 11, 0)]);
        map.change(10, 12, |_| 1);
        map.change(14, 20, |_| 1);
        assert_eq!(parts(&map), [(10, 20, 1)]);
        map.change(5, 15, |_| 7);
        assert_eq!(parts(&map), [(10, 20, 1)], "not all of them are there");
        assert!(map.holds(10, 20) && !map.holds(9, 12) && !map.holds(19, 21));
    }

    /// Against an array, with changes that a fixed generator draws.
    #[test]
    fn any_changes_are_those_of_an_array() {
        let (mut map, mut array) = (ItemMap::new(0), Vec::new());
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..3000 {
            if array.len() < 60 || draw(20) == 0 {
                let (count, value) = (draw(4), draw(3) as u8);
                map.push(count, value);
                array.extend((0..count).map(|_| value));
            }
            let begin = draw(array.len() as u64 + 1);
            let end = begin + draw(array.len() as u64 + 1 - begin + 1).min(array.len() as u64 - begin);
            let add = draw(3) as u8;
            map.change(begin, end, |value| (value + add) % 3);
            array[begin as usize..end as usize].iter_mut().for_each(|value| *value = (*value + add) % 3);
            let found: Vec<u8> = parts(&map).iter().flat_map(|(a, b, value)| (*a..*b).map(|_| *value)).collect();
            assert_eq!(found, array);
            assert!(parts(&map).windows(2).all(|pair| pair[0].2 != pair[1].2), "neighbours are joined");
            assert_eq!(map.entries(), parts(&map).len());
        }
    }
}
