//! `supervisor compact`.

use super::answer::{refuse_closed_stdout, show, show_bytes};
use super::journal_file;
use crate::cli::AnswerForm;
use crate::cli::subcommand::compact::CompactFlags;
use crate::engine;
use crate::journal::rewrite;
use crate::reporter::object::Object;
use std::process::ExitCode;

/// Writes a journal anew in less space.
pub fn run(flags: &CompactFlags) -> ExitCode {
    engine::outlive_size_limit();
    compact(flags).unwrap_or_else(|exit| exit)
}

/// The error is how to exit.
fn compact(flags: &CompactFlags) -> Result<ExitCode, ExitCode> {
    // Nothing is done whose answer nobody can read.
    refuse_closed_stdout()?;
    let bytes =
        rewrite::compact(&flags.file).map_err(|error| journal_file::refuse_rewrite("compact", &flags.file, &error))?;
    Ok(match flags.output.unwrap_or_default() {
        AnswerForm::Text => {
            let name = flags.file.display();
            show(&format!("{name}: {} bytes before, {} bytes now\n", bytes.before, bytes.after))
        }
        AnswerForm::Json => {
            let mut out = Vec::new();
            let mut object = Object::begin(&mut out);
            object.number("bytes_before", bytes.before);
            object.number("bytes", bytes.after);
            object.end_line();
            show_bytes(&out)
        }
    })
}
