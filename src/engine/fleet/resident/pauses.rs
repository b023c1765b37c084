//! When workers are not read from for a while: the output is congested, or a channel is throttled.
//!
//! Invariant: what is paused goes on once the reason is gone, and the end of a worker is seen all the same.

use super::super::super::token::Part;
use super::super::super::turn::Turn;
use super::Residents;
use super::slots::Watched;
use super::throttling::Throttling;
use crate::mutant::mutant;
use crate::sys::poller::Interest;
use std::os::fd::AsFd;

impl Residents {
    /// Stops reading results, or goes on. A worker that waits in a write meanwhile runs into no time limit.
    pub fn set_congested(&mut self, congested: bool, turn: &mut Turn) {
        self.congested = congested;
        for index in 0..self.slots.len() {
            self.pause(index, turn);
        }
    }

    /// A worker whose hello has not come yet is read all the same.
    pub(super) fn pause(&mut self, index: usize, turn: &mut Turn) {
        let Some(slot) = self.slots.at(index) else { return };
        let (token, stderr_token) = (slot.token(index, Part::Frames), slot.token(index, Part::Stderr));
        let Some(resident) = slot.resident.as_deref_mut() else { return };
        if let Some(stderr) = resident.stderr.as_mut().filter(|stderr| stderr.is_watched) {
            let interest = if self.congested { Interest::NONE } else { Interest::READ };
            let _ = turn.system.rewatch(stderr.as_fd(), interest, stderr_token);
        }
        let (reading, interest) = match resident.reading {
            Watched::Yes if self.congested && resident.link.is_greeted() => (Watched::Paused, Interest::NONE),
            Watched::Paused if mutant!(PausedForEver, !self.congested, false) => (Watched::Yes, Interest::READ),
            _ => return,
        };
        let _ = turn.system.rewatch(resident.link.channel().read_fd(), interest, token);
        resident.reading = reading;
        self.note_busy_polled(index);
    }

    /// Throttles a channel that has delivered nothing but short reads of late.
    pub(super) fn throttle(&mut self, index: usize, turn: &mut Turn) {
        let Some(slot) = self.slots.at(index) else { return };
        let token = slot.token(index, Part::Frames);
        let Some(resident) = slot.resident.as_deref_mut() else { return };
        let Some(pause) = Throttling::pause(resident.link.short_reads()) else { return };
        if resident.reading != Watched::Yes {
            return;
        }
        if turn.system.rewatch(resident.link.channel().read_fd(), Interest::NONE, token).is_ok() {
            resident.reading = Watched::Throttled;
            self.throttling.add(index, turn.now + pause);
        }
    }
}
