//! `supervisor add`: what was typed.

use super::{EXIT_CODES, Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use clap::builder::OsStringValueParser;
use std::ffi::OsString;

pub const NAME: &str = "add";
pub const ABOUT: &str = "Adds items to a run with --keep-open.";

/// Adds items to the queue of a run that was started with --journal and --keep-open, as `supervisor queue JOURNAL add` does, and prints their numbers
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor add [--null] [--] [ITEM]... [--run PID] [--output json]", after_help = EXIT_CODES, disable_version_flag = true)]
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
