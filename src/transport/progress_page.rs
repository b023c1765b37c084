//! The progress page: a page of memory that one worker process shares with the supervisor.
//!
//! Before each item the worker stores the item's number here: one store, no message. When the worker dies or is late,
//! the supervisor reads which item was running, and so charges that item alone. The supervisor writes one word, which
//! asks the worker to stop after its item.
//!
//! The page says *none* before a result is written: a worker that waits in a write has finished its last item, which
//! must not be charged (without this, a third of all kills in a storm hit that moment).
//!
//! Invariant: the worker may write anything at any time. A number that is read here is a claim; the core checks that
//! the worker holds that item.

use crate::model::ids::ItemId;
use crate::sys::memfd::SharedWords;
use crate::sys::refusal;
use crate::sys::spill::nameless_file;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// Words that different sides write are two cache lines apart: processors fetch lines in pairs.
const LINE_WORDS: usize = 128 / size_of::<u64>();

/// Written by the worker: its item's number plus one, or 0 for none.
const ITEM: usize = 0;

/// Written by the supervisor: 1 asks the worker to stop after its item.
const RECALL: usize = LINE_WORDS;

/// Words of the whole page.
const WORDS: usize = 2 * LINE_WORDS;

/// The supervisor's side.
#[derive(Debug)]
pub struct ProgressReader {
    page: Page,
}

/// Where the page is.
#[derive(Debug)]
enum Page {
    Memory(SharedWords),
    /// Where the system refuses sealed memory. The worker maps this file; it can also truncate it, so the supervisor reads
    /// and writes it by system calls and is never hit by a SIGBUS.
    File(File),
}

impl ProgressReader {
    /// A fresh page for one process, and the fd that the process maps it by.
    ///
    /// # Errors
    /// No file descriptor or no memory is left, or the system has neither sealed memory nor a folder for temporary files.
    pub fn create() -> io::Result<(Self, OwnedFd)> {
        match SharedWords::create(WORDS) {
            Ok((words, fd)) => Ok((Self { page: Page::Memory(words) }, fd)),
            Err(error) if refusal::is_named(&error) => Self::create_in_file(&std::env::temp_dir()).map_err(|_| error),
            Err(error) => Err(error),
        }
    }

    fn create_in_file(folder: &Path) -> io::Result<(Self, OwnedFd)> {
        let file = nameless_file(folder)?;
        // `ftruncate` may be what is refused.
        file.write_all_at(&[0; WORDS * size_of::<u64>()], 0)?;
        let fd = file.try_clone()?.into();
        Ok((Self { page: Page::File(file) }, fd))
    }

    /// The item that the worker claims to work on.
    #[must_use]
    pub fn running(&self) -> Option<ItemId> {
        let claimed = match &self.page {
            Page::Memory(words) => words.word(ITEM).load(Relaxed),
            Page::File(file) => {
                let mut bytes = [0; size_of::<u64>()];
                file.read_exact_at(&mut bytes, (ITEM * size_of::<u64>()) as u64).ok()?;
                u64::from_ne_bytes(bytes)
            }
        };
        claimed.checked_sub(1).map(ItemId)
    }

    /// Asks the worker to stop after its item. A worker that waits for input does not read this word: close its input
    /// too.
    pub fn recall(&self) {
        match &self.page {
            Page::Memory(words) => words.word(RECALL).store(1, Relaxed),
            // Without this word the worker leaves after the items that it was sent, as its input is closed too.
            Page::File(file) => drop(file.write_all_at(&1_u64.to_ne_bytes(), (RECALL * size_of::<u64>()) as u64)),
        }
    }
}

/// The worker's side.
#[derive(Debug)]
pub struct ProgressWriter {
    words: SharedWords,
}

impl ProgressWriter {
    /// Maps the page behind `fd`.
    ///
    /// # Errors
    /// It is no progress page.
    pub fn from_fd(fd: impl AsFd) -> io::Result<Self> {
        let words = SharedWords::from_fd(&fd).or_else(|_| SharedWords::from_trusted_file(&fd, WORDS))?;
        if words.len() < WORDS { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(Self { words }) }
    }

    /// From now on the worker is at `item`. The store is relaxed: after the worker's death the supervisor reads it
    /// through the system, and a supervisor that reads it before only probes again.
    pub fn begin(&self, item: ItemId) {
        self.words.word(ITEM).store(item.0.wrapping_add(1), Relaxed);
    }

    /// From now on the worker is at no item.
    pub fn none(&self) {
        self.words.word(ITEM).store(0, Relaxed);
    }

    /// Whether the supervisor asked to stop after the present item.
    #[must_use]
    pub fn recalled(&self) -> bool {
        self.words.word(RECALL).load(Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_truncates_its_page_where_there_is_no_sealed_memory_harms_itself_alone() {
        let (reader, fd) = ProgressReader::create_in_file(&std::env::temp_dir()).unwrap();
        ProgressWriter::from_fd(&fd).unwrap().begin(ItemId(7));
        assert_eq!(reader.running(), Some(ItemId(7)));
        File::from(fd).set_len(0).unwrap();
        reader.recall();
        assert_eq!(reader.running(), None);
    }

    #[test]
    fn each_side_reads_what_the_other_wrote() {
        each_side_reads(ProgressReader::create().unwrap());
        each_side_reads(ProgressReader::create_in_file(&std::env::temp_dir()).unwrap());
    }

    fn each_side_reads((reader, fd): (ProgressReader, OwnedFd)) {
        let writer = ProgressWriter::from_fd(&fd).unwrap();
        assert_eq!((reader.running(), writer.recalled()), (None, false));
        for item in [ItemId(0), ItemId(7), ItemId(u64::MAX - 1)] {
            writer.begin(item);
            assert_eq!(reader.running(), Some(item));
        }
        writer.none();
        assert_eq!(reader.running(), None);
        reader.recall();
        assert!(writer.recalled());
        assert_eq!(reader.running(), None);
    }

    #[test]
    fn a_file_that_is_no_progress_page_is_refused() {
        let (_words, fd) = SharedWords::create(WORDS - 1).unwrap();
        assert!(ProgressWriter::from_fd(fd).is_err());
        assert!(ProgressWriter::from_fd(std::io::pipe().unwrap().0).is_err());
    }
}
