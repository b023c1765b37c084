//! `supervisor queue`.
//!
//! Invariant: a request that cannot be true of one of its items is refused as a whole, and nothing is recorded.

mod view;

use super::answer::{fail, refuse_closed_stdout, show_bytes};
use super::journal_file;
use crate::cli::AnswerForm;
use crate::cli::subcommand::queue::{QueueCommand, QueueRequest};
use crate::engine;
use crate::exit_code;
use crate::journal::books::ItemStage;
use crate::journal::file_reader::JournalFileReader;
use crate::journal::queue_file::{self, QueueEntry, QueueFileError, QueueReader, QueueWriter, items_of};
use crate::journal::read_through;
use crate::journal::record::ItemRequest;
use crate::model::ids::ItemId;
use crate::model::text::quoted_start;
use crate::model::words::SHOWN_CHARS_MAX;
use crate::reporter::object::Object;
use crate::sys::stdio;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use view::QueueView;

/// Does what is asked.
pub fn run(command: &QueueCommand) -> ExitCode {
    engine::outlive_size_limit();
    let QueueCommand { file, request } = command;
    let done = match request {
        QueueRequest::Add(items) => add(file, items),
        QueueRequest::AddFromStdin { delimiter } => add_from_stdin(file, *delimiter),
        QueueRequest::List { all, form } => list(file, *all, *form),
        QueueRequest::Remove(items) => {
            ask(file, items, ItemRequest::GiveUp, |stage| matches!(stage, ItemStage::Waiting))
        }
        QueueRequest::Cancel(items) => ask(file, items, ItemRequest::GiveUp, |stage| !stage.is_settled()),
        QueueRequest::Retry(items) => ask(file, items, ItemRequest::Again, |stage| {
            matches!(stage, ItemStage::Failed | ItemStage::Dead | ItemStage::Skipped)
        }),
    };
    done.unwrap_or_else(|exit| exit)
}

fn add(journal: &Path, items: &[OsString]) -> Result<ExitCode, ExitCode> {
    let (mut queue, path) = open(journal)?;
    let first = queue.next_item();
    for item in items {
        queue.add(item.as_bytes()).map_err(|error| refuse(&path, &error))?;
    }
    finish_adding(queue, &path, first)
}

/// What is read is added only as a whole.
fn add_from_stdin(journal: &Path, delimiter: u8) -> Result<ExitCode, ExitCode> {
    if stdio::was_closed(0) {
        return Err(fail(&"failed to read stdin: it is closed; give items, or a file as stdin", exit_code::LOST));
    }
    // Other processes may add meanwhile: the queue is opened when everything is there.
    let mut bytes = Vec::new();
    let mut stdin = io::stdin().lock();
    let mut items = Vec::new();
    loop {
        bytes.clear();
        let read = stdin.read_until(delimiter, &mut bytes);
        let read = read.map_err(|error| fail(&format_args!("failed to read stdin: {error}"), exit_code::LOST))?;
        if read == 0 {
            break;
        }
        items.push(bytes.strip_suffix(&[delimiter]).unwrap_or(&bytes).to_vec());
    }
    let (mut queue, path) = open(journal)?;
    let first = queue.next_item();
    for item in &items {
        queue.add(item).map_err(|error| refuse(&path, &error))?;
    }
    finish_adding(queue, &path, first)
}

/// Says which numbers the items got. Where that cannot be written, they are there all the same.
fn finish_adding(queue: QueueWriter, path: &Path, first: ItemId) -> Result<ExitCode, ExitCode> {
    let end = queue.finish().map_err(|error| refuse(path, &error))?;
    let text = match end.0 - first.0 {
        0 => return Ok(ExitCode::from(exit_code::DONE)),
        1 => format!("{first}\n"),
        _ => format!("{first}-{}\n", end.0 - 1),
    };
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::from(exit_code::DONE))
}

fn ask(
    journal: &Path,
    items: &[u64],
    request: ItemRequest,
    is_possible: impl Fn(ItemStage) -> bool,
) -> Result<ExitCode, ExitCode> {
    let refused = |item, stage, items| fail(&impossible(item, stage, request, items), exit_code::USAGE);
    check_journal(journal)?;
    // None is made to ask something of an item that it does not have.
    let Some(file) = open_to_read(&queue_file::path_of(journal))? else { return Err(refused(items[0], None, 0)) };
    // Nobody adds to the queue from here on.
    let (mut queue, path) = open(journal)?;
    let view = QueueView::of(journal, &file).map_err(|error| refuse_view(journal, &error))?;
    for item in items {
        match view.stage(ItemId(*item)) {
            Some(stage) if is_possible(stage) => queue.ask(ItemId(*item), request),
            stage => return Err(refused(*item, stage, view.items())),
        }
    }
    queue.finish().map_err(|error| refuse(&path, &error))?;
    Ok(ExitCode::from(exit_code::DONE))
}

