//! The files that the run needs for itself: there have to be descriptors for them, and none that reporters write is an input.
//! The job log knows how commands look. So does the summary, for the command of an item that failed.

use super::error::EngineError;
use super::feed::{EarlierItems, IsStored};
use super::fleet::{LogFiles, RunFolder, WorkerLogs};
use super::journal;
use super::streams::insertion_of;
use crate::command::exec::Commander;
use crate::command::line::quote_as_parallel;
use crate::command::text::TextTemplate;
use crate::journal::single_item::SingleItem;
use crate::model::arrangement::{ColumnNames, NameSource};
use crate::model::config::{
    Config, ExecSpec, InputSpec, OutputSpec, ProgressMode, ResultsFormat, ResultsSpec, SourceSpec, SummaryMode,
    WorkerSpec,
};
use crate::model::spec::Leftovers;
use crate::model::worker_log::WorkerLog;
use crate::reporter::dead_letters::{AloneOf, DeadLetters};
use crate::reporter::digest::{CommandLineOf, Digest};
use crate::reporter::item_columns::ItemColumns;
use crate::reporter::item_files::ItemFiles;
use crate::reporter::item_table::ItemTable;
use crate::reporter::job_log::JobLog;
use crate::reporter::{ItemText, Reporter, ReporterError};
use crate::sys::access;
use crate::sys::clock::{self, Clock};
use crate::sys::limits;
use crate::sys::rotated_file;
use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// To open such a file would empty the input, or make it endless, by whichever of its names.
pub fn refuse_inputs(config: &Config) -> Result<(), EngineError> {
    let events = config.output.events.as_deref().map(|file| ("events", file));
    let joblog = config.output.joblog.as_ref().map(|log| ("the joblog", log.file.as_path()));
    let table = config.output.results.as_ref().filter(|spec| spec.format != ResultsFormat::Files);
    let table = table.map(|spec| ("the results", Path::new(&spec.name)));
    let letters = config.output.dead_letters.as_deref().map(|file| ("the dead letters", file));
    let mut files = events.into_iter().chain(joblog).chain(table).chain(letters);
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

/// The folder of temporary files, and in it the one of commands that get folders of their own.
pub fn open_tmpdir(config: &Config) -> Result<(PathBuf, Option<RunFolder>), EngineError> {
    let folder = config.tmpdir.clone().unwrap_or_else(std::env::temp_dir);
    let refused = |error| EngineError::Tmpdir { folder: folder.clone(), error };
    if config.tmpdir.is_some() {
        access::may_create_in(&folder).map_err(refused)?;
    }
    let run = match &config.worker {
        WorkerSpec::Exec(ExecSpec { item_tmp: true, .. }) => Some(RunFolder::create(&folder).map_err(refused)?),
        _ => None,
    };
    Ok((folder, run))
}

/// Whether the stderr of workers that stay is read. What they leave behind keeps theirs, and would lose a pipe.
pub fn reads_stderr(config: &Config) -> bool {
    match &config.output.worker_log {
        WorkerLog::Auto => config.leftovers == Leftovers::Kill,
        WorkerLog::Prefix | WorkerLog::Folder { .. } => true,
        WorkerLog::Raw => false,
    }
}

/// Where the stderr of workers goes that is read. On a terminal that several of them share, each line tells whose it is.
pub fn worker_logs(config: &Config) -> Result<WorkerLogs, EngineError> {
    Ok(match &config.output.worker_log {
        WorkerLog::Folder { folder, file_bytes_max } => {
            let opened = rotated_file::open_folder(folder);
            let opened = opened.map_err(|error| EngineError::WorkerLog { folder: folder.clone(), error })?;
            WorkerLogs::Files(LogFiles::new(opened, *file_bytes_max))
        }
        WorkerLog::Auto => WorkerLogs::Stderr { prefix: config.workers_at_most() > 1 && io::stderr().is_terminal() },
        WorkerLog::Prefix => WorkerLogs::Stderr { prefix: true },
        WorkerLog::Raw => WorkerLogs::Stderr { prefix: false },
    })
}

/// The job log, if there is one. Its last column has the command of an item as text that a shell parses to the same
/// arguments; where workers stay, the item itself, and nothing if that is a block of many lines.
fn open_job_log(config: &Config, commander: Option<&Commander>) -> Result<Option<JobLog>, ReporterError> {
    let Some(spec) = &config.output.joblog else { return Ok(None) };
    JobLog::create(spec, command_text(config, commander)).map(Some)
}

/// The file of dead items, if there is one. What an earlier session has written to it stays.
fn open_dead_letters(config: &Config, goes_on: bool) -> Result<Option<DeadLetters>, ReporterError> {
    let Some(path) = &config.output.dead_letters else { return Ok(None) };
    let single = SingleItem::new(&journal::facts_of(config), quote_as_parallel);
    let alone_of: AloneOf = Box::new(move |item| SingleItem::alone(&single, item));
    DeadLetters::create(path, goes_on, &config.run_id, alone_of).map(Some)
}

fn command_text(config: &Config, commander: Option<&Commander>) -> ItemText {
    let has_blocks = matches!(&config.source, SourceSpec::Lines { split, .. } if split.makes_blocks());
    match commander.cloned() {
        Some(mut commander) => Box::new(move |item, id, worker, out| {
            out.extend_from_slice(&commander.quoted_line(item, id, worker, quote_as_parallel));
        }),
        None if has_blocks => Box::new(|_, _, _, _| {}),
        None => Box::new(|item, _, _, out| out.extend_from_slice(item)),
    }
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

/// Descriptors of the supervisor itself beyond those that are open at the start: poll set, signals, children, guard,
/// second descriptors of stdout and stderr, /dev/null, the spill file.
const OWN_OPEN_FILES: u64 = 10;

/// Descriptors of a thread that removes folders.
const REMOVAL_OPEN_FILES: u64 = 3;

/// Descriptors of a journal: to write it, to read it, and the one that the guard holds too; and of its output file.
const JOURNAL_OPEN_FILES: u64 = 4;

/// The queue of a journal, and its watch.
const QUEUE_OPEN_FILES: u64 = 2;

/// [`OWN_OPEN_FILES`], the files that are written, the terminals of a bar and of answers, and what a removal of folders opens.
pub fn open_files(config: &Config) -> u64 {
    let OutputSpec { events, joblog, dead_letters, results, progress, .. } = &config.output;
    let removes_folders = matches!(config.worker, WorkerSpec::Exec(ExecSpec { item_tmp: true, .. }));
    let files = [
        events.is_some(),
        joblog.is_some(),
        dead_letters.is_some(),
        results.is_some(),
        // A folder, and a file in it.
        results.as_ref().is_some_and(|spec| spec.format == ResultsFormat::Files),
        *progress != ProgressMode::None,
        config.trace.file.is_some(),
        config.workers_file.is_some(),
        config.asks,
    ];
    let journal = if config.journal.is_some() { JOURNAL_OPEN_FILES } else { 0 };
    let queue = if config.source == SourceSpec::Queue { QUEUE_OPEN_FILES } else { 0 };
    OWN_OPEN_FILES
        + journal
        + queue
        + if removes_folders { REMOVAL_OPEN_FILES } else { 0 }
        + files.map(u64::from).iter().sum::<u64>()
}

/// Refuses a limit of open files that leaves no room for the supervisor itself, whatever the workers need.
pub fn check_open_files(config: &Config, limit: u64) -> Result<(), EngineError> {
    let workers = config.workers_at_most();
    let needed = limits::open_files_now() + open_files(config) + u64::from(workers);
    if needed > limit { Err(EngineError::OpenFiles { workers, needed, limit }) } else { Ok(()) }
}

/// What gets items as they end, and has to know when the run began.
pub struct EndedLogs {
    job_log: Option<JobLog>,
    dead_letters: Option<DeadLetters>,
    files: Option<ItemFiles>,
    table: Option<ItemTable>,
}

impl EndedLogs {
    /// Opens their files. `goes_on`: the run goes on with a journal.
    pub fn open(
        config: &Config,
        commander: Option<&Commander>,
        names: &ColumnNames,
        goes_on: bool,
    ) -> Result<Self, ReporterError> {
        let (job_log, dead_letters) = (open_job_log(config, commander)?, open_dead_letters(config, goes_on)?);
        let mut logs = Self { job_log, dead_letters, files: None, table: None };
        let Some(spec) = &config.output.results else { return Ok(logs) };
        if spec.format == ResultsFormat::Files {
            logs.files = Some(item_files(config, spec, names));
        } else {
            let text = command_text(config, commander);
            logs.table = Some(ItemTable::create(spec, text, item_columns(config, names))?);
        }
        Ok(logs)
    }

    /// The reporters, once the clock of the run has started.
    pub fn started(self, clock: &Clock) -> Vec<Box<dyn Reporter>> {
        let unix_start_ns = clock::unix_ns().saturating_sub(clock.now().0);
        let Self { job_log, dead_letters, files, table } = self;
        let mut logs: Vec<Box<dyn Reporter>> = Vec::new();
        logs.extend(job_log.map(|log| Box::new(log.starting_at(unix_start_ns)) as Box<dyn Reporter>));
        logs.extend(dead_letters.map(|letters| Box::new(letters.starting_at(unix_start_ns)) as Box<dyn Reporter>));
        logs.extend(files.map(|files| Box::new(files.starting_at(unix_start_ns)) as Box<dyn Reporter>));
        logs.extend(table.map(|table| Box::new(table.starting_at(unix_start_ns)) as Box<dyn Reporter>));
        logs
    }
}

fn item_columns(config: &Config, names: &ColumnNames) -> ItemColumns {
    ItemColumns {
        form: config.source.form(),
        names: names.clone(),
        has_header: has_header(&config.source),
        per_record: columns_per_record(&config.source),
    }
}

fn item_files(config: &Config, spec: &ResultsSpec, names: &ColumnNames) -> ItemFiles {
    let mut template = TextTemplate::new(spec.name.as_bytes(), &insertion_of(config), names.clone());
    let name: ItemText = Box::new(move |item, id, worker, out| template.push(item, id, worker, out));
    ItemFiles::new(spec.name.as_bytes(), name, item_columns(config, names))
}

/// The items that an earlier run has finished, if there may be any.
pub fn earlier_items(config: &Config, names: &ColumnNames) -> Option<EarlierItems> {
    let spec = config.output.results.as_ref();
    let spec = spec.filter(|spec| config.earlier.stored && spec.format == ResultsFormat::Files);
    let is_stored = spec.map(|spec| {
        let mut files = item_files(config, spec, names);
        let is_stored: IsStored = Box::new(move |item, bytes| files.is_stored(item, bytes));
        is_stored
    });
    let has_any = is_stored.is_some() || !config.earlier.finished.is_empty();
    has_any.then(|| EarlierItems::new(config.earlier.finished.clone(), is_stored))
}

fn has_header(source: &SourceSpec) -> bool {
    matches!(source, SourceSpec::Arranged { arrangement, .. } if arrangement.names == Some(NameSource::FirstLine))
}

/// How many arguments a combination of inputs has, where an item may be several; `None`: an item is one.
fn columns_per_record(source: &SourceSpec) -> Option<usize> {
    let SourceSpec::Arranged { inputs, arrangement, .. } = source else { return None };
    let is_one = arrangement.records_max.is_none() && arrangement.lines_max.is_none() && arrangement.fill.is_none();
    // Lines that are cut into columns may have any number of them.
    (!is_one && arrangement.columns.is_none()).then_some(inputs.len())
}
