//! A journal that is exported, as its forms see it.

use crate::exit_code;
use crate::journal::books::{ItemStage, ItemState};
use crate::journal::index::JournalIndex;
use crate::journal::item_contents::{self, RecordedItem, RecordedItemsError};
use crate::journal::record::ContentKind;
use crate::model::words;
use std::fs::File;
use std::io;
use std::process::ExitCode;

/// A journal that is exported.
pub struct ExportedJournal {
    pub file: File,
    pub index: JournalIndex,
    /// A run writes it at the moment.
    pub is_written: bool,
}

impl ExportedJournal {
    /// What ends an item of the input.
    pub fn item_end(&self) -> Option<u8> {
        self.index.facts_of("delimiter").next().and_then(|value| value.first().copied())
    }

    /// Whether a command runs for each item, whose output is its result as it is. That of a worker that stays is a line.
    pub fn is_exec(&self) -> bool {
        self.index.facts_of("worker").next() == Some(b"exec")
    }

    /// The result of an item, as `--output json` shows it.
    pub fn result<'a>(&self, item: &RecordedItem<'a>) -> Option<&'a [u8]> {
        let output = item.output?;
        Some(output.strip_suffix(b"\n").filter(|_| !self.is_exec()).unwrap_or(output))
    }

    /// The outcome of an item, as one word.
    pub const fn outcome(&self, state: ItemState) -> &'static str {
        match state.stage {
            // What was in flight when its session ended waits.
            ItemStage::InFlight if self.is_written => "running",
            ItemStage::InFlight | ItemStage::Waiting => "waiting",
            ItemStage::Done => "done",
            ItemStage::Failed => "failed",
            ItemStage::Dead => "dead",
            ItemStage::Skipped => "skipped",
        }
    }

    /// Gives the items that `wanted` accepts to `give`, with their contents of these kinds.
    pub fn each(
        &self,
        kinds: &[ContentKind],
        wanted: impl Fn(ItemStage) -> bool,
        give: impl FnMut(&RecordedItem<'_>) -> io::Result<()>,
    ) -> Result<(), RecordedItemsError> {
        item_contents::each((&self.file, &self.index), kinds, self.item_end().unwrap_or(b'\n'), wanted, give)
    }
}

/// `is_lacking`: not all was written, which was said.
pub fn exit_of(exit: ExitCode, is_lacking: bool) -> ExitCode {
    match exit == ExitCode::from(exit_code::DONE) && is_lacking {
        true => ExitCode::from(exit_code::ITEMS_NOT_DONE),
        false => exit,
    }
}

/// Why an item is not done, in words; `None` for one that is, and where the journal does not say.
pub fn error_of(item: &RecordedItem<'_>) -> Option<String> {
    let settled = item.settled.as_ref().filter(|_| item.state.stage != ItemStage::Done)?;
    settled.causes.last().map(words::cause)
}
