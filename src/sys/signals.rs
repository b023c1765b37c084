//! Signals to this process: received as facts in the poll set, raised again at the end.
//!
//! signal-hook's handler stores who sent a signal and wakes a socket; what a signal means is not known here. No
//! signalfd: it needs blocked signals, and a blocked mask passes to every child.
//!
//! Invariant: no signal is blocked after [`normalise`], and nothing but storing happens in a handler.

use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithOrigin;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// A signal that came, and the process that sent it; `None` for the terminal and for the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub signal: Signal,
    pub sender_pid: Option<u32>,
}

/// Catches some signals and shows them as an fd.
#[derive(Debug)]
pub struct SignalPlane {
    delivery: SignalDelivery<UnixStream, WithOrigin>,
}

impl SignalPlane {
    /// Catches these signals from now on, also those that our parent had told us to ignore: a shell without job control
    /// does so with INT and QUIT for what it starts in the background, and they would be lost there. Dropping the plane
    /// does not give the default action back; see [`raise_default`].
    ///
    /// # Errors
    /// A signal that cannot be caught (KILL, STOP, faults), or no file descriptor is left.
    pub fn install(signals: &[Signal]) -> io::Result<Self> {
        let allowed = |signal: &Signal| signal.0 < 64 && !signal_hook::consts::FORBIDDEN.contains(&i32::from(signal.0));
        if !signals.iter().all(allowed) {
            return Err(Errno::EINVAL.into());
        }
        let (read, write) = UnixStream::pair()?;
        let numbers = signals.iter().map(|signal| i32::from(signal.0));
        Ok(Self { delivery: SignalDelivery::with_pipe(read, write, WithOrigin::default(), numbers)? })
    }

    /// Readable when a signal came.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }

    /// The signals since the last call, in order of their numbers; repeated ones repeatedly. Never waits.
    pub fn drain(&mut self) -> Vec<Received> {
        self.delivery
            .pending()
            .map(|origin| Received {
                signal: Signal(u8::try_from(origin.signal).unwrap_or(0)),
                // Zero is the kernel, and a sender outside of our pid namespace.
                sender_pid: origin.process.and_then(|sender| u32::try_from(sender.pid).ok()).filter(|pid| *pid != 0),
            })
            .collect()
    }
}

/// Puts what a caller may have left behind in order, first thing: nothing blocked, and SIGCHLD not ignored, for then
/// the system reaps our processes and their exits are lost.
///
/// # Errors
/// None that is known.
pub fn normalise() -> io::Result<()> {
    set_action(libc::SIGCHLD, libc::SIG_DFL)?;
    SigSet::empty().thread_set_mask()?;
    Ok(())
}

/// Calls `start` with all signals blocked, but for SIGCHLD. A thread that is started there has them blocked for ever,
/// so that no handler runs on it.
///
/// # Errors
/// None that is known, beyond those of `start`.
pub fn with_blocked<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut blocked = SigSet::all();
    // Its default is to be ignored, and a blocked signal is not: each end of a child would interrupt another thread.
    blocked.remove(nix::sys::signal::Signal::SIGCHLD);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let started = start();
    before.thread_set_mask()?;
    started
}

/// Ignores a signal from now on.
///
/// # Errors
/// KILL and STOP cannot be ignored.
pub fn ignore(signal: Signal) -> io::Result<()> {
    Ok(set_action(i32::from(signal.0), libc::SIG_IGN)?)
}

/// Gives a signal its default action again.
///
/// # Errors
/// KILL and STOP cannot be changed, and have it always.
pub fn restore(signal: Signal) -> io::Result<()> {
    Ok(set_action(i32::from(signal.0), libc::SIG_DFL)?)
}

/// Sends this process a signal that has its default action again. Returns if that action was not to end it.
///
/// # Errors
/// No such signal.
pub fn restore_and_raise(signal: Signal) -> io::Result<()> {
    let number = i32::from(signal.0);
    // KILL and STOP refuse, and have their default action always.
    let _ = set_action(number, libc::SIG_DFL);
    unblock(number);
    // SAFETY: sends a signal, touches no memory.
    Errno::result(unsafe { libc::raise(number) })?;
    Ok(())
}

/// Dies of `signal`, so that a shell sees a death by it (128 + number), without a core file: this is an orderly end.
/// Flush and clean up before.
pub fn raise_default(signal: Signal) -> ! {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE) {
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
    let _ = restore_and_raise(signal);
    // The signal does not end processes by default, or this is the first process of a pid namespace, which default
    // actions do not touch. SAFETY: ends the process, nothing else.
    unsafe { libc::_exit(128_i32.wrapping_add(i32::from(signal.0))) }
}

/// By number, since nix knows no real-time signals.
fn set_action(number: i32, disposition: libc::sighandler_t) -> nix::Result<()> {
    // SAFETY: sets one of the two dispositions that run no code of ours.
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

    #[test]
    fn a_signal_is_received_with_its_sender() {
        let winch = Signal(28);
        let mut plane = SignalPlane::install(&[winch]).unwrap();
        assert_eq!(plane.drain(), []);
        let sender = std::process::Command::new("/bin/sh")
            .args(["-c", &format!("kill -WINCH {}; kill -WINCH {0}", std::process::id())])
            .spawn()
            .unwrap();
        let received = Received { signal: winch, sender_pid: Some(sender.id()) };
        wait_readable(plane.fd());
        assert_eq!(plane.drain().first(), Some(&received));
        let mut sender = sender;
        sender.wait().unwrap();
    }

    #[test]
    fn what_cannot_be_caught_is_refused() {
        for number in [9, 19, 11, 64, 255] {
            assert!(SignalPlane::install(&[Signal(number)]).is_err(), "{number}");
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
        // CONT ends nobody.
        assert_eq!(play(TEST).env("SIGNAL", "18").output().unwrap().status.code(), Some(128 + 18));
    }

    #[test]
    fn a_callers_leftovers_are_put_in_order() {
        const TEST: &str = "sys::signals::tests::a_callers_leftovers_are_put_in_order";
        if is_role(TEST) {
            ignore(Signal(17)).unwrap();
            SigSet::all().thread_set_mask().unwrap();
            normalise().unwrap();
            assert_eq!(SigSet::thread_get_mask().unwrap(), SigSet::empty());
            let mut child = std::process::Command::new("/bin/sh").args(["-c", "exit 3"]).spawn().unwrap();
            // With SIGCHLD ignored there would be no child to wait for.
            assert_eq!(child.wait().unwrap().code(), Some(3));
            return;
        }
        assert!(play(TEST).output().unwrap().status.success());
    }
}
