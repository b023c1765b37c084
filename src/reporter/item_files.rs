//! `--results DIR`: the output of each command in files of its own, in the layout of GNU parallel: `stdout`, `stderr`
//! and `seq`, and beside them `exit` and `timing`.
//!
//! The files are written when an item has ended. They are plain local files, so to write them waits no longer than the
//! disk does, and nothing is synced.
//!
//! Invariant: no link is followed to the last part of a path, and nothing waits for the reader of a FIFO. After a
//! failure nothing more is written, and the run stops.

use super::item_columns::ItemColumns;
use super::job_log::{exit_columns, push_seconds};
use super::own_file::OwnFile;
use super::{Content, ItemText, Reporter, ReporterError, Settled};
use crate::model::event::RunEvent;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::{CauseKind, FailReason, Outcome};
use crate::model::time::Instant;
use crate::sys::outbox::Outbox;
use nix::errno::Errno;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How much of what was spilled is copied at once.
const COPY_BYTES: u64 = 64 * 1024;

/// The exit code in the file of an item that a signal has ended is this plus its number, as a shell tells it.
const SIGNAL_BASE: i32 = 128;

/// That of an attempt that passed its time limit, as `timeout` tells it.
const TIMED_OUT: i32 = 124;

/// The reporter of `--results DIR`.
pub struct ItemFiles {
    /// As it was given.
    given: Vec<u8>,
    /// The name for an item: what was given, unless that has placeholders.
    name: ItemText,
    columns: ItemColumns,
    /// The time of day at the start of the run, in nanoseconds since 1970.
    unix_start_ns: u64,
    /// A file could not be written.
    lost: bool,
}

impl ItemFiles {
    #[must_use]
    pub fn new(given: &[u8], name: ItemText, columns: ItemColumns) -> Self {
        Self { given: given.to_vec(), name, columns, unix_start_ns: 0, lost: false }
    }

    /// `unix_start_ns`: the time of day at the start of the run, in nanoseconds since 1970.
    #[must_use]
    pub fn starting_at(self, unix_start_ns: u64) -> Self {
        Self { unix_start_ns, ..self }
    }

    /// Whether a run has stored the output of an item.
    pub fn is_stored(&mut self, item: ItemId, bytes: &[u8]) -> bool {
        let mut path = Vec::new();
        (self.name)(bytes, item, WorkerId::from_index(0), &mut path);
        if path == self.given {
            let arguments: Vec<&[u8]> = self.columns.form.arguments(bytes).collect();
            let has = |shortens| {
                let mut path = [path.as_slice(), b"/"].concat();
                self.columns.push_path(&arguments, shortens, &mut path);
                path.push(b'/');
                path_of(&[&path, FileNames::IN_FOLDER.stdout.as_bytes()].concat()).exists()
            };
            return has(false) || has(true);
        }
        without_nul(&mut path);
        let in_folder = path_of(&[&path, FileNames::IN_FOLDER.stdout.as_bytes()].concat());
        in_folder.exists() || path_of(&path).is_file()
    }

    /// The beginning of the names of an item's files, whose folders exist then, and what they are called behind it.
    fn place(&mut self, settled: &Settled<'_>) -> Result<(Vec<u8>, FileNames), ReporterError> {
        let item = settled.arguments.unwrap_or(settled.inputs);
        let worker = settled.settlement.worker.unwrap_or(WorkerId::from_index(0));
        let mut path = Vec::new();
        (self.name)(item, settled.settlement.first, worker, &mut path);
        if path == self.given {
            return Ok((self.folder_of(settled, path)?, FileNames::IN_FOLDER));
        }
        without_nul(&mut path);
        let (folder, names) = match path.ends_with(b"/") {
            true => (path_of(&path), FileNames::IN_FOLDER),
            false => (path_of(&path).parent().map(Path::to_owned).unwrap_or_default(), FileNames::BY_SUFFIX),
        };
        create_folder(&folder).map_err(|error| failed_to_create(&folder, error))?;
        Ok((path, names))
    }

    /// The folder of an item below the one that was given, which ends with a slash.
    fn folder_of(&self, settled: &Settled<'_>, given: Vec<u8>) -> Result<Vec<u8>, ReporterError> {
        let arguments = self.columns.arguments(settled);
        let folder = |shortens| {
            let mut path = given.clone();
            path.push(b'/');
            self.columns.push_path(&arguments, shortens, &mut path);
            let created = create_folder(&path_of(&path));
            (path, created)
        };
        let (mut path, mut created) = folder(false);
        if created.as_ref().is_err_and(|error| error.raw_os_error() == Some(Errno::ENAMETOOLONG as i32)) {
            (path, created) = folder(true);
        }
        created.map_err(|error| failed_to_create(&path_of(&path), error))?;
        path.push(b'/');
        Ok(path)
    }

