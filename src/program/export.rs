//! `supervisor export`.

use super::sink::AnswerSink;
use super::trace_file;
use crate::cli::subcommand::export::{ExportFlags, ExportFormat};
use crate::trace::perfetto;
use std::process::ExitCode;

/// Writes a whole trace in another format.
pub fn run(flags: &ExportFlags) -> ExitCode {
    export(flags).unwrap_or_else(|exit| exit)
}

/// The error is how to exit.
fn export(flags: &ExportFlags) -> Result<ExitCode, ExitCode> {
    let history = trace_file::read(&flags.file)?;
    let mut sink = AnswerSink::open(flags.output.as_deref(), &flags.file, false)?;
    let written = match flags.format.unwrap_or_default() {
        ExportFormat::Perfetto => perfetto::write(&history, &mut sink),
    };
    Ok(sink.finish(written))
}
