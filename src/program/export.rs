//! `supervisor export`.

use super::answer::fail;
use super::sink::AnswerSink;
use super::{journal_export, trace_file};
use crate::cli::subcommand::export::{EXPORT_FORMATS, ExportFlags, ExportFormat};
use crate::exit_code;
use crate::journal::read_through;
use crate::journal::record::MAGIC as JOURNAL_MAGIC;
use crate::trace::perfetto;
use crate::trace::record::MAGIC as TRACE_MAGIC;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

/// Writes a whole trace or journal in another format.
pub fn run(flags: &ExportFlags) -> ExitCode {
    export(flags).unwrap_or_else(|exit| exit)
}

/// The error is how to exit.
fn export(flags: &ExportFlags) -> Result<ExitCode, ExitCode> {
    let format = flags.format.unwrap_or_default();
    refuse_other_kind(&flags.file, format)?;
    match format {
        ExportFormat::Perfetto => {
            let history = trace_file::read(&flags.file)?;
            let mut sink = AnswerSink::open(flags.output.as_deref(), &flags.file, false)?;
            let written = perfetto::write(&history, &mut sink);
            Ok(sink.finish(written))
        }
        ExportFormat::Journal(format) => journal_export::export(flags, format),
    }
}

/// A trace as a journal, and a journal as a trace. What is neither is judged by who reads it.
fn refuse_other_kind(path: &Path, format: ExportFormat) -> Result<(), ExitCode> {
    let (is_journal, wanted) = match format {
        ExportFormat::Perfetto => (false, "trace"),
        ExportFormat::Journal(_) => (true, "journal"),
    };
    let (other, magic) = if is_journal { ("trace", TRACE_MAGIC) } else { ("journal", JOURNAL_MAGIC) };
    let mut start = [0; 8];
    let begun = read_through::open(path).ok().and_then(|mut file| file.read_exact(&mut start).ok());
    if begun.is_none() || start != magic {
        return Ok(());
    }
    let name = EXPORT_FORMATS.iter().find(|(_, own)| *own == format).map_or("", |(name, _)| *name);
    let fits = |own: &ExportFormat| matches!(own, ExportFormat::Perfetto) == is_journal;
    let others: Vec<&str> = EXPORT_FORMATS.iter().filter(|(_, own)| fits(own)).map(|(name, _)| *name).collect();
    let (path, others) = (path.display(), others.join(", "));
    let error = format_args!(
        "failed to export {path}: it is a {other}, and the format {name} is of a {wanted}; give --format {others}"
    );
    Err(fail(&error, exit_code::USAGE))
}
