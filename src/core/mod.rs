//! Floor 1: the scheduler, a pure state machine.

pub mod action;
pub mod input;
mod mutant;
pub mod status;

use crate::model::event::Stage;
use crate::model::outcome::Totals;
use crate::model::spec::Policy;
use crate::model::time::Instant;
use action::Action;
use input::Input;
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
use mutant::Mutation;
use status::Status;
use std::collections::VecDeque;

/// The scheduler. Facts go in by [`Core::handle`] and [`Core::handle_timeout`], orders come out by
/// [`Core::poll_action`]; [`Core::poll_timeout`] says until when nothing happens by itself.
#[derive(Debug)]
pub struct Core {
    policy: Policy,
    mutation: Mutation,
    actions: VecDeque<Action>,
    totals: Totals,
}

/// An invariant that does not hold, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

impl Core {
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, mutation: Mutation::NONE, actions: VecDeque::new(), totals: Totals::default() }
    }

    /// A core with one deliberate defect.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn new_mutant(policy: Policy, mutant: Mutant) -> Self {
        Self { mutation: Mutation::of(mutant), ..Self::new(policy) }
    }

    /// Takes a fact. Never fails, never panics, whatever the order.
    pub fn handle(&mut self, input: Input, now: Instant) {
        let _ = (input, now, self.mutation.any());
    }

    /// Does what is due. Call it when [`Core::poll_timeout`] has passed; earlier is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// The next order, to be carried out before the next one is taken.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Core::handle_timeout`] wants to be called, at the latest; `None`: not at all.
    /// Strictly later than the last `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
    #[must_use]
    pub fn stage(&self) -> Stage {
        Stage::Running
    }

    /// How things stand, for a person.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            stage: self.stage(),
            reason: None,
            queued: 0,
            delayed: 0,
            in_flight: 0,
            demand: 0,
            source_ended: false,
            totals: self.totals,
            slots: Vec::new(),
        }
    }

    /// The invariants that cost nothing to check; called by itself after each public call in debug builds.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        Ok(())
    }

    /// Recounts everything. For the simulator.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check_deep(&self) -> Result<(), Violation> {
        self.check()
    }
}
