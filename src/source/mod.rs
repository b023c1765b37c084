//! Floor 2: where items come from.
//!
//! A source delivers **batches**: bytes that hold consecutive items. The engine asks it for items when the core demands
//! some; a source never pushes, and never reads without being asked.
//!
//! Invariant: no call waits. If no whole item is at hand, the answer is [`Delivery::Idle`].

pub mod args;
pub mod arrange;
mod delivery;
pub mod generator;
pub mod iterator;
mod kept;
pub mod lines;
mod records;
mod selection;
pub mod splitter;
pub mod spread;
mod windows;
pub mod xargs;

pub use crate::model::outcome::FailReason;
pub use delivery::{BATCH_BYTES_MAX, Delivery, Payload, Source, SourceError};
pub use selection::{open, replace};
