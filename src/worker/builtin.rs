//! The built-in worker: one task of the table, on the SDK like any other worker.
//!
//! Two programs are this worker: `supervisor-worker`, and the supervisor itself where that one is not
//! installed beside it.
//!
//! Invariant: takes exactly what the supervisor gives it, `--task NAME --delay NS`, and `--tally` from `compare`; no
//! other flag.

#![deny(missing_docs)]

use super::serve::{report, run_with};
use super::tally::{self, TallySpec};
use super::tasks::{self, Task};
use super::{Failure, Handler, Item, Output, run};
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// What is wrong with the arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum ArgumentError {
    #[error("no task is called {name:?}; there are {}", tasks::names().join(", "))]
    Task { name: OsString },
    #[error("--delay {value:?} is not a number of nanoseconds")]
    Delay { value: OsString },
    #[error("--tally {value:?} is not WORDS,BELL,ITEM")]
    Tally { value: OsString },
    #[error("{argument:?} is not understood; give --task NAME and --delay NANOSECONDS")]
    Unknown { argument: OsString },
}

/// What the arguments say.
struct Arguments {
    task: &'static Task,
    delay: Duration,
    tally: Option<TallySpec>,
}

/// Runs the built-in worker with these arguments, the program's name not among them.
#[must_use]
pub fn builtin_main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(arguments) {
        Ok(Arguments { task, tally: Some(spec), .. }) => match tally::tallied(task.run, spec) {
            Ok(handler) => run(handler),
            Err(error) => {
                report(&format!("failed to open the tally: {error}"));
                ExitCode::from(2)
            }
        },
        Ok(Arguments { task, delay: Duration::ZERO, .. }) => run_with(|server| task.serve(server)),
        Ok(Arguments { task, delay, .. }) => run(delayed(task.run, delay)),
        Err(error) => {
            report(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// The same, with `delay` spent on each item before.
pub(super) fn delayed(run: tasks::TaskFn, delay: Duration) -> impl Handler {
    move |item: &Item<'_>, out: &mut Output| -> Result<(), Failure> {
        std::thread::sleep(delay);
        run(item, out)
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, ArgumentError> {
    let mut parsed = Arguments { task: const { &tasks::ALL[0] }, delay: Duration::ZERO, tally: None };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match (argument.to_str(), arguments.next()) {
            (Some("--task"), Some(name)) => {
                let task = name.to_str().and_then(tasks::by_name);
                parsed.task = task.ok_or(ArgumentError::Task { name })?;
            }
            (Some("--delay"), Some(value)) => {
                let nanos = value.to_str().and_then(|text| text.parse().ok());
                parsed.delay = Duration::from_nanos(nanos.ok_or(ArgumentError::Delay { value })?);
            }
            (Some("--tally"), Some(value)) => {
                let spec = value.to_str().and_then(TallySpec::parse);
                parsed.tally = Some(spec.ok_or(ArgumentError::Tally { value })?);
            }
            _ => return Err(ArgumentError::Unknown { argument }),
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str]) -> Result<(&'static str, u128), String> {
        let parsed = parse(words.iter().map(OsString::from)).map_err(|error| error.to_string())?;
        Ok((parsed.task.name, parsed.delay.as_nanos()))
    }

    #[test]
    fn task_and_delay_are_understood_and_nothing_else() {
        assert_eq!(check(&[]), Ok(("square", 0)));
        assert_eq!(check(&["--task", "hash", "--delay", "1500"]), Ok(("hash", 1500)));
        assert_eq!(
            check(&["--task", "sqare"]).unwrap_err(),
            "no task is called \"sqare\"; there are square, cube, echo, sleep, countdown, identity, hash, exit, \
             signal, panic, hang, leak"
        );
        assert_eq!(check(&["--delay", "1s"]).unwrap_err(), "--delay \"1s\" is not a number of nanoseconds");
        for words in [&["--help"][..], &["--task"], &["--delay", "1", "x"], &["x", "y"]] {
            assert!(check(words).unwrap_err().contains("is not understood"), "{words:?}");
        }
    }
}
