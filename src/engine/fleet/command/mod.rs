//! Commands: a process for each item, started and owned by launcher threads.

mod job_control;
mod launchers;
mod orders;
mod pool;

pub use orders::{CommandExit, ItemBytes, Order, Report};
pub use pool::{CommandPool, LAUNCHERS_MAX, LauncherMailboxes};
