//! A pause of the whole run: the processes of all workers are stopped by STOP, and go on by CONT.
//!
//! Invariant: while the run is paused no process is started, no item is dispatched and no deadline passes. What was on its
//! way counts: results, exits, and a process whose start was ordered before, which is stopped as soon as it runs. A stop
//! continues the run first.

use super::Core;
use super::reason::{Reason, TakeBackReason};
use crate::model::event::{RunEvent, Stage};
use crate::model::signal::Signal;
use crate::mutant::mutant;

impl Core {
    /// Pauses the run. One that is being terminated goes on: the term sequence ends it soon.
    pub(super) fn pause(&mut self) {
        if !self.started || self.stage >= Stage::Terminating || self.clock.is_paused() {
            return;
        }
        self.clock.pause();
        self.gate.paused = mutant!(PausedStarts, true, false);
        self.report(RunEvent::RunPaused);
        self.recall_hands(TakeBackReason::Paused);
        for index in 0..self.pool.slots.len() {
            self.stop_with_run(index);
        }
    }

    /// Goes on after a pause.
    pub(super) fn continue_run(&mut self) {
        if !self.clock.go_on() {
            return;
        }
        self.gate.paused = false;
        self.report(RunEvent::RunContinued);
        for index in 0..self.pool.slots.len() {
            let slot = &mut self.pool.slots[index];
            if std::mem::take(&mut slot.is_paused) && !slot.is_held {
                self.because(|_| Reason::Continued);
                self.push_signal(index, Signal::CONT);
            }
        }
        self.start_due();
    }

    /// If the run is paused, the process of this slot is stopped, unless it was already.
    pub(super) fn stop_with_run(&mut self, index: usize) {
        let slot = &mut self.pool.slots[index];
        if !self.clock.is_paused() || slot.pid.is_none() || std::mem::replace(&mut slot.is_paused, true) {
            return;
        }
        // What chaos has stopped goes on with the others.
        slot.chaos.forget_stop();
        if !slot.is_held {
            self.because(|_| Reason::Paused);
            self.push_signal(index, Signal::STOP);
        }
    }
}
