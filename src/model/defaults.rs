//! From settings to a checked [`Config`]: all defaults, and all checks of a setting and between settings.
//!
//! Invariant: pure. What depends on the machine comes in as [`Host`](super::builder::Host), so the same settings and
//! the same host give the same configuration. No file is opened: whether an input can be read is found when the run
//! opens it.

use super::arranged;
use super::arrangement::{Arrangement, Insertion, ItemForm, LineFill};
use super::builder::{ConfigBuilder, SourceChoice, WorkerChoice};
use super::config::{
    ArrangedInput, Config, ExecSpec, ForeignSpec, Grouping, InputSpec, ProgressMode, SourceSpec, Split, StartRules,
    SummaryMode, TraceSpec, WorkerSpec, WorkersFileSpec,
};
use super::config_error::{ConfigError, Setting};
use super::journal_spec::ResumeBy;
use super::setting_values::{first_set, is_set};
use super::signal::Signal;
use super::spec::{
    Credit, Halt, IDENTITY_ALIAS, ITEM_BYTES_MAX, ProtocolKind, QueueOrder, TASKS, Threshold, TransportKind,
    TransportSpec,
};
use super::surroundings::Surroundings;
use super::time::Duration;

/// Items of the demonstration: the built-in worker on generated items.
const DEMONSTRATION_ITEMS: u64 = 20;

impl ConfigBuilder {
    /// Checks the settings and completes them.
    ///
    /// # Errors
    /// Two settings contradict each other, or a value is out of its range.
    pub fn build(self) -> Result<Config, ConfigError> {
        self.check_worker()?;
        self.check_protocol()?;
        self.check_terminal()?;
        self.check_chaos()?;
        self.check_surroundings()?;
        if is_set(self.quiet) && self.summary == Some(SummaryMode::Always) {
            return Err(ConfigError::QuietSummary);
        }
        self.check_records()?;
        let source = self.source_spec()?;
        let demonstration = self.is_built_in() && source.is_generated();
        let output = self.output_spec(demonstration)?;
        let worker = self.worker_spec(&source, demonstration)?;
        self.check_ranges()?;
        if is_set(self.interactive) && is_set(self.dry_run) {
            return Err(ConfigError::NothingStarted { setting: Setting::Interactive });
        }
        if is_set(self.trace_items) && self.trace.is_none() {
            return Err(ConfigError::TraceItems);
        }
        if self.journal.is_some() && is_set(self.dry_run) {
            return Err(ConfigError::NothingStarted { setting: Setting::Journal });
        }
        self.check_queue()?;
        if self.journal.is_some() && is_set(self.round_robin) {
            return Err(ConfigError::OneCommandPerSlot { setting: Setting::Journal });
        }
        let trace = self.trace_spec();
        Ok(Config {
            policy: self.policy(&source, demonstration),
            handles_signals: is_set(self.handle_signals),
            semaphore: self.semaphore.clone(),
            start_check: self.start_check.clone(),
            suspend_free_bytes: self.suspend_free_bytes,
            workers_max: self.workers_max,
            start_rules: StartRules { load_max: self.load_max, free_bytes_min: self.free_bytes_min },
            workers_file: self.workers_file.clone().map(|file| WorkersFileSpec { file, cores: self.host.cores }),
            message_items_max: self.message_items_max(&source),
            output,
            worker,
            source,
            surroundings: Surroundings {
                workdir: self.workdir,
                variables: self.variables.unwrap_or_default(),
                nice: self.nice.unwrap_or(0),
            },
            threads_per_worker: self.threads_per_worker,
            pty: is_set(self.pty),
            asks: is_set(self.interactive),
            round_robin: is_set(self.round_robin),
            pass_fds: self.pass_fds.unwrap_or_default(),
            leftovers: self.leftovers.unwrap_or_default(),
            tmpdir: self.tmpdir,
            earlier: self.earlier.unwrap_or_default(),
            journal: self.journal,
            control: is_set(self.control),
            trace,
            run_id: self.run_id.unwrap_or(self.host.run_id),
        })
    }

