//! Starts processes with our own `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)`.
//!
//! Compared with a fork, no page table is copied; compared with `posix_spawn`, it takes 121 system calls fewer. The
//! same call returns the pidfd, and the errno of a failed exec arrives through the memory that both processes share
//! until the exec. The new process gets: the descriptors of its plan and no others, no blocked signal, no ignored
//! signal but those of its plan, a process group of its own, the soft limit of open files from before we raised it, and
//! SIGKILL when we die.
//!
//! Between clone and exec the child runs on a stack of its own in *our* memory, while the calling thread is suspended.
//! So `run_child` makes system calls only: no allocation, no lock, no panic. And no signal handler of the program may
//! run in the child, because it would change our memory as another process: all signals are blocked before the clone,
//! and the child sets its handlers to the default action before it lifts the mask. SIGCHLD stays as it is if it has no
//! handler: blocked in one thread alone it would interrupt another one at each exit of a child.
//!
//! Which signals have a handler is asked once, in [`Spawner::new`], because 62 system calls are 5 % of the start of a
//! small program (26 us of 500, 2026-11-26). For a handler that a host program installs later there is a second line: a
//! child that finds a signal pending resets all of them. What remains is a signal that is sent to the child within the
//! two system calls before its exec.
//!
//! Invariant: spawn only from a thread that lives as long as the run. The parent-death signal is sent when the *thread*
//! ends.

use super::child_stack::Stack;
use super::guard::GuardPlace;
use super::interruption::retried;
use super::limits;
use super::pidfd::Process;
use super::{open_fds, refusal};
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};

/// Executes a text file without a `#!` line (`execvp(3)` does the same).
const SHELL: &CStr = c"/bin/sh";

/// The last signal of Linux (`_NSIG`).
const SIGNALS_MAX: c_int = 64;

/// The signals that the terminal sends to its foreground group: Ctrl-C, Ctrl-\\, Ctrl-Z. The last one would stop the
/// child while our thread is suspended.
const TERMINAL_SIGNALS: [c_int; 3] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP];

/// What a spawn does: the program, its arguments and environment, its descriptors and its process group. It says how a
/// process is made and nothing of what the process is for.
#[derive(Debug)]
pub struct SpawnPlan<'a> {
    /// Path of the file; `PATH` is not searched.
    pub program: &'a CStr,
    /// The argument list, with the name of the program as its first element.
    pub argv: &'a [CString],
    /// The whole environment, each entry as `NAME=VALUE`.
    pub env: &'a [CString],
    pub stdin: BorrowedFd<'a>,
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    /// In the child these become the descriptors 3, 4, ..., without the numbers in `kept` ([`numbers`]).
    pub fds: &'a [BorrowedFd<'a>],
    /// Descriptors of ours, from 3 on, that the child inherits under the same numbers. One that is not open is none
    /// there either.
    pub kept: &'a [RawFd],
    /// Whether the child leads a process group of its own; otherwise it stays in ours.
    pub new_group: bool,
    /// Its working directory; otherwise it is ours.
    pub folder: Option<&'a CStr>,
    /// Its nice value; otherwise it is ours ([`super::priority`]).
    pub nice: Option<c_int>,
    /// Signals that it ignores; all others have their default action.
    pub ignored: &'a [Signal],
    /// The child makes its own group the foreground group of this terminal before its program starts.
    pub terminal: Option<BorrowedFd<'a>>,
    /// The child registers itself here before its program starts, so that the guard knows it even if we die in between
    /// ([`super::guard::Groups::place`]).
    pub register: Option<&'a GuardPlace>,
}

/// The numbers that [`SpawnPlan::fds`] get beside these `kept` ones, in order.
pub fn numbers(kept: &[RawFd]) -> impl Iterator<Item = RawFd> + '_ {
    (3..).filter(|number| !kept.contains(number))
}

