//! How often a transport copies the bytes of items. Each transport states it beside its code, where the copies are made.
//!
//! Counted are copies of the bytes of an item between the block that the source has read and the slice that the handler
//! sees, and of a result between the handler's output and the buffer from which the supervisor writes it. Copies by the
//! kernel count like our own. What a transport adds (headers, references) does not count.

use serde::Serialize;

/// Copies of the bytes of an item, there and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Copies {
    /// A message with one small item.
    pub message: RoundTrip,
    /// A full batch: bodies so large that they are sent from where they are, if the transport can do that.
    pub batch: RoundTrip,
}

/// Copies on each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RoundTrip {
    /// Of an item, to the worker.
    pub there: u8,
    /// Of its result, to the supervisor.
    pub back: u8,
}

impl Copies {
    /// Each pair as there and back.
    pub(super) const fn new(message: (u8, u8), batch: (u8, u8)) -> Self {
        Self {
            message: RoundTrip { there: message.0, back: message.1 },
            batch: RoundTrip { there: batch.0, back: batch.1 },
        }
    }
}
