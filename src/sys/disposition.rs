//! Changes of what this process does on a signal, which are undone when they are dropped.
//!
//! Dispositions belong to the whole process, and two runs may be going on in it, so changes are counted: the first
//! holder changes the disposition, the last one restores it. A disposition that other code has changed meanwhile is
//! left as that code wants it.
//!
//! Invariant: nothing in here runs in a signal handler, except [`call_previous`].

use nix::errno::Errno;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a handler of ours looks like (`SA_SIGINFO`).
pub(super) type SignalHandler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// What to change a disposition to.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Ignore,
    /// The handler makes atomic accesses and system calls only, and leaves errno as it was.
    Handle(SignalHandler),
    /// For SIGCHLD: the exit status of a child is kept until it is reaped. A handler of the host program stays.
    KeepExits,
}

/// A changed disposition. Dropping its last holder restores it.
#[derive(Debug)]
#[must_use = "dropping it restores the disposition"]
pub struct Disposition {
    signal: c_int,
}

struct Applied {
    holders: usize,
    before: libc::sigaction,
    now: libc::sigaction,
}

static CHANGED: Mutex<BTreeMap<c_int, Applied>> = Mutex::new(BTreeMap::new());

/// The last signal of Linux (`_NSIG`).
const SIGNALS_MAX: usize = 64;

/// By signal: the handler that was there before ours, as `sa_sigaction`, and its flags. Atomic, since a handler reads
/// them.
static PREVIOUS: [AtomicUsize; SIGNALS_MAX + 1] = [const { AtomicUsize::new(libc::SIG_DFL) }; SIGNALS_MAX + 1];
static PREVIOUS_FLAGS: [AtomicUsize; SIGNALS_MAX + 1] = [const { AtomicUsize::new(0) }; SIGNALS_MAX + 1];

impl Disposition {
    /// Changes the disposition of a signal; `None`: no change is needed.
    ///
    /// # Errors
    /// `EINVAL`: the signal's disposition cannot be changed. `EBUSY`: another change of it is in force.
    pub(super) fn change(signal: c_int, change: Change) -> io::Result<Option<Self>> {
        let mut changed = changed();
        if let Some(held) = changed.get_mut(&signal) {
            let wanted = change.of(&held.before).unwrap_or(held.before);
            if wanted.sa_sigaction != held.now.sa_sigaction {
                return Err(Errno::EBUSY.into());
            }
            held.holders += 1;
            return Ok(Some(Self { signal }));
        }
        let before = present(signal)?;
        let Some(now) = change.of(&before) else { return Ok(None) };
        if let Some(place) = usize::try_from(signal).ok().filter(|number| *number <= SIGNALS_MAX) {
            PREVIOUS_FLAGS[place].store(before.sa_flags.cast_unsigned() as usize, Ordering::SeqCst);
            PREVIOUS[place].store(before.sa_sigaction, Ordering::SeqCst);
        }
        set(signal, &now)?;
        changed.insert(signal, Applied { holders: 1, before, now });
        Ok(Some(Self { signal }))
    }
}

impl Drop for Disposition {
    fn drop(&mut self) {
        let mut changed = changed();
        let Some(held) = changed.get_mut(&self.signal) else { return };
        held.holders -= 1;
        if held.holders > 0 {
            return;
        }
        if present(self.signal).is_ok_and(|present| present.sa_sigaction == held.now.sa_sigaction) {
            // It was in force before, so the system accepts it.
            let _ = set(self.signal, &held.before);
        }
        changed.remove(&self.signal);
    }
}

impl Change {
    /// The action to set instead of `before`; `None`: `before` can stay.
    fn of(self, before: &libc::sigaction) -> Option<libc::sigaction> {
        let mut now = *before;
        match self {
            Self::Ignore => now = action(libc::SIG_IGN, 0),
            Self::Handle(handler) => {
                now = action(handler as libc::sighandler_t, libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK);
            }
            Self::KeepExits if before.sa_sigaction == libc::SIG_IGN => now = action(libc::SIG_DFL, 0),
            Self::KeepExits if before.sa_flags & libc::SA_NOCLDWAIT != 0 => now.sa_flags &= !libc::SA_NOCLDWAIT,
            Self::KeepExits => return None,
        }
        Some(now)
    }
}

