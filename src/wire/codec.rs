//! Small messages to bytes and back: the only file that names bincode.
//!
//! Bodies never pass through here; they travel beside the message as plain slices (`frame.rs`).
//!
//! Invariant: a message is a flat value of a few integers. It holds no sequence, so its size has a
//! constant bound and its decoder can neither recurse nor allocate.

use super::frame::{HEAD_BYTES_MAX, Kind};
use super::message::{FromWorker, ToWorker};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message that may stand in a frame's head. Its longest encoding is at most [`HEAD_BYTES_MAX`],
/// which `tests::the_longest_messages_fit` holds each implementor to.
pub trait Message: Serialize + DeserializeOwned {
    /// The kind of frame that carries it.
    const KIND: Kind;
}

impl Message for ToWorker {
    const KIND: Kind = Kind::ToWorker;
}

impl Message for FromWorker {
    const KIND: Kind = Kind::FromWorker;
}

/// The limit bounds what decoding may claim; encoding is bounded by the shape of the messages.
const fn config() -> Configuration<LittleEndian, Varint, Limit<HEAD_BYTES_MAX>> {
    bincode::config::standard().with_limit::<HEAD_BYTES_MAX>()
}

/// Appends `message`.
pub fn encode<M: Message>(message: &M, out: &mut Vec<u8>) {
    let mut room = [0; HEAD_BYTES_MAX];
    out.extend_from_slice(encode_into(message, &mut room));
}

/// Writes `message` at the start of `room` and returns what was written.
///
/// # Panics
/// Never: each [`Message`] is flat and fits.
pub fn encode_into<'a, M: Message>(message: &M, room: &'a mut [u8; HEAD_BYTES_MAX]) -> &'a [u8] {
    // The only failures are a full buffer and values that serde cannot describe; a `Message` has neither.
    let written = bincode::serde::encode_into_slice(message, room, config()).expect("a message is flat and fits");
    &room[..written]
}

/// Reads the message that is exactly `bytes`.
///
/// # Errors
/// The bytes are no such message, or more than one.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, CodecError> {
    match bincode::serde::decode_from_slice(bytes, config()) {
        Ok((message, read)) if read == bytes.len() => Ok(message),
        Ok((_, read)) => Err(CodecError::Trailing { extra_bytes: bytes.len() - read }),
        Err(error) => Err(CodecError::Malformed { bytes: bytes.len(), reason: error.to_string() }),
    }
}

/// Why bytes are no message; completes "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("read a message of {bytes} bytes: {reason}")]
    Malformed { bytes: usize, reason: String },
    #[error("read a message: {extra_bytes} bytes follow it")]
    Trailing { extra_bytes: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest() -> (Vec<ToWorker>, Vec<FromWorker>) {
        let (first, count, attempt) = (u64::MAX, u32::MAX, u32::MAX);
        let to = vec![ToWorker::Run { first, count, attempt }];
        let from = vec![
            FromWorker::Hello { protocol: u16::MAX, pid: u32::MAX, token: [0xff; 16] },
            FromWorker::Done { first, count, attempt, busy_ns: u64::MAX, timed: true },
            FromWorker::Failed { item: first, attempt, panicked: true, timed: true },
        ];
        (to, from)
    }

    fn round_trip<M: Message + PartialEq + std::fmt::Debug>(message: &M) {
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        assert!(bytes.len() <= HEAD_BYTES_MAX, "{message:?} takes {} bytes", bytes.len());
        assert_eq!(decode::<M>(&bytes).as_ref(), Ok(message));
        for torn in 0..bytes.len() {
            assert!(matches!(decode::<M>(&bytes[..torn]), Err(CodecError::Malformed { .. })), "torn at {torn}");
        }
        bytes.push(0);
        assert_eq!(decode::<M>(&bytes), Err(CodecError::Trailing { extra_bytes: 1 }));
    }

    #[test]
    fn the_longest_messages_fit() {
        let (to, from) = longest();
        to.iter().for_each(round_trip);
        from.iter().for_each(round_trip);
    }

    #[test]
    fn small_messages_are_small() {
        let mut bytes = Vec::new();
        encode(&ToWorker::Run { first: 7, count: 1, attempt: 1 }, &mut bytes);
        assert_eq!(bytes, [0, 7, 1, 1]);
    }

    #[test]
    fn garbage_is_an_error_in_words() {
        let error = decode::<FromWorker>(&[99, 1, 2, 3]).unwrap_err();
        assert!(error.to_string().starts_with("read a message of 4 bytes: "), "{error}");
        assert!(decode::<ToWorker>(&[0xff; HEAD_BYTES_MAX]).is_err());
        assert!(decode::<ToWorker>(&[]).is_err());
    }
}
