//! `supervisor export` of a journal: a form per file.
//!
//! Invariant: a form gets the items in their order, one at a time, and keeps none of them.

mod exported;
mod job_log;
mod junit;
mod remaining;
mod rows;

use super::answer::say;
use super::journal_file;
use super::sink::AnswerSink;
use crate::cli::subcommand::export::{ExportFlags, JournalFormat};
use crate::journal::books::ItemStage;
use crate::journal::index::JournalIndex;
use crate::journal::item_contents::RecordedItemsError;
use crate::journal::record::ContentKind;
use crate::sys::record_lock;
use exported::{ExportedJournal, exit_of};
use std::io::Write;
use std::process::ExitCode;

/// Writes a journal in a form. The error is how to exit.
pub fn export(flags: &ExportFlags, format: JournalFormat) -> Result<ExitCode, ExitCode> {
    let file = journal_file::open(&flags.file)?;
    // On a file system without such locks, no run can be seen.
    let is_written = record_lock::is_locked(&file).unwrap_or(false);
    let index = JournalIndex::of(&file).map_err(|error| journal_file::refuse(&flags.file, &error))?;
    let mut is_lacking = journal_file::say_damage(&flags.file, &index.extent);
    if !index.books.balance() {
        say(&format_args!("the books of {} do not balance; `supervisor audit` tells why", flags.file.display()));
        is_lacking = true;
    }
    let journal = ExportedJournal { file, index, is_written };
    if format == JournalFormat::Remaining {
        let exit = remaining::export(&journal, flags)?;
        return Ok(exit_of(exit, is_lacking));
    }
    let mut sink = AnswerSink::open(flags.output.as_deref(), &flags.file, false)?;
    let written = match format {
        JournalFormat::Jsonl => rows::write_json(&journal, &mut sink),
        JournalFormat::Csv => rows::write_csv(&journal, &mut sink),
        JournalFormat::JobLog => job_log::write(&journal, &mut sink),
        JournalFormat::Junit => junit::write(&journal, &mut sink),
        JournalFormat::Failed => write_failed(&journal, &mut sink).map(|lacks| is_lacking |= lacks),
        JournalFormat::Remaining => Ok(()),
    };
    let written = match written {
        Ok(()) => Ok(()),
        Err(RecordedItemsError::Given(error)) => Err(error),
        Err(RecordedItemsError::Read(error)) => return Err(journal_file::refuse(&flags.file, &error)),
    };
    Ok(exit_of(sink.finish(written), is_lacking))
}

/// Failed and dead items, one a line. True: the journal lacks the text of one.
fn write_failed(journal: &ExportedJournal, out: &mut impl Write) -> Result<bool, RecordedItemsError> {
    let mut is_lacking = false;
    let wanted = |stage| matches!(stage, ItemStage::Failed | ItemStage::Dead);
    journal.each(&[ContentKind::Item], wanted, |item| {
        let Some(text) = item.text else {
            is_lacking = true;
            let (item, outcome) = (item.item, journal.outcome(item.state));
            say(&format_args!("item {item} is {outcome}, and the journal does not have its text"));
            return Ok(());
        };
        out.write_all(text)?;
        out.write_all(b"\n")
    })?;
    Ok(is_lacking)
}
