//! The words of the lessons, in both languages side by side: a file per lesson.

pub mod concurrency;
pub mod countdown;
pub mod crash;
pub mod daemon;
pub mod identity;
pub mod ipc;
pub mod isolation;
pub mod order;
pub mod queue;
pub mod race;
pub mod signals;
pub mod subprocess;
