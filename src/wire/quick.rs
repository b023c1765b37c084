//! Encodes and decodes `Batch` and `Done` without the general codec. There may be one of each for every item.
//!
//! With a message per item, the head of the message is most of the cost of an item, and the general codec takes three
//! times as long. The format is the one of that codec, described in bincode's `spec.md`: numbers up to 250 are one
//! byte, larger numbers are a byte for their width and then the number.
//!
//! Invariant: writes and accepts only what the general codec writes and accepts. Unusual messages are left to that
//! codec. A test compares the two.

/// Numbers from this one on take more than one byte.
const WIDE: u64 = 251;
const WIDE_2: u8 = 251;
const WIDE_4: u8 = 252;
const WIDE_8: u8 = 253;

/// A head as two words; its first byte is the lowest. It is made and passed on in registers, since a load of bytes that
/// were just stored in pieces waits for all the stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    low: u64,
    high: u64,
    bytes: usize,
}

/// Most bytes of a [`Packed`] head.
pub const PACKED_BYTES: usize = 2 * size_of::<u64>();

impl Packed {
    /// A head that is left to the general codec. It does not fit.
    pub const NONE: Self = Self { low: 0, high: 0, bytes: usize::MAX };

    /// Whether it fits.
    #[inline]
    #[must_use]
    pub const fn fits(self) -> bool {
        self.bytes <= PACKED_BYTES
    }

    /// The number of its bytes.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bytes
    }

    /// Its two words.
    #[inline]
    #[must_use]
    pub const fn halves(self) -> [u64; 2] {
        [self.low, self.high]
    }

    /// Its bytes, if it fits.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        let mut bytes = [self.low.to_le_bytes(), self.high.to_le_bytes()].concat();
        bytes.truncate(self.bytes);
        bytes
    }
}

/// Writes heads.
pub(super) struct HeadWriter(Packed);

impl HeadWriter {
    /// Begins with the number of the message's variant.
    #[inline]
    pub(super) const fn new(variant: u8) -> Self {
        Self(Packed { low: variant as u64, high: 0, bytes: 1 })
    }

    #[inline]
    pub(super) const fn number(self, number: u64) -> Self {
        let wide = (number as u128) << 8;
        match number {
            0..WIDE => self.add(number as u128, 1),
            WIDE..=0xffff => self.add(wide | WIDE_2 as u128, 3),
            0x1_0000..=0xffff_ffff => self.add(wide | WIDE_4 as u128, 5),
            _ => self.add(wide | WIDE_8 as u128, 9),
        }
    }

    #[inline]
    pub(super) const fn flag(self, flag: bool) -> Self {
        self.add(flag as u128, 1)
    }

    #[inline]
    const fn add(self, value: u128, bytes: usize) -> Self {
        // Bytes that do not fit are lost, and `fits` reports it.
        let Packed { low, high, bytes: at } = self.0;
        let moved = value.unbounded_shl(8 * at as u32);
        Self(Packed { low: low | moved as u64, high: high | (moved >> 64) as u64, bytes: at + bytes })
    }

    /// What was written; it may not fit.
    #[inline]
    pub(super) const fn end(self) -> Packed {
        self.0
    }
}

/// Reads heads. `None`: the general codec reads the head, or reports the error.
pub(super) struct HeadReader<'a> {
    rest: &'a [u8],
}

impl<'a> HeadReader<'a> {
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

    /// `Some` if nothing is left.
    #[inline]
    pub(super) const fn end(self) -> Option<()> {
        if self.rest.is_empty() { Some(()) } else { None }
    }
}
