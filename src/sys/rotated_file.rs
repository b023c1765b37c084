//! A log file of this user's own: appended to, and renamed when it has become long.
//!
//! Invariant: no link is followed to a file, what is written is in one file or the next and in no third, and of each log at
//! most two files exist.

use super::folder::{Folder, FolderError};
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Opens a folder for logs; one that is missing is made, for this user alone.
///
/// # Errors
/// It cannot be made, or is not safe.
pub fn open_folder(path: &Path) -> Result<Folder, FolderError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FolderError::Open)?;
    Folder::open(path)
}

/// A log file in a folder.
#[derive(Debug)]
pub struct RotatedFile {
    name: String,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl RotatedFile {
    /// Opens a file of this name; what it holds stays.
    ///
    /// # Errors
    /// It cannot be opened, is a link, or no regular file.
    pub fn open(folder: &Folder, name: String, bytes_max: u64) -> io::Result<Self> {
        let (file, bytes) = open_file(folder, &name)?;
        Ok(Self { name, file, bytes, bytes_max })
    }

    /// Appends bytes. If the file would be longer than its limit with them, they begin a new one.
    ///
    /// # Errors
    /// They cannot be written, or the file cannot be renamed.
    pub fn append(&mut self, folder: &Folder, bytes: &[u8]) -> io::Result<()> {
        let added = bytes.len() as u64;
        if self.bytes > 0 && self.bytes.saturating_add(added) > self.bytes_max {
            let earlier = format!("{}.1", self.name);
            renameat(folder.fd(), self.name.as_str(), folder.fd(), earlier.as_str())?;
            (self.file, self.bytes) = open_file(folder, &self.name)?;
        }
        self.file.write_all(bytes)?;
        self.bytes += added;
        Ok(())
    }
}

fn open_file(folder: &Folder, name: &str) -> io::Result<(File, u64)> {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // Not to wait for the reader of a FIFO.
    let fd = openat(folder.fd(), name, flags | OFlag::O_NONBLOCK, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let status = fstat(&fd)?;
    if SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok((fd.into(), u64::try_from(status.st_size).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_is_appended_to_and_one_earlier_file_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/logs");
        let folder = open_folder(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
        for line in ["one\n", "two\n"] {
            RotatedFile::open(&folder, "x.log".to_owned(), 9).unwrap().append(&folder, line.as_bytes()).unwrap();
        }
        assert_eq!((read("x.log").as_str(), mode(&path.join("x.log"))), ("one\ntwo\n", 0o600));
        let mut file = RotatedFile::open(&folder, "x.log".to_owned(), 9).unwrap();
        for line in ["three\n", "four\n", "what is longer than the limit\n"] {
            file.append(&folder, line.as_bytes()).unwrap();
        }
        assert_eq!(
            (read("x.log"), read("x.log.1")),
            ("what is longer than the limit\n".to_owned(), "four\n".to_owned())
        );
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = open_folder(place.path()).unwrap();
        symlink("/etc/passwd", place.path().join("link")).unwrap();
        fs::create_dir(place.path().join("folder")).unwrap();
        nix::unistd::mkfifo(&place.path().join("fifo"), Mode::S_IRWXU).unwrap();
        for name in ["link", "folder", "fifo"] {
            assert!(RotatedFile::open(&folder, name.to_owned(), 9).is_err(), "{name}");
        }
        assert!(matches!(open_folder(Path::new("/dev/null/x")), Err(FolderError::Open(_))));
    }
}
