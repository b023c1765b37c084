//! Frames: a fixed header, a small head, a body of any size up to a limit.
//!
//! ```text
//! version u8 | kind u8 | head_bytes u16 | body_bytes u32      little-endian, then head, then body
//! ```
//!
//! A decoder takes bytes in pieces of any size through [`FrameDecoder::buffer`], and returns whole frames as slices of
//! that buffer.
//!
//! Invariant: a header is checked before memory is allocated for the frame. A decoder that has found a bad header
//! returns the same error from then on, because the bytes behind it cannot be trusted.

use super::read_buffer::ReadBuffer;
use crate::model::spec::ITEM_BYTES_MAX;

/// The first byte of each frame. Another layout gets another number.
pub const FRAME_VERSION: u8 = 1;

/// Bytes of the fixed header.
pub const HEADER_BYTES: usize = 8;

/// Most bytes of a head; the longest message takes less than half.
pub const HEAD_BYTES_MAX: usize = 64;

/// Most bytes of a body: an item or a result of the largest size, and more for newlines, for the times of a batch and
/// for the last result before a worker's flush.
pub const BODY_BYTES_MAX: usize = ITEM_BYTES_MAX + 2 * 1024 * 1024;

/// Which way a frame travels. A frame that arrives at the wrong end is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameDirection {
    ToWorker = 1,
    FromWorker = 2,
}

/// One whole frame, borrowed from the decoder until its next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub kind: FrameDirection,
    pub head: &'a [u8],
    pub body: &'a [u8],
}

/// Why bytes are no frame, or cannot become one; completes "failed to ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("read a frame: it begins with version {found}, not {FRAME_VERSION}")]
    Version { found: u8 },
    #[error("read a frame: its kind {found} is unknown")]
    Kind { found: u8 },
    #[error("read a frame: its head of {bytes} bytes is over the limit of {HEAD_BYTES_MAX}")]
    Head { bytes: usize },
    #[error("pass on a frame: its body of {bytes} bytes is over the limit of {BODY_BYTES_MAX}")]
    Body { bytes: usize },
}

/// Appends one frame.
///
/// # Errors
/// Head or body are over their limits; nothing was appended.
pub fn encode(kind: FrameDirection, head: &[u8], body: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let header = header(kind, head.len(), body.len())?;
    out.reserve(HEADER_BYTES + head.len() + body.len());
    out.extend_from_slice(&header.to_le_bytes());
    out.extend_from_slice(head);
    out.extend_from_slice(body);
    Ok(())
}

/// The header of a frame with this many bytes of head and of body; its first byte is the lowest of the word. It is a
/// word, since a load of bytes that were just stored in pieces waits for all the stores.
///
/// # Errors
/// Head or body are over their limits.
#[inline]
pub fn header(kind: FrameDirection, head_bytes: usize, body_bytes: usize) -> Result<u64, FrameError> {
    if head_bytes > HEAD_BYTES_MAX {
        return Err(FrameError::Head { bytes: head_bytes });
    }
    check_body(body_bytes)?;
    Ok(fields(kind, head_bytes, body_bytes))
}

/// Checks the size of a body.
///
/// # Errors
/// It is over the limit.
#[inline]
pub const fn check_body(bytes: usize) -> Result<(), FrameError> {
    if bytes > BODY_BYTES_MAX { Err(FrameError::Body { bytes }) } else { Ok(()) }
}

/// The header, for lengths that are within their limits.
#[inline]
pub(super) const fn fields(kind: FrameDirection, head_bytes: usize, body_bytes: usize) -> u64 {
    FRAME_VERSION as u64 | (kind as u64) << 8 | (head_bytes as u64) << 16 | (body_bytes as u64) << 32
}

/// The same header with another length of the body.
pub(super) const fn with_body_bytes(header: u64, body_bytes: usize) -> u64 {
    header & u32::MAX as u64 | (body_bytes as u64) << 32
}

/// The fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: FrameDirection,
    pub head_bytes: usize,
    pub body_bytes: usize,
}

