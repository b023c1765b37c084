//! A process for each item.
//!
//! A [`Commander`] starts processes. An [`Execution`] is a started one: the process, our ends of its pipes, and its output
//! so far. Its owner waits for the pidfd and the pipes, calls `read_stdout`, `read_stderr` and `write_stdin` when they are
//! ready, kills the rest of the process group, and reaps.
//!
//! Invariant: nothing here blocks, and nothing here ends a process. End-of-file on the pipes does not mean that the process
//! has ended, and its end does not mean end-of-file: a command may close its stdout early, and a grandchild may keep it
//! open.

use super::capture::Capture;
pub use super::execution::Execution;

use super::environment::{CommandEnvironment, Variable};
pub use super::launch_error::LaunchError;
use super::launch_error::{classify, classify_plain};
use super::line::{CommandLine, QuoteWord};
use super::list_script::SHELL;
use super::pipes::Pipes;
use super::placeholder::Values;
use super::plain::{NoProgramError, PlainCommands};
use super::script::Misplaced;
use super::search::{self, CommandError};
use super::template::{LateTemplate, Template};
use super::workdir::{self, Workdir};
use crate::model::arrangement::{ColumnNames, ItemForm};
use crate::model::config::ExecSpec;
use crate::model::ids::{Attempt, ItemId, WorkerId};
use crate::model::surroundings::Surroundings;
use crate::model::time::Instant;
use crate::sys::fd;
use crate::sys::guard::GuardPlace;
use crate::sys::spawn::{SpawnPlan, Spawner};
use crate::wire::names;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io::{self};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;

/// The item of a start, with its worker and attempt.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    pub worker: WorkerId,
    pub item: ItemId,
    pub attempt: Attempt,
    /// The content of the item.
    pub bytes: &'a [u8],
    /// The process stores its pid here before its program runs ([`SpawnPlan::register`]).
    pub register: Option<&'a GuardPlace>,
    /// The terminal that its group is lent ([`SpawnPlan::terminal`]).
    pub terminal: Option<BorrowedFd<'a>>,
    /// The temporary folder that its `TMPDIR` names; `None`: as for all.
    pub tmp: Option<&'a Path>,
    /// Becomes [`Execution::started`].
    pub now: Instant,
}

/// Starts the command of an [`ExecSpec`], once for each item.
#[derive(Clone, Debug)]
pub struct Commander {
    template: LateTemplate,
    /// What an item is.
    form: ItemForm,
    /// The placeholders of an item are empty.
    hides_item: bool,
    program: ProgramPath,
    stdin: bool,
    /// Commands write stderr where they write stdout.
    merges: bool,
    /// The stdin of commands that do not read the item from it: `/dev/null`, or the terminal.
    null: Arc<File>,
    /// Descriptors of ours that commands inherit under the same numbers.
    kept: Vec<RawFd>,
    /// Commands write to our own stdout and stderr, not to pipes.
    direct: DirectOutput,
    /// Commands write to a terminal of their own.
    pty: bool,
    /// Their stdin does not end with their item.
    stays_open: bool,
    environment: CommandEnvironment,
    workdir: Option<Workdir>,
    nice: Option<i32>,
    /// Commands are started as xargs starts them, and their items are whole command lines.
    plain: Option<PlainCommands>,
    /// `PATH` of the commands, in which they are searched.
    path: Option<OsString>,
    // Buffers that are reused.
    line: CommandLine,
    argv: Vec<CString>,
}

/// Which streams of ours commands write to themselves: a terminal, which shows their questions at once, or any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectOutput {
    pub stdout: bool,
    pub stderr: bool,
}

#[derive(Clone, Debug)]
enum ProgramPath {
    /// All items have the same program, which was searched once.
    At(CString),
    /// The program depends on the item.
    PerItem,
}

