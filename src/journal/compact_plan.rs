//! What a compacted journal keeps of each record, as a first reading of the whole journal decides.
//!
//! An item whose last outcome stands needs the record of that outcome alone. *Whole stories* are kept of the others: of items
//! that have no outcome, and of those that had one when something was recorded that would not be true without it.
//!
//! Invariant: pure, but for the one function that reads a file. Memory grows with the changes from one item to the next, and
//! with the outcomes that were not given away; never with the items.

use super::books::ItemStage;
use super::file_reader::JournalFileReader;
use super::item_map::ItemMap;
use super::kept_marks::KeptMarks;
use super::record::{Accepted, ContentKind, ContentPiece, GivenAway, JournalRecord, SettledItems};
use super::state::{JournalState, JournalStateError};
use crate::model::ids::ItemId;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;

/// How often items were reopened, and where the last record of that lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reopenings {
    times: u32,
    last_offset: u64,
}

/// What is kept.
#[derive(Debug)]
pub struct CompactPlan {
    /// What the journal says.
    pub state: JournalState,
    pub sessions: u64,
    reopened: ItemMap<Reopenings>,
    /// Whether all records of an item are kept.
    whole_stories: ItemMap<bool>,
    /// The newest text of an item: how often the item had been reopened then, and one more.
    texts: ItemMap<u32>,
    pub(super) marks: KeptMarks,
    /// The last record of a session that left no item.
    closed_all: Option<u64>,
    /// The records of the results that were not given away.
    pending_pieces: BTreeSet<u64>,
}

impl CompactPlan {
    /// Reads a whole journal.
    ///
    /// # Errors
    /// As of [`JournalState::read`].
    pub fn of(file: &File) -> Result<Self, JournalStateError> {
        let mut facts = FirstReading::default();
        let state = JournalState::read_along(file, |offset, record| facts.take(offset, record))?;
        let end = state.books.next_item().0;
        let mut whole_stories = ItemMap::new(0);
        whole_stories.push(end, false);
        let pieces = state.pending.values().flat_map(|pending| &pending.contents);
        let pending_pieces = pieces.map(|place| place.record_offset).collect();
        let FirstReading { sessions, reopened, dropped, texts, marks, closed_all } = facts;
        // That an item was given up is no outcome, and needs the one before it.
        dropped.into_iter().for_each(|(first, end)| whole_stories.change(first, end, |_| true));
        let mut plan = Self { state, sessions, reopened, whole_stories, texts, marks, closed_all, pending_pieces };
        plan.keep_whole_stories();
        plan.close_over_batches(file)?;
        Ok(plan)
    }

    /// Of items without an outcome, and of those without whose earlier outcome a record that is kept would not be true.
    fn keep_whole_stories(&mut self) {
        let open = self.state.books.from(ItemId(0)).filter(|(.., state)| !state.stage.is_settled());
        let open: Vec<_> = open.map(|(first, end, _)| (first.0, end.0)).collect();
        let claims = self.marks.iter().filter_map(|mark| match mark.shown {
            GivenAway::Before(item) => Some((mark.offset, item.0)),
            GivenAway::RecordedBefore(_) => None,
        });
        let claims: Vec<_> = claims.chain(self.closed_all.map(|offset| (offset, u64::MAX))).collect();
        let claimed = self.reopened.among(0, self.reopened.end()).filter(|(first, _, reopened)| {
            let is_claimed = |(offset, until): &(u64, u64)| reopened.last_offset > *offset && first < until;
            reopened.times > 0 && claims.iter().any(is_claimed)
        });
        let claimed: Vec<_> = claimed.map(|(first, end, _)| (first, end)).collect();
        for (first, end) in open.into_iter().chain(claimed) {
            self.whole_stories.change(first, end, |_| true);
        }
    }

    /// An outcome that several items share is kept for all of them, or for none.
    fn close_over_batches(&mut self, file: &File) -> io::Result<()> {
        let is_reopened = self.reopened.among(0, self.reopened.end()).any(|(.., reopened)| reopened.times > 0);
        let mut has_grown = is_reopened;
        while has_grown {
            has_grown = false;
            let mut progress = ReopenedSoFar::default();
            let mut reader = JournalFileReader::new(file).map_err(io::Error::other)?;
            while let Some((_, record)) = reader.next_record()? {
                progress.take(&record);
                let JournalRecord::Settled(settled) = &record else { continue };
                let (first, end) = range(settled.first, settled.count);
                let differs = self.whole_stories.among(first, end).count() > 1
                    || (!self.has_whole_story(first) && self.standing(settled, &progress).count() > 1);
                if differs {
                    self.whole_stories.change(first, end, |_| true);
                    has_grown = true;
                }
            }
        }
        Ok(())
    }

