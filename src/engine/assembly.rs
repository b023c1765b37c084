//! The composition root: from a configuration to the components that serve it.
//!
//! Everything that can be wrong with a run is found here, in this order: stdout, the source, the command, the system's
//! limits, the files to write. Nothing has been started by then, and no item consumed.

use super::apply::Components;
use super::arrangement;
use super::commit::{Commit, OutputStreams};
use super::control::ControlPlan;
use super::error::EngineError;
use super::feed::Feed;
use super::fleet::{
    Conversation, Fleet, GIVE_WAY_HELD_MIN, LAUNCHERS_MAX, LaunchSpec, Program, Residents, RunFolder, ThreadMain,
    WorkerStreams,
};
use super::journal::{self, OpenedJournal, SessionContext};
use super::launching::{self, new_pool, start_launchers};
use super::manners::{self, Manners, OF_SDK, manners_of, program_path};
use super::own_files::{self, EndedLogs};
use super::own_system::{self, GuardedThings, open_system};
use super::pace::RunPace;
use super::progress::{self, ProgressDisplay};
use super::reactor::Reactor;
use super::requests::Requests;
use super::signal_receiver::SignalReceiver;
use super::streams;
use super::trace;
use super::turn::Turn;
use crate::command::exec::Commander;
use crate::command::plain::PlainCommands;
use crate::core::Core;
use crate::model::arrangement::ColumnNames;
use crate::model::config::{Config, ExecSpec, InputSpec, OutputMode, SourceSpec, Split, WorkerSpec};
use crate::model::signal::Signal;
use crate::model::spec::{ExitCodeStyle, ProtocolKind, TransportKind, TransportSpec};
use crate::model::time::Duration;
use crate::reporter::caller::{Caller, UntakenBytes};
use crate::source::Source;
use crate::sys::guard::Leftover;
use crate::sys::outbox::Outbox;
use crate::sys::own_process::{self, OWN_PROGRAM};
use crate::sys::signals::SignalPlane;
use crate::sys::spill::SpillFile;
use crate::sys::terminal::Terminal;
use crate::sys::{fd, limits, priority, signals, stdio};
use crate::trace::file::TraceFile;
use crate::transport::in_process;
use crate::worker::tasks;
use crate::worker::threads::Duty;
use crate::{reporter, source, transport, worker};
use std::ffi::{CString, OsString};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Of the descriptors of the supervisor itself, those that are open once signals are received.
const SIGNALS_OPEN_FILES: u64 = 2;

/// Descriptors for one resident worker, closed here once it has started.
const GIVEN_OPEN_FILES: u64 = 7;

/// Over shared memory, workers read blocks of at least this size from the input themselves: to copy such a block costs
/// more than to send its position. Measured 2026-11-25: blocks of 4 KiB take the same time either way, blocks of 16 KiB
/// 1 / 1.5 of it, blocks of 64 KiB half.
const SHARED_BLOCK_BYTES_MIN: u64 = 8 * 1024;

/// Descriptors of the launchers: poll set and wake fd of each, and the wake fd of the loop.
const LAUNCHERS_OPEN_FILES: u64 = 2 * LAUNCHERS_MAX as u64 + 1;

/// With `--verbose`: what is missing where `/proc` is not mounted, or hides this process.
const WITHOUT_PROC: &str = "supervisor: /proc does not show this process: the limits on processes and processors of the \
     system and of its groups are not known, a process that holds an output open is not named, and if the supervisor is \
     killed its guard cannot tell a worker from a later process with the same number";

/// Processes of the supervisor itself: it, the guard, and the launchers, since threads count as processes.
const OWN_PROCESSES: u64 = 2 + LAUNCHERS_MAX as u64;

/// What workers are, before anything is started.
enum Kind {
    Resident { program: Program, spin: Duration },
    Command { commander: Box<Commander>, verbose: bool },
}

impl Kind {
    /// What the guard removes if the supervisor is killed.
    fn leftovers(&self) -> Vec<Leftover> {
        match self {
            Self::Resident { program: Program::Process(spec), .. } => spec.transport.leftovers(),
            Self::Resident { program: Program::Thread(_), .. } | Self::Command { .. } => Vec::new(),
        }
    }
}

