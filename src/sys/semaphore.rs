//! Counting semaphores between processes of one user, by locks of files (`flock(2)`).
//!
//! A semaphore is a folder with a file for each place, and one for the queue. Who holds a place holds the lock of its file:
//! the system releases it however the process dies, so no place is ever lost. Who wants one waits for the lock of the
//! queue, and is then the only one who tries the places; a place that gets free is a file that is closed, of which
//! `inotify(7)` tells.
//!
//! Invariant: only this user can reach the files. No file is ever removed, since another process may be about to lock it.

use super::interruption::retried;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::geteuid;
use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest name of a semaphore: that of a file (`NAME_MAX`).
const NAME_BYTES_MAX: usize = 255;
/// After a file was closed its lock is released in a moment.
const RETRY_MIN: Duration = Duration::from_millis(1);
/// The wait between two tries grows to this, should the system once have told nothing.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// The same where the system has no watch left.
const BLIND_RETRY_MAX: Duration = Duration::from_millis(100);

/// Why a semaphore cannot be used. Each text completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SemaphoreError {
    /// The name is no name of a file.
    #[error("use the semaphore {name:?}: a name has 1 to 255 bytes, no slash, and does not begin with a dot")]
    Name {
        /// As it was given.
        name: String,
    },
    /// Another user may have a hand in the folder.
    #[error("use the semaphore in {}: {why}", folder.display())]
    Unsafe {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system's.
    #[error("use the semaphore in {}: {error}", folder.display())]
    System {
        /// The folder.
        folder: PathBuf,
        /// The system's.
        error: io::Error,
    },
}

/// A semaphore by its name. Processes of this user that open the same name share it.
#[derive(Debug)]
pub struct Semaphore {
    path: PathBuf,
    folder: OwnedFd,
}

