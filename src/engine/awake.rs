//! Channels that are awake: results, or room, may come and no descriptor says so. They are looked at
//! once a turn, and parked before the loop waits; then their descriptor tells.
//!
//! Invariant: work per turn is O(awake channels), and a channel that stays quiet is awake for a few
//! turns only. The poller is asked at least each [`TURNS_PER_POLL`] turns, so that deaths and signals
//! do not starve behind busy channels.

use super::error::EngineError;
use super::event_loop::Engine;
use super::residents::Read;
use super::slots::Watched;
use crate::model::time::Duration;
use crate::sys::poller::Ready;
use std::hint::spin_loop;

/// Turns without a look at the poller while channels are busy.
const TURNS_PER_POLL: u32 = 32;

/// Looks in a row that found nothing, after which a channel is parked though others are busy.
const QUIET_LOOKS_MAX: u32 = 32;

/// Looks between two looks at the poller and the clock while nothing happens.
const LOOKS_PER_POLL: u32 = 128;

/// The slots whose channels are awake, each once.
pub struct Awake {
    slots: Vec<usize>,
    /// How long to look in vain before the loop waits.
    spin: Duration,
    turns: u32,
}

impl Awake {
    pub const fn new(spin: Duration) -> Self {
        Self { slots: Vec::new(), spin, turns: 0 }
    }

    /// The worker in this slot has ended.
    pub fn forget(&mut self, index: usize) {
        self.slots.retain(|slot| *slot != index);
    }
}

impl Engine {
    /// A channel was read from, or written to: if it is awake it is looked at from now on.
    pub(super) fn note_awake(&mut self, index: usize) {
        let Some(resident) = self.slots.at(index).and_then(|slot| slot.resident()) else { return };
        let is_busy_polled = resident.link.as_ref().is_some_and(|link| link.channel.is_busy_polled());
        if is_busy_polled && !resident.awake && !resident.finished && resident.reading == Watched::Yes {
            (resident.awake, resident.quiet_looks) = (true, 0);
            self.awake.slots.push(index);
        }
    }

    /// Looks at the channels that are awake, and then waits for events, unless there is no need to.
    /// `busy`: something else is to be done.
    pub(super) fn wait(&mut self, ready: &mut Vec<Ready>, busy: bool) -> Result<(), EngineError> {
        ready.clear();
        let heard = self.look_around(busy);
        if heard {
            self.awake.turns += 1;
            if self.awake.turns < TURNS_PER_POLL {
                return Ok(());
            }
        }
        self.awake.turns = 0;
        if heard || busy {
            return self.poll(ready, Some(Duration::ZERO));
        }
        if self.spin(ready)? || !self.park_all() {
            return Ok(());
        }
        let timeout = self.next_timeout();
        self.poll(ready, timeout)
    }

    fn poll(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> Result<(), EngineError> {
        self.poller.wait(ready, timeout).map_err(EngineError::system("wait for events"))
    }

    /// Goes on looking for a while, if that was asked for; `true` if something happened.
    fn spin(&mut self, ready: &mut Vec<Ready>) -> Result<bool, EngineError> {
        if self.awake.spin == Duration::ZERO || self.awake.slots.is_empty() {
            return Ok(false);
        }
        let most = self.next_timeout().unwrap_or(self.awake.spin).min(self.awake.spin);
        let from = self.clock.now();
        while self.clock.now().since(from) < most {
            for _ in 0..LOOKS_PER_POLL {
                spin_loop();
                if self.look_around(false) {
                    return Ok(true);
                }
            }
            self.poll(ready, Some(Duration::ZERO))?;
            if !ready.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks at each channel that is awake once; `true` if one had something.
    fn look_around(&mut self, busy: bool) -> bool {
        let (mut at, mut heard) = (0, false);
        while let Some(&index) = self.awake.slots.get(at) {
            let looked = self.look_at(index, busy || heard);
            heard |= looked == Probe::Heard;
            if looked == Probe::Over {
                self.awake.slots.swap_remove(at);
                if let Some(resident) = self.slots.at(index).and_then(|slot| slot.resident()) {
                    resident.awake = false;
                }
            } else {
                at += 1;
            }
        }
        heard
    }

    fn look_at(&mut self, index: usize, busy: bool) -> Probe {
        let resident = self.slots.at(index).and_then(|slot| slot.resident());
        if !resident.is_some_and(|resident| resident.reading == Watched::Yes) {
            return Probe::Over;
        }
        match self.read_frames(index) {
            Read::Bytes(_) => {
                self.run_orders();
                return Probe::Heard;
            }
            Read::Blocked => {}
            Read::Finished => return Probe::Over,
        }
        let backlog_bytes = |engine: &mut Self| {
            let resident = engine.slots.at(index)?.resident()?;
            Some(resident.link.as_ref()?.channel.backlog_bytes()).filter(|_| !resident.unwritten)
        };
        if let Some(before) = backlog_bytes(self).filter(|bytes| *bytes > 0) {
            self.write_frames_of(index);
            if backlog_bytes(self).is_none_or(|after| after < before) {
                return Probe::Heard;
            }
        }
        let Some(resident) = self.slots.at(index).and_then(|slot| slot.resident()) else { return Probe::Over };
        resident.quiet_looks += 1;
        let long_quiet = busy && resident.quiet_looks > QUIET_LOOKS_MAX;
        let over = long_quiet && resident.link.as_mut().is_some_and(|link| link.channel.arm());
        if over { Probe::Over } else { Probe::Nothing }
    }

    /// Parks all channels; `false` if one had something.
    fn park_all(&mut self) -> bool {
        let Self { awake, slots, .. } = self;
        awake.slots.retain(|&index| {
            let Some(resident) = slots.at(index).and_then(|slot| slot.resident()) else { return false };
            let parked = resident.link.as_mut().is_none_or(|link| link.channel.arm());
            resident.awake = !parked;
            !parked
        });
        awake.slots.is_empty()
    }
}

/// What one look at a channel found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Probe {
    Heard,
    Nothing,
    /// It is looked at no more: it is parked, or not to be read from.
    Over,
}
