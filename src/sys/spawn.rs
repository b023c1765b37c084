//! Starts processes: our own `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)`.
//!
//! No copy of our page tables as in a fork, 121 system calls fewer than `posix_spawn`, the pidfd in the same call, and
//! the errno of a failed exec through the memory that both sides share until the exec. What the new process gets: the
//! fds of its plan and no others, no blocked signal, no ignored signal, its own process group, the soft limit of open
//! files that we were given, and death when we die.
//!
//! Between clone and exec the child runs on a stack of its own in *our* memory, while the calling thread is suspended.
//! So [`run_child`] makes system calls and nothing else: no allocation, no lock, no panic; and all signals are blocked
//! around it, or a handler of ours could run there.
//!
//! Invariant: spawn only from a thread that lives as long as the program. The parent-death signal fires when the
//! *thread* ends.

use super::limits;
use super::pidfd::Process;
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use nix::sys::signal::{SigSet, SigmaskHow};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicI32, Ordering};

/// Room for [`run_child`] and the frames of the C library below it; the lowest page is a guard.
const STACK_BYTES: usize = 64 * 1024;
const GUARD_BYTES: usize = 4096;

/// What executes a text file without a first line that says it (`execvp(3)` does the same).
const SHELL: &CStr = c"/bin/sh";

/// What to start, and what it gets.
#[derive(Debug)]
pub struct SpawnPlan<'a> {
    /// Path of the file; `PATH` is not searched.
    pub program: &'a CStr,
    /// With the name of the program in front.
    pub argv: &'a [CString],
    /// Each as `NAME=VALUE`.
    pub env: &'a [CString],
    pub stdin: BorrowedFd<'a>,
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    /// These become 3, 4, ... in the child.
    pub fds: &'a [BorrowedFd<'a>],
    /// Makes the child the leader of a group of its own.
    pub new_group: bool,
    /// Gets the child's pid before its program starts, so that nobody can die in between and forget it
    /// ([`super::guard::Guard::place`]).
    pub register: Option<&'a AtomicI32>,
}

/// Where a spawn failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnStep {
    /// No process: the limit of processes (`EAGAIN`), of files (`EMFILE`), of memory (`ENOMEM`).
    Clone,
    /// The parent-death signal, the process group, a limit.
    Prepare,
    /// An fd could not be put in its place.
    Files,
    /// The program itself: `ENOENT`, `EACCES`, `E2BIG`, ...
    Exec,
}

/// Why no process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {}", io::Error::from_raw_os_error(*errno))]
pub struct SpawnError {
    pub step: SpawnStep,
    pub errno: i32,
}

impl fmt::Display for SpawnStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clone => "create a process",
            Self::Prepare => "prepare the process",
            Self::Files => "hand over its files",
            Self::Exec => "execute the program",
        })
    }
}

/// What all spawns have in common: the stack, and which signals are not at their default. One for the thread that
/// spawns.
#[derive(Debug)]
pub struct Spawner {
    stack: Stack,
    /// Signals that are caught (a handler of ours must not run in the child) or ignored (that would be inherited).
    signals: Vec<c_int>,
    open_files: Option<libc::rlimit>,
    // Kept for their memory.
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    sources: Vec<RawFd>,
}

