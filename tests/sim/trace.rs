//! What happened, as a hash; on request as text too.

use crate::agenda::{Effect, ProcessId};
use supervisor::core::action::Action;
use supervisor::model::outcome::Settlement;

#[derive(Default)]
pub struct Trace {
    hash: u64,
    /// Prints each event as it happens.
    pub aloud: bool,
}

impl Trace {
    pub const fn reset(&mut self) {
        self.hash = 0xcbf2_9ce4_8422_2325;
    }

    pub const fn hash(&self) -> u64 {
        self.hash
    }

    pub fn word(&mut self, words: &[u64]) {
        for &word in words {
            self.hash = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.hash ^= self.hash >> 29;
        }
    }

    pub fn say(&self, now: u64, text: impl FnOnce() -> String) {
        if self.aloud {
            println!("{:>14} {}", now, text());
        }
    }

    pub fn effect(&mut self, now: u64, effect: Effect) {
        let (code, process): (u64, ProcessId) = match effect {
            Effect::SpawnAnswered(id) => (2, id),
            Effect::Begins(id) => (3, id),
            Effect::Wakes(id) => (4, id),
            Effect::ItemEnds(id) => (5, id),
            Effect::Read(id) => (6, id),
            Effect::EndOfFile(id) => (7, id),
            Effect::Probed(id) => (8, id),
            Effect::Hit(id, _) => (9, id),
            Effect::Dies(id, _) => (10, id),
            Effect::Reaped(id) => (11, id),
            Effect::OutputHeld(id) => (22, id),
            Effect::Late(id) => (12, id),
            Effect::SourceSpeaks => (13, 0),
            Effect::SourceLost => (14, 0),
            Effect::Signalled(_) => (15, 0),
            Effect::Scaled(workers) => (20, workers as ProcessId),
            Effect::Asked(request) => (21, request as ProcessId),
            Effect::Steered(_) => (29, 0),
            Effect::HandOrdered(slot) => (27, slot),
            Effect::SinkClosed => (16, 0),
            Effect::SinkLost => (17, 0),
            Effect::StorageLost => (18, 0),
            Effect::Leap(_) => (19, 0),
            Effect::Congested(congested) => (22, congested.into()),
            Effect::Short(count) => (24, count as ProcessId),
            Effect::Roomy => (25, 0),
            Effect::VeryShort => (26, 0),
            Effect::AskedSignal(slot, signal) => (29, (slot as ProcessId) << 8 | ProcessId::from(signal.0)),
            Effect::GivenUp(item) => (28, item as ProcessId),
            Effect::StartsPermitted(count) => (23, count.unwrap_or(u32::MAX) as ProcessId),
        };
        self.word(&[code, now, process as u64]);
        self.say(now, || format!("* {effect:?}"));
    }

    pub fn action(&mut self, now: u64, action: &Action) {
        match action {
            Action::Demand { items } => self.word(&[32, *items]),
            Action::CloseSource => self.word(&[33]),
            Action::Spawn { worker, incarnation, batch } => {
                let item = batch.map_or(u64::MAX, |batch| batch.first.0);
                self.word(&[34, worker.index() as u64, incarnation.0.into(), item]);
            }
            Action::ShowStatus(_) => self.word(&[35]),
            Action::Dispatch { worker, batch, .. } => {
                self.word(&[36, worker.index() as u64, batch.first.0, batch.count.into(), batch.attempt.0.into()]);
            }
            Action::CloseInput { worker, .. } => self.word(&[37, worker.index() as u64]),
            Action::Recall { worker, .. } => self.word(&[38, worker.index() as u64]),
            Action::Probe { worker, .. } => self.word(&[39, worker.index() as u64]),
            Action::Kill { worker, signal, .. } => self.word(&[40, worker.index() as u64, signal.0.into()]),
            Action::Settle { settlement, in_turn } => {
                let Settlement { first, count, attempts, .. } = settlement;
                self.word(&[41, first.0, (*count).into(), (*attempts).into(), (*in_turn).into()]);
            }
            Action::Commit { first, count } => self.word(&[42, first.0, (*count).into()]),
            Action::Report(_) => self.word(&[43]),
            Action::Because(_) => {}
            Action::InHand { worker, batch } => self.word(&[45, worker.index() as u64, batch.first.0]),
            Action::TakeBack { worker } => self.word(&[46, worker.index() as u64]),
            Action::Finish(outcome) => self.word(&[44, outcome.totals.done, outcome.totals.stale]),
        }
        self.say(now, || format!("      {action:?}"));
    }
}
