//! The numbers of a run as one JSON object, with the names of `stats --format json`. Times are seconds; what the trace
//! does not tell is left out.

use super::figures::{BatchFigures, ItemCounts, MessageCounts, RunFigures, SlotFigures};
use super::percentiles::{Percentiles, SizeClass};
use crate::model::time::Duration;
use crate::trace::phrases::rfc_3339;
use serde::{Serialize, Serializer};
use std::io;

/// Most intervals of the series.
const INTERVALS_MAX: u32 = 100;

#[derive(Serialize)]
struct StatsObject<'a> {
    run: RunObject<'a>,
    items: ItemsObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<MessageCounts>,
    throughput: ThroughputObject,
    #[serde(serialize_with = "as_map")]
    durations: Vec<(&'static str, SecondsObject)>,
    unknown: Vec<&'static str>,
    workers: Vec<WorkerObject>,
    #[serde(serialize_with = "as_map")]
    batches: Vec<(&'static str, SizesObject<'a>)>,
    missing: MissingObject<'a>,
}

#[derive(Serialize)]
struct RunObject<'a> {
    id: &'a str,
    version: &'a str,
    pid: u32,
    started: String,
    duration: f64,
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'a str>,
    workers: u32,
}

#[derive(Serialize)]
struct ItemsObject {
    #[serde(flatten)]
    counts: ItemCounts,
    without_outcome: u64,
}

#[derive(Serialize)]
struct ThroughputObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<f64>,
    interval: f64,
    items: Vec<u64>,
}

#[derive(Serialize)]
struct SecondsObject {
    count: u64,
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

#[derive(Serialize)]
struct SizesObject<'a> {
    count: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p99_9: u64,
    max: u64,
    histogram: &'a [SizeClass],
}

#[derive(Serialize)]
struct WorkerObject {
    worker: u32,
    processes: u64,
    items: u64,
    alive: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    busy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    busy_share: Option<f64>,
    restarts: u64,
    deaths: u64,
}

#[derive(Serialize)]
struct MissingObject<'a> {
    dropped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<&'a str>,
}

/// Writes the object and a newline.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl io::Write, figures: &RunFigures) -> io::Result<()> {
    let known = figures.parts.iter().filter_map(|(part, found)| Some((part.name(), seconds(found.as_ref()?))));
    let throughput = figures.throughput(INTERVALS_MAX);
    let object = StatsObject {
        run: run(figures),
        items: ItemsObject { counts: figures.items, without_outcome: figures.items.without_outcome() },
        messages: figures.messages,
        throughput: ThroughputObject {
            per_second: figures.items_per_second(),
            interval: throughput.interval.as_secs_f64(),
            items: throughput.items,
        },
        durations: known.collect(),
        unknown: figures.untold().map(|part| part.name()).collect(),
        workers: figures.slots.iter().map(worker).collect(),
        batches: figures.batches.iter().map(|batches| (batches.of.name(), sizes(batches))).collect(),
        missing: MissingObject { dropped: figures.dropped, cut: figures.cut.as_deref() },
    };
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}

/// Pairs as an object, in their order.
fn as_map<T: Serialize, S: Serializer>(pairs: &[(&'static str, T)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

fn run(figures: &RunFigures) -> RunObject<'_> {
    let header = &figures.header;
    RunObject {
        id: &header.run_id,
        version: &header.program_version,
        pid: header.pid,
        started: rfc_3339(header.started_unix_ns),
        duration: figures.duration.as_secs_f64(),
        command: &header.workers_run,
        transport: header.transport.as_deref(),
        workers: header.policy.workers,
    }
}

fn seconds(found: &Percentiles) -> SecondsObject {
    let [p50, p90, p99, p99_9, max] = found.values().map(|ns| Duration(ns).as_secs_f64());
    SecondsObject { count: found.count, p50, p90, p99, p99_9, max }
}

fn sizes(batches: &BatchFigures) -> SizesObject<'_> {
    let Percentiles { count, p50, p90, p99, p99_9, max } = batches.sizes;
    SizesObject { count, p50, p90, p99, p99_9, max, histogram: &batches.classes }
}

fn worker(slot: &SlotFigures) -> WorkerObject {
    WorkerObject {
        worker: slot.worker.number(),
        processes: slot.processes,
        items: slot.items,
        alive: slot.alive.as_secs_f64(),
        busy: slot.busy.map(Duration::as_secs_f64),
        busy_share: slot.busy_share(),
        restarts: slot.restarts,
        deaths: slot.deaths,
    }
}
