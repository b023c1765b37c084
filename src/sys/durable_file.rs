//! A file that is appended to by one process, and that is there after a crash: opened by nobody else's will, locked, with
//! space reserved ahead.
//!
//! Invariant: bytes lie where they were appended, or the append has failed; after a failure nothing more is written. The
//! file is another user's, a link, or anything but a regular file in no case.

use super::interruption::retried;
use super::record_lock;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::unistd::{fdatasync, fsync, geteuid};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Space is reserved in steps: an eighth of what is there, within these bounds.
const STEP_BYTES_MIN: u64 = 1 << 20;
const STEP_BYTES_MAX: u64 = 64 << 20;

/// A file whose name another one takes again and again, while it is opened, counts as locked.
const REPLACED_MAX: u32 = 16;

/// Why a file is not taken. The texts follow its path.
#[derive(Debug, thiserror::Error)]
pub enum DurableFileError {
    #[error("it is a {what}; give the name of a regular file")]
    NoFile { what: &'static str },
    #[error("it belongs to another user (uid {uid})")]
    Foreign { uid: u32 },
    #[error("another process has locked it")]
    Locked,
    #[error("its file system has no locks ({error}), so that nothing keeps a second run from writing it")]
    NoLocks { error: io::Error },
    #[error("{0}")]
    Open(io::Error),
}

/// What a record is appended to: a [`DurableFile`], or a simulated one.
pub trait AppendedFile: fmt::Debug {
    /// As [`DurableFile::end`].
    fn end(&self) -> u64;
    /// As [`DurableFile::append`].
    ///
    /// # Errors
    /// Those of it.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// As [`DurableFile::sync`].
    ///
    /// # Errors
    /// Those of it.
    fn sync(&mut self) -> io::Result<()>;
    /// As [`DurableFile::give_back_space`].
    fn give_back_space(&mut self);
}

impl<F: FileCalls> AppendedFile for DurableFile<F> {
    fn end(&self) -> u64 {
        self.end
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        Self::append(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Self::sync(self)
    }

    fn give_back_space(&mut self) {
        Self::give_back_space(self);
    }
}

/// The calls of the system by which a file is changed: those of a [`File`], or of a simulated disk.
pub trait FileCalls: fmt::Debug {
    /// Writes some of these bytes at this offset, and returns how many (`pwrite(2)`).
    ///
    /// # Errors
    /// Nothing was written.
    fn write_some_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Reserves space from this offset on; the length of the file stays (`fallocate(2)`).
    ///
    /// # Errors
    /// There is no space, or the file system cannot reserve any.
    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Makes what was written safe from the end of the machine (`fdatasync(2)`).
    ///
    /// # Errors
    /// It is not safe.
    fn sync_data(&mut self) -> io::Result<()>;
    /// Cuts the file to this length, and frees what is reserved behind it (`ftruncate(2)`).
    ///
    /// # Errors
    /// It is as it was.
    fn cut_to(&mut self, bytes: u64) -> io::Result<()>;
}

impl FileCalls for File {
    fn write_some_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.write_at(bytes, offset)
    }

    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        let (offset, bytes) = (offset.cast_signed(), bytes.cast_signed());
        Ok(retried(|| fallocate(&*self, FallocateFlags::FALLOC_FL_KEEP_SIZE, offset, bytes))?)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(retried(|| fdatasync(&*self))?)
    }

