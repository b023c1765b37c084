//! Floor 4: the command line.
//!
//! Three steps, one file each: [`separators`] cuts what was typed into flags, command and input; [`args`] reads the
//! flags exactly as typed; [`resolve`] turns them into the settings of a checked
//! [`Config`](crate::model::config::Config). A first word that names a [`subcommand`] goes to the parser of that one.
//!
//! Invariant: nothing here opens a file, starts a process, writes or asks the system. The same words and the same
//! [`Host`] give the same answer, and no words make it panic.

pub mod args;
mod choices;
pub mod error;
mod flag_errors;
pub mod habits;
mod help;
mod job_log_flags;
mod journal_flags;
pub mod parallel;
pub mod parser;
pub mod resolve;
pub mod run_choice;
pub mod separators;
pub mod sizes;
pub mod start_limit;
pub mod subcommand;
pub mod values;
mod worker_log;

pub use choices::AnswerForm;
pub use error::UsageError;
pub use resolve::Invocation;

pub use crate::model::text::escaped;

use crate::model::builder::Host;
use parser::Typed;
use separators::{GivenInput, Parts, quoted_word};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use subcommand::Subcommand;

/// What a command line asks for.
#[derive(Debug)]
pub enum Parsed {
    Run(Box<Invocation>),
    Subcommand(Subcommand),
    /// A text for stdout instead of a run: help or version.
    Show(String),
}

/// Reads a command line, given without the program's name.
///
/// # Errors
/// Wrong usage; the text names the flag and the remedy.
pub fn parse(typed: impl IntoIterator<Item = OsString>, host: &Host) -> Result<Parsed, UsageError> {
    parse_with_log(typed, host, None)
}

/// The file that a command line goes on with, if it names one: a journal, or a joblog.
#[must_use]
pub fn resumed_file(typed: &[OsString]) -> Option<PathBuf> {
    // To read flags twice takes time.
    let is_asked = typed.iter().any(|word| word.as_bytes().starts_with(b"--resume"));
    if !is_asked || typed.first().is_some_and(|first| subcommand::named(first).is_some()) {
        return None;
    }
    match args::parse(&separators::split(typed.iter().cloned()).ok()?.flags) {
        Ok(Typed::Flags(flags)) => job_log_flags::resumed_file(&flags),
        _ => None,
    }
}

/// [`parse`], where the file of [`resumed_file`] is a joblog with this content.
///
/// # Errors
/// As of [`parse`].
pub fn parse_with_log(
    typed: impl IntoIterator<Item = OsString>,
    host: &Host,
    log: Option<&[u8]>,
) -> Result<Parsed, UsageError> {
    let mut typed = typed.into_iter().peekable();
    if let Some(row) = typed.peek().and_then(|first| subcommand::named(first)) {
        let words: Vec<OsString> = typed.skip(1).collect();
        return Ok(match (row.read)(&words)? {
            Typed::Flags(subcommand) => Parsed::Subcommand(subcommand),
            Typed::Show(text) => Parsed::Show(text),
        });
    }
    let parts = separators::split(typed)?;
    let typed = args::parse(&parts.flags).map_err(|error| match error {
        UsageError::StrayWord(word) if parts.command.is_empty() => with_separator(word, &parts),
        error => error,
    })?;
    match typed {
        Typed::Show(text) => Ok(Parsed::Show(text)),
        Typed::Flags(mut flags) => {
            let earlier = log.map(|log| job_log_flags::resume(&mut flags, log)).transpose()?;
            Ok(Parsed::Run(Box::new(resolve::resolve(&flags, parts.command, parts.inputs, host, earlier)?)))
        }
    }
}

