//! The items that are not done, and those that were never accepted, read again from the input of the run.
//!
//! Invariant: the input is copied a block at a time, so an item may be of any length.

use super::exported::{ExportedJournal, exit_of};
use crate::cli::subcommand::export::ExportFlags;
use crate::exit_code;
use crate::journal::books::{Books, ItemStage};
use crate::model::ids::ItemId;
use crate::model::words::counted;
use crate::program::answer::{fail, say};
use crate::program::sink::{self, AnswerSink};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes the items, each with what ended it in the input. The error is how to exit.
pub fn export(journal: &ExportedJournal, flags: &ExportFlags) -> Result<ExitCode, ExitCode> {
    if journal.index.books.earlier_lists().is_some() {
        return Err(refuse_input(
            "its items were in several lists; give one to a run with --resume --resume-by item, which runs what is not done",
        ));
    }
    let (name, mut input) = open(journal, flags)?;
    let Some(item_end) = journal.item_end() else {
        return Err(refuse_input("the journal does not tell what ends an item of the input"));
    };
    let mut sink = AnswerSink::open(flags.output.as_deref(), &flags.file, false)?;
    let mut wanted = NotDone::of(&journal.index.books);
    match copy(&mut *input, item_end, &mut wanted, &mut sink) {
        Err(CopyError::Read(error)) => Err(fail(&format_args!("failed to read {name}: {error}"), exit_code::LOST)),
        Err(CopyError::Write(error)) => Ok(sink.finish(Err(error))),
        Ok(items) => {
            let accepted = journal.index.books.next_item().0;
            if items < accepted {
                let (items, name) = (counted(items, "item", "items"), Path::new(&name).display());
                say(&format_args!("{name} has {items}, and the run accepted {accepted}: it is not the run's input"));
            }
            Ok(exit_of(sink.finish(Ok(())), items < accepted))
        }
    }
}

/// The input of the run, with its name for messages.
fn open(journal: &ExportedJournal, flags: &ExportFlags) -> Result<(String, Box<dyn BufRead>), ExitCode> {
    let inputs: Vec<&[u8]> = journal.index.facts_of("input").collect();
    let [input] = inputs[..] else {
        let what = if inputs.is_empty() { "the journal names no input" } else { "the items come from several inputs" };
        return Err(refuse_input(what));
    };
    if input == b"stdin" {
        return Ok(("stdin".to_owned(), Box::new(io::stdin().lock())));
    }
    let Some(path) = input.strip_prefix(b"file\0") else {
        return Err(refuse_input("the items of the run come neither from a file nor from stdin"));
    };
    let path = PathBuf::from(OsStr::from_bytes(path));
    let name = path.display().to_string();
    if let Some(output) = flags.output.as_deref().filter(|output| sink::is_input(output, &path)) {
        return Err(sink::refuse_input(output));
    }
    match File::open(&path) {
        Ok(file) => Ok((name, Box::new(BufReader::with_capacity(128 * 1024, file)))),
        Err(error) => Err(fail(&format_args!("failed to open {name}: {error}"), exit_code::USAGE)),
    }
}

/// Tells of one item after the other whether it is done.
struct NotDone<'a> {
    /// Items that are done, from the first to the one behind the last.
    done: Box<dyn Iterator<Item = (u64, u64)> + 'a>,
    stretch: Option<(u64, u64)>,
}

impl<'a> NotDone<'a> {
    fn of(books: &'a Books) -> Self {
        let stretches = books.from(ItemId(0)).filter(|(_, _, state)| state.stage == ItemStage::Done);
        let mut done = Box::new(stretches.map(|(first, end, _)| (first.0, end.0)));
        let stretch = done.next();
        Self { done, stretch }
    }

    /// Items are asked for in their order.
    fn has(&mut self, item: u64) -> bool {
        while self.stretch.is_some_and(|(_, end)| end <= item) {
            self.stretch = self.done.next();
        }
        self.stretch.is_none_or(|(first, _)| item < first)
    }
}

enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies the items that are not done, and counts all of them.
fn copy(
    input: &mut dyn BufRead,
    item_end: u8,
    wanted: &mut NotDone<'_>,
    out: &mut impl Write,
) -> Result<u64, CopyError> {
    let (mut item, mut is_begun) = (0, false);
    let mut is_wanted = wanted.has(0);
    loop {
        let block = match input.fill_buf() {
            Ok(block) => block,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        if block.is_empty() {
            break;
        }
        let end = memchr::memchr(item_end, block);
        let part = &block[..end.map_or(block.len(), |end| end + 1)];
        if is_wanted {
            out.write_all(part).map_err(CopyError::Write)?;
        }
        is_begun = end.is_none();
        if end.is_some() {
            item += 1;
            is_wanted = wanted.has(item);
        }
        let taken = part.len();
        input.consume(taken);
    }
    // The last item of an input need not be ended.
    if is_begun && is_wanted {
        out.write_all(&[item_end]).map_err(CopyError::Write)?;
    }
    Ok(item + u64::from(is_begun))
}

/// Reports that the journal does not say what to read.
fn refuse_input(what: &str) -> ExitCode {
    fail(&format_args!("failed to list what remains: {what}"), exit_code::USAGE)
}
