//! The story of one item, in sentences: where it came from, what it waited for, who worked on it and why, what became of
//! each attempt, and how long each part took.
//!
//! Invariant: pure, and it says no more than the trace does. What only a worker can tell is missing where it does not,
//! and who sent a signal to a worker is never known: the system does not tell a parent.

use super::history::History;
use super::load::Load;
use super::phrases;
use super::record::ITEM_START_BYTES_MAX;
use super::step::{FrameLife, Party, Step, Topic};
use crate::core::reason::WaitReason;
use crate::model::exit::ExitStatus;
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::Outcome;
use crate::model::signal::Signal;
use crate::model::spec::QueueOrder;
use crate::model::text::quoted_start;
use crate::model::time::{Duration, Instant};
use crate::model::words::{self, SHOWN_CHARS_MAX, counted, seconds};

/// Most stretches of items that are named when one is not there.
const STRETCHES_MAX: usize = 3;

/// A sentence. Text from outside in it is not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Never before that of the sentence ahead of it.
    pub at: Instant,
    pub text: String,
}

/// What a trace says of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The item, its outcome, and the time from the one to the other.
    pub title: String,
    pub sentences: Vec<Sentence>,
}

/// The trace does not know the item. The text completes "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("find item {item} in the trace: it has {has}")]
pub struct NoSuchItem {
    item: ItemId,
    /// The items that are there.
    has: String,
}

/// Tells the story of an item.
///
/// # Errors
/// The item is not in the trace.
pub fn story(history: &History, item: ItemId) -> Result<Story, NoSuchItem> {
    let mut teller = Teller::new(history, item);
    let mut load = Load::default();
    for step in &history.steps {
        teller.take(step.at, step, &load);
        load.take(step);
    }
    let Some(arrived) = teller.arrived else { return Err(NoSuchItem { item, has: items_of(history) }) };
    teller.end();
    let name = words::item_of(item, history.texts.get(&item).map(|text| shown(text)).as_deref());
    let became = match &teller.outcome {
        Some((outcome, attempts, at)) => {
            let attempts = match attempts {
                0 | 1 => String::new(),
                _ => format!(" after {attempts} attempts"),
            };
            let outcome = words::outcome(outcome);
            format!("{outcome}{attempts}, {} after its arrival", phrases::length(at.since(arrived)))
        }
        None if teller.is_restored => "its outcome is from an earlier run".to_owned(),
        None => "without an outcome in this trace".to_owned(),
    };
    Ok(Story { title: format!("{name}: {became}"), sentences: teller.sentences })
}

/// The beginning of an item, in quotes.
fn shown(text: &[u8]) -> String {
    if text.len() < ITEM_START_BYTES_MAX {
        return quoted_start(text, SHOWN_CHARS_MAX);
    }
    // It may go on. A character that is cut is left out.
    let whole = match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => text.len(),
    };
    let quoted = quoted_start(&text[..whole], SHOWN_CHARS_MAX);
    match quoted.strip_suffix("...\"") {
        Some(_) => quoted,
        None => format!("{}...\"", quoted.strip_suffix('"').unwrap_or(&quoted)),
    }
}

/// `items 0-6 and 9-12`.
fn items_of(history: &History) -> String {
    let mut stretches: Vec<(ItemId, ItemId)> = Vec::new();
    let arrived = history.steps.iter().filter(|step| is_arrival(&step.topic)).filter_map(|step| step.batch);
    for batch in arrived {
        match stretches.last_mut() {
            Some(last) if last.1 == batch.first => last.1 = batch.end(),
            _ => stretches.push((batch.first, batch.end())),
        }
    }
    let of = |(first, end): &(ItemId, ItemId)| match end.0.saturating_sub(first.0) {
        0 | 1 => format!("{first}"),
        items => format!("{first}-{}", first.plus(items - 1)),
    };
    let named: Vec<_> = stretches.iter().take(STRETCHES_MAX).map(of).collect();
    match (stretches.len(), &named[..]) {
        (0, _) => "none".to_owned(),
        (1, [one]) if !one.contains('-') => format!("item {one}"),
        (1..=STRETCHES_MAX, _) => format!("items {}", named.join(" and ")),
        (all, _) => format!("items {} and {} further stretches", named.join(", "), all - STRETCHES_MAX),
    }
}

const fn is_arrival(topic: &Topic) -> bool {
    matches!(topic, Topic::Arrived | Topic::Rejected | Topic::Restored)
}

