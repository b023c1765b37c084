//! How a resident worker is started, as data: the [`LaunchSpec`].
//!
//! The spec says what differs from worker to worker: program, descriptors, environment, how the worker introduces
//! itself, and where its progress is read. The core is told the same as its `WorkerContract`.

use super::super::super::system::System;
use super::super::thread::{self, Thread, ThreadMain};
use super::slots::Body;
use super::worker_log::WorkerStderr;
use crate::core::input::SpawnFailure;
use crate::model::ids::WorkerId;
use crate::model::spec::Leftovers;
use crate::sys::fd;
use crate::sys::spawn::{self, SpawnPlan, is_shortage};
use crate::transport::progress_page::ProgressReader;
use crate::transport::{Channel, OpenError, Transport};
use crate::wire::names;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, RawFd};

/// A token that a worker shows in its hello.
pub type Token = [u8; 16];

/// What executes the workers of a run.
pub enum Program {
    Process(Box<LaunchSpec>),
    /// Threads of this process.
    Thread(ThreadMain),
}

/// What a worker process is started from.
pub struct LaunchSpec {
    pub path: CString,
    pub argv: Vec<CString>,
    /// The environment that all workers share, each as `NAME=VALUE`. Descriptors, token and number of the worker are
    /// added.
    pub env: Vec<CString>,
    pub streams: WorkerStreams,
    /// Its working directory; `None`: ours.
    pub folder: Option<CString>,
    /// Its nice value; `None`: ours.
    pub nice: Option<i32>,
    /// Descriptors of ours that it inherits under the same numbers.
    pub kept: Vec<RawFd>,
    /// What becomes of what it leaves in its group.
    pub leftovers: Leftovers,
    /// How its bytes travel.
    pub transport: Box<dyn Transport>,
    pub handshake: Handshake,
    pub progress: ProgressSource,
}

/// The three streams of a worker.
pub struct WorkerStreams {
    /// Its stdin, unless that is the channel.
    pub stdin: File,
    pub stdio: Stdio,
    /// Its stderr, and its stdout unless that is the channel, is a pipe that we read; otherwise it has our own.
    pub pipes_stderr: bool,
}

/// What the stdin and stdout of a worker are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// Its own: what it prints goes to our stderr. The channel has other descriptors, which variables name.
    Own,
    /// The channel.
    Channel,
}

/// How a worker introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// It is ready when it is started.
    None,
    /// It sends a hello with the token that it was given.
    Hello,
    /// It says that it is ready, and shows no token.
    Ready,
}

/// Where it is read which item a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressSource {
    /// On a page of memory that the worker writes.
    Page,
    /// The oldest item that it holds, unless it has named another one.
    OldestHeld,
}

/// A resident worker that was started, and its descriptors.
pub struct Started {
    pub body: Body,
    pub channel: Box<dyn Channel>,
    pub progress: Option<ProgressReader>,
    pub token: Option<Token>,
    pub stderr: Option<WorkerStderr>,
    /// The descriptors that it alone was given, for a trace.
    pub fds: Vec<(RawFd, String)>,
}

impl Program {
    /// Starts a worker. `traced`: its descriptors are recorded.
    ///
    /// # Errors
    /// Nothing is left of the worker then.
    pub fn start(&mut self, worker: WorkerId, traced: bool, system: &mut dyn System) -> Result<Started, StartError> {
        match self {
            Self::Process(spec) => spec.start(worker, traced, system),
            Self::Thread(main) => {
                let (thread, channel, progress) = Thread::start(worker, main)?;
                let (body, progress) = (Body::Thread(thread), Some(progress));
                Ok(Started { body, channel, progress, token: Some(thread::TOKEN), stderr: None, fds: Vec::new() })
            }
        }
    }

    /// Whether what a worker leaves in its group goes on.
    pub fn spares_leftovers(&self) -> bool {
        matches!(self, Self::Process(spec) if spec.leftovers == Leftovers::Leave)
    }

    /// Whether a worker says that it is ready before it gets items.
    pub fn says_ready(&self) -> bool {
        matches!(self, Self::Process(spec) if spec.handshake == Handshake::Ready)
    }

