//! Keep-order: settled items wait here, with copies of their results, until every item before them is settled.
//!
//! A worker may answer for each item by itself, so settlements that follow one another share one [`HeldResults`]. Besides
//! its results and times a settlement takes 16 bytes of it; a record of its own takes some 300 (2026-11-27).
//!
//! Invariant: holds only items that the core has settled and not yet ordered to commit. A settlement comes out as it was
//! held, with the same items and results. The feed reads no further while the results are more than it allows.

use super::super::answer::Answer;
use crate::model::exit::ExitStatus;
use crate::model::ids::ItemId;
use crate::model::outcome::Settlement;
use crate::reporter::{Content, ItemTime};
use crate::sys::spill::SpilledContent;
use std::collections::BTreeMap;
use std::mem;

/// The most bytes of settlements that share their memory, which is freed when the last of them has been shown.
const SHARED_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of one settlement that shares its memory. A record of its own costs a larger one less than a tenth, and
/// saves the growth of a buffer.
const JOINED_BYTES_MAX: usize = 4 * 1024;

/// The most origins of settlements that share their memory. Each settlement looks through them for its own.
const ORIGINS_MAX: usize = 16;

/// Consecutive settlements and their results, copied out of the buffers that they were read into.
pub struct HeldResults {
    /// The first item that was not taken.
    first: u64,
    /// The item behind the last one.
    end: u64,
    /// What settlements have in common: the outcome, the attempts, the process. Their items are in `settlements`.
    origins: Vec<Settlement>,
    settlements: Vec<HeldSettlement>,
    /// The results, the errors and the times of all, one behind the other.
    results: Vec<u8>,
    errors: Vec<u8>,
    times: Vec<ItemTime>,
    /// Of a settlement that shares its memory with no other.
    alone: Option<Box<Alone>>,
    taken: TakenSoFar,
}

/// One settlement.
struct HeldSettlement {
    /// Bytes of its results.
    results: usize,
    count: u32,
    /// Index in the origins.
    origin: u16,
    /// There is a time for each item.
    timed: bool,
}

/// What only the output of a command has, and a result that is in the temporary file.
#[derive(Default)]
struct Alone {
    results: SpilledContent,
    errors: SpilledContent,
    /// Bytes that have left before.
    results_before: u64,
    errors_before: u64,
    exit: Option<ExitStatus>,
}

/// How much of each was taken.
#[derive(Clone, Copy, Default)]
struct TakenSoFar {
    settlements: usize,
    results: usize,
    times: usize,
}

/// The reorder buffer.
#[derive(Default)]
pub struct Reorder {
    /// By first item.
    held: BTreeMap<u64, HeldResults>,
    held_bytes: u64,
}

impl Reorder {
    /// Bytes of results that wait for their turn.
    pub const fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Keeps a settlement, and a copy of its results, until [`Reorder::take`] names it.
    pub fn hold(&mut self, settlement: Settlement, answer: Option<Answer<'_>>) {
        let first = settlement.first.0;
        if let Some((_, before)) = self.held.range_mut(..first).next_back()
            && before.takes(&settlement, answer.as_ref())
        {
            self.held_bytes += before.push(settlement, answer.as_ref());
            return;
        }
        let held = HeldResults::new(settlement, answer);
        self.held_bytes += held.bytes();
        self.held.insert(first, held);
    }

    /// Takes out the next settlements that begin within these items. All before them have to be taken already.
    pub fn take(&mut self, first: ItemId, end: ItemId) -> Option<HeldResults> {
        let (&at, _) = self.held.range(first.0..end.0).next()?;
        let mut held = self.held.remove(&at)?;
        if let Some(rest) = held.split_off(end.0) {
            self.held.insert(rest.first, rest);
        }
        self.held_bytes -= held.bytes();
        Some(held)
    }
}

