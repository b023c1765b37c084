//! From the records of a trace to the steps of a run, one after the other, as they happen.
//!
//! Invariant: it keeps what it needs to name things and no more, so a run of any length can be followed.

use super::frame::{Direction, FrameKind, TracedFrame};
use super::phrases;
use super::record::TraceRecord;
use super::step::{FrameLife, Party, Step, StepKind, Topic};
use crate::core::action::Action;
use crate::core::input::Input;
use crate::core::reason::Reason;
use crate::model::command::Origin;
use crate::model::event::RunEvent;
use crate::model::ids::{Attempt, Batch, Incarnation, WorkerId};
use crate::model::outcome::{CauseKind, Outcome, Settlement};
use crate::model::time::Instant;
use std::collections::{BTreeMap, VecDeque};

/// Most stretches of committed items that are kept until stdout has taken them; beyond that they are one.
const COMMITTED_MAX: usize = 1024;

/// The attempt of a step that does not tell it.
const UNKNOWN: Attempt = Attempt(0);

/// What is known of a slot.
#[derive(Default)]
struct KnownSlot {
    pid: Option<u32>,
    /// Items that were sent to it whose messages have not all passed, oldest first, and why.
    dispatched: VecDeque<(Batch, Option<String>)>,
    /// Why its next process is started, and for which item.
    spawned: Option<(Option<String>, Option<Batch>)>,
    /// The items of processes that it starts without a further order, and why.
    next: VecDeque<(Option<String>, Batch)>,
}

impl KnownSlot {
    /// Why these items were sent: one dispatch may become several messages.
    fn reason_of(&mut self, message: Batch) -> Option<String> {
        // Of a dispatch that could not be queued no message passes.
        let at = self.dispatched.iter().position(|(batch, _)| batch.contains(message.first))?;
        self.dispatched.drain(..at);
        let (batch, because) = self.dispatched.front()?;
        if message.end() < batch.end() {
            return because.clone();
        }
        self.dispatched.pop_front()?.1
    }
}

/// Makes steps of records.
#[derive(Default)]
pub struct Narrator {
    /// The latest time so far. The core is told facts with the time at which the turn of the loop began, and what came
    /// before a record happened before it.
    now: Instant,
    /// Why the next order is given.
    because: Option<Reason>,
    slots: BTreeMap<WorkerId, KnownSlot>,
    /// Items whose results may be shown and have not been written yet.
    committed: Vec<Batch>,
    committed_items: u64,
}

impl Narrator {
    /// Takes the next record, and gives the steps that it stands for to `each`.
    pub fn take(&mut self, record: &TraceRecord<'_>, mut each: impl FnMut(Step)) {
        match record {
            TraceRecord::Times(_) | TraceRecord::Texts { .. } | TraceRecord::End { .. } => {}
            TraceRecord::Header(header) if header.common_fds.is_empty() => {}
            TraceRecord::Header(header) => {
                let label = format!("every process is given {}", phrases::descriptors(&header.common_fds));
                each(Step { is_main: false, ..Step::new(self.now, StepKind::Fact, label) });
            }
            TraceRecord::Started(start) if start.fds.is_empty() => {}
            TraceRecord::Started(start) => {
                self.now = self.now.max(start.at);
                let label = format!("it is given {}", phrases::descriptors(&start.fds));
                let to = Party::Worker(start.worker);
                let step = Step { to, is_main: false, ..Step::new(self.now, StepKind::Fact, label) };
                let (worker, incarnation) = (Some(start.worker), Some(start.incarnation));
                each(Step { worker, incarnation, pid: Some(start.pid), ..step });
            }
            TraceRecord::Fact { at, input } => {
                self.now = self.now.max(*at);
                each(self.fact(input));
            }
            TraceRecord::Deadlines { until } => {
                self.now = self.now.max(*until);
                each(Step { is_main: false, ..Step::new(self.now, StepKind::Fact, "deadlines have passed") });
            }
            TraceRecord::Order(action) => self.order(action, &mut each),
            TraceRecord::Frame(frame) => each(self.frame(frame)),
            TraceRecord::Written { at, waiting_bytes: 0 } => {
                self.now = self.now.max(*at);
                if let Some(step) = self.written(self.now) {
                    each(step);
                }
            }
            TraceRecord::Written { at, waiting_bytes } => {
                let label = format!("{} wait for it", phrases::bytes(*waiting_bytes));
                let bytes = Some(*waiting_bytes);
                each(Step { to: Party::Output, bytes, is_main: false, ..Step::new(*at, StepKind::Output, label) });
            }
            TraceRecord::Dropped { records } => {
                let label = format!("{records} records are missing here: the disk did not take them in time");
                each(Step { is_bad: true, ..Step::new(self.now, StepKind::Fact, label) });
            }
        }
    }

