//! `supervisor stop`: what was typed.

use super::{EXIT_CODES, Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "stop";
pub const ABOUT: &str = "Ends a run as a signal does, more firmly each time.";

/// Ends a run as INT and TERM do, more firmly each time: the first drains it, the second ends its workers, the third kills them
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor stop [--now | --kill] [--run PID] [--output json]", after_help = EXIT_CODES, disable_version_flag = true)]
struct StopFlags {
    /// End the workers at once, by their term sequence
    #[arg(long, conflicts_with = "kill")]
    now: bool,
    /// Kill the workers at once
    #[arg(long)]
    kill: bool,
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `stop`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<StopFlags>(NAME, words)?.map(|flags| SteeringCommand {
        choice: flags.choice,
        what: match (flags.now, flags.kill) {
            (_, true) => Steering::KillAll,
            (true, false) => Steering::Terminate,
            (false, false) => Steering::Stop,
        },
    }))
}