impl Header {
    /// The size of the whole frame.
    #[must_use]
    pub const fn frame_bytes(self) -> usize {
        HEADER_BYTES + self.head_bytes + self.body_bytes
    }

    /// The header at the start of `bytes`; `None` while it is incomplete. The version is checked as soon as it has
    /// arrived.
    ///
    /// # Errors
    /// The bytes are no header.
    #[inline(always)]
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let Some(fields) = bytes.first_chunk::<HEADER_BYTES>() else {
            return match bytes.first() {
                Some(&found) if found != FRAME_VERSION => Err(FrameError::Version { found }),
                _ => Ok(None),
            };
        };
        // One word, since it is written as one.
        let fields = u64::from_le_bytes(*fields);
        let (version, kind) = (fields as u8, (fields >> 8) as u8);
        if version != FRAME_VERSION {
            return Err(FrameError::Version { found: version });
        }
        let kind = match kind {
            1 => FrameDirection::ToWorker,
            2 => FrameDirection::FromWorker,
            found => return Err(FrameError::Kind { found }),
        };
        let head_bytes = usize::from((fields >> 16) as u16);
        if head_bytes > HEAD_BYTES_MAX {
            return Err(FrameError::Head { bytes: head_bytes });
        }
        let body_bytes = (fields >> 32) as usize;
        if body_bytes > BODY_BYTES_MAX {
            return Err(FrameError::Body { bytes: body_bytes });
        }
        Ok(Some(Self { kind, head_bytes, body_bytes }))
    }
}

/// Decodes frames.
///
/// - facts in: [`buffer`](Self::buffer), or [`push`](Self::push)
/// - frames out: [`next`](Self::next), or [`find`](Self::find) and [`take_frame`](Self::take_frame)
/// - a large frame in parts: [`take_prefix`](Self::take_prefix), then [`take`](Self::take) until the end of its body
/// - questions: [`whole_frames`](Self::whole_frames), [`unread_bytes`](Self::unread_bytes)
#[derive(Default)]
pub struct FrameDecoder {
    buffer: ReadBuffer,
}

/// The place of the next whole frame in the buffer.
#[derive(Clone, Copy, Debug)]
pub struct FramePlace {
    kind: FrameDirection,
    head: usize,
    body: usize,
    end: usize,
}