    /// The process of a slot, as far as it is known.
    #[must_use]
    pub fn pid_of(&self, worker: WorkerId) -> Option<u32> {
        self.slots.get(&worker)?.pid
    }

    fn of_worker(&self, step: Step, worker: WorkerId, incarnation: Incarnation) -> Step {
        Step { worker: Some(worker), incarnation: Some(incarnation), pid: self.pid_of(worker), ..step }
    }

    fn fact(&mut self, input: &Input) -> Step {
        let step = Step { is_main: false, ..Step::new(self.now, StepKind::Fact, phrases::fact(input)) };
        if let Input::Spawned { worker, pid, .. } = input {
            self.slots.entry(*worker).or_default().pid = Some(*pid);
        }
        match input {
            Input::BatchArrived { first, count, .. }
            | Input::ArrivedAgain { first, count, .. }
            | Input::Restored { first, count, .. } => {
                let batch = Some(Batch { first: *first, count: *count, attempt: Attempt::FIRST });
                Step { topic: arrival(input), from: Party::Source, batch, is_main: true, ..step }
            }
            Input::ItemRejected { item, .. } => {
                let batch = Some(Batch::of_one(*item, Attempt::FIRST));
                Step { topic: Topic::Rejected, from: Party::Source, batch, is_main: true, is_bad: true, ..step }
            }
            Input::SourceIdle => Step { from: Party::Source, ..step },
            Input::SourceEnded => Step { from: Party::Source, is_main: true, ..step },
            Input::SourceLost { .. } | Input::SourceDiffers { .. } => {
                Step { from: Party::Source, is_bad: true, ..step }
            }
            Input::GivenUp { item } => {
                let batch = Some(Batch::of_one(*item, UNKNOWN));
                Step { from: Party::Outside, batch, is_main: true, ..step }
            }
            Input::StartsPermitted { .. } | Input::Relief(_) => Step { from: Party::Outside, is_main: true, ..step },
            Input::Congested { .. } => Step { from: Party::Output, is_main: true, ..step },
            Input::SinkClosed | Input::SinkLost { .. } | Input::StorageLost { .. } => {
                Step { from: Party::Output, is_main: true, is_bad: true, ..step }
            }
            Input::SignalNoted { .. } => Step { from: Party::Outside, ..step },
            Input::Command { origin, .. } => {
                let is_caller = *origin == Origin::Caller;
                Step { from: Party::Outside, is_main: is_caller, ..step }
            }
            Input::Start => step,
            Input::Spawned { worker, incarnation, .. }
            | Input::SpawnFailed { worker, incarnation, .. }
            | Input::Hello { worker, incarnation }
            | Input::ProbeResult { worker, incarnation, .. }
            | Input::TimeExcluded { worker, incarnation }
            | Input::Stopped { worker, incarnation, .. }
            | Input::ChannelClosed { worker, incarnation }
            | Input::ProtocolError { worker, incarnation, .. }
            | Input::Exited { worker, incarnation, .. }
            | Input::OutputHeld { worker, incarnation } => {
                let from = Party::Worker(*worker);
                Step { from, ..self.of_worker(step, *worker, *incarnation) }
            }
            Input::TakenBack { worker, item } => {
                self.slots.entry(*worker).or_default().next.retain(|(_, batch)| batch.first != *item);
                let (topic, batch) = (Topic::Returned { running: None }, Some(Batch::of_one(*item, UNKNOWN)));
                Step { topic, from: Party::Worker(*worker), worker: Some(*worker), batch, ..step }
            }
            Input::Settled { worker, incarnation, first, count, attempt, .. } => {
                let batch = Some(Batch { first: *first, count: *count, attempt: *attempt });
                Step { from: Party::Worker(*worker), batch, ..self.of_worker(step, *worker, *incarnation) }
            }
            Input::ResultBegins { worker, incarnation, item, attempt }
            | Input::Failed { worker, incarnation, item, attempt, .. } => {
                let batch = Some(Batch::of_one(*item, *attempt));
                let is_bad = matches!(input, Input::Failed { .. });
                // The frame says that it failed, this says why.
                let step = Step { from: Party::Worker(*worker), batch, is_bad, is_main: is_bad, ..step };
                self.of_worker(step, *worker, *incarnation)
            }
        }
    }

