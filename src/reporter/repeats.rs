//! Notices that say the same again and again: of each kind the first few are told, the others are counted.
//!
//! Invariant: nothing that ends an item is left out, only attempts that are followed by another one. Memory is bounded:
//! a kind is made of how a process or an attempt ended, never of an item.

use std::collections::BTreeMap;

/// As many notices of a kind are told.
const TOLD_MAX: u64 = 3;

/// Counts notices by kind.
pub(super) struct Repeats {
    /// Each is told (`--verbose`).
    all: bool,
    kinds: BTreeMap<String, u64>,
}

impl Repeats {
    pub(super) const fn new(all: bool) -> Self {
        Self { all, kinds: BTreeMap::new() }
    }

    /// Whether the next notice of this kind is told; one of no kind always is.
    pub(super) fn is_told(&mut self, kind: Option<String>) -> bool {
        let Some(kind) = kind.filter(|_| !self.all) else { return true };
        let count = self.kinds.entry(kind).or_default();
        *count += 1;
        *count <= TOLD_MAX
    }

    /// A line for each kind with notices that were not told.
    pub(super) fn counted(&self) -> impl Iterator<Item = String> + '_ {
        let left_out = self.kinds.iter().filter(|(_, count)| **count > TOLD_MAX);
        left_out.map(|(kind, count)| format!("... and {} more like it: {kind}; -v shows each", count - TOLD_MAX))
    }
}
