//! The data of a page as JSON in columns, which `data.js` reads: times as whole microseconds, each as the distance to
//! the one before it, so that a step is about 70 bytes with its label. Text is escaped for a `script` element: `<` and
//! `>` never occur in it, and neither do the line ends of JavaScript that JSON allows.

use crate::model::exit::ExitStatus;
use crate::model::time::Instant;
use crate::trace::history::{History, ProcessLife};
use crate::trace::phrases::rfc_3339;
use crate::trace::record::TraceHeader;
use crate::trace::step::{Party, Step, StepKind, Topic};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What a step is more closely: it decides the shape and the colour, and which process counts as dead. The numbers are
/// those of `data.js`.
#[derive(Clone, Copy)]
enum PageMark {
    /// None of the others.
    Plain = 0,
    /// A process was started: for an incarnation above 1, a restart.
    Started = 1,
    /// It said hello.
    Ready = 2,
    /// It ended as it was meant to.
    Ended = 3,
    /// It ended otherwise: drawn as a death.
    Died = 4,
    /// No end of a process, and still something that a person looks for: a failure, a loss.
    Bad = 5,
}

/// Writes the data of a page that shows `steps` of `history`.
pub fn write(history: &History, steps: &[&Step], out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{\"run\":")?;
    run(&history.header, out)?;
    out.write_all(b",\"cut\":")?;
    optional_text(history.cut.as_deref(), out)?;
    out.write_all(b",\"processes\":")?;
    list(&history.processes, out, process)?;
    out.write_all(b",\"steps\":")?;
    write_steps(history, steps, out)?;
    out.write_all(b"}")
}

fn run(header: &TraceHeader, out: &mut impl Write) -> io::Result<()> {
    let protocol = if header.transport.is_some() { "frames" } else { "exec" };
    let texts = [
        ("version", header.program_version.as_str()),
        ("id", &header.run_id),
        ("command", &header.command_line),
        ("ran", &header.workers_run),
        ("started", &rfc_3339(header.started_unix_ns)),
        ("transport", header.transport.as_deref().unwrap_or("none")),
        ("protocol", protocol),
    ];
    out.write_all(b"{")?;
    for (name, value) in texts {
        write!(out, "\"{name}\":")?;
        text(value, out)?;
        out.write_all(b",")?;
    }
    write!(out, "\"workers\":{}}}", header.policy.workers)
}

fn process(life: &ProcessLife, out: &mut impl Write) -> io::Result<()> {
    write!(out, "[{},{},{}", life.worker.number(), life.incarnation.0, life.pid)?;
    for time in [life.ordered, Some(life.spawned), life.ready, life.ended] {
        out.write_all(b",")?;
        number(time.map(micros), out)?;
    }
    out.write_all(b",")?;
    optional_text(life.exit.as_deref(), out)?;
    let usage = &life.usage;
    write!(out, ",{},{},{},{}]", life.items, usage.user_us, usage.system_us, usage.rss_max_kib)
}

fn write_steps(history: &History, steps: &[&Step], out: &mut impl Write) -> io::Result<()> {
    let per_item = history.header.policy.worker.starts_with_item();
    out.write_all(b"{\"t\":")?;
    let mut before = 0;
    list(steps, out, |step, out| {
        let now = micros(step.at);
        write!(out, "{}", distance(&mut before, now))
    })?;
    out.write_all(b",\"kind\":\"")?;
    steps.iter().try_for_each(|step| write!(out, "{}", step.kind as u8))?;
    out.write_all(b"\",\"mark\":\"")?;
    steps.iter().try_for_each(|step| write!(out, "{}", mark(step, per_item) as u8))?;
    out.write_all(b"\",\"main\":\"")?;
    steps.iter().try_for_each(|step| write!(out, "{}", u8::from(step.is_main)))?;
    out.write_all(b"\"")?;
    column("from", steps, out, |step| Some(party(step.from)))?;
    column("to", steps, out, |step| Some(party(step.to)))?;
    column("worker", steps, out, |step| step.worker.map(|worker| i64::from(worker.number())))?;
    column("incarnation", steps, out, |step| step.incarnation.map(|incarnation| i64::from(incarnation.0)))?;
    // The page takes a pid that is left out from the table of processes.
    let known: BTreeMap<_, _> =
        history.processes.iter().map(|life| ((Some(life.worker), Some(life.incarnation)), life.pid)).collect();
    let is_known = |step: &Step| known.get(&(step.worker, step.incarnation)).copied() == step.pid;
    column("pid", steps, out, |step| step.pid.filter(|_| !is_known(step)).map(i64::from))?;
    let mut before = 0;
    column("item", steps, out, |step| step.batch.map(|batch| distance(&mut before, whole(batch.first.0))))?;
    column("count", steps, out, |step| step.batch.map(|batch| i64::from(batch.count)))?;
    let attempt = |step: &Step| step.batch.map(|batch| i64::from(batch.attempt.0)).filter(|attempt| *attempt > 0);
    column("attempt", steps, out, attempt)?;
    column("bytes", steps, out, |step| step.bytes.map(whole))?;
    out.write_all(b",\"label\":")?;
    list(steps, out, |step, out| text(&step.label, out))?;
    // Most steps have no reason: 0 is the shortest word for that.
    out.write_all(b",\"because\":")?;
    list(steps, out, |step, out| match &step.because {
        Some(because) => text(because, out),
        None => out.write_all(b"0"),
    })?;
    out.write_all(b",\"frame\":{\"queued\":")?;
    frames(steps, out)?;
    out.write_all(b"}}")
}

