//! A history as trace event JSON, which Perfetto and `chrome://tracing` open.
//!
//! The format: "Trace Event Format", an object with a list of events. A process of it is a party of the run: the
//! supervisor, or a slot of workers; a thread of it is a row of slices. The system uses process ids again, so the numbers
//! of both are our own, and the system's are in names and arguments.
//!
//! A slice is a pair of `B` and `E`, in the order of time, and not an `X` with a length: a viewer counts whole
//! nanoseconds, and rounds a time and a length apart from each other, so that neighbors would overlap.
//!
//! Invariant: pure. Whatever the times of a trace are, slices of a row nest, and both ends of an arrow are at slices.

mod args;
mod clock;
mod event;
mod flows;
mod lanes;
mod row;
mod slice;
mod supervisor;
mod workers;

#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../../tests/support/trace_events.rs"]
mod trace_events;

use super::history::History;
use super::phrases::rfc_3339;
use crate::model::text::escaped;
use event::EventWriter;
use flows::FlowLinks;
use serde::Serialize;
use std::borrow::Cow;
use std::io;

/// What stands beside the events.
#[derive(Serialize)]
struct OtherData<'a> {
    program: &'static str,
    version: Cow<'a, str>,
    run: Cow<'a, str>,
    started: String,
    workers_run: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Cow<'a, str>>,
    workers: u32,
    /// Records that are missing within the trace.
    dropped_records: u64,
    /// Why the trace ends before its run.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<Cow<'a, str>>,
}

/// Writes the whole trace, event by event.
///
/// # Errors
/// Those of `out`.
pub fn write(history: &History, out: &mut impl io::Write) -> io::Result<()> {
    let flows = FlowLinks::of(&history.steps, history.header.policy.worker.starts_with_item());
    let mut events = EventWriter::new(out, history)?;
    supervisor::write(&mut events, history, &flows)?;
    workers::write(&mut events, history, &flows)?;
    let header = &history.header;
    events.finish(&OtherData {
        program: "supervisor",
        version: escaped(&header.program_version),
        run: escaped(&header.run_id),
        started: rfc_3339(header.started_unix_ns),
        workers_run: escaped(&header.workers_run),
        transport: header.transport.as_deref().map(escaped),
        workers: header.policy.workers,
        dropped_records: history.dropped,
        cut: history.cut.as_deref().map(escaped),
    })
}
