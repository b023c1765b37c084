//! The `supervisor` program: reads its arguments, runs, exits. Everything else is in the library.

use std::io::Write;
use std::process::ExitCode;
use supervisor::cli::{self, Parsed};
use supervisor::exit_code::{self, ProgramExit};
use supervisor::model::builder::Host;
use supervisor::{engine, worker};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == worker::WORKER_ROLE).is_some() {
        return worker::builtin_main(arguments);
    }
    engine::hold_status_requests();
    let invocation = match cli::parse(arguments, &Host::of_this_process()) {
        Ok(Parsed::Run(invocation)) => invocation,
        Ok(Parsed::Show(text)) => return show(&text),
        Err(error) => return fail(&error, exit_code::USAGE),
    };
    match engine::run_as_program(invocation.config).map(|outcome| exit_code::of(&outcome, invocation.exit_codes)) {
        Ok(ProgramExit::Code(code)) => ExitCode::from(code),
        Ok(ProgramExit::Raise(signal)) => engine::end_by(signal),
        Err(error) => fail(&format_args!("failed to {error}"), exit_code::of_class(error.class())),
    }
}

/// Writes a text that was asked for. A reader that closed the pipe has read enough.
fn show(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&error, exit_code::LOST),
        _ => ExitCode::from(exit_code::DONE),
    }
}

/// Reports an error on one line of stderr. If stderr is closed, the exit code is the only report.
fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "supervisor: {}", cli::escaped(&error.to_string()));
    ExitCode::from(code)
}
