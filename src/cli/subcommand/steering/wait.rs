//! `supervisor wait`: what was typed.

use super::{Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "wait";
pub const ABOUT: &str = "Waits until a run has ended, and ends with its exit code.";

const AFTER: &str = "\
Exit codes: those of the run;
  2    wrong usage; several runs and no --run
  5    the run ended without a word, or does not answer
  6    there is no such run";

/// Waits until a run has ended, and ends with the exit code that a shell sees of it: 130 where INT ended it
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor wait [--run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
struct WaitFlags {
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `wait`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<WaitFlags>(NAME, words)?
        .map(|flags| SteeringCommand { choice: flags.choice, what: Steering::Wait }))
}
