//! `supervisor tour`: exactly what was typed behind it.

use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use std::ffi::OsString;

pub const NAME: &str = "tour";
pub const ABOUT: &str = "Lessons on processes and threads, really run and measured.";

const AFTER: &str = "\
A lesson starts real processes, shows and measures them, and checks its own claims.
Exit codes: 0, every claim holds; 1, one does not; 2, there is no such lesson.";

/// Lessons on processes, threads, queues, signals and crashes, really run and measured on this machine
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor tour [LESSON|all] [OPTIONS]", after_help = AFTER)]
pub struct TourFlags {
    /// The lesson; all: every one; without it the lessons are listed
    pub lesson: Option<String>,
    /// The language: en or ko [by LANG]
    #[arg(long, value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(["en", "ko"]), hide_possible_values = true)]
    pub lang: Option<String>,
    /// Go on without waiting for Enter
    #[arg(long)]
    pub auto: bool,
    /// text, or json: the measured values alone, one object for each lesson [text]
    #[arg(long, value_name = "FORM", value_parser = PossibleValuesParser::new(["text", "json"]), hide_possible_values = true)]
    pub output: Option<String>,
}

/// Reads the words behind `tour`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<TourFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
