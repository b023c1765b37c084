//! Journals that a generator draws, compacted, damaged and repaired. `JOURNAL_SEED` repeats one, `JOURNAL_SEEDS` says how many.

use super::*;
use crate::journal::books::{Books, ItemStage};
use crate::journal::item_story::ItemStory;
use crate::journal::layout;
use crate::journal::progress::JournalProgress;
use crate::journal::reader::JournalReader;
use crate::journal::record::{
    Accepted, AttemptTime, ContentKind, ContentPiece, GivenAway, JournalHead, JournalRecord, RunFact, SettledItems,
};
use crate::model::exit::ExitStatus;
use crate::model::ids::{Attempt, ItemId, WorkerId};
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome};
use crate::model::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

type Record = JournalRecord<'static>;

const MARK: JournalMark = JournalMark(0x1234_5678_9abc_def0);

/// Draws the choices of one journal.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit.max(1)
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().expect("a number"))
}

/// Runs a check with many seeds, and says which one failed.
fn with_seeds(check: impl Fn(Draw)) {
    let seeds = match number_of("JOURNAL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_of("JOURNAL_SEEDS").unwrap_or(400),
    };
    for seed in seeds {
        println!("JOURNAL_SEED={seed}");
        check(Draw(seed << 20));
    }
}

/// A journal as a run writes it, with the books that it makes.
struct DrawnJournal {
    bytes: Vec<u8>,
    records: Vec<(u64, Record)>,
    books: Books,
    at: Duration,
    keeps_order: bool,
}

impl DrawnJournal {
    fn draw(draw: &mut Draw) -> Self {
        let keeps_order = draw.one_in(2);
        let bytes = layout::head(JournalHead { mark: MARK }).to_vec();
        let mut drawn = Self { bytes, records: Vec::new(), books: Books::new(), at: Duration::ZERO, keeps_order };
        let facts = match draw.one_in(2) {
            true => vec![RunFact { name: "output file".into(), value: b"out".as_slice().into() }],
            false => Vec::new(),
        };
        drawn.push(JournalRecord::Opened { run_id: "run".into(), facts });
        for session in 1..=1 + draw.below(4) {
            drawn.session(session, draw);
        }
        assert!(drawn.books.balance(), "{:?}", drawn.books.faults());
        drawn
    }

    fn push(&mut self, record: Record) {
        let offset = self.bytes.len() as u64;
        layout::append(&mut self.bytes, MARK, offset, &record).unwrap();
        self.books.take(offset, &record);
        self.records.push((offset, record));
    }

    fn session(&mut self, session: u64, draw: &mut Draw) {
        self.push(JournalRecord::Session { started_unix_ns: session * 1_000_000, pid: session as u32 });
        self.at = Duration::ZERO;
        if draw.one_in(3) {
            self.push(JournalRecord::ResultsKept);
        }
        let failed =
            self.books.from(ItemId(0)).filter(|(.., state)| matches!(state.stage, ItemStage::Failed | ItemStage::Dead));
        let failed: Vec<_> = failed.map(|(first, end, _)| (first, (end.0 - first.0) as u32)).collect();
        for (first, count) in failed.into_iter().filter(|_| draw.one_in(2)) {
            self.push(JournalRecord::Reopened { first, count });
        }
        let mut shown = (ItemId(0), 0);
        for _ in 0..draw.below(60) {
            self.at = Duration(self.at.0 + draw.below(50));
            self.step(draw, &mut shown);
        }
        if draw.one_in(2) {
            let totals = self.books.totals();
            let all = totals.waiting + totals.in_flight == 0;
            self.push(JournalRecord::Closed { exit_code: draw.below(3) as u8, all });
        }
        // A person asks for it between two sessions.
        for stage in [ItemStage::Failed, ItemStage::Dead, ItemStage::Waiting] {
            if let Some((first, count, _)) = self.some(stage, draw).filter(|_| draw.one_in(4)) {
                self.push(JournalRecord::Dropped { first, count });
            }
        }
    }