impl Spawner {
    /// Looks up which signals are not at their default and what limit of open files children get: make it behind
    /// [`super::signals::SignalPlane::install`] and [`limits::raise_open_files`].
    ///
    /// # Errors
    /// No memory for the stack.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            stack: Stack::new()?,
            signals: signals_not_default(),
            open_files: limits::open_files_of_children(),
            argv: Vec::new(),
            env: Vec::new(),
            sources: Vec::new(),
        })
    }

    /// Starts a process and returns when its program runs, or is known not to.
    ///
    /// # Errors
    /// The step that failed and its errno. Nothing is left of the process then.
    pub fn spawn(&mut self, plan: &SpawnPlan<'_>) -> Result<Process, SpawnError> {
        // A file without a `#!` line is run as `/bin/sh FILE ARG...`: the same array, from its second place on, serves
        // as the argument list of both.
        self.argv.clear();
        self.argv.push(SHELL.as_ptr());
        self.argv.extend(plan.argv.iter().map(|argument| argument.as_ptr()));
        if plan.argv.is_empty() {
            self.argv.push(plan.program.as_ptr());
        }
        self.argv.push(null());
        self.env.clear();
        self.env.extend(plan.env.iter().map(|entry| entry.as_ptr()));
        self.env.push(null());
        self.sources.clear();
        self.sources.extend([plan.stdin, plan.stdout, plan.stderr].iter().map(AsRawFd::as_raw_fd));
        self.sources.extend(plan.fds.iter().map(AsRawFd::as_raw_fd));
        let mut child = Child {
            program: plan.program.as_ptr(),
            argv: &mut self.argv,
            env: self.env.as_ptr(),
            sources: &mut self.sources,
            signals: &self.signals,
            open_files: self.open_files,
            parent: nix::unistd::getpid().as_raw(),
            new_group: plan.new_group,
            register: plan.register,
            failure: None,
        };
        let cloned = clone_with_signals_blocked(&self.stack, &mut child);
        let process = cloned.map_err(|errno| SpawnError { step: SpawnStep::Clone, errno: errno as i32 })?;
        match child.failure {
            None => Ok(process),
            Some(error) => {
                bury(&process);
                Err(error)
            }
        }
    }
}

/// What the child reads and writes between clone and exec.
struct Child<'a> {
    program: *const c_char,
    argv: &'a mut [*const c_char],
    env: *const *const c_char,
    sources: &'a mut [RawFd],
    signals: &'a [c_int],
    open_files: Option<libc::rlimit>,
    parent: libc::pid_t,
    new_group: bool,
    register: Option<&'a AtomicI32>,
    failure: Option<SpawnError>,
}

fn clone_with_signals_blocked(stack: &Stack, child: &mut Child<'_>) -> nix::Result<Process> {
    let mut before = SigSet::empty();
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the child runs `run_child` on a stack that nobody else uses (`&mut Spawner`) and returns from it only by
    // exec or exit; we are suspended until then, so that `child` is never used by two sides at once. Signals are
    // blocked. CLONE_PIDFD writes to `pidfd`.
    let pid = Errno::result(unsafe {
        libc::clone(run_child, stack.top(), flags, std::ptr::from_mut(child).cast::<c_void>(), &raw mut pidfd)
    });
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    // SAFETY: the call succeeded, so this is a new fd that nobody else owns.
    pid.map(|pid| Process { pid: pid.cast_unsigned(), pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

/// Waits for a child that has left without starting its program: it is a zombie or about to be one.
fn bury(process: &Process) {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: waits for our own child by its pidfd; the pointer is to memory of the right type.
        let answer = unsafe {
            libc::waitid(libc::P_PIDFD, process.pidfd.as_raw_fd().cast_unsigned(), info.as_mut_ptr(), libc::WEXITED)
        };
        if answer == 0 || Errno::last() != Errno::EINTR {
            return;
        }
    }
}

/// The child's whole life in our memory. System calls only; see the head of this file.
extern "C" fn run_child(child: *mut c_void) -> c_int {
    // SAFETY: the pointer that was given to clone; the owner is suspended until we are gone.
    let child = unsafe { &mut *child.cast::<Child<'_>>() };
    let (step, errno) = prepare(child);
    child.failure = Some(SpawnError { step, errno });
    if let Some(place) = child.register {
        place.store(0, Ordering::Release);
    }
    // SAFETY: ends this process without running anything of its parent's.
    unsafe { libc::_exit(127) }
}

/// Returns only if a step failed.
fn prepare(child: &mut Child<'_>) -> (SpawnStep, c_int) {
    // SAFETY (all of this function): plain system calls. The arrays that exec gets are built by `Spawner::spawn`, end
    // with a null pointer, and outlive the call.
    unsafe {
        // Die with the parent, who may be dead already. Then its group, then the register: a guard that looks after the
        // parent's death finds the group, or nobody at all. The order of these four is what makes that so.
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return (SpawnStep::Prepare, last_errno());
        }
        if libc::getppid() != child.parent {
            libc::_exit(127);
        }
        if child.new_group && libc::setpgid(0, 0) != 0 {
            return (SpawnStep::Prepare, last_errno());
        }
        if let Some(place) = child.register {
            place.store(libc::getpid(), Ordering::Release);
        }
        if let Err(errno) = place_files(child.sources) {
            return (SpawnStep::Files, errno);
        }
        for signal in child.signals {
            libc::signal(*signal, libc::SIG_DFL);
        }
        // Behind the files, whose numbers may lie above it.
        if let Some(limit) = child.open_files
            && libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) != 0
        {
            return (SpawnStep::Prepare, last_errno());
        }
        let mut none = MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), null_mut());
        // `argv` has at least three places, but a panic is impossible here only if nothing can panic.
        let (Some(shell), Some(arguments)) = (child.argv.as_ptr_range().start.as_ref(), child.argv.get(1..)) else {
            return (SpawnStep::Exec, libc::EINVAL);
        };
        libc::execve(child.program, arguments.as_ptr(), child.env);
        let errno = last_errno();
        if errno == libc::ENOEXEC {
            let shell = *shell;
            if let Some(file) = child.argv.get_mut(1) {
                *file = child.program;
            }
            libc::execve(shell, child.argv.as_ptr(), child.env);
        }
        (SpawnStep::Exec, errno)
    }
}

