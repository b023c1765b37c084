//! `narrate` on stdout: `worker 3 (pid 4123): item 7 -> 49`, a line for each item.

use super::words::{self, push_escaped, push_number};
use super::{Content, Reporter, ReporterError, Settled};
use crate::model::ids::ItemId;
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time::Instant;
use crate::sys::outbox::Outbox;

/// So much of a result is shown; `results` and `json` show all of it.
const SHOWN_BYTES_MAX: usize = 4096;

/// The reporter of `--output narrate`.
#[derive(Default)]
pub struct Narrate {
    /// `worker 3 (pid 4123): item `, made once for the items of a settlement.
    head: Vec<u8>,
}

impl Reporter for Narrate {
    fn settled(
        &mut self,
        _: Instant,
        settled: &Settled<'_>,
        out: &mut Outbox,
        err: &mut Outbox,
    ) -> Result<(), ReporterError> {
        super::results::append(err, &settled.errors, settled.spill, None)?;
        settled.results.discard(settled.spill);
        let out = out.buffer();
        let settlement = settled.settlement;
        self.head.clear();
        if let (Some(worker), Some(pid)) = (settlement.worker, settlement.pid) {
            self.head.extend_from_slice(format!("worker {worker} (pid {pid}): ").as_bytes());
        }
        self.head.extend_from_slice(b"item ");
        match settlement.outcome {
            Outcome::Done if settlement.count == 1 => {
                self.push_head(out, settlement.first);
                push_result(out, &settled.results, " done");
            }
            Outcome::Done => {
                for (item, _, result) in settled.each() {
                    self.push_head(out, item);
                    push_arrow(out, result);
                    out.push(b'\n');
                }
            }
            Outcome::Skipped => push_skipped(out, settlement),
            Outcome::Failed | Outcome::Dead => {
                self.push_head(out, settlement.first);
                out.extend_from_slice(if settlement.outcome == Outcome::Dead { b" is dead" } else { b" failed" });
                if settlement.attempts > 1 {
                    out.extend_from_slice(format!(" after {} attempts", settlement.attempts).as_bytes());
                }
                out.extend_from_slice(b": ");
                push_escaped(out, words::last_cause(&settlement.causes).as_bytes());
                push_result(out, &settled.results, "");
            }
        }
        Ok(())
    }
}

impl Narrate {
    fn push_head(&self, out: &mut Vec<u8>, item: ItemId) {
        out.extend_from_slice(&self.head);
        push_number(out, item.0);
    }
}

/// What a single item gave, up to the end of the line; `nothing` if it gave nothing.
fn push_result(out: &mut Vec<u8>, results: &Content<'_>, nothing: &str) {
    let spilled: u64 = results.spilled.iter().map(|extent| extent.bytes).sum();
    let memory = results.memory.strip_suffix(b"\n").unwrap_or(results.memory);
    if spilled > 0 {
        out.extend_from_slice(format!(" -> {} bytes", spilled + results.memory.len() as u64).as_bytes());
    } else if results.memory.is_empty() {
        out.extend_from_slice(nothing.as_bytes());
    } else {
        push_arrow(out, memory);
    }
    out.push(b'\n');
}

fn push_arrow(out: &mut Vec<u8>, result: &[u8]) {
    out.extend_from_slice(b" -> ");
    push_escaped(out, &result[..result.len().min(SHOWN_BYTES_MAX)]);
    if result.len() > SHOWN_BYTES_MAX {
        out.extend_from_slice(format!("... ({} bytes)", result.len()).as_bytes());
    }
}

fn push_skipped(out: &mut Vec<u8>, settlement: &Settlement) {
    let first = settlement.first;
    let text = match settlement.count {
        1 => format!("item {first} skipped\n"),
        count => format!("items {first} to {} skipped\n", first.plus(u64::from(count) - 1)),
    };
    out.extend_from_slice(text.as_bytes());
}
