//! Floor 1: bytes to messages and back.
//!
//! Facts come in as slices of bytes, in pieces of any size; messages go out, and the other way round. Which message
//! is legal when, `protocol` decides.
//!
//! Invariant: pure. Nothing here reads, writes, waits or knows which transport carries the bytes, and no input,
//! however hostile, panics or makes it allocate more than one frame's limit.

pub mod codec;
pub mod frame;
pub mod message;
pub mod names;
pub mod prefix;
mod quick;
pub mod read_buffer;
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

/// Appends all of a frame but its body, which is to follow.
///
/// # Errors
/// The body is over [`frame::BODY_BYTES_MAX`]; nothing was appended.
#[inline]
pub fn append_without_body<M: Message>(message: &M, body_bytes: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
    frame::check_body(body_bytes)?;
    Prefix::new(message, body_bytes).append_to(body_bytes, out);
    Ok(())
}