    pub(super) fn trace_spec(&self) -> TraceSpec {
        TraceSpec {
            file: self.trace.clone(),
            items: is_set(self.trace_items),
            flow: is_set(self.flow),
            color: self.color.unwrap_or_default(),
        }
    }

    pub(super) const fn is_built_in(&self) -> bool {
        matches!(self.worker, WorkerChoice::BuiltIn)
    }

    /// The protocol of a worker program that is not on our SDK.
    pub(super) fn text_protocol(&self) -> Option<ProtocolKind> {
        self.protocol.filter(|kind| *kind != ProtocolKind::Frames && matches!(self.worker, WorkerChoice::Program(_)))
    }

    /// Refuses a setting that the protocol cannot heed.
    fn check_protocol(&self) -> Result<(), ConfigError> {
        let text = self.text_protocol();
        let of_json =
            first_set(&[(Setting::WaitReady, self.wait_ready.is_some()), (Setting::JsonFd, is_set(self.json_fd))]);
        match (of_json, text) {
            (Some(setting), text) if text != Some(ProtocolKind::Json) => {
                return Err(ConfigError::NeedsProtocol { setting, protocol: ProtocolKind::Json });
            }
            _ => {}
        }
        let Some(protocol) = text else { return Ok(()) };
        if self.start_timeout.is_some() && self.wait_ready.is_none() {
            return Err(ConfigError::NothingToAwait);
        }
        match self.transport {
            _ if self.batch_max.is_some() => {
                Err(ConfigError::NeedsProtocol { setting: Setting::BatchMax, protocol: ProtocolKind::Frames })
            }
            _ if self.block.is_some() && protocol == ProtocolKind::Lines => Err(ConfigError::BlockOfLines),
            Some(transport) if !matches!(transport, TransportKind::Pipe | TransportKind::Socket) => {
                Err(ConfigError::FramesOnly { transport, protocol })
            }
            _ => Ok(()),
        }
    }

    pub(super) const fn is_per_item(&self) -> bool {
        matches!(self.worker, WorkerChoice::Command(_))
    }

    /// Refuses a setting that this kind of worker cannot heed. (All heed `intensity` and `backoff`: a command that
    /// cannot be started for lack of resources waits and gives up by them.)
    fn check_worker(&self) -> Result<(), ConfigError> {
        let threads = is_set(self.threads);
        let built_in = first_set(&[
            (Setting::Task, self.task.is_some()),
            (Setting::Delay, self.delay.is_some()),
            (Setting::Threads, threads),
        ]);
        let resident = first_set(&[
            (Setting::Transport, self.transport.is_some()),
            (Setting::Spin, self.spin.is_some()),
            (Setting::Spool, self.spool.is_some()),
            (Setting::Credit, self.credit.is_some()),
            (Setting::BatchMax, self.batch_max.is_some()),
            (Setting::StartTimeout, self.start_timeout.is_some()),
            (Setting::WorkerLog, self.worker_log.is_some()),
            (Setting::Restart, self.restart.is_some()),
            (Setting::Strategy, self.strategy.is_some()),
        ]);
        let per_item = first_set(&[
            (Setting::Shell, is_set(self.shell)),
            (Setting::QuotingShell, self.quoting_shell.is_some()),
            (Setting::Stdin, is_set(self.stdin)),
            (Setting::Merge, is_set(self.merge)),
            (Setting::ItemTmp, is_set(self.item_tmp)),
            (Setting::Pipe, is_set(self.pipe)),
            (Setting::Terminal, is_set(self.terminal)),
            (Setting::Interactive, is_set(self.interactive)),
            (Setting::ExitRules, self.exit_rules.is_some()),
            (Setting::TimeoutPercent, self.timeout_percent.is_some()),
            (Setting::SuccessOutput, self.success_output.is_some()),
            (Setting::FailureOutput, self.failure_output.is_some()),
            (Setting::Results, self.results.is_some()),
            (Setting::Grouping, self.grouping.is_some_and(|grouping| grouping != Grouping::Item)),
        ]);
        let per_item = per_item.or_else(|| self.arrangement.as_ref().and_then(arranged::of_commands));
        match (&self.worker, built_in, resident, per_item) {
            (WorkerChoice::Command(argv), ..) if argv.is_empty() && self.quoting_shell.is_some() => Ok(()),
            (WorkerChoice::Command(argv) | WorkerChoice::Program(argv), ..) if argv.is_empty() => {
                Err(ConfigError::NoProgram)
            }
            (WorkerChoice::Command(_) | WorkerChoice::Program(_), Some(setting), ..) => {
                Err(ConfigError::NeedsBuiltIn { setting })
            }
            (WorkerChoice::Command(_), _, Some(setting), _) => Err(ConfigError::NeedsResident { setting }),
            (WorkerChoice::BuiltIn | WorkerChoice::Program(_), .., Some(setting)) => {
                Err(ConfigError::NeedsCommand { setting })
            }
            _ if threads => self.check_threads(),
            _ => Ok(()),
        }
    }

