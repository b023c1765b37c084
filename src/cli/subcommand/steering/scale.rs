//! `supervisor scale`: what was typed.

use super::ScaleTo;
use super::{EXIT_CODES, Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "scale";
pub const ABOUT: &str = "Changes the number of workers of a run.";

/// Goes on with another number of workers. A worker that is removed finishes its item first; no item is lost or charged
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor scale N|+N|-N [--run PID] [--output json]", after_help = EXIT_CODES, disable_version_flag = true)]
struct ScaleFlags {
    /// So many workers; +N or -N: so many more, or fewer
    #[arg(value_name = "N", value_parser = scale, allow_hyphen_values = true)]
    scale: ScaleTo,
    #[command(flatten)]
    choice: RunChoice,
}

fn scale(text: &str) -> Result<ScaleTo, UsageError> {
    let wrong = || UsageError::Scale { text: text.to_owned() };
    let number = |digits: &str| digits.parse::<u32>().map_err(|_| wrong());
    match text.as_bytes() {
        [b'+', b'0'..=b'9', ..] => Ok(ScaleTo::By(i64::from(number(&text[1..])?))),
        [b'-', b'0'..=b'9', ..] => Ok(ScaleTo::By(-i64::from(number(&text[1..])?))),
        _ => number(text).ok().filter(|number| *number > 0).map(ScaleTo::Exactly).ok_or_else(wrong),
    }
}

/// Reads the words behind `scale`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<ScaleFlags>(NAME, words)?
        .map(|flags| SteeringCommand { choice: flags.choice, what: Steering::Scale(flags.scale) }))
}