    /// Whether this outcome stands, of each stretch of its items.
    fn standing<'a>(
        &'a self,
        settled: &SettledItems<'_>,
        so_far: &'a ReopenedSoFar,
    ) -> impl Iterator<Item = bool> + 'a {
        let (first, end) = range(settled.first, settled.count);
        let mut last = None;
        let stretches = self.reopened.among(first, end).flat_map(move |(first, end, total)| {
            so_far.times.among(first, end).map(move |(.., times)| times == total.times)
        });
        stretches.filter(move |stands| last.replace(*stands) != Some(*stands))
    }

    /// Whether all records of an item are kept.
    #[must_use]
    pub fn has_whole_story(&self, item: u64) -> bool {
        self.whole_stories.at(item) == Some(true)
    }

    /// The stretches of these items whose records are all kept.
    pub fn whole_stories(&self, first: ItemId, count: u32) -> impl Iterator<Item = (ItemId, u32)> + '_ {
        let (first, end) = range(first, count);
        let whole = self.whole_stories.among(first, end).filter(|(.., whole)| *whole);
        whole.map(|(first, end, _)| (ItemId(first), (end - first) as u32))
    }

    /// Whether an outcome is kept.
    #[must_use]
    pub fn keeps_outcome(&self, settled: &SettledItems<'_>, so_far: &ReopenedSoFar) -> bool {
        self.has_whole_story(settled.first.0) || self.standing(settled, so_far).all(|stands| stands)
    }

    /// Whether the outcome that is recorded there was not given away.
    #[must_use]
    pub fn is_pending(&self, settled: &SettledItems<'_>, offset: u64) -> bool {
        self.state.pending.get(&settled.first.0).is_some_and(|pending| pending.recorded_at == offset)
    }

    /// Whether a piece of a content is kept. `is_asked`: its session keeps results.
    #[must_use]
    pub fn keeps_piece(&self, offset: u64, piece: &ContentPiece<'_>, so_far: &ReopenedSoFar, is_asked: bool) -> bool {
        let item = piece.first.0;
        let times = so_far.times.at(item);
        match piece.kind {
            ContentKind::Item => {
                let newest = times.map(|times| times.saturating_add(1));
                self.texts.at(item) == newest || self.has_whole_story(item)
            }
            ContentKind::Output | ContentKind::Errors => {
                let stage = self.state.books.item(piece.first).map(|state| state.stage);
                let is_last = self.reopened.at(item).map(|total| total.times) == times;
                let stands = is_last && stage.is_some_and(ItemStage::is_settled);
                self.pending_pieces.contains(&offset) || (is_asked && stands)
            }
        }
    }

    /// Whether the end of a session that left no item is still to be told as that.
    #[must_use]
    pub fn is_last_end(&self, offset: u64) -> bool {
        self.closed_all == Some(offset)
    }
}

/// How often items were reopened before a record.
#[derive(Debug)]
pub struct ReopenedSoFar {
    times: ItemMap<u32>,
}

impl Default for ReopenedSoFar {
    fn default() -> Self {
        Self { times: ItemMap::new(0) }
    }
}

impl ReopenedSoFar {
    /// Takes the next record.
    pub fn take(&mut self, record: &JournalRecord<'_>) {
        match record {
            JournalRecord::Accepted(accepted) => self.times.push(u64::from(accepted.count), 0),
            JournalRecord::Recovered { count, .. } => self.times.push(u64::from(*count), 0),
            JournalRecord::Reopened { first, count } => {
                let (first, end) = range(*first, *count);
                self.times.change(first, end, |times| times.saturating_add(1));
            }
            _ => {}
        }
    }
}

/// What the first reading gathers.
#[derive(Debug)]
struct FirstReading {
    sessions: u64,
    reopened: ItemMap<Reopenings>,
    /// Items that were given up.
    dropped: Vec<(u64, u64)>,
    texts: ItemMap<u32>,
    marks: KeptMarks,
    closed_all: Option<u64>,
}

impl Default for FirstReading {
    fn default() -> Self {
        let (reopened, texts) = (ItemMap::new(0), ItemMap::new(0));
        Self { sessions: 0, reopened, dropped: Vec::new(), texts, marks: KeptMarks::default(), closed_all: None }
    }
}

impl FirstReading {
    fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        match record {
            JournalRecord::Session { .. } => self.sessions += 1,
            JournalRecord::Accepted(Accepted { count, .. }) | JournalRecord::Recovered { count, .. } => {
                self.reopened.push(u64::from(*count), Reopenings::default());
                self.texts.push(u64::from(*count), 0);
            }
            JournalRecord::Content(piece) if piece.kind == ContentKind::Item => {
                let (first, end) = range(piece.first, piece.count);
                let times = self.reopened.at(first).map_or(0, |reopened| reopened.times);
                self.texts.change(first, end, |_| times.saturating_add(1));
            }
            JournalRecord::Reopened { first, count } => {
                let (first, end) = range(*first, *count);
                let again = |old: Reopenings| Reopenings { times: old.times.saturating_add(1), last_offset: offset };
                self.reopened.change(first, end, again);
            }
            JournalRecord::Dropped { first, count } => self.dropped.push(range(*first, *count)),
            JournalRecord::Emitted { shown, .. } => self.marks.add(offset, *shown),
            JournalRecord::Closed { all: true, .. } => self.closed_all = Some(offset),
            _ => {}
        }
    }
}

const fn range(first: ItemId, count: u32) -> (u64, u64) {
    (first.0, first.plus(count as u64).0)
}
