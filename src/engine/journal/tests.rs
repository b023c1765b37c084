//! Sessions that go on with a journal, without workers.

use super::super::answer::Answer;
use super::super::commit::testing::Still;
use super::super::feed::{Pressure, Taken};
use super::super::turn::Turn;
use super::*;
use crate::core::input::Input;
use crate::journal::audit::JournalAudit;
use crate::journal::fingerprint::Fingerprint;
use crate::journal::locked::JournalLockError;
use crate::journal::record::{Accepted, ContentKind, ContentPiece, JournalRecord, SettledItems};
use crate::journal::state::JournalStateError;
use crate::journal::writer::JournalWriter;
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::journal_spec::ResumeSpec;
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time;
use crate::reporter::Content;
use crate::source::args::ArgumentSource;
use std::fs::File;
use std::io::Write;
use std::path::Path;

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
            Err(JournalError::File { error: JournalLockError::InUse { .. }, .. }) => std::thread::yield_now(),
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
        && matches!(second, Err(JournalError::File { error: JournalLockError::InUse { pid: Some(1), .. }, .. }))
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

/// What a session by item is told of an item, and what it tells of it.
type Told = (&'static str, Option<Outcome>);

/// A session by item on this list, which is killed when it has recorded what `ends` tells of items. Returns what its core
/// was told: `+` an item that is new, `#` one with a later attempt, `=` one that has its outcome; and the results of earlier
/// sessions that are shown.
fn session_by_item(
    path: &Path,
    command: &str,
    again: TriedAgain,
    list: &[Told],
    shows: bool,
) -> Result<String, JournalError> {
    let spec = JournalSpec { resume: Some(ResumeSpec { again }), resume_by: ResumeBy::Item, ..JournalSpec::new(path) };
    let items = || list.iter().map(|(item, _)| (*item).into()).collect();
    let mut config = Config::builder().command([command]).items(["x"]).journal(spec).build().unwrap();
    let opened = loop {
        match OpenedJournal::open(&mut config) {
            // A child of another test has a copy of the descriptor until its `exec`.
            Err(JournalError::File { error: JournalLockError::InUse { .. }, .. }) => std::thread::yield_now(),
            opened => break opened?,
        }
    };
    let feed = Feed::new(Box::new(ArgumentSource::new(items())), ItemId(0), false);
    let (spill, clock) = (Arc::new(SpillFile::new()), Clock::start());
    let begun = opened.expect("a journal").begin(feed, SessionContext::new(&config, None, spill, &clock))?;
    let (mut feed, mut journaled) = (begun.feed, begun.journaled);
    let mut turn = Turn::new(Box::new(Still));
    feed.set_demand(1000);
    let pressure = Pressure { congested: false, held_bytes: 0, workers: 1 };
    while feed.take(pressure, &mut turn) == Taken::More {}
    let mut told = Vec::new();
    for fact in std::mem::take(&mut turn.facts) {
        let (first, count, attempt, sign) = match fact.input {
            Input::BatchArrived { first, count, .. } => (first, count, Some(Attempt::FIRST), "+"),
            Input::ArrivedAgain { first, count, attempt, .. } => (first, count, Some(attempt), "#"),
            Input::Restored { first, count, .. } => (first, count, None, "="),
            _ => continue,
        };
        for item in first.0..first.0 + u64::from(count) {
            let (name, outcome) = &list[item as usize];
            told.push(format!("{sign}{name}"));
            let Some(attempt) = attempt else { continue };
            let batch = Batch { first: ItemId(item), count: 1, attempt };
            if let Some(outcome) = outcome {
                journaled.begin(now(), batch, &mut feed);
                let settlement = Settlement {
                    outcome: outcome.clone(),
                    attempts: attempt.0,
                    ..Settlement::of_done(ItemId(item), 1)
                };
                let bytes = format!("of {name}\n");
                let results = Content::in_memory(bytes.as_bytes());
                let answer = Answer { results, ..Answer::empty(ItemId(item), 1) };
                journaled.settled(now(), &settlement, Some(&answer), &mut feed);
                if shows {
                    journaled.note_shown(&settlement);
                }
            }
        }
    }
    let out = Outbox::default();
    journaled.flush(&mut feed, &out).unwrap();
    while let Some(read) = journaled.next_pending(&feed).unwrap() {
        told.push(String::from_utf8_lossy(&read.output.memory).trim_end().to_owned());
        journaled.note_shown(&read.settlement);
    }
    if shows {
        journaled.note_mark(&out);
        journaled.flush(&mut feed, &out).unwrap();
    }
    drop((journaled, feed));
    let audit = JournalAudit::of(&File::open(path).unwrap()).unwrap();
    assert!(audit.is_balanced() && !audit.is_damaged(), "{:?}", audit.faults());
    assert_eq!(audit.books.totals().accepted, list.len() as u64);
    Ok(told.join(" "))
}

const fn now() -> time::Instant {
    time::Instant::ZERO
}

const DONE: Option<Outcome> = Some(Outcome::Done);

/// Sessions of one journal, each with what it has to tell.
struct ByItem {
    place: tempfile::TempDir,
}

impl ByItem {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("journal")
    }

    fn check(&self, list: &[Told], expected: &str) {
        self.check_of("true", TriedAgain::None, list, expected);
    }

    fn check_of(&self, command: &str, again: TriedAgain, list: &[Told], expected: &str) {
        assert_eq!(session_by_item(&self.path(), command, again, list, true).unwrap(), expected);
    }
}

