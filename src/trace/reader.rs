//! Reads a trace, record by record, from bytes that nobody vouches for.
//!
//! Invariant: no bytes make it panic, and none make it allocate more than a few times the largest record.

use super::record::{FORMAT_VERSION, HEADER_BYTES, KIND, MAGIC, TraceHeader, TraceRecord};
use crate::wire::record::{self, RecordError};
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const READ_BYTES: u64 = 256 * 1024;

/// No run has more slots; a trace that claims it is damaged.
const WORKERS_MAX: u32 = 1 << 18;

/// Why a file cannot be read as a trace. The texts complete "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum TraceReadError {
    #[error("read the trace {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("read the trace {}: the file is empty", path.display())]
    Empty { path: PathBuf },
    #[error("read the trace {}: it is no trace; `supervisor --trace FILE ...` writes one", path.display())]
    Foreign { path: PathBuf },
    #[error(
        "read the trace {}: its format is version {found}, and this program reads version {FORMAT_VERSION}; use the \
         program that wrote it",
        path.display()
    )]
    Version { path: PathBuf, found: u16 },
    #[error("read the trace {}: it ends before the run began; its writer was killed, or is about to write", path.display())]
    NoHeader { path: PathBuf },
    #[error("read the trace {}: it is damaged at its start", path.display())]
    Damaged { path: PathBuf },
}

/// Why a trace ends before its run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// What was written so far was read. More may come.
    #[error("the trace ends before the run: it is still being written, or its writer was killed")]
    Unfinished,
    #[error(
        "the trace is cut off within a record at byte {at}: it is still being written, its writer was killed, or its disk was full"
    )]
    Torn { at: u64 },
    #[error("the trace is damaged at byte {at}; what follows is left out")]
    Damaged { at: u64 },
}

/// A trace that is being read.
#[derive(Debug)]
pub struct TraceReader {
    path: PathBuf,
    bytes: RecordBytes,
    header: TraceHeader,
    /// The last record was read.
    has_ended: bool,
    /// Nothing behind this place can be read.
    damage: Option<Cut>,
    is_torn: bool,
}

impl TraceReader {
    /// Opens a trace.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn open(path: &Path) -> Result<Self, TraceReadError> {
        let failed = |error| TraceReadError::Io { path: path.to_owned(), error };
        let mut file = File::open(path).map_err(failed)?;
        let mut start = Vec::with_capacity(HEADER_BYTES);
        (&mut file).take(HEADER_BYTES as u64).read_to_end(&mut start).map_err(failed)?;
        let path = path.to_owned();
        match start.strip_prefix(&MAGIC) {
            None if start.is_empty() => return Err(TraceReadError::Empty { path }),
            None if MAGIC.starts_with(&start) => return Err(TraceReadError::NoHeader { path }),
            None => return Err(TraceReadError::Foreign { path }),
            Some([low, high]) => match u16::from_le_bytes([*low, *high]) {
                FORMAT_VERSION => {}
                found => return Err(TraceReadError::Version { path, found }),
            },
            Some(_) => return Err(TraceReadError::NoHeader { path }),
        }
        let mut bytes = RecordBytes { file, buffer: Vec::new(), start: 0, offset: HEADER_BYTES as u64 };
        match bytes.next() {
            Ok(Some(TraceRecord::Header(header))) if header.policy.workers <= WORKERS_MAX => {
                Ok(Self { path, bytes, header: *header, has_ended: false, damage: None, is_torn: false })
            }
            Ok(Some(_)) | Err(Stop::Damaged) => Err(TraceReadError::Damaged { path }),
            Ok(None) | Err(Stop::Torn) => Err(TraceReadError::NoHeader { path }),
            Err(Stop::Io(error)) => Err(TraceReadError::Io { path, error }),
        }
    }

    /// What the trace is of.
    #[must_use]
    pub const fn header(&self) -> &TraceHeader {
        &self.header
    }

    /// The next record; `None`: there is none now. In a trace that is still being written, one may come later.
    ///
    /// # Errors
    /// The file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends for ever with its first None")]
    pub fn next(&mut self) -> Result<Option<TraceRecord<'static>>, TraceReadError> {
        if self.has_ended || self.damage.is_some() {
            return Ok(None);
        }
        let next = self.bytes.next();
        self.is_torn = matches!(next, Err(Stop::Torn));
        match next {
            Ok(record) => {
                self.has_ended = matches!(record, Some(TraceRecord::End { .. }));
                Ok(record)
            }
            Err(Stop::Torn) => Ok(None),
            Err(Stop::Damaged) => {
                self.damage = Some(Cut::Damaged { at: self.bytes.offset });
                Ok(None)
            }
            Err(Stop::Io(error)) => Err(TraceReadError::Io { path: self.path.clone(), error }),
        }
    }

    /// Whether a run still writes it: it holds the lock of the file. Where files have no locks, `false`.
    #[must_use]
    pub fn is_being_written(&self) -> bool {
        match self.bytes.file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(_)) => false,
            Ok(()) => {
                // It was held for no longer than that.
                let _ = self.bytes.file.unlock();
                false
            }
        }
    }

    /// Once there is no next record: why the trace ends before its run, if it does.
    #[must_use]
    pub const fn cut(&self) -> Option<Cut> {
        match self.damage {
            Some(damage) => Some(damage),
            None if self.has_ended => None,
            None if self.is_torn => Some(Cut::Torn { at: self.bytes.offset }),
            None => Some(Cut::Unfinished),
        }
    }
}

/// Why there is no next record.
enum Stop {
    Torn,
    Damaged,
    Io(io::Error),
}

/// The records of a file, as bytes.
#[derive(Debug)]
struct RecordBytes {
    file: File,
    buffer: Vec<u8>,
    /// The bytes of the buffer that were not parsed begin here.
    start: usize,
    /// Their place in the file.
    offset: u64,
}

impl RecordBytes {
    fn next(&mut self) -> Result<Option<TraceRecord<'static>>, Stop> {
        loop {
            let is_torn = match record::first(&self.buffer[self.start..]) {
                Ok(Some(found)) => {
                    let decoded = postcard::take_from_bytes(found.payload);
                    let Ok((record, [])) = decoded.map_err(drop) else { return Err(Stop::Damaged) };
                    if found.kind != KIND {
                        return Err(Stop::Damaged);
                    }
                    self.start += found.bytes;
                    self.offset += found.bytes as u64;
                    return Ok(Some(record));
                }
                Ok(None) => false,
                Err(RecordError::Torn) => true,
                Err(RecordError::Length { .. } | RecordError::Checksum) => return Err(Stop::Damaged),
            };
            if !self.fill()? {
                return if is_torn { Err(Stop::Torn) } else { Ok(None) };
            }
        }
    }

    /// Reads on; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, Stop> {
        self.buffer.drain(..std::mem::take(&mut self.start));
        let read = (&mut self.file).take(READ_BYTES).read_to_end(&mut self.buffer);
        read.map(|bytes| bytes > 0).map_err(Stop::Io)
    }
}
