//! Starting workers, resident ones and commands, with all that they are given.

use super::event_loop::Engine;
use super::slots::{Body, Occupant, Resident, Watched};
use super::threads::{self, Life, Thread};
use super::token::Part;
use crate::command::exec::Commander;
use crate::core::input::{Input, SpawnFailure};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Incarnation, WorkerId};
use crate::model::signal::Signal;
use crate::model::time::Duration;
use crate::sys::guard::{Groups, Guard};
use crate::sys::pidfd::Process;
use crate::sys::poller::Interest;
use crate::sys::spawn::{SpawnPlan, Spawner, is_shortage};
use crate::transport::progress_page::ProgressReader;
use crate::transport::{Channel, Transport};
use crate::wire::names;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

/// The number of the first descriptor that a worker is given beyond stdin, stdout and stderr.
const FIRST_FD: u32 = 3;

/// What workers are, and what starts them.
pub struct Spawning {
    pub spawner: Spawner,
    pub guard: Guard,
    pub kind: Kind,
}

/// What a worker is.
pub enum Kind {
    Resident(Program),
    /// Threads of this process.
    Thread(Life),
    /// Processes that launchers start. The commander here only shows what they do, if that is wanted.
    Command {
        commander: Box<Commander>,
        verbose: bool,
    },
}

/// A resident worker's program.
pub struct Program {
    pub path: CString,
    pub argv: Vec<CString>,
    /// What every worker finds in its environment.
    pub env: Vec<CString>,
    pub transport: Box<dyn Transport>,
    /// Its stdin.
    pub null: File,
    /// Where tokens come from.
    pub random: File,
}

/// A resident worker that was started, and its descriptors.
struct Started {
    body: Body,
    channel: Box<dyn Channel>,
    progress: ProgressReader,
    token: [u8; 16],
}

impl Kind {
    /// How long channels that are awake are looked at in vain.
    pub fn spin(&self) -> Duration {
        match self {
            Self::Resident(program) => program.transport.spin(),
            Self::Thread(_) | Self::Command { .. } => Duration::ZERO,
        }
    }
}

impl Spawning {
    /// The group in this slot is ended. Before its leader is reaped: then its number may be anybody's.
    pub fn forget(&self, worker: WorkerId) {
        self.guard.groups().clear(worker.index());
    }