#[test]
fn lists_that_are_reordered_filtered_or_merged_run_what_is_new_alone() {
    let journal = ByItem::new();
    journal.check(&[("a", DONE), ("b", DONE), ("c", DONE)], "+a +b +c");
    journal.check(&[("c", None), ("a", None), ("b", None)], "=c =a =b");
    journal.check(&[("b", None)], "=b");
    journal.check(&[("x", DONE), ("c", None), ("y", None), ("a", None)], "+x =c +y =a");
    // An item that was not begun is new.
    journal.check(&[("y", DONE), ("x", None), ("b", None)], "+y =x =b");
    journal.check(&[("y", None), ("", DONE), ("a", None), ("a", None)], "=y + =a =a");
}

#[test]
fn equal_items_of_one_list_that_are_new_are_each_run_and_of_a_later_one_none_is() {
    let journal = ByItem::new();
    journal.check(&[("a", DONE), ("a", DONE), ("b", None)], "+a +a +b");
    journal.check(&[("a", None), ("b", Some(Outcome::Failed)), ("b", DONE)], "=a +b +b");
    journal.check(&[("b", None), ("a", None)], "=b =a");
}

#[test]
fn another_command_recognises_its_own_items_and_the_first_one_does_so_again() {
    let journal = ByItem::new();
    let none = TriedAgain::None;
    journal.check_of("true", none, &[("a", DONE), ("b", DONE)], "+a +b");
    journal.check_of("false", none, &[("a", DONE), ("b", None)], "+a +b");
    journal.check_of("true", none, &[("b", None), ("a", None)], "=b =a");
    journal.check_of("false", none, &[("b", None), ("a", None)], "+b =a");
}

#[test]
fn what_failed_stays_so_unless_it_is_asked_for_and_its_attempts_go_on_counting() {
    let (failed, dead) = (Some(Outcome::Failed), Some(Outcome::Dead));
    let journal = ByItem::new();
    journal.check(&[("a", failed.clone()), ("b", dead.clone()), ("c", DONE)], "+a +b +c");
    journal.check(&[("c", None), ("b", None), ("a", None)], "=c =b =a");
    journal.check_of("true", TriedAgain::Dead, &[("b", dead), ("a", None)], "#b =a");
    let again = TriedAgain::FailedAndDead;
    journal.check_of("true", again, &[("a", DONE), ("c", None), ("b", failed)], "#a =c #b");
    let file = File::open(journal.path()).unwrap();
    let books = JournalAudit::of(&file).unwrap().books;
    let attempts = [0, 1, 2].map(|item| books.item(ItemId(item)).unwrap().attempts);
    assert_eq!(attempts, [2, 1, 3]);
    let totals = books.earlier_lists().unwrap();
    assert_eq!((totals.lists, totals.done, totals.recognised), (3, 1, 1));
    journal.check(&[("a", None), ("b", None)], "=a =b");
}

#[test]
fn a_result_that_was_not_given_away_is_shown_in_the_next_session_without_its_item_being_run() {
    let journal = ByItem::new();
    let killed = |list: &[Told]| session_by_item(&journal.path(), "true", TriedAgain::None, list, false).unwrap();
    assert_eq!(killed(&[("a", DONE), ("b", DONE), ("c", None)]), "+a +b +c");
    // Killed again before they have left: they are shown a further time.
    assert_eq!(killed(&[("b", None), ("c", DONE), ("a", None)]), "=b +c =a of b of a");
    assert_eq!(killed(&[("z", None)]), "+z");
    journal.check(&[("d", DONE), ("a", None), ("b", None), ("c", None)], "+d =a =b =c of a of b of c");
    journal.check(&[("a", None), ("b", None), ("c", None), ("d", None)], "=a =b =c =d");
}

#[test]
fn a_journal_goes_on_in_the_way_that_it_was_made_for() {
    let journal = ByItem::new();
    write_journal(&journal.path());
    let refused = session_by_item(&journal.path(), "true", TriedAgain::None, &[("a", DONE)], true);
    assert!(matches!(refused, Err(JournalError::ByPosition { .. })));
    std::fs::remove_file(journal.path()).unwrap();
    journal.check(&[("a", DONE)], "+a");
    let refused = begin(&mut config(&journal.path(), "true"), ["a", "b"]);
    assert!(matches!(refused, Err(JournalError::ByItem { .. })));
}
