//! A process that outlives the supervisor by a moment, to leave nobody behind.
//!
//! The parent-death signal ends workers when the supervisor dies, but not what they have started. So at the start,
//! before any thread, the supervisor forks a guard. It waits for the end of a pipe that only the supervisor holds: the
//! system closes it however the supervisor dies. Then it sends KILL to every process group in a table that both share,
//! and takes away what the supervisor may have had under a name at that moment.
//!
//! No group is missed: a child writes itself into the table before its program runs ([`super::spawn`]), and until then
//! it holds a copy of the pipe's end, so that the guard wakes only when no registration can follow. One pass is enough,
//! since a signal to a group hits forks in progress too. Forget a group ([`Groups::clear`]) before its leader is reaped,
//! never after: then a number in the table is never somebody else's.
//!
//! Invariant: the guard makes system calls only (it is a fork that never executes anything), holds no file of the
//! supervisor's, and catches nothing.

use super::pidfd::Process;
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{CStr, CString, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// At most 15 bytes (`PR_SET_NAME`), and not what `pkill supervisor` looks for.
const NAME: &CStr = c"superv-guard";

/// How often the process that starts the guard may be killed. What it had started by then ends with the pipe.
const KILLED_MAX: u32 = 16;

/// How long the end of the guard is waited for.
const GONE_WITHIN_MS: u16 = 1000;

/// What is in use for a moment only, but is still there if the supervisor is killed in that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// A message queue, by its name.
    Queue(CString),
    /// A file that is no folder, by its path from the root.
    File(CString),
    /// A folder with nothing in it, likewise.
    Folder(CString),
}

impl Leftover {
    /// Takes it away. Only system calls.
    fn remove(&self) {
        // SAFETY: the names live on. That there is no such thing is how it should be.
        unsafe {
            match self {
                Self::Queue(name) => libc::mq_unlink(name.as_ptr()),
                Self::File(path) => libc::unlink(path.as_ptr()),
                Self::Folder(path) => libc::rmdir(path.as_ptr()),
            };
        }
    }
}

/// The supervisor's side. Dropping it makes the guard kill what is in the table, as if the supervisor had died; see
/// [`Guard::dismiss`].
#[derive(Debug)]
pub struct Guard {
    groups: Groups,
    guard: Process,
    /// Our end of the pipe, close-on-exec. `None`: the guard is told to go.
    lifeline: Option<OwnedFd>,
}

impl Guard {
    /// Forks the guard. Call it first thing: in a program with one thread, whose memory is small and with little open.
    ///
    /// Its parent leaves at once, and so it belongs to init: who looks for our children, or kills them all, finds the
    /// workers alone. What is in `leftovers` it takes away in the end, in this order.
    ///
    /// # Errors
    /// No process, memory or file descriptor is left.
    pub fn start(slots: usize, leftovers: &[Leftover]) -> io::Result<Self> {
        let table = Table::new(slots)?;
        let (read_end, lifeline) = super::fd::pipe()?;
        let mut before = SigSet::empty();
        // Blocked they stay in the guard: that is how it ignores them all, with no handler to inherit.
        nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
        let mut between =
            Between { read_end: read_end.as_raw_fd(), lifeline: lifeline.as_raw_fd(), table: &table, leftovers };
        let mut ended = between.run();
        for _ in 1..KILLED_MAX {
            // Somebody who kills our children at random has hit this one.
            if matches!(ended, Ok(WaitStatus::Signaled(..))) && table.guard().load(Ordering::Acquire) == 0 {
                ended = between.run();
            }
        }
        nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
        ended?;
        let pid = table.guard().load(Ordering::Acquire);
        if pid == 0 {
            return Err(Errno::EAGAIN.into());
        }
        Ok(Self {
            groups: Groups(Arc::new(table)),
            guard: Process::open(pid.cast_unsigned())?,
            lifeline: Some(lifeline),
        })
    }

    /// The guard's pid.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.guard.pid
    }

    /// The groups that it kills if the supervisor dies.
    #[must_use]
    pub const fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The normal end: no group is left and none will come; the guard goes without killing anybody. Dropping waits for
    /// it.
    pub fn dismiss(&self) {
        // An error means that it is gone already.
        let _ = self.guard.signal(Signal::KILL);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // It has no more than a table to walk through; the bound is for one that somebody has stopped.
        let mut ended = [PollFd::new(self.guard.as_fd(), PollFlags::POLLIN)];
        while poll(&mut ended, GONE_WITHIN_MS) == Err(Errno::EINTR) {}
    }
}

