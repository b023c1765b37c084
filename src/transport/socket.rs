//! A pair of connected sockets, a stream: one descriptor for the worker, under both names.
//!
//! The system records the process that made a pair. So a worker checks that the process behind its socket is the
//! supervisor that its variables name, and exits otherwise. The check is worth nothing in the other direction: at the
//! supervisor's end the system names the supervisor, whichever process holds the other end. What is known of a worker
//! is the same over every transport: its end was handed only to the process that was started, and its hello shows the
//! token that only that process was given.
//!
//! Invariant: only the supervisor's end is non-blocking; the two ends are two open files.

use super::copies::Copies;
use super::stream::{self, StreamChannel};
use super::{Channel, Connection, Endpoints, OpenError, Transport};
use crate::model::time::Duration;
use crate::sys::guard::Leftover;
use crate::sys::socket::{self, Peer};
use crate::wire::names;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The size that is asked of the system for the unread bytes of each end. The system charges its own bookkeeping too
/// and doubles the size for that: about as many bytes fit as were asked for.
const SOCKET_BYTES: usize = 256 * 1024;

/// Those of a stream: into the socket and out of it.
pub(super) const COPIES: Copies = stream::COPIES;

/// A pair of sockets for each worker. The pairs share nothing.
pub(super) struct SocketTransport;

impl Transport for SocketTransport {
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let (ours, theirs) = socket::pair()?;
        for end in [&ours, &theirs] {
            socket::enlarge(end, SOCKET_BYTES);
        }
        crate::sys::fd::set_nonblocking(&ours)?;
        // A second descriptor, so that a poll set can wait for writing beside reading: it takes each descriptor once.
        let items = ours.try_clone()?;
        let channel = StreamChannel::new(File::from(ours), File::from(items), |items| drop(socket::end_output(items)));
        let Peer { pid, uid } = Peer::this_process();
        let endpoints = Endpoints::new().fd(&[names::FD_IN, names::FD_OUT], theirs);
        Ok((Box::new(channel), endpoints.variable(names::PEER, format!("{pid} {uid}"))))
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
    let expected = endpoints.get_variable(names::PEER)?.to_owned();
    let items = endpoints.take_fd(names::FD_IN)?;
    let Peer { pid, uid } = socket::peer(&items)?;
    let found = format!("{pid} {uid}");
    if found != expected {
        let words = format!("the other end is of process and user {found}, not {expected}");
        return Err(io::Error::new(ErrorKind::PermissionDenied, words));
    }
    let results = items.try_clone()?;
    Ok(stream::connection(File::from(items), File::from(results)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_another_process_is_refused() {
        let (_ours, theirs) = socket::pair().unwrap();
        let endpoints =
            Endpoints::new().fd(&[names::FD_IN, names::FD_OUT], theirs).variable(names::PEER, "1 4294967294");
        let Peer { pid, uid } = Peer::this_process();
        let error = connect(endpoints).err().unwrap();
        let expected = format!("the other end is of process and user {pid} {uid}, not 1 4294967294");
        assert_eq!(error.to_string(), expected);
        let (reader, _writer) = crate::sys::fd::pipe().unwrap();
        let endpoints =
            Endpoints::new().fd(&[names::FD_IN, names::FD_OUT], reader).variable(names::PEER, format!("{pid} {uid}"));
        assert!(connect(endpoints).is_err(), "it is no socket");
        let (_ours, theirs) = socket::pair().unwrap();
        assert!(connect(Endpoints::new().fd(&[names::FD_IN], theirs)).is_err(), "no peer was named");
    }
}