/// What a run has changed of its process. Dropping it restores that, in this order: the mask before the dispositions, so
/// that a signal that the mask holds back meets no default action in between.
pub struct ChangedProcess {
    open_files: limits::RaisedOpenFiles,
    _signals: signals::Normalised,
    plane: Rc<SignalPlane>,
}

impl ChangedProcess {
    /// The limit of open files that the run has.
    pub const fn open_files_max(&self) -> u64 {
        self.open_files.limit()
    }
}

/// Changes the process's signals and limits for a run. Signals are received from then on, before anything that takes
/// time.
pub fn change_process(config: &Config) -> Result<ChangedProcess, EngineError> {
    // Before anything of ours is opened, which could get the number.
    if let Some(fd) = config.pass_fds.iter().find(|fd| !fd::is_open(**fd)) {
        return Err(EngineError::PassedClosed { fd: *fd });
    }
    let open_files = limits::raise_open_files().map_err(EngineError::system("read the limit of open files"))?;
    own_files::check_open_files(config, open_files.limit())?;
    let asked =
        [Signal::INT, Signal::QUIT, Signal::HUP, Signal::TSTP, Signal::TTIN, Signal::TTOU, Signal::CONT, Signal::WINCH];
    let asked = asked.into_iter().filter(|signal| !signals::is_ignored(*signal));
    let handled: Vec<Signal> = [Signal::TERM, Signal::USR1].into_iter().chain(asked).collect();
    let handled = if config.handles_signals { handled.as_slice() } else { &[] };
    let plane = SignalPlane::install(handled).map_err(EngineError::system("install signal handlers"))?;
    let signals = signals::normalise().map_err(EngineError::system("reset signals"))?;
    Ok(ChangedProcess { open_files, _signals: signals, plane: Rc::new(plane) })
}

/// What a program attaches to its run.
#[derive(Default)]
pub struct Attached {
    /// In place of the configuration's source.
    pub source: Option<Box<dyn Source + Send>>,
    pub caller: Option<(Caller, Arc<UntakenBytes>)>,
    pub requests: Option<Arc<Requests>>,
    /// No other code of this process starts children, so one that is no worker is an orphan.
    pub reaps_orphans: bool,
    /// Commands are started as xargs starts them, and nothing is said of them.
    pub plain: Option<PlainCommands>,
    /// Which codes a client is told that waits for the end.
    pub exit_codes: ExitCodeStyle,
}

