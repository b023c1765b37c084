//! The shadow model follows what a person asks of a run that goes on: a pause, and a rolling restart.

use crate::marks::{Mark, Marks};
use crate::shadow::{Phase, Shadow, ShadowSlot};
use crate::violation::{BrokenCheck, ensure};
use std::collections::BTreeSet;
use supervisor::model::event::{RunEvent, Stage};
use supervisor::model::ids::WorkerId;
use supervisor::model::time::Instant;

type Judgement = Result<(), BrokenCheck>;

/// The shell's clock, and how long the run was paused.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShadowClock {
    pub shell_now: u64,
    paused_at: Option<u64>,
    stood: u64,
    /// It has to go on in this step.
    pub is_to_go_on: bool,
    /// It is to be reported that it is paused.
    is_to_report: bool,
}

impl ShadowClock {
    pub const fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    pub fn run_time(&self, shell: u64) -> Instant {
        Instant(self.paused_at.map_or(shell, |at| at.min(shell)) - self.stood)
    }
}

/// A rolling restart.
#[derive(Clone, Debug, Default)]
pub struct ShadowRestart {
    pub spare: Option<usize>,
    /// Slots to be replaced, and which process that is.
    pending: BTreeSet<(usize, u32)>,
    /// Whose process was asked to leave last.
    last: Option<usize>,
    replaced: u32,
}

impl ShadowSlot {
    /// It has a process that nothing ends.
    fn is_to_stay(&self) -> bool {
        let ends = self.kill.is_some() || self.broken || self.closed || self.leaving || self.leaves_when_spawned;
        self.phase != Phase::Down && !ends && !self.companion && !self.removed
    }

    /// It could be sent items.
    fn stands(&self) -> bool {
        let ends = self.kill.is_some() || self.broken || self.closed || self.leaving;
        self.phase == Phase::Ready && !ends
    }
}

impl Shadow {
    pub fn asked_to_pause(&mut self) {
        if self.stage < Stage::Terminating && !self.clock.is_paused() {
            self.clock.paused_at = Some(self.clock.shell_now);
            self.clock.is_to_report = true;
        }
    }

    pub fn restarts(&mut self, worker: Option<WorkerId>) {
        if self.stage > Stage::Running || self.all_done || self.policy.worker.starts_with_item() {
            return;
        }
        let restart = self.restart.get_or_insert_default();
        for (index, slot) in self.slots.iter().enumerate() {
            let is_meant = worker.is_none_or(|worker| worker.index() == index) && restart.spare != Some(index);
            if is_meant && slot.is_to_stay() {
                restart.pending.insert((index, slot.incarnation));
            }
        }
    }

    /// Those that are gone are replaced anyway.
    fn forget_gone(&mut self) {
        if let Some(restart) = &mut self.restart {
            restart.pending.retain(|(index, incarnation)| {
                let slot = &self.slots[*index];
                slot.incarnation == *incarnation && slot.is_to_stay()
            });
        }
    }

    /// A process is started in this slot. It may be the first one of the slot that stands in for others.
    pub fn starts_spare(&mut self, index: usize, marks: &mut Marks) {
        self.forget_gone();
        let awaited = self.restart.as_ref().is_some_and(|it| it.spare.is_none() && !it.pending.is_empty());
        if awaited && index == self.next_spare() && self.slots.get(index).is_none_or(|slot| slot.removed) {
            self.adds_spare(marks);
        }
    }

    fn next_spare(&self) -> usize {
        let is_free = |slot: &ShadowSlot| slot.removed && slot.phase == Phase::Down;
        self.slots.iter().position(is_free).unwrap_or(self.slots.len())
    }

    fn adds_spare(&mut self, marks: &mut Marks) {
        let index = self.next_spare();
        if index == self.slots.len() {
            self.slots.push(ShadowSlot { must_start: true, ..ShadowSlot::default() });
        } else {
            self.revives(index, marks);
        }
        if let Some(restart) = &mut self.restart {
            restart.spare = Some(index);
        }
    }

