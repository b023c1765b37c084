//! What a journal holds, on one page: a [`JournalHead`], then [`JournalRecord`]s in the order in which things happened.

use crate::model::exit::ExitStatus;
use crate::model::ids::{Attempt, ItemId, WorkerId};
use crate::model::outcome::{Cause, Outcome};
use crate::model::time::Duration;
use std::borrow::Cow;

/// The first bytes of a journal.
pub const MAGIC: [u8; 8] = *b"SVJOURN\n";

/// Follows the magic. A reader takes this version alone.
pub const FORMAT_VERSION: u16 = 1;

/// The number that a journal draws when it is made. Each of its records carries it, so that what a disk shows of another
/// file is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalMark(pub u64);

/// By what an item is known again: XXH3 with 128 bits of what is run and of the bytes of the item, see
/// [`super::item_hash`].
pub type ItemHash = [u8; 16];

/// The head of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalHead {
    pub mark: JournalMark,
}

/// Something that happened. Times count from the start of the session that records them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalRecord<'a> {
    /// The first record: what the run is. A run that goes on must be the same in each of these.
    Opened { run_id: Cow<'a, str>, facts: Vec<RunFact<'a>> },
    /// A process begins to write. What was in flight before is in flight no more: it waits to be begun again.
    Session { started_unix_ns: u64, pid: u32 },
    /// Items were accepted, after all earlier ones.
    Accepted(Accepted),
    /// An attempt at each of these items begins, or may begin from now on.
    Begun { first: ItemId, count: u32, attempt: Attempt, at: Duration },
    /// An attempt at each of these items is not counted: it was not begun, or was ended by no fault of theirs. It begins
    /// again under the same number.
    Returned { first: ItemId, count: u32, attempt: Attempt, at: Duration },
    /// An attempt failed, and the item is to be tried again after a while.
    Retried { item: ItemId, after: Duration, at: Duration, causes: Cow<'a, [Cause]> },
    /// Items got their outcome.
    Settled(SettledItems<'a>),
    /// Settled items are to be done after all; their attempts go on counting. Of no session if none is open.
    Reopened { first: ItemId, count: u32 },
    /// Items that wait, or are settled as failed or dead, are given up: from now on they count as skipped. Of no session if
    /// none is open.
    Dropped { first: ItemId, count: u32 },
    /// A piece of the bytes of these items. Those of results come ahead of the outcome that they belong to.
    Content(ContentPiece<'a>),
    /// What was given away so far; an output file ends here.
    Emitted { shown: GivenAway, output_bytes: u64 },
    /// Everything before this offset was safe from the end of the machine when what follows was appended. A session that syncs
    /// writes one ahead of what it appends between two syncs.
    Safe { until: u64 },
    /// In the queue of a journal: somebody asks this of an item.
    Asked { item: ItemId, request: ItemRequest },
    /// What the queue of the journal asks before this offset in it was carried out.
    Heeded { until: u64 },
    /// The hashes of consecutive items that were accepted, of a run that goes on by item. At least one.
    Hashes { first: ItemId, hashes: Cow<'a, [ItemHash]> },
    /// The session has a list of its own: from here on items are counted from 0. What was recorded before matters by the
    /// hashes of its items alone. `facts`: what the session is.
    Anew { facts: Vec<RunFact<'a>> },
    /// The results of this session stay when the journal is compacted: they were asked for.
    ResultsKept,
    /// Items that were accepted in their place, as what a repair has left around them tells. Their fingerprint is lost.
    Recovered { first: ItemId, count: u32, offset: u64, bytes: u64 },
    /// Of the records up to the end of this many sessions, those that nothing needs were left out. The results that were
    /// given away are among them.
    Compacted { sessions: u64 },
    /// The session has ended orderly, with this exit code. `all`: no item is left and none will come.
    Closed { exit_code: u8, all: bool },
}

/// What is asked of an item while the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemRequest {
    /// Do not do it.
    GiveUp,
    /// Do it once more: it has failed, is dead, or was given up.
    Again,
}

/// Something that a run is made of: the command, an option that matters, where items come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFact<'a> {
    pub name: Cow<'a, str>,
    pub value: Cow<'a, [u8]>,
}

/// Items that were accepted, and the bytes of the input that they lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub first: ItemId,
    /// At least 1.
    pub count: u32,
    /// Where the bytes lie in the input.
    pub offset: u64,
    pub bytes: u64,
    /// Of the bytes.
    pub hash: u64,
}

/// What bytes of an item are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContentKind {
    /// What it gave, or its command wrote to stdout. Of several items: a line each.
    Output,
    /// What its command wrote to stderr.
    Errors,
    /// The item itself.
    Item,
}

/// A piece of the bytes of consecutive items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentPiece<'a> {
    pub first: ItemId,
    /// At least 1.
    pub count: u32,
    pub kind: ContentKind,
    /// Where the piece lies in the whole; the first begins at 0.
    pub at: u64,
    pub is_last: bool,
    pub bytes: Cow<'a, [u8]>,
}

/// Which outcomes have been given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenAway {
    /// In keep-order: those of all items before this one.
    Before(ItemId),
    /// Otherwise: those that are recorded before this offset of the journal.
    RecordedBefore(u64),
}

/// When an attempt began, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptTime {
    pub started: Duration,
    pub runtime: Duration,
}

impl SettledItems<'_> {
    /// An outcome of which nothing else is known.
    #[must_use]
    pub const fn plain(first: ItemId, count: u32, outcome: Outcome, attempts: u32) -> Self {
        Self {
            first,
            count,
            outcome,
            attempts,
            worker: None,
            pid: None,
            at: Duration::ZERO,
            time: None,
            exit: None,
            causes: Cow::Borrowed(&[]),
            causes_omitted: 0,
        }
    }
}

/// Consecutive items with the same outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledItems<'a> {
    pub first: ItemId,
    /// At least 1.
    pub count: u32,
    pub outcome: Outcome,
    /// Attempts that were begun.
    pub attempts: u32,
    /// The slot and the process that held them last.
    pub worker: Option<WorkerId>,
    pub pid: Option<u32>,
    /// When.
    pub at: Duration,
    /// Of the last attempt of a single item, if it is known.
    pub time: Option<AttemptTime>,
    /// How its command ended, if it had one of its own.
    pub exit: Option<ExitStatus>,
    /// What ended its attempts: the first and the last ones, if there are many.
    pub causes: Cow<'a, [Cause]>,
    /// Those between them.
    pub causes_omitted: u64,
}
