//! A step as one line for people: the time, who, an arrow, whom, and what.
//!
//! The supervisor stands in the same place in every line, so the eye finds the workers in one column:
//!
//! ```text
//!    0.012  supervisor -> worker 1    item 0, 1 B (it is the first of 3 that are idle ...)
//!    0.313  supervisor <- worker 1    result of item 0, 2 B; worked 300 ms
//! ```
//!
//! Invariant: a line holds no control character but its colors; text from outside is escaped.

use super::phrases;
use super::step::{Party, Step, StepKind};
use crate::model::ids::WorkerId;
use crate::model::text::push_escaped;
use crate::model::time::Instant;
use std::io::Write;

/// Columns of the names of parties: `worker 1000`.
const PARTY_COLUMNS: usize = 11;

/// Colors of workers, in turn: cyan, green, yellow, magenta, blue; red is for what went wrong.
const WORKER_COLORS: [&str; 5] = ["\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[34m"];
pub(super) const BAD: &str = "\x1b[1;31m";
const FAINT: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// The color of a worker.
pub(super) fn worker_color(worker: WorkerId) -> &'static str {
    WORKER_COLORS[worker.index() % WORKER_COLORS.len()]
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineStyle {
    pub color: bool,
    /// Digits of the seconds after the point.
    pub digits: usize,
}

/// Appends the line of a step.
pub fn push_step(out: &mut Vec<u8>, step: &Step, style: LineStyle) {
    let color = |color: &'static str| if style.color { color } else { "" };
    let reset = color(RESET);
    push_time(out, step.at, style);
    let own = match step.worker {
        _ if step.is_bad => color(BAD),
        Some(worker) => color(worker_color(worker)),
        None => "",
    };
    // Writing to memory cannot fail.
    let _ = match (step.from, step.to) {
        (Party::Supervisor, Party::Supervisor) => write!(out, "{:PARTY_COLUMNS$}{:14}  {own}", step.from, ""),
        (Party::Worker(_), Party::Supervisor) => {
            write!(out, "{:PARTY_COLUMNS$}<- {own}{:PARTY_COLUMNS$}  ", step.to, step.from)
        }
        (from, to) => write!(out, "{from:PARTY_COLUMNS$}-> {own}{to:PARTY_COLUMNS$}  "),
    };
    push_escaped(out, text(step).as_bytes());
    out.extend_from_slice(if own.is_empty() { b"" } else { reset.as_bytes() });
    if let Some(because) = &step.because {
        out.extend_from_slice(color(FAINT).as_bytes());
        out.extend_from_slice(b" (");
        push_escaped(out, because.as_bytes());
        out.push(b')');
        out.extend_from_slice(reset.as_bytes());
    }
    out.push(b'\n');
}

/// Appends the line that stands for steps that are left out.
pub fn push_gap(out: &mut Vec<u8>, steps: u64, style: LineStyle) {
    let indent = 7 + style.digits;
    let what = if steps == 1 { "step is" } else { "steps are" };
    let _ = writeln!(out, "{:indent$}... {steps} {what} left out", "");
}

fn push_time(out: &mut Vec<u8>, at: Instant, style: LineStyle) {
    let width = 5 + style.digits;
    let _ = write!(out, "{:width$.digits$}  ", at.as_secs_f64(), digits = style.digits);
}

/// The label, with the size and the times of a frame.
#[must_use]
pub fn text(step: &Step) -> String {
    let mut text = step.label.clone();
    if step.kind != StepKind::Frame {
        return text;
    }
    if let Some(bytes) = step.bytes.filter(|bytes| *bytes > 0) {
        text.push_str(&format!(", {}", phrases::bytes(bytes)));
    }
    let life = step.life.unwrap_or_default();
    // The life of a frame to a worker goes on in its answer.
    if let (Party::Worker(_), Some(began), Some(finished)) = (step.from, life.began, life.finished) {
        text.push_str(&format!("; worked {}", phrases::length(finished.since(began))));
    }
    text
}
