//! `supervisor events`: what was typed.

use super::{Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "events";
pub const ABOUT: &str = "The events of a run from now on, as --events writes them.";

const AFTER: &str = "\
The lines are those of `supervisor --events FILE`. A run that is watched does not wait for whoever
watches it: if too much is unread, that is said, and the watching ends with exit code 5.
Exit code 6: there is no such run.";

/// Shows the events of a run from now on, one JSON object a line, until it has ended
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor events --follow [--run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
struct EventsFlags {
    /// From now on; earlier events are not kept
    #[arg(long, short, required = true)]
    follow: bool,
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `events`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<EventsFlags>(NAME, words)?
        .map(|flags| SteeringCommand { choice: flags.choice, what: Steering::Events }))
}
