//! A damaged journal, written anew from what is whole in it.
//!
//! Each record that is whole is kept if it can be true behind those that are kept before it. What a record shows of one that
//! is lost is told in its place: an attempt that follows another one tells that the other one has ended, a block of items that
//! begins later than the one before it ends tells of the items between them. An item whose outcome is lost, or whose result may
//! be and was not given away, is run again.
//!
//! Invariant: nothing is done without a whole record of that, and the books of what is written balance.

use super::books::{Books, ItemStage, ItemState};
use super::file_reader::JournalReadError;
use super::kept_marks::{KeptMarks, MarkTranslation};
use super::read_through::{self, FoundPart, JournalDamage};
use super::record::{Accepted, GivenAway, JournalRecord, SettledItems};
use super::repair_scan::RepairScan;
use super::state::{JournalState, SessionStart};
use super::writer::JournalWriter;
use crate::model::ids::{Attempt, ItemId};
use crate::model::outcome::Outcome;
use crate::model::time::Duration;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;

/// What a repair keeps, and what is lost.
#[derive(Debug, Default)]
pub struct RepairPlan {
    scan: RepairScan,
    /// Outcomes that are left out because their results may be lost.
    run_again: BTreeSet<u64>,
    marks: KeptMarks,
    pub report: RepairReport,
}

/// What became of a damaged journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// In the order of the file.
    pub damage: Vec<JournalDamage>,
    /// Whole records of the damaged file.
    pub records: u64,
    /// Those that could not be true without what is lost, or that nothing needs.
    pub records_left_out: u64,
    /// Items without an outcome that were accepted before the last damage: it may be lost.
    pub may_have_lost_outcome: Vec<(u64, u64)>,
    /// Of these, items whose outcome was whole, and whose result may not be.
    pub may_have_lost_result: u64,
    /// Items whose acceptance is lost, and follows from the blocks before and behind them.
    pub recovered: Vec<(u64, u64)>,
    /// From this item on nothing is known of those that are read from the input again.
    pub read_again_from: Option<u64>,
    /// Outcomes that were recorded as given away, and are shown again.
    pub shown_again: u64,
}

impl RepairPlan {
    /// Reads a whole journal, as often as it takes to know what has to be run again. `None`: what the run is is lost.
    ///
    /// # Errors
    /// The file is no journal, or cannot be read.
    pub fn of(file: &File) -> Result<Option<Self>, JournalReadError> {
        let mut plan = Self::default();
        let extent = read_through::read_parts(file, |part| plan.scan.take(&part))?;
        let lost = plan.scan.lost_blocks.iter().map(|lost| (lost.first.0, lost.first.0.saturating_add(lost.items)));
        plan.report.recovered = lost.collect();
        (plan.report.damage, plan.report.records) = (extent.damage, extent.records);
        loop {
            let mut state = JournalState::new(super::record::JournalMark(0));
            let mut marks = KeptMarks::default();
            let mut kept = KeptRecords::new(&plan);
            read_through::read_parts(file, |part| {
                kept.take(&part, &mut |offset, record| {
                    if let JournalRecord::Emitted { shown, .. } = record {
                        marks.add(offset, *shown);
                    }
                    state.take(offset, record);
                });
            })?;
            let summary = kept.summary;
            if !summary.is_opened {
                return Ok(None);
            }
            let doubted = plan.doubted(&state, &summary);
            let before = plan.run_again.len();
            for (offset, pieces) in doubted {
                plan.run_again.insert(offset);
                plan.scan.useless_pieces.extend(pieces);
            }
            if plan.run_again.len() == before {
                plan.marks = marks;
                plan.finish(&state, &summary);
                return Ok(Some(plan));
            }
        }
    }

