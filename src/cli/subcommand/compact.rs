//! `supervisor compact`: what was typed.

use crate::cli::choices::{ANSWER_FORMS, AnswerForm, choice};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "compact";
pub const ABOUT: &str = "The same journal in less space, when no run writes it.";

const AFTER: &str = "\
What a run goes on with, the books, and the outcome of each item stay. Left out are the attempts
of items that have their outcome, outcomes that a later one has replaced, and results that were
given away, unless the run was to keep them (--journal-results). The new file is synced before
it takes the place of the old one; until then JOURNAL is the old one, whatever happens.

Exit codes:
  0  JOURNAL takes less space now, or takes as little as it can
  2  wrong usage
  4  the new file cannot be written; JOURNAL stays as it is
  6  JOURNAL is in use, damaged, no journal, a symbolic link or a folder, or cannot be read";

/// Writes a journal anew without the records that nothing needs any more
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor compact JOURNAL [--output json]", after_help = AFTER, disable_version_flag = true)]
pub struct CompactFlags {
    /// The journal
    #[arg(value_name = "JOURNAL")]
    pub file: PathBuf,
    /// text: one line; json: one object [text]
    #[arg(long, value_name = "FORM", value_parser = choice(&ANSWER_FORMS), hide_possible_values = true)]
    pub output: Option<AnswerForm>,
}

/// Reads the words behind `compact`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<CompactFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
