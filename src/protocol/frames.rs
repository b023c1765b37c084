//! The protocol `frames`: each message is a frame with a small binary head and a body (`wire/message.rs`).
//!
//! The supervisor's side is [`Frames`]. The worker's side is [`to_worker`] and [`hello`].
//!
//! A worker that holds an item may send a result of any size up to the limit, and may send it slowly or never finish
//! it. So the bytes of a large result are returned as they arrive and are not collected here. Any other message with a
//! large body is refused when its head has arrived.
//!
//! Invariant: at most [`SMALL_BODY_BYTES_MAX`] and one read of an incomplete frame are in memory.

use super::error::ProtocolError;
use super::session::Received;
use crate::model::ids::Batch;
use crate::wire::codec::{self, Message};
use crate::wire::frame::{Frame, FrameDecoder, FrameDirection, FrameError, Header, check_body};
use crate::wire::message::{FromWorker, PROTOCOL_VERSION, REASON_BYTES_MAX, SMALL_BODY_BYTES_MAX, ToWorker};
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use crate::wire::times::{self, PAIR_BYTES};
use std::ops::Range;

/// The supervisor's side of the session with one worker.
pub struct Frames {
    decoder: FrameDecoder,
    large: Option<Large>,
    session: Session,
    delimiter: u8,
    message_items_max: u32,
}

/// What the worker has sent so far.
struct Session {
    /// `None`: no hello is needed.
    token: Option<[u8; 16]>,
    greeted: bool,
    /// Items that were answered since the last `take_answered`.
    answered: u64,
}

/// The large result that is arriving.
#[derive(Clone, Copy)]
struct Large {
    message: FromWorker,
    /// The times come before the result, if the message is timed.
    times: [u8; PAIR_BYTES],
    times_left: usize,
    result_left: usize,
}

impl Frames {
    #[cfg(feature = "run")]
    pub(super) const fn new(config: super::session::SessionConfig) -> Self {
        let super::session::SessionConfig { token, delimiter, message_items_max, .. } = config;
        let session = Session { token, greeted: token.is_none(), answered: 0 };
        Self { decoder: FrameDecoder::new(), large: None, session, delimiter, message_items_max }
    }

    pub(super) const fn incoming(&mut self) -> &mut ReadBuffer {
        self.decoder.buffer()
    }

    pub(super) fn arrived(&self, place: &Range<usize>) -> &[u8] {
        self.decoder.arrived(place)
    }

    pub(super) const fn is_greeted(&self) -> bool {
        self.session.greeted
    }

    pub(super) fn is_within_message(&self) -> bool {
        self.large.is_some() || self.decoder.unread_bytes() > 0
    }

    pub(super) const fn take_answered(&mut self) -> u64 {
        std::mem::replace(&mut self.session.answered, 0)
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<Received<'_>>, ProtocolError> {
        if self.large.is_none()
            && let Some(place) = self.decoder.find()?
        {
            let frame = self.decoder.take_frame(place);
            let body = frame.body;
            // The usual message is decoded in registers: there may be one for each tiny item.
            if frame.kind == FrameDirection::FromWorker
                && let Some(FromWorker::Done { first, count, attempt, busy_ns, timed: false }) =
                    FromWorker::read(frame.head)
                && count > 0
                && self.session.greeted
            {
                check_results(count, body)?;
                self.session.answered = self.session.answered.wrapping_add(u64::from(count));
                let done = FromWorker::Done { first, count, attempt, busy_ns, timed: false };
                return Ok(Some(Received::Message(done, body)));
            }
            return Ok(Some(Received::Message(self.session.check(&frame)?, body)));
        }
        self.next_large()
    }

    #[cold]
    #[inline(never)]
    fn next_large(&mut self) -> Result<Option<Received<'_>>, ProtocolError> {
        let Some(large) = &mut self.large else {
            let Some((header, head)) = self.decoder.take_prefix(SMALL_BODY_BYTES_MAX)? else { return Ok(None) };
            let message = check_prefix(header, head)?;
            if !self.session.greeted {
                return Err(ProtocolError::BeforeHello);
            }
            let timed = matches!(message, FromWorker::Done { timed: true, .. });
            let times_left = if timed { PAIR_BYTES } else { 0 };
            // No underflow: a large body is longer than the times.
            let result_left = header.body_bytes - times_left;
            self.large = Some(Large { message, times: [0; PAIR_BYTES], times_left, result_left });
            return Ok(Some(Received::LargeBegins { message, result_bytes: result_left as u64 }));
        };
        if large.times_left > 0 {
            let times = self.decoder.take(large.times_left);
            let at = PAIR_BYTES - large.times_left;
            large.times[at..at + times.len()].copy_from_slice(times);
            large.times_left -= times.len();
        }
        let Large { message, times, times_left, result_left } = *large;
        if (times_left, result_left) == (0, 0) {
            self.large = None;
            self.session.answered = self.session.answered.wrapping_add(1);
            return Ok(Some(Received::LargeEnds { message, times }));
        }
        let bytes = self.decoder.take(result_left);
        large.result_left -= bytes.len();
        Ok(if bytes.is_empty() { None } else { Some(Received::LargeBytes(bytes)) })
    }

    #[inline(always)]
    pub(super) fn encode<E: From<FrameError>>(
        &self,
        batch: Batch,
        body: &[u8],
        mut put: impl FnMut(&Prefix, u32, Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        let items_max = self.message_items_max;
        let mut put = |batch: Batch, range: Range<usize>| {
            check_body(range.len())?;
            let Batch { first, count, attempt } = batch;
            let message = ToWorker::Batch { first: first.0, count, attempt: attempt.0 };
            put(&Prefix::new(&message, range.len()), count, range)
        };
        let mut ends = memchr::memchr_iter(self.delimiter, body);
        let (mut rest, mut at) = (batch, 0);
        while rest.count > items_max
            && let Some(end) = ends.nth(items_max as usize - 1)
        {
            // The body of a single item has no delimiter; in a body of several, each item is followed by one.
            let body_end = if items_max == 1 { end } else { end + 1 };
            put(Batch { count: items_max, ..rest }, at..body_end)?;
            rest = Batch { first: rest.first.plus(u64::from(items_max)), count: rest.count - items_max, ..rest };
            at = end + 1;
        }
        let end = if rest.count == 1 && batch.count > 1 { body.len().saturating_sub(1) } else { body.len() };
        put(rest, at..end.max(at))
    }
}

