//! What a source is, what it delivers, and why it fails.

use crate::model::outcome::FailReason;
use crate::sys::block::Block;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A batch as bytes: either one item, without a delimiter, or several items, each followed by the delimiter.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The block that holds the items; several batches may share one.
    pub block: Arc<Block>,
    /// The batch's bytes within the block. `count == 1`: the item, without its delimiter.
    pub range: std::ops::Range<usize>,
    /// At least 1.
    pub count: u32,
    /// The item's priority in a source with priorities (then `count` is 1); otherwise 0.
    pub priority: i64,
}

/// The answer of a source.
#[derive(Debug)]
pub enum Delivery {
    /// Items, no more than asked for, at most `BATCH_BYTES_MAX` unless it is a single item.
    Items(Payload),
    /// The next item cannot be processed, for this reason.
    Rejected(FailReason),
    /// No item now: wait until [`Source::fd`] is readable, then ask again. A source that is always ready answers so after
    /// it has read much without finding the end of an item: ask again in the next turn.
    Idle,
    /// There are no more items.
    Ended,
}

/// The size at which a batch is cut, so that no frame is larger unless it holds a single item.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// A sequence of items.
pub trait Source {
    /// Up to `items_max` (at least 1) items. Reads at most one block beyond them.
    ///
    /// # Errors
    /// The source is lost; the text completes "failed to ...".
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError>;

    /// The fd to wait for after [`Delivery::Idle`]; `None` for a source that is always ready (a regular file, arguments).
    fn fd(&self) -> Option<BorrowedFd<'_>>;

    /// The byte behind each item of a batch of several; no such item contains it.
    fn delimiter(&self) -> u8;

    /// The file whose parts the blocks are; `None` for a source that maps no file.
    fn mapped_file(&self) -> Option<&Arc<File>>;
}

/// Why a source cannot be opened, or is lost. The texts complete "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("open {name}: {error}")]
    Open { name: String, error: std::io::Error },
    #[error("read {name}: is a directory; give a file, or list its entries with find or ls")]
    Directory { name: String },
    #[error("read {name}: {error}")]
    Read { name: String, error: std::io::Error },
    #[error("read {name}: it was cut short meanwhile, from {} to {} bytes", before, after)]
    Shrunk { name: String, before: u64, after: u64 },
    #[error("read {pattern:?} of --colsep as a regular expression: {why}")]
    Columns { pattern: String, why: String },
    #[error("take items from the queue of a journal: there is no journal")]
    NoQueue,
    #[error("shuffle the combinations: there are more than 2^62; give fewer inputs, or leave --shuf out")]
    Shuffle,
    #[error("wait for the inputs: {0}")]
    Wait(std::io::Error),
    #[error("take an item from the iterator: it panicked")]
    Iterator,
    #[error("hand out the rest of the input: every command has ended, or has closed its stdin")]
    NoReader,
}
