//! The nice value of processes that are started: ours, and something added to it.

use super::signals;
use nix::errno::Errno;
use std::io;
use std::os::raw::c_int;

/// The range of nice values; the system takes the nearest end for one beyond it.
const NICE: std::ops::RangeInclusive<c_int> = -20..=19;

/// The nice value that is ours and `more`, once the system has allowed it. What asks is a thread of its own, since a nice
/// value belongs to a thread, so that ours stays.
///
/// # Errors
/// The system allows no such nice value (`EACCES`), or no thread is left.
pub fn nice_with(more: c_int) -> io::Result<c_int> {
    Errno::clear();
    // SAFETY: asks for a number of this process.
    let ours = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // -1 is a nice value as well.
    if ours == -1 && Errno::last_raw() != 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = ours.saturating_add(more).clamp(*NICE.start(), *NICE.end());
    // SAFETY: sets the nice value of the thread that calls it, and accesses no memory.
    let set = move || Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, wanted) });
    let thread = signals::with_blocked(|| std::thread::Builder::new().spawn(set))?;
    thread.join().unwrap_or(Err(Errno::EIO))?;
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nice_value_is_added_to_ours_which_stays() {
        // SAFETY: asks for a number of this process.
        let ours = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let before = ours();
        assert_eq!(nice_with(0).unwrap(), before);
        assert_eq!(nice_with(3).unwrap(), (before + 3).min(19));
        assert_eq!(nice_with(c_int::MAX).unwrap(), 19);
        assert_eq!(ours(), before);
    }
}
