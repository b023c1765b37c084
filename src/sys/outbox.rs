//! Output to stdout or stderr, written without ever blocking.
//!
//! stdout is inherited and its open file is shared with the user's shell and with other programs, so it is never made
//! non-blocking. How a write is kept from blocking depends on the kind of file:
//!
//! | stdout is | method |
//! |---|---|
//! | a regular file, `/dev/null` | plain writes, which do not block |
//! | a pipe, a terminal | opened again by `/proc/self/fd/N`: an open file of our own, which may be non-blocking |
//! | a socket | `MSG_DONTWAIT` |
//! | anything else, and what cannot be opened again | `poll`, then at most a page (a terminal: less) per write, with `RWF_NOWAIT` where possible |
//!
//! Bytes that cannot be written yet wait in a queue, in memory or in a spill file, as they are or as a [`Rewrite`] makes
//! them. Invariant: bytes are written in the order in which they were pushed, each once, and what a spill file or a
//! rewrite holds is in memory a staging area at a time.

use super::interruption::retried;
pub use super::rewrite::Rewrite;
use super::rewrite::{Rewriting, STAGING_BYTES};
use super::spill::SpilledContent;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{Mode, SFlag, fstat, major, minor};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// [`Outbox::pass`] copies fewer bytes than this, so that many small pieces are written together.
const PASSED_BYTES_MIN: usize = 16 * 1024;

/// A pipe that is ready takes a page (`pipe(7)`).
const PAGE_BYTES: usize = 4096;

/// A terminal that is ready takes at least this much (`WAKEUP_CHARS` of the kernel's `n_tty.c`).
const TERMINAL_BYTES: usize = 256;

/// What is left after a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing.
    All,
    /// Some bytes: flush again when [`Outbox::watch_fd`] is writable.
    Blocked,
}

/// Bytes that wait to be written to one file descriptor. The default has no descriptor and keeps everything in memory.
#[derive(Debug, Default)]
pub struct Outbox {
    sink: Option<Sink>,
    /// The pieces before `memory`.
    earlier: VecDeque<Piece>,
    /// How many bytes of the first piece are written: of the first of `earlier`, or of `memory` if there is none.
    written: usize,
    memory: Vec<u8>,
    /// Nothing is written before [`Outbox::flush`].
    waits_for_flush: bool,
    /// Bytes were dropped.
    is_cleared: bool,
}

#[derive(Debug)]
enum Piece {
    Memory(Vec<u8>),
    Spilled(Spilled),
}

/// Content of a spill file, of which at most [`STAGING_BYTES`] are in memory at a time.
#[derive(Debug)]
struct Spilled {
    /// The bytes that are still in the file.
    content: SpilledContent,
    rewriting: Option<Rewriting>,
    /// The bytes before `content`, as they are written.
    staging: Vec<u8>,
}

#[derive(Debug)]
struct Sink {
    fd: OwnedFd,
    way: Way,
    unread: Option<Unread>,
    /// The byte that was written last; a newline before the first one.
    last: Cell<u8>,
    /// Bytes that were written.
    sent: Cell<u64>,
}

/// A FIFO that no process has read from yet.
#[derive(Debug)]
struct Unread {
    /// Its reading end, so that writes do not fail.
    _reader: OwnedFd,
    /// Bytes that were written to it.
    sent: u64,
}

/// How to write without blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The file never blocks, or it is our own non-blocking open file.
    Plain,
    Socket,
    /// Poll first, then write at most this many bytes.
    Ask(usize),
}

impl Outbox {
    /// An outbox for this fd. The caller keeps the fd; the outbox has a duplicate.
    ///
    /// # Errors
    /// The fd is not open, or the system is short of descriptors.
    pub fn new(fd: impl AsFd) -> io::Result<Self> {
        Ok(Self { sink: Some(Sink::new(fd.as_fd())?), ..Self::default() })
    }

    /// An outbox for a file that this program has opened itself, with `O_NONBLOCK`. `reader`: the reading end of a FIFO
    /// that is empty; it is held until another process has read from the FIFO.
    #[must_use]
    pub fn of_own_file(fd: OwnedFd, reader: Option<OwnedFd>) -> Self {
        let unread = reader.map(|reader| Unread { _reader: reader, sent: 0 });
        Self {
            sink: Some(Sink { fd, way: Way::Plain, unread, last: Cell::new(b'\n'), sent: Cell::new(0) }),
            ..Self::default()
        }
    }

