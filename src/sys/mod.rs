//! Floor 1: system calls.
//!
//! Invariant: this floor knows no items, and holds all of the project's `unsafe`.

pub mod access;
pub mod outbox;
pub mod spill;