    fn check_terminal(&self) -> Result<(), ConfigError> {
        let other_way =
            first_set(&[(Setting::JsonFd, is_set(self.json_fd)), (Setting::Transport, self.transport.is_some())]);
        match other_way {
            _ if !is_set(self.pty) || self.is_per_item() => {}
            _ if self.text_protocol().is_none() => return Err(ConfigError::NeedsText { setting: Setting::Pty }),
            Some(setting) => return Err(ConfigError::OtherWay { setting }),
            None => {}
        }
        if !is_set(self.terminal) {
            return Ok(());
        }
        match self.workers {
            _ if is_set(self.pty) => Err(ConfigError::TwoTerminals),
            Some(workers) if workers > 1 => Err(ConfigError::TerminalWorkers),
            _ if self.workers_file.is_some() || self.workers_max.is_some() => Err(ConfigError::TerminalWorkers),
            _ if !is_set(self.handle_signals) => Err(ConfigError::TerminalSignals),
            _ if self.shows_progress() => Err(ConfigError::TerminalProgress),
            _ => Ok(()),
        }
    }

    pub(super) fn shows_progress(&self) -> bool {
        self.progress.is_some_and(|mode| mode != ProgressMode::None)
    }

    /// No frame leaves the process, and a thread can neither be ended nor die alone.
    fn check_threads(&self) -> Result<(), ConfigError> {
        let processes = first_set(&[
            (Setting::Transport, self.transport.is_some()),
            (Setting::ThreadsPerWorker, self.threads_per_worker.is_some()),
            (Setting::PassFds, self.pass_fds.is_some()),
            (Setting::Workdir, self.workdir.is_some()),
            (Setting::Variables, self.variables.is_some()),
            (Setting::Nice, self.nice.is_some()),
            (Setting::Leftovers, self.leftovers.is_some()),
            (Setting::Timeout, self.timeout.is_some()),
            (Setting::SuspendFreeBytes, self.suspend_free_bytes.is_some()),
            (Setting::CrashLimit, self.crash_limit.is_some()),
            (Setting::KillLimit, self.kill_limit.is_some()),
            (Setting::Restart, self.restart.is_some()),
            (Setting::Strategy, self.strategy.is_some()),
            (Setting::WorkerLog, self.worker_log.is_some()),
        ]);
        processes.map_or(Ok(()), |setting| Err(ConfigError::NeedsProcesses { setting }))
    }

    fn check_queue(&self) -> Result<(), ConfigError> {
        match &self.journal {
            _ if !is_set(self.keep_open) => Ok(()),
            None => Err(ConfigError::QueueOfNone),
            Some(journal) if journal.resume_by == ResumeBy::Item => Err(ConfigError::QueueByItem),
            Some(_) => Ok(()),
        }
    }

