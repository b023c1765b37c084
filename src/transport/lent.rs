//! Whether the bytes that a worker was lent are those that it was meant to get: a file may be cut short
//! while its bytes are in use. What came of such bytes is no result.
//!
//! Invariant: asked after the bytes were used and before the results leave; then no loss goes unseen,
//! neither of whole pages, which `sys::mapping` counts, nor of a part of one, which reads as zeros.

use crate::sys::mapping;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// What a worker's end was lent last. Shared by the half that lends and whoever sends results.
#[derive(Debug, Default)]
pub struct Lent {
    /// Some of it lies in files.
    mapped: bool,
    input: Option<Arc<File>>,
    /// In the input, where what was lent ends; 0 for what lies elsewhere.
    end: AtomicU64,
    losses: AtomicU64,
}

impl Lent {
    /// Bytes that lie in mapped files, among them perhaps the input.
    pub(super) fn of_files(input: Option<Arc<File>>) -> Self {
        Self { mapped: true, input, ..Self::default() }
    }

    /// Now other bytes are lent; of the input, those that end there.
    pub(super) fn begin(&self, input_end: u64) {
        self.losses.store(mapping::losses(), Relaxed);
        self.end.store(input_end, Relaxed);
    }

    /// If it lies in the input.
    #[must_use]
    pub fn is_of_input(&self) -> bool {
        self.end.load(Relaxed) != 0
    }

    /// If nothing of it was lost.
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
