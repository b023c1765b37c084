//! `supervisor restart`: what was typed.

use super::{EXIT_CODES, Steering, SteeringCommand};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use crate::cli::run_choice::RunChoice;
use clap::Parser;
use std::ffi::OsString;

pub const NAME: &str = "restart";
pub const ABOUT: &str = "Replaces the processes of workers that stay; nothing is lost.";

/// Replaces the process of a worker, or of all, one after another: the next one is ready before the last one leaves, and no item is lost or charged
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(override_usage = "supervisor restart [WORKER] [--run PID] [--output json]", after_help = EXIT_CODES, disable_version_flag = true)]
struct RestartFlags {
    /// The number of the worker, or the pid of its process; all of them without it
    #[arg(value_name = "WORKER")]
    worker: Option<u32>,
    #[command(flatten)]
    choice: RunChoice,
}

/// Reads the words behind `restart`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<SteeringCommand>, UsageError> {
    Ok(parser::read_subcommand::<RestartFlags>(NAME, words)?
        .map(|flags| SteeringCommand { choice: flags.choice, what: Steering::Restart { worker: flags.worker } }))
}
