//! The `supervisor-worker` program: the built-in tasks, started by the supervisor.

use std::process::ExitCode;

fn main() -> ExitCode {
    supervisor::worker::builtin_main(std::env::args_os().skip(1))
}
