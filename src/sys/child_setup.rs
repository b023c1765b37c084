//! What a child does between clone and exec, in our memory: system calls only. No allocation, no lock, no panic, and no
//! `errno`, which is our thread's.

use super::guard::GuardPlace;
use super::open_fds;
use super::raw_call::{number, raw_call};
use super::spawn_error::{SpawnError, SpawnStep};
use crate::model::signal::Signal;
use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::os::fd::RawFd;
use std::ptr::null;

/// Executes a text file without a `#!` line (`execvp(3)` does the same).
const SHELL: &CStr = c"/bin/sh";

/// The last signal of Linux (`_NSIG`).
pub(super) const SIGNALS_MAX: c_int = 64;

/// The signals that the terminal sends to its foreground group: Ctrl-C, Ctrl-\\, Ctrl-Z. The last one would stop the
/// child while our thread is suspended.
const TERMINAL_SIGNALS: [c_int; 3] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP];

/// What the child reads, and writes: it owns everything that it points to but `register`, whose owner outlives the child's
/// time in our memory.
#[derive(Debug)]
pub(super) struct ChildSetup {
    texts: Texts,
    /// The descriptor that becomes the number n, for each n.
    pub sources: Vec<RawFd>,
    /// Descriptors that the program inherits under their own numbers.
    pub kept: Vec<RawFd>,
    /// Signals that get their default action: those that are ignored here, and those whose handlers the child has inherited.
    pub reset: Vec<c_int>,
    /// Signals that it ignores.
    pub ignored: Vec<Signal>,
    pub open_files: Option<libc::rlimit>,
    pub parent: libc::pid_t,
    pub new_group: bool,
    pub nice: Option<c_int>,
    pub terminal: Option<RawFd>,
    /// Null: nowhere.
    pub register: *const GuardPlace,
    pub failure: Option<SpawnError>,
}

impl ChildSetup {
    pub(super) fn new(parent: libc::pid_t) -> Self {
        Self {
            texts: Texts::default(),
            sources: Vec::new(),
            kept: Vec::new(),
            reset: Vec::new(),
            ignored: Vec::new(),
            open_files: None,
            parent,
            new_group: false,
            nice: None,
            terminal: None,
            register: null(),
            failure: None,
        }
    }

    /// Copies what exec gets, and the folder that the program starts in.
    pub(super) fn set_texts<S: AsRef<CStr>>(&mut self, program: &CStr, folder: Option<&CStr>, argv: &[S], env: &[S]) {
        self.texts.fill(program, folder, argv, env);
    }
}

/// Copies of texts, one behind the other, and pointers to them.
#[derive(Debug)]
struct Texts {
    bytes: Vec<u8>,
    program: *const c_char,
    /// Null: the program starts in ours.
    folder: *const c_char,
    /// The shell, and behind it the argument list: a file without a `#!` line is run as `/bin/sh FILE ARG...`. Without its
    /// first element it is the argument list of the program. Ends with a null pointer, as `env` does.
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { bytes: Vec::new(), program: null(), folder: null(), argv: Vec::new(), env: Vec::new() }
    }
}

impl Texts {
    fn fill<S: AsRef<CStr>>(&mut self, program: &CStr, folder: Option<&CStr>, argv: &[S], env: &[S]) {
        let names = || std::iter::once(program).chain(folder);
        let lists = || argv.iter().chain(env).map(AsRef::as_ref);
        self.bytes.clear();
        self.bytes.reserve(names().chain(lists()).map(|text| text.count_bytes() + 1).sum());
        let bytes = &mut self.bytes;
        // The buffer is large enough, so it stays where it is.
        let mut copy = |text: &CStr| {
            let at = bytes.len();
            bytes.extend_from_slice(text.to_bytes_with_nul());
            bytes[at..].as_ptr().cast::<c_char>()
        };
        self.program = copy(program);
        self.folder = folder.map_or(null(), &mut copy);
        self.argv.clear();
        self.argv.push(SHELL.as_ptr());
        self.argv.extend(argv.iter().map(|argument| copy(argument.as_ref())));
        if argv.is_empty() {
            self.argv.push(self.program);
        }
        self.argv.push(null());
        self.env.clear();
        self.env.extend(env.iter().map(|entry| copy(entry.as_ref())));
        self.env.push(null());
    }
}

