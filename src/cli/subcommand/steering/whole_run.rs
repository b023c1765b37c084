//! The subcommands that are about a whole run and take no words of their own: what was typed.

use super::{EXIT_CODES, Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;

/// A subcommand of this kind.
pub struct WholeRun {
    pub name: &'static str,
    /// For the list in the help.
    pub about: &'static str,
    /// The first line of its own help.
    help: &'static str,
    /// The end of its own help.
    after: &'static str,
    what: Steering,
}

pub const PS: WholeRun = WholeRun {
    name: "ps",
    about: "The runs of this user and their workers, at the moment.",
    help: "Shows the runs of this user and their workers: slot, pid, state, item and for how long, items, restarts, memory, processor time",
    after: "\
ITEM is the item that a worker is at, and FOR how long it has had the oldest of its items. ITEMS
are those that its process has settled. With --output json each run is one object on a line.
Exit code 5: a run does not answer; 6: with --run, there is no such run.",
    what: Steering::Ps,
};

pub const PAUSE: WholeRun = WholeRun {
    name: "pause",
    about: "Stops the workers of a run until `supervisor continue`.",
    help: "Stops all workers and hands out nothing until `supervisor continue`. The time of a pause counts for no limit",
    after: EXIT_CODES,
    what: Steering::Pause,
};

pub const CONTINUE: WholeRun = WholeRun {
    name: "continue",
    about: "Lets a run go on that was paused.",
    help: "Lets a run go on that was paused",
    after: EXIT_CODES,
    what: Steering::Continue,
};

pub const DRAIN: WholeRun = WholeRun {
    name: "drain",
    about: "Ends a run: nothing new is begun, and running items may finish.",
    help: "Ends a run: nothing new is begun, and running items may finish within its grace",
    after: EXIT_CODES,
    what: Steering::Drain,
};

pub const WAIT: WholeRun = WholeRun {
    name: "wait",
    about: "Waits until a run has ended, and ends with its exit code.",
    help: "Waits until a run has ended, and ends with the exit code that a shell sees of it: 130 where INT ended it",
    after: "\
Exit codes: those of the run;
  2    wrong usage; several runs and no --run
  5    the run ended without a word, or does not answer
  6    there is no such run",
    what: Steering::Wait,
};

// No comment: it would be the help of each.
#[derive(Parser)]
#[command(disable_version_flag = true)]
struct WholeRunFlags {
    #[command(flatten)]
    choice: RunChoice,
}

impl WholeRun {
    /// Reads the words behind the name.
    ///
    /// # Errors
    /// The words do not fit.
    pub fn read(&self, words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
        let usage = format!("supervisor {} [--run PID] [--output json]", self.name);
        let command = WholeRunFlags::command().about(self.help).override_usage(usage).after_help(self.after);
        let typed = parser::read_words_of::<WholeRunFlags>(command, self.name, words)?;
        Ok(typed.map(|flags| SteeringCommand { choice: flags.choice, what: self.what.clone() }))
    }
}
