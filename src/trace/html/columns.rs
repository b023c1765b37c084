//! The data of a page as JSON in columns, which `data.js` reads: times as whole microseconds, each as the distance to
//! the one before it, so that a step is about 70 bytes with its label. Text is escaped for a `script` element: `<` and
//! `>` never occur in it, and neither do the line ends of JavaScript that JSON allows.

use super::page::{FlowPage, PageKind, PageParty, PageProcess, PageRun, PageStep};
use std::collections::HashMap;
use std::io::{self, Write};

/// Writes the data of `page`.
pub fn write(page: &FlowPage<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{\"run\":")?;
    run(page.run, out)?;
    out.write_all(b",\"cut\":")?;
    optional_text(page.cut, out)?;
    out.write_all(b",\"processes\":")?;
    list(page.processes, out, process)?;
    out.write_all(b",\"steps\":")?;
    steps(page, out)?;
    out.write_all(b"}")
}

fn run(run: &PageRun, out: &mut impl Write) -> io::Result<()> {
    let texts = [
        ("version", &run.version),
        ("id", &run.id),
        ("command", &run.command),
        ("started", &run.started),
        ("transport", &run.transport),
        ("protocol", &run.protocol),
    ];
    out.write_all(b"{")?;
    for (name, value) in texts {
        write!(out, "\"{name}\":")?;
        text(value, out)?;
        out.write_all(b",")?;
    }
    write!(out, "\"workers\":{}}}", run.workers)
}

fn process(row: &PageProcess, out: &mut impl Write) -> io::Result<()> {
    write!(out, "[{},{},{}", row.worker, row.incarnation, row.pid)?;
    for time in [row.spawned, row.ready, row.ended] {
        out.write_all(b",")?;
        number(time.map(micros), out)?;
    }
    out.write_all(b",")?;
    optional_text(row.exit.as_deref(), out)?;
    out.write_all(b",")?;
    text(&row.reason, out)?;
    write!(out, ",{},{},{},{}]", row.items, row.user_us, row.system_us, row.rss_max_kib)
}

fn steps(page: &FlowPage<'_>, out: &mut impl Write) -> io::Result<()> {
    let steps = page.steps;
    out.write_all(b"{\"t\":")?;
    let mut before = 0;
    list(steps, out, |step, out| {
        let now = micros(step.t);
        write!(out, "{}", distance(&mut before, now))
    })?;
    out.write_all(b",\"kind\":\"")?;
    steps.iter().try_for_each(|step| write!(out, "{}", step.kind as u8))?;
    out.write_all(b"\",\"mark\":\"")?;
    steps.iter().try_for_each(|step| write!(out, "{}", step.mark as u8))?;
    out.write_all(b"\",\"main\":\"")?;
    steps.iter().try_for_each(|step| write!(out, "{}", u8::from(step.is_main)))?;
    out.write_all(b"\"")?;
    column("from", steps, out, |step| Some(party(step.from)))?;
    column("to", steps, out, |step| Some(party(step.to)))?;
    column("worker", steps, out, |step| step.worker.map(i64::from))?;
    column("incarnation", steps, out, |step| step.incarnation.map(i64::from))?;
    // The page takes a pid that is left out from the table of processes.
    let known: HashMap<_, _> =
        page.processes.iter().map(|row| ((Some(row.worker), Some(row.incarnation)), row.pid)).collect();
    let is_known = |step: &PageStep| known.get(&(step.worker, step.incarnation)).copied() == step.pid;
    column("pid", steps, out, |step| step.pid.filter(|_| !is_known(step)).map(i64::from))?;
    let mut before = 0;
    column("item", steps, out, |step| step.item.map(|item| distance(&mut before, whole(item))))?;
    column("count", steps, out, |step| step.count.map(whole))?;
    column("attempt", steps, out, |step| step.attempt.map(i64::from))?;
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
fn frames(steps: &[PageStep], out: &mut impl Write) -> io::Result<()> {
    let names = ["queued", "sent", "received", "began", "finished"];
    for (place, name) in names.into_iter().enumerate() {
        if place > 0 {
            write!(out, ",\"{name}\":")?;
        }
        let frames = steps.iter().filter(|step| step.kind == PageKind::Frame);
        list(frames, out, |step, out| {
            let times = [step.queued, step.sent, step.received, step.began, step.finished];
            let before = times[..place].iter().rev().find_map(|time| *time).unwrap_or(step.t);
            number(times[place].map(|time| micros(time).saturating_sub(micros(before))), out)
        })?;
    }
    Ok(())
}

fn column(
    name: &str,
    steps: &[PageStep],
    out: &mut impl Write,
    mut value: impl FnMut(&PageStep) -> Option<i64>,
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

fn party(party: PageParty) -> i64 {
    match party {
        PageParty::Supervisor => 0,
        PageParty::Worker(worker) => i64::from(worker),
        PageParty::Source => -1,
        PageParty::Output => -2,
        PageParty::Outside => -3,
    }
}

/// Whole microseconds. What is no number is 0.
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
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
