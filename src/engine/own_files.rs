//! The files that reporters write for themselves: none of them is an input, and the job log knows how commands look. So
//! does the summary, for the command of an item that failed.

use super::error::EngineError;
use crate::command::exec::Commander;
use crate::command::line::quote_as_parallel;
use crate::model::config::{Config, InputSpec, SourceSpec, Split, SummaryMode, WorkerSpec};
use crate::reporter::digest::{CommandLineOf, Digest};
use crate::reporter::job_log::{CommandText, JobLog};
use crate::reporter::{Reporter, ReporterError};
use crate::sys::clock::{self, Clock};
use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::rc::Rc;

/// To open such a file would empty the input, or make it endless, by whichever of its names.
pub fn refuse_inputs(config: &Config) -> Result<(), EngineError> {
    let events = config.output.events.as_deref().map(|file| ("events", file));
    let joblog = config.output.joblog.as_ref().map(|log| ("the joblog", log.file.as_path()));
    let mut files = events.into_iter().chain(joblog);
    files.try_for_each(|(what, file)| config.source.inputs().try_for_each(|input| refuse_input(what, file, input)))
}

fn refuse_input(what: &'static str, file: &Path, input: &InputSpec) -> Result<(), EngineError> {
    let (name, metadata) = match input {
        InputSpec::Stdin => (
            "stdin".to_owned(),
            io::stdin().as_fd().try_clone_to_owned().map(File::from).and_then(|file| file.metadata()),
        ),
        InputSpec::File(path) => (path.display().to_string(), path.metadata()),
    };
    // Of what does not exist yet nothing is lost. Devices, such as terminals, are no content.
    let identity = |metadata: Metadata| {
        let kind = metadata.file_type();
        (kind.is_file() || kind.is_fifo()).then(|| (metadata.dev(), metadata.ino()))
    };
    let of_input = metadata.ok().and_then(identity);
    if of_input.is_some() && of_input == file.metadata().ok().and_then(identity) {
        return Err(EngineError::OutputInInput { what, file: file.to_owned(), input: name });
    }
    Ok(())
}

/// The job log, if there is one. Its last column has the command of an item as text that a shell parses to the same
/// arguments; where workers stay, the item itself, and nothing if that is a block of many lines.
pub fn open_job_log(config: &Config, commander: Option<&Commander>) -> Result<Option<JobLog>, ReporterError> {
    let Some(spec) = &config.output.joblog else { return Ok(None) };
    let has_blocks = matches!(&config.source, SourceSpec::Lines { split: Split::Block { .. }, .. });
    let command: CommandText = match commander.cloned() {
        Some(mut commander) => Box::new(move |item, id, worker, out| {
            out.extend_from_slice(&commander.quoted_line(item, id, worker, quote_as_parallel));
        }),
        None if has_blocks => Box::new(|_, _, _, _| {}),
        None => Box::new(|item, _, _, out| out.extend_from_slice(item)),
    };
    JobLog::create(spec, command).map(Some)
}

/// What the summary says of items, if there may be a summary. A command that takes its item from stdin is given it by a
/// pipe. Where workers stay, there is no command that runs one item.
pub fn digest(config: &Config, commander: Option<&Commander>) -> Option<Rc<RefCell<Digest>>> {
    if config.output.summary == SummaryMode::Never {
        return None;
    }
    let from_stdin = matches!(&config.worker, WorkerSpec::Exec(spec) if spec.stdin);
    let command_line_of = commander.cloned().map(|mut commander| -> CommandLineOf {
        Box::new(move |item, id, worker, out| {
            if from_stdin {
                out.extend_from_slice(b"printf %s ");
                quote_as_parallel(item, out);
                out.extend_from_slice(b" | ");
            }
            out.extend_from_slice(&commander.quoted_line(item, id, worker, quote_as_parallel));
        })
    });
    Some(Rc::new(RefCell::new(Digest::new(command_line_of))))
}

/// The job log of a run whose clock has started.
pub fn started(log: JobLog, clock: &Clock) -> Box<dyn Reporter> {
    Box::new(log.starting_at(clock::unix_ns().saturating_sub(clock.now().0)))
}
