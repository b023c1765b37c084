//! The real `supervisor-worker`, spoken to over a real channel.
//!
//! Here this test is the supervisor: it observes from outside what the worker does with its frames, its progress page
//! and its environment. Nothing sleeps; the poll set waits.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use supervisor::model::exit::ExitStatus;
use supervisor::model::ids::ItemId;
use supervisor::model::signal::Signal;
use supervisor::model::spec::{ProtocolKind, TransportKind};
use supervisor::model::time::Duration;
use supervisor::protocol::frames::hello;
use supervisor::protocol::{Protocol, Received, SessionConfig};
use supervisor::sys::block::BlockSlice;
use supervisor::sys::pidfd::Process;
use supervisor::sys::poller::{Interest, Poller};
use supervisor::sys::spawn::{SpawnPlan, Spawner};
use supervisor::sys::{clock, fd};
use supervisor::transport::progress_page::ProgressReader;
use supervisor::transport::{self, Channel, Fill, Flush};
use supervisor::wire::message::{FromWorker, ToWorker};
use supervisor::wire::prefix::Prefix;
use supervisor::wire::{names, times};

const WORKER: &str = env!("CARGO_BIN_EXE_supervisor-worker");
const TOKEN: &str = "000102030405060708090a0b0c0d0e0f";
const TOKEN_BYTES: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker process, and the supervisor's ends of all that they share.
struct Worker {
    channel: Box<dyn Channel>,
    protocol: Protocol,
    progress: ProgressReader,
    process: Process,
    stderr: File,
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn wait(what: impl AsFd, interest: Interest) {
    let mut poller = Poller::new().unwrap();
    poller.add(what, interest, 0).unwrap();
    let (mut ready, since) = (Vec::new(), Instant::now());
    // The end of another test's process interrupts a wait.
    while ready.is_empty() {
        assert!(since.elapsed().as_nanos() < PATIENCE.0.into(), "nothing came");
        poller.wait(&mut ready, Some(PATIENCE)).unwrap();
    }
}

impl Worker {
    fn start(task: &str, changes: &[(&str, &str)]) -> Self {
        let (channel, endpoints) = transport::transport(&TransportKind::Pipe.into(), 1).unwrap().open().unwrap();
        let mut fds: Vec<_> = endpoints.fds().map(|(_, fd)| fd).collect();
        let (progress, progress_fd) = ProgressReader::create().unwrap();
        fds.push(progress_fd.as_fd());
        let (stderr, stderr_end) = fd::pipe().unwrap();
        let parent = std::process::id().to_string();
        let mut variables = vec![
            (names::FD_IN, "3"),
            (names::FD_OUT, "4"),
            (names::FD_PROGRESS, "5"),
            (names::TOKEN, TOKEN),
            (names::PARENT, &parent),
            (names::DELIMITER, "10"),
            (names::TRANSPORT, "pipe"),
        ];
        variables.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        variables.extend(changes);
        let env: Vec<CString> = variables.iter().map(|(name, value)| c(&format!("{name}={value}"))).collect();
        let argv = [c(WORKER), c("--task"), c(task)];
        let program: &CStr = &argv[0];
        let null = fd::dev_null().unwrap();
        let plan = SpawnPlan {
            program,
            argv: &argv,
            env: &env,
            stdin: null.as_fd(),
            stdout: null.as_fd(),
            stderr: stderr_end.as_fd(),
            fds: &fds,
            kept: &[],
            new_group: true,
            folder: None,
            nice: None,
            ignored: &[],
            terminal: None,
            register: None,
        };
        let process = Spawner::new().unwrap().spawn(&plan).unwrap();
        let session = SessionConfig {
            token: Some(TOKEN_BYTES),
            waits_until_ready: false,
            delimiter: b'\n',
            message_items_max: u32::MAX,
        };
        let protocol = Protocol::new(ProtocolKind::Frames, session);
        Self { channel, protocol, progress, process, stderr: stderr.into() }
    }

    /// Starts it and takes its hello.
    fn ready(task: &str, changes: &[(&str, &str)]) -> Self {
        let mut worker = Self::start(task, changes);
        let hello = hello(worker.process.pid, TOKEN_BYTES);
        assert_eq!(worker.receive(), Some((hello, Vec::new())));
        worker
    }

