//! The run's end of a connection to a client.
//!
//! Invariant: nothing here waits. While more than [`PENDING_BYTES_MAX`] waits for a client, nothing is read from it, so it
//! gets at most one answer more; beyond [`EVENT_BYTES_MAX`] of events it is told so and dropped.

use super::answer::{ControlAnswer, ControlError, ErrorCode};
use super::line_reader::{LineReader, ReadLine};
use super::request::{self, RefusedLine, RequestLine};
use super::{EVENT_BYTES_MAX, PENDING_BYTES_MAX, REQUEST_BYTES_MAX};
use crate::model::time::{Duration, Instant};
use crate::sys::poller::Interest;
use crate::sys::stream_socket::{receive, send_some};
use serde_json::Value;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes that are read at a time: few, so that a client that asks much makes no turn long.
const PIECE_BYTES: usize = 512;
/// A client that takes nothing for this long, although something waits for it, is dropped.
const UNREAD_MAX: Duration = Duration::from_secs(10);

/// The connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A client.
#[derive(Debug)]
pub struct ControlPeer {
    fd: OwnedFd,
    /// The process that connected; 0: in a namespace that is not ours.
    pid: u32,
    lines: LineReader,
    /// What waits for it, from `sent` on.
    out: Vec<u8>,
    sent: usize,
    /// What it was sent last was not the end of a line.
    in_line: bool,
    /// It sends nothing more.
    at_end: bool,
    /// It is dropped when it has what waits for it.
    ends: bool,
    /// Since when it has taken nothing of what waits for it.
    unread_since: Option<Instant>,
    /// It gets the events.
    watches: bool,
    /// The ids of its requests to be told the end of the run.
    waits: Vec<Option<Value>>,
    /// What its descriptor is watched for.
    pub interest: Interest,
}

impl ControlPeer {
    #[must_use]
    pub const fn new(fd: OwnedFd, pid: u32) -> Self {
        Self {
            fd,
            pid,
            lines: LineReader::new(REQUEST_BYTES_MAX),
            out: Vec::new(),
            sent: 0,
            in_line: false,
            at_end: false,
            ends: false,
            unread_since: None,
            watches: false,
            waits: Vec::new(),
            interest: Interest::READ,
        }
    }

    /// The process that connected, if it can be told.
    #[must_use]
    pub const fn pid(&self) -> Option<u32> {
        if self.pid > 0 { Some(self.pid) } else { None }
    }

    /// It sends nothing more.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Reads what has come, at most a piece.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn read(&mut self) -> Result<(), Gone> {
        if self.at_end || !self.takes_requests() {
            return Ok(());
        }
        let mut piece = [0; PIECE_BYTES];
        match receive(&self.fd, &mut piece) {
            Ok(0) => self.at_end = true,
            Ok(count) => self.lines.push(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(Gone),
        }
        Ok(())
    }

    /// The next request of what has been read. Empty lines are none.
    pub fn next_request(&mut self) -> Option<Result<RequestLine, RefusedLine>> {
        while self.takes_requests() {
            match self.lines.next_line() {
                Some(ReadLine::Line(line)) if line.trim_ascii().is_empty() => {}
                Some(ReadLine::Line(line)) => return Some(request::read(&line)),
                Some(ReadLine::TooLong) => {
                    let text = format!("a request has at most {REQUEST_BYTES_MAX} bytes");
                    return Some(Err(RefusedLine { id: None, error: ControlError::new(ErrorCode::TooLong, text) }));
                }
                None if self.at_end => return self.lines.take_rest().map(|line| request::read(&line)),
                None => return None,
            }
        }
        None
    }

    /// Whether there is a request that can be taken at once.
    #[must_use]
    pub fn has_request(&self) -> bool {
        self.takes_requests() && (self.lines.has_line() || (self.at_end && self.lines.unread_bytes() > 0))
    }

    const fn takes_requests(&self) -> bool {
        !self.ends && self.pending_bytes() <= PENDING_BYTES_MAX
    }

    #[must_use]
    pub const fn pending_bytes(&self) -> usize {
        self.out.len() - self.sent
    }

    pub fn answer(&mut self, answer: &ControlAnswer) {
        answer.write(&mut self.out);
    }

