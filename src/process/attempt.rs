//! One attempt of a command, from its start until nothing of it is left.
//!
//! Invariant: waits in one place, and for descriptors alone. Events come before deadlines: a command that ended in time
//! has ended in time, however late that is seen.

use super::error::ProcessError;
use super::job::Job;
use super::ladder::{Ender, Ladder};
use super::outputs::OutputPipe;
use super::spec::{Prepared, ProcessSpec};
use super::supervision::{Awaited, ProcessNotice, Supervision};
use crate::command::capture::Progress;
use crate::command::stdin_feed::StdinFeed;
use crate::model::exit::{ExitStatus, Usage};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::sys::pidfd::Process;
use crate::sys::poller::{Interest, Ready};
use crate::sys::spawn::SpawnPlan;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How long a process that is left may hold the output of a command open that has ended.
const LINGER: Duration = Duration::from_secs(1);

/// Reads from one pipe before the others are read.
const READS_PER_EVENT: u32 = 16;
/// Reads from one pipe of a command that has ended: more than a pipe holds (1 MiB at most).
const READS_AT_END: u32 = 64;

/// How an attempt ended.
#[derive(Debug)]
pub struct AttemptEnd {
    pub exit: ExitStatus,
    pub usage: Usage,
    pub runtime: Duration,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub ender: Option<Ender>,
    /// A person has asked for the end, of us or, at the terminal, of the command.
    pub is_stop: bool,
}

/// All pipes of a command that is being started; `None` where it has ours.
#[derive(Default)]
struct StdPipes {
    stdin: Option<OwnedFd>,
    feed: Option<StdinFeed>,
    stdout: Option<(OutputPipe, OwnedFd)>,
    stderr: Option<(OutputPipe, OwnedFd)>,
}

impl StdPipes {
    fn open(spec: &ProcessSpec) -> io::Result<Self> {
        let mut pipes = Self::default();
        if let Some(bytes) = &spec.stdin {
            let (theirs, mut feed) = StdinFeed::open()?;
            // Usually they all fit into the pipe.
            pipes.feed = (feed.write(bytes)? != Progress::Closed).then_some(feed);
            pipes.stdin = Some(theirs);
        }
        if spec.captures {
            pipes.stdout = Some(OutputPipe::open()?);
            pipes.stderr = Some(OutputPipe::open()?);
        }
        Ok(pipes)
    }
}

/// A command that runs, or has left something behind.
pub struct OneAttempt<'a, 'n> {
    spec: &'a ProcessSpec,
    supervision: &'a mut Supervision<'n>,
    process: Process,
    /// `None` when all is written.
    feed: Option<StdinFeed>,
    /// Its feed is in the poll set.
    waits_to_feed: bool,
    stdout: Option<OutputPipe>,
    stderr: Option<OutputPipe>,
    ladder: Ladder,
    started: Instant,
    ended: Option<Instant>,
    /// `None` without one, and once it has passed.
    deadline: Option<Instant>,
    /// The last signal that was passed on.
    passed_on: Option<Signal>,
}

impl<'a, 'n> OneAttempt<'a, 'n> {
    /// Starts the command as the leader of a process group that the guard knows.
    ///
    /// # Errors
    /// Nothing is left of it then.
    pub fn start(
        spec: &'a ProcessSpec,
        prepared: &Prepared,
        supervision: &'a mut Supervision<'n>,
    ) -> Result<Self, ProcessError> {
        let no_pipe = ProcessError::system("open a pipe for the command");
        let StdPipes { stdin, feed, stdout, stderr } = StdPipes::open(spec).map_err(no_pipe)?;
        let (own_stdin, own_stdout, own_stderr) = (io::stdin(), io::stdout(), io::stderr());
        let is_direct = stdin.is_none() && stdout.is_none();
        let terminal = supervision.job.as_ref().and_then(|job| job.lent_at_start(is_direct));
        let has_taken = terminal.is_some();
        let plan = SpawnPlan {
            program: &prepared.program,
            argv: &prepared.argv,
            env: &prepared.environment,
            stdin: stdin.as_ref().map_or(own_stdin.as_fd(), AsFd::as_fd),
            stdout: stdout.as_ref().map_or(own_stdout.as_fd(), |(_, theirs)| theirs.as_fd()),
            stderr: stderr.as_ref().map_or(own_stderr.as_fd(), |(_, theirs)| theirs.as_fd()),
            fds: &[],
            kept: &spec.pass_fds,
            new_group: true,
            folder: prepared.folder.as_deref(),
            nice: None,
            ignored: &supervision.ignored,
            terminal,
            register: supervision.guard.groups().place(0),
        };
        let started = supervision.clock.now();
        let spawned = supervision.spawner.spawn(&plan);
        let process = spawned.map_err(|error| ProcessError::of_spawn(error, spec.name(), prepared.folder_path()))?;
        if let Some(job) = &mut supervision.job {
            job.note_started(&process, has_taken);
        }
        Ok(Self {
            spec,
            supervision,
            process,
            feed,
            waits_to_feed: false,
            stdout: stdout.map(|(ours, _)| ours),
            stderr: stderr.map(|(ours, _)| ours),
            ladder: Ladder::default(),
            started,
            ended: None,
            deadline: spec.timeout.map(|limit| started + limit),
            passed_on: None,
        })
    }