    fn send(&mut self, first: u64, count: u32, body: &[u8]) {
        self.queue(first, count, body);
        self.flush();
    }

    fn queue(&mut self, first: u64, count: u32, body: &[u8]) {
        let block = Arc::new(body.to_vec().into());
        let prefix = Prefix::new(&ToWorker::Batch { first, count, attempt: 1 }, body.len());
        self.channel.queue(&prefix, count, BlockSlice::whole(&block)).unwrap();
    }

    fn flush(&mut self) {
        // A worker takes in a whole batch before it answers, so waiting for writing alone never locks up.
        while self.channel.flush().unwrap() == Flush::Blocked {
            wait(self.channel.write_fd().unwrap(), Interest::WRITE);
        }
        assert_eq!(self.channel.backlog_bytes(), 0);
    }

    /// The next message; `None` at the end.
    fn receive(&mut self) -> Option<(FromWorker, Vec<u8>)> {
        loop {
            match self.protocol.next().unwrap() {
                Some(Received::Message(message, body)) => return Some((message, body.to_vec())),
                Some(large) => panic!("{large:?}"),
                None => {}
            }
            match self.channel.fill(self.protocol.incoming()).unwrap() {
                Fill::Blocked => wait(self.channel.read_fd(), Interest::READ),
                Fill::Bytes(_) => {}
                Fill::Closed => return None,
            }
        }
    }

    /// The next message in words, without what differs from run to run.
    fn answer(&mut self) -> Option<String> {
        let (message, body) = self.receive()?;
        let body = String::from_utf8(body).unwrap();
        Some(match message {
            FromWorker::Hello { .. } => "hello".to_owned(),
            FromWorker::Done { first, count, attempt, busy_ns, timed } => {
                assert!(busy_ns > 0, "the time is missing");
                assert!((attempt, timed) == (1, false));
                format!("done {first}+{count} {body:?}")
            }
            FromWorker::Work { .. } => "work".to_owned(),
            FromWorker::Failed { item, panicked, .. } => format!("failed {item} panicked={panicked} {body}"),
        })
    }

