//! Large results: they lie in a file, and are told as what commands said is.
//!
//! Invariant: one that the core would not accept is not waited for, and what nobody tells is given back.

use super::event_loop::Engine;
use super::residents::refusal;
use super::telling::Answer;
use crate::core::input::Input;
use crate::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use crate::reporter::Content;
use crate::transport::{Channel, Large};
use crate::wire::message::FromWorker;

impl Engine {
    /// Hears of the large result that a channel is bringing, if it is. `true`: all of it is there, and told, and there
    /// may be more; the fact, instead, that nothing more is to be read.
    pub(super) fn hear_large(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        channel: &mut dyn Channel,
        greeted: bool,
    ) -> Result<bool, Input> {
        let large = channel.large().map_err(|error| refusal(worker, incarnation, &error))?;
        let Some(Large { message, times, kept }) = large else { return Ok(false) };
        let FromWorker::Done { first, count, attempt, busy_ns, timed } = message else { return Ok(false) };
        if !greeted {
            return Err(Input::ProtocolError { worker, incarnation, error: "it spoke before its hello".to_owned() });
        }
        self.tell_gathered(worker, incarnation);
        let (first, attempt) = (ItemId(first), Attempt(attempt));
        let settled = Input::Settled { worker, incarnation, first, count, attempt, busy_ns };
        let Some(spilled) = kept else {
            let held = self.core.oldest_batch(worker, incarnation);
            let is_next = held.is_some_and(|held| held.first == first && held.attempt == attempt);
            // The core says what is wrong with it, as if it had come whole.
            return if is_next { Ok(false) } else { Err(settled) };
        };
        let (times, _) = self.split_times(&times, 1, timed);
        let answer = Answer {
            first,
            results: Content { spilled, memory: &[] },
            errors: Content::default(),
            times: timed.then_some(times.as_slice()),
            exit: None,
            of_failures: false,
        };
        self.feed_with(settled, Some(answer));
        self.times = times;
        Ok(true)
    }
}
