//! Items in hand: while the process of one item runs, its slot has its next items already. The shell starts the process
//! of each as soon as the one before it has exited with 0, and asks nobody; so no slot waits for a turn of the loop.
//!
//! Invariant: a slot has items in hand only while it has a process. Each is answered for, by the start of its process or
//! by its return, and until then the core takes it for neither queued nor running. They are given while the queue has more
//! items than there are slots, and are asked for again once another slot is idle.

use super::Core;
use super::action::Action;
use super::pool::Pool;
use super::queue::Queued;
use super::reason::{Reason, TakeBackReason};
use super::slot::{KillReason, Lease, SlotState, Start, WorkerSlot};
use super::timers::Timer;
use crate::model::event::Stage;
use crate::model::ids::{Incarnation, ItemId, WorkerId};
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;

/// How much work is in hand, by the length of the last command. Behind one that took longer, the next one is ordered at its
/// end: what an order costs does not matter then.
const HAND_WORK: Duration = Duration::from_millis(10);

/// Most items in all hands together, and the bounds for each: several, so that not each of them wakes the loop. Measured with
/// a program that exits at once, on 2 cores: fewer in each of 2 slots, or more in each of 16, give up to 5 % fewer commands a
/// second.
const HANDS_TOTAL: usize = 64;
const HAND_ITEMS_MIN: usize = 4;
const HAND_ITEMS_MAX: usize = 32;

/// How long an item stays in hand. Then a command before it takes long, and another slot may be free earlier.
const HAND_WAIT: Duration = Duration::from_millis(20);

impl WorkerSlot {
    /// Whether it can be given an item in hand.
    pub(super) fn takes_in_hand(&self) -> bool {
        let runs = self.state == SlotState::Ready && self.kill_reason.is_none() && !self.output_held && !self.is_held;
        runs && self.hand.leases.len() < self.hand.items_max && !self.hand.recalled && !self.removed
    }
}

impl Core {
    /// Gives items in hand, as long as the queue has more than one for each slot.
    #[inline]
    pub(super) fn fill_hands(&mut self) {
        if self.pool.open_hands.len() == 0 || self.gate.permitted.is_some() || !self.may_dispatch() {
            return;
        }
        while self.queue.items() > self.pool.target as u64
            && let Some(index) = self.pool.open_hands.next_from(self.pool.cursor)
            && let Some(queued) = self.queue.pop(1)
        {
            self.because(|core| Reason::InHand { queued: core.queue.items() + 1 });
            let Queued { batch, priority, .. } = queued;
            let lease = Lease { batch, priority, since: self.now, start: Start::of(batch) };
            self.pool.give_in_hand(index, lease);
            self.push(Action::InHand { worker: WorkerId::from_index(index), batch });
            if self.hand_timer.is_none() {
                self.timers.set(Timer::Hands, &mut self.hand_timer, self.now + HAND_WAIT, self.now);
            }
        }
    }

    /// Asks for every item in hand, once some slot is idle and has no other.
    #[inline]
    pub(super) fn spread_hands(&mut self) {
        if self.pool.hands > 0 && self.pool.idle.len() > 0 && self.queue.items() == 0 {
            self.recall_hands(TakeBackReason::Idle);
        }
    }

    /// Asks for every item in hand.
    pub(super) fn recall_hands(&mut self, why: TakeBackReason) {
        if self.pool.hands > 0 {
            (0..self.pool.slots.len()).for_each(|index| self.recall_hand(index, why));
        }
    }

    /// Asks for the items that a slot has in hand.
    #[inline]
    pub(super) fn recall_hand(&mut self, index: usize, why: TakeBackReason) {
        let hand = &mut self.pool.slots[index].hand;
        if !hand.leases.is_empty() && !std::mem::replace(&mut hand.recalled, true) {
            self.pool.update_sets(index);
            self.because(|_| Reason::TakeBack(why));
            self.push(Action::TakeBack { worker: WorkerId::from_index(index) });
        }
    }

