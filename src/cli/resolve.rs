//! From what was typed to what is meant: defaults, and checks across flags. Nothing later parses again.
//!
//! Invariant: pure. What depends on the machine comes in as [`Surroundings`], so every answer can be
//! tested. Files are not looked at: whether an input can be read is found when it is opened.

use super::args::{Args, Isolation, Protocol};
use super::error::UsageError;
use super::separators::Given;
use super::values::{Delimiter, HaltChoice, MaxDead, Workers};
use crate::model::config::{
    Config, ExecSpec, InputSpec, OutputMode, OutputSpec, SourceSpec, Split, SummaryMode, WorkerSpec,
};
use crate::model::ids::ItemId;
use crate::model::signal::Signal;
use crate::model::spec::{
    Backoff, Credit, ExitCodeStyle, Halt, HaltOn, Intensity, Policy, QueueOrder, RestartStrategy, RestartType, TASKS,
    TermStep, Threshold, TransportKind, TransportSpec, WorkerContract,
};
use crate::model::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the answer depends on besides the command line.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Cores that this process may use, at least 1.
    pub cores: u32,
    /// Taken if no `--seed` is given.
    pub seed: u64,
    pub run_id: String,
}

/// A checked command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    pub config: Config,
    pub exit_codes: ExitCodeStyle,
}

/// Workers and items of the demonstration.
const DEMONSTRATION_WORKERS: u32 = 5;
const DEMONSTRATION_ITEMS: u64 = 20;

/// Items in a run whose messages are kept short: enough that the work per run is nothing beside that per message.
const RUN_ITEMS: u32 = 1024;

/// Which kind of worker the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    BuiltIn,
    /// COMMAND speaks frames.
    Frames,
    Exec,
}

/// Checks and completes what was typed.
///
/// # Errors
/// Two flags contradict each other, or one makes no sense here.
pub fn resolve(
    args: &Args,
    command: Vec<OsString>,
    input: Option<Given>,
    here: &Surroundings,
) -> Result<Invocation, UsageError> {
    let kind = kind(args, &command)?;
    check_kind(args, kind)?;
    check_output(args)?;
    let source = source(args, input, kind)?;
    let demonstration = kind == Kind::BuiltIn && matches!(source, SourceSpec::Generate { .. });
    let mode = args.output.unwrap_or(if demonstration { OutputMode::Narrate } else { OutputMode::Results });
    check_tag(args, mode)?;
    let message_items_max = message_items_max(args, kind, &source);
    Ok(Invocation {
        config: Config {
            policy: policy(args, kind, &source, demonstration, here),
            message_items_max,
            output: output(args, mode),
            worker: worker(args, kind, command, demonstration)?,
            source,
            run_id: here.run_id.clone(),
        },
        exit_codes: args.exit_code.unwrap_or(ExitCodeStyle::Own),
    })
}

fn kind(args: &Args, command: &[OsString]) -> Result<Kind, UsageError> {
    match (command.is_empty(), args.protocol) {
        (true, Some(Protocol::Exec)) => Err(UsageError::NeedsCommand { flag: "--protocol exec" }),
        (true, _) => Ok(Kind::BuiltIn),
        (false, Some(Protocol::Frames)) => Ok(Kind::Frames),
        (false, _) => Ok(Kind::Exec),
    }
}

