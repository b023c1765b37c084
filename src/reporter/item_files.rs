//! `--results DIR`: the output of each command in files of its own, in the layout of GNU parallel: `stdout`, `stderr`
//! and `seq`, and beside them `exit` and `timing`.
//!
//! The files are written at the end of the turn in which an item has ended, when the next commands have been ordered, so
//! that launchers work meanwhile. They are plain local files, so to write them waits no longer than the disk does, and
//! nothing is synced. Large output is not copied, and written at once.
//!
//! Invariant: no link is followed to the last part of a path, and nothing waits for the reader of a FIFO. After a
//! failure nothing more is written, and the run stops.

use super::item_columns::{ItemColumns, NAME_BYTES_MAX};
use super::job_log::{exit_columns, push_seconds};
use super::own_file::OwnFile;
use super::{Content, ItemText, Reporter, ReporterError, Settled};
use crate::model::event::RunEvent;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::{CauseKind, FailReason, Outcome};
use crate::model::time::Instant;
use crate::model::words::push_number;
use crate::sys::outbox::Outbox;
use crate::sys::output_folder::OutputFolder;
use nix::errno::Errno;
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// How much of what was spilled is copied at once.
const COPY_BYTES: u64 = 64 * 1024;

/// Room for the texts of an item: three numbers and two times.
const TEXTS_BYTES: usize = 64;

/// Output that is larger is written at once.
const HELD_BYTES_MAX: usize = 16 * 1024;

/// More than this is not held until the end of a turn.
const ALL_HELD_BYTES_MAX: usize = 256 * 1024;

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
    /// What is written at the end of the turn.
    held: Vec<HeldFiles>,
    held_bytes: usize,
    /// A file could not be written.
    lost: bool,
}

impl ItemFiles {
    #[must_use]
    pub fn new(given: &[u8], name: ItemText, columns: ItemColumns) -> Self {
        let given = given.to_vec();
        Self { given, name, columns, unix_start_ns: 0, held: Vec::new(), held_bytes: 0, lost: false }
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
                path_of(&[&path, FileNames::IN_FOLDER.stdout.to_bytes()].concat()).exists()
            };
            return has(false) || has(true);
        }
        without_nul(&mut path);
        let in_folder = path_of(&[&path, FileNames::IN_FOLDER.stdout.to_bytes()].concat());
        in_folder.exists() || path_of(&path).is_file()
    }

    /// Where the files of an item go.
    fn place(&mut self, settled: &Settled<'_>) -> FilesPlace {
        let item = settled.arguments.unwrap_or(settled.inputs);
        let worker = settled.settlement.worker.unwrap_or(WorkerId::from_index(0));
        let mut path = Vec::new();
        (self.name)(item, settled.settlement.first, worker, &mut path);
        if path == self.given {
            return self.place_below(settled, path);
        }
        without_nul(&mut path);
        let base = path.split_off(memchr::memrchr(b'/', &path).map_or(0, |slash| slash + 1));
        FilesPlace { is_per_item: base.is_empty() && !path.is_empty(), folder: path, shortened: None, base }
    }

    /// The folder of an item below the one that was given.
    fn place_below(&self, settled: &Settled<'_>, given: Vec<u8>) -> FilesPlace {
        let arguments = self.columns.arguments(settled);
        let mut folder = given;
        folder.push(b'/');
        let start = folder.len();
        self.columns.push_path(&arguments, false, &mut folder);
        let mut shortened = None;
        if folder.len() - start > NAME_BYTES_MAX {
            let mut path = folder[..start].to_vec();
            self.columns.push_path(&arguments, true, &mut path);
            shortened = Some(path);
        }
        FilesPlace { is_per_item: true, folder, shortened, base: Vec::new() }
    }

    /// What is in the files that are not output.
    fn texts(&self, settled: &Settled<'_>) -> FileTexts {
        let mut texts = FileTexts { bytes: Vec::with_capacity(TEXTS_BYTES), ..FileTexts::default() };
        push_number(&mut texts.bytes, settled.settlement.first.0.saturating_add(1));
        texts.seq_end = texts.bytes.len();
        // A vector takes everything.
        let _ = writeln!(texts.bytes, "{}", exit_code(settled));
        texts.exit_end = texts.bytes.len();
        if let Some(time) = settled.times.and_then(<[_]>::first) {
            push_seconds(self.unix_start_ns.saturating_add(time.started.0).saturating_add(500_000), &mut texts.bytes);
            texts.bytes.push(b'\t');
            push_seconds(time.runtime.0, &mut texts.bytes);
            texts.bytes.push(b'\n');
        }
        texts
    }

    /// Writes what is held, unless a file cannot be written.
    fn write_held(&mut self) -> Result<(), ReporterError> {
        self.held_bytes = 0;
        let mut held = mem::take(&mut self.held);
        let written = held.drain(..).try_for_each(|held| {
            let (stdout, stderr) = held.output.split_at(held.stdout_bytes);
            held.place.write(&held.texts, &Content::in_memory(stdout), &Content::in_memory(stderr))
        });
        self.held = held;
        written
    }

    fn store(&mut self, settled: &Settled<'_>) -> Result<(), ReporterError> {
        let (place, texts) = (self.place(settled), self.texts(settled));
        let (stdout, stderr) = (&settled.results, &settled.errors);
        let bytes = stdout.memory.len() + stderr.memory.len();
        if bytes > HELD_BYTES_MAX || !stdout.spilled.is_empty() || !stderr.spilled.is_empty() {
            // In the order of the items: several may have the same files.
            self.write_held()?;
            return place.write(&texts, stdout, stderr);
        }
        let output = [stdout.memory, stderr.memory].concat();
        self.held.push(HeldFiles { place, texts, output, stdout_bytes: stdout.memory.len() });
        self.held_bytes += bytes;
        if self.held_bytes > ALL_HELD_BYTES_MAX { self.write_held() } else { Ok(()) }
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
        let stored = self.store(settled);
        self.lost = stored.is_err();
        stored
    }

    /// Has many, which it writes itself.
    fn file(&mut self) -> Option<&mut OwnFile> {
        None
    }

    /// Writes the files of the items that have ended in this turn.
    fn flush(&mut self) -> Result<(), ReporterError> {
        let written = self.write_held();
        self.lost |= written.is_err();
        written
    }
}

