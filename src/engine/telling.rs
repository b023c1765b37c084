//! Results on their way from workers to reporters: told at once, or held until it is their turn.
//!
//! Invariant: what is held belongs to items that the core has settled and not yet ordered to emit.

use super::payloads::Payloads;
use crate::model::event::RunEvent;
use crate::model::exit::ExitStatus;
use crate::model::ids::ItemId;
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time::Instant;
use crate::reporter::{Content, ItemTime, Reporter, ReporterError, Settled};
use crate::sys::outbox::Outbox;
use crate::sys::spill::{SpillFile, SpilledContent};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a worker answered for the items that begin at `first`, as it lies in the reader's buffer.
pub struct Answer<'a> {
    pub first: ItemId,
    pub results: Content<'a>,
    pub errors: Content<'a>,
    pub times: Option<&'a [ItemTime]>,
    pub exit: Option<ExitStatus>,
    /// A failed attempt has an answer too: a command's output.
    pub of_failures: bool,
}

impl<'a> Answer<'a> {
    /// A failure of a resident worker's item: no result, and how long it took if that is known.
    pub fn of_failure(first: ItemId, times: Option<&'a [ItemTime]>) -> Self {
        let (results, errors) = (Content::default(), Content::default());
        Self { first, results, errors, times, exit: None, of_failures: true }
    }

    fn belongs_to(&self, settlement: &Settlement) -> bool {
        settlement.first == self.first && (self.of_failures || settlement.outcome == Outcome::Done)
    }
}

/// A settlement with its results, copied, until it is their turn.
struct Held {
    settlement: Settlement,
    results: (SpilledContent, Vec<u8>),
    errors: (SpilledContent, Vec<u8>),
    times: Option<Vec<ItemTime>>,
    exit: Option<ExitStatus>,
}

/// The reporters, and what waits for them.
pub struct Telling {
    pub out: Outbox,
    pub err: Outbox,
    reporters: Vec<Box<dyn Reporter>>,
    /// Some reporter shows the items themselves.
    wants_inputs: bool,
    /// By first item.
    held: BTreeMap<u64, Held>,
    held_bytes: u64,
    spill: Arc<SpillFile>,
    /// The first failure of a reporter's own file.
    failure: Option<ReporterError>,
}

impl Telling {
    pub fn new(
        out: Outbox,
        err: Outbox,
        reporters: Vec<Box<dyn Reporter>>,
        wants_inputs: bool,
        spill: Arc<SpillFile>,
    ) -> Self {
        Self { out, err, reporters, wants_inputs, held: BTreeMap::new(), held_bytes: 0, spill, failure: None }
    }

    /// Where results lie that are not in memory.
    pub fn spill(&self) -> &Arc<SpillFile> {
        &self.spill
    }

    /// Bytes of results that wait for their turn.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// The first failure of a reporter's own file since the last call.
    pub fn take_failure(&mut self) -> Option<ReporterError> {
        self.failure.take()
    }

    pub fn event(&mut self, now: Instant, event: &RunEvent) {
        for reporter in &mut self.reporters {
            let told = reporter.event(now, event, &mut self.out, &mut self.err);
            self.failure = self.failure.take().or(told.err());
        }
    }

    /// Once a loop turn: reporters push out what they hold back.
    pub fn flush_reporters(&mut self) {
        for reporter in &mut self.reporters {
            let flushed = reporter.flush();
            self.failure = self.failure.take().or(flushed.err());
        }
    }

    /// Tells that items have their outcome, whenever their results are told.
    fn settlement(&mut self, now: Instant, settlement: &Settlement) {
        // Causes are few, and most settlements have none: the copy costs no allocation.
        self.event(now, &RunEvent::ItemsSettled(settlement.clone()));
    }

    /// Tells a settlement whose turn it is: what a command wrote stands before the word on how it ended.
    pub fn tell_at_once(
        &mut self,
        now: Instant,
        settlement: &Settlement,
        answer: &mut Option<Answer<'_>>,
        payloads: &mut Payloads,
    ) {
        let answer = answer.take_if(|answer| answer.belongs_to(settlement));
        self.tell(now, settlement, answer, payloads);
        self.settlement(now, settlement);
    }

    /// Keeps a settlement, and its answer if it has one, until `emit` names it. Its items need not wait with it, unless
    /// they are to be shown.
    pub fn hold(
        &mut self,
        now: Instant,
        settlement: Settlement,
        answer: &mut Option<Answer<'_>>,
        payloads: &mut Payloads,
    ) {
        self.settlement(now, &settlement);
        if !self.wants_inputs {
            payloads.release(settlement.first, settlement.count);
        }
        let answer = answer.take_if(|answer| answer.belongs_to(&settlement));
        let (times, exit) = answer.as_ref().map_or((None, None), |answer| (answer.times, answer.exit));
        let (results, errors) = answer.map(|answer| (answer.results, answer.errors)).unwrap_or_default();
        let owned = |content: Content<'_>| (content.spilled, content.memory.to_vec());
        let (results, errors, times) = (owned(results), owned(errors), times.map(<[_]>::to_vec));
        let held = Held { settlement, results, errors, times, exit };
        self.held_bytes += held.bytes();
        self.held.insert(held.settlement.first.0, held);
    }