impl Commander {
    /// Prepares what all items have in common, and searches the program unless it depends on the item.
    ///
    /// # Errors
    /// The program is missing ([`CommandError::NotFound`]) or cannot be executed ([`CommandError::NotExecutable`]), for
    /// every item.
    pub fn new(spec: &ExecSpec, surroundings: &Surroundings, run_id: &str) -> Result<Self, CommandError> {
        // Of a script that the item is, the shell alone is known.
        let shell = spec.quoting_shell.as_ref();
        let name = spec.argv.first().or(shell.map(|own| &own.shell)).ok_or(CommandError::Empty)?;
        let path = surroundings.variable("PATH").map(OsStr::to_owned).or_else(|| std::env::var_os("PATH"));
        let template = LateTemplate::new(spec)?;
        if spec.argv.len() == 1 && !spec.shell && spec.quoting_shell.is_none() && template.program_may_vary() {
            search::refuse_script(name, path.as_deref())?;
        }
        let workdir = surroundings.workdir.as_deref().map(|text| Workdir::new(text, &spec.insertion));
        let folder = workdir.as_ref().map_or(Some(Path::new("")), Workdir::fixed);
        if let (Some(folder), Some(_)) = (folder, &workdir) {
            workdir::check(folder)?;
        }
        let program = match (template.program_may_vary(), spec.shell) {
            _ if let Some(own) = shell => ProgramPath::At(search::find(&own.shell, path.as_deref(), Path::new(""))?),
            (true, _) => ProgramPath::PerItem,
            (false, true) => ProgramPath::At(search::find(OsStr::new(SHELL), None, Path::new(""))?),
            (false, false) => match folder {
                Some(folder) => ProgramPath::At(search::find_complete(name, path.as_deref(), folder)?),
                // A relative path means another file in each folder.
                None if is_relative(name) => ProgramPath::PerItem,
                None => match search::find_complete(name, path.as_deref(), Path::new(""))? {
                    found if is_relative(OsStr::from_bytes(found.to_bytes())) => ProgramPath::PerItem,
                    found => ProgramPath::At(found),
                },
            },
        };
        let mut environment = CommandEnvironment::new(std::env::vars_os(), run_id);
        surroundings.variables.iter().for_each(|(name, value)| environment.set_for_all(name, value));
        environment.name_slot(shell.map(|own| own.slot_variable.clone()));
        Ok(Self {
            template,
            form: spec.insertion.form,
            hides_item: spec.insertion.hides_item,
            program,
            stdin: spec.stdin,
            merges: spec.merges,
            null: Arc::new(fd::dev_null().map_err(CommandError::DevNull)?),
            kept: Vec::new(),
            direct: DirectOutput::default(),
            pty: false,
            stays_open: false,
            environment,
            workdir,
            nice: None,
            plain: None,
            path,
            line: CommandLine::default(),
            argv: Vec::new(),
        })
    }

    /// Tells the commander where the names of columns become known.
    #[must_use]
    pub fn with_names(mut self, names: ColumnNames) -> Self {
        self.template.wait_for(names);
        self
    }

    /// Gives commands this nice value; `None`: ours.
    #[must_use]
    pub fn with_nice(self, nice: Option<i32>) -> Self {
        Self { nice, ..self }
    }

    /// Lets commands inherit these descriptors of ours under the same numbers.
    #[must_use]
    pub fn with_kept(self, kept: &[RawFd]) -> Self {
        Self { kept: kept.to_vec(), ..self }
    }

    /// Gives commands the terminal as their stdin, unless the item is written to that.
    #[must_use]
    pub fn with_terminal(self, terminal: File) -> Self {
        Self { null: Arc::new(terminal), ..self }
    }

    /// Lets commands write to our own stdout and stderr.
    #[must_use]
    pub fn with_direct(self, direct: DirectOutput) -> Self {
        Self { direct, ..self }
    }

    /// Starts commands as xargs does.
    #[must_use]
    pub fn with_plain(self, plain: PlainCommands) -> Self {
        Self { plain: Some(plain), ..self }
    }

    /// Leaves the stdin of commands open behind their item, if `stays_open` is set.
    #[must_use]
    pub fn with_open_stdin(self, stays_open: bool) -> Self {
        Self { stays_open, ..self }
    }

    /// Gives each command a terminal of its own as its stdout and stderr, if `pty` is set. What it writes to either is its
    /// stdout.
    #[must_use]
    pub fn with_pty(self, pty: bool) -> Self {
        Self { pty, ..self }
    }