/// A place that this process holds until it is dropped.
#[derive(Debug)]
pub struct SemaphorePlace(#[expect(dead_code, reason = "its lock is what counts")] File);

impl Semaphore {
    /// Opens the semaphore in the folder of this user: in `XDG_RUNTIME_DIR`, else in one of the user's own in `/tmp`.
    ///
    /// # Errors
    /// It is no name, or the folder is not safe, or cannot be made.
    pub fn open(name: &OsStr) -> Result<Self, SemaphoreError> {
        match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| Path::new(folder).is_absolute()) {
            Some(base) => Self::open_in(Path::new(&base), OsStr::new("supervisor"), name),
            None => {
                let own = format!("supervisor-{}", geteuid());
                Self::open_in(Path::new("/tmp"), OsStr::new(&own), name)
            }
        }
    }

    /// The same in the folder `own` of `base`, which exists.
    ///
    /// # Errors
    /// As of [`Semaphore::open`].
    pub fn open_in(base: &Path, own: &OsStr, name: &OsStr) -> Result<Self, SemaphoreError> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > NAME_BYTES_MAX || bytes[0] == b'.' || bytes.contains(&b'/') {
            return Err(SemaphoreError::Name { name: name.to_string_lossy().into_owned() });
        }
        let mut path = base.to_owned();
        let system = |path: &Path| {
            let folder = path.to_owned();
            move |errno: Errno| SemaphoreError::System { folder, error: errno.into() }
        };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut folder = open(base, flags, Mode::empty()).map_err(system(&path))?;
        for part in [own, OsStr::new("sem"), name] {
            path.push(part);
            match mkdirat(&folder, part, Mode::S_IRWXU) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(system(&path)(errno)),
            }
            folder = match openat(&folder, part, flags | OFlag::O_NOFOLLOW, Mode::empty()) {
                Ok(folder) => folder,
                Err(Errno::ELOOP | Errno::ENOTDIR) => {
                    let why = "it is no folder, but a link or a file; remove it".to_owned();
                    return Err(SemaphoreError::Unsafe { folder: path, why });
                }
                Err(errno) => return Err(system(&path)(errno)),
            };
            let status = fstat(&folder).map_err(system(&path))?;
            let mode = status.st_mode & 0o777;
            if status.st_uid != geteuid().as_raw() {
                let why = format!("it belongs to another user (uid {})", status.st_uid);
                return Err(SemaphoreError::Unsafe { folder: path, why });
            }
            if mode & 0o077 != 0 {
                let why = format!("others may use it (mode {mode:04o}); take that right away from them");
                return Err(SemaphoreError::Unsafe { folder: path, why });
            }
        }
        Ok(Self { path, folder })
    }

    /// Waits until fewer than `places` places are held, and takes one. Who came first is served first. `None`: `patience`
    /// was over before.
    ///
    /// # Errors
    /// The system's.
    pub fn take(
        &self,
        places: NonZeroU32,
        patience: Option<Duration>,
    ) -> Result<Option<SemaphorePlace>, SemaphoreError> {
        let until = patience.map(|patience| Instant::now() + patience);
        let taken = self.queue(until).and_then(|queue| match queue {
            Some(_queue) => self.wait_for(until, &mut |files| self.probe(files, places)),
            None => Ok(None),
        });
        Ok(taken.map_err(|error| self.failed(error))?.map(SemaphorePlace))
    }

    /// Waits until no place is held, and those who came before have had theirs. `false`: `patience` was over before.
    ///
    /// # Errors
    /// The system's.
    pub fn wait_until_free(&self, patience: Option<Duration>) -> Result<bool, SemaphoreError> {
        let until = patience.map(|patience| Instant::now() + patience);
        let one = NonZeroU32::MIN;
        let free = self.queue(until).and_then(|queue| match queue {
            Some(_queue) => self.wait_for(until, &mut |files| self.probe(files, one)),
            None => Ok(None),
        });
        Ok(free.map_err(|error| self.failed(error))?.is_some())
    }

    fn failed(&self, error: io::Error) -> SemaphoreError {
        SemaphoreError::System { folder: self.path.clone(), error }
    }

    fn file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(retried(|| openat(&self.folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR))?.into())
    }

    /// Waits for the lock of the queue; `None`: not before `until`.
    fn queue(&self, until: Option<Instant>) -> io::Result<Option<File>> {
        let queue = self.file("queue", OFlag::O_RDONLY | OFlag::O_CREAT)?;
        let lock = |queue: File| loop {
            match queue.lock() {
                Ok(()) => return Ok(queue),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        match (queue.try_lock(), until) {
            (Ok(()), _) => Ok(Some(queue)),
            (Err(TryLockError::Error(error)), _) => Err(error),
            (Err(TryLockError::WouldBlock), None) => lock(queue).map(Some),
            (Err(TryLockError::WouldBlock), Some(until)) => {
                let (sender, locked) = mpsc::sync_channel(0);
                // If the lock comes too late nobody takes it from the channel, and it is released at once.
                thread::Builder::new().name("queue".to_owned()).spawn(move || drop(sender.send(lock(queue))))?;
                match locked.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(queue) => queue.map(Some),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
                }
            }
        }
    }

    /// Tries until there is a place; `None`: not before `until`.
    fn wait_for(
        &self,
        until: Option<Instant>,
        try_once: &mut dyn FnMut(&mut Vec<File>) -> io::Result<Option<File>>,
    ) -> io::Result<Option<File>> {
        let mut files = Vec::new();
        if let Some(place) = try_once(&mut files)? {
            return Ok(Some(place));
        }
        let watch = self.watch();
        let wait_max = if watch.is_some() { RETRY_MAX } else { BLIND_RETRY_MAX };
        let mut wait = RETRY_MIN;
        loop {
            // What has happened between the last try and the watch is found here.
            if let Some(place) = try_once(&mut files)? {
                return Ok(Some(place));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            let length = left.map_or(wait, |left| left.min(wait));
            let has_changed = match &watch {
                Some(watch) => wait_for_change(watch, length)?,
                None => {
                    poll(&mut [], poll_timeout(length)).or_else(ignore_interruption)?;
                    false
                }
            };
            wait = if has_changed { RETRY_MIN } else { (wait * 2).min(wait_max) };
        }
    }

    /// Tells of files that were open for writing and are closed: places. `None`: the system has no watch left.
    fn watch(&self) -> Option<Inotify> {
        let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok()?;
        watch.add_watch(&self.path, AddWatchFlags::IN_CLOSE_WRITE).ok()?;
        Some(watch)
    }

    /// Takes a place if fewer than `places` are held. `files`: those of the places, opened by earlier calls. They are open
    /// for reading only, so that to close them wakes nobody.
    fn probe(&self, files: &mut Vec<File>, places: NonZeroU32) -> io::Result<Option<File>> {
        let (mut held, mut free) = (0, None);
        for number in 0.. {
            if number == files.len() {
                match self.file(&(number + 1).to_string(), OFlag::O_RDONLY) {
                    Ok(file) => files.push(file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error) => return Err(error),
                }
            }
            match files[number].try_lock() {
                Ok(()) => {
                    free = free.or(Some(number));
                    files[number].unlock()?;
                }
                Err(TryLockError::WouldBlock) => held += 1,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        if held >= places.get() {
            return Ok(None);
        }
        // Nobody else tries the places now.
        let number = free.unwrap_or(files.len()) + 1;
        let place = self.file(&number.to_string(), OFlag::O_RDWR | OFlag::O_CREAT)?;
        match place.try_lock() {
            Ok(()) => Ok(Some(place)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn ignore_interruption(errno: Errno) -> Result<i32, Errno> {
    if errno == Errno::EINTR { Ok(0) } else { Err(errno) }
}

/// Rounded up, so that a wait is never over too early.
fn poll_timeout(wait: Duration) -> PollTimeout {
    PollTimeout::try_from(wait.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
}

fn wait_for_change(watch: &Inotify, length: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
    if poll(&mut fds, poll_timeout(length)).or_else(ignore_interruption)? == 0 {
        return Ok(false);
    }
    // They say no more than that they are there.
    while watch.read_events().is_ok() {}
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    fn semaphore(place: &tempfile::TempDir) -> Semaphore {
        Semaphore::open_in(place.path(), OsStr::new("own"), OsStr::new("x")).unwrap()
    }

    fn places(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn as_many_places_are_held_as_there_are_and_each_asks_for_its_own_number() {
        let place = tempfile::tempdir().unwrap();
        let (one, other) = (semaphore(&place), semaphore(&place));
        let first = one.take(places(2), AT_ONCE).unwrap().unwrap();
        let second = other.take(places(2), AT_ONCE).unwrap().unwrap();
        assert!(one.take(places(2), AT_ONCE).unwrap().is_none());
        drop(first);
        assert!(one.take(places(1), AT_ONCE).unwrap().is_none(), "one is held");
        let third = one.take(places(2), AT_ONCE).unwrap();
        assert!(third.is_some());
        assert!(!one.wait_until_free(AT_ONCE).unwrap());
        drop((second, third));
        assert!(one.wait_until_free(AT_ONCE).unwrap());
        assert!(one.take(places(1), AT_ONCE).unwrap().is_some());
        let mode = fs::metadata(place.path().join("own/sem/x/1")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn who_waits_gets_the_place_when_it_is_given_back() {
        let place = tempfile::tempdir().unwrap();
        let held = semaphore(&place).take(places(1), None).unwrap();
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..5)
                .map(|_| scope.spawn(|| drop(semaphore(&place).take(places(1), None).unwrap().unwrap())))
                .collect();
            drop(held);
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        });
        assert!(semaphore(&place).wait_until_free(AT_ONCE).unwrap());
    }

    #[test]
    fn one_who_waits_in_vain_leaves_the_queue() {
        let place = tempfile::tempdir().unwrap();
        let held = semaphore(&place).take(places(1), None).unwrap();
        thread::scope(|scope| {
            // One of the two is at the head of the queue, the other one behind it.
            let in_vain = || semaphore(&place).take(places(1), Some(Duration::from_millis(20))).unwrap().is_none();
            let waiters = [scope.spawn(in_vain), scope.spawn(in_vain)];
            assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        });
        drop(held);
        assert!(semaphore(&place).take(places(1), None).unwrap().is_some());
    }

    #[test]
    fn names_and_folders_that_are_not_safe_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let open = |name: &str| Semaphore::open_in(place.path(), OsStr::new("own"), OsStr::new(name));
        for name in ["", ".", "..", ".x", "a/b", "/", &"x".repeat(256)] {
            assert!(matches!(open(name), Err(SemaphoreError::Name { .. })), "{name}");
        }
        open("fine").unwrap();
        let folder = place.path().join("own/sem");
        symlink("/tmp", folder.join("link")).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        for name in ["link", "file"] {
            assert!(matches!(open(name), Err(SemaphoreError::Unsafe { .. })), "{name}");
        }
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o770)).unwrap();
        let error = open("fine").unwrap_err().to_string();
        assert!(error.ends_with("others may use it (mode 0770); take that right away from them"), "{error}");
    }
}
