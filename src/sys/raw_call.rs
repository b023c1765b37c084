//! System calls without the C library's `errno`.
//!
//! A child that runs in our memory shares the calling thread's `errno`. While that thread runs too, each would read the
//! errors of the other.

use std::ffi::{c_int, c_long};

/// Whether [`raw_call`] leaves `errno` alone here.
pub(super) const IS_APART: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Makes a system call of up to five arguments.
///
/// # Errors
/// Its errno.
///
/// # Safety
/// As for the call itself.
pub(super) unsafe fn raw_call<const N: usize>(number: c_long, arguments: [usize; N]) -> Result<usize, c_int> {
    let mut all = [0; 5];
    all.iter_mut().zip(arguments).for_each(|(place, argument)| *place = argument);
    // SAFETY: the caller's promise. A call does not look at arguments that it does not have.
    unsafe { call(number, all) }
}

/// An argument that is a number of a descriptor, a process or a signal.
pub(super) const fn number(of: c_int) -> usize {
    // Calls look at the lower 32 bits alone.
    of.cast_unsigned() as usize
}

/// Errors are the numbers from -4095 to -1 (`IS_ERR_VALUE` in `linux/err.h`).
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn outcome(answer: isize) -> Result<usize, c_int> {
    if (-4095..0).contains(&answer) { Err(-answer as c_int) } else { Ok(answer.cast_unsigned()) }
}

#[cfg(target_arch = "x86_64")]
unsafe fn call(number: c_long, [first, second, third, fourth, fifth]: [usize; 5]) -> Result<usize, c_int> {
    let mut answer = number as isize;
    // SAFETY: the system call changes rax, rcx and r11, and the memory that its caller allows it to.
    unsafe {
        std::arch::asm!(
            "syscall",
            inout("rax") answer,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    outcome(answer)
}

#[cfg(target_arch = "aarch64")]
unsafe fn call(number: c_long, [first, second, third, fourth, fifth]: [usize; 5]) -> Result<usize, c_int> {
    let mut answer = first as isize;
    // SAFETY: the system call changes x0, and the memory that its caller allows it to.
    unsafe {
        std::arch::asm!(
            "svc #0",
            inout("x0") answer,
            in("x1") second,
            in("x2") third,
            in("x3") fourth,
            in("x4") fifth,
            in("x8") number,
            options(nostack),
        );
    }
    outcome(answer)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn call(number: c_long, [first, second, third, fourth, fifth]: [usize; 5]) -> Result<usize, c_int> {
    // SAFETY: the caller's promise.
    let answer = unsafe { libc::syscall(number, first, second, third, fourth, fifth) };
    if answer == -1 { Err(nix::errno::Errno::last_raw()) } else { Ok(answer as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_answers_or_fails_without_errno() {
        nix::errno::Errno::set_raw(77);
        // SAFETY: neither call accesses memory.
        let (pid, closed) = unsafe { (raw_call(libc::SYS_getpid, []), raw_call(libc::SYS_close, [number(-1)])) };
        assert_eq!(pid, Ok(std::process::id() as usize));
        assert_eq!(closed, Err(libc::EBADF));
        assert!(!IS_APART || nix::errno::Errno::last_raw() == 77);
    }
}
