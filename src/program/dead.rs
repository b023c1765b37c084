//! `supervisor dead`.

use super::answer::{fail, refuse_closed_stdout, say, show};
use super::journal_file;
use super::sink::AnswerSink;
use crate::cli::AnswerForm;
use crate::cli::subcommand::dead::{DeadAction, DeadFlags};
use crate::command::line::quote_as_parallel;
use crate::engine;
use crate::exit_code;
use crate::journal::amend::{AmendError, JournalAmendment};
use crate::journal::books::{Books, ItemStage};
use crate::journal::index::JournalIndex;
use crate::journal::item_contents::{self, RecordedItem, RecordedItemsError};
use crate::journal::record::{ContentKind, JournalRecord, RunFact};
use crate::journal::single_item::{NoSingleItem, SingleItem};
use crate::model::arrangement::ItemForm;
use crate::model::ids::ItemId;
use crate::model::item_alone::ItemAlone;
use crate::model::outcome::Outcome;
use crate::model::text::quoted_start;
use crate::model::words::{self, SHOWN_CHARS_MAX, counted};
use crate::reporter::dead_letters::DeadLetter;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Lists dead items, has them run again, or gives them up.
pub fn run(flags: &DeadFlags) -> ExitCode {
    engine::outlive_size_limit();
    let done = match flags.action {
        DeadAction::List => list(flags),
        DeadAction::Retry | DeadAction::Drop => amend(flags),
    };
    done.unwrap_or_else(|exit| exit)
}

/// The error is how to exit.
fn list(flags: &DeadFlags) -> Result<ExitCode, ExitCode> {
    let file = journal_file::open(&flags.file)?;
    let refuse = |error| journal_file::refuse(&flags.file, &error);
    let index = JournalIndex::of(&file).map_err(refuse)?;
    let mut is_lacking = journal_file::say_damage(&flags.file, &index.extent);
    let form = flags.output.unwrap_or_default();
    let letters = WrittenLetters::of(&index);
    let mut sink = AnswerSink::open(None, &flags.file, false)?;
    let mut line = Vec::new();
    let item_end = index.facts_of("delimiter").next().and_then(|value| value.first().copied()).unwrap_or(b'\n');
    let is_dead = |stage| stage == ItemStage::Dead;
    let listed = item_contents::each((&file, &index), &[ContentKind::Item], item_end, is_dead, |item| {
        line.clear();
        is_lacking |= item.text.is_none();
        match form {
            AnswerForm::Text => push_line(item, &mut line),
            AnswerForm::Json => letters.push(item, &mut line),
        }
        sink.write_all(&line)
    });
    let written = match listed {
        Ok(()) => Ok(()),
        Err(RecordedItemsError::Given(error)) => Err(error),
        Err(RecordedItemsError::Read(error)) => return Err(refuse(error)),
    };
    let exit = sink.finish(written);
    let is_done = exit == ExitCode::from(exit_code::DONE);
    Ok(if is_done && is_lacking { ExitCode::from(exit_code::ITEMS_NOT_DONE) } else { exit })
}

/// The item, its attempts, why the last one failed, and its text.
fn push_line(item: &RecordedItem<'_>, line: &mut Vec<u8>) {
    let cause = item.settled.as_ref().and_then(|settled| settled.causes.last());
    let cause = cause.map_or_else(|| "unknown".to_owned(), words::cause);
    let text = item.text.map_or_else(|| "-".to_owned(), |text| quoted_start(text, SHOWN_CHARS_MAX));
    let (number, attempts, cause) = (item.item, item.state.attempts, crate::cli::escaped(&cause));
    line.extend_from_slice(format!("{number}\t{attempts}\t{cause}\t{text}\n").as_bytes());
}

/// Dead items as `--dead-letters` writes them.
struct WrittenLetters<'a> {
    run_id: &'a str,
    single: Result<SingleItem, NoSingleItem>,
}

impl<'a> WrittenLetters<'a> {
    fn of(index: &'a JournalIndex) -> Self {
        let fact = |(name, value): &'a (String, Vec<u8>)| RunFact { name: name.into(), value: value.into() };
        let facts: Vec<RunFact<'_>> = index.facts.iter().map(fact).collect();
        Self { run_id: &index.run_id, single: SingleItem::new(&facts, quote_as_parallel) }
    }

