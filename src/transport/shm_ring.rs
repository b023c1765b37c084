//! A ring for one writer and one reader who share words of memory: where each of them is, and who of
//! them sleeps. The bytes themselves lie elsewhere.
//!
//! Positions only grow; the place of one in the ring is its remainder. Each side writes its own index,
//! keeps a copy of the other's, and looks at the other's only when the copy does not suffice.
//!
//! Who finds nothing to do and wants to sleep says so ([`doze`]), looks once more, and sleeps. Who
//! changes an index looks whether the other side sleeps ([`must_wake`]) and rings its bell. The fence on
//! both sides makes sure that one of the two sees the other: no bell is missed, and none is rung for
//! somebody who is awake.
//!
//! Invariant: an index of the other side is taken only if it lies where it can lie; otherwise that side
//! is [`Broken`], for good. Nothing here touches the system; `tests/loom_ring.rs` runs it under every
//! order in which memory may show the words.

use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

/// The words that two sides share, by number. `AtomicU64`, or its double in a test.
pub trait Words {
    fn load(&self, word: usize, order: Ordering) -> u64;
    fn store(&self, word: usize, value: u64, order: Ordering);
    /// `fence(SeqCst)`.
    fn fence(&self);
}

/// The two indices of a ring of `bytes` bytes: the words that they are.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// Where the writer is.
    pub tail: usize,
    /// Where the reader is.
    pub head: usize,
    pub bytes: u64,
}

/// The other side's index is where it cannot be; completes "failed to ...".
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
pub struct Writer {
    ring: Ring,
    /// What the reader may see ends here.
    published: u64,
    /// What was written ends here.
    written: u64,
    /// The reader was here when last looked at.
    head: u64,
}

impl Writer {
    #[must_use]
    pub const fn new(ring: Ring) -> Self {
        Self { ring, published: 0, written: 0, head: 0 }
    }

    /// Where the next byte goes.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.written
    }

    /// How many bytes there is room for; looks at the reader's index if they are fewer than `wanted`.
    ///
    /// # Errors
    /// The reader's index is none.
    #[inline]
    pub fn room(&mut self, words: &impl Words, wanted: u64) -> Result<u64, Broken> {
        if self.free() < wanted {
            self.look(words)?;
        }
        Ok(self.free())
    }

    /// For how many bytes there was room when last looked at.
    #[must_use]
    pub const fn free(&self) -> u64 {
        self.ring.bytes - (self.written - self.head)
    }

    /// Where the reader is: what lies before was read.
    ///
    /// # Errors
    /// Its index is none.
    pub fn look(&mut self, words: &impl Words) -> Result<u64, Broken> {
        self.head = judged(words.load(self.ring.head, Acquire), self.head, self.published)?;
        Ok(self.head)
    }

    /// So many more bytes were written, of those that there was room for.
    #[inline]
    pub fn wrote(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.free(), "wrote where the reader may be");
        self.written += bytes;
    }

    /// Shows the reader what was written; `false` if that is nothing new.
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
pub struct Reader {
    ring: Ring,
    /// What the writer may write over ends here.
    released: u64,
    /// What was read ends here.
    read: u64,
    /// The writer was here when last looked at.
    tail: u64,
}

impl Reader {
    #[must_use]
    pub const fn new(ring: Ring) -> Self {
        Self { ring, released: 0, read: 0, tail: 0 }
    }

    /// Where the next byte is.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.read
    }

    /// How many bytes there are; looks at the writer's index if there seem to be none.
    ///
    /// # Errors
    /// The writer's index is none.
    #[inline]
    pub fn ready(&mut self, words: &impl Words) -> Result<u64, Broken> {
        if self.tail == self.read { self.look(words) } else { Ok(self.tail - self.read) }
    }

    /// How many bytes there were when last looked at.
    #[must_use]
    pub const fn known(&self) -> u64 {
        self.tail - self.read
    }

    /// How many bytes there are now.
    ///
    /// # Errors
    /// The writer's index is none.
    #[inline]
    pub fn look(&mut self, words: &impl Words) -> Result<u64, Broken> {
        let most = self.released + self.ring.bytes;
        self.tail = judged(words.load(self.ring.tail, Acquire), self.tail, most)?;
        Ok(self.tail - self.read)
    }

    /// So many more bytes were read, of those that are there.
    #[inline]
    pub fn took(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.tail - self.read, "read what is not there");
        self.read += bytes;
    }

    /// Bytes that were read and not released.
    #[must_use]
    pub const fn unreleased(&self) -> u64 {
        self.read - self.released
    }

    /// Lets the writer write over what was read; `false` if that is nothing new.
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

