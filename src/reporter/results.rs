//! `results` on stdout: the workers' results as they are, and nothing else. A command's stderr goes to stderr whole,
//! after its stdout. Also `none`, which keeps stdout empty. By how a command ended, its output is shown when it is its
//! turn, at the end, or not at all.
//!
//! Invariant: without a tag the bytes of results are not read here; they leave as they came, a settlement at a time.

use super::final_output::FinalOutput;
use super::own_file::OwnFile;
use super::{Content, ItemText, Reporter, ReporterError, Settled};
use crate::model::config::ShowOutput;
use crate::model::event::RunEvent;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time::Instant;
use crate::sys::outbox::{Outbox, Rewrite};
use memchr::memchr;
use std::mem;

/// What each line begins with, before a tab.
pub enum Tag {
    /// Lines are as they are.
    None,
    /// The item.
    Item,
    /// A text about the item.
    Text(ItemText),
}

/// The reporter of `--output results`, and of `--output none`.
pub struct RawResults {
    tag: Tag,
    /// `false`: nothing on stdout.
    shown: bool,
    show: ShowOutput,
    at_end: FinalOutput,
}

impl RawResults {
    /// Shows all results when it is their turn. `shown`: on stdout, too, not what commands write to stderr alone.
    #[must_use]
    pub fn new(tag: Tag, shown: bool) -> Self {
        Self { tag, shown, show: ShowOutput::default(), at_end: FinalOutput::default() }
    }

    /// Shows results at other times, too, or not at all.
    #[must_use]
    pub fn showing(self, show: ShowOutput) -> Self {
        Self { show, ..self }
    }
}

impl Reporter for RawResults {
    /// Shows no events; with the last one comes what is shown at the end.
    fn event(&mut self, _: Instant, event: &RunEvent, _: &mut Outbox, err: &mut Outbox) -> Result<(), ReporterError> {
        if let RunEvent::RunFinished(_) = event {
            self.at_end.show(err);
        }
        Ok(())
    }

    fn settled(
        &mut self,
        _: Instant,
        settled: &mut Settled<'_>,
        out: &mut Outbox,
        err: &mut Outbox,
    ) -> Result<(), ReporterError> {
        let is_done = settled.settlement.outcome == Outcome::Done;
        let when = if is_done { self.show.success } else { self.show.failure };
        if when.is_final() {
            self.at_end.keep(settled)?;
        }
        if !when.is_immediate() {
            return Ok(());
        }
        if matches!(self.tag, Tag::None) {
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
                let (out, worker) = (out.buffer(), settled.settlement.worker);
                for (item, input, result) in settled.each() {
                    self.tag.push(input, item, worker, out);
                    out.extend_from_slice(result);
                    out.push(b'\n');
                }
            }
            return Ok(());
        }
        let Settled { settlement, inputs, arguments, results, errors, .. } = settled;
        let mut tagged = |to: &mut Outbox, content: &mut Content<'_>| {
            if !content.spilled.is_empty() || !content.memory.is_empty() {
                let mut tag = Vec::with_capacity(inputs.len() + 1);
                self.tag.push_single(inputs, *arguments, settlement, &mut tag);
                let lines = TaggedLines { tag, at_line_start: true };
                to.push_rewritten(mem::take(&mut content.spilled), content.memory, lines);
            }
        };
        if self.shown {
            tagged(out, results);
        }
        tagged(err, errors);
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

/// The lines of a text, each behind the tag. The last line ends as that of the text does, as in GNU parallel.
#[derive(Debug)]
struct TaggedLines {
    /// The item and a tab.
    tag: Vec<u8>,
    at_line_start: bool,
}

impl Tag {
    /// Appends the tag and a tab.
    fn push(&mut self, input: &[u8], item: ItemId, worker: Option<WorkerId>, out: &mut Vec<u8>) {
        match self {
            Self::None => return,
            Self::Item => out.extend_from_slice(input),
            // An item that no worker had: as of the first slot.
            Self::Text(text) => text(input, item, worker.unwrap_or(WorkerId::from_index(0)), out),
        }
        out.push(b'\t');
    }

    /// The same for an item that is settled alone, which may be a list of arguments.
    fn push_single(&mut self, input: &[u8], arguments: Option<&[u8]>, settlement: &Settlement, out: &mut Vec<u8>) {
        let input = if let Self::Text(_) = self { arguments.unwrap_or(input) } else { input };
        self.push(input, settlement.first, settlement.worker, out);
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

    /// Nothing follows.
    fn finish(&mut self, _: &mut Vec<u8>) {}
}