    fn write(&mut self, settled: &Settled<'_>) -> Result<(), ReporterError> {
        let (start, names) = self.place(settled)?;
        let sequence = settled.settlement.first.0.saturating_add(1).to_string();
        write_file(&start, names.seq, |file| file.write_all(sequence.as_bytes()))?;
        write_file(&start, names.stdout, |file| copy(&settled.results, file))?;
        write_file(&start, names.stderr, |file| copy(&settled.errors, file))?;
        let exit = format!("{}\n", exit_code(settled));
        write_file(&start, names.exit, |file| file.write_all(exit.as_bytes()))?;
        let Some(time) = settled.times.and_then(<[_]>::first) else { return Ok(()) };
        let mut timing = Vec::new();
        push_seconds(self.unix_start_ns.saturating_add(time.started.0).saturating_add(500_000), &mut timing);
        timing.push(b'\t');
        push_seconds(time.runtime.0, &mut timing);
        timing.push(b'\n');
        write_file(&start, names.timing, |file| file.write_all(&timing))
    }
}

impl Reporter for ItemFiles {
    /// Writes no events.
    fn event(&mut self, _: Instant, _: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        Ok(())
    }

    fn settled(
        &mut self,
        _: Instant,
        settled: &mut Settled<'_>,
        _: &mut Outbox,
        _: &mut Outbox,
    ) -> Result<(), ReporterError> {
        if self.lost || has_no_output(settled) {
            return Ok(());
        }
        let written = self.write(settled);
        self.lost = written.is_err();
        written
    }

    /// Has many, which it writes itself.
    fn file(&mut self) -> Option<&mut OwnFile> {
        None
    }

    /// Has nothing elsewhere.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

/// No command was to run, or none could have been given the item, whose bytes were not kept.
pub(super) fn has_no_output(settled: &Settled<'_>) -> bool {
    let last = settled.settlement.causes.last().map(|cause| &cause.kind);
    settled.settlement.outcome == Outcome::Skipped
        || settled.settlement.count != 1
        || matches!(last, Some(CauseKind::Failed(FailReason::Rejected(_))))
}

/// What the files of an item are called, behind the beginning of their names.
#[derive(Clone, Copy, Debug)]
struct FileNames {
    stdout: &'static str,
    stderr: &'static str,
    seq: &'static str,
    exit: &'static str,
    timing: &'static str,
}

impl FileNames {
    const IN_FOLDER: Self = Self { stdout: "stdout", stderr: "stderr", seq: "seq", exit: "exit", timing: "timing" };
    const BY_SUFFIX: Self = Self { stdout: "", stderr: ".err", seq: ".seq", exit: ".exit", timing: ".timing" };
}

/// The exit code as a shell tells it.
fn exit_code(settled: &Settled<'_>) -> i32 {
    match exit_columns(settled) {
        (..0, _) => TIMED_OUT,
        (0, signal) if signal != 0 => SIGNAL_BASE + signal,
        (code, _) => code,
    }
}

/// No name of a file has a NUL.
fn without_nul(path: &mut [u8]) {
    path.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b'_');
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn failed_to_create(path: &Path, error: io::Error) -> ReporterError {
    ReporterError::Create { path: path.display().to_string(), error }
}

/// Most often one folder is missing.
fn create_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    }
}

fn write_file(start: &[u8], name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), ReporterError> {
    let path = path_of(&[start, name.as_bytes()].concat());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o666).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut file = options.open(&path).map_err(|error| failed_to_create(&path, error))?;
    write(&mut file).map_err(|error| ReporterError::Write { path: path.display().to_string(), error })
}

fn copy(content: &Content<'_>, file: &mut File) -> io::Result<()> {
    let spilled_bytes = content.spilled.bytes();
    let mut buffer = vec![0; spilled_bytes.min(COPY_BYTES) as usize];
    let mut at = 0;
    while at < spilled_bytes {
        let part = &mut buffer[..(spilled_bytes - at).min(COPY_BYTES) as usize];
        content.spilled.read_at(at, part)?;
        file.write_all(part)?;
        at += part.len() as u64;
    }
    file.write_all(content.memory)
}
