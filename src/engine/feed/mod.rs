//! Items on their way from the source into the core: no further ahead than the core demands, and no faster than
//! stdout takes the results.
//!
//! The feed owns the source and the bytes of every item that may still be sent or shown. Its facts are the core's demand,
//! the pressure of the output, and which items are released.
//!
//! Invariant: reads no item beyond the demand. Bytes in memory stop the source only where that cannot leave a worker
//! without items.

mod cut;
mod earlier;
mod input_check;
mod intake;
mod payloads;
mod queue_watch;
mod recognised;
mod refused;
mod resumed;

pub use cut::split as split_payload;
pub use earlier::{EarlierItems, IsStored};
pub use input_check::{InputCheck, InputDiffers};
pub use intake::IntakeNote;
pub use queue_watch::QueueWatch;
pub use recognised::RecognisedItems;
pub use resumed::ResumedItems;

use super::token::Port;
use super::turn::Turn;
use crate::core::input::Input;
use crate::model::arrangement::ItemForm;
use crate::model::ids::{Attempt, ItemId};
use crate::model::item_set::ItemSet;
use crate::model::outcome::{FailReason, Outcome};
use crate::model::spec::ProtocolKind;
use crate::mutant::mutant;
use crate::source::{Delivery, Payload, Source};
use crate::sys::block::BlockSlice;
use crate::sys::poller::{Added, Interest};
use cut::CutPart;
use intake::Intake;
use payloads::Payloads;
use refused::{PayloadPart, Refused};
use resumed::ResumedPart;
use std::borrow::Cow;
use std::io;

/// Bytes of items and held results above which the source waits, as long as every worker has items: a fixed part, and
/// a part for each worker, which is four of the largest batches. The limit keeps the whole supervisor under 16 MiB.
const BYTES_AHEAD: u64 = 1 << 20;
const BYTES_AHEAD_PER_WORKER: u64 = 256 * 1024;
const BYTES_AHEAD_MAX: u64 = 3 << 20;

/// Items in hand for each worker below which bytes do not make the source wait.
const ITEMS_PER_WORKER_MIN: u64 = 2;

/// What holds the source back, as the other components are at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    /// stdout and stderr take less than the workers give.
    pub congested: bool,
    /// Bytes of results that wait for their turn.
    pub held_bytes: u64,
    pub workers: u64,
}

/// What one call of [`Feed::take`] led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A fact was reported; there may be more to take at once.
    More,
    /// Nothing can be taken before something else happens: the source wakes the loop, or the demand grows.
    Nothing,
}

/// The source, and how far it is.
pub struct Feed {
    source: Option<Box<dyn Source>>,
    payloads: Payloads,
    /// The source had nothing: it is not asked again before its descriptor is readable.
    idle: bool,
    /// The source's descriptor is in the poll set.
    watched: bool,
    /// Items that the source may still deliver.
    demand: u64,
    /// The id of the next item.
    next: ItemId,
    /// Items that are not committed yet.
    in_hand: u64,
    /// The queue's order needs as much read ahead as the core demands, whatever the bytes.
    reads_far: bool,
    /// What an item is, for those who look at it.
    form: ItemForm,
    /// What no item may be.
    refused: Option<Refused>,
    /// Items with an outcome from an earlier run, those that the source has delivered.
    restored: ItemSet,
    past: PastOfInput,
}

/// What was before this run, and what a journal is told of it.
#[derive(Default)]
struct PastOfInput {
    /// Items that an earlier run has finished.
    earlier: Option<EarlierItems>,
    /// Items that the journal has, until the source has delivered them.
    resumed: Option<ResumedItems>,
    /// Items that are known by their hashes.
    recognised: Option<RecognisedItems>,
    /// `None`: there is no journal.
    intake: Option<Intake>,
    /// What is asked of items in the queue of the journal.
    queue: Option<QueueWatch>,
}

impl Feed {
    /// `first`: the id of the source's first item.
    pub fn new(source: Box<dyn Source>, first: ItemId, reads_far: bool) -> Self {
        Self {
            payloads: Payloads::new(source.delimiter()),
            source: Some(source),
            idle: false,
            watched: false,
            demand: 0,
            next: first,
            in_hand: 0,
            reads_far,
            form: ItemForm::Whole,
            refused: None,
            restored: ItemSet::default(),
            past: PastOfInput::default(),
        }
    }

    /// A journal is told what is accepted. `offset`: bytes of the input that it has; `resumed`: the items that it has.
    #[must_use]
    pub fn with_journal(self, offset: u64, resumed: Option<ResumedItems>) -> Self {
        let resumed = resumed.filter(|resumed| !resumed.is_over());
        Self { past: PastOfInput { resumed, intake: Some(Intake::new(offset)), ..self.past }, ..self }
    }

