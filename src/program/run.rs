//! `supervisor run`: one command, whose exit is ours.

use super::answer::{exit, fail, say};
use crate::cli::subcommand::run::RunCommand;
use crate::exit_code::{self, ProgramExit};
use crate::model::exit::ExitStatus;
use crate::model::signal::Signal;
use crate::process::{self, Completed, ProcessSpec};
use crate::reporter::object::Object;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// Runs the command, writes the object that was asked for, and ends as the command did.
pub fn run(command: RunCommand) -> ExitCode {
    let RunCommand { command, timeout, retries, json } = command;
    let mut spec = ProcessSpec::new(command).retries(retries).handle_signals(true);
    if json {
        spec = spec.capture();
    }
    if let Some(limit) = timeout {
        spec = spec.timeout(limit);
    }
    let completed = match process::run_as_program(spec, &mut |notice| say(notice)) {
        Ok(completed) => completed,
        Err(error) => return fail(&format_args!("failed to {error}"), exit_code::of_class(error.class())),
    };
    if json && let Err(error) = io::stdout().write_all(&object(&completed)) {
        return match error.kind() {
            io::ErrorKind::BrokenPipe => exit(ProgramExit::Raise(Signal::PIPE)),
            _ => fail(&format_args!("failed to write the result: {error}"), exit_code::LOST),
        };
    }
    exit(exit_of(&completed))
}

/// How the program ends after this command.
fn exit_of(completed: &Completed) -> ProgramExit {
    match (completed.timed_out, completed.stopped_by, completed.exit) {
        (true, ..) => ProgramExit::Code(exit_code::RUN_TIMEOUT),
        (_, Some(signal), _) | (.., ExitStatus::Signal { signal, .. }) => ProgramExit::Raise(signal),
        (.., ExitStatus::Code(code)) => ProgramExit::Code(code),
        (.., ExitStatus::Unknown) => ProgramExit::Code(exit_code::INTERNAL),
    }
}

/// The object of `--output json`, on one line.
fn object(completed: &Completed) -> Vec<u8> {
    let mut line = Vec::new();
    let mut object = Object::begin(&mut line);
    let args: Vec<&[u8]> = completed.args.iter().map(|word| word.as_bytes()).collect();
    object.list("args", &args);
    object.exit("exit", completed.exit);
    if completed.timed_out {
        object.flag("timed_out", true);
    }
    object.bytes("stdout", &completed.stdout);
    object.bytes("stderr", &completed.stderr);
    object.seconds("user", completed.usage.user_us.saturating_mul(1000));
    object.seconds("system", completed.usage.system_us.saturating_mul(1000));
    object.number("rss_max_kib", completed.usage.rss_max_kib);
    object.seconds("runtime", completed.runtime.0);
    object.number("attempts", u64::from(completed.attempts));
    object.end_line();
    line
}
