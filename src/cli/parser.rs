//! How the parser of flags is asked, for the main command line and for subcommands alike, and what it answers: the
//! flags, a text to show, or an error on one line.

use super::error::UsageError;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};
use std::ffi::OsString;

/// What words ask for.
#[derive(Debug)]
pub enum Typed<T> {
    Flags(T),
    /// A text for stdout instead: help or version.
    Show(String),
}

impl<T> Typed<T> {
    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Typed<U> {
        match self {
            Self::Flags(flags) => Typed::Flags(to(flags)),
            Self::Show(text) => Typed::Show(text),
        }
    }
}

/// What to say of a word that is no flag, where more is known of it.
pub type AnswerUnknown = fn(&str) -> Option<String>;

/// Reads words by a parser. `help`: what to type for its help.
///
/// # Errors
/// The words do not fit; the text is the parser's, on one line.
pub fn read<T: FromArgMatches>(
    command: clap::Command,
    words: &[OsString],
    help: &str,
    unknown: AnswerUnknown,
) -> Result<Typed<T>, UsageError> {
    let matches = command.no_binary_name(true).try_get_matches_from(words);
    match matches.and_then(|matches| T::from_arg_matches(&matches)) {
        Ok(flags) => Ok(Typed::Flags(flags)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Typed::Show(error.render().to_string())),
            _ => Err(usage_error(&error, help, unknown)),
        },
    }
}

/// Reads the words behind the name of a subcommand.
///
/// # Errors
/// The words do not fit; the text names the subcommand's help.
pub fn read_subcommand<T: CommandFactory + FromArgMatches>(
    name: &'static str,
    words: &[OsString],
) -> Result<Typed<T>, UsageError> {
    read_words_of(T::command(), name, words)
}

/// The same by a parser of several subcommands, with the help of this one.
///
/// # Errors
/// As of [`read_subcommand`].
pub fn read_words_of<T: FromArgMatches>(
    command: clap::Command,
    name: &'static str,
    words: &[OsString],
) -> Result<Typed<T>, UsageError> {
    let full_name = format!("supervisor {name}");
    let command = command.args_override_self(true).max_term_width(100);
    let command = command.display_name(&full_name).bin_name(&full_name);
    read(command, words, &format!("{full_name} --help"), |_| None).map_err(|error| match error {
        UsageError::StrayWord(word) => UsageError::StrayWordOf { subcommand: name, word },
        error => error,
    })
}

/// The parser's text without its usage lines and colours, on one line.
fn usage_error(error: &clap::Error, help: &str, answer: AnswerUnknown) -> UsageError {
    let unknown = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) => Some(word),
        _ => None,
    };
    if let Some(word) = unknown.filter(|word| !word.starts_with('-')) {
        return UsageError::StrayWord(word.clone());
    }
    if let Some(line) = unknown.and_then(|word| answer(word)) {
        return UsageError::Flags(line);
    }
    let rendered = error.render().to_string();
    let mut line = String::new();
    for part in rendered.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if part.starts_with("Usage:") || part.starts_with("For more information") {
            break;
        }
        if !line.is_empty() {
            line.push_str(if part.starts_with("tip:") { "; " } else { " " });
        }
        line.push_str(part.strip_prefix("error: ").unwrap_or(part));
    }
    if unknown.is_some() && !line.contains("tip:") {
        line.push_str("; see ");
        line.push_str(help);
    }
    UsageError::Flags(line)
}
