//! The rendezvous: how a worker process gets its ends of the channels of `ipc-channel`.
//!
//! The library connects processes by the name of a socket in the file system, which accepts one connection. The worker
//! gets the name, connects, and sends a channel of its own, through which it receives its two ends. `accept` waits, for
//! ever if no worker connects, so a thread calls it. The thread ends when the worker has connected; if the worker exits
//! before that, the supervisor connects itself to end the thread.
//!
//! The library puts each socket into a folder with a random name under TMPDIR. The socket is moved at once into one
//! folder of the run, which other users may not enter, and whose name the guard knows.
//!
//! Invariant: a socket has a name from the opening of its channel to the worker's connection, or to the channel's
//! end, whatever comes first. The folder exists from the first socket to the end of the transport and of all
//! channels.

use crate::sys::guard::Leftover;
use crate::sys::{access, fd, random, socket};
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fmt::Debug;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

/// Longest path of a socket (`sun_path` in `unix(7)`, with its NUL). The library cuts longer ones.
const PATH_BYTES_MAX: usize = 107;

/// The longest suffix behind the temporary folder in such a path: the run's folder and the number of a place.
const PATH_BYTES_BELOW: usize = "/supervisor-0123456789abcdef0123456789abcdef/4294967295".len();

/// Names beyond one for each worker that the guard knows: for workers that were replaced, and for slots that were
/// added. More are possible; a supervisor that is killed just then leaves their sockets behind.
const PLACES_MORE: u32 = 64;

/// The thread accepts one connection and one small message.
const STACK_BYTES: usize = 256 * 1024;

/// The first message of a worker: the channel for the answer.
#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    answer: IpcSender<Ends>,
}

/// The answer: the worker's ends of the two channels.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ends {
    pub items: IpcBytesReceiver,
    pub results: IpcBytesSender,
}

/// Why there can be no rendezvous; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SocketFolderError {
    #[error(
        "make sockets in {}, the temporary folder: its path must be UTF-8 and at most {max} bytes long, and has {bytes}; \
         set TMPDIR to another",
        path.display()
    )]
    Path { path: PathBuf, bytes: usize, max: usize },
    #[error("make sockets in {}, the temporary folder: {error}; create it, or set TMPDIR to another", path.display())]
    Unusable { path: PathBuf, error: io::Error },
}

/// The folder of one run.
pub(super) struct SocketFolder {
    path: PathBuf,
    /// The number of names that the guard knows.
    places: u32,
    /// Every name that was in use is below this number.
    places_used: AtomicU32,
    is_made: AtomicBool,
}

impl SocketFolder {
    /// Checks that sockets can have a name below the temporary folder.
    pub(super) fn check() -> Result<(), SocketFolderError> {
        let path = std::env::temp_dir();
        let bytes = path.as_os_str().len();
        let max = PATH_BYTES_MAX - PATH_BYTES_BELOW;
        if path.to_str().is_none() || bytes > max {
            return Err(SocketFolderError::Path { path, bytes, max });
        }
        access::may_create_in(&path).map_err(|error| SocketFolderError::Unusable { path, error })
    }

    /// Names the folder. It is made with the first socket: by then the guard knows of it.
    pub(super) fn new(workers: u32) -> io::Result<Self> {
        let name = random::name("supervisor-")?;
        let path = std::env::temp_dir().join(name.to_str().map_err(io::Error::other)?);
        let places = workers.saturating_add(PLACES_MORE);
        Ok(Self { path, places, places_used: AtomicU32::new(0), is_made: AtomicBool::new(false) })
    }

    fn place(&self, number: u32) -> PathBuf {
        self.path.join(number.to_string())
    }

    /// The names that the guard has to remove.
    pub(super) fn leftovers(&self) -> Vec<Leftover> {
        let c_string = |path: &Path| CString::new(path.as_os_str().as_bytes()).ok();
        let places = (0..self.places).filter_map(|number| c_string(&self.place(number))).map(Leftover::File);
        places.chain(c_string(&self.path).map(Leftover::Folder)).collect()
    }