/// The child's main function. Its argument is a [`ChildSetup`], which nobody else uses before the child has left our memory.
pub(super) extern "C" fn run_child(setup: *mut c_void) -> c_int {
    // SAFETY: the pointer that was given to clone; nobody else uses what it points to until then.
    let child = unsafe { &mut *setup.cast::<ChildSetup>() };
    // SAFETY: this is the child.
    let Err(error) = unsafe { prepare(child) };
    child.failure = Some(error);
    // SAFETY: null, or a place that lives.
    if let Some(place) = unsafe { child.register.as_ref() } {
        place.clear();
    }
    if let Some(terminal) = child.terminal {
        // SAFETY: a system call on this process's own descriptor.
        unsafe { libc::tcsetpgrp(terminal, libc::getpgid(child.parent)) };
    }
    exit()
}

/// Ends this process without running any exit handler of its parent.
fn exit() -> ! {
    loop {
        // SAFETY: ends this process.
        let _ = unsafe { raw_call(libc::SYS_exit_group, [127]) };
    }
}

/// Returns only if a step failed.
///
/// # Safety
/// Only in a child between clone and exec.
unsafe fn prepare(child: &mut ChildSetup) -> Result<std::convert::Infallible, SpawnError> {
    let failed = |step| move |errno| SpawnError { step, errno };
    // SAFETY (all of this function): plain system calls. The arrays that exec gets end with a null pointer, and live.
    unsafe {
        // The order of these four matters: parent-death signal, check of the parent, group, registration. So after the
        // parent's death the guard either finds the group in its table, or no process is left.
        // Where the system refuses the first one, the guard alone ends the process.
        let _ = raw_call(libc::SYS_prctl, [number(libc::PR_SET_PDEATHSIG), number(libc::SIGKILL)]);
        if libc::getppid() != child.parent {
            exit();
        }
        if child.new_group {
            raw_call(libc::SYS_setpgid, [0, 0]).map_err(failed(SpawnStep::Group))?;
        }
        if let Some(place) = child.register.as_ref() {
            place.register_this_process();
        }
        if let Some(terminal) = child.terminal {
            // Without it the program is stopped when it wants the terminal, which is noticed.
            libc::tcsetpgrp(terminal, libc::getpid());
        }
        place_files(&mut child.sources).map_err(failed(SpawnStep::Files))?;
        for fd in &child.kept {
            let _ = set_flags(*fd, 0);
        }
        set_signals(child);
        // After the descriptors, whose numbers may be above it.
        if let Some(limit) = &child.open_files {
            let arguments = [0, libc::RLIMIT_NOFILE as usize, std::ptr::from_ref(limit) as usize, 0];
            raw_call(libc::SYS_prlimit64, arguments).map_err(failed(SpawnStep::Limit))?;
        }
        if !child.texts.folder.is_null() {
            raw_call(libc::SYS_chdir, [child.texts.folder as usize]).map_err(failed(SpawnStep::Folder))?;
        }
        if let Some(nice) = child.nice {
            let arguments = [libc::PRIO_PROCESS as usize, 0, number(nice)];
            raw_call(libc::SYS_setpriority, arguments).map_err(failed(SpawnStep::Priority))?;
        }
        let none = 0_u64;
        let arguments = [number(libc::SIG_SETMASK), std::ptr::from_ref(&none) as usize, 0, size_of::<u64>()];
        let _ = raw_call(libc::SYS_rt_sigprocmask, arguments);
        Err(execute(&mut child.texts)).map_err(failed(SpawnStep::Exec))
    }
}

/// Executes the program, or the shell with it. Returns the errno.
///
/// # Safety
/// The arrays end with a null pointer.
unsafe fn execute(texts: &mut Texts) -> c_int {
    // No code here may panic, so the array is not indexed.
    let (Some(shell), Some(arguments)) = (texts.argv.first().copied(), texts.argv.get(1..)) else {
        return libc::EINVAL;
    };
    let exec = |program: *const c_char, argv: *const *const c_char| {
        // SAFETY: the caller's promise.
        let answer =
            unsafe { raw_call(libc::SYS_execve, [program as usize, argv as usize, texts.env.as_ptr() as usize]) };
        answer.err().unwrap_or_default()
    };
    let errno = exec(texts.program, arguments.as_ptr());
    if errno == libc::ENOEXEC {
        if let Some(file) = texts.argv.get_mut(1) {
            *file = texts.program;
        }
        exec(shell, texts.argv.as_ptr());
    }
    errno
}