/// The worker process that has the item.
struct ItemHolder {
    worker: WorkerId,
    incarnation: Incarnation,
    /// The items that it was given with it.
    batch: Batch,
    given: Instant,
    /// When the message with the item was written.
    sent: Option<Instant>,
    /// When a process that was started for the item ran.
    spawned: Option<Instant>,
    /// Signals that the supervisor sent it meanwhile.
    kills: Vec<(Instant, Signal)>,
}

struct Teller<'a> {
    history: &'a History,
    item: ItemId,
    sentences: Vec<Sentence>,
    arrived: Option<Instant>,
    is_restored: bool,
    /// Why nothing is dispatched at the moment.
    wait: Option<WaitReason>,
    /// Since when it is in the queue, and why it was not dispatched since.
    queued: Option<(Instant, Vec<WaitReason>)>,
    holder: Option<ItemHolder>,
    /// What became of it, after how many attempts, and when.
    outcome: Option<(Outcome, u32, Instant)>,
    /// It may be shown, and was not yet.
    is_due: bool,
}

impl<'a> Teller<'a> {
    const fn new(history: &'a History, item: ItemId) -> Self {
        Self {
            history,
            item,
            sentences: Vec::new(),
            arrived: None,
            is_restored: false,
            wait: None,
            queued: None,
            holder: None,
            outcome: None,
            is_due: false,
        }
    }

    fn say(&mut self, at: Instant, text: impl Into<String>) {
        let at = self.sentences.last().map_or(at, |last| at.max(last.at));
        self.sentences.push(Sentence { at, text: text.into() });
    }

    /// `load`: before this step.
    fn take(&mut self, at: Instant, step: &Step, load: &Load) {
        if let Topic::Waits(reason) = step.topic {
            self.wait = Some(reason);
            self.note_wait();
        }
        let is_of_holder = self
            .holder
            .as_ref()
            .is_some_and(|holder| step.worker == Some(holder.worker) && step.incarnation == Some(holder.incarnation));
        match &step.topic {
            Topic::Exited(status) if is_of_holder => return self.exited(at, *status, step),
            Topic::Kill(signal) if is_of_holder => return self.killed(at, *signal, step),
            Topic::Stopped | Topic::NotSpawned if is_of_holder => {
                return self.say(at, format!("{} {}.", capitalized(&self.process(step)), step.label));
            }
            Topic::Stopping if self.arrived.is_some() && self.outcome.is_none() => {
                return self.say(at, format!("The run {}.", step.label));
            }
            Topic::Shown if std::mem::take(&mut self.is_due) => {
                return self.say(at, "stdout has taken all output up to and with that of the item.");
            }
            _ => {}
        }
        let Some(batch) = step.batch.filter(|batch| batch.contains(self.item)) else { return };
        match &step.topic {
            Topic::Arrived => self.arrives(at, batch, load),
            Topic::Rejected | Topic::Restored => {
                self.arrived = Some(at);
                self.is_restored = step.topic == Topic::Restored;
                self.say(at, format!("{}.", capitalized(&step.label)));
            }
            Topic::Dispatch | Topic::Spawn => self.given(at, batch, step),
            Topic::Items if is_of_holder => self.passed(step, batch),
            Topic::Answer if is_of_holder => self.answered(step, batch),
            Topic::Spawned if is_of_holder => self.spawned(at, step),
            Topic::Returned { running } => self.returned(at, *running),
            Topic::Retried { delay, by_chaos } => self.retried(at, *delay, *by_chaos, step),
            Topic::Settled { outcome, in_turn } => self.settled(at, outcome, *in_turn, batch, step),
            Topic::Commit => self.committed(at),
            _ => {}
        }
    }

    /// It waits, for the reason that holds at the moment.
    fn note_wait(&mut self) {
        // The others are why an empty queue is empty.
        let is_of_items =
            |wait: &WaitReason| !matches!(wait, WaitReason::Source | WaitReason::NoDemand | WaitReason::NothingLeft);
        if let (Some((_, waits)), Some(wait)) = (&mut self.queued, self.wait.filter(is_of_items))
            && waits.last() != Some(&wait)
        {
            waits.push(wait);
        }
    }

    fn queue(&mut self, at: Instant) {
        self.queued = Some((at, Vec::new()));
        self.note_wait();
    }

