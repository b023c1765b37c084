//! `supervisor replay FILE`: the decisions of a run, made again.

use super::super::error::UsageError;
use super::super::parser::{self, Typed};
use super::super::values;
use crate::model::time::Duration;
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "replay";
pub const ABOUT: &str = "The decisions of a run, made again from its trace and compared.";

const AFTER: &str = "\
The scheduler is a pure function of what it is told. replay tells a fresh one the recorded facts, and
compares what it orders with what was recorded. With --item, --from or --to it shows the steps.

Exit codes:
  0  every order is the same
  1  an order differs; the step is named
  2  FILE is no trace";

/// What is run again.
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(about = ABOUT, after_help = AFTER)]
pub struct ReplayCommand {
    /// The trace
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Show the steps about item N, from 0
    #[arg(long, value_name = "N", value_parser = values::count_u64, allow_hyphen_values = true)]
    pub item: Option<u64>,
    /// Show the steps from this time of the run on
    #[arg(long, value_name = "D", value_parser = values::duration, allow_hyphen_values = true)]
    pub from: Option<Duration>,
    /// Show the steps up to this time
    #[arg(long, value_name = "D", value_parser = values::duration, allow_hyphen_values = true)]
    pub to: Option<Duration>,
}

/// Reads the words behind `replay`.
///
/// # Errors
/// They are wrong.
pub fn read(words: &[OsString]) -> Result<Typed<ReplayCommand>, UsageError> {
    parser::read_subcommand(NAME, words)
}
