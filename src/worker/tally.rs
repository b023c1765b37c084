//! A record of which items a worker began and finished, in memory that outlives it, and a halt at a given item: so that
//! `compare` can kill a worker at a known place and see afterwards what ran a second time.
//!
//! Each item has a word: the lower half counts how often it was begun, the upper half how often it was finished. A word
//! takes one atomic addition and no system call, so tiny items stay tiny.
//!
//! Invariant: counts what the handler did, whatever the supervisor was told of it.

use super::tasks::TaskFn;
use super::{Failure, Handler, Item, Output};
use crate::sys::fd;
use crate::sys::memfd::SharedWords;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;

const BEGUN: u64 = 1;
const FINISHED: u64 = 1 << 32;

/// What a worker is told of its tally: `WORDS,BELL,ITEM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallySpec {
    /// The descriptor of the memory.
    pub words: RawFd,
    /// The descriptor of a pipe. The worker writes its pid to it once it is at `halt_at`.
    pub bell: RawFd,
    /// The item at which the worker halts when it is begun for the first time, until it is killed.
    pub halt_at: u64,
}

impl TallySpec {
    /// As [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn text(self) -> String {
        format!("{},{},{}", self.words, self.bell, self.halt_at)
    }

    /// Three numbers; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let spec = Self {
            words: parts.next()?.parse().ok()?,
            bell: parts.next()?.parse().ok()?,
            halt_at: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(spec)
    }
}

/// How often an item was begun and finished, by its word.
#[must_use]
pub const fn counts(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

/// The task, with its items counted.
///
/// # Errors
/// The descriptors are not what they should be.
pub(super) fn tallied(run: TaskFn, spec: TallySpec) -> io::Result<impl Handler> {
    let words = SharedWords::from_fd(fd::take_inherited(spec.words)?)?;
    let mut bell = File::from(fd::take_inherited(spec.bell)?);
    Ok(move |item: &Item<'_>, out: &mut Output| -> Result<(), Failure> {
        let index = usize::try_from(item.id.0).ok().filter(|index| *index < words.len());
        let word = index.map(|index| words.word(index)).ok_or("the tally has no word for this item")?;
        let before = word.fetch_add(BEGUN, Relaxed);
        if item.id.0 == spec.halt_at && counts(before).0 == 0 {
            bell.write_all(&std::process::id().to_le_bytes())?;
            halt();
        }
        run(item, out)?;
        word.fetch_add(FINISHED, Relaxed);
        Ok(())
    })
}

/// Waits for KILL.
fn halt() -> ! {
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_read_as_it_was_written() {
        let spec = TallySpec { words: 3, bell: 14, halt_at: 123_456 };
        assert_eq!(spec.text(), "3,14,123456");
        assert_eq!(TallySpec::parse(&spec.text()), Some(spec));
        for wrong in ["", "1", "1,2", "1,2,x", "1,2,3,4", "1,2,-3"] {
            assert_eq!(TallySpec::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_word_counts_both() {
        assert_eq!(counts(0), (0, 0));
        assert_eq!(counts(2 * BEGUN + FINISHED), (2, 1));
    }
}
