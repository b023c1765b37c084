//! What comes from a worker, as the supervisor's end of every transport makes messages of it.
//!
//! Whoever holds an item may send its result, of any size up to the limit, and until its last byte has come
//! nobody can tell it from one that never will. So a large one does not wait in memory: as its bytes come they
//! go to the file that long outputs of commands go to as well, and from there to where results go.
//!
//! Invariant: of a frame that is not whole at most [`SMALL_BODY_BYTES_MAX`] and a read are in memory, and a
//! large one whose head makes no sense is refused at its head.

use super::{ChannelError, Large, judge_prefix, message};
use crate::sys::spill::{Filling, SpillFile};
use crate::wire::frame::FrameDecoder;
use crate::wire::message::{FromWorker, SMALL_BODY_BYTES_MAX};
use crate::wire::times::PAIR_BYTES;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A decoder, and the large frame that it is in the middle of.
pub(super) struct Incoming {
    decoder: FrameDecoder,
    /// If there is none, large bodies are put together in memory, too.
    spill: Option<Arc<SpillFile>>,
    large: Option<Box<Part>>,
}

/// A large result, as far as it has come.
struct Part {
    message: FromWorker,
    /// Times stand before the result, if there are any, and are not kept with it.
    times: [u8; PAIR_BYTES],
    times_left: usize,
    result: Filling,
}

impl Incoming {
    pub(super) const fn new() -> Self {
        Self { decoder: FrameDecoder::new(), spill: None, large: None }
    }

    /// From now on large results are kept there.
    pub(super) fn keep_large_in(&mut self, spill: &Arc<SpillFile>) {
        self.spill = Some(Arc::clone(spill));
    }

    /// See [`FrameDecoder::spare`].
    pub(super) fn spare(&mut self) -> &mut [u8] {
        self.decoder.spare()
    }

    /// See [`FrameDecoder::filled`].
    pub(super) fn filled(&mut self, bytes: usize) {
        self.decoder.filled(bytes);
    }

    /// See [`FrameDecoder::take_in`].
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        self.decoder.take_in(bytes);
    }

    /// If a part of a frame has arrived, or one that nobody asked for.
    pub(super) fn is_within_frame(&self) -> bool {
        self.large.is_some() || self.decoder.unread_bytes() > 0
    }

    /// The next message that is whole and in memory. `None`: ask [`large`](Self::large).
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<(FromWorker, &[u8])>, ChannelError> {
        if self.large.is_some() {
            return Ok(None);
        }
        let Some(frame) = self.decoder.next()? else { return Ok(None) };
        message(frame)
    }

    /// The large result that comes next, whole or not.
    pub(super) fn large(&mut self) -> Result<Option<Large>, ChannelError> {
        let Some(spill) = &self.spill else { return Ok(None) };
        let mut part = match self.large.take() {
            Some(part) => part,
            None => match self.decoder.take_prefix(SMALL_BODY_BYTES_MAX)? {
                Some((header, head)) => Part::begin(judge_prefix(header, head)?, header.body_bytes, spill)?,
                None => return Ok(None),
            },
        };
        part.take_from(&mut self.decoder)?;
        let (message, times) = (part.message, part.times);
        if part.is_whole() {
            return Ok(Some(Large { message, times, kept: Some(part.result.take()) }));
        }
        self.large = Some(part);
        Ok(Some(Large { message, times, kept: None }))
    }
}

impl Part {
    fn begin(message: FromWorker, body_bytes: usize, spill: &Arc<SpillFile>) -> Result<Box<Self>, ChannelError> {
        let timed = matches!(message, FromWorker::Done { timed: true, .. });
        let times_left = if timed { PAIR_BYTES.min(body_bytes) } else { 0 };
        let result = spill.fill((body_bytes - times_left) as u64);
        let result = result.map_err(|error| not_kept(spill.folder(), &error))?;
        Ok(Box::new(Self { message, times: [0; PAIR_BYTES], times_left, result }))
    }

    fn is_whole(&self) -> bool {
        self.times_left == 0 && self.result.left() == 0
    }

    /// Takes what has arrived.
    fn take_from(&mut self, decoder: &mut FrameDecoder) -> Result<(), ChannelError> {
        if self.times_left > 0 {
            let times = decoder.take(self.times_left);
            let at = PAIR_BYTES - self.times_left;
            self.times[at..at + times.len()].copy_from_slice(times);
            self.times_left -= times.len();
        }
        let bytes = decoder.take(usize::try_from(self.result.left()).unwrap_or(usize::MAX));
        let pushed = self.result.push(bytes);
        pushed.map_err(|error| not_kept(self.result.folder(), &error))
    }
}

fn not_kept(folder: &Path, error: &io::Error) -> ChannelError {
    ChannelError::Keep { folder: folder.display().to_string(), error: error.to_string() }
}