    /// Tells a settlement whose turn it is at once, from where its answer lies.
    fn tell(&mut self, now: Instant, settlement: &Settlement, answer: Option<Answer<'_>>, payloads: &mut Payloads) {
        let (times, exit) = answer.as_ref().map_or((None, None), |answer| (answer.times, answer.exit));
        let (results, errors) = answer.map(|answer| (answer.results, answer.errors)).unwrap_or_default();
        let delimiter = payloads.delimiter();
        let inputs = if self.wants_inputs { payloads.body(settlement.first, settlement.count).bytes() } else { &[] };
        let mut settled = Settled { settlement, inputs, delimiter, results, errors, times, exit };
        for reporter in &mut self.reporters {
            let told = reporter.settled(now, &mut settled, &mut self.out, &mut self.err);
            self.failure = self.failure.take().or(told.err());
        }
        payloads.release(settlement.first, settlement.count);
    }

    /// Tells the held settlements of these items, in the order of the items.
    pub fn emit(&mut self, now: Instant, first: ItemId, count: u32, payloads: &mut Payloads) {
        let end = first.plus(u64::from(count)).0;
        while let Some((&at, _)) = self.held.range(first.0..end).next()
            && let Some(held) = self.held.remove(&at)
        {
            self.held_bytes -= held.bytes();
            let answer = Answer {
                first: held.settlement.first,
                results: Content { spilled: held.results.0, memory: &held.results.1 },
                errors: Content { spilled: held.errors.0, memory: &held.errors.1 },
                times: held.times.as_deref(),
                exit: held.exit,
                of_failures: true,
            };
            self.tell(now, &held.settlement, Some(answer), payloads);
        }
    }
}

impl Held {
    /// What makes the source wait. Of a command, which has an exit, what lies in the file does not: it may say so
    /// much that nothing else would be begun. Of a worker that stays it does, or the file would grow for one slow item.
    fn bytes(&self) -> u64 {
        let spilled = if self.exit.is_none() { self.results.0.bytes() } else { 0 };
        spilled + (self.results.1.len() + self.errors.1.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Payload;
    use crate::sys::block::Block;

    fn done(first: u64, count: u32) -> Settlement {
        Settlement {
            first: ItemId(first),
            count,
            outcome: Outcome::Done,
            attempts: 1,
            worker: None,
            incarnation: None,
            pid: None,
            causes: Vec::new(),
        }
    }

    #[test]
    fn spilled_content_is_freed_once_nothing_is_to_show_it() {
        let spill = Arc::new(SpillFile::new());
        let mut payloads = Payloads::new(b'\n');
        let answer = |first| {
            let mut answer = Answer::of_failure(ItemId(first), None);
            answer.results.spilled.push(&spill, b"result").unwrap();
            answer.errors.spilled.push(&spill, b"error").unwrap();
            Some(answer)
        };
        let mut telling = Telling::new(Outbox::default(), Outbox::default(), Vec::new(), false, Arc::clone(&spill));
        telling.tell_at_once(Instant::ZERO, &done(0, 1), &mut answer(0), &mut payloads);
        assert_eq!(spill.live_bytes(), 0, "no reporter takes it");
        telling.hold(Instant::ZERO, done(1, 1), &mut answer(1), &mut payloads);
        assert_eq!((spill.live_bytes(), telling.held_bytes()), (11, 6));
        telling.hold(Instant::ZERO, done(2, 1), &mut answer(7), &mut payloads);
        assert_eq!(spill.live_bytes(), 11, "an answer of another item");
        telling.emit(Instant::ZERO, ItemId(1), 2, &mut payloads);
        assert_eq!((spill.live_bytes(), telling.held_bytes()), (0, 0));
        telling.hold(Instant::ZERO, done(3, 1), &mut answer(3), &mut payloads);
        drop(telling);
        assert_eq!(spill.live_bytes(), 0, "a run that ends early");
    }

    #[test]
    fn a_settled_item_waits_for_its_turn_only_if_it_is_to_be_shown() {
        for shown in [false, true] {
            let mut payloads = Payloads::new(b'\n');
            let payload =
                Payload { block: Arc::new(Block::from(b"1\n2\n".to_vec())), range: 0..4, count: 2, priority: 0 };
            payloads.insert(ItemId(0), payload);
            let spill = Arc::new(SpillFile::new());
            let mut telling = Telling::new(Outbox::default(), Outbox::default(), Vec::new(), shown, spill);
            telling.hold(Instant::ZERO, done(0, 2), &mut None, &mut payloads);
            assert_eq!(payloads.bytes(), if shown { 4 } else { 0 });
            telling.emit(Instant::ZERO, ItemId(0), 2, &mut payloads);
            assert_eq!(payloads.bytes(), 0);
        }
    }
}
