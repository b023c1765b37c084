//! Starts processes: our own `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)`.
//!
//! No copy of our page tables as in a fork, 121 system calls fewer than `posix_spawn`, the pidfd in the same call, and
//! the errno of a failed exec through the memory that both sides share until the exec. What the new process gets: the
//! fds of its plan and no others, no blocked signal, no ignored signal, its own process group, the soft limit of open
//! files that we were given, and death when we die.
//!
//! Between clone and exec the child runs on a stack of its own in *our* memory, while the calling thread is suspended.
//! So `run_child` makes system calls and nothing else: no allocation, no lock, no panic; and all signals are blocked
//! around it, or a handler of ours could run there: all but SIGCHLD, which is at its default and has none
//! ([`super::signals::normalise`]).
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

/// GrowableBuffer for [`run_child`] and the frames of the C library below it, and a guard below that: a page of
/// the largest size that Linux has on the machines it runs on, so that never the whole stack is one.
/// What is not touched takes no memory.
const STACK_BYTES: usize = 64 * 1024 + GUARD_BYTES;
const GUARD_BYTES: usize = 64 * 1024;

/// What executes a text file without a first line that says it (`execvp(3)` does the same).
const SHELL: &CStr = c"/bin/sh";

/// The last signal of Linux (`_NSIG`).
const SIGNALS_MAX: c_int = 64;

/// What the terminal sends to the group in its foreground: Ctrl-C, Ctrl-\\, Ctrl-Z. The last would stop the child in
/// our memory, and us with it.
const TERMINAL_SIGNALS: [c_int; 3] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP];

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
    /// ([`super::guard::Groups::place`]).
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
#[error("{step}: {}", Errno::from_raw(*errno).desc())]
pub struct SpawnError {
    pub step: SpawnStep,
    pub errno: i32,
}

/// If the system is short of something, so that trying again later may help (`clone(2)`, `pipe(2)`,
/// `memfd_create(2)`, `epoll_ctl(2)`).
#[must_use]
pub fn is_shortage(errno: i32) -> bool {
    [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOSPC].contains(&errno)
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
    let (mut blocked, mut before) = (SigSet::all(), SigSet::empty());
    blocked.remove(nix::sys::signal::Signal::SIGCHLD);
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&blocked), Some(&mut before))?;
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
        // What the terminal sent to our group while the child was still in it is ours: ignoring a signal drops it.
        for signal in TERMINAL_SIGNALS {
            libc::signal(signal, libc::SIG_IGN);
            libc::signal(signal, libc::SIG_DFL);
        }
        let default = KernelAction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        for signal in child.signals {
            rt_sigaction(*signal, &raw const default, null_mut());
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
        // Nothing in here may panic, so the array is not indexed.
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
        let mut action = KernelAction::default();
        // SAFETY: asks for the present action; the pointer is to memory of the right size.
        unsafe { rt_sigaction(*number, null(), &raw mut action) == 0 && action.handler != libc::SIG_DFL }
    };
    let fixed = [i32::from(Signal::KILL.0), libc::SIGSTOP];
    (1..=SIGNALS_MAX).filter(|number| !fixed.contains(number)).filter(is_changed).collect()
}

