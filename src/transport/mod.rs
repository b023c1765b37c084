//! Floor 2: how bytes travel between the supervisor and one resident worker, both ends.
//!
//! The supervisor's end ([`Channel`]) never waits: it names the descriptors to wait for, and the engine's loop waits.
//! The worker's end ([`Connection`]) waits, since a worker has nothing else to do. A [`Transport`] holds what all
//! channels of a run share, and opens a channel for each worker. It returns the supervisor's end, and the [`Endpoints`]
//! for the worker process, which [`connect`] turns into the worker's end there.
//!
//! The results of a worker are a stream of bytes, which a channel reads into the buffer of a protocol; the protocol
//! decodes the messages. A message to a worker is queued as a prefix and a body, so that a channel can send a reference
//! to the body instead. `shm` and `file` do that within a frame, so they carry frames only.
//!
//! Invariant: moves bytes and checks no message; knows no run, no lease and no process. A new transport is one file, a
//! variant of `TransportKind`, and a line in `tests/contract_transport.rs`.

mod channel;
mod connection;
mod copies;
mod cutter;
mod endpoints;
mod file;
pub mod in_process;
mod input_integrity;
#[cfg(feature = "channel")]
mod ipc_channel;
#[cfg(feature = "channel")]
pub mod ipc_rendezvous;
mod mqueue;
pub mod mqueue_shapes;
mod opening;
pub mod pipe;
pub mod progress_page;
mod selection;
mod shared_input;
mod shm;
mod shm_area;
mod shm_arena;
pub mod shm_needs;
pub mod shm_ring;
mod shm_worker;
mod socket;
mod spool;
mod staging;
mod stream;
mod terminal;
#[cfg(test)]
mod testing;

pub use channel::{Channel, ChannelError, Fill, Flush};
pub use connection::{Connection, ItemsError, ItemsIn, ResultsOut, Staging};
pub use copies::{Copies, RoundTrip};
pub use endpoints::Endpoints;
pub use input_integrity::InputIntegrity;
pub use opening::{OpenError, Transport, TransportError};
pub use selection::{by_name, check, connect, copies, transport};
pub use staging::StagingArea;
pub use terminal::terminal;
