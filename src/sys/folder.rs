//! A folder that somebody named for files of ours: opened once, judged, and from then on known by its fd.
//!
//! Invariant: nobody but this user and root can put something else in the place of what is made there: that is judged
//! before anything is made, no symbolic link is followed at its end, and a name is never taken over.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A folder in which files can be made.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

/// Why a folder is not used; the text stands behind its path.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{0}")]
    Open(io::Error),
    #[error("it is a symbolic link; give the folder itself")]
    Link,
    #[error("it belongs to another user (uid {uid})")]
    Foreign { uid: u32 },
    #[error("others may write to it (mode {mode:04o}); take that right away from them, or give another folder")]
    Shared { mode: u32 },
}

impl Folder {
    /// Opens a folder that belongs to this user or to root, and in which nobody else can replace a file.
    ///
    /// # Errors
    /// It is none, or not safe.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        // Without a slash at the end, behind which a link would be followed.
        let path: PathBuf = path.components().collect();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = match open(&path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ELOOP | Errno::ENOTDIR) if path.is_symlink() => return Err(FolderError::Link),
            Err(errno) => return Err(FolderError::Open(errno.into())),
        };
        let status = fstat(&fd).map_err(|errno| FolderError::Open(errno.into()))?;
        if status.st_uid != geteuid().as_raw() && status.st_uid != 0 {
            return Err(FolderError::Foreign { uid: status.st_uid });
        }
        let mode = status.st_mode & 0o7777;
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            return Err(FolderError::Shared { mode });
        }
        Ok(Self { path, fd })
    }

    /// How it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a file of this name, to read and write, for nobody else.
    ///
    /// # Errors
    /// `AlreadyExists` if there is something of this name, whatever it is, or the system's.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.fd, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }

    /// Takes the name away from a file that was made here.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn files_are_made_for_us_alone_and_never_taken_over() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let file = folder.create("x").unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.create("x").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        symlink("/etc/passwd", place.path().join("link")).unwrap();
        symlink("/nonexistent", place.path().join("dangling")).unwrap();
        for name in ["link", "dangling"] {
            assert_eq!(folder.create(name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        folder.remove("x").unwrap();
        assert!(!place.path().join("x").exists());
        assert!(folder.remove("x").is_err());
    }

    #[test]
    fn a_folder_that_is_not_safe_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let words =
            |path: &Path| Folder::open(path).map(|_| "taken".to_owned()).unwrap_or_else(|error| error.to_string());
        let inner = place.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        assert_eq!(words(&inner), "taken");
        for (mode, expected) in
            [(0o777, "others may write to it (mode 0777)"), (0o775, "others may"), (0o1777, "taken")]
        {
            std::fs::set_permissions(&inner, PermissionsExt::from_mode(mode)).unwrap();
            assert!(words(&inner).starts_with(expected), "{mode:o}: {}", words(&inner));
        }
        let link = place.path().join("link");
        symlink(&inner, &link).unwrap();
        for link in [link.clone(), link.join("")] {
            assert_eq!(words(&link), "it is a symbolic link; give the folder itself");
        }
        assert!(words(&place.path().join("missing")).starts_with("No such file"));
        File::create(place.path().join("file")).unwrap();
        assert!(words(&place.path().join("file")).starts_with("Not a directory"));
    }
}