impl HeldResults {
    /// A single settlement.
    pub fn new(settlement: Settlement, answer: Option<Answer<'_>>) -> Self {
        let (first, count) = (settlement.first.0, settlement.count);
        let end = first + u64::from(count);
        let answer = answer.unwrap_or_else(|| Answer::empty(settlement.first, count));
        let Answer { results, errors, times, exit, .. } = answer;
        let is_plain = exit.is_none() && is_in_memory(&results) && is_in_memory(&errors);
        let (results_before, errors_before) = (results.before, errors.before);
        let (results_held, errors_held) = (results.memory.to_vec(), errors.memory.to_vec());
        let (results, errors) = (results.spilled, errors.spilled);
        let alone = Alone { results, errors, results_before, errors_before, exit };
        Self {
            first,
            end,
            origins: vec![settlement],
            settlements: vec![HeldSettlement { results: results_held.len(), count, origin: 0, timed: times.is_some() }],
            results: results_held,
            errors: errors_held,
            times: times.map_or_else(Vec::new, <[_]>::to_vec),
            alone: (!is_plain).then(|| Box::new(alone)),
            taken: TakenSoFar::default(),
        }
    }

    /// Whether a settlement follows these ones and may share their memory.
    fn takes(&self, next: &Settlement, answer: Option<&Answer<'_>>) -> bool {
        let shares = |answer: &Answer<'_>| {
            let own = answer.results.memory.len() + answer.times.map_or(0, mem::size_of_val);
            let is_plain = answer.exit.is_none() && is_in_memory(&answer.results) && is_in_memory(&answer.errors);
            is_plain
                && answer.errors.memory.is_empty()
                && own <= JOINED_BYTES_MAX
                && self.shared_bytes() + own + size_of::<HeldSettlement>() <= SHARED_BYTES_MAX
        };
        self.end == next.first.0
            && self.alone.is_none()
            && self.errors.is_empty()
            && self.settlements.last().is_some_and(|last| last.results <= JOINED_BYTES_MAX)
            && self.origins.len() < ORIGINS_MAX
            && self.origins.last().is_some_and(has_no_details)
            && has_no_details(next)
            && answer.is_none_or(shares)
    }

    /// Adds the settlement that follows. Returns how many bytes of results were added.
    fn push(&mut self, next: Settlement, answer: Option<&Answer<'_>>) -> u64 {
        let (results, times) = answer.map_or((&[][..], None), |answer| (answer.results.memory, answer.times));
        let count = next.count;
        self.end += u64::from(count);
        self.results.extend_from_slice(results);
        self.times.extend_from_slice(times.unwrap_or_default());
        let origin = self.origins.iter().rposition(|origin| is_same_but_items(origin, &next));
        let origin = origin.unwrap_or_else(|| {
            self.origins.push(next);
            self.origins.len() - 1
        });
        self.settlements.push(HeldSettlement {
            results: results.len(),
            count,
            origin: origin as u16,
            timed: times.is_some(),
        });
        results.len() as u64
    }

    /// Splits off the settlements that begin at `end` or later. Nothing may have been taken before.
    fn split_off(&mut self, end: u64) -> Option<Self> {
        if self.end <= end {
            return None;
        }
        let (mut first, mut before) = (self.first, TakenSoFar::default());
        for held in &self.settlements {
            if first >= end {
                break;
            }
            first += u64::from(held.count);
            before.pass(held);
        }
        if before.settlements == self.settlements.len() {
            return None;
        }
        let behind = mem::replace(&mut self.end, first);
        Some(Self {
            first,
            end: behind,
            origins: self.origins.clone(),
            settlements: self.settlements.split_off(before.settlements),
            results: self.results.split_off(before.results),
            errors: Vec::new(),
            times: self.times.split_off(before.times),
            alone: None,
            taken: TakenSoFar::default(),
        })
    }

    /// The next settlement, and its results with the ownership of their spilled part.
    pub fn take_next(&mut self) -> Option<(Settlement, Answer<'_>)> {
        let held = self.settlements.get(self.taken.settlements)?;
        let (from, first, count) = (self.taken, ItemId(self.first), held.count);
        self.taken.pass(held);
        self.first += u64::from(count);
        let settlement = Settlement { first, count, ..self.origins.get(usize::from(held.origin))?.clone() };
        let times = held.timed.then(|| self.times.get(from.times..self.taken.times)).flatten();
        let results = self.results.get(from.results..self.taken.results)?;
        let mut alone = self.alone.take().map_or_else(Alone::default, |alone| *alone);
        let content =
            |spilled: &mut SpilledContent, memory, before| Content { spilled: mem::take(spilled), memory, before };
        let answer = Answer {
            results: content(&mut alone.results, results, alone.results_before),
            errors: content(&mut alone.errors, &self.errors, alone.errors_before),
            times,
            exit: alone.exit,
            ..Answer::empty(first, count)
        };
        Some((settlement, answer))
    }

    /// The bytes that make the source wait. The spilled output of a command, which has an exit, is not among them: one
    /// command may write so much that no other would be started. That of a resident worker is, or the file would grow
    /// without limit behind one slow item.
    fn bytes(&self) -> u64 {
        let spilled = self.alone.as_ref().filter(|alone| alone.exit.is_none()).map_or(0, |alone| alone.results.bytes());
        spilled + (self.results.len() + self.errors.len()) as u64
    }

    /// The bytes that settlements share.
    const fn shared_bytes(&self) -> usize {
        self.results.len()
            + self.times.len() * size_of::<ItemTime>()
            + self.settlements.len() * size_of::<HeldSettlement>()
    }
}

