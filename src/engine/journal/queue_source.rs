//! The items that other processes add to the queue of a journal, as a source that never ends.
//!
//! Invariant: an item is delivered only once it is as safe as the record that it is accepted in will be.

use super::super::feed::{QueueWatch, split_payload};
use super::error::JournalError;
use crate::journal::books::ItemStage;
use crate::journal::queue_file::{DELIMITER, QueueEntry, QueueFileError, QueueReader, QueueRequests, QueueWriter};
use crate::journal::read_through;
use crate::journal::record::ItemRequest;
use crate::journal::state::JournalState;
use crate::model::ids::ItemId;
use crate::source::{Delivery, Payload, Source, SourceError};
use crate::sys::file_watch::FileWatch;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the queue asks of items when the session begins.
pub struct AskedOfItems {
    path: PathBuf,
    file: Arc<File>,
    requests: QueueRequests,
}

impl AskedOfItems {
    /// Items that are to be done after all, of those that the journal has.
    pub fn again(&self, earlier: &JournalState) -> Vec<ItemId> {
        self.open(Some(earlier), ItemRequest::Again)
    }

    /// What was asked before this offset has been carried out once the session has begun.
    pub const fn end(&self) -> u64 {
        self.requests.end()
    }

    /// Heeds what else is asked, now and later.
    ///
    /// # Errors
    /// The file cannot be watched.
    pub fn watch(self, earlier: Option<&JournalState>) -> Result<QueueWatch, JournalError> {
        let given_up = self.open(earlier, ItemRequest::GiveUp);
        let Self { path, file, requests } = self;
        QueueWatch::start(&path, file, requests.end(), given_up).map_err(|error| JournalError::Queue { path, error })
    }

    fn open(&self, earlier: Option<&JournalState>, wanted: ItemRequest) -> Vec<ItemId> {
        let stage = |item| earlier.and_then(|earlier| earlier.books.item(item)).map(|state| state.stage);
        let heeded_until = earlier.map_or(0, |earlier| earlier.heeded_until);
        let open = self.requests.open(heeded_until, |item| stage(item).unwrap_or(ItemStage::Waiting));
        open.filter(|(_, request)| *request == wanted).map(|(item, _)| item).collect()
    }
}

/// The queue, while a run takes items from it.
pub struct QueueSource {
    path: PathBuf,
    file: Arc<File>,
    entries: QueueReader<Arc<File>>,
    watch: FileWatch,
    /// What another process has added is synced before an item of it is delivered.
    syncs: bool,
    /// What is left of the last entry.
    rest: Option<Payload>,
}

impl QueueSource {
    /// Opens the queue, and makes it if it is not there. Nothing is delivered before [`Source::next`].
    ///
    /// # Errors
    /// The file is refused, or cannot be watched.
    pub fn open(path: &Path, syncs: bool) -> Result<Self, QueueFileError> {
        // Also cuts off the rest of an entry that nobody was told of.
        QueueWriter::open(path)?.finish()?;
        let file = Arc::new(read_through::open(path).map_err(|error| io::Error::other(error.to_string()))?);
        // Ahead of the first look, so that nothing is missed.
        let watch = FileWatch::start(path)?;
        let entries = QueueReader::new(Arc::clone(&file))?;
        Ok(Self { path: path.to_owned(), file, entries, watch, syncs, rest: None })
    }

    /// How many items there are.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn items(&self) -> Result<u64, QueueFileError> {
        Ok(QueueReader::new(Arc::clone(&self.file))?.go_to_end()?.0)
    }

    /// What is asked of items so far.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn requests(&self) -> Result<AskedOfItems, QueueFileError> {
        let requests = QueueRequests::read(Arc::clone(&self.file))?;
        Ok(AskedOfItems { path: self.path.clone(), file: Arc::clone(&self.file), requests })
    }

    /// The next entry of items, also of those that were added meanwhile.
    fn next_items(&mut self) -> Result<Option<Payload>, QueueFileError> {
        loop {
            match self.entries.next_entry()? {
                Some(QueueEntry::Items { count, bytes, .. }) => {
                    let range = 0..bytes.len();
                    return Ok(Some(Payload { block: Arc::new(bytes.into()), range, count, priority: 0 }));
                }
                Some(QueueEntry::Asked { .. }) => {}
                None if self.watch.has_changed() => self.look_again()?,
                None => return Ok(None),
            }
        }
    }

    fn look_again(&mut self) -> io::Result<()> {
        self.entries.refresh()?;
        // What the other process has not synced yet might be taken back by the end of the machine.
        if self.syncs { self.file.sync_data() } else { Ok(()) }
    }
}

impl Source for QueueSource {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        let payload = match self.rest.take() {
            Some(rest) => Some(rest),
            None => self.next_items().map_err(|error| SourceError::Read {
                name: self.path.display().to_string(),
                error: io::Error::other(format!("the file {error}")),
            })?,
        };
        let Some(payload) = payload else { return Ok(Delivery::Idle) };
        let items_max = u32::try_from(items_max).unwrap_or(u32::MAX).max(1);
        let (first, rest) = split_payload(payload, items_max, DELIMITER);
        self.rest = rest;
        Ok(Delivery::Items(first))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.watch.as_fd())
    }

    fn delimiter(&self) -> u8 {
        DELIMITER
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}