/// No command was to run, or none could have been given the item, whose bytes were not kept.
pub(super) fn has_no_output(settled: &Settled<'_>) -> bool {
    let last = settled.settlement.causes.last().map(|cause| &cause.kind);
    settled.settlement.outcome == Outcome::Skipped
        || settled.settlement.count != 1
        || matches!(last, Some(CauseKind::Failed(FailReason::Rejected(_))))
}

/// The files of an item that are not written yet.
struct HeldFiles {
    place: FilesPlace,
    texts: FileTexts,
    /// Stdout, then stderr.
    output: Vec<u8>,
    stdout_bytes: usize,
}

/// What is in `seq`, `exit` and `timing`, one behind the other. There is no `timing` if no time is known.
#[derive(Default)]
struct FileTexts {
    bytes: Vec<u8>,
    seq_end: usize,
    exit_end: usize,
}

/// Where the files of an item are, and how they are called.
struct FilesPlace {
    /// The item has a folder of its own.
    is_per_item: bool,
    folder: Vec<u8>,
    /// The folder to take if the system says that a name is too long, if there is another one.
    shortened: Option<Vec<u8>>,
    /// What the names of all files begin with; empty in a folder of its own.
    base: Vec<u8>,
}

/// What the files of an item are called, behind the beginning of their names.
#[derive(Clone, Copy, Debug)]
struct FileNames {
    stdout: &'static CStr,
    stderr: &'static CStr,
    seq: &'static CStr,
    exit: &'static CStr,
    timing: &'static CStr,
}

impl FileNames {
    const IN_FOLDER: Self =
        Self { stdout: c"stdout", stderr: c"stderr", seq: c"seq", exit: c"exit", timing: c"timing" };
    const BY_SUFFIX: Self = Self { stdout: c"", stderr: c".err", seq: c".seq", exit: c".exit", timing: c".timing" };
}