impl Session {
    /// The message of a whole frame, if it is allowed at this point of the session and its body has the right shape.
    #[cold]
    #[inline(never)]
    fn check(&mut self, frame: &Frame<'_>) -> Result<FromWorker, ProtocolError> {
        let message = check_frame(frame)?;
        let items = match message {
            FromWorker::Hello { protocol, token, .. } => return self.check_hello(protocol, token).map(|()| message),
            FromWorker::Done { count, .. } => u64::from(count),
            FromWorker::Failed { .. } => 1,
            FromWorker::Work { .. } => 0,
        };
        if !self.greeted {
            return Err(ProtocolError::BeforeHello);
        }
        self.answered = self.answered.wrapping_add(items);
        Ok(message)
    }

    fn check_hello(&mut self, protocol: u16, token: [u8; 16]) -> Result<(), ProtocolError> {
        if self.greeted {
            return Err(ProtocolError::HelloTwice);
        }
        if Some(token) != self.token {
            return Err(ProtocolError::Token);
        }
        if protocol != PROTOCOL_VERSION {
            return Err(ProtocolError::Version { found: protocol });
        }
        self.greeted = true;
        Ok(())
    }
}

/// The message of a whole frame, if its body has the right shape.
fn check_frame(frame: &Frame<'_>) -> Result<FromWorker, ProtocolError> {
    if frame.kind != FrameDirection::FromWorker {
        return Err(ProtocolError::Direction);
    }
    let message = codec::decode(frame.head)?;
    let body = frame.body;
    match message {
        FromWorker::Hello { .. } if !body.is_empty() => Err(ProtocolError::HelloBody { bytes: body.len() }),
        FromWorker::Work { .. } if !body.is_empty() => Err(ProtocolError::WorkBody { bytes: body.len() }),
        FromWorker::Hello { .. } | FromWorker::Work { .. } => Ok(message),
        FromWorker::Failed { timed, .. } => match behind_times(body, 1, timed)? {
            reason if reason.len() > REASON_BYTES_MAX => Err(ProtocolError::Reason { bytes: reason.len() }),
            _ => Ok(message),
        },
        FromWorker::Done { count: 0, .. } => Err(ProtocolError::Empty),
        FromWorker::Done { count, timed, .. } => {
            if count > 1 && body.len() > SMALL_BODY_BYTES_MAX {
                return Err(ProtocolError::Several { count, bytes: body.len() });
            }
            check_results(count, behind_times(body, count, timed)?)?;
            Ok(message)
        }
    }
}

/// The message of a frame whose large body has not arrived. Only the result of a single item may be large.
fn check_prefix(header: Header, head: &[u8]) -> Result<FromWorker, ProtocolError> {
    let bytes = header.body_bytes;
    if header.kind != FrameDirection::FromWorker {
        return Err(ProtocolError::Direction);
    }
    match codec::decode(head)? {
        FromWorker::Hello { .. } => Err(ProtocolError::HelloBody { bytes }),
        FromWorker::Work { .. } => Err(ProtocolError::WorkBody { bytes }),
        FromWorker::Failed { .. } => Err(ProtocolError::Reason { bytes }),
        FromWorker::Done { count: 0, .. } => Err(ProtocolError::Empty),
        FromWorker::Done { count, .. } if count > 1 => Err(ProtocolError::Several { count, bytes }),
        message @ FromWorker::Done { .. } => Ok(message),
    }
}

/// A body without the times of `count` items at its start.
fn behind_times(body: &[u8], count: u32, timed: bool) -> Result<&[u8], ProtocolError> {
    if !timed {
        return Ok(body);
    }
    let (_, rest) = times::split(body, count).ok_or(ProtocolError::Times { count, bytes: body.len() })?;
    Ok(rest)
}

/// Checks that each of several results is a line. The check costs 0.3 ns an item; with it every reporter can cut at
/// newlines.
#[inline(always)]
fn check_results(count: u32, results: &[u8]) -> Result<(), ProtocolError> {
    if count == 1 {
        return Ok(());
    }
    let newlines = memchr::memchr_iter(b'\n', results).count();
    if newlines == count as usize && results.ends_with(b"\n") {
        Ok(())
    } else {
        Err(ProtocolError::Results { count, newlines })
    }
}

/// The worker's side: the message of a frame from the supervisor.
///
/// # Errors
/// The frame holds no such message.
#[inline(always)]
pub fn to_worker(kind: FrameDirection, head: &[u8]) -> Result<ToWorker, ProtocolError> {
    if kind != FrameDirection::ToWorker {
        return Err(ProtocolError::Direction);
    }
    // The usual message is decoded in registers.
    if let Some(ToWorker::Batch { first, count, attempt }) = ToWorker::read(head) {
        return Ok(ToWorker::Batch { first, count, attempt });
    }
    Ok(codec::decode(head)?)
}

/// The worker's side: the first message, with the token that the worker was given.
#[must_use]
pub const fn hello(pid: u32, token: [u8; 16]) -> FromWorker {
    FromWorker::Hello { protocol: PROTOCOL_VERSION, pid, token }
}
