//! The content of stdin or of a file, cut into items by [`Splitter`].
//!
//! Invariant: nothing is read while a whole item is left to deliver, and at most one block is read at a time, so the rest
//! of an input stays available to the process that reads it next. The open file of stdin is shared with the user's shell
//! and never made non-blocking: `poll` is asked before each read.

use super::splitter::Splitter;
use super::windows::{By, Windows};
use super::{Delivery, Source, SourceError};
use crate::model::config::{InputSpec, Split};
use crate::sys::{fd, stdio};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Two batches.
const READ_BYTES_MAX: usize = 128 * 1024;

/// The size that a pipe's buffer is set to: two reads.
const PIPE_BYTES: u32 = 2 * READ_BYTES_MAX as u32;

/// After this many reads without a whole item, `next` returns, so that the loop can do its other work.
const READS_MAX: u32 = 64;

/// A source that is read.
pub struct Lines {
    name: String,
    file: File,
    /// A regular file: it is always ready, and `epoll` cannot watch it.
    regular: bool,
    splitter: Splitter,
    delimiter: u8,
    /// The buffer of a read. Bytes are copied from it, so that a block is no larger than the bytes that were read.
    scratch: Vec<u8>,
    /// End-of-file was read. A terminal would deliver more if it were read again.
    at_end: bool,
    /// End-of-file was passed on to the splitter.
    ended: bool,
}

/// Opens an input: mapped if `maps` is set and that is possible, otherwise read. Blocks of a regular file are read each
/// into a [`crate::sys::block::Block`] directly. stdin is always read, because the process that reads it next continues
/// at the position where we stopped.
///
/// # Errors
/// The input cannot be opened, or is a directory.
pub fn open(input: &InputSpec, split: Split, priority: bool, maps: bool) -> Result<Box<dyn Source>, SourceError> {
    let (name, opened) = match input {
        InputSpec::Stdin => ("stdin".to_owned(), open_stdin()),
        InputSpec::File(path) => (path.display().to_string(), open_file(path)),
    };
    let metadata = opened.and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = match metadata {
        Ok(opened) => opened,
        Err(error) => return Err(SourceError::Open { name, error }),
    };
    if metadata.is_dir() {
        return Err(SourceError::Directory { name });
    }
    let regular = metadata.is_file();
    let by = if maps { By::Mapping } else { By::Reading };
    // Blocks of records are cut as they are read.
    let in_windows = matches!(split, Split::Block { .. }) || (maps && matches!(split, Split::Delimiter(_)));
    let (name, file) = if in_windows && regular && *input != InputSpec::Stdin {
        match Windows::new(by, name, file, split.clone(), priority) {
            Ok(windows) => return Ok(Box::new(windows)),
            Err(unmapped) => unmapped,
        }
    } else {
        (name, file)
    };
    Ok(Box::new(Lines::new(name, file, regular, split, priority)))
}

impl Lines {
    fn new(name: String, file: File, regular: bool, split: Split, priority: bool) -> Self {
        if !regular {
            // The writer can be further ahead, and both sides wait less often. Bytes that are not read stay in the pipe.
            let _ = fd::enlarge_pipe(&file, PIPE_BYTES);
        }
        let splitter = Splitter::new(split, priority);
        let delimiter = splitter.delimiter().unwrap_or(b'\n');
        Self { name, file, regular, splitter, delimiter, scratch: Vec::new(), at_end: false, ended: false }
    }

