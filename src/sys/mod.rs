//! Floor 1: system calls.
//!
//! The modules handle file descriptors, processes, signals and pages, and know nothing of their use. Every event is an
//! fd, so that a thread waits in one place, its [`poller::Poller`]. Requires Linux 5.11 or later (`close_range` with
//! close-on-exec; pidfds are older).
//!
//! Invariant: this floor knows no items, and holds all of the project's `unsafe`.

pub mod access;
pub mod block;
pub mod clock;
pub mod cores;
mod disposition;
pub mod fd;
pub mod folder;
pub mod growable_buffer;
pub mod guard;
pub mod limits;
pub mod mailbox;
pub mod mapping;
pub mod memfd;
pub mod mqueue;
pub mod outbox;
pub mod parent;
pub mod pidfd;
pub mod poller;
pub mod random;
pub mod shared_area;
pub mod signals;
pub mod socket;
pub mod spawn;
pub mod spill;
pub mod stdio;
pub mod wake_fd;

#[cfg(test)]
pub(crate) mod testing;