impl FrameDecoder {
    /// An empty decoder; its buffer is allocated by the first read.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffer: ReadBuffer::new() }
    }

    /// The buffer to read into.
    pub const fn buffer(&mut self) -> &mut ReadBuffer {
        &mut self.buffer
    }

    /// The bytes in this range of the buffer, as of the last fill.
    #[must_use]
    pub fn arrived(&self, place: &std::ops::Range<usize>) -> &[u8] {
        self.buffer.arrived(place)
    }

    /// Copies all of `bytes` into the buffer, and calls `each` with every frame that they complete. For tests and for
    /// callers that receive messages instead of a stream.
    ///
    /// # Errors
    /// The bytes are no frames.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            bytes = self.buffer.copy_piece(bytes);
            while let Some(frame) = self.next()? {
                each(frame);
            }
        }
        Ok(())
    }

    /// The next whole frame; `None` until more bytes have arrived.
    ///
    /// # Errors
    /// The bytes are no frame; each further call returns the same error.
    #[inline(always)]
    #[expect(clippy::should_implement_trait, reason = "lends from itself, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let Some(place) = self.find()? else { return Ok(None) };
        Ok(Some(self.take_frame(place)))
    }

    /// The place of the next whole frame, for [`take_frame`](Self::take_frame); `None` until more bytes have arrived.
    ///
    /// # Errors
    /// As of [`next`](Self::next).
    #[inline(always)]
    pub fn find(&mut self) -> Result<Option<FramePlace>, FrameError> {
        let buffer = &mut self.buffer;
        let Some(header) = Header::read(buffer.unread())? else {
            return Ok(None);
        };
        buffer.message_bytes = header.frame_bytes();
        if buffer.end - buffer.start < buffer.message_bytes {
            return Ok(None);
        }
        let head = buffer.start + HEADER_BYTES;
        let body = head + header.head_bytes;
        Ok(Some(FramePlace { kind: header.kind, head, body, end: body + header.body_bytes }))
    }

    /// Takes out the frame that [`find`](Self::find) has just found.
    #[inline(always)]
    pub fn take_frame(&mut self, FramePlace { kind, head, body, end }: FramePlace) -> Frame<'_> {
        let buffer = &mut self.buffer;
        (buffer.start, buffer.message_bytes) = (end, 0);
        Frame { kind, head: &buffer.bytes[head..body], body: &buffer.bytes[body..end] }
    }

    /// Takes out the header and the head of the next frame if its body has more than `above` bytes; `None` if it has
    /// fewer, and while its head is incomplete. The bytes that follow are its body: until [`take`](Self::take) has taken
    /// out all of them, call nothing else.
    ///
    /// # Errors
    /// The bytes are no frame.
    pub fn take_prefix(&mut self, above: usize) -> Result<Option<(Header, &[u8])>, FrameError> {
        let buffer = &mut self.buffer;
        let Some(header) = Header::read(buffer.unread())?.filter(|next| next.body_bytes > above) else {
            return Ok(None);
        };
        // The buffer does not grow for its body.
        buffer.message_bytes = 0;
        let head = buffer.start + HEADER_BYTES;
        let body = head + header.head_bytes;
        if body > buffer.end {
            return Ok(None);
        }
        buffer.start = body;
        Ok(Some((header, &buffer.bytes[head..body])))
    }

    /// Takes out the bytes that have arrived, at most `bytes_max`, without a check.
    pub fn take(&mut self, bytes_max: usize) -> &[u8] {
        self.buffer.take(bytes_max)
    }

    /// The number of whole frames that have arrived and were not taken out, counted up to `most`.
    #[must_use]
    pub fn whole_frames(&self, most: usize) -> usize {
        let mut rest = self.buffer.unread();
        let mut frames = 0;
        while frames < most
            && let Ok(Some(header)) = Header::read(rest)
            && let Some(behind) = rest.get(header.frame_bytes()..)
        {
            rest = behind;
            frames += 1;
        }
        frames
    }

    /// The number of bytes that have arrived and have not been taken out. At the end of a channel they are a part of a
    /// frame.
    #[must_use]
    pub fn unread_bytes(&self) -> usize {
        self.buffer.unread().len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_buffer::BUFFER_BYTES;
    use super::*;

    type Owned = (FrameDirection, Vec<u8>, Vec<u8>);

    fn owned(frame: Frame<'_>) -> Owned {
        (frame.kind, frame.head.to_vec(), frame.body.to_vec())
    }

    /// xorshift64*: the same numbers in each run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
        }

        fn bytes(&mut self, len: usize) -> Vec<u8> {
            (0..len).map(|_| self.below(256) as u8).collect()
        }

        fn frame(&mut self) -> Owned {
            let kind = if self.below(2) == 0 { FrameDirection::ToWorker } else { FrameDirection::FromWorker };
            let head = self.below(HEAD_BYTES_MAX + 1);
            let body = match self.below(8) {
                0 => 0,
                1 => self.below(3 * BUFFER_BYTES),
                2 => BUFFER_BYTES - HEADER_BYTES - head + self.below(3) - 1,
                _ => self.below(64),
            };
            (kind, self.bytes(head), self.bytes(body))
        }
    }

    fn stream(frames: &[Owned]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, head, body) in frames {
            encode(*kind, head, body, &mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn frames_survive_reads_of_any_size() {
        for seed in 1..=40 {
            let mut random = Random(seed);
            let frames: Vec<Owned> = (0..1 + random.below(12)).map(|_| random.frame()).collect();
            let bytes = stream(&frames);
            let mut decoder = FrameDecoder::new();
            let mut decoded = Vec::new();
            let mut rest = bytes.as_slice();
            let read_max = [1 + random.below(16), 4096, BUFFER_BYTES, usize::MAX][random.below(4)];
            while !rest.is_empty() {
                let spare = decoder.buffer().spare();
                let read = (1 + random.below(read_max.min(spare.len()))).min(rest.len());
                spare[..read].copy_from_slice(&rest[..read]);
                decoder.buffer().filled(read);
                rest = &rest[read..];
                // Sometimes no frame is taken out: nothing may be lost.
                while random.below(4) > 0
                    && let Some(frame) = decoder.next().unwrap()
                {
                    decoded.push(owned(frame));
                }
            }
            while let Some(frame) = decoder.next().unwrap() {
                decoded.push(owned(frame));
            }
            assert!(decoded == frames, "seed {seed}");
            assert_eq!(decoder.unread_bytes(), 0, "seed {seed}");
        }
    }

    #[test]
    fn a_stream_torn_at_every_byte_gives_the_frames_before_the_tear() {
        let mut random = Random(7);
        let frames: Vec<Owned> =
            [0, 1, 30].iter().map(|body| (FrameDirection::FromWorker, random.bytes(5), random.bytes(*body))).collect();
        let bytes = stream(&frames);
        let ends: Vec<usize> = (1..=frames.len()).map(|count| stream(&frames[..count]).len()).collect();
        for torn in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= torn).count();
            let mut waiting = FrameDecoder::new();
            waiting.buffer().spare()[..torn].copy_from_slice(&bytes[..torn]);
            waiting.buffer().filled(torn);
            assert_eq!([1, 9].map(|most| waiting.whole_frames(most)), [whole.min(1), whole], "torn at {torn}");
            let mut decoder = FrameDecoder::new();
            let mut decoded = Vec::new();
            decoder.push(&bytes[..torn], |frame| decoded.push(owned(frame))).unwrap();
            assert_eq!(decoded, frames[..whole], "torn at {torn}");
            assert_eq!(decoder.unread_bytes(), torn - if whole == 0 { 0 } else { ends[whole - 1] });
            decoder.push(&bytes[torn..], |frame| decoded.push(owned(frame))).unwrap();
            assert_eq!(decoded, frames, "torn at {torn}");
        }
    }

    #[test]
    fn bad_headers_are_named_and_stay_bad() {
        let cases: [(&[u8], &str); 5] = [
            (&[9], "read a frame: it begins with version 9, not 1"),
            (&[1, 7, 0, 0, 0, 0, 0, 0], "read a frame: its kind 7 is unknown"),
            (&[1, 1, 65, 0, 0, 0, 0, 0], "read a frame: its head of 65 bytes is over the limit of 64"),
            (
                &[1, 2, 0, 0, 0xff, 0xff, 0xff, 0xff],
                "pass on a frame: its body of 4294967295 bytes is over the limit of 18874368",
            ),
            (&[1, 2, 0, 0, 1, 0, 0x20, 1], "pass on a frame: its body of 18874369 bytes is over the limit of 18874368"),
        ];
        for (bytes, words) in cases {
            let mut decoder = FrameDecoder::new();
            let spare = decoder.buffer().spare();
            spare[..bytes.len()].copy_from_slice(bytes);
            decoder.buffer().filled(bytes.len());
            assert_eq!(decoder.next().unwrap_err().to_string(), words);
            assert_eq!(decoder.next().unwrap_err().to_string(), words);
            assert_eq!(
                decoder.buffer().spare().len() + bytes.len(),
                BUFFER_BYTES,
                "nothing is allocated for a false length"
            );
        }
    }

    #[test]
    fn garbage_never_panics_and_never_allocates_beyond_the_limit() {
        for seed in 1..=2000 {
            let mut random = Random(seed);
            let mut bytes = stream(&[(FrameDirection::ToWorker, vec![1, 2], vec![3; 20])]);
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.below(256) as u8;
            }
            let mut decoder = FrameDecoder::new();
            let _ = decoder.push(&bytes, |frame| assert!(frame.body.len() <= BODY_BYTES_MAX));
            assert!(decoder.buffer.bytes.len() <= HEADER_BYTES + HEAD_BYTES_MAX + BODY_BYTES_MAX);
        }
    }

    #[test]
    fn the_buffer_shrinks_after_a_huge_frame() {
        let huge = (FrameDirection::FromWorker, vec![1], vec![7; ITEM_BYTES_MAX]);
        let small = (FrameDirection::FromWorker, vec![2], vec![8; 3]);
        let mut bytes = stream(&[huge, small]);
        let torn = bytes.split_off(bytes.len() - 1);
        let mut decoder = FrameDecoder::new();
        let mut bodies = Vec::new();
        decoder.push(&bytes, |frame| bodies.push(frame.body.len())).unwrap();
        decoder.push(&torn, |frame| bodies.push(frame.body.len())).unwrap();
        assert_eq!(bodies, [ITEM_BYTES_MAX, 3]);
        assert_eq!(decoder.buffer().spare().len(), BUFFER_BYTES);
    }

    /// Large bodies are taken out in parts, as they come, and the buffer does not grow for them.
    #[test]
    fn large_frames_come_in_parts_between_others() {
        const LARGE: usize = 2 * BUFFER_BYTES;
        for seed in 1..=40 {
            let mut random = Random(seed);
            let frames: Vec<Owned> = (0..1 + random.below(12)).map(|_| random.frame()).collect();
            let bytes = stream(&frames);
            let (mut decoder, mut decoded, mut large) = (FrameDecoder::new(), Vec::new(), None::<(usize, Owned)>);
            let (mut rest, read_max) = (bytes.as_slice(), [1 + random.below(16), 4096, usize::MAX][random.below(3)]);
            while !rest.is_empty() {
                let spare = decoder.buffer().spare();
                let read = (1 + random.below(read_max.min(spare.len()))).min(rest.len());
                spare[..read].copy_from_slice(&rest[..read]);
                decoder.buffer().filled(read);
                rest = &rest[read..];
                loop {
                    if let Some((left, frame)) = &mut large {
                        let part = decoder.take(*left);
                        *left -= part.len();
                        frame.2.extend_from_slice(part);
                        if *left > 0 {
                            break;
                        }
                        decoded.extend(large.take().map(|(_, frame)| frame));
                    }
                    if let Some(frame) = decoder.next().unwrap() {
                        decoded.push(owned(frame));
                    } else if let Some((header, head)) = decoder.take_prefix(LARGE).unwrap() {
                        assert!(header.body_bytes > LARGE);
                        large = Some((header.body_bytes, (header.kind, head.to_vec(), Vec::new())));
                    } else {
                        break;
                    }
                }
                assert!(decoder.buffer.bytes.len() <= LARGE + BUFFER_BYTES, "seed {seed}");
            }
            assert!(decoded == frames, "seed {seed}");
            assert_eq!((decoder.unread_bytes(), large), (0, None), "seed {seed}");
        }
    }

    #[test]
    fn what_is_over_a_limit_is_not_encoded() {
        let mut out = vec![1, 2, 3];
        let head = vec![0; HEAD_BYTES_MAX + 1];
        assert_eq!(encode(FrameDirection::ToWorker, &head, &[], &mut out), Err(FrameError::Head { bytes: 65 }));
        let body = vec![0; BODY_BYTES_MAX + 1];
        assert_eq!(
            encode(FrameDirection::ToWorker, &[], &body, &mut out),
            Err(FrameError::Body { bytes: BODY_BYTES_MAX + 1 })
        );
        assert_eq!(out, [1, 2, 3]);
        encode(FrameDirection::ToWorker, &head[1..], &body[1..], &mut out).unwrap();
        let mut sizes = Vec::new();
        FrameDecoder::new().push(&out[3..], |frame| sizes.push((frame.head.len(), frame.body.len()))).unwrap();
        assert_eq!(sizes, [(HEAD_BYTES_MAX, BODY_BYTES_MAX)]);
    }
}
