//! The guard: a process that outlives the supervisor by a moment and kills what the supervisor leaves behind.
//!
//! The parent-death signal kills workers when the supervisor dies, but not the processes that workers have started. So
//! the supervisor forks a guard at its start. The guard waits for the end of a pipe whose other end only the supervisor
//! holds: the system closes it however the supervisor dies. Then the guard sends KILL to every process in a table that
//! both share and to its group, and removes the [`Leftover`]s.
//!
//! A guard that is killed is replaced ([`Guard::replace`]); one that is stopped is continued by the system when it is
//! needed, that is, when the pipe is closed.
//!
//! No group is missed: a child registers itself in the table before its program runs ([`super::spawn`]), and until then
//! it holds a copy of the pipe's end, so the guard wakes only when no registration can follow. One pass is enough,
//! since a signal to a group also reaches forks in progress. Clear a group ([`Groups::clear`]) before its leader is
//! reaped, never after: then a number in the table never belongs to another process while the supervisor lives. After its
//! death init reaps its children, and their numbers may be given to others before the guard has come to them. So a place
//! holds the time of the registration too, and a process with this number that was started later is spared.
//!
//! The table has a place for [`SLOTS_MAX`] slots in reserved address space. A page of it takes memory once one of its
//! slots is used, and the guard reads no further than the highest slot that was used.
//!
//! Invariant: the guard makes system calls only (it is a fork that never executes a program), holds no descriptor of
//! the supervisor but one that it is given to hold, and handles no signal.

use super::boot_ticks::{boot_ticks, started_ticks};
use super::interruption::retried;
pub use super::leftover::Leftover;
use super::pidfd::Process;
use super::{open_fds, refusal};
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most slots that the table has a place for. 8 MiB of address space.
pub const SLOTS_MAX: usize = 1 << 20;

/// At most 15 bytes (`PR_SET_NAME`), and no match for `pkill supervisor`.
const NAME: &CStr = c"superv-guard";

/// How often the process that forks the guard may be killed before the start fails. A guard that it had forked by then
/// ends with the pipe.
const KILLED_MAX: u32 = 16;

/// `fcntl(2)`: which signal `O_ASYNC` sends.
const F_SETSIG: c_int = 10;

/// How long the end of the guard is awaited.
const GONE_WITHIN_MS: u16 = 1000;

/// The supervisor's side. Dropping it makes the guard kill the groups in the table, as if the supervisor had died; see
/// [`Guard::dismiss`].
#[derive(Debug)]
pub struct Guard {
    groups: Groups,
    /// `None`: the system refuses to start one.
    guard: Option<Process>,
    /// Our end of the pipe, close-on-exec. `None` while the guard is being dropped.
    lifeline: Option<OwnedFd>,
    leftovers: Vec<Leftover>,
    /// A descriptor that the guard holds too.
    held: Option<OwnedFd>,
}

impl Guard {
    /// Forks the guard. Call it before anything else: while the program has one thread, little memory and few
    /// descriptors.
    ///
    /// The guard's parent exits at once, so init adopts the guard: a tool that lists or kills the supervisor's children
    /// finds the workers only. At its end the guard removes the `leftovers`, in this order.
    ///
    /// # Errors
    /// The system is short of processes, memory or descriptors.
    pub fn start(leftovers: &[Leftover]) -> io::Result<Self> {
        Self::fork(Arc::new(Table::new()?), leftovers.to_vec(), None)
    }

    /// The same, but where the system refuses the call that starts a guard there is none: then only the groups are
    /// recorded, and the error that names the call comes with it. `held`: a descriptor that the guard holds until it has
    /// killed the groups, such as that of a locked file.
    ///
    /// # Errors
    /// As of [`Guard::start`], except for that.
    pub fn start_if_allowed(leftovers: &[Leftover], held: Option<OwnedFd>) -> io::Result<(Self, Option<io::Error>)> {
        match Self::fork(Arc::new(Table::new()?), leftovers.to_vec(), held) {
            Err(error) if refusal::is_named(&error) => {
                let groups = Groups(Arc::new(Table::new()?));
                let leftovers = leftovers.to_vec();
                Ok((Self { groups, guard: None, lifeline: None, leftovers, held: None }, Some(error)))
            }
            guard => Ok((guard?, None)),
        }
    }

