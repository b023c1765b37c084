//! A ring for one writer and one reader that share words of memory: the position of each, and which of them sleeps.
//! The bytes themselves are elsewhere.
//!
//! Positions only grow; the place of a position in the ring is its remainder. Each side writes its own index, keeps a
//! copy of the other's, and reads the other's only when the copy does not suffice.
//!
//! A side that finds nothing to do and wants to sleep announces that ([`announce_sleep`]), checks once more, and
//! sleeps. A side that changes an index checks whether the other side sleeps ([`must_wake`]) and then wakes it by
//! its wake pipe. The fence on both sides guarantees that one of the two sees the other: no wake-up is missed, and a side
//! that does not sleep is not woken.
//!
//! Invariant: an index of the other side is accepted only if it is in its legal range; otherwise that side is
//! [`Broken`], for good. Nothing here touches the system; `tests/loom_ring.rs` runs it under every order in which
//! memory may show the words.

use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

/// The words that two sides share, by number: `AtomicU64`, or a test double.
pub trait Words {
    fn load(&self, word: usize, order: Ordering) -> u64;
    fn store(&self, word: usize, value: u64, order: Ordering);
    /// `fence(SeqCst)`.
    fn fence(&self);
}

/// A ring of `bytes` bytes: the numbers of the words that hold its two indices.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// The writer's position.
    pub tail: usize,
    /// The reader's position.
    pub head: usize,
    pub bytes: u64,
}

/// The other side's index is outside of its legal range; completes "failed to ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use the ring: the other side says it is at {found}, which is not from {least} to {most}")]
pub struct Broken {
    pub found: u64,
    pub least: u64,
    pub most: u64,
}

fn judged(found: u64, least: u64, most: u64) -> Result<u64, Broken> {
    if (least..=most).contains(&found) { Ok(found) } else { Err(Broken { found, least, most }) }
}

/// The writing side.
#[derive(Debug)]
pub struct RingWriter {
    ring: Ring,
    /// The reader may see the bytes before this position.
    published: u64,
    /// What was written ends here.
    written: u64,
    /// The reader's position when it was last read.
    head: u64,
}

impl RingWriter {
    #[must_use]
    pub const fn new(ring: Ring) -> Self {
        Self { ring, published: 0, written: 0, head: 0 }
    }

    /// The position of the next byte.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.written
    }

    /// The number of free bytes; reads the reader's index if they seem to be fewer than `wanted`.
    ///
    /// # Errors
    /// The reader's index is out of range.
    #[inline]
    pub fn free_bytes(&mut self, words: &impl Words, wanted: u64) -> Result<u64, Broken> {
        if self.known_free() < wanted {
            self.refresh(words)?;
        }
        Ok(self.known_free())
    }

    /// The number of free bytes when the reader's index was last read.
    #[must_use]
    pub const fn known_free(&self) -> u64 {
        self.ring.bytes - (self.written - self.head)
    }

    /// Reads the reader's position: all bytes before it have been read.
    ///
    /// # Errors
    /// The index is out of range.
    pub fn refresh(&mut self, words: &impl Words) -> Result<u64, Broken> {
        self.head = judged(words.load(self.ring.head, Acquire), self.head, self.published)?;
        Ok(self.head)
    }

    /// Notes that this many more of the free bytes were written.
    #[inline]
    pub fn wrote(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.known_free(), "wrote over bytes that the reader may be reading");
        self.written += bytes;
    }

    /// Shows the reader what was written; `false` if there is nothing new.
    #[inline]
    pub fn publish(&mut self, words: &impl Words) -> bool {
        if self.published == self.written {
            return false;
        }
        self.published = self.written;
        words.store(self.ring.tail, self.published, Release);
        true
    }

    /// Takes back what was not published.
    pub const fn retract(&mut self) {
        self.written = self.published;
    }
}

/// The reading side.
#[derive(Debug)]
pub struct RingReader {
    ring: Ring,
    /// The writer may overwrite the bytes before this position.
    released: u64,
    /// What was read ends here.
    read: u64,
    /// The writer's position when it was last read.
    tail: u64,
}

impl RingReader {
    #[must_use]
    pub const fn new(ring: Ring) -> Self {
        Self { ring, released: 0, read: 0, tail: 0 }
    }

    /// The position of the next byte.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.read
    }

    /// The number of bytes to read; reads the writer's index if there seem to be none.
    ///
    /// # Errors
    /// The writer's index is out of range.
    #[inline]
    pub fn ready(&mut self, words: &impl Words) -> Result<u64, Broken> {
        if self.tail == self.read { self.refresh(words) } else { Ok(self.tail - self.read) }
    }

    /// The number of bytes to read when the writer's index was last read.
    #[must_use]
    pub const fn known(&self) -> u64 {
        self.tail - self.read
    }

    /// The number of bytes to read now.
    ///
    /// # Errors
    /// The writer's index is out of range.
    #[inline]
    pub fn refresh(&mut self, words: &impl Words) -> Result<u64, Broken> {
        let most = self.released + self.ring.bytes;
        self.tail = judged(words.load(self.ring.tail, Acquire), self.tail, most)?;
        Ok(self.tail - self.read)
    }

    /// Notes that this many more bytes were read.
    #[inline]
    pub fn took(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.tail - self.read, "read more than there was to read");
        self.read += bytes;
    }

    /// Bytes that were read and not released.
    #[must_use]
    pub const fn unreleased(&self) -> u64 {
        self.read - self.released
    }

    /// Lets the writer overwrite what was read; `false` if there is nothing new.
    #[inline]
    pub fn release(&mut self, words: &impl Words) -> bool {
        if self.released == self.read {
            return false;
        }
        self.released = self.read;
        words.store(self.ring.head, self.released, Release);
        true
    }
}

