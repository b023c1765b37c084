//! Commands: a process for each item, started and owned by launcher threads.

mod dues;
mod folders;
mod hands;
mod held_output;
mod launchers;
mod messages;
mod pool;
mod questions;
mod reports;
mod running;
mod shares;
mod slots;
mod starting;
mod thread;

pub use folders::RunFolder;
pub use hands::{HandFate, Hands};
pub use messages::{CommandExit, CommandRules, InHand, ItemBytes, Order, Report};
pub use pool::{CommandPool, LAUNCHERS_MAX, LauncherMailboxes};
pub use questions::Questions;
pub use reports::Reports;
pub use shares::Shares;
