//! The state of a run as text, for USR1 and QUIT.

use crate::model::status::{SlotStatus, Status};
use std::fmt::Write;

/// Most rows of workers. The number of the others follows.
const ROWS_MAX: usize = 64;

/// A few lines, each ended.
#[must_use]
pub fn text(status: &Status) -> String {
    let totals = &status.totals;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "supervisor: status: {}; {} item{}: {} done, {} failed, {} dead, {} skipped, {} at workers, {} waiting, {} delayed{}",
        format!("{:?}", status.stage).to_lowercase(),
        totals.accepted,
        if totals.accepted == 1 { "" } else { "s" },
        totals.done,
        totals.failed,
        totals.dead,
        totals.skipped,
        status.in_flight,
        status.queued,
        status.delayed,
        if status.source_ended { "; the source has ended" } else { "" },
    );
    for slot in status.slots.iter().take(ROWS_MAX) {
        let _ = writeln!(text, "supervisor: {}", row(slot));
    }
    if status.slots.len() > ROWS_MAX {
        let _ = writeln!(text, "supervisor: and {} workers more", status.slots.len() - ROWS_MAX);
    }
    text
}

fn row(slot: &SlotStatus) -> String {
    let mut row = format!("worker {}", slot.worker);
    if let Some(pid) = slot.pid {
        let _ = write!(row, " (pid {pid})");
    }
    let _ = write!(row, ": {}", slot.state);
    if let Some(signal) = slot.stopped {
        let _ = write!(row, ", stopped ({})", signal.name());
    }
    let _ = write!(row, ", {} settled", slot.settled);
    match slot.lease {
        Some(batch) if slot.in_flight == 1 => drop(write!(row, ", at item {}", batch.first)),
        Some(batch) => drop(write!(row, ", holds {} items from item {}", slot.in_flight, batch.first)),
        None => {}
    }
    row
}