    fn source_spec(&self) -> Result<SourceSpec, ConfigError> {
        let spec = match &self.source {
            Some(_) if is_set(self.keep_open) => return Err(ConfigError::QueueAlone { setting: Setting::Inputs }),
            None if is_set(self.keep_open) => SourceSpec::Queue,
            Some(choice) => self.source_of(choice)?,
            None if !self.is_built_in() => self.lines(InputSpec::Stdin)?,
            None => SourceSpec::Generate { count: DEMONSTRATION_ITEMS },
        };
        let arrangement = self.arrangement.clone().unwrap_or_default();
        if let (SourceSpec::Queue, Some(setting)) = (&spec, arranged::first_setting(&arrangement)) {
            return Err(ConfigError::QueueAlone { setting });
        }
        let spec = arranged::source(spec, arrangement, self.is_per_item());
        if let SourceSpec::Arranged { .. } = spec {
            let as_read = first_set(&[
                (Setting::Pipe, is_set(self.pipe)),
                (Setting::Block, self.block.is_some()),
                (Setting::PriorityQueue, self.queue == Some(QueueOrder::Priority)),
            ]);
            arranged::check(&spec, as_read, is_set(self.stdin))?;
        }
        // Items that come without bytes to cut.
        let cut = first_set(&[
            (Setting::Pipe, is_set(self.pipe)),
            (Setting::Delimiter, self.delimiter.is_some()),
            (Setting::Block, self.block.is_some()),
            (Setting::PriorityQueue, self.queue == Some(QueueOrder::Priority)),
        ]);
        match cut {
            Some(setting) if spec.inputs().next().is_none() => Err(ConfigError::NeedsInput { setting }),
            _ => Ok(spec),
        }
    }

    fn source_of(&self, choice: &SourceChoice) -> Result<SourceSpec, ConfigError> {
        Ok(match choice {
            SourceChoice::Input(input) => self.lines(input.clone())?,
            SourceChoice::Generate(count) => SourceSpec::Generate { count: *count },
            SourceChoice::Args(items) => SourceSpec::Args { items: items.clone() },
            SourceChoice::Several(inputs) => {
                let input = |(choice, linked): &(SourceChoice, bool)| {
                    Ok(ArrangedInput { source: self.source_of(choice)?, linked: *linked })
                };
                let inputs = inputs.iter().map(input).collect::<Result<_, _>>()?;
                SourceSpec::Arranged { inputs, arrangement: Arrangement::default(), form: ItemForm::Whole }
            }
        })
    }

    fn lines(&self, input: InputSpec) -> Result<SourceSpec, ConfigError> {
        let priority = self.queue == Some(QueueOrder::Priority);
        if let Some(records) = self.records()? {
            return Ok(SourceSpec::Lines { input, split: Split::Records(records), priority });
        }
        let split = match (self.block, self.delimiter.unwrap_or(Some(b'\n'))) {
            (Some(_), _) if priority => return Err(ConfigError::BlockPriority),
            (Some(_), _) if self.batch_max.is_some() => return Err(ConfigError::BlockBatchMax),
            (Some(bytes), delimiter) => Split::Block { bytes, delimiter },
            (None, Some(byte)) => Split::Delimiter(byte),
            (None, None) => return Err(ConfigError::NoDelimiter),
        };
        Ok(SourceSpec::Lines { input, split, priority })
    }

