//! `supervisor status`: what was typed.

use crate::cli::choices::{ANSWER_FORMS, AnswerForm, choice};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "status";
pub const ABOUT: &str = "How far a run has come: one that runs, or one from its journal.";

const AFTER: &str = "\
In flight is what was accepted and has no outcome yet. The rate is that of the present session,
or of the last one. Without JOURNAL it is the state of the run that `supervisor ps` shows.
Exit code 2: there are several; 5: the run does not answer; 6: JOURNAL is no journal, or cannot be
read; there is no such run.";

/// Shows how far a run has come, whether a process writes the journal at the moment, and how it ended
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor status [JOURNAL | --run PID] [--output json]", after_help = AFTER, disable_version_flag = true)]
pub struct StatusFlags {
    /// The journal; without it, the run that is running
    #[arg(value_name = "JOURNAL", conflicts_with = "run")]
    pub file: Option<PathBuf>,
    /// The run, by the pid of its supervisor, if there are several
    #[arg(long, value_name = "PID")]
    pub run: Option<u32>,
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
