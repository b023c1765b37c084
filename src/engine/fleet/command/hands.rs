//! What the slots of a launcher have in hand: the items of the commands that it starts without a further order.
//!
//! Invariant: an item comes out once, to be started or to be returned. It is started only behind a command that has
//! exited with 0, in the order in which the items were given, as the next incarnation of its slot.

use super::messages::InHand;
use crate::model::exit::ExitStatus;
use crate::model::ids::Incarnation;
use crate::mutant::mutant;
use std::collections::VecDeque;

/// What becomes of an item that is given to a slot.
pub enum HandFate {
    Kept,
    Start(InHand, Incarnation),
    Return(InHand),
}

/// By the place of a slot among those of the launcher.
#[derive(Default)]
pub struct Hands {
    places: Vec<HandPlace>,
}

#[derive(Default)]
struct HandPlace {
    items: VecDeque<InHand>,
    /// How many they were when the last one was given.
    given: usize,
    /// The slot has no command, and the last one has exited with 0.
    goes_on: bool,
    /// Of the last command.
    incarnation: u32,
}

impl HandPlace {
    const fn next(&self) -> Incarnation {
        Incarnation(self.incarnation.wrapping_add(1))
    }
}

impl Hands {
    fn place(&mut self, place: usize) -> &mut HandPlace {
        if place >= self.places.len() {
            self.places.resize_with(place + 1, HandPlace::default);
        }
        &mut self.places[place]
    }

    /// Takes an item for a slot. `runs`: the slot has a command. If it has none, its end has been reported already, and the
    /// fate of the item is certain.
    pub fn give(&mut self, place: usize, runs: bool, hand: InHand) -> HandFate {
        let place = self.place(place);
        match () {
            () if runs => {
                place.items.push_back(hand);
                place.given = place.items.len();
                HandFate::Kept
            }
            () if place.goes_on => HandFate::Start(hand, place.next()),
            () => HandFate::Return(hand),
        }
    }

    /// Whether a slot has nothing in hand.
    pub fn is_empty(&self, place: usize) -> bool {
        self.places.get(place).is_none_or(|place| place.items.is_empty())
    }

    /// Whether it has no more than half of what it had when the last one was given: it is time to give it more.
    pub fn is_low(&self, place: usize) -> bool {
        self.places.get(place).is_none_or(|place| 2 * place.items.len() <= place.given)
    }

    /// The command of a slot has ended: whether the next one may start.
    pub fn end(&mut self, place: usize, status: ExitStatus) -> bool {
        let place = self.place(place);
        place.goes_on = mutant!(HandAfterFailure, status == ExitStatus::Code(0), true);
        place.goes_on
    }

    /// A command of a slot is started, or is not: what comes behind it depends on it.
    pub fn begin(&mut self, place: usize, incarnation: Incarnation) {
        let place = self.place(place);
        (place.goes_on, place.incarnation) = (false, incarnation.0);
    }

    /// Takes out the item that is started next, and as which incarnation.
    pub fn pop_next(&mut self, place: usize) -> Option<(InHand, Incarnation)> {
        let place = self.place(place);
        Some((place.items.pop_front()?, place.next()))
    }

    /// Takes out everything that a slot has in hand.
    pub fn take_all(&mut self, place: usize) -> impl Iterator<Item = InHand> + '_ {
        self.place(place).items.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fleet::command::messages::ItemBytes;
    use crate::model::ids::{Attempt, Batch, ItemId, WorkerId};
    use crate::sys::block::{Block, BlockSlice};
    use std::sync::Arc;

    fn hand(item: u64) -> InHand {
        let block = Arc::new(Block::from(b"item".to_vec()));
        InHand {
            worker: WorkerId::from_index(0),
            batch: Batch::of_one(ItemId(item), Attempt::FIRST),
            item: ItemBytes::from(BlockSlice::whole(&block)),
        }
    }

    #[test]
    fn items_are_started_in_order_and_the_rest_is_returned() {
        let mut hands = Hands::default();
        hands.begin(1, Incarnation(7));
        for item in 2..=5 {
            assert!(matches!(hands.give(1, true, hand(item)), HandFate::Kept));
        }
        assert!(hands.is_empty(0) && !hands.is_empty(1) && hands.is_empty(9));
        assert!(hands.is_low(0) && !hands.is_low(1) && hands.is_low(9));
        assert!(hands.end(1, ExitStatus::Code(0)));
        let next = hands.pop_next(1).map(|(hand, incarnation)| (hand.batch.first.0, incarnation.0));
        assert_eq!(next, Some((2, 8)));
        assert!(!hands.is_low(1), "three of four are left");
        hands.begin(1, Incarnation(8));
        assert_eq!(hands.take_all(1).map(|hand| hand.batch.first.0).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(hands.pop_next(1).is_none() && hands.is_low(1));
    }

    #[test]
    fn behind_a_command_that_has_ended_the_fate_is_certain() {
        let mut hands = Hands::default();
        assert!(matches!(hands.give(0, false, hand(2)), HandFate::Return(_)), "no command came before");
        hands.begin(0, Incarnation(1));
        assert!(hands.end(0, ExitStatus::Code(0)));
        assert!(matches!(hands.give(0, false, hand(2)), HandFate::Start(_, Incarnation(2))));
        hands.begin(0, Incarnation(2));
        assert!(matches!(hands.give(0, false, hand(3)), HandFate::Return(_)), "it could not be started");
        assert!(!hands.end(0, ExitStatus::Code(1)));
        assert!(matches!(hands.give(0, false, hand(3)), HandFate::Return(_)));
    }
}