    /// A worker is asked to leave: all are, or its slot was removed, or another one replaces it.
    pub fn is_asked_to_leave(&mut self, index: usize, marks: &mut Marks) -> Judgement {
        let is_over = self.source_over && self.totals.settled() == self.totals.accepted;
        let slot = &self.slots[index];
        if self.stage > Stage::Running || is_over || slot.removed || slot.leaves_when_spawned {
            return Ok(());
        }
        self.forget_gone();
        let number = index + 1;
        let Some(restart) = self.restart.clone() else {
            ensure!(false, Rolling, "worker {number} is asked to leave for no reason");
            return Ok(());
        };
        let stands = |index: usize| self.slots[index].stands();
        let is_back = |last: usize| self.slots[last].removed || self.slots[last].retired || stands(last);
        let (spare_stands, last_stands) = (restart.spare.is_some_and(stands), restart.last.is_none_or(is_back));
        ensure!(spare_stands, Rolling, "worker {number} is asked to leave, and none stands in for it: {restart:?}");
        ensure!(last_stands, Rolling, "worker {number} is asked to leave, and another is away: {restart:?}");
        if restart.spare == Some(index) {
            ensure!(restart.pending.is_empty(), Rolling, "worker {number} leaves too early: {restart:?}");
            self.restart = None;
            self.removes(index, marks);
            return Ok(());
        }
        let of_slot = restart.pending.iter().find(|(pending, _)| *pending == index).copied();
        ensure!(of_slot.is_some(), Rolling, "worker {number} is asked to leave, and not meant: {restart:?}");
        self.slots[index].refill = true;
        marks.hit(Mark::WorkerReplaced);
        if let (Some(restart), Some(of_slot)) = (&mut self.restart, of_slot) {
            restart.pending.remove(&of_slot);
            (restart.last, restart.replaced) = (Some(index), restart.replaced + 1);
        }
        Ok(())
    }

    pub fn reports_steering(&mut self, event: &RunEvent, marks: &mut Marks) -> Judgement {
        match event {
            RunEvent::RunPaused => {
                let is_awaited = std::mem::take(&mut self.clock.is_to_report);
                ensure!(is_awaited, Paused, "it is paused, and nobody asked for that");
            }
            RunEvent::RunContinued => {
                let Some(paused_at) = self.clock.paused_at.take() else {
                    ensure!(false, Paused, "it goes on, and was not paused");
                    return Ok(());
                };
                self.clock.stood += self.clock.shell_now - paused_at;
                let is_asked = std::mem::take(&mut self.clock.is_to_go_on);
                if !is_asked {
                    marks.hit(Mark::StopContinued);
                }
            }
            RunEvent::RestartBegun { workers: 0 } => {
                ensure!(self.policy.worker.starts_with_item(), Rolling, "nothing to restart");
            }
            RunEvent::RestartBegun { .. } => marks.hit(Mark::RestartBegun),
            RunEvent::RestartEnded { error: None, .. } => {
                ensure!(self.restart.is_none(), Rolling, "it is over, and is not: {:?}", self.restart);
                marks.hit(Mark::RestartEnded);
            }
            RunEvent::RestartEnded { error: Some(_), replaced } => {
                let restart = self.restart.take().unwrap_or_default();
                ensure!(restart.replaced + replaced == 0, Rolling, "given up too late: {restart:?}");
                let Some(spare) = restart.spare else { return Ok(()) };
                // Its failed start has no consequences.
                self.slots[spare].last_counted = false;
                self.slots[spare].forget_ends();
                self.gave_up_on_program = false;
                for index in self.new_companions.drain(..) {
                    self.slots[index].companion = false;
                }
                self.removes(spare, marks);
                marks.hit(Mark::RestartGivenUp);
            }
            _ => {}
        }
        Ok(())
    }

    /// Judges a step after its last order.
    pub fn follows_steering(&mut self, marks: &mut Marks) -> Judgement {
        let awaited = self.clock.is_to_go_on || self.clock.is_to_report;
        ensure!(!awaited || self.finished, Paused, "what was asked for was not done: {:?}", self.clock);
        if self.stage > Stage::Running || self.all_done || self.finished {
            self.restart = None;
        }
        self.forget_gone();
        let Some(restart) = self.restart.as_ref().filter(|_| !self.clock.is_paused()) else { return Ok(()) };
        match (restart.spare, restart.pending.is_empty()) {
            (None, true) => self.restart = None,
            (None, false) => self.adds_spare(marks),
            (Some(_), _) => {}
        }
        Ok(())
    }
}
