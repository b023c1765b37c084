//! From what was typed to a checked [`Config`]: the flags become settings, which `model` checks and completes.
//! Nothing later parses again.
//!
//! Invariant: pure. What depends on the machine comes in as [`Host`]. Defaults of a run are not written here; the
//! style of exit codes, which a run knows nothing of, is the only one.

use super::args::Flags;
use super::choices::{Isolation, ProtocolChoice, ShownOutput};
use super::error::UsageError;
use super::separators::{Given, GivenInput};
use super::start_limit::StartLimit;
use super::values::{self, Delimiter, HaltChoice, Limit, TimeLimit, Workers};
use super::{flag_errors, journal_flags, worker_log};
use crate::model::arrangement::{Arrangement, ColumnSplit, LineFill};
use crate::model::builder::{ConfigBuilder, Host, SourceChoice, WorkerChoice};
use crate::model::config::{Config, EarlierRun, Grouping, InputSpec, JobLogSpec, ResultsSpec, ShowOutput, ShowWhen};
use crate::model::exit_rule::{ExitMatch, ExitRule};
use crate::model::spec::{ExitCodeStyle, Halt, HaltOn, ProtocolKind, Threshold};
use crate::model::time::Duration;
use crate::model::worker_count::WorkerCount;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A checked command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    pub config: Config,
    pub exit_codes: ExitCodeStyle,
}

/// Checks and completes what was typed. `earlier`: what a joblog says that the run goes on with.
///
/// # Errors
/// Two flags contradict each other, or one makes no sense here.
pub fn resolve(
    flags: &Flags,
    command: Vec<OsString>,
    inputs: Vec<Given>,
    host: &Host,
    earlier: Option<EarlierRun>,
) -> Result<Invocation, UsageError> {
    let settings = ConfigBuilder { earlier, ..builder(flags, command, inputs, host)? };
    let config = settings.build().map_err(|error| flag_errors::usage_error(error, flags))?;
    Ok(Invocation { config, exit_codes: flags.exit_code.unwrap_or(ExitCodeStyle::Own) })
}

/// The settings of what was typed, which are checked when they are built.
///
/// # Errors
/// A flag makes no sense here.
pub fn builder(
    flags: &Flags,
    command: Vec<OsString>,
    inputs: Vec<Given>,
    host: &Host,
) -> Result<ConfigBuilder, UsageError> {
    let worker = worker(flags, command)?;
    if flags.events.as_ref().is_some_and(|file| file.as_os_str() == "-") {
        return Err(UsageError::EventsOnStdout);
    }
    if flags.joblog.as_ref().is_some_and(|file| file.as_os_str() == "-") {
        return Err(UsageError::JobLogOnStdout);
    }
    if flags.dead_letters.as_ref().is_some_and(|file| file.as_os_str() == "-") {
        return Err(UsageError::DeadLettersOnStdout);
    }
    if flags.trace.as_ref().is_some_and(|file| file.as_os_str() == "-") {
        return Err(UsageError::TraceOnStdout);
    }
    let inputs = inputs_of(flags, inputs)?;
    let (arrangement, journal) = (Some(arrangement(flags)?), journal_flags::journal(flags)?);
    let worker_log = worker_log::worker_log(flags)?;
    let settings = ConfigBuilder { arrangement, journal, worker_log, ..settings(flags, worker, host) };
    Ok(inputs.into_iter().fold(settings, |settings, (choice, linked)| settings.also(choice, linked)))
}

fn worker(flags: &Flags, command: Vec<OsString>) -> Result<WorkerChoice, UsageError> {
    match (command.is_empty(), flags.protocol) {
        (true, Some(ProtocolChoice::Exec)) => Err(UsageError::NeedsCommand { flag: "--protocol exec" }),
        (true, Some(ProtocolChoice::Lines)) => Err(UsageError::NeedsCommand { flag: "--protocol lines" }),
        (true, Some(ProtocolChoice::Json)) => Err(UsageError::NeedsCommand { flag: "--protocol json" }),
        (true, _) => Ok(WorkerChoice::BuiltIn),
        (false, Some(ProtocolChoice::Frames | ProtocolChoice::Lines | ProtocolChoice::Json)) => {
            Ok(WorkerChoice::Program(command))
        }
        (false, _) => Ok(WorkerChoice::Command(command)),
    }
}

