//! Floor 5: the same conversation over each mechanism of this machine, side by side: `supervisor compare`.
//!
//! The conversation is that of a supervisor and one worker, a process unless it is a thread for contrast: small numbers
//! go out, their squares come back. [`measure()`] holds it over each mechanism in turn and returns a
//! [`ComparisonReport`]; the other modules write a report down: [`table`] for people, [`json`] for programs, and, with
//! the feature `plot`, `chart`.
//!
//! | pass | runs | answers |
//! |---|---|---|
//! | `speed` | of the library, in this process | how many items a second, how long is a round trip |
//! | `cost` | of the program, as a child process | system calls (under ptrace), context switches (`wait4`) |
//! | `kill` | of the library, with a worker that keeps a tally | what is lost and what runs again after KILL |
//!
//! What a pass counts for one item is the difference of a long and a short run, divided by the difference of their
//! items, so that starting and ending count for nothing. The rounds of all mechanisms are interleaved, so that a change
//! of the machine's load meets all of them.
//!
//! Invariant: a user of the library like any other. No number is estimated: what cannot be counted is reported with
//! the reason, and what is a property of the code (copies) is said to be one.

#[cfg(feature = "plot")]
pub mod chart;
mod conversation;
mod cost;
mod error;
mod figure;
pub mod json;
mod kill;
mod machine;
mod measure;
mod report;
mod settings;
mod speed;
pub mod table;

pub use crate::model::mechanism::Mechanism;
pub use error::CompareError;
pub use figure::Figure;
pub use machine::Machine;
pub use measure::{MeasuredRound, measure};
#[cfg(test)]
pub(crate) use report::sample;
pub use report::{
    CallCosts, Comparison, ComparisonReport, KillFindings, Measured, NamedCall, NotMeasured, Side, SwitchCosts,
};
pub use settings::{Amounts, CompareSettings};