/// Where a spawn failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnStep {
    /// The system is short of processes (`EAGAIN`), descriptors (`EMFILE`) or memory (`ENOMEM`).
    Clone,
    /// The process could not get a group of its own.
    Group,
    /// The limit of open files could not be restored.
    Limit,
    /// A descriptor could not be moved to its number.
    Files,
    /// The working directory could not be entered.
    Folder,
    /// It could not get its nice value.
    Priority,
    /// The program cannot be executed: `ENOENT`, `EACCES`, `E2BIG`, ...
    Exec,
}

/// Why no process was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {}", self.reason())]
pub struct SpawnError {
    pub step: SpawnStep,
    pub errno: i32,
}

impl SpawnError {
    /// Whether the system does not allow or does not know a call that every start of a process needs.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.call().is_some() && refusal::is_refusal(Errno::from_raw(self.errno))
    }

    fn reason(&self) -> String {
        let errno = Errno::from_raw(self.errno);
        match self.call() {
            Some(call) if self.is_refusal() => refusal::text(call, errno),
            _ => errno.desc().to_owned(),
        }
    }

    const fn call(&self) -> Option<&'static str> {
        match self.step {
            SpawnStep::Clone => Some("clone"),
            SpawnStep::Group => Some("setpgid"),
            SpawnStep::Limit => Some("setrlimit"),
            SpawnStep::Files => Some("dup2"),
            SpawnStep::Folder | SpawnStep::Priority | SpawnStep::Exec => None,
        }
    }
}

/// Whether this errno means that the system is short of a resource, so that a later attempt may succeed (`clone(2)`,
/// `pipe(2)`, `memfd_create(2)`, `epoll_ctl(2)`).
#[must_use]
pub fn is_shortage(errno: i32) -> bool {
    [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOSPC].contains(&errno)
}

impl fmt::Display for SpawnStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clone => "create a process",
            Self::Group => "make a process group",
            Self::Limit => "restore the limit of open files",
            Self::Files => "hand over its files",
            Self::Folder => "enter its working directory",
            Self::Priority => "set its nice value",
            Self::Exec => "execute the program",
        })
    }
}

/// What all spawns of a thread share: the stack, and the list of signals that are not at their default.
#[derive(Debug)]
pub struct Spawner {
    stack: Stack,
    /// Signals with a handler, which must not run in the child, and ignored signals, which the program would inherit.
    signals: Vec<c_int>,
    open_files: Option<libc::rlimit>,
    /// The thread blocks every signal but SIGCHLD, always.
    is_deaf: bool,
    // Buffers that are reused.
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    sources: Vec<RawFd>,
}

impl Spawner {
    /// Reads which signals are not at their default and which limit of open files children get: call it after
    /// [`super::signals::SignalPlane::install`] and [`limits::raise_open_files`].
    ///
    /// # Errors
    /// There is no memory for the stack.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            stack: Stack::new()?,
            signals: signals_not_default(),
            open_files: limits::open_files_of_children(),
            is_deaf: false,
            argv: Vec::new(),
            env: Vec::new(),
            sources: Vec::new(),
        })
    }

    /// The same for a thread that was started by [`super::signals::with_blocked`] and never changes its mask: the mask
    /// needs no change for each start.
    ///
    /// # Errors
    /// There is no memory for the stack.
    pub fn for_deaf_thread() -> io::Result<Self> {
        Ok(Self { is_deaf: super::signals::are_blocked_but_sigchld()?, ..Self::new()? })
    }

    /// Starts a process and returns when its program runs or has failed to start.
    ///
    /// # Errors
    /// The step that failed and its errno. No process is left then.
    pub fn spawn(&mut self, plan: &SpawnPlan<'_>) -> Result<Process, SpawnError> {
        // A file without a `#!` line is run as `/bin/sh FILE ARG...`. The same array serves for both: without its first
        // element it is the argument list of the file.
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
        for (number, fd) in numbers(plan.kept).zip(plan.fds) {
            // A number that is kept is its own source.
            self.sources.extend(self.sources.len() as RawFd..number);
            self.sources.push(fd.as_raw_fd());
        }
        let mut child = Child {
            program: plan.program.as_ptr(),
            argv: &mut self.argv,
            env: self.env.as_ptr(),
            sources: &mut self.sources,
            kept: plan.kept,
            signals: &self.signals,
            open_files: self.open_files,
            parent: nix::unistd::getpid().as_raw(),
            new_group: plan.new_group,
            folder: plan.folder.map_or(null(), CStr::as_ptr),
            nice: plan.nice,
            ignored: plan.ignored,
            terminal: plan.terminal.map(|terminal| terminal.as_raw_fd()),
            register: plan.register,
            failure: None,
        };
        let cloned = match self.is_deaf && !has_handler(libc::SIGCHLD) {
            true => clone_process(&self.stack, &mut child),
            false => clone_with_signals_blocked(&self.stack, &mut child),
        };
        let process = cloned.map_err(|errno| SpawnError { step: SpawnStep::Clone, errno: errno as i32 })?;
        match child.failure {
            None => Ok(process),
            Some(error) => {
                reap_failed_start(&process);
                Err(error)
            }
        }
    }
}