    /// Waits for the end of the command, and ends what it has left behind.
    ///
    /// # Errors
    /// The supervision failed. Nothing is left of the command then.
    pub fn run(mut self) -> Result<AttemptEnd, ProcessError> {
        let supervised = self.watch().and_then(|()| self.supervise());
        if supervised.is_ok() && self.is_held() {
            let held = ProcessNotice::OutputHeld { program: self.spec.name(), held: LINGER };
            (self.supervision.notify)(&held);
        }
        self.unwatch();
        if supervised.is_err() {
            self.process.end();
        }
        // In this order: until the process is reaped, the number of its group is its own.
        let _ = self.process.signal_group(Signal::KILL);
        self.supervision.guard.groups().clear(0);
        let reaped = self.process.reap().map_err(ProcessError::system("ask how the command ended"))?;
        let (exit, usage) = reaped.unwrap_or((ExitStatus::Unknown, Usage::default()));
        if let Some(job) = &mut self.supervision.job {
            job.take_back();
        }
        supervised?;
        let is_interrupted = match exit {
            // Keys reach a command that has the terminal, and not us.
            ExitStatus::Signal { signal: signal @ (Signal::INT | Signal::QUIT | Signal::HUP), .. } => {
                let has_lent = self.supervision.job.as_ref().is_some_and(Job::has_lent);
                has_lent || self.passed_on == Some(signal)
            }
            _ => false,
        };
        let bytes = |output: Option<OutputPipe>| output.map_or_else(Vec::new, |output| output.bytes);
        Ok(AttemptEnd {
            exit,
            usage,
            runtime: self.ended.map_or(Duration::ZERO, |ended| ended.since(self.started)),
            stdout: bytes(self.stdout),
            stderr: bytes(self.stderr),
            ender: self.ladder.ender(),
            is_stop: is_interrupted || self.ladder.is_stopping(),
        })
    }