/// A run, ready to begin.
pub fn open(mut config: Config, attached: Attached, process: &ChangedProcess) -> Result<Reactor, EngineError> {
    refuse_closed_stdout(&config)?;
    own_files::refuse_inputs(&config)?;
    let mut journal = OpenedJournal::open(&mut config)?;
    let fallback = fall_back(&mut config)?;
    let Attached { source, caller, requests, reaps_orphans, plain, exit_codes } = attached;
    let (is_plain, source_is_attached, terminal) = (plain.is_some(), source.is_some(), open_terminal(&config)?);
    let (source, mut kind, names) = open_source_and_kind(&config, or_queue(source, journal.as_mut(), &config)?, plain)?;
    let (source, shares) = launching::spread_input(&config, source)?;
    if let Kind::Command { commander, .. } = &mut kind {
        streams::give(commander, terminal.as_ref(), &config.output)?;
    }
    let policy = &config.policy;
    let spare_fds = check_limits(&config, &kind)?;
    let (mut output, progress) = open_output(&config, source_is_attached, journal.as_ref())?;
    let commander = if let Kind::Command { commander, .. } = &kind { Some(commander.as_ref()) } else { None };
    let digest = own_files::digest(&config, commander).filter(|_| !is_plain);
    let tag = streams::tag_of(&config, &names);
    let mut reporters =
        if is_plain { reporter::silent() } else { reporter::open(&config.output, policy, tag, digest.as_ref())? };
    if let Some((caller, untaken)) = caller {
        // Before the others: the one that writes spilled content to stdout takes it.
        reporters.insert(0, Box::new(caller));
        output = output.with_untaken(untaken);
    }
    let control = ControlPlan::of(&config, exit_codes);
    reporters.extend(control.as_ref().map(ControlPlan::reporter));
    let logs = EndedLogs::open(&config, commander, &names, journal::goes_on(journal.as_ref()))?;
    // Opened before anything is started, and written by a thread, which has to wait for the guard: a fork.
    let trace_file = config.trace.file.as_deref().map(TraceFile::create).transpose()?;
    let (tmpdir, run_folder) = own_files::open_tmpdir(&config)?;
    let leftovers = kind.leftovers().into_iter().chain(run_folder.as_ref().and_then(RunFolder::leftover)).collect();
    let guarded = GuardedThings::new(leftovers, journal.as_ref())?;
    let (os, unguarded) = open_system(&config, guarded, &process.plane, requests.as_deref(), reaps_orphans)?;
    own_system::check_terminal(terminal.as_ref(), &os)?;
    let spill = Arc::new(SpillFile::in_folder(tmpdir));
    let conversation = conversation(&config, source.delimiter(), &spill);
    let protocol = conversation.protocol;
    let fleet = match kind {
        Kind::Resident { program, spin } => residents(program, conversation, spin, &config)?,
        Kind::Command { commander, verbose } => {
            let pool = new_pool(&config, &commander, verbose, run_folder, shares)?;
            start_launchers(pool, &config, &commander, &spill, &os, terminal)?
        }
    };
    let commit = Commit::new(output, reporters, wants_inputs(&config)).with_logs(logs.started(&os.clock));
    let commit = commit.with_digest(digest).with_early(streams::early_output(&config, &names));
    let feed = Feed::new(source, policy.first_item, policy.reads_far()).with_form(config.source.form());
    let feed = feed.after(own_files::earlier_items(&config, &names)).for_workers_of(protocol, config.pty);
    let same = same_source(&config, source_is_attached)?;
    let (feed, mut commit, resumed) =
        journal::begin(journal, feed, commit, SessionContext::new(&config, same, spill, &os.clock))?;
    let groups = os.guard.groups().clone();
    let mut turn = Turn::new(Box::new(os));
    turn.trace = trace::start(&config, trace_file)?;
    if !is_plain {
        commit.output.watch(&mut turn);
    }
    say_at_start(&config, &mut turn, [fallback, unguarded, resumed]);
    let signals = SignalReceiver::of(&config, is_plain, &turn);
    let components = Components { feed, fleet, commit, workers: policy.workers };
    let pace = RunPace::start(&config, &groups, turn.system.as_mut())?;
    let control = control.and_then(|plan| plan.open(spare_fds, config.output.verbose, &mut turn));
    let reactor = Reactor::new(Core::new(config.policy), components, turn).with_pace(pace).with_signals(signals);
    Ok(reactor.with_progress(progress).with_control(control).with_requests(requests))
}

fn residents(
    program: Program,
    conversation: Conversation,
    spin: Duration,
    config: &Config,
) -> Result<Fleet, EngineError> {
    let logs = own_files::worker_logs(config)?;
    Ok(Fleet::Residents(Residents::new(program, conversation, spin).with_logs(logs)))
}

fn refuse_closed_stdout(config: &Config) -> Result<(), EngineError> {
    let needs_stdout = config.journal.as_ref().is_none_or(|journal| journal.output_file.is_none());
    let is_lost = needs_stdout && config.output.mode != OutputMode::None && stdio::was_closed(1);
    if is_lost { Err(EngineError::StdoutClosed) } else { Ok(()) }
}

/// Whether what is shown of an item has its text.
fn wants_inputs(config: &Config) -> bool {
    config.output.tag || config.output.show.success.is_final() || config.output.mode == OutputMode::Json
}

/// The source that a program has attached, or the queue of the journal, if items come from there.
fn or_queue(
    attached: Option<Box<dyn Source + Send>>,
    journal: Option<&mut OpenedJournal>,
    config: &Config,
) -> Result<Option<Box<dyn Source + Send>>, EngineError> {
    let queue = journal.map_or(Ok(None), |journal| journal.queue(&config.source))?;
    Ok(attached.or_else(|| queue.map(|queue| Box::new(queue) as Box<dyn Source + Send>)))
}

