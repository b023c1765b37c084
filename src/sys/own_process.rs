//! What this process is: its program, its user and group; the program of another one; and whether the system shows processes at all.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// This process's program as a path that can be executed even if the file has been replaced since. It needs `/proc`.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The path of this process's program. Without `/proc` it is the one that the program was executed by, which the system
/// hands over at the start. Call it before the working directory changes.
#[must_use]
pub fn program() -> Option<PathBuf> {
    std::env::current_exe().ok().or_else(|| std::path::absolute(executed_path()?).ok())
}

/// The path that was given to `execve(2)`.
fn executed_path() -> Option<&'static Path> {
    // SAFETY: reads a value that the system passed to this process.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    if path.is_null() {
        return None;
    }
    // SAFETY: the system put a text with a NUL there, above the stack, where it stays as long as the process lives.
    let path = unsafe { CStr::from_ptr(path) };
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// The effective user and group.
#[must_use]
pub fn user_and_group() -> (u32, u32) {
    (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
}

/// The name of the program of a process, as far as `/proc` tells.
#[must_use]
pub fn program_of(pid: u32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}

/// Whether `/proc` shows this process.
#[must_use]
pub fn is_shown() -> bool {
    Path::new("/proc/self/stat").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_known_without_proc_too() {
        let executed = std::path::absolute(executed_path().unwrap()).unwrap();
        assert_eq!(executed.canonicalize().unwrap(), program().unwrap().canonicalize().unwrap());
        assert!(is_shown());
    }
}
