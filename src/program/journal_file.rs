//! What the subcommands that read a journal have in common.

use super::answer::{fail, say};
use crate::exit_code;
use crate::journal::books::{BookTotals, Books};
use crate::journal::read_through::{self, ReadExtent};
use crate::journal::rewrite::RewriteError;
use crate::model::words::counted;
use crate::reporter::object::Object;
use std::fmt::{Display, Write};
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

/// Opens a file that may be a journal.
///
/// # Errors
/// It is no regular file, or cannot be opened; that was reported, and this is how to exit.
pub fn open(path: &Path) -> Result<File, ExitCode> {
    read_through::open(path).map_err(|error| refuse(path, &error))
}

/// Reports that a file cannot be read as a journal. `error` completes "the file ...".
pub fn refuse(path: &Path, error: &dyn Display) -> ExitCode {
    fail(&format_args!("failed to read the journal {}: the file {error}", path.display()), exit_code::REFUSED)
}

/// Reports that a journal is not written anew. `what`: what was to be done with it.
pub fn refuse_rewrite(what: &str, path: &Path, error: &RewriteError) -> ExitCode {
    let code = if error.is_of_storage() { exit_code::STORAGE } else { exit_code::REFUSED };
    fail(&format_args!("failed to {what} the journal {}: {error}", path.display()), code)
}

/// What became of the items, as it is named to users: to wait and to be tried both is to be in flight.
pub const fn counts(totals: &BookTotals) -> [(&'static str, u64); 6] {
    [
        ("accepted", totals.accepted),
        ("done", totals.done),
        ("failed", totals.failed),
        ("dead", totals.dead),
        ("skipped", totals.skipped),
        ("in_flight", totals.waiting + totals.in_flight),
    ]
}

/// Appends the counts, a line each, with the numbers below one another.
pub fn push_counts(out: &mut String, totals: &BookTotals) {
    let counts = counts(totals);
    let width = counts.iter().map(|(_, count)| count.to_string().len()).max().unwrap_or(0);
    for (name, count) in counts {
        // To write into a text cannot fail.
        let _ = writeln!(out, "{:<9}  {count:>width$}", name.replace('_', " "));
    }
}

/// Appends what was before the present list, if something was.
pub fn push_earlier_lists(out: &mut String, books: &Books) {
    let Some(earlier) = books.earlier_lists() else { return };
    let done = counted(earlier.done, "item was", "items were");
    let (lists, recognised) = (counted(earlier.lists, "earlier list", "earlier lists"), earlier.recognised);
    // To write into a text cannot fail.
    let _ = writeln!(out, "counted anew: {done} done in {lists}; of the present list, {recognised} were recognised");
}

/// The same for programs.
pub fn add_earlier_lists(object: &mut Object<'_>, books: &Books) {
    let Some(earlier) = books.earlier_lists() else { return };
    object.number("earlier_lists", earlier.lists);
    object.number("earlier_done", earlier.done);
    object.number("recognised", earlier.recognised);
}

/// Says on stderr where a journal is damaged, and whether that is so.
pub fn say_damage(path: &Path, extent: &ReadExtent) -> bool {
    let mut faults = extent.damage.iter().filter(|damage| damage.is_fault());
    let Some(first) = faults.next() else { return false };
    let more = match faults.count() {
        0 => String::new(),
        more => format!(" and at {}", counted(more as u64, "further place", "further places")),
    };
    let (name, offset) = (path.display(), first.offset());
    say(&format_args!(
        "the journal {name} is damaged at offset {offset}{more}; `supervisor audit` tells where, and `supervisor audit --repair` keeps what is whole"
    ));
    true
}
