//! A folder that the user has named for our files: opened and checked once, and used by its fd from then on.
//!
//! Invariant: only this user and root can replace a file that is created there. That is checked before a file is
//! created; a symbolic link at the end of a path is not followed, and an existing name is never reused.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A folder in which files can be created.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

/// Why a folder is refused. The text follows the path of the folder.
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
    /// Opens a folder that belongs to this user or to root, and in which no other user can replace a file.
    ///
    /// # Errors
    /// It is no folder, or not safe.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        // Without a final slash, which would make the system follow a link.
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

    /// For the other modules of this floor that create files in it.
    pub(super) const fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The path by which it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a file of this name, to read and write, that other users cannot open.
    ///
    /// # Errors
    /// `AlreadyExists` if the name exists, whatever it is; those of `openat(2)`.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.fd, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }

    /// Removes the name of a file.
    ///
    /// # Errors
    /// Those of `unlinkat(2)`.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn files_are_private_and_an_existing_name_is_never_reused() {
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
    fn an_unsafe_folder_is_refused() {
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