impl TakenSoFar {
    /// One settlement more.
    const fn pass(&mut self, held: &HeldSettlement) {
        self.settlements += 1;
        self.results += held.results;
        self.times += if held.timed { held.count as usize } else { 0 };
    }
}

fn is_in_memory(content: &Content<'_>) -> bool {
    content.before == 0 && content.spilled.bytes() == 0
}

/// Whether a settlement has nothing that belongs to its own items alone.
const fn has_no_details(settlement: &Settlement) -> bool {
    settlement.causes.is_empty() && settlement.causes_omitted == 0 && settlement.shown_item.is_none()
}

/// Whether two settlements differ in their items alone.
fn is_same_but_items(one: &Settlement, other: &Settlement) -> bool {
    let of = |settlement: &Settlement| (settlement.attempts, settlement.worker, settlement.incarnation, settlement.pid);
    of(one) == of(other) && one.outcome == other.outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exit::ExitStatus;
    use crate::model::ids::{Incarnation, WorkerId};
    use crate::model::outcome::Outcome;
    use crate::model::time::{Duration, Instant};
    use crate::sys::spill::SpillFile;
    use std::sync::Arc;

    fn done(first: u64, count: u32) -> Settlement {
        Settlement::of_done(ItemId(first), count)
    }

    fn by(worker: usize, settlement: Settlement) -> Settlement {
        Settlement { worker: Some(WorkerId::from_index(worker)), incarnation: Some(Incarnation(1)), ..settlement }
    }

    fn answer<'a>(of: &Settlement, results: &'a [u8]) -> Option<Answer<'a>> {
        Some(Answer { results: Content::in_memory(results), ..Answer::empty(of.first, of.count) })
    }

    fn hold(reorder: &mut Reorder, first: u64, count: u32, results: &[u8]) {
        let settlement = done(first, count);
        let answer = answer(&settlement, results);
        reorder.hold(settlement, answer);
    }

    /// What a commit of these items takes: each settlement with its results.
    fn take(reorder: &mut Reorder, first: u64, end: u64) -> Vec<String> {
        let mut taken = Vec::new();
        while let Some(mut held) = reorder.take(ItemId(first), ItemId(end)) {
            while let Some((settlement, answer)) = held.take_next() {
                assert_eq!((settlement.first, settlement.count), (answer.first, answer.count));
                let results = String::from_utf8_lossy(answer.results.memory).replace('\n', ";");
                taken.push(format!("{}+{}={results}", settlement.first, settlement.count));
            }
        }
        taken
    }

    fn is_empty(reorder: &Reorder) -> bool {
        reorder.held.is_empty() && reorder.held_bytes() == 0
    }

    #[test]
    fn settlements_share_memory_and_keep_their_boundaries() {
        let mut reorder = Reorder::default();
        hold(&mut reorder, 10, 1, b"two\nlines\n");
        hold(&mut reorder, 11, 3, b"a\nb\nc\n");
        hold(&mut reorder, 14, 1, b"");
        reorder.hold(done(15, 2), None);
        hold(&mut reorder, 17, 1, b"no newline");
        assert_eq!((reorder.held.len(), reorder.held_bytes()), (1, 26));
        let expected = ["10+1=two;lines;", "11+3=a;b;c;", "14+1=", "15+2=", "17+1=no newline"];
        assert_eq!(take(&mut reorder, 10, 18), expected);
        assert!(is_empty(&reorder));
    }

    #[test]
    fn settlements_come_out_in_the_order_of_items_however_they_were_held() {
        let text = |first: u64| format!("{first}\n");
        for order in [[1, 2, 3, 4], [4, 3, 2, 1], [1, 3, 2, 4], [2, 4, 1, 3], [3, 4, 1, 2], [1, 4, 3, 2]] {
            let mut reorder = Reorder::default();
            for first in order {
                hold(&mut reorder, first, 1, text(first).as_bytes());
            }
            assert_eq!(take(&mut reorder, 1, 5), ["1+1=1;", "2+1=2;", "3+1=3;", "4+1=4;"], "{order:?}");
            assert!(is_empty(&reorder));
        }
    }

    #[test]
    fn a_commit_takes_what_begins_within_its_items_and_no_more() {
        let mut reorder = Reorder::default();
        for first in [3, 5, 7, 9, 20] {
            hold(&mut reorder, first, 2, b"x\ny\n");
        }
        assert_eq!(take(&mut reorder, 1, 3), Vec::<String>::new());
        assert_eq!(take(&mut reorder, 3, 7), ["3+2=x;y;", "5+2=x;y;"]);
        assert_eq!(reorder.held_bytes(), 12);
        // What was left goes on as before.
        hold(&mut reorder, 11, 1, b"z\n");
        assert_eq!(reorder.held.len(), 2);
        assert_eq!(take(&mut reorder, 7, 8), ["7+2=x;y;"]);
        assert_eq!(take(&mut reorder, 9, 12), ["9+2=x;y;", "11+1=z;"]);
        assert_eq!(take(&mut reorder, 12, 30), ["20+2=x;y;"]);
        assert!(is_empty(&reorder));
    }

    #[test]
    fn each_settlement_keeps_its_times() {
        let mut reorder = Reorder::default();
        let times: Vec<_> = (0..6).map(|ns| ItemTime { started: Instant(ns), runtime: Duration(ns) }).collect();
        for (first, range) in [(0, Some(0..1)), (1, None), (2, Some(1..3)), (4, Some(3..6))] {
            let count = range.as_ref().map_or(1, |range| range.len() as u32);
            let settlement = done(first, count);
            let times = range.and_then(|range| times.get(range));
            let answer = answer(&settlement, b"r").map(|answer| Answer { times, ..answer });
            reorder.hold(settlement, answer);
        }
        let mut taken = Vec::new();
        for (first, end) in [(0, 4), (4, 7)] {
            while let Some(mut held) = reorder.take(ItemId(first), ItemId(end)) {
                while let Some((_, answer)) = held.take_next() {
                    taken.push(answer.times.map(<[_]>::to_vec));
                }
            }
        }
        assert_eq!(taken, [Some(times[..1].to_vec()), None, Some(times[1..3].to_vec()), Some(times[3..].to_vec())]);
        assert!(is_empty(&reorder));
    }

    #[test]
    fn what_belongs_to_one_settlement_alone_comes_back_with_it() {
        let mut reorder = Reorder::default();
        let dead =
            Settlement { outcome: Outcome::Dead, causes_omitted: 3, shown_item: Some("'x'".into()), ..done(3, 1) };
        let all = [
            by(0, done(0, 1)),
            by(1, done(1, 1)),
            by(0, Settlement { attempts: 2, ..done(2, 1) }),
            dead,
            Settlement { pid: Some(7), ..done(4, 1) },
            by(1, done(5, 1)),
        ];
        for settlement in &all {
            let answer = (settlement.outcome == Outcome::Done).then(|| answer(settlement, b"r\n")).flatten();
            reorder.hold(settlement.clone(), answer);
        }
        assert_eq!(reorder.held.len(), 3, "the dead item has a record of its own");
        let mut taken = Vec::new();
        while let Some(mut held) = reorder.take(ItemId(0), ItemId(6)) {
            while let Some((settlement, answer)) = held.take_next() {
                assert_eq!(answer.results.memory.is_empty(), settlement.outcome == Outcome::Dead);
                taken.push(settlement);
            }
        }
        assert_eq!(taken, all);
        assert!(is_empty(&reorder));
    }

    #[test]
    fn spilled_content_and_output_of_commands_stay_alone() {
        let spill = Arc::new(SpillFile::new());
        let spilled = |bytes: &[u8]| {
            let mut content = SpilledContent::default();
            content.push(&spill, bytes).unwrap();
            content
        };
        let mut reorder = Reorder::default();
        hold(&mut reorder, 0, 1, b"a\n");
        let large = Content { spilled: spilled(b"large"), ..Content::default() };
        reorder.hold(done(1, 1), Some(Answer { results: large, ..Answer::empty(ItemId(1), 1) }));
        hold(&mut reorder, 2, 1, b"b\n");
        let out = Content { spilled: spilled(b"output"), memory: b"tail", before: 9 };
        let errors = Content { spilled: spilled(b"er"), memory: b"rors", before: 1 };
        let exit = Some(ExitStatus::Code(4));
        reorder.hold(done(3, 1), Some(Answer { results: out, errors, exit, ..Answer::empty(ItemId(3), 1) }));
        hold(&mut reorder, 4, 1, b"c\n");
        assert_eq!((reorder.held.len(), reorder.held_bytes(), spill.live_bytes()), (5, 2 + 5 + 2 + 8 + 2, 13));
        let mut taken = Vec::new();
        while let Some(mut held) = reorder.take(ItemId(0), ItemId(5)) {
            while let Some((settlement, answer)) = held.take_next() {
                let of = |content: &Content<'_>| (content.spilled.bytes(), content.memory.len(), content.before);
                taken.push((settlement.first.0, of(&answer.results), of(&answer.errors), answer.exit));
            }
        }
        let plain = |first| (first, (0, 2, 0), (0, 0, 0), None);
        let command = (3, (6, 4, 9), (2, 4, 1), exit);
        assert_eq!(taken, [plain(0), (1, (5, 0, 0), (0, 0, 0), None), plain(2), command, plain(4)]);
        assert_eq!((is_empty(&reorder), spill.live_bytes()), (true, 0));
    }

    #[test]
    fn shared_memory_is_bounded() {
        let mut reorder = Reorder::default();
        let (items, time) = (20_000, [ItemTime { started: Instant::ZERO, runtime: Duration::ZERO }]);
        for first in 1..=items {
            let settlement = by((first % 3) as usize, done(first, 1));
            let answer = answer(&settlement, b"123456\n").map(|answer| Answer { times: Some(&time), ..answer });
            reorder.hold(settlement, answer);
        }
        assert_eq!(reorder.held_bytes(), 7 * items);
        assert!(reorder.held.values().all(|held| held.shared_bytes() <= SHARED_BYTES_MAX));
        let per_item = 7 + size_of::<ItemTime>() + size_of::<HeldSettlement>();
        assert_eq!(reorder.held.len(), (items as usize).div_ceil(SHARED_BYTES_MAX / per_item));
        // A large settlement joins none, and none joins it.
        let records = reorder.held.len();
        let large = vec![b'x'; JOINED_BYTES_MAX + 1];
        hold(&mut reorder, items + 1, 1, &large);
        hold(&mut reorder, items + 2, 1, b"y\n");
        assert_eq!(reorder.held.len(), records + 2);
        assert_eq!(take(&mut reorder, 1, items + 3).len() as u64, items + 2);
        assert!(is_empty(&reorder));
    }

    #[test]
    fn settlements_of_many_processes_are_found_again() {
        let mut reorder = Reorder::default();
        for first in 0..100 {
            let settlement = by(first as usize, done(first, 1));
            let answer = answer(&settlement, b"r\n");
            reorder.hold(settlement, answer);
        }
        assert_eq!(reorder.held.len(), 100_usize.div_ceil(ORIGINS_MAX));
        let mut next = 0;
        while let Some(mut held) = reorder.take(ItemId(0), ItemId(100)) {
            while let Some((settlement, _)) = held.take_next() {
                assert_eq!(settlement, by(next as usize, done(next, 1)));
                next += 1;
            }
        }
        assert_eq!((next, is_empty(&reorder)), (100, true));
    }
}
