//! The buffer between a channel, which reads bytes into it, and a decoder, which takes messages out of it.
//!
//! A channel reads into [`ReadBuffer::spare`] and reports the number of bytes with [`ReadBuffer::filled`], or copies
//! bytes with [`ReadBuffer::copy_in`]. A decoder inspects [`ReadBuffer::unread`] and takes out complete messages.
//!
//! Invariant: knows no format. It allocates at most the size of one message, as set by its decoder, plus
//! [`BUFFER_BYTES`].

/// The base size of the buffer, and so the most that one read returns. A read of 128 KiB costs no more per byte than a
/// larger one, and the buffer stays in the second-level cache. The 8 KiB more: the first heap of a C library is
/// 132 KiB. A larger allocation is a mapping of its own, so only the pages that bytes have arrived in are resident.
pub const BUFFER_BYTES: usize = 136 * 1024;

/// Bytes that have arrived and have not been taken out.
#[derive(Default)]
pub struct ReadBuffer {
    /// All of it is initialised; `start..end` is unread.
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The size of the message at `start`; 0 if the decoder does not know it yet or does not want it whole.
    pub(super) message_bytes: usize,
}

impl ReadBuffer {
    /// An empty buffer; the first [`spare`](Self::spare) allocates.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, message_bytes: 0 }
    }

    /// The free bytes for the next read, never empty. Report the number of used ones with [`filled`](Self::filled).
    pub fn spare(&mut self) -> &mut [u8] {
        let held = self.end - self.start;
        // The base size, or the size of a larger message. If the buffer is full all the same, because nothing was
        // taken out, it grows by the base size.
        let size = self.message_bytes.max(BUFFER_BYTES);
        let size = if held < size { size } else { held + BUFFER_BYTES };
        if self.bytes.len() == size {
            // At most a part of one message is moved.
            self.bytes.copy_within(self.start..self.end, 0);
        } else {
            // The pages of a new zeroed buffer become resident when bytes arrive in them.
            let mut bytes = vec![0; size];
            bytes[..held].copy_from_slice(&self.bytes[self.start..self.end]);
            self.bytes = bytes;
        }
        (self.start, self.end) = (0, held);
        &mut self.bytes[self.end..]
    }

    /// Adds the first `bytes` bytes of the last [`spare`](Self::spare) to the unread ones.
    pub fn filled(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.bytes.len() - self.end, "more than the spare bytes");
        self.end = (self.end + bytes).min(self.bytes.len());
    }

    /// Copies all of `bytes` into the buffer.
    pub fn copy_in(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = self.copy_piece(bytes);
        }
    }

    /// Copies as many of `bytes` as one [`spare`](Self::spare) holds; returns the rest.
    pub(super) fn copy_piece<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let spare = self.spare();
        let (piece, rest) = bytes.split_at(spare.len().min(bytes.len()));
        spare[..piece.len()].copy_from_slice(piece);
        self.filled(piece.len());
        rest
    }

    /// The bytes that have arrived and have not been taken out.
    #[inline(always)]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The address of the buffer, to compute the range of a message within it. Only [`spare`](Self::spare) changes it.
    #[must_use]
    pub fn address(&self) -> usize {
        self.bytes.as_ptr().addr()
    }

    /// The bytes in this range, as of the last [`spare`](Self::spare), taken out or not.
    #[must_use]
    pub fn arrived(&self, place: &std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    /// The same, to be changed where they are.
    #[cfg(feature = "run")]
    pub(crate) fn arrived_mut(&mut self, place: &std::ops::Range<usize>) -> &mut [u8] {
        self.bytes.get_mut(place.clone()).unwrap_or_default()
    }

    /// The next [`spare`](Self::spare) makes room for a message of this many bytes, unread ones included; 0: its size is
    /// not known.
    pub(crate) const fn make_room(&mut self, bytes: usize) {
        self.message_bytes = bytes;
    }

    /// Takes out the unread bytes, at most `bytes_max` of them; where they are in [`arrived`](Self::arrived).
    pub(crate) fn take_place(&mut self, bytes_max: usize) -> std::ops::Range<usize> {
        let start = self.start;
        self.start = self.end.min(start.saturating_add(bytes_max));
        start..self.start
    }

    /// Takes out the unread bytes, at most `bytes_max` of them.
    pub fn take(&mut self, bytes_max: usize) -> &[u8] {
        let start = self.start;
        self.start = self.end.min(start.saturating_add(bytes_max));
        &self.bytes[start..self.start]
    }
}
