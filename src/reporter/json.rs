//! `json` on stdout: one object for each item. A command's stderr goes to stderr as it is.
//!
//! A result that was spilled to a file is escaped on its way out, a piece at a time. Whether it is UTF-8, which decides
//! the name of its field, is found out before: so it is read twice, and is never in memory whole.

use super::object::{Base64, EscapedText, Object, exit_of};
use super::own_file::OwnFile;
use super::{Content, Reporter, ReporterError, Settled, spill_failed};
use crate::model::arrangement::ItemForm;
use crate::model::event::RunEvent;
use crate::model::ids::ItemId;
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome, Settlement};
use crate::model::time::Instant;
use crate::model::words;
use crate::sys::outbox::Outbox;
use crate::sys::spill::SpilledContent;
use std::{io, mem};

/// Bytes of a spilled result that are checked at a time.
const CHECKED_BYTES: u64 = 64 * 1024;

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
        super::results::append(err, &mut settled.errors);
        if settled.settlement.count > 1 {
            for (index, (item, input, result)) in settled.each().enumerate() {
                push_item(out, settled, index, (item, input), ResultBytes::Memory(result));
            }
            return Ok(());
        }
        let Content { spilled, memory, .. } = mem::take(&mut settled.results);
        let result = if spilled.is_empty() {
            let line = memory.strip_suffix(b"\n").filter(|_| self.answers_are_lines);
            ResultBytes::Memory(line.unwrap_or(memory))
        } else {
            ResultBytes::spilled(spilled, memory, self.answers_are_lines)?
        };
        push_item(out, settled, 0, (settled.settlement.first, settled.inputs), result);
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

/// The result of one item.
enum ResultBytes<'a> {
    Memory(&'a [u8]),
    /// The first `bytes` of some spilled content and of what follows it in memory.
    Spilled {
        content: SpilledContent,
        tail: &'a [u8],
        bytes: u64,
        is_text: bool,
    },
}

impl<'a> ResultBytes<'a> {
    /// `is_line`: a newline at the end is no part of it.
    fn spilled(content: SpilledContent, tail: &'a [u8], is_line: bool) -> Result<Self, ReporterError> {
        let (mut bytes, mut last) = (content.bytes() + tail.len() as u64, [0]);
        let checked = content.read_at(content.bytes() - 1, &mut last).and_then(|()| is_text(&content, tail));
        let is_text = checked.map_err(|error| spill_failed(&content, error))?;
        if is_line && tail.last().unwrap_or(&last[0]) == &b'\n' {
            bytes -= 1;
        }
        Ok(Self::Spilled { content, tail, bytes, is_text })
    }
}

/// Whether the content is UTF-8.
fn is_text(content: &SpilledContent, tail: &[u8]) -> io::Result<bool> {
    let (mut piece, mut offset) = (Vec::new(), 0);
    loop {
        // What the last piece ended with: the beginning of a character.
        let begun = piece.len();
        let bytes = (content.bytes() - offset).min(CHECKED_BYTES);
        if bytes > 0 {
            piece.resize(begun + bytes as usize, 0);
            content.read_at(offset, &mut piece[begun..])?;
            offset += bytes;
        } else {
            piece.extend_from_slice(tail);
            return Ok(std::str::from_utf8(&piece).is_ok());
        }
        let whole = match std::str::from_utf8(&piece) {
            Ok(_) => piece.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Ok(false),
        };
        piece.drain(..whole);
    }
}

/// If the source rejected the item. Its bytes were never kept; the error describes it.
fn is_rejected(settlement: &Settlement) -> bool {
    matches!(settlement.causes.last(), Some(Cause { kind: CauseKind::Failed(FailReason::Rejected(_)), .. }))
}

fn push_item(
    out: &mut Outbox,
    settled: &Settled<'_>,
    index: usize,
    (item, input): (ItemId, &[u8]),
    result: ResultBytes<'_>,
) {
    let settlement = settled.settlement;
    let mut object = Object::begin(out.buffer());
    object.number("item", item.0);
    if !is_rejected(settlement) {
        object.bytes("input", input);
        if let Some(list) = settled.arguments {
            let arguments: Vec<&[u8]> = ItemForm::List.arguments(list).collect();
            object.list("args", &arguments);
        }
    }
    object.text("outcome", words::outcome(&settlement.outcome));
    match result {
        ResultBytes::Memory([]) if settlement.outcome != Outcome::Done => {}
        ResultBytes::Memory(bytes) => object.bytes("result", bytes),
        ResultBytes::Spilled { content, tail, bytes, is_text } => {
            object.open_text(if is_text { "result" } else { "result_base64" });
            if is_text {
                out.push_rewritten(content, tail, EscapedText::of(bytes));
            } else {
                out.push_rewritten(content, tail, Base64::of(bytes));
            }
            out.push(b"\"");
            object = Object::resume(out.buffer());
        }
    }
    object.number("attempts", u64::from(settlement.attempts));
    object.number_if("worker", settlement.worker.map(|worker| u64::from(worker.number())));
    object.number_if("pid", settlement.pid.map(u64::from));
    if let Some(time) = settled.times.and_then(|times| times.get(index)) {
        object.seconds("started", time.started.0);
        object.seconds("runtime", time.runtime.0);
    }
    let unsuccessful = settlement.outcome != Outcome::Done;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::spill::SpillFile;
    use std::sync::Arc;

    fn shown(results: Content<'_>, answers_are_lines: bool) -> serde_json::Value {
        let done = Settlement::of_done(ItemId(0), 1);
        let mut settled = Settled {
            settlement: &done,
            inputs: b"item",
            arguments: None,
            delimiter: b'\n',
            results,
            errors: Content::default(),
            times: None,
            exit: None,
        };
        let (mut out, mut err) = (Outbox::default(), Outbox::default());
        Json { answers_are_lines }.settled(Instant::ZERO, &mut settled, &mut out, &mut err).unwrap();
        out.move_to_memory().unwrap();
        serde_json::from_slice(out.buffer()).unwrap()
    }

    /// A character and a line may lie on both sides of every border.
    #[test]
    fn spilled_content_is_shown_like_content_in_memory() {
        for (result, name, expected) in [
            (&b"a \"b\" \xe2\x82\xac\n"[..], "result", "a \"b\" \u{20ac}\n"),
            (b"\n", "result", "\n"),
            (b"\xe2\x82", "result_base64", "4oI="),
            (b"\x00\xff\n\n", "result_base64", "AP8KCg=="),
        ] {
            for end in 1..=result.len() {
                let spill = Arc::new(SpillFile::new());
                let content = || {
                    let mut spilled = SpilledContent::default();
                    spilled.push(&spill, &result[..end]).unwrap();
                    Content { spilled, memory: &result[end..], before: 0 }
                };
                assert_eq!(shown(content(), false)[name], expected);
                assert_eq!(shown(content(), true), shown(Content::in_memory(result), true), "{end}");
                assert_eq!(spill.live_bytes(), 0);
            }
        }
    }
}
