//! Floor 1: bytes to messages and back.
//!
//! Facts come in as slices of bytes, in pieces of any size; messages go out, and the other way round.
//!
//! Invariant: pure. Nothing here reads, writes, waits or knows which transport carries the bytes,
//! and no input, however hostile, panics or makes it allocate more than one frame's limit.

pub mod codec;
pub mod frame;
pub mod message;
pub mod names;
pub mod times;

use codec::Message;
use frame::FrameError;

/// Appends one whole frame: header, `message`, `body`.
///
/// # Errors
/// The body is over [`frame::BODY_BYTES_MAX`]; nothing was appended.
pub fn append<M: Message>(message: &M, body: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let mut head = [0; frame::HEAD_BYTES_MAX];
    let head = codec::encode_into(message, &mut head);
    frame::encode(M::KIND, head, body, out)
}

/// Appends all of a frame but its body, which is to follow.
///
/// # Errors
/// The body is over [`frame::BODY_BYTES_MAX`]; nothing was appended.
pub fn append_without_body<M: Message>(message: &M, body_bytes: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let mut head = [0; frame::HEAD_BYTES_MAX];
    let head = codec::encode_into(message, &mut head);
    let header = frame::header(M::KIND, head.len(), body_bytes)?;
    out.extend_from_slice(&header);
    out.extend_from_slice(head);
    Ok(())
}
