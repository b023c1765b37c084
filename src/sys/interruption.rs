//! System calls that a signal may interrupt.
//!
//! A handler with `SA_RESTART` spares most of them, but handlers of a host program, tracers and emulators do not.

use nix::errno::Errno;

/// Makes a system call again as long as a signal interrupts it (`EINTR`).
///
/// # Errors
/// Those of the call, except `EINTR`.
pub(super) fn retried<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_call_is_made_again() {
        let mut answers = [Ok(7), Err(Errno::EINTR), Err(Errno::EINTR)].to_vec();
        assert_eq!(retried(|| answers.pop().unwrap()), Ok(7));
        assert_eq!(retried(|| Err::<(), _>(Errno::EIO)), Err(Errno::EIO));
    }
}
