//! A process that sends back what it gets, over five means: the measured part of the lesson `ipc`.

use super::actor::{Actor, part_command};
use super::error::TourError;
use crate::sys::memfd::SharedWords;
use crate::sys::mqueue::{self, Shape};
use crate::sys::poller::{Interest, Poller};
use crate::sys::{clock, random, socket, spill};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::process::{ExitCode, Stdio};
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;

/// Bytes of a message.
pub const MESSAGE_BYTES: usize = 32;
pub const ROUND_TRIPS: u32 = 100;

/// The means by name, in the order of the lesson.
pub const MEANS: [&str; 5] = ["pipe", "socket", "mqueue", "file", "shm"];

type EchoMessage = [u8; MESSAGE_BYTES];
/// Sends a message and returns what came back.
type EchoTrip = Box<dyn FnMut(&EchoMessage) -> io::Result<EchoMessage>>;

/// In a file: where each side writes. A number above the message counts them, and is written last.
const QUESTION_AT: u64 = 0;
const ANSWER_AT: u64 = 64;
/// In shared words: a counter and a message of 4 words for each side, which do not share a cache line.
const MESSAGE_WORDS: usize = MESSAGE_BYTES / 8;
const QUESTION_WORD: usize = 0;
const ANSWER_WORD: usize = 16;
const WORDS: usize = 32;

/// What was measured over one means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoFigures {
    /// The median of the round trips.
    pub median_ns: u64,
    /// Messages that came back unchanged, of [`ROUND_TRIPS`].
    pub unchanged: u32,
}

/// Measures round trips over this means.
///
/// # Errors
/// The system refuses what the means needs.
pub fn measured(means: &'static str) -> Result<EchoFigures, TourError> {
    let failed = || TourError::system("send a message to another process and back");
    let (_echoer, mut round_trip) = connected(means)?;
    let (mut times, mut unchanged) = (Vec::new(), 0);
    for number in 0..ROUND_TRIPS {
        let mut message = [0; MESSAGE_BYTES];
        message.fill(number as u8);
        message[..4].copy_from_slice(&number.to_le_bytes());
        let begin = clock::monotonic_ns();
        let answer = round_trip(&message).map_err(failed())?;
        times.push(clock::monotonic_ns() - begin);
        unchanged += u32::from(answer == message);
    }
    times.sort_unstable();
    Ok(EchoFigures { median_ns: times[times.len() / 2], unchanged })
}

fn connected(means: &'static str) -> Result<(Actor, EchoTrip), TourError> {
    let failed = || TourError::system("connect two processes");
    let mut command = part_command("echoer", &[means]);
    Ok(match means {
        "mqueue" => {
            let (question_out, question_in) = queue()?;
            let (answer_out, answer_in) = queue()?;
            command.stdin(Stdio::from(question_out)).stdout(Stdio::from(answer_in));
            let mut end = QueueEnd::new(answer_out, question_in).map_err(failed())?;
            let round_trip = move |message: &EchoMessage| {
                end.send(message)?;
                end.receive()
            };
            (Actor::of_command("echoer", command)?, Box::new(round_trip))
        }
        "pipe" => {
            let (theirs, mut question) = io::pipe().map_err(failed())?;
            let (mut answer, their_end) = io::pipe().map_err(failed())?;
            command.stdin(Stdio::from(theirs)).stdout(Stdio::from(their_end));
            (
                Actor::of_command("echoer", command)?,
                Box::new(move |message| {
                    question.write_all(message)?;
                    whole(&mut answer)
                }),
            )
        }
        "socket" => {
            let (ours, theirs) = socket::pair().map_err(failed())?;
            let mut ours = File::from(ours);
            command.stdin(Stdio::from(theirs)).stdout(Stdio::null());
            (
                Actor::of_command("echoer", command)?,
                Box::new(move |message| {
                    ours.write_all(message)?;
                    whole(&mut ours)
                }),
            )
        }
        "file" => {
            let ours = spill::nameless_file(&std::env::temp_dir()).map_err(failed())?;
            command.stdin(Stdio::from(ours.try_clone().map_err(failed())?)).stdout(Stdio::null());
            let mut count = 0;
            (
                Actor::of_command("echoer", command)?,
                Box::new(move |message| {
                    count += 1;
                    put_in_file(&ours, QUESTION_AT, count, message)?;
                    take_from_file(&ours, ANSWER_AT, count)
                }),
            )
        }
        _ => {
            let (words, fd) = SharedWords::create(WORDS).map_err(failed())?;
            command.stdin(Stdio::from(fd)).stdout(Stdio::null());
            let mut count = 0;
            (
                Actor::of_command("echoer", command)?,
                Box::new(move |message| {
                    count += 1;
                    put_in_words(&words, QUESTION_WORD, count, message);
                    Ok(take_from_words(&words, ANSWER_WORD, count))
                }),
            )
        }
    })
}

