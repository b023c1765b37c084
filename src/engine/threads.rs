//! Workers that are threads of this process (`--isolation thread`), as far as they can stand in for processes.
//!
//! A thread tells of its end by a bell, as a process does by its pidfd. It takes no signals: asked to
//! end, it is told to leave after its item, and at KILL it is left behind. Then it counts as killed, and
//! ends with the program.
//!
//! Invariant: knows no task. What a thread does is handed in by `ports`.

use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::WorkerId;
use crate::model::signal::Signal;
use crate::sys::pidfd;
use crate::sys::wake_fd::WakeFd;
use crate::transport::Channel;
use crate::transport::in_process::{self, End};
use crate::transport::progress_page::ProgressReader;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

/// A worker's life, from its end of the channel, its scoreboard and its token to what it exits with.
pub type Life = Arc<dyn Fn(End, OwnedFd, [u8; 16]) -> u8 + Send + Sync>;

/// Nobody could guess wrong: there is no other way to the channel.
pub const TOKEN: [u8; 16] = [0; 16];

/// What a program exits with that panicked: a life that ends so does it outside of any handler.
const PANICKED: u8 = 101;

/// A worker's thread.
pub struct Thread {
    death: Arc<Death>,
}

/// How it ended, once the bell rings. If nothing stands there then, it was left behind.
struct Death {
    wake_fd: WakeFd,
    exit: Mutex<Option<(ExitStatus, Usage)>>,
}

impl Thread {
    /// Starts a worker.
    ///
    /// # Errors
    /// No descriptor, no memory or no thread is left.
    pub fn start(worker: WorkerId, life: &Life) -> io::Result<(Self, Box<dyn Channel>, ProgressReader)> {
        let (channel, end) = in_process::open()?;
        let (progress, progress_fd) = ProgressReader::create()?;
        let death = Arc::new(Death { wake_fd: WakeFd::new()?, exit: Mutex::default() });
        let (life, dying) = (Arc::clone(life), Dying { death: Arc::clone(&death), code: PANICKED });
        Builder::new().name(format!("worker-{worker}")).spawn(move || {
            let mut dying = dying;
            dying.code = life(end, progress_fd, TOKEN);
        })?;
        Ok((Self { death }, channel, progress))
    }

    /// Its end is not waited for any more.
    pub fn leave_behind(&self) {
        self.death.wake_fd.wake();
    }

    /// How it ended, and what it used.
    pub fn exit(&self) -> (ExitStatus, Usage) {
        let exit = *self.death.exit.lock().unwrap_or_else(PoisonError::into_inner);
        exit.unwrap_or((ExitStatus::Signal { signal: Signal::KILL, core_dumped: false }, Usage::default()))
    }
}

impl AsFd for Thread {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.death.wake_fd.as_fd()
    }
}

/// Tells of the end however it comes.
struct Dying {
    death: Arc<Death>,
    code: u8,
}

impl Drop for Dying {
    fn drop(&mut self) {
        let exit = (ExitStatus::Code(self.code), pidfd::usage_of_thread());
        *self.death.exit.lock().unwrap_or_else(PoisonError::into_inner) = Some(exit);
        self.death.wake_fd.wake();
    }
}
