//! `supervisor show`: what was typed.

use crate::cli::choices::{ANSWER_FORMS, AnswerForm, choice};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "show";
pub const ABOUT: &str = "The story of one item, from a journal: its attempts, its outcome, its output.";

const AFTER: &str = "\
Times are in seconds since the start of the session that they stand in.
Exit code 2: JOURNAL does not have the item; 6: it is no journal, or cannot be read.";

/// Tells what a journal has of one item: when it was accepted, each attempt and what ended it, its outcome, the
/// beginning of its output, and whether that was given away
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor show JOURNAL ITEM [--output json]", after_help = AFTER, disable_version_flag = true)]
pub struct ShowFlags {
    /// The journal
    #[arg(value_name = "JOURNAL")]
    pub file: PathBuf,
    /// The item's number, from 0
    #[arg(value_name = "ITEM")]
    pub item: u64,
    /// text: a sentence a line; json: one object [text]
    #[arg(long, value_name = "FORM", value_parser = choice(&ANSWER_FORMS), hide_possible_values = true)]
    pub output: Option<AnswerForm>,
}

/// Reads the words behind `show`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<ShowFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
