//! The worker slots of a run along its events: their processes, and how long they lived and worked.

use super::figures::{LifePart, SlotFigures};
use super::percentiles::Samples;
use crate::model::event::RunEvent;
use crate::model::exit::ExitStatus;
use crate::model::ids::{Incarnation, WorkerId};
use crate::model::time::{Duration, Instant};
use crate::trace::frame::{Direction, TracedFrame};
use crate::trace::phrases;
use std::collections::BTreeMap;

/// The process that a slot has.
#[derive(Clone, Copy, Debug)]
struct LivingProcess {
    incarnation: Incarnation,
    since: Instant,
    /// The work that it has told of ends here.
    worked_until: Instant,
}

#[derive(Debug, Default)]
struct SlotLife {
    processes: u64,
    items: u64,
    alive: Duration,
    busy: Option<Duration>,
    restarts: u64,
    deaths: u64,
    /// When its next process was ordered.
    ordered: Option<Instant>,
    living: Option<LivingProcess>,
}

/// What is known of the slots so far.
#[derive(Debug)]
pub(super) struct SlotLives {
    /// A process is started with its one item.
    per_item: bool,
    slots: BTreeMap<WorkerId, SlotLife>,
    hello: Samples,
    start: Samples,
    command: Samples,
}

impl SlotLives {
    pub fn new(per_item: bool) -> Self {
        Self {
            per_item,
            slots: BTreeMap::new(),
            hello: Samples::default(),
            start: Samples::default(),
            command: Samples::default(),
        }
    }

    fn slot(&mut self, worker: WorkerId) -> &mut SlotLife {
        self.slots.entry(worker).or_default()
    }

    pub fn ordered(&mut self, at: Instant, worker: WorkerId) {
        self.slot(worker).ordered = Some(at);
    }

    /// Items got their outcome at a worker.
    pub fn settled(&mut self, worker: WorkerId, items: u32) {
        let slot = self.slot(worker);
        slot.items = slot.items.saturating_add(u64::from(items));
    }

    pub fn event(&mut self, at: Instant, event: &RunEvent) {
        match event {
            RunEvent::WorkerSpawned { worker, incarnation, .. } => self.spawned(at, *worker, *incarnation),
            RunEvent::WorkerReady { worker, .. } => {
                if let Some(ordered) = self.slot(*worker).ordered.take() {
                    self.hello.add(at.since(ordered).0);
                }
            }
            RunEvent::WorkerRestarting { worker, .. } => {
                let slot = self.slot(*worker);
                slot.restarts = slot.restarts.saturating_add(1);
            }
            RunEvent::WorkerExited { worker, exit, .. } => {
                // An exit code is the result of a command.
                let is_result = self.per_item && matches!(exit, ExitStatus::Code(_));
                let is_death = phrases::is_bad_end(event) && !is_result;
                self.exited(at, *worker, is_death);
            }
            _ => {}
        }
    }

    fn spawned(&mut self, at: Instant, worker: WorkerId, incarnation: Incarnation) {
        let per_item = self.per_item;
        let slot = self.slot(worker);
        slot.processes = slot.processes.saturating_add(1);
        slot.end_process(at);
        slot.living = Some(LivingProcess { incarnation, since: at, worked_until: at });
        if per_item && let Some(ordered) = slot.ordered.take() {
            self.start.add(at.since(ordered).0);
        }
    }

    fn exited(&mut self, at: Instant, worker: WorkerId, is_death: bool) {
        let per_item = self.per_item;
        let slot = self.slot(worker);
        slot.deaths = slot.deaths.saturating_add(u64::from(is_death));
        if let Some(lived) = slot.end_process(at).filter(|_| per_item) {
            self.command.add(lived.0);
        }
    }

    /// An answer tells of the worker's work.
    pub fn worked(&mut self, frame: &TracedFrame) {
        let (Direction::FromWorker, Some(work)) = (frame.direction, frame.work) else { return };
        let slot = self.slot(frame.worker);
        let Some(living) = slot.living.as_mut().filter(|living| living.incarnation == frame.incarnation) else {
            return;
        };
        // Work on one answer may be told with that of the one before; no time counts twice.
        let (began, finished) = (work.began.max(living.worked_until), work.finished.min(frame.passed));
        let busy = slot.busy.get_or_insert_default();
        *busy = Duration(busy.0.saturating_add(finished.since(began).0));
        living.worked_until = living.worked_until.max(finished);
    }

    pub fn finish(mut self, end: Instant) -> (Vec<SlotFigures>, [(LifePart, Samples); 3]) {
        for slot in self.slots.values_mut() {
            slot.end_process(end);
        }
        let figures = |(worker, slot): (WorkerId, SlotLife)| {
            let SlotLife { processes, items, alive, busy, restarts, deaths, .. } = slot;
            SlotFigures { worker, processes, items, alive, busy, restarts, deaths }
        };
        let is_used = |slot: &SlotFigures| slot.processes > 0 || slot.items > 0;
        let parts = [(LifePart::Hello, self.hello), (LifePart::Start, self.start), (LifePart::Command, self.command)];
        (self.slots.into_iter().map(figures).filter(is_used).collect(), parts)
    }
}

impl SlotLife {
    /// The process of the slot, if it has one, has ended; how long it lived.
    fn end_process(&mut self, at: Instant) -> Option<Duration> {
        let lived = at.since(self.living.take()?.since);
        self.alive = Duration(self.alive.0.saturating_add(lived.0));
        Some(lived)
    }
}