/// Where items come from, each with whether it is linked to the one before: generated, or any number of inputs.
fn inputs_of(flags: &Flags, given: Vec<Given>) -> Result<Vec<(SourceChoice, bool)>, UsageError> {
    if flags.keep_open {
        let other = match (flags.items, flags.arg_file.first(), given.first()) {
            (Some(_), ..) => "--items",
            (None, Some(_), _) => "--arg-file",
            (None, None, Some(given)) => given.separator(),
            (None, None, None) => return Ok(Vec::new()),
        };
        return Err(UsageError::QueueAlone { flag: other });
    }
    if let Some(count) = flags.items {
        let second = match (flags.arg_file.first(), given.first()) {
            (Some(_), _) => "--arg-file",
            (None, Some(given)) => given.separator(),
            (None, None) => return Ok(vec![(SourceChoice::Generate(count), false)]),
        };
        return Err(UsageError::TwoInputs { first: "--items", second });
    }
    let mut inputs: Vec<(SourceChoice, bool)> = Vec::new();
    inputs.extend(flags.arg_file.iter().map(|file| (SourceChoice::Input(input_spec(file.clone())), false)));
    for Given { what, linked } in given {
        match what {
            GivenInput::Items(items) => inputs.push((SourceChoice::Args(items), linked)),
            GivenInput::Files(files) => {
                inputs.extend(files.into_iter().map(|file| (SourceChoice::Input(input_spec(file)), linked)));
            }
        }
    }
    Ok(inputs)
}

fn arrangement(flags: &Flags) -> Result<Arrangement, UsageError> {
    let bytes = |text: &OsString| text.as_bytes().to_vec();
    if flags.replace.as_ref().is_some_and(|text| text.is_empty()) {
        return Err(UsageError::NoReplacement);
    }
    let columns = match (&flags.colsep, flags.csv) {
        (None, false) => None,
        (None, true) => Some(ColumnSplit::Csv { separator: b',', trims: false }),
        (Some(regex), false) => Some(ColumnSplit::Pattern { regex: bytes(regex), trims: true }),
        // As in GNU parallel, where `--colsep` alone cuts white space off.
        (Some(separator), true) => match *separator.as_bytes() {
            [separator] | [b'\\', separator @ b'\\'] => Some(ColumnSplit::Csv { separator, trims: true }),
            [b'\\', b't'] => Some(ColumnSplit::Csv { separator: b'\t', trims: true }),
            _ => return Err(UsageError::CsvSeparator { separator: separator.to_string_lossy().into_owned() }),
        },
    };
    Ok(Arrangement {
        columns,
        names: flags.header,
        end_of_file: flags.eof.as_ref().map(bytes),
        skips_blank: flags.no_run_if_empty,
        shuffles: flags.shuf,
        recycles: false,
        records_max: flags.max_args,
        lines_max: flags.max_lines,
        fill: match (flags.repeat_words, flags.join_words) {
            (true, _) => Some(LineFill::Repeat),
            (false, true) => Some(LineFill::Join),
            (false, false) => None,
        },
        line_bytes_max: flags.max_chars,
        replace: flags.replace.as_ref().map(bytes),
    })
}

fn input_spec(file: PathBuf) -> InputSpec {
    if file.as_os_str() == "-" { InputSpec::Stdin } else { InputSpec::File(file) }
}

/// How few threads have to run for a start, how much memory has to be free, and what is asked: of two rules of a kind the
/// stricter one.
fn start_limits(flags: &Flags, host: &Host) -> (Option<u32>, Option<u64>, Option<OsString>) {
    let (mut load_max, mut free_bytes_min) = (flags.load.map(|load| load.of(host.cores)), flags.memfree);
    match flags.limit.clone() {
        None => {}
        Some(StartLimit::Script(script)) => return (load_max, free_bytes_min, Some(script)),
        Some(StartLimit::Memory(bytes)) => free_bytes_min = free_bytes_min.max(Some(bytes)),
        // One more than may run before a start.
        Some(StartLimit::Load(threads)) => {
            let max = threads.saturating_add(1);
            load_max = Some(load_max.map_or(max, |own| own.min(max)));
        }
    }
    (load_max, free_bytes_min, None)
}