    /// Readable when the guard has ended, which it does only if it is killed. `None` without a guard.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.guard.as_ref().map(AsFd::as_fd)
    }

    /// Forks another guard with the same table in the place of one that has ended.
    ///
    /// # Errors
    /// As of [`Guard::start`]; there is no guard then.
    pub fn replace(&mut self) -> io::Result<()> {
        let table = Arc::clone(&self.groups.0);
        table.guard().clear();
        let held = self.held.as_ref().map(OwnedFd::try_clone).transpose()?;
        let Self { guard, lifeline, .. } = &mut Self::fork(table, self.leftovers.clone(), held)?;
        // The other value keeps the end of the old pipe, which nobody reads, and the process that has ended.
        std::mem::swap(&mut self.guard, guard);
        std::mem::swap(&mut self.lifeline, lifeline);
        Ok(())
    }

    fn fork(table: Arc<Table>, leftovers: Vec<Leftover>, held: Option<OwnedFd>) -> io::Result<Self> {
        let (read_end, lifeline) = super::fd::pipe()?;
        let mut before = SigSet::empty();
        // The guard inherits the blocked mask and never lifts it, so no handler of ours runs there and no signal but
        // KILL ends it.
        nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
        let mut start = GuardStart {
            read_end: read_end.as_raw_fd(),
            lifeline: lifeline.as_raw_fd(),
            table: &table,
            leftovers: &leftovers,
            held: held.as_ref().map_or(-1, AsRawFd::as_raw_fd),
            pidfd: -1,
            errno: 0,
        };
        let mut ended = start.run();
        for _ in 1..KILLED_MAX {
            // Another program, which kills our children, has killed the process in between.
            if matches!(ended, Ok(WaitStatus::Signaled(..))) && table.guard().pid() == 0 {
                ended = start.run();
            }
        }
        nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
        match ended {
            // The host program reaps every child (`waitpid(-1)`), or ignores SIGCHLD.
            Ok(_) | Err(Errno::ECHILD) => {}
            Err(errno) => return Err(refusal::of_call("clone")(errno)),
        }
        let (pid, pidfd) = (table.guard().pid(), start.pidfd);
        match (pid, pidfd, start.errno) {
            (0, _, 0) => return Err(Errno::EAGAIN.into()),
            (0, _, errno) => return Err(refusal::of_call("clone")(Errno::from_raw(errno))),
            // Before Linux 5.2; the guard ends with its pipe.
            (_, ..0, _) => {
                table.guard().clear();
                return Err(refusal::of_call("clone with CLONE_PIDFD")(Errno::ENOSYS));
            }
            _ => {}
        }
        // SAFETY: the guard was started, so this is a new fd without an owner.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok(Self {
            groups: Groups(table),
            guard: Some(Process { pid: pid.cast_unsigned(), pidfd }),
            lifeline: Some(lifeline),
            leftovers,
            held,
        })
    }

    /// The guard's pid; 0 without a guard.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.guard.as_ref().map_or(0, |guard| guard.pid)
    }

    /// The groups that the guard kills if the supervisor dies.
    #[must_use]
    pub const fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Ends the guard at the normal end of a run, when no group is left and none will follow: it kills nothing.
    /// Dropping waits for its exit.
    pub fn dismiss(&self) {
        if let Some(guard) = &self.guard {
            // An error means that it has ended already.
            let _ = guard.signal(Signal::KILL);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // The guard only walks through a table; the bound is for a guard that is stopped again.
        let Some(guard) = &self.guard else { return };
        let mut ended = [PollFd::new(guard.as_fd(), PollFlags::POLLIN)];
        let _ = retried(|| poll(&mut ended, GONE_WITHIN_MS));
        // Fails unless we are the guard's init: the first process of a pid namespace, or a subreaper.
        let _ = guard.reap();
    }
}

