//! Which transport serves a run, by its kind or its name.

use super::connection::Connection;
use super::copies::Copies;
use super::endpoints::Endpoints;
#[cfg(feature = "channel")]
use super::ipc_channel;
use super::opening::{Transport, TransportError};
use super::{file, mqueue, pipe, shm, shm_needs, shm_worker, socket};
use crate::model::spec::{TransportKind, TransportSpec};
use std::io;

/// The transport that `spec` names, for `workers` workers. Call [`check`] before.
///
/// # Errors
/// The system refuses what it needs.
pub fn transport(spec: &TransportSpec, workers: u32) -> Result<Box<dyn Transport>, TransportError> {
    Ok(match spec.kind {
        TransportKind::Pipe => Box::new(pipe::PipeTransport),
        TransportKind::Socket => Box::new(socket::SocketTransport),
        TransportKind::Shm => Box::new(shm::ShmTransport::new(spec.spin)),
        TransportKind::File => Box::new(file::FileTransport::new(spec.spool.as_deref())?),
        TransportKind::Mqueue => Box::new(mqueue::MqueueTransport::new(workers)?),
        #[cfg(feature = "channel")]
        TransportKind::Channel => Box::new(ipc_channel::IpcTransport::new(workers)?),
        #[cfg(not(feature = "channel"))]
        TransportKind::Channel => return Err(TransportError::NotBuilt { transport: spec.kind.name() }),
    })
}

/// Whether the system has enough for the transport that `spec` names. If it has not, and the author chose none: the one
/// that serves instead, and why. The other transports check what they need when they are made.
///
/// # Errors
/// The system has too little, and the author named this transport.
pub fn check(spec: &TransportSpec, workers: u32) -> Result<Option<(TransportKind, TransportError)>, TransportError> {
    match (spec.kind, spec.fallback) {
        (TransportKind::Shm, Some(fallback)) => {
            Ok(shm_needs::check(workers).err().map(|error| (fallback, error.into())))
        }
        (TransportKind::Shm, None) => {
            shm_needs::check(workers)?;
            Ok(None)
        }
        _ => Ok(None),
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

/// How often this transport copies items; `None` if the program was built without it.
#[must_use]
pub const fn copies(kind: TransportKind) -> Option<Copies> {
    match kind {
        TransportKind::Pipe => Some(pipe::COPIES),
        TransportKind::Socket => Some(socket::COPIES),
        TransportKind::Shm => Some(shm::COPIES),
        TransportKind::File => Some(file::COPIES),
        TransportKind::Mqueue => Some(mqueue::COPIES),
        #[cfg(feature = "channel")]
        TransportKind::Channel => Some(ipc_channel::COPIES),
        #[cfg(not(feature = "channel"))]
        TransportKind::Channel => None,
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