    /// Outcomes that are to be given away, and whose results may be lost; each with the pieces that are left of those.
    fn doubted(&self, state: &JournalState, summary: &KeptSummary) -> Vec<(u64, Vec<u64>)> {
        let lacks_results = self.scan.is_compacted_part_damaged || summary.lost_compacted_mark;
        let doubted = state.pending.values().filter(|pending| {
            let is_compacted = pending.recorded_at <= self.scan.compacted_end && pending.contents.is_empty();
            self.scan.doubtful.contains(&pending.recorded_at) || (is_compacted && lacks_results)
        });
        let pieces = |contents: &[super::pending_outcome::PiecePlace]| {
            contents.iter().map(|place| place.record_offset).collect()
        };
        doubted.map(|pending| (pending.recorded_at, pieces(&pending.contents))).collect()
    }

    fn finish(&mut self, state: &JournalState, summary: &KeptSummary) {
        let open = state.books.from(ItemId(0)).filter(|(.., state)| !state.stage.is_settled());
        let open = open.map(|(first, end, _)| (first.0, end.0.min(summary.accepted_before_damage)));
        let report = &mut self.report;
        for (first, end) in open.filter(|(first, end)| first < end) {
            match report.may_have_lost_outcome.last_mut() {
                Some((_, last)) if *last == first => *last = end,
                _ => report.may_have_lost_outcome.push((first, end)),
            }
        }
        report.records_left_out = summary.left_out;
        report.may_have_lost_result = summary.run_again;
        report.read_again_from = summary.unknown_from;
        let shown_again = state
            .pending
            .iter()
            .filter(|(first, pending)| pending.recorded_at < summary.shown_before || **first < summary.shown_items_end);
        report.shown_again = shown_again.map(|(_, pending)| u64::from(pending.settled.count)).sum();
    }

    /// Writes what is kept. What the writer cannot do it says at its barrier.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn write(&self, file: &File, out: &mut JournalWriter) -> Result<(), JournalReadError> {
        let mut kept = KeptRecords::new(self);
        let mut marks = MarkTranslation::of(&self.marks);
        read_through::read_parts(file, |part| {
            if let FoundPart::Record(offset, _) = part
                && marks.is_due(offset)
            {
                marks.reach(offset, out.offset());
            }
            kept.take(&part, &mut |offset, record| match record {
                JournalRecord::Emitted { shown, output_bytes } => {
                    if matches!(shown, GivenAway::Before(_)) || self.marks.has(offset) {
                        let shown = marks.translated(*shown, out.offset());
                        out.record(&JournalRecord::Emitted { shown, output_bytes: *output_bytes });
                    }
                }
                record => out.record(record),
            });
        })?;
        Ok(())
    }
}

/// What is known once all records were gone through.
#[derive(Clone, Debug, Default)]
struct KeptSummary {
    is_opened: bool,
    left_out: u64,
    run_again: u64,
    unknown_from: Option<u64>,
    accepted_before_damage: u64,
    /// A mark of results that were left out when the journal was compacted is not kept.
    lost_compacted_mark: bool,
    /// What the marks tell that are not true any more: before this offset, and before this item, all was given away.
    shown_before: u64,
    shown_items_end: u64,
}

/// What is told of items that a record changes.
type Told<'a> = &'a mut dyn FnMut(u64, &JournalRecord<'_>);

/// The records that are kept, one after the other.
struct KeptRecords<'a> {
    plan: &'a RepairPlan,
    /// Of what was kept.
    books: Books,
    in_session: bool,
    session: Option<SessionStart>,
    /// Damage lies before the present record.
    is_behind_damage: bool,
    /// Since the last mark that was kept.
    damage_since_mark: Option<u64>,
    summary: KeptSummary,
}

impl<'a> KeptRecords<'a> {
    fn new(plan: &'a RepairPlan) -> Self {
        Self {
            plan,
            books: Books::new(),
            in_session: false,
            session: None,
            is_behind_damage: false,
            damage_since_mark: None,
            summary: KeptSummary::default(),
        }
    }

    /// Gives what is kept of the next part to `told`.
    fn take(&mut self, part: &FoundPart<'_>, told: Told<'_>) {
        match part {
            FoundPart::Damage(damage) => self.damage(damage, told),
            FoundPart::Record(offset, record) => {
                if !self.record(*offset, record, told) {
                    self.summary.left_out += 1;
                }
            }
        }
    }

