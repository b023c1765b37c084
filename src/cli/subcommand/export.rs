//! `supervisor export`: what was typed.

use crate::cli::choices::choice;
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "export";
pub const ABOUT: &str = "A trace or a journal in another format: a timeline, a table, a list of items.";

const AFTER: &str = "\
A trace is written by `supervisor --trace FILE ...`; with --trace-items each item has its own
slice. A file that is still being written is exported as far as it goes.

Formats of a trace:
  perfetto   trace event JSON, for https://ui.perfetto.dev and chrome://tracing

Formats of a journal:
  jsonl      one JSON object per item, with the fields of --output json
  csv        the same columns as a table (RFC 4180)
  joblog     the columns of GNU parallel's log, for items that have ended
  failed     the failed and dead items, one a line
  remaining  the items that are not done, read again from the input of the run; where that was
             stdin, from stdin
  junit      JUnit XML, a test case per item

Exit codes:
  1  the journal lacks the text of a failed item, or a part of the journal
  2  FILE is of the other kind or is no trace, or the journal names no input for `remaining`
  6  FILE is no journal, or cannot be read";

/// Writes a trace for a viewer of timelines, with a row for each process, the messages with arrows from the dispatch to
/// the work to the result, signals and deaths; or the items of a journal in another format
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(after_help = AFTER, disable_version_flag = true)]
pub struct ExportFlags {
    /// The trace or the journal
    pub file: PathBuf,
    /// perfetto, jsonl, csv, joblog, failed, remaining or junit [perfetto]
    #[arg(long, value_name = "FORMAT", value_parser = choice(&EXPORT_FORMATS), hide_possible_values = true)]
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
    Journal(JournalFormat),
}

/// The form of what a journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalFormat {
    Jsonl,
    Csv,
    JobLog,
    Failed,
    Remaining,
    Junit,
}

/// The formats with their names.
pub const EXPORT_FORMATS: [(&str, ExportFormat); 7] = [
    ("perfetto", ExportFormat::Perfetto),
    ("jsonl", ExportFormat::Journal(JournalFormat::Jsonl)),
    ("csv", ExportFormat::Journal(JournalFormat::Csv)),
    ("joblog", ExportFormat::Journal(JournalFormat::JobLog)),
    ("failed", ExportFormat::Journal(JournalFormat::Failed)),
    ("remaining", ExportFormat::Journal(JournalFormat::Remaining)),
    ("junit", ExportFormat::Journal(JournalFormat::Junit)),
];

/// Reads the words behind `export`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<ExportFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
