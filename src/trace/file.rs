//! The file of a trace, from its creation to the last byte: a thread of its own writes it, so that the loop never waits
//! for the disk.
//!
//! The loop appends records to a buffer of bounded size. The thread takes the buffer as a whole and writes it, about 50
//! times a second unless much waits. What finds no place in the buffer is dropped and counted, details first: without
//! them a trace can still be run again.

use super::record::{FORMAT_VERSION, HEADER_BYTES, MAGIC, TraceRecord};
use crate::sys::signals;
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Bytes that may wait for the disk.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// Above this, only what a replay needs is kept.
const DETAILS_BYTES_MAX: usize = WAITING_BYTES_MAX / 4 * 3;

/// So many bytes are written at once, without a pause.
const WRITE_BYTES_MIN: usize = 1 << 20;

/// Otherwise the thread gathers for so long before it writes: short enough for an eye that follows a run.
const PAUSE: Duration = Duration::from_millis(20);

/// The loop hands over more than this at once.
const FRESH_BYTES_MAX: usize = 64 * 1024;

/// Why a trace cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TraceFileError {
    #[error("write the trace {}: {error}", path.display())]
    Open { path: PathBuf, error: io::Error },
    #[error("write the trace {}: it is a {what}; give the name of a file", path.display())]
    NoFile { path: PathBuf, what: &'static str },
    #[error("write the trace {}: the file is there and is no trace; give another name, or remove it", path.display())]
    Foreign { path: PathBuf },
    #[error("write the trace {}: another run writes it; give another name", path.display())]
    InUse { path: PathBuf },
    #[error("start the thread that writes the trace: {error}")]
    Thread { error: io::Error },
}

/// A new, empty trace.
#[derive(Debug)]
pub struct TraceFile {
    path: PathBuf,
    file: File,
}

impl TraceFile {
    /// Creates the file, or empties a trace that is there. Others cannot read it.
    ///
    /// # Errors
    /// Something else is there: it stays as it is.
    pub fn create(path: &Path) -> Result<Self, TraceFileError> {
        let failed = |error| TraceFileError::Open { path: path.to_owned(), error };
        let no_file = |what| TraceFileError::NoFile { path: path.to_owned(), what };
        if let Ok(there) = path.symlink_metadata() {
            let kind = there.file_type();
            if kind.is_symlink() {
                return Err(no_file("symbolic link"));
            } else if kind.is_dir() {
                return Err(no_file("folder"));
            } else if !kind.is_file() {
                return Err(no_file(if kind.is_fifo() { "named pipe" } else { "device" }));
            }
        }
        let mut options = OpenOptions::new();
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags.bits())
            .open(path)
            .map_err(failed)?;
        let mut magic = [0; MAGIC.len()];
        let is_empty = file.metadata().map_err(failed)?.len() == 0;
        if !is_empty && (file.read_exact(&mut magic).is_err() || magic != MAGIC) {
            return Err(TraceFileError::Foreign { path: path.to_owned() });
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TraceFileError::InUse { path: path.to_owned() }),
            // A file system without locks.
            Err(TryLockError::Error(_)) => {}
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Starts the thread that writes it.
    ///
    /// # Errors
    /// No thread is left.
    pub fn start(self) -> Result<Recorder, TraceFileError> {
        let shared = Arc::new(FileQueue::default());
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        shared.lock().bytes = header;
        let (writer, file) = (Arc::clone(&shared), self.file);
        let builder = Builder::new().name("trace".to_owned());
        let thread = signals::with_blocked(|| builder.spawn(move || write_all(&writer, file)));
        let thread = thread.map_err(|error| TraceFileError::Thread { error })?;
        Ok(Recorder {
            path: self.path,
            shared,
            fresh: Vec::new(),
            fresh_records: 0,
            is_tight: false,
            dropped: 0,
            unnoted: 0,
            thread: Some(thread),
        })
    }
}

/// What waits for the thread.
#[derive(Default)]
struct WaitingRecords {
    bytes: Vec<u8>,
    /// How many these are. Once writing has failed: how many were not written.
    records: u64,
    /// The thread sleeps until something waits.
    is_asleep: bool,
    /// Nothing follows.
    is_closed: bool,
    /// Why nothing more can be written.
    failure: Option<io::Error>,
}

