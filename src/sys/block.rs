//! Blocks: shared, immutable bytes, and slices of them.
//!
//! A source fills a block, batches point into it, and a channel may keep a reference until the bytes are sent: so the
//! bytes of an item are not copied on their way from the source to the channel.
//!
//! Invariant: the bytes of a block never change and never move.

use super::mapping::Mapping;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Immutable bytes.
#[derive(Debug)]
pub enum Block {
    Memory(Vec<u8>),
    /// A part of a file. If another process changes the file, these bytes change too, and a reader must cope with it.
    Mapped(Mapping),
}

impl Block {
    /// Shortens the block to its first `bytes` bytes.
    pub fn truncate(&mut self, bytes: usize) {
        match self {
            Self::Memory(memory) => memory.truncate(bytes),
            Self::Mapped(mapping) => mapping.truncate(bytes),
        }
    }

    /// How much memory of this process `bytes` bytes of the block take.
    #[must_use]
    pub const fn held_bytes(&self, bytes: usize) -> u64 {
        match self {
            Self::Mapped(mapping) if mapping.is_cold() => 0,
            Self::Memory(_) | Self::Mapped(_) => bytes as u64,
        }
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped(mapping) => mapping,
        }
    }
}

impl From<Mapping> for Block {
    fn from(mapping: Mapping) -> Self {
        Self::Mapped(mapping)
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl From<Vec<u8>> for Block {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes)
    }
}

/// A slice of a block, with a reference to the block for code that keeps the bytes.
#[derive(Clone, Debug)]
pub struct BlockSlice<'a> {
    block: &'a Arc<Block>,
    range: Range<usize>,
}

impl<'a> BlockSlice<'a> {
    /// The bytes of `block` in `range`; empty if the range is not within the block.
    #[must_use]
    pub fn new(block: &'a Arc<Block>, range: Range<usize>) -> Self {
        let range = if block.get(range.clone()).is_some() { range } else { 0..0 };
        Self { block, range }
    }

    /// All bytes of the block.
    #[must_use]
    pub fn whole(block: &'a Arc<Block>) -> Self {
        Self { block, range: 0..block.len() }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        &self.block[self.range.clone()]
    }

    /// The block that holds the bytes.
    #[must_use]
    pub const fn block(&self) -> &'a Arc<Block> {
        self.block
    }

    /// The range of the bytes within the block.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_within_its_block_or_empty() {
        let block = Arc::new(Block::from(b"0123456789".to_vec()));
        assert_eq!(BlockSlice::whole(&block).bytes(), b"0123456789");
        assert_eq!(BlockSlice::new(&block, 2..5).bytes(), b"234");
        assert_eq!(BlockSlice::new(&block, 2..5).range(), 2..5);
        let (start, end) = (5, 2);
        for outside in [8..11, 11..12, start..end] {
            assert_eq!(BlockSlice::new(&block, outside).bytes(), b"");
        }
        assert!(Block::default().is_empty());
    }
}
