//! `supervisor parallel`: what was typed, in the words of GNU parallel.

use crate::cli::error::UsageError;
use crate::cli::parallel::help;
use crate::cli::parser::Typed;
use std::ffi::OsString;

pub const NAME: &str = "parallel";
pub const ABOUT: &str = "GNU parallel's options, defaults, quoting and exit codes; also by that name.";

/// The words, which are read with the profiles that they ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParallelCommand {
    pub words: Vec<OsString>,
}

/// Reads the words behind `parallel`. What is wrong with them is found when they are read with their profiles: the exit code
/// is GNU parallel's then.
///
/// # Errors
/// None.
pub fn read(words: &[OsString]) -> Result<Typed<ParallelCommand>, UsageError> {
    Ok(match help::text_asked_for(words) {
        Ok(Some(text)) => Typed::Show(text),
        Ok(None) | Err(_) => Typed::Flags(ParallelCommand { words: words.to_vec() }),
    })
}
