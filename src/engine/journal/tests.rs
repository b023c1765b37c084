//! Sessions that go on with a journal, without workers.

use super::*;
use crate::journal::fingerprint::Fingerprint;
use crate::journal::record::{Accepted, ContentKind, ContentPiece, JournalRecord, SettledItems};
use crate::journal::state::JournalStateError;
use crate::journal::writer::JournalWriter;
use crate::model::ids::{Attempt, ItemId};
use crate::model::journal_spec::ResumeSpec;
use crate::model::outcome::Outcome;
use crate::model::time;
use crate::source::args::ArgumentSource;
use std::io::Write;

/// A run of a command on these items, with its journal.
fn config(path: &Path, command: &str) -> Config {
    let spec = JournalSpec { resume: Some(ResumeSpec::default()), ..JournalSpec::new(path) };
    Config::builder().command([command]).items(["a", "b"]).journal(spec).build().unwrap()
}

/// A journal of that run, in which item 0 is done and not given away, and item 1 was begun. A record is cut off at its end.
fn write_journal(path: &Path) {
    let mut fingerprint = Fingerprint::default();
    let delimiter = ArgumentSource::new(Vec::new()).delimiter();
    ["a", "b"].iter().for_each(|item| fingerprint.add(item.as_bytes(), 1, delimiter));
    let at = time::Duration::ZERO;
    let records = [
        JournalRecord::Opened { run_id: "run".into(), facts: facts_of(&config(path, "true")) },
        JournalRecord::Session { started_unix_ns: 1, pid: 1 },
        JournalRecord::Accepted(Accepted { first: ItemId(0), count: 2, offset: 0, bytes: 4, hash: fingerprint.hash() }),
        JournalRecord::Begun { first: ItemId(0), count: 2, attempt: Attempt::FIRST, at },
        JournalRecord::Content(ContentPiece {
            first: ItemId(0),
            count: 1,
            kind: ContentKind::Output,
            at: 0,
            is_last: true,
            bytes: b"A\n"[..].into(),
        }),
        JournalRecord::Settled(SettledItems::plain(ItemId(0), 1, Outcome::Done, 1)),
    ];
    let mut writer = JournalWriter::new(durable_file::reopened(path), path, JournalMark(7), false);
    records.iter().for_each(|record| writer.record(record));
    writer.flush().unwrap();
    drop(writer);
    File::options().append(true).open(path).unwrap().write_all(&[9; 50]).unwrap();
}

/// Opens the journal once nobody else has it.
fn open(config: &mut Config) -> Result<Option<OpenedJournal>, JournalError> {
    loop {
        match OpenedJournal::open(config) {
            // A child of another test has a copy of the descriptor until its `exec`.
            Err(JournalError::InUse { .. }) => std::thread::yield_now(),
            opened => break opened,
        }
    }
}

/// Begins a session on these items. Returns how many results are to be shown again.
fn begin(config: &mut Config, items: [&str; 2]) -> Result<usize, JournalError> {
    let source = || Box::new(ArgumentSource::new(items.map(Into::into).to_vec()));
    let opened = open(config)?;
    let feed = Feed::new(source(), ItemId(0), false);
    let (spill, clock) = (Arc::new(SpillFile::new()), Clock::start());
    let context = SessionContext::new(config, Some(source()), spill, &clock);
    let begun = opened.expect("a run with a journal").begin(feed, context)?;
    Ok(begun.journaled.pending_outcomes())
}

/// What a run that goes on has to do.
fn holds() -> bool {
    let place = tempfile::tempdir().unwrap();
    let fresh = |name: &str| {
        let path = place.path().join(name);
        write_journal(&path);
        path
    };
    let path = fresh("same");
    let pending = begin(&mut config(&path, "true"), ["a", "b"]).unwrap();
    let state = JournalState::read(&File::open(&path).unwrap());
    let goes_on = matches!(&state, Ok(state) if state.books.totals().waiting == 1 && state.torn_bytes == 0);
    assert!(goes_on || matches!(state, Err(JournalStateError::Damaged { .. }) | Ok(_)));
    let other_input = begin(&mut config(&fresh("input"), "true"), ["a", "c"]);
    let other_run = begin(&mut config(&fresh("run"), "false"), ["a", "b"]);
    let path = fresh("twice");
    let first = open(&mut config(&path, "true"));
    let second = OpenedJournal::open(&mut config(&path, "true"));
    assert!(first.is_ok());
    pending == 1
        && matches!(second, Err(JournalError::InUse { pid: Some(1), .. }))
        && goes_on
        && matches!(other_input, Err(JournalError::Input { .. }))
        && matches!(other_run, Err(JournalError::Fact { .. }))
}

#[test]
fn a_session_goes_on_with_the_same_run_and_input_alone() {
    assert!(holds());
}

#[cfg(all(feature = "mutants", debug_assertions))]
#[test]
fn each_defect_of_going_on_is_caught() {
    use crate::mutant::{Mutant, arm};
    for mutant in Mutant::RESUME {
        arm(Some(*mutant));
        let survives = holds();
        arm(None);
        assert!(!survives, "{mutant:?}");
    }
}
