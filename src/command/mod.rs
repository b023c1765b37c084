//! Floor 2: foreign programs as workers.
//!
//! `template` makes a command for an item, `search` finds its program, `environment` tells it who it
//! is, `exec` starts it, one process to an item, and `capture` keeps what it says.
//!
//! Invariant: nothing here decides. Which item runs, when, how often and until when is the core's
//! business; here a command is started when told to, and its output kept until asked for. Nothing
//! here waits either: every descriptor on our side is non-blocking.

pub mod capture;
mod environment;
pub mod exec;
pub mod search;
pub mod template;
