//! The client's end of a connection to a run, for a program that waits for the answers; and how it finds the runs.
//!
//! Invariant: it waits no longer for an answer than it is told to.

use super::PROTOCOL_VERSION;
use super::answer::{ControlAnswer, ControlError};
use super::line_reader::{LineReader, ReadLine};
use super::place::{self, PlaceVariables};
use super::request::{self, ControlRequest};
use crate::model::time::Duration;
use crate::sys::clock::monotonic_ns;
use crate::sys::poller::Interest;
use crate::sys::private_folder::{PrivateFolder, PrivateFolderError};
use crate::sys::stream_socket::{receive, send_some, wait_for};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Most bytes of a line of the run: the state of all workers.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// A run answers at once, unless it is stopped.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Why there is no answer. Completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("reach run {pid}: it has ended")]
    Ended { pid: u32 },
    #[error("reach run {pid}: it does not answer; it may be stopped")]
    Silent { pid: u32 },
    #[error("understand run {pid}: {what}")]
    Unclear { pid: u32, what: String },
    #[error("reach run {pid}: {error}")]
    System { pid: u32, error: io::Error },
    #[error("steer run {pid}: {}", error.text)]
    Refused { pid: u32, error: ControlError },
}

/// A connection to a run.
#[derive(Debug)]
pub struct ControlClient {
    fd: OwnedFd,
    lines: LineReader,
    pid: u32,
    next_id: u64,
}

impl ControlClient {
    /// The pid of the run, as its socket names it.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The run refuses, has ended, or does not answer in time.
    pub fn ask(&mut self, request: &ControlRequest) -> Result<ControlAnswer, ClientError> {
        self.send(request)?;
        self.answer(Some(ANSWER_TIME))
    }

    /// Asks without waiting for the answer.
    ///
    /// # Errors
    /// The run has ended, or takes nothing.
    pub fn send(&mut self, request: &ControlRequest) -> Result<(), ClientError> {
        self.next_id += 1;
        let line = request::write(request, self.next_id);
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            match send_some(&self.fd, rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(Interest::WRITE, Some(ANSWER_TIME))?;
                }
                // What the run said before it closed the connection is still to be read.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(ClientError::System { pid: self.pid, error }),
            }
        }
        Ok(())
    }

    /// Waits for an answer; `None`: as long as it takes.
    ///
    /// # Errors
    /// As of [`ControlClient::ask`].
    pub fn answer(&mut self, timeout: Option<Duration>) -> Result<ControlAnswer, ClientError> {
        let line = self.next_line(timeout)?;
        self.read_answer(&line)
    }

    /// Reads a line as an answer.
    ///
    /// # Errors
    /// It is none, or says no.
    pub fn read_answer(&self, line: &[u8]) -> Result<ControlAnswer, ClientError> {
        let unclear = |what| ClientError::Unclear { pid: self.pid, what };
        let answer: ControlAnswer = serde_json::from_slice(line).map_err(|error| unclear(error.to_string()))?;
        match answer {
            ControlAnswer { error: Some(error), .. } => Err(ClientError::Refused { pid: self.pid, error }),
            ControlAnswer { version: PROTOCOL_VERSION, ok: true, .. } => Ok(answer),
            ControlAnswer { version, .. } => Err(unclear(format!(
                "it speaks version {version} of the protocol, and this program version {PROTOCOL_VERSION}"
            ))),
        }
    }

    /// The next line of the run, without its newline.
    ///
    /// # Errors
    /// The run has ended, or sends nothing in time.
    pub fn next_line(&mut self, timeout: Option<Duration>) -> Result<Vec<u8>, ClientError> {
        let begin = monotonic_ns();
        let mut piece = vec![0; 64 << 10];
        loop {
            match self.lines.next_line() {
                Some(ReadLine::Line(line)) => return Ok(line),
                Some(ReadLine::TooLong) => {
                    let what = format!("it sent a line of more than {ANSWER_BYTES_MAX} bytes");
                    return Err(ClientError::Unclear { pid: self.pid, what });
                }
                None => {}
            }
            match receive(&self.fd, &mut piece) {
                Ok(0) => return Err(ClientError::Ended { pid: self.pid }),
                Ok(count) => self.lines.push(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let passed = monotonic_ns().saturating_sub(begin);
                    self.wait(Interest::READ, timeout.map(|timeout| Duration(timeout.0.saturating_sub(passed))))?;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(ClientError::Ended { pid: self.pid });
                }
                Err(error) => return Err(ClientError::System { pid: self.pid, error }),
            }
        }
    }

    fn wait(&self, interest: Interest, timeout: Option<Duration>) -> Result<(), ClientError> {
        let pid = self.pid;
        match wait_for(&self.fd, interest, timeout) {
            Ok(true) => Ok(()),
            Ok(false) => Err(ClientError::Silent { pid }),
            Err(error) => Err(ClientError::System { pid, error }),
        }
    }
}

/// The runs of this user.
#[derive(Debug, Default)]
pub struct FoundRuns {
    /// In the order of their pids.
    pub clients: Vec<ControlClient>,
    /// What could not be looked at, and why; each completes "failed to ...".
    pub failures: Vec<String>,
}

/// Connects to every run of this user that can be found, and removes the sockets of those that are dead.
#[must_use]
pub fn find_runs(variables: &PlaceVariables) -> FoundRuns {
    let mut found = FoundRuns::default();
    for path in place::folders_to_search(variables) {
        match PrivateFolder::open(&path) {
            Ok(folder) => find_in(&folder, &mut found),
            Err(PrivateFolderError::Open(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => found.failures.push(format!("look for runs in {}: {error}", path.display())),
        }
    }
    found.clients.sort_by_key(ControlClient::pid);
    found
}

fn find_in(folder: &PrivateFolder, found: &mut FoundRuns) {
    folder.remove_dead();
    let names = match folder.names(place::SUFFIX) {
        Ok(names) => names,
        Err(error) => {
            let failure = format!("look for runs in {}: {error}", Path::display(folder.path()));
            return found.failures.push(failure);
        }
    };
    for name in names {
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        let Ok(pid) = digits.parse() else { continue };
        match folder.connect(&name) {
            Ok(fd) => {
                let lines = LineReader::new(ANSWER_BYTES_MAX);
                found.clients.push(ControlClient { fd, lines, pid, next_id: 0 });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                found.failures.push(ClientError::Silent { pid }.to_string());
            }
            // It has ended since, or is no socket.
            Err(_) => {}
        }
    }
}
