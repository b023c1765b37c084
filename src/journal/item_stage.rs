//! Where an item of a journal stands.

use crate::model::journal_spec::TriedAgain;
use crate::model::outcome::Outcome;

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemStage {
    /// Accepted, and to be begun or to be tried again.
    Waiting,
    /// Begun in the present session.
    InFlight,
    Done,
    Failed,
    Dead,
    Skipped,
}

impl ItemStage {
    pub(super) const ALL: [Self; 6] =
        [Self::Waiting, Self::InFlight, Self::Done, Self::Failed, Self::Dead, Self::Skipped];

    pub(super) const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Failed => Self::Failed,
            Outcome::Dead => Self::Dead,
            Outcome::Skipped => Self::Skipped,
        }
    }

    /// Whether an item that stands there is done all the same, where that is asked for.
    #[must_use]
    pub const fn is_tried_again(self, again: TriedAgain) -> bool {
        match again {
            TriedAgain::None => false,
            TriedAgain::Dead => matches!(self, Self::Dead),
            TriedAgain::FailedAndDead => matches!(self, Self::Dead | Self::Failed),
        }
    }

    /// Whether an item that stands there can be done after all.
    #[must_use]
    pub const fn is_reopenable(self) -> bool {
        matches!(self, Self::Failed | Self::Dead | Self::Skipped)
    }

    /// Whether an item that stands there can be given up between two sessions.
    #[must_use]
    pub const fn is_droppable(self) -> bool {
        matches!(self, Self::Waiting | Self::Failed | Self::Dead)
    }

    /// Whether an item that stands there has its outcome.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::InFlight)
    }
}

/// What is known of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemState {
    pub stage: ItemStage,
    /// Attempts that were begun.
    pub attempts: u32,
}