/// Every signal gets its default action, or is ignored.
///
/// # Safety
/// Only in a child between clone and exec: handlers are gone afterwards.
unsafe fn set_signals(child: &ChildSetup) {
    // SAFETY: sets the two dispositions that run no code.
    let set = |signal: c_int, handler| unsafe {
        let action = KernelAction { handler, flags: 0, restorer: 0, mask: 0 };
        let _ = rt_sigaction(signal, &raw const action, std::ptr::null_mut());
    };
    child.reset.iter().for_each(|signal| set(*signal, libc::SIG_DFL));
    let pending = pending_signals();
    if pending != 0 {
        // It would be handled as soon as the mask is lifted, perhaps by a handler that is not in the list.
        (1..=SIGNALS_MAX).for_each(|signal| set(signal, libc::SIG_DFL));
        // Signals that the terminal sent to our group while the child was still in it are for us: ignoring a signal drops a
        // pending one.
        for signal in TERMINAL_SIGNALS.into_iter().filter(|signal| pending >> (signal - 1) & 1 == 1) {
            set(signal, libc::SIG_IGN);
            set(signal, libc::SIG_DFL);
        }
    }
    child.ignored.iter().for_each(|signal| set(c_int::from(signal.0), libc::SIG_IGN));
}

/// Moves the descriptor `sources[n]` to the number n, for all n, and marks all higher ones as close-on-exec.
///
/// # Safety
/// The descriptors are those of a child, a copy of the parent's.
unsafe fn place_files(sources: &mut [RawFd]) -> Result<(), c_int> {
    let count = sources.len() as c_int;
    // First move sources away from numbers that other ones need.
    for (target, source) in (0..).zip(sources.iter_mut()) {
        if *source < count && *source != target {
            let arguments = [number(*source), number(libc::F_DUPFD_CLOEXEC), number(count)];
            // SAFETY: the caller's promise.
            *source = unsafe { raw_call(libc::SYS_fcntl, arguments) }? as RawFd;
        }
    }
    for (target, source) in (0..).zip(sources.iter()) {
        if *source == target {
            // Another call would leave close-on-exec set.
            set_flags(target, 0)?;
        } else {
            // SAFETY: the caller's promise.
            unsafe { raw_call(libc::SYS_dup3, [number(*source), number(target), 0]) }?;
        }
    }
    open_fds::mark_close_on_exec(count);
    Ok(())
}

fn set_flags(fd: RawFd, flags: c_int) -> Result<usize, c_int> {
    // SAFETY: changes a flag of this process's own descriptor; if the number is not open the call fails.
    unsafe { raw_call(libc::SYS_fcntl, [number(fd), number(libc::F_SETFD), number(flags)]) }
}

/// A bit for each signal that waits for this process, from 1 on; all of them where the system does not tell.
fn pending_signals() -> u64 {
    let mut pending = 0_u64;
    // SAFETY: the system call writes a mask of 64 bits.
    let answer =
        unsafe { raw_call(libc::SYS_rt_sigpending, [std::ptr::from_mut(&mut pending) as usize, size_of::<u64>()]) };
    if answer.is_ok() { pending } else { u64::MAX }
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
/// # Errors
/// Its errno.
///
/// # Safety
/// As for `sigaction(2)`: the pointers are valid or null, the handler does what a handler may.
unsafe fn rt_sigaction(signal: c_int, new: *const KernelAction, old: *mut KernelAction) -> Result<usize, c_int> {
    const CALL: c_long = libc::SYS_rt_sigaction;
    // SAFETY: as the caller promises; the last argument is the size of the mask.
    unsafe { raw_call(CALL, [number(signal), new as usize, old as usize, size_of::<u64>()]) }
}

/// The present action of a signal; after an error it is the default.
pub(super) fn handler_of(signal: c_int) -> libc::sighandler_t {
    let mut action = KernelAction::default();
    // SAFETY: reads the present action; the pointer is to memory of the right size.
    let _ = unsafe { rt_sigaction(signal, null(), &raw mut action) };
    action.handler
}
