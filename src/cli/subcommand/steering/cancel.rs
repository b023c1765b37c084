//! `supervisor cancel`: what was typed.

use super::{EXIT_CODES, Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "cancel";
pub const ABOUT: &str = "Gives an item of a run up: what works on it is ended, and it is skipped.";

/// Gives an item up: it is not begun any more, what works on it is ended, and it is skipped. No other item is charged
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor cancel ITEM [--run PID] [--output json]", after_help = EXIT_CODES, disable_version_flag = true)]
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