fn say_at_start(config: &Config, turn: &mut Turn, notices: [Option<String>; 3]) {
    let hidden = (config.output.verbose && !own_process::is_shown()).then(|| WITHOUT_PROC.to_owned());
    for notice in notices.into_iter().chain([hidden]).flatten().filter(|_| !config.output.quiet) {
        turn.notice(&notice);
    }
}

/// Another source of the items of this run, if it goes on with a journal and they can be read twice.
fn same_source(config: &Config, is_attached: bool) -> Result<Option<Box<dyn Source>>, EngineError> {
    let goes_on = config.journal.as_ref().is_some_and(|journal| journal.resume.is_some());
    let is_repeatable = goes_on && !is_attached && journal::is_repeatable(&config.source);
    let open = || source::open(&config.source, false, arrangement::facts(config).0);
    Ok(if is_repeatable { Some(open()?) } else { None })
}

/// How workers that stay are spoken to.
fn conversation(config: &Config, delimiter: u8, spill: &Arc<SpillFile>) -> Conversation {
    let protocol = match &config.worker {
        WorkerSpec::Foreign(spec) => spec.protocol,
        _ => ProtocolKind::Frames,
    };
    Conversation {
        protocol,
        gives_way_from: (protocol == ProtocolKind::Lines).then_some(GIVE_WAY_HELD_MIN),
        tells_silence: protocol == ProtocolKind::Lines && !config.output.quiet,
        delimiter,
        message_items_max: config.message_items_max.max(1),
        spill: Arc::clone(spill),
    }
}

/// stdout and stderr, and what shows the state of the run there.
fn open_output(
    config: &Config,
    is_attached: bool,
    journal: Option<&OpenedJournal>,
) -> Result<(OutputStreams, Option<ProgressDisplay>), EngineError> {
    let failed = EngineError::system("take stdout and stderr");
    let file = journal.map_or(Ok(None), OpenedJournal::outbox).map_err(failed)?;
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let outbox = |fd| Outbox::new(fd).map_err(EngineError::system("take stdout and stderr"));
    let out = file.map_or_else(|| outbox(stdout.as_fd()), Ok)?;
    let output = OutputStreams::new(out, outbox(stderr.as_fd())?);
    let output = output.with_file_name(journal.and_then(OpenedJournal::output_name));
    let (progress, live) = progress::open(config, is_attached)?;
    Ok((live.into_iter().fold(output, OutputStreams::with_live), progress))
}

/// Replaces a transport that the author did not name, if the system has too little for it. Returns what to say of it. One
/// that was named is an error then.
fn fall_back(config: &mut Config) -> Result<Option<String>, EngineError> {
    let workers = config.workers_at_most();
    let (WorkerSpec::BuiltIn { transport: spec, .. } | WorkerSpec::Frames { transport: spec, .. }) = &mut config.worker
    else {
        return Ok(None);
    };
    let Some((kind, why)) = transport::check(spec, workers)? else { return Ok(None) };
    let instead = format!("supervisor: uses {} instead of {}: failed to {why}", kind.name(), spec.kind.name());
    *spec = TransportSpec { kind, fallback: None, ..spec.clone() };
    Ok(Some(instead))
}

/// The terminal that commands are lent, if they are.
fn open_terminal(config: &Config) -> Result<Option<Terminal>, EngineError> {
    let WorkerSpec::Exec(ExecSpec { terminal: true, .. }) = config.worker else { return Ok(None) };
    let refused = |why| Err(EngineError::Terminal { why });
    if config.source.inputs().any(|input| *input == InputSpec::Stdin) && io::stdin().is_terminal() {
        return refused("the items are read from it; give them behind :::, or by -a FILE".to_owned());
    }
    match Terminal::open() {
        Ok(terminal) => {
            // A notice on a terminal that forbids output from the background (`stty tostop`) must not stop this
            // process.
            signals::hold(Signal::TTOU);
            Ok(Some(terminal))
        }
        Err(error) => {
            refused(format!("this process has none (open /dev/tty: {error}); start it on one, or leave --tty out"))
        }
    }
}

