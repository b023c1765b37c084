//! `supervisor why`: what was typed.

use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "why";
pub const ABOUT: &str = "The story of one item of a run, from its trace: what it waited for, and why.";

const AFTER: &str = "\
FILE is written by `supervisor --trace FILE ...`; with --trace-items the times of each item are known.
A trace that is still being written is shown as far as it goes.
Exit code 2: FILE is no trace, or does not have the item.";

/// Tells the story of one item: where it came from, what it waited for, which worker it was given to and why, what each
/// part took, and what became of each attempt
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor why FILE ITEM", after_help = AFTER, disable_version_flag = true)]
pub struct WhyFlags {
    /// The trace
    pub file: PathBuf,
    /// The item's number, from 0
    pub item: u64,
}

/// Reads the words behind `why`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<WhyFlags>, UsageError> {
    parser::read_subcommand(NAME, words)
}
