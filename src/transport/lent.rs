//! Whether the bytes that a worker was lent are those that it was meant to get: a file may be cut short
//! before its bytes are read, or while they are in use. What came of such bytes is no result.
//!
//! Invariant: if bytes were missing is asked before they are used, if they were whole after they were used and
//! before the results leave; then no loss goes unseen.

use crate::sys::mapping;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// What a worker's end was lent last. Shared by the half that lends and whoever sends results.
#[derive(Debug, Default)]
pub struct Lent {
    /// Some of it lies in mapped files.
    mapped: bool,
    missing: AtomicBool,
    losses: AtomicU64,
}

impl Lent {
    /// Bytes of which some lie in mapped files.
    pub(super) fn of_mappings() -> Self {
        Self { mapped: true, ..Self::default() }
    }

    /// Now other bytes are lent.
    pub(super) fn begin(&self) {
        self.missing.store(false, Relaxed);
        self.losses.store(mapping::losses(), Relaxed);
    }

    /// They are not there, and nothing is lent in their place.
    pub(super) fn lacks(&self) {
        self.missing.store(true, Relaxed);
    }

    /// If what was to be lent is not there. It is not to be worked on.
    #[inline]
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.missing.load(Relaxed)
    }

    /// If nothing was lost of what was lent.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.mapped || self.losses.load(Relaxed) == mapping::losses()
    }
}