    /// The most descriptors that the supervisor holds for one command, without the pidfd.
    #[must_use]
    pub const fn fds_per_command(&self) -> u64 {
        if self.plain.is_some() {
            return 0;
        }
        // stdout, stderr if it is not the same, and stdin if the item is written to it.
        1 + !self.merges as u64 + self.stdin as u64
    }

    /// The command for one item as text that a shell parses to the same arguments, without a final newline; with `--shell`,
    /// the script. For display: it is not checked if the command can be executed.
    pub fn quoted_line(&mut self, bytes: &[u8], item: ItemId, worker: WorkerId, quote_word: QuoteWord) -> Vec<u8> {
        let filled = self.fill(bytes, item, worker);
        let shown = filled.map(|(template, line, values)| template.quoted(&values, line, quote_word));
        // As a comment of the shell.
        shown.unwrap_or_else(|error| format!("# failed to {error}").into_bytes())
    }

    /// What a person is asked before the command of one item starts, up to the mark of the question.
    pub fn question(&mut self, bytes: &[u8], item: ItemId, worker: WorkerId) -> Vec<u8> {
        match self.plain {
            Some(_) => super::plain::question(bytes),
            None => [&self.quoted_line(bytes, item, worker, super::line::quote_as_parallel)[..], b" "].concat(),
        }
    }

    /// Whether commands are started as xargs starts them.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    fn fill<'a>(
        &mut self,
        bytes: &'a [u8],
        item: ItemId,
        worker: WorkerId,
    ) -> Result<(&Template, &CommandLine, Values<'a>), Misplaced> {
        let bytes = if self.hides_item { &[] } else { bytes };
        let values = values(self.form, bytes, item, worker);
        let template = self.template.get()?;
        template.fill(&values, &mut self.line);
        Ok((template, &self.line, values))
    }

    /// Starts the command for one item. The process leads a group of its own and is killed when we die. If all items have
    /// one program and one folder, this may return before the program runs ([`Execution::pending`]).
    ///
    /// # Errors
    /// See [`LaunchError`]. No process is left then.
    pub fn launch(&mut self, spawner: &mut Spawner, launch: &Launch<'_>) -> Result<Execution, LaunchError> {
        if let Some(plain) = &mut self.plain {
            return launch_plain(plain, spawner, launch, self.null.as_fd(), &self.kept);
        }
        if let Err(error) = self.fill(launch.bytes, launch.item, launch.worker) {
            return Err(LaunchError::Unfit(error.to_string()));
        }
        self.line
            .copy_checked(&mut self.argv)
            .map_err(|error| LaunchError::Unfit(format!("run {}: {error}", self.name())))?;
        let folder = self.folder_of(launch)?;
        let found;
        let program = match &self.program {
            ProgramPath::At(path) => path,
            ProgramPath::PerItem => {
                found = self.search(folder.as_deref()).map_err(|error| LaunchError::Item(error.to_string()))?;
                &found
            }
        };
        set_variables(&mut self.environment, launch);
        let what = if self.pty { "a terminal" } else { "a pipe" };
        let pipes = Pipes::new(self.stdin.then_some(launch.bytes), self.stays_open, self.merges, self.pty)
            .map_err(|error| LaunchError::Shortage(format!("run {}: create {what}: {error}", self.name())))?;
        let (own_stdout, own_stderr, direct) = (io::stdout(), io::stderr(), self.direct);
        let stdout = if direct.stdout { own_stdout.as_fd() } else { pipes.stdout.as_fd() };
        let stderr = match &pipes.stderr {
            _ if self.merges => stdout,
            Some((_, theirs)) if !direct.stderr => theirs.as_fd(),
            None if !direct.stderr => stdout,
            _ => own_stderr.as_fd(),
        };
        let plan = SpawnPlan {
            program,
            argv: &self.argv,
            env: self.environment.entries(),
            stdin: pipes.stdin.as_ref().map_or(self.null.as_fd(), AsFd::as_fd),
            stdout,
            stderr,
            fds: &[],
            kept: &self.kept,
            new_group: true,
            folder: folder.as_deref(),
            nice: self.nice,
            ignored: &[],
            terminal: launch.terminal,
            register: launch.register,
        };
        let is_common = matches!(self.program, ProgramPath::At(_));
        let started = match is_common && folder.is_none() {
            true => spawner.start(&plan),
            false => spawner.spawn(&plan).map(|process| (process, None)),
        };
        let (process, pending) = started.map_err(|error| {
            let folder = folder.as_deref().map(of_c_str);
            let path = folder.unwrap_or(Path::new("")).join(of_c_str(program));
            let name = folder.map_or_else(|| self.name(), |folder| format!("{} in {}", self.name(), folder.display()));
            classify(error, &name, &path, is_common)
        })?;
        Ok(Execution {
            process,
            pending,
            stdout: (!direct.stdout).then_some(pipes.ours_stdout),
            stderr: pipes.stderr.filter(|_| !direct.stderr).map(|(ours, _)| ours),
            stdin: pipes.feed,
            out: Capture::default(),
            err: Capture::default(),
            started: launch.now,
        })
    }

    /// Searches the program of the present command line, which runs in this folder.
    fn search(&self, folder: Option<&CStr>) -> Result<CString, CommandError> {
        let name = OsStr::from_bytes(self.line.arguments().next().unwrap_or_default());
        let from = folder.map_or(Path::new(""), of_c_str);
        if folder.is_some() {
            workdir::check(from)?;
        }
        search::find(name, self.path.as_deref(), from)
    }

    /// Whether the program of an execution runs; waits until that is known.
    ///
    /// # Errors
    /// As [`Commander::launch`]. The process has been reaped then.
    pub fn outcome(&self, spawner: &mut Spawner, execution: &mut Execution) -> Result<(), LaunchError> {
        let Some(pending) = execution.pending.take() else { return Ok(()) };
        spawner.outcome(pending, &execution.process).map_err(|error| match &self.program {
            _ if self.plain.is_some() => classify_plain(error),
            ProgramPath::At(path) => classify(error, &self.name(), of_c_str(path), true),
            // Not started so.
            ProgramPath::PerItem => classify(error, &self.name(), Path::new(""), false),
        })
    }

    /// The working directory of an item's command; `None`: ours.
    fn folder_of(&mut self, launch: &Launch<'_>) -> Result<Option<CString>, LaunchError> {
        let Some(workdir) = &mut self.workdir else { return Ok(None) };
        let values = values(self.form, launch.bytes, launch.item, launch.worker);
        let folder = workdir.of_item(&values, self.template.names());
        CString::new(folder.into_os_string().into_vec()).map(Some).map_err(|_| {
            LaunchError::Unfit(format!(
                "run {}: its working directory holds a NUL byte, which no path can",
                self.name()
            ))
        })
    }

    /// The program of the present command line, for messages.
    fn name(&self) -> String {
        String::from_utf8_lossy(self.line.arguments().next().unwrap_or_default()).into_owned()
    }
}

