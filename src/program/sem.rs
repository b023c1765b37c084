//! `supervisor sem`: one command, as soon as few enough others run under the same name.

use super::answer::{fail, say};
use super::run;
use crate::cli::subcommand::run::RunCommand;
use crate::cli::subcommand::sem::SemCommand;
use crate::exit_code;
use crate::model::builder::Host;
use crate::process::{Semaphore, SemaphoreError};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

/// Waits for a place, and runs the command on it. A signal that comes during the wait ends this process as usual.
pub fn run(command: SemCommand) -> ExitCode {
    let SemCommand { id, jobs, patience, command } = command;
    // A wait of 0 is none, as in GNU sem.
    let wait = patience.map(|patience| Duration::from_nanos(patience.wait.0)).filter(|wait| *wait > Duration::ZERO);
    let takes_anyway = patience.is_some_and(|patience| patience.takes_anyway);
    let name = id.to_string_lossy();
    let semaphore = match Semaphore::open(&id) {
        Ok(semaphore) => semaphore,
        Err(error) => return failed(&error),
    };
    let Some(command) = command else {
        return match semaphore.wait_until_free(wait) {
            Ok(true) => ExitCode::from(exit_code::DONE),
            Ok(false) => fail(&format_args!("commands still run under the name {name:?}"), exit_code::ITEMS_NOT_DONE),
            Err(error) => failed(&error),
        };
    };
    // At least 1.
    let places = NonZeroU32::new(jobs.of(Host::of_this_process().cores)).unwrap_or(NonZeroU32::MIN);
    let place = match semaphore.take(places, wait) {
        Ok(place) => place,
        Err(error) => return failed(&error),
    };
    if place.is_none() {
        let waited = format!("no place under the name {name:?} was given back in time");
        if !takes_anyway {
            return fail(&format_args!("{waited}, so the command is not run"), exit_code::ITEMS_NOT_DONE);
        }
        say(&format_args!("{waited}, so the command runs without one"));
    }
    // Held until the command has ended; where a signal ends this process then, the system gives it back.
    run::run(RunCommand { command, timeout: None, retries: 0, json: false })
}

fn failed(error: &SemaphoreError) -> ExitCode {
    let code = match error {
        SemaphoreError::Name { .. } => exit_code::USAGE,
        SemaphoreError::Unsafe { .. } => exit_code::REFUSED,
        SemaphoreError::System { .. } => exit_code::INTERNAL,
    };
    fail(&format_args!("failed to {error}"), code)
}
