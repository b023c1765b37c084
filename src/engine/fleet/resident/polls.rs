//! The polls of busy-polled channels: once a turn, and for a while before the loop waits.

use super::Residents;
use super::busy_polling::{POLLS_PER_LOOK, Polled, QUIET_POLLS_MAX};
use super::link::Read;
use super::slots::{Slots, Watched};
use crate::engine::turn::Turn;
use crate::model::time::Duration;
use crate::mutant::mutant;
use crate::sys::poller::Ready;
use std::hint::spin_loop;
use std::io;

impl Residents {
    /// Polls each busy-polled channel once; `true` if one had something. `busy`: the loop has something else to do.
    pub fn poll(&mut self, busy: bool, turn: &mut Turn) -> bool {
        let (mut at, mut found) = (0, false);
        while let Some(&index) = self.polling.slots.get(at) {
            let polled = self.poll_one(index, busy || found, turn);
            found |= matches!(polled, Polled::Something | Polled::Ended);
            if matches!(polled, Polled::Over | Polled::Ended) {
                self.polling.slots.swap_remove(at);
                if let Some(resident) = self.slots.resident(index) {
                    resident.busy_polled = false;
                }
            } else {
                at += 1;
            }
        }
        found
    }

    fn poll_one(&mut self, index: usize, busy: bool, turn: &mut Turn) -> Polled {
        if self.slots.resident(index).is_none_or(|resident| resident.reading != Watched::Yes) {
            return Polled::Over;
        }
        match self.read(index, turn) {
            Read::Bytes(_) => return Polled::Something,
            Read::Blocked => {}
            // The loop must not wait before the fact is handled.
            Read::Finished => return mutant!(LastFactForgotten, Polled::Ended, Polled::Over),
        }
        let backlog = |slots: &mut Slots| {
            let resident = slots.resident(index)?;
            Some(resident.link.channel().backlog_bytes()).filter(|_| !resident.unwritten)
        };
        if let Some(before) = backlog(&mut self.slots).filter(|bytes| *bytes > 0) {
            self.write(index, turn);
            if backlog(&mut self.slots).is_none_or(|after| after < before) {
                return Polled::Something;
            }
        }
        let Some(resident) = self.slots.resident(index) else { return Polled::Over };
        let link = &mut resident.link;
        link.quiet_polls += 1;
        let long_quiet = busy && link.quiet_polls > QUIET_POLLS_MAX;
        if long_quiet && link.channel().arm() { Polled::Over } else { Polled::Nothing }
    }

    /// Counts a poll; `true` if the poll set is due.
    pub fn is_wait_due(&mut self, found: bool) -> bool {
        self.polling.is_wait_due(found)
    }

    /// Whether busy polling was asked for, and a channel is polled.
    pub fn spins(&self) -> bool {
        self.polling.spin > Duration::ZERO && !self.polling.slots.is_empty()
    }

    /// Goes on polling for a while; `true` if something happened. `most`: until the next deadline.
    ///
    /// # Errors
    /// The poll set failed.
    pub fn spin(&mut self, most: Option<Duration>, ready: &mut Vec<Ready>, turn: &mut Turn) -> io::Result<bool> {
        let most = most.unwrap_or(self.polling.spin).min(self.polling.spin);
        let from = turn.system.now();
        while turn.system.now().since(from) < most {
            for _ in 0..POLLS_PER_LOOK {
                spin_loop();
                if self.poll(false, turn) {
                    return Ok(true);
                }
            }
            turn.system.wait(ready, Some(Duration::ZERO))?;
            if !ready.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Arms all busy-polled channels; `false` if one had something.
    pub fn arm(&mut self) -> bool {
        let Self { polling, slots, .. } = self;
        polling.slots.retain(|&index| {
            let Some(resident) = slots.resident(index) else { return false };
            let armed = mutant!(ArmForgotten, resident.link.channel().arm(), true);
            resident.busy_polled = !armed;
            !armed
        });
        polling.slots.is_empty()
    }
}
