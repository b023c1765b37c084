//! `supervisor audit`: what was typed.

use crate::cli::choices::{ANSWER_FORMS, AnswerForm, choice};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "audit";
pub const ABOUT: &str = "Whether the books of a journal balance, and whether all of it can be read.";

const AFTER: &str = "\
The books balance if accepted = done + failed + dead + skipped + in flight, and if no record
contradicts another one. In flight is what was accepted and has no outcome yet. The journal of
a run that goes on is read as far as it goes. A torn end is what a crash leaves, and no fault.

With --repair, what is whole takes the place of a damaged JOURNAL, and the damaged file is kept
as JOURNAL.damaged (.2 and so on). What is lost is said. An item whose outcome may be lost runs
again; none is done without a whole record of that.

Exit codes:
  0  the books balance; with --repair: they do now
  1  they do not, or the journal is damaged before its end
  2  wrong usage
  4  the repaired journal cannot be written; JOURNAL stays as it is
  6  JOURNAL is no journal, is a symbolic link or a folder, or cannot be read; with --repair also:
     it is in use, or its first record is lost";

/// Reads a whole journal, and checks that each record can be true
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor audit JOURNAL [--repair] [--output json]", after_help = AFTER, disable_version_flag = true)]
pub struct AuditFlags {
    /// The journal
    #[arg(value_name = "JOURNAL")]
    pub file: PathBuf,
    /// Keep what is whole of a damaged journal, and say what is lost
    #[arg(long)]
    pub repair: bool,
    /// text: a table and the faults; json: one object [text]
    #[arg(long, value_name = "FORM", value_parser = choice(&ANSWER_FORMS), hide_possible_values = true)]
    pub output: Option<AnswerForm>,
}

/// Reads the words behind `audit`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<AuditFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
