//! Floor 0: the words of the field as plain values, and how text becomes one. Nothing here waits or
//! asks the system.
//!
//! Invariant: this floor imports nothing of ours and makes no system call.

pub mod builder;
pub mod config;
pub mod config_error;
mod defaults;
pub mod durations;
pub mod event;
pub mod exit;
pub mod ids;
pub mod numbers;
pub mod outcome;
pub mod signal;
pub mod spec;
pub mod time;
