//! Content of a spill file that is written as something else: a staging area of it is rewritten at a time.

use super::spill::SpilledContent;
use std::fmt;
use std::io;

/// The most bytes of spilled content that are in memory at a time, and about the most of what they are rewritten to.
pub(super) const STAGING_BYTES: usize = 64 * 1024;

/// Turns bytes into others on their way out, piece by piece: what they become may be far more than fits into memory.
pub trait Rewrite: fmt::Debug {
    /// Takes bytes from the front of `bytes`, at least one, and appends what they become to `into`, until that has about
    /// `full_bytes`. Returns how many bytes it took.
    fn rewrite(&mut self, bytes: &[u8], into: &mut Vec<u8>, full_bytes: usize) -> usize;

    /// Appends what follows the last byte.
    fn finish(&mut self, into: &mut Vec<u8>);
}

/// Content that is written as something else.
#[derive(Debug)]
pub(super) struct Rewriting {
    pub(super) rewrite: Box<dyn Rewrite>,
    /// Bytes of the content, of which `taken` are rewritten.
    pub(super) raw: Vec<u8>,
    pub(super) taken: usize,
    /// The bytes behind the content of the file.
    pub(super) tail: Vec<u8>,
    pub(super) finished: bool,
}

impl Rewriting {
    /// Rewrites the next bytes of the content, then of the tail, into an empty `staging`.
    pub(super) fn stage(&mut self, content: &mut SpilledContent, staging: &mut Vec<u8>) -> io::Result<()> {
        while staging.is_empty() && !self.finished {
            if self.taken == self.raw.len() {
                self.taken = 0;
                content.take_front(&mut self.raw, STAGING_BYTES)?;
            }
            if self.raw.is_empty() {
                self.raw = std::mem::take(&mut self.tail);
            }
            if self.raw.is_empty() {
                self.finished = true;
                self.rewrite.finish(staging);
            } else {
                self.taken += self.rewrite.rewrite(&self.raw[self.taken..], staging, STAGING_BYTES);
            }
        }
        Ok(())
    }

    pub(super) fn raw_bytes(&self) -> u64 {
        (self.raw.len() - self.taken + self.tail.len()) as u64
    }
}