    /// All answers until the worker has left, its exit status, and what it wrote to stderr.
    fn rest(mut self) -> (Vec<String>, ExitStatus, String) {
        let answers = std::iter::from_fn(|| self.answer()).collect();
        wait(&self.process.pidfd, Interest::READ);
        let (status, _) = self.process.reap().unwrap().expect("the pidfd said so");
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (answers, status, said)
    }
}

#[test]
fn batches_are_worked_on_in_order_until_the_input_ends() {
    let mut worker = Worker::ready("square", &[]);
    worker.send(0, 3, b"0\n1\n2\n");
    assert_eq!(worker.answer().unwrap(), r#"done 0+3 "0\n1\n4\n""#);
    assert_eq!(worker.progress.running(), None, "the page names no item before the results are written");
    worker.send(3, 1, b"12");
    worker.send(4, 2, b"13\n14\n");
    assert_eq!(worker.answer().unwrap(), r#"done 3+1 "144\n""#);
    assert_eq!(worker.answer().unwrap(), r#"done 4+2 "169\n196\n""#);
    worker.channel.close_input();
    assert_eq!(worker.rest(), (vec![], ExitStatus::Code(0), String::new()));
}

#[test]
fn a_long_batch_comes_back_in_parts_that_add_up() {
    const ITEMS: u32 = 100_000;
    let mut worker = Worker::ready("square", &[]);
    let body: String = (0..ITEMS).map(|item| format!("{item}\n")).collect();
    worker.send(0, ITEMS, body.as_bytes());
    let mut results = Vec::new();
    let (mut next, mut parts) = (0, 0);
    while next < u64::from(ITEMS) {
        let (message, body) = worker.receive().unwrap();
        let FromWorker::Done { first, count, .. } = message else { panic!("{message:?}") };
        assert_eq!(first, next);
        next += u64::from(count);
        parts += 1;
        results.extend_from_slice(&body);
    }
    let expected: String = (0..u64::from(ITEMS)).map(|item| format!("{}\n", item * item)).collect();
    assert!(results == expected.as_bytes());
    assert!(parts > 1, "results of {} bytes in one frame", results.len());
}

#[test]
fn a_result_does_not_wait_for_a_slow_item_of_the_next_batch() {
    let mut worker = Worker::ready("sleep", &[]);
    worker.queue(0, 2, b"0\n0\n");
    worker.queue(2, 1, b"1000h");
    worker.queue(3, 1, b"0");
    // In one write: all of it is there when the worker reads.
    worker.flush();
    assert_eq!(worker.answer().unwrap(), r#"done 0+2 "slept 0\nslept 0\n""#);
    worker.process.signal(Signal::KILL).unwrap();
    let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
    assert_eq!(worker.rest(), (vec![], killed, String::new()));
}

#[test]
fn a_failure_fails_its_item_alone() {
    let mut worker = Worker::ready("square", &[]);
    worker.send(7, 5, b"1\nabc\n\n3\n4\n");
    worker.send(12, 1, b"x");
    worker.channel.close_input();
    let (answers, status, said) = worker.rest();
    let expected = [
        r#"done 7+1 "1\n""#,
        r#"failed 8 panicked=false not an integer: "abc""#,
        r#"failed 9 panicked=false not an integer: """#,
        r#"done 10+2 "9\n16\n""#,
        r#"failed 12 panicked=false not an integer: "x""#,
    ];
    assert_eq!(answers, expected);
    assert_eq!((status, said.as_str()), (ExitStatus::Code(0), ""));
}

#[test]
fn a_panic_fails_its_item_alone_and_writes_nothing_to_stderr() {
    let mut worker = Worker::ready("panic", &[]);
    worker.send(0, 2, b"a\nb\n");
    worker.channel.close_input();
    let expected = [r#"failed 0 panicked=true "a""#, r#"failed 1 panicked=true "b""#].map(str::to_owned);
    assert_eq!(worker.rest(), (expected.to_vec(), ExitStatus::Code(0), String::new()));
}

#[test]
fn a_result_of_several_lines_has_a_frame_of_its_own() {
    let mut worker = Worker::ready("echo", &[(names::DELIMITER, "0")]);
    worker.send(0, 5, b"a\0b\nc\0d\n\0\0\n\n\0");
    worker.channel.close_input();
    let expected = [r#"done 0+1 "a\n""#, r#"done 1+1 "b\nc\n""#, r#"done 2+2 "d\n\n""#, r#"done 4+1 "\n\n""#];
    assert_eq!(worker.rest().0, expected);
}

#[test]
fn a_death_leaves_the_item_on_the_progress_page() {
    for (task, item, expected) in [
        ("exit", "3", ExitStatus::Code(3)),
        ("exit", "0", ExitStatus::Code(0)),
        ("signal", "KILL", ExitStatus::Signal { signal: Signal(9), core_dumped: false }),
        ("signal", "TERM", ExitStatus::Signal { signal: Signal(15), core_dumped: false }),
    ] {
        let mut worker = Worker::ready(task, &[]);
        worker.send(41, 1, b"no such thing");
        assert!(worker.answer().unwrap().starts_with("failed 41 "));
        worker.send(42, 2, format!("{item}\n{item}\n").as_bytes());
        wait(&worker.process.pidfd, Interest::READ);
        assert_eq!(worker.progress.running(), Some(ItemId(42)), "{task} {item}");
        assert_eq!(worker.rest(), (vec![], expected, String::new()), "{task} {item}");
    }
}

#[test]
fn a_worker_that_is_recalled_starts_no_item() {
    let mut worker = Worker::ready("square", &[]);
    worker.progress.recall();
    worker.send(0, 2, b"1\n2\n");
    assert_eq!(worker.rest(), (vec![], ExitStatus::Code(0), String::new()));
}

#[test]
fn times_are_sent_when_they_are_wanted() {
    let mut worker = Worker::ready("echo", &[(names::ITEM_TIMES, "1")]);
    let before_ns = clock::monotonic_ns();
    worker.send(0, 2, b"a\nb\n");
    let (message, body) = worker.receive().unwrap();
    let after_ns = clock::monotonic_ns();
    assert!(matches!(message, FromWorker::Done { first: 0, count: 2, timed: true, .. }), "{message:?}");
    let (pairs, results) = times::split(&body, 2).unwrap();
    assert_eq!(results, b"a\nb\n");
    let mut earliest_ns = before_ns;
    for pair in pairs {
        assert!(earliest_ns <= pair.started_ns && pair.runtime_ns < after_ns - before_ns, "{pair:?}");
        earliest_ns = pair.started_ns + pair.runtime_ns;
    }
    assert!(earliest_ns <= after_ns);
}

#[test]
fn a_failure_has_its_own_time() {
    let mut worker = Worker::ready("sleep", &[(names::ITEM_TIMES, "1")]);
    worker.send(0, 3, b"0\nabc\n20ms\n");
    let mut starts = Vec::new();
    for expected in [&b"slept 0\n"[..], b"not a duration: \"abc\"", b"slept 20ms\n"] {
        let (_, body) = worker.receive().unwrap();
        let (mut pairs, rest) = times::split(&body, 1).unwrap();
        let pair = pairs.next().unwrap();
        assert_eq!(rest, expected);
        assert_eq!(pair.runtime_ns >= 20_000_000, expected.ends_with(b"20ms\n"), "{pair:?}");
        starts.push(pair.started_ns);
    }
    assert!(starts.is_sorted(), "{starts:?}");
}

#[test]
fn the_children_of_a_worker_do_not_inherit_its_descriptors() {
    const O_CLOEXEC: u32 = 0o2_000_000;
    let worker = Worker::ready("echo", &[]);
    for number in [3, 4] {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{number}", worker.process.pid)).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        assert_ne!(u32::from_str_radix(flags, 8).unwrap() & O_CLOEXEC, 0, "fd {number}: {flags}");
    }
}

#[test]
fn a_body_with_another_number_of_items_ends_the_worker_with_a_message() {
    for (count, body) in [(3, &b"1\n2\n"[..]), (2, b"1\n2\n3\n"), (2, b"1\n2\n3"), (2, b"")] {
        let mut worker = Worker::ready("square", &[]);
        worker.send(0, count, body);
        let (_, status, said) = worker.rest();
        assert_eq!(status, ExitStatus::Code(1), "{body:?}");
        let words =
            format!("supervisor-worker: failed to read a batch of {count} items: its body holds another number\n");
        assert_eq!(said, words);
    }
}

#[test]
fn a_worker_whose_supervisor_is_gone_leaves_quietly() {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let worker = Worker::start("square", &[(names::PARENT, &gone.id().to_string())]);
    assert_eq!(worker.rest(), (vec![], ExitStatus::Code(1), String::new()));
}

#[test]
fn a_worker_that_is_started_by_hand_says_how_to_start_it() {
    let output = |arguments: &[&str]| {
        let output = Command::new(WORKER).args(arguments).env_clear().output().unwrap();
        assert!(output.stdout.is_empty());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = output(&[]);
    assert_eq!(code, Some(2));
    let usage = "run me under supervisor: supervisor --protocol frames -- PROGRAM (SUPERVISOR_TRANSPORT is not set)";
    assert_eq!(said, format!("supervisor-worker: {usage}\n"));
    let (code, said) = output(&["--task", "sqare"]);
    assert_eq!(code, Some(2));
    assert!(said.starts_with("supervisor-worker: no task is called \"sqare\"; there are square, "), "{said}");
    assert_eq!(said.lines().count(), 1);
}

/// The worker is started hundreds of times, so it has to stay small; it shares its library with a much larger program.
#[test]
fn the_worker_program_holds_nothing_of_command_line_reporters_or_engine() {
    let holds = |program: &str, words: &str| {
        let program = fs::read(program).unwrap();
        memchr::memmem::find(&program, words.as_bytes()).is_some()
    };
    let (supervisor, worker) = (env!("CARGO_BIN_EXE_supervisor"), env!("CARGO_BIN_EXE_supervisor-worker"));
    assert!(holds(worker, "SUPERVISOR_TOKEN"), "this search finds no constants");
    for words in ["Runs items through worker processes", "unexpected argument", "worker_spawned", "raise `ulimit -n`"] {
        assert!(holds(supervisor, words), "no program holds {words}");
        assert!(!holds(worker, words), "{words}");
    }
}
