//! Signals to this process: reported on an fd while a run lasts, and raised again at its end.
//!
//! A handler writes the number and the sender of each signal to a pipe; the meaning of a signal is not known here. A
//! signalfd would need blocked signals, and every child inherits a blocked mask. A handler of our own instead of a
//! crate's, because a crate's handler stays installed for ever, and a run gives every disposition back.
//!
//! TTIN and TTOU from the terminal stop this process where it is, as they do without a handler.
//!
//! Invariant: a handler makes atomic accesses and system calls only, and no signal but SIGCHLD is blocked while
//! [`Normalised`] lives.

use super::disposition::{Change, Disposition, present};
use super::fd;
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow};
use std::ffi::{c_int, c_void};
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize};
use std::sync::{Mutex, PoisonError};

/// The most [`SignalPlane`]s at a time: one for each run in the process.
const PLANES_MAX: usize = 64;

/// Signals that [`SignalPlane::drain`] reads at a time.
const RECORDS_MAX: usize = 64;

/// `siginfo_t::si_code`s that come with a sender (`sigaction(2)`).
const SENT_BY_PROCESS: [c_int; 4] = [libc::SI_USER, libc::SI_QUEUE, libc::SI_TKILL, libc::SI_MESGQ];

/// A received signal, and the process that sent it; `None` for the terminal and for the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedSignal {
    pub signal: Signal,
    pub sender_pid: Option<u32>,
}

/// Catches some signals and reports them on an fd. Dropping it restores the dispositions.
#[derive(Debug)]
pub struct SignalPlane {
    dispositions: Vec<Disposition>,
    /// Index into [`PLANES`].
    place: usize,
    reader: OwnedFd,
    /// The handler writes to it.
    writer: OwnedFd,
}

/// What the handler knows of a plane.
struct Plane {
    /// The signals that it catches, a bit for each. A plane may catch none.
    signals: AtomicU64,
    /// -1: the place is free.
    writer: AtomicI32,
}

static PLANES: [Plane; PLANES_MAX] =
    [const { Plane { signals: AtomicU64::new(0), writer: AtomicI32::new(-1) } }; PLANES_MAX];

/// Held while a place in [`PLANES`] is taken or released.
static PLACES: Mutex<()> = Mutex::new(());

/// Handlers that are running now, in all threads. A writer is closed only when there is none.
static HANDLERS: AtomicUsize = AtomicUsize::new(0);

/// What a handler writes for each signal: its number, and the sender's pid or 0.
type Record = [u32; 2];
const RECORD_BYTES: usize = size_of::<Record>();

impl SignalPlane {
    /// Catches these signals from now on, also those that were ignored before ([`is_ignored`]). A handler of the host
    /// program is not called meanwhile.
    ///
    /// # Errors
    /// A signal that cannot be caught (KILL, STOP, faults), or the system is short of descriptors.
    pub fn install(signals: &[Signal]) -> io::Result<Self> {
        let faults = [libc::SIGILL, libc::SIGFPE, libc::SIGSEGV, libc::SIGBUS];
        let can_be_caught = |signal: &&Signal| {
            let number = i32::from(signal.0);
            (1..64).contains(&number) && ![libc::SIGKILL, libc::SIGSTOP].contains(&number) && !faults.contains(&number)
        };
        if signals.iter().filter(can_be_caught).count() != signals.len() {
            return Err(Errno::EINVAL.into());
        }
        let (reader, writer) = fd::pipe()?;
        fd::set_nonblocking(&reader)?;
        fd::set_nonblocking(&writer)?;
        let place = Self::take_place(signals, &writer)?;
        let mut plane = Self { dispositions: Vec::new(), place, reader, writer };
        for signal in signals {
            plane.dispositions.extend(Disposition::change(i32::from(signal.0), Change::Handle(on_signal))?);
        }
        Ok(plane)
    }

    fn take_place(signals: &[Signal], writer: &OwnedFd) -> io::Result<usize> {
        let _places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        let free = PLANES.iter().position(|plane| plane.writer.load(SeqCst) == -1);
        let place = free.ok_or(Errno::EMFILE)?;
        PLANES[place].writer.store(writer.as_raw_fd(), SeqCst);
        PLANES[place].signals.store(signals.iter().fold(0, |bits, signal| bits | 1 << signal.0), SeqCst);
        Ok(place)
    }

