//! What slots have in hand: the shell's launcher, which starts the next process of a slot unasked, and the shadow model's
//! view of it.

use crate::agenda::Effect;
use crate::clock::LATE;
use crate::items::ItemPlace;
use crate::marks::{Mark, Marks};
use crate::shadow::{Phase, Shadow, ShadowSlot};
use crate::violation::{BrokenCheck, ensure};
use crate::world::World;
use std::collections::VecDeque;
use supervisor::core::input::Input;
use supervisor::model::event::Stage;
use supervisor::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use supervisor::model::time::{Duration, Instant};

type Judgement = Result<(), BrokenCheck>;

/// The longest time for which an item stays in hand behind a command that does not end.
const HAND_WAIT: Duration = Duration::from_millis(20);

/// An order of the core to the launcher.
#[derive(Clone, Copy, Debug)]
pub enum HandOrder {
    Give(Batch),
    TakeBack,
}

/// A slot, as its launcher sees it.
#[derive(Debug, Default)]
pub struct SimHand {
    /// Orders that have not reached it.
    mail: VecDeque<HandOrder>,
    held: VecDeque<Batch>,
    /// Of the last process.
    incarnation: u32,
    /// The slot is empty, and its last process has exited with 0.
    goes_on: bool,
}

impl World {
    fn hand(&mut self, slot: usize) -> &mut SimHand {
        if self.hands.len() <= slot {
            self.hands.resize_with(slot + 1, SimHand::default);
        }
        &mut self.hands[slot]
    }

    pub fn orders_hand(&mut self, worker: WorkerId, order: HandOrder) {
        self.hand(worker.index()).mail.push_back(order);
        self.soon(Effect::HandOrdered(worker.index()));
    }

    /// An order reaches the launcher.
    pub fn hand_ordered(&mut self, slot: usize) -> Judgement {
        let runs = self.present.get(slot).copied().flatten().is_some();
        let hand = self.hand(slot);
        match hand.mail.pop_front() {
            Some(HandOrder::Give(batch)) if runs => hand.held.push_back(batch),
            Some(HandOrder::Give(batch)) if hand.goes_on => {
                let next = Incarnation(hand.incarnation + 1);
                self.marks.hit(Mark::HandStartedLate);
                self.asked_for(WorkerId::from_index(slot), next, Some(batch));
            }
            Some(HandOrder::Give(batch)) => {
                self.marks.hit(Mark::HandReturnedLate);
                return self.input(Input::TakenBack { worker: WorkerId::from_index(slot), item: batch.first });
            }
            Some(HandOrder::TakeBack) => {
                if !hand.held.is_empty() {
                    self.marks.hit(Mark::HandRecalled);
                }
                return self.hand_comes_back(slot);
            }
            None => {}
        }
        Ok(())
    }

    /// What a slot has in hand comes back.
    pub fn hand_comes_back(&mut self, slot: usize) -> Judgement {
        while !self.finished
            && let Some(batch) = self.hand(slot).held.pop_front()
        {
            self.marks.hit(Mark::HandReturned);
            self.input(Input::TakenBack { worker: WorkerId::from_index(slot), item: batch.first })?;
        }
        Ok(())
    }

    /// A process of this slot is started, or is not.
    pub fn hand_begins(&mut self, slot: usize, incarnation: Incarnation) {
        let hand = self.hand(slot);
        (hand.goes_on, hand.incarnation) = (false, incarnation.0);
    }

    /// The process of a slot has ended, which the core does not know yet.
    pub fn hand_ends(&mut self, slot: usize, is_success: bool) -> Judgement {
        self.hand(slot).goes_on = is_success;
        if is_success { Ok(()) } else { self.hand_comes_back(slot) }
    }

    /// The core knows of the end: the next process was started meanwhile.
    pub fn hand_goes_on(&mut self, slot: usize) {
        if let Some(batch) = self.hand(slot).held.pop_front() {
            self.marks.hit(Mark::HandStarted);
            let next = Incarnation(self.hand(slot).incarnation + 1);
            self.asked_for(WorkerId::from_index(slot), next, Some(batch));
        }
    }
}

impl Shadow {
    /// An item is given in hand.
    pub fn gives_in_hand(&mut self, worker: WorkerId, batch: Batch, now: Instant) -> Judgement {
        ensure!(self.policy.gives_in_hand(), InHand, "{batch:?} is given in hand");
        ensure!(batch.count == 1, Credit, "{} items are given in hand at once", batch.count);
        ensure!(self.stage == Stage::Running, StopRises, "{batch:?} is given in hand while the run stops");
        ensure!(!self.congested, Congestion, "{batch:?} is given in hand while the output is congested");
        ensure!(self.permitted.is_none(), Pace, "{batch:?} is given in hand while starts are counted");
        // Some of those that waited for their next attempt may be due.
        let waiting = self.waiting_items() + self.delayed.len() as u64;
        let slots = self.slots.iter().filter(|slot| !slot.removed).count() as u64;
        ensure!(waiting > slots, InHand, "{batch:?} is given in hand, of {waiting} items for {slots} slots");
        let index = worker.index();
        let fits = self.slots.get(index).is_some_and(|slot| {
            let takes = slot.kill.is_none() && !slot.output_held && !slot.is_held && !slot.removed && !slot.recalled;
            slot.phase == Phase::Ready && takes
        });
        ensure!(fits, ReadySlot, "{batch:?} is given in hand to worker {worker}");
        ensure!(!self.clock.is_paused(), Paused, "{batch:?} is given in hand while the run is paused");
        self.takes_from_queue(batch.first, batch, now)?;
        self.items[batch.first].place = ItemPlace::InHand(index);
        self.slots[index].hands.push_back((batch, now));
        self.in_hand += 1;
        Ok(())
    }