/// Calls the handler that ours has replaced; false: there was none.
///
/// # Safety
/// Only in a handler for `signal`, with that handler's arguments.
pub(super) unsafe fn call_previous(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) -> bool {
    let Some(place) = usize::try_from(signal).ok().filter(|number| *number <= SIGNALS_MAX) else { return false };
    let handler = PREVIOUS[place].load(Ordering::SeqCst);
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        return false;
    }
    let takes_info = PREVIOUS_FLAGS[place].load(Ordering::SeqCst) & libc::SA_SIGINFO as usize != 0;
    // SAFETY: the address was the handler of this signal, of the kind that its flags say, and is neither SIG_DFL nor
    // SIG_IGN, which are no functions.
    unsafe {
        if takes_info {
            std::mem::transmute::<*const c_void, SignalHandler>(handler as *const c_void)(signal, info, context);
        } else {
            std::mem::transmute::<*const c_void, extern "C" fn(c_int)>(handler as *const c_void)(signal);
        }
    }
    true
}

/// Calls `call` while a signal has its default action.
pub(super) fn with_default(signal: c_int, call: impl FnOnce()) {
    let Ok(before) = present(signal) else { return call() };
    // The same call would have refused the question.
    let _ = set(signal, &action(libc::SIG_DFL, 0));
    call();
    let _ = set(signal, &before);
}

fn changed() -> MutexGuard<'static, BTreeMap<c_int, Applied>> {
    // No code that holds the lock can panic between two related changes.
    CHANGED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn action(handler: libc::sighandler_t, flags: c_int) -> libc::sigaction {
    // SAFETY: all zeroes is a valid action, which blocks no other signal.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    action
}

/// The action in force.
pub(super) fn present(signal: c_int) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: reads the action into memory of the right type; zeroes are a valid value of it.
    unsafe {
        Errno::result(libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()))?;
        Ok(action.assume_init())
    }
}

fn set(signal: c_int, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: a valid action: one that was in force, one without a handler, or one of ours, which keep to the rules for
    // handlers ([`Change::Handle`]).
    Errno::result(unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, play};
    use super::*;
    use std::sync::atomic::AtomicI32;

    static SEEN: AtomicI32 = AtomicI32::new(0);

    extern "C" fn of_the_host(signal: c_int) {
        SEEN.fetch_add(signal, Ordering::Relaxed);
    }

    extern "C" fn ours(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the arguments of this handler.
        unsafe { call_previous(signal, info, context) };
    }

    fn handler_of(signal: c_int) -> libc::sighandler_t {
        present(signal).unwrap().sa_sigaction
    }

    #[test]
    fn the_last_holder_restores_unless_other_code_has_changed_it_meanwhile() {
        const TEST: &str =
            "sys::disposition::tests::the_last_holder_restores_unless_other_code_has_changed_it_meanwhile";
        if !is_role(TEST) {
            assert!(play(TEST).output().unwrap().status.success());
            return;
        }
        let host = of_the_host as *const () as libc::sighandler_t;
        set(libc::SIGUSR1, &action(host, 0)).unwrap();
        let first = Disposition::change(libc::SIGUSR1, Change::Handle(ours)).unwrap();
        // SAFETY: sends a signal to this thread, which handles it before the call returns.
        unsafe { libc::raise(libc::SIGUSR1) };
        assert_eq!(SEEN.load(Ordering::Relaxed), libc::SIGUSR1, "the host's handler is called by ours");
        let busy = Disposition::change(libc::SIGUSR1, Change::Ignore).unwrap_err();
        assert_eq!(busy.raw_os_error(), Some(libc::EBUSY));
        let second = Disposition::change(libc::SIGUSR1, Change::Handle(ours)).unwrap();
        drop(first);
        assert_ne!(handler_of(libc::SIGUSR1), host);
        drop(second);
        assert_eq!(handler_of(libc::SIGUSR1), host);

        let ignored = Disposition::change(libc::SIGUSR1, Change::Ignore).unwrap();
        set(libc::SIGUSR1, &action(libc::SIG_DFL, 0)).unwrap();
        drop(ignored);
        assert_eq!(handler_of(libc::SIGUSR1), libc::SIG_DFL, "the host has changed it meanwhile");

        // SIGCHLD: only a disposition that would lose exit statuses is changed.
        assert!(Disposition::change(libc::SIGCHLD, Change::KeepExits).unwrap().is_none());
        set(libc::SIGCHLD, &action(host, libc::SA_NOCLDWAIT)).unwrap();
        let kept = Disposition::change(libc::SIGCHLD, Change::KeepExits).unwrap();
        let now = present(libc::SIGCHLD).unwrap();
        assert_eq!((now.sa_sigaction, now.sa_flags & libc::SA_NOCLDWAIT), (host, 0));
        drop(kept);
        assert_ne!(present(libc::SIGCHLD).unwrap().sa_flags & libc::SA_NOCLDWAIT, 0);
        assert!(Disposition::change(libc::SIGKILL, Change::Ignore).is_err());
    }
}
