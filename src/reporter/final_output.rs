//! The output of commands that is shown at the end of a run, under a line that names the item.
//!
//! All of it goes to stderr: what was on stdout before is not there twice, and the lines stay with their output.
//!
//! Invariant: what waits for the end is in a temporary file, apart from a few KiB.

use super::{Content, ReporterError, Settled, spill_failed};
use crate::model::outcome::Outcome;
use crate::model::text::push_escaped;
use crate::model::words;
use crate::sys::outbox::Outbox;
use crate::sys::spill::{SpillFile, SpilledContent};
use std::mem;
use std::sync::Arc;

/// What is kept in memory before it goes to the file, and how much is copied from another one at once.
const MEMORY_BYTES_MAX: usize = 64 * 1024;

/// The output that waits.
#[derive(Debug, Default)]
pub struct FinalOutput {
    /// Created with the first content.
    spill: Option<Arc<SpillFile>>,
    spilled: SpilledContent,
    memory: Vec<u8>,
    /// Something could not be kept: the run stops, and nothing more is.
    lost: bool,
}

impl FinalOutput {
    /// Copies what a command wrote, if it wrote something. After a failure it does nothing.
    ///
    /// # Errors
    /// The temporary file cannot be written, or the output not be read.
    pub fn keep(&mut self, settled: &Settled<'_>) -> Result<(), ReporterError> {
        if self.lost {
            return Ok(());
        }
        let kept = self.copy_item(settled);
        self.lost = kept.is_err();
        kept
    }

    fn copy_item(&mut self, settled: &Settled<'_>) -> Result<(), ReporterError> {
        let bytes = |content: &Content<'_>| content.spilled.bytes() + content.memory.len() as u64;
        if bytes(&settled.results) + bytes(&settled.errors) == 0 {
            return Ok(());
        }
        let settlement = settled.settlement;
        let shown = settlement.shown_item.as_deref().map(str::to_owned).or_else(|| words::shown_item(settled.inputs));
        let item = words::item_of(settlement.first, shown.as_deref());
        // An item that is skipped has output if it was interrupted.
        let head = match settlement.causes.last().filter(|_| settlement.outcome != Outcome::Done) {
            Some(cause) => format!("supervisor: {item} wrote ({}):", words::cause(cause)),
            None => format!("supervisor: {item} wrote:"),
        };
        let mut line = Vec::new();
        push_escaped(&mut line, head.as_bytes());
        line.push(b'\n');
        self.push(&line)?;
        self.copy(&settled.results)?;
        self.copy(&settled.errors)
    }

    /// Moves everything to `err`.
    pub fn show(&mut self, err: &mut Outbox) {
        if !self.spilled.is_empty() {
            err.push_spilled(mem::take(&mut self.spilled));
        }
        err.push(&mem::take(&mut self.memory));
    }

    /// Appends one stream of a command, with a newline behind a last line that has none.
    fn copy(&mut self, content: &Content<'_>) -> Result<(), ReporterError> {
        let (spilled_bytes, mut at, mut last) = (content.spilled.bytes(), 0, None);
        let mut buffer = vec![0; spilled_bytes.min(MEMORY_BYTES_MAX as u64) as usize];
        while at < spilled_bytes {
            let part = &mut buffer[..(spilled_bytes - at).min(MEMORY_BYTES_MAX as u64) as usize];
            content.spilled.read_at(at, part).map_err(|error| spill_failed(&content.spilled, error))?;
            at += part.len() as u64;
            last = part.last().copied();
            self.push(part)?;
        }
        last = content.memory.last().copied().or(last);
        self.push(content.memory)?;
        if last.is_some_and(|byte| byte != b'\n') { self.push(b"\n") } else { Ok(()) }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), ReporterError> {
        if self.memory.len() + bytes.len() > MEMORY_BYTES_MAX {
            let spill = self.spill.get_or_insert_with(|| Arc::new(SpillFile::new()));
            for part in [mem::take(&mut self.memory).as_slice(), bytes] {
                if !part.is_empty() {
                    self.spilled.push(spill, part).map_err(|error| {
                        let folder = spill.folder().display().to_string();
                        ReporterError::Keep { folder, error }
                    })?;
                }
            }
            return Ok(());
        }
        self.memory.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ItemId;
    use crate::model::outcome::Settlement;

    #[test]
    fn what_waits_is_in_the_file_and_comes_in_order_with_whole_lines() {
        let spill = Arc::new(SpillFile::new());
        let mut output = FinalOutput::default();
        let mut expected = Vec::new();
        for item in 0..6 {
            let settlement = Settlement::of_done(ItemId(item), 1);
            let large = vec![b'a' + item as u8; 50_000];
            let mut spilled = SpilledContent::default();
            spilled.push(&spill, &large).unwrap();
            let results = Content { spilled, memory: b"end", before: 0 };
            let errors = Content::in_memory(if item == 3 { b"" } else { b"e\n" });
            let settled = Settled {
                settlement: &settlement,
                inputs: b"x",
                arguments: None,
                delimiter: b'\n',
                results,
                errors,
                times: None,
                exit: None,
            };
            output.keep(&settled).unwrap();
            assert!(output.memory.len() <= MEMORY_BYTES_MAX);
            assert_eq!(settled.results.spilled.bytes(), 50_000, "it is left to others");
            expected.extend_from_slice(format!("supervisor: item {item} (\"x\") wrote:\n").as_bytes());
            expected.extend_from_slice(&large);
            expected.extend_from_slice(if item == 3 { b"end\n" } else { b"end\ne\n" });
        }
        let own = Arc::clone(output.spill.as_ref().unwrap());
        assert!(own.live_bytes() > 200_000);
        let mut err = Outbox::default();
        output.show(&mut err);
        err.flush().unwrap();
        assert!(*err.buffer() == expected);
        assert_eq!(own.live_bytes(), 0);
    }
}