/// The live process groups, one for a slot. Each thread that starts processes has a clone.
#[derive(Clone, Debug)]
pub struct Groups(Arc<Table>);

impl Groups {
    /// Where a child writes its pid before its program starts ([`super::spawn::SpawnPlan::register`]). `None`: there is
    /// no such slot.
    #[must_use]
    pub fn place(&self, slot: usize) -> Option<&AtomicI32> {
        self.0.groups().get(slot)
    }

    /// Kill this group if the supervisor dies.
    pub fn set(&self, slot: usize, group: u32) {
        if let (Some(place), Ok(group)) = (self.place(slot), i32::try_from(group)) {
            place.store(group, Ordering::Release);
        }
    }

    /// Forget the slot's group. Call it before the group's leader is reaped.
    pub fn clear(&self, slot: usize) {
        if let Some(place) = self.place(slot) {
            place.store(0, Ordering::Release);
        }
    }
}

/// What the process between us and the guard is given.
struct Between<'a> {
    read_end: RawFd,
    lifeline: RawFd,
    table: &'a Table,
    leftovers: &'a [Leftover],
}

/// 16 KiB, aligned as stacks have to be.
type BetweenStack = [u128; 1024];

impl Between<'_> {
    /// Starts that process and waits for its end, with all signals blocked.
    fn run(&mut self) -> nix::Result<WaitStatus> {
        let mut stack = MaybeUninit::<BetweenStack>::uninit();
        // Its memory is ours: only the guard's is a copy.
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: we are suspended until the child has left, so that nobody else uses what it uses. It makes system
        // calls only, on a stack that is large enough for them, and never returns. Signals are blocked.
        let child = Errno::result(unsafe {
            let top = stack.as_mut_ptr().add(1).cast::<c_void>();
            libc::clone(fork_the_guard, top, flags, std::ptr::from_mut(self).cast::<c_void>())
        })?;
        loop {
            match waitpid(Pid::from_raw(child), None) {
                Err(Errno::EINTR) => {}
                ended => return ended,
            }
        }
    }
}

/// Forks the guard, says who it is, and leaves it to init. System calls only, in our memory.
extern "C" fn fork_the_guard(between: *mut c_void) -> c_int {
    // SAFETY: the pointer that was given to clone; its owner is suspended until we are gone. The bare call, since the
    // C library's fork would find another process's notes in this memory. The child makes system calls only, and
    // neither it nor we return.
    unsafe {
        let Between { read_end, lifeline, table, leftovers } = &*between.cast::<Between<'_>>();
        match libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) {
            0 => stand_guard(*read_end, *lifeline, table, leftovers),
            pid => {
                table.guard().store(i32::try_from(pid).unwrap_or(0).max(0), Ordering::Release);
                libc::_exit(0)
            }
        }
    }
}

/// The guard's whole life. A fork of a program that may have threads: system calls only.
///
/// # Safety
/// Only in a process that was forked for it.
unsafe fn stand_guard(read_end: RawFd, lifeline: RawFd, table: &Table, leftovers: &[Leftover]) -> ! {
    // SAFETY (all of this function): system calls on this process's own table of fds and its own memory.
    unsafe {
        // The one thing that must not fail: our copy of the writing end, or the pipe never ends.
        libc::close(lifeline);
        libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        // Away from the terminal, and from the folder that somebody may want to unmount.
        libc::setsid();
        libc::chdir(c"/".as_ptr());
        // Else whoever reads the supervisor's output waits for us.
        libc::dup2(read_end, 0);
        libc::close_range(1, u32::MAX, 0);
        let mut byte = 0_u8;
        while libc::read(0, (&raw mut byte).cast::<c_void>(), 1) != 0 {
            if *libc::__errno_location() != libc::EINTR {
                break;
            }
        }
        for place in table.groups() {
            let group = place.load(Ordering::Acquire);
            // Never 0, 1 or -1, which mean our own group, and everybody.
            if group > 1 {
                libc::kill(-group, i32::from(Signal::KILL.0));
            }
        }
        leftovers.iter().for_each(Leftover::remove);
        libc::_exit(0)
    }
}

/// The guard's pid, then the ids of the live process groups, one for a slot, zero for none; shared with the guard.
#[derive(Debug)]
struct Table {
    first: NonNull<AtomicI32>,
    words: usize,
}

