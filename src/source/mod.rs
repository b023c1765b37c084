//! Floor 2: where items come from.
//!
//! A source delivers **batches**: stretches of bytes that hold consecutive items. It is asked, by the
//! loop, as the core demands; it never pushes, and it never reads on its own.
//!
//! Invariant: no call waits. What is not there yet is [`Delivery::Idle`].

pub mod args;
pub mod generator;
mod kept;
pub mod lines;
pub mod splitter;
mod windows;

use crate::model::config::SourceSpec;
pub use crate::model::outcome::FailReason;
use crate::sys::block::Block;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Consecutive items as bytes: either one item, whole, or several, each followed by the delimiter.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The block that the items lie in; several batches may share one.
    pub block: Arc<Block>,
    /// The batch's bytes within the block. `count == 1`: the item, without its delimiter.
    pub range: std::ops::Range<usize>,
    /// At least 1.
    pub count: u32,
    /// Of a priority source (then `count` is 1); else 0.
    pub priority: i64,
}

/// What a source has for the one who asks.
#[derive(Debug)]
pub enum Delivery {
    /// Items, no more than asked for, at most `BATCH_BYTES_MAX` unless it is a single item.
    Items(Payload),
    /// The next item, which cannot be handed out.
    Rejected(FailReason),
    /// Nothing at the moment: wait until [`Source::fd`] is readable, then ask again. From a source
    /// that is always ready: it has read much without an item's end; ask again in the next turn.
    Idle,
    /// Nothing more, for ever.
    Ended,
}

/// A run is cut at about this size (and so is never sent as a frame of more, single items aside).
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// A place that items come from.
pub trait Source {
    /// Up to `items_max` (at least 1) items. Reads no further ahead than one block beyond what is asked for.
    ///
    /// # Errors
    /// The source broke off; the text completes "failed to ...".
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError>;

    /// What to wait for after [`Delivery::Idle`]; `None` for one that is always ready (a regular file, arguments).
    fn fd(&self) -> Option<BorrowedFd<'_>>;

    /// What each item of a batch of several is followed by, and what no such item holds.
    fn delimiter(&self) -> u8;

    /// The file that its blocks are parts of, if it maps one.
    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

/// The source that `spec` names, ready to be asked. Nothing is read yet. `maps`: a file is mapped instead of being
/// read, where that is possible.
///
/// # Errors
/// A file that is missing, unreadable or a directory.
pub fn open(spec: &SourceSpec, maps: bool) -> Result<Box<dyn Source>, SourceError> {
    Ok(match spec {
        SourceSpec::Generate { count } => Box::new(generator::Generator::new(*count)),
        SourceSpec::Args { items } => Box::new(args::Args::new(items.clone())),
        SourceSpec::Lines { input, split, priority } => lines::open(input, *split, *priority, maps)?,
    })
}

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
}
