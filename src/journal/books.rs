//! The books of a journal: what its records say became of each item, and whether they can be true.
//!
//! accepted = done + failed + dead + skipped + in flight + waiting.
//!
//! Invariant: pure. Memory grows with the changes from one item to the next, never with the items.

pub use super::item_stage::{ItemStage, ItemState};

use super::item_map::ItemMap;
use super::record::{GivenAway, JournalRecord, SettledItems};
use crate::model::ids::ItemId;
use crate::model::outcome::Outcome;

/// Faults that are kept with their place; further ones are counted.
pub const FAULTS_KEPT_MAX: usize = 100;

/// Why records cannot be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookFaultKind {
    #[error("the journal does not begin with what the run is")]
    NotOpened,
    #[error("the journal says a second time what the run is")]
    OpenedAgain,
    #[error("a record belongs to no session")]
    NoSession,
    #[error("item {0} was accepted out of order")]
    OutOfOrder(u64),
    #[error("item {0} was never accepted")]
    Unknown(u64),
    #[error("item {0} was begun, and is in flight already")]
    BegunTwice(u64),
    #[error("item {0} was begun, and has its outcome already")]
    BegunSettled(u64),
    #[error("item {0} was begun with an attempt that it has behind it")]
    OldAttempt(u64),
    #[error("item {0} was to be tried again, and is not in flight")]
    RetriedIdle(u64),
    #[error("an attempt at item {0} was taken back that is not the one in flight")]
    ReturnedIdle(u64),
    #[error("item {0} got a second outcome")]
    SettledTwice(u64),
    #[error("item {0} got its outcome with fewer attempts than were begun")]
    AttemptsLost(u64),
    #[error("item {0} was reopened, and has no outcome that can be")]
    ReopenedOpen(u64),
    #[error("item {0} was dropped, and is in flight, done, or skipped")]
    DroppedKept(u64),
    #[error("the output of item {0} was given away before its outcome was known")]
    EmittedOpen(u64),
    #[error("the output went back, to item or offset {0}")]
    EmittedBack(u64),
    #[error("the list began anew in the middle of a session")]
    AnewLate,
    #[error("item {0} got a second hash")]
    HashedTwice(u64),
    #[error("the run was closed, and item {0} has no outcome")]
    ClosedOpen(u64),
}

/// A fault, and the record that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookFault {
    /// Of the record.
    pub offset: u64,
    pub kind: BookFaultKind,
}

/// How many items stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookTotals {
    pub accepted: u64,
    pub waiting: u64,
    pub in_flight: u64,
    pub done: u64,
    pub failed: u64,
    pub dead: u64,
    pub skipped: u64,
}

/// What was before the present list, of a run that goes on by item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EarlierLists {
    pub lists: u64,
    /// Items that were done while they were in one of these.
    pub done: u64,
    /// Items of the present list that were not begun, since their outcome was known.
    pub recognised: u64,
}

/// The books.
#[derive(Clone, Debug)]
pub struct Books {
    items: ItemMap<ItemState>,
    /// Items of each stage, as the records were taken.
    counts: [u64; ItemStage::ALL.len()],
    is_opened: bool,
    in_session: bool,
    /// The present session has records about items.
    is_begun: bool,
    earlier: EarlierLists,
    /// Items of the present list that were done while they were in it.
    done_here: u64,
    /// The item behind the last one that has a hash.
    hashed_end: u64,
    /// What the present session has given away. Each one begins anew: items may have been reopened.
    shown_in_session: Option<GivenAway>,
    output_bytes: u64,
    /// The exit code that the last session closed with.
    closed: Option<u8>,
    faults: Vec<BookFault>,
    faults_omitted: u64,
}

impl Default for Books {
    fn default() -> Self {
        Self::new()
    }
}

