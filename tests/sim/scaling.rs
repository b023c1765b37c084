//! The shadow model follows commands: which slots a run has, and how firmly it was asked to stop.

use crate::agenda::{CallerRequest, SteerRequest};
use crate::clock::LATE;
use crate::marks::{Mark, Marks};
use crate::shadow::{Phase, Shadow, ShadowSlot};
use crate::violation::{BrokenCheck, ensure};
use std::cmp::Reverse;
use supervisor::model::command::{Command, Origin};
use supervisor::model::event::Stage;
use supervisor::model::ids::WorkerId;
use supervisor::model::outcome::StopReason;
use supervisor::model::status::Status;
use supervisor::model::time::{Duration, Instant};

impl From<CallerRequest> for Command {
    fn from(request: CallerRequest) -> Self {
        match request {
            CallerRequest::Stop => Self::Stop,
            CallerRequest::Drain => Self::Drain,
            CallerRequest::Terminate => Self::Terminate,
            CallerRequest::Kill => Self::Kill,
        }
    }
}

impl From<SteerRequest> for Command {
    fn from(request: SteerRequest) -> Self {
        match request {
            SteerRequest::RestartAll => Self::Restart { worker: None },
            SteerRequest::RestartOne(index) => Self::Restart { worker: Some(WorkerId::from_index(index)) },
            SteerRequest::AddWorker => Self::AddWorker,
            SteerRequest::RemoveWorker => Self::RemoveWorker,
            SteerRequest::Pause => Self::Pause,
            SteerRequest::Continue => Self::Continue,
        }
    }
}

impl Shadow {
    pub fn commanded(&mut self, command: Command, origin: Origin, marks: &mut Marks) {
        let by_signal = matches!(origin, Origin::Signal { .. });
        if let (Origin::Signal { signal, .. }, Command::Stop | Command::Terminate) = (origin, command) {
            let last = self.last_signal;
            // The same signal within a tenth of a second counts once.
            if last.is_some_and(|(same, at)| same == signal && self.clock.shell_now - at.0 < 100_000_000) {
                return marks.hit(Mark::SignalRepeated);
            }
            self.last_signal = Some((signal, Instant(self.clock.shell_now)));
        }
        self.firmness = match command {
            Command::Status | Command::ReportStarts { .. } => return,
            Command::SignalWorker { worker, signal } => return self.asks_signal(worker, signal),
            Command::Scale { workers } => return self.scaled(workers.max(1) as usize, marks),
            Command::AddWorker => return self.scaled(self.wanted_slots().count() + 1, marks),
            Command::RemoveWorker => return self.scaled((self.wanted_slots().count() - 1).max(1), marks),
            Command::Restart { worker } => return self.restarts(worker),
            Command::Pause => return self.asked_to_pause(),
            Command::Continue => return self.clock.is_to_go_on = self.clock.is_paused(),
            Command::Drain => self.firmness.max(1),
            // QUIT counts as two of the other signals, and a further one is one step more.
            Command::Terminate if by_signal && self.firmness >= 2 => self.firmness + 1,
            Command::Terminate => self.firmness.max(2),
            Command::Kill => self.firmness.max(3),
            Command::Stop => self.firmness + 1,
        };
        self.given.push(match origin {
            Origin::Signal { signal, .. } => StopReason::Signal(signal),
            Origin::Caller => {
                marks.hit(Mark::CallerAsked);
                StopReason::Requested
            }
        });
    }