    fn arrives(&mut self, at: Instant, batch: Batch, load: &Load) {
        self.arrived = Some(at);
        let mut text = "It came from the source".to_owned();
        if batch.count > 1 {
            text.push_str(&format!(", as one of {}", phrases::items(batch.first, batch.count)));
        }
        let ahead = load.queued() + (self.item.0 - batch.first.0);
        if ahead > 0 {
            let others = counted(ahead, "item", "items");
            text.push_str(&match self.history.header.policy.queue_order {
                QueueOrder::Fifo => format!(", and was queued behind {others}"),
                QueueOrder::Lifo => format!(", and was queued ahead of {others}: the newest comes first"),
                QueueOrder::Priority => format!(", and was queued with {others}: the smallest number comes first"),
            });
        }
        self.say(at, text + ".");
        self.queue(at);
    }

    fn given(&mut self, at: Instant, batch: Batch, step: &Step) {
        let (Some(worker), Some(incarnation)) = (step.worker, step.incarnation) else { return };
        if let Some((since, waits)) = self.queued.take()
            && at > since
        {
            let reasons: Vec<_> = waits.iter().map(ToString::to_string).collect();
            let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", then ")) };
            self.say(at, format!("It waited {} in the queue{why}.", phrases::length(at.since(since))));
        }
        let attempt =
            if batch.attempt > Attempt::FIRST { format!(" as attempt {}", batch.attempt) } else { String::new() };
        let why = step.because.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let text = match step.topic {
            Topic::Spawn => format!("A process was ordered for it in slot {worker}{attempt}{why}."),
            _ => {
                let with = if batch.count > 1 { format!(", one of {}", of_batch(batch)) } else { String::new() };
                format!("It was given to {}{attempt}{with}{why}.", self.process(step))
            }
        };
        self.say(at, text);
        let (sent, spawned, kills) = (None, None, Vec::new());
        self.holder = Some(ItemHolder { worker, incarnation, batch, given: at, sent, spawned, kills });
    }

    /// `worker 2 (pid 4123)`.
    fn process(&self, step: &Step) -> String {
        let worker = step.worker.map_or_else(|| "a worker".to_owned(), |worker| Party::Worker(worker).to_string());
        match step.pid {
            Some(pid) => format!("{worker} (pid {pid})"),
            None => worker,
        }
    }

    fn passed(&mut self, step: &Step, batch: Batch) {
        let FrameLife { queued: Some(queued), sent: Some(sent), .. } = step.life.unwrap_or_default() else { return };
        let message = message(batch, step.bytes);
        let length = phrases::length(sent.since(queued));
        self.say(sent, format!("{message} was written to the worker, after {length} in the supervisor."));
        if let Some(holder) = &mut self.holder {
            holder.sent = Some(sent);
        }
    }

    fn answered(&mut self, step: &Step, batch: Batch) {
        let Some(holder) = &self.holder else { return };
        let (sent, life) = (holder.sent, step.life.unwrap_or_default());
        // An answer to several messages tells when the first of them was read.
        let taken = life.taken.filter(|_| batch.first >= holder.batch.first);
        if let (Some(sent), Some(taken)) = (sent, taken) {
            self.say(taken, format!("The worker read it, after {} on the way.", phrases::length(taken.since(sent))));
        }
        let own = self.own_times();
        let (began, finished) = (own.map(|own| own.0).or(life.began), own.map(|own| own.0 + own.1).or(life.finished));
        if let (Some(began), Some(finished)) = (began, finished) {
            let waited = taken.map_or_else(String::new, |taken| {
                format!(", after {} of waiting in the worker", phrases::length(began.since(taken)))
            });
            let worked = phrases::length(finished.since(began));
            if own.is_some() || batch.count == 1 {
                self.say(began, format!("The worker began it{waited}."));
                self.say(finished, format!("The worker had finished it, after {worked} at work."));
            } else {
                let items = phrases::items(batch.first, batch.count);
                self.say(began, format!("The worker began the first of {items}{waited}."));
                self.say(
                    finished,
                    format!(
                        "The worker had finished the last of them, after {worked} at work on all {}. These are the times \
                         of the message: --trace-items records those of each item.",
                        batch.count
                    ),
                );
            }
        } else {
            self.say(step.at, "The worker does not tell the times of its work.");
        }
        let name = if step.is_bad { "The failure" } else { "The result" };
        let with = if batch.count > 1 { format!(", with those of {}", of_batch(batch)) } else { String::new() };
        let size = step
            .bytes
            .filter(|bytes| *bytes > 0)
            .map_or_else(String::new, |bytes| format!(", {}", phrases::bytes(bytes)));
        let way = match (life.finished, life.received) {
            (Some(finished), Some(received)) => {
                format!(", after {} on the way", phrases::length(received.since(finished)))
            }
            _ => String::new(),
        };
        self.say(step.at, format!("{name} came back{with}{size}{way}."));
    }

    /// When the work on the item began and how long it took, if that is recorded.
    fn own_times(&self) -> Option<(Instant, Duration)> {
        let holder = self.holder.as_ref()?;
        self.history.times.iter().rev().find_map(|times| {
            let is_of_holder = times.worker == holder.worker
                && times.incarnation == holder.incarnation
                && times.attempt == holder.batch.attempt;
            let place = usize::try_from(self.item.0.checked_sub(times.first.0)?).ok()?;
            times.times.get(place).filter(|_| is_of_holder).copied()
        })
    }

    fn spawned(&mut self, at: Instant, step: &Step) {
        let Some(holder) = &mut self.holder else { return };
        let spawned = self.history.process(holder.worker, holder.incarnation).map_or(at, |life| life.spawned);
        holder.spawned = Some(spawned);
        let length = phrases::length(spawned.since(holder.given));
        let process = self.process(step);
        self.say(spawned, format!("{} ran, {length} after the order.", capitalized(&process)));
    }

    fn killed(&mut self, at: Instant, signal: Signal, step: &Step) {
        let why = step.because.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        self.say(at, format!("The supervisor sent signal {signal} to {}{why}.", self.process(step)));
        if let Some(holder) = &mut self.holder {
            holder.kills.push((at, signal));
        }
    }

    fn exited(&mut self, at: Instant, status: ExitStatus, step: &Step) {
        let Some(holder) = self.holder.take() else { return };
        let life = self.history.process(holder.worker, holder.incarnation);
        let exit = life.and_then(|life| life.exit.clone()).unwrap_or_else(|| status.to_string());
        let running = step.batch.map(|batch| batch.first);
        let when = match (holder.spawned, running) {
            (Some(spawned), _) => format!(", after {} at work", phrases::length(at.since(spawned))),
            (None, Some(item)) if item == self.item => ", while it was at the item".to_owned(),
            (None, Some(item)) => format!(", while it was at item {item}; this one only waited there"),
            (None, None) => ", while it was at no item that is known".to_owned(),
        };
        self.say(at, format!("{} ended: {exit}{when}.", capitalized(&self.process(step))));
        let ExitStatus::Signal { signal, .. } = status else { return };
        match holder.kills.iter().rev().find(|(_, sent)| *sent == signal) {
            Some((sent, _)) => {
                self.say(at, format!("The supervisor sent this signal, at {}.", seconds(sent.since(Instant::ZERO))));
            }
            None => self.say(
                at,
                "The supervisor did not send this signal. It came from outside, from the system, or from the worker \
                 itself; who sends a signal to a worker is not known to the supervisor.",
            ),
        }
    }

    fn returned(&mut self, at: Instant, running: Option<ItemId>) {
        let front = match self.history.header.policy.queue_order {
            QueueOrder::Fifo | QueueOrder::Lifo => "to the front of the queue",
            QueueOrder::Priority => "into the queue",
        };
        let why = match running {
            Some(item) if item == self.item => "the worker was at it, and that does not count as an attempt",
            _ => "it only waited there",
        };
        self.say(at, format!("It went back {front}, uncharged: {why}."));
        self.holder = None;
        self.queue(at);
    }

    fn retried(&mut self, at: Instant, delay: Duration, by_chaos: bool, step: &Step) {
        let why = step.because.as_ref().filter(|_| !by_chaos);
        let why = why.map_or_else(String::new, |why| format!("; {why}"));
        let how = if by_chaos {
            "The run did that by its plan, so it counts toward no limit"
        } else {
            "The attempt is charged to it"
        };
        self.say(at, format!("{how}: {}{why}.", step.label));
        self.holder = None;
        self.queue(at + delay);
    }

    fn settled(&mut self, at: Instant, outcome: &Outcome, in_turn: bool, batch: Batch, step: &Step) {
        let why = step.because.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        self.say(at, format!("{}{why}.", capitalized(&step.label)));
        if !in_turn {
            self.say(at, "It is kept until its turn to be shown.");
        }
        let attempts = if *outcome == Outcome::Skipped { 0 } else { batch.attempt.0 };
        self.outcome = Some((outcome.clone(), attempts, at));
        (self.holder, self.queued) = (None, None);
        self.is_due = in_turn;
    }

    fn committed(&mut self, at: Instant) {
        let Some((_, _, settled)) = &self.outcome else { return };
        let length = phrases::length(at.since(*settled));
        self.say(at, format!("Its turn to be shown came, {length} after its outcome."));
        self.is_due = true;
    }

    /// The trace has ended.
    fn end(&mut self) {
        if self.outcome.is_some() || self.is_restored {
            return;
        }
        let place = match (&self.holder, &self.queued) {
            (Some(holder), _) => format!("it is at worker {}", holder.worker),
            (None, Some((_, waits))) => match waits.last() {
                Some(wait) => format!("it waits in the queue: {wait}"),
                None => "it waits in the queue".to_owned(),
            },
            (None, None) => "what became of it is not recorded".to_owned(),
        };
        self.say(self.history.end, format!("The trace ends: {place}."));
    }
}