/// The part `echoer MEANS`: sends back what it gets, until there is no more, or the lesson ends it.
pub fn echoer_part(arguments: &[OsString]) -> io::Result<ExitCode> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    match arguments.first().and_then(|means| means.to_str()) {
        Some("mqueue") => {
            let mut end = QueueEnd::new(stdin, io::stdout().as_fd().try_clone_to_owned()?)?;
            loop {
                let message = end.receive()?;
                end.send(&message)?;
            }
        }
        Some("file") => {
            let file = File::from(stdin);
            for count in 1.. {
                let message = take_from_file(&file, QUESTION_AT, count)?;
                put_in_file(&file, ANSWER_AT, count, &message)?;
            }
        }
        Some("shm") => {
            let words = SharedWords::from_fd(stdin)?;
            for count in 1.. {
                let message = take_from_words(&words, QUESTION_WORD, count);
                put_in_words(&words, ANSWER_WORD, count, &message);
            }
        }
        means => {
            let mut input = File::from(stdin.try_clone()?);
            let mut output =
                File::from(if means == Some("socket") { stdin } else { io::stdout().as_fd().try_clone_to_owned()? });
            while let Ok(message) = whole(&mut input) {
                output.write_all(&message)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn whole(from: &mut impl Read) -> io::Result<EchoMessage> {
    let mut message = [0; MESSAGE_BYTES];
    from.read_exact(&mut message)?;
    Ok(message)
}

/// A queue for a few messages: the end to receive from, and the end to send to.
pub fn queue() -> Result<(OwnedFd, OwnedFd), TourError> {
    let refused = || TourError::system("make a message queue");
    let name = random::name("/supervisor-tour-").map_err(refused())?;
    mqueue::open(&name, Shape { messages: 4, bytes: MESSAGE_BYTES as u32 }).map_err(refused())
}

/// One side of two queues, which do not block by themselves.
struct QueueEnd {
    from: OwnedFd,
    to: OwnedFd,
    poller: Poller,
}

impl QueueEnd {
    fn new(from: OwnedFd, to: OwnedFd) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(&from, Interest::READ, 0)?;
        Ok(Self { from, to, poller })
    }

    /// Never full: there is one message at a time.
    fn send(&self, message: &EchoMessage) -> io::Result<()> {
        mqueue::send(&self.to, message)
    }

    fn receive(&mut self) -> io::Result<EchoMessage> {
        let mut message = [0; MESSAGE_BYTES];
        loop {
            match mqueue::receive(&self.from, &mut message) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.poller.wait(&mut Vec::new(), None)?,
                received => return received.map(|_| message),
            }
        }
    }
}

fn put_in_file(file: &File, at: u64, count: u64, message: &EchoMessage) -> io::Result<()> {
    file.write_all_at(message, at + 8)?;
    file.write_all_at(&count.to_le_bytes(), at)
}

fn take_from_file(file: &File, at: u64, count: u64) -> io::Result<EchoMessage> {
    let mut message = [0; MESSAGE_BYTES];
    let mut counted = [0; 8];
    while file.read_at(&mut counted, at)? < counted.len() || u64::from_le_bytes(counted) != count {
        thread::yield_now();
    }
    file.read_exact_at(&mut message, at + 8)?;
    Ok(message)
}

fn put_in_words(words: &SharedWords, at: usize, count: u64, message: &EchoMessage) {
    for (place, bytes) in (0..MESSAGE_WORDS).zip(message.as_chunks().0) {
        words.word(at + 1 + place).store(u64::from_le_bytes(*bytes), Release);
    }
    words.word(at).store(count, Release);
}

fn take_from_words(words: &SharedWords, at: usize, count: u64) -> EchoMessage {
    while words.word(at).load(Acquire) != count {
        thread::yield_now();
    }
    let mut message = [0; MESSAGE_BYTES];
    for (place, bytes) in (0..MESSAGE_WORDS).zip(message.as_chunks_mut().0) {
        *bytes = words.word(at + 1 + place).load(Acquire).to_le_bytes();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_a_file_and_in_words_is_read_back() {
        let mut message = [7; MESSAGE_BYTES];
        message[31] = 9;
        let file = tempfile::tempfile().unwrap();
        put_in_file(&file, ANSWER_AT, 3, &message).unwrap();
        assert_eq!(take_from_file(&file, ANSWER_AT, 3).unwrap(), message);
        let (words, _fd) = SharedWords::create(WORDS).unwrap();
        put_in_words(&words, ANSWER_WORD, 3, &message);
        assert_eq!(take_from_words(&words, ANSWER_WORD, 3), message);
    }
}
