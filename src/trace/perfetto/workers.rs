//! The rows of each slot: one for each of its processes with what it worked on, and those of items that wait in one. A
//! slot whose processes are started for one item each has them all in one row.

use super::clock::ns;
use super::event::{EventWriter, InstantScope, RowInstant};
use super::flows::{FlowLinks, last_work_span, message_span, work_span};
use super::lanes::lanes;
use super::row;
use super::slice::{FlowPhase, RowSlice, SliceBody};
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::time::Duration;
use crate::trace::history::{History, ProcessLife};
use crate::trace::record::TracedTimes;
use crate::trace::step::{Step, StepKind, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What a trace has of a process.
#[derive(Default)]
struct ProcessSteps<'a> {
    life: Option<&'a ProcessLife>,
    /// The items that it was started for.
    spawned_for: Option<Batch>,
    /// Answers, by their place among the steps.
    answers: Vec<usize>,
    /// Its end over an item; in a damaged trace it may have several.
    died: Vec<usize>,
    times: Vec<&'a TracedTimes>,
    instants: Vec<RowInstant<'a>>,
}

/// What a trace has of a slot.
#[derive(Default)]
struct SlotSteps<'a> {
    processes: BTreeMap<Incarnation, ProcessSteps<'a>>,
    /// Messages that waited in a process.
    waiting: Vec<&'a Step>,
}

/// Writes them, one slot after the other.
pub fn write<W: io::Write>(events: &mut EventWriter<'_, W>, history: &History, flows: &FlowLinks) -> io::Result<()> {
    for (worker, slot) in slots(history) {
        events.add_party(Some(worker), &format!("worker {worker}"), None)?;
        if history.header.policy.worker.starts_with_item() {
            write_commands(events, history, worker, &slot)?;
            continue;
        }
        for (incarnation, process) in &slot.processes {
            write_process(events, history, flows, (worker, *incarnation), process)?;
        }
        write_waiting(events, worker, &slot.waiting)?;
    }
    Ok(())
}

fn slots(history: &History) -> BTreeMap<WorkerId, SlotSteps<'_>> {
    let mut slots: BTreeMap<WorkerId, SlotSteps<'_>> = BTreeMap::new();
    for life in &history.processes {
        let slot = slots.entry(life.worker).or_default();
        slot.processes.entry(life.incarnation).or_default().life = Some(life);
    }
    for times in &history.times {
        let slot = slots.entry(times.worker).or_default();
        slot.processes.entry(times.incarnation).or_default().times.push(times);
    }
    let per_item = history.header.policy.worker.starts_with_item();
    for (index, step) in history.steps.iter().enumerate() {
        let (Some(worker), Some(incarnation)) = (step.worker, step.incarnation) else { continue };
        let slot = slots.entry(worker).or_default();
        match step.topic {
            Topic::Items => slot.waiting.extend(waiting_span(step).map(|_| step)),
            Topic::Spawned => slot.processes.entry(incarnation).or_default().spawned_for = step.batch,
            Topic::Answer => slot.processes.entry(incarnation).or_default().answers.push(index),
            Topic::Exited(_) if step.batch.is_some() => {
                slot.processes.entry(incarnation).or_default().died.push(index);
            }
            _ => {}
        }
        if let Some(instant) = instant(step, per_item) {
            slot.processes.entry(incarnation).or_default().instants.push(instant);
        }
    }
    slots
}

/// `per_item`: the slice of a process tells how it ended, so only the bad ends of many are marked.
fn instant(step: &Step, per_item: bool) -> Option<RowInstant<'_>> {
    let category = match step.topic {
        Topic::Kill(_) | Topic::Stopped => "signal",
        Topic::NotSpawned => "death",
        Topic::Exited(_) if step.is_bad => "death",
        Topic::Exited(_) if !per_item => "exit",
        Topic::Other if step.kind == StepKind::Process => "restart",
        _ => return None,
    };
    Some(RowInstant { step, category, scope: InstantScope::Row })
}