/// The data that the child reads and writes between clone and exec.
struct Child<'a> {
    program: *const c_char,
    argv: &'a mut [*const c_char],
    env: *const *const c_char,
    sources: &'a mut [RawFd],
    kept: &'a [RawFd],
    signals: &'a [c_int],
    open_files: Option<libc::rlimit>,
    parent: libc::pid_t,
    new_group: bool,
    folder: *const c_char,
    nice: Option<c_int>,
    ignored: &'a [Signal],
    terminal: Option<RawFd>,
    register: Option<&'a GuardPlace>,
    failure: Option<SpawnError>,
}

fn clone_with_signals_blocked(stack: &Stack, child: &mut Child<'_>) -> nix::Result<Process> {
    let (mut blocked, mut before) = (SigSet::all(), SigSet::empty());
    if !has_handler(libc::SIGCHLD) {
        blocked.remove(nix::sys::signal::Signal::SIGCHLD);
    }
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&blocked), Some(&mut before))?;
    let process = clone_process(stack, child);
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    process
}

/// Signals with a handler are blocked.
fn clone_process(stack: &Stack, child: &mut Child<'_>) -> nix::Result<Process> {
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the child runs `run_child` on a stack that nothing else uses (`&mut Spawner`) and leaves it only by exec
    // or exit; this thread is suspended until then, so `child` is never used by both processes at once. Signals with a
    // handler are blocked. CLONE_PIDFD writes to `pidfd`.
    let pid = Errno::result(unsafe {
        libc::clone(run_child, stack.top(), flags, std::ptr::from_mut(child).cast::<c_void>(), &raw mut pidfd)
    });
    // SAFETY: the call succeeded, so this is a new fd without an owner.
    pid.map(|pid| Process { pid: pid.cast_unsigned(), pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

/// Reaps a child that has exited without starting its program.
fn reap_failed_start(process: &Process) {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: waits for our own child by its pidfd; the pointer is to memory of the right type.
    let mut wait = || unsafe {
        libc::waitid(libc::P_PIDFD, process.pidfd.as_raw_fd().cast_unsigned(), info.as_mut_ptr(), libc::WEXITED)
    };
    // If it fails, other code has reaped the child.
    let _ = retried(|| Errno::result(wait()));
}

/// The child's main function, in our memory. System calls only; see the head of this file.
extern "C" fn run_child(child: *mut c_void) -> c_int {
    // SAFETY: the pointer that was given to clone; its owner is suspended until this process has left our memory.
    let child = unsafe { &mut *child.cast::<Child<'_>>() };
    let (step, errno) = prepare(child);
    child.failure = Some(SpawnError { step, errno });
    if let Some(place) = child.register {
        place.clear();
    }
    if let Some(terminal) = child.terminal {
        // SAFETY: system calls on this process's own descriptor.
        unsafe { libc::tcsetpgrp(terminal, libc::getpgid(child.parent)) };
    }
    // SAFETY: ends this process without running any exit handler of its parent.
    unsafe { libc::_exit(127) }
}

/// Returns only if a step failed.
fn prepare(child: &mut Child<'_>) -> (SpawnStep, c_int) {
    // SAFETY (all of this function): plain system calls. The arrays that exec gets are built by `Spawner::spawn`, end
    // with a null pointer, and outlive the call.
    unsafe {
        // The order of these four matters: parent-death signal, check of the parent, group, registration. So after the
        // parent's death the guard either finds the group in its table, or no process is left.
        // Where the system refuses the first one, the guard alone ends the process.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != child.parent {
            libc::_exit(127);
        }
        if child.new_group && libc::setpgid(0, 0) != 0 {
            return (SpawnStep::Group, last_errno());
        }
        if let Some(place) = child.register {
            place.register_this_process();
        }
        if let Some(terminal) = child.terminal {
            // Without it the program is stopped when it wants the terminal, which is noticed.
            libc::tcsetpgrp(terminal, libc::getpid());
        }
        if let Err(errno) = place_files(child.sources) {
            return (SpawnStep::Files, errno);
        }
        for fd in child.kept {
            libc::fcntl(*fd, libc::F_SETFD, 0);
        }
        set_signals(child.signals, child.ignored);
        // After the descriptors, whose numbers may be above it.
        if let Some(limit) = child.open_files
            && libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) != 0
        {
            return (SpawnStep::Limit, last_errno());
        }
        if !child.folder.is_null() && libc::chdir(child.folder) != 0 {
            return (SpawnStep::Folder, last_errno());
        }
        if let Some(nice) = child.nice
            && libc::setpriority(libc::PRIO_PROCESS, 0, nice) != 0
        {
            return (SpawnStep::Priority, last_errno());
        }
        let mut none = MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), null_mut());
        // No code here may panic, so the array is not indexed.
        let (Some(shell), Some(arguments)) = (child.argv.first().copied(), child.argv.get(1..)) else {
            return (SpawnStep::Exec, libc::EINVAL);
        };
        libc::execve(child.program, arguments.as_ptr(), child.env);
        let errno = last_errno();
        if errno == libc::ENOEXEC {
            if let Some(file) = child.argv.get_mut(1) {
                *file = child.program;
            }
            libc::execve(shell, child.argv.as_ptr(), child.env);
        }
        (SpawnStep::Exec, errno)
    }
}

