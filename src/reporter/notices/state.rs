//! What the notices remember of the run.

use super::super::repeats::Repeats;
use crate::model::config::{Advice, OutputMode, OutputSpec};
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::StopReason;
use crate::model::signal::Signal;
use crate::model::spec::{Halt, HaltOn, Policy, Threshold};
use crate::model::time::{Duration, Instant};
use crate::model::worker_log::WorkerLog;
use crate::sys::outbox::Outbox;
use std::collections::BTreeMap;

/// The reporter of notices on stderr while the run lasts.
pub struct Notices {
    pub(super) quiet: bool,
    /// Also report what goes well: starts and their pids.
    pub(super) narrate: bool,
    /// A process for each item.
    pub(super) per_item: bool,
    pub(super) grace: Duration,
    pub(super) leave_time: Duration,
    pub(super) timeout: Option<Duration>,
    pub(super) crash_limit: u32,
    pub(super) kill_limit: Option<u32>,
    pub(super) hello_timeout: Duration,
    /// The signals of the term sequence: `TERM, then KILL`.
    pub(super) term_words: String,
    /// What the run does to its own workers, in words.
    pub(super) chaos: Option<String>,
    /// The first processes of the slots, until they are reported.
    pub(super) starting: Option<Starting>,
    /// By slot: if its present process has sent its hello.
    pub(super) ready: Vec<bool>,
    /// How many workers died under each unsettled item.
    pub(super) deaths: BTreeMap<ItemId, Deaths>,
    pub(super) advice: Advice,
    pub(super) repeats: Repeats,
    /// Why there are fewer workers than cores.
    pub(super) workers_why: Option<String>,
    /// The run stops at its first failed item.
    pub(super) stops_at_first: bool,
    /// The stderr of workers goes elsewhere: its end is told where it says why the run ends.
    pub(super) tells_stderr: bool,
    /// The worker that ended last in a way of its own, and the end of its stderr.
    pub(super) last_stderr: Option<(WorkerId, Box<str>)>,
    /// A worker has sent its hello.
    pub(super) any_was_ready: bool,
    /// Deaths before the hello while no worker had sent one, and the notice about the first, which waits.
    pub(super) early_deaths: u32,
    pub(super) first_early_death: Option<String>,
    /// The last signal, until the stop that it causes is reported.
    pub(super) signal: Option<Signal>,
    /// The last reason to stop that was reported.
    pub(super) reported: Option<StopReason>,
    /// When the grace of the running items began.
    pub(super) draining_since: Option<Instant>,
}

/// The first processes that are being started.
pub struct Starting {
    pub(super) workers: usize,
    pub(super) not_started: usize,
    pub(super) pids: Vec<u32>,
}

/// The deaths of workers under one item.
#[derive(Clone, Copy, Default)]
pub struct Deaths {
    pub(super) crashes: u32,
    /// By KILL or TERM from outside.
    pub(super) kills: u32,
}

impl Notices {
    /// The notices of a run that has not begun.
    #[must_use]
    pub fn new(output: &OutputSpec, policy: &Policy) -> Self {
        let mut signals: Vec<String> = policy.term_sequence.iter().map(|step| step.signal.name()).collect();
        signals.dedup();
        Self {
            quiet: output.quiet,
            narrate: output.mode == OutputMode::Narrate && !output.quiet,
            per_item: policy.worker.starts_with_item(),
            grace: policy.grace,
            leave_time: policy.leave_time(),
            timeout: policy.timeout,
            crash_limit: policy.crash_limit,
            kill_limit: policy.kill_limit,
            hello_timeout: policy.hello_timeout,
            term_words: signals.join(", then "),
            chaos: policy
                .chaos
                .map(|plan| format!("chaos with seed {}: {}", plan.seed.unwrap_or_default(), plan.parts().join(", "))),
            starting: None,
            ready: Vec::new(),
            deaths: BTreeMap::new(),
            advice: output.advice,
            repeats: Repeats::new(output.verbose || output.mode == OutputMode::Narrate),
            workers_why: output.workers_why.clone(),
            stops_at_first: policy
                .halt
                .is_some_and(|halt| matches!(halt, Halt { on: HaltOn::Fail, threshold: Threshold::Items(0 | 1), .. })),
            tells_stderr: matches!(output.worker_log, WorkerLog::Folder { .. }),
            last_stderr: None,
            any_was_ready: false,
            early_deaths: 0,
            first_early_death: None,
            signal: None,
            reported: None,
            draining_since: None,
        }
    }

    /// If the present process of this slot has sent its hello.
    pub fn ready_of(&mut self, worker: WorkerId) -> &mut bool {
        if self.ready.len() <= worker.index() {
            self.ready.resize(worker.index() + 1, false);
        }
        &mut self.ready[worker.index()]
    }
}

/// Appends a line for stderr.
pub fn push_notice(err: &mut Outbox, line: &str) {
    let buffer = err.buffer();
    buffer.extend_from_slice(b"supervisor: ");
    buffer.extend_from_slice(line.as_bytes());
    buffer.push(b'\n');
}
