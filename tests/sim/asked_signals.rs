//! The shadow model's view of signals that somebody asks for.

use crate::marks::{Mark, Marks};
use crate::shadow::{Phase, Shadow};
use crate::violation::{BrokenCheck, ensure};
use supervisor::model::ids::WorkerId;
use supervisor::model::signal::Signal;

type Judgement = Result<(), BrokenCheck>;

impl Shadow {
    /// The core is told of it. There has to be a process, which has not ended as far as the shell knows.
    pub fn asks_signal(&mut self, worker: WorkerId, signal: Signal) {
        let slot = self.slots.get(worker.index());
        let is_there = slot.is_some_and(|slot| slot.phase > Phase::Asked && !slot.output_held);
        self.asked_signal = is_there.then_some((worker, signal));
    }

    pub fn sends_asked_signal(&mut self, marks: &mut Marks) -> Judgement {
        self.asked_signal = None;
        marks.hit(Mark::AskedSignalSent);
        Ok(())
    }

    /// At the end of a step.
    pub fn has_sent_asked_signal(&self) -> Judgement {
        let left = self.asked_signal;
        ensure!(left.is_none(), AskedSignal, "a signal was asked for and not sent: {left:?}");
        Ok(())
    }
}
