//! What the subcommands that read a trace have in common.

use super::answer::{fail, say};
use crate::exit_code;
use crate::model::words::counted;
use crate::trace::history::History;
use std::path::Path;
use std::process::ExitCode;

/// Reads a trace, and says on stderr what is missing in it.
///
/// # Errors
/// It is no trace; that was reported, and this is how to exit.
pub fn read(path: &Path) -> Result<History, ExitCode> {
    let history = History::read(path).map_err(|error| fail(&format_args!("failed to {error}"), exit_code::USAGE))?;
    say_missing(history.cut.as_deref(), history.dropped);
    Ok(history)
}

/// Says on stderr what is missing in a trace: why it ends before its run, and how many records it lacks within.
pub fn say_missing(cut: Option<&str>, dropped: u64) {
    let mut notes = Vec::new();
    notes.extend(cut.map(str::to_owned));
    if dropped > 0 {
        let records = counted(dropped, "record is", "records are");
        notes.push(format!("{records} missing within the trace: the disk did not take them in time"));
    }
    if !notes.is_empty() {
        say(&notes.join("; "));
    }
}
