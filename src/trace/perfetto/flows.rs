//! The arrows: from the message that brought items, to the work on them, to the answer; or to the death over one.

use super::clock::ns;
use crate::model::ids::{Incarnation, WorkerId};
use crate::trace::held::HeldItems;
use crate::trace::step::{FrameLife, Step, Topic};
use std::collections::BTreeMap;

/// A stretch of items from their message to what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLink {
    pub id: u64,
    /// The step of the message that brought them.
    pub given: usize,
    /// The step of the answer, or of the end of the process over one of them.
    pub ended: usize,
}

/// Every link of a run.
#[derive(Debug)]
pub struct FlowLinks {
    /// In the order of `ended`.
    links: Vec<FlowLink>,
    /// Places in `links`, in the order of `given`.
    by_given: Vec<usize>,
}

impl FlowLinks {
    /// Finds for each answer the messages that it is about. An item is at most in one message that a process has and has
    /// not answered. `per_item`: a process that is started for an item gets no message, and its death ends no arrow.
    pub fn of(steps: &[Step], per_item: bool) -> Self {
        let mut held: BTreeMap<(WorkerId, Incarnation), HeldItems<usize>> = BTreeMap::new();
        let mut links = Vec::new();
        let mut givens = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let (Some(worker), Some(incarnation)) = (step.worker, step.incarnation) else { continue };
            let key = (worker, incarnation);
            match (&step.topic, step.batch) {
                (Topic::Exited(_), _) if per_item => {}
                (Topic::Items, Some(batch)) => {
                    held.entry(key).or_default().put(batch, index);
                }
                (Topic::Answer | Topic::Exited(_), Some(batch)) => {
                    if let Some(held) = held.get_mut(&key) {
                        givens.clear();
                        held.take(batch, |_, given| givens.push(given));
                        givens.sort_unstable();
                        givens.dedup();
                        for given in givens.iter().copied().filter(|given| is_in_order(&steps[*given], step)) {
                            links.push(FlowLink { id: links.len() as u64 + 1, given, ended: index });
                        }
                    }
                }
                _ => {}
            }
            if matches!(step.topic, Topic::Exited(_)) {
                held.remove(&key);
            }
        }
        let mut by_given: Vec<usize> = (0..links.len()).collect();
        by_given.sort_by_key(|place| links[*place].given);
        Self { links, by_given }
    }

    /// The links that begin at the message of this step.
    pub fn from(&self, step: usize) -> impl Iterator<Item = &FlowLink> {
        let start = self.by_given.partition_point(|place| self.links[*place].given < step);
        self.by_given[start..].iter().map(|place| &self.links[*place]).take_while(move |link| link.given == step)
    }

    /// The links that end at this step.
    pub fn to(&self, step: usize) -> impl Iterator<Item = &FlowLink> {
        let start = self.links.partition_point(|link| link.ended < step);
        self.links[start..].iter().take_while(move |link| link.ended == step)
    }
}

/// An arrow goes forward in time.
fn is_in_order(given: &Step, ended: &Step) -> bool {
    let sent = message_span(given).0;
    match (&ended.topic, work_span(ended)) {
        // A death is shown behind the message.
        (Topic::Exited(_), _) => true,
        (_, Some((began, _))) => sent <= began && began < message_span(ended).0,
        (_, None) => sent < message_span(ended).0,
    }
}

/// When a message was on its way, in nanoseconds: from when it was put aside to when it was read, as far as that is
/// known.
pub fn message_span(step: &Step) -> (u64, u64) {
    let FrameLife { queued, sent, received, .. } = step.life.unwrap_or_default();
    let from = ns(queued.unwrap_or(step.at));
    (from, ns(received.or(sent).unwrap_or(step.at)).max(from + 1))
}

/// When the worker worked on the items of an answer, in nanoseconds, if it tells.
pub fn work_span(step: &Step) -> Option<(u64, u64)> {
    let FrameLife { began: Some(began), finished: Some(finished), .. } = step.life? else { return None };
    Some((ns(began), ns(finished).max(ns(began) + 1)))
}

/// When a process was at the item over which it died. It cannot tell when it began: it had read the message by then, as
/// far as that is known, and had finished what it was at before.
pub fn last_work_span(given: &Step, died: &Step, before: u64) -> (u64, u64) {
    let life = given.life.unwrap_or_default();
    let had = ns(life.received.or(life.sent).unwrap_or(given.at));
    let to = ns(died.at);
    let from = had.max(before).min(to.saturating_sub(1)).max(message_span(given).0 + 1);
    (from, to.max(from + 1))
}
