//! `supervisor pause`: what was typed.

use super::{Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "pause";
pub const ABOUT: &str = "Stops the workers of a run until `supervisor continue`.";

const AFTER: &str = "\
Exit codes:
  0  the run was told
  2  wrong usage, or it cannot be asked of this run; several runs and no --run
  5  the run does not answer
  6  there is no such run, or it ends";

/// Stops all workers and hands out nothing until `supervisor continue`. The time of a pause counts for no limit
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor pause [--run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
struct PauseFlags {
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `pause`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<PauseFlags>(NAME, words)?
        .map(|flags| SteeringCommand { choice: flags.choice, what: Steering::Pause }))
}
