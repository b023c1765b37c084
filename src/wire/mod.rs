//! Floor 1: bytes to messages and back.
//!
//! Slices of bytes, in pieces of any size, become messages, and messages become bytes. `protocol` decides which message
//! is legal when.
//!
//! Invariant: pure. Nothing here reads, writes, waits or knows which transport carries the bytes. No input makes it
//! panic, or allocate more than the limit of one frame.

pub mod codec;
pub mod frame;
pub mod message;
pub mod names;
pub mod prefix;
mod quick;
pub mod read_buffer;
#[cfg(feature = "run")]
pub mod record;
pub mod times;

use codec::Message;
use frame::FrameError;
use prefix::Prefix;

/// Appends one whole frame: header, `message`, `body`.
///
/// # Errors
/// The body is over [`frame::BODY_BYTES_MAX`]; nothing was appended.
pub fn append<M: Message>(message: &M, body: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    append_without_body(message, body.len(), out)?;
    out.extend_from_slice(body);
    Ok(())
}

/// Appends a frame without its body. The caller appends the body.
///
/// # Errors
/// The body is over [`frame::BODY_BYTES_MAX`]; nothing was appended.
#[inline]
pub fn append_without_body<M: Message>(message: &M, body_bytes: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
    frame::check_body(body_bytes)?;
    Prefix::new(message, body_bytes).append_to(body_bytes, out);
    Ok(())
}