    /// The same for a journal of a run that goes on by item.
    #[must_use]
    pub fn with_journal_by_item(self, recognised: RecognisedItems) -> Self {
        let (recognised, intake) = (Some(recognised), Some(Intake::new(0)));
        Self { past: PastOfInput { recognised, intake, ..self.past }, ..self }
    }

    /// Heeds what is asked of items in the queue of the journal.
    #[must_use]
    pub fn with_queue(self, queue: Option<QueueWatch>) -> Self {
        Self { past: PastOfInput { queue, ..self.past }, ..self }
    }

    /// The run begins.
    ///
    /// # Errors
    /// The queue of the journal cannot be watched.
    pub fn begin(&mut self, turn: &mut Turn) -> io::Result<()> {
        self.past.queue.as_mut().map_or(Ok(()), |queue| queue.begin(turn))
    }

    /// The queue of the journal may have changed.
    pub fn on_queue(&mut self, turn: &mut Turn) {
        if let Some(queue) = &mut self.past.queue {
            queue.on_ready(turn);
        }
    }

    /// Whether a journal has to be told of the intake, although nothing else has happened.
    pub fn has_to_record(&self) -> bool {
        self.past.intake.as_ref().is_some_and(Intake::is_urgent)
    }

    /// What was accepted since the last call, for a journal.
    pub fn take_accepted(&mut self, mut take: impl FnMut(IntakeNote)) {
        if let Some(intake) = &mut self.past.intake {
            intake.take().for_each(&mut take);
        }
    }

    /// Compares another source of the same items with what a journal has of them.
    ///
    /// # Errors
    /// They are others. A source that breaks off is judged when it is read again.
    pub fn compare(&self, source: &mut dyn Source, check: &mut InputCheck) -> Result<(), InputDiffers> {
        check.compare(source, self.refused.as_ref(), self.next, self.payloads.delimiter())
    }

    /// The item that the source delivers next.
    pub const fn next_item(&self) -> ItemId {
        self.next
    }

    /// Hands out no item that an earlier run has finished.
    #[must_use]
    pub fn after(self, earlier: Option<EarlierItems>) -> Self {
        Self { past: PastOfInput { earlier, ..self.past }, ..self }
    }

    /// The first item from `item` on that no earlier run is known to have finished.
    pub fn past_restored(&self, item: ItemId) -> ItemId {
        self.restored.past(item)
    }

    /// Items are shown as this form has it.
    #[must_use]
    pub fn with_form(self, form: ItemForm) -> Self {
        Self { form, ..self }
    }

    /// Workers of this protocol get the items, by a terminal or not. One that they cannot take fails alone.
    #[must_use]
    pub fn for_workers_of(self, protocol: ProtocolKind, on_terminal: bool) -> Self {
        Self { refused: Refused::new(protocol, on_terminal), ..self }
    }

    /// The source may deliver this many items more, in all.
    pub fn set_demand(&mut self, items: u64) {
        self.demand = items;
    }

    /// The source's descriptor is readable: it may be asked again.
    pub fn on_ready(&mut self) {
        self.idle = false;
    }

    /// Takes one payload from the source, if one is demanded and there.
    pub fn take(&mut self, pressure: Pressure, turn: &mut Turn) -> Taken {
        if self.source.is_none() {
            return Taken::Nothing;
        }
        if self.demand == 0 || self.is_too_far(pressure) {
            mutant!(SourceStaysWatched, self.watch(false, turn), ());
            return Taken::Nothing;
        }
        if self.idle {
            mutant!(IdleSourceUnwatched, self.watch(true, turn), ());
            if self.idle {
                return Taken::Nothing;
            }
        }
        self.take_payload(turn);
        Taken::More
    }

    fn take_payload(&mut self, turn: &mut Turn) {
        let Some(source) = self.source.as_mut() else { return };
        match source.next(self.demand) {
            Ok(Delivery::Items(payload)) => self.accept_payload(payload, turn),
            Ok(Delivery::Rejected(reason)) => self.reject(reason, turn),
            // A source that is always ready has only read much without the end of an item.
            Ok(Delivery::Idle) if source.fd().is_none() => {}
            Ok(Delivery::Idle) => {
                self.idle = true;
                turn.report(Input::SourceIdle);
            }
            Ok(Delivery::Ended) => {
                self.close(turn);
                match self.past.resumed.as_ref().map_or(Ok(()), ResumedItems::ended) {
                    Ok(()) => turn.report(Input::SourceEnded),
                    Err(differs) => turn.report(Input::SourceDiffers { error: differs.failure() }),
                }
            }
            Err(error) => {
                self.close(turn);
                turn.report(Input::SourceLost { error: error.to_string() });
            }
        }
    }

