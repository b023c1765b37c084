//! `supervisor ps`: what was typed.

use super::{Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "ps";
pub const ABOUT: &str = "The runs of this user and their workers, at the moment.";

const AFTER: &str = "\
ITEM is the item that a worker is at, and FOR how long it has had the oldest of its items. ITEMS
are those that its process has settled. With --output json each run is one object on a line.
Exit code 5: a run does not answer; 6: with --run, there is no such run.";

/// Shows the runs of this user and their workers: slot, pid, state, item and for how long, items, restarts, memory, processor time
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor ps [--run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
struct PsFlags {
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `ps`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<PsFlags>(NAME, words)?
        .map(|flags| SteeringCommand { choice: flags.choice, what: Steering::Ps }))
}
