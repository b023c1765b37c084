//! Items on their way from the source into the core: no further ahead than it demands, and no
//! faster than stdout takes the results.

use super::event_loop::Engine;
use super::token::Port;
use crate::core::input::Input;
use crate::model::ids::ItemId;
use crate::source::{Delivery, Source};
use crate::sys::poller::{Added, Interest};

/// Batches taken from the source before the loop looks at its workers again.
const BATCHES_PER_TURN: u32 = 8;

/// Bytes of items and held results above which the source waits, as long as every worker has items:
/// so many, and so many for each worker, which are as many runs as one may hold. Not more altogether
/// than leaves the whole supervisor under 16 MiB.
const BYTES_AHEAD: u64 = 1 << 20;
const BYTES_AHEAD_PER_WORKER: u64 = 256 * 1024;
const BYTES_AHEAD_MAX: u64 = 3 << 20;

/// Items in hand for each worker below which bytes do not make the source wait.
const ITEMS_PER_WORKER_MIN: u64 = 2;

/// The source and how far it is.
pub struct Intake {
    source: Option<Box<dyn Source>>,
    /// It had nothing: it is not asked again before its descriptor is readable.
    idle: bool,
    /// Its descriptor is in the poller, whether it is idle or not.
    watched: bool,
    /// Items that it may still deliver.
    pub demand: u64,
    /// The id of the next item.
    pub next: ItemId,
    /// Items that were told: their bytes are gone.
    pub told: u64,
    /// The order of the queue wants as much read ahead as the core demands, whatever its bytes.
    reads_far: bool,
}

impl Intake {
    pub fn new(source: Box<dyn Source>, reads_far: bool) -> Self {
        Self { source: Some(source), idle: false, watched: false, demand: 0, next: ItemId(0), told: 0, reads_far }
    }

    /// Its descriptor is readable: it may be asked again.
    pub fn woken(&mut self) {
        self.idle = false;
    }
}

impl Engine {
    /// Takes in what is demanded. Returns whether there is more to take at once.
    pub(super) fn take_in(&mut self) -> bool {
        for _ in 0..BATCHES_PER_TURN {
            if self.intake.source.is_none() {
                return false;
            }
            if self.intake.demand == 0 || self.reads_too_far() {
                self.watch_source(false);
                return false;
            }
            if self.intake.idle {
                self.watch_source(true);
                return !self.intake.idle;
            }
            self.take_payload();
        }
        true
    }

    /// The source is closed for ever.
    pub(super) fn close_source(&mut self) {
        self.watch_source(false);
        self.intake.source = None;
    }

    fn take_payload(&mut self) {
        let Some(source) = self.intake.source.as_mut() else { return };
        match source.next(self.intake.demand) {
            Ok(Delivery::Items(payload)) => {
                let (first, count, priority) = (self.intake.next, payload.count, payload.priority);
                self.took(u64::from(count));
                self.payloads.insert(first, payload);
                self.feed(Input::BatchArrived { first, count, priority });
            }
            Ok(Delivery::Rejected(reason)) => {
                let item = self.intake.next;
                self.took(1);
                self.feed(Input::ItemRejected { item, reason });
            }
            // A source that is always ready has only read much without an item's end.
            Ok(Delivery::Idle) if source.fd().is_none() => {}
            Ok(Delivery::Idle) => {
                self.intake.idle = true;
                self.feed(Input::SourceIdle);
            }
            Ok(Delivery::Ended) => {
                self.close_source();
                self.feed(Input::SourceEnded);
            }
            Err(error) => {
                self.close_source();
                self.feed(Input::SourceLost { error: error.to_string() });
            }
        }
    }

    fn took(&mut self, items: u64) {
        self.intake.next = self.intake.next.plus(items);
        self.intake.demand = self.intake.demand.saturating_sub(items);
    }

    /// Bytes make the source wait only where that cannot leave a worker without items.
    fn reads_too_far(&self) -> bool {
        if self.congested {
            return true;
        }
        let in_hand = self.intake.next.0 - self.intake.told;
        let workers = self.slots.len() as u64;
        let bytes_max = (BYTES_AHEAD + workers * BYTES_AHEAD_PER_WORKER).min(BYTES_AHEAD_MAX);
        !self.intake.reads_far
            && in_hand >= ITEMS_PER_WORKER_MIN * workers
            && self.payloads.bytes() + self.telling.held_bytes() > bytes_max
    }

    /// Puts the source into the poller, or takes it out: in there while nothing is taken from it, it
    /// would be ready again and again.
    fn watch_source(&mut self, wanted: bool) {
        let Some(fd) = self.intake.source.as_ref().and_then(|source| source.fd()) else {
            self.intake.idle = false;
            return;
        };
        if wanted == self.intake.watched {
            return;
        }
        if wanted {
            let added = self.poller.add(fd, Interest::READ, Port::Source.token());
            self.intake.watched = matches!(added, Ok(Added::Watched));
            // What cannot be waited for is always ready, or will say by itself what is wrong with it.
            self.intake.idle &= self.intake.watched;
        } else {
            let _ = self.poller.remove(fd);
            self.intake.watched = false;
        }
    }
}
