//! The protocol `json`: one JSON object in a line.
//!
//! To a worker: `{"id":7,"attempt":1,"item":"text"}`, or `item_base64` where the item is not UTF-8. From a worker, in any
//! order: `{"id":7,"result":...}` (or `result_base64`), `{"id":7,"error":"why","retry":true}`, `{"id":7,"progress":0.4}`,
//! `{"log":"text"}`, and `{"ready":true}` first, if that is awaited. Keys that are not named here are ignored.
//!
//! An answer is decoded where it was read: escapes only become shorter. So a result leaves from the buffer, as one of a
//! frame does.
//!
//! Invariant: the session knows which items the worker holds, so an answer for any other one, or a second one, breaks the
//! protocol here.

use super::error::ProtocolError;
use super::json_line::{self, LineContent, Said};
use super::large_line::{LargeLine, ResultPiece};
use super::line_buffer::LineBuffer;
use super::session::{Received, SessionConfig};
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::outcome::RetryHint;
use crate::wire::message::{FromWorker, REASON_BYTES_MAX};
use crate::wire::read_buffer::ReadBuffer;
use std::collections::BTreeMap;
use std::ops::Range;

/// The supervisor's side of the session with one worker.
pub struct JsonSession {
    lines: LineBuffer,
    large: Option<LargeLine>,
    session: JsonState,
    delimiter: u8,
    /// The items of the present message to the worker.
    out: Vec<u8>,
}

/// What the worker holds, and what it has said so far.
struct JsonState {
    /// The attempts of the items that were sent and are not answered, by id.
    held: BTreeMap<u64, u32>,
    /// It has to say that it is ready before anything else but a log.
    waits: bool,
    greeted: bool,
    answered: u64,
    /// The item of its last progress message, and the share of it that was done.
    named: Option<(ItemId, f64)>,
}

/// What a line leads to. Places are in the buffer.
enum JsonStep {
    Nothing,
    Ready,
    Done { message: FromWorker, place: Range<usize> },
    Failed { failed: Batch, hint: RetryHint, place: Range<usize> },
    Log { place: Range<usize> },
}

impl JsonSession {
    pub(super) const fn new(config: SessionConfig) -> Self {
        let waits = config.waits_until_ready;
        let session = JsonState { held: BTreeMap::new(), waits, greeted: !waits, answered: 0, named: None };
        Self { lines: LineBuffer::new(), large: None, session, delimiter: config.delimiter, out: Vec::new() }
    }

    pub(super) const fn incoming(&mut self) -> &mut ReadBuffer {
        self.lines.incoming()
    }

    pub(super) fn arrived(&self, place: &Range<usize>) -> &[u8] {
        self.lines.arrived(place)
    }

    pub(super) const fn is_greeted(&self) -> bool {
        self.session.greeted
    }

    pub(super) fn is_within_message(&self) -> bool {
        self.large.is_some() || !self.lines.unread().is_empty()
    }

    pub(super) const fn take_answered(&mut self) -> u64 {
        std::mem::replace(&mut self.session.answered, 0)
    }

    pub(super) const fn progress(&self) -> Option<(ItemId, f64)> {
        self.session.named
    }

    pub(super) fn next(&mut self) -> Result<Option<Received<'_>>, ProtocolError> {
        if let Some((message, piece)) = LargeLine::go_on(&mut self.large) {
            return Ok(Some(piece.received(message, |place| self.lines.arrived(place))));
        }
        let step = loop {
            let found = self.lines.find(1)?;
            if found.count == 0 {
                return Ok(None);
            }
            let place = self.lines.take(found.bytes);
            let said = json_line::read(self.lines.taken_mut(&place))?;
            match self.session.step(said, place.start)? {
                JsonStep::Nothing => {}
                step => break step,
            }
        };
        let lines = &self.lines;
        Ok(match step {
            // The loop above goes on then.
            JsonStep::Nothing => None,
            JsonStep::Ready => Some(Received::Ready),
            JsonStep::Done { message, place } => {
                let piece: ResultPiece = LargeLine::begin(message, place, &mut self.large);
                Some(piece.received(message, |place| lines.arrived(place)))
            }
            JsonStep::Failed { failed, hint, place } => Some(Received::Failure {
                item: failed.first,
                attempt: failed.attempt,
                hint,
                reason: cut(lines.arrived(&place)),
            }),
            JsonStep::Log { place } => Some(Received::Log(cut(lines.arrived(&place)))),
        })
    }

    /// The batch as a line for each item.
    pub(super) fn encode(&mut self, batch: Batch, body: &[u8]) -> &[u8] {
        self.out.clear();
        let (Batch { first, count, attempt }, delimiter) = (batch, self.delimiter);
        if count == 1 {
            self.push(first, attempt, body);
        } else {
            for (item, id) in body.split(|byte| *byte == delimiter).zip(0..u64::from(count)) {
                self.push(first.plus(id), attempt, item);
            }
        }
        &self.out
    }

    fn push(&mut self, id: ItemId, attempt: Attempt, item: &[u8]) {
        self.session.held.insert(id.0, attempt.0);
        json_line::push(id, attempt, item, &mut self.out);
    }
}

impl JsonState {
    /// What the line that begins at `start` of the buffer leads to.
    fn step(&mut self, said: Said, start: usize) -> Result<JsonStep, ProtocolError> {
        let placed = |range: Range<usize>| start + range.start..start + range.end;
        match said.content {
            LineContent::Log(range) => return Ok(JsonStep::Log { place: placed(range) }),
            LineContent::Ready if self.waits && self.greeted => return Err(ProtocolError::ReadyTwice),
            LineContent::Ready => {
                self.greeted = true;
                return Ok(if self.waits { JsonStep::Ready } else { JsonStep::Nothing });
            }
            _ if !self.greeted => return Err(ProtocolError::BeforeReady),
            _ => {}
        }
        let id = said.id.ok_or(ProtocolError::NoId)?;
        let Some(&attempt) = self.held.get(&id) else { return Err(ProtocolError::NotHeld { item: id }) };
        if let Some(found) = said.attempt.filter(|found| *found != attempt) {
            return Err(ProtocolError::WrongAttempt { item: id, found, attempt });
        }
        Ok(match said.content {
            LineContent::Result(range) => {
                self.answer(id);
                let message = FromWorker::Done { first: id, count: 1, attempt, busy_ns: 0, timed: false };
                JsonStep::Done { message, place: placed(range) }
            }
            LineContent::Error { text, hint } => {
                self.answer(id);
                JsonStep::Failed { failed: Batch::of_one(ItemId(id), Attempt(attempt)), hint, place: placed(text) }
            }
            LineContent::Progress(share) => {
                self.named = Some((ItemId(id), share));
                JsonStep::Nothing
            }
            // They were handled above.
            LineContent::Log(_) | LineContent::Ready => JsonStep::Nothing,
        })
    }

    fn answer(&mut self, id: u64) {
        self.held.remove(&id);
        self.answered = self.answered.wrapping_add(1);
        if self.named.is_some_and(|(named, _)| named == ItemId(id)) {
            self.named = None;
        }
    }
}

/// A text of a worker, of at most as many bytes as a reason in a frame.
fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(REASON_BYTES_MAX)]
}
