//! Where the items of a queue stand: what the journal says of them, and what the queue asks of them that no run has
//! carried out yet.

use crate::journal::books::{Books, ItemStage};
use crate::journal::queue_file::{QueueFileError, QueueReader, QueueRequests};
use crate::journal::read_through;
use crate::journal::record::ItemRequest;
use crate::journal::state::{JournalState, JournalStateError};
use crate::model::ids::ItemId;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Why nothing can be said. The texts complete "the file ...".
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error("{0}")]
    Journal(#[from] JournalStateError),
    #[error("has a queue that {0}")]
    Queue(#[from] QueueFileError),
}

/// The items of a queue.
pub struct QueueView {
    books: Books,
    items: u64,
    /// Those that no run has carried out.
    requests: BTreeMap<ItemId, ItemRequest>,
}

impl QueueView {
    /// Of a journal that need not be there.
    pub fn of(journal: &Path, queue: &Arc<File>) -> Result<Self, ViewError> {
        let (books, heeded_until) = match read_through::open(journal) {
            Ok(file) if file.metadata().is_ok_and(|metadata| metadata.len() > 0) => {
                let state = JournalState::read(&file)?;
                (state.books, state.heeded_until)
            }
            _ => (Books::new(), 0),
        };
        let items = QueueReader::new(Arc::clone(queue))?.go_to_end()?.0;
        let stage = |item| books.item(item).map_or(ItemStage::Waiting, |state| state.stage);
        let requests = QueueRequests::read(Arc::clone(queue))?.open(heeded_until, stage).collect();
        Ok(Self { books, items, requests })
    }

    /// How many items there are.
    pub const fn items(&self) -> u64 {
        self.items
    }

    /// `None`: there is no such item.
    pub fn stage(&self, item: ItemId) -> Option<ItemStage> {
        if item.0 >= self.items {
            return None;
        }
        let stage = self.books.item(item).map_or(ItemStage::Waiting, |state| state.stage);
        Some(match self.requests.get(&item) {
            Some(ItemRequest::GiveUp) => ItemStage::Skipped,
            Some(ItemRequest::Again) => ItemStage::Waiting,
            None => stage,
        })
    }

    /// Attempts that were begun.
    pub fn attempts(&self, item: ItemId) -> u32 {
        self.books.item(item).map_or(0, |state| state.attempts)
    }
}

pub const fn name_of(stage: ItemStage) -> &'static str {
    match stage {
        ItemStage::Waiting => "waiting",
        ItemStage::InFlight => "in flight",
        ItemStage::Done => "done",
        ItemStage::Failed => "failed",
        ItemStage::Dead => "dead",
        ItemStage::Skipped => "skipped",
    }
}