// SAFETY: the mapping belongs to this value alone until it is dropped, and all access to it is by atomics.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    fn new(slots: usize) -> io::Result<Self> {
        let words = slots.checked_add(1).ok_or(Errno::EINVAL)?;
        let bytes = words.checked_mul(size_of::<AtomicI32>()).and_then(NonZeroUsize::new).ok_or(Errno::EINVAL)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the system's choice, filled with zeroes.
        let first = unsafe { mmap_anonymous(None, bytes, access, MapFlags::MAP_SHARED) }?;
        Ok(Self { first: first.cast(), words })
    }

    fn guard(&self) -> &AtomicI32 {
        // SAFETY: the first of the words, of which there is at least one; see `groups`.
        unsafe { self.first.as_ref() }
    }

    fn groups(&self) -> &[AtomicI32] {
        // SAFETY: the mapping is that long, aligned to a page, and lives as long as `self`. Any bits are a valid value.
        // `new` makes one word more than there are slots.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr().add(1), self.words - 1) }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: made by `new` with this length, and no borrow of it outlives `self`.
        let _ = unsafe { munmap(self.first.cast::<c_void>(), self.words * size_of::<AtomicI32>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::spawn::{SpawnPlan, Spawner};
    use super::super::testing::{is_role, play, wait, wait_readable};
    use super::*;
    use crate::model::exit::ExitStatus;
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
            new_group: true,
            register: guard.groups().place(1),
        };
        (Spawner::new().unwrap().spawn(&plan).unwrap(), input.into(), output.into())
    }

    #[test]
    fn a_killed_supervisor_leaves_no_descendant_of_a_worker() {
        const TEST: &str = "sys::guard::tests::a_killed_supervisor_leaves_no_descendant_of_a_worker";
        if is_role(TEST) {
            let guard = Guard::start(3, &[]).unwrap();
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
    fn a_dropped_guard_takes_away_what_is_left_of_names() {
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
        drop(Guard::start(0, &leftovers).unwrap());
        assert!(!folder.path().join("own").exists());
        assert!(crate::sys::mqueue::remove(&queue).is_err());
        // The normal end: they are the supervisor's own to take away.
        leave();
        Guard::start(0, &leftovers).unwrap().dismiss();
        assert!(folder.path().join("own/socket").exists());
        crate::sys::mqueue::remove(&queue).unwrap();
    }

    #[test]
    fn a_dropped_guard_kills_what_is_registered() {
        let guard = Guard::start(2, &[]).unwrap();
        let (process, _input, mut output) = group(&guard, c"/bin/sleep 1000 & wait");
        assert_eq!(guard.groups().place(1).unwrap().load(Ordering::Relaxed).cast_unsigned(), process.pid);
        drop(guard);
        assert_eq!(wait(&process).0, KILLED);
        // At its end when the sleep is gone too.
        assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_cleared_group_and_a_finished_guard_kill_nobody() {
        let finished = Guard::start(2, &[]).unwrap();
        let (process, mut input, output) = group(&finished, c"exec cat");
        let pid = finished.pid();
        finished.dismiss();
        drop(finished);
        let cleared = Guard::start(2, &[]).unwrap();
        cleared.groups().set(0, process.pid);
        cleared.groups().clear(0);
        cleared.groups().set(9, process.pid);
        drop(cleared);
        // Both guards have ended; whom they had killed could not answer.
        input.write_all(b"alive\n").unwrap();
        let mut answer = String::new();
        BufReader::new(output).read_line(&mut answer).unwrap();
        assert_eq!(answer, "alive\n");
        drop(input);
        assert_eq!(wait(&process).0, ExitStatus::Code(0));
        assert_ne!(pid, process.pid);
    }

    #[test]
    fn it_is_nobodys_child_and_holds_no_file() {
        let (reader, writer) = super::super::fd::pipe().unwrap();
        let guard = Guard::start(1, &[]).unwrap();
        drop(writer);
        // The end of the pipe, which the guard had a copy of.
        wait_readable(reader.as_fd());
        let status = std::fs::read_to_string(format!("/proc/{}/status", guard.pid())).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_ne!(field("PPid:"), std::process::id().to_string());
        assert_eq!(field("Name:").as_bytes(), NAME.to_bytes());
        guard.dismiss();
        drop(guard);
    }
}