    /// Readable when a signal was received.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// The signals since the last call, in the order of their arrival. Never waits.
    pub fn drain(&self) -> Vec<ReceivedSignal> {
        let mut received = Vec::new();
        let mut bytes = [0; RECORDS_MAX * RECORD_BYTES];
        loop {
            let count = match nix::unistd::read(&self.reader, &mut bytes) {
                Err(Errno::EINTR) => continue,
                // Empty. The write end is ours, so the pipe never ends.
                Err(_) | Ok(0) => return received,
                Ok(count) => count,
            };
            // Each write of a handler is atomic (`PIPE_BUF`), so a read ends between two records.
            received.extend(bytes[..count].as_chunks::<RECORD_BYTES>().0.iter().map(|record| {
                let [signal, sender] = split(*record);
                let sender_pid = (sender != 0).then_some(sender);
                ReceivedSignal { signal: Signal(u8::try_from(signal).unwrap_or(0)), sender_pid }
            }));
        }
    }
}

impl Drop for SignalPlane {
    fn drop(&mut self) {
        self.dispositions.clear();
        let _places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        // A handler that starts from now on does not see the writer; one that runs already may be using it.
        let writer = PLANES[self.place].writer.swap(-1, SeqCst);
        debug_assert_eq!(writer, self.writer.as_raw_fd());
        while HANDLERS.load(SeqCst) != 0 {
            std::thread::yield_now();
        }
        PLANES[self.place].signals.store(0, SeqCst);
    }
}

fn split(record: [u8; RECORD_BYTES]) -> Record {
    let [a, b, c, d, e, f, g, h] = record;
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}

/// Writes a record to each plane that catches the signal. It may interrupt any code, so it makes atomic accesses and
/// system calls only. A signal that finds a pipe full (8,192 are waiting) is dropped.
extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the system passes a valid description; one that a process sent has the pid in it. errno is as before for
    // the code that was interrupted. The writer is open: see `HANDLERS`.
    unsafe {
        let errno = *libc::__errno_location();
        let sender = if SENT_BY_PROCESS.contains(&(*info).si_code) { (*info).si_pid() } else { 0 };
        let record: Record = [signal.cast_unsigned(), sender.cast_unsigned()];
        HANDLERS.fetch_add(1, SeqCst);
        for plane in &PLANES {
            if plane.signals.load(SeqCst) >> signal & 1 == 1 {
                let writer = plane.writer.load(SeqCst);
                if writer >= 0 {
                    while libc::write(writer, record.as_ptr().cast::<c_void>(), RECORD_BYTES) == -1
                        && *libc::__errno_location() == libc::EINTR
                    {}
                }
            }
        }
        HANDLERS.fetch_sub(1, SeqCst);
        if sender == 0 && (signal == libc::SIGTTIN || signal == libc::SIGTTOU) {
            stop_as_by_default(signal);
        }
        *libc::__errno_location() = errno;
    }
}

/// Stops this process until it goes on: the terminal forbids what it does from the background. Without that, the call that
/// was interrupted would be made again at once, and be interrupted again, for ever.
///
/// # Safety
/// Only in a handler for `signal`.
unsafe fn stop_as_by_default(signal: c_int) {
    // SAFETY: all zeroes is a valid action, the default one. The calls are among those that a handler may make, and get
    // memory of the right types. The signal is blocked while its handler runs: it stops the process where it is unblocked.
    // When the handler returns, the mask is as before.
    unsafe {
        let mut before = std::mem::zeroed::<libc::sigaction>();
        let default = std::mem::zeroed::<libc::sigaction>();
        if libc::sigaction(signal, &raw const default, &raw mut before) == 0 {
            libc::raise(signal);
            unblock(signal);
            libc::sigaction(signal, &raw const before, std::ptr::null_mut());
        }
    }
}

