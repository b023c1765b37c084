//! The shadow model's view of a machine that is short of something: which workers are to be held, and which one is to make
//! room.

use crate::marks::{Mark, Marks};
use crate::shadow::{KillWhy, Phase, Shadow, ShadowSlot};
use crate::violation::{BrokenCheck, ensure};
use supervisor::core::input::Relief;
use supervisor::model::event::Stage;
use supervisor::model::signal::Signal;

type Judgement = Result<(), BrokenCheck>;

impl ShadowSlot {
    /// Whether its process works on an item, and nothing ends it.
    fn is_at_work(&self) -> bool {
        let ends = self.kill.is_some() || self.broken || self.closed || self.output_held;
        self.phase == Phase::Ready && self.held > 0 && !ends
    }
}

impl Shadow {
    /// Those at work, the one that began first before the others.
    fn at_work(&self) -> Vec<usize> {
        let slots = self.slots.iter().enumerate().filter(|(_, slot)| slot.is_at_work());
        let oldest =
            |slot: &ShadowSlot| slot.leases.front().map(|batch| (self.items[batch.first].sent_at, batch.first));
        let mut found: Vec<_> = slots.map(|(index, slot)| (oldest(slot), index)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, index)| index).collect()
    }

    pub fn relieved(&mut self, relief: Relief) {
        let at_work = self.at_work();
        match relief {
            Relief::Run { count } => {
                for (place, index) in at_work.into_iter().enumerate() {
                    self.slots[index].is_to_hold = place > 0 && place >= count as usize;
                }
            }
            Relief::GoOn => {
                if let Some(index) = at_work.into_iter().find(|index| self.slots[*index].is_to_hold) {
                    self.slots[index].is_to_hold = false;
                }
            }
            Relief::EndYoungest => {
                let youngest = at_work.last().filter(|_| at_work.len() > 1 && self.stage == Stage::Running);
                if let Some(&index) = youngest {
                    self.slots[index].makes_room = true;
                }
            }
        }
    }

    /// An order to stop, or to go on.
    pub fn holds(&mut self, index: usize, signal: Signal, marks: &mut Marks) -> Judgement {
        let slot = &mut self.slots[index];
        let (number, stops) = (index + 1, signal == Signal::STOP);
        ensure!(slot.is_held != stops, Relief, "worker {number} gets {signal}, and held: {}", slot.is_held);
        if stops == self.clock.is_paused() && (stops || slot.is_with_run) {
            (slot.is_held, slot.is_with_run) = (stops, stops);
            marks.hit(match () {
                () if !stops => Mark::Continued,
                () if slot.held > 0 => Mark::PausedAtWork,
                () => Mark::PausedIdle,
            });
            return Ok(());
        }
        // A slot that is asked to end goes on, and so does one that has nothing to do any more.
        let fine = if stops { slot.is_to_hold && slot.is_at_work() } else { !slot.is_to_hold || !slot.is_at_work() };
        let fine = fine && !self.clock.is_paused();
        ensure!(fine, Relief, "worker {number} gets {signal} for no reason");
        slot.is_held = stops;
        // It may be sent the next items in the same step.
        slot.is_to_hold &= slot.is_at_work();
        marks.hit(match () {
            () if stops => Mark::WorkerHeld,
            () if slot.kill.is_some() => Mark::HeldEnded,
            () if slot.held == 0 => Mark::HeldIdle,
            () => Mark::HeldWentOn,
        });
        Ok(())
    }

    /// At the end of a step those are held that have to be, and no other; and who has to make room was ended.
    pub fn are_relieved(&mut self) -> Judgement {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let number = index + 1;
            let is_there = slot.phase != Phase::Down;
            if std::mem::take(&mut slot.makes_room) {
                let fine = slot.kill == Some(KillWhy::Relief);
                ensure!(fine, Relief, "worker {number} has to make room, and ends because of {:?}", slot.kill);
            }
            slot.is_to_hold &= is_there && slot.is_at_work();
            // KILL ends one that is held too.
            if is_there && !slot.got_kill {
                let is_paused = self.clock.is_paused() && slot.phase > Phase::Asked;
                let (is_held, is_to_hold) = (slot.is_held, slot.is_to_hold || is_paused);
                slot.is_with_run &= is_paused;
                ensure!(
                    is_held == is_to_hold,
                    Relief,
                    "worker {number} is held: {is_held}, and has to be: {is_to_hold}"
                );
            }
        }
        Ok(())
    }
}
