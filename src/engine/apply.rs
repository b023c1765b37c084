//! The core's orders, carried out: one match, a line or two for each.

use super::event_loop::Engine;
use super::telling::Answer;
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::ids::{Incarnation, ItemId, WorkerId};

impl Engine {
    /// Carries out all that the core ordered. `answer` is what came with the fact that led to it.
    pub(super) fn carry_out(&mut self, answer: Option<&Answer<'_>>) {
        // A settlement is told from where its answer lies if its turn comes at once; else it is copied.
        let mut settled = None;
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Settle(settlement) => {
                    let settlement = self.telling.settlement(self.now, settlement);
                    if let Some(earlier) = settled.replace(settlement) {
                        self.telling.hold(earlier, answer);
                    }
                }
                Action::Emit { first, count } => {
                    match settled.take_if(|settlement| settlement.first == first && settlement.count == count) {
                        Some(settlement) => self.telling.tell(self.now, &settlement, answer, &mut self.payloads),
                        None => {
                            if let Some(earlier) = settled.take() {
                                self.telling.hold(earlier, answer);
                            }
                            self.telling.emit(self.now, first, count, &mut self.payloads);
                        }
                    }
                    self.intake.told += u64::from(count);
                }
                Action::Report(event) => self.telling.event(self.now, &event),
                Action::Demand { items } => self.intake.demand = items,
                Action::CloseSource => self.close_source(),
                Action::Spawn { worker, incarnation } => self.spawn_resident(worker, incarnation),
                Action::Launch { worker, incarnation, run } => self.launch_command(worker, incarnation, run),
                Action::Kill { worker, incarnation, signal } => {
                    if let Some(process) = self.slots.get(worker, incarnation).and_then(|slot| slot.process()) {
                        // One that is already gone is no error.
                        let _ = process.signal_group(signal);
                    }
                }
                Action::Look { worker, incarnation } => self.look(worker, incarnation),
                Action::Dispatch { .. } | Action::CloseInput { .. } | Action::Recall { .. } => {
                    self.orders.push_back(action);
                }
                Action::Finish(outcome) => self.outcome = Some(outcome),
            }
        }
        if let Some(last) = settled {
            self.telling.hold(last, answer);
        }
    }

    fn look(&mut self, worker: WorkerId, incarnation: Incarnation) {
        let slot = self.slots.get(worker, incarnation);
        let running: Option<ItemId> =
            slot.and_then(|slot| slot.resident()).and_then(|resident| resident.board.running());
        self.facts.push_back(Input::Seen { worker, incarnation, running });
    }
}