    /// Starts a thread that waits for a worker to connect and sends it its ends.
    pub(super) fn expect_worker(self: &Arc<Self>, ends: Ends) -> io::Result<Rendezvous> {
        if !self.is_made.load(Ordering::Acquire) {
            DirBuilder::new().mode(0o700).create(&self.path)?;
            self.is_made.store(true, Ordering::Release);
        }
        let (server, made) = fd::with_files_for_us_alone(IpcOneShotServer::<Greeting>::new)?;
        let moved = self.take_over(Path::new(&made));
        // The library's folder is removed in any case.
        let _ = fs::remove_file(&made);
        let _ = Path::new(&made).parent().map(fs::remove_dir);
        let rendezvous = Rendezvous { path: moved?, is_over: Arc::default(), _folder: Arc::clone(self) };
        let (path, is_over) = (rendezvous.path.clone(), Arc::clone(&rendezvous.is_over));
        thread::Builder::new().name("rendezvous".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            // On any failure the ends are dropped, and the supervisor's side sees that the worker's is closed.
            let came = server.accept();
            remove_once(&path, &is_over);
            if let Ok((connection, greeting)) = came
                && is_of_this_user(&connection)
            {
                let _ = greeting.answer.send(ends);
            }
        })?;
        Ok(rendezvous)
    }

    /// Moves a socket to a free place in this folder.
    fn take_over(&self, made: &Path) -> io::Result<PathBuf> {
        for number in 0..u32::MAX {
            let place = self.place(number);
            match fs::hard_link(made, &place) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                linked => {
                    self.places_used.fetch_max(number + 1, Ordering::AcqRel);
                    return linked.map(|()| place);
                }
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        for number in 0..self.places_used.load(Ordering::Acquire) {
            let _ = fs::remove_file(self.place(number));
        }
        let _ = fs::remove_dir(&self.path);
    }
}

/// The rendezvous with one worker.
pub(super) struct Rendezvous {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
    _folder: Arc<SocketFolder>,
}

impl Rendezvous {
    /// The path for the worker.
    pub(super) fn name(&self) -> io::Result<String> {
        self.path.to_str().map(str::to_owned).ok_or_else(|| ErrorKind::InvalidInput.into())
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        if !self.is_over.load(Ordering::Acquire) {
            // No worker has connected: this connection ends the thread, and sends nothing.
            let _ = socket::connect_and_close(&self.path);
            remove_once(&self.path, &self.is_over);
        }
    }
}

/// Once only: after that the place may belong to another socket.
fn remove_once(path: &Path, is_over: &AtomicBool) {
    if !is_over.swap(true, Ordering::AcqRel) {
        let _ = fs::remove_file(path);
    }
}

fn is_of_this_user(connection: &impl Debug) -> bool {
    let peer = descriptor(connection).and_then(socket::peer);
    peer.is_ok_and(|peer| peer.uid == socket::Peer::this_process().uid)
}

/// A second descriptor of the socket behind an end of a channel. The library shows its number only in its debug
/// output; that it is such a socket is checked, and the library is pinned to one version.
pub(super) fn descriptor(end: &impl Debug) -> io::Result<OwnedFd> {
    let found = fd::duplicate(number_in(&format!("{end:?}")).ok_or(ErrorKind::Unsupported)?)?;
    if socket::is_of_packets(&found) { Ok(found) } else { Err(ErrorKind::Unsupported.into()) }
}

/// The first number behind `fd:`.
fn number_in(text: &str) -> Option<RawFd> {
    let (_, behind) = text.split_once("fd: ")?;
    let digits = behind.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The worker's side: connects to the rendezvous of this name.
pub(super) fn join(name: &str) -> io::Result<Ends> {
    let (answer, answered) = ipc::channel()?;
    let supervisor = IpcSender::connect(name.to_owned())?;
    supervisor.send(Greeting { answer }).map_err(io::Error::other)?;
    answered.recv().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_where_the_library_shows_them() {
        assert_eq!(number_in("IpcBytesSender { os_sender: OsIpcSender { fd: SharedFileDescriptor(7) } }"), Some(7));
        assert_eq!(number_in("OsIpcReceiver { fd: Cell { value: 12 } }"), Some(12));
        assert_eq!(number_in("OsIpcReceiver { socket: 3 }"), None);
        assert_eq!(number_in("fd: none"), None);
        let (sender, receiver) = ipc::bytes_channel().unwrap();
        assert!(descriptor(&sender).is_ok() && descriptor(&receiver).is_ok());
    }

    #[test]
    fn a_socket_has_a_name_until_the_worker_connects_or_never_will() {
        let ends = || {
            let ((_, items), (results, _)) = (ipc::bytes_channel().unwrap(), ipc::bytes_channel().unwrap());
            Ends { items, results }
        };
        let folder = Arc::new(SocketFolder::new(1).unwrap());
        let names = || fs::read_dir(&folder.path).unwrap().count();
        let [came, never] = [(); 2].map(|()| folder.expect_worker(ends()).unwrap());
        assert_eq!(names(), 2);
        join(&came.name().unwrap()).unwrap();
        assert_eq!(names(), 1);
        drop(never);
        assert_eq!(names(), 0);
        let kept: Vec<_> = (0..PLACES_MORE + 3).map(|_| folder.expect_worker(ends()).unwrap()).collect();
        assert_eq!(names(), kept.len(), "more than the guard knows");
        assert_eq!(folder.leftovers().len(), 1 + PLACES_MORE as usize + 1);
        drop(kept);
        assert_eq!(names(), 0);
        let path = folder.path.clone();
        drop((came, folder));
        assert!(!path.exists());
    }
}