    fn order(&mut self, action: &Action, each: &mut impl FnMut(Step)) {
        if let Action::Because(reason) = action {
            match reason {
                Reason::Waits(wait) => {
                    let label = format!("waits: {reason}");
                    each(Step { topic: Topic::Waits(*wait), ..Step::new(self.now, StepKind::Order, label) });
                }
                _ => self.because = Some(reason.clone()),
            }
            return;
        }
        let because = self.because.take().map(|reason| reason.to_string());
        let step = Step { because, is_main: false, ..Step::new(self.now, StepKind::Order, phrases::order(action)) };
        match action {
            Action::Demand { .. } | Action::CloseSource => each(Step { to: Party::Source, ..step }),
            Action::Spawn { worker, incarnation, batch } => {
                let slot = self.slots.entry(*worker).or_default();
                slot.pid = None;
                slot.dispatched.clear();
                slot.spawned = Some((step.because.clone(), *batch));
                let step = Step { topic: Topic::Spawn, to: Party::Worker(*worker), batch: *batch, ..step };
                each(self.of_worker(step, *worker, *incarnation));
            }
            Action::Dispatch { worker, incarnation, batch } => {
                let slot = self.slots.entry(*worker).or_default();
                slot.dispatched.push_back((*batch, step.because.clone()));
                let step = Step { topic: Topic::Dispatch, to: Party::Worker(*worker), batch: Some(*batch), ..step };
                each(self.of_worker(step, *worker, *incarnation));
            }
            Action::CloseInput { worker, incarnation } | Action::Recall { worker, incarnation } => {
                let step = Step { to: Party::Worker(*worker), is_main: true, ..step };
                each(self.of_worker(step, *worker, *incarnation));
            }
            Action::Probe { worker, incarnation } => {
                each(self.of_worker(Step { to: Party::Worker(*worker), ..step }, *worker, *incarnation));
            }
            Action::Kill { worker, incarnation, signal } => {
                let step = Step { kind: StepKind::Signal, topic: Topic::Kill(*signal), is_main: true, ..step };
                let step = Step { to: Party::Worker(*worker), ..step };
                each(self.of_worker(step, *worker, *incarnation));
            }
            Action::Settle { settlement, in_turn } => each(self.settled(settlement, *in_turn, step)),
            Action::Commit { first, count } => {
                let batch = Batch { first: *first, count: *count, attempt: UNKNOWN };
                self.commit(batch);
                each(Step { topic: Topic::Commit, batch: Some(batch), ..step });
            }
            Action::Report(event) => each(self.event(event, step)),
            Action::InHand { worker, batch } => {
                self.slots.entry(*worker).or_default().next.push_back((step.because.clone(), *batch));
                let step = Step { topic: Topic::Spawn, to: Party::Worker(*worker), batch: Some(*batch), ..step };
                each(Step { worker: Some(*worker), ..step });
            }
            Action::TakeBack { worker } => each(Step { to: Party::Worker(*worker), worker: Some(*worker), ..step }),
            Action::ShowStatus(_) | Action::Because(_) | Action::Finish(_) => each(step),
        }
    }

    fn settled(&mut self, settlement: &Settlement, in_turn: bool, step: Step) -> Step {
        let Settlement { first, count, outcome, attempts, worker, incarnation, pid, .. } = settlement;
        let batch = Batch { first: *first, count: *count, attempt: Attempt((*attempts).max(1)) };
        if in_turn {
            self.commit(batch);
        }
        let is_bad = matches!(outcome, Outcome::Failed | Outcome::Dead);
        let is_main = *outcome != Outcome::Done;
        let step = Step { topic: Topic::Settled { outcome: outcome.clone(), in_turn }, ..step };
        Step { worker: *worker, incarnation: *incarnation, pid: *pid, batch: Some(batch), is_bad, is_main, ..step }
    }

