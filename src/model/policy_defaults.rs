//! The numbers and rules that the core decides by, from settings: their defaults.
//!
//! Invariant: pure, as `defaults`, which checks the settings before.

use super::builder::ConfigBuilder;
use super::config::SourceSpec;
use super::ids::ItemId;
use super::setting_values::is_set;
use super::signal::Signal;
use super::spec::{
    Backoff, Credit, Intensity, Policy, ProtocolKind, QueueOrder, RestartStrategy, RestartType, TermStep,
    WorkerContract,
};
use super::time::Duration;

/// Workers of the demonstration: the built-in worker on generated items.
const DEMONSTRATION_WORKERS: u32 = 5;

/// Items in a batch of short messages: enough that the work per batch is little beside the work per message.
const SHORT_MESSAGES_BATCH_ITEMS: u32 = 1024;

/// Read ahead for the orders that are the better the more items they choose from.
const CHOOSING_QUEUE_ITEMS: u64 = 1_000_000;

/// Further attempts of an item that asks for them, where the run's author says nothing of retries.
const HINTED_RETRIES: u32 = 3;

/// Crashes that an item may cause. A command that a signal ended is not started a second time unless asked.
const CRASH_LIMIT: u32 = 3;

const DEAD_MAX: u32 = 20;
/// Programs that exit before any hello, before the run gives up: one may be bad luck.
const START_EXITS_MAX: u32 = 3;
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(10);
const INTENSITY: Intensity = Intensity { restarts_max: 5, period: Duration::from_secs(10) };
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(10) };
/// GNU parallel's.
pub(crate) const TERM_SEQUENCE: [TermStep; 4] =
    [step(Signal::TERM, 200), step(Signal::TERM, 100), step(Signal::TERM, 50), step(Signal::KILL, 25)];

/// A step of the sequence that ends a process.
pub(super) const fn step(signal: Signal, wait_ms: u64) -> TermStep {
    TermStep { signal, wait: Duration::from_millis(wait_ms) }
}

impl ConfigBuilder {
    /// The policy that the settings make.
    pub(super) fn policy(&self, source: &SourceSpec, demonstration: bool) -> Policy {
        let per_item = self.is_per_item();
        let workers = self.workers.unwrap_or(match demonstration {
            true => DEMONSTRATION_WORKERS,
            false if is_set(self.terminal) => 1,
            false => self.host.cores.min(self.workers_max.unwrap_or(u32::MAX)),
        });
        let retries = self.retries.unwrap_or(0);
        // A command that a signal has ended is tried as often as one that has failed.
        let crash_limit = if per_item { retries.saturating_add(1) } else { CRASH_LIMIT };
        let crash_limit = self.crash_limit.unwrap_or(crash_limit);
        Policy {
            workers,
            worker: self.contract(),
            first_item: ItemId(0),
            queue_order: self.queue.unwrap_or(QueueOrder::Fifo),
            queue_items_max: self.queue_items_max.unwrap_or_else(|| self.read_ahead(source, workers)),
            batch_max: self.batch_items_max(source),
            keep_order: is_set(self.keep_order),
            start_together: demonstration,
            retries,
            hinted_retries: self.retries.unwrap_or(if is_set(self.round_robin) { 0 } else { HINTED_RETRIES }),
            exit_rules: self.rules_of_exits(),
            crash_limit,
            kill_limit: self.kill_limit.unwrap_or(if demonstration { None } else { Some(crash_limit) }),
            retry_delay: self.retry_delay.unwrap_or_default(),
            dead_max: self.dead_max.unwrap_or(Some(DEAD_MAX)),
            timeout: self.timeout,
            timeout_percent: self.timeout_percent,
            hello_timeout: self.start_timeout.or(self.wait_ready).unwrap_or(HELLO_TIMEOUT),
            // Another restart limit than the default alone decides.
            start_exits_max: self.intensity.is_none_or(|given| given == INTENSITY).then_some(START_EXITS_MAX),
            term_sequence: self.term_sequence.clone().unwrap_or_else(|| TERM_SEQUENCE.into()),
            start_delay: self.start_delay.filter(|delay| delay.max > Duration::ZERO),
            grace: self.grace.unwrap_or(GRACE),
            restart: self.restart.unwrap_or(RestartType::Permanent),
            strategy: self.strategy.unwrap_or(RestartStrategy::OneForOne),
            intensity: self.intensity.unwrap_or(INTENSITY),
            backoff: self.backoff.unwrap_or(BACKOFF),
            halt: self.halt,
            stop_at_abort: is_set(self.stop_at_abort),
            run_timeout: self.run_timeout,
            // A command's own end says when it began.
            report_starts: self.events.is_some()
                || self.trace_spec().is_on()
                || (self.joblog.is_some() && !self.is_per_item()),
            explains: self.trace_spec().is_on(),
            seed: self.seed.unwrap_or(self.host.seed),
            in_hand: per_item && !self.looks_at_starts(),
            chaos: self.chaos_plan(),
        }
    }