    /// Items that workers cannot take are rejected; the others arrive.
    fn accept_payload(&mut self, payload: Payload, turn: &mut Turn) {
        let delimiter = self.payloads.delimiter();
        match &self.refused {
            Some(refused) if refused.is_in(&payload, delimiter) => {
                for part in refused.parts(payload, delimiter) {
                    match part {
                        PayloadPart::Items(payload) => self.accept(payload, turn),
                        PayloadPart::Refused(reason) => self.reject(reason, turn),
                    }
                }
            }
            _ => self.accept(payload, turn),
        }
    }

    fn accept(&mut self, payload: Payload, turn: &mut Turn) {
        let delimiter = self.payloads.delimiter();
        if let Some(resumed) = &mut self.past.resumed {
            let parts = resumed.take(payload, delimiter);
            return self.go_on(parts, turn);
        }
        if let (Some(recognised), Some(intake)) = (&mut self.past.recognised, &mut self.past.intake) {
            let parts = recognised.take(payload, self.next, delimiter, intake);
            return self.go_on(Ok(parts), turn);
        }
        let Some(earlier) = &mut self.past.earlier else { return self.arrive(payload, turn) };
        let first = self.next;
        for part in mutant!(EarlierIgnored, earlier.cut(payload, first, delimiter), vec![CutPart::Kept(payload)]) {
            match part {
                CutPart::Kept(payload) => self.arrive(payload, turn),
                CutPart::Picked(count) => self.restore(count, Outcome::Done, turn),
            }
        }
    }

    /// The items that the journal has go on from where they stand.
    fn go_on(&mut self, parts: Result<Vec<ResumedPart>, InputDiffers>, turn: &mut Turn) {
        let parts = match parts {
            Ok(parts) => parts,
            Err(differs) => {
                self.close(turn);
                turn.report(Input::SourceDiffers { error: differs.failure() });
                return;
            }
        };
        if self.past.resumed.as_ref().is_some_and(ResumedItems::is_over) {
            self.past.resumed = None;
        }
        for part in parts {
            match part {
                ResumedPart::Settled { count, outcome, payload } => {
                    if let Some(payload) = payload {
                        self.in_hand += u64::from(count);
                        self.payloads.insert(self.next, payload);
                    }
                    self.restore(count, outcome, turn);
                }
                ResumedPart::Waiting { payload, attempt, causes } => {
                    let (first, count, priority) = self.keep(payload, turn);
                    turn.report(match attempt {
                        Attempt::FIRST => Input::BatchArrived { first, count, priority },
                        _ => Input::ArrivedAgain { first, count, priority, attempt, causes },
                    });
                }
                ResumedPart::Rejected(reason) => self.turn_down(reason, turn),
                ResumedPart::New(payload) => self.accept(payload, turn),
            }
        }
    }

    /// The next items have this outcome. They count against no limit, so the demand stays as it is.
    fn restore(&mut self, count: u32, outcome: Outcome, turn: &mut Turn) {
        let first = self.next;
        self.next = first.plus(count.into());
        self.restored.push(first, count);
        turn.report(Input::Restored { first, count, outcome });
    }

    fn arrive(&mut self, payload: Payload, turn: &mut Turn) {
        if let Some(intake) = &mut self.past.intake {
            let items = Some(&payload.block[payload.range.clone()]);
            intake.add(self.next, payload.count, items, self.payloads.delimiter());
        }
        let (first, count, priority) = self.keep(payload, turn);
        turn.report(Input::BatchArrived { first, count, priority });
    }

    /// Keeps the bytes of the next items. Returns the first of them, their number and their priority.
    fn keep(&mut self, payload: Payload, turn: &mut Turn) -> (ItemId, u32, i64) {
        let (first, count, priority) = (self.next, payload.count, payload.priority);
        self.count(u64::from(count));
        self.payloads.insert(first, payload);
        if turn.trace.is_on() {
            self.trace_texts(first, count, turn);
        }
        (first, count, priority)
    }

    fn reject(&mut self, reason: FailReason, turn: &mut Turn) {
        if let Some(resumed) = self.past.resumed.as_mut() {
            let parts = resumed.take_rejected(reason);
            return self.go_on(parts, turn);
        }
        if let Some(intake) = &mut self.past.intake {
            intake.add(self.next, 1, None, self.payloads.delimiter());
        }
        self.turn_down(reason, turn);
    }