    /// Consecutive items that stand there, with their attempts.
    fn some(&self, stage: ItemStage, draw: &mut Draw) -> Option<(ItemId, u32, u32)> {
        let stretches: Vec<_> = self.books.from(ItemId(0)).filter(|(.., state)| state.stage == stage).collect();
        let (first, end, state) = *stretches.get(draw.below(stretches.len() as u64) as usize)?;
        let first = first.plus(draw.below(end.0 - first.0));
        let count = 1 + draw.below((end.0 - first.0).min(3)) as u32;
        Some((first, count, state.attempts))
    }

    fn step(&mut self, draw: &mut Draw, shown: &mut (ItemId, u64)) {
        let at = self.at;
        match draw.below(14) {
            0 => {
                let (first, count) = (self.books.next_item(), 1 + draw.below(9) as u32);
                let (offset, bytes) = (first.0 * 3, 3 * u64::from(count));
                self.push(JournalRecord::Accepted(Accepted { first, count, offset, bytes, hash: draw.below(99) }));
            }
            1..=4 => {
                let Some((first, count, attempts)) = self.some(ItemStage::Waiting, draw) else { return };
                self.push(JournalRecord::Begun { first, count, attempt: Attempt(attempts + 1), at });
            }
            5 => {
                let Some((first, count, attempts)) = self.some(ItemStage::InFlight, draw) else { return };
                self.push(JournalRecord::Returned { first, count, attempt: Attempt(attempts), at });
            }
            6 => {
                let Some((item, _, attempts)) = self.some(ItemStage::InFlight, draw) else { return };
                let causes = vec![cause(attempts)].into();
                self.push(JournalRecord::Retried { item, after: Duration(5), at, causes });
            }
            7..=11 => {
                if let Some(items) = self.some(ItemStage::InFlight, draw) {
                    self.settle(items, draw);
                }
            }
            12 if self.keeps_order => {
                let open = self.books.from(ItemId(0)).find(|(.., state)| !state.stage.is_settled());
                let end = open.map_or(self.books.next_item(), |(first, ..)| first);
                if end > shown.0 {
                    shown.0 = shown.0.plus(1 + draw.below(end.0 - shown.0.0));
                    self.emit(GivenAway::Before(shown.0));
                }
            }
            12 => {
                let offsets: Vec<_> =
                    self.records.iter().map(|(offset, _)| *offset).filter(|offset| *offset >= shown.1).collect();
                shown.1 = offsets.get(draw.below(offsets.len() as u64) as usize).copied().unwrap_or(shown.1);
                self.emit(GivenAway::RecordedBefore(shown.1));
            }
            _ => self.push(JournalRecord::Safe { until: self.bytes.len() as u64 }),
        }
    }

    fn emit(&mut self, shown: GivenAway) {
        let output_bytes = self.bytes.len() as u64;
        self.push(JournalRecord::Emitted { shown, output_bytes });
    }

    fn settle(&mut self, (first, count, attempts): (ItemId, u32, u32), draw: &mut Draw) {
        let outcome = match draw.below(6) {
            0 => Outcome::Failed,
            1 => Outcome::Dead,
            2 if draw.one_in(4) => Outcome::Skipped,
            _ => Outcome::Done,
        };
        let is_failure = matches!(outcome, Outcome::Failed | Outcome::Dead);
        let kinds = [
            (ContentKind::Output, !draw.one_in(3)),
            (ContentKind::Errors, draw.one_in(3)),
            (ContentKind::Item, is_failure && count == 1),
        ];
        for (kind, _) in kinds.into_iter().filter(|(_, is_there)| *is_there) {
            let text = format!("{kind:?} of {first} at {}\n", self.bytes.len()).repeat(count as usize);
            let cut = if draw.one_in(3) { draw.below(text.len() as u64) as usize } else { text.len() };
            let parts = [(0, &text[..cut], cut == text.len()), (cut, &text[cut..], true)];
            for (at, part, is_last) in parts.into_iter().filter(|(_, part, _)| !part.is_empty()) {
                let (at, bytes) = (at as u64, part.as_bytes().to_vec().into());
                self.push(JournalRecord::Content(ContentPiece { first, count, kind, at, is_last, bytes }));
            }
        }
        let has_process = draw.one_in(2);
        self.push(JournalRecord::Settled(SettledItems {
            first,
            count,
            outcome,
            attempts,
            worker: Some(WorkerId::from_index(draw.below(2) as usize)),
            pid: has_process.then_some(7),
            at: self.at,
            time: (has_process && count == 1).then_some(AttemptTime { started: self.at, runtime: Duration(2) }),
            exit: has_process.then_some(ExitStatus::Code(u8::from(is_failure))),
            causes: if is_failure { vec![cause(attempts)].into() } else { Vec::new().into() },
            causes_omitted: 0,
        }));
    }

