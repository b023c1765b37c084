//! Workers that say a few bytes at a time. Each byte of such a one would cost a turn of the loop, and over sockets
//! a packet, which others pay with their time. So after a few crumbs in a row its channel is left alone for a
//! moment, and longer while nothing but crumbs comes; what it says meanwhile comes by one read, or has to wait.
//!
//! Invariant: a channel rests only in the middle of a frame of which little came, again and again. Whoever sends
//! whole frames, or large parts of them, never waits; and a head is whole, and judged, within a second.

use super::event_loop::Engine;
use super::slots::Watched;
use super::token::Part;
use crate::model::time::{Duration, Instant};
use crate::sys::poller::Interest;

/// A read of less that ends within a frame brought crumbs. No transport cuts what it carries into such parts.
pub const CRUMBS_BYTES: usize = 1024;

/// Reads in a row that may bring crumbs: a header, a head and a body may be written one after the other.
const CRUMBS_FREE: u32 = 4;

/// The first rest, and how often in a row the next one is twice as long.
const REST_MIN: Duration = Duration::from_millis(1);
const REST_DOUBLINGS_MAX: u32 = 3;

/// Who rests, and until when. Few do, and for a moment.
#[derive(Default)]
pub struct Resting(Vec<(usize, Instant)>);

impl Resting {
    /// When the first one is to be looked at again.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(_, until)| *until).min()
    }
}

impl Engine {
    /// Leaves a worker alone that brought nothing but crumbs of late.
    pub(super) fn rest(&mut self, index: usize) {
        let Some(slot) = self.slots.at(index) else { return };
        let token = slot.token(index, Part::Frames);
        let Some(resident) = slot.resident() else { return };
        let Some(doublings) = resident.crumbs.checked_sub(CRUMBS_FREE) else { return };
        let (Watched::Yes, Some(link)) = (resident.reading, resident.link.as_ref()) else { return };
        if self.poller.modify(link.channel.read_fd(), Interest::NONE, token).is_ok() {
            resident.reading = Watched::Resting;
            let rest = REST_MIN.doubled(doublings.min(REST_DOUBLINGS_MAX));
            self.resting.0.push((index, Instant(self.now.0.saturating_add(rest.0))));
        }
    }

    /// Goes on with those that have rested.
    pub(super) fn end_rests(&mut self) {
        while let Some(at) = self.resting.0.iter().position(|(_, until)| *until <= self.now) {
            let (index, _) = self.resting.0.swap_remove(at);
            let Some(slot) = self.slots.at(index) else { continue };
            let token = slot.token(index, Part::Frames);
            let Some(resident) = slot.resident().filter(|resident| resident.reading == Watched::Resting) else {
                continue;
            };
            resident.reading = Watched::Yes;
            if let Some(link) = resident.link.as_ref() {
                let _ = self.poller.modify(link.channel.read_fd(), Interest::READ, token);
            }
            self.pause_reading_of(index);
            self.note_awake(index);
        }
    }
}
