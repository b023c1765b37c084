//! Floor 2: how one worker is spoken to. Bytes become messages, and batches become bytes.
//!
//! A [`Protocol`] is the supervisor's side of the conversation with one worker process. It owns the buffer that a
//! channel fills, checks every message, and makes what goes before the body of each message to the worker.
//!
//! - facts in: [`Protocol::incoming`], which a channel fills; [`Protocol::encode`], a batch
//! - messages out: [`Protocol::next`], until it returns `None`
//! - questions: [`Protocol::is_greeted`], [`Protocol::is_within_message`], [`Protocol::take_answered`]
//!
//! A result of more than [`crate::wire::message::SMALL_BODY_BYTES_MAX`] is not collected here: `next` announces it,
//! hands out its bytes as they come, and reports its end. The caller decides where the bytes go.
//!
//! The protocols are an enum and not a trait: the set is closed, and since there may be a message for each tiny item,
//! reading one and making one are inlined into the loops of the caller.
//!
//! Invariant: pure. Nothing here reads, writes or waits. A message that `next` returns is well-formed, its body has
//! the shape that `wire/message.rs` promises, and the worker's hello came before it. What only the core knows (does
//! the worker hold this item?) remains to be checked.

mod error;
pub mod frames;
mod terms;

pub use error::ProtocolError;
pub use terms::{Received, Terms};

use crate::model::ids::Batch;
use crate::model::spec::ProtocolKind;
use crate::wire::frame::FrameError;
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use frames::Frames;
use std::ops::Range;

/// The supervisor's side of the conversation with one worker process.
pub enum Protocol {
    Frames(Frames),
}

impl Protocol {
    /// A conversation that has not begun.
    #[must_use]
    pub const fn new(kind: ProtocolKind, terms: Terms) -> Self {
        match kind {
            ProtocolKind::Frames => Self::Frames(Frames::new(terms)),
        }
    }

    /// The buffer for what the worker sends.
    pub const fn incoming(&mut self) -> &mut ReadBuffer {
        match self {
            Self::Frames(frames) => frames.incoming(),
        }
    }

    /// What arrived at this place of [`incoming`](Self::incoming) since it was last filled.
    #[must_use]
    pub fn arrived(&self, place: &Range<usize>) -> &[u8] {
        match self {
            Self::Frames(frames) => frames.arrived(place),
        }
    }

    /// The next thing of those that have arrived; `None`: fill [`incoming`](Self::incoming) again.
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

    /// Whether the hello has come.
    #[must_use]
    pub const fn is_greeted(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.is_greeted(),
        }
    }

    /// Whether a part of a message has arrived and no more, once [`next`](Self::next) has returned `None`.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.is_within_message(),
        }
    }

    /// How many items the worker has answered for since the last call. A worker answers in order, so a channel that
    /// keeps the bytes of items may give up those of so many (`transport::Channel::answered`).
    pub const fn take_answered(&mut self) -> u64 {
        match self {
            Self::Frames(frames) => frames.take_answered(),
        }
    }

    /// Calls `put` for each message that the batch becomes: with what goes before the body, the number of items, and
    /// where in `body` their bytes are. `body` is one item, whole, or several, each followed by its delimiter.
    ///
    /// # Errors
    /// A body is over the limit of a message, or `put` failed; the messages before have been put.
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