    /// Whether an outcome is a part of one that several items shared.
    fn shares_outcome(&self, part: &SettledItems<'_>) -> bool {
        let end = |settled: &SettledItems<'_>| settled.first.plus(u64::from(settled.count));
        self.records.iter().any(|(_, record)| match record {
            JournalRecord::Settled(whole) => {
                let own = SettledItems { first: part.first, count: part.count, ..whole.clone() };
                whole.count > part.count && whole.first <= part.first && end(part) <= end(whole) && own == *part
            }
            _ => false,
        })
    }

    /// The contents of each outcome, by the offset of its record.
    fn contents(&self) -> BTreeMap<u64, Vec<(ContentKind, Vec<u8>)>> {
        let (mut all, mut open) = (BTreeMap::new(), Vec::<(ContentKind, Vec<u8>)>::new());
        for (offset, record) in &self.records {
            match record {
                JournalRecord::Content(piece) => match open.last_mut().filter(|_| piece.at > 0) {
                    Some((_, bytes)) => bytes.extend_from_slice(&piece.bytes),
                    None => open.push((piece.kind, piece.bytes.to_vec())),
                },
                JournalRecord::Settled(_) => {
                    open.retain(|(kind, _)| *kind != ContentKind::Item);
                    all.insert(*offset, std::mem::take(&mut open));
                }
                _ => {}
            }
        }
        all
    }
}

fn cause(attempt: u32) -> Cause {
    let kind = CauseKind::Failed(FailReason::Message(format!("no {attempt}")));
    Cause { attempt: Attempt(attempt.max(1)), worker: None, pid: Some(attempt), kind }
}

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn of(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, bytes).unwrap();
        Self { _folder: folder, path }
    }

    fn file(&self) -> File {
        File::open(&self.path).unwrap()
    }

    /// A child of another test has a copy of a descriptor until its `exec`.
    fn unlocked<T>(&self, act: impl Fn(&Path) -> Result<T, RewriteError>) -> Result<T, RewriteError> {
        loop {
            match act(&self.path) {
                Err(RewriteError::Lock(JournalLockError::InUse { .. })) => std::thread::yield_now(),
                done => return done,
            }
        }
    }

    fn records(&self) -> Vec<(u64, Record)> {
        let mut records = Vec::new();
        read_through::read(&self.file(), |offset, record| records.push((offset, owned(record)))).unwrap();
        records
    }
}

/// The record, parsed from bytes that stay.
fn owned(record: &JournalRecord<'_>) -> Record {
    let mut bytes = layout::head(JournalHead { mark: MARK }).to_vec();
    let at = bytes.len() as u64;
    layout::append(&mut bytes, MARK, at, record).unwrap();
    JournalReader::new(Box::leak(bytes.into_boxed_slice())).unwrap().next().unwrap().1
}

/// By the first item: the offset of the outcome, and the bytes of each content.
type PendingContents = BTreeMap<u64, (u64, Vec<(ContentKind, Vec<u8>)>)>;

/// What a run would give away.
fn pending(place: &Place) -> PendingContents {
    let state = JournalState::read(&place.file()).unwrap();
    let records: BTreeMap<_, _> = place.records().into_iter().collect();
    let of = |pending: &crate::journal::pending_outcome::PendingOutcome| {
        let mut contents = Vec::<(ContentKind, Vec<u8>)>::new();
        for place in &pending.contents {
            let JournalRecord::Content(piece) = &records[&place.record_offset] else { panic!("no content") };
            match contents.last_mut().filter(|_| piece.at > 0) {
                Some((_, bytes)) => bytes.extend_from_slice(&piece.bytes),
                None => contents.push((piece.kind, piece.bytes.to_vec())),
            }
        }
        (pending.recorded_at, contents)
    };
    state.pending.iter().map(|(first, pending)| (*first, of(pending))).collect()
}