    fn watch(&mut self) -> Result<(), ProcessError> {
        let poller = &self.supervision.poller;
        let watch = |fd: BorrowedFd<'_>, awaited: Awaited| {
            let added = poller.add(fd, Interest::READ, awaited.token());
            added.map(drop).map_err(ProcessError::system("watch the command"))
        };
        watch(self.process.as_fd(), Awaited::Process)?;
        for (output, awaited) in [(&self.stdout, Awaited::Stdout), (&self.stderr, Awaited::Stderr)] {
            if let Some(pipe) = output.as_ref().and_then(|output| output.pipe.as_ref()) {
                watch(pipe.as_fd(), awaited)?;
            }
        }
        self.write_stdin()
    }

    /// Takes what is left of the command's descriptors out of the poll set.
    fn unwatch(&self) {
        let poller = &self.supervision.poller;
        // One that is not in the set is out of it.
        let _ = poller.remove(&self.process);
        for pipe in [&self.stdout, &self.stderr].into_iter().flatten().filter_map(|output| output.pipe.as_ref()) {
            let _ = poller.remove(pipe);
        }
        if let Some(feed) = &self.feed {
            let _ = poller.remove(feed);
        }
    }

    fn supervise(&mut self) -> Result<(), ProcessError> {
        let mut ready = Vec::new();
        while !self.is_over() {
            let timeout = self.next_deadline().map(|at| at.since(self.supervision.clock.now()));
            self.wait(&mut ready, timeout)?;
            if self.next_deadline().is_some_and(|at| at <= self.supervision.clock.now()) {
                // This process may have been stopped: what has happened before the deadline comes first.
                self.wait(&mut ready, Some(Duration::ZERO))?;
                self.on_deadlines();
            }
        }
        Ok(())
    }

    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> Result<(), ProcessError> {
        self.supervision.poller.wait(ready, timeout).map_err(ProcessError::system("wait for the command"))?;
        for event in ready.iter() {
            match Awaited::of(event.token) {
                Some(Awaited::Process) => self.on_ended()?,
                Some(Awaited::Stdin) => self.write_stdin()?,
                Some(stream @ (Awaited::Stdout | Awaited::Stderr)) => self.read(stream, READS_PER_EVENT)?,
                Some(Awaited::Signals) => self.on_signals(),
                Some(Awaited::Children) => {
                    self.while_stopped(Job::on_children);
                }
                Some(Awaited::Guard) => self.supervision.on_guard_ended(),
                None => {}
            }
        }
        Ok(())
    }

    /// The process has ended, and no process holds its output open any more, or one has done so for long enough.
    fn is_over(&self) -> bool {
        self.ended.is_some_and(|ended| !self.is_held() || ended + LINGER <= self.supervision.clock.now())
    }

    /// The output is open.
    fn is_held(&self) -> bool {
        [&self.stdout, &self.stderr].into_iter().flatten().any(|output| output.pipe.is_some())
    }

    fn next_deadline(&self) -> Option<Instant> {
        match self.ended {
            Some(ended) => Some(ended + LINGER),
            None => self.deadline.into_iter().chain(self.ladder.due()).min(),
        }
    }

    fn on_deadlines(&mut self) {
        let now = self.supervision.clock.now();
        if self.ended.is_some() {
            return;
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            let signal = self.ladder.on_timeout(now);
            self.send(signal);
        }
        let signal = self.ladder.on_due(now);
        self.send(signal);
    }

    fn on_ended(&mut self) -> Result<(), ProcessError> {
        if self.ended.is_some() {
            return Ok(());
        }
        self.ended = Some(self.supervision.clock.now());
        let _ = self.supervision.poller.remove(&self.process);
        if let Some(job) = &mut self.supervision.job {
            job.take_back();
        }
        self.read(Awaited::Stdout, READS_AT_END)?;
        self.read(Awaited::Stderr, READS_AT_END)
    }

    fn read(&mut self, stream: Awaited, reads: u32) -> Result<(), ProcessError> {
        let output = if stream == Awaited::Stderr { &mut self.stderr } else { &mut self.stdout };
        let Some(output) = output else { return Ok(()) };
        if output.read(reads)? == Progress::Closed
            && let Some(pipe) = output.pipe.take()
        {
            let _ = self.supervision.poller.remove(&pipe);
        }
        Ok(())
    }

    fn write_stdin(&mut self) -> Result<(), ProcessError> {
        let (Some(feed), Some(bytes)) = (&mut self.feed, &self.spec.stdin) else { return Ok(()) };
        let failed = ProcessError::system("write the stdin of the command");
        match feed.write(bytes) {
            Ok(Progress::Blocked) if !self.waits_to_feed => {
                self.waits_to_feed = true;
                let added = self.supervision.poller.add(&*feed, Interest::WRITE, Awaited::Stdin.token());
                added.map(drop).map_err(failed)
            }
            Ok(Progress::Blocked) => Ok(()),
            Ok(Progress::More | Progress::Closed) => {
                // Dropped, so that the command reads end-of-file.
                if let Some(feed) = self.feed.take() {
                    let _ = self.supervision.poller.remove(&feed);
                }
                Ok(())
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn on_signals(&mut self) {
        for received in self.supervision.received_signals() {
            match received {
                Signal::TSTP => self.while_stopped(Job::suspend),
                Signal::CONT => self.send(Some(Signal::CONT)),
                signal => {
                    let now = self.supervision.clock.now();
                    let answer = self.ladder.on_signal(signal, now);
                    self.passed_on = answer.or(self.passed_on);
                    self.send(answer);
                }
            }
        }
    }

    /// Does something in which the whole job may be stopped. The time of that counts for no deadline.
    fn while_stopped(&mut self, stop: impl FnOnce(&mut Job, &Process)) {
        let Supervision { job: Some(job), clock, .. } = &mut *self.supervision else { return };
        let before = clock.now();
        stop(job, &self.process);
        let length = clock.now().since(before);
        self.deadline = self.deadline.map(|deadline| deadline + length);
        self.ladder.delay(length);
    }

    /// Signals the command and its process group.
    fn send(&mut self, signal: Option<Signal>) {
        let Some(signal) = signal else { return };
        if let Err(error) = self.process.signal_all(signal) {
            (self.supervision.notify)(&ProcessNotice::NotSignalled { signal, pid: self.process.pid, error });
        }
    }
}
