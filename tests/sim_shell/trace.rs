//! What happened, as a hash; and as text for a reader who replays a seed.

use std::fmt::Display;

pub struct Trace {
    hash: u64,
    /// Prints each event as it happens.
    aloud: bool,
}

impl Trace {
    pub const fn new(aloud: bool) -> Self {
        Self { hash: 0, aloud }
    }

    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Adds an event. `words` name it without anything that differs from run to run, such as numbers of descriptors.
    pub fn add<T: Display>(&mut self, now: u64, words: &[u64], text: impl FnOnce() -> T) {
        for &word in words {
            self.hash = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.hash ^= self.hash >> 29;
        }
        self.hash = (self.hash ^ now).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        if self.aloud {
            println!("{now:>14} {}", text());
        }
    }
}