/// The flags as settings; a flag that was not given is a setting that is not made.
fn settings(flags: &Flags, worker: WorkerChoice, host: &Host) -> ConfigBuilder {
    ConfigBuilder {
        worker,
        delay: flags.delay,
        threads: Some(flags.isolation == Some(Isolation::Thread)),
        protocol: flags.protocol.and_then(protocol),
        wait_ready: flags.wait_ready,
        start_timeout: flags.start_timeout,
        json_fd: Some(flags.json_fd),
        transport: flags.transport,
        spin: flags.spin,
        shell: Some(flags.shell),
        stdin: Some(flags.stdin),
        merge: Some(flags.merge),
        item_tmp: Some(flags.item_tmp),
        tmpdir: flags.tmpdir.clone(),
        terminal: Some(flags.tty),
        pty: Some(flags.pty),
        interactive: Some(flags.interactive),
        pass_fds: pass_fds(flags),
        workdir: flags.workdir.clone(),
        variables: (!flags.env.is_empty()).then(|| flags.env.clone()),
        nice: flags.nice,
        leftovers: flags.leftovers,
        delimiter: delimiter(flags),
        block: flags.block,
        pipe: Some(flags.pipe),
        round_robin: Some(flags.round_robin),
        record_start: flags.recstart.as_deref().map(values::record_text),
        record_end: flags.recend.as_deref().map(values::record_text),
        threads_per_worker: flags.threads_per_worker,
        queue: flags.queue,
        queue_items_max: flags.queue_items_max,
        credit: flags.credit,
        batch_max: flags.batch_max,
        keep_order: Some(flags.keep_order),
        retries: flags.retries,
        exit_rules: exit_rules(flags),
        crash_limit: flags.crash_limit,
        kill_limit: flags.kill_limit.map(number),
        retry_delay: flags.retry_delay,
        dead_max: flags.max_dead.map(number),
        term_sequence: flags.term_seq.as_ref().map(|sequence| sequence.0.clone()),
        grace: flags.grace,
        restart: flags.restart,
        strategy: flags.strategy,
        intensity: flags.max_restarts,
        backoff: flags.backoff,
        halt: halt(flags),
        // The style of exit codes is no matter of the run, but when xargs stops is.
        stop_at_abort: Some(flags.exit_code == Some(ExitCodeStyle::Xargs)),
        run_timeout: flags.run_timeout,
        seed: flags.seed,
        handle_signals: Some(true),
        control: Some(!flags.no_control),
        keep_open: Some(flags.keep_open),
        task: flags.task.clone(),
        spool: flags.spool.clone(),
        ..settings_of_pace(flags, host)
    }
}

/// Those of the number of workers, and of what delays or limits them.
fn settings_of_pace(flags: &Flags, host: &Host) -> ConfigBuilder {
    let (workers, workers_file) = worker_count(flags, host);
    let (timeout, timeout_percent) = time_limit(flags);
    let (load_max, free_bytes_min, start_check) = start_limits(flags, host);
    ConfigBuilder {
        workers,
        workers_file,
        workers_max: flags.jobs_max,
        timeout,
        timeout_percent,
        start_delay: flags.start_delay,
        chaos: flags.chaos,
        load_max,
        free_bytes_min,
        suspend_free_bytes: flags.memsuspend,
        semaphore: flags.sem.clone(),
        start_check,
        ..settings_of_output(flags, host)
    }
}