/// Where workers can read items from the input itself, it can be mapped.
fn open_source_and_kind(
    config: &Config,
    attached: Option<Box<dyn Source + Send>>,
    plain: Option<PlainCommands>,
) -> Result<(Box<dyn Source>, Kind, ColumnNames), EngineError> {
    let maps = match config.worker.transport().map(|transport| transport.kind) {
        Some(TransportKind::File) => true,
        Some(TransportKind::Shm) => has_large_blocks(&config.source),
        _ => false,
    };
    let (facts, names) = arrangement::facts(config);
    let source: Box<dyn Source> = match attached {
        Some(source) => source::replace(source, &config.source, facts)?,
        None => source::open(&config.source, maps, facts)?,
    };
    let mut kind = open_kind(config, source.delimiter())?;
    if let Kind::Command { commander, .. } = &mut kind {
        let named = commander.as_ref().clone().with_names(names.clone());
        **commander = match plain {
            Some(plain) => named.with_plain(plain),
            None => named,
        };
    }
    if let (Kind::Resident { program: Program::Process(spec), .. }, Some(input)) = (&mut kind, source.mapped_file()) {
        spec.transport.share_input(input);
    }
    Ok((source, kind, names))
}

/// If items are so large that workers had better read them from the input.
fn has_large_blocks(source: &SourceSpec) -> bool {
    matches!(source, SourceSpec::Lines { split: Split::Block { bytes, .. }, .. } if *bytes >= SHARED_BLOCK_BYTES_MIN)
}

fn open_kind(config: &Config, delimiter: u8) -> Result<Kind, EngineError> {
    Ok(match &config.worker {
        WorkerSpec::Exec(spec) => {
            let surroundings = manners::surroundings(config);
            let commander = Commander::new(spec, &surroundings, &config.run_id)?.with_nice(nice_of_workers(config)?);
            let commander =
                commander.with_kept(&config.pass_fds).with_pty(config.pty).with_open_stdin(config.round_robin);
            Kind::Command { commander: Box::new(commander), verbose: config.output.verbose }
        }
        WorkerSpec::BuiltIn { task, delay, transport } => {
            let (path, role) = built_in_worker();
            let mut argv = vec![path.clone()];
            argv.extend(role.map(OsString::from));
            let delay = delay.0.to_string();
            argv.extend(["--task", task, "--delay", &delay].map(OsString::from));
            open_program(path, argv, transport, OF_SDK, config, delimiter)?
        }
        WorkerSpec::Thread { task, delay } => {
            let program = Program::Thread(thread_main(task, *delay, config, delimiter)?);
            Kind::Resident { program, spin: Duration::ZERO }
        }
        WorkerSpec::Frames { argv, transport } => {
            open_program(program_path(argv, config)?, argv.clone(), transport, OF_SDK, config, delimiter)?
        }
        WorkerSpec::Foreign(spec) => {
            let path = program_path(&spec.argv, config)?;
            open_program(path, spec.argv.clone(), &spec.transport, manners_of(spec, config.pty), config, delimiter)?
        }
    })
}

/// The nice value of worker processes; `None`: ours.
fn nice_of_workers(config: &Config) -> Result<Option<i32>, EngineError> {
    let more = config.surroundings.nice;
    let allowed = (more != 0).then(|| priority::nice_with(more)).transpose();
    allowed.map_err(|error| EngineError::Nice { more, error })
}

/// The built-in worker, to be run by threads of this process.
fn thread_main(task: &str, delay: Duration, config: &Config, delimiter: u8) -> Result<ThreadMain, EngineError> {
    let unknown = || EngineError::system("find the task")(io::ErrorKind::NotFound.into());
    let duty = Duty {
        task: tasks::by_name(task).ok_or_else(unknown)?,
        delay: std::time::Duration::from_nanos(delay.0),
        delimiter,
        timed: wants_item_times(config),
        chaos: config.policy.chaos,
        traced: config.trace.is_on(),
    };
    Ok(Arc::new(move |end, progress, token| worker::threads::serve(&duty, end, progress, token)))
}