    fn cut_to(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

/// The file.
#[derive(Debug)]
pub struct DurableFile<F = File> {
    file: F,
    /// Where the next bytes go.
    end: u64,
    /// Space is reserved up to here.
    reserved: u64,
    /// The file system can reserve space.
    reserves: bool,
    /// Why nothing more is written.
    failed: Option<io::ErrorKind>,
}

impl DurableFile {
    /// Opens the file, or makes it with mode 0600. `unlocked`: also on a file system that has no locks.
    ///
    /// # Errors
    /// It is not a file of ours alone; it is as it was then.
    pub fn open(path: &Path, unlocked: bool) -> Result<Self, DurableFileError> {
        Self::open_with(path, unlocked, record_lock::lock_open_file)
    }

    /// The same, and waits as long as another process has locked it.
    ///
    /// # Errors
    /// As of [`DurableFile::open`].
    pub fn open_in_turn(path: &Path) -> Result<Self, DurableFileError> {
        Self::open_with(path, false, record_lock::wait_for_open_file)
    }

    fn open_with(
        path: &Path,
        unlocked: bool,
        lock: impl Fn(&File) -> io::Result<()>,
    ) -> Result<Self, DurableFileError> {
        for _ in 0..REPLACED_MAX {
            let file = Self::open_named(path, unlocked, &lock)?;
            // Before the lock was had, another file may have taken the name (`sys/replaced_file.rs`).
            if file.has_name(path) {
                return Ok(file);
            }
        }
        Err(DurableFileError::Locked)
    }

    /// Makes a file that is not there, with mode 0600, and locks it.
    ///
    /// # Errors
    /// Something has this name, or those of the system.
    pub fn make(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
        record_lock::lock_open_file(&file)?;
        Ok(Self::of(file, 0))
    }

    /// Whether the name is that of this file.
    #[must_use]
    pub fn has_name(&self, path: &Path) -> bool {
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let own = self.file.metadata().map(identity);
        own.is_ok_and(|own| path.symlink_metadata().is_ok_and(|named| identity(named) == own))
    }

    fn open_named(
        path: &Path,
        unlocked: bool,
        lock: impl Fn(&File) -> io::Result<()>,
    ) -> Result<Self, DurableFileError> {
        refuse_other_kinds(path)?;
        // Of a name that has become something else meanwhile.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.bits());
        let file = options.open(path).map_err(DurableFileError::Open)?;
        let metadata = file.metadata().map_err(DurableFileError::Open)?;
        if !metadata.is_file() {
            return Err(DurableFileError::NoFile { what: "device or a pipe" });
        }
        if metadata.uid() != geteuid().as_raw() {
            return Err(DurableFileError::Foreign { uid: metadata.uid() });
        }
        match lock(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(DurableFileError::Locked),
            Err(_) if unlocked => {}
            Err(error) => return Err(DurableFileError::NoLocks { error }),
        }
        if metadata.mode() & 0o077 != 0 {
            file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(DurableFileError::Open)?;
        }
        // Whoever had the lock may have appended.
        let end = file.metadata().map_err(DurableFileError::Open)?.len();
        Ok(Self::of(file, end))
    }

    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }
}

impl<F: FileCalls> DurableFile<F> {
    /// Of a file that has so many bytes and is nobody else's.
    pub const fn of(file: F, bytes: u64) -> Self {
        Self { file, end: bytes, reserved: bytes, reserves: true, failed: None }
    }

    /// Where the next bytes go.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Appends bytes. They are there if every process dies, and not yet if the machine does.
    ///
    /// # Errors
    /// The disk is full, and the like; some of the bytes may be there. Nothing more can be appended.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        let written = self.reserve(bytes.len() as u64).and_then(|()| self.write_all(bytes));
        self.end += bytes.len() as u64;
        self.noted(written)
    }

    /// Makes what was appended safe from the end of the machine.
    ///
    /// # Errors
    /// It is not safe, and never will be: what the system has not written it may have thrown away, and a later call would
    /// succeed (fsync(2), Notes). So nothing more can be appended.
    pub fn sync(&mut self) -> io::Result<()> {
        self.check()?;
        let synced = self.file.sync_data();
        self.noted(synced)
    }

    /// Cuts off what lies behind this offset.
    ///
    /// # Errors
    /// Those of ftruncate(2).
    pub fn cut(&mut self, end: u64) -> io::Result<()> {
        self.check()?;
        let cut = self.file.cut_to(end);
        (self.end, self.reserved) = (end, end);
        self.noted(cut)
    }

    /// Gives back the space that is reserved and not used.
    pub fn give_back_space(&mut self) {
        if self.failed.is_none() && self.reserved > self.end {
            // The bytes are there in any case.
            let _ = self.file.cut_to(self.end);
            self.reserved = self.end;
        }
    }

