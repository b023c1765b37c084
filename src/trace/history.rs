//! A whole trace in memory: its steps with the life of each frame, and its processes.

use super::frame::{Direction, FrameKind};
use super::narrator::Narrator;
use super::reader::{TraceReadError, TraceReader};
use super::record::{TraceHeader, TraceRecord, TracedTimes};
use super::step::{FrameLife, Party, Step};
use crate::core::action::Action;
use crate::model::event::RunEvent;
use crate::model::exit::Usage;
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::time::Instant;
use crate::model::words;
use std::collections::BTreeMap;
use std::path::Path;

/// A worker process, or a thread, from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLife {
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub pid: u32,
    /// When the core ordered it; `None` where records are missing.
    pub ordered: Option<Instant>,
    pub spawned: Instant,
    /// When it said hello; `None` also for a command, which says none.
    pub ready: Option<Instant>,
    pub ended: Option<Instant>,
    /// How it ended, in words.
    pub exit: Option<String>,
    /// Items that it settled.
    pub items: u64,
    pub usage: Usage,
}

/// A trace.
#[derive(Debug)]
pub struct History {
    pub header: TraceHeader,
    /// In the order in which they were recorded.
    pub steps: Vec<Step>,
    /// In the order in which they were started.
    pub processes: Vec<ProcessLife>,
    /// How items begin, as far as that was recorded.
    pub texts: BTreeMap<ItemId, Vec<u8>>,
    /// With `--trace-items`.
    pub times: Vec<TracedTimes>,
    /// Records that are missing within.
    pub dropped: u64,
    /// Why the trace ends before its run, if it does: a sentence.
    pub cut: Option<String>,
    /// The time of the last record.
    pub end: Instant,
}

impl History {
    /// Reads a trace to its end.
    ///
    /// # Errors
    /// It is none.
    pub fn read(path: &Path) -> Result<Self, TraceReadError> {
        let mut reader = TraceReader::open(path)?;
        let mut builder = HistoryBuilder::new(reader.header().clone());
        while let Some(record) = reader.next()? {
            builder.take(&record);
        }
        let mut history = builder.finish();
        history.cut = reader.cut().map(|cut| cut.to_string());
        Ok(history)
    }

    /// A process, by its slot and its number there.
    #[must_use]
    pub fn process(&self, worker: WorkerId, incarnation: Incarnation) -> Option<&ProcessLife> {
        self.processes.iter().find(|life| life.worker == worker && life.incarnation == incarnation)
    }

    /// The parties that take part, in the order of their columns.
    #[must_use]
    pub fn parties(&self) -> Vec<Party> {
        let steps = self.steps.iter().flat_map(|step| [step.from, step.to]);
        let mut parties: Vec<Party> = steps.collect();
        parties.sort_unstable();
        parties.dedup();
        parties
    }
}

/// A frame of items whose answers have not all come.
struct OpenFrame {
    /// Its place among the steps.
    step: usize,
    batch: Batch,
}

/// Makes a history of records.
pub struct HistoryBuilder {
    narrator: Narrator,
    history: History,
    /// By worker and incarnation, oldest first.
    open: BTreeMap<(WorkerId, Incarnation), Vec<OpenFrame>>,
    /// Processes that were ordered and have not started, by worker, and when that was.
    ordered: BTreeMap<WorkerId, (Incarnation, Instant)>,
    /// Processes that have not ended, by worker: their places.
    alive: BTreeMap<WorkerId, usize>,
}

impl HistoryBuilder {
    #[must_use]
    pub fn new(header: TraceHeader) -> Self {
        let first = TraceRecord::Header(Box::new(header.clone()));
        let mut builder = Self {
            narrator: Narrator::default(),
            history: History {
                header,
                steps: Vec::new(),
                processes: Vec::new(),
                texts: BTreeMap::new(),
                times: Vec::new(),
                dropped: 0,
                cut: None,
                end: Instant::ZERO,
            },
            open: BTreeMap::new(),
            ordered: BTreeMap::new(),
            alive: BTreeMap::new(),
        };
        builder.take(&first);
        builder
    }

