//! A set of slots as bits: a search reads one bit for each slot, 64 at a time.
//!
//! Invariant: `len` is the number of bits that are set.

#[derive(Clone, Debug, Default)]
pub(super) struct SlotSet {
    words: Vec<u64>,
    len: usize,
}

impl SlotSet {
    /// Grows the set for slots below `slots`.
    pub(super) fn grow(&mut self, slots: usize) {
        self.words.resize(slots.div_ceil(64).max(self.words.len()), 0);
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn contains(&self, slot: usize) -> bool {
        self.words[slot / 64] >> (slot % 64) & 1 == 1
    }

    /// Puts the slot into the set, or takes it out.
    #[inline]
    pub(super) fn set(&mut self, slot: usize, inside: bool) {
        let (word, bit) = (&mut self.words[slot / 64], 1u64 << (slot % 64));
        let before = *word & bit != 0;
        if before != inside {
            *word ^= bit;
            if inside { self.len += 1 } else { self.len -= 1 }
        }
    }

    /// The first slot from `start` on, wrapping around.
    pub(super) fn next_from(&self, start: usize) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let words = self.words.len();
        let (mut index, mut mask) = (start / 64 % words, !0u64 << (start % 64));
        // The first word is read twice: for the slots from `start` on, and at last for those before it.
        for _ in 0..=words {
            let word = self.words[index] & mask;
            if word != 0 {
                return Some(index * 64 + word.trailing_zeros() as usize);
            }
            index = (index + 1) % words;
            mask = !0;
        }
        None
    }
}
