//! The end of a worker's stderr, on its way from the fleet to what is reported of the worker.
//!
//! Invariant: the core knows nothing of it, and nothing is decided by it.

use super::fleet::Fleet;
use crate::model::event::{EndReason, RunEvent};

/// Adds it to the event that a worker has ended, unless it left as it was asked.
pub fn add(event: &mut RunEvent, fleet: &mut Fleet) {
    if let RunEvent::WorkerExited { worker, incarnation, exit, reason, stderr, .. } = event
        && !(exit.is_success() && matches!(reason, EndReason::Asked))
    {
        *stderr = fleet.last_stderr(*worker, *incarnation);
    }
}
