//! Two pipes, one for each direction: the plainest transport.
//!
//! Invariant: only the supervisor's ends are non-blocking. The flag belongs to an open file, each end of a pipe is an
//! open file of its own, and a worker may rely on reads that wait.

use super::copies::Copies;
use super::stream::{self, StreamChannel};
use super::{Channel, Connection, Endpoints, OpenError, Transport};
use crate::model::time::Duration;
use crate::sys::fd;
use crate::sys::guard::Leftover;
use crate::wire::names;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// The size that is asked of the system for each pipe: two full messages and their results fit without a sleep
/// between. A user who holds many pipes gets less, which only costs speed.
const PIPE_BYTES: u32 = 256 * 1024;

/// Those of a stream: into the pipe and out of it.
pub(super) const COPIES: Copies = stream::COPIES;

/// A pair of pipes for each worker. The pairs share nothing.
pub(super) struct PipeTransport;

impl Transport for PipeTransport {
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let (worker_in, ours_out) = fd::pipe()?;
        let (ours_in, worker_out) = fd::pipe()?;
        for end in [&ours_out, &ours_in] {
            fd::set_nonblocking(end)?;
            let _ = fd::enlarge_pipe(end, PIPE_BYTES);
        }
        let channel = StreamChannel::new(File::from(ours_in), File::from(ours_out), |_| ());
        let endpoints = Endpoints::new().fd(&[names::FD_IN], worker_in).fd(&[names::FD_OUT], worker_out);
        Ok((Box::new(channel), endpoints))
    }

    fn fds_per_channel(&self) -> u64 {
        2
    }

    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }

    /// Its channels are not busy-polled.
    fn spin(&self) -> Duration {
        Duration::ZERO
    }

    /// Bodies are copied out of a mapped input.
    fn share_input(&mut self, _: &Arc<File>) {}
}

/// See [`super::connect`].
pub(super) fn connect(mut endpoints: Endpoints) -> io::Result<Connection> {
    let items = File::from(endpoints.take_fd(names::FD_IN)?);
    Ok(stream::connection(items, File::from(endpoints.take_fd(names::FD_OUT)?)))
}
