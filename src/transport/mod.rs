//! Floor 2: how bytes travel between the supervisor and one resident worker, both ends.
//!
//! The supervisor's end ([`Channel`]) never waits: it names the descriptors to wait for, and the engine's loop waits.
//! The worker's end ([`Connection`]) waits, since a worker has nothing else to do. A [`Transport`] is what all channels
//! of a run share: it opens one for each worker, and the [`Endpoints`] that it hands to the worker become the other end
//! by [`connect`] in the other process.
//!
//! A channel carries any bytes that are a stream: what a worker sends is read into the buffer of a protocol, which
//! makes messages of it. What goes to a worker is queued as a prefix and a body, so that a body can be carried by
//! reference. `shm` and `file` put a reference in the place of the body of a frame; they carry frames alone.
//!
//! Invariant: moves bytes and judges no message; knows no run, no lease and no process. A new transport is one file, a
//! variant of `TransportKind`, and its line in `tests/contract_transport.rs`.

mod channel;
mod connection;
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
pub mod shm_ring;
mod shm_worker;
mod socket;
mod spool;
mod staging;
mod stream;
#[cfg(test)]
mod testing;

pub use channel::{Channel, ChannelError, Fill, Flush};
pub use connection::{Connection, ItemsError, ItemsIn, ResultsOut, Staging};
pub use endpoints::Endpoints;
pub use input_integrity::InputIntegrity;
pub use opening::{OpenError, Transport, TransportError};
pub use selection::{by_name, connect, transport};
pub use staging::StagingArea;