impl Books {
    /// Of a journal without records.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            items: ItemMap::new(0),
            counts: [0; ItemStage::ALL.len()],
            is_opened: false,
            in_session: false,
            is_begun: false,
            earlier: EarlierLists { lists: 0, done: 0, recognised: 0 },
            done_here: 0,
            hashed_end: 0,
            shown_in_session: None,
            output_bytes: 0,
            closed: None,
            faults: Vec::new(),
            faults_omitted: 0,
        }
    }

    /// Takes the next record, which lies at this offset.
    pub fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        if let Err(kind) = self.enter(record) {
            match self.faults.len() < FAULTS_KEPT_MAX {
                true => self.faults.push(BookFault { offset, kind }),
                false => self.faults_omitted += 1,
            }
        }
    }

    /// Enters what can be true of a record. The first error is what cannot.
    fn enter(&mut self, record: &JournalRecord<'_>) -> Result<(), BookFaultKind> {
        match record {
            JournalRecord::Opened { .. } if self.is_opened => return Err(BookFaultKind::OpenedAgain),
            JournalRecord::Opened { .. } => self.is_opened = true,
            _ if !self.is_opened => return Err(BookFaultKind::NotOpened),
            JournalRecord::Session { .. } => self.begin_session(),
            // They speak of files.
            JournalRecord::Safe { .. }
            | JournalRecord::Asked { .. }
            | JournalRecord::Heeded { .. }
            | JournalRecord::Compacted { .. } => {}
            // A person may ask for these between two sessions.
            JournalRecord::Reopened { first, count } => return self.reopen(*first, *count),
            JournalRecord::Dropped { first, count } => return self.drop_items(*first, *count),
            _ if !self.in_session => return Err(BookFaultKind::NoSession),
            JournalRecord::Anew { .. } => return self.begin_list(),
            _ => return self.enter_in_session(record),
        }
        Ok(())
    }

    fn enter_in_session(&mut self, record: &JournalRecord<'_>) -> Result<(), BookFaultKind> {
        self.is_begun = true;
        match record {
            JournalRecord::Accepted(accepted) => self.accept(accepted.first, accepted.count),
            JournalRecord::Recovered { first, count, .. } => self.accept(*first, *count),
            JournalRecord::Hashes { first, hashes } => self.hash(*first, hashes.len() as u64),
            JournalRecord::Begun { first, count, attempt, .. } => self.begin(*first, *count, attempt.0),
            JournalRecord::Returned { first, count, attempt, .. } => self.give_back(*first, *count, attempt.0),
            JournalRecord::Retried { item, .. } => self.retry(*item),
            JournalRecord::Settled(settled) => self.settle(settled),
            JournalRecord::Reopened { first, count } => self.reopen(*first, *count),
            JournalRecord::Content(piece) => self.known(piece.first.0, piece.first.plus(u64::from(piece.count)).0),
            JournalRecord::Emitted { shown, output_bytes } => self.emit(*shown, *output_bytes),
            JournalRecord::Closed { exit_code, all } => self.close(*exit_code, *all),
            JournalRecord::Dropped { first, count } => self.drop_items(*first, *count),
            // They are about no item.
            JournalRecord::Asked { .. }
            | JournalRecord::ResultsKept
            | JournalRecord::Compacted { .. }
            | JournalRecord::Heeded { .. }
            | JournalRecord::Opened { .. }
            | JournalRecord::Session { .. }
            | JournalRecord::Safe { .. }
            | JournalRecord::Anew { .. } => Ok(()),
        }
    }

    /// What was in flight when the last session ended is to be begun again.
    fn begin_session(&mut self) {
        (self.in_session, self.is_begun, self.closed, self.shown_in_session) = (true, false, None, None);
        if self.counts[ItemStage::InFlight as usize] > 0 {
            let waits = |state: ItemState| match state.stage {
                ItemStage::InFlight => ItemState { stage: ItemStage::Waiting, ..state },
                _ => state,
            };
            self.change(0, self.items.end(), waits);
        }
    }

    /// The session has a list of its own, whose items are counted from 0.
    fn begin_list(&mut self) -> Result<(), BookFaultKind> {
        if self.is_begun {
            return Err(BookFaultKind::AnewLate);
        }
        (self.items, self.counts) = (ItemMap::new(0), Default::default());
        let EarlierLists { lists, done, .. } = self.earlier;
        let done = done.saturating_add(std::mem::take(&mut self.done_here));
        self.earlier = EarlierLists { lists: lists + 1, done, recognised: 0 };
        self.hashed_end = 0;
        Ok(())
    }

    fn hash(&mut self, first: ItemId, count: u64) -> Result<(), BookFaultKind> {
        if first.0 < self.hashed_end {
            return Err(BookFaultKind::HashedTwice(first.0));
        }
        let end = first.plus(count).0;
        self.known(first.0, end)?;
        self.hashed_end = end;
        Ok(())
    }

    fn accept(&mut self, first: ItemId, count: u32) -> Result<(), BookFaultKind> {
        if first.0 != self.items.end() {
            return Err(BookFaultKind::OutOfOrder(first.0));
        }
        self.items.push(u64::from(count), ItemState { stage: ItemStage::Waiting, attempts: 0 });
        self.counts[ItemStage::Waiting as usize] += u64::from(count);
        Ok(())
    }

    fn begin(&mut self, first: ItemId, count: u32, attempt: u32) -> Result<(), BookFaultKind> {
        let (begin, end) = (first.0, first.plus(u64::from(count)).0);
        self.check(begin, end, |item, state| match state.stage {
            // It had come back, and was not begun.
            ItemStage::InFlight if attempt == state.attempts => Ok(()),
            ItemStage::InFlight => Err(BookFaultKind::BegunTwice(item)),
            stage if stage.is_settled() => Err(BookFaultKind::BegunSettled(item)),
            _ if attempt <= state.attempts => Err(BookFaultKind::OldAttempt(item)),
            _ => Ok(()),
        })?;
        self.change(begin, end, |_| ItemState { stage: ItemStage::InFlight, attempts: attempt });
        Ok(())
    }

    fn give_back(&mut self, first: ItemId, count: u32, attempt: u32) -> Result<(), BookFaultKind> {
        let (begin, end) = (first.0, first.plus(u64::from(count)).0);
        self.check(begin, end, |item, state| match state.stage {
            ItemStage::InFlight if state.attempts == attempt => Ok(()),
            _ => Err(BookFaultKind::ReturnedIdle(item)),
        })?;
        self.change(begin, end, |_| ItemState { stage: ItemStage::Waiting, attempts: attempt - 1 });
        Ok(())
    }

    fn retry(&mut self, item: ItemId) -> Result<(), BookFaultKind> {
        let (begin, end) = (item.0, item.plus(1).0);
        self.check(begin, end, |item, state| match state.stage {
            ItemStage::InFlight => Ok(()),
            _ => Err(BookFaultKind::RetriedIdle(item)),
        })?;
        self.change(begin, end, |state| ItemState { stage: ItemStage::Waiting, ..state });
        Ok(())
    }

    fn settle(&mut self, settled: &SettledItems<'_>) -> Result<(), BookFaultKind> {
        let (begin, end) = (settled.first.0, settled.first.plus(u64::from(settled.count)).0);
        // An attempt that somebody declined had been announced.
        let declined = u32::from(settled.outcome == Outcome::Skipped);
        self.check(begin, end, |item, state| match state.stage {
            stage if stage.is_settled() => Err(BookFaultKind::SettledTwice(item)),
            _ if settled.attempts.saturating_add(declined) < state.attempts => Err(BookFaultKind::AttemptsLost(item)),
            _ => Ok(()),
        })?;
        let state = ItemState { stage: ItemStage::of(&settled.outcome), attempts: settled.attempts };
        for (first, end, before) in self.items.among(begin, end) {
            let count = if before.attempts == 0 && state.attempts > 0 {
                &mut self.earlier.recognised
            } else if state.stage == ItemStage::Done {
                &mut self.done_here
            } else {
                continue;
            };
            *count += end - first;
        }
        self.change(begin, end, |_| state);
        Ok(())
    }

    fn reopen(&mut self, first: ItemId, count: u32) -> Result<(), BookFaultKind> {
        let (begin, end) = (first.0, first.plus(u64::from(count)).0);
        self.check(begin, end, |item, state| match state.stage {
            ItemStage::Failed | ItemStage::Dead | ItemStage::Skipped => Ok(()),
            _ => Err(BookFaultKind::ReopenedOpen(item)),
        })?;
        self.earlier.recognised = self.earlier.recognised.saturating_sub(u64::from(count));
        self.change(begin, end, |state| ItemState { stage: ItemStage::Waiting, ..state });
        Ok(())
    }

    fn drop_items(&mut self, first: ItemId, count: u32) -> Result<(), BookFaultKind> {
        let (begin, end) = (first.0, first.plus(u64::from(count)).0);
        self.check(begin, end, |item, state| match state.stage {
            ItemStage::Waiting | ItemStage::Failed | ItemStage::Dead => Ok(()),
            _ => Err(BookFaultKind::DroppedKept(item)),
        })?;
        self.change(begin, end, |state| ItemState { stage: ItemStage::Skipped, ..state });
        Ok(())
    }

    fn emit(&mut self, shown: GivenAway, output_bytes: u64) -> Result<(), BookFaultKind> {
        let until = |shown| match shown {
            GivenAway::Before(item) => item.0,
            GivenAway::RecordedBefore(offset) => offset,
        };
        let same_kind = |before: GivenAway| std::mem::discriminant(&before) == std::mem::discriminant(&shown);
        let before = self.shown_in_session.filter(|before| same_kind(*before)).map_or(0, until);
        if until(shown) < before {
            return Err(BookFaultKind::EmittedBack(until(shown)));
        }
        if let GivenAway::Before(item) = shown {
            self.check(before, item.0, |item, state| match state.stage.is_settled() {
                true => Ok(()),
                false => Err(BookFaultKind::EmittedOpen(item)),
            })?;
        }
        (self.shown_in_session, self.output_bytes) = (Some(shown), output_bytes);
        Ok(())
    }

    fn close(&mut self, exit_code: u8, all: bool) -> Result<(), BookFaultKind> {
        (self.in_session, self.closed) = (false, Some(exit_code));
        let open = self.counts[ItemStage::Waiting as usize] + self.counts[ItemStage::InFlight as usize];
        if !all || open == 0 {
            return Ok(());
        }
        self.check(0, self.items.end(), |item, state| match state.stage.is_settled() {
            true => Ok(()),
            false => Err(BookFaultKind::ClosedOpen(item)),
        })
    }

    fn known(&self, begin: u64, end: u64) -> Result<(), BookFaultKind> {
        match self.items.holds(begin, end) {
            true => Ok(()),
            false => Err(BookFaultKind::Unknown(begin.max(self.items.end()))),
        }
    }

    /// Checks the state of each of these items, at the first one of those that are equal.
    fn check(
        &self,
        begin: u64,
        end: u64,
        check: impl Fn(u64, ItemState) -> Result<(), BookFaultKind>,
    ) -> Result<(), BookFaultKind> {
        self.known(begin, end)?;
        if let Some(state) = self.items.shared(begin, end) {
            return check(begin, state);
        }
        self.items.among(begin, end).try_for_each(|(first, _, state)| check(first, state))
    }

    fn change(&mut self, begin: u64, end: u64, new_state: impl Fn(ItemState) -> ItemState) {
        let mut count = |items: u64, state: ItemState| {
            self.counts[state.stage as usize] -= items;
            self.counts[new_state(state).stage as usize] += items;
        };
        match self.items.shared(begin, end) {
            Some(state) => count(end - begin, state),
            None => self.items.among(begin, end).for_each(|(first, last, state)| count(last - first, state)),
        }
        self.items.change(begin, end, new_state);
    }

    /// Where an item stands; `None`: it was never accepted.
    #[must_use]
    pub fn item(&self, item: ItemId) -> Option<ItemState> {
        self.items.at(item.0)
    }

    /// The items from this one on, in stretches of equal state: the first one, the one behind the last one, the state.
    pub fn from(&self, item: ItemId) -> impl Iterator<Item = (ItemId, ItemId, ItemState)> + '_ {
        let parts = self.items.among(item.0, self.items.end());
        parts.map(|(first, end, state)| (ItemId(first), ItemId(end), state))
    }

    /// The number of the next item that is accepted.
    #[must_use]
    pub const fn next_item(&self) -> ItemId {
        ItemId(self.items.end())
    }

    /// What the present session has given away, and the bytes of that.
    #[must_use]
    pub const fn emitted(&self) -> Option<(GivenAway, u64)> {
        match self.shown_in_session {
            Some(shown) => Some((shown, self.output_bytes)),
            None => None,
        }
    }

    /// The exit code of the last session, if it ended orderly.
    #[must_use]
    pub const fn closed(&self) -> Option<u8> {
        self.closed
    }

    #[must_use]
    pub const fn totals(&self) -> BookTotals {
        let [waiting, in_flight, done, failed, dead, skipped] = self.counts;
        BookTotals { accepted: self.items.end(), waiting, in_flight, done, failed, dead, skipped }
    }

    /// What was before the present list; `None`: it is the first one.
    #[must_use]
    pub fn earlier_lists(&self) -> Option<EarlierLists> {
        (self.earlier.lists > 0).then_some(self.earlier)
    }

    /// The first faults, and how many there are beside them.
    #[must_use]
    pub fn faults(&self) -> (&[BookFault], u64) {
        (&self.faults, self.faults_omitted)
    }

    /// Whether all records can be true.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.faults.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Accepted;
    use super::*;
    use crate::model::ids::Attempt;
    use crate::model::time::Duration;

    type Record = JournalRecord<'static>;

    fn opened() -> Record {
        JournalRecord::Opened { run_id: "run".into(), facts: Vec::new() }
    }

    const SESSION: Record = JournalRecord::Session { started_unix_ns: 1, pid: 1 };

    fn accepted(first: u64, count: u32) -> Record {
        JournalRecord::Accepted(Accepted { first: ItemId(first), count, offset: 0, bytes: 0, hash: 0 })
    }

    fn begun(first: u64, count: u32, attempt: u32) -> Record {
        JournalRecord::Begun { first: ItemId(first), count, attempt: Attempt(attempt), at: Duration::ZERO }
    }

    fn returned(first: u64, count: u32, attempt: u32) -> Record {
        JournalRecord::Returned { first: ItemId(first), count, attempt: Attempt(attempt), at: Duration::ZERO }
    }

    fn retried(item: u64) -> Record {
        let (after, at) = (Duration::ZERO, Duration::ZERO);
        JournalRecord::Retried { item: ItemId(item), after, at, causes: Vec::new().into() }
    }

    fn settled(first: u64, count: u32, outcome: Outcome, attempts: u32) -> Record {
        JournalRecord::Settled(SettledItems::plain(ItemId(first), count, outcome, attempts))
    }

    fn emitted(next: u64, output_bytes: u64) -> Record {
        JournalRecord::Emitted { shown: GivenAway::Before(ItemId(next)), output_bytes }
    }

    fn reopened(first: u64, count: u32) -> Record {
        JournalRecord::Reopened { first: ItemId(first), count }
    }

    fn dropped(first: u64, count: u32) -> Record {
        JournalRecord::Dropped { first: ItemId(first), count }
    }

    const fn closed(exit_code: u8, all: bool) -> Record {
        JournalRecord::Closed { exit_code, all }
    }

    /// The books of a session in which four items were accepted, and these records followed.
    fn books(records: &[Record]) -> Books {
        let mut books = Books::new();
        let all = [opened(), SESSION, accepted(0, 4)].into_iter().chain(records.iter().cloned());
        (0..).zip(all).for_each(|(offset, record)| books.take(offset, &record));
        books
    }

    /// What a fourth record cannot be true for.
    fn fault(records: &[Record]) -> BookFaultKind {
        let books = books(records);
        let (faults, omitted) = books.faults();
        assert!(!books.balance() && faults.len() == 1 && omitted == 0, "{faults:?}");
        assert_eq!(faults[0].offset, records.len() as u64 + 2, "the last record is the fault");
        faults[0].kind
    }

    #[test]
    fn a_run_with_a_retry_and_a_crash_balances() {
        let first = [begun(0, 3, 1), settled(0, 1, Outcome::Done, 1), retried(1), begun(1, 1, 2), emitted(1, 10)];
        let again = [begun(3, 1, 1), returned(3, 1, 1), begun(3, 1, 1), returned(3, 1, 1)];
        let first = [&first[..], &again].concat();
        let crashed = books(&first);
        assert!(crashed.balance());
        let totals = BookTotals { accepted: 4, waiting: 1, in_flight: 2, done: 1, ..BookTotals::default() };
        assert_eq!((crashed.totals(), crashed.closed()), (totals, None));
        let state = ItemState { stage: ItemStage::InFlight, attempts: 2 };
        assert_eq!((crashed.item(ItemId(1)), crashed.item(ItemId(4))), (Some(state), None));

        let second = [SESSION, begun(1, 1, 3), begun(2, 2, 2), settled(1, 2, Outcome::Failed, 3), closed(130, false)];
        let stopped = books(&[&first[..], &second].concat());
        assert!(stopped.balance(), "{:?}", stopped.faults());
        let totals = BookTotals { accepted: 4, in_flight: 1, done: 1, failed: 2, ..BookTotals::default() };
        assert_eq!((stopped.totals(), stopped.closed(), stopped.emitted()), (totals, Some(130), None));

        let third = [
            SESSION,
            begun(3, 1, 3),
            settled(3, 1, Outcome::Dead, 3),
            reopened(1, 3),
            settled(1, 3, Outcome::Skipped, 3),
            emitted(4, 10),
            closed(1, true),
        ];
        let ended = books(&[&first[..], &second, &third].concat());
        assert!(ended.balance(), "{:?}", ended.faults());
        assert_eq!(ended.totals(), BookTotals { accepted: 4, done: 1, skipped: 3, ..BookTotals::default() });
        let parts: Vec<_> = ended.from(ItemId(0)).map(|(first, end, state)| (first.0, end.0, state.stage)).collect();
        assert_eq!(parts, [(0, 1, ItemStage::Done), (1, 4, ItemStage::Skipped)]);
        assert_eq!(ended.next_item(), ItemId(4));
    }

    /// Between two sessions, and of items that wait, failed and died.
    #[test]
    fn what_is_dropped_counts_as_skipped_and_can_be_reopened() {
        let outcomes =
            [settled(0, 1, Outcome::Failed, 1), settled(1, 1, Outcome::Dead, 3), settled(2, 1, Outcome::Done, 1)];
        let asked = [closed(1, false), dropped(0, 2), dropped(3, 1), reopened(1, 1)];
        let asked = books(&[&outcomes[..], &asked].concat());
        assert!(asked.balance(), "{:?}", asked.faults());
        let totals = BookTotals { accepted: 4, waiting: 1, done: 1, skipped: 2, ..BookTotals::default() };
        assert_eq!(asked.totals(), totals);
        assert_eq!(asked.item(ItemId(1)), Some(ItemState { stage: ItemStage::Waiting, attempts: 3 }));
    }

    const ANEW: Record = JournalRecord::Anew { facts: Vec::new() };

    fn hashes(first: u64, count: u8) -> Record {
        JournalRecord::Hashes { first: ItemId(first), hashes: (0..count).map(|hash| [hash; 16]).collect() }
    }

    #[test]
    fn each_list_has_books_of_its_own_and_what_earlier_ones_did_is_counted() {
        use Outcome::{Done, Failed};
        let records = [
            hashes(0, 4),
            begun(0, 3, 1),
            settled(0, 2, Done, 1),
            SESSION,
            ANEW,
            accepted(0, 5),
            hashes(0, 5),
            // Two are recognised, one of them is to be done after all.
            settled(1, 1, Done, 1),
            settled(2, 1, Failed, 4),
            reopened(2, 1),
            begun(2, 2, 5),
            settled(2, 1, Done, 5),
        ];
        let two = books(&records);
        assert!(two.balance(), "{:?}", two.faults());
        let totals = BookTotals { accepted: 5, waiting: 2, in_flight: 1, done: 2, ..BookTotals::default() };
        assert_eq!((two.totals(), two.next_item()), (totals, ItemId(5)));
        assert_eq!(two.earlier_lists(), Some(EarlierLists { lists: 1, done: 2, recognised: 1 }));
        let three = books(&[&records[..], &[SESSION, ANEW, accepted(0, 1)]].concat());
        assert_eq!(three.earlier_lists(), Some(EarlierLists { lists: 2, done: 3, recognised: 0 }));
        assert_eq!(books(&[hashes(0, 4)]).earlier_lists(), None);
    }

    #[test]
    fn what_cannot_be_true_is_a_fault() {
        use BookFaultKind as Kind;
        use Outcome::{Dead, Done, Failed};
        let cases: [(&[Record], Kind); 26] = [
            (&[opened()], Kind::OpenedAgain),
            (&[closed(0, false), begun(0, 1, 1)], Kind::NoSession),
            (&[accepted(3, 1)], Kind::OutOfOrder(3)),
            (&[accepted(5, 1)], Kind::OutOfOrder(5)),
            (&[begun(2, 3, 1)], Kind::Unknown(4)),
            (&[settled(9, 1, Done, 1)], Kind::Unknown(9)),
            (&[begun(0, 2, 1), begun(1, 1, 2)], Kind::BegunTwice(1)),
            (&[settled(0, 2, Done, 1), begun(1, 2, 2)], Kind::BegunSettled(1)),
            (&[begun(2, 1, 2), retried(2), begun(2, 1, 2)], Kind::OldAttempt(2)),
            (&[retried(2)], Kind::RetriedIdle(2)),
            (&[begun(1, 2, 1), retried(1), returned(1, 2, 1)], Kind::ReturnedIdle(1)),
            (&[begun(1, 2, 1), returned(2, 1, 2)], Kind::ReturnedIdle(2)),
            (&[settled(1, 1, Done, 1), settled(0, 3, Failed, 1)], Kind::SettledTwice(1)),
            (&[begun(3, 1, 2), settled(3, 1, Done, 1)], Kind::AttemptsLost(3)),
            (&[begun(3, 1, 2), settled(3, 1, Outcome::Skipped, 0)], Kind::AttemptsLost(3)),
            (&[settled(0, 1, Dead, 1), settled(1, 1, Done, 1), reopened(0, 2)], Kind::ReopenedOpen(1)),
            (&[begun(2, 1, 1), dropped(1, 2)], Kind::DroppedKept(2)),
            (&[settled(3, 1, Done, 1), dropped(2, 2)], Kind::DroppedKept(3)),
            (&[dropped(1, 1), dropped(0, 2)], Kind::DroppedKept(1)),
            (&[settled(0, 1, Done, 1), emitted(2, 0)], Kind::EmittedOpen(1)),
            (&[settled(0, 2, Done, 1), emitted(2, 5), emitted(1, 5)], Kind::EmittedBack(1)),
            (&[settled(1, 3, Done, 1), closed(0, true)], Kind::ClosedOpen(0)),
            (&[emitted(5, 0)], Kind::Unknown(4)),
            (&[hashes(0, 2), ANEW], Kind::AnewLate),
            (&[hashes(0, 2), hashes(1, 1)], Kind::HashedTwice(1)),
            (&[hashes(3, 2)], Kind::Unknown(4)),
        ];
        for (records, kind) in cases {
            assert_eq!(fault(records), kind, "{records:?}");
        }
        let mut empty = Books::default();
        empty.take(0, &SESSION);
        assert_eq!(empty.faults().0, [BookFault { offset: 0, kind: Kind::NotOpened }]);
    }

    #[test]
    fn a_record_that_cannot_be_true_changes_nothing_and_is_counted() {
        let before = books(&[settled(1, 1, Outcome::Done, 1)]);
        let mut books = before.clone();
        for offset in 0..FAULTS_KEPT_MAX as u64 + 5 {
            books.take(offset, &settled(0, 4, Outcome::Failed, 1));
        }
        assert_eq!(books.totals(), before.totals());
        assert_eq!((books.faults().0.len(), books.faults().1), (FAULTS_KEPT_MAX, 5));
    }

    /// A million items in runs of a thousand that are settled in any order.
    #[test]
    fn books_are_as_small_as_the_changes_from_one_item_to_the_next() {
        let mut books = books(&[]);
        (0..1000_u64).for_each(|run| books.take(0, &accepted(4 + run * 1000, 1000)));
        assert_eq!(books.items.entries(), 1);
        for run in (0..1000_u64).rev() {
            books.take(0, &begun(4 + run * 1000, 1000, 1));
            books.take(0, &settled(4 + run * 1000, 1000, Outcome::Done, 1));
            assert!(books.items.entries() <= 3);
        }
        assert!(books.balance());
        assert_eq!(
            books.totals(),
            BookTotals { accepted: 1_000_004, waiting: 4, done: 1_000_000, ..BookTotals::default() }
        );
    }
}
