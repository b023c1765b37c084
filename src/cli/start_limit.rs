//! What `--limit` is given: a command, or one of the words that GNU parallel has a command of its own for.

use super::sizes::{self, SizeError};
use std::ffi::OsString;

/// What limits starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartLimit {
    /// A script of the shell that is asked.
    Script(OsString),
    /// `mem SIZE`: what `--memfree SIZE` does.
    Memory(u64),
    /// `load N`: processes start while at most N threads run.
    Load(u32),
}

/// Why a text is no limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartLimitError {
    #[error("write it as mem SIZE, such as mem 2G")]
    Memory,
    #[error(transparent)]
    Size(#[from] SizeError),
    #[error("write it as load N, such as load 4")]
    Load,
    #[error("io N is not here; give a command that looks at the disks and exits with 0 or 1")]
    Disks,
}

/// Reads the value of `--limit`.
///
/// # Errors
/// It begins with a word of GNU parallel's and goes on in another way.
pub fn parse(text: OsString) -> Result<StartLimit, StartLimitError> {
    let words: Vec<&str> = text.to_str().map(|text| text.split(char::is_whitespace).collect()).unwrap_or_default();
    match words.as_slice() {
        ["mem", size] => Ok(StartLimit::Memory(sizes::parse(size, u64::MAX)?)),
        ["mem", ..] => Err(StartLimitError::Memory),
        ["load", threads] => threads.parse().map(StartLimit::Load).map_err(|_| StartLimitError::Load),
        ["load", ..] => Err(StartLimitError::Load),
        ["io", ..] => Err(StartLimitError::Disks),
        _ => Ok(StartLimit::Script(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_words_have_a_meaning_of_their_own() {
        assert_eq!(parse("mem 2K".into()), Ok(StartLimit::Memory(2048)));
        assert_eq!(parse("load 4".into()), Ok(StartLimit::Load(4)));
        for text in ["", "true", " mem 2K", "memory 2K", "./load 4", "loader"] {
            assert_eq!(parse(text.into()), Ok(StartLimit::Script(text.into())), "{text}");
        }
        for text in ["mem", "mem 1 2", "mem x", "mem 0", "load", "load -1", "load 1 2", "load x", "io", "io 10"] {
            assert!(parse(text.into()).is_err(), "{text}");
        }
    }
}
