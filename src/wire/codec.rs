//! Small messages to bytes and back: the only file that names bincode.
//!
//! Bodies are not encoded here; they are plain slices behind the message (`frame.rs`).
//!
//! Invariant: a message is a flat value of a few integers. It holds no sequence, so its size has a
//! constant bound and its decoder can neither recurse nor allocate.

use super::frame::{FrameDirection, HEAD_BYTES_MAX};
use super::message::{FromWorker, ToWorker};
use super::quick::{HeadReader, HeadWriter};
pub use super::quick::{PACKED_BYTES, Packed};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message in the head of a frame. Its longest encoding is at most [`HEAD_BYTES_MAX`] bytes;
/// `tests::the_longest_messages_fit` checks that.
pub trait Message: Serialize + DeserializeOwned {
    /// The direction of a frame that carries it; in the header the field is `kind`.
    const KIND: FrameDirection;

    /// The message packed into two words, if `quick.rs` can write it. Otherwise the result does not fit
    /// ([`Packed::fits`]), and the general codec writes the message.
    fn pack(&self) -> Packed;

    /// The message, if `quick.rs` can read it; otherwise the general codec decides.
    fn read(head: &[u8]) -> Option<Self>;
}

impl Message for ToWorker {
    const KIND: FrameDirection = FrameDirection::ToWorker;

    #[inline(always)]
    fn pack(&self) -> Packed {
        let Self::Batch { first, count, attempt } = *self;
        HeadWriter::new(BATCH).number(first).number(count.into()).number(attempt.into()).end()
    }

    #[inline(always)]
    fn read(head: &[u8]) -> Option<Self> {
        let mut reader = HeadReader::new(head, BATCH)?;
        let (first, count, attempt) = (reader.number()?, reader.short_number()?, reader.short_number()?);
        reader.end()?;
        Some(Self::Batch { first, count, attempt })
    }
}

impl Message for FromWorker {
    const KIND: FrameDirection = FrameDirection::FromWorker;

    #[inline(always)]
    fn pack(&self) -> Packed {
        let Self::Done { first, count, attempt, busy_ns, timed } = *self else { return Packed::NONE };
        let batch = HeadWriter::new(DONE).number(first).number(count.into()).number(attempt.into());
        batch.number(busy_ns).flag(timed).end()
    }

    #[inline(always)]
    fn read(head: &[u8]) -> Option<Self> {
        let mut reader = HeadReader::new(head, DONE)?;
        let (first, count, attempt) = (reader.number()?, reader.short_number()?, reader.short_number()?);
        let (busy_ns, timed) = (reader.number()?, reader.flag()?);
        reader.end()?;
        Some(Self::Done { first, count, attempt, busy_ns, timed })
    }
}

/// The numbers of `Batch` and `Done` in their enums.
const BATCH: u8 = 0;
const DONE: u8 = 1;

/// The limit bounds what decoding may allocate. The shape of the messages bounds encoding.
const fn config() -> Configuration<LittleEndian, Varint, Limit<HEAD_BYTES_MAX>> {
    bincode::config::standard().with_limit::<HEAD_BYTES_MAX>()
}

/// Appends `message`.
///
/// # Panics
/// Never: each [`Message`] is flat and fits.
pub fn encode<M: Message>(message: &M, out: &mut Vec<u8>) {
    let packed = message.pack();
    if packed.fits() {
        return out.extend_from_slice(&packed.to_vec());
    }
    let mut buffer = [0; HEAD_BYTES_MAX];
    // The only failures are a full buffer and values that serde cannot describe; a `Message` has neither.
    let bytes = bincode::serde::encode_into_slice(message, &mut buffer, config()).expect("a message is flat and fits");
    out.extend_from_slice(&buffer[..bytes]);
}

/// Reads the message that is exactly `bytes`.
///
/// # Errors
/// The bytes are no such message, or more than one.
#[inline]
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, CodecError> {
    match M::read(bytes) {
        Some(message) => Ok(message),
        None => read_any(bytes),
    }
}

#[cold]
fn read_any<M: Message>(bytes: &[u8]) -> Result<M, CodecError> {
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
        let to = vec![ToWorker::Batch { first, count, attempt }];
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
        encode(&ToWorker::Batch { first: 7, count: 1, attempt: 1 }, &mut bytes);
        assert_eq!(bytes, [0, 7, 1, 1]);
    }

    /// Numbers around each border of a width, and heads that are nearly a message.
    #[test]
    fn what_is_written_and_read_quickly_is_what_the_codec_writes_and_reads() {
        let numbers = [0, 1, 250, 251, 252, 253, 255, 256, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
        let short = numbers.iter().filter_map(|number| u32::try_from(*number).ok());
        for first in numbers {
            for count in short.clone() {
                let attempt = count ^ 1;
                let batch = ToWorker::Batch { first, count, attempt };
                let done = FromWorker::Done { first, count, attempt, busy_ns: !first, timed: count % 2 == 0 };
                for (packed, general) in [
                    (batch.pack(), bincode::serde::encode_to_vec(batch, config()).unwrap()),
                    (done.pack(), bincode::serde::encode_to_vec(done, config()).unwrap()),
                ] {
                    assert_eq!(packed.bytes(), general.len());
                    assert!(!packed.fits() || packed.to_vec() == general);
                    same::<ToWorker>(&general);
                    same::<FromWorker>(&general);
                }
            }
        }
    }

    /// A head is read alike by both codecs, also with one byte spoiled, cut short, or made longer.
    fn same<M: Message + PartialEq + std::fmt::Debug>(head: &[u8]) {
        let check = |head: &[u8]| {
            let quick = M::read(head);
            let general: Result<M, _> = read_any(head);
            assert!(quick.is_none() || quick == general.ok(), "{head:?}");
        };
        check(head);
        (0..head.len()).for_each(|bytes| check(&head[..bytes]));
        check(&[head, &[0]].concat());
        for at in 0..head.len() {
            for byte in [0, 1, 2, 250, 251, 252, 253, 254, 255] {
                let mut spoiled = head.to_vec();
                spoiled[at] = byte;
                check(&spoiled);
            }
        }
    }

    #[test]
    fn garbage_is_an_error_in_words() {
        let error = decode::<FromWorker>(&[99, 1, 2, 3]).unwrap_err();
        assert!(error.to_string().starts_with("read a message of 4 bytes: "), "{error}");
        assert!(decode::<ToWorker>(&[0xff; HEAD_BYTES_MAX]).is_err());
        assert!(decode::<ToWorker>(&[]).is_err());
    }
}
