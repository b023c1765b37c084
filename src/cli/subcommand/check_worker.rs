//! `supervisor check-worker [OPTIONS] -- COMMAND [ARG]...`: whether a program is a worker.

use super::super::error::UsageError;
use super::super::parser::{self, Typed};
use super::super::values;
use crate::model::spec::ProtocolKind;
use crate::model::time::Duration;
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::ffi::OsString;

pub const NAME: &str = "check-worker";
pub const ABOUT: &str = "Whether a program keeps the protocol of workers, in words.";

const USAGE: &str = "supervisor check-worker [OPTIONS] -- COMMAND [ARG]... [::: ITEM...]";

const AFTER: &str = "\
COMMAND is started a few times, gets items one at a time and several ahead, and has to end when its
input ends. The items are the numbers 1 to 10, or those behind :::, which it should understand: an
item that fails is an answer too, where the protocol has errors.

Exit codes: 0, it keeps the protocol; 1, it does not; 2, wrong usage; 126, 127, COMMAND cannot be
executed, is not there.";

/// How long an answer may take, unless it is said.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a program keeps the protocol of workers that stay, in words
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Debug, Parser)]
#[command(override_usage = USAGE, after_help = AFTER)]
struct CheckFlags {
    /// lines, json or frames [lines]
    #[arg(
        long,
        value_name = "PROTOCOL",
        value_parser = PossibleValuesParser::new(ProtocolKind::ALL.map(ProtocolKind::name)).map(|name| named(&name)),
        hide_possible_values = true
    )]
    protocol: Option<ProtocolKind>,
    /// How long an answer may take [5s]
    #[arg(long, value_name = "D", value_parser = values::limit, allow_hyphen_values = true)]
    timeout: Option<Duration>,
}

/// What is to be checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckWorker {
    /// Not empty.
    pub command: Vec<OsString>,
    pub protocol: ProtocolKind,
    pub timeout: Duration,
    /// `None`: the numbers 1 to 10.
    pub items: Option<Vec<OsString>>,
}

/// The parser takes no other name.
fn named(name: &str) -> ProtocolKind {
    ProtocolKind::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or(ProtocolKind::Lines)
}

/// Reads the words behind `check-worker`.
///
/// # Errors
/// They are wrong, or there is no command.
pub fn read(words: &[OsString]) -> Result<Typed<CheckWorker>, UsageError> {
    let (flags, rest) = split(words, "--");
    let (command, items) = split(rest.unwrap_or_default(), ":::");
    Ok(match parser::read_subcommand::<CheckFlags>(NAME, flags)? {
        Typed::Show(text) => Typed::Show(text),
        Typed::Flags(_) if command.is_empty() => return Err(UsageError::CheckNoCommand),
        Typed::Flags(CheckFlags { protocol, timeout }) => Typed::Flags(CheckWorker {
            command: command.to_vec(),
            protocol: protocol.unwrap_or(ProtocolKind::Lines),
            timeout: timeout.unwrap_or(TIMEOUT),
            items: items.map(<[OsString]>::to_vec),
        }),
    })
}

/// The words before and behind the first `separator`.
fn split<'a>(words: &'a [OsString], separator: &str) -> (&'a [OsString], Option<&'a [OsString]>) {
    match words.iter().position(|word| word == separator) {
        Some(at) => (&words[..at], Some(&words[at + 1..])),
        None => (words, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(typed: &str) -> Result<CheckWorker, String> {
        let words: Vec<OsString> = typed.split_whitespace().map(OsString::from).collect();
        match read(&words).map_err(|error| error.to_string())? {
            Typed::Flags(check) => Ok(check),
            Typed::Show(text) => Err(text),
        }
    }

    #[test]
    fn a_command_and_perhaps_items_stand_behind_the_separator() {
        let check = checked("-- sed -u s/a/b/").unwrap();
        assert_eq!((check.command.len(), check.protocol, check.items), (3, ProtocolKind::Lines, None));
        let check = checked("--protocol json --timeout 1s -- ./w -- x ::: a b").unwrap();
        assert_eq!((check.command.len(), check.protocol), (3, ProtocolKind::Json));
        assert_eq!((check.timeout, check.items.unwrap().len()), (Duration::from_secs(1), 2));
    }

    #[test]
    fn wrong_words_are_refused() {
        assert!(checked("").unwrap_err().starts_with("supervisor check-worker needs a command"));
        assert!(checked("--protocol exec -- x").unwrap_err().contains("invalid value 'exec'"));
        assert!(checked("cat").unwrap_err().contains("unexpected word \"cat\""));
    }
}
