//! The supervisor's rows: the run with what happened to it, the numbers of items, and the messages.

use super::clock::ns;
use super::event::{EventRow, EventWriter, InstantScope, RowInstant};
use super::flows::{FlowLinks, message_span};
use super::lanes::lanes;
use super::row;
use super::slice::{FlowPhase, RowSlice, SliceBody};
use crate::trace::history::History;
use crate::trace::load::Load;
use crate::trace::step::{Step, StepKind, Topic};
use std::io;

/// Writes them.
pub fn write<W: io::Write>(events: &mut EventWriter<'_, W>, history: &History, flows: &FlowLinks) -> io::Result<()> {
    let pid = Some(history.header.pid);
    events.add_party(None, &format!("supervisor (pid {})", history.header.pid), pid)?;
    let run = events.add_row(None, "run", pid)?;
    let instants: Vec<RowInstant<'_>> = history.steps.iter().filter_map(instant).collect();
    row::write(events, run, vec![RowSlice::new((0, ns(history.end)), SliceBody::Run)], &instants)?;
    write_load(events, run, history)?;
    write_messages(events, history, flows)
}

/// What happened to the run, and which items do not just go on.
fn instant(step: &Step) -> Option<RowInstant<'_>> {
    let is_of_run = step.worker.is_none() && step.batch.is_none() && step.is_main;
    let (category, scope) = match &step.topic {
        Topic::Stopping => ("stop", InstantScope::Run),
        Topic::Other if is_of_run && step.kind == StepKind::Signal => ("signal", InstantScope::Run),
        Topic::Other if is_of_run => ("run", InstantScope::Row),
        Topic::Rejected | Topic::Retried { .. } => ("item", InstantScope::Row),
        Topic::Settled { .. } if step.is_bad => ("item", InstantScope::Row),
        _ => return None,
    };
    Some(RowInstant { step, category, scope })
}

/// The numbers of items, from each moment on at which one of them changes.
fn write_load<W: io::Write>(events: &mut EventWriter<'_, W>, run: EventRow, history: &History) -> io::Result<()> {
    let mut load = Load::default();
    let mut latest = (0, 0, 0);
    for step in &history.steps {
        if !load.take(step) {
            continue;
        }
        let now = (ns(step.at).max(latest.0), load.queued(), load.in_flight());
        if now.0 > latest.0 {
            events.load(run, latest)?;
        }
        latest = now;
    }
    events.load(run, latest)
}

/// Messages overlap: each is in the first row that is free.
fn write_messages<W: io::Write>(
    events: &mut EventWriter<'_, W>,
    history: &History,
    flows: &FlowLinks,
) -> io::Result<()> {
    let steps = history.steps.iter().enumerate();
    let messages: Vec<(usize, &Step)> =
        steps.filter(|(_, step)| matches!(step.topic, Topic::Items | Topic::Answer)).collect();
    let spans: Vec<(u64, u64)> = messages.iter().map(|(_, step)| message_span(step)).collect();
    for (number, lane) in (1..).zip(lanes(&spans)) {
        let row = events.add_row(None, &format!("messages {number}"), None)?;
        let mut slices = Vec::new();
        for place in lane {
            let (index, step) = messages[place];
            push_message(&mut slices, spans[place], index, step, flows);
        }
        row::write(events, row, slices, &[])?;
    }
    Ok(())
}

/// Adds the slice of a message, and of those to a worker the parts of its way that are known.
fn push_message<'a>(
    slices: &mut Vec<RowSlice<'a>>,
    span: (u64, u64),
    index: usize,
    step: &'a Step,
    flows: &'a FlowLinks,
) {
    if step.topic == Topic::Answer {
        slices.push(RowSlice::new(span, SliceBody::Answer(step)).with(FlowPhase::End, flows.to(index)));
        return;
    }
    slices.push(RowSlice::new(span, SliceBody::Message(step)).with(FlowPhase::Start, flows.from(index)));
    let life = step.life.unwrap_or_default();
    if let (Some(sent), Some(_)) = (life.sent.map(ns), life.received) {
        let sent = sent.clamp(span.0, span.1);
        if sent > span.0 {
            slices.push(RowSlice::new((span.0, sent), SliceBody::InSupervisor));
        }
        if sent < span.1 {
            slices.push(RowSlice::new((sent, span.1), SliceBody::OnTheWay));
        }
    }
}
