//! The frames that wait to be sent together.
//!
//! Invariant: whole frames only, one behind the other from the start of the buffer.

use crate::sys::growable_buffer::GrowableBuffer;
use crate::wire::codec::Message;
use crate::wire::frame::{FrameError, check_body};
use crate::wire::prefix::{Prefix, SLACK_BYTES};
use std::ops::Range;

/// A buffer that has been larger is cut back to this size.
const KEPT_BYTES: usize = 256 * 1024;

/// The frames, and the buffer that holds them.
pub(super) struct FrameBuffer {
    buffer: GrowableBuffer,
    bytes: usize,
}

impl FrameBuffer {
    /// No frames yet. Frames are appended in `buffer`.
    pub(super) const fn within(buffer: GrowableBuffer) -> Self {
        Self { buffer, bytes: 0 }
    }

    /// Appends one whole frame.
    ///
    /// # Errors
    /// The body is over the limit; nothing was appended.
    #[inline]
    pub(super) fn append<M: Message>(&mut self, message: &M, body: &[u8]) -> Result<(), FrameError> {
        let at = self.append_prefix(message, body.len(), body.len())?;
        self.buffer[at.clone()].copy_from_slice(body);
        self.bytes = at.end;
        Ok(())
    }

    /// Appends a frame without its body. The caller sends the body after the frames.
    ///
    /// # Errors
    /// As of [`append`](Self::append).
    pub(super) fn append_without_body<M: Message>(&mut self, message: &M, body_bytes: usize) -> Result<(), FrameError> {
        self.bytes = self.append_prefix(message, body_bytes, 0)?.start;
        Ok(())
    }

    /// Appends a prefix, and reserves bytes behind it. Returns the range of the reserved bytes.
    #[inline(always)]
    fn append_prefix<M: Message>(
        &mut self,
        message: &M,
        body_bytes: usize,
        buffer_bytes: usize,
    ) -> Result<Range<usize>, FrameError> {
        check_body(body_bytes)?;
        let prefix = Prefix::new(message, body_bytes);
        let start = self.bytes + prefix.bytes();
        let end = start + buffer_bytes;
        if end + SLACK_BYTES > self.buffer.len() {
            self.buffer.grow(end + SLACK_BYTES);
        }
        let place = &mut self.buffer[self.bytes..];
        prefix.put(true, |at, bytes| place[at..at + bytes.len()].copy_from_slice(bytes));
        Ok(start..end)
    }

    /// The number of their bytes.
    #[inline]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether they are in memory that outlives this process.
    #[inline]
    pub(super) const fn is_shared(&self) -> bool {
        self.buffer.is_shared()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.bytes]
    }

    /// Removes the frames, after they were sent.
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
        self.buffer.cut_back(KEPT_BYTES);
    }
}
