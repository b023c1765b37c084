//! Steps as JSON, one object a line.

use super::step::Step;
use crate::model::time::Instant;
use serde::Serialize;
use std::io;

/// A step with the names of `flow --format json`. Times are seconds since the start of the run.
#[derive(Serialize)]
struct StepObject<'a> {
    t: f64,
    kind: &'static str,
    from: String,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<f64>,
}

/// Writes a step and a newline.
///
/// # Errors
/// Those of `out`.
pub fn write_step(out: &mut impl io::Write, step: &Step) -> io::Result<()> {
    let life = step.life.unwrap_or_default();
    let seconds = |at: Option<Instant>| at.map(Instant::as_secs_f64);
    let object = StepObject {
        t: step.at.as_secs_f64(),
        kind: step.kind.name(),
        from: step.from.to_string(),
        to: step.to.to_string(),
        worker: step.worker.map(|worker| worker.number()),
        incarnation: step.incarnation.map(|incarnation| incarnation.0),
        pid: step.pid,
        item: step.batch.map(|batch| batch.first.0),
        count: step.batch.map(|batch| batch.count),
        attempt: step.batch.map(|batch| batch.attempt.0).filter(|attempt| *attempt > 0),
        bytes: step.bytes,
        label: &step.label,
        because: step.because.as_deref(),
        queued: seconds(life.queued),
        sent: seconds(life.sent),
        received: seconds(life.received),
        began: seconds(life.began),
        finished: seconds(life.finished),
    };
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}
