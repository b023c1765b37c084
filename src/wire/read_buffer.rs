//! The buffer between a channel, which brings bytes, and a decoder, which takes messages out of them.
//!
//! A channel reads into [`ReadBuffer::spare`] and reports with [`ReadBuffer::filled`] how much arrived, or copies
//! with [`ReadBuffer::take_in`]. A decoder looks at [`ReadBuffer::unread`] and takes out what is whole.
//!
//! Invariant: knows no format. It allocates at most one message of the size that its decoder has asked for, and
//! one base size more.

/// The size of the buffer at rest, and so the most that one read brings. A read of 128 KiB costs no more per byte
/// than a larger one, and the buffer stays in the second-level cache. The page or two beyond: the first heap of a C
/// library is 132 KiB. A larger allocation is mapped by itself, so that only those pages of an idle worker's buffer
/// become resident that something arrived in.
pub const BUFFER_BYTES: usize = 136 * 1024;

/// Bytes that have arrived and were not taken out.
#[derive(Default)]
pub struct ReadBuffer {
    /// All of it is initialised; `start..end` is unread.
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Bytes of the message at `start`, if the decoder knows and accepts its size.
    pub(super) wanted: usize,
}

impl ReadBuffer {
    /// An empty buffer; the first [`spare`](Self::spare) allocates.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, wanted: 0 }
    }

    /// The free bytes for the next read, never empty. Report with [`filled`](Self::filled) how many were used.
    pub fn spare(&mut self) -> &mut [u8] {
        let held = self.end - self.start;
        // At rest the base size. For a larger message the size of that message, which its decoder has accepted. If
        // no decoder has taken messages out, one base size more.
        let size = self.wanted.max(BUFFER_BYTES);
        let size = if held < size { size } else { held + BUFFER_BYTES };
        if self.bytes.len() == size {
            // Only the torn part of one message moves.
            self.bytes.copy_within(self.start..self.end, 0);
        } else {
            // A fresh zeroed buffer is mapped lazily: only what arrives becomes resident.
            let mut bytes = vec![0; size];
            bytes[..held].copy_from_slice(&self.bytes[self.start..self.end]);
            self.bytes = bytes;
        }
        (self.start, self.end) = (0, held);
        &mut self.bytes[self.end..]
    }

    /// The first `bytes` bytes of the last [`spare`](Self::spare) hold what arrived.
    pub fn filled(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.bytes.len() - self.end, "more than the spare bytes");
        self.end = (self.end + bytes).min(self.bytes.len());
    }

    /// Copies all of `bytes` into the buffer.
    pub fn take_in(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = self.take_piece(bytes);
        }
    }

    /// Copies as many of `bytes` as one [`spare`](Self::spare) holds; returns the rest.
    pub(super) fn take_piece<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let spare = self.spare();
        let (piece, rest) = bytes.split_at(spare.len().min(bytes.len()));
        spare[..piece.len()].copy_from_slice(piece);
        self.filled(piece.len());
        rest
    }

    /// What has arrived and was not taken out.
    #[inline(always)]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The address of the buffer, for the place of a message within it. It changes only with [`spare`](Self::spare).
    #[must_use]
    pub fn address(&self) -> usize {
        self.bytes.as_ptr().addr()
    }

    /// What arrived at this place since the last [`spare`](Self::spare), whether it was taken out or not.
    #[must_use]
    pub fn arrived(&self, place: &std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    /// Takes out the unread bytes, at most `bytes_max` of them.
    pub fn take(&mut self, bytes_max: usize) -> &[u8] {
        let start = self.start;
        self.start = self.end.min(start.saturating_add(bytes_max));
        &self.bytes[start..self.start]
    }
}
