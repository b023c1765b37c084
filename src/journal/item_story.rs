//! What a journal tells of one item, in sentences.
//!
//! Invariant: pure, and it says no more than the records do. Of contents, the first bytes alone are kept.

use super::progress::time_of;
use super::record::{Accepted, ContentKind, ContentPiece, GivenAway, JournalRecord, RunFact, SettledItems};
use crate::model::ids::ItemId;
use crate::model::outcome::{Cause, Outcome};
use crate::model::text::quoted_start;
use crate::model::time::Duration;
use crate::model::words::{self, SHOWN_CHARS_MAX, counted, seconds};
use std::collections::BTreeMap;

/// Sentences that are kept; further ones are counted.
const EVENTS_MAX: usize = 10_000;

/// Bytes of a content that are kept, enough for what is shown of it.
const START_BYTES_MAX: usize = 4 * (SHOWN_CHARS_MAX + 1);

/// Ends each of several items' results in one content.
const RESULT_END: u8 = b'\n';

/// Something that happened to the item. Text from outside in it is not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemEvent {
    /// From 1.
    pub session: u64,
    /// Since the start of the session.
    pub at: Duration,
    /// One word, for programs.
    pub kind: &'static str,
    pub text: String,
    /// Of the beginning of a session: the time of day, since 1970.
    pub unix_ns: Option<u64>,
}

/// The beginning of a content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentStart {
    /// In all.
    pub bytes: u64,
    pub start: Vec<u8>,
    /// Items of the same content whose bytes came before.
    items_before: u64,
}

/// The story of an item, as far as the records were taken.
#[derive(Clone, Debug)]
pub struct ItemStory {
    item: ItemId,
    pub events: Vec<ItemEvent>,
    pub events_omitted: u64,
    pub outcome: Option<Outcome>,
    /// Attempts that were begun.
    pub attempts: u32,
    /// The newest contents of the item, whole ones alone.
    pub contents: BTreeMap<ContentKind, ContentStart>,
    open: BTreeMap<(ItemId, u32, ContentKind), ContentStart>,
    /// Ends each of several items in one content.
    item_end: u8,
    is_accepted: bool,
    session: u64,
    now: Duration,
    /// The record of its outcome.
    settled_offset: u64,
    is_given_away: bool,
    next_item: ItemId,
    /// An earlier session had another list.
    is_of_later_list: bool,
    /// The beginning of the session, until something else is told.
    began: Option<ItemEvent>,
}

impl ItemStory {
    #[must_use]
    pub const fn new(item: ItemId) -> Self {
        Self {
            item,
            events: Vec::new(),
            events_omitted: 0,
            outcome: None,
            attempts: 0,
            contents: BTreeMap::new(),
            open: BTreeMap::new(),
            item_end: b'\n',
            is_accepted: false,
            session: 0,
            now: Duration::ZERO,
            settled_offset: 0,
            is_given_away: false,
            next_item: ItemId(0),
            is_of_later_list: false,
            began: None,
        }
    }

    /// Whether the journal has the item.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    /// Whether what it gave was given away since its outcome was known.
    #[must_use]
    pub const fn is_given_away(&self) -> bool {
        self.is_given_away
    }

