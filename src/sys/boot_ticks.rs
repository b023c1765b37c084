//! When a process was started, for a process that may only make system calls.

use std::ffi::c_void;

/// When a process was started, in [`boot_ticks`]; `None` if it is gone, or without `/proc`. System calls only.
pub(super) fn started_ticks(pid: libc::pid_t) -> Option<u32> {
    const PREFIX: &[u8] = b"/proc/";
    const SUFFIX: &[u8] = b"/stat\0";
    let mut path = [0_u8; 32];
    let mut digits = [0_u8; 10];
    let mut first = digits.len();
    let mut rest = pid.unsigned_abs();
    while rest > 0 {
        first -= 1;
        *digits.get_mut(first)? = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let bytes = PREFIX.iter().chain(digits.get(first..)?).chain(SUFFIX);
    path.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    let mut stat = [0_u8; 1024];
    // SAFETY: the path ends with a NUL, and the buffer has the length that the call is told.
    let read = unsafe {
        let fd = libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC);
        let read = libc::read(fd, stat.as_mut_ptr().cast::<c_void>(), stat.len());
        libc::close(fd);
        read
    };
    let stat = stat.get(..usize::try_from(read).ok()?)?;
    // The name of the program, in parentheses, may hold any byte. The 22nd field is the 20th behind it.
    let behind = stat.get(stat.iter().rposition(|byte| *byte == b')')? + 1..)?;
    let field = behind.split(|byte| *byte == b' ').nth(20)?;
    let digit =
        |number: u64, byte: &u8| byte.is_ascii_digit().then(|| number.wrapping_mul(10) + u64::from(byte - b'0'));
    field.iter().try_fold(0, digit).map(|ticks| ticks as u32)
}

/// The time since the start of the machine, in the unit of `/proc/PID/stat` (10 ms; `USER_HZ` is 100 on every machine that
/// we support), modulo 2^32.
pub(super) fn boot_ticks() -> u32 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to memory of the right type. The call cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    (time.tv_sec.unsigned_abs().wrapping_mul(100) + time.tv_nsec.unsigned_abs() / 10_000_000) as u32
}
