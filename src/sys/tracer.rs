//! Counts the system calls of a program and of all processes that it starts, by ptrace(2).
//!
//! A process may trace its own children without any privilege, unless the system forbids it (a profile of a container,
//! `kernel.yama.ptrace_scope` 3). Each call stops its thread twice, so a traced program is some ten times slower:
//! counts are exact, times mean nothing.
//!
//! Invariant: waits for the processes of its own trace alone (`__WNOTHREAD` on a thread of its own), so that other
//! children of this process keep their exit statuses. If the trace is given up, its processes are killed.

use super::interruption::retried;
use crate::model::exit::ExitStatus;
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What a thread of the trace belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TracedRole {
    /// The first thread of the program that was started.
    Program,
    /// A further thread of that program.
    ProgramThread,
    /// A process that was forked off and has executed no program of its own.
    Fork,
    /// A process that has executed a program of its own.
    Child,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct TracedCalls {
    /// How the program ended; `None` only while it runs.
    pub exit: Option<ExitStatus>,
    /// How often each role made the system call of each number.
    pub calls: BTreeMap<(TracedRole, u64), u64>,
}

impl TracedCalls {
    /// All calls of a role.
    #[must_use]
    pub fn of(&self, role: TracedRole) -> u64 {
        self.calls.iter().filter(|((of, _), _)| *of == role).map(|(_, count)| count).sum()
    }
}

/// Runs a program to its end, and counts the system calls that it and its descendants make. Their first process is
/// executed under the trace; what it does before is not counted.
///
/// # Errors
/// The program cannot be started, or the system forbids to trace it.
pub fn count_calls(command: Command) -> io::Result<TracedCalls> {
    // The system takes the *thread* that forks as the tracer. It ends with the trace, and the kernel then kills what is
    // left of it.
    let thread = std::thread::Builder::new().name("tracer".to_owned()).spawn(move || trace(command))?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the tracer panicked")))
}

fn trace(mut command: Command) -> io::Result<TracedCalls> {
    // SAFETY: the closure runs in the child between fork and exec. It makes one system call, and neither allocates nor
    // takes a lock.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(io::Error::from)) };
    let child = command.spawn()?;
    let program = i32::try_from(child.id()).map_err(|_| Errno::EINVAL)?;
    let mut trace = Trace { program, tasks: HashMap::new(), counted: TracedCalls::default() };
    trace.tasks.insert(program, TracedTask { role: Some(TracedRole::Program), ..TracedTask::new() });
    while let Some((tid, status)) = wait()? {
        trace.changed(tid, status)?;
    }
    Ok(trace.counted)
}

/// The next change of a thread of this trace; `None` once all have ended.
fn wait() -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    // SAFETY: the pointer is to memory of the right type, which outlives the call.
    let mut wait = || unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
    match retried(|| Errno::result(wait())) {
        Ok(tid) => Ok(Some((tid, status))),
        Err(Errno::ECHILD) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// A thread of the trace.
///
/// The system tells of its start twice, in any order: by its own first stop, and by an event of the thread that started
/// it. If that one waits for a processor, the new thread may have made calls, started others and ended before the event
/// comes and names its role. Until then it keeps what it did. If the starter is killed before it can tell, nobody knows
/// whether it was a thread or a process, and what it did is not counted.
#[derive(Debug)]
struct TracedTask {
    /// `None` until the event about its start has come.
    role: Option<TracedRole>,
    /// It has not stopped yet.
    is_fresh: bool,
    /// It ended before its role was known.
    has_ended: bool,
    /// Calls that it made before its role was known.
    early_calls: Vec<u64>,
    /// Threads and processes that it started before its role was known, with their events.
    early_starts: Vec<(i32, i32)>,
}

impl TracedTask {
    fn new() -> TracedTask {
        TracedTask { role: None, is_fresh: true, has_ended: false, early_calls: Vec::new(), early_starts: Vec::new() }
    }
}

struct Trace {
    /// The thread id of the program's first thread.
    program: i32,
    tasks: HashMap<i32, TracedTask>,
    counted: TracedCalls,
}

/// `WSTOPSIG` of a stop at a system call, with `PTRACE_O_TRACESYSGOOD`.
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;

impl Trace {
    fn changed(&mut self, tid: i32, status: i32) -> io::Result<()> {
        if !libc::WIFSTOPPED(status) {
            self.ended(tid);
            if tid == self.program {
                self.counted.exit = Some(super::pidfd::status_of_wait(status));
            }
            return Ok(());
        }
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        let was_fresh = std::mem::take(&mut self.tasks.entry(tid).or_insert_with(TracedTask::new).is_fresh);
        if was_fresh && tid == self.program {
            set_options(tid)?;
        }
        let mut delivered = 0;
        match (signal, event) {
            (SYSCALL_STOP, _) => {
                if let Some(number) = entered_call(tid) {
                    self.called(tid, number);
                }
            }
            (_, libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE) => {
                let new = ptrace::getevent(Pid::from_raw(tid)).ok().and_then(|new| i32::try_from(new).ok());
                if let Some(new) = new {
                    self.started(tid, event, new);
                }
            }
            (_, libc::PTRACE_EVENT_EXEC) if tid != self.program => self.executed(tid),
            (libc::SIGTRAP, _) => {}
            // The first stop of each new thread is the tracer's own doing.
            (_, 0) if !was_fresh => delivered = signal,
            _ => {}
        }
        resume(tid, delivered)
    }

    /// A thread of the trace has started another thread or a process.
    fn started(&mut self, tid: i32, event: i32, new: i32) {
        let starter = self.tasks.entry(tid).or_insert_with(TracedTask::new);
        // A start whose end is announced by SIGCHLD is a process; all others are threads.
        let role = match (event, starter.role) {
            (libc::PTRACE_EVENT_CLONE, Some(TracedRole::Program)) => TracedRole::ProgramThread,
            (libc::PTRACE_EVENT_CLONE, Some(role)) => role,
            (libc::PTRACE_EVENT_CLONE, None) => return starter.early_starts.push((event, new)),
            _ => TracedRole::Fork,
        };
        let started = self.tasks.entry(new).or_insert_with(TracedTask::new);
        // It may have executed a program already.
        if started.role.is_none() {
            self.set_role(new, role);
        }
    }

    /// A process other than the first has executed a program.
    fn executed(&mut self, tid: i32) {
        if self.tasks.get(&tid).is_some_and(|task| task.role.is_none()) {
            // A thread that executes a program takes the id of its process, whose role is known: this one is a process.
            self.set_role(tid, TracedRole::Fork);
        }
        self.set_role(tid, TracedRole::Child);
    }

    fn set_role(&mut self, tid: i32, role: TracedRole) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        task.role = Some(role);
        for number in std::mem::take(&mut task.early_calls) {
            *self.counted.calls.entry((role, number)).or_default() += 1;
        }
        for (event, new) in std::mem::take(&mut task.early_starts) {
            self.started(tid, event, new);
        }
        if self.tasks.get(&tid).is_some_and(|task| task.has_ended) {
            self.tasks.remove(&tid);
        }
    }

    fn ended(&mut self, tid: i32) {
        match self.tasks.get_mut(&tid) {
            Some(task) if task.role.is_none() => task.has_ended = true,
            _ => drop(self.tasks.remove(&tid)),
        }
    }

    fn called(&mut self, tid: i32, number: u64) {
        let task = self.tasks.entry(tid).or_insert_with(TracedTask::new);
        match task.role {
            Some(role) => *self.counted.calls.entry((role, number)).or_default() += 1,
            None => task.early_calls.push(number),
        }
    }
}

fn set_options(tid: i32) -> io::Result<()> {
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    Ok(ptrace::setoptions(Pid::from_raw(tid), options)?)
}

/// Lets a stopped thread go on to its next system call, with this signal if it is not 0. That the thread was killed
/// meanwhile is no error: its end is reported next.
fn resume(tid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: continues a thread that this one traces; the system reads no memory of ours.
    let answer = unsafe {
        libc::ptrace(
            libc::PTRACE_SYSCALL as _,
            tid,
            std::ptr::null_mut::<libc::c_void>(),
            signal as usize as *mut libc::c_void,
        )
    };
    match Errno::result(answer) {
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// `PTRACE_GET_SYSCALL_INFO` (Linux 5.3), and the first part of what it writes: the same on every processor.
const GET_SYSCALL_INFO: u32 = 0x420e;
const OP_ENTRY: u8 = 1;

#[repr(C)]
#[derive(Default)]
struct SyscallInfo {
    op: u8,
    pad: [u8; 3],
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    number: u64,
}

/// The number of the call that a thread is about to make; `None` if it returns from one, or has been killed.
fn entered_call(tid: i32) -> Option<u64> {
    let mut info = SyscallInfo::default();
    // SAFETY: the system writes at most the named number of bytes to the pointer, which is to memory of that size.
    let answer = unsafe {
        libc::ptrace(
            GET_SYSCALL_INFO as _,
            tid,
            size_of::<SyscallInfo>() as *mut libc::c_void,
            (&raw mut info).cast::<libc::c_void>(),
        )
    };
    (Errno::result(answer).is_ok() && info.op == OP_ENTRY).then_some(info.number)
}

/// The name of a system call that messages are sent, received or waited for by.
#[must_use]
pub fn name_of_call(number: u64) -> Option<&'static str> {
    macro_rules! names {
        ($($constant:ident => $name:literal,)*) => {
            [$((libc::$constant, $name)),*]
        };
    }
    let names = names! {
        SYS_read => "read",
        SYS_write => "write",
        SYS_readv => "readv",
        SYS_writev => "writev",
        SYS_pread64 => "pread",
        SYS_pwrite64 => "pwrite",
        SYS_epoll_pwait => "epoll_pwait",
        SYS_epoll_ctl => "epoll_ctl",
        SYS_ppoll => "ppoll",
        SYS_recvmsg => "recvmsg",
        SYS_sendmsg => "sendmsg",
        SYS_recvfrom => "recvfrom",
        SYS_sendto => "sendto",
        SYS_mq_timedsend => "mq_timedsend",
        SYS_mq_timedreceive => "mq_timedreceive",
        SYS_futex => "futex",
        SYS_mmap => "mmap",
        SYS_munmap => "munmap",
        SYS_madvise => "madvise",
        SYS_fallocate => "fallocate",
        SYS_ioctl => "ioctl",
        SYS_sched_yield => "sched_yield",
    };
    let number = libc::c_long::try_from(number).ok()?;
    // Newer processors have no calls of these names.
    #[cfg(target_arch = "x86_64")]
    let older = names! { SYS_epoll_wait => "epoll_wait", SYS_poll => "poll", };
    #[cfg(not(target_arch = "x86_64"))]
    let older: [(libc::c_long, &str); 0] = [];
    names.iter().chain(&older).find(|(of, _)| *of == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, play};
    use super::*;
    use std::process::Stdio;

    const COUNTED: &str = "sys::tracer::tests::the_calls_of_a_program_its_threads_and_its_children_are_told_apart";

    fn quiet(mut command: Command) -> Command {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn shell(script: &str) -> TracedCalls {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        count_calls(quiet(command)).unwrap()
    }

    #[test]
    fn the_calls_of_a_program_its_threads_and_its_children_are_told_apart() {
        if is_role(COUNTED) {
            let calls = || {
                for _ in 0..100 {
                    nix::unistd::getppid();
                }
            };
            calls();
            std::thread::spawn(move || {
                for _ in 0..3 {
                    calls()
                }
            })
            .join()
            .unwrap();
            return;
        }
        let counted = count_calls(quiet(play(COUNTED))).unwrap();
        assert_eq!(counted.exit, Some(ExitStatus::Code(0)));
        let getppid = libc::SYS_getppid as u64;
        let of = |role| counted.calls.get(&(role, getppid)).copied().unwrap_or_default();
        // The harness runs tests on a thread of its own, or on its first one.
        assert_eq!(of(TracedRole::Program) + of(TracedRole::ProgramThread), 400);
        assert!(of(TracedRole::ProgramThread) >= 300, "{counted:?}");
        assert_eq!(of(TracedRole::Child), 0);
    }

    /// What a busy machine makes of two starts and an end: the event of a starter comes late, or last.
    #[test]
    fn roles_are_known_in_whatever_order_starts_and_ends_are_told() {
        const PROGRAM: i32 = 1;
        type Step = fn(&mut Trace);
        let make = || {
            let program = TracedTask { role: Some(TracedRole::Program), ..TracedTask::new() };
            Trace { program: PROGRAM, tasks: HashMap::from([(PROGRAM, program)]), counted: TracedCalls::default() }
        };
        // The thread 2 of the program starts the thread 3 and the process 4, which executes a program.
        let steps: [(Step, &[usize]); 7] = [
            (|trace| trace.started(PROGRAM, libc::PTRACE_EVENT_CLONE, 2), &[]),
            (|trace| (0..2).for_each(|_| trace.called(2, 39)), &[]),
            (|trace| trace.started(2, libc::PTRACE_EVENT_CLONE, 3), &[1]),
            (|trace| (trace.called(3, 39), trace.ended(3)).1, &[]),
            (|trace| trace.started(2, libc::PTRACE_EVENT_FORK, 4), &[2]),
            (|trace| (trace.called(4, 57), trace.executed(4), trace.called(4, 39), trace.ended(4)).3, &[]),
            (|trace| trace.ended(2), &[4]),
        ];
        let mut orders = 0;
        let mut open = vec![Vec::new()];
        while let Some(order) = open.pop() {
            let order: Vec<usize> = order;
            for (at, (_, before)) in steps.iter().enumerate() {
                if !order.contains(&at) && before.iter().all(|step| order.contains(step)) {
                    open.push([order.clone(), vec![at]].concat());
                }
            }
            if order.len() < steps.len() {
                continue;
            }
            orders += 1;
            let mut trace = make();
            order.iter().for_each(|at| steps[*at].0(&mut trace));
            let calls =
                [((TracedRole::ProgramThread, 39), 3), ((TracedRole::Fork, 57), 1), ((TracedRole::Child, 39), 1)];
            assert_eq!(trace.counted.calls, BTreeMap::from(calls), "{order:?}");
        }
        assert_eq!(orders, 7 * 6 * 5);
    }

    #[test]
    fn a_program_that_ends_by_a_signal_or_a_code_is_reported_so_and_its_children_are_counted() {
        let counted = shell("/bin/sh -c 'kill -TERM $$'; /bin/sh -c 'exit 3'; (:); exit 7");
        assert_eq!(counted.exit, Some(ExitStatus::Code(7)));
        for role in [TracedRole::Program, TracedRole::Child] {
            assert!(counted.of(role) > 10, "{counted:?}");
        }
        let counted = shell("kill -KILL $$");
        assert_eq!(counted.exit.map(|exit| exit.to_string()).as_deref(), Some("signal 9 (KILL)"));
    }

    #[test]
    fn other_children_of_this_process_keep_their_statuses() {
        let mut other = Command::new("/bin/sh").args(["-c", "exit 5"]).spawn().unwrap();
        shell("exit 0");
        assert_eq!(other.wait().unwrap().code(), Some(5));
    }

    /// A program that is traced already cannot be traced by its parent: as where the system forbids it.
    #[test]
    fn a_forbidden_trace_is_an_error_and_the_program_does_not_run() {
        const FORBIDDEN: &str = "sys::tracer::tests::a_forbidden_trace_is_an_error_and_the_program_does_not_run";
        if is_role(FORBIDDEN) {
            let error = count_calls(Command::new("/bin/false")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            return;
        }
        let counted = count_calls(quiet(play(FORBIDDEN))).unwrap();
        assert_eq!(counted.exit, Some(ExitStatus::Code(0)));
        assert_eq!(counted.of(TracedRole::Child), 0, "{counted:?}");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let error = count_calls(Command::new("/nonexistent/program")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn calls_of_a_conversation_have_names() {
        assert_eq!(name_of_call(libc::SYS_write as u64), Some("write"));
        assert_eq!(name_of_call(u64::MAX), None);
    }
}