/// A process that stays.
fn write_process<W: io::Write>(
    events: &mut EventWriter<'_, W>,
    history: &History,
    flows: &FlowLinks,
    (worker, incarnation): (WorkerId, Incarnation),
    process: &ProcessSteps<'_>,
) -> io::Result<()> {
    let pid = process.life.map(|life| life.pid);
    let name = match pid {
        // Threads have the supervisor's.
        Some(pid) if pid == history.header.pid => format!("thread {} of pid {pid}", incarnation.0),
        Some(pid) => format!("process {} (pid {pid})", incarnation.0),
        None => format!("process {}", incarnation.0),
    };
    let row = events.add_row(Some(worker), &name, pid)?;
    let mut slices = Vec::new();
    let works = push_work(&mut slices, history, flows, process);
    let latest = push_items(&mut slices, process, &works);
    for died in &process.died {
        push_last_work(&mut slices, history, flows, *died, latest);
    }
    if let Some(life) = process.life {
        // By its own clock it may have worked before its start was noted.
        let from = slices.iter().map(|slice| slice.from).fold(ns(life.spawned), u64::min);
        let to = slices.iter().map(|slice| slice.to).fold(ns(life.ended.unwrap_or(history.end)), u64::max);
        slices.push(RowSlice::new((from, to.max(from + 1)), SliceBody::Life(life)));
    }
    row::write(events, row, slices, &process.instants)
}

/// Adds the work on each answer, and around answers to the same message the work on all of them. Returns when each answer
/// was worked on, in the order of time.
fn push_work<'a>(
    slices: &mut Vec<RowSlice<'a>>,
    history: &'a History,
    flows: &'a FlowLinks,
    process: &ProcessSteps<'_>,
) -> Vec<(u64, u64)> {
    let span = |index: &usize| work_span(&history.steps[*index]).map(|span| (span, *index));
    let mut works: Vec<((u64, u64), usize)> = process.answers.iter().filter_map(span).collect();
    works.sort_unstable();
    let mut together: Vec<((u64, u64), usize)> = Vec::new();
    let mut messages = BTreeSet::new();
    for work in &works {
        let end = together.last().map_or(0, |(span, _)| span.1);
        if !flows.to(work.1).any(|link| messages.contains(&link.given)) && work.0.0 >= end {
            push_together(slices, history, &together);
            together.clear();
            messages.clear();
        }
        messages.extend(flows.to(work.1).map(|link| link.given));
        together.push(*work);
        let part = RowSlice::new(work.0, SliceBody::Part(&history.steps[work.1]));
        slices.push(part.with(FlowPhase::Step, flows.to(work.1)));
    }
    push_together(slices, history, &together);
    works.into_iter().map(|(span, _)| span).collect()
}

/// Adds the slice around works that belong together. One alone needs none.
fn push_together<'a>(slices: &mut Vec<RowSlice<'a>>, history: &'a History, works: &[((u64, u64), usize)]) {
    let batches: Vec<Batch> = works.iter().filter_map(|(_, index)| history.steps[*index].batch).collect();
    let ([((from, _), _), _, ..], [some, ..]) = (works, &batches[..]) else { return };
    let to = works.iter().map(|(span, _)| span.1).fold(*from, u64::max);
    let first = batches.iter().map(|batch| batch.first).fold(some.first, ItemId::min);
    let end = batches.iter().map(|batch| batch.end()).fold(some.end(), ItemId::max);
    let count = u32::try_from(end.0 - first.0).unwrap_or(u32::MAX);
    let items = batches.iter().map(|batch| u64::from(batch.count)).sum();
    let batch = Batch { first, count, attempt: some.attempt };
    slices.push(RowSlice::new((*from, to), SliceBody::Work(batch, items)));
}

