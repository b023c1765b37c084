//! Reads words as GNU parallel's parser does: options up to the first word that is none, short ones in bundles, long ones
//! shortened as far as they stay clear.

use super::error::ParallelError;
use super::options::{OPTIONS, ParallelOption, Takes};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// An option that was typed, with its value.
pub struct GivenOption {
    pub option: &'static ParallelOption,
    pub value: Option<OsString>,
}

/// Cuts the options off the front of `words`. Returns them, and the words behind.
///
/// # Errors
/// A word begins like an option and is none, or its value is missing.
pub fn split(words: &[OsString]) -> Result<(Vec<GivenOption>, &[OsString]), ParallelError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let bytes = word.as_bytes();
        at += 1;
        if bytes == b"--" {
            break;
        }
        if let Some(long) = bytes.strip_prefix(b"--") {
            let (name, attached) = match long.iter().position(|byte| *byte == b'=') {
                Some(place) => (&long[..place], Some(OsString::from_vec(long[place + 1..].to_vec()))),
                None => (long, None),
            };
            let option = long_option(name, word)?;
            let value = match (option.takes, attached) {
                (Takes::Nothing, Some(_)) => return Err(ParallelError::NoValue { option: option.shown() }),
                (Takes::Nothing, None) => None,
                (Takes::Value, attached) => Some(value(option, attached, words, &mut at)?),
            };
            found.push(GivenOption { option, value });
        } else if bytes.len() > 1 && bytes[0] == b'-' {
            short_options(word, words, &mut at, &mut found)?;
        } else {
            at -= 1;
            break;
        }
    }
    Ok((found, &words[at.min(words.len())..]))
}

fn short_options(
    word: &OsStr,
    words: &[OsString],
    at: &mut usize,
    found: &mut Vec<GivenOption>,
) -> Result<(), ParallelError> {
    let bytes = word.as_bytes();
    let mut place = 1;
    while let Some(letter) = bytes.get(place) {
        place += 1;
        let name = [*letter];
        let option = OPTIONS.iter().find(|option| option.names.split('|').any(|own| own.as_bytes() == name));
        let option = option.ok_or_else(|| unknown(word))?;
        let value = match option.takes {
            Takes::Nothing => None,
            Takes::Value => {
                let attached = (place < bytes.len()).then(|| OsString::from_vec(bytes[place..].to_vec()));
                place = bytes.len();
                Some(value(option, attached, words, at)?)
            }
        };
        found.push(GivenOption { option, value });
    }
    Ok(())
}

/// The option of a long name, or of its beginning if no other begins so.
fn long_option(name: &[u8], word: &OsStr) -> Result<&'static ParallelOption, ParallelError> {
    let name = name.to_ascii_lowercase();
    let is_long = |own: &&str| own.len() > 1;
    let exact = |option: &&ParallelOption| option.names.split('|').filter(is_long).any(|own| own.as_bytes() == name);
    if let Some(option) = OPTIONS.iter().find(exact) {
        return Ok(option);
    }
    let begins =
        |option: &&ParallelOption| option.names.split('|').filter(is_long).any(|own| own.as_bytes().starts_with(&name));
    let mut options = OPTIONS.iter().filter(begins);
    match (options.next(), options.next()) {
        (Some(option), None) if !name.is_empty() => Ok(option),
        (Some(one), Some(other)) if !name.is_empty() => Err(ParallelError::Ambiguous {
            word: word.to_string_lossy().into_owned(),
            first: one.shown(),
            second: other.shown(),
        }),
        _ => Err(unknown(word)),
    }
}

fn value(
    option: &ParallelOption,
    attached: Option<OsString>,
    words: &[OsString],
    at: &mut usize,
) -> Result<OsString, ParallelError> {
    let next = || {
        *at += 1;
        words.get(*at - 1).cloned()
    };
    attached.or_else(next).ok_or_else(|| ParallelError::NeedsValue { option: option.shown() })
}

fn unknown(word: &OsStr) -> ParallelError {
    ParallelError::Unknown { word: word.to_string_lossy().into_owned() }
}