    /// Whether each start of a command is shown, asked for or shared with others, so that it has to be ordered at its time.
    fn looks_at_starts(&self) -> bool {
        is_set(self.terminal) || is_set(self.interactive) || is_set(self.round_robin) || is_set(self.verbose)
    }

    /// What may be relied on with the workers.
    fn contract(&self) -> WorkerContract {
        let credit = self.credit.unwrap_or(Credit::Auto);
        match self.text_protocol() {
            _ if self.is_per_item() => WorkerContract::per_item(),
            None | Some(ProtocolKind::Frames) => WorkerContract::resident(credit),
            // A program that is not fed ahead answers each line before it gets the next one, whatever it buffers.
            Some(ProtocolKind::Lines) => WorkerContract::foreign(false, self.credit.unwrap_or(Credit::Items(1)), true),
            Some(ProtocolKind::Json) => WorkerContract::foreign(self.wait_ready.is_some(), credit, false),
        }
    }

    /// Most items in one message.
    pub(super) fn message_items_max(&self, source: &SourceSpec) -> u32 {
        if self.is_per_item() || is_blocks(source) { 1 } else { self.batch_max.unwrap_or(u32::MAX) }
    }

    /// Most items in a batch: many messages, unless it matters when each item starts, which is known of a batch
    /// of one message alone.
    fn batch_items_max(&self, source: &SourceSpec) -> u32 {
        let message = self.message_items_max(source);
        // A line for each item, and the items of one dispatch leave in one write.
        if self.text_protocol().is_some() && !is_blocks(source) {
            return if self.events.is_some() { 1 } else { SHORT_MESSAGES_BATCH_ITEMS };
        }
        if self.batch_max.is_none() || self.events.is_some() || self.timeout.is_some() {
            message
        } else {
            message.max(SHORT_MESSAGES_BATCH_ITEMS)
        }
    }

    /// The default of `queue_items_max`. In fifo order just enough that no worker waits for the source.
    fn read_ahead(&self, source: &SourceSpec, workers: u32) -> u64 {
        let workers = u64::from(workers);
        match self.queue.unwrap_or(QueueOrder::Fifo) {
            // Blocks are large: two for each worker.
            _ if is_blocks(source) => 2 * workers + 2,
            QueueOrder::Lifo | QueueOrder::Priority => CHOOSING_QUEUE_ITEMS,
            QueueOrder::Fifo if self.is_per_item() => 4 * workers + 64,
            // A worker of tiny items settles some thousand in a millisecond and holds up to four such batches.
            QueueOrder::Fifo => (1 << 17).max(workers * (1 << 14)),
        }
    }
}

/// Whether an item is a block of many lines or records.
pub(super) const fn is_blocks(source: &SourceSpec) -> bool {
    match source {
        SourceSpec::Lines { split, .. } => split.makes_blocks(),
        _ => false,
    }
}
