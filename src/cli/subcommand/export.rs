//! `supervisor export`: what was typed.

use crate::cli::choices::choice;
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "export";
pub const ABOUT: &str = "A trace as a file for a viewer of timelines.";

const AFTER: &str = "\
FILE is written by `supervisor --trace FILE ...`; with --trace-items each item has its own slice.
A trace that is still being written is exported as far as it goes.

Formats:
  perfetto  trace event JSON, for https://ui.perfetto.dev and chrome://tracing

Exit code 2: FILE is no trace.";

/// Writes a trace for a viewer of timelines: a row for each process with what it worked on, the messages with arrows from
/// the dispatch to the work to the result, signals and deaths, and how many items are queued and in flight
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(after_help = AFTER, disable_version_flag = true)]
pub struct ExportFlags {
    /// The trace
    pub file: PathBuf,
    /// perfetto [perfetto]
    #[arg(long, value_name = "FORMAT", value_parser = choice(&FORMATS), hide_possible_values = true)]
    pub format: Option<ExportFormat>,
    /// Write to FILE instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The form of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    #[default]
    Perfetto,
}

const FORMATS: [(&str, ExportFormat); 1] = [("perfetto", ExportFormat::Perfetto)];

/// Reads the words behind `export`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<ExportFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
