//! Makes a process that runs a function in our memory until its exec.
//!
//! `clone3(2)` can give it the default action for every signal that has a handler (`CLONE_CLEAR_SIGHAND`, Linux 5.5),
//! which takes a system call per signal otherwise. The C library has no function for it, and the new process begins on
//! another stack, so the call is made in assembly. Where the processor is another one, or the system refuses the call
//! (as profiles of containers do), it is `clone(2)`.

use super::child_stack::Stack;
use super::pidfd::Process;
use nix::errno::Errno;
use std::ffi::{c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// What the new process runs. It must not return.
pub(super) type Entry = extern "C" fn(*mut c_void) -> c_int;

/// `CLONE_CLEAR_SIGHAND` (`linux/sched.h`).
const CLEAR_HANDLERS: u64 = 0x1_0000_0000;

/// The system has refused `clone3`: it will do so again.
static IS_REFUSED: AtomicBool = AtomicBool::new(false);

/// What the calling thread does meanwhile.
#[derive(Clone, Copy)]
pub(super) enum CallingThread {
    /// It is suspended until the exec, or the end, of the new process.
    Waits,
    /// It goes on. The system sets the word to 0 once the new process has left our memory (`CLONE_CHILD_CLEARTID`).
    GoesOn(*const AtomicI32),
}

/// Makes a process without signal handlers. `None` if that cannot be done here: nothing has happened then.
///
/// # Errors
/// Those of `clone3(2)`, if the system has the call.
///
/// # Safety
/// `entry` may be called with `argument` and leaves the process by exec or exit. It makes system calls only, and leaves
/// `errno` alone if the caller goes on. Until then nothing else uses `stack`, and the word lives.
pub(super) unsafe fn without_handlers(
    stack: &Stack,
    entry: Entry,
    argument: *mut c_void,
    caller: CallingThread,
) -> Option<nix::Result<Process>> {
    if IS_REFUSED.load(Ordering::Relaxed) {
        return None;
    }
    let mut pidfd: c_int = -1;
    let (lowest, stack_size) = stack.range();
    let (flags, word) = match caller {
        CallingThread::Waits => (libc::CLONE_VFORK, std::ptr::null()),
        CallingThread::GoesOn(word) => (libc::CLONE_CHILD_CLEARTID, word),
    };
    let arguments = CloneArguments {
        flags: (libc::CLONE_VM | libc::CLONE_PIDFD | flags) as u64 | CLEAR_HANDLERS,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        child_tid: word as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: lowest as u64,
        stack_size: stack_size as u64,
        ..CloneArguments::default()
    };
    // SAFETY: as the caller promises; the arguments are to a live descriptor and a live stack.
    let answer = unsafe { clone3(&arguments, entry, argument) };
    if answer >= 0 {
        return Some(Ok(process(answer as c_int, pidfd)));
    }
    let errno = Errno::from_raw(-answer as c_int);
    if super::refusal::is_refusal(errno) {
        IS_REFUSED.store(true, Ordering::Relaxed);
        return None;
    }
    Some(Err(errno))
}

/// Makes a process with the handlers of this one. The calling thread waits.
///
/// # Errors
/// Those of `clone(2)`.
///
/// # Safety
/// As [`without_handlers`]; and no handler may run in the new process: all signals that have one are blocked.
pub(super) unsafe fn with_handlers(stack: &Stack, entry: Entry, argument: *mut c_void) -> nix::Result<Process> {
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: as the caller promises. CLONE_PIDFD writes to `pidfd`.
    let pid = unsafe { libc::clone(entry, stack.top(), flags, argument, &raw mut pidfd) };
    Errno::result(pid).map(|pid| process(pid, pidfd))
}

fn process(pid: libc::pid_t, pidfd: c_int) -> Process {
    // SAFETY: the call that made the process succeeded, so this is a new descriptor without an owner.
    Process { pid: pid.cast_unsigned(), pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }
}

/// `struct clone_args` of Linux 5.5.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
}

/// The system call. Returns the pid, or the negative errno.
///
/// # Safety
/// As [`without_handlers`].
#[cfg(target_arch = "x86_64")]
unsafe fn clone3(arguments: &CloneArguments, entry: Entry, argument: *mut c_void) -> isize {
    let mut answer = libc::SYS_clone3 as isize;
    // SAFETY: the system call writes to what the arguments name, and changes rax, rcx and r11. The new process has its own
    // registers and stack, and never comes out of this block. The stack is aligned as a call asks for.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {argument}",
            "call {entry}",
            "ud2",
            "2:",
            argument = in(reg) argument,
            entry = in(reg) entry,
            inout("rax") answer,
            in("rdi") arguments,
            in("rsi") size_of::<CloneArguments>(),
            out("rcx") _,
            out("r11") _,
        );
    }
    answer
}

/// The system call. Returns the pid, or the negative errno.
///
/// # Safety
/// As [`without_handlers`].
#[cfg(target_arch = "aarch64")]
unsafe fn clone3(arguments: &CloneArguments, entry: Entry, argument: *mut c_void) -> isize {
    let answer: isize;
    // SAFETY: the system call writes to what the arguments name, and changes x0. The new process has its own registers and
    // stack, and never comes out of this block.
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, {argument}",
            "blr {entry}",
            "brk #1",
            "2:",
            argument = in(reg) argument,
            entry = in(reg) entry,
            inout("x0") arguments => answer,
            in("x1") size_of::<CloneArguments>(),
            in("x8") libc::SYS_clone3,
        );
    }
    answer
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn clone3(_: &CloneArguments, _: Entry, _: *mut c_void) -> isize {
    -(libc::ENOSYS as isize)
}