/// `items 0-99`.
fn of_batch(batch: Batch) -> String {
    phrases::items(batch.first, batch.count)
}

/// `The message (12 B)`, `The message with items 0-99 (1.2 KiB)`.
fn message(batch: Batch, bytes: Option<u64>) -> String {
    let with = if batch.count > 1 { format!(" with {}", of_batch(batch)) } else { String::new() };
    format!("The message{with} ({})", phrases::bytes(bytes.unwrap_or(0)))
}

/// A clause as the beginning of a sentence.
fn capitalized(clause: &str) -> String {
    let mut chars = clause.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::action::Action;
    use crate::core::reason::{Reason, WaitReason};
    use crate::model::event::{EndReason, ItemFate, RunEvent};
    use crate::model::exit::Usage;
    use crate::model::outcome::Settlement;
    use crate::trace::record::TraceRecord;
    use crate::trace::testing::{
        INCARNATION, answered, arrived, batch, fact, given, header, history, order, us, waits, worker,
    };
    use std::borrow::Cow;

    fn told(history: &History, item: u64) -> String {
        let story = story(history, ItemId(item)).unwrap();
        let sentences = story.sentences.iter().map(|told| format!("\n{} {}", told.at.0 / 1000, told.text));
        story.title.clone() + &sentences.collect::<String>()
    }

    fn done(first: u64, count: u32) -> TraceRecord<'static> {
        order(Action::Settle { settlement: Settlement::of_done(ItemId(first), count), in_turn: true })
    }

    #[test]
    fn an_item_in_a_batch_has_the_times_of_its_message() {
        let mut records = vec![arrived(us(10), 0, 4), waits(WaitReason::NoWorker), waits(WaitReason::NoCredit)];
        records.push(fact(us(50), crate::core::input::Input::SourceEnded));
        records.extend(given(1, batch(0, 3, 1), [51, 60]));
        records.push(answered(1, batch(0, 3, 1), Some([70, 75, 95]), 100));
        records.extend([done(0, 3), TraceRecord::Written { at: us(110), waiting_bytes: 0 }]);
        let history = history(header(), records);
        let expected = "\
item 2: done, 90 us after its arrival
10 It came from the source, as one of items 0-3, and was queued behind 2 items.
50 It waited 40 us in the queue: no worker is ready, then every worker holds as much as its credit allows.
50 It was given to worker 1, one of items 0-2: the first of 2 idle workers; up to its credit; 5 queued.
60 The message with items 0-2 (10 B) was written to the worker, after 9.0 us in the supervisor.
70 The worker read it, after 10 us on the way.
75 The worker began the first of items 0-2, after 5.0 us of waiting in the worker.
95 The worker had finished the last of them, after 20 us at work on all 3. These are the times of the message: \
--trace-items records those of each item.
100 The result came back, with those of items 0-2, 20 B, after 5.0 us on the way.
100 Items 0-2 are done.
110 stdout has taken all output up to and with that of the item.";
        assert_eq!(told(&history, 2), expected);
        let waiting = told(&history, 3);
        assert!(waiting.starts_with("item 3: without an outcome in this trace\n"), "{waiting}");
        assert!(
            waiting.ends_with("it waits in the queue: every worker holds as much as its credit allows."),
            "{waiting}"
        );
    }

    #[test]
    fn times_of_items_are_used_where_they_are_known() {
        let mut records = vec![arrived(us(10), 0, 2)];
        records.extend(given(1, batch(0, 2, 1), [11, 12]));
        let times = vec![(us(21), Duration(1000)), (us(30), Duration(2000))];
        let times = super::super::record::TracedTimes {
            worker: worker(1),
            incarnation: INCARNATION,
            first: ItemId(0),
            attempt: Attempt::FIRST,
            times,
        };
        records.push(TraceRecord::Times(Cow::Owned(times)));
        records.push(answered(1, batch(0, 2, 1), Some([20, 21, 40]), 50));
        records.push(done(0, 2));
        let text = told(&history(header(), records), 1);
        assert!(text.contains("\n30 The worker began it, after 10 us of waiting in the worker."), "{text}");
        assert!(text.contains("\n32 The worker had finished it, after 2.0 us at work."), "{text}");
    }

    #[test]
    fn a_signal_is_told_apart_by_who_sent_it() {
        let killed = |by_us: bool| {
            let mut records = vec![arrived(us(10), 0, 1)];
            records.extend(given(1, batch(0, 1, 1), [11, 12]));
            if by_us {
                let (why, item) = (EndReason::TimedOut, Some(ItemId(0)));
                records.push(order(Action::Because(Reason::End { why, item, step: 1 })));
                let (worker, incarnation) = (worker(1), INCARNATION);
                records.push(order(Action::Kill { worker, incarnation, signal: Signal::KILL }));
            }
            let returned = RunEvent::ItemsReturned {
                first: ItemId(0),
                count: 1,
                attempt: Attempt::FIRST,
                worker: worker(1),
                incarnation: INCARNATION,
                pid: 5,
                running: None,
            };
            let exited = RunEvent::WorkerExited {
                worker: worker(1),
                incarnation: INCARNATION,
                pid: 5,
                exit: ExitStatus::Signal { signal: Signal::KILL, core_dumped: false },
                reason: EndReason::Own,
                item: Some((ItemId(9), ItemFate::Settled)),
                waiting: 1,
                items: 0,
                usage: Usage::default(),
                stderr: None,
            };
            records.extend([order(Action::Report(exited)), order(Action::Report(returned))]);
            told(&history(header(), records), 0)
        };
        let outside = killed(false);
        assert!(
            outside.contains("ended: signal 9 (KILL), while it was at item 9; this one only waited there."),
            "{outside}"
        );
        assert!(outside.contains("The supervisor did not send this signal."), "{outside}");
        assert!(
            outside.contains("It went back to the front of the queue, uncharged: it only waited there."),
            "{outside}"
        );
        let ours = killed(true);
        assert!(ours.contains("sent signal 9 (KILL) to worker 1: item 0 passed the hard limit."), "{ours}");
        assert!(ours.contains("The supervisor sent this signal, at 0.000012s."), "{ours}");
    }

    #[test]
    fn a_worker_that_tells_no_times_is_said_to_be_one() {
        let mut records = vec![arrived(us(10), 0, 1)];
        records.extend(given(1, batch(0, 1, 1), [11, 12]));
        records.extend([answered(1, batch(0, 1, 1), None, 50), done(0, 1)]);
        let text = told(&history(header(), records), 0);
        assert!(text.contains("\n50 The worker does not tell the times of its work."), "{text}");
    }

    #[test]
    fn an_item_that_is_not_there_is_refused_with_those_that_are() {
        let refusal = |records: Vec<TraceRecord<'static>>| {
            story(&history(header(), records), ItemId(99)).unwrap_err().to_string()
        };
        assert_eq!(refusal(Vec::new()), "find item 99 in the trace: it has none");
        assert_eq!(refusal(vec![arrived(us(1), 7, 1)]), "find item 99 in the trace: it has item 7");
        let many = [(0, 4), (4, 2), (7, 1)].map(|(first, count)| arrived(us(1), first, count));
        assert_eq!(refusal(many.into()), "find item 99 in the trace: it has items 0-5 and 7");
    }

    #[test]
    fn a_long_text_is_shown_as_a_beginning() {
        assert_eq!(shown(b"a\"b"), r#""a\"b""#);
        assert_eq!(shown("ä".repeat(32).as_bytes()), format!("\"{}...\"", "ä".repeat(32)));
        let cut = &"€".repeat(30).into_bytes()[..ITEM_START_BYTES_MAX];
        assert_eq!(shown(cut), format!("\"{}...\"", "€".repeat(21)));
    }
}
