//! The protocol `lines`: a worker gets one line for each item, and answers each with exactly one line, in order.
//!
//! Answers name no item, so the session keeps which items were sent. All answers that have arrived for consecutive items
//! become one message: with many items in flight there is one message for each read, not for each line.
//!
//! Invariant: an item that contains a newline never gets here (`engine/feed` fails it alone). A line that answers no item
//! breaks the protocol.

use super::error::ProtocolError;
use super::large_line::LargeLine;
use super::line_buffer::LineBuffer;
use super::session::Received;
use crate::model::ids::Batch;
use crate::wire::message::FromWorker;
use crate::wire::read_buffer::ReadBuffer;
use std::collections::VecDeque;
use std::ops::Range;

/// The supervisor's side of the session with one worker.
pub struct LineSession {
    lines: LineBuffer,
    large: Option<LargeLine>,
    /// What was sent and not answered, oldest first.
    held: VecDeque<Batch>,
    answered: u64,
    delimiter: u8,
    /// The items of the present message to the worker.
    out: Vec<u8>,
}

impl LineSession {
    #[cfg(feature = "run")]
    pub(super) const fn new(config: super::session::SessionConfig) -> Self {
        Self {
            lines: LineBuffer::new(),
            large: None,
            held: VecDeque::new(),
            answered: 0,
            delimiter: config.delimiter,
            out: Vec::new(),
        }
    }

    pub(super) const fn incoming(&mut self) -> &mut ReadBuffer {
        self.lines.incoming()
    }

    pub(super) fn arrived(&self, place: &Range<usize>) -> &[u8] {
        self.lines.arrived(place)
    }

    pub(super) fn is_within_message(&self) -> bool {
        self.large.is_some() || !self.lines.unread().is_empty()
    }

    pub(super) const fn take_answered(&mut self) -> u64 {
        std::mem::replace(&mut self.answered, 0)
    }

    /// Whether it holds an item.
    pub(super) fn is_awaited(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn next(&mut self) -> Result<Option<Received<'_>>, ProtocolError> {
        if let Some((message, piece)) = LargeLine::go_on(&mut self.large) {
            return Ok(Some(piece.received(message, |place| self.lines.arrived(place))));
        }
        if self.lines.unread().is_empty() {
            return Ok(None);
        }
        let Some(front) = self.held.front_mut() else {
            return Err(ProtocolError::unasked_line(self.lines.unread()));
        };
        let found = self.lines.find(front.count)?;
        if found.count == 0 {
            return Ok(None);
        }
        let (answered, rest) = front.split(found.count);
        match rest {
            Some(rest) => *front = rest,
            None => drop(self.held.pop_front()),
        }
        self.answered = self.answered.wrapping_add(u64::from(answered.count));
        let Batch { first, count, attempt } = answered;
        let message = FromWorker::Done { first: first.0, count, attempt: attempt.0, busy_ns: 0, timed: false };
        let place = self.lines.take(found.bytes);
        let piece = LargeLine::begin(message, place, &mut self.large);
        Ok(Some(piece.received(message, |place| self.lines.arrived(place))))
    }

    /// The batch as lines.
    pub(super) fn encode<'a>(&'a mut self, batch: Batch, body: &'a [u8]) -> &'a [u8] {
        match self.held.back_mut().filter(|back| back.end() == batch.first && back.attempt == batch.attempt) {
            Some(back) if back.count.checked_add(batch.count).is_some() => back.count += batch.count,
            _ => self.held.push_back(batch),
        }
        if batch.count > 1 && self.delimiter == b'\n' {
            return body;
        }
        self.out.clear();
        self.out.extend_from_slice(body);
        if batch.count == 1 {
            self.out.push(b'\n');
        } else {
            self.out.iter_mut().filter(|byte| **byte == self.delimiter).for_each(|byte| *byte = b'\n');
        }
        &self.out
    }
}
