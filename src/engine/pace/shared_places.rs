//! Places of a semaphore that several runs share (`--sem`): a process is started only on a place.
//!
//! Invariant: at the end of a turn no more places are held than there are processes. Which process is on which place is
//! no matter.

use super::super::turn::Turn;
use crate::core::input::Input;
use crate::sys::place_taker::PlaceTaker;
use crate::sys::semaphore::SemaphorePlace;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd};

/// The places that this run holds.
pub struct SharedPlaces {
    taker: PlaceTaker,
    /// All runs together may hold as many, as far as this run is concerned.
    places_max: NonZeroU32,
    held: Vec<SemaphorePlace>,
    is_awaited: bool,
}

impl SharedPlaces {
    pub const fn new(taker: PlaceTaker, places_max: NonZeroU32) -> Self {
        Self { taker, places_max, held: Vec::new(), is_awaited: false }
    }

    /// Whether there is a place for one process more than the run has. If not, one is waited for.
    pub fn allows(&mut self, processes: usize) -> bool {
        let has_place = self.held.len() > processes;
        if !has_place && !std::mem::replace(&mut self.is_awaited, true) {
            self.taker.ask(self.places_max);
        }
        has_place
    }

    /// The place may have come.
    pub fn on_ready(&mut self, turn: &mut Turn) {
        let Some(answer) = self.taker.answer() else { return };
        self.is_awaited = false;
        match answer {
            Ok(place) => self.held.push(place),
            Err(error) => turn.report(Input::StorageLost { error: error.to_string() }),
        }
    }

    /// Gives back the places of processes that have ended.
    pub fn end_turn(&mut self, processes: usize) {
        self.held.truncate(processes);
    }
}

impl AsFd for SharedPlaces {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.taker.as_fd()
    }
}
