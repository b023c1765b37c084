//! The shadow model's view of items that somebody gives up.

use crate::items::ItemPlace;
use crate::marks::{Mark, Marks};
use crate::shadow::{Phase, Shadow};
use crate::violation::{BrokenCheck, ensure};
use supervisor::model::event::Stage;
use supervisor::model::ids::ItemId;

type Judgement = Result<(), BrokenCheck>;

impl Shadow {
    /// The core is told of it.
    pub fn gives_up(&mut self, item: ItemId) {
        let is_open = self
            .items
            .get(item)
            .is_none_or(|known| matches!(known.place, ItemPlace::Queued | ItemPlace::Leased(_) | ItemPlace::InHand(_)));
        // An item before the first one never comes.
        if self.stage > Stage::Running || !is_open || item < self.policy.first_item {
            return;
        }
        self.given_up.insert(item);
        (0..self.slots.len()).for_each(|index| self.marks_given_up(index));
    }

    /// A slot that holds an item that was given up is to be ended, unless it has ended or is being ended.
    pub fn marks_given_up(&mut self, index: usize) {
        let slot = &self.slots[index];
        let holds = slot.leases.iter().any(|batch| self.given_up.range(batch.first..batch.end()).next().is_some());
        let ends = slot.kill.is_some() || slot.broken || slot.output_held || slot.phase == Phase::Down;
        self.slots[index].gives_up |= holds && !ends && self.stage == Stage::Running;
    }

    /// At the end of a step none of them may still be begun, and what was at one of them is being ended.
    pub fn has_given_up(&self, marks: &mut Marks) -> Judgement {
        if self.stage > Stage::Running {
            return Ok(());
        }
        for item in &self.given_up {
            let place = self.items.get(*item).map(|known| known.place);
            ensure!(place != Some(ItemPlace::Queued), GivenUp, "item {item} was given up, and waits for a worker");
        }
        for (index, slot) in self.slots.iter().enumerate().filter(|(_, slot)| slot.gives_up) {
            let fine = slot.kill.is_some() || slot.phase <= Phase::Asked;
            ensure!(fine, GivenUp, "worker {} is at an item that was given up, and goes on", index + 1);
            marks.hit(Mark::WorkerGivenUp);
        }
        Ok(())
    }
}
