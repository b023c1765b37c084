//! The input, if it is a mapped file that the workers have open too: a message holds a reference into the file instead
//! of a body.
//!
//! The supervisor maps the file and cuts it, mostly without touching its pages. Over `file` a worker maps it too.
//! Over shared memory a worker reads it into a buffer ([`InputReader`]). That is faster where the file is cached in
//! small folios, and slower where the folios are large. If the file is cut short during the run, that is a short read
//! and no fault, so a note in a staging area is never about items whose bytes were lost.
//!
//! Invariant: all bytes that a reader returns were in the file when it was read.

use crate::sys::block::{Block, BlockSlice};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The least size of a read: the next messages often refer to the bytes that follow.
const READ_BYTES_MIN: usize = 16 * 1024;

/// The offset of this body in the input, if it is part of it.
pub(super) fn place(input: Option<&Arc<File>>, body: &BlockSlice<'_>) -> Option<u64> {
    match (&**body.block(), input) {
        (Block::Mapped(mapping), Some(input)) if Arc::ptr_eq(mapping.file(), input) => {
            Some(mapping.offset() + body.range().start as u64)
        }
        _ => None,
    }
}

/// Reads bodies from the input, at the worker's end.
pub(super) struct InputReader {
    file: File,
    /// The first `held` bytes are those of the file from `offset` on.
    buffer: Vec<u8>,
    offset: u64,
    held: usize,
}

impl InputReader {
    pub(super) const fn new(file: File) -> Self {
        Self { file, buffer: Vec::new(), offset: 0, held: 0 }
    }

    /// These bytes; `None` if they are not there any more, or cannot be read.
    pub(super) fn read(&mut self, offset: u64, bytes: usize) -> Option<&[u8]> {
        if self.range(offset, bytes).is_none() {
            self.fill(offset, bytes.max(READ_BYTES_MIN));
        }
        self.buffer.get(self.range(offset, bytes)?)
    }

    /// Where in the buffer these bytes are.
    fn range(&self, offset: u64, bytes: usize) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        Some(start..start.checked_add(bytes).filter(|end| *end <= self.held)?)
    }

    /// Reads this many bytes, or as many as there are.
    fn fill(&mut self, offset: u64, bytes: usize) {
        if self.buffer.len() < bytes {
            // The old bytes are not needed. A fresh zeroed buffer gets its pages as they are read into.
            self.buffer = Vec::new();
            self.buffer = vec![0; bytes];
        }
        (self.offset, self.held) = (offset, 0);
        while self.held < bytes {
            match self.file.read_at(&mut self.buffer[self.held..bytes], offset + self.held as u64) {
                Ok(0) => break,
                Ok(read) => self.held += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // From the moment in which a file is cut, the rest of its last page reads as zeros. Its size changes before.
        let size = self.file.metadata().map_or(0, |metadata| metadata.len());
        self.held = self.held.min(usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::mapping::Mapping;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn a_body_in_the_input_has_an_offset() {
        let (input, other) = (Arc::new(file_of(&[7; 10_000])), Arc::new(file_of(&[7; 10_000])));
        let mapped = |file| Arc::new(Block::from(Mapping::new(file, 5000, 1000).unwrap()));
        let block = mapped(&input);
        let body = BlockSlice::new(&block, 10..20);
        assert_eq!((place(Some(&input), &body), place(None, &body)), (Some(5010), None));
        let (elsewhere, read) = (mapped(&other), Arc::new(Block::from(vec![7; 100])));
        for block in [&elsewhere, &read] {
            assert_eq!(place(Some(&input), &BlockSlice::whole(block)), None);
        }
    }

    #[test]
    fn any_part_of_a_file_is_read_and_small_ones_together() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|number| (number / 7) as u8).collect();
        let mut reader = InputReader::new(file_of(&bytes));
        for (offset, length) in [(0, 0), (0, 1), (1, 50_000), (99_990, 10), (4095, 2), (0, 100_000), (70_000, 20_000)] {
            assert_eq!(reader.read(offset as u64, length), Some(&bytes[offset..offset + length]));
        }
        for (offset, length) in [(99_990, 11), (100_001, 1), (u64::MAX, 1), (u64::MAX, usize::MAX >> 40)] {
            assert_eq!(reader.read(offset, length), None);
        }
        assert_eq!(reader.read(5, 10), Some(&bytes[5..15]));
        reader.file.set_len(10).unwrap();
        // It was read together with the one before.
        assert_eq!(reader.read(15, 10), Some(&bytes[15..25]));
        assert_eq!(reader.read(60_000, 10), None);
        assert_eq!(reader.read(5, 10), None);
        assert_eq!(reader.read(5, 5), Some(&bytes[5..10]));
    }
}