/// Every signal gets its default action, or is ignored. System calls only.
///
/// # Safety
/// Only in a child between clone and exec: handlers are gone afterwards.
unsafe fn set_signals(changed: &[c_int], ignored: &[Signal]) {
    // SAFETY: sets the two dispositions that run no code.
    unsafe {
        let default = KernelAction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        for signal in changed {
            rt_sigaction(*signal, &raw const default, null_mut());
        }
        let pending = pending_signals();
        if pending != 0 {
            // It would be handled as soon as the mask is lifted, perhaps by a handler that is not in the list.
            for signal in 1..=SIGNALS_MAX {
                rt_sigaction(signal, &raw const default, null_mut());
            }
            // Signals that the terminal sent to our group while the child was still in it are for us: ignoring a signal
            // drops a pending one.
            for signal in TERMINAL_SIGNALS.into_iter().filter(|signal| pending >> (signal - 1) & 1 == 1) {
                libc::signal(signal, libc::SIG_IGN);
                libc::signal(signal, libc::SIG_DFL);
            }
        }
        for signal in ignored {
            libc::signal(c_int::from(signal.0), libc::SIG_IGN);
        }
    }
}

/// Moves the descriptor `sources[n]` to the number n, for all n, and marks all higher ones as close-on-exec.
fn place_files(sources: &mut [RawFd]) -> Result<(), c_int> {
    let count = sources.len() as c_int;
    // SAFETY (all of this function): system calls on this process's own descriptors, which are a copy of the parent's.
    unsafe {
        // First move sources away from numbers that other ones need.
        for (target, source) in (0..).zip(sources.iter_mut()) {
            if *source < count && *source != target {
                *source = libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, count);
                if *source == -1 {
                    return Err(last_errno());
                }
            }
        }
        for (target, source) in (0..).zip(sources.iter()) {
            // dup2 to the same number would leave close-on-exec set.
            let answer =
                if *source == target { libc::fcntl(target, libc::F_SETFD, 0) } else { libc::dup2(*source, target) };
            if answer == -1 {
                return Err(last_errno());
            }
        }
    }
    open_fds::mark_close_on_exec(count);
    Ok(())
}

