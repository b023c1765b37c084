//! Runs a trace again: the recorded facts go to a fresh core, and what it orders is compared with what was recorded.
//!
//! The core is a pure function of its policy and its facts. So a trace is a whole bug report, and an order that differs means
//! that the trace is incomplete or that the program decides differently from the one that wrote it.

use crate::core::Core;
use crate::core::action::Action;
use crate::model::spec::Policy;
use crate::model::time::Instant;
use crate::trace::record::TraceRecord;
use std::collections::VecDeque;

/// Where the orders of a trace and of its replay part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step: the facts are counted from 1.
    pub step: u64,
    /// When the core was told the fact.
    pub at: Instant,
    /// `None`: no further order was recorded.
    pub recorded: Option<Box<Action>>,
    /// `None`: the fresh core gives no further order.
    pub replayed: Option<Box<Action>>,
}

/// A replay in progress.
pub struct Replay {
    core: Core,
    /// What the fresh core orders after the last fact, and was not recorded yet.
    expected: VecDeque<Action>,
    step: u64,
    at: Instant,
}

impl Replay {
    /// A fresh core with the policy of the trace.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { core: Core::new(policy), expected: VecDeque::new(), step: 0, at: Instant::ZERO }
    }

    /// The facts so far.
    #[must_use]
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// The orders part here.
    pub fn take(&mut self, record: &TraceRecord<'_>) -> Result<(), Difference> {
        match record {
            TraceRecord::Fact { at, input } => {
                self.finish()?;
                self.core.handle(input.as_ref().clone(), *at);
                self.take_orders(*at);
            }
            TraceRecord::Deadlines { until } => {
                self.finish()?;
                self.core.handle_timeout(*until);
                self.take_orders(*until);
            }
            TraceRecord::Order(recorded) => {
                let replayed = self.expected.pop_front();
                if replayed.as_ref() != Some(recorded.as_ref()) {
                    let recorded = Some(Box::new(recorded.as_ref().clone()));
                    return Err(self.difference(recorded, replayed.map(Box::new)));
                }
            }
            TraceRecord::End { .. } => self.finish()?,
            _ => {}
        }
        Ok(())
    }

    /// Nothing more was recorded of the last step.
    ///
    /// # Errors
    /// The fresh core orders more.
    pub fn finish(&mut self) -> Result<(), Difference> {
        match self.expected.pop_front() {
            Some(replayed) => Err(self.difference(None, Some(Box::new(replayed)))),
            None => Ok(()),
        }
    }

    fn take_orders(&mut self, at: Instant) {
        self.step += 1;
        self.at = at;
        while let Some(action) = self.core.poll_action() {
            self.expected.push_back(action);
        }
    }

    const fn difference(&self, recorded: Option<Box<Action>>, replayed: Option<Box<Action>>) -> Difference {
        Difference { step: self.step, at: self.at, recorded, replayed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::input::Input;
    use crate::model::config::Config;
    use crate::model::ids::{Incarnation, WorkerId};
    use std::borrow::Cow;

    fn policy() -> Policy {
        Config::builder().generate(3).workers(1).build().unwrap().policy
    }

    /// The records of a core that is told to start.
    fn started() -> Vec<TraceRecord<'static>> {
        let mut core = Core::new(policy());
        core.handle(Input::Start, Instant(5));
        let mut records = vec![TraceRecord::Fact { at: Instant(5), input: Cow::Owned(Input::Start) }];
        while let Some(action) = core.poll_action() {
            records.push(TraceRecord::Order(Cow::Owned(action)));
        }
        assert!(records.len() > 2);
        records
    }

    fn replayed(records: &[TraceRecord<'static>]) -> Result<(), Difference> {
        let mut replay = Replay::new(policy());
        records.iter().try_for_each(|record| replay.take(record))?;
        replay.finish()
    }

    #[test]
    fn the_same_facts_give_the_same_orders() {
        assert_eq!(replayed(&started()), Ok(()));
    }

    #[test]
    fn an_order_that_differs_that_is_missing_or_too_many_is_named_with_its_step() {
        let records = started();
        let (worker, incarnation) = (WorkerId::from_index(0), Incarnation(1));
        let close = Action::CloseInput { worker, incarnation };
        let mut other = records.clone();
        other[1] = TraceRecord::Order(Cow::Owned(close.clone()));
        let TraceRecord::Order(first) = &records[1] else { panic!("{records:?}") };
        let (first, close) = (Box::new(first.as_ref().clone()), Box::new(close));
        let at = Difference { step: 1, at: Instant(5), recorded: None, replayed: None };
        let expected = Difference { recorded: Some(close.clone()), replayed: Some(first), ..at.clone() };
        assert_eq!(replayed(&other), Err(expected));
        let TraceRecord::Order(last) = records.last().unwrap() else { panic!("{records:?}") };
        let missing = Difference { replayed: Some(Box::new(last.as_ref().clone())), ..at.clone() };
        assert_eq!(replayed(&records[..records.len() - 1]), Err(missing));
        let more = [&records[..], &[TraceRecord::Order(Cow::Owned(close.as_ref().clone()))]].concat();
        assert_eq!(replayed(&more), Err(Difference { recorded: Some(close), ..at }));
    }
}