    /// If a read would not block.
    fn is_ready(&self) -> io::Result<bool> {
        if self.regular {
            return Ok(true);
        }
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::errno::Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Reads up to a block of the bytes that have arrived. `false`: none have.
    fn read(&mut self) -> io::Result<bool> {
        if self.scratch.is_empty() {
            self.scratch = vec![0; READ_BYTES_MAX];
        }
        let mut held = 0;
        // A slow writer delivers a page or two at a time, and batches of that size would be small.
        while !self.at_end && held < READ_BYTES_MAX / 2 {
            let read = match self.is_ready() {
                Ok(true) => self.file.read(&mut self.scratch[held..]),
                Ok(false) => break,
                Err(error) => Err(error),
            };
            match read {
                Ok(bytes) => {
                    self.at_end = bytes == 0;
                    held += bytes;
                }
                // Another process has made it non-blocking, or has read the bytes.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
                // The bytes from before are delivered; the next read fails again.
                Err(_) if held > 0 => break,
                Err(error) => return Err(error),
            }
        }
        if held > 0 {
            self.splitter.push(&self.scratch[..held]);
        } else if self.at_end {
            self.ended = true;
            self.splitter.finish();
            self.scratch = Vec::new();
        }
        Ok(held > 0 || self.at_end)
    }
}

/// A FIFO without a writer is opened at once, and is not ready before one has come.
fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// A descriptor of our own for the inherited stdin.
fn open_stdin() -> io::Result<File> {
    if stdio::was_closed(0) {
        return Err(io::Error::other("it is closed"));
    }
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

impl Source for Lines {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        for _ in 0..READS_MAX {
            if let Some(delivery) = self.splitter.next(items_max) {
                return Ok(delivery);
            }
            if self.ended {
                return Ok(Delivery::Ended);
            }
            match self.read() {
                Ok(true) => {}
                Ok(false) => return Ok(Delivery::Idle),
                Err(error) => return Err(SourceError::Read { name: self.name.clone(), error }),
            }
        }
        Ok(self.splitter.next(items_max).unwrap_or(if self.ended { Delivery::Ended } else { Delivery::Idle }))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        (!self.regular).then(|| self.file.as_fd())
    }

    fn delimiter(&self) -> u8 {
        self.delimiter
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::PathBuf;

    const LINES: Split = Split::Delimiter(b'\n');

    fn open(path: &Path) -> Result<Box<dyn Source>, SourceError> {
        super::open(&InputSpec::File(path.to_owned()), LINES, false, false)
    }

    fn items(lines: &mut Box<dyn Source>) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            match lines.next(1).unwrap() {
                Delivery::Items(payload) => {
                    found.push(String::from_utf8(payload.block[payload.range].to_vec()).unwrap())
                }
                Delivery::Rejected(reason) => found.push(reason.to_string()),
                Delivery::Idle => found.push("(idle)".to_owned()),
                Delivery::Ended => return found,
            }
        }
    }

    #[test]
    fn an_input_that_cannot_be_opened_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(open(folder.path()), Err(SourceError::Directory { .. })));
        let missing = open(&folder.path().join("missing")).err().unwrap();
        assert!(matches!(missing, SourceError::Open { .. }), "{missing}");
        assert!(items(&mut open(Path::new("/dev/null")).unwrap()).is_empty());
        let empty = folder.path().join("empty");
        File::create(&empty).unwrap();
        assert!(items(&mut open(&empty).unwrap()).is_empty());
    }

    #[test]
    fn every_line_of_a_file_larger_than_a_read_is_delivered() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let lines: Vec<String> = (0..50_000).map(|number| format!("line {number}")).collect();
        file.write_all(lines.join("\n").as_bytes()).unwrap();
        assert!(items(&mut open(file.path()).unwrap()) == lines);
    }

    /// A pipe as a source, and its write end.
    fn piped() -> (Box<dyn Source>, io::PipeWriter) {
        let (reader, writer) = io::pipe().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader)));
        (open(&path).unwrap(), writer)
    }

    #[test]
    fn lines_that_have_arrived_are_delivered_together() {
        let (mut lines, mut writer) = piped();
        for _ in 0..3 {
            writer.write_all(b"a\nb\n").unwrap();
        }
        assert!(matches!(lines.next(9), Ok(Delivery::Items(payload)) if payload.count == 6));
        writer.write_all(b"c\n").unwrap();
        drop(writer);
        assert_eq!(items(&mut lines), ["c"]);
    }

    #[test]
    fn a_pipe_is_idle_until_a_whole_line_or_its_end_arrives() {
        let (mut lines, mut writer) = piped();
        assert!(lines.fd().is_some());
        assert!(matches!(lines.next(9), Ok(Delivery::Idle)));
        writer.write_all(b"a\nb\nc").unwrap();
        assert!(matches!(lines.next(9), Ok(Delivery::Items(payload)) if payload.count == 2));
        assert!(matches!(lines.next(9), Ok(Delivery::Idle)));
        drop(writer);
        // A child of another test, between its start and its exec, may hold a copy of the writer for a moment.
        let rest: Vec<_> = items(&mut lines).into_iter().filter(|item| item != "(idle)").collect();
        assert_eq!(rest, ["c"]);
    }
}