    fn damage(&mut self, damage: &JournalDamage, told: Told<'_>) {
        if !damage.is_fault() {
            return;
        }
        self.is_behind_damage = true;
        self.damage_since_mark = Some(damage.offset());
        for lost in self.plan.scan.lost_blocks.iter().filter(|lost| lost.damage == damage.offset()) {
            if lost.first != self.books.next_item() || !self.open_session(damage.offset(), told) {
                continue;
            }
            let (mut items, mut first) = (lost.items, lost.first);
            let (mut offset, mut bytes) = (lost.offset, lost.bytes);
            while items > 0 {
                let count = u32::try_from(items).unwrap_or(u32::MAX);
                self.tell(damage.offset(), &JournalRecord::Recovered { first, count, offset, bytes }, told);
                items -= u64::from(count);
                first = first.plus(u64::from(count));
                (offset, bytes) = (offset.saturating_add(bytes), 0);
            }
        }
        self.summary.accepted_before_damage = self.books.next_item().0;
    }

    /// Tells of a session that was lost, if there is none. `false`: no damage explains that.
    fn open_session(&mut self, offset: u64, told: Told<'_>) -> bool {
        if self.in_session {
            return true;
        }
        if !self.is_behind_damage || !self.summary.is_opened {
            return false;
        }
        let SessionStart { started_unix_ns, pid } = self.session.unwrap_or(SessionStart { started_unix_ns: 0, pid: 0 });
        self.tell(offset, &JournalRecord::Session { started_unix_ns, pid }, told);
        self.in_session = true;
        true
    }

    fn tell(&mut self, offset: u64, record: &JournalRecord<'_>, told: Told<'_>) {
        self.books.take(offset, record);
        told(offset, record);
    }

    /// Whether all of it was kept.
    fn record(&mut self, offset: u64, record: &JournalRecord<'_>, told: Told<'_>) -> bool {
        match record {
            JournalRecord::Opened { .. } if self.summary.is_opened => return false,
            JournalRecord::Opened { .. } => self.summary.is_opened = true,
            _ if !self.summary.is_opened => return false,
            JournalRecord::Session { started_unix_ns, pid } => {
                self.session = Some(SessionStart { started_unix_ns: *started_unix_ns, pid: *pid });
                self.in_session = true;
            }
            JournalRecord::Compacted { .. } => {}
            // The whole file is safe before anything follows.
            JournalRecord::Safe { .. } => return true,
            // A person may have asked for these between two sessions.
            JournalRecord::Reopened { .. } | JournalRecord::Dropped { .. } => {
                return self.ask_of_items(offset, record, told);
            }
            // Journals of a run that goes on by item are not mended.
            JournalRecord::Asked { .. } | JournalRecord::Hashes { .. } | JournalRecord::Anew { .. } => return false,
            _ if !self.open_session(offset, told) => return false,
            JournalRecord::Accepted(Accepted { first, .. }) | JournalRecord::Recovered { first, .. } => {
                if *first != self.books.next_item() {
                    return self.unknown(*first);
                }
            }
            JournalRecord::Begun { first, count, attempt, at } => {
                return self.begin((*first, *count), (*attempt, *at), offset, told);
            }
            JournalRecord::Returned { first, count, attempt, at } => {
                return self.each_stretch((*first, *count), |kept, (first, count), state| {
                    let is_in_flight = state.stage == ItemStage::InFlight && state.attempts == attempt.0;
                    if is_in_flight {
                        let record = JournalRecord::Returned { first, count, attempt: *attempt, at: *at };
                        kept.tell(offset, &record, told);
                    }
                    is_in_flight
                });
            }
            JournalRecord::Retried { .. } => return self.retry(offset, record, told),
            JournalRecord::Settled(settled) => return self.settle(offset, settled, told),
            JournalRecord::Content(piece) => {
                if piece.first.plus(u64::from(piece.count)) > self.books.next_item() {
                    return self.unknown(piece.first);
                }
                if self.plan.scan.useless_pieces.contains(&offset) {
                    return false;
                }
            }
            JournalRecord::Emitted { shown, .. } => {
                if !self.is_true_mark(offset, *shown) {
                    return false;
                }
                self.damage_since_mark = None;
            }
            JournalRecord::Closed { exit_code, all } => {
                let totals = self.books.totals();
                let all = *all && totals.waiting + totals.in_flight == 0;
                self.tell(offset, &JournalRecord::Closed { exit_code: *exit_code, all }, told);
                self.in_session = false;
                return true;
            }
            JournalRecord::ResultsKept | JournalRecord::Heeded { .. } => {}
        }
        self.tell(offset, record, told);
        true
    }

