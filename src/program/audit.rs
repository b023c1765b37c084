//! `supervisor audit`.

use super::answer::{say, show, show_bytes};
use super::journal_file::{self, add_earlier_lists, counts, push_counts, push_earlier_lists};
use super::repair;
use crate::cli::AnswerForm;
use crate::cli::subcommand::audit::AuditFlags;
use crate::engine;
use crate::exit_code;
use crate::journal::audit::JournalAudit;
use crate::model::words::counted;
use crate::reporter::object::Object;
use crate::sys::record_lock;
use std::fmt::Write;
use std::process::ExitCode;

/// Audits a journal.
pub fn run(flags: &AuditFlags) -> ExitCode {
    audit(flags).unwrap_or_else(|exit| exit)
}

/// The error is how to exit.
fn audit(flags: &AuditFlags) -> Result<ExitCode, ExitCode> {
    if flags.repair {
        engine::outlive_size_limit();
        return repair::repair(flags);
    }
    let file = journal_file::open(&flags.file)?;
    // On a file system without such locks, no run can be seen.
    let is_written = record_lock::is_locked(&file).unwrap_or(false);
    let audit = JournalAudit::of(&file).map_err(|error| journal_file::refuse(&flags.file, &error))?;
    let shown = match flags.output.unwrap_or_default() {
        AnswerForm::Text => show(&text(&audit, is_written)),
        AnswerForm::Json => show_bytes(&json(&audit, is_written)),
    };
    if shown != ExitCode::from(exit_code::DONE) {
        return Err(shown);
    }
    if audit.is_damaged() {
        let name = flags.file.display();
        say(&format_args!("{name} is damaged; `supervisor audit --repair` keeps what is whole, and says what is lost"));
    }
    let is_sound = audit.is_balanced() && !audit.is_damaged();
    Ok(ExitCode::from(if is_sound { exit_code::DONE } else { exit_code::ITEMS_NOT_DONE }))
}

fn text(audit: &JournalAudit, is_written: bool) -> String {
    let mut text = String::new();
    push_counts(&mut text, &audit.books.totals());
    push_earlier_lists(&mut text, &audit.books);
    let (faults, omitted) = audit.faults();
    // To write into a text cannot fail.
    let _ = match (audit.is_balanced(), faults.first()) {
        (true, _) => writeln!(text, "the books balance"),
        (false, None) => writeln!(text, "the books do not balance: the counts are not those of the accepted items"),
        (false, Some((offset, _))) => {
            let faults = counted(faults.len() as u64 + omitted, "fault", "faults");
            writeln!(text, "the books do not balance: {faults}, the first one at offset {offset}")
        }
    };
    for (offset, what) in &faults {
        let _ = writeln!(text, "offset {offset}: {what}");
    }
    if omitted > 0 {
        let _ = writeln!(text, "and {}", counted(omitted, "further fault", "further faults"));
    }
    for damage in &audit.extent.damage {
        let _ = writeln!(text, "offset {}: {damage}", damage.offset());
    }
    if is_written {
        text.push_str("a run writes the journal at the moment; it was read as far as it went\n");
    }
    text
}

fn json(audit: &JournalAudit, is_written: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    for (name, count) in counts(&audit.books.totals()) {
        object.number(name, count);
    }
    add_earlier_lists(&mut object, &audit.books);
    object.flag("balanced", audit.is_balanced());
    let (faults, omitted) = audit.faults();
    object.objects("damage", &audit.extent.damage, |object, damage| {
        object.number("offset", damage.offset());
        object.text("what", &damage.to_string());
    });
    object.objects("faults", &faults, |object, (offset, what)| {
        object.number("offset", *offset);
        object.text("what", what);
    });
    object.number("faults_omitted", omitted);
    object.number("sessions", audit.sessions);
    object.number("records", audit.extent.records);
    object.number("bytes", audit.extent.bytes);
    object.flag("running", is_written);
    object.end_line();
    out
}
