//! Blocks that are reused once their items are settled. Fresh memory costs a fault for each page: half of the time of a
//! block of 1 MiB from a pipe (2026-11-25).
//!
//! Invariant: a block is reused only when no other reference to it is left.

use crate::sys::block::Block;
use std::sync::Arc;

/// The most blocks that are kept, and the most bytes of them together.
const BLOCKS_MAX: usize = 16;
const BYTES_MAX: usize = 64 << 20;

/// Blocks of about the same size, some of them in use.
#[derive(Default)]
pub(super) struct ReusedBlocks(Vec<Arc<Block>>);

impl ReusedBlocks {
    /// Keeps a block that has just been filled.
    pub(super) fn keep(&mut self, block: &Arc<Block>) {
        let bytes = (self.0.len() + 1).saturating_mul(block.len());
        if self.0.len() < BLOCKS_MAX && bytes <= BYTES_MAX {
            self.0.push(Arc::clone(block));
        }
    }

    /// Memory for a block, with arbitrary content: that of a block whose items are settled, or else none.
    pub(super) fn memory(&mut self) -> Vec<u8> {
        let unused = self.0.iter().position(|block| Arc::strong_count(block) == 1);
        match unused.map(|unused| Arc::try_unwrap(self.0.swap_remove(unused))) {
            Some(Ok(Block::Memory(bytes))) => bytes,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_reused_once_no_reference_is_left() {
        let mut kept = ReusedBlocks::default();
        let block = Arc::new(Block::from(vec![7; 100]));
        kept.keep(&block);
        assert!(kept.memory().is_empty());
        let place = block.as_ptr();
        drop(block);
        let again = kept.memory();
        assert_eq!(again.as_ptr(), place);
        assert!(kept.memory().is_empty());
        for _ in 0..2 * BLOCKS_MAX {
            kept.keep(&Arc::new(Block::from(vec![7; 100])));
        }
        assert_eq!(kept.0.len(), BLOCKS_MAX);
        let mut kept = ReusedBlocks::default();
        kept.keep(&Arc::new(Block::from(vec![0; BYTES_MAX + 1])));
        assert!(kept.memory().is_empty());
    }
}