/// The error about a word in the place of a flag, with the command line as it was meant.
fn with_separator(word: String, parts: &Parts) -> UsageError {
    // The same word may stand before it as the value of a flag: what is in front of the first stray word is complete.
    let is_stray = |at: &usize| parts.flags[*at] == *word && args::parse(&parts.flags[..*at]).is_ok();
    let Some(at) = (0..parts.flags.len()).find(is_stray) else { return UsageError::StrayWord(word) };
    let mut words = vec!["supervisor".to_owned()];
    let shown = |typed: &OsString| quoted_word(typed);
    words.extend(parts.flags[..at].iter().map(shown));
    words.push("--".to_owned());
    words.extend(parts.flags[at..].iter().map(shown));
    for input in &parts.inputs {
        words.push(input.separator().to_owned());
        match &input.what {
            GivenInput::Items(items) => words.extend(items.iter().map(shown)),
            GivenInput::Files(files) => words.extend(files.iter().map(|file| quoted_word(file.as_os_str()))),
        }
    }
    UsageError::NoSeparator { word, corrected: escaped(&words.join(" ")).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    /// Words with a meaning at some place, and words that are malformed at another.
    const WORDS: &[&[u8]] = &[
        b"--",
        b":::",
        b"::::",
        b"-",
        b"",
        b"-a",
        b"-0",
        b"-d",
        b"-w",
        b"-j4",
        b"-P",
        b"--jobs=200%",
        b"--items",
        b"--task",
        b"square",
        b"--delay",
        b"1h30m",
        b"--protocol",
        b"exec",
        b"frames",
        b"--queue",
        b"priority",
        b"--credit",
        b"auto",
        b"--block",
        b"1.5M",
        b"--shell",
        b"--stdin",
        b"-t",
        b"-kq",
        b"--tag",
        b"--term-seq",
        b"TERM,200,KILL,25",
        b"KILL,",
        b"--halt",
        b"now,fail=1%",
        b"=,",
        b"--max-restarts",
        b"5/10s",
        b"--backoff",
        b"..",
        b"100ms..10s",
        b"--output",
        b"json",
        b"--exit-code",
        b"--seed",
        b"--help",
        b"-V",
        b"--events",
        b"--joblog",
        b"99999999999999999999",
        b"0",
        b"-1",
        b"%",
        b"1e9",
        "\u{e9}\u{b5}s".as_bytes(),
        "1\u{b5}s".as_bytes(),
        b"\xff",
        b"--\xff",
        b"-\xff",
        b"--task=\xff",
        b"-d\xff",
        b"a\nb",
        b"{}",
        b"-h",
        b"run",
        b":::+",
        b"::::+",
        b"-n",
        b"-X",
        b"--colsep",
        b"--csv",
        b"--header",
        b"--arg-sep",
        b"-I",
        b"--shuf",
        b"-rm",
        b"-s1k",
        b"-L2",
    ];

    /// The next number of a sequence that a seed fixes (xorshift64).
    fn next(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 33) as usize
    }

    #[test]
    fn no_words_make_it_panic_and_every_error_is_one_line() {
        let host = Host { cores: 4, cores_why: None, seed: 0, run_id: "run".into() };
        let (mut state, mut runs, mut errors) = (0x9e37_79b9_7f4a_7c15, 0, 0);
        for _ in 0..3_000 {
            let count = next(&mut state) % 6;
            let typed: Vec<OsString> =
                (0..count).map(|_| OsString::from_vec(WORDS[next(&mut state) % WORDS.len()].to_vec())).collect();
            match parse(typed.clone(), &host) {
                Ok(Parsed::Run(_) | Parsed::Subcommand(_)) => runs += 1,
                Ok(Parsed::Show(text)) => assert!(text.ends_with('\n'), "{typed:?}"),
                Err(error) => {
                    errors += 1;
                    let text = error.to_string();
                    assert!(!text.is_empty() && !text.contains('\n') && !text.contains('\u{1b}'), "{typed:?}: {text}");
                }
            }
        }
        assert!(runs > 300 && errors > 300, "both happen often: {runs} runs, {errors} errors");
    }
}
