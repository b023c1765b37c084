//! Resident workers that are stopped and go on.

use super::Residents;
use crate::core::input::Input;
use crate::engine::turn::Turn;
use crate::sys::children::ChildChange;

impl Residents {
    /// Whether a worker has this process.
    pub fn has_process(&self, pid: u32) -> bool {
        self.slots.of_process(pid).is_some()
    }

    /// Reports that a worker was stopped, or goes on.
    pub fn note_change(&self, change: ChildChange, turn: &mut Turn) {
        if let Some((worker, incarnation)) = self.slots.of_process(change.pid) {
            turn.report(Input::Stopped { worker, incarnation, by: change.stopped });
        }
    }
}
