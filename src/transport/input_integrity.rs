//! Whether the bytes that a worker was lent are those that it was meant to get: a file may be cut short
//! before its bytes are read, or while they are in use. What came of such bytes is no result.
//!
//! Invariant: if bytes were missing is asked before they are used, if they were whole after they were used and
//! before the results leave; then no loss goes unseen, neither of whole pages of a mapping, which `sys::mapping`
//! counts, nor of a part of one, which reads as zeros.

use crate::sys::mapping;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// What a worker's end was lent last. Shared by the half that lends and whoever sends results.
#[derive(Debug, Default)]
pub struct InputIntegrity {
    /// Some of it lies in mapped files, among them perhaps the input.
    mapped: bool,
    input: Option<Arc<File>>,
    /// In the mapped input, where what was lent ends; 0 for what lies elsewhere.
    end: AtomicU64,
    missing: AtomicBool,
    losses: AtomicU64,
}

impl InputIntegrity {
    /// Bytes that lie in mapped files, among them perhaps the input.
    pub(super) fn of_mappings(input: Option<Arc<File>>) -> Self {
        Self { mapped: true, input, ..Self::default() }
    }

    /// Now other bytes are lent; of a mapped input, those that end there.
    pub(super) fn begin(&self, input_end: u64) {
        self.missing.store(false, Relaxed);
        self.losses.store(mapping::losses(), Relaxed);
        self.end.store(input_end, Relaxed);
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

    /// If it lies in an input that is mapped: whether it was whole cannot be asked once other bytes are lent.
    #[inline]
    #[must_use]
    pub fn is_of_input(&self) -> bool {
        self.end.load(Relaxed) != 0
    }

    /// If nothing was lost of what was lent.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        if !self.mapped {
            return true;
        }
        let end = self.end.load(Relaxed);
        let is_there = |input: &Arc<File>| input.metadata().is_ok_and(|metadata| metadata.len() >= end);
        self.losses.load(Relaxed) == mapping::losses() && (end == 0 || self.input.as_ref().is_none_or(is_there))
    }
}