/// A sleeping side waits for bytes to read.
pub const FOR_BYTES: u64 = 1;
/// A sleeping side waits for free bytes to write to.
pub const FOR_FREE_BYTES: u64 = 2;

/// Announces that this side is about to sleep until there is one of `what`. Then check once more: if there is
/// nothing, sleep, else call [`withdraw_sleep`].
pub fn announce_sleep(words: &impl Words, sleeper: usize, what: u64) {
    words.store(sleeper, what, Relaxed);
    words.fence();
}

/// This side does not sleep after all. Its wake pipe may still become readable once for nothing.
pub fn withdraw_sleep(words: &impl Words, sleeper: usize) {
    words.store(sleeper, 0, Relaxed);
}

/// To be called after an index was stored that makes `what` available: whether the other side sleeps and waits for
/// that. If it does, wake it by its wake pipe.
#[inline]
pub fn must_wake(words: &impl Words, sleeper: usize, what: u64) -> bool {
    words.fence();
    let sleeps = words.load(sleeper, Relaxed) & what != 0;
    if sleeps {
        // One wake-up is enough. If this store hides that the other side has just announced sleep again, it is woken
        // all the same.
        words.store(sleeper, 0, Relaxed);
    }
    sleeps
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst, fence};

    struct Here([AtomicU64; 4]);

    impl Words for Here {
        fn load(&self, word: usize, order: Ordering) -> u64 {
            self.0[word].load(order)
        }

        fn store(&self, word: usize, value: u64, order: Ordering) {
            self.0[word].store(value, order);
        }

        fn fence(&self) {
            fence(SeqCst);
        }
    }

    const RING: Ring = Ring { tail: 0, head: 1, bytes: 64 };

    fn here() -> Here {
        Here([0; 4].map(AtomicU64::new))
    }

    /// xorshift64*: the same numbers in each run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }

        fn below(&mut self, limit: u64) -> u64 {
            (self.next() >> 33) % limit
        }
    }

    #[test]
    fn bytes_are_read_once_published_and_are_free_once_released() {
        let words = here();
        let (mut writer, mut reader) = (RingWriter::new(RING), RingReader::new(RING));
        for lap in 0..10 {
            assert_eq!((writer.free_bytes(&words, 64), writer.at()), (Ok(64), lap * 60));
            writer.wrote(60);
            assert_eq!(reader.ready(&words), Ok(0));
            assert!(writer.publish(&words) && !writer.publish(&words));
            assert_eq!((writer.free_bytes(&words, 5), reader.ready(&words), reader.at()), (Ok(4), Ok(60), lap * 60));
            reader.took(59);
            assert_eq!((reader.unreleased(), reader.ready(&words), writer.free_bytes(&words, 64)), (59, Ok(1), Ok(4)));
            reader.took(1);
            assert!(reader.release(&words) && !reader.release(&words));
        }
        writer.wrote(3);
        writer.retract();
        assert!(!writer.publish(&words));
    }

    #[test]
    fn an_index_out_of_range_is_never_accepted() {
        for seed in 1..=2000 {
            let mut random = Random(seed);
            let words = here();
            let (mut writer, mut reader) = (RingWriter::new(RING), RingReader::new(RING));
            for _ in 0..200 {
                // The words hold anything, near the legal range or not.
                let (word, base) = [(RING.head, writer.at()), (RING.tail, reader.at())][random.below(2) as usize];
                let value = match random.below(4) {
                    0 => random.next(),
                    1 => base.wrapping_sub(random.below(70)),
                    _ => base.wrapping_add(random.below(70)),
                };
                words.store(word, value, Relaxed);
                let published = writer.published;
                match writer.free_bytes(&words, 1 + random.below(64)) {
                    Ok(free) => {
                        assert!(free <= 64 && writer.head <= published && published - writer.head <= 64);
                        writer.wrote(random.below(free + 1));
                        let _ = random.below(2) == 0 && writer.publish(&words);
                    }
                    Err(broken) => assert!(broken.found < broken.least || broken.found > broken.most),
                }
                match reader.ready(&words) {
                    Ok(ready) => {
                        assert!(ready + reader.unreleased() <= 64);
                        reader.took(random.below(ready + 1));
                        let _ = random.below(2) == 0 && reader.release(&words);
                    }
                    Err(broken) => assert!(broken.found < broken.least || broken.found > broken.most),
                }
            }
        }
    }

    #[test]
    fn a_sleeping_side_is_woken_once_and_only_for_what_it_waits_for() {
        let words = here();
        assert!(!must_wake(&words, 2, FOR_BYTES));
        announce_sleep(&words, 2, FOR_BYTES);
        assert!(!must_wake(&words, 2, FOR_FREE_BYTES));
        assert!(must_wake(&words, 2, FOR_BYTES) && !must_wake(&words, 2, FOR_BYTES));
        announce_sleep(&words, 2, FOR_BYTES | FOR_FREE_BYTES);
        assert!(must_wake(&words, 2, FOR_FREE_BYTES));
        announce_sleep(&words, 2, FOR_FREE_BYTES);
        withdraw_sleep(&words, 2);
        assert!(!must_wake(&words, 2, FOR_FREE_BYTES));
    }
}