    fn event(&mut self, event: &RunEvent, step: Step) -> Step {
        let is_bad = phrases::is_bad_end(event);
        let step = Step { topic: topic_of(event), is_main: true, is_bad, ..step };
        match event {
            RunEvent::WorkerSpawned { worker, incarnation, pid } => {
                let slot = self.slots.entry(*worker).or_default();
                slot.pid = Some(*pid);
                let next = || slot.next.pop_front().map(|(because, batch)| (because, Some(batch)));
                let (because, batch) = slot.spawned.take().or_else(next).unwrap_or_default();
                let label =
                    batch.map_or_else(|| step.label.clone(), |of| format!("{} for {}", step.label, phrases::batch(of)));
                let step = Step { kind: StepKind::Process, to: Party::Worker(*worker), batch, because, label, ..step };
                self.of_worker(step, *worker, *incarnation)
            }
            RunEvent::WorkerNotSpawned { worker, incarnation, .. }
            | RunEvent::WorkerRestarting { worker, incarnation, .. } => {
                let step = Step { kind: StepKind::Process, to: Party::Worker(*worker), ..step };
                self.of_worker(step, *worker, *incarnation)
            }
            RunEvent::WorkerReady { worker, incarnation, .. } => {
                // Its hello is a frame.
                let step = Step { kind: StepKind::Process, from: Party::Worker(*worker), is_main: false, ..step };
                self.of_worker(step, *worker, *incarnation)
            }
            RunEvent::WorkerExited { worker, incarnation, item, .. } => {
                let batch = item.map(|(item, _)| Batch::of_one(item, UNKNOWN));
                let step = Step { kind: StepKind::Process, from: Party::Worker(*worker), batch, ..step };
                self.of_worker(step, *worker, *incarnation)
            }
            RunEvent::WorkerStopped { worker, incarnation, .. }
            | RunEvent::WorkerContinued { worker, incarnation, .. }
            | RunEvent::Chaos { worker, incarnation, .. }
            | RunEvent::WorkerSignalled { worker, incarnation, .. } => {
                let step = Step { kind: StepKind::Signal, from: Party::Outside, to: Party::Worker(*worker), ..step };
                self.of_worker(step, *worker, *incarnation)
            }
            RunEvent::ItemStarted { worker, incarnation, item, attempt, .. } => {
                let batch = Some(Batch::of_one(*item, *attempt));
                let step = Step { kind: StepKind::Fact, from: Party::Worker(*worker), batch, is_main: false, ..step };
                self.of_worker(step, *worker, *incarnation)
            }
            RunEvent::ItemsReturned { worker, incarnation, first, count, attempt, .. } => {
                let batch = Some(Batch { first: *first, count: *count, attempt: *attempt });
                self.of_worker(Step { batch, ..step }, *worker, *incarnation)
            }
            RunEvent::ItemRetried { item, attempt, .. } => Step { batch: Some(Batch::of_one(*item, *attempt)), ..step },
            RunEvent::SignalReceived { .. } => Step { kind: StepKind::Signal, from: Party::Outside, ..step },
            RunEvent::RunStarted { .. }
            | RunEvent::ItemsSettled(_)
            | RunEvent::SourceLost { .. }
            | RunEvent::Stopping { .. }
            | RunEvent::Scaled { .. }
            | RunEvent::RestartBegun { .. }
            | RunEvent::RestartEnded { .. }
            | RunEvent::RunPaused
            | RunEvent::RunContinued
            | RunEvent::RunFinished(_) => step,
        }
    }

