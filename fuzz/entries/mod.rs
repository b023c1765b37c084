//! What is fuzzed: one function for each target, which takes any bytes and asserts what must hold.
//!
//! The targets in `fuzz_targets/` call them with bytes from the fuzzer, `tests/fuzz_corpus.rs` with the
//! files in `corpus/`.
#![allow(dead_code, unused_imports, reason = "each target uses one of them")]

mod control;
mod journal;
mod ring;
mod session;
mod splitter;
mod trace;

pub use control::control;
pub use journal::journal;
pub use ring::ring;
pub use session::session;
pub use splitter::splitter;
pub use trace::trace;

use supervisor::wire::frame::{self, BODY_BYTES_MAX, FrameDecoder, FrameDirection, FrameError, HEAD_BYTES_MAX};
use supervisor::wire::read_buffer::BUFFER_BYTES;

/// Bytes of a fuzzer, taken from the front; zeros once they are used up.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

type Owned = (FrameDirection, Vec<u8>, Vec<u8>);

/// Reads the next piece, of `size` + 1 bytes, and returns the rest. The decoder must reserve no more than the bytes of
/// one frame with a body of `body_bytes_max` bytes, in addition to its buffer.
fn read<'a>(decoder: &mut FrameDecoder, rest: &'a [u8], size: Option<&u8>, body_bytes_max: usize) -> &'a [u8] {
    let spare = decoder.buffer().spare();
    assert!(!spare.is_empty() && spare.len() <= BUFFER_BYTES + HEAD_BYTES_MAX + body_bytes_max);
    let size = size.map_or(usize::MAX, |size| 1 + usize::from(*size));
    let (piece, rest) = rest.split_at(size.min(rest.len()).min(spare.len()));
    spare[..piece.len()].copy_from_slice(piece);
    decoder.buffer().filled(piece.len());
    rest
}

/// The frames in `bytes`, read in pieces of these sizes; the error behind them; the number of unread bytes.
fn decode(bytes: &[u8], pieces: &[u8]) -> (Vec<Owned>, Option<FrameError>, usize) {
    let (mut decoder, mut frames) = (FrameDecoder::new(), Vec::new());
    let (mut rest, mut sizes) = (bytes, pieces.iter().cycle());
    while !rest.is_empty() {
        rest = read(&mut decoder, rest, sizes.next(), BODY_BYTES_MAX);
        loop {
            let whole = decoder.whole_frames(1);
            match decoder.next() {
                Ok(Some(frame)) => {
                    assert_eq!(whole, 1);
                    assert!(frame.head.len() <= HEAD_BYTES_MAX && frame.body.len() <= BODY_BYTES_MAX);
                    frames.push((frame.kind, frame.head.to_vec(), frame.body.to_vec()));
                }
                Ok(None) => {
                    assert_eq!(whole, 0);
                    break;
                }
                Err(error) => {
                    assert_eq!(decoder.next(), Err(error), "an error is permanent");
                    return (frames, Some(error), 0);
                }
            }
        }
    }
    (frames, None, decoder.unread_bytes())
}

/// The same, with bodies of more than `above` bytes taken out in parts; the buffer must not grow for those.
fn decode_in_parts(bytes: &[u8], pieces: &[u8], above: usize) -> (Vec<Owned>, Option<FrameError>) {
    let (mut decoder, mut frames, mut large) = (FrameDecoder::new(), Vec::new(), None::<(usize, Owned)>);
    let (mut rest, mut sizes) = (bytes, pieces.iter().cycle());
    while !rest.is_empty() {
        rest = read(&mut decoder, rest, sizes.next(), above);
        loop {
            if let Some((left, frame)) = &mut large {
                let part = decoder.take(*left);
                *left -= part.len();
                frame.2.extend_from_slice(part);
                if *left > 0 {
                    break;
                }
                frames.extend(large.take().map(|(_, frame)| frame));
            }
            match decoder.next() {
                Ok(Some(frame)) => frames.push((frame.kind, frame.head.to_vec(), frame.body.to_vec())),
                Ok(None) => match decoder.take_prefix(above) {
                    Ok(Some((header, head))) => {
                        assert!(header.body_bytes > above && head.len() == header.head_bytes);
                        large = Some((header.body_bytes, (header.kind, head.to_vec(), Vec::new())));
                    }
                    Ok(None) => break,
                    Err(error) => panic!("{error} is reported too late"),
                },
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// The first byte is the number of sizes that follow; the rest is read in pieces of these sizes.
pub fn frames(data: &[u8]) {
    let mut data = Bytes(data);
    let sizes = usize::from(data.byte() % 8);
    let sizes = data.take(sizes);
    let (frames, error, unread) = decode(data.0, &[]);
    assert_eq!((&frames, &error), (&decode(data.0, sizes).0, &decode(data.0, sizes).1), "sizes change nothing");
    assert_eq!((&frames, &error), (&decode_in_parts(data.0, sizes, 16).0, &decode_in_parts(data.0, sizes, 16).1));
    let mut again = Vec::new();
    for (kind, head, body) in &frames {
        frame::encode(*kind, head, body, &mut again).unwrap();
    }
    assert!(data.0.starts_with(&again), "encoded again, the frames are the bytes that were read");
    assert!(error.is_some() || again.len() + unread == data.0.len(), "every byte is accounted for");
}
