//! Feeds scripts to a core. Facts and orders are written as short words, so that a test reads as a sequence of events
//! and does not depend on the shape of the API.

use crate::core::Core;
use crate::core::action::Action;
use crate::core::input::{Input, Relief, SpawnFailure};
use crate::model::command::{self, Command, Origin};
use crate::model::event::{EndReason, RunEvent};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{CauseKind, FailReason, Outcome, RetryHint, Settlement};
use crate::model::signal::Signal;
use crate::model::spec::{
    Backoff, Blame, Credit, Intensity, Policy, QueueOrder, RestartStrategy, RestartType, TermStep, WorkerContract,
};
use crate::model::time::{Duration, Instant};

/// Two resident workers, one item at a time each, no retries, no time limit for an item.
pub(super) fn policy() -> Policy {
    let step = |signal, ms| TermStep { signal, wait: Duration::from_millis(ms) };
    Policy {
        workers: 2,
        worker: WorkerContract::resident(Credit::Items(1)),
        first_item: ItemId(0),
        queue_order: QueueOrder::Fifo,
        queue_items_max: 100,
        batch_max: u32::MAX,
        keep_order: false,
        start_together: false,
        retries: 0,
        hinted_retries: 0,
        exit_rules: Vec::new(),
        crash_limit: 3,
        kill_limit: Some(3),
        retry_delay: Duration::ZERO,
        dead_max: None,
        timeout: None,
        timeout_percent: None,
        start_delay: None,
        hello_timeout: Duration::from_secs(10),
        start_exits_max: None,
        term_sequence: vec![step(Signal::TERM, 200), step(Signal::KILL, 25)],
        grace: Duration::from_secs(10),
        restart: RestartType::Permanent,
        strategy: RestartStrategy::OneForOne,
        intensity: Intensity { restarts_max: 2, period: Duration::from_secs(10) },
        backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_secs(10) },
        halt: None,
        stop_at_abort: false,
        run_timeout: None,
        report_starts: false,
        explains: false,
        seed: 1,
        in_hand: false,
        chaos: None,
    }
}

/// At most this many items in flight at each worker.
pub(super) fn with_credit(items: u32) -> Policy {
    with_auto(Credit::Items(items))
}
/// This credit for each worker.
pub(super) fn with_auto(credit: Credit) -> Policy {
    Policy { worker: WorkerContract::resident(credit), ..policy() }
}
/// Workers that send no hello and have no progress page, such as foreign programs that answer line by line.
pub(super) fn answering_in_order(items: u32) -> Policy {
    let worker =
        WorkerContract { hello: false, credit: Credit::Items(items), blame: Blame::OldestHeld, in_order: true };
    Policy { worker, ..policy() }
}
/// One worker.
pub(super) fn alone(policy: Policy) -> Policy {
    Policy { workers: 1, ..policy }
}
/// A process for each item.
pub(super) fn per_item() -> Policy {
    Policy { worker: WorkerContract::per_item(), crash_limit: 1, kill_limit: Some(1), ..policy() }
}

pub(super) struct Rig {
    pub(super) core: Core,
    pub(super) now: Instant,
    arrived: u64,
}

impl Rig {
    pub(super) fn new(policy: Policy) -> Self {
        let arrived = policy.first_item.0;
        Self { core: Core::new(policy), now: Instant::ZERO, arrived }
    }

    /// All workers of `policy` are ready, this many items have arrived, and the source has ended.
    pub(super) fn running(policy: Policy, items: u32) -> Self {
        let workers = policy.workers;
        let mut rig = Self::new(policy);
        rig.feed("start");
        if items > 0 {
            rig.feed(&format!("arrive {items}"));
        }
        rig.feed("end");
        let contract = rig.core.policy().worker;
        for worker in (1..=workers).filter(|_| !contract.starts_with_item()) {
            rig.feed(&format!("spawned {worker}"));
            if contract.hello {
                rig.feed(&format!("hello {worker}"));
            }
        }
        rig
    }

    /// Feeds facts, separated by `;`, and returns the orders that follow, one on each line, without reports.
    pub(super) fn feed(&mut self, script: &str) -> String {
        self.run(script, false)
    }

    /// The same with reports.
    pub(super) fn feed_all(&mut self, script: &str) -> String {
        self.run(script, true)
    }

