//! `--dead-letters FILE`: an object for each item that is dead, with all that a person needs to look into it.
//!
//! Invariant: an item that is not dead has no object, and the text of one that is stands in it without loss.

use super::object::Object;
use super::own_file::OwnFile;
use super::{Reporter, ReporterError, Settled};
use crate::model::event::RunEvent;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::item_alone::ItemAlone;
use crate::model::outcome::{Cause, Outcome};
use crate::model::time::Instant;
use crate::sys::outbox::Outbox;
use std::path::Path;

/// A dead item, as it is written.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    pub run: &'a str,
    pub item: ItemId,
    /// `None`: it is not known.
    pub text: Option<&'a [u8]>,
    /// Attempts that were begun.
    pub attempts: u32,
    pub worker: Option<WorkerId>,
    pub pid: Option<u32>,
    /// When it became so, since 1970.
    pub unix_ns: u64,
    pub causes: &'a [Cause],
    pub causes_omitted: u64,
}

impl DeadLetter<'_> {
    /// Appends the object, a line.
    pub fn push(&self, alone: &ItemAlone, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.text("run", self.run);
        object.number("item", self.item.0);
        if let Some(text) = self.text {
            object.bytes("input", text);
        }
        if let Some(arguments) = &alone.arguments {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            object.list("args", &arguments);
        }
        object.number("attempts", u64::from(self.attempts));
        object.number_if("worker", self.worker.map(|worker| u64::from(worker.number())));
        object.number_if("pid", self.pid.map(u64::from));
        object.text("time", &rfc_3339(self.unix_ns));
        object.cause_list(self.causes, self.causes_omitted);
        match &alone.line {
            Ok(line) => object.bytes("command", line),
            Err(why) => object.text("no_command", why),
        }
        object.end_line();
    }
}

/// `2026-11-28T10:15:00.250Z`
fn rfc_3339(unix_ns: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(unix_ns));
    time.map_or_else(|_| "at an unknown time".to_owned(), |time| format!("{time:.3}"))
}

/// What is known of running an item alone.
pub type AloneOf = Box<dyn Fn(&[u8]) -> ItemAlone>;

/// The reporter of `--dead-letters`.
pub struct DeadLetters {
    file: OwnFile,
    run_id: String,
    alone_of: AloneOf,
    /// The time of day at the start of the run, in nanoseconds since 1970.
    unix_start_ns: u64,
}

impl DeadLetters {
    /// Opens the file. `appends`: what it holds is of an earlier session of the same run.
    ///
    /// # Errors
    /// The file cannot be created, or is not ours alone.
    pub fn create(path: &Path, appends: bool, run_id: &str, alone_of: AloneOf) -> Result<Self, ReporterError> {
        let file = OwnFile::private(path, appends)?;
        Ok(Self { file, run_id: run_id.to_owned(), alone_of, unix_start_ns: 0 })
    }

    /// `unix_start_ns`: the time of day at the start of the run, in nanoseconds since 1970.
    #[must_use]
    pub fn starting_at(self, unix_start_ns: u64) -> Self {
        Self { unix_start_ns, ..self }
    }
}

impl Reporter for DeadLetters {
    /// Shows no events.
    fn event(&mut self, _: Instant, _: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        Ok(())
    }

    /// A dead item comes alone.
    fn settled(
        &mut self,
        now: Instant,
        settled: &mut Settled<'_>,
        _: &mut Outbox,
        _: &mut Outbox,
    ) -> Result<(), ReporterError> {
        let settlement = settled.settlement;
        if settlement.outcome != Outcome::Dead {
            return Ok(());
        }
        let Some(out) = self.file.buffer() else { return Ok(()) };
        let letter = DeadLetter {
            run: &self.run_id,
            item: settlement.first,
            text: Some(settled.inputs),
            attempts: settlement.attempts,
            worker: settlement.worker,
            pid: settlement.pid,
            unix_ns: self.unix_start_ns.saturating_add(now.0),
            causes: &settlement.causes,
            causes_omitted: settlement.causes_omitted,
        };
        letter.push(&(self.alone_of)(settled.arguments.unwrap_or(settled.inputs)), out);
        Ok(())
    }

    fn file(&mut self) -> Option<&mut OwnFile> {
        Some(&mut self.file)
    }

    /// The engine writes the file.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Content;
    use super::super::recorded::{CRASHED, cause, settlement};
    use super::*;
    use crate::model::outcome::{CauseKind, Settlement};
    use crate::model::time::Duration;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn settle(letters: &mut DeadLetters, settlement: &Settlement, inputs: &[u8]) {
        let (results, errors) = (Content::default(), Content::default());
        let mut settled =
            Settled { settlement, inputs, arguments: None, delimiter: b'\n', results, errors, times: None, exit: None };
        let now = Instant::ZERO + Duration::from_millis(250);
        letters.settled(now, &mut settled, &mut Outbox::default(), &mut Outbox::default()).unwrap();
    }

    #[test]
    fn a_dead_item_is_an_object_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters");
        std::fs::write(&path, "earlier\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let alone_of: AloneOf = Box::new(|item| ItemAlone {
            arguments: None,
            line: if item == b"a" { Ok(b"run a".to_vec()) } else { Err("it cannot".to_owned()) },
        });
        let mut letters =
            DeadLetters::create(&path, true, "run-1", alone_of).unwrap().starting_at(1_700_000_000_000_000_000);
        let causes = vec![cause(1, 1, CauseKind::Crashed(CRASHED))];
        settle(&mut letters, &settlement(0, 2, Outcome::Done, 1, vec![]), b"x\ny\n");
        settle(&mut letters, &settlement(2, 1, Outcome::Failed, 1, causes.clone()), b"z");
        settle(&mut letters, &settlement(3, 1, Outcome::Dead, 1, causes), b"a");
        settle(&mut letters, &settlement(4, 1, Outcome::Dead, 2, vec![]), b"\xff");
        letters.file.outbox.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "earlier");
        let first = lines[1];
        assert!(first.starts_with(r#"{"run":"run-1","item":3,"input":"a","attempts":1,"#), "{first}");
        assert!(first.contains(r#""time":"2023-11-14T22:13:20.250Z","causes":[{"attempt":1,"#), "{first}");
        assert!(first.ends_with(r#""command":"run a"}"#), "{first}");
        assert!(lines[2].contains(r#""input_base64":"/w==""#) && lines[2].ends_with(r#""no_command":"it cannot"}"#));
        assert_eq!((lines.len(), path.metadata().unwrap().mode() & 0o777), (3, 0o600));
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (link, goal) = (folder.path().join("link"), folder.path().join("goal"));
        symlink(&goal, &link).unwrap();
        let refused =
            DeadLetters::create(&link, false, "run", Box::new(|_| ItemAlone { arguments: None, line: Ok(Vec::new()) }));
        assert!(
            refused.err().unwrap().to_string().ends_with("it is a symbolic link; give the name of the file itself")
        );
        assert!(!goal.exists());
    }
}
