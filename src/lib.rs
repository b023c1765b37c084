//! Hands items to worker processes, survives the death of any of them, loses no item, and reports how every process
//! ended.
//!
//! A program that uses the library makes a [`Config`], starts a run, and takes the results as they come:
//!
//! ```no_run
//! use supervisor::{Config, start};
//!
//! let config = Config::builder().command(["gzip", "-9", "{}"]).items(["a.log", "b.log"]).workers(4).build()?;
//! let mut run = start(config)?;
//! for item in run.items() {
//!     println!("item {}: {:?} after {} attempts", item.item, item.outcome, item.attempts);
//! }
//! println!("{} done", run.join()?.totals.done);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`run`] executes a run on this thread; [`start`] and [`start_with`] execute it in the background and return a
//!   handle, [`Run`], which steers it and reports what happens.
//! - [`config`] has the settings, [`events`] what a run reports, [`outcomes`] what became of items, processes and the
//!   run.
//! - [`worker`] is for the other side: programs that stay and work on items.
//!
//! How it works inside is in `src/ARCHITECTURE.md`. Modules that are not shown here are for the project's own programs
//! and tests, and may change at any time.
//!
//! Features: `cli` (the program `supervisor`), `channel` (the transport over ipc-channel), `plot` (plots of `compare`),
//! `run` (runs). Without any, the library is [`worker`] alone, for authors of workers.

// What is left of `mutant!` in a build without mutants: the good expression alone.
#![cfg_attr(
    not(feature = "mutants"),
    allow(clippy::no_effect, clippy::nonminimal_bool, clippy::redundant_closure, clippy::redundant_locals)
)]

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod command;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod compare;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod control;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod core;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod engine;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod exit_code;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod host;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod journal;
#[doc(hidden)]
pub mod model;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod mutant;
#[cfg(feature = "plot")]
#[doc(hidden)]
pub mod plot;
#[cfg(feature = "run")]
pub mod process;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod program;
#[doc(hidden)]
pub mod protocol;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod reporter;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod sys;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod tour;
#[cfg(feature = "run")]
#[doc(hidden)]
pub mod trace;
#[doc(hidden)]
pub mod transport;
#[doc(hidden)]
pub mod wire;
pub mod worker;

#[cfg(feature = "run")]
pub use engine::{Controls, EngineError, Run, run, start, start_with};
pub use model::builder::ConfigBuilder;
pub use model::config::Config;

/// The settings of a run.
pub mod config {
    pub use crate::model::arrangement::{Arrangement, ColumnSplit, Insertion, ItemForm, LineFill, NameSource};
    pub use crate::model::builder::Host;
    pub use crate::model::chaos::{ChaosError, ChaosKind, ChaosPlan, ChaosRate, ChaosShare, ChaosSlow, ItemChaos};
    pub use crate::model::config::{
        ArrangedInput, ColorMode, EarlierRun, ExecSpec, ForeignSpec, Grouping, InputSpec, JobLogSpec, OutputMode,
        OutputSpec, ProgressMode, QuotingShell, RecordSplit, ResultsFormat, ResultsSpec, ShowOutput, ShowWhen,
        SourceSpec, Split, StartRules, SummaryMode, TraceSpec, WorkerSpec, WorkersFileSpec,
    };
    pub use crate::model::config_error::{ConfigError, Setting};
    pub use crate::model::exit_rule::{ExitMatch, ExitRule};
    pub use crate::model::item_set::ItemSet;
    pub use crate::model::journal_spec::{Durability, JournalSpec, ResumeBy, ResumeSpec, TriedAgain};
    pub use crate::model::signal::Signal;
    pub use crate::model::spec::{
        Backoff, Blame, Credit, Halt, HaltOn, Intensity, Leftovers, Policy, ProtocolKind, QueueOrder, RestartStrategy,
        RestartType, StartDelay, TermStep, Threshold, TransportKind, TransportSpec, WorkerContract,
    };
    pub use crate::model::surroundings::Surroundings;
    pub use crate::model::time::Duration;
    pub use crate::model::worker_log::WorkerLog;
}

/// What a run reports while it lasts.
pub mod events {
    pub use crate::model::command::{Command, Origin};
    pub use crate::model::event::{EndReason, ItemFate, RunEvent, Stage};
    pub use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
    pub use crate::model::notification::{ItemReport, Notification};
    pub use crate::model::status::{SlotStatus, Status, WorkerState};
    pub use crate::model::time::Instant;
}

/// What became of items, of processes and of a run.
pub mod outcomes {
    pub use crate::model::exit::{ExitStatus, Usage};
    pub use crate::model::outcome::{
        Cause, CauseKind, ExitClass, FailReason, Halted, Outcome, RunOutcome, Settlement, StopReason, Totals,
    };
}