/// `struct sigaction` as the kernel has it (`kernel_sigaction`); all zeroes is the default action.
#[repr(C)]
#[derive(Default)]
struct KernelAction {
    handler: libc::sighandler_t,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

/// The system call itself: the C library keeps 32 and 33 to itself, but callers may have them ignored.
///
/// # Safety
/// As for `sigaction(2)`: the pointers are valid or null, the handler does what a handler may.
unsafe fn rt_sigaction(signal: c_int, new: *const KernelAction, old: *mut KernelAction) -> libc::c_long {
    // SAFETY: as promised by the caller; the last argument is the size of the mask.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, size_of::<u64>()) }
}

/// Memory that a child can run on until its exec.
#[derive(Debug)]
struct Stack {
    lowest: NonNull<c_void>,
}

impl Stack {
    fn new() -> io::Result<Self> {
        let bytes = NonZeroUsize::new(STACK_BYTES).ok_or(Errno::EINVAL)?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_STACK;
        // SAFETY: a new mapping at an address of the system's choice.
        let lowest = unsafe { mmap_anonymous(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }?;
        let stack = Self { lowest };
        // SAFETY: the lowest part of our own mapping, in which nothing lies yet.
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

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, lines_of, play, text, wait};
    use super::*;
    use crate::model::exit::ExitStatus;
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::sync::atomic::Ordering::Relaxed;

    /// A spawned program with its output.
    struct Started {
        process: Process,
        output: File,
    }

    impl Started {
        fn end(mut self) -> (ExitStatus, String) {
            let mut output = String::new();
            self.output.read_to_string(&mut output).unwrap();
            (wait(&self.process).0, output)
        }
    }

    fn start(argv: &[&str], fds: &[BorrowedFd<'_>], register: Option<&AtomicI32>) -> Result<Started, SpawnError> {
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
            new_group: true,
            register,
        };
        let process = Spawner::new().unwrap().spawn(&plan)?;
        Ok(Started { process, output: output.into() })
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
    fn every_end_is_told_as_it_was() {
        assert_eq!(shell("exit 3").0, ExitStatus::Code(3));
        assert_eq!(shell("exit 255").0, ExitStatus::Code(255));
        for name in ["KILL", "SEGV", "TERM", "PIPE"] {
            let (status, _) = shell(&format!("kill -{name} $$"));
            let ExitStatus::Signal { signal, .. } = status else { panic!("{status}") };
            assert_eq!(signal.name(), name);
        }
    }

    #[test]
    fn an_end_is_reaped_once_with_its_cost() {
        let run = start(&["/bin/true"], &[], None).unwrap();
        let (status, usage) = wait(&run.process);
        assert_eq!(status, ExitStatus::Code(0));
        assert!(usage.rss_max_kib > 0);
        assert_eq!(run.process.reap().unwrap_err().raw_os_error(), Some(libc::ECHILD));
        run.process.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn a_running_process_is_not_reaped_and_its_group_can_be_signalled() {
        // The reader of the pipe ends with the last of the group: also the one in the background is hit.
        let run = start(&["/bin/sh", "-c", "/bin/sleep 1000 & exec /bin/sleep 1000"], &[], None).unwrap();
        assert_eq!(run.process.reap().unwrap(), None);
        run.process.signal_group(Signal::KILL).unwrap();
        let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        assert_eq!(run.end(), (killed, String::new()));
    }

    #[test]
    fn it_leads_a_group_of_its_own() {
        let run = start(&["/usr/bin/cut", "-d ", "-f1,5", "/proc/self/stat"], &[], None).unwrap();
        let pid = run.process.pid;
        assert_eq!(run.end().1, format!("{pid} {pid}\n"));
    }

    #[test]
    fn nothing_is_blocked_or_ignored_there() {
        // As a caller may leave it behind. std ignores PIPE anyway.
        let mut blocked = SigSet::empty();
        blocked.add(nix::sys::signal::Signal::SIGUSR1);
        blocked.thread_block().unwrap();
        super::super::signals::ignore(Signal(29)).unwrap();
        let status = ["/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"];
        let (_, output) = start(&status, &[], None).unwrap().end();
        assert_eq!(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
        // The caller's own mask is as it was.
        assert!(SigSet::thread_get_mask().unwrap().contains(nix::sys::signal::Signal::SIGUSR1));
    }

    #[test]
    fn only_the_plans_files_are_inherited() {
        // Files without close-on-exec, as a caller may leave them behind.
        let null = super::super::fd::dev_null().unwrap();
        let leaks: Vec<OwnedFd> = (0..40)
            .map(|_| nix::fcntl::fcntl(&null, nix::fcntl::FcntlArg::F_DUPFD(3)).unwrap())
            // SAFETY: new fds that nobody else owns.
            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
            .collect();
        let run = start(&["/bin/ls", "/proc/self/fd"], &[null.as_fd(), leaks[7].as_fd()], None).unwrap();
        // Ours, and the folder that is being read.
        assert_eq!(run.end().1, "0\n1\n2\n3\n4\n5\n");
    }

    #[test]
    fn a_failed_exec_gives_its_errno_and_leaves_nothing() {
        let place = AtomicI32::new(0);
        let cases = [("/nonexistent", libc::ENOENT), ("/etc/passwd", libc::EACCES), ("/etc", libc::EACCES)];
        for (program, errno) in cases {
            let error = start(&[program], &[], Some(&place)).err().unwrap();
            assert_eq!(error, SpawnError { step: SpawnStep::Exec, errno });
            assert_eq!(place.load(Relaxed), 0);
        }
        let error = start(&["/nonexistent"], &[], None).err().unwrap();
        assert_eq!(error.to_string(), "execute the program: No such file or directory");
    }

    #[test]
    fn the_pid_is_registered_before_the_program_runs() {
        let place = AtomicI32::new(0);
        let run = start(&["/bin/true"], &[], Some(&place)).unwrap();
        assert_eq!(place.load(Relaxed).cast_unsigned(), run.process.pid);
        wait(&run.process);
    }

    #[test]
    fn a_script_without_a_first_line_is_run_by_the_shell() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        // Written by another process: a file that is open for writing here, or in a child of another test, is busy.
        let make = format!("echo 'echo $0 $1' > {0}; chmod +x {0}", script.display());
        assert!(std::process::Command::new("/bin/sh").args(["-c", &make]).status().unwrap().success());
        let program = script.to_str().unwrap();
        let (status, output) = start(&[program, "hello"], &[], None).unwrap().end();
        assert_eq!((status, output), (ExitStatus::Code(0), format!("{program} hello\n")));
    }

    #[test]
    fn files_change_places_without_getting_lost() {
        const TEST: &str = "sys::spawn::tests::files_change_places_without_getting_lost";
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
                new_group: true,
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
            limits::raise_open_files().unwrap();
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

    #[test]
    fn a_child_dies_with_the_thread_that_spawned_it() {
        let run = std::thread::spawn(|| start(&["/bin/sleep", "1000"], &[], None).unwrap()).join().unwrap();
        assert_eq!(run.end().0, ExitStatus::Signal { signal: Signal::KILL, core_dumped: false });
    }
}
