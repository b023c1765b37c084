//! The `supervisor` program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    supervisor::program::main(std::env::args_os().skip(1))
}
