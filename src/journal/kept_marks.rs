//! The records of what was given away, when a journal is written anew: which of them matter, and where the offsets that they
//! tell lie in the new file.
//!
//! Invariant: pure. A mark is left out only if a later one gives away all that it does.

use super::record::GivenAway;
use std::collections::{BTreeMap, BTreeSet};

/// A record of what was given away.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptMark {
    /// Of the record.
    pub offset: u64,
    pub shown: GivenAway,
}

/// Those that no later one makes needless.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptMarks(Vec<KeptMark>);

impl KeptMarks {
    /// Adds the next one.
    pub fn add(&mut self, offset: u64, shown: GivenAway) {
        self.0.retain(|mark| !is_covered(mark.shown, shown));
        self.0.push(KeptMark { offset, shown });
    }

    pub fn iter(&self) -> impl Iterator<Item = &KeptMark> {
        self.0.iter()
    }

    /// Whether the record at this offset is one of them.
    pub fn has(&self, offset: u64) -> bool {
        self.0.iter().any(|mark| mark.offset == offset)
    }

    /// The offsets before which they give everything away.
    fn told(&self) -> BTreeSet<u64> {
        let told = self.0.iter().filter_map(|mark| match mark.shown {
            GivenAway::RecordedBefore(offset) => Some(offset),
            GivenAway::Before(_) => None,
        });
        told.collect()
    }
}

/// Whether a later mark gives away all that an earlier one did.
const fn is_covered(earlier: GivenAway, later: GivenAway) -> bool {
    match (earlier, later) {
        (GivenAway::Before(earlier), GivenAway::Before(later)) => earlier.0 <= later.0,
        (GivenAway::RecordedBefore(earlier), GivenAway::RecordedBefore(later)) => earlier <= later,
        _ => false,
    }
}

/// What the offsets of marks become in the new file.
#[derive(Debug)]
pub(super) struct MarkTranslation {
    /// Not reached yet.
    ahead: BTreeSet<u64>,
    reached: BTreeMap<u64, u64>,
}

impl MarkTranslation {
    pub fn of(marks: &KeptMarks) -> Self {
        Self { ahead: marks.told(), reached: BTreeMap::new() }
    }

    /// Whether the old file was read up to the offset of a mark. Then [`MarkTranslation::reach`] is due.
    pub fn is_due(&self, offset: u64) -> bool {
        self.ahead.first().is_some_and(|told| *told <= offset)
    }

    /// The record at `offset` of the old file will be written at `new_offset`, if it is.
    pub fn reach(&mut self, offset: u64, new_offset: u64) {
        while let Some(told) = self.ahead.first().copied().filter(|told| *told <= offset) {
            self.ahead.remove(&told);
            self.reached.insert(told, new_offset);
        }
    }

    /// A mark that is written at `new_offset`.
    pub fn translated(&self, shown: GivenAway, new_offset: u64) -> GivenAway {
        match shown {
            GivenAway::Before(item) => GivenAway::Before(item),
            // One that tells of what lies behind itself gives away what lies before it.
            GivenAway::RecordedBefore(told) => {
                GivenAway::RecordedBefore(self.reached.get(&told).copied().unwrap_or(new_offset))
            }
        }
    }
}
