//! Floor 3: the SDK for people who write workers, and the worker that is built in.
//!
//! A worker is a program that hands a [`Handler`] to [`run`]:
//!
//! ```no_run
//! use supervisor::worker::{self, Failure, Item, Output};
//!
//! fn main() -> std::process::ExitCode {
//!     worker::run(|item: &Item<'_>, out: &mut Output| -> Result<(), Failure> {
//!         let number: i64 = item.text()?.parse()?;
//!         out.number(number * 2);
//!         Ok(())
//!     })
//! }
//! ```
//!
//! The SDK sends the hello, calls the handler for each item, sends results together, keeps the progress page, and ends
//! the worker when its input ends. If the handler fails or panics, the item fails and the worker continues. A handler
//! may print: stdout carries no frames, it is the supervisor's stderr.
//!
//! Invariant: knows nothing of how the supervisor decides. A worker receives items and sends results.

#![deny(missing_docs)]

mod builtin;
mod chaos;
mod environment;
mod error;
mod frames;
mod items;
mod output;
mod pace;
mod panics;
mod parse;
mod result_buffer;
mod serve;
#[doc(hidden)]
pub mod tally;
pub mod tasks;
pub mod threads;

pub use crate::model::spec::WORKER_ROLE;
pub use builtin::builtin_main;
pub use output::{Integer, Output};
pub use serve::run;

use crate::model::ids::{Attempt, ItemId};
use std::fmt;

/// One item, borrowed by the handler.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Without its delimiter.
    pub bytes: &'a [u8],
    /// Its position in the input, from 0.
    pub id: ItemId,
    /// The number of this attempt, from 1.
    pub attempt: Attempt,
}

impl<'a> Item<'a> {
    /// The item as text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&'a str, Failure> {
        std::str::from_utf8(self.bytes).map_err(|_| Failure(format!("not UTF-8: {}", self.quoted())))
    }

    /// The item in quotes for a reason: escaped, and cut if it is long.
    #[must_use]
    pub fn quoted(&self) -> String {
        const SHOWN_BYTES_MAX: usize = 64;
        let shown = &self.bytes[..self.bytes.len().min(SHOWN_BYTES_MAX)];
        let more = if shown.len() < self.bytes.len() { "..." } else { "" };
        format!("{:?}{more}", String::from_utf8_lossy(shown))
    }
}

/// What a worker does with an item.
pub trait Handler {
    /// Works on `item` and appends its result to `out`; a newline that is missing at its end is added.
    /// The handler is used again after a failure and after a panic.
    ///
    /// # Errors
    /// The item failed. What was appended is dropped.
    fn handle(&mut self, item: &Item<'_>, out: &mut Output) -> Result<(), Failure>;
}

impl<F> Handler for F
where
    F: FnMut(&Item<'_>, &mut Output) -> Result<(), Failure>,
{
    fn handle(&mut self, item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
        self(item, out)
    }
}

/// Why an item failed, in words that stand alone, such as `not an integer: "abc"`.
/// Whatever can be displayed becomes one, so `?` works on any error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

/// No `Display` for [`Failure`] itself, else this would collide with the blanket `From<T> for T`.
impl<D: fmt::Display> From<D> for Failure {
    fn from(reason: D) -> Self {
        Self(reason.to_string())
    }
}