/// What `export` and `show` tell of each item, but for given results and for records of several items.
fn reports(place: &Place) -> Vec<String> {
    use crate::journal::{index::JournalIndex, item_contents};
    let file = place.file();
    let index = JournalIndex::of(&file).unwrap();
    let mut reports = Vec::new();
    item_contents::each(
        (&file, &index),
        &[ContentKind::Item],
        b'\n',
        |_| true,
        |item| {
            let settled = item.settled.as_ref().map(|settled| {
                let causes = settled.causes.to_vec();
                (settled.outcome.clone(), settled.worker, settled.pid, settled.at, settled.time, settled.exit, causes)
            });
            let mut story = ItemStory::new(item.item);
            read_through::read(&file, |offset, record| story.take(offset, record)).unwrap();
            let shown = (story.outcome.clone(), story.attempts, story.is_given_away());
            reports.push(format!("{settled:?} {:?} {} {shown:?}", item.text, item.session_start_unix_ns));
            Ok(())
        },
    )
    .unwrap();
    reports
}

#[test]
fn a_compacted_journal_has_the_same_books_results_and_reports() {
    let smaller = std::cell::Cell::new(0);
    with_seeds(|mut draw| {
        let drawn = DrawnJournal::draw(&mut draw);
        let (old, new) = (Place::of(&drawn.bytes), Place::of(&drawn.bytes));
        let bytes = new.unlocked(compact).unwrap();
        smaller.set(smaller.get() + u64::from(bytes.after < bytes.before));
        let (before, after) = (JournalAudit::of(&old.file()).unwrap(), JournalAudit::of(&new.file()).unwrap());
        assert!(after.is_balanced() && after.extent.damage.is_empty(), "{:?}", after.faults());
        assert_eq!((before.books.totals(), before.sessions), (after.books.totals(), after.sessions));
        let stretches = |audit: &JournalAudit| audit.books.from(ItemId(0)).collect::<Vec<_>>();
        assert_eq!(stretches(&before), stretches(&after));
        let progress = |place: &Place| JournalProgress::of(&place.file()).unwrap();
        let (was, is) = (progress(&old), progress(&new));
        assert_eq!((was.last_session, was.is_complete), (is.last_session, is.is_complete));
        let contents = |place| pending(place).into_iter().map(|(first, (_, contents))| (first, contents)).collect();
        let (was, is): (Vec<_>, Vec<_>) = (contents(&old), contents(&new));
        assert_eq!(was, is);
        assert_eq!(reports(&old), reports(&new));
        // Marks that have become equal are one.
        let again = [new.unlocked(compact).unwrap(), new.unlocked(compact).unwrap()];
        assert_eq!(again[1].before, again[1].after, "it is as small as it can be");
        assert_eq!(std::fs::read_dir(new.path.parent().unwrap()).unwrap().count(), 1);
    });
    assert!(smaller.get() > 0 || number_of("JOURNAL_SEED").is_some());
}

/// Spoils the bytes somewhere behind the first record, and says which are not what they were.
fn spoil(bytes: &mut Vec<u8>, begin: usize, draw: &mut Draw) -> (usize, usize) {
    let at = begin + draw.below((bytes.len() - begin) as u64) as usize;
    let length = (1 + draw.below(300) as usize).min(bytes.len() - at);
    let end = at + length;
    match draw.below(6) {
        0 => bytes[at..end].fill(0),
        1 => bytes[at..end].fill(0xff),
        2 => (at..end).for_each(|byte| bytes[byte] = draw.below(256) as u8),
        3 => {
            let from = draw.below((bytes.len() - length) as u64) as usize;
            bytes.copy_within(from..from + length, at);
        }
        4 => {
            bytes[at] ^= 1 << draw.below(8);
            return (at, at + 1);
        }
        _ => {
            bytes.drain(at..end);
            // What follows lies at another place, and is lost.
            return (at, usize::MAX);
        }
    }
    (at, end)
}

