//! The core's orders, carried out: one match, one line for each.

use super::answer::Reply;
use super::commit::Commit;
use super::feed::{Feed, Pressure};
use super::fleet::Fleet;
use super::last_stderr;
use super::status;
use super::turn::Turn;
use crate::core::action::Action;
use crate::model::event::RunEvent;
use crate::model::outcome::RunOutcome;

/// What carries out the core's orders. No component sees another's fields; what one needs of another is passed in the
/// call.
pub struct Components {
    pub feed: Feed,
    pub fleet: Fleet,
    pub commit: Commit,
    /// Slots that are to be filled, as the core reported last.
    pub workers: u32,
}

impl Components {
    /// Carries out one order. `reply`: the results of the fact that led to it. Returns the outcome with the last order.
    pub fn apply(&mut self, action: Action, reply: &mut Option<Reply>, turn: &mut Turn) -> Option<RunOutcome> {
        let Self { feed, fleet, commit, workers } = self;
        let now = turn.now;
        match action {
            Action::Settle { settlement, in_turn } => {
                let answer = reply.as_mut().and_then(|reply| fleet.answer(reply));
                commit.settle(now, settlement, in_turn, answer, feed);
            }
            Action::Commit { first, count } => commit.commit(now, first, count, feed),
            // Shown by `finish`, once the output is written.
            Action::Report(RunEvent::RunFinished(_)) => {}
            Action::Report(mut event) => {
                last_stderr::add(&mut event, fleet);
                // What is said of the stop stands on a line of its own.
                if matches!(event, RunEvent::Stopping { .. }) && fleet.note_stop(turn) {
                    commit.output.err.push(b"\n");
                }
                *workers = workers_after(&event).unwrap_or(*workers);
                commit.event(now, event, feed);
            }
            Action::ShowStatus(status) => {
                commit.output.err.push(status::text(&status, |worker| fleet.progress(worker)).as_bytes());
            }
            Action::Demand { items } => feed.set_demand(items),
            Action::CloseSource => feed.close(turn),
            Action::Spawn { worker, incarnation, batch: None } => fleet.spawn(worker, incarnation, None, turn),
            Action::Spawn { worker, incarnation, batch: Some(batch) } => {
                commit.begin(now, batch, feed);
                fleet.spawn(worker, incarnation, Some((batch, feed.body(batch.first, batch.count))), turn);
            }
            Action::Dispatch { worker, incarnation, batch } => {
                commit.begin(now, batch, feed);
                fleet.dispatch(worker, incarnation, batch, &feed.body(batch.first, batch.count), turn);
            }
            Action::CloseInput { worker, incarnation } => fleet.close_input(worker, incarnation),
            Action::Recall { worker, incarnation } => fleet.recall(worker, incarnation),
            Action::Probe { worker, incarnation } => fleet.probe(worker, incarnation, turn),
            Action::Kill { worker, incarnation, signal } => fleet.kill(worker, incarnation, signal, turn),
            // For the trace, which has it.
            Action::Because(_) => {}
            Action::InHand { worker, batch } => {
                commit.begin_in_hand(now, batch, feed);
                fleet.give_in_hand(worker, batch, feed.body(batch.first, batch.count));
            }
            Action::TakeBack { worker } => fleet.take_back(worker),
            Action::Finish(outcome) => return Some(outcome),
        }
        None
    }

    /// What holds the source back at the moment.
    pub fn pressure(&self) -> Pressure {
        Pressure {
            congested: self.commit.output.is_congested(),
            held_bytes: self.commit.held_bytes(),
            workers: u64::from(self.workers),
        }
    }
}

/// The number of workers that an event reports.
const fn workers_after(event: &RunEvent) -> Option<u32> {
    match event {
        RunEvent::RunStarted { workers } | RunEvent::Scaled { to: workers, .. } => Some(*workers),
        _ => None,
    }
}
