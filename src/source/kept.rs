//! Blocks that are used again when their items are settled: memory that is fresh costs a fault for each page.

use crate::sys::block::Block;
use std::sync::Arc;

/// So many blocks are kept, if they are not larger than that together.
const BLOCKS_MAX: usize = 16;
const BYTES_MAX: usize = 64 << 20;

/// Blocks of about one size, some of them in use.
#[derive(Default)]
pub(super) struct Kept(Vec<Arc<Block>>);

impl Kept {
    /// Keeps one that was filled just now.
    pub(super) fn keep(&mut self, block: &Arc<Block>) {
        let bytes = (self.0.len() + 1).saturating_mul(block.len());
        if self.0.len() < BLOCKS_MAX && bytes <= BYTES_MAX {
            self.0.push(Arc::clone(block));
        }
    }

    /// Memory for a block, with whatever stands in it: that of one whose items are settled, if there is one.
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
    fn a_block_is_used_again_once_nobody_else_has_it() {
        let mut kept = Kept::default();
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
        let mut kept = Kept::default();
        kept.keep(&Arc::new(Block::from(vec![0; BYTES_MAX + 1])));
        assert!(kept.memory().is_empty());
    }
}
