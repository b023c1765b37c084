//! `narrate` on stdout: `worker 3 (pid 4123): item 7 -> 49`, a line for each item.

use super::own_file::OwnFile;
use super::{Content, Reporter, ReporterError, Settled, spill_failed};
use crate::model::event::RunEvent;
use crate::model::ids::ItemId;
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time::Instant;
use crate::model::words::{self, push_escaped, push_number};
use crate::sys::outbox::Outbox;
use std::borrow::Cow;

/// The most bytes of a result that are shown; `results` and `json` show all of it.
const SHOWN_BYTES_MAX: usize = 4096;

/// The reporter of `--output narrate`.
#[derive(Default)]
pub struct Narrate {
    /// `worker 3 (pid 4123): item `, formatted once for the items of a settlement.
    head: Vec<u8>,
}

impl Reporter for Narrate {
    /// Shows no events.
    fn event(&mut self, _: Instant, _: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        Ok(())
    }

    fn settled(
        &mut self,
        _: Instant,
        settled: &mut Settled<'_>,
        out: &mut Outbox,
        err: &mut Outbox,
    ) -> Result<(), ReporterError> {
        super::results::append(err, &mut settled.errors);
        let shown = if settled.settlement.count == 1 { ShownResult::new(&settled.results)? } else { None };
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
                ShownResult::push(shown.as_ref(), out, " done");
            }
            Outcome::Done => {
                for (item, _, result) in settled.each() {
                    self.push_head(out, item);
                    push_arrow(out, result, result.len() as u64);
                    out.push(b'\n');
                }
            }
            Outcome::Skipped => push_skipped(out, settlement),
            Outcome::Failed | Outcome::Dead => {
                self.push_head(out, settlement.first);
                // An item that is its own number was generated.
                let number = format!("\"{}\"", settlement.first);
                if let Some(text) = settlement.shown_item.as_deref().filter(|text| *text != number) {
                    out.extend_from_slice(format!(" ({text})").as_bytes());
                }
                out.extend_from_slice(if settlement.outcome == Outcome::Dead { b" is dead" } else { b" failed" });
                if settlement.attempts > 1 {
                    out.extend_from_slice(format!(" after {} attempts", settlement.attempts).as_bytes());
                }
                out.extend_from_slice(b": ");
                push_escaped(out, words::last_cause(&settlement.causes).as_bytes());
                ShownResult::push(shown.as_ref(), out, "");
            }
        }
        Ok(())
    }

    /// Has no file of its own.
    fn file(&mut self) -> Option<&mut OwnFile> {
        None
    }

    /// Has nothing elsewhere.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

impl Narrate {
    fn push_head(&self, out: &mut Vec<u8>, item: ItemId) {
        out.extend_from_slice(&self.head);
        push_number(out, item.0);
    }
}

/// A single item's result: at least its beginning, and its length in bytes without the newline.
struct ShownResult<'a>(Cow<'a, [u8]>, u64);

impl<'a> ShownResult<'a> {
    /// `None` if the result is empty.
    fn new(result: &Content<'a>) -> Result<Option<Self>, ReporterError> {
        let Content { spilled, memory, .. } = result;
        if spilled.is_empty() {
            let result = memory.strip_suffix(b"\n").unwrap_or(memory);
            return Ok((!memory.is_empty()).then_some(Self(Cow::Borrowed(result), result.len() as u64)));
        }
        let spilled_bytes = spilled.bytes();
        let read =
            |offset, bytes: &mut [u8]| spilled.read_at(offset, bytes).map_err(|error| spill_failed(spilled, error));
        let mut beginning = vec![0; spilled_bytes.min(SHOWN_BYTES_MAX as u64) as usize];
        let (mut bytes, mut last) = (spilled_bytes + memory.len() as u64, [0]);
        read(0, &mut beginning)?;
        read(spilled_bytes - 1, &mut last)?;
        beginning.extend_from_slice(memory);
        if memory.last().unwrap_or(&last[0]) == &b'\n' {
            bytes = bytes.saturating_sub(1);
        }
        beginning.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(Some(Self(Cow::Owned(beginning), bytes)))
    }

    /// Appends the rest of the line.
    fn push(shown: Option<&Self>, out: &mut Vec<u8>, nothing: &str) {
        match shown {
            Some(Self(beginning, bytes)) => push_arrow(out, beginning, *bytes),
            None => out.extend_from_slice(nothing.as_bytes()),
        }
        out.push(b'\n');
    }
}

/// Appends the result, of which `result` is at least the beginning and `bytes` the length.
fn push_arrow(out: &mut Vec<u8>, result: &[u8], bytes: u64) {
    out.extend_from_slice(b" -> ");
    push_escaped(out, &result[..result.len().min(SHOWN_BYTES_MAX)]);
    if bytes > SHOWN_BYTES_MAX as u64 {
        out.extend_from_slice(format!("... ({bytes} bytes)").as_bytes());
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
