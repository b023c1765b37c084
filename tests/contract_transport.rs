//! One list of promises, kept by every transport: a new one gets one line at the end of this file.
//!
//! Both ends live in this process; the worker's may sit in a thread. Nothing here sleeps: the
//! supervisor's end is waited for as the event loop does, by the poll set. What needs a process that can
//! be killed, or one that does nothing else, is in `contract_transport/fixture.rs`.

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
use supervisor::sys::block::BlockSlice;
use supervisor::sys::poller::{Interest, Poller};
use supervisor::sys::spill::SpillFile;
use supervisor::transport::{self, Channel, ChannelError, Connection, Endpoints, Fill, Flush, Large};
use supervisor::wire::frame::{BODY_BYTES_MAX, BUFFER_BYTES, FrameError};
use supervisor::wire::message::{FromWorker, SMALL_BODY_BYTES_MAX, ToWorker};

/// Longer than anything here takes: who waits so long waits in vain.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_TO_LET_GO: StdDuration = StdDuration::from_secs(30);

/// A body of which no channel takes very many, and of which many are no burden.
const SMALL: [u8; 1000] = [b'o'; 1000];

fn open(kind: TransportKind) -> (Box<dyn Channel>, Endpoints) {
    transport::transport(&kind.into(), 1).unwrap().open().unwrap()
}

/// Adds a message to what waits to be written.
fn queue(channel: &mut dyn Channel, message: ToWorker, body: &[u8]) -> Result<(), ChannelError> {
    channel.queue(message, BlockSlice::whole(&Arc::new(body.to_vec().into())))
}

fn both_ends(kind: TransportKind) -> (Box<dyn Channel>, Connection) {
    let (channel, endpoints) = open(kind);
    (channel, transport::connect(kind, endpoints).unwrap())
}

fn run(first: u64) -> ToWorker {
    ToWorker::Batch { first, count: 1, attempt: 1 }
}

fn done(first: u64) -> FromWorker {
    FromWorker::Done { first, count: 1, attempt: 1, busy_ns: 7, timed: false }
}

/// Different for each number, of sizes that miss no border: empty, small, a read, more, the largest.
fn body(number: u64) -> Vec<u8> {
    let size = [0, 1, 9, 65_536, 131_072, 300_000, ITEM_BYTES_MAX][number as usize % 7];
    (0..size).map(|at| (at as u64 ^ number.wrapping_mul(0x9e37_79b9)) as u8).collect()
}