fn impossible(item: u64, stage: Option<ItemStage>, request: ItemRequest, items: u64) -> String {
    let Some(stage) = stage else {
        let has = match items {
            0 => "no items".to_owned(),
            items => format!("items 0-{}", items - 1),
        };
        return format!("failed to find item {item} in the queue: it has {has}");
    };
    let remedy = match (stage, request) {
        (ItemStage::InFlight, ItemRequest::GiveUp) => "; cancel ends what works on it",
        (ItemStage::Waiting | ItemStage::InFlight, ItemRequest::Again) => ": its outcome is still to come",
        (_, ItemRequest::GiveUp) => ": it has its outcome",
        (_, ItemRequest::Again) => "",
    };
    let what = if request == ItemRequest::GiveUp { "give up" } else { "try again" };
    format!("failed to {what} item {item}: it is {}{remedy}", view::name_of(stage))
}

fn list(journal: &Path, all: bool, form: AnswerForm) -> Result<ExitCode, ExitCode> {
    refuse_closed_stdout()?;
    let path = queue_file::path_of(journal);
    check_journal(journal)?;
    let Some(file) = open_to_read(&path)? else {
        let (name, journal) = (path.display(), journal.display());
        let text = format_args!("failed to find the queue {name}; `supervisor queue {journal} add ITEM` makes one");
        return Err(fail(&text, exit_code::USAGE));
    };
    let view = QueueView::of(journal, &file).map_err(|error| refuse_view(journal, &error))?;
    let mut entries = QueueReader::new(file).map_err(|error| refuse(&path, &error))?;
    let mut out = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(|error| refuse(&path, &error))? {
        let QueueEntry::Items { first, count, bytes } = entry else { continue };
        for (number, text) in (first.0..).zip(items_of(count, &bytes)) {
            let item = ItemId(number);
            let Some(stage) = view.stage(item) else { continue };
            if !all && matches!(stage, ItemStage::Done | ItemStage::Skipped) {
                continue;
            }
            push_item(&mut out, &view, (item, stage), text, form);
        }
        if out.len() > 1 << 20 {
            let shown = show_bytes(&std::mem::take(&mut out));
            if shown != ExitCode::from(exit_code::DONE) {
                return Ok(shown);
            }
        }
    }
    Ok(show_bytes(&out))
}

fn push_item(out: &mut Vec<u8>, view: &QueueView, (item, stage): (ItemId, ItemStage), text: &[u8], form: AnswerForm) {
    let attempts = view.attempts(item);
    match form {
        AnswerForm::Json => {
            let mut object = Object::begin(out);
            object.number("item", item.0);
            object.text("state", &view::name_of(stage).replace(' ', "_"));
            object.number("attempts", u64::from(attempts));
            object.bytes("text", text);
            object.end_line();
        }
        AnswerForm::Text => {
            let shown = quoted_start(text, SHOWN_CHARS_MAX);
            // To write into memory cannot fail.
            let _ = writeln!(out, "{item:>6}  {:<9}  {attempts:>3}  {shown}", view::name_of(stage));
        }
    }
}

/// Opens the queue of a journal to add to it.
fn open(journal: &Path) -> Result<(QueueWriter, std::path::PathBuf), ExitCode> {
    check_journal(journal)?;
    let path = queue_file::path_of(journal);
    let queue = QueueWriter::open(&path).map_err(|error| refuse(&path, &error))?;
    Ok((queue, path))
}

/// Refuses the name of something else than a journal. It need not be there.
fn check_journal(journal: &Path) -> Result<(), ExitCode> {
    if journal.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let file = journal_file::open(journal)?;
    if queue_file::is_queue(&file) {
        return Err(journal_file::refuse(journal, &"is the queue of a journal; give the name of the journal"));
    }
    let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
    match JournalFileReader::new(&file) {
        Err(error) if !is_empty => Err(journal_file::refuse(journal, &error)),
        _ => Ok(()),
    }
}

/// `None`: there is no queue, or its maker has not come to write its head.
fn open_to_read(path: &Path) -> Result<Option<Arc<File>>, ExitCode> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let file = read_through::open(path).map_err(|error| {
        fail(&format_args!("failed to open the queue {}: the file {error}", path.display()), exit_code::REFUSED)
    })?;
    Ok(queue_file::is_begun(&file).then(|| Arc::new(file)))
}

fn refuse(path: &Path, error: &QueueFileError) -> ExitCode {
    let (name, code) = (path.display(), exit_code::of_class(error.class()));
    fail(&format_args!("failed to use the queue {name}: the file {error}"), code)
}

fn refuse_view(journal: &Path, error: &dyn Display) -> ExitCode {
    journal_file::refuse(journal, error)
}
