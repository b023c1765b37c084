//! Floor 2: how a run is steered and watched from outside, over a socket of its own. `docs/control.md` has the protocol.
//!
//! `request` and `answer` are the lines of the protocol, pure; `line_reader` cuts lines out of what arrives. `place` says
//! where the sockets of runs are. `server` is the run's side of the connections, `client` the other one.
//!
//! Invariant: nothing that a client sends or leaves unread makes the run wait, or takes more memory than these limits: a
//! line is at most [`REQUEST_BYTES_MAX`] long, at most [`CLIENTS_MAX`] clients are connected, and for each of them at most
//! one answer beyond [`PENDING_BYTES_MAX`] waits, or [`EVENT_BYTES_MAX`] of events.

pub mod answer;
pub mod client;
pub mod line_reader;
mod peer;
pub mod place;
pub mod request;
pub mod server;

/// The version of the protocol. It stands in every line of the run.
pub const PROTOCOL_VERSION: u64 = 1;
/// Most bytes of a request, without its newline.
pub const REQUEST_BYTES_MAX: usize = 4096;
/// Most clients of a run at a time.
pub const CLIENTS_MAX: usize = 64;
/// While more than this waits for a client, nothing more is read from it.
pub const PENDING_BYTES_MAX: usize = 64 << 10;
/// A client that watches is dropped when more than this waits for it.
pub const EVENT_BYTES_MAX: usize = 4 << 20;
