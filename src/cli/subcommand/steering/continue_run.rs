//! `supervisor continue`: what was typed.

use super::{Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "continue";
pub const ABOUT: &str = "Lets a run go on that was paused.";

const AFTER: &str = "\
Exit codes:
  0  the run was told
  2  wrong usage, or it cannot be asked of this run; several runs and no --run
  5  the run does not answer
  6  there is no such run, or it ends";

/// Lets a run go on that was paused
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor continue [--run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
struct ContinueFlags {
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `continue`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<ContinueFlags>(NAME, words)?
        .map(|flags| SteeringCommand { choice: flags.choice, what: Steering::Continue }))
}