    fn turn_down(&mut self, reason: FailReason, turn: &mut Turn) {
        let item = self.next;
        self.count(1);
        turn.report(Input::ItemRejected { item, reason });
    }

    /// Records how the items begin.
    fn trace_texts(&mut self, first: ItemId, count: u32, turn: &mut Turn) {
        let delimiter = self.payloads.delimiter();
        let form = self.form;
        let bytes = self.payloads.body(first, count).bytes();
        if count == 1 {
            turn.trace.texts(first, std::iter::once(&*form.shown(bytes)));
        } else {
            turn.trace.texts(first, bytes.split(|byte| *byte == delimiter).take(count as usize));
        }
    }

    fn count(&mut self, items: u64) {
        self.next = self.next.plus(items);
        self.in_hand += items;
        self.demand = self.demand.saturating_sub(items);
    }

    /// Closes the source for ever.
    pub fn close(&mut self, turn: &mut Turn) {
        self.watch(false, turn);
        self.source = None;
    }

    fn is_too_far(&self, pressure: Pressure) -> bool {
        if pressure.congested {
            return true;
        }
        let bytes_max = (BYTES_AHEAD + pressure.workers * BYTES_AHEAD_PER_WORKER).min(BYTES_AHEAD_MAX);
        !self.reads_far
            && self.in_hand >= ITEMS_PER_WORKER_MIN * pressure.workers
            && self.payloads.bytes() + pressure.held_bytes > bytes_max
    }

    /// Puts the source into the poll set, or takes it out: in there while nothing is taken from it, it would be ready
    /// again and again.
    fn watch(&mut self, wanted: bool, turn: &mut Turn) {
        let Some(fd) = self.source.as_ref().and_then(|source| source.fd()) else {
            self.idle = false;
            return;
        };
        if wanted == self.watched {
            return;
        }
        if wanted {
            let added = turn.system.watch(fd, Interest::READ, Port::Source.token());
            self.watched = matches!(added, Ok(Added::Watched));
            // A descriptor that cannot be waited for is always ready, or fails by itself when it is read.
            self.idle &= self.watched;
        } else {
            turn.system.unwatch(fd);
            self.watched = false;
        }
    }

    /// What ends each item in a body of several.
    pub fn delimiter(&self) -> u8 {
        self.payloads.delimiter()
    }

    /// The bytes of these items: of one, the item; of several, each with its delimiter.
    pub fn body(&mut self, first: ItemId, count: u32) -> BlockSlice<'_> {
        self.payloads.body(first, count)
    }

    /// The same, as people see it, and the item as it is if it is a list of arguments.
    pub fn shown(&mut self, first: ItemId, count: u32) -> (Cow<'_, [u8]>, Option<&[u8]>) {
        // A list of arguments comes alone.
        let form = if count == 1 { self.form } else { ItemForm::Whole };
        let bytes = self.payloads.body(first, count).bytes();
        (form.shown(bytes), (form == ItemForm::List).then_some(bytes))
    }

    /// One item, as people see it and as it is, wherever it lies; empty if it is not held. Unlike [`Feed::shown`], this
    /// leaves the batch of the item whole, which may be sent again.
    pub fn peek(&self, item: ItemId) -> (Cow<'_, [u8]>, &[u8]) {
        let bytes = self.payloads.peek(item);
        (self.form.shown(bytes), bytes)
    }

    /// These items, cut into stretches that lie in one piece each.
    pub fn pieces(&self, first: ItemId, count: u32) -> Vec<(ItemId, u32)> {
        let (mut pieces, mut at, end) = (Vec::new(), first, first.plus(u64::from(count)));
        while at < end {
            let count = self.contiguous(at, (end.0 - at.0) as u32);
            pieces.push((at, count));
            at = at.plus(u64::from(count));
        }
        pieces
    }

    /// How many of these items lie in one piece from the first one on, so that [`Feed::body`] has their bytes.
    pub fn contiguous(&self, first: ItemId, count: u32) -> u32 {
        self.payloads.contiguous(first, count)
    }

    /// These items are neither sent nor shown again.
    pub fn release(&mut self, first: ItemId, count: u32) {
        self.payloads.release(first, count);
    }

    /// The results of this many items have become visible.
    pub fn committed(&mut self, items: u64) {
        self.in_hand = self.in_hand.saturating_sub(items);
    }

    #[cfg(test)]
    pub(super) fn payload_bytes(&self) -> u64 {
        self.payloads.bytes()
    }
}