    /// The slots that are not removed, without one that stands in for others.
    pub fn wanted_slots(&self) -> impl Iterator<Item = usize> + '_ {
        let spare = self.restart.as_ref().and_then(|restart| restart.spare);
        let present = self.slots.iter().enumerate().filter(|(_, slot)| !slot.removed).map(|(index, _)| index);
        present.filter(move |index| Some(*index) != spare)
    }

    fn scaled(&mut self, workers: usize, marks: &mut Marks) {
        if self.stage > Stage::Running || self.all_done {
            return;
        }
        let mut present: Vec<usize> = self.wanted_slots().collect();
        if workers < present.len() {
            present.sort_by_key(|&index| (self.slots[index].held > 0, Reverse(index)));
            present.truncate(present.len() - workers);
            present.into_iter().for_each(|index| self.removes(index, marks));
        } else if workers > present.len() {
            marks.hit(Mark::Grown);
            let wanted = workers - present.len();
            let mut removed: Vec<usize> = (0..self.slots.len()).filter(|&index| self.slots[index].removed).collect();
            removed.sort_by_key(|&index| (self.slots[index].phase != Phase::Down, index));
            removed.truncate(wanted);
            let new = wanted - removed.len();
            removed.into_iter().for_each(|index| self.revives(index, marks));
            for _ in 0..new {
                self.slots.push(ShadowSlot { must_start: true, ..ShadowSlot::default() });
            }
        }
    }

    pub fn removes(&mut self, index: usize, marks: &mut Marks) {
        let slot = &mut self.slots[index];
        if slot.held > 0 {
            marks.hit(Mark::ShrunkWhileBusy);
        }
        (slot.removed, slot.refill, slot.must_start) = (true, false, false);
        (slot.met, slot.retired) = (false, false);
        slot.leaves_when_spawned |= slot.phase == Phase::Asked;
    }

    pub fn revives(&mut self, index: usize, marks: &mut Marks) {
        let slot = &mut self.slots[index];
        slot.removed = false;
        if slot.phase == Phase::Down {
            marks.hit(Mark::Revived);
            // It counts as a new slot: its earlier deaths are forgotten.
            (slot.pause, slot.last_counted) = (Duration::ZERO, false);
            slot.forget_ends();
            slot.must_start = true;
        } else {
            marks.hit(Mark::RevivedWhileLeaving);
            slot.refill = true;
        }
    }

    /// A removed slot's worker was asked to leave in the same step; an added slot was filled.
    pub fn follows_scale(&self, now: Instant) -> Result<(), BrokenCheck> {
        if self.stage > Stage::Running || self.finished || self.policy.worker.starts_with_item() {
            return Ok(());
        }
        for (index, slot) in self.slots.iter().enumerate() {
            let number = index + 1;
            let stays = slot.removed && matches!(slot.phase, Phase::Starting | Phase::Ready);
            let asked = slot.leaving || slot.kill.is_some() || slot.broken || slot.closed;
            ensure!(!stays || asked, Scale, "worker {number} was removed and is not asked to leave");
            let waits = self.all_done || self.starts_wait(now);
            ensure!(!slot.must_start || waits, Scale, "worker {number} was added and is not started");
        }
        Ok(())
    }

    /// Whether no process has to be started at the moment.
    fn starts_wait(&self, now: Instant) -> bool {
        let until = self.policy.start_delay.zip(self.last_start).map(|(delay, last)| last + delay.max + LATE);
        self.permitted == Some(0)
            || self.clock.is_paused()
            || until.is_some_and(|until| now <= until + Duration(self.leapt_ns))
    }

    /// Whether a worker that was removed (and perhaps added again since) holds nothing and its time to leave is over.
    pub fn has_overstayed(&self, slot: &ShadowSlot, now: Instant) -> bool {
        let idle_since = slot.leaving_at.max(slot.sent_at);
        slot.leaving && (slot.removed || slot.refill) && slot.held == 0 && now >= idle_since + self.policy.leave_time()
    }

    /// A status agrees with what can be counted from outside.
    pub fn shows(&self, status: &Status) -> Result<(), BrokenCheck> {
        let told = (status.stage, status.queued + status.delayed, status.in_flight);
        let counted = (self.stage, self.waiting_items() + self.delayed.len() as u64 + self.in_hand, self.in_flight);
        ensure!(told == counted, Conservation, "stage, waiting, in flight: counted {counted:?}, shown {told:?}");
        let shown = self.slots.iter().enumerate().filter(|(_, slot)| !slot.removed || slot.phase != Phase::Down);
        let shown: Vec<usize> = shown.map(|(index, _)| index).collect();
        let told: Vec<usize> = status.slots.iter().map(|slot| slot.worker.index()).collect();
        ensure!(shown == told, Scale, "the slots are {shown:?}, reported {told:?}");
        for told in &status.slots {
            let slot = &self.slots[told.worker.index()];
            let (incarnation, held) = (told.incarnation.0, told.in_flight);
            ensure!(held == slot.held, Conservation, "worker {} holds {}, reported {told:?}", told.worker, slot.held);
            ensure!(incarnation == slot.incarnation, Conservation, "worker {} is not {told:?}", told.worker);
        }
        Ok(())
    }
}
