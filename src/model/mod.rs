//! Floor 0: the words of the field as plain values. Nothing here can fail, wait or ask the system.
//!
//! Invariant: this floor imports nothing of ours and makes no system call.

pub mod config;
pub mod event;
pub mod exit;
pub mod ids;
pub mod outcome;
pub mod signal;
pub mod spec;
pub mod time;