impl FilesPlace {
    fn open(mut self) -> Result<OpenPlace, ReporterError> {
        let mut opened = self.open_folder();
        let is_too_long = |error: &io::Error| error.raw_os_error() == Some(Errno::ENAMETOOLONG as i32);
        if opened.as_ref().is_err_and(is_too_long)
            && let Some(shortened) = self.shortened.take()
        {
            self.folder = shortened;
            opened = self.open_folder();
        }
        match opened {
            Ok(folder) => Ok(OpenPlace { place: self, folder }),
            Err(error) => Err(failed_to_create(path_of(&self.folder), error)),
        }
    }

    fn open_folder(&self) -> io::Result<OutputFolder> {
        let path = CString::new(&*self.folder)?;
        if self.is_per_item { OutputFolder::create(&path) } else { OutputFolder::open_or_create(&path) }
    }

    fn write(self, texts: &FileTexts, stdout: &Content<'_>, stderr: &Content<'_>) -> Result<(), ReporterError> {
        let files = self.open()?;
        let names = if files.place.is_per_item { FileNames::IN_FOLDER } else { FileNames::BY_SUFFIX };
        let (seq, rest) = texts.bytes.split_at(texts.seq_end);
        let (exit, timing) = rest.split_at(texts.exit_end - texts.seq_end);
        files.store(names.seq, &Content::in_memory(seq))?;
        files.store(names.stdout, stdout)?;
        files.store(names.stderr, stderr)?;
        files.store(names.exit, &Content::in_memory(exit))?;
        if timing.is_empty() { Ok(()) } else { files.store(names.timing, &Content::in_memory(timing)) }
    }
}
/// A place whose folder exists.
struct OpenPlace {
    place: FilesPlace,
    folder: OutputFolder,
}

