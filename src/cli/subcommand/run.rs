//! `supervisor run [OPTIONS] -- COMMAND [ARG]...`: one command, run to its end.

use super::super::error::UsageError;
use super::super::parser::{self, Typed};
use super::super::separators::quoted_word;
use super::super::values;
use crate::model::text::escaped;
use crate::model::time::Duration;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use std::ffi::OsString;

pub const NAME: &str = "run";
pub const ABOUT: &str = "One command, its process group ended with it, its exit code passed on.";

const USAGE: &str = "supervisor run [OPTIONS] -- COMMAND [ARG]...";

const AFTER: &str = "\
COMMAND has the terminal, stdin, stdout and stderr of the caller. No shell takes part: for a script,
supervisor run -- sh -c SCRIPT. When COMMAND ends, so does what it has left in its process group;
if the supervisor is killed, all of them end.

Signals: INT, TERM, QUIT, HUP, USR1 and USR2 are passed on to COMMAND. The second INT or TERM ends
it as the timeout does (TERM, after 350 ms KILL), the third one by KILL.

Exit codes:
  N        COMMAND's own
  2        wrong usage; nothing was started
  5        the object of --output json could not be written
  124      --timeout passed
  125      the supervisor itself failed
  126,127  COMMAND not executable, not found
  128+N    COMMAND was ended by signal N, which ends the supervisor too";

/// The flags in front of `--`.
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Debug, Parser)]
#[command(about = ABOUT, override_usage = USAGE, after_help = AFTER)]
struct RunFlags {
    /// How long an attempt may take; then its process group is ended [no limit]
    #[arg(long, value_name = "D", value_parser = values::limit, allow_hyphen_values = true)]
    timeout: Option<Duration>,
    /// Further attempts if it fails: an exit code, a signal, the timeout [0]
    #[arg(long, value_name = "N", value_parser = values::count_u32, allow_hyphen_values = true)]
    retries: Option<u32>,
    /// json: collect its output, and write one object about it to stdout
    #[arg(long, value_name = "MODE", value_parser = PossibleValuesParser::new(["json"]), hide_possible_values = true)]
    output: Option<String>,
}

/// What `run` is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct RunCommand {
    /// Not empty.
    pub command: Vec<OsString>,
    pub timeout: Option<Duration>,
    pub retries: u32,
    /// `--output json`.
    pub json: bool,
}

/// Reads the words behind `run`.
///
/// # Errors
/// They are wrong, or there is no command.
pub fn read(words: &[OsString]) -> Result<Typed<RunCommand>, UsageError> {
    let separator = words.iter().position(|word| word == "--");
    let (flags, command) = separator.map_or((words, &[][..]), |at| (&words[..at], &words[at + 1..]));
    let typed = parser::read_subcommand::<RunFlags>(NAME, flags).map_err(|error| match error {
        UsageError::StrayWordOf { word, .. } if separator.is_none() => with_separator(word, words),
        error => error,
    })?;
    Ok(match typed {
        Typed::Show(text) => Typed::Show(text),
        Typed::Flags(_) if command.is_empty() => return Err(UsageError::RunNoCommand),
        Typed::Flags(RunFlags { timeout, retries, output }) => Typed::Flags(RunCommand {
            command: command.to_vec(),
            timeout,
            retries: retries.unwrap_or(0),
            json: output.is_some(),
        }),
    })
}

/// The error about the first word that is no flag, with the command line as it was meant.
fn with_separator(word: String, words: &[OsString]) -> UsageError {
    let at = words.iter().position(|typed| *typed == *word).unwrap_or(0);
    let (flags, command) = words.split_at(at);
    let shown = |words: &[OsString]| words.iter().map(|word| format!(" {}", quoted_word(word))).collect::<String>();
    let corrected = format!("supervisor run{} --{}", shown(flags), shown(command));
    UsageError::NoSeparator { word, corrected: escaped(&corrected).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Parsed, parse};
    use super::super::Subcommand;
    use super::*;
    use crate::model::builder::Host;

    fn parsed(typed: &str) -> Result<Parsed, UsageError> {
        let host = Host { cores: 1, cores_why: None, seed: 0, run_id: "run".into() };
        parse(typed.split_whitespace().map(OsString::from), &host)
    }

    fn command(typed: &str) -> RunCommand {
        match parsed(typed) {
            Ok(Parsed::Subcommand(Subcommand::Run(command))) => command,
            other => panic!("{typed}: {other:?}"),
        }
    }

    #[test]
    fn what_stands_behind_the_separator_is_the_command_whatever_it_is() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        for tail in ["echo", "echo -- ::: a", "-x --timeout 3", "run -- run"] {
            assert_eq!(command(&format!("run -- {tail}")).command, words(tail));
        }
        let all = command("run --retries 1 --timeout 1.5s --retries=2 --output json -- true");
        assert_eq!((all.timeout, all.retries, all.json), (Some(Duration::from_millis(1500)), 2, true));
        assert_eq!((command("run -- true").timeout, command("run -- true").json), (None, false));
    }

    #[test]
    fn a_word_is_a_subcommand_only_as_the_first_one() {
        assert!(matches!(parsed("-- run"), Ok(Parsed::Run(_))));
        assert!(matches!(parsed("::: run"), Ok(Parsed::Run(_))));
        let stray = UsageError::NoSeparator { word: "run".into(), corrected: "supervisor -j2 -- run x".into() };
        assert_eq!(parsed("-j2 run x").unwrap_err(), stray);
    }

    #[test]
    fn wrong_words_get_a_line_with_the_remedy() {
        let no_command = "supervisor run needs a command; give one behind --: supervisor run -- COMMAND [ARG]...";
        for (typed, line) in [
            ("run", no_command),
            ("run --", no_command),
            ("run --timeout 3", no_command),
            (
                "run --retries 3 echo a;b",
                "unexpected word \"echo\"; a command goes behind --: supervisor run --retries 3 -- echo 'a;b'",
            ),
            ("run echo -- a", "unexpected word \"echo\"; see supervisor run --help"),
            ("run --jobs 3 -- a", "unexpected argument '--jobs' found; see supervisor run --help"),
            ("run --retries -1 -- a", "invalid value '-1' for '--retries <N>': not a whole number of 0 or more"),
            ("run --output xml -- a", "invalid value 'xml' for '--output <MODE>' [possible values: json]"),
            ("run --timeout -- a", "a value is required for '--timeout <D>' but none was supplied"),
        ] {
            assert_eq!(parsed(typed).unwrap_err().to_string(), line, "{typed}");
        }
    }
}