/// Those of what is written.
fn settings_of_output(flags: &Flags, host: &Host) -> ConfigBuilder {
    ConfigBuilder {
        output: flags.output,
        tag: Some(flags.tag),
        tag_text: flags.tagstring.clone(),
        grouping: grouping(flags),
        success_output: flags.success_output.or(flags.show.map(|shown| show(shown).success)),
        failure_output: flags.failure_output.or(flags.show.map(|shown| show(shown).failure)),
        verbose: Some(flags.verbose),
        dry_run: Some(flags.dry_run),
        summary: flags.summary,
        progress: flags.progress,
        quiet: Some(flags.quiet),
        events: flags.events.clone(),
        joblog: flags.joblog.as_deref().map(job_log),
        dead_letters: flags.dead_letters.clone(),
        results: flags.results.clone().map(ResultsSpec::new),
        trace: flags.trace.clone(),
        trace_items: Some(flags.trace_items),
        flow: Some(flags.flow),
        color: flags.color,
        ..ConfigBuilder::new(host.clone())
    }
}

/// The number of workers, or the file that holds it.
fn worker_count(flags: &Flags, host: &Host) -> (Option<u32>, Option<PathBuf>) {
    match &flags.workers {
        Some(Workers::Count(count)) => {
            let number = count.of(host.cores);
            // A number in terms of the cores is no word against the maximum.
            let max = flags.jobs_max.filter(|_| !matches!(count, WorkerCount::Exactly(_)));
            (Some(max.map_or(number, |max| number.min(max))), None)
        }
        Some(Workers::File(file)) => (None, Some(file.clone())),
        None => (None, None),
    }
}

/// The limit for an attempt, or the percent of the median.
const fn time_limit(flags: &Flags) -> (Option<Duration>, Option<u32>) {
    match flags.timeout {
        Some(TimeLimit::After(limit)) => (Some(limit), None),
        Some(TimeLimit::OfMedian(percent)) => (None, Some(percent)),
        None => (None, None),
    }
}

const fn protocol(choice: ProtocolChoice) -> Option<ProtocolKind> {
    match choice {
        ProtocolChoice::Exec => None,
        ProtocolChoice::Lines => Some(ProtocolKind::Lines),
        ProtocolChoice::Json => Some(ProtocolKind::Json),
        ProtocolChoice::Frames => Some(ProtocolKind::Frames),
    }
}

fn delimiter(flags: &Flags) -> Option<Option<u8>> {
    match flags.delimiter {
        _ if flags.null => Some(Some(0)),
        Some(Delimiter::Byte(byte)) => Some(Some(byte)),
        Some(Delimiter::Nothing) => Some(None),
        None => None,
    }
}

fn pass_fds(flags: &Flags) -> Option<Vec<i32>> {
    // A number that no descriptor can have is not open.
    let number = |fd: &u32| i32::try_from(*fd).unwrap_or(i32::MAX);
    (!flags.pass_fd.is_empty()).then(|| flags.pass_fd.iter().map(number).collect())
}

fn exit_rules(flags: &Flags) -> Option<Vec<(ExitMatch, ExitRule)>> {
    (!flags.on.is_empty()).then(|| flags.on.iter().flat_map(|rules| rules.0.iter().copied()).collect())
}

const fn show(shown: ShownOutput) -> ShowOutput {
    let (success, failure) = match shown {
        ShownOutput::All => (ShowWhen::Immediate, ShowWhen::Immediate),
        ShownOutput::Failed => (ShowWhen::Never, ShowWhen::Immediate),
        ShownOutput::Never => (ShowWhen::Never, ShowWhen::Never),
        ShownOutput::Final => (ShowWhen::Immediate, ShowWhen::ImmediateFinal),
    };
    ShowOutput { success, failure }
}

const fn grouping(flags: &Flags) -> Option<Grouping> {
    match (flags.ungroup, flags.line_buffer) {
        (true, _) => Some(Grouping::None),
        (false, true) => Some(Grouping::Line),
        (false, false) => None,
    }
}

const fn number(limit: Limit) -> Option<u32> {
    match limit {
        Limit::Never => None,
        Limit::After(number) => Some(number),
    }
}

fn halt(flags: &Flags) -> Option<Halt> {
    match flags.halt {
        Some(HaltChoice::At(halt)) => Some(halt),
        None if flags.fail_fast => Some(Halt { on: HaltOn::Fail, threshold: Threshold::Items(1), now: true }),
        Some(HaltChoice::Never) | None => None,
    }
}