    fn check(&self) -> io::Result<()> {
        self.failed.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn noted(&mut self, done: io::Result<()>) -> io::Result<()> {
        self.failed = self.failed.or(done.as_ref().err().map(io::Error::kind));
        done
    }

    /// A full disk is known by this before bytes are written in part.
    fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        let end = self.end + bytes;
        if end <= self.reserved || !self.reserves {
            return Ok(());
        }
        let step = (self.end / 8).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX);
        // As much as is needed is better than nothing.
        let wanted = self.allocate(end + step).or_else(|error| match has_no_space(&error) {
            true => self.allocate(end),
            false => Err(error),
        });
        match wanted {
            Ok(reserved) => self.reserved = reserved,
            Err(error) if has_no_space(&error) => return Err(error),
            // The file system cannot: a write will tell.
            Err(_) => self.reserves = false,
        }
        Ok(())
    }

    fn allocate(&mut self, end: u64) -> io::Result<u64> {
        let from = self.reserved.max(self.end);
        self.file.reserve(from, end.saturating_sub(from))?;
        Ok(end)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write_some_at(&bytes[written..], self.end + written as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether an error says that the disk, the quota or the limit of the size of a file is full.
fn has_no_space(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG))
}

impl AsFd for DurableFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Makes the name of a new file safe from the end of the machine.
///
/// # Errors
/// The folder cannot be opened, or the disk has failed.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(parent)?;
    Ok(retried(|| fsync(&folder))?)
}

fn refuse_other_kinds(path: &Path) -> Result<(), DurableFileError> {
    let Ok(there) = path.symlink_metadata() else { return Ok(()) };
    let kind = there.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_symlink() => "symbolic link",
        () if kind.is_dir() => "folder",
        () if kind.is_fifo() => "named pipe",
        () if kind.is_socket() => "socket",
        () => "device",
    };
    Err(DurableFileError::NoFile { what })
}

