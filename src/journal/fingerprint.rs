//! By what a run knows its input again: a hash of the items, block by block, as the source delivered them.
//!
//! The hash is XXH3 with 64 bits over each item and the byte behind it. It recognises a list that was changed; it is no proof
//! against somebody who wants two lists to look the same.
//!
//! Invariant: the blocks of two runs may be cut in different places; a hash is of the items, wherever they were cut.

use super::file_reader::JournalFileReader;
use super::record::{Accepted, JournalRecord};
use crate::model::ids::ItemId;
use std::fs::File;
use std::io;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Of consecutive items.
#[derive(Clone, Default)]
pub struct Fingerprint(Xxh3);

impl Fingerprint {
    /// Adds items: of one, the item; of several, each with its delimiter.
    pub fn add(&mut self, items: &[u8], count: u32, delimiter: u8) {
        self.0.update(items);
        if count == 1 {
            self.0.update(&[delimiter]);
        }
    }

    #[must_use]
    pub fn hash(&self) -> u64 {
        self.0.digest()
    }
}

/// A block of the input that a journal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedBlock {
    pub first: ItemId,
    pub count: u32,
    /// Of its bytes; `None`: it is lost, and any items will do.
    pub hash: Option<u64>,
}

/// The blocks of the input that a journal has, in order.
pub struct RecordedInput {
    reader: JournalFileReader<Arc<File>>,
}

impl RecordedInput {
    /// `reader`: at the first record of the journal.
    #[must_use]
    pub const fn new(reader: JournalFileReader<Arc<File>>) -> Self {
        Self { reader }
    }

    /// The next block; `None`: there is no further one.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn next_block(&mut self) -> io::Result<Option<RecordedBlock>> {
        while let Some((_, record)) = self.reader.next_record()? {
            match record {
                JournalRecord::Accepted(Accepted { first, count, hash, .. }) => {
                    return Ok(Some(RecordedBlock { first, count, hash: Some(hash) }));
                }
                JournalRecord::Recovered { first, count, .. } => {
                    return Ok(Some(RecordedBlock { first, count, hash: None }));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
