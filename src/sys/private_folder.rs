//! A folder that only this user can open, and sockets with names in it.
//!
//! A socket is bound under a name that cannot be guessed, gets its rights, listens, and is only then given its name, so
//! that nobody sees it half made. The name of one whose process is gone is removed by whoever finds it.
//!
//! Invariant: the folder is checked when it is opened and used by its fd from then on; nothing but a socket is removed.

use super::interruption::retried;
use super::random;
use super::refusal;
use super::stream_socket::{connect_to, listen_at};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, renameat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmod, fchmodat, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, mkdir, unlinkat};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The longest path that an address of a socket holds, with its final NUL (`unix(7)`).
const ADDRESS_BYTES_MAX: usize = 108;
/// Names of sockets that are being made, and of dead ones that are being removed.
const HIDDEN_PREFIX: &str = ".supervisor-";
/// A socket under such a name is left alone for this long: it may be in the making.
const MAKING_SECS_MAX: i64 = 60;
const RENAME_NOREPLACE: u32 = 1;

/// A folder of mode 0700 of this user.
#[derive(Debug)]
pub struct PrivateFolder {
    path: PathBuf,
    fd: OwnedFd,
}

/// Why a folder is refused. The text follows the path of the folder.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFolderError {
    #[error("{0}")]
    Open(io::Error),
    #[error("it is a symbolic link; remove it")]
    Link,
    #[error("it belongs to another user (uid {uid})")]
    Foreign { uid: u32 },
    #[error("its mode is {mode:04o} instead of 0700; take the rights of others away")]
    Shared { mode: u32 },
}

impl PrivateFolder {
    /// Opens a folder that is there.
    ///
    /// # Errors
    /// It is no folder of this user, or others may enter it.
    pub fn open(path: &Path) -> Result<Self, PrivateFolderError> {
        let path: PathBuf = path.components().collect();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = match retried(|| open(&path, flags, Mode::empty())) {
            Ok(fd) => fd,
            Err(Errno::ELOOP | Errno::ENOTDIR) if path.is_symlink() => return Err(PrivateFolderError::Link),
            Err(errno) => return Err(PrivateFolderError::Open(errno.into())),
        };
        let status = fstat(&fd).map_err(|errno| PrivateFolderError::Open(errno.into()))?;
        if status.st_uid != geteuid().as_raw() {
            return Err(PrivateFolderError::Foreign { uid: status.st_uid });
        }
        let mode = status.st_mode & 0o7777;
        if mode & 0o777 != 0o700 {
            return Err(PrivateFolderError::Shared { mode });
        }
        Ok(Self { path, fd })
    }

    /// Opens a folder, and makes it if it is not there.
    ///
    /// # Errors
    /// As of [`PrivateFolder::open`]; it cannot be made.
    pub fn open_or_create(path: &Path) -> Result<Self, PrivateFolderError> {
        match mkdir(path, Mode::S_IRWXU) {
            // The mask of this process may have taken a right from us.
            Ok(()) => {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                if let Ok(fd) = open(path, flags, Mode::empty()) {
                    let _ = fchmod(fd, Mode::S_IRWXU);
                }
            }
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(PrivateFolderError::Open(errno.into())),
        }
        Self::open(path)
    }