/// What an item's command is told of it.
fn set_variables(environment: &mut CommandEnvironment, launch: &Launch<'_>) {
    environment.set(Variable::Item, launch.item.0);
    environment.set(Variable::Attempt, u64::from(launch.attempt.0));
    environment.set(Variable::Worker, u64::from(launch.worker.number()));
    environment.set(Variable::Sequence, launch.item.0.saturating_add(1));
    environment.set(Variable::JobSlot, u64::from(launch.worker.number()));
    if let Some(folder) = launch.tmp {
        environment.set_for_all(OsStr::new(names::TMPDIR), folder.as_os_str());
    }
}

const fn values(form: ItemForm, item: &[u8], id: ItemId, worker: WorkerId) -> Values<'_> {
    Values { item, form, sequence: id.0.saturating_add(1), slot: worker.number() }
}

fn of_c_str(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// If it is looked up from the working directory.
fn is_relative(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/') && Path::new(program).is_relative()
}

/// Starts a command with our own streams. Every program that cannot be executed ends the run, as in xargs.
fn launch_plain(
    plain: &mut PlainCommands,
    spawner: &mut Spawner,
    launch: &Launch<'_>,
    null: BorrowedFd<'_>,
    kept: &[RawFd],
) -> Result<Execution, LaunchError> {
    let slot = u64::from(launch.worker.number()).saturating_sub(1);
    plain.prepare(launch.bytes, slot).map_err(|NoProgramError { error, is_missing }| LaunchError::Program {
        error: error.to_owned(),
        missing: is_missing,
    })?;
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let plan = SpawnPlan {
        program: plain.program(),
        argv: plain.argv(),
        env: plain.environment(),
        stdin: plain.stdin(null),
        stdout: stdout.as_fd(),
        stderr: stderr.as_fd(),
        fds: &[],
        kept,
        new_group: true,
        folder: None,
        nice: None,
        ignored: &[],
        terminal: launch.terminal,
        register: launch.register,
    };
    let (process, pending) = spawner.start(&plan).map_err(classify_plain)?;
    Ok(Execution {
        process,
        pending,
        stdout: None,
        stderr: None,
        stdin: None,
        out: Capture::default(),
        err: Capture::default(),
        started: launch.now,
    })
}

#[cfg(test)]
mod tests {
    use super::super::capture::{Collector, Progress};
    use super::super::line;
    use super::*;
    use crate::model::arrangement::Insertion;
    use crate::model::exit::ExitStatus;
    use crate::model::signal::Signal;
    use crate::sys::poller::{Interest, Poller};
    use crate::sys::spill::SpillFile;
    use std::sync::Arc;

    const PIDFD: u64 = 0;
    const STDOUT: u64 = 1;
    const STDERR: u64 = 2;
    const STDIN: u64 = 3;

    fn commander(argv: &[&str], shell: bool, stdin: bool) -> Commander {
        let spec = ExecSpec {
            argv: argv.iter().map(OsString::from).collect(),
            shell,
            quoting_shell: None,
            stdin,
            merges: false,
            item_tmp: false,
            terminal: false,
            insertion: Insertion::default(),
        };
        Commander::new(&spec, &Surroundings::default(), "run-1").unwrap()
    }

    fn launch(commander: &mut Commander, bytes: &[u8]) -> Result<Execution, LaunchError> {
        let launch = Launch {
            worker: WorkerId::from_index(1),
            item: ItemId(6),
            attempt: Attempt(3),
            bytes,
            register: None,
            terminal: None,
            tmp: None,
            now: Instant(5),
        };
        commander.launch(&mut Spawner::new().unwrap(), &launch)
    }

    /// An execution under way, with what its driver holds.
    struct Driven {
        execution: Execution,
        collector: Collector,
        poller: Poller,
        item: Vec<u8>,
        has_ended: bool,
    }

    impl Driven {
        fn new(commander: &mut Commander, item: &[u8]) -> Self {
            let execution = launch(commander, item).unwrap();
            let poller = Poller::new().unwrap();
            poller.add(&execution.process, Interest::READ, PIDFD).unwrap();
            poller.add(execution.stdout.as_ref().unwrap(), Interest::READ, STDOUT).unwrap();
            poller.add(execution.stderr.as_ref().unwrap(), Interest::READ, STDERR).unwrap();
            if let Some(feed) = &execution.stdin {
                poller.add(feed, Interest::WRITE, STDIN).unwrap();
            }
            let collector = Collector::new(Arc::new(SpillFile::new()));
            Self { execution, collector, poller, item: item.to_vec(), has_ended: false }
        }

        /// Waits for events and handles them until `enough` is true.
        fn drive(&mut self, enough: impl Fn(&Self) -> bool) {
            let mut ready = Vec::new();
            while !enough(self) {
                self.poller.wait(&mut ready, None).unwrap();
                for event in &ready {
                    self.serve(event.token);
                }
            }
        }

        fn serve(&mut self, token: u64) {
            let execution = &mut self.execution;
            match token {
                STDOUT if execution.read_stdout(&mut self.collector).unwrap() == Progress::Closed => {
                    self.poller.remove(execution.stdout.take().unwrap()).unwrap();
                }
                STDERR if execution.read_stderr(&mut self.collector).unwrap() == Progress::Closed => {
                    self.poller.remove(execution.stderr.take().unwrap()).unwrap();
                }
                STDIN if execution.write_stdin(&self.item).unwrap() == Progress::Closed => {
                    self.poller.remove(execution.stdin.take().unwrap()).unwrap();
                }
                PIDFD => {
                    self.poller.remove(&execution.process).unwrap();
                    self.has_ended = true;
                }
                _ => {}
            }
        }

        /// Drives until the process has ended and its pipes are closed: exit, stdout, stderr.
        fn finish(mut self) -> (ExitStatus, Vec<u8>, Vec<u8>) {
            self.drive(|own| own.has_ended && own.execution.stdout.is_none() && own.execution.stderr.is_none());
            let (status, _) = self.execution.process.reap().unwrap().unwrap();
            (status, Self::content(&self.execution.out), Self::content(&self.execution.err))
        }

        fn content(capture: &Capture) -> Vec<u8> {
            let mut all = vec![0; usize::try_from(capture.spilled.bytes()).unwrap()];
            capture.spilled.read_at(0, &mut all).unwrap();
            all.extend_from_slice(&capture.memory);
            all
        }
    }

    fn run(argv: &[&str], item: &[u8]) -> (ExitStatus, String, String) {
        let (status, out, err) = Driven::new(&mut commander(argv, false, false), item).finish();
        (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_command_gets_its_item_as_one_argument() {
        assert_eq!(run(&["printf", "<%s>"], b"a  b"), (ExitStatus::Code(0), "<a  b>".into(), String::new()));
        assert_eq!(run(&["/bin/echo", "{#}", "{%}", "{/}"], b"x/y").1, "7 2 y\n");
    }

    #[test]
    fn stdout_and_stderr_are_kept_apart_and_the_exit_code_is_told() {
        let (status, out, err) = run(&["sh", "-c", "echo out $1; echo err $1 >&2; exit 3", "sh"], b"x");
        assert_eq!((status, out.as_str(), err.as_str()), (ExitStatus::Code(3), "out x\n", "err x\n"));
    }

    #[test]
    fn a_command_is_told_who_it_is() {
        let script = "echo $SUPERVISOR_ITEM $SUPERVISOR_ATTEMPT $SUPERVISOR_WORKER $SUPERVISOR_RUN \
                      $PARALLEL_SEQ $PARALLEL_JOBSLOT $PARALLEL_PID";
        let (_, out, _) = run(&["sh", "-c", script], b"x");
        assert_eq!(out, format!("6 3 2 run-1 7 2 {}\n", std::process::id()));
    }

    #[test]
    fn a_command_without_input_finds_the_end_at_once() {
        assert_eq!(run(&["sh", "-c", "cat; echo done"], b"x").1, "done\n");
    }

    #[test]
    fn one_that_a_signal_ends_says_so() {
        let (status, ..) = run(&["sh", "-c", "kill -KILL $$"], b"x");
        assert_eq!(status, ExitStatus::Signal { signal: Signal::KILL, core_dumped: false });
    }

    #[test]
    fn an_item_of_any_length_is_written_to_stdin_whole() {
        for bytes in [0, 5, 1_000_000] {
            let item: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
            let (status, out, _) = Driven::new(&mut commander(&["cat"], false, true), &item).finish();
            assert_eq!(status, ExitStatus::Code(0));
            assert!(out == item, "{bytes} bytes came back as {}", out.len());
        }
    }

    #[test]
    fn a_short_item_is_in_the_pipe_before_the_command_starts() {
        let execution = launch(&mut commander(&["cat"], false, true), &[b'x'; 4096]).unwrap();
        assert!(execution.stdin.is_none());
    }

    #[test]
    fn a_command_need_not_read_its_stdin() {
        let (status, out, _) = Driven::new(&mut commander(&["echo", "hi"], false, true), &[b'x'; 1_000_000]).finish();
        assert_eq!((status, out.as_slice()), (ExitStatus::Code(0), &b"hi\n"[..]));
    }

    #[test]
    fn the_shell_runs_a_script_with_the_item_quoted() {
        let mut shell = commander(&["echo", "{}", "| tr a-z A-Z"], true, false);
        assert_eq!(Driven::new(&mut shell, b"$(exit) 'a'").finish().1, b"$(EXIT) 'A'\n");
        let mut shown = |style| shell.quoted_line(b"a b", ItemId(0), WorkerId::from_index(0), style);
        assert_eq!(shown(line::quote), br"echo a\ b | tr a-z A-Z");
        assert_eq!(shown(line::quote_as_parallel), b"echo 'a b' | tr a-z A-Z");
    }

    #[test]
    fn a_program_that_depends_on_the_item_is_searched_each_time() {
        let mut named = commander(&["{}", "hello"], false, false);
        assert_eq!(Driven::new(&mut named, b"echo").finish().1, b"hello\n");
        let error = launch(&mut named, b"frobnicate").unwrap_err();
        assert_eq!(error, LaunchError::Item("run frobnicate: command not found in PATH".into()));
        assert_eq!(Driven::new(&mut named, b"/bin/echo").finish().1, b"hello\n");
    }

    #[test]
    fn a_missing_program_is_reported_before_any_item() {
        let error = |argv: &[&str]| {
            let spec = ExecSpec {
                argv: argv.iter().map(OsString::from).collect(),
                shell: false,
                quoting_shell: None,
                stdin: false,
                merges: false,
                item_tmp: false,
                terminal: false,
                insertion: Insertion::default(),
            };
            Commander::new(&spec, &Surroundings::default(), "r").unwrap_err()
        };
        assert!(matches!(error(&["frobnicate"]), CommandError::NotFound { .. }));
        assert!(matches!(error(&["/"]), CommandError::NotExecutable { .. }));
        assert!(matches!(error(&[]), CommandError::Empty));
    }

    #[test]
    fn an_item_that_cannot_be_an_argument_fails_alone() {
        let mut echo = commander(&["echo"], false, false);
        for (item, reason) in [
            (b"a\0b".to_vec(), "run echo: the item holds a NUL byte"),
            (vec![b'x'; 128 * 1024], "run echo: an argument of 131072 bytes is longer than the system takes"),
        ] {
            let LaunchError::Unfit(text) = launch(&mut echo, &item).unwrap_err() else { panic!("not the item's") };
            assert!(text.starts_with(reason), "{text}");
        }
        // Each argument is short enough; together they are not, on any system.
        let many = ["{}"; 60];
        let mut together = commander(&[&["echo"], &many[..]].concat(), false, false);
        let LaunchError::Unfit(text) = launch(&mut together, &[b'x'; 128 * 1024 - 1]).unwrap_err() else {
            panic!("not the item's")
        };
        assert!(text.starts_with("run echo: arguments and environment together"), "{text}");
        assert_eq!(Driven::new(&mut echo, b"fine").finish().1, b"fine\n");
    }

    #[test]
    fn endless_output_does_not_fill_memory() {
        let mut writing = Driven::new(&mut commander(&["yes"], false, false), b"x");
        writing.drive(|own| own.execution.out.bytes() > 1_000_000);
        assert!(writing.execution.out.memory.len() <= super::super::capture::MEMORY_BYTES_MAX);
        writing.execution.process.signal_group(Signal::KILL).unwrap();
        writing.drive(|own| own.has_ended && own.execution.stdout.is_none());
        let out = Driven::content(&writing.execution.out);
        assert!(out.chunks_exact(2).all(|line| line == b"x\n"));
        assert!(writing.execution.process.reap().unwrap().is_some());
    }

    #[test]
    fn a_grandchild_may_outlive_its_parent_and_keep_stdout_open() {
        let script = "echo written; sleep 1000 & exit 4";
        let mut parent = Driven::new(&mut commander(&["sh", "-c", script], false, false), b"x");
        parent.drive(|own| own.has_ended);
        while parent.execution.read_stdout(&mut parent.collector).unwrap() == Progress::More {}
        assert_eq!(parent.execution.out.memory, b"written\n");
        assert_eq!(parent.execution.read_stdout(&mut parent.collector).unwrap(), Progress::Blocked, "it is held open");
        parent.execution.process.signal_group(Signal::KILL).unwrap();
        assert_eq!(parent.execution.process.reap().unwrap().unwrap().0, ExitStatus::Code(4));
        parent.drive(|own| own.execution.stdout.is_none());
    }

    #[test]
    fn a_command_may_close_its_stdout_and_live_on() {
        let script = "exec >&-; kill -STOP $$";
        let mut quiet = Driven::new(&mut commander(&["sh", "-c", script], false, false), b"x");
        quiet.drive(|own| own.execution.stdout.is_none());
        assert!(!quiet.has_ended);
        quiet.execution.process.signal_group(Signal::KILL).unwrap();
        quiet.drive(|own| own.has_ended);
        assert!(quiet.execution.process.reap().unwrap().is_some());
    }
}