/// Opens a file that was just closed: until its `exec`, a child of another thread has a copy of the descriptor.
///
/// # Panics
/// It is refused for another reason.
#[cfg(test)]
pub fn reopened(path: &Path) -> DurableFile {
    loop {
        match DurableFile::open(path, false) {
            Err(DurableFileError::Locked) => std::thread::yield_now(),
            file => break file.unwrap(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_ours_alone_and_grows_by_what_is_appended() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        let mut file = DurableFile::open(&path, false).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        file.append(b"one").unwrap();
        file.append(b" two").unwrap();
        file.sync().unwrap();
        assert_eq!((file.end(), std::fs::read(&path).unwrap().as_slice()), (7, &b"one two"[..]));
        assert!(path.metadata().unwrap().blocks() * 512 >= STEP_BYTES_MIN, "space is reserved");
        assert!(matches!(DurableFile::open(&path, false), Err(DurableFileError::Locked)));
        assert!(matches!(DurableFile::open(&path, true), Err(DurableFileError::Locked)));
        file.cut(3).unwrap();
        file.append(b"!").unwrap();
        file.give_back_space();
        assert!(path.metadata().unwrap().blocks() * 512 < STEP_BYTES_MIN, "and given back");
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"one!");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        let file = reopened(&path);
        assert_eq!((file.end(), path.metadata().unwrap().mode() & 0o777), (4, 0o600));
        sync_folder_of(&path).unwrap();
        sync_folder_of(Path::new("name")).unwrap();
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused_and_stays() {
        let place = tempfile::tempdir().unwrap();
        let words = |name: &str| DurableFile::open(&place.path().join(name), false).unwrap_err().to_string();
        symlink(place.path().join("nowhere"), place.path().join("link")).unwrap();
        nix::unistd::mkfifo(&place.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(words("link"), "it is a symbolic link; give the name of a regular file");
        assert!(words("fifo").starts_with("it is a named pipe") && words("").starts_with("it is a folder"));
        assert!(words("missing/file").starts_with("No such file"));
        assert!(!place.path().join("nowhere").exists());
        let device = DurableFile::open(Path::new("/dev/null"), false).unwrap_err().to_string();
        assert_eq!(device, "it is a device; give the name of a regular file");
    }

    #[test]
    fn nothing_is_written_behind_a_failure() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        let mut file = DurableFile::open(&path, false).unwrap();
        file.append(b"one").unwrap();
        file.file = File::open(&path).unwrap();
        file.reserves = false;
        assert!(file.append(b"two").is_err());
        file.file = OpenOptions::new().write(true).open(&path).unwrap();
        assert!(file.append(b"three").is_err() && file.sync().is_err() && file.cut(0).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }

    /// Answers to calls, in order; then everything succeeds.
    #[derive(Debug, Default)]
    struct ScriptedFile {
        bytes: Vec<u8>,
        /// Bytes that a write takes, or an error.
        answers: VecDeque<Result<usize, Errno>>,
        calls: String,
    }

    impl ScriptedFile {
        fn answer(&mut self, call: &str) -> io::Result<usize> {
            self.calls.push_str(call);
            self.answers.pop_front().unwrap_or(Ok(usize::MAX)).map_err(Into::into)
        }
    }

    impl FileCalls for ScriptedFile {
        fn write_some_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            let taken = self.answer("w")?.min(bytes.len());
            self.bytes.truncate(offset as usize);
            self.bytes.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }
        fn reserve(&mut self, _: u64, bytes: u64) -> io::Result<()> {
            self.answer(if bytes > STEP_BYTES_MIN { "R" } else { "r" }).map(drop)
        }
        fn sync_data(&mut self) -> io::Result<()> {
            self.answer("s").map(drop)
        }
        fn cut_to(&mut self, bytes: u64) -> io::Result<()> {
            self.bytes.truncate(bytes as usize);
            self.answer("c").map(drop)
        }
    }

    /// Appends twice and syncs. Returns the calls, what they led to, and what is in the file.
    fn appended(answers: &[Result<usize, Errno>]) -> (String, String, String) {
        let script = ScriptedFile { answers: answers.iter().copied().collect(), ..ScriptedFile::default() };
        let mut file = DurableFile::of(script, 0);
        let done = [file.append(b"first,"), file.append(b"second"), file.sync(), file.cut(12)];
        let done = done.map(|done| if done.is_ok() { '+' } else { '-' });
        file.give_back_space();
        (file.file.calls, done.iter().collect(), String::from_utf8(file.file.bytes).unwrap())
    }

    #[test]
    fn short_and_interrupted_writes_are_gone_on_with_and_the_first_error_is_the_last_call() {
        let full = Err(Errno::ENOSPC);
        let space = Ok(0);
        let cases: &[(&[_], [&str; 3])] = &[
            (&[], ["Rwwsc", "++++", "first,second"]),
            (&[space, Ok(2), Err(Errno::EINTR), Ok(1)], ["Rwwwwwsc", "++++", "first,second"]),
            // A part of it is there.
            (&[space, Ok(2), Err(Errno::EFBIG)], ["Rww", "----", "fi"]),
            (&[space, Ok(9), Ok(3), Err(Errno::EDQUOT)], ["Rwww", "+---", "first,sec"]),
            (&[space, Ok(0)], ["Rw", "----", ""]),
            (&[space, Ok(9), Ok(9), Err(Errno::EIO)], ["Rwws", "++--", "first,second"]),
            // No space ahead, or none at all, or a file system that reserves none.
            (&[full], ["RrwRwsc", "++++", "first,second"]),
            (&[full, full], ["Rr", "----", ""]),
            (&[Err(Errno::EOPNOTSUPP)], ["Rwwsc", "++++", "first,second"]),
        ];
        for (answers, [calls, done, bytes]) in cases {
            let expected = ((*calls).to_owned(), (*done).to_owned(), (*bytes).to_owned());
            assert_eq!(appended(answers), expected, "{answers:?}");
        }
    }
}
