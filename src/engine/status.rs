//! The state of a run as text, for USR1 and QUIT.

use crate::model::ids::{ItemId, WorkerId};
use crate::model::status::{SlotStatus, Status};
use std::fmt::Write;

/// Most rows of workers. The number of the others follows.
const ROWS_MAX: usize = 64;

/// A few lines, each ended. `progress`: the item that a worker said it is at, and the share of it that is done.
#[must_use]
pub fn text(status: &Status, progress: impl Fn(WorkerId) -> Option<(ItemId, f64)>) -> String {
    let totals = &status.totals;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "supervisor: status: {}{}; {} item{}: {} done, {} failed, {} dead, {} skipped, {} at workers, {} waiting, {} delayed{}",
        format!("{:?}", status.stage).to_lowercase(),
        if status.is_paused { ", paused" } else { "" },
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
        let _ = writeln!(text, "supervisor: {}", row(slot, progress(slot.worker)));
    }
    if status.slots.len() > ROWS_MAX {
        let _ = writeln!(text, "supervisor: and {} workers more", status.slots.len() - ROWS_MAX);
    }
    text
}

fn row(slot: &SlotStatus, progress: Option<(ItemId, f64)>) -> String {
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
    if let Some((item, share)) = progress.filter(|_| slot.lease.is_some()) {
        let percent = (share.clamp(0.0, 1.0) * 100.0).floor();
        let of = if slot.in_flight == 1 { String::new() } else { format!(", item {item}") };
        let _ = write!(row, "{of} ({percent} %)");
    }
    if let Some(busy) = slot.busy {
        let tenths = busy.0 / 100_000_000;
        let _ = write!(row, " for {}.{} s", tenths / 10, tenths % 10);
    }
    row
}
