//! Commands: a process for each item, started and owned by launcher threads.

mod launchers;
mod pool;

pub use launchers::{CommandExit, ItemBytes, Order, Report};
pub use pool::{CommandPool, LAUNCHERS_MAX, LauncherMailboxes};
