//! What other processes ask of items while the run takes them from the queue of its journal.
//!
//! Invariant: a request to give an item up is a fact for the core as soon as it is in the file, also if the item is still to
//! arrive. One to try an item again is for the next session.

use super::super::token::Port;
use super::super::turn::Turn;
use crate::core::input::Input;
use crate::journal::queue_file::{QueueEntry, QueueFileError, QueueReader};
use crate::journal::record::ItemRequest;
use crate::model::ids::ItemId;
use crate::sys::file_watch::FileWatch;
use crate::sys::poller::Interest;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

/// The requests of a queue.
pub struct QueueWatch {
    entries: QueueReader<Arc<File>>,
    watch: FileWatch,
    /// Given up before the run began.
    given_up: Vec<ItemId>,
}

impl QueueWatch {
    /// `from`: the entries before this offset are known, and `given_up` is what is left of them.
    ///
    /// # Errors
    /// The system has no watch left, or the file cannot be read.
    pub fn start(path: &Path, file: Arc<File>, from: u64, given_up: Vec<ItemId>) -> Result<Self, QueueFileError> {
        let watch = FileWatch::start(path)?;
        let mut entries = QueueReader::new(file)?;
        entries.go_to(from);
        Ok(Self { entries, watch, given_up })
    }

    /// The run begins.
    pub(super) fn begin(&mut self, turn: &mut Turn) -> io::Result<()> {
        turn.system.watch(self.watch.as_fd(), Interest::READ, Port::Queue.token())?;
        for item in self.given_up.drain(..) {
            turn.report(Input::GivenUp { item });
        }
        // Of what was added since the file was read.
        self.read(turn);
        Ok(())
    }

    /// The file may have changed.
    pub(super) fn on_ready(&mut self, turn: &mut Turn) {
        while self.watch.has_changed() {
            if self.entries.refresh().is_err() {
                return;
            }
            self.read(turn);
        }
    }

    /// What cannot be read is told by the source, which reads the same file.
    fn read(&mut self, turn: &mut Turn) {
        while let Ok(Some(entry)) = self.entries.next_entry() {
            if let QueueEntry::Asked { item, request: ItemRequest::GiveUp, .. } = entry {
                turn.report(Input::GivenUp { item });
            }
        }
    }
}
