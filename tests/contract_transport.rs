//! One contract for every transport: a new transport adds one line at the end of this file.
//!
//! Both ends are in this process; the worker's may be on a thread. Nothing here sleeps: a test waits for the
//! supervisor's end as the event loop does, by the poll set. The processes that some tests start are in
//! `contract_transport/fixture.rs`. Frames stand for any bytes here: whether they are legal messages is for
//! `contract_protocol.rs`.

#[path = "contract_transport/fixture.rs"]
mod fixture;

use fixture::{Fixture, Stage};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration as StdDuration, Instant};
use supervisor::model::spec::{ITEM_BYTES_MAX, TransportKind};
use supervisor::model::time::Duration;
use supervisor::sys::block::{Block, BlockSlice};
use supervisor::sys::poller::{Interest, Poller};
use supervisor::transport::{self, Channel, ChannelError, Connection, Endpoints, Fill, Flush, Transport};
use supervisor::wire::codec;
use supervisor::wire::frame::{BODY_BYTES_MAX, FrameDecoder};
use supervisor::wire::message::{FromWorker, ToWorker};
use supervisor::wire::prefix::Prefix;
use supervisor::wire::read_buffer::{BUFFER_BYTES, ReadBuffer};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const RELEASE_WAIT_MAX: StdDuration = StdDuration::from_secs(30);

/// Channels that are opened on a transport that was made for one.
const CHANNELS_MORE: usize = 12;

/// Large enough to fill any channel soon, small enough to send many.
const SMALL: [u8; 1000] = [b'o'; 1000];

/// The supervisor's end, and a decoder behind it.
struct Link {
    channel: Box<dyn Channel>,
    decoder: FrameDecoder,
}

impl Link {
    fn open(transport: &mut dyn Transport) -> (Self, Endpoints) {
        let (channel, endpoints) = transport.open().unwrap();
        (Self { channel, decoder: FrameDecoder::new() }, endpoints)
    }

    /// Adds a message to the backlog.
    fn queue(&mut self, message: ToWorker, body: &[u8]) -> Result<(), ChannelError> {
        let block = Arc::new(Block::from(body.to_vec()));
        let ToWorker::Batch { count, .. } = message;
        self.channel.queue(&Prefix::new(&message, body.len()), count, BlockSlice::whole(&block))
    }

    fn flush(&mut self) -> Flush {
        self.channel.flush().unwrap()
    }

    fn fill(&mut self) -> Fill {
        let filled = self.channel.fill(self.decoder.buffer()).unwrap();
        assert!(!matches!(filled, Fill::Bytes(0)));
        filled
    }

    /// The next message of those that have arrived.
    fn next(&mut self) -> Option<(FromWorker, Vec<u8>)> {
        let frame = self.decoder.next().unwrap()?;
        let message = codec::decode(frame.head).unwrap();
        Some((message, frame.body.to_vec()))
    }

    /// The next message, waited for; `None` once the worker's end is closed.
    fn receive(&mut self) -> Option<(FromWorker, Vec<u8>)> {
        loop {
            let next = self.next();
            if next.is_some() {
                return next;
            }
            match self.fill() {
                Fill::Bytes(_) => {}
                Fill::Blocked => wait(&mut *self.channel, false),
                Fill::Closed => return None,
            }
        }
    }
}

fn open(kind: TransportKind) -> (Link, Endpoints) {
    Link::open(&mut *transport::transport(&kind.into(), 1).unwrap())
}

fn both_ends(kind: TransportKind) -> (Link, Connection) {
    let (link, endpoints) = open(kind);
    (link, transport::connect(kind, endpoints).unwrap())
}

fn one_item(first: u64) -> ToWorker {
    ToWorker::Batch { first, count: 1, attempt: 1 }
}

fn done(first: u64) -> FromWorker {
    FromWorker::Done { first, count: 1, attempt: 1, busy_ns: 7, timed: false }
}