/// What [`normalise`] has changed. Dropping it restores that, on the same thread: each thread has a mask of its own.
#[derive(Debug)]
#[must_use = "dropping it restores the signals"]
pub struct Normalised {
    /// Restored by their drop.
    _dispositions: Vec<Disposition>,
    mask: SigSet,
    _thread: PhantomData<*const ()>,
}

/// Undoes what a caller may have left behind, until the value is dropped. This thread blocks no signal. SIGCHLD is not
/// ignored, or the system would reap our processes and their exit status would be lost; a handler of the host program
/// stays. A write to a closed pipe (SIGPIPE) or beyond the limit of a file's size (SIGXFSZ) returns an error.
///
/// # Errors
/// None is known.
pub fn normalise() -> io::Result<Normalised> {
    let changes =
        [(libc::SIGCHLD, Change::KeepExits), (libc::SIGPIPE, Change::Ignore), (libc::SIGXFSZ, Change::Ignore)];
    let mut dispositions = Vec::new();
    for (signal, change) in changes {
        dispositions.extend(Disposition::change(signal, change)?);
    }
    let mask = SigSet::empty().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    Ok(Normalised { _dispositions: dispositions, mask, _thread: PhantomData })
}

impl Drop for Normalised {
    fn drop(&mut self) {
        // It was in force before, so the system accepts it.
        let _ = self.mask.thread_set_mask();
    }
}

/// Calls `start` with all signals but SIGCHLD blocked, which stays as it is. A thread that is started there inherits
/// the mask, so no other handler runs on it.
///
/// # Errors
/// Those of `start`.
pub fn with_blocked<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut blocked = SigSet::all();
    // Either no thread blocks SIGCHLD, and it is dropped, or all do, and it is read from a descriptor
    // ([`super::children`]). In a thread alone it would interrupt others at each exit of a child.
    blocked.remove(nix::sys::signal::Signal::SIGCHLD);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let started = start();
    before.thread_set_mask()?;
    started
}

/// Whether this thread blocks every signal that can be blocked, SIGCHLD aside.
///
/// # Errors
/// Those of `pthread_sigmask(3)`.
pub fn are_blocked_but_sigchld() -> io::Result<bool> {
    use nix::sys::signal::Signal::{SIGCHLD, SIGKILL, SIGSTOP};
    let mask = SigSet::thread_get_mask()?;
    let is_blocked = |signal| [SIGCHLD, SIGKILL, SIGSTOP].contains(&signal) || mask.contains(signal);
    Ok(nix::sys::signal::Signal::iterator().all(is_blocked))
}

/// Whether this process ignores a signal, as the shell has background jobs of scripts do, and `nohup`.
#[must_use]
pub fn is_ignored(signal: Signal) -> bool {
    present(i32::from(signal.0)).is_ok_and(|action| action.sa_sigaction == libc::SIG_IGN)
}

/// Holds a signal back on this thread until [`normalise`]: it is received then if a plane catches it.
pub fn hold(signal: Signal) {
    if let Ok(signal) = nix::sys::signal::Signal::try_from(i32::from(signal.0)) {
        // The call fails for no signal.
        let _ = SigSet::from(signal).thread_block();
    }
}

/// Ignores a signal from now on, for good: for a worker's own process. A run uses [`normalise`].
///
/// # Errors
/// KILL and STOP cannot be ignored.
pub fn ignore(signal: Signal) -> io::Result<()> {
    Ok(set_action(i32::from(signal.0), libc::SIG_IGN)?)
}

/// Gives a signal its default action, for good: for a worker's own process.
///
/// # Errors
/// The action of KILL and STOP cannot be changed.
pub fn restore(signal: Signal) -> io::Result<()> {
    Ok(set_action(i32::from(signal.0), libc::SIG_DFL)?)
}

/// Gives a signal its default action and sends it to this process. Returns if that action is not to end the process.
///
/// # Errors
/// No such signal.
pub fn restore_and_raise(signal: Signal) -> io::Result<()> {
    let number = i32::from(signal.0);
    // Fails for KILL and STOP, which always have their default action.
    let _ = set_action(number, libc::SIG_DFL);
    unblock(number);
    // SAFETY: sends a signal, accesses no memory.
    Errno::result(unsafe { libc::raise(number) })?;
    Ok(())
}