/// The live process groups, one for each slot, and that of a script. Each thread that starts processes has a clone.
#[derive(Clone, Debug)]
pub struct Groups(Arc<Table>);

impl Groups {
    /// The place where the child of a slot registers itself before its program starts
    /// ([`super::spawn::SpawnPlan::register`]). `None` for a slot beyond [`SLOTS_MAX`].
    #[must_use]
    pub fn place(&self, slot: usize) -> Option<&GuardPlace> {
        let place = self.0.places().get(slot)?;
        self.0.raise_used(slot + 1);
        Some(place)
    }

    /// The place of a script that the supervisor asks ([`super::asked_command`]), which has no slot. One at a time runs.
    #[must_use]
    pub fn script(&self) -> &GuardPlace {
        self.0.script()
    }

    /// Registers a group, which the guard kills if the supervisor dies.
    pub fn set(&self, slot: usize, group: u32) {
        if let (Some(place), Ok(group)) = (self.place(slot), i32::try_from(group)) {
            place.set(group);
        }
    }

    /// Clears the slot's group. Call it before the group's leader is reaped.
    pub fn clear(&self, slot: usize) {
        if let Some(place) = self.0.used_places().get(slot) {
            place.clear();
        }
    }
}

/// The arguments of the process between the supervisor and the guard.
struct GuardStart<'a> {
    read_end: RawFd,
    lifeline: RawFd,
    table: &'a Table,
    leftovers: &'a [Leftover],
    /// Or -1.
    held: RawFd,
    /// The guard's, once it has started.
    pidfd: RawFd,
    /// Why it could not be started, or 0.
    errno: c_int,
}

/// 16 KiB, aligned as a stack must be.
type GuardStartStack = [u128; 1024];

impl GuardStart<'_> {
    /// Starts the process in between and waits for its end. All signals must be blocked.
    fn run(&mut self) -> nix::Result<WaitStatus> {
        let mut stack = MaybeUninit::<GuardStartStack>::uninit();
        // It shares our memory and our descriptors, so that the guard's pidfd is one of ours; only the guard gets copies.
        let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: this thread is suspended until the child has exited, so nothing else uses what the child uses. The
        // child makes system calls only, on a stack that is large enough for them, and never returns. All signals are
        // blocked, so no handler runs in it.
        let child = Errno::result(unsafe {
            let top = stack.as_mut_ptr().add(1).cast::<c_void>();
            libc::clone(fork_the_guard, top, flags, std::ptr::from_mut(self).cast::<c_void>())
        })?;
        retried(|| waitpid(Pid::from_raw(child), None))
    }
}

/// Forks the guard, stores its pid, and exits, so that init adopts the guard. System calls only, in our memory.
extern "C" fn fork_the_guard(start: *mut c_void) -> c_int {
    // SAFETY: the pointer that was given to clone; its owner is suspended until this process has exited. The system
    // call itself instead of the C library's fork, which would change the library's records in the shared memory. The
    // child makes system calls only, and neither process returns.
    unsafe {
        let GuardStart { read_end, lifeline, table, leftovers, held, pidfd, errno } =
            &mut *start.cast::<GuardStart<'_>>();
        match libc::syscall(libc::SYS_clone, libc::SIGCHLD | libc::CLONE_PIDFD, 0, std::ptr::from_mut(pidfd), 0, 0) {
            0 => guard_main(*read_end, *lifeline, table, leftovers, *held),
            pid => {
                if pid < 0 {
                    *errno = *libc::__errno_location();
                }
                table.guard().set(i32::try_from(pid).unwrap_or(0).max(0));
                libc::_exit(0)
            }
        }
    }
}