/// The times of frames, and of frames alone, each as the distance to the last known one before it.
fn frames(steps: &[&Step], out: &mut impl Write) -> io::Result<()> {
    let names = ["queued", "sent", "received", "began", "finished"];
    for (place, name) in names.into_iter().enumerate() {
        if place > 0 {
            write!(out, ",\"{name}\":")?;
        }
        let frames = steps.iter().filter(|step| step.kind == StepKind::Frame);
        list(frames, out, |step, out| {
            let life = step.life.unwrap_or_default();
            let times = [life.queued, life.sent, life.received, life.began, life.finished];
            let before = times[..place].iter().rev().find_map(|time| *time).unwrap_or(step.at);
            number(times[place].map(|time| micros(time).saturating_sub(micros(before))), out)
        })?;
    }
    Ok(())
}

fn column(
    name: &str,
    steps: &[&Step],
    out: &mut impl Write,
    mut value: impl FnMut(&Step) -> Option<i64>,
) -> io::Result<()> {
    write!(out, ",\"{name}\":")?;
    list(steps, out, |step, out| number(value(step), out))
}

fn list<T, W: Write>(
    rows: impl IntoIterator<Item = T>,
    out: &mut W,
    mut write: impl FnMut(T, &mut W) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(b"[")?;
    for (n, row) in rows.into_iter().enumerate() {
        if n > 0 {
            out.write_all(b",")?;
        }
        write(row, out)?;
    }
    out.write_all(b"]")
}

fn number(value: Option<i64>, out: &mut impl Write) -> io::Result<()> {
    let mut digits = itoa::Buffer::new();
    out.write_all(value.map_or("null", |value| digits.format(value)).as_bytes())
}

/// `per_item`: an exit code is the result of an item, and no death.
const fn mark(step: &Step, per_item: bool) -> PageMark {
    match step.topic {
        Topic::Spawned => PageMark::Started,
        Topic::Ready => PageMark::Ready,
        Topic::Exited(ExitStatus::Code(_)) if per_item && step.is_bad => PageMark::Bad,
        Topic::Exited(_) if step.is_bad => PageMark::Died,
        Topic::Exited(_) => PageMark::Ended,
        _ if step.is_bad => PageMark::Bad,
        _ => PageMark::Plain,
    }
}

fn party(party: Party) -> i64 {
    match party {
        Party::Supervisor => 0,
        Party::Worker(worker) => i64::from(worker.number()),
        Party::Source => -1,
        Party::Output => -2,
        Party::Outside => -3,
    }
}

/// Whole microseconds.
fn micros(at: Instant) -> i64 {
    whole(at.0.saturating_add(500) / 1000)
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn distance(before: &mut i64, now: i64) -> i64 {
    now.saturating_sub(std::mem::replace(before, now))
}

fn optional_text(value: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    match value {
        Some(value) => text(value, out),
        None => out.write_all(b"null"),
    }
}

/// A string of JSON that may stand in a `script` element.
fn text(value: &str, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut rest = value;
    while let Some(at) = rest.find(is_escaped) {
        let (before, from) = rest.split_at(at);
        out.write_all(before.as_bytes())?;
        let mut characters = from.chars();
        if let Some(character) = characters.next() {
            write!(out, "\\u{:04x}", u32::from(character))?;
        }
        rest = characters.as_str();
    }
    out.write_all(rest.as_bytes())?;
    out.write_all(b"\"")
}

fn is_escaped(character: char) -> bool {
    matches!(character, '"' | '\\' | '<' | '>' | '&' | '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}')
}