    /// For messages.
    pub fn name(&self) -> String {
        match self {
            Self::Process(spec) => spec.path.to_string_lossy().into_owned(),
            Self::Thread(_) => "a thread".to_owned(),
        }
    }

    /// Why a worker could not be started, for the core.
    pub fn failure(&self, worker: WorkerId, error: &StartError) -> SpawnFailure {
        let text = match error {
            StartError::Channel(error) => format!("open a channel to worker {worker}: {error}"),
            StartError::System(error) => format!("spawn worker {worker} from {}: {error}", self.name()),
        };
        match error.errno() {
            Some(errno) if is_shortage(errno) => SpawnFailure::Shortage(text),
            _ => SpawnFailure::Program(text),
        }
    }
}

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Channel(#[from] OpenError),
    #[error(transparent)]
    System(#[from] io::Error),
}

impl StartError {
    fn errno(&self) -> Option<i32> {
        match self {
            Self::Channel(error) => error.errno(),
            Self::System(error) => error.raw_os_error(),
        }
    }
}

impl LaunchSpec {
    fn start(&mut self, worker: WorkerId, traced: bool, system: &mut dyn System) -> Result<Started, StartError> {
        let (channel, endpoints) = self.transport.open()?;
        let mut variables = vec![format!("{}={worker}", names::WORKER)];
        let (mut token, mut page) = (None, None);
        if self.handshake == Handshake::Hello {
            let bytes = system.random_token()?;
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            variables.push(format!("{}={hex}", names::TOKEN));
            token = Some(bytes);
        }
        if self.progress == ProgressSource::Page {
            page = Some(ProgressReader::create()?);
        }
        let (mut fds, mut meanings) = (Vec::new(), Vec::new());
        let page_fd = page.as_ref().map(|(_, fd)| (&[names::FD_PROGRESS][..], fd.as_fd()));
        let pipe = if self.streams.pipes_stderr { Some(fd::pipe_to_poll()?) } else { None };
        let own_stderr = io::stderr();
        let stderr = pipe.as_ref().map_or(own_stderr.as_fd(), |(_, writer)| writer.as_fd());
        // A handler may print: that must not mix with results.
        let (mut stdin, mut stdout) = (self.streams.stdin.as_fd(), stderr);
        let mut given: Vec<_> = endpoints.fds().chain(page_fd).collect();
        if self.streams.stdio == Stdio::Channel {
            for (names, end) in std::mem::take(&mut given) {
                stdin = if names.contains(&names::FD_IN) { end } else { stdin };
                stdout = if names.contains(&names::FD_OUT) { end } else { stdout };
            }
            if traced {
                meanings.extend(
                    [(0, names::FD_IN), (1, names::FD_OUT)].map(|(fd, name)| (fd, names::meaning(name).to_owned())),
                );
            }
        }
        for (number, (names, fd)) in spawn::numbers(&self.kept).zip(given) {
            variables.extend(names.iter().map(|name| format!("{name}={number}")));
            fds.push(fd);
            if traced {
                meanings
                    .push((number, names.iter().map(|name| names::meaning(name)).collect::<Vec<_>>().join(" and ")));
            }
        }
        let for_sdk = endpoints.variables().filter(|_| self.streams.stdio == Stdio::Own);
        variables.extend(for_sdk.map(|(name, value)| format!("{name}={value}")));
        let mut env = self.env.clone();
        for variable in variables {
            env.push(CString::new(variable).map_err(io::Error::other)?);
        }
        let plan = SpawnPlan {
            program: &self.path,
            argv: &self.argv,
            env: &env,
            stdin,
            stdout,
            stderr,
            fds: &fds,
            kept: &self.kept,
            new_group: true,
            folder: self.folder.as_deref(),
            nice: self.nice,
            ignored: &[],
            terminal: None,
            register: None,
        };
        let process = system.start(worker, &plan)?;
        let progress = page.map(|(reader, _)| reader);
        let stderr = pipe.map(|(reader, _)| WorkerStderr::new(reader));
        Ok(Started { body: Body::Process(process), channel, progress, token, stderr, fds: meanings })
    }
}
