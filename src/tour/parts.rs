//! The hidden role `__tour PART`: this program as a process of a lesson.

use super::actor::PROGRAM_PART;
use super::{concurrency, daemon, echo, ipc, isolation, queue, race, signals};
use crate::sys::parent;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// What a part does with its own arguments.
type PartMain = fn(&[OsString]) -> io::Result<ExitCode>;

/// All parts. Each is documented where the lesson is that uses it.
const PARTS: &[(&str, PartMain)] = &[
    (PROGRAM_PART, program),
    ("queue-worker", queue::worker_part),
    ("race-writer", race::writer_part),
    ("lock-taker", race::lock_taker_part),
    ("counter", isolation::counter_part),
    ("layout", isolation::layout_part),
    ("crash-of-thread", isolation::crash_part),
    ("parent", daemon::parent_part),
    ("worker-of-parent", daemon::worker_part),
    ("waiter", concurrency::waiter_part),
    ("computer", concurrency::computer_part),
    ("signalled", signals::signalled_part),
    ("signal-taker", ipc::signal_taker_part),
    ("echoer", echo::echoer_part),
];

/// Plays a part of a lesson: `PART PID ARGUMENT...`, as [`super::actor`] gives them.
#[must_use]
pub fn part_main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let [part, dies_with, rest @ ..] = &arguments[..] else { return fail("it is started by a lesson alone") };
    let Some((_, main)) = PARTS.iter().find(|(name, _)| *part == **name) else { return fail("no such part") };
    let dies_with = dies_with.to_str().and_then(|pid| pid.parse::<u32>().ok()).unwrap_or(0);
    // The lesson has ended already.
    if dies_with != 0 && !parent::die_with_parent(dies_with).unwrap_or(true) {
        return ExitCode::FAILURE;
    }
    match main(rest) {
        Ok(code) => code,
        // The lesson is gone, and nobody listens.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "supervisor: failed to play a part of a lesson: {why}");
    ExitCode::FAILURE
}

/// Becomes the program itself, in the same process: it stays bound to the lesson's life.
fn program(arguments: &[OsString]) -> io::Result<ExitCode> {
    Err(Command::new(super::actor::own_program()).args(arguments).exec())
}