#[derive(Default)]
struct FileQueue {
    waiting: Mutex<WaitingRecords>,
    changed: Condvar,
}

impl FileQueue {
    fn lock(&self) -> MutexGuard<'_, WaitingRecords> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop's side.
pub struct Recorder {
    path: PathBuf,
    shared: Arc<FileQueue>,
    /// Records that were not handed over to the thread, and their number.
    fresh: Vec<u8>,
    fresh_records: u64,
    /// The thread is behind: details find no place.
    is_tight: bool,
    /// Records without a place: in all, and since the last note of them in the file.
    dropped: u64,
    unnoted: u64,
    thread: Option<JoinHandle<()>>,
}

/// How a trace ended.
#[derive(Debug)]
pub struct TraceEnd {
    pub path: PathBuf,
    /// Records that are missing. If writing has failed, some of the last of them may be there.
    pub dropped: u64,
    /// Why nothing more could be written.
    pub failure: Option<io::Error>,
}

impl Recorder {
    /// Appends a record.
    pub fn record(&mut self, record: &TraceRecord<'_>) {
        if self.fresh.len() > FRESH_BYTES_MAX {
            self.hand_over();
        }
        if (self.is_tight && record.is_detail()) || record.append_to(&mut self.fresh).is_err() {
            self.drop_records(1);
        } else {
            self.fresh_records += 1;
        }
    }

    const fn drop_records(&mut self, records: u64) {
        self.dropped += records;
        self.unnoted += records;
    }

    /// Hands the records over to the thread: once in each turn of the loop. Never waits for the disk.
    pub fn hand_over(&mut self) {
        if self.fresh.is_empty() && self.unnoted == 0 {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let mut waiting = shared.lock();
        if waiting.failure.is_some() || waiting.bytes.len() + self.fresh.len() > WAITING_BYTES_MAX {
            self.drop_records(self.fresh_records);
        } else {
            // Behind the gap, and before what was recorded after it.
            let gap = TraceRecord::Dropped { records: self.unnoted };
            if self.unnoted > 0 && gap.append_to(&mut waiting.bytes).is_ok() {
                self.unnoted = 0;
            }
            waiting.bytes.extend_from_slice(&self.fresh);
            waiting.records += self.fresh_records;
        }
        self.fresh.clear();
        self.fresh_records = 0;
        self.is_tight = waiting.bytes.len() > DETAILS_BYTES_MAX;
        if waiting.is_asleep || waiting.bytes.len() >= WRITE_BYTES_MIN {
            shared.changed.notify_one();
        }
    }

    /// Waits until everything is written.
    #[must_use]
    pub fn finish(mut self) -> TraceEnd {
        self.close();
        let mut waiting = self.shared.lock();
        let failure = waiting.failure.take();
        let unwritten = if failure.is_some() { waiting.records } else { 0 };
        drop(waiting);
        TraceEnd { path: std::mem::take(&mut self.path), dropped: self.dropped + unwritten, failure }
    }

    fn close(&mut self) {
        self.hand_over();
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, its file would be torn, and a reader says so.
            let _ = thread.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread: writes what waits, until nothing follows.
fn write_all(shared: &FileQueue, mut file: File) {
    let mut bytes = Vec::new();
    loop {
        let mut waiting = shared.lock();
        while waiting.bytes.is_empty() && !waiting.is_closed {
            waiting.is_asleep = true;
            waiting = shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.is_asleep = false;
        let gathers = |waiting: &mut WaitingRecords| waiting.bytes.len() < WRITE_BYTES_MIN && !waiting.is_closed;
        let pause = shared.changed.wait_timeout_while(waiting, PAUSE, gathers);
        let (mut waiting, _) = pause.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.bytes, &mut bytes);
        let records = std::mem::take(&mut waiting.records);
        let is_last = waiting.is_closed;
        drop(waiting);
        if let Err(error) = file.write_all(&bytes) {
            let mut waiting = shared.lock();
            waiting.bytes = Vec::new();
            waiting.records += records;
            waiting.failure = Some(error);
            return;
        }
        bytes.clear();
        if is_last {
            return;
        }
    }
}
