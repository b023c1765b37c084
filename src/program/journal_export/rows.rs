//! An item as a JSON object, and as a row of a table with the same columns.

use super::exported::{ExportedJournal, error_of};
use crate::journal::books::ItemStage;
use crate::journal::item_contents::{RecordedItem, RecordedItemsError};
use crate::journal::record::{ContentKind, SettledItems};
use crate::model::exit::ExitStatus;
use crate::model::outcome::{Cause, Settlement};
use crate::model::time::Duration;
use crate::model::words;
use crate::reporter::object::{Object, exit_of};
use std::borrow::Cow;
use std::io::Write;

const KINDS: [ContentKind; 2] = [ContentKind::Item, ContentKind::Output];

const COLUMNS: &str = "item,input,outcome,result,attempts,worker,pid,started,runtime,exit,error,causes\r\n";

/// One object per item, on a line each.
pub fn write_json(journal: &ExportedJournal, out: &mut impl Write) -> Result<(), RecordedItemsError> {
    let mut line = Vec::new();
    journal.each(
        &KINDS,
        |_| true,
        |item| {
            line.clear();
            push_object(journal, item, &mut line);
            out.write_all(&line)
        },
    )
}

fn push_object(journal: &ExportedJournal, item: &RecordedItem<'_>, line: &mut Vec<u8>) {
    let mut object = Object::begin(line);
    object.number("item", item.item.0);
    if let Some(text) = item.text {
        object.bytes("input", text);
    }
    object.text("outcome", journal.outcome(item.state));
    if let Some(result) = journal.result(item) {
        object.bytes("result", result);
    }
    object.number("attempts", u64::from(item.state.attempts));
    if let Some(settled) = &item.settled {
        object.number_if("worker", settled.worker.map(|worker| u64::from(worker.number())));
        object.number_if("pid", settled.pid.map(u64::from));
        if let Some(time) = settled.time {
            object.seconds("started", time.started.0);
            object.seconds("runtime", time.runtime.0);
        }
        if let Some(exit) = exit(item, settled) {
            object.exit("exit", exit);
        }
        if let Some(error) = error_of(item) {
            object.text("error", &error);
        }
        let causes = settled.causes.to_vec();
        let causes_omitted = settled.causes_omitted;
        object.causes(&Settlement { causes, causes_omitted, ..Settlement::of_done(item.item, 1) });
    }
    object.end_line();
}

/// How the command ended, or the process that the last attempt ended with.
fn exit(item: &RecordedItem<'_>, settled: &SettledItems<'_>) -> Option<ExitStatus> {
    let last = settled.causes.last().filter(|_| item.state.stage != ItemStage::Done);
    settled.exit.or_else(|| last.and_then(exit_of))
}

/// A table: a line of names, and a row per item.
pub fn write_csv(journal: &ExportedJournal, out: &mut impl Write) -> Result<(), RecordedItemsError> {
    out.write_all(COLUMNS.as_bytes()).map_err(RecordedItemsError::Given)?;
    let mut row = Vec::new();
    journal.each(
        &KINDS,
        |_| true,
        |item| {
            row.clear();
            push_row(journal, item, &mut row);
            out.write_all(&row)
        },
    )
}

fn push_row(journal: &ExportedJournal, item: &RecordedItem<'_>, row: &mut Vec<u8>) {
    let settled = item.settled.as_ref();
    let time = settled.and_then(|settled| settled.time);
    let exit = settled.and_then(|settled| exit(item, settled)).map(|exit| match exit {
        ExitStatus::Code(code) => code.to_string(),
        exit => exit.to_string(),
    });
    let causes = settled.map(|settled| settled.causes.iter().map(cause).collect::<Vec<_>>().join("; "));
    let worker = settled.and_then(|settled| settled.worker).map(|worker| worker.number().to_string());
    let pid = settled.and_then(|settled| settled.pid).map(|pid| pid.to_string());
    let cells: [Cow<'_, [u8]>; 12] = [
        cell(Some(item.item.to_string())),
        item.text.unwrap_or_default().into(),
        journal.outcome(item.state).as_bytes().into(),
        journal.result(item).unwrap_or_default().into(),
        cell(Some(item.state.attempts.to_string())),
        cell(worker),
        cell(pid),
        cell(time.map(|time| seconds(time.started))),
        cell(time.map(|time| seconds(time.runtime))),
        cell(exit),
        cell(error_of(item)),
        cell(causes),
    ];
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            row.push(b',');
        }
        push_cell(cell, row);
    }
    row.extend_from_slice(b"\r\n");
}

/// Empty where there is no value.
fn cell(text: Option<String>) -> Cow<'static, [u8]> {
    text.unwrap_or_default().into_bytes().into()
}

/// `1: signal 9 (KILL)`
fn cause(cause: &Cause) -> String {
    format!("{}: {}", cause.attempt.0, words::cause(cause))
}

/// Seconds without rounding.
fn seconds(length: Duration) -> String {
    format!("{}.{:09}", length.0 / 1_000_000_000, length.0 % 1_000_000_000)
}

/// In quotes where its bytes would end it.
fn push_cell(cell: &[u8], row: &mut Vec<u8>) {
    if !cell.iter().any(|byte| b",\"\r\n".contains(byte)) {
        return row.extend_from_slice(cell);
    }
    row.push(b'"');
    for byte in cell {
        if *byte == b'"' {
            row.push(b'"');
        }
        row.push(*byte);
    }
    row.push(b'"');
}