/// A body that differs for each number, in sizes around every limit: empty, small, a read, more, the largest.
fn body(number: u64) -> Vec<u8> {
    let size = [0, 1, 9, 65_536, 131_072, 300_000, ITEM_BYTES_MAX][number as usize % 7];
    (0..size).map(|at| (at as u64 ^ number.wrapping_mul(0x9e37_79b9)) as u8).collect()
}

/// Waits until there is something to read or, if `also_write`, the backlog can move.
fn wait(channel: &mut dyn Channel, also_write: bool) {
    let is_busy_polled = channel.is_busy_polled();
    if !channel.arm() {
        return;
    }
    let mut poller = Poller::new().unwrap();
    let write_fd = channel.write_fd().filter(|_| also_write && !is_busy_polled);
    let shared = write_fd.is_some_and(|fd| fd.as_raw_fd() == channel.read_fd().as_raw_fd());
    poller.add(channel.read_fd(), Interest { read: true, write: shared }, 0).unwrap();
    if let Some(fd) = write_fd.filter(|_| !shared) {
        poller.add(fd, Interest::WRITE, 1).unwrap();
    }
    let (mut ready, since) = (Vec::new(), Instant::now());
    // The end of another test's process interrupts a wait.
    while ready.is_empty() {
        assert!(since.elapsed().as_nanos() < PATIENCE.0.into(), "nothing came");
        poller.wait(&mut ready, Some(PATIENCE)).unwrap();
    }
}

/// What the worker's end gets; `None` at the end of the input.
fn take(connection: &mut Connection) -> Option<(ToWorker, Vec<u8>)> {
    loop {
        if let Some(frame) = connection.items.next().unwrap() {
            return Some((codec::decode(frame.head).unwrap(), frame.body.to_vec()));
        }
        if !connection.items.fill().unwrap() {
            return None;
        }
    }
}

fn send(connection: &mut Connection, message: FromWorker, body: &[u8]) {
    let mut frames = Vec::new();
    supervisor::wire::append(&message, body, &mut frames).unwrap();
    connection.results.send(&frames).unwrap();
}

/// A whole frame with a result.
fn frame_of(first: u64, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    supervisor::wire::append(&done(first), body, &mut frame).unwrap();
    frame
}

/// Sends this many small items, one by one, to a worker that answers each with its own bytes.
fn exchange(channel: &mut Link, items: u64) {
    for first in 0..items {
        channel.queue(one_item(first), b"to and fro").unwrap();
        assert_eq!(channel.flush(), Flush::All);
        assert_eq!(channel.receive(), Some((done(first), b"to and fro".to_vec())));
        channel.channel.answered(1);
    }
}

fn items_and_results_arrive_whole_and_in_order(kind: TransportKind) {
    const MESSAGES: u64 = 28;
    let (mut channel, endpoints) = open(kind);
    let worker = thread::spawn(move || {
        let mut connection = transport::connect(kind, endpoints).unwrap();
        while let Some((ToWorker::Batch { first, .. }, body)) = take(&mut connection) {
            send(&mut connection, done(first), &body);
        }
    });
    let mut settled = 0;
    for first in 0..MESSAGES {
        channel.queue(one_item(first), &body(first)).unwrap();
        // Both directions are full at times: a side that only wrote would wait for ever.
        while channel.flush() == Flush::Blocked {
            match channel.fill() {
                Fill::Blocked => wait(&mut *channel.channel, true),
                Fill::Bytes(_) => {}
                Fill::Closed => panic!("the worker left"),
            }
            while let Some((message, result)) = channel.next() {
                assert_eq!(message, done(settled));
                assert!(result == body(settled), "item {settled}");
                settled += 1;
                channel.channel.answered(1);
            }
        }
    }
    channel.channel.close_input();
    while let Some((message, result)) = channel.receive() {
        assert_eq!(message, done(settled));
        assert!(result == body(settled), "item {settled}");
        settled += 1;
    }
    assert_eq!(settled, MESSAGES);
    worker.join().unwrap();
}

