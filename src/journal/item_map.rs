//! What is known of each of many consecutive items, in memory that grows with the changes from one item to the next.
//!
//! Changes come to the last items as a rule: those are a short list of stretches, and older ones a tree.
//!
//! Invariant: the items from the first to the last one have a value each, and neighbours with equal values are one stretch.

use std::collections::BTreeMap;
use std::iter;

/// So many stretches are in the list; then the older half of them goes to the tree.
const RECENT_MAX: usize = 512;

/// Values of the items from a first one on.
#[derive(Clone, Debug)]
pub struct ItemMap<T> {
    /// Older items, by the first one of a stretch: the item behind the last one, and the value of all.
    older: BTreeMap<u64, (u64, T)>,
    /// The items behind those, in order.
    recent: Vec<ItemStretch<T>>,
    /// Where the recent items begin.
    recent_first: u64,
    recent_max: usize,
    first: u64,
    /// The item behind the last one.
    end: u64,
}

/// Consecutive items with one value.
#[derive(Clone, Copy, Debug)]
struct ItemStretch<T> {
    first: u64,
    end: u64,
    value: T,
}

impl<T: Copy + Eq> ItemMap<T> {
    /// No items, before this one.
    #[must_use]
    pub const fn new(first: u64) -> Self {
        Self::with_recent(first, RECENT_MAX)
    }

    const fn with_recent(first: u64, recent_max: usize) -> Self {
        Self { older: BTreeMap::new(), recent: Vec::new(), recent_first: first, recent_max, first, end: first }
    }

