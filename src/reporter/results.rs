//! `results` on stdout: the workers' results as they are, and nothing else. A command's stderr goes to stderr whole,
//! after its stdout. Also `none`, which keeps stdout empty.
//!
//! Invariant: without a tag the bytes of results are not read here; they leave as they came, a settlement at a time.

use super::{Content, Reporter, ReporterError, Settled, spill_failed};
use crate::model::event::RunEvent;
use crate::model::time::Instant;
use crate::sys::outbox::Outbox;
use memchr::memchr;
use std::mem;

/// The reporter of `--output results`, and of `--output none`.
pub struct RawResults {
    /// Each line begins with the item and a tab.
    pub tag: bool,
    /// `false`: nothing on stdout.
    pub shown: bool,
}

impl Reporter for RawResults {
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
        if self.tag && settled.settlement.count > 1 {
            // With several items everything is in memory, and stderr is empty.
            if self.shown && !settled.results.memory.is_empty() {
                // An item with an empty result has a line, too, as it has when it is settled alone.
                let out = out.buffer();
                for (_, input, result) in settled.each() {
                    for part in [input, b"\t", result, b"\n"] {
                        out.extend_from_slice(part);
                    }
                }
            }
            return Ok(());
        }
        let tag = self.tag.then(|| tag_of(settled.inputs));
        if self.shown {
            append(out, &mut settled.results, tag.as_deref())?;
        }
        append(err, &mut settled.errors, tag.as_deref())
    }

    /// Has no file of its own.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

fn tag_of(item: &[u8]) -> Vec<u8> {
    let mut tag = Vec::with_capacity(item.len() + 1);
    tag.extend_from_slice(item);
    tag.push(b'\t');
    tag
}

/// Appends content as it is, or with the tag before each line. The outbox takes what was spilled.
pub(super) fn append(to: &mut Outbox, content: &mut Content<'_>, tag: Option<&[u8]>) -> Result<(), ReporterError> {
    let mut memory = content.memory;
    if !content.spilled.is_empty() {
        let mut last_byte = [b'\n'];
        if tag.is_some() && !memory.is_empty() {
            let read = content.spilled.read_at(content.spilled.bytes() - 1, &mut last_byte);
            read.map_err(|error| spill_failed(&content.spilled, error))?;
        }
        to.push_spilled(mem::take(&mut content.spilled), tag.map(<[u8]>::to_vec));
        if last_byte != *b"\n" {
            // The last line of the file continues in memory and has its tag already.
            let (end_of_line, rest) = memory.split_at(memchr(b'\n', memory).map_or(memory.len(), |end| end + 1));
            to.buffer().extend_from_slice(end_of_line);
            memory = rest;
        }
    }
    match tag {
        None => to.pass(memory),
        Some(tag) => push_tagged(to.buffer(), tag, memory),
    }
    Ok(())
}

/// Appends text with the tag at the beginning of each of its lines.
fn push_tagged(out: &mut Vec<u8>, tag: &[u8], text: &[u8]) {
    let mut rest = text;
    while !rest.is_empty() {
        let line_bytes = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        out.extend_from_slice(tag);
        out.extend_from_slice(&rest[..line_bytes]);
        rest = &rest[line_bytes..];
    }
}