    /// It gets the events from now on.
    pub const fn watch(&mut self) {
        self.watches = true;
    }

    #[must_use]
    pub const fn watches(&self) -> bool {
        self.watches
    }

    /// It is told the end of the run, as the answer to the request of this id. `false`: it has asked too often.
    pub fn await_end(&mut self, id: Option<Value>) -> bool {
        let has_room = self.waits.len() < super::CLIENTS_MAX;
        if has_room {
            self.waits.push(id);
        }
        has_room
    }

    /// The run has ended.
    pub fn tell_end(&mut self, exit: u8) {
        for id in std::mem::take(&mut self.waits) {
            self.answer(&ControlAnswer { exit: Some(exit), ..ControlAnswer::done(id) });
        }
        (self.watches, self.ends) = (false, true);
    }

    /// Appends lines of events, if it gets them. With too much of them it is dropped, and told so.
    pub fn push_events(&mut self, lines: &[u8]) {
        if !self.watches {
            return;
        }
        if self.pending_bytes() + lines.len() <= EVENT_BYTES_MAX {
            self.out.extend_from_slice(lines);
        } else {
            self.drop_slow();
        }
    }

    /// What waits is dropped, but for the rest of a line that it has the beginning of.
    pub fn drop_slow(&mut self) {
        let rest = &self.out[self.sent..];
        let kept = if self.in_line { memchr::memchr(b'\n', rest).map_or(0, |end| end + 1) } else { 0 };
        self.out.truncate(self.sent + kept);
        let text = "the client takes less than happens; it gets no further event".to_owned();
        self.answer(&ControlAnswer::refused(None, ControlError::new(ErrorCode::TooSlow, text)));
        (self.watches, self.ends) = (false, true);
    }

    /// Writes what it takes at the moment.
    ///
    /// # Errors
    /// It is gone, or is to be dropped and has everything.
    pub fn flush(&mut self, now: Instant) -> Result<(), Gone> {
        while self.pending_bytes() > 0 {
            match send_some(&self.fd, &self.out[self.sent..]) {
                Ok(count) => {
                    self.sent += count;
                    self.in_line = self.sent > 0 && self.out.get(self.sent - 1) != Some(&b'\n');
                    self.unread_since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(Gone),
            }
        }
        if self.pending_bytes() > 0 {
            self.unread_since.get_or_insert(now);
            if self.sent > PENDING_BYTES_MAX {
                self.out.drain(..self.sent);
                self.sent = 0;
            }
            return Ok(());
        }
        self.out.clear();
        self.out.shrink_to(PENDING_BYTES_MAX);
        (self.sent, self.unread_since) = (0, None);
        let is_done = self.at_end && !self.has_request() && !self.watches && self.waits.is_empty();
        if self.ends || is_done { Err(Gone) } else { Ok(()) }
    }

    /// When it is dropped if it takes nothing until then.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.unread_since.map(|since| since + UNREAD_MAX)
    }

    /// What its descriptor has to be watched for.
    #[must_use]
    pub fn wanted_interest(&self) -> Interest {
        Interest { read: !self.at_end && self.takes_requests(), write: self.pending_bytes() > 0 || self.has_request() }
    }
}

