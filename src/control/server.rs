//! The socket of a run and its clients.
//!
//! Invariant: a client is of the same user as the run, whatever the rights of the socket's file are, and there are at most
//! as many as are allowed; others are told why they are not let in.

use super::answer::{ControlAnswer, ControlError, ErrorCode};
use super::peer::ControlPeer;
use super::place;
use crate::model::time::Instant;
use crate::sys::own_process;
use crate::sys::private_folder::{NamedSocket, PrivateFolder, PrivateFolderError};
use crate::sys::stream_socket::{accept, send_some};
use crate::sys::{random, socket};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Why a run has no socket. Completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ControlSocketError {
    #[error("use the folder {}: {error}", folder.display())]
    Folder { folder: PathBuf, error: PrivateFolderError },
    #[error("make a socket in {}: {error}", folder.display())]
    Socket { folder: PathBuf, error: io::Error },
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connected {
    /// A client with this id.
    Client(u32),
    /// It was told why it is not let in.
    Refused,
    Nobody,
}

/// The run's side of control.
#[derive(Debug)]
pub struct ControlServer {
    /// `None`: nobody is let in any more.
    socket: Option<NamedSocket>,
    peers: BTreeMap<u32, ControlPeer>,
    next_id: u32,
    clients_max: usize,
}

impl ControlServer {
    /// Listens in this folder, which is made if it is not there. Sockets of runs that are dead are removed from it.
    ///
    /// # Errors
    /// The folder is not safe; the system is short of something.
    pub fn open(folder: &Path, pid: u32, clients_max: usize) -> Result<Self, ControlSocketError> {
        let opened = PrivateFolder::open_or_create(folder);
        let opened = opened.map_err(|error| ControlSocketError::Folder { folder: folder.to_owned(), error })?;
        let opened = Rc::new(opened);
        opened.remove_dead();
        let socket = random::bytes().and_then(|random| opened.listen(&place::names_of_run(pid, random)));
        let socket = socket.map_err(|error| ControlSocketError::Socket { folder: folder.to_owned(), error })?;
        Ok(Self { socket: Some(socket), peers: BTreeMap::new(), next_id: 0, clients_max })
    }

    /// Takes the next connection.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn accept(&mut self) -> io::Result<Connected> {
        let Some(socket) = &self.socket else { return Ok(Connected::Nobody) };
        let Some(fd) = accept(socket)? else { return Ok(Connected::Nobody) };
        let pid = match self.admit(&fd) {
            Ok(pid) => pid,
            Err(error) => {
                let mut line = Vec::new();
                ControlAnswer::refused(None, error).write(&mut line);
                // The buffer of a new connection has room for it.
                let _ = send_some(&fd, &line);
                return Ok(Connected::Refused);
            }
        };
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.peers.insert(id, ControlPeer::new(fd, pid));
        Ok(Connected::Client(id))
    }

    fn admit(&self, fd: &OwnedFd) -> Result<u32, ControlError> {
        let (own, _) = own_process::user_and_group();
        let pid = match socket::peer(fd) {
            Ok(peer) if peer.uid == own => Ok(peer.pid),
            Ok(peer) => Err(format!("the run belongs to user {own}, and the client to user {}", peer.uid)),
            Err(error) => Err(format!("the user of the client is not known: {error}")),
        };
        let pid = pid.map_err(|text| ControlError::new(ErrorCode::OtherUser, text))?;
        if self.peers.len() >= self.clients_max {
            let text = format!("the run has {} clients, which is the most; try again", self.clients_max);
            return Err(ControlError::new(ErrorCode::TooManyClients, text));
        }
        Ok(pid)
    }

    pub fn peer(&mut self, id: u32) -> Option<&mut ControlPeer> {
        self.peers.get_mut(&id)
    }

    pub fn peers(&mut self) -> impl Iterator<Item = (u32, &mut ControlPeer)> {
        self.peers.iter_mut().map(|(id, peer)| (*id, peer))
    }

    #[must_use]
    pub fn has_clients(&self) -> bool {
        !self.peers.is_empty()
    }

    /// Whether somebody gets the events.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.peers.values().any(ControlPeer::watches)
    }

    /// Ends a connection.
    pub fn remove(&mut self, id: u32) -> Option<ControlPeer> {
        self.peers.remove(&id)
    }

    /// When a client is dropped that takes nothing.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.peers.values().filter_map(ControlPeer::deadline).min()
    }

    /// The process of a client, if it can be told.
    #[must_use]
    pub fn pid_of(&self, id: u32) -> Option<u32> {
        self.peers.get(&id)?.pid()
    }

    /// Where clients connect, if they can.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        self.socket.as_ref().map(NamedSocket::path)
    }

    /// Readable when a client connects.
    #[must_use]
    pub fn listener(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Lets nobody in any more, and removes the name. Those who are in stay.
    pub fn close(&mut self) {
        self.socket = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixStream;

    fn first_line(stream: UnixStream) -> String {
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn one_client_too_many_is_told_so() {
        let place = tempfile::tempdir().unwrap();
        let mut server = ControlServer::open(&place.path().join("x"), 7, 2).unwrap();
        let clients: Vec<UnixStream> = (0..3).map(|_| UnixStream::connect(server.path().unwrap()).unwrap()).collect();
        let accepted: Vec<Connected> = (0..4).map(|_| server.accept().unwrap()).collect();
        assert_eq!(accepted, [Connected::Client(0), Connected::Client(1), Connected::Refused, Connected::Nobody]);
        let [_one, _two, three] = clients.try_into().unwrap();
        let line = first_line(three);
        assert!(line.contains("too_many_clients") && line.contains("has 2 clients"), "{line}");
        assert!(server.has_clients() && !server.is_watched());
        drop(server.remove(0));
        let _again = UnixStream::connect(server.path().unwrap()).unwrap();
        assert_eq!(server.accept().unwrap(), Connected::Client(2), "an id is never used twice");
    }

    #[test]
    fn a_folder_that_is_not_safe_is_refused_in_words() {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("link");
        symlink(place.path(), &link).unwrap();
        let error = ControlServer::open(&link, 7, 1).unwrap_err().to_string();
        assert!(error.contains("use the folder") && error.contains("symbolic link"), "{error}");
    }
}