fn nothing_leaves_before_a_flush(kind: TransportKind) {
    let (mut channel, mut connection) = both_ends(kind);
    assert_eq!(channel.channel.backlog_bytes(), 0);
    channel.queue(one_item(1), b"a").unwrap();
    let one = channel.channel.backlog_bytes();
    channel.queue(one_item(2), b"bcd").unwrap();
    assert!(one > 1);
    assert_eq!(channel.channel.backlog_bytes(), 2 * one + 2);
    assert_eq!(channel.flush(), Flush::All);
    assert_eq!(channel.channel.backlog_bytes(), 0);
    assert_eq!(take(&mut connection), Some((one_item(1), b"a".to_vec())));
    assert_eq!(take(&mut connection), Some((one_item(2), b"bcd".to_vec())));
}

/// Queues and flushes small items until the channel takes no more; returns how many were queued.
fn fill_up(channel: &mut Link) -> u64 {
    for first in 0.. {
        channel.queue(one_item(first), &SMALL).unwrap();
        let queued = channel.channel.backlog_bytes();
        if channel.flush() == Flush::Blocked {
            let left = channel.channel.backlog_bytes();
            assert!(0 < left && left <= queued, "{left} of {queued}");
            return first + 1;
        }
    }
    unreachable!("there are more numbers than any channel takes");
}

fn a_full_channel_blocks_and_goes_on_later(kind: TransportKind) {
    let (mut channel, mut connection) = both_ends(kind);
    let messages = fill_up(&mut channel);
    assert_eq!(channel.fill(), Fill::Blocked);
    for first in 0..messages {
        while connection.items.next().unwrap().map(|frame| (codec::decode(frame.head), frame.body == SMALL))
            != Some((Ok(one_item(first)), true))
        {
            // `fill` does not wait for ever: something is in flight until the last message has been taken.
            assert_ne!(channel.flush(), Flush::Closed);
            assert!(connection.items.fill().unwrap());
        }
    }
    assert_eq!(channel.flush(), Flush::All);
}

fn what_was_flushed_arrives_before_the_end_of_a_closed_input(kind: TransportKind) {
    let (mut channel, mut connection) = both_ends(kind);
    channel.queue(one_item(1), b"last").unwrap();
    assert_eq!(channel.flush(), Flush::All);
    channel.queue(one_item(2), b"too late").unwrap();
    channel.channel.close_input();
    assert!(channel.channel.write_fd().is_none());
    assert_eq!(channel.channel.backlog_bytes(), 0);
    channel.queue(one_item(3), b"much too late").unwrap();
    assert_eq!((channel.channel.backlog_bytes(), channel.flush()), (0, Flush::Closed));
    assert_eq!(take(&mut connection), Some((one_item(1), b"last".to_vec())));
    assert_eq!(take(&mut connection), None);
    send(&mut connection, done(1), b"result\n");
    assert_eq!(channel.receive(), Some((done(1), b"result\n".to_vec())));
}

fn what_a_worker_wrote_before_its_death_is_read(kind: TransportKind) {
    let (mut channel, mut connection) = both_ends(kind);
    let batch: Vec<u8> = (0..97).flat_map(|first| frame_of(first, b"x\n")).collect();
    connection.results.send(&batch).unwrap();
    for first in 97..100 {
        send(&mut connection, done(first), b"x\n");
    }
    drop(connection);
    for first in 0..100 {
        assert_eq!(channel.receive(), Some((done(first), b"x\n".to_vec())));
    }
    assert_eq!(channel.receive(), None);
    assert_eq!(channel.fill(), Fill::Closed);
    channel.queue(one_item(1), b"for nobody").unwrap();
    assert_eq!((channel.flush(), channel.channel.backlog_bytes()), (Flush::Closed, 0));
}