/// Ends this process by `signal`, so that a shell reports it (128 + number). Without a core file, because nothing has
/// gone wrong. Flush and clean up before.
pub fn raise_default(signal: Signal) -> ! {
    forbid_core_files();
    let _ = restore_and_raise(signal);
    // The signal does not end a process by default, or this is the first process of a pid namespace, to which default
    // actions do not apply. SAFETY: ends the process, nothing else.
    unsafe { libc::_exit(128_i32.wrapping_add(i32::from(signal.0))) }
}

/// No crash of this process writes a core file from now on.
pub fn forbid_core_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE) {
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
}

/// By number, because nix knows no real-time signals.
fn set_action(number: i32, disposition: libc::sighandler_t) -> nix::Result<()> {
    // SAFETY: sets one of the two dispositions that run no code.
    if unsafe { libc::signal(number, disposition) } == libc::SIG_ERR { Err(Errno::last()) } else { Ok(()) }
}

fn unblock(number: i32) {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is initialised by sigemptyset before its use, and outlives the calls.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), number);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, play, wait_readable};
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_signal_is_received_with_its_sender() {
        let winch = Signal(28);
        let plane = SignalPlane::install(&[winch]).unwrap();
        assert_eq!(plane.drain(), []);
        let sender = std::process::Command::new("/bin/sh")
            .args(["-c", &format!("kill -WINCH {}; kill -WINCH {0}", std::process::id())])
            .spawn()
            .unwrap();
        let received = ReceivedSignal { signal: winch, sender_pid: Some(sender.id()) };
        wait_readable(plane.fd());
        assert_eq!(plane.drain().first(), Some(&received));
        let mut sender = sender;
        sender.wait().unwrap();
    }

    #[test]
    fn a_signal_that_cannot_be_caught_is_refused() {
        for number in [0, 4, 7, 8, 9, 11, 19, 64, 255] {
            assert!(SignalPlane::install(&[Signal(number)]).is_err(), "{number}");
        }
    }

    #[test]
    fn planes_that_catch_no_signal_have_places_of_their_own() {
        let planes: Vec<_> = (0..3).map(|_| SignalPlane::install(&[]).unwrap()).collect();
        for plane in &planes {
            assert_eq!(PLANES[plane.place].writer.load(SeqCst), plane.writer.as_raw_fd());
        }
    }

    #[test]
    fn the_default_action_is_raised_although_caught_and_blocked() {
        const TEST: &str = "sys::signals::tests::the_default_action_is_raised_although_caught_and_blocked";
        if is_role(TEST) {
            let signal = Signal(std::env::var("SIGNAL").unwrap().parse().unwrap());
            let _plane = SignalPlane::install(&[Signal::INT, Signal::TERM, Signal::QUIT]).unwrap();
            SigSet::all().thread_set_mask().unwrap();
            raise_default(signal);
        }
        for signal in [Signal::INT, Signal::TERM, Signal::QUIT, Signal::PIPE] {
            let status = play(TEST).env("SIGNAL", signal.0.to_string()).output().unwrap().status;
            assert_eq!(status.signal(), Some(i32::from(signal.0)));
            assert!(!status.core_dumped());
        }
        // CONT ends no process.
        assert_eq!(play(TEST).env("SIGNAL", "18").output().unwrap().status.code(), Some(128 + 18));
    }

    #[test]
    fn a_blocked_mask_and_an_ignored_sigchld_are_undone() {
        const TEST: &str = "sys::signals::tests::a_blocked_mask_and_an_ignored_sigchld_are_undone";
        if is_role(TEST) {
            ignore(Signal(17)).unwrap();
            SigSet::all().thread_set_mask().unwrap();
            let _normalised = normalise().unwrap();
            assert_eq!(SigSet::thread_get_mask().unwrap(), SigSet::empty());
            let mut child = std::process::Command::new("/bin/sh").args(["-c", "exit 3"]).spawn().unwrap();
            // With SIGCHLD ignored there would be no child to wait for.
            assert_eq!(child.wait().unwrap().code(), Some(3));
            return;
        }
        assert!(play(TEST).output().unwrap().status.success());
    }

    extern "C" fn of_the_host(_: c_int) {}

    /// The handler and flags of each signal, without the flag that the C library adds.
    fn state() -> Vec<(libc::sighandler_t, c_int)> {
        const SA_RESTORER: c_int = 0x0400_0000;
        let of = |signal| present(signal).map(|action| (action.sa_sigaction, action.sa_flags & !SA_RESTORER));
        (1..=64).map(|signal| of(signal).unwrap_or_default()).collect()
    }

    #[test]
    fn two_runs_at_a_time_give_everything_back() {
        const TEST: &str = "sys::signals::tests::two_runs_at_a_time_give_everything_back";
        if !is_role(TEST) {
            assert!(play(TEST).output().unwrap().status.success());
            return;
        }
        // SAFETY: the handler does nothing.
        unsafe {
            libc::signal(libc::SIGINT, of_the_host as *const () as libc::sighandler_t);
            libc::signal(libc::SIGQUIT, libc::SIG_IGN);
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        }
        let caught = [Signal::INT, Signal::TERM, Signal::QUIT, Signal::USR1];
        let mut blocked = SigSet::empty();
        blocked.add(nix::sys::signal::Signal::SIGUSR2);
        let before = state();
        let barrier = Barrier::new(2);
        let run = |leaves_first: bool| {
            blocked.thread_set_mask().unwrap();
            let normalised = normalise().unwrap();
            let plane = SignalPlane::install(&caught).unwrap();
            barrier.wait();
            if leaves_first {
                drop((plane, normalised));
                assert!(SigSet::thread_get_mask().unwrap().iter().eq(blocked.iter()));
                barrier.wait();
                return;
            }
            barrier.wait();
            // The other run has ended, and this one still receives its signals.
            // SAFETY: sends a signal, accesses no memory.
            unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
            wait_readable(plane.fd());
            assert_eq!(plane.drain(), [ReceivedSignal { signal: Signal::INT, sender_pid: Some(std::process::id()) }]);
            assert_eq!(present(libc::SIGPIPE).unwrap().sa_sigaction, libc::SIG_IGN);
            assert_eq!(present(libc::SIGCHLD).unwrap().sa_sigaction, libc::SIG_DFL);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| run(true));
            scope.spawn(|| run(false));
        });
        assert_eq!(state(), before);
        assert!(PLANES.iter().all(|plane| plane.signals.load(SeqCst) == 0 && plane.writer.load(SeqCst) == -1));
        // And once more: a second run after the first.
        drop(SignalPlane::install(&caught).unwrap());
        assert_eq!(state(), before);
    }

    #[test]
    fn planes_come_and_go_while_signals_arrive() {
        const TEST: &str = "sys::signals::tests::planes_come_and_go_while_signals_arrive";
        if !is_role(TEST) {
            assert!(play(TEST).output().unwrap().status.success());
            return;
        }
        // A signal that is still pending when the last plane goes must not end the process.
        // SAFETY: ignoring a signal runs no code.
        unsafe { nix::sys::signal::signal(nix::sys::signal::Signal::SIGUSR2, nix::sys::signal::SigHandler::SigIgn) }
            .unwrap();
        let usr2 = [Signal(12)];
        let lasting = SignalPlane::install(&usr2).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                while !done.load(SeqCst) {
                    // SAFETY: sends a signal, accesses no memory.
                    unsafe { libc::kill(libc::getpid(), libc::SIGUSR2) };
                }
            });
            for _ in 0..2000 {
                let plane = SignalPlane::install(&usr2).unwrap();
                drop(plane);
                // A file that gets a writer's number must not get a record.
                let file = tempfile::tempfile().unwrap();
                assert_eq!(file.metadata().unwrap().len(), 0);
            }
            done.store(true, SeqCst);
            sender.join().unwrap();
        });
        let received = lasting.drain();
        assert!(!received.is_empty());
        assert!(received.iter().all(|received| received.sender_pid == Some(std::process::id())));
    }
}
