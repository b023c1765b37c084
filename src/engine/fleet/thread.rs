//! Workers that are threads of this process (`--isolation thread`), as far as they can stand in for processes.
//!
//! A thread reports its end by a wake fd, as a process does by its pidfd. It takes no signals: a stop asks it to leave
//! after its item, and at KILL the loop stops waiting for it. It then counts as killed, and ends with the program.
//!
//! Invariant: knows no task. What a thread executes is passed in by `assembly`.

use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::WorkerId;
use crate::sys::pidfd;
use crate::sys::wake_fd::WakeFd;
use crate::transport::Channel;
use crate::transport::in_process::{self, End};
use crate::transport::progress_page::ProgressReader;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

/// What a worker thread executes, from its end of the channel, its progress page and its token to its exit code.
pub type ThreadMain = Arc<dyn Fn(End, OwnedFd, [u8; 16]) -> u8 + Send + Sync>;

/// No secret: a thread's channel has no other way in.
pub const TOKEN: [u8; 16] = [0; 16];

/// The exit code of a program that panicked. A thread ends so only if it panics outside of every handler.
const PANICKED: u8 = 101;

/// A worker's thread.
pub struct Thread {
    exit: Arc<ThreadExit>,
}

/// How it ended, once the wake fd is readable. If the status is missing then, the thread was abandoned.
struct ThreadExit {
    wake_fd: WakeFd,
    status: Mutex<Option<(ExitStatus, Usage)>>,
}

impl Thread {
    /// Starts a worker.
    ///
    /// # Errors
    /// No descriptor, no memory or no thread is left.
    pub fn start(worker: WorkerId, main: &ThreadMain) -> io::Result<(Self, Box<dyn Channel>, ProgressReader)> {
        let (channel, end) = in_process::open()?;
        let (progress, progress_fd) = ProgressReader::create()?;
        let exit = Arc::new(ThreadExit { wake_fd: WakeFd::new()?, status: Mutex::default() });
        let (main, on_exit) = (Arc::clone(main), ReportExit { exit: Arc::clone(&exit), code: PANICKED });
        Builder::new().name(format!("worker-{worker}")).spawn(move || {
            let mut on_exit = on_exit;
            on_exit.code = main(end, progress_fd, TOKEN);
        })?;
        Ok((Self { exit }, channel, progress))
    }

    /// Stops waiting for its end.
    pub fn abandon(&self) {
        self.exit.wake_fd.wake();
    }

    /// How it ended, and what it used; unknown if it was abandoned.
    pub fn exit(&self) -> (ExitStatus, Usage) {
        let status = *self.exit.status.lock().unwrap_or_else(PoisonError::into_inner);
        // An abandoned thread may run on; no signal has ended it.
        status.unwrap_or((ExitStatus::Unknown, Usage::default()))
    }
}

impl AsFd for Thread {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.exit.wake_fd.as_fd()
    }
}

/// Reports the end of the thread, also after a panic.
struct ReportExit {
    exit: Arc<ThreadExit>,
    code: u8,
}

impl Drop for ReportExit {
    fn drop(&mut self) {
        let status = (ExitStatus::Code(self.code), pidfd::usage_of_thread());
        *self.exit.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        self.exit.wake_fd.wake();
    }
}
