//! A folder in which the output of an item is stored. It is opened once and used by its descriptor, so that its path is
//! walked once, and not again for each file.
//!
//! Invariant: no link is followed to a file, and nothing waits for the reader of a FIFO. Files and folders have the
//! permissions that the umask leaves.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, mknodat};
use nix::unistd::mkdir;
use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

/// A folder of the user, by whoever it was made.
#[derive(Debug)]
pub struct OutputFolder {
    fd: OwnedFd,
}

impl OutputFolder {
    /// Opens a folder that most often has to be created first.
    ///
    /// # Errors
    /// Those of `mkdir(2)`; `AlreadyExists`: there is something else of that name.
    pub fn create(path: &CStr) -> io::Result<Self> {
        match mkdir(path, permissions(0o777)) {
            Ok(()) => Ok(Self::open(path)?),
            // Most often no more is missing than the folder itself.
            Err(Errno::ENOENT) => {
                fs::create_dir_all(OsStr::from_bytes(path.to_bytes()))?;
                Ok(Self::open(path)?)
            }
            Err(Errno::EEXIST) => match Self::open(path) {
                Err(Errno::ENOTDIR) => Err(Errno::EEXIST.into()),
                opened => Ok(opened?),
            },
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a folder that most often exists; an empty path is the current one.
    ///
    /// # Errors
    /// As of [`OutputFolder::create`].
    pub fn open_or_create(path: &CStr) -> io::Result<Self> {
        match Self::open(if path.is_empty() { c"." } else { path }) {
            Err(Errno::ENOENT) if !path.is_empty() => Self::create(path),
            opened => Ok(opened?),
        }
    }

    fn open(path: &CStr) -> Result<Self, Errno> {
        let fd = open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { fd })
    }

    /// Creates a file, to write to it; one that exists is emptied.
    ///
    /// # Errors
    /// Those of `openat(2)`: also if the name is a link, or a FIFO without a reader.
    pub fn create_file(&self, name: &CStr) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        Ok(openat(&self.fd, name, flags, permissions(0o666))?.into())
    }

    /// Creates an empty file; one that exists is emptied.
    ///
    /// # Errors
    /// As of [`OutputFolder::create_file`].
    pub fn create_empty(&self, name: &CStr) -> io::Result<()> {
        // One call instead of two, without an open file. What it refuses, such as a name that exists, is left to openat.
        match mknodat(&self.fd, name, SFlag::S_IFREG, permissions(0o666), 0) {
            Ok(()) => Ok(()),
            Err(_) => self.create_file(name).map(drop),
        }
    }
}

/// Before the umask.
const fn permissions(bits: libc::mode_t) -> Mode {
    Mode::from_bits_truncate(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn c_path(path: &Path) -> CString {
        CString::new(path.as_os_str().as_bytes()).unwrap()
    }

    #[test]
    fn a_folder_is_made_with_those_above_it_and_taken_if_it_is_there() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b/c");
        for _ in 0..2 {
            OutputFolder::create(&c_path(&path)).unwrap().create_empty(c"x").unwrap();
            assert_eq!(path.join("x").metadata().unwrap().len(), 0);
        }
        let other = place.path().join("d/e");
        OutputFolder::open_or_create(&c_path(&other)).unwrap().create_empty(c"x").unwrap();
        let link = place.path().join("link");
        symlink(&other, &link).unwrap();
        OutputFolder::create(&c_path(&link)).unwrap().create_empty(c"y").unwrap();
        assert!(other.join("y").exists(), "a link to a folder is one");
        let file = c_path(&other.join("x"));
        assert_eq!(OutputFolder::create(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(OutputFolder::open_or_create(&file).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn files_are_emptied_and_what_is_no_file_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(&c_path(place.path())).unwrap();
        let kept = place.path().join("kept");
        for (name, is_refused) in
            [("file", false), ("link", true), ("dangling", true), ("folder", true), ("fifo", true)]
        {
            let path = place.path().join(name);
            for creates_empty in [true, false] {
                fs::write(&kept, "kept").unwrap();
                match name {
                    "file" => fs::write(&path, "earlier").unwrap(),
                    _ if path.symlink_metadata().is_ok() => {}
                    "link" => symlink(&kept, &path).unwrap(),
                    "dangling" => symlink("missing", &path).unwrap(),
                    "folder" => fs::create_dir(&path).unwrap(),
                    _ => nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap(),
                }
                let c_name = CString::new(name).unwrap();
                let created = match creates_empty {
                    true => folder.create_empty(&c_name),
                    false => folder.create_file(&c_name).map(drop),
                };
                assert_eq!(created.is_err(), is_refused, "{name} {created:?}");
                assert_eq!(fs::read(&kept).unwrap(), b"kept", "{name}");
                assert!(is_refused || path.metadata().unwrap().len() == 0, "{name}");
            }
        }
        assert!(!place.path().join("missing").exists());
    }

    #[test]
    fn both_ways_to_create_a_file_leave_the_same_permissions() {
        let place = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(&c_path(&place.path().join("folder"))).unwrap();
        folder.create_empty(c"empty").unwrap();
        drop(folder.create_file(c"file").unwrap());
        let mode = |name: &str| place.path().join("folder").join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode("empty"), mode("file"));
        fs::create_dir(place.path().join("plain")).unwrap();
        let plain = place.path().join("plain").metadata().unwrap().permissions().mode();
        assert_eq!(mode("."), plain);
    }
}
