//! Large results: their bytes go to the spill file as they come, and they are reported as the output of commands is.
//!
//! Invariant: a large result that the core would not accept is not collected, and one that no reporter takes is given
//! back to the file.

use super::event_loop::Engine;
use super::telling::Answer;
use crate::core::input::Input;
use crate::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use crate::protocol::Received;
use crate::reporter::Content;
use crate::sys::spill::{Filling, SpillFile};
use crate::wire::message::FromWorker;
use crate::wire::times::PAIR_BYTES;
use std::io;
use std::sync::Arc;

impl Engine {
    /// Takes one event of a large result; the fact, instead, that nothing more is to be read.
    #[cold]
    pub(super) fn hear_large(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        large: &mut Option<Filling>,
        received: &Received<'_>,
    ) -> Result<(), Input> {
        let kept = match *received {
            Received::LargeBegins { message, result_bytes } => {
                self.tell_gathered(worker, incarnation);
                self.check_is_next(worker, incarnation, message)?;
                self.telling.spill().fill(result_bytes).map(|filling| *large = Some(filling))
            }
            Received::LargeBytes(bytes) => large.as_mut().map_or(Ok(()), |filling| filling.push(bytes)),
            Received::LargeEnds { message, times } => {
                if let Some(filling) = large.take() {
                    self.tell_large(worker, incarnation, message, &times, filling);
                }
                Ok(())
            }
            Received::Message(..) => Ok(()),
        };
        kept.map_err(|error| not_kept(self.telling.spill(), &error))
    }

    /// Whether the worker holds this item, as the next one. Else the fact with which the core says what is wrong, as
    /// if the result had come whole.
    fn check_is_next(&self, worker: WorkerId, incarnation: Incarnation, message: FromWorker) -> Result<(), Input> {
        let FromWorker::Done { first, count, attempt, busy_ns, .. } = message else { return Ok(()) };
        let (first, attempt) = (ItemId(first), Attempt(attempt));
        let held = self.core.oldest_batch(worker, incarnation);
        if held.is_some_and(|held| held.first == first && held.attempt == attempt) {
            return Ok(());
        }
        Err(Input::Settled { worker, incarnation, first, count, attempt, busy_ns })
    }

    fn tell_large(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        message: FromWorker,
        times: &[u8; PAIR_BYTES],
        filling: Filling,
    ) {
        let FromWorker::Done { first, count, attempt, busy_ns, timed } = message else { return };
        let (first, attempt, extent) = (ItemId(first), Attempt(attempt), filling.take());
        let (times, _) = self.split_times(times, 1, timed);
        let answer = Answer {
            first,
            results: Content { spilled: &[extent], memory: &[] },
            errors: Content::default(),
            times: timed.then_some(times.as_slice()),
            exit: None,
            of_failures: false,
        };
        self.telling.answered = false;
        self.feed_with(Input::Settled { worker, incarnation, first, count, attempt, busy_ns }, Some(&answer));
        self.times = times;
        if !self.telling.answered {
            self.telling.spill().discard(extent);
        }
    }
}

/// The disk failed: no fault of the worker.
fn not_kept(spill: &Arc<SpillFile>, error: &io::Error) -> Input {
    let folder = spill.folder().display();
    Input::StorageLost { error: format!("keep a result in a temporary file in {folder}: {error}") }
}