    /// How many items the journal has.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.next_item.0
    }

    /// Takes the next record, which lies at this offset.
    pub fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        self.now = self.now.max(time_of(record).unwrap_or_default());
        match record {
            JournalRecord::Opened { facts, .. } => self.item_end = delimiter(facts).unwrap_or(b'\n'),
            JournalRecord::Session { started_unix_ns, pid } => self.begin_session(*started_unix_ns, *pid),
            JournalRecord::Anew { facts } => self.begin_list(facts),
            JournalRecord::Accepted(Accepted { first, count, offset, bytes, .. }) => {
                self.accept(*first, *count, (*offset, *bytes), "");
            }
            JournalRecord::Recovered { first, count, offset, bytes } => {
                self.accept(*first, *count, (*offset, *bytes), " What was recorded of that is lost.");
            }
            JournalRecord::Begun { first, count, attempt, .. } if self.is_of(*first, *count) => {
                self.attempts = attempt.0;
                self.tell("begun", format!("Attempt {} began{}.", attempt.0, together(*count)));
            }
            JournalRecord::Returned { first, count, attempt, .. } if self.is_of(*first, *count) => {
                self.attempts = attempt.0.saturating_sub(1);
                self.tell("returned", format!("Attempt {} was taken back, and does not count.", attempt.0));
            }
            JournalRecord::Retried { item, after, causes, .. } if *item == self.item => {
                let why = causes.last().map(|cause| format!(": {}", of_cause(cause))).unwrap_or_default();
                let wait =
                    if *after == Duration::ZERO { "at once".to_owned() } else { format!("after {}", seconds(*after)) };
                self.tell("retried", format!("Attempt {} failed{why}; it is tried again {wait}.", self.attempts));
            }
            JournalRecord::Settled(settled) if self.is_of(settled.first, settled.count) => self.settle(offset, settled),
            JournalRecord::Reopened { first, count } if self.is_of(*first, *count) => {
                (self.outcome, self.is_given_away) = (None, false);
                self.contents.retain(|kind, _| *kind == ContentKind::Item);
                self.tell("reopened", "It was reopened: it is to be done after all.".to_owned());
            }
            JournalRecord::Dropped { first, count } if self.is_of(*first, *count) => {
                // There is nothing left to give away.
                (self.outcome, self.is_given_away) = (Some(Outcome::Skipped), true);
                self.contents.retain(|kind, _| *kind == ContentKind::Item);
                self.tell("dropped", "It was dropped: it is given up, and counts as skipped.".to_owned());
            }
            JournalRecord::Content(piece) if self.is_of(piece.first, piece.count) => self.piece(piece),
            JournalRecord::Emitted { shown, .. } if self.outcome.is_some() && !self.is_given_away => {
                self.is_given_away = match shown {
                    GivenAway::Before(item) => *item > self.item,
                    GivenAway::RecordedBefore(before) => *before > self.settled_offset,
                };
                if self.is_given_away {
                    self.tell("given_away", "Its output was given away.".to_owned());
                }
            }
            JournalRecord::Closed { exit_code, .. } if self.is_accepted && self.outcome.is_none() => {
                self.tell("closed", format!("Session {} ended with exit code {exit_code}.", self.session));
            }
            _ => {}
        }
    }

    fn accept(&mut self, first: ItemId, count: u32, (offset, bytes): (u64, u64), note: &str) {
        self.next_item = self.next_item.max(first.plus(u64::from(count)));
        if self.is_of(first, count) {
            self.is_accepted = true;
            let end = offset.saturating_add(bytes);
            let place = format!("at bytes {offset} to {end} of the input{}", together(count));
            self.tell("accepted", format!("It was accepted, {place}.{note}"));
        }
    }

    fn is_of(&self, first: ItemId, count: u32) -> bool {
        (first..first.plus(u64::from(count))).contains(&self.item)
    }

    fn tell(&mut self, kind: &'static str, text: String) {
        self.push(self.event(kind, text));
    }

    const fn event(&self, kind: &'static str, text: String) -> ItemEvent {
        ItemEvent { session: self.session, at: self.now, kind, text, unix_ns: None }
    }

    fn push(&mut self, event: ItemEvent) {
        match self.events.len() < EVENTS_MAX {
            true => self.events.push(event),
            false => self.events_omitted += 1,
        }
    }

    fn begin_session(&mut self, started_unix_ns: u64, pid: u32) {
        self.session += 1;
        self.now = Duration::ZERO;
        self.open.clear();
        // Ahead of the item, the session that accepts it is told of alone.
        if !self.is_accepted {
            self.events.clear();
        }
        let text = format!("Session {} began, as pid {pid}.", self.session);
        let began = ItemEvent { unix_ns: Some(started_unix_ns), ..self.event("session", text) };
        if self.outcome.is_none() {
            self.push(began.clone());
        }
        self.began = Some(began);
    }

    /// What was told is of another list's item.
    fn begin_list(&mut self, facts: &[RunFact<'_>]) {
        let (session, began) = (self.session, self.began.take());
        let item_end = delimiter(facts).unwrap_or(b'\n');
        *self = Self { item_end, session, is_of_later_list: true, ..Self::new(self.item) };
        self.events.extend(began);
    }

    fn settle(&mut self, offset: u64, settled: &SettledItems<'_>) {
        if self.is_of_later_list && self.attempts == 0 && settled.attempts > 0 {
            self.tell("recognised", "It was recognised: an earlier list had it, and its outcome stays.".to_owned());
        }
        (self.outcome, self.attempts, self.settled_offset) = (Some(settled.outcome.clone()), settled.attempts, offset);
        let mut text = format!("It is {}", words::outcome(&settled.outcome));
        text += &format!(" after {}", counted(u64::from(settled.attempts), "attempt", "attempts"));
        match (settled.worker, settled.pid) {
            (Some(worker), Some(pid)) => text += &format!(", by worker {} (pid {pid})", worker.number()),
            (Some(worker), None) => text += &format!(", by worker {}", worker.number()),
            _ => {}
        }
        if let Some(exit) = settled.exit {
            text += &format!(", with {exit}");
        }
        text += &together(settled.count);
        if let Some(time) = settled.time {
            let (started, runtime) = (seconds(time.started), seconds(time.runtime));
            text += &format!("; the last attempt began at {started} and took {runtime}");
        }
        text.push('.');
        self.tell("settled", text);
        for cause in settled.causes.iter() {
            let text = format!("Attempt {} did not succeed: {}.", cause.attempt.0, of_cause(cause));
            self.tell("cause", text);
        }
        if settled.causes_omitted > 0 {
            let causes = counted(settled.causes_omitted, "attempt is", "attempts are");
            self.tell("cause", format!("{causes} left out."));
        }
    }

    fn piece(&mut self, piece: &ContentPiece<'_>) {
        let key = (piece.first, piece.count, piece.kind);
        let mut content = self.open.remove(&key).filter(|_| piece.at > 0).unwrap_or_default();
        let end = if piece.kind == ContentKind::Item { self.item_end } else { RESULT_END };
        let wanted = self.item.0 - piece.first.0;
        if piece.count == 1 {
            content.push(&piece.bytes);
        } else {
            for part in piece.bytes.split_inclusive(|byte| *byte == end) {
                let own = part.strip_suffix(&[end]);
                if content.items_before == wanted {
                    content.push(own.unwrap_or(part));
                }
                content.items_before += u64::from(own.is_some());
            }
        }
        if !piece.is_last {
            self.open.insert(key, content);
            return;
        }
        let name = match piece.kind {
            ContentKind::Item => "Its text",
            ContentKind::Output => "Its output",
            ContentKind::Errors => "Its error output",
        };
        let bytes = counted(content.bytes, "byte", "bytes");
        let shown = quoted_start(&content.start, SHOWN_CHARS_MAX);
        self.tell("content", format!("{name} was recorded: {bytes}, {shown}."));
        self.contents.insert(piece.kind, content);
    }
}

impl ContentStart {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = START_BYTES_MAX.saturating_sub(self.start.len());
        self.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// What ends an item of the input, if the run has recorded it.
#[must_use]
pub fn delimiter(facts: &[RunFact<'_>]) -> Option<u8> {
    facts.iter().find(|fact| fact.name == "delimiter").and_then(|fact| fact.value.first().copied())
}

/// `, together with 3 others`
fn together(count: u32) -> String {
    match count {
        0 | 1 => String::new(),
        _ => format!(", together with {}", counted(u64::from(count) - 1, "other item", "others")),
    }
}

/// `signal 9 (KILL), at worker 2 (pid 77)`
fn of_cause(cause: &Cause) -> String {
    let worker = cause.worker.map(|worker| format!(", at worker {}", worker.number())).unwrap_or_default();
    let pid = cause.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    format!("{}{worker}{pid}", words::cause(cause))
}
