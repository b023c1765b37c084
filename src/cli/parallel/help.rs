//! The texts of `supervisor parallel`: help and version.

use super::error::ParallelError;
use super::getopt;
use super::options::{Meaning, OPTIONS, Own};
use std::ffi::OsString;

/// The text that words ask for instead of a run: help or version.
///
/// # Errors
/// The words do not fit.
pub fn text_asked_for(words: &[OsString]) -> Result<Option<String>, ParallelError> {
    let (typed, _) = getopt::split(words)?;
    Ok(typed.iter().find_map(|typed| match typed.option.meaning {
        Meaning::Own(Own::Help) => Some(help()),
        Meaning::Own(Own::Version) => Some(version()),
        _ => None,
    }))
}

/// What `--version` shows.
fn version() -> String {
    format!("supervisor {}, in the place of GNU parallel 20221122\n", env!("CARGO_PKG_VERSION"))
}

/// The help: what is here by the same name.
#[must_use]
pub fn help() -> String {
    let mut text = "Usage: supervisor parallel [OPTIONS] [COMMAND [ARG]...] [::: ITEM...]\n\n\
                    GNU parallel's options, defaults, quoting and exit codes, on this program: nothing is lost when a\n\
                    command is killed. Each job is a script of the shell, and the options here are:\n\n"
        .to_owned();
    let here = OPTIONS.iter().filter(|option| !matches!(option.meaning, Meaning::Refused(_)));
    let mut line = " ".to_owned();
    for option in here {
        let names: Vec<String> = option.names.split('|').map(shown_name).collect();
        let names = names.join(", ");
        if line.len() + names.len() > 90 {
            text.push_str(&line);
            text.push('\n');
            line = " ".to_owned();
        }
        line.push_str(&format!(" {names};"));
    }
    text.push_str(line.trim_end_matches(';'));
    text.push_str("\n\nAny other option is refused by its name, with what to use instead.\n");
    text
}

fn shown_name(name: &str) -> String {
    if name.len() == 1 { format!("-{name}") } else { format!("--{name}") }
}
