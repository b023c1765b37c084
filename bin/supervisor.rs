//! The `supervisor` program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    supervisor::program::main_by_name(std::env::args_os())
}