    /// From now on bytes are written by [`Outbox::flush`] alone: something else is on the same terminal, and has to be
    /// erased first.
    pub const fn wait_for_flush(&mut self) {
        self.waits_for_flush = true;
    }

    /// Whether what was written so far ends with a newline, or is nothing.
    #[must_use]
    pub fn ends_line(&self) -> bool {
        self.sink.as_ref().is_none_or(|sink| sink.last.get() == b'\n')
    }

    /// Whether no other process has read from this FIFO. Nothing reports when one does.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.sink.as_ref().is_some_and(|sink| sink.unread.is_some())
    }

    /// The end of the queue, in memory: append to it, and do not change the bytes that are there.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    /// Takes bytes off the front of the memory that were written another way, as a simulated stream takes them.
    pub fn drop_written(&mut self, bytes: usize) {
        let bytes = self.memory.drain(..bytes.min(self.memory.len())).count() as u64;
        if let Some(sink) = &self.sink {
            sink.sent.set(sink.sent.get() + bytes);
        }
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Appends many bytes. If nothing waits before them, they are written at once, and only the rest is copied.
    pub fn pass(&mut self, bytes: &[u8]) {
        let mut written = 0;
        if bytes.len() >= PASSED_BYTES_MIN
            && !self.waits_for_flush
            && (self.is_empty() || matches!(self.flush(), Ok(Flushed::All)))
            && let Some(sink) = &self.sink
        {
            // The error will occur again when the rest is written.
            let _ = sink.write(bytes, &mut written);
        }
        self.push(bytes.get(written..).unwrap_or_default());
    }

    /// Appends the content of a spill file. The outbox owns the content and frees it as it writes.
    pub fn push_spilled(&mut self, content: SpilledContent) {
        self.push_piece(Spilled { content, rewriting: None, staging: Vec::new() });
    }

    /// Appends the content of a spill file and `tail` behind it, rewritten. What fits into a staging area is rewritten at
    /// once, and the rest when it is its turn.
    pub fn push_rewritten<R: Rewrite + 'static>(&mut self, content: SpilledContent, mut tail: &[u8], mut rewrite: R) {
        if content.is_empty() {
            let full_bytes = self.memory.len() + STAGING_BYTES;
            while !tail.is_empty() && self.memory.len() < full_bytes {
                tail = &tail[rewrite.rewrite(tail, &mut self.memory, full_bytes)..];
            }
            if tail.is_empty() {
                return rewrite.finish(&mut self.memory);
            }
        }
        let (rewrite, tail) = (Box::new(rewrite), tail.to_vec());
        let rewriting = Rewriting { rewrite, raw: Vec::new(), taken: 0, tail, finished: false };
        self.push_piece(Spilled { content, rewriting: Some(rewriting), staging: Vec::new() });
    }

    fn push_piece(&mut self, spilled: Spilled) {
        if self.memory.len() > self.written_of_memory() {
            self.earlier.push_back(Piece::Memory(std::mem::take(&mut self.memory)));
        } else if self.earlier.is_empty() {
            // All of `memory` is written. With earlier pieces, `written` counts within the first of them.
            self.memory.clear();
            self.written = 0;
        }
        self.earlier.push_back(Piece::Spilled(spilled));
    }

    /// How many bytes were written.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sink.as_ref().map_or(0, |sink| sink.sent.get())
    }

    /// Whether all that was appended has been written.
    #[must_use]
    pub fn has_sent_all(&self) -> bool {
        self.is_empty() && !self.is_cleared
    }

    /// How many bytes are written once all that waits is; `None`: that cannot be told, since some are still to be rewritten, or
    /// some were dropped.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        let rewrites = |piece: &Piece| matches!(piece, Piece::Spilled(Spilled { rewriting: Some(_), .. }));
        (!self.is_cleared && !self.earlier.iter().any(rewrites)).then(|| self.sent() + self.len())
    }

    /// How many bytes wait. Those that are still to be rewritten count as what they are, not as what they become.
    #[must_use]
    pub fn len(&self) -> u64 {
        let earlier: u64 = self.earlier.iter().map(Piece::len).sum();
        (earlier + self.memory.len() as u64).saturating_sub(self.written as u64)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The fd to watch for being writable while bytes wait. It may be a regular file, which cannot be watched and is
    /// always ready. `None`: the outbox is memory only.
    #[must_use]
    pub fn watch_fd(&self) -> Option<BorrowedFd<'_>> {
        self.sink.as_ref().map(|sink| sink.fd.as_fd())
    }

    /// Drops all bytes that wait: the reader is gone.
    pub fn clear(&mut self) {
        self.is_cleared |= !self.is_empty();
        self.earlier.clear();
        self.memory.clear();
        self.written = 0;
    }

    /// Writes what can be written without blocking. Without a file descriptor everything moves to [`Self::buffer`].
    ///
    /// # Errors
    /// `BrokenPipe`: the reader is gone (SIGPIPE is ignored, see [`super::signals::normalise`]). Those of `write(2)`
    /// and of the spill file. Bytes that were not written still wait.
    pub fn flush(&mut self) -> io::Result<Flushed> {
        if !self.is_unread() {
            return self.write();
        }
        let before = self.len();
        let flushed = self.write();
        let sent = before - self.len();
        if let Some(sink) = &mut self.sink {
            sink.note_sent(sent);
        }
        flushed
    }

    fn write(&mut self) -> io::Result<Flushed> {
        let Some(sink) = &self.sink else { return self.move_to_memory() };
        while let Some(piece) = self.earlier.front_mut() {
            let bytes = match piece {
                Piece::Memory(bytes) => bytes,
                Piece::Spilled(spilled) => {
                    if !spilled.stage()? {
                        self.earlier.pop_front();
                        continue;
                    }
                    &mut spilled.staging
                }
            };
            if sink.write(bytes, &mut self.written)? == Flushed::Blocked {
                return Ok(Flushed::Blocked);
            }
            self.written = 0;
            match piece {
                Piece::Memory(_) => drop(self.earlier.pop_front()),
                Piece::Spilled(spilled) => spilled.staging.clear(),
            }
        }
        let flushed = sink.write(&self.memory, &mut self.written)?;
        self.forget_written();
        Ok(flushed)
    }

    /// Moves everything to [`Self::buffer`], also what is in a spill file.
    ///
    /// # Errors
    /// The spill file cannot be read; what was not moved still waits.
    pub fn move_to_memory(&mut self) -> io::Result<Flushed> {
        let mut whole = Vec::new();
        while let Some(piece) = self.earlier.front_mut() {
            let moved = match piece {
                Piece::Memory(bytes) => {
                    whole.append(bytes);
                    Ok(())
                }
                Piece::Spilled(spilled) => spilled.move_to(&mut whole),
            };
            if let Err(error) = moved {
                self.earlier.push_front(Piece::Memory(whole));
                return Err(error);
            }
            self.earlier.pop_front();
        }
        if !whole.is_empty() {
            whole.append(&mut self.memory);
            self.memory = whole;
        }
        Ok(Flushed::All)
    }

    fn written_of_memory(&self) -> usize {
        if self.earlier.is_empty() { self.written } else { 0 }
    }

    /// Frees the memory of written bytes, without moving the rest after each write.
    fn forget_written(&mut self) {
        if self.written == self.memory.len() {
            self.memory.clear();
        } else if self.written > self.memory.len() / 2 {
            self.memory.drain(..self.written);
        } else {
            return;
        }
        self.written = 0;
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spilled(Spilled { content, rewriting, staging }) => {
                let raw = rewriting.as_ref().map_or(0, |rewriting| rewriting.raw_bytes());
                staging.len() as u64 + content.bytes() + raw
            }
        }
    }
}

