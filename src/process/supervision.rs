//! What the attempts of a command share: the poll set, the guard, signals, the terminal.
//!
//! Invariant: dropping it leaves this process as it was.

use super::error::ProcessError;
use super::job::Job;
use super::spec::ProcessSpec;
use crate::model::signal::Signal;
use crate::model::time::Duration;
use crate::sys::clock::Clock;
use crate::sys::guard::Guard;
use crate::sys::poller::{Interest, Poller};
use crate::sys::signals::{self, Normalised, SignalPlane};
use crate::sys::spawn::Spawner;
use std::fmt;
use std::io;

/// Guards that are replaced: it takes somebody who kills them, or a system that does not let one live.
const GUARDS_MAX: u32 = 16;

/// Signals to this process that are for the command. One that is ignored at the start stays so, as under `nohup`; TERM
/// never.
const PASSED_ON: [Signal; 6] = [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP, Signal::USR1, Signal::USR2];

/// What the poll set reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    Process,
    Stdin,
    Stdout,
    Stderr,
    Signals,
    Children,
    Guard,
}

impl Awaited {
    const ALL: [Self; 7] =
        [Self::Process, Self::Stdin, Self::Stdout, Self::Stderr, Self::Signals, Self::Children, Self::Guard];

    pub const fn token(self) -> u64 {
        self as u64
    }

    /// `None`: no token of ours.
    pub fn of(token: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|awaited| awaited.token() == token)
    }
}

/// What a person may want to know while a command is being run; the text is a line for stderr.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessNotice {
    /// An attempt has failed and is followed by another one.
    Retry {
        program: String,
        /// How it ended: `exit 1`, `timed out after 2s`.
        end: String,
        /// The next one, from 2.
        attempt: u32,
    },
    /// The command could not be signalled.
    NotSignalled { signal: Signal, pid: u32, error: io::Error },
    /// Another process held the output open until the end of the wait.
    OutputHeld { program: String, held: Duration },
    /// The system starts no guard, or lets none live.
    Unguarded { why: String },
}

impl fmt::Display for ProcessNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { program, end, attempt } => {
                write!(f, "{program} failed: {end}; will be tried again (attempt {attempt})")
            }
            Self::NotSignalled { signal, pid, error } => {
                write!(f, "failed to send signal {signal} to the command (pid {pid}): {error}")
            }
            Self::OutputHeld { program, held } => {
                let held = held.as_secs_f64();
                write!(f, "the output of {program} was held open for {held}s after its exit by a process in the ")?;
                write!(f, "background; what that one still writes is not read")
            }
            Self::Unguarded { why } => {
                write!(
                    f,
                    "runs without a guard, so KILL of the supervisor leaves behind what the command starts: {why}"
                )
            }
        }
    }
}

/// See the head of this file. Fields are dropped in their order: signals of the thread are restored last.
pub struct Supervision<'n> {
    pub notify: &'n mut dyn FnMut(&ProcessNotice),
    pub clock: Clock,
    pub poller: Poller,
    pub spawner: Spawner,
    pub guard: Guard,
    guards: u32,
    /// `None`: stops of the command cannot be seen.
    pub job: Option<Job>,
    /// Signals that this process ignored when it was called, and so does the command.
    pub ignored: Vec<Signal>,
    plane: SignalPlane,
    /// TSTP and CONT, which mean something for a job alone.
    stops: Option<SignalPlane>,
    _signals: Normalised,
}

impl<'n> Supervision<'n> {
    /// `reaps_orphans`: no other code of this process starts children.
    ///
    /// # Errors
    /// The system is short of what is needed, or refuses it.
    pub fn open(
        spec: &ProcessSpec,
        reaps_orphans: bool,
        notify: &'n mut dyn FnMut(&ProcessNotice),
    ) -> Result<Self, ProcessError> {
        let system = ProcessError::system;
        let ignored = ignored();
        // Before the signals are caught: all of them are blocked in the guard.
        let (guard, refused) = Guard::start_if_allowed(&[], None).map_err(system("start the guard"))?;
        if let Some(error) = refused {
            notify(&ProcessNotice::Unguarded { why: error.to_string() });
        }
        let catch = |asked: &[Signal]| {
            let asked = asked.iter().filter(|signal| !ignored.contains(signal) || **signal == Signal::TERM);
            let caught: Vec<Signal> = asked.copied().filter(|_| spec.handles_signals).collect();
            SignalPlane::install(&caught).map_err(system("install signal handlers"))
        };
        // In this order: what was held back until now is received.
        let plane = catch(&PASSED_ON)?;
        let signals = signals::normalise().map_err(system("reset signals"))?;
        let job = Job::open(reaps_orphans)?;
        let stops = if job.is_some() { Some(catch(&[Signal::TSTP, Signal::CONT])?) } else { None };
        let poller = Poller::new().map_err(system("open the poller"))?;
        let supervision = Self {
            notify,
            clock: Clock::start(),
            poller,
            spawner: Spawner::new().map_err(system("prepare to start the command"))?,
            guard,
            guards: 1,
            job,
            ignored,
            plane,
            stops,
            _signals: signals,
        };
        supervision.watch().map_err(system("watch for signals"))?;
        Ok(supervision)
    }

    fn watch(&self) -> io::Result<()> {
        for plane in self.planes() {
            self.poller.add(plane.fd(), Interest::READ, Awaited::Signals.token())?;
        }
        if let Some(job) = &self.job {
            self.poller.add(job, Interest::READ, Awaited::Children.token())?;
        }
        self.watch_guard()
    }

    fn watch_guard(&self) -> io::Result<()> {
        let watched = self.guard.fd().map(|guard| self.poller.add(guard, Interest::READ, Awaited::Guard.token()));
        watched.map_or(Ok(()), |watched| watched.map(drop))
    }

    /// Signals to this process since the last call.
    pub fn received_signals(&self) -> Vec<Signal> {
        self.planes().flat_map(SignalPlane::drain).map(|received| received.signal).collect()
    }

    fn planes(&self) -> impl Iterator<Item = &SignalPlane> {
        std::iter::once(&self.plane).chain(&self.stops)
    }

    /// The guard was killed: another one takes its place.
    pub fn on_guard_ended(&mut self) {
        if let Some(guard) = self.guard.fd() {
            let _ = self.poller.remove(guard);
        }
        self.guards += 1;
        let why = if self.guards > GUARDS_MAX {
            self.guard.dismiss();
            "each one ends at once".to_owned()
        } else {
            match self.guard.replace().and_then(|()| self.watch_guard()) {
                Ok(()) => return,
                Err(error) => error.to_string(),
            }
        };
        (self.notify)(&ProcessNotice::Unguarded { why });
    }
}

impl Drop for Supervision<'_> {
    fn drop(&mut self) {
        // Nothing is left of the command.
        self.guard.dismiss();
    }
}

/// The signals that this process ignores, apart from those that the Rust runtime and [`signals::normalise`] are concerned
/// with.
fn ignored() -> Vec<Signal> {
    let others = [Signal::PIPE, Signal::XFSZ, Signal::CHLD];
    let candidates = (1..=31).map(Signal).filter(|signal| !others.contains(signal));
    candidates.filter(|signal| signals::is_ignored(*signal)).collect()
}
