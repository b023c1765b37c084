//! Signals that are held back and taken one by one: of a common one that comes twice one is kept, real-time signals queue,
//! each with a number of its sender's.
//!
//! Invariant: only for programs that wait for signals in one thread. The supervisor's own are in [`super::signals`].

use super::interruption::retried;
use crate::model::signal::Signal;
use nix::errno::Errno;
use std::io;
use std::mem::MaybeUninit;

/// A signal that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenSignal {
    pub signal: Signal,
    pub sender_pid: u32,
    /// The sender's number; 0 if the signal came without one.
    pub number: i32,
}

/// The first real-time signal that programs may use.
#[must_use]
pub fn first_real_time() -> Signal {
    Signal((libc::SIGRTMIN() & 0x7f) as u8)
}

/// Holds these signals back on this thread, and on those that it starts.
pub fn hold_back(signals: &[Signal]) {
    let set = set_of(signals);
    // SAFETY: the set is initialised and outlives the call. The call fails for no set.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
}

/// Takes one of these signals, which must be held back; waits for it at most `timeout_ms`. `None`: none came.
///
/// # Errors
/// None is known.
pub fn take(signals: &[Signal], timeout_ms: u32) -> io::Result<Option<TakenSignal>> {
    let set = set_of(signals);
    let timeout = libc::timespec {
        tv_sec: libc::time_t::from(timeout_ms / 1000),
        tv_nsec: libc::c_long::from((timeout_ms % 1000) * 1_000_000),
    };
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: all pointers are to memory of the right types, which outlives the call.
    let mut wait = || unsafe { libc::sigtimedwait(set.as_ptr(), info.as_mut_ptr(), &raw const timeout) };
    match retried(|| Errno::result(wait())) {
        Err(Errno::EAGAIN) => Ok(None),
        Err(errno) => Err(errno.into()),
        Ok(number) => {
            // SAFETY: zeroes are a valid value, and so is what the system wrote.
            let info = unsafe { info.assume_init() };
            // SAFETY: a signal of another process has a pid, and one of `sigqueue` a number; both are 0 otherwise.
            let (pid, value) = unsafe { (info.si_pid(), info.si_value().sival_ptr) };
            let number_of_sender = if info.si_code == libc::SI_QUEUE { value.addr() as u32 as i32 } else { 0 };
            let signal = Signal((number & 0x7f) as u8);
            Ok(Some(TakenSignal { signal, sender_pid: pid.cast_unsigned(), number: number_of_sender }))
        }
    }
}

/// Sends a signal with a number to a process.
///
/// # Errors
/// There is no such process, it is another user's, or too many signals wait for it (`EAGAIN`).
pub fn send(pid: u32, signal: Signal, number: i32) -> io::Result<()> {
    let value = libc::sigval { sival_ptr: std::ptr::without_provenance_mut(number.cast_unsigned() as usize) };
    // SAFETY: sends a signal; the pointer is a number, and nobody follows it.
    Errno::result(unsafe { libc::sigqueue(pid.cast_signed(), i32::from(signal.0), value) })?;
    Ok(())
}

fn set_of(signals: &[Signal]) -> MaybeUninit<libc::sigset_t> {
    let mut set = MaybeUninit::zeroed();
    // SAFETY: the set is initialised by the first call, and outlives all of them.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), i32::from(signal.0));
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, lines_of, play};
    use super::*;

    /// In a process of its own: the signals are the whole process's.
    #[test]
    fn common_signals_merge_and_real_time_ones_queue() {
        const TEST: &str = "sys::queued_signals::tests::common_signals_merge_and_real_time_ones_queue";
        if is_role(TEST) {
            let both = [Signal::USR1, first_real_time()];
            hold_back(&both);
            // The test's other threads do not hold them back: to this thread alone.
            let own = std::thread::spawn(move || {
                // SAFETY: each sends a signal to this thread, which holds it back.
                for _ in 0..3 {
                    unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR1) };
                }
                std::iter::from_fn(|| take(&both, 0).unwrap()).map(|taken| taken.signal.0).collect::<Vec<_>>()
            });
            eprintln!("@{:?}", own.join().unwrap());
            return;
        }
        assert_eq!(lines_of(&play(TEST).output().unwrap().stderr, '@'), ["@[10]"]);
    }
}
