//! Channels that deliver a few bytes at a time. Each short read costs a turn of the loop, and over sockets a packet,
//! which the other workers pay with their time. So a channel that keeps delivering less than 1 KiB of an unfinished frame
//! is throttled: it is not read for 1 ms, doubling to 8. What it sends meanwhile arrives in one read, or has to wait.
//!
//! Invariant: a channel is throttled only in the middle of a frame, after several short reads in a row. A worker that
//! sends whole frames, or large parts of them, never waits; and a header is whole, and judged, within a second.

use crate::model::time::{Duration, Instant};

/// A read of fewer bytes that ends within a frame is short. No transport cuts what it carries into such parts.
pub const SHORT_READ_BYTES: usize = 1024;

/// Short reads in a row that are free: a worker may write a header, a head and a body one after the other.
const SHORT_READS_FREE: u32 = 4;

/// The first pause, and how often in a row the next one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_DOUBLINGS_MAX: u32 = 3;

/// The throttled slots, and until when. They are few, and are throttled for a moment.
#[derive(Default)]
pub struct Throttling(Vec<(usize, Instant)>);

impl Throttling {
    /// How long a channel is paused after this many short reads in a row; `None`: not at all.
    pub fn pause(short_reads: u32) -> Option<Duration> {
        let doublings = short_reads.checked_sub(SHORT_READS_FREE)?;
        Some(PAUSE_MIN.doubled(doublings.min(PAUSE_DOUBLINGS_MAX)))
    }

    /// Throttles the channel of this slot.
    pub fn add(&mut self, index: usize, until: Instant) {
        self.0.push((index, until));
    }

    /// When the first pause ends.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(_, until)| *until).min()
    }

    /// A slot whose pause is over, once.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let at = self.0.iter().position(|(_, until)| *until <= now)?;
        Some(self.0.swap_remove(at).0)
    }
}