/// What a sleeper waits for: something to read.
pub const FOR_BYTES: u64 = 1;
/// What a sleeper waits for: room to write.
pub const FOR_ROOM: u64 = 2;

/// Says that this side is about to sleep until there is one of `what`. Then look once more; if there is
/// nothing, sleep, else [`rise`].
pub fn doze(words: &impl Words, sleeper: usize, what: u64) {
    words.store(sleeper, what, Relaxed);
    words.fence();
}

/// This side is awake. A bell may still ring once for nothing.
pub fn rise(words: &impl Words, sleeper: usize) {
    words.store(sleeper, 0, Relaxed);
}

/// After an index was stored: if the other side sleeps until there is one of `what`, which is there now.
/// Then ring its bell.
#[inline]
pub fn must_wake(words: &impl Words, sleeper: usize, what: u64) -> bool {
    words.fence();
    let sleeps = words.load(sleeper, Relaxed) & what != 0;
    if sleeps {
        // One ring is enough. Should this hide that it has just lain down again, it is woken all the same.
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
    fn what_is_written_is_read_once_published_and_room_comes_back_once_released() {
        let words = here();
        let (mut writer, mut reader) = (Writer::new(RING), Reader::new(RING));
        for lap in 0..10 {
            assert_eq!((writer.room(&words, 64), writer.at()), (Ok(64), lap * 60));
            writer.wrote(60);
            assert_eq!(reader.ready(&words), Ok(0));
            assert!(writer.publish(&words) && !writer.publish(&words));
            assert_eq!((writer.room(&words, 5), reader.ready(&words), reader.at()), (Ok(4), Ok(60), lap * 60));
            reader.took(59);
            assert_eq!((reader.unreleased(), reader.ready(&words), writer.room(&words, 64)), (59, Ok(1), Ok(4)));
            reader.took(1);
            assert!(reader.release(&words) && !reader.release(&words));
        }
        writer.wrote(3);
        writer.retract();
        assert!(!writer.publish(&words));
    }

    #[test]
    fn an_index_that_cannot_be_is_never_taken() {
        for seed in 1..=2000 {
            let mut random = Random(seed);
            let words = here();
            let (mut writer, mut reader) = (Writer::new(RING), Reader::new(RING));
            for _ in 0..200 {
                // What lies in the words is anything, near what is right or not.
                let (word, base) = [(RING.head, writer.at()), (RING.tail, reader.at())][random.below(2) as usize];
                let value = match random.below(4) {
                    0 => random.next(),
                    1 => base.wrapping_sub(random.below(70)),
                    _ => base.wrapping_add(random.below(70)),
                };
                words.store(word, value, Relaxed);
                let published = writer.published;
                match writer.room(&words, 1 + random.below(64)) {
                    Ok(room) => {
                        assert!(room <= 64 && writer.head <= published && published - writer.head <= 64);
                        writer.wrote(random.below(room + 1));
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
    fn a_bell_is_rung_once_and_only_for_who_sleeps() {
        let words = here();
        assert!(!must_wake(&words, 2, FOR_BYTES));
        doze(&words, 2, FOR_BYTES);
        assert!(!must_wake(&words, 2, FOR_ROOM));
        assert!(must_wake(&words, 2, FOR_BYTES) && !must_wake(&words, 2, FOR_BYTES));
        doze(&words, 2, FOR_BYTES | FOR_ROOM);
        assert!(must_wake(&words, 2, FOR_ROOM));
        doze(&words, 2, FOR_ROOM);
        rise(&words, 2);
        assert!(!must_wake(&words, 2, FOR_ROOM));
    }
}
