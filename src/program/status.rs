//! `supervisor status`.

use super::answer::{show, show_bytes};
use super::journal_file::{self, add_earlier_lists, counts, push_counts, push_earlier_lists};
use super::steer;
use crate::cli::AnswerForm;
use crate::cli::subcommand::status::StatusFlags;
use crate::journal::progress::{JournalProgress, SessionProgress};
use crate::model::time::Duration;
use crate::model::words::{counted, seconds};
use crate::reporter::object::Object;
use crate::sys::{clock, record_lock};
use crate::trace::phrases::rfc_3339;
use std::fmt::Write;
use std::process::ExitCode;

/// Shows how far the run of a journal has come.
pub fn run(flags: &StatusFlags) -> ExitCode {
    status(flags).unwrap_or_else(|exit| exit)
}

/// The error is how to exit.
fn status(flags: &StatusFlags) -> Result<ExitCode, ExitCode> {
    let form = flags.output.unwrap_or_default();
    let Some(path) = &flags.file else { return steer::status_of(flags.run, form) };
    let file = journal_file::open(path)?;
    // On a file system without such locks, no run can be seen.
    let is_written = record_lock::is_locked(&file).unwrap_or(false);
    let progress = JournalProgress::of(&file).map_err(|error| journal_file::refuse(path, &error))?;
    journal_file::say_damage(path, &progress.extent);
    let state = RunState::of(progress, is_written, clock::unix_ns());
    Ok(match form {
        AnswerForm::Text => show(&state.text()),
        AnswerForm::Json => show_bytes(&state.json()),
    })
}

/// What is shown.
struct RunState {
    progress: JournalProgress,
    is_written: bool,
    /// Of the present or last session.
    length: Duration,
    items_per_second: Option<f64>,
    /// Until all items are settled.
    left: Option<Duration>,
}

impl RunState {
    fn of(progress: JournalProgress, is_written: bool, now_unix_ns: u64) -> Self {
        let session = progress.last_session.unwrap_or_default();
        let length = match is_written {
            true => Duration(now_unix_ns.saturating_sub(session.started_unix_ns)),
            false => session.last_at,
        };
        let items_per_second =
            Some(session.settled as f64 / length.as_secs_f64()).filter(|rate| rate.is_finite() && *rate > 0.0);
        let totals = progress.books.totals();
        let open = (totals.waiting + totals.in_flight) as f64;
        // How many items will come is known only of a run that once came to its end.
        let rate = items_per_second.filter(|_| is_written && progress.is_complete && open > 0.0);
        let left = rate.map(|rate| Duration((open / rate * 1e9) as u64));
        Self { progress, is_written, length, items_per_second, left }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        push_counts(&mut text, &self.progress.books.totals());
        push_earlier_lists(&mut text, &self.progress.books);
        let Some(session) = self.progress.last_session else {
            text.push_str("no session has begun\n");
            return text;
        };
        let (sessions, started) = (self.progress.sessions, rfc_3339(session.started_unix_ns));
        // To write into a text cannot fail.
        let _ = match self.is_written {
            true => {
                writeln!(text, "a run writes the journal: pid {}, session {sessions}, since {started}", session.pid)
            }
            false => writeln!(
                text,
                "no run writes the journal; the last session was session {sessions}, pid {}, from {started} on",
                session.pid
            ),
        };
        let settled = counted(session.settled, "item was", "items were");
        let _ = write!(text, "{settled} settled in {} of this session", seconds(self.length));
        if let Some(rate) = self.items_per_second {
            let _ = write!(text, ", {rate:.1} items/s");
        }
        if let Some(left) = self.left {
            let _ = write!(text, ", about {}s left", left.as_secs_f64().ceil());
        }
        text.push('\n');
        if !self.is_written {
            text.push_str(&self.end(session));
        }
        text
    }

    fn end(&self, session: SessionProgress) -> String {
        match session.exit_code {
            Some(code) if self.progress.is_complete => match self.open() {
                0 => format!("it ended with exit code {code}, and no item is to come\n"),
                open => {
                    let (items, verb) = (counted(open, "item", "items"), if open == 1 { "waits" } else { "wait" });
                    format!("it ended with exit code {code}, and {items} {verb} for --resume\n")
                }
            },
            Some(code) => format!("it was stopped, with exit code {code}\n"),
            None => "it did not end orderly: its process died, or could not write any more\n".to_owned(),
        }
    }

    /// Items that have no outcome.
    const fn open(&self) -> u64 {
        let totals = self.progress.books.totals();
        totals.waiting + totals.in_flight
    }

    fn json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        for (name, count) in counts(&self.progress.books.totals()) {
            object.number(name, count);
        }
        add_earlier_lists(&mut object, &self.progress.books);
        object.flag("running", self.is_written);
        object.flag("complete", self.progress.is_complete && self.open() == 0);
        object.number("sessions", self.progress.sessions);
        if let Some(session) = self.progress.last_session {
            object.number("pid", u64::from(session.pid));
            object.text("started", &rfc_3339(session.started_unix_ns));
            object.number("settled", session.settled);
            object.seconds("time", self.length.0);
            if let Some(rate) = self.items_per_second {
                object.seconds("rate", (rate * 1e9) as u64);
            }
            if let Some(left) = self.left {
                object.seconds("left", left.0);
            }
            object.number_if("exit", session.exit_code.filter(|_| !self.is_written).map(u64::from));
        }
        object.end_line();
        out
    }
}
