//! A prefix: the header and the head of a frame, to be put before its body.
//!
//! A prefix is made and passed on in registers, since there may be a frame for each tiny item: a load of bytes that
//! were just stored in pieces waits until all the stores are done, which takes longer than such an item.
//!
//! Invariant: [`Prefix::put`] puts the same bytes that [`super::append`] appends before the body.

use super::codec::{self, Message, PACKED_BYTES, Packed};
use super::frame::{self, HEADER_BYTES};

/// Most bytes that [`Prefix::put`] writes behind the prefix, with `slack`.
pub const SLACK_BYTES: usize = PACKED_BYTES;

/// A header and a head.
#[derive(Clone, Debug)]
pub struct Prefix {
    header: u64,
    /// The head, if it fits; it rarely does not.
    head: Packed,
    long_head: Vec<u8>,
    head_bytes: usize,
}

impl Prefix {
    /// The prefix of a frame with this message and a body of this many bytes, which [`frame::check_body`] has passed.
    /// It returns no `Result`, since that would be built in memory.
    #[inline(always)]
    pub fn new<M: Message>(message: &M, body_bytes: usize) -> Self {
        let (head, mut long_head) = (message.pack(), Vec::new());
        if !head.fits() {
            codec::encode(message, &mut long_head);
        }
        let head_bytes = if head.fits() { head.bytes() } else { long_head.len() };
        // A message is never over the limit of a head.
        Self { header: frame::fields(M::KIND, head_bytes, body_bytes), head, long_head, head_bytes }
    }

    /// The same for a body of another size, which [`frame::check_body`] has passed.
    #[must_use]
    pub fn with_body_bytes(&self, body_bytes: usize) -> Self {
        Self { header: frame::with_body_bytes(self.header, body_bytes), long_head: self.long_head.clone(), ..*self }
    }

    /// Appends it, and reserves `more_bytes` bytes for the body.
    #[inline]
    pub fn append_to(&self, more_bytes: usize, out: &mut Vec<u8>) {
        let end = out.len() + self.bytes();
        out.reserve(self.bytes() + SLACK_BYTES + more_bytes);
        self.put(true, |_, bytes| out.extend_from_slice(bytes));
        out.truncate(end);
    }

    /// The number of its bytes.
    #[inline]
    #[must_use]
    pub const fn bytes(&self) -> usize {
        HEADER_BYTES + self.head_bytes
    }

    /// Calls `put` for each part, with its offset. `slack`: up to [`SLACK_BYTES`] behind the prefix may be overwritten;
    /// then all parts have a fixed size, and a copy of a fixed size costs no call.
    #[inline(always)]
    pub fn put(&self, slack: bool, mut put: impl FnMut(usize, &[u8])) {
        if !slack || !self.long_head.is_empty() {
            return self.put_exactly(&mut put);
        }
        let [low, high] = self.head.halves();
        put(0, &self.header.to_le_bytes());
        put(HEADER_BYTES, &low.to_le_bytes());
        put(HEADER_BYTES + size_of_val(&low), &high.to_le_bytes());
    }

    #[cold]
    fn put_exactly(&self, put: &mut dyn FnMut(usize, &[u8])) {
        put(0, &self.header.to_le_bytes());
        if self.long_head.is_empty() {
            put(HEADER_BYTES, &self.head.to_vec());
        } else {
            put(HEADER_BYTES, &self.long_head);
        }
    }
}
