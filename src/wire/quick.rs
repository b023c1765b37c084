//! The two messages that each item may cost, `Run` and `Done`, to bytes and back without a detour.
//!
//! A message per item is a way to run, so what the head of one costs is what an item costs; the general
//! codec takes three times as long. Its format is its own, described in bincode's `spec.md`: numbers
//! up to 250 are a byte, larger ones a byte that names their width and then the number.
//!
//! Invariant: nothing here says anything else than the codec would. What is unusual is left to it;
//! a test compares the two.

use super::frame::HEAD_BYTES_MAX;

/// Numbers from here on are written wider.
const WIDE: u64 = 251;
const WIDE_2: u8 = 251;
const WIDE_4: u8 = 252;
const WIDE_8: u8 = 253;

/// Writes heads.
pub(super) struct Writer<'a> {
    room: &'a mut [u8; HEAD_BYTES_MAX],
    at: usize,
}

impl<'a> Writer<'a> {
    /// Begins with the number of the message's variant.
    #[inline]
    pub(super) const fn new(room: &'a mut [u8; HEAD_BYTES_MAX], variant: u8) -> Self {
        room[0] = variant;
        Self { room, at: 1 }
    }

    #[inline]
    pub(super) fn number(mut self, number: u64) -> Self {
        // The widest is always stored, and what is too much of it written over.
        let [b0, b1, b2, b3, b4, b5, b6, b7] = number.to_le_bytes();
        let (tag, bytes) = match number {
            0..WIDE => (b0, 1),
            WIDE..=0xffff => (WIDE_2, 3),
            0x1_0000..=0xffff_ffff => (WIDE_4, 5),
            _ => (WIDE_8, 9),
        };
        if let Some(place) = self.room.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut::<9>) {
            *place = [tag, b0, b1, b2, b3, b4, b5, b6, b7];
        }
        self.at += bytes;
        self
    }

    #[inline]
    pub(super) fn flag(mut self, flag: bool) -> Self {
        if let Some(place) = self.room.get_mut(self.at) {
            *place = u8::from(flag);
        }
        self.at += 1;
        self
    }

    /// How many bytes were written.
    #[inline]
    pub(super) const fn end(self) -> usize {
        self.at
    }
}

/// Reads heads; `None` leaves it to the codec to say what is wrong, or to understand it.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Of the message with this number of a variant.
    #[inline]
    pub(super) fn new(head: &'a [u8], variant: u8) -> Option<Self> {
        let (first, rest) = head.split_first()?;
        (*first == variant).then_some(Self { rest })
    }

    #[inline]
    pub(super) fn number(&mut self) -> Option<u64> {
        let (&tag, rest) = self.rest.split_first()?;
        let (number, rest) = match tag {
            0..WIDE_2 => (u64::from(tag), rest),
            WIDE_2 => rest.split_first_chunk().map(|(bytes, rest)| (u64::from(u16::from_le_bytes(*bytes)), rest))?,
            WIDE_4 => rest.split_first_chunk().map(|(bytes, rest)| (u64::from(u32::from_le_bytes(*bytes)), rest))?,
            WIDE_8 => rest.split_first_chunk().map(|(bytes, rest)| (u64::from_le_bytes(*bytes), rest))?,
            _ => return None,
        };
        self.rest = rest;
        Some(number)
    }

    /// A number that was written as one of 32 bits.
    #[inline]
    pub(super) fn short_number(&mut self) -> Option<u32> {
        if self.rest.first() == Some(&WIDE_8) {
            return None;
        }
        u32::try_from(self.number()?).ok()
    }

    #[inline]
    pub(super) fn flag(&mut self) -> Option<bool> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        (byte <= 1).then_some(byte == 1)
    }

    /// Says so if there is nothing more.
    #[inline]
    pub(super) const fn end(self) -> Option<()> {
        if self.rest.is_empty() { Some(()) } else { None }
    }
}