    /// What is in hand is asked for again.
    pub fn takes_back(&mut self, worker: WorkerId) -> Judgement {
        // A stop may come between the end of a command and the start of the next one, which is asked for then, too.
        let has_some =
            |slot: &&mut ShadowSlot| !slot.hands.is_empty() || (slot.from_hand && slot.phase == Phase::Asked);
        let slot = self.slots.get_mut(worker.index()).filter(has_some).filter(|slot| !slot.recalled);
        ensure!(slot.is_some(), InHand, "worker {worker} is asked for what it has in hand, which is nothing");
        slot.into_iter().for_each(|slot| slot.recalled = !slot.hands.is_empty());
        Ok(())
    }

    /// An item that was in hand is not started. `false`: it is not known to be in hand.
    pub fn taken_back(&mut self, worker: WorkerId, item: ItemId, now: Instant) -> bool {
        let Some(slot) = self.slots.get_mut(worker.index()) else { return false };
        if let Some(place) = slot.hands.iter().position(|(batch, _)| batch.first == item) {
            slot.hands.remove(place);
            slot.recalled &= !slot.hands.is_empty();
            self.in_hand -= 1;
            self.comes_back_unbegun(item);
            return true;
        }
        let is_present = slot.from_hand && slot.phase == Phase::Asked && slot.leases.iter().any(|it| it.first == item);
        if !is_present {
            return false;
        }
        slot.incarnation -= 1;
        self.leaves(worker.index(), now);
        let slot = &mut self.slots[worker.index()];
        (slot.met, slot.refill) = (!slot.removed, false);
        self.comes_back_unbegun(item);
        self.begins_hand(worker.index(), now);
        true
    }

    /// An item is queued again that was not begun.
    fn comes_back_unbegun(&mut self, id: ItemId) {
        let item = &mut self.items[id];
        (item.place, item.started) = (ItemPlace::Queued, false);
        self.unbegun.insert(id);
    }

    /// The process of a slot is gone: the next one is that of the item in hand.
    pub fn begins_hand(&mut self, index: usize, now: Instant) {
        let slot = &mut self.slots[index];
        let Some((batch, _)) = slot.hands.pop_front() else { return };
        slot.recalled &= !slot.hands.is_empty();
        let incarnation = slot.incarnation + 1;
        slot.begin(incarnation);
        slot.from_hand = true;
        (slot.sent_at, slot.held) = (now, 1);
        slot.leases.push_back(batch);
        self.in_hand -= 1;
        self.in_flight += 1;
        self.permitted = self.permitted.map(|count| count.saturating_sub(1));
        self.last_start = Some(now);
        let item = &mut self.items[batch.first];
        (item.place, item.started, item.sent_at) = (ItemPlace::Leased(index), false, now);
        item.holder = Some((index, incarnation, 0));
        self.marks_given_up(index);
        self.starts.dispatched(batch).unwrap_or_else(|_| unreachable!("an item in hand has not come back"));
    }

    /// At the end of a step: what may not stay in hand was asked for.
    pub fn hands_are_recalled(&self, now: Instant, marks: &mut Marks) -> Judgement {
        let has_to_come = self.stage > Stage::Running || self.congested || self.permitted.is_some();
        let queued = self.waiting_items() > 0;
        let idle =
            self.slots.iter().any(|slot| slot.phase == Phase::Down && !slot.removed && slot.pause == Duration::ZERO);
        for slot in self.slots.iter().filter(|slot| !slot.hands.is_empty() && !slot.recalled) {
            let pid = slot.pid;
            ensure!(!has_to_come, InHand, "pid {pid} has items in hand that may not be started");
            ensure!(queued || !idle, WorkConserving, "pid {pid} has items in hand, and another slot is idle");
            ensure!(!slot.removed && slot.kill.is_none(), InHand, "pid {pid} leaves, and has items in hand");
            let since = slot.hands.front().map_or(now, |(_, since)| *since);
            let latest = since + HAND_WAIT + LATE + Duration(self.leapt_ns);
            ensure!(now <= latest, InHand, "an item is in hand behind pid {pid} since {}, now {}", since.0, now.0);
            marks.hit(Mark::HandWaits);
        }
        Ok(())
    }
}