/// `+FILE`, as in GNU parallel: what the file holds stays.
fn job_log(typed: &Path) -> JobLogSpec {
    let bytes = typed.as_os_str().as_bytes();
    let file = bytes.strip_prefix(b"+").unwrap_or(bytes);
    JobLogSpec { file: OsStr::from_bytes(file).into(), appends: file.len() < bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::super::{Parsed, parse};
    use super::*;
    use crate::model::arrangement::{Insertion, ItemForm};
    use crate::model::config::{ArrangedInput, ExecSpec, OutputMode, SourceSpec, Split, WorkerSpec};
    use crate::model::signal::Signal;
    use crate::model::spec::TASKS;
    use crate::model::spec::{Credit, Policy, TransportKind, TransportSpec, WorkerContract};

    fn host() -> Host {
        Host { cores: 8, cores_why: None, seed: 7, run_id: "run".into() }
    }

    /// Words are cut at blanks; `''` is the empty word.
    fn invocation(typed: &str) -> Result<Invocation, UsageError> {
        let words = typed.split_whitespace().map(|word| if word == "''" { "" } else { word }.into());
        match parse(words, &host())? {
            Parsed::Run(invocation) => Ok(*invocation),
            other => panic!("{typed}: {other:?}"),
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
            assert!(config.policy.worker.hello, "{typed}");
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
                insertion: Insertion::default()
            })
        );
        assert_eq!(config.source, stdin_by(b'\n'));
        assert_eq!((config.policy.worker, config.policy.crash_limit), (WorkerContract::per_item(), 1));
        assert_eq!((config.policy.worker.credit, config.policy.batch_max), (Credit::Items(1), 1));
        assert!(config.policy.keep_order);
    }

    #[test]
    fn rules_for_exits_come_before_the_ordinary_ones() {
        let code = ExitMatch::Code;
        let ordinary = [(code(75), ExitRule::Retry), (code(65), ExitRule::Fail)];
        assert_eq!(config("-- c").policy.exit_rules, ordinary);
        let segv = ExitMatch::Signal(Signal::SEGV);
        let given = [(code(75), ExitRule::Dead), (code(3), ExitRule::Dead), (segv, ExitRule::Halt)];
        let rules = config("--on 75,3=dead --on SEGV=halt -- c").policy.exit_rules;
        assert_eq!(rules, [&given[..], &ordinary].concat());
        assert_eq!(config("--protocol lines -- c").policy.exit_rules, []);
        assert_eq!(config("").policy.exit_rules, []);
        let (status, rules) = (code(3), [ExitRule::Fail, ExitRule::Halt]);
        assert_eq!(error("--on 3=fail --on 4,3=halt -- c"), UsageError::TwoExitRules { status, rules });
        assert_eq!(error("--on 3=fail"), UsageError::NeedsExec { flag: "--on" });
    }

    #[test]
    fn a_command_may_speak_frames() {
        let config = config("--protocol frames --credit 9 --batch-max 3 -- ./worker -x");
        let argv = vec!["./worker".into(), "-x".into()];
        let transport = TransportSpec { fallback: Some(TransportKind::Pipe), ..TransportKind::Shm.into() };
        assert_eq!(config.worker, WorkerSpec::Frames { argv, transport });
        assert_eq!(config.source, stdin_by(b'\n'));
        assert_eq!((config.policy.worker.credit, config.message_items_max), (Credit::Items(9), 3));
        assert_eq!(config.policy.crash_limit, 3);
    }

    fn arranged(typed: &str) -> (Vec<ArrangedInput>, Arrangement, ItemForm) {
        match config(typed).source {
            SourceSpec::Arranged { inputs, arrangement, form } => (inputs, arrangement, form),
            other => panic!("{typed}: {other:?}"),
        }
    }

    fn insertion(typed: &str) -> Insertion {
        match config(typed).worker {
            WorkerSpec::Exec(spec) => spec.insertion,
            other => panic!("{typed}: {other:?}"),
        }
    }

    #[test]
    fn several_inputs_are_combined_in_the_order_of_the_line() {
        let args = |item: &str| SourceSpec::Args { items: vec![item.into()] };
        let (inputs, arrangement, form) = arranged("-a f -- x ::: a :::+ b :::: g");
        let file = |path: &str| SourceSpec::Lines {
            input: InputSpec::File(path.into()),
            split: Split::Delimiter(b'\n'),
            priority: false,
        };
        let expected = [(file("f"), false), (args("a"), false), (args("b"), true), (file("g"), false)];
        let found: Vec<_> = inputs.into_iter().map(|input| (input.source, input.linked)).collect();
        assert_eq!((found, arrangement, form), (expected.into(), Arrangement::default(), ItemForm::List));
        // Workers that stay get text.
        for typed in ["::: a ::: b", "--protocol frames -- x ::: a ::: b"] {
            assert_eq!(arranged(typed).2, ItemForm::Whole, "{typed}");
        }
        // One delimiter for all files.
        let (inputs, ..) = arranged("-0 -- x :::: f g");
        assert!(
            inputs.iter().all(|input| matches!(input.source, SourceSpec::Lines { split: Split::Delimiter(0), .. }))
        );
    }

    #[test]
    fn flags_of_arguments_make_lists_and_others_do_not() {
        for typed in ["-n 2", "-n 0", "-L 1", "-X", "-m", "-s 99", "-C ,", "--csv", "--header :"] {
            let typed = format!("{typed} -- x ::: a");
            assert_eq!((arranged(&typed).2, insertion(&typed).form), (ItemForm::List, ItemForm::List), "{typed}");
        }
        for typed in ["--shuf", "-r", "-E x"] {
            let typed = format!("{typed} -- x ::: a");
            assert_eq!((arranged(&typed).2, insertion(&typed).form), (ItemForm::Whole, ItemForm::Whole), "{typed}");
        }
        assert_eq!(config("-I ,, -- x ::: a").source, SourceSpec::Args { items: vec!["a".into()] });
        assert_eq!(insertion("-I ,, -- x ::: a").replace.as_deref(), Some(&b",,"[..]));
        let repeats = |typed: &str| insertion(&format!("{typed} -- x")).repeats;
        assert_eq!(
            ["-X", "-L 1", "-n 2", "-m", "-m -L 2", "-X -n 2"].map(repeats),
            [true, true, false, false, false, true]
        );
        assert!(insertion("--header 0 -- x").has_names && !insertion("-n 2 -- x").has_names);
    }

    #[test]
    fn columns_are_cut_as_asked() {
        let columns = |typed: &str| arranged(&format!("{typed} -- x")).1.columns;
        let pattern = |regex: &str, trims| Some(ColumnSplit::Pattern { regex: regex.into(), trims });
        let csv = |separator, trims| Some(ColumnSplit::Csv { separator, trims });
        assert_eq!(columns("-C ,"), pattern(",", true));
        assert_eq!(columns("--colsep ''"), pattern("", true));
        // As in GNU parallel: names without another separator are of columns between tabs, and nothing is cut off.
        assert_eq!(columns("--header :"), pattern("\t", false));
        assert_eq!(columns("--header : -C ;"), pattern(";", true));
        assert_eq!(columns("--csv"), csv(b',', false));
        assert_eq!(columns("--csv -C ;"), csv(b';', true));
        assert_eq!(columns(r"--csv -C \t"), csv(b'\t', true));
        assert_eq!(columns("-n 2"), None);
    }

    #[test]
    fn workers_by_number_and_by_share() {
        let table = [("-w 3", 3), ("-j 3", 3), ("-P 3", 3), ("--jobs 3", 3), ("--workers=3", 3), ("-w auto", 8)];
        let shares = [("-w 200%", 16), ("-w 1%", 1), ("-w 4294967295%", 343_597_384)];
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
    fn whose_output_is_shown() {
        use ShowWhen::{Final, Immediate, ImmediateFinal, Never};
        for (typed, success, failure) in [
            ("", Immediate, Immediate),
            ("--show failed", Never, Immediate),
            ("--show final", Immediate, ImmediateFinal),
            ("--show never --failure-output final", Never, Final),
            ("--results x", Never, Never),
            ("--results x --output results", Immediate, Immediate),
            ("--results x.csv --show failed", Never, Immediate),
            ("--results x --success-output final", Final, Never),
        ] {
            assert_eq!(config(&format!("{typed} -- c")).output.show, ShowOutput { success, failure }, "{typed}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_help() {
        let spelled_out = "-w 5 --items 20 --task square --delay 0 --protocol frames --transport pipe \
            --isolation process --queue fifo --credit auto --crash-limit 3 --retry-delay 0 \
            --max-dead 20 --term-seq TERM,200,TERM,100,TERM,50,KILL,25 --grace 10s --restart permanent \
            --strategy one-for-one --max-restarts 5/10s --backoff 100ms..10s --halt never --output narrate \
            --group --summary auto --progress none --exit-code own";
        assert_eq!(invocation(spelled_out), invocation(""));
        // Retries that were given hold for an attempt that asks for another one, too.
        let (given, default) = (config("--retries 0").policy, config("").policy);
        assert_eq!((given.hinted_retries, default.hinted_retries), (0, 3));
        assert_eq!(Policy { hinted_retries: 3, ..given }, default);
    }

    #[test]
    fn a_program_that_uses_the_library_gets_the_same_defaults() {
        let builder = || ConfigBuilder::new(host());
        for (typed, builder) in [
            ("", builder()),
            ("--items 3", builder().generate(3)),
            ("-- gzip {} ::: a b", builder().command(["gzip", "{}"]).items(["a", "b"])),
            ("--protocol frames -- ./w", builder().worker_program(["./w"])),
            ("--block 1K -a -", builder().input(InputSpec::Stdin).block(1024)),
            (
                "-n 2 -- c ::: a :::+ b",
                builder()
                    .command(["c"])
                    .items(["a"])
                    .also_items(["b"], true)
                    .arrangement(Arrangement { records_max: Some(2), ..Arrangement::default() }),
            ),
            ("-q --isolation thread -a x", builder().threads(true).quiet(true).input(InputSpec::File("x".into()))),
        ] {
            // The signals are the one difference: a program keeps its own.
            assert_eq!(Ok(config(typed)), builder.handle_signals(true).control(true).build(), "{typed}");
        }
    }

    #[test]
    fn generated_items_take_no_input() {
        let table = [
            ("--items 3 -a x", "--items", "--arg-file"),
            ("--items 3 -- x ::: a", "--items", ":::"),
            ("--items 3 :::: y", "--items", "::::"),
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
        for flag in ["--shell", "--stdin"] {
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
            ("--tagstring x --output json -- x", UsageError::NeedsResults { mode: "json" }),
            ("-u -k -- x", UsageError::EarlyOutput { grouping: "--ungroup", flag: "--keep-order" }),
            ("-u --tagstring x -- x", UsageError::EarlyOutput { grouping: "--ungroup", flag: "--tagstring" }),
            ("--lb --results x -- x", UsageError::EarlyOutput { grouping: "--line-buffer", flag: "--results" }),
            ("--lb --show final -- x", UsageError::EarlyOutput { grouping: "--line-buffer", flag: "--show" }),
            ("--results -.csv --output json -- x", UsageError::ResultsOnStdout { flag: "--output" }),
            ("--results= -- x", UsageError::NoResultsName),
            ("--success-output never --output json -- x", UsageError::ShowOfMode { flag: "--success-output" }),
            ("-q --summary always", UsageError::QuietSummary),
            ("-q --progress", UsageError::QuietProgress),
            ("-j 4 --jobs-max 1", UsageError::JobsAboveMax { workers: 4, max: 1 }),
            ("-j ./file --jobs-max 1", UsageError::JobsMaxOfFile),
            ("--tty --progress bar -- x", UsageError::TtyProgress),
            ("--events -", UsageError::EventsOnStdout),
            ("--joblog -", UsageError::JobLogOnStdout),
            ("--dead-letters -", UsageError::DeadLettersOnStdout),
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
        config("-q --progress none");
    }
}