    /// The item behind the last one.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// How many stretches are kept.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.older.len() + self.recent.len()
    }

    /// Adds items behind the last one.
    pub fn push(&mut self, count: u64, value: T) {
        let first = self.end;
        self.end = first.saturating_add(count);
        if self.end == first {
            return;
        }
        match self.recent.last_mut() {
            Some(last) if last.value == value => last.end = self.end,
            _ => self.recent.push(ItemStretch { first, end: self.end, value }),
        }
        self.age();
    }

    /// The stretches among these items, with their values; what lies outside has none.
    pub fn among(&self, begin: u64, end: u64) -> impl Iterator<Item = (u64, u64, T)> + '_ {
        let older = (begin < self.recent_first).then(|| {
            let from = self.older.range(..=begin).next_back().map_or(begin, |(first, _)| *first);
            self.older.range(from..end.max(from)).map(|(first, (last, value))| (*first, *last, *value))
        });
        let recent = self.recent.get(self.place(begin)..).unwrap_or_default().iter();
        let recent = recent.map(|stretch| (stretch.first, stretch.end, stretch.value));
        let mut parts =
            older.into_iter().flatten().chain(recent.take_while(move |(first, ..)| *first < end)).peekable();
        let joined = iter::from_fn(move || {
            let (first, mut last, value) = parts.next()?;
            // The last of the older ones and the first of the recent ones may be one stretch.
            while let Some((_, next_last, _)) = parts.next_if(|(next, _, other)| *next == last && *other == value) {
                last = next_last;
            }
            Some((first.max(begin), last.min(end), value))
        });
        joined.filter(|(first, last, _)| first < last)
    }

    /// The value of these items, if they are recent and in one stretch, which is found at once.
    #[must_use]
    pub fn shared(&self, begin: u64, end: u64) -> Option<T> {
        let stretch = self.recent.get(self.place(begin))?;
        (begin < end && stretch.first <= begin && end <= stretch.end).then_some(stretch.value)
    }

    /// The value of one item.
    #[must_use]
    pub fn at(&self, item: u64) -> Option<T> {
        self.among(item, item.saturating_add(1)).next().map(|(.., value)| value)
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
        if begin < self.recent_first {
            self.change_older(begin, end.min(self.recent_first), &new_value);
        }
        if end > self.recent_first {
            self.change_recent(begin.max(self.recent_first), end, &new_value);
            self.age();
        }
    }

    /// The first recent stretch that ends behind this item.
    fn place(&self, item: u64) -> usize {
        self.recent.partition_point(|stretch| stretch.end <= item)
    }

    fn change_recent(&mut self, begin: u64, end: u64, new_value: impl Fn(T) -> T) {
        let at = self.place(begin);
        let Some(stretch) = self.recent.get(at) else { return };
        if stretch.end < end {
            return self.rebuild(at, begin, end, new_value);
        }
        let value = new_value(stretch.value);
        if value != stretch.value {
            self.split(at, begin, end, value);
        }
    }

    /// Changes items of several recent stretches, the first of which is at this place.
    fn rebuild(&mut self, at: usize, begin: u64, end: u64, new_value: impl Fn(T) -> T) {
        // With the neighbours, which may become equal to what changes.
        let from = at.saturating_sub(1);
        let until = self.recent.partition_point(|stretch| stretch.end < end).saturating_add(2).min(self.recent.len());
        let mut new = Vec::with_capacity(until - from + 2);
        let mut push = |first: u64, end: u64, value: T| match new.last_mut() {
            _ if first >= end => {}
            Some(ItemStretch { end: last, value: other, .. }) if *other == value => *last = end,
            _ => new.push(ItemStretch { first, end, value }),
        };
        for ItemStretch { first, end: last, value } in &self.recent[from..until] {
            let (changed, behind) = ((*first).max(begin).min(*last), (*last).min(end).max(*first));
            push(*first, changed.min(behind), *value);
            push(changed, behind, new_value(*value));
            push(behind.max(changed), *last, *value);
        }
        self.recent.splice(from..until, new);
    }

    /// Gives a part of a recent stretch another value.
    fn split(&mut self, at: usize, first: u64, last: u64, value: T) {
        let stretch = self.recent[at];
        let is_start = first == stretch.first;
        let is_end = last == stretch.end;
        let joins_before = is_start && at > 0 && self.recent[at - 1].value == value;
        let joins_behind = is_end && self.recent.get(at + 1).is_some_and(|next| next.value == value);
        match (is_start, is_end) {
            (true, true) if joins_before && joins_behind => {
                self.recent[at - 1].end = self.recent[at + 1].end;
                self.recent.drain(at..at + 2);
            }
            (true, true) if joins_before => {
                self.recent[at - 1].end = last;
                self.recent.remove(at);
            }
            (true, true) if joins_behind => {
                self.recent[at + 1].first = first;
                self.recent.remove(at);
            }
            (true, true) => self.recent[at].value = value,
            (true, false) if joins_before => {
                self.recent[at - 1].end = last;
                self.recent[at].first = last;
            }
            (true, false) => {
                self.recent[at].first = last;
                self.recent.insert(at, ItemStretch { first, end: last, value });
            }
            (false, true) if joins_behind => {
                self.recent[at].end = first;
                self.recent[at + 1].first = first;
            }
            (false, true) => {
                self.recent[at].end = first;
                self.recent.insert(at + 1, ItemStretch { first, end: last, value });
            }
            (false, false) => {
                self.recent[at].end = first;
                let behind = ItemStretch { first: last, ..stretch };
                self.recent.splice(at + 1..at + 1, [ItemStretch { first, end: last, value }, behind]);
            }
        }
    }

    /// Keeps the list short.
    fn age(&mut self) {
        if self.recent.len() <= self.recent_max {
            return;
        }
        for ItemStretch { first, end, value } in self.recent.drain(..self.recent_max.div_ceil(2)) {
            self.recent_first = end;
            match self.older.last_entry() {
                Some(mut last) if last.get().1 == value => last.get_mut().0 = end,
                _ => _ = self.older.insert(first, (end, value)),
            }
        }
    }

    fn change_older(&mut self, begin: u64, end: u64, new_value: impl Fn(T) -> T) {
        self.cut(begin);
        self.cut(end);
        for (_, (_, value)) in self.older.range_mut(begin..end) {
            *value = new_value(*value);
        }
        self.join(begin, end);
    }

    /// Lets an older stretch begin at this item.
    fn cut(&mut self, at: u64) {
        if let Some((_, entry)) = self.older.range_mut(..at).next_back()
            && entry.0 > at
        {
            let (last, value) = std::mem::replace(entry, (at, entry.1));
            self.older.insert(at, (last, value));
        }
    }

    /// Joins older neighbours that have become equal, from the one before `begin` to the one at `end`.
    fn join(&mut self, begin: u64, end: u64) {
        let mut at = self.older.range(..begin).next_back().map_or(begin, |(first, _)| *first);
        while let Some((last, value)) = self.older.get(&at).copied() {
            match self.older.get(&last).copied() {
                Some((next_last, next)) if next == value => {
                    self.older.remove(&last);
                    self.older.insert(at, (next_last, value));
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
        for recent_max in [1, 2, 5, 16, RECENT_MAX] {
            compare_with_array(recent_max);
        }
    }

    fn compare_with_array(recent_max: usize) {
        let (mut map, mut array) = (ItemMap::with_recent(0, recent_max), Vec::new());
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
            let stretches = parts(&map).len();
            assert!((stretches..=stretches + 1).contains(&map.entries()), "they may be two where the list begins");
        }
    }
}
