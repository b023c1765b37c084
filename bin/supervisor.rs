//! The `supervisor` program: reads its arguments, runs, exits. Everything else is in the library.

use std::io::Write;
use std::process::ExitCode;
use supervisor::cli::{self, Parsed, Surroundings};
use supervisor::exit_code;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1), &Surroundings::here()) {
        Ok(Parsed::Run(_invocation)) => ExitCode::from(exit_code::INTERNAL),
        Ok(Parsed::Show(text)) => show(&text),
        Err(error) => fail(&error, exit_code::USAGE),
    }
}

/// Writes a text that was asked for. A reader that has gone has seen enough.
fn show(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&error, exit_code::LOST),
        _ => ExitCode::from(exit_code::DONE),
    }
}

/// Says what is wrong, on one line. If even stderr is closed, the code alone has to tell.
fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "supervisor: {error}");
    ExitCode::from(code)
}
