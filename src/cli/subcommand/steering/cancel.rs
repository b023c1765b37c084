//! `supervisor cancel`: what was typed.

use super::{Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "cancel";
pub const ABOUT: &str = "Gives an item of a run up: what works on it is ended, and it is skipped.";

const AFTER: &str = "\
Exit codes:
  0  the run was told
  2  wrong usage, or it cannot be asked of this run; several runs and no --run
  5  the run does not answer
  6  there is no such run, or it ends";

/// Gives an item up: it is not begun any more, what works on it is ended, and it is skipped. No other item is charged
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor cancel ITEM [--run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
struct CancelFlags {
    /// The number of the item, from 0
    #[arg(value_name = "ITEM")]
    item: u64,
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `cancel`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<CancelFlags>(NAME, words)?
        .map(|flags| SteeringCommand { choice: flags.choice, what: Steering::Cancel { item: flags.item } }))
}
