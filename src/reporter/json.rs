//! `json` on stdout: one object for each item. A command's stderr goes to stderr as it is.
//!
//! A result that was spilled to a file is read back into memory whole: an object is one line with escaped content, so
//! the result cannot be copied from file to file.

use super::object::{Object, exit_of};
use super::{Content, Reporter, ReporterError, Settled, spill_failed, words};
use crate::model::event::RunEvent;
use crate::model::ids::ItemId;
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome, Settlement};
use crate::model::time::Instant;
use crate::sys::outbox::Outbox;

/// The reporter of `--output json`.
pub struct Json {
    /// The result of a resident worker ends with a newline that is not part of it; a command's output is taken as it is.
    pub answers_are_lines: bool,
}

impl Reporter for Json {
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
        super::results::append(err, &mut settled.errors, None)?;
        if settled.settlement.count > 1 {
            for (index, (item, input, result)) in settled.each().enumerate() {
                push_item(out.buffer(), settled, index, (item, input, result));
            }
            return Ok(());
        }
        let spilled = read_back(&settled.results)?;
        let mut result = spilled.as_deref().unwrap_or(settled.results.memory);
        if self.answers_are_lines {
            result = result.strip_suffix(b"\n").unwrap_or(result);
        }
        push_item(out.buffer(), settled, 0, (settled.settlement.first, settled.inputs, result));
        Ok(())
    }

    /// Has no file of its own.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

/// The whole result, if a part of it is in a file.
fn read_back(results: &Content<'_>) -> Result<Option<Vec<u8>>, ReporterError> {
    if results.spilled.is_empty() {
        return Ok(None);
    }
    let spilled_bytes = results.spilled.bytes() as usize;
    let mut whole = Vec::with_capacity(spilled_bytes + results.memory.len());
    whole.resize(spilled_bytes, 0);
    results.spilled.read_at(0, &mut whole).map_err(|error| spill_failed(&results.spilled, error))?;
    whole.extend_from_slice(results.memory);
    Ok(Some(whole))
}

/// If the source rejected the item. Its bytes were never kept; the error describes it.
fn is_rejected(settlement: &Settlement) -> bool {
    matches!(settlement.causes.last(), Some(Cause { kind: CauseKind::Failed(FailReason::Rejected(_)), .. }))
}

fn push_item(out: &mut Vec<u8>, settled: &Settled<'_>, index: usize, (item, input, result): (ItemId, &[u8], &[u8])) {
    let settlement = settled.settlement;
    let mut object = Object::begin(out);
    object.number("item", item.0);
    if !is_rejected(settlement) {
        object.bytes("input", input);
    }
    object.text("outcome", words::outcome(&settlement.outcome));
    if settlement.outcome == Outcome::Done || !result.is_empty() {
        object.bytes("result", result);
    }
    object.number("attempts", u64::from(settlement.attempts));
    object.number_if("worker", settlement.worker.map(|worker| u64::from(worker.number())));
    object.number_if("pid", settlement.pid.map(u64::from));
    if let Some(time) = settled.times.and_then(|times| times.get(index)) {
        object.seconds("started", time.started.0);
        object.seconds("runtime", time.runtime.0);
    }
    let unsuccessful = matches!(settlement.outcome, Outcome::Failed | Outcome::Dead);
    let last = if unsuccessful { settlement.causes.last() } else { None };
    if let Some(exit) = settled.exit.or_else(|| last.and_then(exit_of)) {
        object.exit("exit", exit);
    }
    if let Some(last) = last {
        object.text("error", &words::cause(last));
    }
    object.causes(settlement);
    object.end_line();
}