    fn worker_spec(&self, source: &SourceSpec, demonstration: bool) -> Result<WorkerSpec, ConfigError> {
        let transport = self.transport_spec(demonstration)?;
        match &self.worker {
            WorkerChoice::Command(argv) => {
                let (shell, hides_item) = (is_set(self.shell), is_set(self.pipe));
                let stdin = hides_item || is_set(self.stdin);
                let insertion = arranged::insertion(source, self.arrangement.as_ref());
                // As by GNU parallel, quoted words are repeated unless they are joined.
                let quotes_words = self.quoting_shell.as_ref().is_some_and(|shell| shell.quotes_words);
                let is_joined = self.arrangement.as_ref().is_some_and(|own| own.fill == Some(LineFill::Join));
                let repeats = insertion.repeats || (quotes_words && !is_joined);
                let insertion = Insertion { hides_item, repeats, ..insertion };
                let (argv, terminal, merges) = (argv.clone(), is_set(self.terminal), is_set(self.merge));
                let (item_tmp, quoting_shell) = (is_set(self.item_tmp), self.quoting_shell.clone());
                Ok(WorkerSpec::Exec(ExecSpec {
                    argv,
                    shell,
                    quoting_shell,
                    stdin,
                    merges,
                    item_tmp,
                    terminal,
                    insertion,
                }))
            }
            WorkerChoice::Program(argv) => Ok(match self.text_protocol() {
                None => WorkerSpec::Frames { argv: argv.clone(), transport },
                Some(protocol) => WorkerSpec::Foreign(ForeignSpec {
                    argv: argv.clone(),
                    protocol,
                    transport,
                    waits_until_ready: self.wait_ready.is_some(),
                    own_fds: is_set(self.json_fd),
                }),
            }),
            WorkerChoice::BuiltIn => {
                let task = match self.task.as_deref().unwrap_or(TASKS[0]) {
                    IDENTITY_ALIAS => "identity".to_owned(),
                    task => task.to_owned(),
                };
                if !TASKS.contains(&task.as_str()) {
                    return Err(ConfigError::UnknownTask { task });
                }
                let delay = self.delay.unwrap_or_default();
                Ok(if is_set(self.threads) {
                    WorkerSpec::Thread { task, delay }
                } else {
                    WorkerSpec::BuiltIn { task, delay, transport }
                })
            }
        }
    }

