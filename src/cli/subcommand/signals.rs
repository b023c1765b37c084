//! `supervisor signals`: what was typed.

use crate::cli::choices::{ANSWER_FORMS, AnswerForm, choice};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "signals";
pub const ABOUT: &str = "What each signal does, and what a run and its workers do with it now.";

const AFTER: &str = "\
Without --run, each supervisor of this user is shown that runs at the moment. What is shown of a
process is what /proc says of it: signals that are handled, ignored, blocked, or pending.

Exit codes:
  0  shown
  2  wrong usage
  6  no supervisor of this user has that pid";

/// Shows what each signal to a supervisor does, and what is true for those that run
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor signals [--run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
pub struct SignalsFlags {
    /// The supervisor of this pid alone
    #[arg(long, value_name = "PID")]
    pub run: Option<u32>,
    /// text: a table and a paragraph for each process; json: one object [text]
    #[arg(long, value_name = "FORM", value_parser = choice(&ANSWER_FORMS), hide_possible_values = true)]
    pub output: Option<AnswerForm>,
}

/// Reads the words behind `signals`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SignalsFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
