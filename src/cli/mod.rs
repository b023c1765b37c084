//! Floor 4: the command line.
//!
//! Three steps, each with its file: [`separators`] cuts what was typed into flags, command and input;
//! [`args`] reads the flags, exactly as typed; [`resolve`] says what is meant, as a checked
//! [`Config`](crate::model::config::Config).
//!
//! Invariant: nothing here opens a file, starts a process or writes. The same words and the same
//! [`Surroundings`] give the same answer, and no words make it panic.

pub mod args;
pub mod durations;
pub mod error;
mod help;
pub mod numbers;
pub mod resolve;
pub mod separators;
pub mod sizes;
pub mod values;

pub use error::UsageError;
pub use resolve::{Invocation, Surroundings};

use args::Typed;
use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a command line asks for.
#[derive(Debug)]
pub enum Parsed {
    Run(Box<Invocation>),
    /// A text for stdout instead of a run: help or version.
    Show(String),
}

/// Reads a command line, given without the program's name.
///
/// # Errors
/// Wrong usage: the text names the thing and the remedy.
pub fn parse(typed: impl IntoIterator<Item = OsString>, here: &Surroundings) -> Result<Parsed, UsageError> {
    let parts = separators::split(typed)?;
    match args::parse(&parts.flags)? {
        Typed::Show(text) => Ok(Parsed::Show(text)),
        Typed::Args(args) => Ok(Parsed::Run(Box::new(resolve::resolve(&args, parts.command, parts.input, here)?))),
    }
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        // The standard library draws the keys of its hash maps from the system's randomness: enough for jitter.
        let seed = RandomState::new().hash_one("seed");
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        Self { cores, seed, run_id: format!("{now_ns:x}-{:x}", std::process::id()) }
    }
}