    fn push(&self, item: &RecordedItem<'_>, line: &mut Vec<u8>) {
        let alone = match item.text {
            Some(text) => SingleItem::alone(&self.single, text),
            None => ItemAlone { arguments: None, line: Err(NoSingleItem::NoText.to_string()) },
        };
        let form = if alone.arguments.is_some() { ItemForm::List } else { ItemForm::Whole };
        let text = item.text.map(|text| form.shown(text));
        let settled = item.settled.as_ref();
        let letter = DeadLetter {
            run: self.run_id,
            item: item.item,
            text: text.as_deref(),
            attempts: item.state.attempts,
            worker: settled.and_then(|settled| settled.worker),
            pid: settled.and_then(|settled| settled.pid),
            unix_ns: item.session_start_unix_ns.saturating_add(settled.map_or(0, |settled| settled.at.0)),
            causes: settled.map_or(&[], |settled| &settled.causes),
            causes_omitted: settled.map_or(0, |settled| settled.causes_omitted),
        };
        letter.push(&alone, line);
    }
}

/// Reopens dead items, or drops them. The error is how to exit.
fn amend(flags: &DeadFlags) -> Result<ExitCode, ExitCode> {
    let refuse = |error: AmendError| {
        let code = if matches!(error, AmendError::Write(_)) { exit_code::STORAGE } else { exit_code::REFUSED };
        fail(&format_args!("failed to change the journal {}: {error}", flags.file.display()), code)
    };
    // Before something is changed of which nothing could be told.
    refuse_closed_stdout()?;
    let mut amendment = JournalAmendment::open(&flags.file).map_err(refuse)?;
    let wanted = wanted(&amendment.state().books, &flags.items);
    let wanted = wanted.map_err(|(item, why)| refuse_item(&flags.file, item, &why))?;
    let mut items = 0;
    for (first, end) in wanted {
        items += end.0 - first.0;
        let recorded = amendment.record_items(first, end, |first, count| match flags.action {
            DeadAction::Drop => JournalRecord::Dropped { first, count },
            DeadAction::Retry | DeadAction::List => JournalRecord::Reopened { first, count },
        });
        recorded.map_err(refuse)?;
    }
    amendment.commit().map_err(refuse)?;
    let (counted, verb) = (counted(items, "item", "items"), if items == 1 { "is" } else { "are" });
    let text = match flags.action {
        _ if items == 0 => "no item is dead\n".to_owned(),
        DeadAction::Drop => format!("{counted} {verb} dropped\n"),
        DeadAction::Retry | DeadAction::List => format!("{counted} {verb} run again by the next --resume\n"),
    };
    Ok(show(&text))
}

fn refuse_item(path: &Path, item: u64, why: &str) -> ExitCode {
    say(&format_args!("failed to change the journal {}: item {item} {why}; nothing was changed", path.display()));
    ExitCode::from(exit_code::USAGE)
}

/// The items that are meant, in stretches; the error is one that is not dead, and why.
fn wanted(books: &Books, items: &[u64]) -> Result<Vec<(ItemId, ItemId)>, (u64, String)> {
    if items.is_empty() {
        let dead = books.from(ItemId(0)).filter(|(.., state)| state.stage == ItemStage::Dead);
        return Ok(dead.map(|(first, end, _)| (first, end)).collect());
    }
    let items: BTreeSet<u64> = items.iter().copied().collect();
    let stretch = |item: u64| match books.item(ItemId(item)).map(|state| state.stage) {
        Some(ItemStage::Dead) => Ok((ItemId(item), ItemId(item).plus(1))),
        Some(stage) => Err((item, format!("is {}, and not dead", shown(stage)))),
        None => Err((item, "is not in it".to_owned())),
    };
    items.into_iter().map(stretch).collect()
}

/// Where an item stands that no run has at the moment.
const fn shown(stage: ItemStage) -> &'static str {
    match stage {
        ItemStage::Waiting | ItemStage::InFlight => "waiting",
        ItemStage::Done => words::outcome(&Outcome::Done),
        ItemStage::Failed => words::outcome(&Outcome::Failed),
        ItemStage::Dead => words::outcome(&Outcome::Dead),
        ItemStage::Skipped => words::outcome(&Outcome::Skipped),
    }
}
