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
//! worker holds the items. Answers in text name no attempt, and lines not even an item, so the sessions of those
//! protocols keep which items were sent and not answered.

mod error;
pub mod frames;
#[cfg(feature = "run")]
mod json;
#[cfg(feature = "run")]
mod json_line;
mod large_line;
mod line_buffer;
mod lines;
mod session;

pub use error::ProtocolError;
#[cfg(feature = "run")]
pub use json_line::json_line_bytes_max;
pub use line_buffer::LINE_BYTES_MAX;
pub use session::{Outgoing, Received, SessionConfig};

use crate::model::ids::{Batch, ItemId};
#[cfg(feature = "run")]
use crate::model::spec::ProtocolKind;
use crate::wire::frame::FrameError;
use crate::wire::read_buffer::ReadBuffer;
use frames::Frames;
#[cfg(feature = "run")]
use json::JsonSession;
use lines::LineSession;
use std::ops::Range;

/// The supervisor's side of the session with one worker process.
pub enum Protocol {
    Frames(Frames),
    Lines(LineSession),
    #[cfg(feature = "run")]
    Json(JsonSession),
}

/// Calls a method of the session, whichever protocol it speaks.
macro_rules! of_each {
    ($protocol:expr, $session:ident => $call:expr) => {
        match $protocol {
            Protocol::Frames($session) => $call,
            Protocol::Lines($session) => $call,
            #[cfg(feature = "run")]
            Protocol::Json($session) => $call,
        }
    };
}

impl Protocol {
    /// A session in which the worker has sent nothing.
    #[cfg(feature = "run")]
    #[must_use]
    pub const fn new(kind: ProtocolKind, config: SessionConfig) -> Self {
        match kind {
            ProtocolKind::Frames => Self::Frames(Frames::new(config)),
            ProtocolKind::Lines => Self::Lines(LineSession::new(config)),
            ProtocolKind::Json => Self::Json(JsonSession::new(config)),
        }
    }

    /// The buffer for what the worker sends.
    pub const fn incoming(&mut self) -> &mut ReadBuffer {
        of_each!(self, session => session.incoming())
    }

    /// The bytes in this range of [`incoming`](Self::incoming), as of the last fill.
    #[must_use]
    pub fn arrived(&self, place: &Range<usize>) -> &[u8] {
        of_each!(self, session => session.arrived(place))
    }

    /// The next message that has arrived, or part of a large one; `None`: fill [`incoming`](Self::incoming) again.
    ///
    /// # Errors
    /// The worker broke the protocol. Nothing that follows can be trusted: end the worker.
    #[inline(always)]
    #[expect(clippy::should_implement_trait, reason = "lends from itself, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<Received<'_>>, ProtocolError> {
        of_each!(self, session => session.next())
    }

    /// Whether the hello has arrived, if there is one.
    #[must_use]
    pub const fn is_greeted(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.is_greeted(),
            // A worker is ready when it is started.
            Self::Lines(_) => true,
            #[cfg(feature = "run")]
            Self::Json(json) => json.is_greeted(),
        }
    }

    /// Whether only a part of a message has arrived, once [`next`](Self::next) has returned `None`.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        of_each!(self, session => session.is_within_message())
    }

    /// The number of items that the worker has answered since the last call. A worker answers in order, so a channel
    /// that keeps the bytes of items can free those of that many (`transport::Channel::answered`).
    pub const fn take_answered(&mut self) -> u64 {
        of_each!(self, session => session.take_answered())
    }

    /// The item that the worker named last and has not answered, in a protocol in which it can name one.
    #[must_use]
    pub fn named(&self) -> Option<ItemId> {
        self.progress().map(|(item, _)| item)
    }

    /// The same item, and the share of it that is done, as the worker said: from 0 to 1, or any number.
    #[must_use]
    pub const fn progress(&self) -> Option<(ItemId, f64)> {
        match self {
            Self::Frames(_) | Self::Lines(_) => None,
            #[cfg(feature = "run")]
            Self::Json(json) => json.progress(),
        }
    }

    /// Whether messages are lines of text.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        !matches!(self, Self::Frames(_))
    }

    /// Whether the worker answers each line with a line, and owes one.
    #[must_use]
    pub fn awaits_line(&self) -> bool {
        matches!(self, Self::Lines(lines) if lines.is_awaited())
    }

    /// Calls `put` for each message that the batch becomes. `body` is one whole item, or several items, each followed by
    /// its delimiter. The session of a protocol of text keeps which items were sent.
    ///
    /// # Errors
    /// A body is over the limit of a message, or `put` failed. `put` was called for the messages before it.
    #[inline(always)]
    pub fn encode<E: From<FrameError>>(
        &mut self,
        batch: Batch,
        body: &[u8],
        mut put: impl FnMut(Outgoing<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Frames(frames) => {
                frames.encode(batch, body, |prefix, items, range| put(Outgoing::Frame(prefix, items, range)))
            }
            Self::Lines(lines) => put(Outgoing::Text(lines.encode(batch, body))),
            #[cfg(feature = "run")]
            Self::Json(json) => put(Outgoing::Text(json.encode(batch, body))),
        }
    }
}