    /// The path by which it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it that end with `suffix` and are not hidden, in their order.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self, suffix: &str) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = self.all_names()?;
        names.retain(|name| name.ends_with(suffix) && !name.starts_with('.'));
        names.sort();
        Ok(names)
    }

    /// Names that are text; ours are.
    fn all_names(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.path)?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// Connects to the socket of this name, without waiting.
    ///
    /// # Errors
    /// `ConnectionRefused`: no process listens there. `WouldBlock`: too many wait to be let in.
    pub fn connect(&self, name: &str) -> io::Result<OwnedFd> {
        connect_to(&self.address(name)?)
    }

    /// Makes a socket that listens, readable and writable for this user alone, under the first of these names that no
    /// living process has.
    ///
    /// # Errors
    /// All names are taken; those of the system.
    pub fn listen(self: &Rc<Self>, names: &[String]) -> io::Result<NamedSocket> {
        let hidden = self.hidden_name()?;
        let fd = listen_at(&self.address(&hidden)?, || {
            Ok(fchmodat(&self.fd, hidden.as_str(), Mode::S_IRUSR | Mode::S_IWUSR, FchmodatFlags::FollowSymlink)?)
        });
        let given = fd.and_then(|fd| {
            let place = self.socket_at(&hidden).ok_or(Errno::ENOTSOCK)?;
            let name = names.iter().find_map(|name| self.give_name(&hidden, name).transpose());
            let name = name.unwrap_or(Err(io::ErrorKind::AlreadyExists.into()))?;
            Ok(NamedSocket { fd, folder: Rc::clone(self), name, place })
        });
        given.inspect_err(|_| _ = self.unlink(&hidden))
    }

    /// `None`: a living process has the name.
    fn give_name(&self, hidden: &str, name: &str) -> io::Result<Option<String>> {
        for _ in 0..2 {
            match self.rename_new(hidden, name) {
                Ok(()) => return Ok(Some(name.to_owned())),
                Err(Errno::EEXIST) if self.remove_if_dead(name) => {}
                Err(Errno::EEXIST) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(None)
    }

    /// Removes the sockets on which no process listens, and returns how many.
    pub fn remove_dead(&self) -> usize {
        let is_ours = |name: &&String| name.ends_with(".sock") || name.starts_with(HIDDEN_PREFIX);
        let names = self.all_names().unwrap_or_default();
        names.iter().filter(is_ours).filter(|name| self.remove_if_dead(name)).count()
    }

    /// Removes the name of a socket on which no process listens. `false`: it is none, or one listens.
    pub fn remove_if_dead(&self, name: &str) -> bool {
        let Some(place) = self.socket_at(name) else { return false };
        if name.starts_with(HIDDEN_PREFIX) && place.age_secs < MAKING_SECS_MAX {
            return false;
        }
        let refused = self.connect(name).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if !refused {
            return false;
        }
        // Meanwhile another process may have taken the name: what is removed is looked at once more.
        let Ok(aside) = self.hidden_name() else { return false };
        if self.rename_new(name, &aside).is_err() {
            return false;
        }
        if self.socket_at(&aside).is_some_and(|found| found.is_same(&place)) {
            return self.unlink(&aside).is_ok();
        }
        let _ = self.rename_new(&aside, name);
        false
    }

    fn unlink(&self, name: &str) -> nix::Result<()> {
        unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir)
    }

    fn hidden_name(&self) -> io::Result<String> {
        Ok(random::name(HIDDEN_PREFIX)?.to_string_lossy().into_owned())
    }

    /// Renames, unless the new name is taken.
    fn rename_new(&self, from: &str, to: &str) -> nix::Result<()> {
        let name = |name: &str| CString::new(name).map_err(|_| Errno::EINVAL);
        let (old, new) = (name(from)?, name(to)?);
        let fd = self.fd.as_raw_fd();
        // SAFETY: two names that end with a NUL, and outlive the call.
        let renamed =
            unsafe { libc::syscall(libc::SYS_renameat2, fd, old.as_ptr(), fd, new.as_ptr(), RENAME_NOREPLACE) };
        match Errno::result(renamed) {
            // The file system does not know it, or a profile forbids it.
            Err(errno) if errno == Errno::EINVAL || refusal::is_refusal(errno) => {
                if fstatat(&self.fd, to, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok() {
                    return Err(Errno::EEXIST);
                }
                renameat(&self.fd, from, &self.fd, to)
            }
            renamed => renamed.map(drop),
        }
    }

    /// The socket of this name, if it is one.
    fn socket_at(&self, name: &str) -> Option<SocketPlace> {
        let status = fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        let is_socket = SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFSOCK;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
        let age_secs = i64::try_from(now).ok()?.saturating_sub(status.st_ctime);
        is_socket.then_some(SocketPlace { device: status.st_dev, inode: status.st_ino, age_secs })
    }

    /// The path of a socket; by the number of the folder's fd where the path is too long for an address.
    fn address(&self, name: &str) -> io::Result<PathBuf> {
        if name.contains('/') || name.contains('\0') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let path = self.path.join(name);
        let fits = |path: &OsStr| path.as_bytes().len() < ADDRESS_BYTES_MAX;
        if fits(path.as_os_str()) {
            return Ok(path);
        }
        Ok(PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd())).join(name))
    }
}

