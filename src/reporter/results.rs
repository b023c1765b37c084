//! `results` on stdout: the workers' results as they are, and nothing else. A command's stderr goes to stderr whole,
//! after its stdout. Also `none`, which keeps stdout empty.
//!
//! Invariant: without a tag the bytes of results are not read here; they leave as they came, a settlement at a time.

use super::own_file::OwnFile;
use super::{Content, Reporter, ReporterError, Settled};
use crate::model::event::RunEvent;
use crate::model::time::Instant;
use crate::sys::outbox::{Outbox, Rewrite};
use memchr::memchr;
use std::mem;

/// The reporter of `--output results`, and of `--output none`.
pub struct RawResults {
    /// Each line begins with the item and a tab, and each item on a line of its own.
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
        if !self.tag {
            if self.shown {
                append(out, &mut settled.results);
            }
            append(err, &mut settled.errors);
            return Ok(());
        }
        if settled.settlement.count > 1 {
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
        let tagged = |to: &mut Outbox, content: &mut Content<'_>| {
            if !content.spilled.is_empty() || !content.memory.is_empty() {
                let lines = TaggedLines::new(settled.inputs);
                to.push_rewritten(mem::take(&mut content.spilled), content.memory, lines);
            }
        };
        if self.shown {
            tagged(out, &mut settled.results);
        }
        tagged(err, &mut settled.errors);
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

/// Appends content as it is. The outbox takes what was spilled.
pub(super) fn append(to: &mut Outbox, content: &mut Content<'_>) {
    if !content.spilled.is_empty() {
        to.push_spilled(mem::take(&mut content.spilled));
    }
    to.pass(content.memory);
}

/// The lines of a text, each behind the tag. The last line ends with a newline also if that of the text does not: what
/// another item writes begins on a line of its own.
#[derive(Debug)]
struct TaggedLines {
    /// The item and a tab.
    tag: Vec<u8>,
    at_line_start: bool,
}

impl TaggedLines {
    fn new(item: &[u8]) -> Self {
        let mut tag = Vec::with_capacity(item.len() + 1);
        tag.extend_from_slice(item);
        tag.push(b'\t');
        Self { tag, at_line_start: true }
    }
}

impl Rewrite for TaggedLines {
    fn rewrite(&mut self, bytes: &[u8], into: &mut Vec<u8>, full_bytes: usize) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, after) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |end| end + 1));
            if self.at_line_start {
                into.extend_from_slice(&self.tag);
            }
            into.extend_from_slice(line);
            self.at_line_start = line.ends_with(b"\n");
            rest = after;
            if into.len() >= full_bytes {
                break;
            }
        }
        bytes.len() - rest.len()
    }

    fn finish(&mut self, into: &mut Vec<u8>) {
        if !self.at_line_start {
            into.push(b'\n');
        }
    }
}
