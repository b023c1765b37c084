//! What is compared, how often and with how many items.

use super::Mechanism;
use crate::sys::own_process::{self, OWN_PROGRAM};
use std::path::PathBuf;

/// What [`super::measure()`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompareSettings {
    /// The program `supervisor`. It is started as a worker, and as a supervisor whose system calls are counted.
    pub program: PathBuf,
    /// What is compared, in the order of the report.
    pub mechanisms: Vec<Mechanism>,
    /// How often each number is measured, at least 1; 0 counts as 1.
    pub rounds: u32,
    pub amounts: Amounts,
}

/// How much is measured in each round. More takes longer and spreads less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// How long a run for speed takes, about, in milliseconds.
    pub speed_ms: u64,
    /// Timed round trips.
    pub round_trips: u64,
    /// Round trips of a run in which system calls or context switches are counted.
    pub counted_round_trips: u64,
    /// Items of a run in batches in which system calls are counted.
    pub counted_items: u64,
    /// Items of a run in which a worker is killed, at most 1,000,000.
    pub kill_items: u64,
}

impl Amounts {
    /// A round of one mechanism takes 0.6 s on a quiet machine of two cores (2026-11-27), all of three rounds 13 s.
    pub const USUAL: Self = Self {
        speed_ms: 60,
        round_trips: 1_000,
        counted_round_trips: 500,
        counted_items: 300_000,
        kill_items: 100_000,
    };
    /// For a look in passing, as in a lesson: a fifth of a second.
    pub const SMALL: Self =
        Self { speed_ms: 10, round_trips: 300, counted_round_trips: 100, counted_items: 100_000, kill_items: 20_000 };
}

impl CompareSettings {
    /// Three rounds of every mechanism, by the running program, which has to be `supervisor`.
    #[must_use]
    pub fn of_this_program() -> Self {
        // By this name it is found even if the file has been replaced since.
        let own = if own_process::is_shown() { Some(PathBuf::from(OWN_PROGRAM)) } else { own_process::program() };
        Self {
            program: own.unwrap_or_else(|| PathBuf::from(OWN_PROGRAM)),
            mechanisms: Mechanism::ALL.to_vec(),
            rounds: 3,
            amounts: Amounts::USUAL,
        }
    }
}