fn a_torn_result_is_no_result(kind: TransportKind) {
    let mut frames = Vec::new();
    supervisor::wire::append(&done(1), b"result\n", &mut frames).unwrap();
    for torn in 0..frames.len() {
        let (mut channel, mut connection) = both_ends(kind);
        connection.results.send(&frames[..torn]).unwrap();
        drop(connection);
        assert_eq!(channel.receive(), None, "torn at {torn}");
    }
}

fn the_largest_bodies_and_empty_ones_arrive(kind: TransportKind) {
    let (mut channel, endpoints) = open(kind);
    let worker = thread::spawn(move || fixture::echo(transport::connect(kind, endpoints).unwrap()));
    let largest: Vec<u8> = (0..BODY_BYTES_MAX).map(|at| (at % 251) as u8).collect();
    for (first, body) in (0..).zip([&largest[..], b"", &largest[..ITEM_BYTES_MAX], b"", b"", b"x"]) {
        channel.queue(one_item(first), body).unwrap();
        // The worker may answer in parts while it still reads.
        while channel.flush() == Flush::Blocked {
            match channel.fill() {
                Fill::Blocked => wait(&mut *channel.channel, true),
                Fill::Bytes(_) => {}
                Fill::Closed => panic!("the worker left"),
            }
        }
        let (message, result) = channel.receive().expect("an answer");
        assert_eq!((message, result.len()), (done(first), body.len()));
        assert!(result == body, "item {first}");
    }
    channel.channel.close_input();
    assert_eq!(channel.receive(), None);
    worker.join().unwrap();
}

fn frames_that_come_byte_by_byte_are_whole(kind: TransportKind) {
    let (mut channel, endpoints) = open(kind);
    let frames: Vec<u8> = (0..8).flat_map(|first| frame_of(first, b"bit by bit\n")).collect();
    let worker = thread::spawn(move || {
        let mut connection = transport::connect(kind, endpoints).unwrap();
        for byte in frames {
            connection.results.send(&[byte]).unwrap();
        }
    });
    for first in 0..8 {
        assert_eq!(channel.receive(), Some((done(first), b"bit by bit\n".to_vec())));
    }
    worker.join().unwrap();
    assert_eq!(channel.receive(), None);
}

fn both_directions_may_be_full_at_once(kind: TransportKind) {
    /// More than any channel takes.
    const RESULTS: u64 = 20_000;
    /// Other items than those that are queued here: no worker answers for an item before it takes it.
    const FIRST: u64 = 1_000_000;
    let (mut channel, endpoints) = open(kind);
    // The worker sends all its results before it takes its first item.
    let worker = thread::spawn(move || {
        let mut connection = transport::connect(kind, endpoints).unwrap();
        for first in FIRST..FIRST + RESULTS {
            send(&mut connection, done(first), &SMALL);
        }
        let mut taken = 0;
        while let Some((message, body)) = take(&mut connection) {
            assert!(message == one_item(taken) && body == SMALL, "item {taken}");
            taken += 1;
        }
        taken
    });
    let messages = fill_up(&mut channel);
    for first in FIRST..FIRST + RESULTS {
        let (message, result) = channel.receive().expect("a result");
        assert!(message == done(first) && result == SMALL, "item {first}");
    }
    while channel.flush() == Flush::Blocked {
        wait(&mut *channel.channel, true);
    }
    channel.channel.close_input();
    assert_eq!(channel.receive(), None);
    assert_eq!(worker.join().unwrap(), messages);
}