/// The guard's main function, in a fork of a program that may have threads: system calls only.
///
/// # Safety
/// Only in a process that was forked for it.
unsafe fn guard_main(read_end: RawFd, lifeline: RawFd, table: &Table, leftovers: &[Leftover], held: RawFd) -> ! {
    // SAFETY (all of this function): system calls on this process's own descriptors and its own memory.
    unsafe {
        // The one step that must not fail: with our copy of the write end open the pipe would never end.
        libc::close(lifeline);
        libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        // Leave the terminal, and the folder, which could not be unmounted otherwise.
        libc::setsid();
        libc::chdir(c"/".as_ptr());
        // An open stdout would keep the reader of the supervisor's output waiting.
        if libc::dup2(read_end, 0) < 0 {
            // Refused. What is left at 0 is not ours to read.
            libc::close(0);
            libc::fcntl(read_end, libc::F_DUPFD, 0);
        }
        open_fds::close(if held > 0 && libc::dup2(held, 1) == 1 { 2 } else { 1 });
        continue_at_the_end(0);
        let mut byte = 0_u8;
        while libc::read(0, (&raw mut byte).cast::<c_void>(), 1) != 0 {
            if *libc::__errno_location() != libc::EINTR {
                break;
            }
        }
        kill_registered(table.script());
        for place in table.used_places() {
            kill_registered(place);
        }
        leftovers.iter().for_each(Leftover::remove);
        libc::_exit(0)
    }
}

/// Has the system continue this process when the other end of the pipe `fd` is closed, in case it was stopped
/// (SIGSTOP). The system sends CONT then, which continues a process although the signal is blocked. System calls only.
fn continue_at_the_end(fd: RawFd) {
    // SAFETY: changes flags of this process's own descriptor, which it shares with no other process by then.
    unsafe {
        libc::fcntl(fd, libc::F_SETOWN, libc::getpid());
        libc::fcntl(fd, F_SETSIG, libc::SIGCONT);
        libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) | libc::O_ASYNC);
    }
}

/// Kills the process of a place, wherever it went, and the group that it led. System calls only.
fn kill_registered(place: &GuardPlace) {
    let pid = place.pid();
    // Never 0, 1 or -1, which mean our own group, and every process.
    if pid <= 1 {
        return;
    }
    let kill = i32::from(Signal::KILL.0);
    // SAFETY (all of this function): system calls; the signal goes to the process that was asked about, by its pidfd.
    unsafe {
        let pidfd = libc::syscall(libc::SYS_pidfd_open, pid, 0_u32);
        let is_refused = pidfd < 0 && *libc::__errno_location() != libc::ESRCH;
        if started_ticks(pid).is_some_and(|started| !place.is_registered_since(started)) {
            // The process is gone, and so was its group when the number was given to another one.
            libc::close(pidfd as c_int);
            return;
        }
        libc::kill(-pid, kill);
        if pidfd >= 0 {
            libc::syscall(libc::SYS_pidfd_send_signal, pidfd, kill, std::ptr::null::<libc::siginfo_t>(), 0_u32);
            libc::close(pidfd as c_int);
        } else if is_refused {
            libc::kill(pid, kill);
        }
    }
}

/// The place of one slot: the pid of its process in the lower half, and when the process registered itself in the upper
/// one; zero for none.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct GuardPlace(AtomicU64);

impl GuardPlace {
    /// What a child does between clone and exec: system calls only.
    pub fn register_this_process(&self) {
        // SAFETY: returns a number.
        self.set(unsafe { libc::getpid() });
    }

    fn set(&self, pid: libc::pid_t) {
        self.0.store(u64::from(boot_ticks()) << 32 | u64::from(pid.cast_unsigned()), Ordering::Release);
    }

    pub fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// The registered pid, which is also the number of the group; 0: none.
    #[must_use]
    pub fn pid(&self) -> libc::pid_t {
        (self.0.load(Ordering::Acquire) as u32).cast_signed()
    }

    /// Whether a process that was started at this time existed when the place was filled.
    fn is_registered_since(&self, started: u32) -> bool {
        let registered = (self.0.load(Ordering::Acquire) >> 32) as u32;
        registered.wrapping_sub(started).cast_signed() >= 0
    }
}

