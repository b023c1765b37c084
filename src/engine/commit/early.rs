//! Lines that leave before their command has ended (`--line-buffer`).
//!
//! A launcher reports the whole lines of a command and then waits for the order to report more, which it gets when these
//! have been shown and the output is not congested. Meanwhile it keeps what the command writes, and at the end of the
//! command it reports the lines that are left. So at most two reports for each slot are here, and no command waits in a
//! write.
//!
//! Invariant: in keep-order lines are shown in the turn of their item alone. The lines of an attempt come before what is
//! left of its output.

use super::super::answer::{self, Answer, EarlyLines};
use super::super::feed::Feed;
use super::output::OutputStreams;
use crate::model::ids::{Incarnation, ItemId, WorkerId};
use crate::model::outcome::Settlement;
use crate::model::time::Instant;
use crate::mutant::mutant;
use crate::reporter::{Reporter, ReporterError, Settled};
use std::collections::BTreeMap;

/// Lines on their way out.
pub struct EarlyOutput {
    /// Shows lines as it shows results.
    shower: Box<dyn Reporter>,
    keep_order: bool,
    /// The first item that has not been shown.
    next: ItemId,
    /// In keep-order: the lines of each item whose turn has not come.
    held: BTreeMap<u64, Vec<EarlyLines>>,
    /// Whose lines have been shown.
    shown: Vec<(WorkerId, Incarnation)>,
}

impl EarlyOutput {
    /// `first`: the first item of the run.
    pub fn new(shower: Box<dyn Reporter>, keep_order: bool, first: ItemId) -> Self {
        Self { shower, keep_order, next: first, held: BTreeMap::new(), shown: Vec::new() }
    }

    /// Lines have come. Those of an earlier attempt, which had no turn, are never shown.
    pub fn arrived(
        &mut self,
        now: Instant,
        lines: EarlyLines,
        output: &mut OutputStreams,
        feed: &mut Feed,
    ) -> Result<(), ReporterError> {
        if mutant!(EarlyOrderIgnored, self.keep_order && lines.item != feed.past_restored(self.next), false) {
            let held = self.held.entry(lines.item.0).or_default();
            held.retain(|earlier| earlier.incarnation == lines.incarnation);
            held.push(lines);
            return Ok(());
        }
        self.show(now, lines, output, feed)
    }

    /// These items are about to be shown: before them what is held of their last attempt, of which `answer` is the rest.
    pub fn precede(
        &mut self,
        now: Instant,
        settlement: &Settlement,
        answer: Option<&Answer<'_>>,
        output: &mut OutputStreams,
        feed: &mut Feed,
    ) -> Result<(), ReporterError> {
        let is_of_last = answer.is_some_and(|answer| answer.results.before + answer.errors.before > 0);
        let held = self.held.remove(&settlement.first.0).filter(|_| is_of_last);
        self.show_all(now, held, output, feed)
    }

    /// All before `next` has been shown: its lines need not wait any more.
    pub fn follow(
        &mut self,
        now: Instant,
        next: ItemId,
        output: &mut OutputStreams,
        feed: &mut Feed,
    ) -> Result<(), ReporterError> {
        let next = feed.past_restored(next);
        self.next = next;
        if !self.keep_order || self.held.is_empty() {
            return Ok(());
        }
        self.held = self.held.split_off(&next.0);
        let held = self.held.remove(&next.0);
        self.show_all(now, held, output, feed)
    }

    fn show_all(
        &mut self,
        now: Instant,
        held: Option<Vec<EarlyLines>>,
        output: &mut OutputStreams,
        feed: &mut Feed,
    ) -> Result<(), ReporterError> {
        held.into_iter().flatten().try_for_each(|lines| self.show(now, lines, output, feed))
    }

    /// Names those whose lines have been shown since the last call.
    pub fn take_more(&mut self, mut take_more: impl FnMut(WorkerId, Incarnation)) {
        self.shown.drain(..).for_each(|(worker, incarnation)| take_more(worker, incarnation));
    }

    fn show(
        &mut self,
        now: Instant,
        mut lines: EarlyLines,
        output: &mut OutputStreams,
        feed: &mut Feed,
    ) -> Result<(), ReporterError> {
        let settlement = Settlement { worker: Some(lines.worker), ..Settlement::of_done(lines.item, 1) };
        let delimiter = feed.delimiter();
        let (inputs, arguments) = feed.shown(lines.item, 1);
        let mut settled = Settled {
            settlement: &settlement,
            inputs: &inputs,
            arguments,
            delimiter,
            results: answer::content(&mut lines.out),
            errors: answer::content(&mut lines.err),
            times: None,
            exit: None,
        };
        self.shown.push((lines.worker, lines.incarnation));
        self.shower.settled(now, &mut settled, &mut output.out, &mut output.err)
    }
}