impl Spilled {
    /// Moves the next bytes to `staging` unless it holds some; false: no bytes are left.
    fn stage(&mut self) -> io::Result<bool> {
        if self.staging.is_empty() {
            match &mut self.rewriting {
                None => self.content.take_front(&mut self.staging, STAGING_BYTES)?,
                Some(rewriting) => rewriting.stage(&mut self.content, &mut self.staging)?,
            }
        }
        Ok(!self.staging.is_empty())
    }

    fn move_to(&mut self, memory: &mut Vec<u8>) -> io::Result<()> {
        while self.stage()? {
            memory.append(&mut self.staging);
        }
        Ok(())
    }
}

impl Sink {
    fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let (way, again) = way_of(fd)?;
        let own = if again { open_again(fd) } else { None };
        let (fd, way) = match own {
            Some(fd) => (fd, Way::Plain),
            None => (fd.try_clone_to_owned()?, way),
        };
        Ok(Self { fd, way, unread: None, last: Cell::new(b'\n'), sent: Cell::new(0) })
    }

    /// Lets go of the reading end once another process has read some of what was sent: when that goes away, a write
    /// fails. Whether another process has the FIFO open does not tell: a child that is starting has a copy of our end.
    fn note_sent(&mut self, bytes: u64) {
        let Some(unread) = &mut self.unread else { return };
        unread.sent += bytes;
        // What is in the FIFO stays there as long as one end is open.
        if super::fd::unread_bytes(&self.fd).is_ok_and(|left| left < unread.sent) {
            self.unread = None;
        }
    }

    /// Writes the bytes from `written` on, and advances `written`.
    fn write(&self, bytes: &[u8], written: &mut usize) -> io::Result<Flushed> {
        while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
            match self.write_once(rest) {
                Ok(count) => {
                    *written += count;
                    self.sent.set(self.sent.get() + count as u64);
                    self.last.set(rest[..count].last().copied().unwrap_or(self.last.get()));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(Flushed::Blocked),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(Flushed::All)
    }

    fn write_once(&self, bytes: &[u8]) -> nix::Result<usize> {
        match self.way {
            Way::Plain => nix::unistd::write(&self.fd, bytes),
            Way::Socket => send(self.fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL),
            Way::Ask(bytes_max) => {
                let mut asked = [PollFd::new(self.fd.as_fd(), PollFlags::POLLOUT)];
                if poll(&mut asked, PollTimeout::ZERO)? == 0 {
                    return Err(Errno::EAGAIN);
                }
                write_at_once(self.fd.as_fd(), bytes.get(..bytes_max).unwrap_or(bytes))
            }
        }
    }
}

/// A write to an open file of others that does not wait, where the system can do that: another process may have filled
/// the pipe since we asked. Elsewhere a plain write.
fn write_at_once(fd: BorrowedFd<'_>, bytes: &[u8]) -> nix::Result<usize> {
    let slice = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: the system reads the bytes of the slice, which outlives the call. -1 stands for the file's own position.
    let written = unsafe { libc::pwritev2(fd.as_raw_fd(), &raw const slice, 1, -1, libc::RWF_NOWAIT) };
    match Errno::result(written) {
        // A kind of file, or a system, without such a write; or a seccomp profile that does not know the call.
        Err(Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS | Errno::EPERM) => nix::unistd::write(fd, bytes),
        written => written.map(isize::unsigned_abs),
    }
}

/// How to write to this fd, and whether to try to open it again first.
fn way_of(fd: BorrowedFd<'_>) -> io::Result<(Way, bool)> {
    let status = fstat(fd)?;
    let device = (major(status.st_rdev), minor(status.st_rdev));
    Ok(match SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => (Way::Plain, false),
        SFlag::S_IFSOCK => (Way::Socket, false),
        SFlag::S_IFIFO => (Way::Ask(PAGE_BYTES), true),
        // /dev/null; the master side of a terminal, which would be another terminal if it were opened again.
        SFlag::S_IFCHR if device == (1, 3) => (Way::Plain, false),
        SFlag::S_IFCHR if device == (5, 2) => (Way::Ask(TERMINAL_BYTES), false),
        SFlag::S_IFCHR if nix::unistd::isatty(fd).unwrap_or(false) => (Way::Ask(TERMINAL_BYTES), true),
        _ => (Way::Ask(PAGE_BYTES), false),
    })
}