    fn start_resident(&mut self, worker: WorkerId) -> io::Result<Started> {
        let program = match &mut self.kind {
            Kind::Resident(program) => program,
            Kind::Thread(life) => {
                let (thread, channel, progress) = Thread::start(worker, life)?;
                return Ok(Started { body: Body::Thread(thread), channel, progress, token: threads::TOKEN });
            }
            Kind::Command { .. } => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let (channel, endpoints) = program.transport.open()?;
        let (progress, progress_fd) = ProgressReader::create()?;
        let mut token = [0; 16];
        program.random.read_exact(&mut token)?;
        let hex: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut env = program.env.clone();
        let mut variables = vec![format!("{}={hex}", names::TOKEN), format!("{}={worker}", names::WORKER)];
        let mut fds = Vec::new();
        let progress_fds = (&[names::FD_PROGRESS][..], progress_fd.as_fd());
        for (number, (names, fd)) in (FIRST_FD..).zip(endpoints.fds().chain([progress_fds])) {
            variables.extend(names.iter().map(|name| format!("{name}={number}")));
            fds.push(fd);
        }
        variables.extend(endpoints.variables().map(|(name, value)| format!("{name}={value}")));
        for variable in variables {
            env.push(CString::new(variable).map_err(io::Error::other)?);
        }
        let stderr = io::stderr();
        let plan = SpawnPlan {
            program: &program.path,
            argv: &program.argv,
            env: &env,
            stdin: program.null.as_fd(),
            // A handler may print: that goes where it cannot mix with results.
            stdout: stderr.as_fd(),
            stderr: stderr.as_fd(),
            fds: &fds,
            new_group: true,
            register: self.guard.groups().place(worker.index()),
        };
        let process = self.spawner.spawn(&plan).map_err(|error| io::Error::from_raw_os_error(error.errno))?;
        Ok(Started { body: Body::Process(process), channel, progress, token })
    }

    fn program_name(&self) -> String {
        match &self.kind {
            Kind::Resident(program) => program.path.to_string_lossy().into_owned(),
            Kind::Thread(_) => "a thread".to_owned(),
            Kind::Command { .. } => "a command".to_owned(),
        }
    }
}

/// Ends a process that cannot be watched: its end would never be seen. Its group is forgotten between its end and
/// its reaping: earlier the guard would miss it, later its number may be anybody's.
pub fn abandon(groups: &Groups, worker: WorkerId, process: &Process) {
    process.end();
    groups.clear(worker.index());
    let _ = process.reap();
}

/// Reaps a process whose pidfd said that it has ended.
pub fn reap(process: &Process) -> (ExitStatus, Usage) {
    match process.reap() {
        Ok(Some(ended)) => ended,
        Ok(None) | Err(_) => (ExitStatus::Unknown, Usage::default()),
    }
}

/// Why a resident worker could not be started.
fn failure(worker: WorkerId, program: &str, error: &io::Error) -> SpawnFailure {
    let words = format!("spawn worker {worker} from {program}: {error}");
    match error.raw_os_error() {
        Some(errno) if is_shortage(errno) => SpawnFailure::Shortage(words),
        _ => SpawnFailure::Program(words),
    }
}

impl Engine {
    pub(super) fn spawn_resident(&mut self, worker: WorkerId, incarnation: Incarnation) {
        let mut started = match self.spawning.start_resident(worker) {
            Ok(started) => started,
            Err(error) => {
                let error = failure(worker, &self.spawning.program_name(), &error);
                self.facts.push_back(Input::SpawnFailed { worker, incarnation, error });
                return;
            }
        };
        // Many starts take a while: the time that this worker has for its hello begins now.
        self.now = self.clock.now();
        started.channel.keep_large_in(self.telling.spill());
        let pid = started.body.pid();
        let Some(slot) = self.slots.at(worker.index()) else { return };
        slot.incarnation = incarnation;
        let process = slot.token(worker.index(), Part::Process);
        let frames = slot.token(worker.index(), Part::Frames);
        let watched = self
            .poller
            .add(&started.body, Interest::READ, process)
            .and_then(|_| self.poller.add(started.channel.read_fd(), Interest::READ, frames));
        if let Err(error) = watched {
            let _ = self.poller.remove(&started.body);
            if let Body::Process(process) = &started.body {
                abandon(self.spawning.guard.groups(), worker, process);
            }
            let error = failure(worker, &self.spawning.program_name(), &error);
            self.facts.push_back(Input::SpawnFailed { worker, incarnation, error });
            return;
        }
        slot.occupant = Occupant::Resident(Box::new(Resident {
            body: started.body,
            channel: Some(started.channel),
            progress: started.progress,
            token: started.token,
            greeted: false,
            reading: Watched::Yes,
            writing: false,
            awake: false,
            quiet_looks: 0,
            crumbs: 0,
            unwritten: false,
            leaving: false,
            finished: false,
        }));
        self.note_awake(worker.index());
        self.facts.push_back(Input::Spawned { worker, incarnation, pid });
    }

    /// What it wrote is read first: a result that was complete before the death counts.
    pub(super) fn resident_ended(&mut self, index: usize) {
        self.drain_frames(index);
        let worker = WorkerId::from_index(index);
        let Some(slot) = self.slots.at(index) else { return };
        let incarnation = slot.incarnation;
        let Occupant::Resident(resident) = std::mem::replace(&mut slot.occupant, Occupant::Nobody) else { return };
        let running = resident.progress.running();
        let (status, usage) = match &resident.body {
            Body::Process(process) => {
                let _ = process.signal_group(Signal::KILL);
                self.spawning.forget(worker);
                reap(process)
            }
            Body::Thread(thread) => thread.exit(),
        };
        let _ = self.poller.remove(&resident.body);
        if let Some(channel) = &resident.channel {
            if resident.reading != Watched::Gone {
                let _ = self.poller.remove(channel.read_fd());
            }
            if resident.writing
                && let Some(fd) = channel.write_fd()
            {
                let _ = self.poller.remove(fd);
            }
        }
        drop(resident);
        self.awake.forget(index);
        self.feed(Input::Exited { worker, incarnation, status, usage, running });
    }
}
