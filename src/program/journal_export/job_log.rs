//! The items that have ended, in the columns of GNU parallel's log.

use super::exported::ExportedJournal;
use crate::command::line::quote_as_parallel;
use crate::journal::books::ItemStage;
use crate::journal::item_contents::RecordedItemsError;
use crate::journal::record::ContentKind;
use crate::model::time::{Duration, Instant};
use crate::reporter::job_log::{HEADER, LogLine, exit_values};
use std::io::Write;

/// What stands for the item in a word of the command.
const PLACEHOLDER: &[u8] = b"{}";

/// A line per item that has ended; one that was skipped has none, as in the log that a run writes.
pub fn write(journal: &ExportedJournal, out: &mut impl Write) -> Result<(), RecordedItemsError> {
    out.write_all(HEADER).map_err(RecordedItemsError::Given)?;
    let words = if journal.is_exec() { command_words(journal) } else { Vec::new() };
    let (mut command, mut line) = (Vec::new(), Vec::new());
    let wanted = |stage| matches!(stage, ItemStage::Done | ItemStage::Failed | ItemStage::Dead);
    journal.each(&[ContentKind::Item], wanted, |item| {
        let Some(settled) = &item.settled else { return Ok(()) };
        let (started, runtime) = match settled.time {
            Some(time) => (time.started, time.runtime),
            None => (settled.at, Duration::ZERO),
        };
        command.clear();
        push_command(&words, item.text, &mut command);
        let row = LogLine {
            item: item.item,
            started: Instant(started.0),
            runtime,
            received: item.output_bytes,
            exit: exit_values(&settled.outcome, settled.exit, settled.causes.last()),
        };
        line.clear();
        row.push(item.session_start_unix_ns, &command, &mut line);
        out.write_all(&line)
    })
}

/// The words of the command, each of which ends with a NUL.
fn command_words(journal: &ExportedJournal) -> Vec<&[u8]> {
    let value = journal.index.facts_of("command").next().unwrap_or_default();
    let words = value.strip_suffix(b"\0").unwrap_or(value);
    if value.is_empty() { Vec::new() } else { words.split(|byte| *byte == 0).collect() }
}

/// Appends the command of an item, for a shell; without the item's text, the words as they were typed.
fn push_command(words: &[&[u8]], text: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(text) = text else { return out.extend_from_slice(&words.join(&b' ')) };
    if words.is_empty() {
        return out.extend_from_slice(text);
    }
    let mut is_placed = false;
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        let mut whole = Vec::new();
        let mut rest = *word;
        while let Some(at) = memchr::memmem::find(rest, PLACEHOLDER) {
            whole.extend_from_slice(&rest[..at]);
            whole.extend_from_slice(text);
            rest = &rest[at + PLACEHOLDER.len()..];
            is_placed = true;
        }
        whole.extend_from_slice(rest);
        quote_as_parallel(&whole, out);
    }
    if !is_placed {
        out.push(b' ');
        quote_as_parallel(text, out);
    }
}
