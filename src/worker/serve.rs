//! The worker's loop: connect, hello, batches until the input ends.
//!
//! Invariant: the descriptors that a worker inherits are close-on-exec before a handler sees an item, so that no
//! process that a handler starts holds the channel open.

#![deny(missing_docs)]

use super::environment::Environment;
use super::error::WorkerError;
use super::result_buffer::ResultBuffer;
use super::{Handler, panics};
use crate::model::chaos::TORN_CODE;
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::signal::Signal;
use crate::model::text::escaped;
use crate::protocol::frames;
use crate::sys::{fd, parent, signals};
use crate::transport::progress_page::ProgressWriter;
use crate::transport::{self, Endpoints, ItemsIn};
use crate::wire::frame::Frame;
use crate::wire::message::ToWorker;
use std::io::{self, Write};
use std::process::ExitCode;

/// Results are sent at the end of their batch, since the next item may take long. If at least this many batches wait,
/// the batches are short on purpose, and results are collected for about a millisecond.
const BATCHES_WAITING_MIN: usize = 4;

/// Most waiting batches that are counted at once, so that they are not counted again after each batch.
const BATCHES_COUNTED_MAX: usize = 64;

/// Serves as a worker until the input ends: call it first thing in `main`, and return its exit code.
///
/// Exit codes: 0 at the end of the input, 2 when not started by a supervisor, 1 after any other error,
/// which stderr names.
#[must_use]
pub fn run(handler: impl Handler) -> ExitCode {
    run_with(|server| server.serve(handler))
}

/// The same with the loop itself.
pub(super) fn run_with(serve: impl FnOnce(Server) -> Result<(), WorkerError>) -> ExitCode {
    ExitCode::from(exit_code(connect().and_then(serve)))
}

/// Reports what went wrong, if something did.
pub(super) fn exit_code(ended: Result<(), WorkerError>) -> u8 {
    match ended {
        Ok(()) => 0,
        Err(WorkerError::SupervisorGone) => 1,
        Err(WorkerError::Torn) => TORN_CODE,
        Err(WorkerError::Environment(error)) => {
            report(&error.to_string());
            2
        }
        Err(error) => {
            report(&format!("failed to {error}"));
            1
        }
    }
}

/// Writes one line to stderr. If stderr is closed, the line is dropped.
pub(super) fn report(text: &str) {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&program).file_name().unwrap_or(&program).to_string_lossy().into_owned();
    let _ = writeln!(io::stderr(), "{}", escaped(&format!("{name}: {text}")));
}

/// A worker that is connected.
pub(super) struct Server {
    pub items: Box<dyn ItemsIn>,
    pub result_buffer: ResultBuffer,
    pub token: [u8; 16],
    pub delimiter: u8,
}

/// Connects to the supervisor by the inherited descriptors and variables.
fn connect() -> Result<Server, WorkerError> {
    let environment = Environment::read(|name| std::env::var_os(name))?;
    let failed = |doing| move |error| WorkerError::System { doing, error };
    if !parent::die_with_parent(environment.supervisor_pid).map_err(failed("ask for the parent-death signal"))? {
        return Err(WorkerError::SupervisorGone);
    }
    // The standard library catches these to report a stack overflow, and would swallow the first one that another
    // process sends. A worker dies of a signal as any program does; the supervisor names it.
    for signal in [Signal::SEGV, Signal::BUS] {
        signals::restore(signal).map_err(failed("restore a signal's default action"))?;
    }
    let inherited = |number| fd::take_inherited(number).map_err(failed("take over an inherited file descriptor"));
    let mut endpoints = Endpoints::new();
    for (names, number) in &environment.fds {
        endpoints = endpoints.fd(names, inherited(*number)?);
    }
    for (name, variable) in environment.variables {
        endpoints = endpoints.variable(name, variable);
    }
    let progress = inherited(environment.fd_progress)?;
    let progress = ProgressWriter::from_fd(progress).map_err(failed("map the progress page"))?;
    let connection =
        transport::connect(environment.transport, endpoints).map_err(failed("connect to the supervisor"))?;
    let integrity = connection.items.integrity();
    let result_buffer = ResultBuffer::new(connection.results, integrity, progress, environment.timed);
    let result_buffer = if environment.traced { result_buffer.with_work_times() } else { result_buffer };
    let result_buffer = result_buffer.with_chaos(environment.chaos);
    Ok(Server { items: connection.items, result_buffer, token: environment.token, delimiter: environment.delimiter })
}

impl Server {
    pub(super) fn serve(mut self, mut handler: impl Handler) -> Result<(), WorkerError> {
        panics::quiet();
        self.result_buffer.hello(self.token)?;
        loop {
            // A lower bound of the messages that wait behind the present one.
            let mut waiting = 0_usize;
            loop {
                // Destructured at once: the frame would be moved once more, and there may be one for each tiny item.
                let (kind, head, body) = match self.items.next() {
                    Ok(Some(Frame { kind, head, body })) => (kind, head, body),
                    Ok(None) => break,
                    Err(error) => return Err(error.into()),
                };
                let ToWorker::Batch { first, count, attempt } = frames::to_worker(kind, head)?;
                let batch = Batch { first: ItemId(first), count, attempt: Attempt(attempt) };
                if !self.result_buffer.work(&mut handler, batch, body, self.delimiter)? {
                    return self.result_buffer.flush();
                }
                waiting = waiting.saturating_sub(1);
                if waiting < BATCHES_WAITING_MIN {
                    waiting = self.items.waiting(BATCHES_COUNTED_MAX);
                }
                if waiting < BATCHES_WAITING_MIN {
                    self.result_buffer.flush()?;
                }
            }
            self.result_buffer.flush()?;
            match self.items.fill() {
                Ok(true) => self.result_buffer.note_taken(),
                Ok(false) => return Ok(()),
                Err(error) => return Err(WorkerError::System { doing: "read items", error }),
            }
        }
    }
}
