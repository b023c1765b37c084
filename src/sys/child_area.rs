//! The memory of ours that a child uses until its exec: its stack, and what it is to do.

use super::child_setup::{ChildSetup, handler_of, run_child};
use super::child_stack::Stack;
use super::clone::{self, CallingThread};
use super::pidfd::Process;
use nix::sys::signal::{SigSet, SigmaskHow};
use std::ffi::{c_int, c_void};
use std::io;
use std::ptr::{NonNull, null};
use std::sync::atomic::{AtomicI32, Ordering};

/// What [`ChildArea::is_used`] holds while a child uses the area.
const USED: i32 = 1;

/// Where a child is prepared, and runs until its exec.
#[derive(Debug)]
pub(super) struct ChildArea {
    stack: Stack,
    pub setup: ChildSetup,
    /// 0: no child uses it. The system writes that, if our thread has gone on.
    is_used: AtomicI32,
}

impl ChildArea {
    /// # Errors
    /// There is no memory for the stack.
    pub(super) fn new() -> io::Result<Box<Self>> {
        let setup = ChildSetup::new(nix::unistd::getpid().as_raw());
        Ok(Box::new(Self { stack: Stack::new()?, setup, is_used: AtomicI32::new(0) }))
    }

    /// Makes the process. This thread is suspended until its exec or end.
    ///
    /// # Errors
    /// Those of `clone(2)`.
    pub(super) fn clone_waiting(&mut self, is_deaf: bool, handled: &[c_int]) -> nix::Result<Process> {
        match self.clone_without_handlers(is_deaf) {
            Some(cloned) => cloned,
            None => {
                self.setup.reset.extend(handled);
                self.clone_with_handlers(is_deaf)
            }
        }
    }

    /// `None` if the system cannot do it.
    fn clone_without_handlers(&mut self, is_deaf: bool) -> Option<nix::Result<Process>> {
        let argument = std::ptr::from_mut(&mut self.setup).cast::<c_void>();
        // SAFETY: the child runs `run_child` on a stack that nothing else uses (`&mut`), and leaves it only by exec or exit;
        // this thread is suspended until then, so the setup is never used by both processes at once.
        let clone = || unsafe { clone::without_handlers(&self.stack, run_child, argument, CallingThread::Waits) };
        match is_deaf {
            true => clone(),
            false => with_blocked(&all_but_sigchld(), || clone().transpose()).transpose(),
        }
    }

    fn clone_with_handlers(&mut self, is_deaf: bool) -> nix::Result<Process> {
        let argument = std::ptr::from_mut(&mut self.setup).cast::<c_void>();
        // SAFETY: as above; and signals with a handler are blocked.
        let clone = || unsafe { clone::with_handlers(&self.stack, run_child, argument) };
        match (is_deaf, has_handler(libc::SIGCHLD)) {
            (true, false) => clone(),
            (false, false) => with_blocked(&all_but_sigchld(), clone),
            (_, true) => with_blocked(&SigSet::all(), clone),
        }
    }
}

/// A child that was started while our thread goes on, until its exec is over. Dropping it waits for that.
#[derive(Debug)]
pub struct PendingExec {
    /// From a box. Until the exec is over the child uses all of it, and we `is_used` alone.
    area: NonNull<ChildArea>,
}

impl PendingExec {
    /// Makes the process. The first error gives the area back: the system cannot do it so.
    ///
    /// # Errors
    /// Those of `clone3(2)`.
    pub(super) fn clone(area: Box<ChildArea>) -> Result<nix::Result<(Process, Self)>, Box<ChildArea>> {
        area.is_used.store(USED, Ordering::Relaxed);
        // Of a box, so it is not null.
        let pending = Self { area: NonNull::from(Box::leak(area)) };
        let area = pending.area.as_ptr();
        // SAFETY: the child runs `run_child` on a stack that nothing else uses, and leaves it only by exec or exit; until then
        // we access `is_used` alone, which lives as long as `pending`. The child leaves `errno` alone.
        let cloned = unsafe {
            let setup = (&raw mut (*area).setup).cast::<c_void>();
            let word = CallingThread::GoesOn(&raw const (*area).is_used);
            clone::without_handlers(&(*area).stack, run_child, setup, word)
        };
        if !matches!(cloned, Some(Ok(_))) {
            // There is no child.
            pending.is_used().store(0, Ordering::Relaxed);
        }
        match cloned {
            Some(cloned) => Ok(cloned.map(|process| (process, pending))),
            None => Err(pending.wait()),
        }
    }

    fn is_used(&self) -> &AtomicI32 {
        // SAFETY: it lives as long as `self`, and only atomic accesses are made to it.
        unsafe { &(*self.area.as_ptr()).is_used }
    }

    /// Whether the program runs, or the start has failed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_used().load(Ordering::Acquire) != USED
    }

    fn wait_for_exec(&self) {
        while !self.is_over() {
            // SAFETY: the system reads the word, which lives, and wakes this thread when it has set it to 0. It wakes without
            // FUTEX_PRIVATE_FLAG.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    std::ptr::from_ref(self.is_used()),
                    libc::FUTEX_WAIT,
                    USED,
                    null::<libc::timespec>(),
                )
            };
        }
    }

    /// Waits until the exec is over, and gives the area back.
    pub(super) fn wait(self) -> Box<ChildArea> {
        self.wait_for_exec();
        let area = std::mem::ManuallyDrop::new(self).area;
        // SAFETY: from a box, and the child has left it.
        unsafe { Box::from_raw(area.as_ptr()) }
    }
}

impl Drop for PendingExec {
    fn drop(&mut self) {
        self.wait_for_exec();
        // SAFETY: as in `wait`.
        drop(unsafe { Box::from_raw(self.area.as_ptr()) });
    }
}

fn has_handler(signal: c_int) -> bool {
    ![libc::SIG_DFL, libc::SIG_IGN].contains(&handler_of(signal))
}

fn all_but_sigchld() -> SigSet {
    let mut blocked = SigSet::all();
    blocked.remove(nix::sys::signal::Signal::SIGCHLD);
    blocked
}

/// Calls a function while this thread blocks some signals.
fn with_blocked<T>(blocked: &SigSet, call: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let mut before = SigSet::empty();
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(blocked), Some(&mut before))?;
    let answer = call();
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    answer
}