    /// The fastest transport by default; in the demonstration the plainest, which the system's own tools can show.
    fn transport_spec(&self, demonstration: bool) -> Result<TransportSpec, ConfigError> {
        let is_plain = demonstration || self.text_protocol().is_some();
        let default = if is_plain { TransportKind::Pipe } else { TransportKind::Shm };
        let kind = self.transport.unwrap_or(default);
        if self.spin.is_some() && kind != TransportKind::Shm {
            return Err(ConfigError::NeedsTransport { setting: Setting::Spin, transport: TransportKind::Shm });
        }
        if self.spool.is_some() && kind != TransportKind::File {
            return Err(ConfigError::NeedsTransport { setting: Setting::Spool, transport: TransportKind::File });
        }
        let fallback = (self.transport.is_none() && kind == TransportKind::Shm).then_some(TransportKind::Pipe);
        Ok(TransportSpec { kind, spin: self.spin.unwrap_or_default(), spool: self.spool.clone(), fallback })
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        let arrangement = self.arrangement.as_ref();
        let zero = first_set(&[
            (Setting::Workers, self.workers == Some(0)),
            (Setting::ThreadsPerWorker, self.threads_per_worker == Some(0)),
            (Setting::QueueItemsMax, self.queue_items_max == Some(0)),
            (Setting::Credit, self.credit == Some(Credit::Items(0))),
            (Setting::BatchMax, self.batch_max == Some(0)),
            (Setting::CrashLimit, self.crash_limit == Some(0)),
            (Setting::KillLimit, self.kill_limit == Some(Some(0))),
            (Setting::DeadMax, self.dead_max == Some(Some(0))),
            (Setting::Timeout, self.timeout == Some(Duration::ZERO)),
            (Setting::TimeoutPercent, self.timeout_percent == Some(0)),
            (Setting::LoadMax, self.load_max == Some(0)),
            (Setting::SuspendFreeBytes, self.suspend_free_bytes == Some(0)),
            (Setting::WorkersMax, self.workers_max == Some(0)),
            (Setting::RunTimeout, self.run_timeout == Some(Duration::ZERO)),
            (Setting::WaitReady, self.wait_ready == Some(Duration::ZERO)),
            (Setting::StartTimeout, self.start_timeout == Some(Duration::ZERO)),
            (Setting::Intensity, self.intensity.is_some_and(|intensity| intensity.period == Duration::ZERO)),
            (Setting::Halt, self.halt.is_some_and(|halt| matches!(halt.threshold, Threshold::Items(0)))),
            (Setting::LinesMax, arrangement.and_then(|own| own.lines_max) == Some(0)),
            (Setting::LineBytesMax, arrangement.and_then(|own| own.line_bytes_max) == Some(0)),
            (Setting::Replace, arrangement.and_then(|own| own.replace.as_ref()).is_some_and(Vec::is_empty)),
        ]);
        let is_percent = |halt: Halt| match halt.threshold {
            Threshold::Percent(percent) | Threshold::PercentOfAll(percent) => (1..=100).contains(&percent),
            Threshold::Items(_) => true,
        };
        let run_id = self.run_id.as_deref().unwrap_or(&self.host.run_id);
        if let Some(setting) = zero {
            return Err(ConfigError::Zero { setting });
        }
        self.check_worker_counts()?;
        if self.timeout.is_some() && self.timeout_percent.is_some() {
            return Err(ConfigError::TwoTimeouts);
        }
        if let Some(fd) = self.pass_fds.iter().flatten().find(|fd| **fd < 3) {
            return Err(ConfigError::PassedStandard { fd: *fd });
        }
        if self.block.is_some_and(|bytes| !(1..=ITEM_BYTES_MAX as u64).contains(&bytes)) {
            return Err(ConfigError::BlockBytes);
        }
        if self.term_sequence.as_ref().is_some_and(|steps| steps.last().map(|step| step.signal) != Some(Signal::KILL)) {
            return Err(ConfigError::NoKill);
        }
        if self.backoff.is_some_and(|backoff| backoff.min > backoff.max) {
            return Err(ConfigError::BackoffOrder);
        }
        if self.start_delay.is_some_and(|delay| delay.min > delay.max) {
            return Err(ConfigError::StartDelayOrder);
        }
        if self.halt.is_some_and(|halt| !is_percent(halt)) {
            return Err(ConfigError::HaltPercent);
        }
        self.check_exit_rules()?;
        if run_id.is_empty() || !run_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(ConfigError::RunId);
        }
        Ok(())
    }

    fn check_worker_counts(&self) -> Result<(), ConfigError> {
        match (self.workers, self.workers_max) {
            (Some(_), _) if self.workers_file.is_some() => Err(ConfigError::TwoWorkerCounts),
            (_, Some(_)) if self.workers_file.is_some() => Err(ConfigError::WorkersMaxOfFile),
            (Some(workers), Some(max)) if workers > max => Err(ConfigError::WorkersAboveMax { workers, max }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::Host;
    use super::super::config::OutputMode;
    use super::super::exit_rule::{ExitMatch, ExitRule};
    use super::super::journal_spec::JournalSpec;
    use super::super::policy_defaults::step;
    use super::super::spec::Backoff;
    use super::super::spec::HaltOn;
    use super::*;

    fn builder() -> ConfigBuilder {
        ConfigBuilder::new(Host { cores: 8, cores_why: None, seed: 7, run_id: "run".into() })
    }

    #[track_caller]
    fn check(builder: ConfigBuilder, expected: ConfigError) {
        assert_eq!(builder.build(), Err(expected));
    }

    #[test]
    fn a_command_on_items_gets_the_defaults_of_commands() {
        let config = builder().command(["gzip", "{}"]).items(["a", "b"]).build().unwrap();
        let argv = vec!["gzip".into(), "{}".into()];
        assert_eq!(
            config.worker,
            WorkerSpec::Exec(ExecSpec {
                argv,
                shell: false,
                quoting_shell: None,
                stdin: false,
                merges: false,
                item_tmp: false,
                terminal: false,
                insertion: crate::model::arrangement::Insertion::default()
            })
        );
        assert_eq!(config.source, SourceSpec::Args { items: vec!["a".into(), "b".into()] });
        assert_eq!((config.policy.workers, config.policy.crash_limit, config.message_items_max), (8, 1, 1));
        assert_eq!((config.policy.seed, config.run_id.as_str()), (7, "run"));
        assert_eq!(config.output.mode, OutputMode::Results);
    }

    #[test]
    fn a_worker_program_reads_stdin_over_shared_memory() {
        let config = builder().worker_program(["./w"]).delimiter(Some(0)).build().unwrap();
        let shm = TransportSpec { fallback: Some(TransportKind::Pipe), ..TransportKind::Shm.into() };
        assert_eq!(config.worker.transport(), Some(&shm));
        let named = builder().worker_program(["./w"]).transport(TransportKind::Shm).build().unwrap();
        assert_eq!(named.worker.transport(), Some(&TransportKind::Shm.into()), "what is named has no fallback");
        let split = Split::Delimiter(0);
        assert_eq!(config.source, SourceSpec::Lines { input: InputSpec::Stdin, split, priority: false });
        assert_eq!((config.policy.crash_limit, config.message_items_max), (3, u32::MAX));
    }

    #[test]
    fn nothing_set_is_the_demonstration() {
        let config = builder().build().unwrap();
        assert_eq!(config, builder().generate(20).workers(5).transport(TransportKind::Pipe).build().unwrap());
        assert_eq!((config.output.mode, config.policy.start_together), (OutputMode::Narrate, true));
    }

    #[test]
    fn what_is_set_is_what_is_built() {
        let halt = Halt { on: HaltOn::Done, threshold: Threshold::Percent(100), now: false };
        let steps = vec![step(Signal::KILL, 0)];
        let config = builder()
            .worker_program(["./w"])
            .input(InputSpec::File("in".into()))
            .transport(TransportKind::File)
            .spool("folder")
            .batch_max(3)
            .credit(Credit::Items(9))
            .dead_max(None)
            .halt(halt)
            .term_sequence(steps.clone())
            .events("events.jsonl")
            .seed(1)
            .run_id("mine-1")
            .quiet(true)
            .build()
            .unwrap();
        assert_eq!(config.worker.transport().and_then(|transport| transport.spool.clone()), Some("folder".into()));
        assert_eq!((config.message_items_max, config.policy.batch_max), (3, 3), "events need batches of one message");
        assert_eq!((config.policy.worker.credit, config.policy.dead_max), (Credit::Items(9), None));
        assert_eq!((config.policy.halt, config.policy.term_sequence), (Some(halt), steps));
        assert_eq!((config.policy.seed, config.run_id.as_str()), (1, "mine-1"));
        assert_eq!((config.output.summary, config.output.quiet), (SummaryMode::Never, true));
    }

    #[test]
    fn a_setting_that_the_worker_cannot_heed_is_refused() {
        check(builder().command([""; 0]), ConfigError::NoProgram);
        check(builder().worker_program(["w"]).task("cube"), ConfigError::NeedsBuiltIn { setting: Setting::Task });
        check(builder().command(["x"]).threads(true), ConfigError::NeedsBuiltIn { setting: Setting::Threads });
        let credit = Credit::Items(2);
        check(builder().command(["x"]).credit(credit), ConfigError::NeedsResident { setting: Setting::Credit });
        check(builder().shell(true), ConfigError::NeedsCommand { setting: Setting::Shell });
        check(builder().worker_program(["w"]).pty(true), ConfigError::NeedsText { setting: Setting::Pty });
        let lines = || builder().worker_program(["w"]).protocol(ProtocolKind::Lines).pty(true);
        assert!(lines().build().is_ok_and(|config| config.pty));
        let way = ConfigError::OtherWay { setting: Setting::Transport };
        check(lines().transport(TransportKind::Pipe), way);
        let json = lines().protocol(ProtocolKind::Json).json_fd(true);
        check(json, ConfigError::OtherWay { setting: Setting::JsonFd });
        check(builder().command(["vi"]).pty(true).terminal(true), ConfigError::TwoTerminals);
        let timeout = Duration::from_secs(1);
        let threads = builder().threads(true);
        check(threads.timeout(timeout), ConfigError::NeedsProcesses { setting: Setting::Timeout });
        check(builder().task("dance"), ConfigError::UnknownTask { task: "dance".into() });
        let spin = ConfigError::NeedsTransport { setting: Setting::Spin, transport: TransportKind::Shm };
        check(builder().spin(Duration::ZERO), spin);
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let input = || builder().input(InputSpec::Stdin);
        check(builder().items(["a"]).block(1), ConfigError::NeedsInput { setting: Setting::Block });
        check(input().delimiter(None), ConfigError::NoDelimiter);
        check(input().block(1).queue(QueueOrder::Priority), ConfigError::BlockPriority);
        check(input().block(1).batch_max(1), ConfigError::BlockBatchMax);
        check(input().block(1).tag(true), ConfigError::TagOfBlocks);
        let mut journal = JournalSpec::new("journal");
        check(builder().keep_open(true), ConfigError::QueueOfNone);
        let alone = ConfigError::QueueAlone { setting: Setting::Inputs };
        check(builder().journal(journal.clone()).keep_open(true).items(["a"]), alone);
        journal.resume_by = ResumeBy::Item;
        check(builder().journal(journal).keep_open(true), ConfigError::QueueByItem);
        check(builder().tag(true), ConfigError::TagOfMode { mode: OutputMode::Narrate });
        check(builder().quiet(true).summary(SummaryMode::Always), ConfigError::QuietSummary);
        check(builder().quiet(true).progress(ProgressMode::Auto), ConfigError::QuietProgress);
        let on_terminal = builder().command(["x"]).terminal(true).handle_signals(true);
        check(on_terminal.progress(ProgressMode::Bar), ConfigError::TerminalProgress);
    }

    #[test]
    fn a_value_out_of_its_range_is_refused() {
        check(builder().workers(0), ConfigError::Zero { setting: Setting::Workers });
        check(builder().dead_max(Some(0)), ConfigError::Zero { setting: Setting::DeadMax });
        check(builder().run_timeout(Duration::ZERO), ConfigError::Zero { setting: Setting::RunTimeout });
        let input = builder().input(InputSpec::Stdin);
        check(input.clone().block(0), ConfigError::BlockBytes);
        check(input.block(ITEM_BYTES_MAX as u64 + 1), ConfigError::BlockBytes);
        check(builder().term_sequence(vec![]), ConfigError::NoKill);
        check(builder().term_sequence(vec![step(Signal::TERM, 1)]), ConfigError::NoKill);
        let backoff = Backoff { min: Duration::from_secs(2), max: Duration::from_secs(1) };
        check(builder().backoff(backoff), ConfigError::BackoffOrder);
        let halt = |threshold| builder().halt(Halt { on: HaltOn::Fail, threshold, now: true });
        check(halt(Threshold::Percent(101)), ConfigError::HaltPercent);
        check(halt(Threshold::Items(0)), ConfigError::Zero { setting: Setting::Halt });
        let rules = |rules: &[(ExitMatch, ExitRule)]| builder().command(["x"]).exit_rules(rules.to_vec());
        for status in [ExitMatch::Code(0), ExitMatch::Signal(Signal(0)), ExitMatch::Signal(Signal(65))] {
            check(rules(&[(status, ExitRule::Fail)]), ConfigError::NoExitRule { status });
        }
        let status = ExitMatch::Code(1);
        let both = [ExitRule::Dead, ExitRule::Halt];
        check(rules(&both.map(|rule| (status, rule))), ConfigError::TwoExitRules { status, rules: both });
        check(builder().exit_rules(vec![]), ConfigError::NeedsCommand { setting: Setting::ExitRules });
        check(builder().run_id("a/b"), ConfigError::RunId);
        check(builder().run_id(""), ConfigError::RunId);
    }
}
