//! Who has started this process.

use std::fs;
use std::path::PathBuf;

/// The names of shells.
const SHELLS: [&str; 14] =
    ["sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "fish", "ash", "tcsh", "csh", "yash", "posh", "rbash"];

/// More ancestors are not looked at.
const ANCESTORS_MAX: usize = 64;

/// The program of the nearest ancestor that is a shell.
#[must_use]
pub fn shell() -> Option<PathBuf> {
    let mut pid = std::os::unix::process::parent_id();
    for _ in 0..ANCESTORS_MAX {
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        if program.file_name().is_some_and(|name| SHELLS.iter().any(|shell| name == *shell)) {
            return Some(program);
        }
        pid = parent(pid).filter(|parent| *parent > 0)?;
    }
    None
}

/// The parent of a process: the second field behind its name, which may hold anything (`proc_pid_stat(5)`).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_process_is_found() {
        assert_eq!(parent(std::process::id()), Some(std::os::unix::process::parent_id()));
    }
}
