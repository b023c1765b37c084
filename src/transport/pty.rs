//! A pseudo-terminal for each worker, for programs that buffer what they write unless they see a terminal. Text alone
//! travels over it: our protocol of frames needs descriptors that are no terminal.
//!
//! Invariant: as of pipes, only the supervisor's end is non-blocking.

use super::stream::StreamChannel;
use super::{Channel, Endpoints, OpenError, Transport};
use crate::model::time::Duration;
use crate::sys::guard::Leftover;
use crate::sys::pty::{Pty, PtyEnd};
use crate::wire::names;
use std::fs::File;
use std::sync::Arc;

/// A terminal for each worker. They share nothing.
pub struct PtyTransport;

impl Transport for PtyTransport {
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let Pty { ours, theirs } = Pty::open()?;
        let channel = StreamChannel::new(ours.try_clone()?, ours, PtyEnd::end_input);
        let endpoints = Endpoints::new().fd(&[names::FD_IN, names::FD_OUT], theirs);
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

    /// Items are text, which is copied.
    fn share_input(&mut self, _: &Arc<File>) {}
}