impl OpenPlace {
    fn store(&self, suffix: &CStr, content: &Content<'_>) -> Result<(), ReporterError> {
        let base = &self.place.base;
        let path = || path_of(&self.place.folder).join(OsStr::from_bytes(&[base, suffix.to_bytes()].concat()));
        // A file in a folder of its item has its name without a copy.
        let whole = match base.is_empty() {
            true => Ok(Cow::Borrowed(suffix)),
            false => CString::new([base, suffix.to_bytes()].concat()).map(Cow::Owned),
        };
        let name = whole.map_err(|error| failed_to_create(path(), error.into()))?;
        if content.spilled.is_empty() && content.memory.is_empty() {
            return self.folder.create_empty(&name).map_err(|error| failed_to_create(path(), error));
        }
        let mut file = self.folder.create_file(&name).map_err(|error| failed_to_create(path(), error))?;
        copy(content, &mut file).map_err(|error| ReporterError::Write { path: path().display().to_string(), error })
    }
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

fn failed_to_create(path: PathBuf, error: io::Error) -> ReporterError {
    ReporterError::Create { path: path.display().to_string(), error }
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

#[cfg(test)]
mod tests {
    use super::super::ItemTime;
    use super::super::recorded::settlement;
    use super::*;
    use crate::model::arrangement::{ColumnNames, ItemForm};
    use crate::model::time::Duration;
    use crate::sys::spill::{SpillFile, SpilledContent};
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    fn stored_in(folder: &Path) -> ItemFiles {
        let given = [folder.as_os_str().as_bytes(), b"/D"].concat();
        let (constant, names) = (given.clone(), ColumnNames::default());
        let name: ItemText = Box::new(move |_, _, _, out| out.extend_from_slice(&constant));
        ItemFiles::new(&given, name, ItemColumns { form: ItemForm::Whole, names, has_header: false, per_record: None })
    }

    fn settle(files: &mut ItemFiles, item: u64, input: &[u8], results: Content<'_>) -> Result<(), ReporterError> {
        let (settlement, errors) = (settlement(item, 1, Outcome::Done, 1, vec![]), Content::in_memory(b"e"));
        let times = [ItemTime { started: Instant(1_500_000_000), runtime: Duration(2_345_000_000) }];
        let (settlement, times) = (&settlement, Some(&times[..]));
        let delimiter = b'\n';
        let mut settled =
            Settled { settlement, inputs: input, arguments: None, delimiter, results, errors, times, exit: None };
        files.settled(Instant::ZERO, &mut settled, &mut Outbox::default(), &mut Outbox::default())
    }

    fn files_of(folder: &Path, item: &str) -> Vec<String> {
        let read = |name| fs::read(folder.join("D/1").join(item).join(name)).map_or(0, |bytes| bytes.len());
        let text = |name| fs::read_to_string(folder.join("D/1").join(item).join(name)).unwrap_or_default();
        vec![read("stdout").to_string(), text("stderr"), text("seq"), text("exit"), text("timing")]
    }

    #[test]
    fn small_output_is_written_at_the_end_of_the_turn_and_large_output_at_once_in_the_order_of_the_items() {
        let place = tempfile::tempdir().unwrap();
        let (mut files, large) = (stored_in(place.path()), vec![b'x'; HELD_BYTES_MAX + 1]);
        settle(&mut files, 0, b"a", Content::default()).unwrap();
        assert!(!place.path().join("D").exists());
        files.flush().unwrap();
        assert_eq!(files_of(place.path(), "a"), ["0", "e", "1", "0\n", "1.500\t2.345\n"]);
        settle(&mut files, 1, b"b", Content::in_memory(b"1")).unwrap();
        settle(&mut files, 2, b"b", Content::in_memory(&large)).unwrap();
        assert_eq!(files_of(place.path(), "b")[..3], [large.len().to_string().as_str(), "e", "3"]);
        settle(&mut files, 3, b"b", Content::in_memory(b"1")).unwrap();
        let (mut spilled, spill) = (SpilledContent::default(), Arc::new(SpillFile::new()));
        spilled.push(&spill, b"12345").unwrap();
        settle(&mut files, 4, b"b", Content { spilled, memory: b"678", before: 0 }).unwrap();
        assert_eq!(files_of(place.path(), "b")[..3], ["8", "e", "5"]);
        files.flush().unwrap();
        assert_eq!(files_of(place.path(), "b")[..3], ["8", "e", "5"], "nothing is left");
    }

    #[test]
    fn what_is_held_is_bounded() {
        let place = tempfile::tempdir().unwrap();
        // With the byte on stderr.
        let (mut files, output) = (stored_in(place.path()), vec![b'x'; HELD_BYTES_MAX / 2 - 1]);
        let needed = ALL_HELD_BYTES_MAX / (output.len() + 1) + 1;
        for item in 0..needed as u64 {
            assert!(!place.path().join("D").exists(), "{item}");
            settle(&mut files, item, item.to_string().as_bytes(), Content::in_memory(&output)).unwrap();
        }
        assert_eq!(fs::read_dir(place.path().join("D/1")).unwrap().count(), needed);
    }

    #[test]
    fn after_a_failure_nothing_more_is_written() {
        let place = tempfile::tempdir().unwrap();
        let mut files = stored_in(place.path());
        fs::create_dir_all(place.path().join("D/1/a/exit")).unwrap();
        for (item, input) in [(0, b"a"), (1, b"b")] {
            settle(&mut files, item, input, Content::default()).unwrap();
        }
        let error = files.flush().unwrap_err().to_string();
        assert!(error.contains("D/1/a/exit"), "{error}");
        settle(&mut files, 2, b"c", Content::in_memory(&vec![b'x'; HELD_BYTES_MAX + 1])).unwrap();
        files.flush().unwrap();
        let names: Vec<_> =
            fs::read_dir(place.path().join("D/1")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a"]);
    }

    #[test]
    fn names_too_long_for_the_system_are_shortened_and_no_others() {
        let place = tempfile::tempdir().unwrap();
        let mut files = stored_in(place.path());
        settle(&mut files, 0, "x".repeat(300).as_bytes(), Content::default()).unwrap();
        settle(&mut files, 1, "y".repeat(255).as_bytes(), Content::default()).unwrap();
        files.flush().unwrap();
        for (name, seq) in [("x", "1"), ("y", "2")] {
            assert_eq!(files_of(place.path(), &name.repeat(255))[2], seq);
        }
    }
}
