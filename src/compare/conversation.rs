//! The conversation that is held over each mechanism: one supervisor and one worker, numbers and their squares.

use super::{CompareError, Mechanism};
use crate::config::{Credit, Duration, OutputMode, SummaryMode};
use crate::worker::WORKER_ROLE;
use crate::{Config, ConfigBuilder, run};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// A run that takes longer hangs.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// The task of the worker.
const TASK: &str = "square";

/// How items are put into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// As large as the supervisor makes them.
    Batches,
    /// One item in a message, as many messages in flight as the supervisor likes.
    Singles,
    /// One item in flight.
    OneInFlight,
}

/// The conversation over one mechanism.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialogue<'a> {
    pub program: &'a Path,
    pub mechanism: Mechanism,
}

impl Dialogue<'_> {
    /// The settings of a run of the library. `more` are further arguments of the worker's program.
    pub(super) fn builder(&self, items: u64, flow: Flow, more: &[OsString]) -> ConfigBuilder {
        let builder = Config::builder()
            .generate(items)
            .workers(1)
            .output(OutputMode::None)
            .summary(SummaryMode::Never)
            .quiet(true)
            .run_timeout(RUN_TIMEOUT);
        let builder = match self.mechanism {
            Mechanism::Process(kind) => builder.worker_program(self.worker(more)).transport(kind),
            Mechanism::Thread => builder.task(TASK).threads(true),
        };
        match flow {
            Flow::Batches => builder,
            Flow::Singles => builder.batch_max(1),
            Flow::OneInFlight => builder.credit(Credit::Items(1)),
        }
    }

    /// The built-in worker, by the program itself.
    fn worker(&self, more: &[OsString]) -> Vec<OsString> {
        let words = [WORKER_ROLE, "--task", TASK].map(OsString::from);
        [self.program.into()].into_iter().chain(words).chain(more.iter().cloned()).collect()
    }

    /// A run of the library on this thread, from its start to its end.
    ///
    /// # Errors
    /// The mechanism cannot be used here, or not all items were done.
    pub(super) fn run(&self, items: u64, builder: ConfigBuilder) -> Result<(), CompareError> {
        let outcome = run(builder.build()?)?;
        let done = outcome.totals.done;
        if done == items { Ok(()) } else { Err(CompareError::Unfinished { items, done, reason: outcome.reason }) }
    }

    /// The same run as a program of its own.
    pub(super) fn command(&self, items: u64, flow: Flow) -> Command {
        let mut command = Command::new(self.program);
        command.args(["--workers", "1", "--task", TASK, "--output", "none", "--summary", "never", "--quiet"]);
        command.args(["--items", &items.to_string()]);
        command.args(["--run-timeout", &format!("{}s", RUN_TIMEOUT.as_secs_f64())]);
        match self.mechanism {
            Mechanism::Process(kind) => command.args(["--transport", kind.name()]),
            Mechanism::Thread => command.args(["--isolation", "thread"]),
        };
        match flow {
            Flow::Batches => &mut command,
            Flow::Singles => command.args(["--batch-max", "1"]),
            Flow::OneInFlight => command.args(["--credit", "1"]),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}