/// Whether workers tell of each item when it began and how long it took.
fn wants_item_times(config: &Config) -> bool {
    config.output.mode == OutputMode::Json || config.output.joblog.is_some() || config.trace.items
}

/// The built-in worker's program: beside this one, or this one in the worker's role.
fn built_in_worker() -> (OsString, Option<&'static str>) {
    let own = own_process::program().unwrap_or_else(|| PathBuf::from(OWN_PROGRAM));
    let beside = own.with_file_name("supervisor-worker");
    if beside.is_file() {
        (beside.into(), None)
    } else {
        // By this name it is found even if the file has been replaced since.
        let own = if own_process::is_shown() { OsString::from(OWN_PROGRAM) } else { own.into() };
        (own, Some(crate::model::spec::WORKER_ROLE))
    }
}

fn open_program(
    path: OsString,
    argv: Vec<OsString>,
    spec: &TransportSpec,
    manners: Manners,
    config: &Config,
    delimiter: u8,
) -> Result<Kind, EngineError> {
    let env = manners::environment(config, spec, manners, delimiter, wants_item_times(config));
    let folder = manners::workdir(config)?;
    // Words of an argument list and of an environment hold no NUL: the system ended them there.
    let c_string = |word: OsString| CString::new(word.into_vec()).map_err(io::Error::other);
    let c_strings = |words: Vec<OsString>| words.into_iter().map(c_string).collect::<Result<Vec<_>, _>>();
    let prepare = || EngineError::system("prepare the worker's program");
    let most = config.workers_at_most();
    let transport = if manners.on_terminal { transport::terminal() } else { transport::transport(spec, most)? };
    let spin = transport.spin();
    let program = Program::Process(Box::new(LaunchSpec {
        path: c_string(path).map_err(prepare())?,
        argv: c_strings(argv).map_err(prepare())?,
        env: c_strings(env).map_err(prepare())?,
        streams: WorkerStreams {
            stdin: fd::dev_null().map_err(EngineError::system("open /dev/null"))?,
            stdio: manners.stdio,
            pipes_stderr: own_files::reads_stderr(config),
        },
        folder: folder.map(c_string).transpose().map_err(prepare())?,
        nice: nice_of_workers(config)?,
        kept: config.pass_fds.clone(),
        leftovers: config.leftovers,
        transport,
        handshake: manners.handshake,
        progress: manners.progress,
    }));
    Ok(Kind::Resident { program, spin })
}

/// Refuses what the system would refuse halfway through. Returns how many descriptors are left.
fn check_limits(config: &Config, kind: &Kind) -> Result<u64, EngineError> {
    let workers = config.workers_at_most();
    let raised = limits::raise_open_files().map_err(EngineError::system("read the limit of open files"))?;
    let limit = raised.limit();
    let own = limits::open_files_now() + own_files::open_files(config) - SIGNALS_OPEN_FILES;
    // Beside the pidfd of a process, or the wake fd of a thread.
    let (each, more) = match kind {
        Kind::Resident { program: Program::Process(spec), .. } => {
            (spec.transport.fds_per_channel() + u64::from(spec.streams.pipes_stderr), GIVEN_OPEN_FILES)
        }
        Kind::Resident { program: Program::Thread(_), .. } => (in_process::FDS_PER_CHANNEL, GIVEN_OPEN_FILES),
        Kind::Command { commander, .. } => {
            // A command is given the other end of each of ours.
            let each = commander.fds_per_command();
            (each, LAUNCHERS_OPEN_FILES + each * LAUNCHERS_MAX as u64)
        }
    };
    let needed = u64::from(workers) * (1 + each) + own + more;
    if needed > limit {
        return Err(EngineError::OpenFiles { workers, needed, limit });
    }
    limits::reserve_open_files(needed);
    match limits::processes_max() {
        Some(max) if u64::from(workers) + OWN_PROCESSES > max.max => {
            Err(EngineError::Processes { workers, limit: max.max, name: max.name })
        }
        _ => Ok(limit - needed),
    }
}
