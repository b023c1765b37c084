//! Floor 2: the protocol of the session with one worker. Bytes become messages, and batches become bytes.
//!
//! A [`Protocol`] is the supervisor's side of the session with one worker process, from its start to its exit. It owns
//! the buffer that a channel fills, checks every message, and makes the prefix of each message to the worker.
//!
//! - facts in: [`Protocol::incoming`], which a channel fills; [`Protocol::encode`], a batch
//! - messages out: [`Protocol::next`], until it returns `None`
//! - questions: [`Protocol::is_greeted`], [`Protocol::is_within_message`], [`Protocol::take_answered`]
//!
//! A result of more than [`crate::wire::message::SMALL_BODY_BYTES_MAX`] is not collected here: `next` reports its
//! begin, returns its bytes as they arrive, and reports its end. The caller decides where the bytes go.
//!
//! The protocols are an enum and not a trait: the set is closed, and there may be a message for each tiny item, so the
//! code that reads and makes messages is inlined into the loops of the caller.
//!
//! Invariant: pure. Nothing here reads, writes or waits. A message that `next` returns is well-formed, its body has
//! the shape that `wire/message.rs` describes, and the worker's hello came before it. The core checks whether the
//! worker holds the items.

mod error;
pub mod frames;
mod session;

pub use error::ProtocolError;
pub use session::{Received, SessionConfig};

use crate::model::ids::Batch;
use crate::model::spec::ProtocolKind;
use crate::wire::frame::FrameError;
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use frames::Frames;
use std::ops::Range;

/// The supervisor's side of the session with one worker process.
pub enum Protocol {
    Frames(Frames),
}

impl Protocol {
    /// A session in which the worker has sent nothing.
    #[must_use]
    pub const fn new(kind: ProtocolKind, config: SessionConfig) -> Self {
        match kind {
            ProtocolKind::Frames => Self::Frames(Frames::new(config)),
        }
    }

    /// The buffer for what the worker sends.
    pub const fn incoming(&mut self) -> &mut ReadBuffer {
        match self {
            Self::Frames(frames) => frames.incoming(),
        }
    }

    /// The bytes in this range of [`incoming`](Self::incoming), as of the last fill.
    #[must_use]
    pub fn arrived(&self, place: &Range<usize>) -> &[u8] {
        match self {
            Self::Frames(frames) => frames.arrived(place),
        }
    }

    /// The next message that has arrived, or part of a large one; `None`: fill [`incoming`](Self::incoming) again.
    ///
    /// # Errors
    /// The worker broke the protocol. Nothing that follows can be trusted: end the worker.
    #[inline(always)]
    #[expect(clippy::should_implement_trait, reason = "lends from itself, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<Received<'_>>, ProtocolError> {
        match self {
            Self::Frames(frames) => frames.next(),
        }
    }

    /// Whether the hello has arrived.
    #[must_use]
    pub const fn is_greeted(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.is_greeted(),
        }
    }

    /// Whether only a part of a message has arrived, once [`next`](Self::next) has returned `None`.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.is_within_message(),
        }
    }

    /// The number of items that the worker has answered since the last call. A worker answers in order, so a channel
    /// that keeps the bytes of items can free those of that many (`transport::Channel::answered`).
    pub const fn take_answered(&mut self) -> u64 {
        match self {
            Self::Frames(frames) => frames.take_answered(),
        }
    }

    /// Calls `put` for each message that the batch becomes, with the prefix of the message, the number of items, and the
    /// range of `body` that holds them. `body` is one whole item, or several items, each followed by its delimiter.
    ///
    /// # Errors
    /// A body is over the limit of a message, or `put` failed. `put` was called for the messages before it.
    #[inline(always)]
    pub fn encode<E: From<FrameError>>(
        &self,
        batch: Batch,
        body: &[u8],
        put: impl FnMut(&Prefix, u32, Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Frames(frames) => frames.encode(batch, body, put),
        }
    }
}
