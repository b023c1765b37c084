//! What workers answered, on its way from the fleet to the commit.
//!
//! A fact that is about finished items comes with a [`Reply`]: where their results are. The fleet turns it into an
//! [`Answer`], which borrows the bytes, when the core has decided what becomes of the items. So results are written to
//! stdout from the buffer that they were read into.
//!
//! Invariant: content in the temporary file has one owner, from the read that brought it to the write to stdout.

use crate::command::capture::Capture;
use crate::model::exit::ExitStatus;
use crate::model::ids::{Incarnation, ItemId, WorkerId};
use crate::model::outcome::{Outcome, Settlement};
use crate::reporter::{Content, ItemTime};
use crate::sys::spill::SpilledContent;
use std::ops::Range;

/// Where the results of a fact are.
pub enum Reply {
    Resident(ResidentReply),
    Command(Box<CommandReply>),
}

/// Results of a resident worker, in the buffers of its link.
pub struct ResidentReply {
    /// The slot.
    pub index: usize,
    pub first: ItemId,
    pub count: u32,
    pub place: ResultPlace,
    /// The times of the items, within those of the last read.
    pub times: Option<Range<usize>>,
    pub of_failure: bool,
}

/// Which buffer of a link holds some results.
pub enum ResultPlace {
    /// What was read last.
    Read(Range<usize>),
    /// Short answers that were gathered.
    Gathered(Range<usize>),
    /// The temporary file.
    File(SpilledContent),
    /// There are none.
    Nowhere,
}

/// Whole lines that a command has written, before it has ended.
pub struct EarlyLines {
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub item: ItemId,
    pub out: Capture,
    pub err: Capture,
}

/// The output of a command.
pub struct CommandReply {
    pub item: ItemId,
    pub out: Capture,
    pub err: Capture,
    pub time: ItemTime,
    pub exit: ExitStatus,
}

/// Results of consecutive items, borrowed.
pub struct Answer<'a> {
    pub first: ItemId,
    pub count: u32,
    /// Of several items, a line each; of one, any bytes.
    pub results: Content<'a>,
    pub errors: Content<'a>,
    /// A time for each item.
    pub times: Option<&'a [ItemTime]>,
    pub exit: Option<ExitStatus>,
    /// An attempt that failed has results too: the output of a command.
    pub of_failures: bool,
}

impl<'a> Answer<'a> {
    /// No results of these items.
    pub fn empty(first: ItemId, count: u32) -> Self {
        let (results, errors) = (Content::default(), Content::default());
        Self { first, count, results, errors, times: None, exit: None, of_failures: true }
    }

    /// The part of this answer that belongs to a settlement.
    pub fn part(self, settlement: &Settlement) -> Option<Self> {
        if !self.of_failures && settlement.outcome != Outcome::Done {
            return None;
        }
        let (first, count) = (settlement.first, settlement.count);
        if (first, count) == (self.first, self.count) {
            return Some(self);
        }
        let end = |first: ItemId, count: u32| first.plus(u64::from(count));
        let is_within = self.first <= first && end(first, count) <= end(self.first, self.count);
        (count > 0 && is_within).then(|| self.of(first, count))
    }

    /// What is about these items, which are some of several. Of several items all results are in memory.
    pub fn of(&self, first: ItemId, count: u32) -> Self {
        let skipped = (first.0 - self.first.0) as usize;
        let memory = lines(self.results.memory, skipped, count as usize);
        let times = self.times.and_then(|times| times.get(skipped..skipped + count as usize));
        let results = Content::in_memory(memory);
        Self { first, count, results, errors: Content::default(), times, ..*self }
    }
}

impl CommandReply {
    /// The output, and with it the ownership of its spilled part.
    pub fn answer(&mut self) -> Answer<'_> {
        Answer {
            first: self.item,
            count: 1,
            results: content(&mut self.out),
            errors: content(&mut self.err),
            times: Some(std::slice::from_ref(&self.time)),
            exit: Some(self.exit),
            of_failures: true,
        }
    }
}

pub fn content(capture: &mut Capture) -> Content<'_> {
    Content { spilled: std::mem::take(&mut capture.spilled), memory: &capture.memory, before: capture.before }
}

/// The `count` lines behind the first `skipped`.
fn lines(bytes: &[u8], skipped: usize, count: usize) -> &[u8] {
    let length = |bytes: &[u8], lines: usize| match lines {
        0 => 0,
        _ => memchr::memchr_iter(b'\n', bytes).nth(lines - 1).map_or(bytes.len(), |at| at + 1),
    };
    let rest = &bytes[length(bytes, skipped)..];
    &rest[..length(rest, count)]
}
