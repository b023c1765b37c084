//! Why the attempts of one item did not succeed.
//!
//! Invariant: the memory for an item is bounded, however often it is tried.

use crate::model::outcome::{Cause, CauseKind};
use std::collections::VecDeque;

/// This many causes are kept of the first attempts, and of the last ones.
const KEPT: usize = 10;

/// The causes of one item, oldest first.
#[derive(Debug, Default)]
pub(super) struct Causes {
    first: Vec<Cause>,
    last: VecDeque<Cause>,
    omitted: u64,
    failures: u32,
    crashes: u32,
    kills: u32,
    by_chaos: u32,
}

impl Causes {
    /// Adds a cause; returns how many of its kind there are.
    pub(super) fn add(&mut self, cause: Cause) -> u32 {
        let alike = match cause.kind {
            CauseKind::Failed(_) | CauseKind::Interrupted(_) => &mut self.failures,
            CauseKind::Crashed(_) => &mut self.crashes,
            CauseKind::Killed(_) => &mut self.kills,
            CauseKind::Chaos(_) => &mut self.by_chaos,
        };
        *alike = alike.saturating_add(1);
        let alike = *alike;
        if self.first.len() < KEPT {
            self.first.push(cause);
        } else {
            if self.last.len() == KEPT {
                self.last.pop_front();
                self.omitted += 1;
            }
            self.last.push_back(cause);
        }
        alike
    }

    pub(super) fn last(&self) -> Option<&Cause> {
        self.last.back().or_else(|| self.first.last())
    }

    /// All of them, kept or not.
    pub(super) fn number(&self) -> u64 {
        self.omitted + (self.first.len() + self.last.len()) as u64
    }

    /// Attempts that chaos has ended.
    pub(super) const fn by_chaos(&self) -> u32 {
        self.by_chaos
    }

    /// Causes between the first and the last ones that are kept.
    pub(super) const fn omitted(&self) -> u64 {
        self.omitted
    }

    pub(super) fn into_kept(mut self) -> Vec<Cause> {
        self.first.extend(self.last);
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Attempt;
    use crate::model::signal::Signal;

    #[test]
    fn the_first_and_the_last_causes_are_kept() {
        let mut causes = Causes::default();
        for attempt in 1..=1000 {
            let kind = CauseKind::Killed(Signal::KILL);
            assert_eq!(causes.add(Cause { attempt: Attempt(attempt), worker: None, pid: None, kind }), attempt);
            assert_eq!(causes.last().map(|cause| cause.attempt), Some(Attempt(attempt)));
        }
        assert_eq!(causes.omitted(), 980);
        let kept: Vec<u32> = causes.into_kept().iter().map(|cause| cause.attempt.0).collect();
        assert!(kept.into_iter().eq((1..=10).chain(991..=1000)));
    }
}