    /// That items are to be done after all, or are given up, of those of which it can be true.
    fn ask_of_items(&mut self, offset: u64, record: &JournalRecord<'_>, told: Told<'_>) -> bool {
        let (JournalRecord::Reopened { first, count } | JournalRecord::Dropped { first, count }) = record else {
            return false;
        };
        let drops = matches!(record, JournalRecord::Dropped { .. });
        self.each_stretch((*first, *count), |kept, (first, count), state| {
            let (can_be, record) = match drops {
                false => (state.stage.is_reopenable(), JournalRecord::Reopened { first, count }),
                true => (state.stage.is_droppable(), JournalRecord::Dropped { first, count }),
            };
            if can_be {
                kept.tell(offset, &record, told);
            }
            can_be
        })
    }

    /// The acceptance of these items is lost, and nothing tells how many there were.
    fn unknown(&mut self, item: ItemId) -> bool {
        let next = self.books.next_item().0;
        if item.0 >= next {
            self.summary.unknown_from = Some(next);
        }
        false
    }

    /// Gives each stretch of these items that stand alike to `tell`, which says whether it was kept.
    fn each_stretch(
        &mut self,
        (first, count): (ItemId, u32),
        mut tell: impl FnMut(&mut Self, (ItemId, u32), ItemState) -> bool,
    ) -> bool {
        let end = first.plus(u64::from(count));
        let mut all = end <= self.books.next_item() || self.unknown(end);
        let stretches = self.books.from(first).take_while(|(begin, ..)| *begin < end);
        let stretches: Vec<_> = stretches.map(|(begin, last, state)| (begin, last.min(end), state)).collect();
        for (begin, last, state) in stretches {
            all &= tell(self, (begin, (last.0 - begin.0) as u32), state);
        }
        all
    }

    fn begin(&mut self, items: (ItemId, u32), (attempt, at): (Attempt, Duration), offset: u64, told: Told<'_>) -> bool {
        self.each_stretch(items, |kept, (first, count), state| {
            let can_be = match state.stage {
                ItemStage::InFlight if attempt.0 == state.attempts => true,
                _ if attempt.0 <= state.attempts => false,
                ItemStage::Waiting => true,
                _ => kept.tell_of_lost_end((first, count), state, at, offset, told),
            };
            if can_be {
                kept.tell(offset, &JournalRecord::Begun { first, count, attempt, at }, told);
            }
            can_be
        })
    }

    /// What follows shows that these items wait: tells so, if that can be lost. They stand in flight, or have an outcome.
    fn tell_of_lost_end(
        &mut self,
        (first, count): (ItemId, u32),
        state: ItemState,
        at: Duration,
        offset: u64,
        told: Told<'_>,
    ) -> bool {
        if !self.is_behind_damage || state.stage == ItemStage::Done {
            return false;
        }
        if state.stage.is_settled() {
            self.tell(offset, &JournalRecord::Reopened { first, count }, told);
            return true;
        }
        for item in (0..u64::from(count)).map(|number| first.plus(number)) {
            let (after, causes) = (Duration::ZERO, Cow::Borrowed(&[][..]));
            self.tell(offset, &JournalRecord::Retried { item, after, at, causes }, told);
        }
        true
    }