/// Adds the items whose times are known. `works`: when answers were worked on; an item belongs to the one that its middle
/// is in, since two looks at a clock differ by a little. Returns when the process had finished the last of all.
fn push_items(slices: &mut Vec<RowSlice<'_>>, process: &ProcessSteps<'_>, works: &[(u64, u64)]) -> u64 {
    let mut latest = works.iter().map(|work| work.1).max().unwrap_or(0);
    for times in &process.times {
        for (item, (began, length)) in (0..).zip(&times.times) {
            let (from, to) = (ns(*began), ns(*began + *length));
            let middle = ns(*began + Duration(length.0 / 2));
            let next = works.partition_point(|work| work.0 <= middle);
            let before = next.checked_sub(1).map(|place| works[place]);
            let (low, high) = match before {
                Some(work) if middle < work.1 => work,
                _ => (before.map_or(0, |work| work.1), works.get(next).map_or(u64::MAX, |work| work.0)),
            };
            let from = from.clamp(low, high - 1);
            let to = to.clamp(from + 1, high);
            latest = latest.max(to);
            slices.push(RowSlice::new((from, to), SliceBody::Item(times.first.plus(item), times.attempt)));
        }
    }
    latest
}

/// Adds the work on the item over which the process died.
fn push_last_work<'a>(
    slices: &mut Vec<RowSlice<'a>>,
    history: &'a History,
    flows: &'a FlowLinks,
    died: usize,
    before: u64,
) {
    let (step, mut links) = (&history.steps[died], flows.to(died));
    // Without its message it is not known when it began, or whether it was answered just before.
    let (Some(link), Some(item)) = (links.next(), step.batch) else { return };
    let given = &history.steps[link.given];
    let attempt = given.batch.map_or(item.attempt, |batch| batch.attempt);
    let slice = RowSlice::new(
        last_work_span(given, step, before),
        SliceBody::Unfinished(Batch::of_one(item.first, attempt), step),
    );
    slices.push(slice.with(FlowPhase::End, std::iter::once(link)));
}

/// Processes that are started for an item each.
fn write_commands<W: io::Write>(
    events: &mut EventWriter<'_, W>,
    history: &History,
    worker: WorkerId,
    slot: &SlotSteps<'_>,
) -> io::Result<()> {
    let span = |life: &ProcessLife| (ns(life.spawned), ns(life.ended.unwrap_or(history.end)).max(ns(life.spawned) + 1));
    let commands: Vec<_> =
        slot.processes.values().filter_map(|process| Some((process.life?, process.spawned_for))).collect();
    let spans: Vec<(u64, u64)> = commands.iter().map(|(life, _)| span(life)).collect();
    let mut instants: Vec<RowInstant<'_>> =
        slot.processes.values().flat_map(|process| process.instants.iter().copied()).collect();
    let mut rows = lanes(&spans);
    if rows.is_empty() {
        rows.push(Vec::new());
    }
    for (number, lane) in (1..).zip(rows) {
        let name = if number == 1 { "commands".to_owned() } else { format!("commands {number}") };
        let row = events.add_row(Some(worker), &name, None)?;
        let slice = |place: &usize| {
            let (life, batch) = commands[*place];
            RowSlice::new(spans[*place], SliceBody::Command(life, batch))
        };
        row::write(events, row, lane.iter().map(slice).collect(), &std::mem::take(&mut instants))?;
    }
    Ok(())
}

/// Items that were read and not begun, while the process was at others.
fn write_waiting<W: io::Write>(events: &mut EventWriter<'_, W>, worker: WorkerId, waiting: &[&Step]) -> io::Result<()> {
    let spans: Vec<(u64, u64)> = waiting.iter().filter_map(|step| waiting_span(step)).collect();
    for (number, lane) in (1..).zip(lanes(&spans)) {
        let row = events.add_row(Some(worker), &format!("waiting {number}"), None)?;
        let slice = |place: &usize| RowSlice::new(spans[*place], SliceBody::Waiting(waiting[*place]));
        row::write(events, row, lane.iter().map(slice).collect(), &[])?;
    }
    Ok(())
}

/// When a message had been read and no item of it was begun; `None` where that is not known, and where none waited.
fn waiting_span(step: &Step) -> Option<(u64, u64)> {
    let life = step.life?;
    let (from, to) = (ns(life.received?).max(message_span(step).0), ns(life.began?));
    (to > from).then_some((from, to))
}
