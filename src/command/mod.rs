//! Floor 2: foreign programs as workers.
//!
//! `template` makes the command `line` for an item, from its `placeholder`s in `words`, which `script` finds in a script of
//! a shell and `list_script` fills in for many arguments; `meter` tells how long a command line gets;
//! `search` finds its program, `workdir` knows its folder, `environment` makes its environment, `exec` starts it, one
//! process per item, `stdin_feed` writes the item to it, and `capture` keeps its output. `text` fills in what is no command.
//! `plain` starts commands as xargs does; `job_control` and `jobserver` are for commands on a terminal and below make.
//!
//! Invariant: nothing here decides. The core decides which item runs, when, how often and until when. Nothing here waits,
//! except `job_control` while the whole job is stopped, and `plain` for a stderr that takes nothing: every descriptor on
//! our side is non-blocking.

pub mod capture;
mod environment;
pub mod exec;
mod execution;
mod interpreter;
pub mod job_control;
pub mod jobserver;
mod launch_error;
pub mod line;
mod list_script;
pub mod meter;
mod pipes;
mod placeholder;
pub mod plain;
mod quoted_script;
mod script;
pub mod search;
pub mod stdin_feed;
pub mod template;
pub mod text;
mod words;
pub mod workdir;
