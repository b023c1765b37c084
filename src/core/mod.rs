//! Floor 1: the scheduler, a pure state machine.

pub mod action;
pub mod input;