    fn frame(&mut self, frame: &TracedFrame) -> Step {
        let TracedFrame { direction, kind, worker, incarnation, batch, body_bytes, queued, passed, work } = *frame;
        self.now = self.now.max(passed);
        let items = batch.map(phrases::batch).unwrap_or_default();
        let label = match kind {
            FrameKind::Hello => "hello".to_owned(),
            FrameKind::Items => items,
            FrameKind::Results => {
                format!("{} of {items}", if batch.is_some_and(|batch| batch.count > 1) { "results" } else { "result" })
            }
            FrameKind::Failure => format!("failure of {items}"),
        };
        let (from, to, life, because) = match direction {
            Direction::ToWorker => {
                let life = FrameLife { queued: Some(queued), sent: Some(passed), ..FrameLife::default() };
                let because = batch.and_then(|batch| self.slots.get_mut(&worker)?.reason_of(batch));
                (Party::Supervisor, Party::Worker(worker), life, because)
            }
            Direction::FromWorker => {
                let life = FrameLife {
                    queued: work.map(|work| work.finished.min(passed)),
                    received: Some(passed),
                    taken: work.map(|work| work.taken),
                    began: work.map(|work| work.began),
                    finished: work.map(|work| work.finished),
                    ..FrameLife::default()
                };
                (Party::Worker(worker), Party::Supervisor, life, None)
            }
        };
        let step = Step {
            from,
            to,
            batch,
            bytes: Some(body_bytes),
            because,
            life: Some(life),
            is_bad: kind == FrameKind::Failure,
            topic: match kind {
                FrameKind::Hello => Topic::Other,
                FrameKind::Items => Topic::Items,
                FrameKind::Results | FrameKind::Failure => Topic::Answer,
            },
            ..Step::new(passed, StepKind::Frame, label)
        };
        self.of_worker(step, worker, incarnation)
    }

    /// The results of these items may be shown.
    fn commit(&mut self, batch: Batch) {
        self.committed_items += u64::from(batch.count);
        let has_place = self.committed.len() < COMMITTED_MAX;
        match self.committed.last_mut() {
            Some(last) if last.end() == batch.first => last.count = last.count.saturating_add(batch.count),
            _ if has_place => self.committed.push(batch),
            _ => {}
        }
    }

    /// stdout has taken everything.
    fn written(&mut self, at: Instant) -> Option<Step> {
        let shown = std::mem::take(&mut self.committed);
        let items = std::mem::take(&mut self.committed_items);
        let first = *shown.first()?;
        let is = if items > 1 { "are" } else { "is" };
        let label = match &shown[..] {
            [one] => format!("{} {is} shown", phrases::items(one.first, one.count)),
            few @ ([_, _] | [_, _, _]) => {
                let names: Vec<_> = few.iter().map(|batch| phrases::items(batch.first, batch.count)).collect();
                format!("{} are shown", names.join(", "))
            }
            _ => format!("{items} items are shown"),
        };
        let step = Step { topic: Topic::Shown, to: Party::Output, ..Step::new(at, StepKind::Output, label) };
        Some(Step { batch: Some(first), ..step })
    }
}

const fn arrival(input: &Input) -> Topic {
    if matches!(input, Input::Restored { .. }) { Topic::Restored } else { Topic::Arrived }
}

const fn topic_of(event: &RunEvent) -> Topic {
    match event {
        RunEvent::WorkerSpawned { .. } => Topic::Spawned,
        RunEvent::WorkerNotSpawned { .. } => Topic::NotSpawned,
        RunEvent::WorkerReady { .. } => Topic::Ready,
        RunEvent::WorkerExited { exit, .. } => Topic::Exited(*exit),
        RunEvent::WorkerStopped { .. } | RunEvent::WorkerContinued { .. } => Topic::Stopped,
        RunEvent::ItemsReturned { running, .. } => Topic::Returned { running: *running },
        RunEvent::ItemRetried { delay, cause, .. } => {
            Topic::Retried { delay: *delay, by_chaos: matches!(cause.kind, CauseKind::Chaos(_)) }
        }
        RunEvent::Stopping { .. } => Topic::Stopping,
        RunEvent::RunStarted { .. }
        | RunEvent::WorkerRestarting { .. }
        | RunEvent::ItemStarted { .. }
        | RunEvent::ItemsSettled(_)
        | RunEvent::SourceLost { .. }
        | RunEvent::SignalReceived { .. }
        | RunEvent::WorkerSignalled { .. }
        | RunEvent::Scaled { .. }
        | RunEvent::Chaos { .. }
        | RunEvent::RestartBegun { .. }
        | RunEvent::RestartEnded { .. }
        | RunEvent::RunPaused
        | RunEvent::RunContinued
        | RunEvent::RunFinished(_) => Topic::Other,
    }
}