    /// Asks for the items that were in hand for too long.
    pub(super) fn on_hand_timer(&mut self) {
        self.hand_timer = None;
        let mut next: Option<Instant> = None;
        for index in 0..self.pool.slots.len() {
            let slot = &mut self.pool.slots[index];
            let Some(oldest) = slot.hand.leases.front().filter(|_| !slot.hand.recalled) else { continue };
            let due = oldest.since + HAND_WAIT;
            if due > self.now {
                next = Some(next.map_or(due, |next| next.min(due)));
                continue;
            }
            slot.hand.items_max = 0;
            mutant!(HandKept, self.recall_hand(index, TakeBackReason::Long), {});
        }
        if let Some(due) = next {
            self.timers.set(Timer::Hands, &mut self.hand_timer, due, self.now);
        }
    }

    /// The process of a slot has ended. What the slot has in hand is started, or on its way back: the answer says which.
    /// Returns whether there is something.
    pub(super) fn begin_hand(&mut self, index: usize) -> bool {
        let Some(lease) = self.pool.take_in_hand(index, 0) else { return false };
        let slot = &mut self.pool.slots[index];
        slot.incarnation = Incarnation(slot.incarnation.0.wrapping_add(1));
        slot.from_hand = true;
        self.pool.set_state(index, SlotState::Starting);
        self.pool.lease(index, Lease { since: self.now, ..lease });
        self.note_start();
        if self.stage >= Stage::Terminating {
            self.terminate(index, KillReason::Stopped);
        } else if self.is_given_up(index) {
            self.terminate(index, KillReason::GivenUp);
        }
        true
    }

    /// An item that a slot had in hand is not started.
    pub(super) fn on_taken_back(&mut self, worker: WorkerId, item: ItemId) {
        let index = (worker.number() as usize).wrapping_sub(1);
        let Some(slot) = self.pool.slots.get_mut(index) else {
            self.totals.stale += 1;
            return;
        };
        let place = slot.hand.leases.iter().position(|lease| lease.batch.first == item);
        let is_present = place.is_none() && slot.from_hand && slot.is_up() && slot.oldest_item() == Some(item);
        let lease = if let Some(place) = place {
            // Unasked it comes back because the command before it did not succeed: so does everything else in hand.
            slot.hand.items_max = if slot.hand.recalled { slot.hand.items_max } else { 0 };
            self.pool.take_in_hand(index, place)
        } else if is_present {
            // The process that it was to have never was.
            slot.incarnation = Incarnation(slot.incarnation.0.wrapping_sub(1));
            let lease = self.pool.take_last(index);
            self.clear_process(index);
            lease
        } else {
            self.totals.stale += 1;
            return;
        };
        if let Some(Lease { batch, priority, .. }) = lease {
            match self.stage {
                Stage::Running => {
                    let queued = Queued { batch, priority, fresh: false };
                    mutant!(HandLost, self.queue.give_back_unbegun(queued), {});
                }
                _ => self.skip(batch, None, None),
            }
        }
        // What was to be started behind it comes back, too, or is started after all.
        if is_present && !self.begin_hand(index) && self.restarting() {
            self.fill(index);
        }
    }

    /// A command has ended: how many items may be in hand behind the next ones.
    pub(super) fn note_length(&mut self, index: usize, is_success: bool) {
        let slot = &mut self.pool.slots[index];
        let share = (HANDS_TOTAL / self.pool.target.max(1)).clamp(HAND_ITEMS_MIN, HAND_ITEMS_MAX);
        let by_length = HAND_WORK.0 / self.now.since(slot.spawned_at).0.max(1);
        slot.hand.items_max = if is_success { share.min(by_length as usize) } else { 0 };
    }
}

impl Pool {
    /// Gives a slot an item in hand.
    fn give_in_hand(&mut self, index: usize, lease: Lease) {
        self.hands += 1;
        self.slots[index].hand.leases.push_back(lease);
        self.cursor = (index + 1) % self.slots.len();
        self.update_sets(index);
    }

    /// Takes what is at this place in the hand of a slot.
    fn take_in_hand(&mut self, index: usize, place: usize) -> Option<Lease> {
        let hand = &mut self.slots[index].hand;
        let lease = hand.leases.remove(place)?;
        hand.recalled &= !hand.leases.is_empty();
        self.hands -= 1;
        self.update_sets(index);
        Some(lease)
    }
}