    /// Takes the next record, behind the header.
    pub fn take(&mut self, record: &TraceRecord<'_>) {
        let Self { narrator, history, .. } = self;
        narrator.take(record, |step| {
            history.end = history.end.max(step.at);
            history.steps.push(step);
        });
        match record {
            TraceRecord::Order(action) => self.order(action),
            TraceRecord::Frame(frame) => {
                if let Some(batch) = frame.batch {
                    let key = (frame.worker, frame.incarnation);
                    match (frame.direction, frame.kind) {
                        (Direction::ToWorker, _) => {
                            let step = self.history.steps.len().saturating_sub(1);
                            self.open.entry(key).or_default().push(OpenFrame { step, batch });
                        }
                        (Direction::FromWorker, FrameKind::Results | FrameKind::Failure) => self.answer(key, batch),
                        (Direction::FromWorker, _) => {}
                    }
                }
            }
            TraceRecord::Texts { first, starts } => {
                for (item, start) in (0..).zip(starts.iter()) {
                    self.history.texts.insert(first.plus(item), start.clone());
                }
            }
            TraceRecord::Times(times) => self.history.times.push(times.as_ref().clone()),
            TraceRecord::Dropped { records } => self.history.dropped = self.history.dropped.saturating_add(*records),
            TraceRecord::End { at } => self.history.end = self.history.end.max(*at),
            TraceRecord::Header(_)
            | TraceRecord::Started(_)
            | TraceRecord::Fact { .. }
            | TraceRecord::Deadlines { .. }
            | TraceRecord::Written { .. } => {}
        }
    }

