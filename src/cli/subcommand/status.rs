//! `supervisor status`: what was typed.

use crate::cli::choices::{ANSWER_FORMS, AnswerForm, choice};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "status";
pub const ABOUT: &str = "How far a run has come, from its journal, and whether it goes on at the moment.";

const AFTER: &str = "\
In flight is what was accepted and has no outcome yet. The rate is that of the present session,
or of the last one. Exit code 6: JOURNAL is no journal, or cannot be read.";

/// Shows how far a run has come, whether a process writes the journal at the moment, and how it ended
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor status JOURNAL [--output json]", after_help = AFTER, disable_version_flag = true)]
pub struct StatusFlags {
    /// The journal
    #[arg(value_name = "JOURNAL")]
    pub file: PathBuf,
    /// text: a table and sentences; json: one object [text]
    #[arg(long, value_name = "FORM", value_parser = choice(&ANSWER_FORMS), hide_possible_values = true)]
    pub output: Option<AnswerForm>,
}

/// Reads the words behind `status`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<StatusFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