/// Waits until there is something to read or, if `also_write`, room to write.
fn wait(channel: &mut dyn Channel, also_write: bool) {
    let parks = channel.is_busy_polled();
    if !channel.arm() {
        return;
    }
    let mut poller = Poller::new().unwrap();
    let write_fd = channel.write_fd().filter(|_| also_write && !parks);
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

/// The next message, waited for; `None` once the worker's end is closed.
fn receive(channel: &mut dyn Channel) -> Option<(FromWorker, Vec<u8>)> {
    loop {
        if let Some((message, body)) = channel.next().unwrap() {
            return Some((message, body.to_vec()));
        }
        match channel.fill().unwrap() {
            Fill::Bytes(bytes) => assert!(bytes > 0),
            Fill::Blocked => wait(channel, false),
            Fill::Closed => return None,
        }
    }
}

/// What the worker's end gets; `None` at the end of the input.
fn take(connection: &mut Connection) -> Option<(ToWorker, Vec<u8>)> {
    loop {
        if let Some((message, body)) = connection.items.next().unwrap() {
            return Some((message, body.to_vec()));
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

/// Sends so many small items to a worker that gives back what it gets, one by one.
fn exchange(channel: &mut dyn Channel, items: u64) {
    for first in 0..items {
        queue(channel, run(first), b"to and fro").unwrap();
        assert_eq!(channel.flush().unwrap(), Flush::All);
        assert_eq!(receive(channel), Some((done(first), b"to and fro".to_vec())));
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
        queue(&mut *channel, run(first), &body(first)).unwrap();
        // Both directions are full at times: whoever only wrote would wait for ever.
        while channel.flush().unwrap() == Flush::Blocked {
            match channel.fill().unwrap() {
                Fill::Blocked => wait(&mut *channel, true),
                Fill::Bytes(_) => {}
                Fill::Closed => panic!("the worker left"),
            }
            while let Some((message, result)) = channel.next().unwrap() {
                assert_eq!(message, done(settled));
                assert!(result == body(settled), "item {settled}");
                settled += 1;
            }
        }
    }
    channel.close_input();
    while let Some((message, result)) = receive(&mut *channel) {
        assert_eq!(message, done(settled));
        assert!(result == body(settled), "item {settled}");
        settled += 1;
    }
    assert_eq!(settled, MESSAGES);
    worker.join().unwrap();
}

fn nothing_leaves_before_a_flush(kind: TransportKind) {
    let (mut channel, mut connection) = both_ends(kind);
    assert_eq!(channel.backlog_bytes(), 0);
    queue(&mut *channel, run(1), b"a").unwrap();
    let one = channel.backlog_bytes();
    queue(&mut *channel, run(2), b"bcd").unwrap();
    assert!(one > 1);
    assert_eq!(channel.backlog_bytes(), 2 * one + 2);
    assert_eq!(channel.flush().unwrap(), Flush::All);
    assert_eq!(channel.backlog_bytes(), 0);
    assert_eq!(take(&mut connection), Some((run(1), b"a".to_vec())));
    assert_eq!(take(&mut connection), Some((run(2), b"bcd".to_vec())));
}

/// Queues and flushes small items until the channel takes no more; returns how many were queued.
fn fill_up(channel: &mut dyn Channel) -> u64 {
    for first in 0.. {
        queue(channel, run(first), &SMALL).unwrap();
        let queued = channel.backlog_bytes();
        if channel.flush().unwrap() == Flush::Blocked {
            let left = channel.backlog_bytes();
            assert!(0 < left && left <= queued, "{left} of {queued}");
            return first + 1;
        }
    }
    unreachable!("there are more numbers than any channel takes");
}

fn a_full_channel_says_so_and_goes_on_later(kind: TransportKind) {
    let (mut channel, mut connection) = both_ends(kind);
    let messages = fill_up(&mut *channel);
    assert_eq!(channel.fill().unwrap(), Fill::Blocked);
    for first in 0..messages {
        while connection.items.next().unwrap().map(|(message, taken)| (message, taken == SMALL))
            != Some((run(first), true))
        {
            // Never waits in vain: something is in flight until the last message has been taken.
            assert_ne!(channel.flush().unwrap(), Flush::Closed);
            assert!(connection.items.fill().unwrap());
        }
    }
    assert_eq!(channel.flush().unwrap(), Flush::All);
}

fn a_closed_input_ends_behind_what_was_flushed(kind: TransportKind) {
    let (mut channel, mut connection) = both_ends(kind);
    queue(&mut *channel, run(1), b"last").unwrap();
    assert_eq!(channel.flush().unwrap(), Flush::All);
    queue(&mut *channel, run(2), b"too late").unwrap();
    channel.close_input();
    assert!(channel.write_fd().is_none());
    assert_eq!(channel.backlog_bytes(), 0);
    queue(&mut *channel, run(3), b"much too late").unwrap();
    assert_eq!((channel.backlog_bytes(), channel.flush().unwrap()), (0, Flush::Closed));
    assert_eq!(take(&mut connection), Some((run(1), b"last".to_vec())));
    assert_eq!(take(&mut connection), None);
    send(&mut connection, done(1), b"result\n");
    assert_eq!(receive(&mut *channel), Some((done(1), b"result\n".to_vec())));
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
        assert_eq!(receive(&mut *channel), Some((done(first), b"x\n".to_vec())));
    }
    assert_eq!(receive(&mut *channel), None);
    assert_eq!(channel.fill().unwrap(), Fill::Closed);
    queue(&mut *channel, run(1), b"for nobody").unwrap();
    assert_eq!((channel.flush().unwrap(), channel.backlog_bytes()), (Flush::Closed, 0));
}

/// A large result goes to a file as it comes, is announced at its head, and is given back if nobody takes it.
fn large_results_are_kept_in_a_file(kind: TransportKind) {
    let spill = Arc::new(SpillFile::new());
    let (mut channel, endpoints) = open(kind);
    channel.keep_large_in(&spill);
    let bodies = [SMALL_BODY_BYTES_MAX + 1, SMALL_BODY_BYTES_MAX, BODY_BYTES_MAX, 3, 3 << 20]
        .map(|size| (0..size).map(|at| (at % 251) as u8).collect::<Vec<u8>>());
    let sent = bodies.clone();
    let worker = thread::spawn(move || {
        let mut connection = transport::connect(kind, endpoints).unwrap();
        for (first, body) in (0..).zip(&sent) {
            send(
                &mut connection,
                FromWorker::Done { first, count: 1, attempt: 1, busy_ns: 7, timed: first == 4 },
                body,
            );
        }
        // And one that is never whole.
        let torn = frame_of(5, &sent[2]);
        connection.results.send(&torn[..torn.len() - 1]).unwrap();
    });
    let (mut next, mut announced) = (0, 0);
    loop {
        if let Some((message, body)) = channel.next().unwrap() {
            assert!(message == done(next) && body == bodies[next as usize] && body.len() <= SMALL_BODY_BYTES_MAX);
            next += 1;
            continue;
        }
        match channel.large().unwrap() {
            Some(Large { message, times, kept: Some(content) }) => {
                let FromWorker::Done { first, timed, .. } = message else { panic!("{message:?}") };
                let mut body = if timed { times.to_vec() } else { Vec::new() };
                let start = body.len();
                body.resize(start + content.bytes() as usize, 0);
                content.read_at(0, &mut body[start..]).unwrap();
                assert!(first == next && body == bodies[next as usize], "item {first}");
                next += 1;
                continue;
            }
            Some(Large { message: FromWorker::Done { first, .. }, kept: None, .. }) => {
                assert_eq!(first, next);
                announced = announced.max(first);
            }
            large => assert!(large.is_none(), "{large:?}"),
        }
        match channel.fill().unwrap() {
            Fill::Bytes(bytes) => assert!(0 < bytes && bytes <= BUFFER_BYTES.max(SMALL_BODY_BYTES_MAX)),
            Fill::Blocked => wait(&mut *channel, false),
            Fill::Closed => break,
        }
    }
    assert_eq!((next, announced), (5, 5));
    assert!(spill.live_bytes() > 0);
    channel.ended();
    assert_eq!(channel.next(), Ok(None));
    drop(channel);
    assert_eq!(spill.live_bytes(), 0);
    worker.join().unwrap();
}

/// Nothing but one item's result is large; whatever else says so is refused before its body comes.
fn what_may_not_be_large_is_refused_at_its_head(kind: TransportKind) {
    let hello = FromWorker::Hello { protocol: 1, pid: 1, token: [1; 16] };
    let failed = FromWorker::Failed { item: 1, attempt: 1, panicked: false, timed: true };
    let of = |count| FromWorker::Done { first: 1, count, attempt: 1, busy_ns: 7, timed: false };
    let bytes = SMALL_BODY_BYTES_MAX + 1;
    for (message, error) in [
        (hello, ChannelError::Hello { bytes }),
        (failed, ChannelError::Reason { bytes }),
        (of(0), ChannelError::Empty),
        (of(2), ChannelError::Several { count: 2, bytes }),
    ] {
        let (mut channel, mut connection) = both_ends(kind);
        channel.keep_large_in(&Arc::new(SpillFile::new()));
        let mut prefix = Vec::new();
        supervisor::wire::append_without_body(&message, bytes, &mut prefix).unwrap();
        connection.results.send(&prefix).unwrap();
        let refused = loop {
            assert_eq!(channel.next(), Ok(None));
            match channel.large() {
                Ok(large) => assert!(large.is_none(), "{large:?}"),
                Err(refused) => break refused,
            }
            if channel.fill().unwrap() == Fill::Blocked {
                wait(&mut *channel, false);
            }
        };
        assert_eq!(refused, error);
    }
    let (mut channel, mut connection) = both_ends(kind);
    channel.keep_large_in(&Arc::new(SpillFile::in_folder("/nonexistent")));
    connection.results.send(&frame_of(1, &[7; SMALL_BODY_BYTES_MAX + 1])[..1000]).unwrap();
    let refused = loop {
        if let Err(refused) = channel.large() {
            break refused;
        }
        if channel.fill().unwrap() == Fill::Blocked {
            wait(&mut *channel, false);
        }
        assert_eq!(channel.next(), Ok(None));
    };
    let words = "keep a result in a temporary file in /nonexistent: No such file or directory (os error 2)";
    assert_eq!(refused.to_string(), words);
}

fn a_torn_result_is_none(kind: TransportKind) {
    let mut frames = Vec::new();
    supervisor::wire::append(&done(1), b"result\n", &mut frames).unwrap();
    for torn in 0..frames.len() {
        let (mut channel, mut connection) = both_ends(kind);
        connection.results.send(&frames[..torn]).unwrap();
        drop(connection);
        assert_eq!(receive(&mut *channel), None, "torn at {torn}");
    }
}

fn the_largest_bodies_and_empty_ones_arrive(kind: TransportKind) {
    let (mut channel, endpoints) = open(kind);
    let worker = thread::spawn(move || fixture::echo(transport::connect(kind, endpoints).unwrap()));
    let largest: Vec<u8> = (0..BODY_BYTES_MAX).map(|at| (at % 251) as u8).collect();
    for (first, body) in (0..).zip([&largest[..], b"", &largest[..ITEM_BYTES_MAX], b"", b"", b"x"]) {
        queue(&mut *channel, run(first), body).unwrap();
        // It may answer in parts while it still reads.
        while channel.flush().unwrap() == Flush::Blocked {
            match channel.fill().unwrap() {
                Fill::Blocked => wait(&mut *channel, true),
                Fill::Bytes(_) => {}
                Fill::Closed => panic!("the worker left"),
            }
        }
        let (message, result) = receive(&mut *channel).expect("an answer");
        assert_eq!((message, result.len()), (done(first), body.len()));
        assert!(result == body, "item {first}");
    }
    channel.close_input();
    assert_eq!(receive(&mut *channel), None);
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
        assert_eq!(receive(&mut *channel), Some((done(first), b"bit by bit\n".to_vec())));
    }
    worker.join().unwrap();
    assert_eq!(receive(&mut *channel), None);
}

fn both_directions_may_be_full_at_once(kind: TransportKind) {
    /// More than any channel takes.
    const RESULTS: u64 = 20_000;
    /// Not of the items that are queued here: nobody answers for an item before taking it.
    const FIRST: u64 = 1_000_000;
    let (mut channel, endpoints) = open(kind);
    // It gives all its results before it takes its first item.
    let worker = thread::spawn(move || {
        let mut connection = transport::connect(kind, endpoints).unwrap();
        for first in FIRST..FIRST + RESULTS {
            send(&mut connection, done(first), &SMALL);
        }
        let mut taken = 0;
        while let Some((message, body)) = take(&mut connection) {
            assert!(message == run(taken) && body == SMALL, "item {taken}");
            taken += 1;
        }
        taken
    });
    let messages = fill_up(&mut *channel);
    for first in FIRST..FIRST + RESULTS {
        let (message, result) = receive(&mut *channel).expect("a result");
        assert!(message == done(first) && result == SMALL, "item {first}");
    }
    while channel.flush().unwrap() == Flush::Blocked {
        wait(&mut *channel, true);
    }
    channel.close_input();
    assert_eq!(receive(&mut *channel), None);
    assert_eq!(worker.join().unwrap(), messages);
}

fn a_worker_may_be_killed_at_any_stage(kind: TransportKind) {
    let mut transport = transport::transport(&kind.into(), 3).unwrap();
    let (mut other, endpoints) = transport.open().unwrap();
    let echo = thread::spawn(move || fixture::echo(transport::connect(kind, endpoints).unwrap()));
    for stage in Stage::ALL {
        let (mut channel, endpoints) = transport.open().unwrap();
        let mut fixture = Fixture::start(kind, stage, &endpoints);
        drop(endpoints);
        if stage == Stage::AfterTheEndOfItsInput {
            channel.close_input();
        }
        fixture.wait_until_ready();
        if stage == Stage::WhileItsOutputIsFull {
            wait_until_asleep(fixture.pid());
        }
        fixture.kill();
        // As the event loop does: first what it left, then its end. A torn frame is none.
        let left = fixture::drain(&mut *channel);
        let result = if stage == Stage::WhileItsOutputIsFull { &SMALL[..] } else { b"x\n" };
        assert!((0..).zip(&left).all(|(first, left)| *left == (done(first), result.to_vec())), "{stage:?}");
        let frames = left.len() as u64;
        let is_as_expected = match stage {
            Stage::WhileItsOutputIsFull => frames >= stage.frames_min(),
            _ => frames == stage.frames_min(),
        };
        assert!(is_as_expected, "{stage:?}: {frames} frames were read");
        // Nobody is there any more: that is no error, and nothing to wait for.
        if channel.write_fd().is_some() {
            queue(&mut *channel, run(1), b"for nobody").unwrap();
            assert_ne!(channel.flush().unwrap_or(Flush::Closed), Flush::Blocked, "{stage:?}");
        }
        channel.close_input();
        assert_eq!(channel.backlog_bytes(), 0, "{stage:?}");
        drop(channel);
        fixture.reap();
        exchange(&mut *other, 3);
    }
    other.close_input();
    assert_eq!(receive(&mut *other), None);
    echo.join().unwrap();
}

fn a_worker_may_be_killed_with_a_full_input(kind: TransportKind) {
    let (mut channel, endpoints) = open(kind);
    let mut fixture = Fixture::start(kind, Stage::BeforeItsHello, &endpoints);
    drop(endpoints);
    fixture.wait_until_ready();
    fill_up(&mut *channel);
    fixture.kill();
    assert!(fixture::drain(&mut *channel).is_empty());
    // Whether it is blocked or closed, it is no error, and it can be closed.
    let _ = channel.flush();
    channel.close_input();
    assert_eq!((channel.backlog_bytes(), channel.flush().unwrap()), (0, Flush::Closed));
    fixture.reap();
}

/// Waits until all threads of a process sleep and none has been awake between two looks, many times over.
fn wait_until_asleep(pid: u32) {
    let (until, mut before, mut looks) = (Instant::now() + PATIENCE_TO_LET_GO, String::new(), 0);
    while looks < 100 {
        assert!(Instant::now() < until, "process {pid} does not come to rest: {before}");
        let mut now = String::new();
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap_or_default();
            now.extend(status.lines().filter(|line| line.starts_with("State") || line.contains("ctxt_switches")));
        }
        looks = if now == before && !now.contains("R (running)") { looks + 1 } else { 0 };
        before = now;
        thread::yield_now();
    }
}

/// Where a transport might leave something behind, for all to see.
fn names_of_all() -> BTreeSet<PathBuf> {
    let folders = ["/dev/shm", "/dev/mqueue"].into_iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    folders.flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// In a process of its own: other tests of this one open channels at the same time.
fn nothing_is_left_behind(kind: TransportKind) {
    let before = names_of_all();
    for role in ["used", "unused"] {
        let folder = tempfile::tempdir().unwrap();
        fixture::play(role, kind, folder.path());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{role}: {left:?}");
    }
    // Others on this machine may have what lives for a moment; what was left behind does not vanish.
    let until = Instant::now() + PATIENCE_TO_LET_GO;
    let mut new = names_of_all();
    new.retain(|name| !before.contains(name));
    while !new.is_empty() {
        assert!(Instant::now() < until, "left behind: {new:?}");
        let now = names_of_all();
        new.retain(|name| now.contains(name));
        thread::yield_now();
    }
}

/// If an error is the one that is meant.
type Names = fn(&ChannelError) -> bool;

fn a_broken_protocol_is_named_and_stays_broken(kind: TransportKind) {
    let mut wrong_way = Vec::new();
    supervisor::wire::append(&run(1), b"x", &mut wrong_way).unwrap();
    let mut two_in_one_line = Vec::new();
    let two = FromWorker::Done { first: 1, count: 2, attempt: 1, busy_ns: 7, timed: false };
    supervisor::wire::append(&two, b"1 4\n", &mut two_in_one_line).unwrap();
    let cases: [(&[u8], Names); 5] = [
        (b"hello, world", |error| matches!(error, ChannelError::Frame(FrameError::Version { found: b'h' }))),
        (&[1, 2, 0, 0, 255, 255, 255, 255], |error| matches!(error, ChannelError::Frame(FrameError::Body { .. }))),
        (&[1, 2, 1, 0, 0, 0, 0, 0, 99], |error| matches!(error, ChannelError::Codec(_))),
        (&wrong_way, |error| *error == ChannelError::Direction),
        (&two_in_one_line, |error| *error == ChannelError::Results { count: 2, newlines: 1 }),
    ];
    for (bytes, is_named) in cases {
        let (mut channel, mut connection) = both_ends(kind);
        send(&mut connection, done(1), b"good\n");
        connection.results.send(bytes).unwrap();
        assert_eq!(receive(&mut *channel), Some((done(1), b"good\n".to_vec())));
        let error = loop {
            match channel.next() {
                Ok(Some(message)) => panic!("{message:?} was made of {bytes:?}"),
                Ok(None) => assert!(matches!(channel.fill().unwrap(), Fill::Bytes(_)), "{bytes:?}"),
                Err(error) => break error,
            }
        };
        assert!(is_named(&error), "{bytes:?}: {error}");
    }
}

fn too_long_a_body_is_refused_and_nothing_is_lost(kind: TransportKind) {
    let (mut channel, mut connection) = both_ends(kind);
    let error = queue(&mut *channel, run(1), &vec![0; BODY_BYTES_MAX + 1]).unwrap_err();
    assert_eq!(error, ChannelError::Frame(FrameError::Body { bytes: BODY_BYTES_MAX + 1 }));
    queue(&mut *channel, run(2), b"fits").unwrap();
    assert_eq!(channel.flush().unwrap(), Flush::All);
    assert_eq!(take(&mut connection), Some((run(2), b"fits".to_vec())));
}

fn nobody_inherits_an_end_by_accident(kind: TransportKind) {
    let (channel, endpoints) = open(kind);
    let is_closed_on_exec = |flags: nix::Result<i32>| FdFlag::from_bits_retain(flags.unwrap()) == FdFlag::FD_CLOEXEC;
    for (_, fd) in endpoints.fds() {
        assert!(is_closed_on_exec(fcntl(fd, FcntlArg::F_GETFD)));
    }
    assert!(is_closed_on_exec(fcntl(channel.read_fd(), FcntlArg::F_GETFD)));
    assert!(is_closed_on_exec(fcntl(channel.write_fd().unwrap(), FcntlArg::F_GETFD)));
    assert!(transport::connect(kind, Endpoints::new()).is_err(), "an end needs what it is handed");
}

/// All promises for the transport of this name.
macro_rules! contract {
    ($name:ident) => {
        contract!($name:
            items_and_results_arrive_whole_and_in_order,
            nothing_leaves_before_a_flush,
            a_full_channel_says_so_and_goes_on_later,
            a_closed_input_ends_behind_what_was_flushed,
            what_a_worker_wrote_before_its_death_is_read,
            a_torn_result_is_none,
            the_largest_bodies_and_empty_ones_arrive,
            large_results_are_kept_in_a_file,
            what_may_not_be_large_is_refused_at_its_head,
            frames_that_come_byte_by_byte_are_whole,
            both_directions_may_be_full_at_once,
            a_worker_may_be_killed_at_any_stage,
            a_worker_may_be_killed_with_a_full_input,
            nothing_is_left_behind,
            a_broken_protocol_is_named_and_stays_broken,
            too_long_a_body_is_refused_and_nothing_is_lost,
            nobody_inherits_an_end_by_accident,
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