fn last_errno() -> c_int {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

/// A bit for each signal that waits for this process, from 1 on; all of them where the system does not tell. System calls
/// only.
fn pending_signals() -> u64 {
    let mut pending = 0_u64;
    // SAFETY: the system call writes a mask of 64 bits.
    let answer = unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut pending, size_of::<u64>()) };
    if answer == 0 { pending } else { u64::MAX }
}

fn handler_of(signal: c_int) -> libc::sighandler_t {
    let mut action = KernelAction::default();
    // SAFETY: reads the present action; the pointer is to memory of the right size. After an error it is the default.
    unsafe { rt_sigaction(signal, null(), &raw mut action) };
    action.handler
}

fn has_handler(signal: c_int) -> bool {
    ![libc::SIG_DFL, libc::SIG_IGN].contains(&handler_of(signal))
}

/// The signals that have a handler or are ignored now.
fn signals_not_default() -> Vec<c_int> {
    let is_changed = |number: &c_int| handler_of(*number) != libc::SIG_DFL;
    let fixed = [i32::from(Signal::KILL.0), libc::SIGSTOP];
    (1..=SIGNALS_MAX).filter(|number| !fixed.contains(number)).filter(is_changed).collect()
}

/// `struct sigaction` of the kernel (`kernel_sigaction`); all zeroes is the default action.
#[repr(C)]
#[derive(Default)]
struct KernelAction {
    handler: libc::sighandler_t,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

/// The system call itself, because the C library refuses the signals 32 and 33, which callers may have ignored.
///
/// # Safety
/// As for `sigaction(2)`: the pointers are valid or null, the handler does what a handler may.
unsafe fn rt_sigaction(signal: c_int, new: *const KernelAction, old: *mut KernelAction) -> libc::c_long {
    // SAFETY: as the caller promises; the last argument is the size of the mask.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, size_of::<u64>()) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, lines_of, play, text, wait};
    use super::*;
    use crate::model::exit::{ExitStatus, Usage};
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::atomic::{AtomicI32, AtomicUsize};

    /// A spawned program with its output.
    struct StartedProgram {
        process: Process,
        output: File,
    }

    impl StartedProgram {
        fn end(mut self) -> (ExitStatus, String) {
            let mut output = String::new();
            self.output.read_to_string(&mut output).unwrap();
            (wait(&self.process).0, output)
        }
    }

    fn start(
        argv: &[&str],
        fds: &[BorrowedFd<'_>],
        register: Option<&GuardPlace>,
    ) -> Result<StartedProgram, SpawnError> {
        let argv: Vec<CString> = argv.iter().map(|argument| CString::new(*argument).unwrap()).collect();
        let env = [c"MARK=7".to_owned()];
        let null = super::super::fd::dev_null().unwrap();
        let (output, writer) = super::super::fd::pipe().unwrap();
        let plan = SpawnPlan {
            program: &argv[0],
            argv: &argv,
            env: &env,
            stdin: null.as_fd(),
            stdout: writer.as_fd(),
            stderr: null.as_fd(),
            fds,
            kept: &[],
            new_group: true,
            folder: None,
            nice: None,
            ignored: &[],
            terminal: None,
            register,
        };
        let process = Spawner::new().unwrap().spawn(&plan)?;
        Ok(StartedProgram { process, output: output.into() })
    }

    fn shell(script: &str) -> (ExitStatus, String) {
        start(&["/bin/sh", "-c", script], &[], None).unwrap().end()
    }

    #[test]
    fn the_program_gets_its_arguments_and_its_environment_only() {
        assert_eq!(shell("echo $0 $MARK").1, "/bin/sh 7\n");
        let (status, output) = start(&["/usr/bin/env"], &[], None).unwrap().end();
        assert_eq!((status, output.as_str()), (ExitStatus::Code(0), "MARK=7\n"));
    }

    #[test]
    fn every_exit_status_is_reported() {
        assert_eq!(shell("exit 3").0, ExitStatus::Code(3));
        assert_eq!(shell("exit 255").0, ExitStatus::Code(255));
        for name in ["KILL", "SEGV", "TERM", "PIPE"] {
            let (status, _) = shell(&format!("kill -{name} $$"));
            let ExitStatus::Signal { signal, .. } = status else { panic!("{status}") };
            assert_eq!(signal.name(), name);
        }
    }

    #[test]
    fn a_process_is_reaped_once_with_its_usage() {
        let started = start(&["/bin/true"], &[], None).unwrap();
        let (status, usage) = wait(&started.process);
        assert_eq!(status, ExitStatus::Code(0));
        assert!(usage.rss_max_kib > 0);
        let (again, usage) = started.process.reap().unwrap().unwrap();
        assert!([status, ExitStatus::Unknown].contains(&again) && usage == Usage::default());
        started.process.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn a_running_process_is_not_reaped_and_its_group_can_be_signalled() {
        // The pipe ends with the last process of the group: the one in the background is killed too.
        let started = start(&["/bin/sh", "-c", "/bin/sleep 1000 & exec /bin/sleep 1000"], &[], None).unwrap();
        assert_eq!(started.process.reap().unwrap(), None);
        started.process.signal_group(Signal::KILL).unwrap();
        let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        assert_eq!(started.end(), (killed, String::new()));
    }

    #[test]
    fn the_process_leads_a_group_of_its_own() {
        let started = start(&["/usr/bin/cut", "-d ", "-f1,5", "/proc/self/stat"], &[], None).unwrap();
        let pid = started.process.pid;
        assert_eq!(started.end().1, format!("{pid} {pid}\n"));
    }

    #[test]
    fn the_process_blocks_and_ignores_no_signal() {
        // As a caller may leave it behind. std ignores PIPE in any case.
        let mut blocked = SigSet::empty();
        blocked.add(nix::sys::signal::Signal::SIGUSR1);
        blocked.thread_block().unwrap();
        super::super::signals::ignore(Signal(29)).unwrap();
        let status = ["/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"];
        let (_, output) = start(&status, &[], None).unwrap().end();
        assert_eq!(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
        // The caller's own mask is unchanged.
        assert!(SigSet::thread_get_mask().unwrap().contains(nix::sys::signal::Signal::SIGUSR1));
    }

    #[test]
    fn only_the_plans_files_are_inherited() {
        // Files without close-on-exec, as a caller may leave them behind.
        let null = super::super::fd::dev_null().unwrap();
        let leaks: Vec<OwnedFd> = (0..40)
            .map(|_| nix::fcntl::fcntl(&null, nix::fcntl::FcntlArg::F_DUPFD(3)).unwrap())
            // SAFETY: new fds without an owner.
            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
            .collect();
        let started = start(&["/bin/ls", "/proc/self/fd"], &[null.as_fd(), leaks[7].as_fd()], None).unwrap();
        // The five of the plan, and that of the folder which `ls` reads.
        assert_eq!(started.end().1, "0\n1\n2\n3\n4\n5\n");
    }

    #[test]
    fn a_kept_file_has_its_own_number_also_among_those_of_the_plan() {
        const TEST: &str = "sys::spawn::tests::a_kept_file_has_its_own_number_also_among_those_of_the_plan";
        if is_role(TEST) {
            let (null, stdout) = (super::super::fd::dev_null().unwrap(), io::stdout());
            // 4 and 60 are kept; the files of the plan become 3 and 5.
            for number in [4, 60] {
                // SAFETY: nothing of this process uses these numbers, which nobody owns afterwards.
                assert_eq!(unsafe { libc::dup2(1, number) }, number);
            }
            let argv = [c"sh".to_owned(), c"-c".to_owned(), c"for n in 3 4 5 6 60; do echo @$n >&$n; done".to_owned()];
            let plan = SpawnPlan {
                program: c"/bin/bash",
                argv: &argv,
                env: &[],
                stdin: null.as_fd(),
                stdout: null.as_fd(),
                stderr: null.as_fd(),
                fds: &[stdout.as_fd(), stdout.as_fd()],
                kept: &[4, 60, 61],
                new_group: true,
                folder: None,
                nice: None,
                ignored: &[],
                terminal: None,
                register: None,
            };
            wait(&Spawner::new().unwrap().spawn(&plan).unwrap());
            return;
        }
        assert_eq!(lines_of(&play(TEST).output().unwrap().stdout, '@'), ["@3", "@4", "@5", "@60"]);
    }

    #[test]
    fn a_failed_exec_returns_its_errno_and_leaves_no_process() {
        let place = GuardPlace::default();
        let cases = [("/nonexistent", libc::ENOENT), ("/etc/passwd", libc::EACCES), ("/etc", libc::EACCES)];
        for (program, errno) in cases {
            let error = start(&[program], &[], Some(&place)).err().unwrap();
            assert_eq!(error, SpawnError { step: SpawnStep::Exec, errno });
            assert_eq!(place.pid(), 0);
        }
        let error = start(&["/nonexistent"], &[], None).err().unwrap();
        assert_eq!(error.to_string(), "execute the program: No such file or directory");
    }

    #[test]
    fn the_pid_is_registered_before_the_program_runs() {
        let place = GuardPlace::default();
        let started = start(&["/bin/true"], &[], Some(&place)).unwrap();
        assert_eq!(place.pid().cast_unsigned(), started.process.pid);
        wait(&started.process);
    }

    #[test]
    fn a_script_without_a_first_line_is_run_by_the_shell() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        // Another process writes it: a file that is open for writing here, or in a child of another test, is busy.
        let make = format!("echo 'echo $0 $1' > {0}; chmod +x {0}", script.display());
        assert!(std::process::Command::new("/bin/sh").args(["-c", &make]).status().unwrap().success());
        let program = script.to_str().unwrap();
        let (status, output) = start(&[program, "hello"], &[], None).unwrap().end();
        assert_eq!((status, output), (ExitStatus::Code(0), format!("{program} hello\n")));
    }

    #[test]
    fn descriptors_can_swap_their_numbers() {
        const TEST: &str = "sys::spawn::tests::descriptors_can_swap_their_numbers";
        if is_role(TEST) {
            let argv = [c"sh".to_owned(), c"-c".to_owned(), c"echo @1; echo @2 >&2; echo @4 >&4; cat <&5".to_owned()];
            let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
            let null = super::super::fd::dev_null().unwrap();
            let plan = SpawnPlan {
                program: c"/bin/sh",
                argv: &argv,
                env: &[],
                stdin: null.as_fd(),
                stdout: stderr.as_fd(),
                stderr: stdout.as_fd(),
                fds: &[null.as_fd(), stdout.as_fd(), stdin.as_fd()],
                kept: &[],
                new_group: true,
                folder: None,
                nice: None,
                ignored: &[],
                terminal: None,
                register: None,
            };
            wait(&Spawner::new().unwrap().spawn(&plan).unwrap());
            return;
        }
        let input = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(input.path(), "@5\n").unwrap();
        let output = play(TEST).stdin(File::open(input.path()).unwrap()).output().unwrap();
        assert_eq!(lines_of(&output.stdout, '@'), ["@2", "@4"]);
        assert_eq!(lines_of(&output.stderr, '@'), ["@1", "@5"]);
    }

    #[test]
    fn a_raised_limit_of_open_files_is_not_passed_on() {
        const TEST: &str = "sys::spawn::tests::a_raised_limit_of_open_files_is_not_passed_on";
        if is_role(TEST) {
            let _raised = limits::raise_open_files().unwrap();
            print!("@{}", shell("ulimit -n").1);
            println!("@{}", nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().0);
            return;
        }
        let program = play(TEST);
        let mut limited = std::process::Command::new("/bin/sh");
        limited.args(["-c", "ulimit -Sn 64; ulimit -Hn 80; exec \"$0\" \"$@\""]).arg(program.get_program());
        limited.args(program.get_args()).envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = limited.output().unwrap();
        assert_eq!(lines_of(&output.stdout, '@'), ["@64", "@80"], "{}", text(&output.stderr));
    }

    static HOST: AtomicI32 = AtomicI32::new(0);
    static RUNS_IN_HOST: AtomicUsize = AtomicUsize::new(0);
    static RUNS_IN_CHILD: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn record_pid(_: c_int) {
        // SAFETY: returns a number.
        let is_host = unsafe { libc::getpid() } == HOST.load(Relaxed);
        (if is_host { &RUNS_IN_HOST } else { &RUNS_IN_CHILD }).fetch_add(1, Relaxed);
    }

    extern "C" fn reap_all(_: c_int) {
        // SAFETY: reaps children of this process; a null pointer means that the status is not wanted.
        while unsafe { libc::waitpid(-1, null_mut(), libc::WNOHANG) } > 0 {}
    }

    fn handle(signal: c_int, handler: extern "C" fn(c_int)) {
        // SAFETY: the handlers of these tests make atomic accesses and system calls only.
        unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
    }

    #[test]
    fn a_handler_of_the_host_never_runs_in_a_child() {
        const TEST: &str = "sys::spawn::tests::a_handler_of_the_host_never_runs_in_a_child";
        const SPAWNS: usize = 2000;
        if !is_role(TEST) {
            let output = play(TEST).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stdout));
            return;
        }
        HOST.store(nix::unistd::getpid().as_raw(), Relaxed);
        handle(libc::SIGUSR1, record_pid);
        handle(libc::SIGCHLD, record_pid);
        let (place, sent, done) = (GuardPlace::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let mut spawner = Spawner::new().unwrap();
        let null = super::super::fd::dev_null().unwrap();
        let argv = [c"true".to_owned()];
        let plan = SpawnPlan {
            program: c"/bin/true",
            argv: &argv,
            env: &[],
            stdin: null.as_fd(),
            stdout: null.as_fd(),
            stderr: null.as_fd(),
            fds: &[],
            kept: &[],
            new_group: true,
            folder: None,
            nice: None,
            ignored: &[],
            terminal: None,
            register: Some(&place),
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while done.load(Relaxed) == 0 {
                    let group = place.pid();
                    if group > 0 {
                        // SAFETY: sends signals, accesses no memory.
                        let both = unsafe { libc::kill(-group, libc::SIGUSR1) + libc::kill(-group, libc::SIGCHLD) };
                        sent.fetch_add(usize::from(both == 0), Relaxed);
                    }
                }
            });
            for _ in 0..SPAWNS {
                let process = spawner.spawn(&plan).unwrap();
                place.clear();
                let (status, _) = wait(&process);
                let killed = ExitStatus::Signal { signal: Signal::USR1, core_dumped: false };
                assert!([ExitStatus::Code(0), killed].contains(&status), "{status}");
            }
            done.store(1, Relaxed);
        });
        assert_eq!(RUNS_IN_CHILD.load(Relaxed), 0);
        assert!(RUNS_IN_HOST.load(Relaxed) > 0 && sent.load(Relaxed) > SPAWNS);
    }

    #[test]
    fn a_host_that_reaps_every_child_costs_no_more_than_the_exit_status() {
        const TEST: &str = "sys::spawn::tests::a_host_that_reaps_every_child_costs_no_more_than_the_exit_status";
        if !is_role(TEST) {
            let output = play(TEST).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stdout));
            return;
        }
        handle(libc::SIGCHLD, reap_all);
        let guard = super::super::guard::Guard::start(&[]).unwrap();
        for _ in 0..100 {
            let (status, output) = shell("echo x; exit 3");
            assert_eq!(output, "x\n");
            assert!([ExitStatus::Code(3), ExitStatus::Unknown].contains(&status), "{status}");
            let error = start(&["/nonexistent"], &[], None).err().unwrap();
            assert_eq!(error, SpawnError { step: SpawnStep::Exec, errno: libc::ENOENT });
        }
        guard.dismiss();
    }

    #[test]
    fn a_child_dies_with_the_thread_that_spawned_it() {
        let started = std::thread::spawn(|| start(&["/bin/sleep", "1000"], &[], None).unwrap()).join().unwrap();
        assert_eq!(started.end().0, ExitStatus::Signal { signal: Signal::KILL, core_dumped: false });
    }
}