impl AsFd for ControlPeer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::ControlRequest;
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::UnixStream;

    const NOW: Instant = Instant::ZERO;

    fn pair() -> (ControlPeer, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ControlPeer::new(ours.into(), 7), theirs)
    }

    fn requests(peer: &mut ControlPeer) -> Vec<String> {
        std::iter::from_fn(|| peer.next_request())
            .map(|read| match read {
                Ok(line) => format!("{:?}", line.request),
                Err(refused) => refused.error.text,
            })
            .collect()
    }

    #[test]
    fn requests_come_in_pieces_and_the_last_one_needs_no_newline() {
        let (mut peer, mut client) = pair();
        for byte in b"\n{\"request\":\"ping\"}\n\n{\"request\":\"dra" {
            client.write_all(&[*byte]).unwrap();
            peer.read().unwrap();
        }
        assert!(peer.has_request());
        assert_eq!(requests(&mut peer), ["Ping"]);
        client.write_all(b"in\"}").unwrap();
        peer.read().unwrap();
        assert!(!peer.has_request());
        client.shutdown(std::net::Shutdown::Write).unwrap();
        peer.read().unwrap();
        assert_eq!(requests(&mut peer), ["Drain"]);
        assert!(!peer.wanted_interest().read, "its end of file is read once");
        peer.answer(&ControlAnswer::done(None));
        assert_eq!(peer.flush(NOW), Err(Gone), "it has its answer");
        drop(peer);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "{\"version\":1,\"ok\":true}\n");
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_what_follows_counts() {
        let (mut peer, mut client) = pair();
        let mut found = Vec::new();
        for _ in 0..3 * REQUEST_BYTES_MAX / PIECE_BYTES {
            client.write_all(&[b'x'; PIECE_BYTES]).unwrap();
            peer.read().unwrap();
            found.extend(requests(&mut peer));
            assert!(peer.lines.unread_bytes() <= REQUEST_BYTES_MAX);
        }
        client.write_all(b"\n{\"request\":\"ping\"}\n").unwrap();
        peer.read().unwrap();
        found.extend(requests(&mut peer));
        assert_eq!(found, ["a request has at most 4096 bytes", "Ping"]);
    }

    #[test]
    fn a_client_that_does_not_read_its_answers_is_not_read_from() {
        let (mut peer, mut client) = pair();
        let line = request::write(&ControlRequest::Ping, 1);
        client.set_nonblocking(true).unwrap();
        let mut answered = 0;
        // Until neither side takes anything.
        for _ in 0..100_000 {
            let sent = client.write(&line).is_ok();
            peer.read().unwrap();
            while let Some(Ok(read)) = peer.next_request() {
                peer.answer(&ControlAnswer::done(read.id));
                answered += 1;
            }
            peer.flush(NOW).unwrap();
            assert!(peer.pending_bytes() <= PENDING_BYTES_MAX + 100);
            if !sent && !peer.wanted_interest().read {
                break;
            }
        }
        assert!(answered > 100 && !peer.wanted_interest().read);
        assert_eq!(peer.deadline(), Some(NOW + UNREAD_MAX));
        // Whoever reads then gets all of it.
        let reader = std::thread::spawn(move || {
            client.set_nonblocking(false).unwrap();
            BufReader::new(client).lines().map_while(Result::ok).count()
        });
        while peer.pending_bytes() > 0 {
            peer.flush(NOW).unwrap();
        }
        assert_eq!(peer.deadline(), None);
        drop(peer);
        assert_eq!(reader.join().unwrap(), answered);
    }

    #[test]
    fn a_client_that_takes_less_than_happens_is_told_why_it_is_dropped() {
        let (mut peer, client) = pair();
        peer.watch();
        let event = [&b"{\"event\":\""[..], &[b'x'; 5000], b"\"}\n"].concat();
        while peer.watches() {
            peer.push_events(&event);
            peer.flush(NOW).unwrap();
            assert!(peer.pending_bytes() <= EVENT_BYTES_MAX);
        }
        peer.push_events(&event);
        let reader = std::thread::spawn(move || {
            let lines: Vec<String> = BufReader::new(client).lines().map_while(Result::ok).collect();
            lines
        });
        while peer.flush(NOW).is_ok() {}
        drop(peer);
        let lines = reader.join().unwrap();
        let (last, events) = lines.split_last().unwrap();
        assert!(!events.is_empty() && events.iter().all(|line| line.len() == event.len() - 1), "each line is whole");
        assert!(last.contains("too_slow"), "{last}");
    }

    #[test]
    fn the_end_of_the_run_answers_each_request_to_be_told() {
        let (mut peer, mut client) = pair();
        assert!(peer.await_end(Some(1.into())) && peer.await_end(Some(2.into())));
        peer.flush(NOW).unwrap();
        peer.tell_end(3);
        assert_eq!(peer.flush(NOW), Err(Gone));
        drop(peer);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        let lines =
            "{\"version\":1,\"id\":1,\"ok\":true,\"exit\":3}\n{\"version\":1,\"id\":2,\"ok\":true,\"exit\":3}\n";
        assert_eq!(text, lines);
    }
}
