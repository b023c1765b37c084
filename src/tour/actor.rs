//! The processes of a lesson: this program in a role of its own, `__tour PART`, or the program as a reader would start it.
//!
//! Invariant: no process outlives its lesson. An [`Actor`] ends its process when it is dropped, and the process has asked
//! the system to be ended with the thread that started it, so also Ctrl-C and KILL leave nothing.

use super::error::TourError;
use crate::model::signal::Signal;
use crate::outcomes::ExitStatus;
use crate::sys::own_process;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

/// The first argument of this program when it plays a part of a lesson. Then follow the part, the pid of the process that
/// it dies with (0: none), and the part's own arguments.
pub const PART_ROLE: &str = "__tour";

/// The part that becomes the program `supervisor` itself, with the arguments that follow.
pub const PROGRAM_PART: &str = "program";

/// This program, found as the engine finds the built-in worker: by this name also if the file has been replaced since.
#[must_use]
pub fn own_program() -> OsString {
    match own_process::program() {
        Some(own) if !own_process::is_shown() => own.into(),
        _ => own_process::OWN_PROGRAM.into(),
    }
}

/// A command that plays this part and dies with this process.
pub fn part_command<A: AsRef<OsStr>>(part: &str, arguments: &[A]) -> Command {
    part_command_of(part, std::process::id(), arguments)
}

/// The same for a process that dies with none. What starts it must give it an input that it watches.
pub fn surviving_part_command<A: AsRef<OsStr>>(part: &str, arguments: &[A]) -> Command {
    part_command_of(part, 0, arguments)
}

fn part_command_of<A: AsRef<OsStr>>(part: &str, dies_with: u32, arguments: &[A]) -> Command {
    let mut command = Command::new(own_program());
    command.arg(PART_ROLE).arg(part).arg(dies_with.to_string()).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// A process of a lesson, and what it says.
#[derive(Debug)]
pub struct Actor {
    part: &'static str,
    child: Child,
    /// Not in `child`, whose `wait` would end the input.
    input: Option<ChildStdin>,
    says: Option<BufReader<ChildStdout>>,
}

impl Actor {
    /// Starts this program in a part, with an input that [`Actor::tell`] writes to.
    ///
    /// # Errors
    /// The system refuses another process.
    pub fn start<A: AsRef<OsStr>>(part: &'static str, arguments: &[A]) -> Result<Self, TourError> {
        let mut command = part_command(part, arguments);
        command.stdin(Stdio::piped());
        Self::of_command(part, command)
    }

    /// Starts a command that was prepared otherwise.
    ///
    /// # Errors
    /// As of [`Actor::start`].
    pub fn of_command(part: &'static str, mut command: Command) -> Result<Self, TourError> {
        let mut child = command.spawn().map_err(TourError::system("start a process of the lesson"))?;
        let (input, says) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Ok(Self { part, child, input, says })
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to the process.
    ///
    /// # Errors
    /// It does not listen any more.
    pub fn tell(&mut self, line: &str) -> Result<(), TourError> {
        let Some(input) = self.input.as_mut() else { return Err(self.problem("it has no input")) };
        writeln!(input, "{line}").map_err(TourError::system("speak to a process of the lesson"))
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// The next line that the process says; waits for it.
    ///
    /// # Errors
    /// It has ended.
    pub fn hear(&mut self) -> Result<String, TourError> {
        self.hear_if_any()?.ok_or_else(|| self.problem("it ended too early"))
    }

    /// The next line; `None` if its output has ended.
    ///
    /// # Errors
    /// It says something that is no text.
    pub fn hear_if_any(&mut self) -> Result<Option<String>, TourError> {
        let Some(says) = self.says.as_mut() else { return Ok(None) };
        let mut line = String::new();
        let bytes = says.read_line(&mut line).map_err(TourError::system("hear a process of the lesson"))?;
        Ok((bytes > 0).then(|| line.trim_end().to_owned()))
    }

    /// The next line as a number.
    ///
    /// # Errors
    /// It is none.
    pub fn hear_number(&mut self) -> Result<u64, TourError> {
        let line = self.hear()?;
        line.parse().map_err(|_| self.problem(&format!("no number: {line:?}")))
    }

    /// Everything that it still says, in lines.
    ///
    /// # Errors
    /// It says something that is no text.
    pub fn hear_all(&mut self) -> Result<Vec<String>, TourError> {
        let mut text = String::new();
        if let Some(says) = self.says.as_mut() {
            says.read_to_string(&mut text).map_err(TourError::system("hear a process of the lesson"))?;
        }
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// What it writes to stderr, if that was piped; once.
    pub const fn take_errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn signal(&self, signal: Signal) -> Result<(), TourError> {
        send_signal(self.pid(), signal)
    }

    /// Waits for its end. Its input stays open.
    ///
    /// # Errors
    /// None is known.
    pub fn wait(&mut self) -> Result<ExitStatus, TourError> {
        let status = self.child.wait().map_err(TourError::system("wait for a process of the lesson"))?;
        Ok(exit_of(status))
    }

    /// What it said instead of what it should.
    #[must_use]
    pub fn problem(&self, problem: &str) -> TourError {
        TourError::Part { part: self.part, problem: problem.to_owned() }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // One that has ended already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended, in the words of the library.
#[must_use]
pub fn exit_of(status: std::process::ExitStatus) -> ExitStatus {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Code((code & 0xff) as u8),
        (None, Some(signal)) => {
            ExitStatus::Signal { signal: Signal((signal & 0x7f) as u8), core_dumped: status.core_dumped() }
        }
        (None, None) => ExitStatus::Unknown,
    }
}

/// Sends a signal to a process that the lesson has started and not yet waited for.
///
/// # Errors
/// The system refuses it.
pub fn send_signal(pid: u32, signal: Signal) -> Result<(), TourError> {
    let process = crate::sys::pidfd::Process::open(pid).map_err(TourError::system("open a process of the lesson"))?;
    process.signal(signal).map_err(TourError::system("signal a process of the lesson"))
}

/// For a part: says a line to the lesson, at once.
///
/// # Errors
/// The lesson is gone.
pub fn reply(line: impl std::fmt::Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// For a part: the next line that the lesson says; `None` at the end of the input.
///
/// # Errors
/// The input cannot be read.
pub fn told() -> io::Result<Option<String>> {
    let mut line = String::new();
    let bytes = io::stdin().lock().read_line(&mut line)?;
    Ok((bytes > 0).then(|| line.trim_end().to_owned()))
}

/// For a part: an argument as a number; 0 if it is missing or none.
#[must_use]
pub fn number_argument(arguments: &[OsString], at: usize) -> u64 {
    arguments.get(at).and_then(|text| text.to_str()?.parse().ok()).unwrap_or(0)
}