#[derive(Clone, Copy, Debug)]
struct SocketPlace {
    device: u64,
    inode: u64,
    age_secs: i64,
}

impl SocketPlace {
    const fn is_same(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}

/// A socket that listens under a name. Its name is removed with it.
#[derive(Debug)]
pub struct NamedSocket {
    fd: OwnedFd,
    folder: Rc<PrivateFolder>,
    name: String,
    place: SocketPlace,
}

impl NamedSocket {
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }
}

impl AsFd for NamedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for NamedSocket {
    fn drop(&mut self) {
        // Another process may have the name by now.
        if self.folder.socket_at(&self.name).is_some_and(|found| found.is_same(&self.place)) {
            let _ = self.folder.unlink(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::stream_socket::accept;
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_folder_is_made_private_and_another_one_is_refused_in_words() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ours");
        assert!(PrivateFolder::open(&path).is_err());
        let folder = PrivateFolder::open_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        assert_eq!(folder.path(), path);
        let words = |path: &Path| PrivateFolder::open_or_create(path).map(drop).unwrap_err().to_string();
        for mode in [0o755, 0o777, 0o500, 0o710] {
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(words(&path), format!("its mode is {mode:04o} instead of 0700; take the rights of others away"));
        }
        fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        let link = place.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(words(&link), "it is a symbolic link; remove it");
        assert_eq!(words(&link.join("")), "it is a symbolic link; remove it");
        File::create(place.path().join("file")).unwrap();
        assert!(words(&place.path().join("file")).starts_with("Not a directory"));
        assert!(words(Path::new("/proc/self/task")).contains("mode"));
    }

    #[test]
    fn a_socket_is_private_and_its_name_goes_with_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Rc::new(PrivateFolder::open_or_create(&place.path().join("x")).unwrap());
        let socket = folder.listen(&names(&["7.sock"])).unwrap();
        assert_eq!(fs::metadata(socket.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.names(".sock").unwrap(), ["7.sock"]);
        let client = folder.connect("7.sock").unwrap();
        assert!(accept(&socket).unwrap().is_some());
        assert!(accept(&socket).unwrap().is_none());
        drop(client);
        // The name is taken by a living process.
        assert_eq!(folder.listen(&names(&["7.sock"])).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let other = folder.listen(&names(&["7.sock", "7-b.sock"])).unwrap();
        assert!(other.path().ends_with("7-b.sock"));
        drop((socket, other));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn the_names_of_dead_sockets_are_removed_and_nothing_else_is() {
        let place = tempfile::tempdir().unwrap();
        let folder = Rc::new(PrivateFolder::open_or_create(&place.path().join("x")).unwrap());
        let path = folder.path().to_owned();
        drop(UnixListener::bind(path.join("1.sock")).unwrap());
        drop(UnixListener::bind(path.join("2.sock")).unwrap());
        drop(UnixListener::bind(path.join(".supervisor-making")).unwrap());
        let living = UnixListener::bind(path.join("3.sock")).unwrap();
        File::create(path.join("4.sock")).unwrap();
        symlink("/nowhere", path.join("5.sock")).unwrap();
        // A dead name is taken over.
        let taken = folder.listen(&names(&["1.sock"])).unwrap();
        assert_eq!(folder.remove_dead(), 1);
        assert_eq!(folder.names(".sock").unwrap(), ["1.sock", "3.sock", "4.sock", "5.sock"]);
        assert!(path.join(".supervisor-making").exists(), "it may be in the making");
        drop((living, taken));
    }

    #[test]
    fn a_long_path_is_no_hindrance_and_a_name_is_no_path() {
        let place = tempfile::tempdir().unwrap();
        let long = place.path().join("d".repeat(120));
        let folder = Rc::new(PrivateFolder::open_or_create(&long).unwrap());
        let _socket = folder.listen(&names(&["1.sock"])).unwrap();
        folder.connect("1.sock").unwrap();
        for name in ["../1.sock", "a/b", "a\0b"] {
            assert_eq!(folder.connect(name).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
