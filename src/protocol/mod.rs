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

pub mod frames;

use crate::model::ids::Batch;
use crate::model::spec::ProtocolKind;
use crate::wire::codec::CodecError;
use crate::wire::frame::FrameError;
use crate::wire::message::{FromWorker, PROTOCOL_VERSION, REASON_BYTES_MAX, SMALL_BODY_BYTES_MAX};
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use crate::wire::times::PAIR_BYTES;
use frames::Frames;
use std::ops::Range;

/// What both sides of one conversation know from the worker's start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The hello has to show it.
    pub token: [u8; 16],
    /// The byte that follows each item of a batch of several.
    pub delimiter: u8,
    /// Most items in one message to the worker, at least 1.
    pub message_items_max: u32,
}

/// One thing that a worker sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A whole message and its body.
    Message(FromWorker, &'a [u8]),
    /// A large result has begun to arrive: the message, always a `Done` of one item, and the size of the result
    /// without its times. Its [`LargeBytes`](Self::LargeBytes) follow, then [`LargeEnds`](Self::LargeEnds), and
    /// nothing between.
    LargeBegins { message: FromWorker, result_bytes: u64 },
    /// The next bytes of the large result.
    LargeBytes(&'a [u8]),
    /// The large result is whole. `times` are the item's, if the message is `timed`.
    LargeEnds { message: FromWorker, times: [u8; PAIR_BYTES] },
}

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

/// Why what arrived is no message. The texts without a verb complete "the worker broke the protocol: ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("read a message: it travels the wrong way")]
    Direction,
    #[error("read a message: it speaks of no items")]
    Empty,
    #[error("read the times of {count} items: the body has {bytes} bytes only")]
    Times { count: u32, bytes: usize },
    #[error("read the results of {count} items: they are not a line each (newlines: {newlines})")]
    Results { count: u32, newlines: usize },
    #[error(
        "read the results of {count} items: {bytes} bytes are over the limit of {SMALL_BODY_BYTES_MAX} for several"
    )]
    Several { count: u32, bytes: usize },
    #[error("read a reason: its {bytes} bytes are over the limit of {REASON_BYTES_MAX}")]
    Reason { bytes: usize },
    #[error("read a hello: a body of {bytes} bytes follows it")]
    HelloBody { bytes: usize },
    #[error("it spoke before its hello")]
    BeforeHello,
    #[error("it said hello twice")]
    HelloTwice,
    #[error("its hello shows a wrong token")]
    Token,
    #[error("it speaks protocol {found}, this supervisor speaks {PROTOCOL_VERSION}")]
    Version { found: u16 },
}
