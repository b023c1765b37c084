//! Whether the bytes that a worker borrowed are the bytes of its items: a file may be cut short before its bytes are
//! read, or while they are in use. The results of such items are dropped.
//!
//! Invariant: the worker asks whether bytes are missing before it uses them, and whether they were whole after it
//! used them and before the results leave. Then no loss is missed, neither of whole pages of a mapping, which
//! `sys::mapping` counts, nor of a part of a page, which reads as zeros.

use crate::sys::mapping;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// The state of the bytes that were borrowed last. Shared by the half that reads items and the buffer of results.
#[derive(Debug, Default)]
pub struct InputIntegrity {
    /// The bytes may be in mapped files, of which the input may be one.
    mapped: bool,
    input: Option<Arc<File>>,
    /// Where the borrowed bytes end in the mapped input; 0 for bytes that are not in it.
    end: AtomicU64,
    missing: AtomicBool,
    losses: AtomicU64,
}

impl InputIntegrity {
    /// For bytes in mapped files. `input`: the input, if it is one of them.
    pub(super) fn of_mappings(input: Option<Arc<File>>) -> Self {
        Self { mapped: true, input, ..Self::default() }
    }

    /// Other bytes are borrowed from now on. `input_end`: their end in the mapped input; 0 if they are not in it.
    pub(super) fn begin(&self, input_end: u64) {
        self.missing.store(false, Relaxed);
        self.losses.store(mapping::losses(), Relaxed);
        self.end.store(input_end, Relaxed);
    }

    /// Notes that the borrowed bytes are missing.
    pub(super) fn mark_missing(&self) {
        self.missing.store(true, Relaxed);
    }

    /// Whether the borrowed bytes are missing. Then the worker must not run their items.
    #[inline]
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.missing.load(Relaxed)
    }

    /// Whether the bytes are in a mapped input. Then [`is_whole`](Self::is_whole) has to be called before other bytes
    /// are borrowed.
    #[inline]
    #[must_use]
    pub fn is_of_input(&self) -> bool {
        self.end.load(Relaxed) != 0
    }

    /// Whether all borrowed bytes were there while they were used.
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
