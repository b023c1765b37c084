//! `supervisor add`: what was typed.

use super::{Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use clap::builder::OsStringValueParser;
use std::ffi::OsString;

pub const NAME: &str = "add";
pub const ABOUT: &str = "Adds items to a run with --keep-open.";

const AFTER: &str = "\
Exit codes:
  0  the run was told
  2  wrong usage, or it cannot be asked of this run; several runs and no --run
  5  the run does not answer
  6  there is no such run, or it ends";

/// Adds items to the queue of a run that was started with --journal and --keep-open, as `supervisor queue JOURNAL add` does, and prints their numbers
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor add [--null] [--] [ITEM]... [--run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
struct AddFlags {
    /// The items; without any, those of stdin, a line each
    #[arg(value_name = "ITEM", value_parser = OsStringValueParser::new())]
    items: Vec<OsString>,
    /// A NUL ends an item of stdin, not a newline
    #[arg(short = '0', long, conflicts_with = "items")]
    null: bool,
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `add`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<AddFlags>(NAME, words)?.map(|flags| SteeringCommand {
        choice: flags.choice,
        what: Steering::Add { items: flags.items, null: flags.null },
    }))
}
