//! The stderr of workers: passed on line by line, to our own stderr or to a file for each slot. Its end is kept, for the report
//! of a death.
//!
//! Invariant: never waits for a worker. Of each worker at most [`LINE_BYTES_MAX`] and [`TAIL_BYTES`] are in memory.

use super::super::super::turn::Turn;
use crate::core::input::Input;
use crate::model::ids::WorkerId;
use crate::sys::fd;
use crate::sys::folder::Folder;
use crate::sys::rotated_file::RotatedFile;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What is kept of the end of a worker's stderr.
pub const TAIL_BYTES: usize = 4096;

/// A longer line is cut.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Read at once: what a pipe holds by default (`pipe(7)`).
const READ_BYTES: usize = 64 * 1024;

/// Reads after the end of a worker. More than its pipe holds can only come from a process that it has left behind.
const READS_AT_END: u32 = 16;

/// Where lines go.
pub enum WorkerLogs {
    /// To our own stderr; `prefix`: behind the number of the slot.
    Stderr { prefix: bool },
    /// To files.
    Files(LogFiles),
}

/// A file for each slot.
pub struct LogFiles {
    folder: Folder,
    file_bytes_max: u64,
    /// By slot; opened at the first line.
    files: Vec<Option<RotatedFile>>,
    /// A file could not be written, which was reported: nothing is written any more.
    is_lost: bool,
}

/// Our end of the stderr of a worker.
pub struct WorkerStderr {
    reader: OwnedFd,
    /// The begun line.
    line: Vec<u8>,
    tail: Vec<u8>,
    /// It is in the poll set.
    pub is_watched: bool,
}

/// What a read has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StderrRead {
    /// Some bytes. There may be more.
    Some,
    /// No bytes at the moment.
    Nothing,
    /// Nobody writes any more.
    End,
}

impl LogFiles {
    pub const fn new(folder: Folder, file_bytes_max: u64) -> Self {
        Self { folder, file_bytes_max, files: Vec::new(), is_lost: false }
    }

    fn append(&mut self, worker: WorkerId, lines: &[u8], turn: &mut Turn) {
        if self.is_lost || lines.is_empty() {
            return;
        }
        let index = worker.index();
        if self.files.len() <= index {
            self.files.resize_with(index + 1, || None);
        }
        let name = format!("worker-{worker}.log");
        let appended = match &mut self.files[index] {
            Some(file) => file.append(&self.folder, lines),
            empty => RotatedFile::open(&self.folder, name.clone(), self.file_bytes_max)
                .and_then(|file| empty.insert(file).append(&self.folder, lines)),
        };
        if let Err(error) = appended {
            self.is_lost = true;
            let path = self.folder.path().join(name);
            turn.report(Input::StorageLost { error: format!("write {}: {error}", path.display()) });
        }
    }
}

impl WorkerLogs {
    /// Takes whole lines of a worker.
    fn take(&mut self, worker: WorkerId, lines: &[u8], turn: &mut Turn) {
        match self {
            Self::Files(files) => files.append(worker, lines, turn),
            Self::Stderr { prefix: false } => turn.notices.extend_from_slice(lines),
            Self::Stderr { prefix: true } => {
                for line in lines.split_inclusive(|byte| *byte == b'\n') {
                    turn.notices.extend_from_slice(format!("worker {worker}: ").as_bytes());
                    turn.notices.extend_from_slice(line);
                }
            }
        }
    }
}

impl WorkerStderr {
    /// `reader`: the reading end of a pipe, which does not block.
    pub const fn new(reader: OwnedFd) -> Self {
        Self { reader, line: Vec::new(), tail: Vec::new(), is_watched: false }
    }

    /// Takes it out of the poll set.
    pub fn unwatch(&mut self, turn: &mut Turn) {
        if std::mem::take(&mut self.is_watched) {
            turn.system.unwatch(self.reader.as_fd());
        }
    }

    /// Reads once, and passes the lines on that are whole.
    pub fn read(&mut self, worker: WorkerId, logs: &mut WorkerLogs, turn: &mut Turn) -> StderrRead {
        let mut bytes = [0; READ_BYTES];
        match fd::read_now(&self.reader, &mut bytes) {
            Ok(0) => StderrRead::End,
            Ok(count) => {
                self.note(&bytes[..count]);
                self.line.extend_from_slice(&bytes[..count]);
                let whole = memchr::memrchr(b'\n', &self.line).map_or(0, |newline| newline + 1);
                logs.take(worker, &self.line[..whole], turn);
                self.line.drain(..whole);
                if self.line.len() > LINE_BYTES_MAX {
                    self.end_line(worker, logs, turn);
                }
                StderrRead::Some
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => StderrRead::Nothing,
            // A pipe gives no other error that a further read would not give again.
            Err(_) => StderrRead::End,
        }
    }

    /// The worker has ended: passes on what it wrote before. Returns the end of all that it wrote.
    pub fn end(mut self, worker: WorkerId, logs: &mut WorkerLogs, turn: &mut Turn) -> Vec<u8> {
        for _ in 0..READS_AT_END {
            if self.read(worker, logs, turn) != StderrRead::Some {
                break;
            }
        }
        self.end_line(worker, logs, turn);
        self.tail
    }

    fn end_line(&mut self, worker: WorkerId, logs: &mut WorkerLogs, turn: &mut Turn) {
        if !self.line.is_empty() {
            self.line.push(b'\n');
            logs.take(worker, &self.line, turn);
            self.line.clear();
        }
    }

    /// Keeps the end of what was written.
    fn note(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let kept = (TAIL_BYTES - new.len()).min(self.tail.len());
        self.tail.drain(..self.tail.len() - kept);
        self.tail.extend_from_slice(new);
    }
}

impl AsFd for WorkerStderr {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

/// The end of a worker's stderr as text: whole lines, where it has a whole one.
pub fn text_of(tail: &[u8]) -> Option<Box<str>> {
    // The first line may be cut where the tail begins.
    let is_cut = tail.len() >= TAIL_BYTES;
    let first = memchr::memchr(b'\n', tail).map(|newline| newline + 1).filter(|first| is_cut && *first < tail.len());
    let lines = tail.get(first.unwrap_or(0)..).unwrap_or_default();
    let text = String::from_utf8_lossy(lines);
    let text = text.trim_end_matches('\n');
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stderr() -> (WorkerStderr, OwnedFd) {
        let (reader, writer) = fd::pipe_to_poll().unwrap();
        (WorkerStderr::new(reader), writer)
    }

    #[test]
    fn the_end_of_what_was_written_is_kept() {
        let (mut stderr, _writer) = stderr();
        for number in 0..2000 {
            stderr.note(format!("line {number}\n").as_bytes());
        }
        assert_eq!(stderr.tail.len(), TAIL_BYTES);
        let text = text_of(&stderr.tail).unwrap();
        assert!(text.ends_with("line 1998\nline 1999"), "{text}");
        assert!(text.starts_with("line 1"), "whole lines: {text}");
        stderr.note(&[b'x'; 10_000]);
        assert_eq!(stderr.tail, [b'x'; TAIL_BYTES]);
        assert_eq!(text_of(b"one\ntwo\n").as_deref(), Some("one\ntwo"));
        assert_eq!(text_of(b"\xff\n").as_deref(), Some("\u{fffd}"));
        assert_eq!(text_of(b"\n"), None);
        assert_eq!(text_of(b""), None);
    }
}
