//! Commands: a process for each item, started and owned by launcher threads.

mod folders;
mod held_output;
mod launchers;
mod messages;
mod pool;
mod questions;
mod running;
mod shares;
mod thread;

pub use folders::RunFolder;
pub use messages::{CommandExit, CommandRules, ItemBytes, Order, Report};
pub use pool::{CommandPool, LAUNCHERS_MAX, LauncherMailboxes};
pub use questions::Questions;
pub use shares::Shares;