    fn run(&mut self, script: &str, reports: bool) -> String {
        let mut lines = Vec::new();
        for fact in script.split(';') {
            let words: Vec<&str> = fact.split_whitespace().collect();
            if words[0] == "wait" {
                self.now = self.now + Duration::from_millis(number(&words, 1));
                self.core.handle_timeout(self.now);
                assert!(self.core.poll_timeout().is_none_or(|at| at > self.now), "a timer is due and was not fired");
            } else if let Some(signal) = Signal::parse(words[0]).filter(|_| words[0] == words[0].to_uppercase()) {
                let origin = Origin::Signal { signal, sender_pid: None };
                for &command in command::of_signal(signal, false) {
                    self.core.handle(Input::Command { command, origin }, self.now);
                }
            } else {
                let input = self.input(&words);
                self.core.handle(input, self.now);
            }
            self.core.check_deep().unwrap();
            while let Some(action) = self.core.poll_action() {
                if reports || !matches!(action, Action::Report(_)) {
                    lines.extend(words_of(&action).lines().map(str::to_owned));
                }
            }
        }
        lines.join("\n")
    }

    fn input(&mut self, words: &[&str]) -> Input {
        let worker = words.get(1).and_then(|word| word.parse::<usize>().ok()).unwrap_or(1);
        let worker = WorkerId::from_index(worker.max(1) - 1);
        let slots = self.core.status().slots;
        let slot = slots.iter().find(|slot| slot.worker == worker);
        let incarnation = slot.map_or(Incarnation(0), |slot| slot.incarnation);
        let item = ItemId(number(words, 2));
        match words[0] {
            "start" => Input::Start,
            "arrive" => {
                let (first, count) = (ItemId(self.arrived), number(words, 1) as u32);
                self.arrived += u64::from(count);
                Input::BatchArrived { first, count, priority: signed(words, 2) }
            }
            "reject" => {
                self.arrived += 1;
                Input::ItemRejected { item: ItemId(self.arrived - 1), reason: FailReason::Rejected("odd".into()) }
            }
            // restored COUNT [OUTCOME]
            "restored" => {
                let (first, count) = (ItemId(self.arrived), number(words, 1) as u32);
                self.arrived += u64::from(count);
                let outcome = match words.get(2) {
                    Some(&"failed") => Outcome::Failed,
                    Some(&"dead") => Outcome::Dead,
                    _ => Outcome::Done,
                };
                Input::Restored { first, count, outcome }
            }
            "idle" => Input::SourceIdle,
            "end" => Input::SourceEnded,
            "lost" => Input::SourceLost { error: "gone".into() },
            "spawned" => Input::Spawned { worker, incarnation, pid: 100 + worker.number() },
            "nospawn" => Input::SpawnFailed { worker, incarnation, error: SpawnFailure::Shortage("no memory".into()) },
            "noprogram" => Input::SpawnFailed { worker, incarnation, error: SpawnFailure::Program("no file".into()) },
            "unfit" => Input::SpawnFailed { worker, incarnation, error: SpawnFailure::Unfit("too long".into()) },
            "nofile" => {
                let error = SpawnFailure::Lost { error: "no file".into(), missing: true };
                Input::SpawnFailed { worker, incarnation, error }
            }
            "noitem" => Input::SpawnFailed { worker, incarnation, error: SpawnFailure::Item("too long".into()) },
            "hello" => Input::Hello { worker, incarnation },
            // settled WORKER FIRST COUNT ATTEMPT BUSY_NS
            "settled" => Input::Settled {
                worker,
                incarnation,
                first: item,
                count: number(words, 3).max(1) as u32,
                attempt: Attempt(number(words, 4).max(1) as u32),
                busy_ns: number(words, 5),
            },
            "begins" => {
                Input::ResultBegins { worker, incarnation, item, attempt: Attempt(number(words, 3).max(1) as u32) }
            }
            // failed WORKER ITEM [ATTEMPT] [again|never]
            "failed" => Input::Failed {
                worker,
                incarnation,
                item,
                attempt: Attempt(number(words, 3).max(1) as u32),
                reason: FailReason::Message("bad".into()),
                hint: match words.last() {
                    Some(&"again") => RetryHint::Always,
                    Some(&"never") => RetryHint::Never,
                    _ => RetryHint::Default,
                },
            },
            "at" => Input::ProbeResult { worker, incarnation, running: words.get(2).map(|_| item) },
            "excluded" => Input::TimeExcluded { worker, incarnation },
            "stopped" => Input::Stopped { worker, incarnation, by: Some(Signal(number(words, 2) as u8)) },
            "continued" => Input::Stopped { worker, incarnation, by: None },
            "closed" => Input::ChannelClosed { worker, incarnation },
            "held" => Input::OutputHeld { worker, incarnation },
            "garbage" => Input::ProtocolError { worker, incarnation, error: "garbage".into() },
            // exit WORKER CODE [at ITEM], killed WORKER SIGNAL [at ITEM]
            "exit" => Self::exited(worker, incarnation, ExitStatus::Code(number(words, 2) as u8), words),
            "killed" => {
                let signal = Signal(number(words, 2) as u8);
                Self::exited(worker, incarnation, ExitStatus::Signal { signal, core_dumped: false }, words)
            }
            // back WORKER ITEM
            "back" => Input::TakenBack { worker, item },
            "congested" => Input::Congested { congested: true },
            "uncongested" => Input::Congested { congested: false },
            // permit [COUNT]: any number without one.
            "permit" => Input::StartsPermitted { count: words.get(1).and_then(|word| word.parse().ok()) },
            // run COUNT
            "run" => Input::Relief(Relief::Run { count: number(words, 1) as u32 }),
            "more" => Input::Relief(Relief::GoOn),
            "room" => Input::Relief(Relief::EndYoungest),
            "sink" => Input::SinkClosed,
            // What a caller asks for.
            "stop" => asked(Command::Stop),
            "drain" => asked(Command::Drain),
            "terminate" => asked(Command::Terminate),
            "kill" => asked(Command::Kill),
            "status" => asked(Command::Status),
            // restart [WORKER]: all without one.
            "restart" => asked(Command::Restart { worker: words.get(1).map(|_| worker) }),
            "add" => asked(Command::AddWorker),
            "remove" => asked(Command::RemoveWorker),
            "pause" => asked(Command::Pause),
            "continue" => asked(Command::Continue),
            // signal WORKER NUMBER
            "signal" => asked(Command::SignalWorker { worker, signal: Signal(number(words, 2) as u8) }),
            "watch" => asked(Command::ReportStarts { wanted: number(words, 1) > 0 }),
            "scale" => asked(Command::Scale { workers: number(words, 1) as u32 }),
            _ => unreachable!("an unknown fact, or a signal, which `run` handles"),
        }
    }

