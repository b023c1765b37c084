//! What a worker does to its own items by the plan of chaos that it was given: it delays them, or does not answer.
//!
//! Invariant: a delay changes nothing of an item's result.

use crate::model::signal::Signal;
use crate::model::time::Duration;
use crate::sys::signals;

/// The item is slow.
pub(super) fn delay(time: Duration) {
    std::thread::sleep(std::time::Duration::from_nanos(time.0));
}

/// The item is never answered for, and TERM does not end the worker. Never returns.
pub(super) fn hang() -> ! {
    // A worker that cannot ignore it ends at the first signal.
    let _ = signals::ignore(Signal::TERM);
    loop {
        std::thread::park();
    }
}
