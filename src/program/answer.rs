//! How the program answers: a text on stdout, an error on one line of stderr, an exit code.

use crate::cli;
use crate::engine;
use crate::exit_code::{self, ProgramExit};
use crate::sys::stdio;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Says something on a line of stderr. One that is closed is no reason to stop.
pub fn say(text: &dyn Display) {
    let _ = writeln!(io::stderr(), "supervisor: {}", cli::escaped(&text.to_string()));
}

/// Ends as it was decided. Does not return for a signal.
pub fn exit(exit: ProgramExit) -> ExitCode {
    match exit {
        ProgramExit::Code(code) => ExitCode::from(code),
        ProgramExit::Raise(signal) => engine::end_by(signal),
    }
}

/// How to exit if stdout was closed at the start, where an answer would be lost; it was reported.
pub fn refuse_closed_stdout() -> Result<(), ExitCode> {
    if stdio::was_closed(1) {
        return Err(fail(&"failed to write stdout: it is closed; send it to a file", exit_code::LOST));
    }
    Ok(())
}

/// Writes a text that was asked for. A reader that closed the pipe has read enough.
pub fn show(text: &str) -> ExitCode {
    show_bytes(text.as_bytes())
}

/// [`show`] of bytes.
pub fn show_bytes(bytes: &[u8]) -> ExitCode {
    if let Err(exit) = refuse_closed_stdout() {
        return exit;
    }
    match io::stdout().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(&error, exit_code::LOST),
        _ => ExitCode::from(exit_code::DONE),
    }
}

/// Reports an error on one line of stderr. If stderr is closed, the exit code is the only report.
pub fn fail(error: &dyn Display, code: u8) -> ExitCode {
    say(error);
    ExitCode::from(code)
}
