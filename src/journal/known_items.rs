//! What is known of items by their hashes, whatever lists they were in: for a run that goes on by item.
//!
//! What was done stays done, also if another item with the same hash failed. Of equal items, one result is given away.
//!
//! Invariant: memory grows with the different items (29 to 57 bytes for each, with the free places of the table), with the items of
//! the newest list (16 bytes for each), and with the outcomes that were not given away.

use super::books::{Books, ItemStage, ItemState};
use super::pending_outcome::PendingOutcome;
use super::record::ItemHash;
use crate::model::ids::ItemId;
use crate::model::outcome::Cause;
use std::collections::{BTreeMap, HashMap};

/// What is known of items.
#[derive(Debug, Default)]
pub struct KnownItems {
    /// Those that have their outcome, or have attempts behind them.
    items: HashMap<ItemHash, ItemState>,
    /// Of items that are to be tried again.
    causes: HashMap<ItemHash, Vec<Cause>>,
    /// Outcomes that were not given away.
    pending: HashMap<ItemHash, PendingOutcome>,
    /// Of the newest list: the first item of a stretch, and the hashes from that on.
    newest: Vec<(u64, Vec<ItemHash>)>,
}

impl KnownItems {
    /// Items of the newest list have these hashes. They come in order.
    pub fn push(&mut self, first: ItemId, hashes: &[ItemHash]) {
        match self.newest.last_mut() {
            Some((begin, stretch)) if *begin + stretch.len() as u64 == first.0 => stretch.extend_from_slice(hashes),
            _ => self.newest.push((first.0, hashes.to_vec())),
        }
    }

    /// The newest list has ended. `causes`: of its items that are to be tried again; `pending`: its outcomes that were not
    /// given away, by first item.
    pub fn end_list(
        &mut self,
        books: &Books,
        mut causes: BTreeMap<u64, Vec<Cause>>,
        pending: &BTreeMap<u64, PendingOutcome>,
    ) {
        for (begin, hashes) in std::mem::take(&mut self.newest) {
            let end = begin + hashes.len() as u64;
            let stretches = books.from(ItemId(begin)).take_while(|(first, ..)| first.0 < end);
            let states = stretches.flat_map(|(first, last, state)| (first.0..last.0).map(move |item| (item, state)));
            for ((item, state), hash) in states.zip(hashes) {
                if state.stage.is_settled() && state.stage != ItemStage::Skipped {
                    self.note_settled(item, hash, state, pending);
                } else {
                    self.note_open(hash, state.attempts, causes.remove(&item).unwrap_or_default());
                }
            }
        }
    }

    fn note_settled(&mut self, item: u64, hash: ItemHash, state: ItemState, pending: &BTreeMap<u64, PendingOutcome>) {
        let outcome = pending.range(..=item).next_back().and_then(|(_, pending)| pending.of_item(item));
        match self.items.get(&hash) {
            // It was recognised: what was pending still is, or was given away.
            Some(before) if *before == state => {
                if outcome.is_none() {
                    self.pending.remove(&hash);
                }
            }
            Some(before) if before.stage == ItemStage::Done => {}
            _ => {
                self.items.insert(hash, state);
                self.causes.remove(&hash);
                match outcome {
                    Some(outcome) => _ = self.pending.insert(hash, outcome),
                    None => _ = self.pending.remove(&hash),
                }
            }
        }
    }

    /// An item without an outcome. One that was not begun is as it was before.
    fn note_open(&mut self, hash: ItemHash, attempts: u32, causes: Vec<Cause>) {
        let before = self.items.get(&hash).copied();
        if attempts == 0 || before.is_some_and(|before| before.stage == ItemStage::Done) {
            return;
        }
        if before.is_some_and(|before| before.stage.is_settled()) {
            self.causes.remove(&hash);
        }
        let attempts = before.map_or(attempts, |before| before.attempts.max(attempts));
        self.items.insert(hash, ItemState { stage: ItemStage::Waiting, attempts });
        self.pending.remove(&hash);
        if !causes.is_empty() {
            self.causes.entry(hash).or_default().extend(causes);
        }
    }

    /// How many items are known, and how many of them are done.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let done = self.items.values().filter(|state| state.stage == ItemStage::Done).count();
        (self.items.len() as u64, done as u64)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Where an item stands.
    #[must_use]
    pub fn get(&self, hash: &ItemHash) -> Option<ItemState> {
        self.items.get(hash).copied()
    }

