//! The built-in worker on a thread of the supervisor: the reference without isolation.
//!
//! The loop, the batches and the tasks are those of a worker process. The preparations of a process (dying with the
//! parent, default actions of signals, taking over descriptors) are left out, since here they would affect the
//! supervisor.
//!
//! Invariant: changes nothing that belongs to the whole process, except the panic hook, which is silent inside a
//! handler and reports all other panics as before. A *task* that affects the process (`exit`, `signal`, `leak`)
//! affects the supervisor: that is what isolation is for.

#![deny(missing_docs)]

use super::builtin::delayed;
use super::error::WorkerError;
use super::result_buffer::ResultBuffer;
use super::serve::{Server, exit_code};
use super::tasks::Task;
use crate::model::chaos::ChaosPlan;
use crate::transport::in_process::End;
use crate::transport::progress_page::ProgressWriter;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The work of a worker on a thread, the same for all threads.
#[derive(Clone, Copy)]
pub struct Duty {
    /// What is done with each item.
    pub task: &'static Task,
    /// The delay before each item.
    pub delay: Duration,
    /// The byte that follows each item of a batch of several.
    pub delimiter: u8,
    /// The times of each item are wanted.
    pub timed: bool,
    /// What happens to its items.
    pub chaos: Option<ChaosPlan>,
    /// The times of the work on each frame are wanted.
    pub traced: bool,
}

/// Serves on the calling thread until the input ends. Returns what a worker process would exit with.
#[must_use]
pub fn serve(duty: &Duty, end: End, progress: OwnedFd, token: [u8; 16]) -> u8 {
    let progress = ProgressWriter::from_fd(progress);
    let progress = progress.map_err(|error| WorkerError::System { doing: "map the progress page", error });
    exit_code(progress.and_then(|progress| {
        let connection = end.connect();
        let result_buffer = ResultBuffer::new(connection.results, connection.items.integrity(), progress, duty.timed);
        let result_buffer = if duty.traced { result_buffer.with_work_times() } else { result_buffer };
        let result_buffer = result_buffer.with_chaos(duty.chaos);
        let server = Server { items: connection.items, result_buffer, token, delimiter: duty.delimiter };
        let task = duty.task.in_thread();
        if duty.delay.is_zero() { task.serve(server) } else { server.serve(delayed(task.run, duty.delay)) }
    }))
}
