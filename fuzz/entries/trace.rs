//! A trace file, and everything that is made of it.

#[path = "../../tests/support/trace_events.rs"]
mod trace_events;

use super::Bytes;
use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use supervisor::engine::replay::Replay;
use supervisor::model::time::Duration;
use supervisor::trace::diagram::{Diagram, DiagramStyle};
use supervisor::trace::history::History;
use supervisor::trace::lines::{self, LineStyle};
use supervisor::trace::reader::TraceReader;
use supervisor::trace::record::{FORMAT_VERSION, KIND, MAGIC};
use supervisor::trace::stats::builder;
use supervisor::trace::stats::figures::RunFigures;
use supervisor::trace::stats::{json as stats_json, text as stats_text};
use supervisor::trace::step::Step;
use supervisor::trace::{html, json, mermaid, perfetto, svg};
use supervisor::wire::record;

/// An even first byte: the rest is the file. An odd one: the rest is payloads, each behind its length in two bytes, to which
/// the heads with their checksums are added.
pub fn trace(data: &[u8]) {
    let mut data = Bytes(data);
    let bytes = if data.byte() % 2 == 0 { data.0.to_vec() } else { framed(data) };
    let path = std::env::temp_dir().join(format!("supervisor-fuzz-trace-{}", std::process::id()));
    File::create(&path).unwrap().write_all(&bytes).unwrap();
    if let Ok(history) = History::read(&path) {
        show(&history);
    }
    if let Ok(figures) = builder::read(&path) {
        count(&figures);
    }
    if let Ok(mut reader) = TraceReader::open(&path) {
        let mut replay = Replay::new(reader.header().policy.clone());
        while let Ok(Some(record)) = reader.next() {
            if replay.take(&record).is_err() {
                break;
            }
        }
    }
    std::fs::remove_file(&path).unwrap();
}

fn framed(mut data: Bytes<'_>) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &FORMAT_VERSION.to_le_bytes()].concat();
    while !data.is_empty() {
        let length = usize::from(u16::from_le_bytes([data.byte(), data.byte()]));
        let payload = data.take(length);
        let appended = record::append::<Infallible>(&mut bytes, KIND, |out| {
            out.extend_from_slice(payload);
            Ok(())
        });
        assert!(appended.is_ok());
    }
    bytes
}

fn show(history: &History) {
    let steps: Vec<&Step> = history.steps.iter().collect();
    let parties = history.parties();
    let mut out = Vec::new();
    for step in &steps {
        lines::push_step(&mut out, step, LineStyle { color: false, digits: 6 });
    }
    assert!(is_harmless(&out), "a terminal executes nothing");
    out.clear();
    mermaid::write(&mut out, &parties, steps.iter().copied()).unwrap();
    assert!(is_harmless(&out));
    out.clear();
    svg::write(&mut out, &parties, &steps).unwrap();
    assert!(is_harmless(&out));
    out.clear();
    html::write(history, &steps, &mut out).unwrap();
    let page = String::from_utf8(out.clone()).unwrap();
    assert!(page.matches("<script").count() == 3 && page.trim_end().ends_with("</html>"), "its text is no markup");
    for step in &steps {
        out.clear();
        json::write_step(&mut out, step).unwrap();
        assert!(is_harmless(&out) && out.iter().filter(|byte| **byte == b'\n').count() == 1);
    }
    out.clear();
    perfetto::write(history, &mut out).unwrap();
    assert!(is_harmless(&out));
    trace_events::check(&out);
    let style = DiagramStyle { columns: 100, ascii: false, color: false, row: Some(Duration::from_millis(1)) };
    if let Ok(mut diagram) = Diagram::new(parties, style) {
        for step in &steps {
            let rows = diagram.push(step);
            assert!(is_harmless(rows.as_bytes()) && rows.lines().all(|row| row.chars().count() <= 100));
        }
    }
}

fn count(figures: &RunFigures) {
    for columns in [0, 80] {
        let text = stats_text::text(figures, columns);
        assert!(is_harmless(text.as_bytes()) && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    let mut out = Vec::new();
    stats_json::write(&mut out, figures).unwrap();
    assert!(is_harmless(&out) && out.iter().filter(|byte| **byte == b'\n').count() == 1);
    for intervals in [0, 1, 200] {
        assert!(figures.throughput(intervals).items.len() <= intervals.max(1) as usize);
    }
}

fn is_harmless(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte >= b' ' || *byte == b'\n') && std::str::from_utf8(bytes).is_ok()
}