/// Puts the fd in `sources[n]` to the place n, for all n, and marks everything above as close-on-exec.
fn place_files(sources: &mut [RawFd]) -> Result<(), c_int> {
    let count = sources.len() as c_int;
    // SAFETY (all of this function): system calls on this process's own table of fds, which is a copy of the parent's.
    unsafe {
        // First those out of the way that lie in a place where another one goes.
        for (target, source) in (0..).zip(sources.iter_mut()) {
            if *source < count && *source != target {
                *source = libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, count);
                if *source == -1 {
                    return Err(last_errno());
                }
            }
        }
        for (target, source) in (0..).zip(sources.iter()) {
            // dup2 to itself would leave close-on-exec set.
            let answer =
                if *source == target { libc::fcntl(target, libc::F_SETFD, 0) } else { libc::dup2(*source, target) };
            if answer == -1 {
                return Err(last_errno());
            }
        }
        if libc::close_range(count.cast_unsigned(), u32::MAX, libc::CLOSE_RANGE_CLOEXEC as c_int) != 0 {
            return Err(last_errno());
        }
    }
    Ok(())
}

fn last_errno() -> c_int {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

/// The signals that are caught or ignored now, without those that cannot be.
fn signals_not_default() -> Vec<c_int> {
    let is_changed = |number: &c_int| {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: asks for the present action; the pointer is to memory of the right type, and zeroes are a valid value
        // of it.
        unsafe {
            libc::sigaction(*number, null(), action.as_mut_ptr()) == 0
                && action.assume_init().sa_sigaction != libc::SIG_DFL
        }
    };
    let fixed = [i32::from(Signal::KILL.0), libc::SIGSTOP];
    (1..=libc::SIGRTMAX()).filter(|number| !fixed.contains(number)).filter(is_changed).collect()
}

/// Memory that a child can run on until its exec.
#[derive(Debug)]
struct Stack {
    lowest: NonNull<c_void>,
}

impl Stack {
    fn new() -> io::Result<Self> {
        // Both are constants above zero.
        let (Some(bytes), Some(_)) = (NonZeroUsize::new(STACK_BYTES), NonZeroUsize::new(GUARD_BYTES)) else {
            return Err(Errno::EINVAL.into());
        };
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_STACK;
        // SAFETY: a new mapping at an address of the system's choice.
        let lowest = unsafe { mmap_anonymous(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }?;
        let stack = Self { lowest };
        // SAFETY: the lowest page of our own mapping, in which nothing lies yet.
        unsafe { mprotect(lowest, GUARD_BYTES, ProtFlags::PROT_NONE) }?;
        Ok(stack)
    }

    /// One past the highest byte, where a stack begins; aligned to a page.
    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of our own mapping.
        unsafe { self.lowest.as_ptr().byte_add(STACK_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no child is on it: a spawn returns when its child has left it.
        let _ = unsafe { munmap(self.lowest, STACK_BYTES) };
    }
}
