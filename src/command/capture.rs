//! The output of commands, stored until it is shown: a little in memory, the rest in one file that all commands share.
//!
//! Invariant: a capture holds at most [`MEMORY_BYTES_MAX`] bytes in memory, however much a command writes, so that memory
//! is bounded by the number of slots.

use crate::sys::pty;
use crate::sys::spill::{SpillFile, SpilledContent};
use std::io::{self, PipeReader, Read};
use std::sync::Arc;

/// Output up to this size is never written to the file. It is the usual size of a pipe, and far more than most commands
/// write.
pub const MEMORY_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of one read: a full pipe of the usual size.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The most memory of a finished capture that may stay unused.
const SLACK_BYTES_MAX: usize = 4 * 1024;

/// The result of a step on a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes were moved, and there may be more.
    More,
    /// No bytes can be moved now: wait until the poll set reports the pipe.
    Blocked,
    /// No bytes will be moved any more. Remove the pipe from the poll set, then drop it.
    Closed,
}

/// Why output could not be stored. The texts complete "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("read the output of a command: {0}")]
    Read(io::Error),
    #[error("keep the output of a command in a temporary file in {folder}: {error}")]
    Spill { folder: String, error: io::Error },
}

/// The output of one command on one stream: first the content in the file, then the bytes in memory. Dropping it frees
/// both.
#[derive(Debug, Default)]
pub struct Capture {
    pub spilled: SpilledContent,
    pub memory: Vec<u8>,
    /// How many bytes were written before these, and have left already.
    pub before: u64,
    /// How many of these bytes are whole lines, if that is looked for.
    pub line_bytes: u64,
}

impl Capture {
    /// How many bytes were captured.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.spilled.bytes() + self.memory.len() as u64
    }

    /// Appends at most [`READ_BYTES_MAX`] bytes.
    fn append(&mut self, bytes: &[u8], spill: &Arc<SpillFile>) -> Result<(), CaptureError> {
        if self.memory.len() + bytes.len() > MEMORY_BYTES_MAX {
            self.spilled.push(spill, &self.memory).map_err(|error| {
                let folder = spill.folder().display().to_string();
                CaptureError::Spill { folder, error }
            })?;
            self.memory.clear();
        }
        self.memory.extend_from_slice(bytes);
        Ok(())
    }

    /// Cuts off the whole lines.
    #[must_use]
    pub fn take_lines(&mut self) -> Self {
        let bytes = std::mem::take(&mut self.line_bytes);
        let in_memory = bytes.saturating_sub(self.spilled.bytes());
        let spilled = self.spilled.split_front(bytes);
        let rest = self.memory.split_off(usize::try_from(in_memory).unwrap_or(usize::MAX).min(self.memory.len()));
        let memory = std::mem::replace(&mut self.memory, rest);
        let mut lines = Self { spilled, memory, before: self.before, line_bytes: bytes };
        self.before += bytes;
        lines.finish();
        lines
    }

    /// Frees unused memory of a finished capture: in keep-order many of them wait for their turn.
    fn finish(&mut self) {
        if self.memory.capacity() - self.memory.len() > SLACK_BYTES_MAX {
            self.memory.shrink_to_fit();
        }
    }
}

/// What the captures of a thread share: the file for large output, and the buffer to read into.
#[derive(Debug)]
pub struct Collector {
    spill: Arc<SpillFile>,
    scratch: Box<[u8]>,
    /// Captures count their whole lines.
    finds_lines: bool,
}

impl Collector {
    #[must_use]
    pub fn new(spill: Arc<SpillFile>) -> Self {
        Self { spill, scratch: vec![0; READ_BYTES_MAX].into_boxed_slice(), finds_lines: false }
    }

    /// With captures that count their whole lines.
    #[must_use]
    pub fn finding_lines(self, finds_lines: bool) -> Self {
        Self { finds_lines, ..self }
    }

