//! Removes a folder with everything in it, however deep, whatever its rights, and whoever still writes into it.
//!
//! A folder that is not empty is moved up to the top before its turn comes, so that two open descriptors and no memory are
//! enough for any depth. A symbolic link is removed and never followed.
//!
//! Invariant: system calls only, because the guard calls it.

use super::entries::for_each_name;
use nix::errno::Errno;
use std::ffi::CStr;
use std::os::fd::RawFd;

/// A process that goes on to create files is not awaited for ever.
const PASSES_MAX: u32 = 100_000;

/// How many names are tried for a folder that is moved up.
const NAMES_MAX: u64 = 1000;

/// Removes it. That it is gone already is no error.
///
/// # Errors
/// Why something in it stays: another user's, immutable, a mount point. The rest is gone.
pub fn remove(path: &CStr) -> Result<(), Errno> {
    match unlink(libc::AT_FDCWD, path) {
        Ok(()) => return Ok(()),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    let top = open(libc::AT_FDCWD, path)?;
    let emptied = empty(top, path);
    // SAFETY: opened above.
    unsafe { libc::close(top) };
    emptied
}

/// Empties the folder `top` and removes it, by its path.
fn empty(top: RawFd, path: &CStr) -> Result<(), Errno> {
    let mut moved = 0;
    for _ in 0..PASSES_MAX {
        let (mut removed, mut failure) = (false, None);
        each_entry(top, |name| match unlink_or_empty(top, name, &mut moved) {
            Ok(()) => removed = true,
            Err(errno) => failure = Some(errno),
        });
        match (failure, unlink(libc::AT_FDCWD, path)) {
            (Some(errno), Err(_)) if !removed => return Err(errno),
            (_, Ok(())) => return Ok(()),
            (_, Err(Errno::ENOTEMPTY | Errno::EEXIST)) => {}
            (_, Err(errno)) => return Err(errno),
        }
    }
    Err(Errno::ENOTEMPTY)
}

/// Removes an entry of `top`. The folders in it that are not empty become entries of `top`.
fn unlink_or_empty(top: RawFd, name: &CStr, moved: &mut u64) -> Result<(), Errno> {
    match unlink(top, name) {
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
        ended => return ended,
    }
    let folder = open(top, name)?;
    let mut failure = None;
    each_entry(folder, |entry| {
        let gone = match unlink(folder, entry) {
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => move_up(folder, entry, top, moved),
            ended => ended,
        };
        failure = gone.err().or(failure);
    });
    // SAFETY: opened above.
    unsafe { libc::close(folder) };
    match (unlink(top, name), failure) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(errno)) => Err(errno),
        // A process has created something in it meanwhile.
        (Err(Errno::ENOTEMPTY | Errno::EEXIST), None) => Ok(()),
        (Err(errno), None) => Err(errno),
    }
}