/// The first flag of a list that was given.
fn first_given(flags: &[(&'static str, bool)]) -> Option<&'static str> {
    flags.iter().find(|(_, given)| *given).map(|(flag, _)| *flag)
}

/// A flag that this kind of worker cannot heed is refused, never ignored. (`--max-restarts` and
/// `--backoff` are heeded by all: a command that cannot be started for a shortage waits and gives up by them.)
fn check_kind(args: &Args, kind: Kind) -> Result<(), UsageError> {
    let threads = args.isolation == Some(Isolation::Thread);
    let built_in = first_given(&[
        ("--task", args.task.is_some()),
        ("--delay", args.delay.is_some()),
        ("--isolation thread", threads),
    ]);
    let frames = first_given(&[
        ("--transport", args.transport.is_some()),
        ("--spin", args.spin.is_some()),
        ("--spool", args.spool.is_some()),
        ("--credit", args.credit.is_some()),
        ("--batch-max", args.batch_max.is_some()),
        ("--restart", args.restart.is_some()),
        ("--strategy", args.strategy.is_some()),
    ]);
    let exec = first_given(&[("--shell", args.shell), ("--stdin", args.stdin), ("--verbose", args.verbose)]);
    match (kind, built_in, frames, exec) {
        (Kind::Frames | Kind::Exec, Some(flag), _, _) => Err(UsageError::NeedsBuiltIn { flag }),
        (Kind::Exec, _, Some(flag), _) => Err(UsageError::NeedsFrames { flag }),
        (Kind::BuiltIn | Kind::Frames, _, _, Some(flag)) => Err(UsageError::NeedsExec { flag }),
        _ if threads => check_threads(args),
        _ => Ok(()),
    }
}

/// No frame leaves the process, and a thread can neither be ended nor die alone.
fn check_threads(args: &Args) -> Result<(), UsageError> {
    let flag = first_given(&[
        ("--transport", args.transport.is_some()),
        ("--timeout", args.timeout.is_some()),
        ("--crash-limit", args.crash_limit.is_some()),
        ("--restart", args.restart.is_some()),
        ("--strategy", args.strategy.is_some()),
    ]);
    flag.map_or(Ok(()), |flag| Err(UsageError::NeedsProcesses { flag }))
}

fn check_output(args: &Args) -> Result<(), UsageError> {
    if args.quiet && args.summary == Some(SummaryMode::Always) {
        return Err(UsageError::QuietSummary);
    }
    if args.events.as_ref().is_some_and(|file| file.as_os_str() == "-") {
        return Err(UsageError::EventsOnStdout);
    }
    Ok(())
}

fn check_tag(args: &Args, mode: OutputMode) -> Result<(), UsageError> {
    if args.tag && args.block.is_some() {
        return Err(UsageError::TagOfBlocks);
    }
    match mode {
        OutputMode::Narrate if args.tag => Err(UsageError::NeedsResults { mode: "narrate" }),
        OutputMode::Json if args.tag => Err(UsageError::NeedsResults { mode: "json" }),
        _ => Ok(()),
    }
}

/// Where items come from: one place.
fn source(args: &Args, input: Option<Given>, kind: Kind) -> Result<SourceSpec, UsageError> {
    let separator = input.as_ref().map(|given| match given {
        Given::Items(_) => ":::",
        Given::File(_) => "::::",
    });
    let named = [args.items.map(|_| "--items"), args.arg_file.as_ref().map(|_| "--arg-file"), separator];
    let mut named = named.into_iter().flatten();
    if let (Some(first), Some(second)) = (named.next(), named.next()) {
        return Err(UsageError::TwoInputs { first, second });
    }
    let file = match (input, &args.arg_file) {
        (Some(Given::Items(items)), _) => {
            check_no_lines(args)?;
            return Ok(SourceSpec::Args { items });
        }
        (Some(Given::File(file)), _) => Some(file),
        (None, file) => file.clone(),
    };
    match (file, args.items) {
        (Some(file), _) => lines(args, input_of(file)),
        (None, None) if kind != Kind::BuiltIn => lines(args, InputSpec::Stdin),
        (None, items) => {
            check_no_lines(args)?;
            Ok(SourceSpec::Generate { count: items.unwrap_or(DEMONSTRATION_ITEMS) })
        }
    }
}

fn input_of(file: PathBuf) -> InputSpec {
    if file.as_os_str() == "-" { InputSpec::Stdin } else { InputSpec::File(file) }
}

/// Flags that say how bytes are cut into items are refused where items come without bytes to cut.
fn check_no_lines(args: &Args) -> Result<(), UsageError> {
    let lines = first_given(&[
        ("--null", args.null),
        ("--delimiter", args.delimiter.is_some()),
        ("--block", args.block.is_some()),
        ("--queue priority", args.queue == Some(QueueOrder::Priority)),
    ]);
    lines.map_or(Ok(()), |flag| Err(UsageError::NeedsLines { flag }))
}

fn lines(args: &Args, input: InputSpec) -> Result<SourceSpec, UsageError> {
    let priority = args.queue == Some(QueueOrder::Priority);
    let delimiter = match args.delimiter {
        _ if args.null => Some(0),
        None => Some(b'\n'),
        Some(Delimiter::Byte(byte)) => Some(byte),
        Some(Delimiter::Nothing) => None,
    };
    let split = match (args.block, delimiter) {
        (Some(_), _) if priority => return Err(UsageError::BlockPriority),
        (Some(_), _) if args.batch_max.is_some() => return Err(UsageError::BlockBatchMax),
        (Some(bytes), delimiter) => Split::Block { bytes, delimiter },
        (None, Some(byte)) => Split::Delimiter(byte),
        (None, None) => return Err(UsageError::NoDelimiter),
    };
    Ok(SourceSpec::Lines { input, split, priority })
}

fn worker(args: &Args, kind: Kind, argv: Vec<OsString>, demonstration: bool) -> Result<WorkerSpec, UsageError> {
    let transport = transport(args, demonstration)?;
    match kind {
        Kind::Exec => Ok(WorkerSpec::Exec(ExecSpec { argv, shell: args.shell, stdin: args.stdin })),
        Kind::Frames => Ok(WorkerSpec::Frames { argv, transport }),
        Kind::BuiltIn => {
            let task = args.task.as_deref().unwrap_or(TASKS[0]).to_owned();
            if !TASKS.contains(&task.as_str()) {
                return Err(UsageError::NoTask { task, known: TASKS.join(", ") });
            }
            let delay = args.delay.unwrap_or_default();
            Ok(match args.isolation {
                Some(Isolation::Thread) => WorkerSpec::Thread { task, delay },
                Some(Isolation::Process) | None => WorkerSpec::BuiltIn { task, delay, transport },
            })
        }
    }
}

/// The fastest, unless something else is asked for; in the demonstration the plainest, which anybody can watch
/// with the system's own tools.
fn transport(args: &Args, demonstration: bool) -> Result<TransportSpec, UsageError> {
    let default = if demonstration { TransportKind::Pipe } else { TransportKind::Shm };
    let kind = args.transport.unwrap_or(default);
    if args.spin.is_some() && kind != TransportKind::Shm {
        return Err(UsageError::NeedsTransport { flag: "--spin", transport: TransportKind::Shm.name() });
    }
    if args.spool.is_some() && kind != TransportKind::File {
        return Err(UsageError::NeedsTransport { flag: "--spool", transport: TransportKind::File.name() });
    }
    Ok(TransportSpec { kind, spin: args.spin.unwrap_or_default(), spool: args.spool.clone() })
}

fn policy(args: &Args, kind: Kind, source: &SourceSpec, demonstration: bool, here: &Surroundings) -> Policy {
    let per_item = kind == Kind::Exec;
    let workers = match args.workers {
        Some(Workers::Count(count)) => count,
        Some(Workers::Percent(percent)) => share(here.cores, percent),
        None if demonstration => DEMONSTRATION_WORKERS,
        Some(Workers::Auto) | None => here.cores,
    };
    let queue_order = args.queue.unwrap_or(QueueOrder::Fifo);
    Policy {
        workers,
        worker: if per_item {
            WorkerContract::per_item()
        } else {
            WorkerContract::resident(args.credit.unwrap_or(Credit::Auto))
        },
        first_item: ItemId(0),
        queue_order,
        queue_items_max: args.queue_items_max.unwrap_or_else(|| queue_items_max(queue_order, kind, source, workers)),
        batch_max: batch_max(args, kind, source),
        keep_order: args.keep_order,
        start_together: demonstration,
        retries: args.retries.unwrap_or(0),
        // A command that a signal ended is not run a second time unless asked.
        crash_limit: args.crash_limit.unwrap_or(if per_item { 1 } else { 3 }),
        retry_delay: args.retry_delay.unwrap_or_default(),
        dead_max: match args.max_dead {
            Some(MaxDead::Never) => None,
            Some(MaxDead::After(dead)) => Some(dead),
            None => Some(20),
        },
        timeout: args.timeout,
        hello_timeout: Duration::from_secs(10),
        term_sequence: args.term_seq.as_ref().map_or_else(term_sequence, |sequence| sequence.0.clone()),
        grace: args.grace.unwrap_or(Duration::from_secs(10)),
        restart: args.restart.unwrap_or(RestartType::Permanent),
        strategy: args.strategy.unwrap_or(RestartStrategy::OneForOne),
        intensity: args.max_restarts.unwrap_or(Intensity { restarts_max: 5, period: Duration::from_secs(10) }),
        backoff: args.backoff.unwrap_or(Backoff { min: Duration::from_millis(100), max: Duration::from_secs(10) }),
        halt: halt(args),
        run_timeout: args.run_timeout,
        seed: args.seed.unwrap_or(here.seed),
    }
}

/// Most items in one message.
fn message_items_max(args: &Args, kind: Kind, source: &SourceSpec) -> u32 {
    let one_by_one = kind == Kind::Exec || matches!(source, SourceSpec::Lines { split: Split::Block { .. }, .. });
    if one_by_one { 1 } else { args.batch_max.unwrap_or(u32::MAX) }
}

/// Most items in a run: many messages, unless somebody asks when each item starts, which is known of a
/// run of one alone.
fn batch_max(args: &Args, kind: Kind, source: &SourceSpec) -> u32 {
    let message = message_items_max(args, kind, source);
    if args.batch_max.is_none() || args.events.is_some() || args.timeout.is_some() {
        message
    } else {
        message.max(RUN_ITEMS)
    }
}

/// A share of the cores, rounded down, at least 1.
fn share(cores: u32, percent: u32) -> u32 {
    let workers = u64::from(cores) * u64::from(percent) / 100;
    u32::try_from(workers.max(1)).unwrap_or(u32::MAX)
}

/// How far to read ahead. In fifo order just enough that no worker ever waits for the source; the
/// other orders mean more the more they see.
fn queue_items_max(order: QueueOrder, kind: Kind, source: &SourceSpec, workers: u32) -> u64 {
    let workers = u64::from(workers);
    match (order, kind, source) {
        // Blocks are large: two for each worker.
        (_, _, SourceSpec::Lines { split: Split::Block { .. }, .. }) => 2 * workers + 2,
        (QueueOrder::Lifo | QueueOrder::Priority, _, _) => 1_000_000,
        (QueueOrder::Fifo, Kind::Exec, _) => 4 * workers + 64,
        // A worker of tiny items settles some thousand in a millisecond and holds up to four such runs.
        (QueueOrder::Fifo, Kind::BuiltIn | Kind::Frames, _) => (1 << 17).max(workers * (1 << 14)),
    }
}

/// `TERM,200,TERM,100,TERM,50,KILL,25`, as GNU parallel's.
fn term_sequence() -> Vec<TermStep> {
    [(Signal::TERM, 200), (Signal::TERM, 100), (Signal::TERM, 50), (Signal::KILL, 25)]
        .map(|(signal, wait_ms)| TermStep { signal, wait: Duration::from_millis(wait_ms) })
        .into()
}

fn halt(args: &Args) -> Option<Halt> {
    match args.halt {
        Some(HaltChoice::At(halt)) => Some(halt),
        None if args.fail_fast => Some(Halt { on: HaltOn::Fail, threshold: Threshold::Items(1), now: true }),
        Some(HaltChoice::Never) | None => None,
    }
}

fn output(args: &Args, mode: OutputMode) -> OutputSpec {
    OutputSpec {
        mode,
        tag: args.tag,
        verbose: args.verbose,
        dry_run: args.dry_run,
        events: args.events.clone(),
        summary: args.summary.unwrap_or(if args.quiet { SummaryMode::Never } else { SummaryMode::Auto }),
        quiet: args.quiet,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Parsed, parse};
    use super::*;
    use crate::model::spec::Blame;

    fn here() -> Surroundings {
        Surroundings { cores: 8, seed: 7, run_id: "run".into() }
    }

    /// Words are cut at blanks; `''` is the empty word.
    fn invocation(typed: &str) -> Result<Invocation, UsageError> {
        let words = typed.split_whitespace().map(|word| if word == "''" { "" } else { word }.into());
        match parse(words, &here())? {
            Parsed::Run(invocation) => Ok(*invocation),
            Parsed::Show(text) => panic!("{typed}: {text}"),
        }
    }

    fn config(typed: &str) -> Config {
        invocation(typed).unwrap_or_else(|error| panic!("{typed}: {error}")).config
    }

    fn error(typed: &str) -> UsageError {
        invocation(typed).map(|found| panic!("{typed}: {found:?}")).unwrap_err()
    }

    fn stdin_by(byte: u8) -> SourceSpec {
        SourceSpec::Lines { input: InputSpec::Stdin, split: Split::Delimiter(byte), priority: false }
    }

    #[test]
    fn nothing_typed_is_the_demonstration() {
        let config = config("");
        assert_eq!(config.source, SourceSpec::Generate { count: 20 });
        assert_eq!(
            config.worker,
            WorkerSpec::BuiltIn { task: "square".into(), delay: Duration::ZERO, transport: TransportKind::Pipe.into() }
        );
        assert_eq!(config.output.mode, OutputMode::Narrate);
        assert_eq!((config.policy.workers, config.policy.start_together), (5, true));
        assert_eq!((config.policy.crash_limit, config.policy.dead_max), (3, Some(20)));
        assert_eq!((config.policy.seed, config.run_id.as_str()), (7, "run"));
    }

    #[test]
    fn generated_items_are_the_demonstration_too() {
        let config = config("--items 100 --delay 1s");
        assert_eq!(config.source, SourceSpec::Generate { count: 100 });
        assert_eq!(config.output.mode, OutputMode::Narrate);
        assert_eq!((config.policy.workers, config.policy.start_together), (5, true));
        let WorkerSpec::BuiltIn { delay, .. } = config.worker else { panic!("{:?}", config.worker) };
        assert_eq!(delay, Duration::from_secs(1));
    }

    #[test]
    fn given_input_means_results_and_all_cores() {
        for typed in ["-a -", ":::: -", "::: 3 4", "--protocol frames -a -"] {
            let config = config(typed);
            assert_eq!(config.output.mode, OutputMode::Results, "{typed}");
            assert_eq!((config.policy.workers, config.policy.start_together), (8, false), "{typed}");
            assert_eq!(config.policy.worker.blame, Blame::ProgressPage, "{typed}");
        }
        assert_eq!(config("::: 3 4").source, SourceSpec::Args { items: vec!["3".into(), "4".into()] });
    }

    #[test]
    fn items_travel_the_fastest_way_and_those_of_the_demonstration_the_plainest() {
        for (typed, kind) in [
            ("", TransportKind::Pipe),
            ("--items 100 --task cube", TransportKind::Pipe),
            ("--items 100 --transport shm", TransportKind::Shm),
            ("-a -", TransportKind::Shm),
            ("-a - --spin 1ms", TransportKind::Shm),
            ("-a - --transport pipe", TransportKind::Pipe),
            ("--protocol frames -- ./worker", TransportKind::Shm),
        ] {
            let (WorkerSpec::BuiltIn { transport, .. } | WorkerSpec::Frames { transport, .. }) = config(typed).worker
            else {
                panic!("{typed}");
            };
            assert_eq!(transport.kind, kind, "{typed}");
        }
    }

    #[test]
    fn a_command_runs_once_per_line_of_stdin() {
        let config = config("-k -- echo -n {}");
        let argv = vec!["echo".into(), "-n".into(), "{}".into()];
        assert_eq!(config.worker, WorkerSpec::Exec(ExecSpec { argv, shell: false, stdin: false }));
        assert_eq!(config.source, stdin_by(b'\n'));
        assert_eq!((config.policy.worker, config.policy.crash_limit), (WorkerContract::per_item(), 1));
        assert_eq!((config.policy.worker.credit, config.policy.batch_max), (Credit::Items(1), 1));
        assert!(config.policy.keep_order);
    }

    #[test]
    fn a_command_may_speak_frames() {
        let config = config("--protocol frames --credit 9 --batch-max 3 -- ./worker -x");
        let argv = vec!["./worker".into(), "-x".into()];
        assert_eq!(config.worker, WorkerSpec::Frames { argv, transport: TransportKind::Shm.into() });
        assert_eq!(config.source, stdin_by(b'\n'));
        assert_eq!((config.policy.worker.credit, config.message_items_max), (Credit::Items(9), 3));
        assert_eq!(config.policy.crash_limit, 3);
    }

    #[test]
    fn workers_by_number_and_by_share() {
        let table = [("-w 3", 3), ("-j 3", 3), ("-P 3", 3), ("--jobs 3", 3), ("--workers=3", 3), ("-w auto", 8)];
        let shares = [("-w 200%", 16), ("-w 1%", 1), ("-w 4294967295%", 343_597_383)];
        for (typed, workers) in table.into_iter().chain(shares) {
            assert_eq!(config(typed).policy.workers, workers, "{typed}");
        }
    }

    #[test]
    fn bytes_are_cut_as_asked() {
        assert_eq!(config("-0 -- x").source, stdin_by(0));
        assert_eq!(config("-d , -- x").source, stdin_by(b','));
        assert_eq!(config(r"-d \t -a -").source, stdin_by(b'\t'));
        let blocks = |typed| {
            let config = config(typed);
            assert_eq!(config.policy.batch_max, 1, "{typed}");
            let SourceSpec::Lines { split, .. } = config.source else { panic!("{typed}: {:?}", config.source) };
            split
        };
        assert_eq!(blocks("--block 1K -a -"), Split::Block { bytes: 1024, delimiter: Some(b'\n') });
        assert_eq!(blocks("--block 1K -d '' --stdin -- wc"), Split::Block { bytes: 1024, delimiter: None });
    }

    #[test]
    fn it_reads_ahead_as_far_as_the_order_needs() {
        let read_ahead = |typed| config(typed).policy.queue_items_max;
        assert_eq!(read_ahead(""), 1 << 17);
        assert_eq!(read_ahead("-w 100"), 100 << 14);
        assert_eq!(read_ahead("-w 2 -- x"), 72);
        assert_eq!(read_ahead("-w 2 --block 1M -a -"), 6);
        assert_eq!(read_ahead("--queue lifo -- x"), 1_000_000);
        assert_eq!(read_ahead("--queue priority -a -"), 1_000_000);
        assert_eq!(read_ahead("--queue priority --queue-items-max 5 -a -"), 5);
    }

    #[test]
    fn stopping_early() {
        let fail_fast = Some(Halt { on: HaltOn::Fail, threshold: Threshold::Items(1), now: true });
        assert_eq!(config("").policy.halt, None);
        assert_eq!(config("--halt never").policy.halt, None);
        assert_eq!(config("--fail-fast").policy.halt, fail_fast);
        assert_eq!(config("--halt now,fail=1").policy.halt, fail_fast);
        assert_eq!(config("--max-dead never").policy.dead_max, None);
        assert_eq!(config("--max-dead 4").policy.dead_max, Some(4));
    }

    #[test]
    fn the_defaults_are_those_of_the_help() {
        let spelled_out = "-w 5 --items 20 --task square --delay 0 --protocol frames --transport pipe \
            --isolation process --queue fifo --credit auto --retries 0 --crash-limit 3 --retry-delay 0 \
            --max-dead 20 --term-seq TERM,200,TERM,100,TERM,50,KILL,25 --grace 10s --restart permanent \
            --strategy one-for-one --max-restarts 5/10s --backoff 100ms..10s --halt never --output narrate \
            --group --summary auto --exit-code own";
        assert_eq!(invocation(spelled_out), invocation(""));
    }

    #[test]
    fn items_come_from_one_place() {
        let table = [
            ("--items 3 -a x", "--items", "--arg-file"),
            ("--items 3 -- x ::: a", "--items", ":::"),
            ("-a x :::: y", "--arg-file", "::::"),
        ];
        for (typed, first, second) in table {
            assert_eq!(error(typed), UsageError::TwoInputs { first, second }, "{typed}");
        }
    }

    #[test]
    fn what_a_worker_cannot_heed_is_refused() {
        for flag in ["--task echo", "--delay 1"] {
            let name = flag.split(' ').next().unwrap_or_default();
            for command in ["-- x", "--protocol frames -- x"] {
                let UsageError::NeedsBuiltIn { flag: named } = error(&format!("{flag} {command}")) else {
                    panic!("{flag} {command}");
                };
                assert_eq!(named, name);
            }
        }
        for flag in [
            "--transport pipe",
            "--transport shm --spin 1ms",
            "--credit 1",
            "--batch-max 1",
            "--restart permanent",
            "--strategy one-for-all",
        ] {
            let found = error(&format!("{flag} -- x"));
            assert!(matches!(found, UsageError::NeedsFrames { flag: named } if flag.starts_with(named)), "{found}");
            config(&format!("{flag} --protocol frames -- x"));
        }
        for flag in ["--shell", "--stdin", "--verbose"] {
            assert_eq!(error(flag), UsageError::NeedsExec { flag });
            config(&format!("{flag} -- x"));
        }
        for flag in ["--null", "--delimiter", "--block", "--queue priority"] {
            for input in ["", "::: a"] {
                let value = if ["--delimiter", "--block"].contains(&flag) { "1" } else { "" };
                assert_eq!(error(&format!("{flag} {value} {input}")), UsageError::NeedsLines { flag });
                config(&format!("{flag} {value} -a -"));
            }
        }
    }

    #[test]
    fn threads_are_for_the_built_in_worker_and_take_no_flag_of_processes() {
        let thread = WorkerSpec::Thread { task: "cube".into(), delay: Duration::from_secs(1) };
        assert_eq!(config("--isolation thread --task cube --delay 1").worker, thread);
        for command in ["-- x", "--protocol frames -- x"] {
            let refused = error(&format!("--isolation thread {command}"));
            assert_eq!(refused, UsageError::NeedsBuiltIn { flag: "--isolation thread" });
        }
        for flag in
            ["--transport pipe", "--timeout 1", "--crash-limit 1", "--restart transient", "--strategy one-for-all"]
        {
            let name = flag.split(' ').next().unwrap_or_default();
            let UsageError::NeedsProcesses { flag: named } = error(&format!("{flag} --isolation thread")) else {
                panic!("{flag}");
            };
            assert_eq!(named, name);
        }
        config("--isolation thread --term-seq KILL,0 --grace 1 --max-restarts 1/1s --run-timeout 1 -k -a -");
    }

    #[test]
    fn other_contradictions() {
        let table = [
            ("--protocol exec", UsageError::NeedsCommand { flag: "--protocol exec" }),
            ("-d '' -a -", UsageError::NoDelimiter),
            ("--block 1K --queue priority -a -", UsageError::BlockPriority),
            ("--block 1K --batch-max 2 -a -", UsageError::BlockBatchMax),
            ("--spin 1ms", UsageError::NeedsTransport { flag: "--spin", transport: "shm" }),
            ("--spin 0 --transport pipe", UsageError::NeedsTransport { flag: "--spin", transport: "shm" }),
            ("--tag", UsageError::NeedsResults { mode: "narrate" }),
            ("--tag --block 1M -a x", UsageError::TagOfBlocks),
            ("--tag --output json -- x", UsageError::NeedsResults { mode: "json" }),
            ("-q --summary always", UsageError::QuietSummary),
            ("--events -", UsageError::EventsOnStdout),
            ("--spool x", UsageError::NeedsTransport { flag: "--spool", transport: "file" }),
            ("--transport pipe --spool x", UsageError::NeedsTransport { flag: "--spool", transport: "file" }),
            ("--task dance", UsageError::NoTask { task: "dance".into(), known: TASKS.join(", ") }),
        ];
        for (typed, expected) in table {
            assert_eq!(error(typed), expected, "{typed}");
        }
        config("--tag -k --output none -- x");
        config("--tag -- x");
        config("--max-restarts 1/1s --backoff 1..2 -- x");
        config("-q --summary never");
    }
}