/// An open file of our own. `None`: the file belongs to another user (`su`), `/proc` is not mounted, the reader is
/// gone, or the fd is read-only.
fn open_again(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let access = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).ok()?) & OFlag::O_ACCMODE;
    if access == OFlag::O_RDONLY {
        return None;
    }
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    retried(|| nix::fcntl::open(path.as_str(), flags, Mode::empty())).ok()
}

#[cfg(test)]
mod tests {
    use super::super::poller::{Added, Interest, Poller};
    use super::super::spill::SpillFile;
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::fd::FromRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    fn is_nonblocking(fd: impl AsFd) -> bool {
        OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap()).contains(OFlag::O_NONBLOCK)
    }

    fn numbers() -> Vec<u8> {
        (0..200_000).flat_map(|number| format!("{number}\n").into_bytes()).collect()
    }

    /// Pushes more than fits, checks that the flush does not block, then reads everything.
    fn check_never_waits(mut outbox: Outbox, original: impl AsFd, mut reader: impl Read + Send + 'static) {
        outbox.push(&numbers());
        let total = outbox.len();
        assert_eq!(outbox.flush().unwrap(), Flushed::Blocked);
        assert!(!outbox.is_empty() && outbox.len() < total);
        assert!(!is_nonblocking(&original));
        let bytes = numbers().len();
        let reading = std::thread::spawn(move || {
            let mut received = vec![0; bytes];
            reader.read_exact(&mut received).map(|()| received).unwrap()
        });
        let mut poller = Poller::new().unwrap();
        let mut ready = Vec::new();
        assert_eq!(poller.add(outbox.watch_fd().unwrap(), Interest::WRITE, 0).unwrap(), Added::Watched);
        while outbox.flush().unwrap() == Flushed::Blocked {
            poller.wait(&mut ready, None).unwrap();
        }
        assert!(outbox.is_empty());
        assert_eq!(reading.join().unwrap(), numbers());
    }

    fn asking(fd: impl AsFd, bytes_max: usize) -> Outbox {
        let fd = fd.as_fd().try_clone_to_owned().unwrap();
        Outbox {
            sink: Some(Sink { fd, way: Way::Ask(bytes_max), unread: None, last: Cell::new(b'\n'), sent: Cell::new(0) }),
            ..Outbox::default()
        }
    }

    #[test]
    fn passed_bytes_are_written_at_once_if_possible_and_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outbox = Outbox::new(&writer).unwrap();
        let large = vec![b'l'; PASSED_BYTES_MIN];
        outbox.pass(&large);
        assert!(outbox.is_empty());
        outbox.pass(b"small");
        assert_eq!(outbox.len(), 5);
        outbox.pass(&large);
        assert!(outbox.is_empty(), "the small piece was written first");
        // More than fits: the rest waits, and so does the next piece.
        outbox.pass(&numbers());
        let waiting = outbox.len();
        assert!(waiting > 0 && waiting < numbers().len() as u64);
        outbox.pass(&large);
        assert_eq!(outbox.len(), waiting + large.len() as u64);
        let expected = [&large[..], b"small", &large, &numbers(), &large].concat();
        let bytes = expected.len();
        let reading = std::thread::spawn(move || {
            let mut received = vec![0; bytes];
            reader.read_exact(&mut received).map(|()| received).unwrap()
        });
        while outbox.flush().unwrap() == Flushed::Blocked {
            std::thread::yield_now();
        }
        assert!(reading.join().unwrap() == expected);
        drop(writer);
        outbox.pass(&large);
        assert_eq!(outbox.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_full_pipe_does_not_block() {
        let (reader, writer) = io::pipe().unwrap();
        check_never_waits(Outbox::new(&writer).unwrap(), &writer, reader);
    }

    #[test]
    fn a_full_pipe_that_cannot_be_opened_again_does_not_block() {
        let (reader, writer) = io::pipe().unwrap();
        check_never_waits(asking(&writer, PAGE_BYTES), &writer, reader);
    }

    #[test]
    fn a_full_socket_does_not_block() {
        let (reader, writer) = UnixStream::pair().unwrap();
        check_never_waits(Outbox::new(&writer).unwrap(), &writer, reader);
    }

    /// A raw terminal: the master side, the program's side.
    fn terminal() -> (File, File) {
        let (mut master, mut slave) = (-1, -1);
        // SAFETY: the pointers are to memory of the right type, or null, which is allowed; the fds are new.
        unsafe {
            let null = std::ptr::null_mut();
            assert_eq!(libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()), 0);
            let mut settings = std::mem::MaybeUninit::<libc::termios>::zeroed();
            libc::tcgetattr(slave, settings.as_mut_ptr());
            libc::cfmakeraw(settings.as_mut_ptr());
            libc::tcsetattr(slave, libc::TCSANOW, settings.as_ptr());
            (File::from_raw_fd(master), File::from_raw_fd(slave))
        }
    }

    #[test]
    fn a_full_terminal_does_not_block() {
        let (keyboard, program) = terminal();
        check_never_waits(Outbox::new(&program).unwrap(), &program, keyboard);
        let (keyboard, program) = terminal();
        check_never_waits(asking(&program, TERMINAL_BYTES), &program, keyboard);
    }

    #[test]
    fn a_reader_that_left_is_reported() {
        let (reader, writer) = io::pipe().unwrap();
        let (other, socket) = UnixStream::pair().unwrap();
        let boxes = [Outbox::new(&writer).unwrap(), asking(&writer, PAGE_BYTES), Outbox::new(&socket).unwrap()];
        drop((reader, other));
        // The last one is opened after the reader is gone.
        for mut outbox in boxes.into_iter().chain([Outbox::new(&writer).unwrap()]) {
            outbox.push(b"x");
            assert_eq!(outbox.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(outbox.len(), 1);
            outbox.clear();
            assert_eq!(outbox.flush().unwrap(), Flushed::All);
        }
    }

    #[test]
    fn a_file_is_written_at_its_present_position() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before ").unwrap();
        let mut outbox = Outbox::new(&file).unwrap();
        outbox.push(b"pushed ");
        outbox.buffer().extend_from_slice(b"appended");
        assert_eq!(outbox.flush().unwrap(), Flushed::All);
        let mut content = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "before pushed appended");
    }

    #[test]
    fn a_full_disk_is_reported() {
        let mut outbox = Outbox::new(File::options().write(true).open("/dev/full").unwrap()).unwrap();
        outbox.push(b"x");
        assert_eq!(outbox.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    fn spilled(parts: &[&[u8]]) -> (Arc<SpillFile>, SpilledContent) {
        let (file, mut content, mut other) =
            (Arc::new(SpillFile::new()), SpilledContent::default(), SpilledContent::default());
        for part in parts {
            content.push(&file, part).unwrap();
            // So that the parts are not adjacent in the file.
            other.push(&file, b"other").unwrap();
        }
        (file, content)
    }

    #[test]
    fn spilled_content_that_is_written_in_part_is_not_repeated_when_more_follows() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outbox = Outbox::new(&writer).unwrap();
        let big = numbers();
        let (_first, one) = spilled(&[&big]);
        let (_second, other) = spilled(&[b"the next result\n", &big]);
        outbox.push_spilled(one);
        // The pipe takes a part of the first content. Nothing is in memory when the second content comes.
        assert_eq!(outbox.flush().unwrap(), Flushed::Blocked);
        outbox.push_spilled(other);
        let expected = [big.as_slice(), b"the next result\n", &big].concat();
        let read = std::thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            read
        });
        while outbox.flush().unwrap() == Flushed::Blocked {
            let mut poller = Poller::new().unwrap();
            poller.add(outbox.watch_fd().unwrap(), Interest::WRITE, 0).unwrap();
            poller.wait(&mut Vec::new(), None).unwrap();
        }
        drop((outbox, writer));
        assert!(read.join().unwrap() == expected);
    }

    #[test]
    fn spilled_bytes_are_written_in_their_turn_and_freed() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outbox = Outbox::new(&writer).unwrap();
        let big = numbers();
        let (file, content) = spilled(&[b"first\n", &big]);
        outbox.push(b"in front\n");
        outbox.push_spilled(content);
        outbox.push(b"behind\n");
        let expected = [b"in front\nfirst\n", big.as_slice(), b"behind\n"].concat();
        assert_eq!(outbox.len(), expected.len() as u64);
        let bytes = expected.len();
        assert_eq!(outbox.flush().unwrap(), Flushed::Blocked);
        assert!(outbox.len() < bytes as u64);
        assert!(file.live_bytes() > 0 && file.live_bytes() < bytes as u64);
        let reading = std::thread::spawn(move || {
            let mut received = vec![0; bytes];
            reader.read_exact(&mut received).map(|()| received).unwrap()
        });
        let mut poller = Poller::new().unwrap();
        poller.add(outbox.watch_fd().unwrap(), Interest::WRITE, 0).unwrap();
        while outbox.flush().unwrap() == Flushed::Blocked {
            poller.wait(&mut Vec::new(), None).unwrap();
        }
        assert_eq!((outbox.len(), file.live_bytes()), (0, 0));
        assert!(reading.join().unwrap() == expected);
    }

    /// Writes each byte a number of times, and then how many there were.
    #[derive(Debug)]
    struct Repeated {
        times: usize,
        bytes: usize,
    }

    impl Rewrite for Repeated {
        fn rewrite(&mut self, bytes: &[u8], into: &mut Vec<u8>, full_bytes: usize) -> usize {
            let mut taken = 0;
            for byte in bytes {
                into.extend(std::iter::repeat_n(*byte, self.times));
                taken += 1;
                if into.len() >= full_bytes {
                    break;
                }
            }
            self.bytes += taken;
            taken
        }
        fn finish(&mut self, into: &mut Vec<u8>) {
            into.extend_from_slice(format!(" {}", self.bytes).as_bytes());
        }
    }

    #[test]
    fn content_is_rewritten_across_its_pieces() {
        let (file, content) = spilled(&[b"ab", b"c", b"", b"d"]);
        let mut outbox = Outbox::default();
        outbox.push(b"x ");
        outbox.push_rewritten(content, b"ef", Repeated { times: 2, bytes: 0 });
        outbox.push(b";");
        outbox.push_rewritten(SpilledContent::default(), b"gh", Repeated { times: 3, bytes: 0 });
        assert_eq!(outbox.flush().unwrap(), Flushed::All);
        assert_eq!(outbox.buffer(), b"x aabbccddeeff 6;ggghhh 2");
        assert_eq!(file.live_bytes(), 0);
        assert!(outbox.watch_fd().is_none());
    }

    #[test]
    fn what_is_rewritten_is_in_memory_a_staging_area_at_a_time() {
        const TIMES: usize = 50_000;
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outbox = Outbox::new(&writer).unwrap();
        outbox.push_rewritten(SpilledContent::default(), &[b'm'; 1000], Repeated { times: TIMES, bytes: 0 });
        let (_file, content) = spilled(&[&[b'f'; 1000]]);
        outbox.push_rewritten(content, &[b't'; 1000], Repeated { times: TIMES, bytes: 0 });
        drop(writer);
        let reading = std::thread::spawn(move || {
            let mut received = Vec::new();
            reader.read_to_end(&mut received).map(|_| received).unwrap()
        });
        let mut poller = Poller::new().unwrap();
        poller.add(outbox.watch_fd().unwrap(), Interest::WRITE, 0).unwrap();
        while outbox.flush().unwrap() == Flushed::Blocked {
            assert!(outbox.len() < (4 * STAGING_BYTES) as u64, "{} bytes wait", outbox.len());
            poller.wait(&mut Vec::new(), None).unwrap();
        }
        drop(outbox);
        let repeated = |byte: u8| vec![byte; 1000 * TIMES];
        let expected = [repeated(b'm'), b" 1000".to_vec(), repeated(b'f'), repeated(b't'), b" 2000".to_vec()].concat();
        assert!(reading.join().unwrap() == expected);
    }

    #[test]
    fn content_that_cannot_be_read_still_waits() {
        let mut outbox = Outbox::default();
        let (file, content) = spilled(&[b"lost"]);
        outbox.push(b"in front");
        outbox.push_spilled(content);
        outbox.push(b"behind");
        file.truncate(0);
        assert_eq!(outbox.flush().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!((outbox.len(), file.live_bytes()), (18, 4));
        outbox.clear();
        assert_eq!((outbox.len(), file.live_bytes()), (0, 0));
    }

    #[test]
    fn cleared_content_is_freed() {
        let (_reader, writer) = io::pipe().unwrap();
        let mut outbox = Outbox::new(&writer).unwrap();
        let (file, content) = spilled(&[&numbers(), b"more"]);
        outbox.push_spilled(content);
        assert_eq!(outbox.flush().unwrap(), Flushed::Blocked);
        outbox.clear();
        assert_eq!((outbox.len(), file.live_bytes()), (0, 0));
        assert_eq!((outbox.end(), outbox.has_sent_all()), (None, false), "what is behind it cannot be told");
    }
}
