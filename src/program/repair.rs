//! `supervisor audit --repair`.

use super::answer::{refuse_closed_stdout, show, show_bytes};
use super::journal_file::{self, counts, push_counts};
use crate::cli::AnswerForm;
use crate::cli::subcommand::audit::AuditFlags;
use crate::journal::read_through::JournalDamage;
use crate::journal::repair::RepairReport;
use crate::journal::rewrite::{self, Repair};
use crate::model::words::counted;
use crate::reporter::object::Object;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

/// Stretches of items that are named; further ones are counted.
const STRETCHES_NAMED_MAX: usize = 20;

/// Keeps what is whole of a damaged journal. The error is how to exit.
pub fn repair(flags: &AuditFlags) -> Result<ExitCode, ExitCode> {
    // Nothing is done whose answer nobody can read.
    refuse_closed_stdout()?;
    let repair =
        rewrite::repair(&flags.file).map_err(|error| journal_file::refuse_rewrite("repair", &flags.file, &error))?;
    Ok(match flags.output.unwrap_or_default() {
        AnswerForm::Text => show(&text(&repair, &flags.file)),
        AnswerForm::Json => show_bytes(&json(&repair)),
    })
}

fn text(repair: &Repair, path: &Path) -> String {
    let mut text = String::new();
    // To write into a text cannot fail.
    match repair {
        Repair::Sound(audit) => {
            push_counts(&mut text, &audit.books.totals());
            text.push_str("the books balance: there is nothing to repair, and the file stays as it is\n");
            for damage in &audit.extent.damage {
                let _ = writeln!(text, "offset {}: {damage}; the next session cuts it off", damage.offset());
            }
        }
        Repair::Done { report, kept, audit } => {
            push_losses(&mut text, report);
            let _ = writeln!(text, "{} is repaired; the damaged file is {}", path.display(), kept.display());
            push_counts(&mut text, &audit.books.totals());
            text.push_str("the books balance\n");
        }
    }
    text
}

fn push_losses(text: &mut String, report: &RepairReport) {
    for damage in &report.damage {
        let (first, end) = lost_bytes(damage);
        let _ = match end {
            Some(end) => writeln!(text, "lost: bytes {first} to {end}"),
            None => writeln!(text, "lost: all bytes from {first} on"),
        };
    }
    if report.records_left_out > 0 {
        let records = counted(report.records, "whole record", "whole records");
        let _ = writeln!(
            text,
            "{} of {records} cannot be kept: what they belong to is lost, or contradicts them",
            report.records_left_out
        );
    }
    for (first, end) in &report.recovered {
        let items = items(&[(*first, *end)]);
        let _ = writeln!(
            text,
            "the acceptance of {items} is lost; what lies around it tells of them, and the next session cannot compare them with the input"
        );
    }
    if let Some(first) = report.read_again_from {
        let _ = writeln!(
            text,
            "the acceptance of item {first} and of all behind it is lost; they are read from the input again, and run"
        );
    }
    if !report.may_have_lost_outcome.is_empty() {
        let items = items(&report.may_have_lost_outcome);
        let _ = writeln!(text, "no whole record tells an outcome of {items}; what of them was done runs again");
    }
    if report.may_have_lost_result > 0 {
        let items = counted(report.may_have_lost_result, "item", "items");
        let _ = writeln!(text, "of these, {items} had an outcome whose result may be lost and was not given away");
    }
    if report.shown_again > 0 {
        let results = counted(report.shown_again, "item", "items");
        let _ = writeln!(text, "the results of {results} are written again by the next session");
    }
}

/// From where to where bytes are lost; no end: to that of the file.
fn lost_bytes(damage: &JournalDamage) -> (u64, Option<u64>) {
    match damage {
        JournalDamage::Torn { at, bytes } => (*at, Some(at + bytes)),
        JournalDamage::Middle { at, next } => (*at, Some(*next)),
        JournalDamage::NotRead { at } => (*at, None),
    }
}

/// `7 items: 3, 7-12`
fn items(stretches: &[(u64, u64)]) -> String {
    let count = stretches.iter().map(|(first, end)| end - first).sum();
    let named = stretches.iter().take(STRETCHES_NAMED_MAX).map(|(first, end)| match end - first {
        1 => first.to_string(),
        _ => format!("{first}-{}", end - 1),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = if stretches.len() > STRETCHES_NAMED_MAX { " and others" } else { "" };
    format!("{} ({named}{more})", counted(count, "item", "items"))
}

fn json(repair: &Repair) -> Vec<u8> {
    let (audit, report, kept) = match repair {
        Repair::Sound(audit) => (audit, &RepairReport::default(), None),
        Repair::Done { report, kept, audit } => (audit, report, Some(kept)),
    };
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    for (name, count) in counts(&audit.books.totals()) {
        object.number(name, count);
    }
    object.flag("balanced", true);
    object.flag("repaired", kept.is_some());
    if let Some(kept) = kept {
        object.text("damaged_file", &kept.to_string_lossy());
    }
    object.objects("lost", &report.damage, |object, damage| {
        let (first, end) = lost_bytes(damage);
        object.number("offset", first);
        object.number_if("end", end);
    });
    let stretch = |object: &mut Object<'_>, (first, end): &(u64, u64)| {
        object.number("item", *first);
        object.number("count", end - first);
    };
    object.number("records", report.records);
    object.number("records_left_out", report.records_left_out);
    object.objects("recovered", &report.recovered, stretch);
    object.number_if("read_again_from", report.read_again_from);
    object.objects("may_have_lost_outcome", &report.may_have_lost_outcome, stretch);
    object.number("may_have_lost_result", report.may_have_lost_result);
    object.number("shown_again", report.shown_again);
    object.number("bytes", audit.extent.bytes);
    object.end_line();
    out
}