    fn exited(worker: WorkerId, incarnation: Incarnation, status: ExitStatus, words: &[&str]) -> Input {
        let running = words.get(4).map(|_| ItemId(number(words, 4)));
        Input::Exited { worker, incarnation, status, usage: Usage::default(), running }
    }
}

fn asked(command: Command) -> Input {
    Input::Command { command, origin: Origin::Caller }
}

fn number(words: &[&str], place: usize) -> u64 {
    words.get(place).and_then(|word| word.parse().ok()).unwrap_or(0)
}
fn signed(words: &[&str], place: usize) -> i64 {
    words.get(place).and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn range(batch: &Batch) -> String {
    let attempt = if batch.attempt == Attempt::FIRST { String::new() } else { format!(" (attempt {})", batch.attempt) };
    format!("{}..{}{attempt}", batch.first, batch.end())
}

fn settled(s: &Settlement) -> String {
    let causes: Vec<String> = s
        .causes
        .iter()
        .map(|cause| match &cause.kind {
            CauseKind::Interrupted(status) => format!("interrupted by {status}"),
            CauseKind::Killed(signal) => format!("killed by {signal}"),
            CauseKind::Crashed(status) => status.to_string(),
            CauseKind::Chaos(status) => format!("chaos by {status}"),
            CauseKind::Failed(reason) => reason.to_string(),
        })
        .collect();
    let worker = s.worker.map_or("-".to_owned(), |worker| worker.to_string());
    let outcome = format!("{:?}", s.outcome).to_lowercase();
    let causes = if causes.is_empty() { String::new() } else { format!(": {}", causes.join(", ")) };
    format!("{outcome} {}..{} by {worker}, attempts {}{causes}", s.first, s.first.plus(s.count.into()), s.attempts)
}

fn words_of(action: &Action) -> String {
    match action {
        Action::Demand { items } => format!("demand {items}"),
        Action::CloseSource => "close source".into(),
        Action::Spawn { worker, incarnation, batch } => {
            let batch = batch.as_ref().map_or(String::new(), |batch| format!(" for {}", range(batch)));
            format!("spawn {worker}.{}{batch}", incarnation.0)
        }
        Action::ShowStatus(status) => format!("status {} workers", status.slots.len()),
        Action::Dispatch { worker, batch, .. } => format!("dispatch {worker} {}", range(batch)),
        Action::CloseInput { worker, .. } => format!("close input {worker}"),
        Action::Recall { worker, .. } => format!("recall {worker}"),
        Action::Probe { worker, .. } => format!("probe {worker}"),
        Action::Kill { worker, incarnation, signal } => format!("kill {worker}.{} {}", incarnation.0, signal.name()),
        Action::Settle { settlement, in_turn: false } => settled(settlement),
        Action::Settle { settlement, in_turn: true } => {
            let end = settlement.first.plus(u64::from(settlement.count));
            format!("{}\ncommit {}..{end}", settled(settlement), settlement.first)
        }
        Action::Commit { first, count } => format!("commit {first}..{}", first.plus(u64::from(*count))),
        Action::Because(reason) => format!("because {reason}"),
        Action::Finish(outcome) => format!("finish {:?}", outcome.reason),
        Action::InHand { worker, batch } => format!("in hand {worker} {}", range(batch)),
        Action::TakeBack { worker } => format!("take back {worker}"),
        Action::Report(event) => format!("- {}", event_words(event)),
    }
}

fn event_words(event: &RunEvent) -> String {
    match event {
        RunEvent::WorkerExited { worker, exit, reason, item, waiting, items, .. } => {
            let reason = match reason {
                EndReason::Own => String::new(),
                reason => format!(" {reason:?}"),
            };
            let item = item.map_or(String::new(), |(item, fate)| format!(" at {item}: {fate:?}"));
            let waiting = if *waiting > 0 { format!(", waiting {waiting}") } else { String::new() };
            format!("exited {worker}: {exit}{reason}{item}{waiting}, items {items}")
        }
        RunEvent::WorkerRestarting { worker, delay, .. } => {
            format!("restarting {worker} after {}ms", delay.0 / 1_000_000)
        }
        RunEvent::ItemRetried { item, attempt, delay, .. } => {
            format!("retried {item}: attempt {attempt} after {}ms", delay.0 / 1_000_000)
        }
        RunEvent::ItemStarted { item, attempt, worker, .. } => format!("started {item} at {worker}, attempt {attempt}"),
        RunEvent::Stopping { stage, reason } => format!("{stage:?} {reason:?}").to_lowercase(),
        RunEvent::ItemsReturned { first, count, attempt, worker, running, .. } => {
            let running = running.map_or(String::new(), |item| format!(", running {item}"));
            format!("returned {first}..{} by {worker}, attempt {attempt}{running}", first.0 + u64::from(*count))
        }
        RunEvent::RunStarted { .. } => "run started".into(),
        RunEvent::WorkerSpawned { worker, .. } => format!("spawned {worker}"),
        RunEvent::WorkerNotSpawned { worker, error, .. } => format!("not spawned {worker}: {error}"),
        RunEvent::WorkerReady { worker, .. } => format!("ready {worker}"),
        RunEvent::WorkerStopped { worker, signal, item, .. } => {
            let item = item.map_or(String::new(), |item| format!(" at {item}"));
            format!("stopped {worker}: {}{item}", signal.name())
        }
        RunEvent::WorkerContinued { worker, .. } => format!("continued {worker}"),
        RunEvent::SourceLost { error } => format!("lost the source: {error}"),
        RunEvent::SignalReceived { signal, .. } => format!("signal {}", signal.name()),
        RunEvent::Scaled { from, to } => format!("scaled {from} to {to}"),
        RunEvent::RestartBegun { workers } => format!("restart of {workers}"),
        RunEvent::RestartEnded { replaced, error: None } => format!("restarted {replaced}"),
        RunEvent::RestartEnded { error: Some(error), .. } => format!("not restarted: {error}"),
        RunEvent::RunPaused => "paused".into(),
        RunEvent::RunContinued => "continued".into(),
        RunEvent::WorkerSignalled { worker, signal, .. } => format!("signalled {worker}: {}", signal.name()),
        RunEvent::ItemsSettled(_) => "settled".into(),
        RunEvent::RunFinished(_) => "run finished".into(),
        RunEvent::Chaos { kind, worker, item, time, .. } => {
            let item = item.map_or(String::new(), |item| format!(" at {item}"));
            let time = if time.is_some() { " for a time" } else { "" };
            format!("chaos {kind} {worker}{item}{time}")
        }
    }
}

/// Feeds a script; exactly these orders must follow.
macro_rules! check {
    ($rig:expr, $script:expr, [$($line:expr),* $(,)?]) => {
        let orders = $rig.feed($script);
        assert_eq!(orders.lines().collect::<Vec<_>>(), [$($line),*] as [&str; _], "after: {}", $script);
    };
}
/// The same, reports included.
macro_rules! check_all {
    ($rig:expr, $script:expr, [$($line:expr),* $(,)?]) => {
        let orders = $rig.feed_all($script);
        assert_eq!(orders.lines().collect::<Vec<_>>(), [$($line),*] as [&str; _], "after: {}", $script);
    };
}
pub(super) use {check, check_all};