    fn order(&mut self, action: &Action) {
        let at = self.history.steps.last().map_or(Instant::ZERO, |step| step.at);
        let event = match action {
            Action::Spawn { worker, incarnation, .. } => {
                self.ordered.insert(*worker, (*incarnation, at));
                return;
            }
            Action::Report(event) => event,
            _ => return,
        };
        match event {
            RunEvent::WorkerSpawned { worker, incarnation, pid } => {
                self.start(*worker, *incarnation, *pid, at);
            }
            RunEvent::WorkerReady { worker, incarnation, .. } => {
                if let Some(life) = self.life(*worker, *incarnation) {
                    life.ready = Some(at);
                }
            }
            RunEvent::WorkerExited { worker, incarnation, exit, reason, items, usage, .. } => {
                if let Some(life) = self.life(*worker, *incarnation) {
                    (life.ended, life.exit) = (Some(at), Some(words::exit(*exit, reason)));
                    (life.items, life.usage) = (*items, *usage);
                    self.alive.remove(worker);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, worker: WorkerId, incarnation: Incarnation, pid: u32, at: Instant) {
        self.alive.insert(worker, self.history.processes.len());
        let ordered = self.ordered.remove(&worker).filter(|(of, _)| *of == incarnation).map(|(_, at)| at);
        self.history.processes.push(ProcessLife {
            worker,
            incarnation,
            pid,
            ordered,
            spawned: at,
            ready: None,
            ended: None,
            exit: None,
            items: 0,
            usage: Usage::default(),
        });
    }

    /// A process that has not ended. In a trace that lacks records an event may be about an earlier one.
    fn life(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<&mut ProcessLife> {
        let life = self.history.processes.get_mut(*self.alive.get(&worker)?)?;
        (life.incarnation == incarnation).then_some(life)
    }

    /// An answer tells what became of the frame that brought its items.
    fn answer(&mut self, key: (WorkerId, Incarnation), batch: Batch) {
        let Some(FrameLife { taken, began, finished, .. }) = self.history.steps.last().and_then(|step| step.life)
        else {
            return;
        };
        let Some(open) = self.open.get_mut(&key) else { return };
        // An answer may be about the items of several frames.
        open.retain(|frame| {
            let is_part = frame.batch.first < batch.end() && batch.first < frame.batch.end();
            let life = self.history.steps.get_mut(frame.step).and_then(|step| step.life.as_mut());
            if let (true, Some(life)) = (is_part, life) {
                // In shared memory a frame can be read before we know that it was sent, and a worker that looks at the
                // memory only now and then tells of its last look.
                let received = taken.map(|taken| taken.max(life.queued.unwrap_or(taken)));
                life.received = life.received.or(received);
                life.sent = life.sent.map(|sent| life.received.map_or(sent, |received| sent.min(received)));
                life.began = life.began.or(began);
                life.finished = finished.or(life.finished);
            }
            batch.end() < frame.batch.end() || !is_part
        });
    }

    /// The trace, as far as it was taken.
    #[must_use]
    pub fn finish(self) -> History {
        self.history
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::input::Input;
    use crate::model::event::EndReason;
    use crate::model::exit::ExitStatus;
    use crate::trace::frame::TracedFrame;
    use crate::trace::step::StepKind;
    use crate::trace::testing::{batch, fact, given, header, history, order, us, worker};

    /// The records of a start: when it was ordered, and when the core was told that it was done.
    fn started(incarnation: u32, [at, spawned]: [u64; 2], is_ordered: bool) -> Vec<TraceRecord<'static>> {
        let (worker, incarnation, pid) = (worker(1), Incarnation(incarnation), 41);
        let report = order(Action::Report(RunEvent::WorkerSpawned { worker, incarnation, pid }));
        let mut records = vec![fact(us(at), Input::SourceIdle)];
        records.extend(is_ordered.then(|| order(Action::Spawn { worker, incarnation, batch: None })));
        records.extend([fact(us(spawned), Input::Spawned { worker, incarnation, pid }), report]);
        records
    }

    /// Of the second one the order is missing: that of the first is not taken for it.
    #[test]
    fn a_process_is_ordered_before_it_is_started() {
        let lost = order(Action::Spawn { worker: worker(1), incarnation: Incarnation(2), batch: None });
        let records = [started(1, [10, 14], true), vec![lost], started(3, [20, 25], false), started(4, [30, 36], true)];
        let history = history(header(), records.concat());
        let times: Vec<_> = history.processes.iter().map(|life| (life.ordered, life.spawned)).collect();
        assert_eq!(times, [(Some(us(10)), us(14)), (None, us(25)), (Some(us(30)), us(36))]);
    }

    #[test]
    fn an_end_is_that_of_the_process_that_it_names() {
        let ended = |incarnation| {
            order(Action::Report(RunEvent::WorkerExited {
                worker: worker(1),
                incarnation: Incarnation(incarnation),
                pid: 41,
                exit: ExitStatus::Code(0),
                reason: EndReason::Asked,
                item: None,
                waiting: 0,
                items: u64::from(incarnation),
                usage: Usage::default(),
                stderr: None,
            }))
        };
        let records = [started(1, [10, 14], true), started(2, [20, 25], true), vec![ended(1)], vec![ended(2)]];
        let history = history(header(), records.concat());
        let ends: Vec<_> = history.processes.iter().map(|life| (life.ended.is_some(), life.items)).collect();
        assert_eq!(ends, [(false, 0), (true, 2)]);
    }

    #[test]
    fn each_message_of_a_dispatch_has_its_reason() {
        let mut records = given(1, batch(0, 3, 1), [1, 2]);
        let whole = records.pop();
        let Some(TraceRecord::Frame(whole)) = whole else { panic!("{whole:?}") };
        records.extend(given(1, batch(7, 1, 1), [3, 4]).into_iter().take(2));
        let messages = [batch(0, 1, 1), batch(1, 2, 1), batch(7, 1, 1), batch(8, 1, 1)];
        records.extend(messages.map(|batch| TraceRecord::Frame(TracedFrame { batch: Some(batch), ..whole })));
        let history = history(header(), records);
        let reasons = history.steps.iter().filter(|step| step.kind == StepKind::Frame);
        let reasons: Vec<_> = reasons.map(|step| step.because.is_some()).collect();
        assert_eq!(reasons, [true, true, true, false], "the last one was not ordered");
    }
}
