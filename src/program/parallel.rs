//! `supervisor parallel`: a run in the words of GNU parallel.

use super::answer::{exit, fail, show};
use crate::cli::parallel::error::ParallelError;
use crate::cli::parallel::{self, ParallelContext, ProfileChoice};
use crate::cli::parser::Typed;
use crate::cli::subcommand::parallel::ParallelCommand;
use crate::model::builder::Host;
use crate::{engine, exit_code};
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// GNU parallel's code for what is none of its jobs.
const OWN_FAILURE: u8 = 255;

/// Runs it.
pub fn run(command: &ParallelCommand) -> ExitCode {
    let words = &command.words;
    let choice = parallel::profiles(words);
    let around = match choice.and_then(|choice| surroundings(choice, words)) {
        Ok(around) => around,
        Err(error) => return fail(&error, OWN_FAILURE),
    };
    match parallel::read(words, &around, &Host::of_this_process()) {
        Ok(Typed::Show(text)) => show(&text),
        Ok(Typed::Flags(invocation)) => match engine::run_as_program(invocation.config, invocation.exit_codes) {
            Ok(outcome) => exit(exit_code::of(&outcome, invocation.exit_codes)),
            Err(error) => fail(&format_args!("failed to {error}"), OWN_FAILURE),
        },
        Err(error) => fail(&error, OWN_FAILURE),
    }
}

fn surroundings(choice: ProfileChoice, words: &[OsString]) -> Result<ParallelContext, ParallelError> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let own = env::var_os("PARALLEL_HOME").map_or_else(|| home.join(".parallel"), PathBuf::from);
    let (files, must_be_there) = match &choice {
        ProfileChoice::Plain => (Vec::new(), false),
        ProfileChoice::Ordinary => {
            (vec!["/etc/parallel/config".into(), own.join("config"), home.join(".parallelrc")], false)
        }
        ProfileChoice::Named(names) => (names.iter().map(|name| named_profile(&own, name)).collect(), true),
    };
    let mut profiles = Vec::new();
    for file in &files {
        match std::fs::read(file) {
            Ok(text) => profiles.push(text),
            Err(error) if must_be_there => {
                return Err(ParallelError::Profile { file: file.display().to_string(), error: error.to_string() });
            }
            // Ordinary profiles need not be there.
            Err(_) => {}
        }
    }
    let variable = env::var_os("PARALLEL").filter(|_| choice != ProfileChoice::Plain);
    let around = ParallelContext { profiles, variable, shell: shell(), joblog: None };
    // One that cannot be read is as one that is not there.
    let joblog = parallel::log_to_resume(words, &around)?.and_then(|file| std::fs::read(file).ok());
    Ok(ParallelContext { joblog, ..around })
}

/// What begins with `/` or `./` is a path, as in GNU parallel; any other name is looked up in the user's folder.
fn named_profile(folder: &Path, name: &OsStr) -> PathBuf {
    if name.as_bytes().starts_with(b"./") { PathBuf::from(name) } else { folder.join(name) }
}

/// The shell that runs commands: the one that is asked for, or the one that has started us, as in GNU parallel.
fn shell() -> OsString {
    let named = |name: &str| env::var_os(name).filter(|shell| !shell.is_empty());
    let found =
        named("PARALLEL_SHELL").or_else(|| engine::parallel::shell_around().map(Into::into)).or_else(|| named("SHELL"));
    found.unwrap_or_else(|| "/bin/sh".into())
}
