//! The core's orders, carried out: one match, a line or two for each.

use super::event_loop::Engine;
use super::telling::Answer;
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::event::RunEvent;
use crate::model::ids::{Incarnation, ItemId, WorkerId};
use crate::model::outcome::Settlement;
use crate::model::signal::Signal;

impl Engine {
    /// Carries out all that the core ordered. `answer` is what came with the fact that led to it.
    pub(super) fn carry_out(&mut self, mut answer: Option<Answer<'_>>) {
        // A settlement is told from where its answer lies if its turn comes at once; else it is copied.
        let mut settled = None;
        while let Some(action) = self.core.poll_action() {
            let mut before: Option<Settlement> = settled.take();
            if let Action::Emit { first, count } = action {
                self.intake.told += u64::from(count);
                if let Some(settlement) = before.take_if(|before| (before.first, before.count) == (first, count)) {
                    self.telling.tell_at_once(self.now, &settlement, &mut answer, &mut self.payloads);
                    continue;
                }
            }
            self.hold(before, &mut answer);
            match action {
                Action::Settle(settlement) => settled = Some(settlement),
                Action::Emit { first, count } => self.telling.emit(self.now, first, count, &mut self.payloads),
                // Told by `end`, once the output is written.
                Action::Report(RunEvent::RunFinished(_)) => {}
                Action::Report(event) => self.telling.event(self.now, &event),
                Action::Demand { items } => self.intake.demand = items,
                Action::CloseSource => self.close_source(),
                Action::Spawn { worker, incarnation } => self.spawn_resident(worker, incarnation),
                Action::Launch { worker, incarnation, batch } => self.launch_command(worker, incarnation, batch),
                Action::Kill { worker, incarnation, signal } => {
                    self.kill(worker, incarnation, signal);
                }
                Action::Probe { worker, incarnation } => self.look(worker, incarnation),
                Action::Dispatch { .. } | Action::CloseInput { .. } | Action::Recall { .. } => {
                    self.orders.push_back(action);
                }
                Action::Finish(outcome) => self.outcome = Some(outcome),
            }
        }
        self.hold(settled, &mut answer);
    }

    fn hold(&mut self, settlement: Option<Settlement>, answer: &mut Option<Answer<'_>>) {
        if let Some(settlement) = settlement {
            self.telling.hold(self.now, settlement, answer, &mut self.payloads);
        }
    }

    /// One that is already gone is no error. One that has changed its user may not be ours to signal.
    fn kill(&mut self, worker: WorkerId, incarnation: Incarnation, signal: Signal) {
        if self.kill_command(worker, incarnation, signal) {
            return;
        }
        let Some(slot) = self.slots.get(worker, incarnation) else { return };
        if let Some(thread) = slot.thread() {
            // It cannot be ended. It can be asked to leave, and not be waited for any longer.
            if signal == Signal::KILL {
                thread.leave_behind();
            }
            self.orders.push_back(Action::Recall { worker, incarnation });
            return;
        }
        let Some(process) = slot.process() else { return };
        if let Err(error) = process.signal_group(signal) {
            let line =
                format!("supervisor: failed to send {signal} to worker {worker} (pid {}): {error}\n", process.pid);
            self.telling.err.push(line.as_bytes());
        }
    }

    fn look(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if self.congested {
            self.facts.push_back(Input::TimeExcluded { worker, incarnation });
            return;
        }
        let slot = self.slots.get(worker, incarnation);
        let running: Option<ItemId> =
            slot.and_then(|slot| slot.resident()).and_then(|resident| resident.progress.running());
        self.facts.push_back(Input::ProbeResult { worker, incarnation, running });
    }
}
