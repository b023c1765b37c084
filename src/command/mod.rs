//! Floor 2: foreign programs as workers.
//!
//! `template` makes the command line for an item, from its `placeholder`s, which `script` finds in a script of a shell; `search` finds its program, `environment` makes its environment, `exec`
//! starts it, one process per item, and `capture` keeps its output.
//!
//! Invariant: nothing here decides. The core decides which item runs, when, how often and until when. Nothing here waits:
//! every descriptor on our side is non-blocking.

pub mod capture;
mod environment;
pub mod exec;
mod interpreter;
mod placeholder;
mod script;
pub mod search;
pub mod template;