#[test]
fn a_repaired_journal_balances_and_nothing_in_it_is_invented() {
    let repaired = std::cell::Cell::new(0);
    with_seeds(|mut draw| {
        let drawn = DrawnJournal::draw(&mut draw);
        let behind_opened = drawn.records[1].0 as usize;
        let mut bytes = drawn.bytes.clone();
        for _ in 0..1 + draw.below(3) {
            if bytes.len() > behind_opened {
                spoil(&mut bytes, behind_opened, &mut draw);
            }
        }
        let place = Place::of(&bytes);
        let whole: BTreeMap<u64, Record> = place.records().into_iter().collect();
        let Repair::Done { report, kept, .. } = place.unlocked(repair).unwrap() else { return };
        repaired.set(repaired.get() + 1);
        assert!(std::fs::read(&kept).unwrap() == bytes, "the damaged file is kept as it was");
        let state = JournalState::read(&place.file()).unwrap();
        assert!(matches!(place.unlocked(repair).unwrap(), Repair::Sound(_)), "nothing is left to repair");

        // Nothing is invented: outcomes, blocks and contents are among those that were written.
        let written: Vec<_> = drawn.records.iter().map(|(_, record)| record).collect();
        for (_, record) in place.records() {
            match &record {
                JournalRecord::Settled(_) | JournalRecord::Accepted(_) | JournalRecord::Content(_) => {
                    assert!(written.contains(&&record), "{record:?}");
                }
                _ => {}
            }
        }
        // No result is given away in part.
        let contents = drawn.contents();
        let results: BTreeSet<_> = drawn
            .records
            .iter()
            .filter_map(|(offset, record)| match record {
                JournalRecord::Settled(settled) => {
                    Some((settled.first.0, settled.count, format!("{settled:?}"), contents[offset].clone()))
                }
                _ => None,
            })
            .collect();
        for (first, (_, contents)) in pending(&place) {
            let settled = &state.pending[&first].settled;
            let result = (first, settled.count, format!("{settled:?}"), contents);
            // What is left of an outcome of which another item is done after all has no result of its own.
            let is_left = result.3.is_empty() && drawn.shares_outcome(settled);
            assert!(results.contains(&result) || is_left, "{result:?}");
        }
        check_outcomes(&drawn, &whole, &report, &state);
    });
    assert!(repaired.get() > 0 || number_of("JOURNAL_SEED").is_some());
}

/// An item whose last outcome is whole keeps it, unless nothing is known of its acceptance, or its result may be lost.
fn check_outcomes(drawn: &DrawnJournal, whole: &BTreeMap<u64, Record>, report: &RepairReport, state: &JournalState) {
    let mut last = BTreeMap::new();
    for (offset, record) in &drawn.records {
        match record {
            JournalRecord::Settled(settled) => {
                (0..u64::from(settled.count)).for_each(|number| _ = last.insert(settled.first.plus(number), *offset));
            }
            JournalRecord::Reopened { first, count } | JournalRecord::Dropped { first, count } => {
                (0..u64::from(*count)).for_each(|number| _ = last.remove(&first.plus(number)));
            }
            _ => {}
        }
    }
    let mut lost = 0;
    for (item, offset) in last {
        let Some(JournalRecord::Settled(settled)) = whole.get(&offset) else { continue };
        let Some(now) = state.books.item(item) else {
            assert!(report.read_again_from.is_some_and(|from| from <= item.0), "{item} is not known");
            continue;
        };
        // One that it shares with such an item is none.
        if settled.first.plus(u64::from(settled.count)) > state.books.next_item() {
            continue;
        }
        let is_kept = now.attempts == settled.attempts && now.stage == drawn.books.item(item).unwrap().stage;
        lost += u64::from(!is_kept);
        assert!(is_kept || !now.stage.is_settled(), "{item}: {now:?} {settled:?}");
    }
    assert!(lost <= report.may_have_lost_result, "{lost} outcomes that are whole are not kept: {report:?}");
}
