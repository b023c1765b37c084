//! What a component may use while it is called: the system, the time of this turn of the loop, and the queue of its
//! facts.
//!
//! A component never calls the core. It appends a [`Fact`]; the reactor hands facts to the core once the component has
//! returned, in the order in which they were appended, and carries out what the core orders.
//!
//! Invariant: a fact is never handled while a channel is being read or an order is being carried out.

use super::answer::{EarlyLines, Reply};
use super::system::System;
use crate::core::input::Input;
use crate::model::text::push_escaped;
use crate::model::time::Instant;
use crate::trace::tracer::Tracer;
use std::collections::VecDeque;

/// A fact for the core, and the bytes that came with it.
pub struct Fact {
    pub input: Input,
    /// Results, where the fact is about items that have some. Valid until the component that reported the fact is
    /// asked for the next one.
    pub reply: Option<Reply>,
}

/// One turn of the loop.
pub struct Turn {
    pub system: Box<dyn System>,
    /// When the turn began: after the wait. A start of a process, which takes a while, moves it on.
    pub now: Instant,
    /// Facts that the core does not have yet, oldest first.
    pub facts: VecDeque<Fact>,
    /// Lines for stderr.
    pub notices: Vec<u8>,
    /// What commands have written that still run. The facts of the same reports come behind it.
    pub lines: Vec<EarlyLines>,
    /// What is recorded of the run, if something is.
    pub trace: Tracer,
}

/// Whether a component is done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    Done,
    /// Hand the facts to the core, then call again for the same event.
    Again,
}

impl Turn {
    pub fn new(system: Box<dyn System>) -> Self {
        let now = system.now();
        Self { system, now, facts: VecDeque::new(), notices: Vec::new(), lines: Vec::new(), trace: Tracer::default() }
    }

    /// Appends a fact without results.
    pub fn report(&mut self, input: Input) {
        self.facts.push_back(Fact { input, reply: None });
    }

    /// Appends a fact with its results.
    pub fn report_with(&mut self, input: Input, reply: Reply) {
        self.facts.push_back(Fact { input, reply: Some(reply) });
    }

    /// Appends a line for stderr.
    pub fn notice(&mut self, line: &str) {
        push_escaped(&mut self.notices, line.as_bytes());
        self.notices.push(b'\n');
    }

    /// Reads the clock again.
    pub fn refresh(&mut self) {
        self.now = self.system.now();
    }
}