fn a_worker_may_be_killed_at_any_stage(kind: TransportKind) {
    let mut transport = transport::transport(&kind.into(), 3).unwrap();
    let (mut other, endpoints) = Link::open(&mut *transport);
    let echo = thread::spawn(move || fixture::echo(transport::connect(kind, endpoints).unwrap()));
    for stage in Stage::ALL {
        let (mut channel, endpoints) = Link::open(&mut *transport);
        let mut fixture = Fixture::start(kind, stage, &endpoints);
        drop(endpoints);
        if stage == Stage::AfterTheEndOfItsInput {
            channel.channel.close_input();
        }
        fixture.wait_until_ready();
        if stage == Stage::WhileItsOutputIsFull {
            wait_until_asleep(fixture.pid());
        }
        fixture.kill();
        // As the event loop does: first the frames that it left, then its end. A torn frame does not count.
        let left = fixture::drain(&mut channel);
        let result = if stage == Stage::WhileItsOutputIsFull { &SMALL[..] } else { b"x\n" };
        assert!((0..).zip(&left).all(|(first, left)| *left == (done(first), result.to_vec())), "{stage:?}");
        let frames = left.len() as u64;
        let is_as_expected = match stage {
            Stage::WhileItsOutputIsFull => frames >= stage.frames_min(),
            _ => frames == stage.frames_min(),
        };
        assert!(is_as_expected, "{stage:?}: {frames} frames were read");
        // The worker is gone: a write never waits for it.
        if channel.channel.write_fd().is_some() {
            channel.queue(one_item(1), b"for nobody").unwrap();
            assert_ne!(channel.channel.flush().unwrap_or(Flush::Closed), Flush::Blocked, "{stage:?}");
        }
        channel.channel.close_input();
        assert_eq!(channel.channel.backlog_bytes(), 0, "{stage:?}");
        drop(channel);
        fixture.reap();
        exchange(&mut other, 3);
    }
    other.channel.close_input();
    assert_eq!(other.receive(), None);
    echo.join().unwrap();
}

fn a_worker_may_be_killed_with_a_full_input(kind: TransportKind) {
    let (mut channel, endpoints) = open(kind);
    let mut fixture = Fixture::start(kind, Stage::BeforeItsHello, &endpoints);
    drop(endpoints);
    fixture.wait_until_ready();
    fill_up(&mut channel);
    fixture.kill();
    assert!(fixture::drain(&mut channel).is_empty());
    // The flush may be blocked or find the channel closed; neither is an error, and the input can be closed.
    let _ = channel.flush();
    channel.channel.close_input();
    assert_eq!((channel.channel.backlog_bytes(), channel.flush()), (0, Flush::Closed));
    fixture.reap();
}

/// Waits until all threads of a process sleep and none has been scheduled between two checks, many times over.
fn wait_until_asleep(pid: u32) {
    let (until, mut before, mut quiet_checks) = (Instant::now() + RELEASE_WAIT_MAX, String::new(), 0);
    while quiet_checks < 100 {
        assert!(Instant::now() < until, "process {pid} does not fall asleep: {before}");
        let mut now = String::new();
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap_or_default();
            now.extend(status.lines().filter(|line| line.starts_with("State") || line.contains("ctxt_switches")));
        }
        quiet_checks = if now == before && !now.contains("R (running)") { quiet_checks + 1 } else { 0 };
        before = now;
        thread::yield_now();
    }
}

