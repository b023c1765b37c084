//! Floor 1: system calls.
//!
//! The modules handle file descriptors, processes, signals and pages, and know nothing of their use. Every event is an
//! fd, so that a thread waits in one place, its [`poller::Poller`]. Requires Linux 5.4 or later (`waitid` with
//! pidfds).
//!
//! Invariant: this floor knows no items, and holds all of the project's `unsafe`.

pub mod access;
pub mod ancestors;
pub mod asked_command;
pub mod block;
mod boot_ticks;
mod cgroup;
mod child_area;
mod child_setup;
mod child_stack;
pub mod child_state;
pub mod children;
pub mod clock;
mod clone;
pub mod cores;
mod disposition;
pub mod durable_file;
mod entries;
pub mod fd;
pub mod file_watch;
pub mod folder;
pub mod group_members;
pub mod growable_buffer;
pub mod guard;
mod interruption;
mod leftover;
pub mod limits;
pub mod machine;
pub mod mailbox;
pub mod mapping;
pub mod measured_child;
pub mod memfd;
pub mod mqueue;
pub mod open_fds;
pub mod outbox;
pub mod output_folder;
pub mod own_process;
pub mod parent;
pub mod pidfd;
pub mod place_taker;
pub mod poller;
pub mod priority;
pub mod private_folder;
pub mod process_usage;
pub mod processes;
pub mod pty;
pub mod queued_signals;
pub mod random;
mod raw_call;
pub mod record_lock;
pub mod refusal;
pub mod replaced_file;
mod rewrite;
pub mod rotated_file;
pub mod semaphore;
pub mod shared_area;
pub mod signals;
pub mod socket;
pub mod spawn;
mod spawn_error;
pub mod spill;
pub mod stdio;
pub mod stream_socket;
pub mod terminal;
pub mod tracer;
pub mod tree;
pub mod wake_fd;
pub mod wake_pipe;
pub mod window;

#[cfg(test)]
pub(crate) mod testing;