/// Removes a file, a link or an empty folder; `ENOTEMPTY` or `EEXIST`: it is a folder and not empty.
fn unlink(folder: RawFd, name: &CStr) -> Result<(), Errno> {
    // SAFETY (both): a name that ends with a NUL.
    let removed = Errno::result(unsafe { libc::unlinkat(folder, name.as_ptr(), 0) });
    let removed = match removed {
        // What unlinkat says of a folder, by Linux and by POSIX.
        Err(Errno::EISDIR | Errno::EPERM) => {
            match Errno::result(unsafe { libc::unlinkat(folder, name.as_ptr(), libc::AT_REMOVEDIR) }) {
                // It was no folder.
                Err(Errno::ENOTDIR) => removed,
                of_folder => of_folder,
            }
        }
        of_file => of_file,
    };
    match removed {
        Err(Errno::ENOENT) | Ok(_) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Opens a folder, and takes all rights to it.
fn open(parent: RawFd, name: &CStr) -> Result<RawFd, Errno> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY (all of this function): names that end with a NUL, and descriptors that are opened here.
    unsafe {
        let opened = Errno::result(libc::openat(parent, name.as_ptr(), libc::O_RDONLY | flags));
        let fd = match opened {
            Err(Errno::EACCES) => {
                let found = Errno::result(libc::openat(parent, name.as_ptr(), libc::O_PATH | flags))?;
                // Through the descriptor: what the name means may change.
                let mut buffer = [0; 40];
                let own = numbered(&mut buffer, b"/proc/self/fd/", found.cast_unsigned().into());
                libc::chmod(own.as_ptr(), 0o700);
                libc::close(found);
                Errno::result(libc::openat(parent, name.as_ptr(), libc::O_RDONLY | flags))?
            }
            opened => opened?,
        };
        // Another user's stays as it is, and what is in it may stay, too.
        libc::fchmod(fd, 0o700);
        Ok(fd)
    }
}

/// Makes a folder in `folder` an entry of `top`.
fn move_up(folder: RawFd, name: &CStr, top: RawFd, moved: &mut u64) -> Result<(), Errno> {
    // To move a folder, its `..` has to be written.
    let opened = open(folder, name)?;
    // SAFETY: opened above.
    unsafe { libc::close(opened) };
    let mut last = Errno::EEXIST;
    for _ in 0..NAMES_MAX {
        *moved += 1;
        let mut buffer = [0; 40];
        let new = numbered(&mut buffer, b"moved-up-", *moved);
        // SAFETY: names that end with a NUL.
        match Errno::result(unsafe { libc::renameat(folder, name.as_ptr(), top, new.as_ptr()) }) {
            Ok(_) => return Ok(()),
            Err(errno @ (Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR | Errno::EISDIR)) => last = errno,
            Err(errno) => return Err(errno),
        }
    }
    Err(last)
}

/// Calls `each` with every entry of an open folder.
fn each_entry(folder: RawFd, mut each: impl FnMut(&CStr)) {
    // SAFETY: a descriptor of this process.
    unsafe { libc::lseek(folder, 0, libc::SEEK_SET) };
    for_each_name(folder, |name| {
        if name != c"." && name != c".." {
            each(name);
        }
    });
}

/// `prefix` and the digits of a number, with a NUL behind.
fn numbered<'a>(buffer: &'a mut [u8; 40], prefix: &[u8], number: u64) -> &'a CStr {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    while at == digits.len() || rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let text = prefix.iter().chain(&digits[at..]);
    buffer.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    CStr::from_bytes_until_nul(buffer).unwrap_or(c"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn gone(path: &Path) -> bool {
        remove(&CString::new(path.as_os_str().as_bytes()).unwrap()).unwrap();
        path.symlink_metadata().is_err()
    }

    #[test]
    fn everything_in_a_folder_is_removed_and_no_link_is_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "kept").unwrap();
        let parent = tempfile::tempdir().unwrap();
        let top = parent.path().join("top");
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir_all(top.join("moved-up-1/x")).unwrap();
        fs::create_dir_all(top.join("empty")).unwrap();
        for file in ["one", "a/two", "a/b/three", "a/b/c/four", "moved-up-1/x/five", "moved-up-2"] {
            fs::write(top.join(file), file).unwrap();
        }
        symlink(outside.path(), top.join("link")).unwrap();
        symlink(outside.path(), top.join("a/b/c/link")).unwrap();
        symlink("nowhere", top.join("a/dangling")).unwrap();
        assert!(gone(&top));
        assert_eq!(fs::read(outside.path().join("kept")).unwrap(), b"kept");
        assert!(gone(&top), "a folder that is gone is no error");
        symlink(outside.path(), &top).unwrap();
        assert!(gone(&top), "a link in place of the folder");
        assert!(outside.path().join("kept").exists());
    }

    #[test]
    fn a_folder_of_many_levels_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let top = parent.path().join("top");
        let script = "mkdir \"$1\" && cd \"$1\" && n=0; while [ $n -lt 700 ]; do mkdir dddd && cd -P dddd 2>/dev/null || exit 0; \
             n=$((n+1)); done";
        let made = std::process::Command::new("/bin/sh").args(["-c", script, "sh"]).arg(&top).status().unwrap();
        assert!(made.success());
        assert!(gone(&top));
    }

    #[test]
    fn rights_that_were_taken_away_are_no_hindrance() {
        let parent = tempfile::tempdir().unwrap();
        let top = parent.path().join("top");
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::write(top.join("a/b/file"), "").unwrap();
        for (folder, mode) in [("a/b/c", 0), ("a/b", 0o500), ("a", 0o600), ("", 0)] {
            fs::set_permissions(top.join(folder), fs::Permissions::from_mode(mode)).unwrap();
        }
        assert!(gone(&top));
    }

    #[test]
    fn numbers_are_written_in_digits() {
        for (number, text) in [(0, c"n0"), (7, c"n7"), (120, c"n120"), (u64::MAX, c"n18446744073709551615")] {
            assert_eq!(numbered(&mut [0; 40], b"n", number), text);
        }
    }
}
