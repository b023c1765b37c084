//! `supervisor kill`: what was typed.

use super::{EXIT_CODES, Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use crate::model::signal::Signal;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "kill";
pub const ABOUT: &str = "Sends a signal to one worker of a run; its items go to others.";

/// Sends a signal to the process of one worker, and to its process group. What it leads to is what the same signal from anywhere else leads to
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor kill WORKER [--signal S] [--run PID] [--output json]", after_help = EXIT_CODES, disable_version_flag = true)]
struct KillFlags {
    /// The number of the worker, as `supervisor ps` shows it, or the pid of its process
    #[arg(value_name = "WORKER")]
    worker: u32,
    /// The signal, by name or number: KILL, STOP, CONT, 10 [TERM]
    #[arg(long, short, value_name = "S", value_parser = signal)]
    signal: Option<Signal>,
    #[command(flatten)]
    choice: RunChoice,
}

fn signal(text: &str) -> Result<Signal, UsageError> {
    Signal::parse(text).ok_or_else(|| UsageError::NoSignal { name: text.to_owned() })
}

/// Reads the words behind `kill`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<KillFlags>(NAME, words)?.map(|flags| SteeringCommand {
        choice: flags.choice,
        what: Steering::Kill { worker: flags.worker, signal: flags.signal.unwrap_or(Signal::TERM) },
    }))
}