/// Shared with the guard: the guard's pid, the number of slots in use, the place of a script, then one for each slot.
#[derive(Debug)]
struct Table {
    first: NonNull<GuardPlace>,
}

/// Words before the slots.
const HEADER_WORDS: usize = 3;

const TABLE_BYTES: usize = (HEADER_WORDS + SLOTS_MAX) * size_of::<GuardPlace>();

// SAFETY: the mapping belongs to this value alone until it is dropped, and all access to it is by atomics.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    fn new() -> io::Result<Self> {
        let bytes = NonZeroUsize::new(TABLE_BYTES).ok_or(Errno::EINVAL)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the system's choice, filled with zeroes.
        let first = unsafe { mmap_anonymous(None, bytes, access, flags) }?;
        Ok(Self { first: first.cast() })
    }

    fn words(&self) -> &[GuardPlace] {
        // SAFETY: the mapping has this length, is aligned to a page, and lives as long as `self`. All bits are a valid
        // value.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), HEADER_WORDS + SLOTS_MAX) }
    }

    /// The place of the guard itself.
    fn guard(&self) -> &GuardPlace {
        &self.words()[0]
    }

    /// The number of slots in use.
    fn used(&self) -> &AtomicU64 {
        &self.words()[1].0
    }

    /// The place of a script without a slot.
    fn script(&self) -> &GuardPlace {
        &self.words()[2]
    }

    fn places(&self) -> &[GuardPlace] {
        &self.words()[HEADER_WORDS..]
    }

    /// The places up to the highest slot that was ever used.
    fn used_places(&self) -> &[GuardPlace] {
        let used = usize::try_from(self.used().load(Ordering::Acquire)).unwrap_or(0);
        self.places().get(..used).unwrap_or_default()
    }

    fn raise_used(&self, slots: usize) {
        // `slots` is at most `SLOTS_MAX`. Nearly always the number is large enough already, and then nothing is
        // written to the cache line that all launchers share.
        let slots = slots as u64;
        if self.used().load(Ordering::Relaxed) < slots {
            self.used().fetch_max(slots, Ordering::AcqRel);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: made by `new` with this length, and no borrow of it outlives `self`.
        let _ = unsafe { munmap(self.first.cast::<c_void>(), TABLE_BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::spawn::{SpawnPlan, Spawner};
    use super::super::testing::{is_role, play, wait, wait_readable};
    use super::*;
    use crate::model::exit::ExitStatus;
    use std::ffi::CString;
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read, Write};

    const KILLED: ExitStatus = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };

    /// A shell as a registered group, its stdin, and its stdout.
    fn group(guard: &Guard, script: &CStr) -> (Process, File, File) {
        let (stdin, input) = super::super::fd::pipe().unwrap();
        let (output, stdout) = super::super::fd::pipe().unwrap();
        let argv = [c"sh".to_owned(), c"-c".to_owned(), script.to_owned()];
        let plan = SpawnPlan {
            program: c"/bin/sh",
            argv: &argv,
            env: &[],
            stdin: stdin.as_fd(),
            stdout: stdout.as_fd(),
            stderr: stdout.as_fd(),
            fds: &[],
            kept: &[],
            new_group: true,
            folder: None,
            nice: None,
            ignored: &[],
            terminal: None,
            register: guard.groups().place(1),
        };
        (Spawner::new().unwrap().spawn(&plan).unwrap(), input.into(), output.into())
    }

    #[test]
    fn a_killed_supervisor_leaves_no_descendant_of_a_worker() {
        const TEST: &str = "sys::guard::tests::a_killed_supervisor_leaves_no_descendant_of_a_worker";
        if is_role(TEST) {
            let guard = Guard::start(&[]).unwrap();
            let (process, _input, output) = group(&guard, c"/bin/sleep 1000 & echo $!; wait");
            let mut grandchild = String::new();
            BufReader::new(output).read_line(&mut grandchild).unwrap();
            eprintln!("@{} {} {}", guard.pid(), process.pid, grandchild.trim());
            wait(&process);
            return;
        }
        let mut supervisor = play(TEST).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let line = BufReader::new(supervisor.stderr.take().unwrap())
            .lines()
            .find_map(|line| line.unwrap().strip_prefix('@').map(str::to_owned))
            .unwrap();
        let pids = line.split(' ').map(|pid| pid.parse().unwrap());
        let processes: Vec<Process> = pids.map(|pid| Process::open(pid).unwrap()).collect();
        assert_eq!(processes.len(), 3);
        supervisor.kill().unwrap();
        supervisor.wait().unwrap();
        for process in processes {
            wait_readable(process.as_fd());
        }
    }

    #[test]
    fn a_dropped_guard_removes_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| CString::new(folder.path().join(name).to_str().unwrap()).unwrap();
        let queue = crate::sys::random::name("/supervisor-test-").unwrap();
        let leave = || {
            std::fs::create_dir_all(folder.path().join("own")).unwrap();
            std::fs::write(folder.path().join("own/socket"), "").unwrap();
            let flags = nix::mqueue::MQ_OFlag::O_CREAT | nix::mqueue::MQ_OFlag::O_RDONLY;
            let mode = nix::sys::stat::Mode::S_IRUSR;
            let attributes = nix::mqueue::MqAttr::new(0, 1, 16, 0);
            let opened = nix::mqueue::mq_open(queue.as_c_str(), flags, mode, Some(&attributes)).unwrap();
            nix::mqueue::mq_close(opened).unwrap();
        };
        leave();
        let leftovers = [
            Leftover::Queue(queue.clone()),
            Leftover::File(path("own/never-was")),
            Leftover::File(path("own/socket")),
            Leftover::Folder(path("own")),
        ];
        drop(Guard::start(&leftovers).unwrap());
        assert!(!folder.path().join("own").exists());
        assert!(crate::sys::mqueue::remove(&queue).is_err());
        // At the normal end the supervisor removes them itself.
        leave();
        Guard::start(&leftovers).unwrap().dismiss();
        assert!(folder.path().join("own/socket").exists());
        crate::sys::mqueue::remove(&queue).unwrap();
    }

    #[test]
    fn a_dropped_guard_kills_registered_groups() {
        let guard = Guard::start(&[]).unwrap();
        let (process, _input, mut output) = group(&guard, c"/bin/sleep 1000 & wait");
        assert_eq!(guard.groups().place(1).unwrap().pid().cast_unsigned(), process.pid);
        drop(guard);
        assert_eq!(wait(&process).0, KILLED);
        // The pipe ends when the sleep has ended too.
        assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_dropped_guard_kills_a_registered_process_that_leads_no_group() {
        let guard = Guard::start(&[]).unwrap();
        let (process, _input, output) = group(&guard, c"/bin/sleep 1000 & echo $!");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        let other = Process::open(line.trim().parse().unwrap()).unwrap();
        guard.groups().set(1, other.pid);
        drop(guard);
        wait_readable(other.as_fd());
        wait(&process);
    }

    #[test]
    fn a_process_that_was_started_after_the_registration_is_another_one() {
        let own = nix::unistd::getpid().as_raw();
        let started = started_ticks(own).unwrap();
        assert!(boot_ticks().wrapping_sub(started) < 100 * 3600, "{started}");
        let place = GuardPlace::default();
        place.register_this_process();
        assert_eq!(place.pid(), own);
        assert!(place.is_registered_since(started) && place.is_registered_since(boot_ticks()));
        assert!(!place.is_registered_since(boot_ticks().wrapping_add(2)));
        // No process has a number that large (`PID_MAX_LIMIT` is 2^22).
        assert_eq!(started_ticks(i32::MAX), None);
        // A process with the number of one that registered before it was started.
        let mut later = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = later.id();
        place.0.store(
            u64::from(started_ticks(pid.cast_signed()).unwrap().wrapping_sub(1)) << 32 | u64::from(pid),
            Ordering::Release,
        );
        kill_registered(&place);
        drop(later.stdin.take());
        assert!(later.wait().unwrap().success(), "it was killed");
    }

    #[test]
    fn the_guard_in_the_place_of_a_killed_one_kills_the_same_groups() {
        let mut guard = Guard::start(&[]).unwrap();
        let (process, _input, mut output) = group(&guard, c"/bin/sleep 1000 & wait");
        let killed = guard.pid();
        guard.dismiss();
        wait_readable(guard.fd().unwrap());
        guard.replace().unwrap();
        assert_ne!(guard.pid(), killed);
        drop(guard);
        assert_eq!(wait(&process).0, KILLED);
        assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_guard_that_was_stopped_kills_all_the_same() {
        let guard = Guard::start(&[]).unwrap();
        let (process, _input, mut output) = group(&guard, c"/bin/sleep 1000 & wait");
        let is_in_state = |state| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", guard.pid())).unwrap();
            stat.rsplit(") ").next().unwrap().starts_with(state)
        };
        // It sleeps only once it waits for the end of the pipe, with its preparations behind it.
        while !is_in_state('S') {
            std::thread::yield_now();
        }
        guard.guard.as_ref().unwrap().signal(Signal::STOP).unwrap();
        while !is_in_state('T') {
            std::thread::yield_now();
        }
        drop(guard);
        assert_eq!(wait(&process).0, KILLED);
        assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_cleared_group_and_a_dismissed_guard_kill_nothing() {
        let finished = Guard::start(&[]).unwrap();
        let (process, mut input, output) = group(&finished, c"exec cat");
        let pid = finished.pid();
        finished.dismiss();
        drop(finished);
        let cleared = Guard::start(&[]).unwrap();
        cleared.groups().set(0, process.pid);
        cleared.groups().clear(0);
        cleared.groups().set(SLOTS_MAX, process.pid);
        drop(cleared);
        // Both guards have ended; a process that they had killed could not answer.
        input.write_all(b"alive\n").unwrap();
        let mut answer = String::new();
        BufReader::new(output).read_line(&mut answer).unwrap();
        assert_eq!(answer, "alive\n");
        drop(input);
        assert_eq!(wait(&process).0, ExitStatus::Code(0));
        assert_ne!(pid, process.pid);
    }

    #[test]
    fn slots_up_to_the_maximum_are_guarded_and_unused_ones_take_no_memory() {
        let guard = Guard::start(&[]).unwrap();
        let groups = guard.groups();
        assert_eq!(groups.0.used_places().len(), 0);
        assert!(groups.place(6).is_some());
        assert_eq!(groups.0.used_places().len(), 7);
        groups.clear(1000);
        assert_eq!(groups.0.used_places().len(), 7, "a slot that was never used is not cleared");
        assert!(groups.place(SLOTS_MAX).is_none());
        let (process, _input, _output) = group(&guard, c"exec /bin/sleep 1000");
        groups.clear(1);
        groups.set(SLOTS_MAX - 1, process.pid);
        assert_eq!(groups.0.used_places().len(), SLOTS_MAX);
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let start = format!("{:x}-", groups.0.first.as_ptr() as usize);
        let table = smaps.split_once(&start).unwrap().1;
        let kib = table.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap().trim();
        // The first page, and the page of the last slot.
        assert!(["8 kB", "4 kB"].contains(&kib), "{kib}");
        drop(guard);
        assert_eq!(wait(&process).0, KILLED);
    }

    #[test]
    fn the_guard_is_no_child_of_ours_and_holds_no_file() {
        let (reader, writer) = super::super::fd::pipe().unwrap();
        let guard = Guard::start(&[]).unwrap();
        drop(writer);
        // The guard had a copy of the write end.
        wait_readable(reader.as_fd());
        let status = std::fs::read_to_string(format!("/proc/{}/status", guard.pid())).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_ne!(field("PPid:"), std::process::id().to_string());
        assert_eq!(field("Name:").as_bytes(), NAME.to_bytes());
        guard.dismiss();
        drop(guard);
    }
}