/// Names that the whole system sees, which a transport might leave behind.
fn names_of_all() -> BTreeSet<PathBuf> {
    let folders = ["/dev/shm", "/dev/mqueue"].into_iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    folders.flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// In a process of its own, since other tests of this process open channels at the same time.
fn nothing_is_left_behind(kind: TransportKind) {
    let before = names_of_all();
    for role in ["used", "unused"] {
        let folder = tempfile::tempdir().unwrap();
        fixture::play(role, kind, folder.path());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{role}: {left:?}");
    }
    // Other programs may create names for a moment; a name that was left behind does not vanish.
    let until = Instant::now() + RELEASE_WAIT_MAX;
    let mut new = names_of_all();
    new.retain(|name| !before.contains(name));
    while !new.is_empty() {
        assert!(Instant::now() < until, "left behind: {new:?}");
        let now = names_of_all();
        new.retain(|name| now.contains(name));
        thread::yield_now();
    }
}

/// Bytes arrive unchanged, whether they are messages or not.
fn garbage_is_carried_as_it_is(kind: TransportKind) {
    let (mut channel, endpoints) = open(kind);
    let garbage: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    let sent = garbage.clone();
    let worker = thread::spawn(move || {
        let mut connection = transport::connect(kind, endpoints).unwrap();
        let (first, rest) = sent.split_at(100_000);
        connection.results.send(first).unwrap();
        connection.results.send_parts(b"", rest).unwrap();
    });
    let (mut buffer, mut received) = (ReadBuffer::new(), Vec::new());
    loop {
        match channel.channel.fill(&mut buffer).unwrap() {
            Fill::Bytes(bytes) => {
                assert!(bytes == buffer.unread().len() && bytes <= BUFFER_BYTES);
                received.extend_from_slice(buffer.take(usize::MAX));
            }
            Fill::Blocked => wait(&mut *channel.channel, false),
            Fill::Closed => break,
        }
    }
    assert!(received == garbage);
    assert_eq!(channel.channel.recover(&mut buffer), 0, "all of it was sent");
    worker.join().unwrap();
}

/// The number of workers at the start is no limit: slots may be added while a run lasts.
fn more_channels_than_workers_at_first_may_be_opened(kind: TransportKind) {
    let mut transport = transport::transport(&kind.into(), 1).unwrap();
    let pairs: Vec<_> = (0..CHANNELS_MORE)
        .map(|_| {
            let (link, endpoints) = Link::open(&mut *transport);
            (link, thread::spawn(move || fixture::echo(transport::connect(kind, endpoints).unwrap())))
        })
        .collect();
    for (mut link, worker) in pairs {
        exchange(&mut link, 3);
        link.channel.close_input();
        assert_eq!(link.receive(), None);
        worker.join().unwrap();
    }
}

fn no_process_inherits_an_end_by_accident(kind: TransportKind) {
    let (channel, endpoints) = open(kind);
    let is_closed_on_exec = |flags: nix::Result<i32>| FdFlag::from_bits_retain(flags.unwrap()) == FdFlag::FD_CLOEXEC;
    for (_, fd) in endpoints.fds() {
        assert!(is_closed_on_exec(fcntl(fd, FcntlArg::F_GETFD)));
    }
    assert!(is_closed_on_exec(fcntl(channel.channel.read_fd(), FcntlArg::F_GETFD)));
    assert!(is_closed_on_exec(fcntl(channel.channel.write_fd().unwrap(), FcntlArg::F_GETFD)));
    assert!(transport::connect(kind, Endpoints::new()).is_err(), "a connection needs endpoints");
}

/// All tests of the contract for the transport of this name.
macro_rules! contract {
    ($name:ident) => {
        contract!($name:
            items_and_results_arrive_whole_and_in_order,
            nothing_leaves_before_a_flush,
            a_full_channel_blocks_and_goes_on_later,
            what_was_flushed_arrives_before_the_end_of_a_closed_input,
            what_a_worker_wrote_before_its_death_is_read,
            a_torn_result_is_no_result,
            the_largest_bodies_and_empty_ones_arrive,
            frames_that_come_byte_by_byte_are_whole,
            both_directions_may_be_full_at_once,
            a_worker_may_be_killed_at_any_stage,
            a_worker_may_be_killed_with_a_full_input,
            nothing_is_left_behind,
            garbage_is_carried_as_it_is,
            more_channels_than_workers_at_first_may_be_opened,
            no_process_inherits_an_end_by_accident,
        );
    };
    ($name:ident: $($promise:ident),+ $(,)?) => {
        mod $name {
            $(#[test]
            fn $promise() {
                let kind = supervisor::transport::by_name(stringify!($name)).expect("a transport of this name");
                super::$promise(kind);
            })+
        }
    };
}

contract!(pipe);
contract!(socket);
contract!(shm);
contract!(mqueue);
contract!(channel);
contract!(file);

#[test]
fn every_transport_keeps_the_contract() {
    for kind in TransportKind::ALL {
        let line = format!("\ncontract!({});\n", kind.name());
        assert!(include_str!("contract_transport.rs").contains(&line), "where is `{}`?", line.trim());
    }
}