    /// Reads once from a pipe, or from our end of a terminal, that does not block.
    ///
    /// # Errors
    /// The temporary file cannot be written (the disk is full), or the pipe cannot be read.
    pub(super) fn read(&mut self, mut pipe: &PipeReader, capture: &mut Capture) -> Result<Progress, CaptureError> {
        match pipe.read(&mut self.scratch) {
            Ok(0) => {
                capture.finish();
                Ok(Progress::Closed)
            }
            Ok(count) => {
                let bytes = &self.scratch[..count];
                capture.append(bytes, &self.spill)?;
                if self.finds_lines
                    && let Some(at) = memchr::memrchr(b'\n', bytes)
                {
                    capture.line_bytes = capture.bytes() - (bytes.len() - at - 1) as u64;
                }
                Ok(Progress::More)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Progress::Blocked),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Progress::More),
            Err(error) if pty::is_end(&error) => {
                capture.finish();
                Ok(Progress::Closed)
            }
            Err(error) => Err(CaptureError::Read(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;
    use crate::sys::poller::{Interest, Poller};
    use std::io::{PipeWriter, Write};

    fn pipe() -> (PipeReader, PipeWriter) {
        let (reader, writer) = fd::pipe().unwrap();
        fd::set_nonblocking(&reader).unwrap();
        (reader.into(), writer.into())
    }

    /// Sends `pieces` of 4 KiB, numbered, through a pipe into a capture; reads after each.
    fn feed(capture: &mut Capture, collector: &mut Collector, pieces: std::ops::Range<u8>) -> Vec<u8> {
        let (reader, mut writer) = pipe();
        let mut sent = Vec::new();
        for number in pieces {
            let piece = vec![number; 4096];
            writer.write_all(&piece).unwrap();
            sent.extend_from_slice(&piece);
            assert_eq!(collector.read(&reader, capture).unwrap(), Progress::More);
            assert_eq!(collector.read(&reader, capture).unwrap(), Progress::Blocked);
            assert!(capture.memory.len() <= MEMORY_BYTES_MAX);
        }
        drop(writer);
        // A process that another test is starting may hold a copy of the write end until its exec.
        let mut poller = Poller::new().unwrap();
        poller.add(&reader, Interest::READ, 0).unwrap();
        let mut ready = Vec::new();
        while ready.is_empty() {
            poller.wait(&mut ready, None).unwrap();
        }
        assert_eq!(collector.read(&reader, capture).unwrap(), Progress::Closed);
        sent
    }

    fn content(capture: &Capture) -> Vec<u8> {
        let mut all = vec![0; capture.spilled.bytes() as usize];
        capture.spilled.read_at(0, &mut all).unwrap();
        all.extend_from_slice(&capture.memory);
        all
    }

    #[test]
    fn small_output_stays_in_memory() {
        let spill = Arc::new(SpillFile::new());
        let mut collector = Collector::new(Arc::clone(&spill));
        let mut capture = Capture::default();
        let sent = feed(&mut capture, &mut collector, 0..16);
        assert_eq!(sent.len(), MEMORY_BYTES_MAX);
        assert!(capture.spilled.is_empty());
        assert_eq!(capture.memory, sent);
        assert_eq!(capture.bytes(), sent.len() as u64);
    }

    #[test]
    fn large_output_is_spilled_in_order() {
        let spill = Arc::new(SpillFile::new());
        let mut collector = Collector::new(Arc::clone(&spill));
        let mut capture = Capture::default();
        let sent = feed(&mut capture, &mut collector, 0..100);
        assert_eq!(content(&capture), sent);
        assert_eq!(capture.bytes(), sent.len() as u64);
        assert!(capture.memory.capacity() - capture.memory.len() <= SLACK_BYTES_MAX);
    }

    #[test]
    fn a_folder_in_which_no_file_can_be_created_is_named() {
        let (reader, mut writer) = pipe();
        let mut collector = Collector::new(Arc::new(SpillFile::in_folder("/nonexistent")));
        let mut capture = Capture { memory: vec![0; MEMORY_BYTES_MAX], ..Capture::default() };
        writer.write_all(b"x").unwrap();
        let error = collector.read(&reader, &mut capture).unwrap_err().to_string();
        assert!(error.starts_with("keep the output of a command in a temporary file in /nonexistent: "), "{error}");
    }

    #[test]
    fn a_dropped_capture_frees_its_bytes_in_the_file() {
        let spill = Arc::new(SpillFile::new());
        let mut collector = Collector::new(Arc::clone(&spill));
        let mut capture = Capture::default();
        feed(&mut capture, &mut collector, 0..100);
        assert_ne!(spill.live_bytes(), 0);
        drop(capture);
        assert_eq!(spill.live_bytes(), 0);
    }

    #[test]
    fn whole_lines_are_cut_off_from_the_file_as_from_memory() {
        let spill = Arc::new(SpillFile::new());
        let mut collector = Collector::new(Arc::clone(&spill)).finding_lines(true);
        let (reader, mut writer) = pipe();
        let mut capture = Capture::default();
        let mut feed = |capture: &mut Capture, bytes: &[u8]| {
            writer.write_all(bytes).unwrap();
            assert_eq!(collector.read(&reader, capture).unwrap(), Progress::More);
        };
        feed(&mut capture, b"no line");
        assert_eq!(capture.line_bytes, 0);
        feed(&mut capture, b" yet\nnext\nhalf");
        let lines = capture.take_lines();
        assert_eq!((content(&lines), lines.before), (b"no line yet\nnext\n".to_vec(), 0));
        assert_eq!((content(&capture), capture.before, capture.line_bytes), (b"half".to_vec(), 17, 0));
        // The last newline is in the file, and what follows it there and in memory.
        feed(&mut capture, b" ends\nlong");
        while capture.spilled.is_empty() {
            feed(&mut capture, &[b'x'; 40_000]);
        }
        let lines = capture.take_lines();
        assert_eq!((content(&lines), lines.before), (b"half ends\n".to_vec(), 17));
        assert!(content(&capture).starts_with(b"longxxx") && capture.before == 27);
        drop(lines);
        feed(&mut capture, b"\n");
        let all = capture.bytes();
        assert_eq!((capture.take_lines().bytes(), capture.bytes()), (all, 0));
        assert_eq!(spill.live_bytes(), 0);
    }

    #[test]
    fn outputs_of_concurrent_commands_do_not_mix() {
        let spill = Arc::new(SpillFile::new());
        let mut collector = Collector::new(Arc::clone(&spill));
        let (mut one, mut two) = (Capture::default(), Capture::default());
        let (mut sent_one, mut sent_two) = (Vec::new(), Vec::new());
        for round in 0..4 {
            sent_one.extend(feed(&mut one, &mut collector, round * 40..round * 40 + 20));
            sent_two.extend(feed(&mut two, &mut collector, round * 40 + 20..round * 40 + 40));
        }
        assert_eq!(content(&one), sent_one);
        assert_eq!(content(&two), sent_two);
    }
}