    fn retry(&mut self, offset: u64, record: &JournalRecord<'_>, told: Told<'_>) -> bool {
        let JournalRecord::Retried { item, at, causes, .. } = record else { return false };
        let Some(state) = self.books.item(*item) else { return self.unknown(*item) };
        if state.stage != ItemStage::InFlight {
            // The cause tells which attempt has failed.
            let attempt = causes.last().map_or(Attempt(0), |cause| cause.attempt);
            let is_lost = self.is_behind_damage && !state.stage.is_settled() && attempt.0 > state.attempts;
            if !is_lost {
                return false;
            }
            self.tell(offset, &JournalRecord::Begun { first: *item, count: 1, attempt, at: *at }, told);
        }
        self.tell(offset, record, told);
        true
    }

    fn settle(&mut self, offset: u64, settled: &SettledItems<'_>, told: Told<'_>) -> bool {
        let (first, count) = (settled.first, settled.count);
        let end = first.plus(u64::from(count));
        if end > self.books.next_item() {
            return self.unknown(end);
        }
        // An attempt that somebody declined had been announced.
        let attempts = settled.attempts.saturating_add(u32::from(settled.outcome == Outcome::Skipped));
        let can_be = |state: ItemState| match state.stage {
            ItemStage::Done => false,
            stage if stage.is_settled() && !self.is_behind_damage => false,
            ItemStage::InFlight if self.is_behind_damage => attempts.saturating_add(1) >= state.attempts,
            _ => attempts >= state.attempts,
        };
        let stretches = self.books.from(first).take_while(|(begin, ..)| *begin < end);
        if !stretches.map(|(.., state)| state).all(can_be) {
            return false;
        }
        let at = settled.at;
        let is_run_again = self.plan.run_again.contains(&offset);
        self.each_stretch((first, count), |kept, items, state| {
            if state.stage.is_settled() {
                kept.tell_of_lost_end(items, state, at, offset, told);
            }
            let (first, count) = items;
            if state.stage == ItemStage::InFlight && attempts < state.attempts {
                let attempt = Attempt(state.attempts);
                kept.tell(offset, &JournalRecord::Returned { first, count, attempt, at }, told);
            } else if is_run_again && settled.attempts > state.attempts {
                // The attempts that it had are not done again under the same numbers.
                let attempt = Attempt(settled.attempts);
                let is_in_flight = state.stage == ItemStage::InFlight;
                if is_in_flight {
                    kept.tell_of_lost_end(items, state, at, offset, told);
                }
                kept.tell(offset, &JournalRecord::Begun { first, count, attempt, at }, told);
            }
            true
        });
        if is_run_again {
            self.summary.run_again += u64::from(settled.count);
            return false;
        }
        self.tell(offset, &JournalRecord::Settled(settled.clone()), told);
        true
    }

    /// Whether a record of what was given away is still true. With a file of results it is not if an outcome may be lost
    /// before it: then the file is cut back to the mark before, and goes on with what is in the journal.
    fn is_true_mark(&mut self, offset: u64, shown: GivenAway) -> bool {
        let is_true = match shown {
            GivenAway::Before(item) => {
                let from = match self.books.emitted() {
                    Some((GivenAway::Before(before), _)) => before,
                    _ => ItemId(0),
                };
                let mut stretches = self.books.from(from).take_while(|(first, ..)| *first < item);
                from <= item && item <= self.books.next_item() && stretches.all(|(.., state)| state.stage.is_settled())
            }
            GivenAway::RecordedBefore(before) => {
                let damage = self.damage_since_mark.filter(|_| self.plan.scan.has_output_file);
                let goes_back = match self.books.emitted() {
                    Some((GivenAway::RecordedBefore(earlier), _)) => before < earlier,
                    _ => false,
                };
                !goes_back && before <= offset && damage.is_none_or(|damage| before <= damage)
            }
        };
        if !is_true {
            let summary = &mut self.summary;
            summary.lost_compacted_mark |= offset <= self.plan.scan.compacted_end;
            match shown {
                GivenAway::Before(item) => summary.shown_items_end = summary.shown_items_end.max(item.0),
                GivenAway::RecordedBefore(before) => summary.shown_before = summary.shown_before.max(before),
            }
        }
        is_true
    }
}
