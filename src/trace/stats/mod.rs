//! The numbers of a run, from its trace: how fast it was, how long each part of a message's and of an item's life took,
//! what each worker slot did, and how large the batches were.
//!
//! [`figures`] is the vocabulary. [`builder::StatsBuilder`] takes the records of a trace one after the other; [`text`]
//! and [`json`] show the result.
//!
//! Invariant: one pass, and of a record it keeps a few numbers at most: less than a [`History`](super::history::History)
//! needs. What a trace does not tell is left out and named; it is never shown as 0.

pub mod builder;
pub mod figures;
mod item_values;
mod items;
pub mod json;
mod messages;
pub mod percentiles;
mod slots;
pub mod text;
pub mod throughput;

#[cfg(test)]
mod tests;
