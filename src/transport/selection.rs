//! Which transport serves a run, by its kind or its name.

use super::connection::Connection;
use super::endpoints::Endpoints;
#[cfg(feature = "channel")]
use super::ipc_channel;
use super::opening::{Transport, TransportError};
use super::{file, mqueue, pipe, shm, shm_needs, shm_worker, socket};
use crate::model::spec::{TransportKind, TransportSpec};
use std::io;

/// The transport that `spec` names, for `workers` workers.
///
/// # Errors
/// The system refuses what it needs.
pub fn transport(spec: &TransportSpec, workers: u32) -> Result<Box<dyn Transport>, TransportError> {
    Ok(match spec.kind {
        TransportKind::Pipe => Box::new(pipe::PipeTransport),
        TransportKind::Socket => Box::new(socket::SocketTransport),
        TransportKind::Shm => {
            shm_needs::check(workers)?;
            Box::new(shm::ShmTransport::new(spec.spin))
        }
        TransportKind::File => Box::new(file::FileTransport::new(spec.spool.as_deref())?),
        TransportKind::Mqueue => Box::new(mqueue::MqueueTransport::new(workers)?),
        #[cfg(feature = "channel")]
        TransportKind::Channel => Box::new(ipc_channel::IpcTransport::new(workers)?),
        #[cfg(not(feature = "channel"))]
        TransportKind::Channel => return Err(TransportError::NotBuilt { transport: spec.kind.name() }),
    })
}

/// The transport that serves in the place of `spec`'s, if the author chose none and the system has too little for that
/// one, and why.
#[must_use]
pub fn fallback(spec: &TransportSpec, workers: u32) -> Option<(TransportKind, TransportError)> {
    let fallback = spec.fallback?;
    match spec.kind {
        TransportKind::Shm => Some((fallback, shm_needs::check(workers).err()?.into())),
        // They need no more than every transport does, or are never used unless they were named.
        TransportKind::Pipe
        | TransportKind::Socket
        | TransportKind::File
        | TransportKind::Mqueue
        | TransportKind::Channel => None,
    }
}

/// The worker's end, of what [`Transport::open`] made for it.
///
/// # Errors
/// The endpoints are fewer than this transport needs.
pub fn connect(kind: TransportKind, endpoints: Endpoints) -> io::Result<Connection> {
    match kind {
        TransportKind::Pipe => pipe::connect(endpoints),
        TransportKind::Socket => socket::connect(endpoints),
        TransportKind::Shm => shm_worker::connect(endpoints),
        TransportKind::File => file::connect(endpoints),
        TransportKind::Mqueue => mqueue::connect(endpoints),
        #[cfg(feature = "channel")]
        TransportKind::Channel => ipc_channel::connect(&endpoints),
        #[cfg(not(feature = "channel"))]
        TransportKind::Channel => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The transport of this name.
#[must_use]
pub fn by_name(text: &str) -> Option<TransportKind> {
    TransportKind::ALL.into_iter().find(|kind| kind.name() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transport_has_a_name() {
        assert_eq!(by_name("pipe"), Some(TransportKind::Pipe));
        assert_eq!(by_name("pipes"), None);
    }
}