    /// Whether the outcome of an item was not given away.
    #[must_use]
    pub fn is_pending(&self, hash: &ItemHash) -> bool {
        self.pending.contains_key(hash)
    }

    #[must_use]
    pub fn has_causes(&self, hash: &ItemHash) -> bool {
        self.causes.contains_key(hash)
    }

    /// What ended the attempts of an item that is to be tried again.
    pub fn take_causes(&mut self, hash: &ItemHash) -> Vec<Cause> {
        self.causes.remove(hash).unwrap_or_default()
    }

    /// The outcome of an item, if it was not given away.
    pub fn take_pending(&mut self, hash: &ItemHash) -> Option<PendingOutcome> {
        self.pending.remove(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Accepted, JournalRecord, SettledItems};
    use super::*;
    use crate::model::ids::Attempt;
    use crate::model::outcome::{CauseKind, FailReason, Outcome};
    use crate::model::time::Duration;

    const fn hash(item: u8) -> ItemHash {
        [item; 16]
    }

    /// A list of these items: each with the attempts that were begun, and its outcome, if it has one.
    fn list(known: &mut KnownItems, items: &[(u8, u32, Option<Outcome>)], causes: &[(u64, u32)]) {
        let mut books = Books::new();
        let count = items.len() as u32;
        let records = [
            JournalRecord::Opened { run_id: "run".into(), facts: Vec::new() },
            JournalRecord::Session { started_unix_ns: 1, pid: 1 },
            JournalRecord::Accepted(Accepted { first: ItemId(0), count, offset: 0, bytes: 0, hash: 0 }),
        ];
        records.iter().for_each(|record| books.take(0, record));
        for (first, (item, attempts, outcome)) in (0..).map(ItemId).zip(items) {
            known.push(first, &[hash(*item)]);
            if *attempts > 0 && outcome.is_none() {
                let attempt = Attempt(*attempts);
                books.take(0, &JournalRecord::Begun { first, count: 1, attempt, at: Duration::ZERO });
            }
            if let Some(outcome) = outcome {
                let settled = SettledItems::plain(first, 1, outcome.clone(), *attempts);
                books.take(0, &JournalRecord::Settled(settled));
            }
        }
        assert!(books.balance());
        let cause = |attempt| Cause {
            attempt: Attempt(attempt),
            worker: None,
            pid: None,
            kind: CauseKind::Failed(FailReason::Exited(3)),
        };
        let causes = causes.iter().map(|(item, attempt)| (*item, vec![cause(*attempt)])).collect();
        known.end_list(&books, causes, &BTreeMap::new());
    }

    fn states(known: &KnownItems) -> Vec<(u8, ItemStage, u32)> {
        let known = (0..9).filter_map(|item| known.get(&hash(item)).map(|state| (item, state)));
        known.map(|(item, state)| (item, state.stage, state.attempts)).collect()
    }

    #[test]
    fn what_is_done_stays_so_and_everything_else_is_as_its_last_list_left_it() {
        use Outcome::{Dead, Done, Failed, Skipped};
        let mut known = KnownItems::default();
        list(&mut known, &[(1, 1, Some(Done)), (2, 2, Some(Failed)), (3, 0, None), (4, 3, None)], &[(3, 2)]);
        assert_eq!(states(&known), [(1, ItemStage::Done, 1), (2, ItemStage::Failed, 2), (4, ItemStage::Waiting, 3)]);
        assert!(known.has_causes(&hash(4)));
        // 2 is begun again, 4 is not, 1 fails in the same list that knows that it is done.
        list(&mut known, &[(4, 0, None), (2, 3, None), (1, 5, Some(Failed)), (5, 0, Some(Skipped))], &[(1, 3)]);
        assert_eq!(states(&known), [(1, ItemStage::Done, 1), (2, ItemStage::Waiting, 3), (4, ItemStage::Waiting, 3)]);
        assert_eq!(known.take_causes(&hash(2)).len(), 1);
        list(&mut known, &[(4, 4, Some(Dead)), (2, 4, Some(Done)), (2, 1, Some(Failed))], &[]);
        assert_eq!(states(&known), [(1, ItemStage::Done, 1), (2, ItemStage::Done, 4), (4, ItemStage::Dead, 4)]);
        assert!(!known.has_causes(&hash(4)));
        assert_eq!(known.totals(), (3, 2));
    }
}
