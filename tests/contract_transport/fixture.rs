//! The processes that the contract's tests start: this test program again, as a worker that stops at a stage and
//! waits to be killed, or as a process that opens many channels and does nothing else.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, RawFd};
use std::process::Command;
use std::thread;
use supervisor::model::exit::ExitStatus;
use supervisor::model::signal::Signal;
use supervisor::model::spec::TransportKind;
use supervisor::sys::pidfd::Process;
use supervisor::sys::spawn::{SpawnPlan, Spawner};
use supervisor::sys::{fd, parent};
use supervisor::transport::{self, Connection, Endpoints, Transport};
use supervisor::wire::names;

const ROLE: &str = "CONTRACT_ROLE";
const READY: &str = "the fixture is ready";
/// The number of the first descriptor that a process is given, as the supervisor counts.
const FIRST_FD: RawFd = 3;

/// How far a worker gets before it waits to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    BeforeItConnects,
    /// It has connected.
    BeforeItsHello,
    /// It has sent [`FRAMES`] frames.
    BetweenFrames,
    /// It has sent [`FRAMES`] frames and half of one more.
    WithinAFrame,
    /// It sends frames until the channel takes no more.
    WhileItsOutputIsFull,
    /// It has read the end of its input, and then sent [`FRAMES`] frames.
    AfterTheEndOfItsInput,
}

impl Stage {
    pub const ALL: [Self; 6] = [
        Self::BeforeItConnects,
        Self::BeforeItsHello,
        Self::BetweenFrames,
        Self::WithinAFrame,
        Self::WhileItsOutputIsFull,
        Self::AfterTheEndOfItsInput,
    ];

    /// How many whole frames must arrive; more may, of a worker that sends without end.
    pub fn frames_min(self) -> u64 {
        match self {
            Self::BeforeItConnects | Self::BeforeItsHello => 0,
            Self::BetweenFrames | Self::WithinAFrame | Self::AfterTheEndOfItsInput => FRAMES,
            Self::WhileItsOutputIsFull => 1,
        }
    }
}

/// Few enough to fit into any channel.
pub const FRAMES: u64 = 100;

/// A process in the role of a worker.
pub struct Fixture {
    process: Process,
    said: BufReader<File>,
}

impl Fixture {
    /// Starts it with these endpoints, as the supervisor starts a worker.
    pub fn start(kind: TransportKind, stage: Stage, endpoints: &Endpoints) -> Self {
        let mut variables = vec![
            format!("{ROLE}={stage:?}"),
            format!("{}={}", names::TRANSPORT, kind.name()),
            format!("{}={}", names::PARENT, std::process::id()),
            "RUST_TEST_THREADS=1".to_owned(),
        ];
        let inherited = ["TMPDIR", "XDG_RUNTIME_DIR", "PATH"];
        variables.extend(inherited.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?))));
        let mut fds = Vec::new();
        for (number, (names, fd)) in (FIRST_FD..).zip(endpoints.fds()) {
            variables.extend(names.iter().map(|name| format!("{name}={number}")));
            fds.push(fd);
        }
        variables.extend(endpoints.variables().map(|(name, value)| format!("{name}={value}")));
        let program = c(std::env::current_exe().unwrap().to_str().unwrap());
        let argv = [&program, &c("--exact"), &c("fixture::entry_of_the_process"), &c("--nocapture")].map(Clone::clone);
        let env: Vec<CString> = variables.iter().map(|variable| c(variable)).collect();
        let (said, stderr) = fd::pipe().unwrap();
        let null = fd::dev_null().unwrap();
        let program: &CStr = &program;
        let plan = SpawnPlan {
            program,
            argv: &argv,
            env: &env,
            stdin: null.as_fd(),
            stdout: null.as_fd(),
            stderr: stderr.as_fd(),
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
        Self { process, said: BufReader::new(said.into()) }
    }

    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Waits until it has reached its stage.
    pub fn wait_until_ready(&mut self) {
        let mut heard = String::new();
        while !heard.ends_with(&format!("{READY}\n")) {
            assert!(self.said.read_line(&mut heard).unwrap() > 0, "it ended before it was ready: {heard}");
        }
    }

    /// Kills it, and waits until it is dead.
    pub fn kill(&self) {
        self.process.signal(Signal::KILL).unwrap();
        let mut ended = [PollFd::new(self.process.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut ended, PollTimeout::NONE), Ok(1));
    }

    /// Reaps it; it is dead.
    pub fn reap(self) {
        let (status, _) = self.process.reap().unwrap().expect("it is dead");
        assert!(matches!(status, ExitStatus::Signal { signal: Signal::KILL, .. }), "{status:?}");
    }
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// Runs this program with `role` in a process of its own, with empty folders for temporary files.
pub fn play(role: &str, kind: TransportKind, folder: &std::path::Path) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fixture::entry_of_the_process", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(names::TRANSPORT, kind.name())
        .env("TMPDIR", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(READY), "{role} over {}: {said}", kind.name());
}

/// Not a test: the entry point of the started process. Without a role it does nothing.
#[test]
fn entry_of_the_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let kind = transport::by_name(&std::env::var(names::TRANSPORT).unwrap()).unwrap();
    match Stage::ALL.into_iter().find(|stage| format!("{stage:?}") == role) {
        Some(stage) => come_to(stage, kind),
        None => many_channels(&role, kind),
    }
}

fn ready() {
    // In one write, so that no output of the test harness divides the line.
    std::io::stderr().write_all(format!("{READY}\n").as_bytes()).unwrap();
}

fn wait_for_ever() -> ! {
    loop {
        thread::park();
    }
}

fn come_to(stage: Stage, kind: TransportKind) {
    // If the parent fails, nothing else ends this process.
    assert!(parent::die_with_parent(std::env::var(names::PARENT).unwrap().parse().unwrap()).unwrap());
    if stage == Stage::BeforeItConnects {
        ready();
        wait_for_ever();
    }
    let mut connection = transport::connect(kind, inherited()).unwrap();
    match stage {
        Stage::BeforeItConnects | Stage::BeforeItsHello => {}
        Stage::BetweenFrames => send_frames(&mut connection),
        Stage::WithinAFrame => {
            send_frames(&mut connection);
            let frame = super::frame_of(FRAMES, b"never whole\n");
            connection.results.send(&frame[..frame.len() / 2]).unwrap();
        }
        Stage::WhileItsOutputIsFull => {
            ready();
            for first in 0.. {
                connection.results.send(&super::frame_of(first, &super::SMALL)).unwrap();
            }
        }
        Stage::AfterTheEndOfItsInput => {
            assert_eq!(super::take(&mut connection), None);
            send_frames(&mut connection);
        }
    }
    ready();
    wait_for_ever();
}

/// In one write, as workers send: not every channel holds many small messages.
fn send_frames(connection: &mut Connection) {
    let frames: Vec<u8> = (0..FRAMES).flat_map(|first| super::frame_of(first, b"x\n")).collect();
    connection.results.send(&frames).unwrap();
}

/// What this process was started with.
fn inherited() -> Endpoints {
    let mut endpoints = Endpoints::new();
    let mut known: Vec<(RawFd, Vec<&'static str>)> = Vec::new();
    for name in names::TRANSPORT_FDS {
        let Some(number) = std::env::var(name).ok().map(|number| number.parse().unwrap()) else { continue };
        match known.iter_mut().find(|(fd, _)| *fd == number) {
            Some((_, names)) => names.push(name),
            None => known.push((number, vec![name])),
        }
    }
    for (number, names) in known {
        endpoints = endpoints.fd(&names, fd::take_inherited(number).unwrap());
    }
    for name in names::TRANSPORT_VARIABLES {
        if let Ok(variable) = std::env::var(name) {
            endpoints = endpoints.variable(name, variable);
        }
    }
    endpoints
}

/// What this process holds: descriptors, threads, and memory that it may share with others.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    fds: usize,
    threads: usize,
    shared: usize,
}

impl Held {
    fn now() -> Self {
        let count = |folder| std::fs::read_dir(folder).unwrap().count();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        // `rw-s`: not private.
        let shared = maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.ends_with('s'))).count();
        Self { fds: count("/proc/self/fd"), threads: count("/proc/self/task"), shared }
    }

    /// Whether it holds no more than then. It may hold less, if a thread was still ending then.
    fn is_within(&self, then: &Self) -> bool {
        self.fds <= then.fds && self.threads <= then.threads && self.shared <= then.shared
    }

    /// Waits until this process holds no more than `self`. A thread may need a moment to end.
    fn wait_for_return(&self, what: &str) {
        let until = std::time::Instant::now() + super::RELEASE_WAIT_MAX;
        while !Self::now().is_within(self) {
            assert!(std::time::Instant::now() < until, "{what}: {:?} and not {self:?}", Self::now());
            thread::yield_now();
        }
    }
}

fn many_channels(role: &str, kind: TransportKind) {
    const CHANNELS: u64 = 100;
    let before = Held::now();
    let mut transport = transport::transport(&kind.into(), 2).unwrap();
    // The first channel may create what all channels share.
    used(&mut *transport);
    let one = Held::now();
    for _ in 0..CHANNELS {
        match role {
            "used" => used(&mut *transport),
            // A worker that died before it connected, or was not even started.
            "unused" => drop(transport.open().unwrap()),
            _ => panic!("unknown role {role}"),
        }
    }
    one.wait_for_return("after many channels");
    drop(transport);
    before.wait_for_return("after the transport's end");
    ready();
}

fn used(transport: &mut dyn Transport) {
    let (mut channel, endpoints) = super::Link::open(transport);
    let kind = transport::by_name(&std::env::var(names::TRANSPORT).unwrap()).unwrap();
    let worker = thread::spawn(move || echo(transport::connect(kind, endpoints).unwrap()));
    super::exchange(&mut channel, 3);
    channel.channel.close_input();
    assert_eq!(channel.receive(), None);
    worker.join().unwrap();
}

/// Answers each item with its own bytes.
pub fn echo(mut connection: Connection) {
    while let Some((message, body)) = super::take(&mut connection) {
        let supervisor::wire::message::ToWorker::Batch { first, .. } = message;
        super::send(&mut connection, super::done(first), &body);
    }
}

/// Reads all that a dead worker left, as long as bytes come, as the event loop does.
pub fn drain(link: &mut super::Link) -> Vec<(supervisor::wire::message::FromWorker, Vec<u8>)> {
    let mut messages = Vec::new();
    loop {
        let filled = link.channel.fill(link.decoder.buffer());
        messages.extend(std::iter::from_fn(|| link.next()));
        if !matches!(filled, Ok(transport::Fill::Bytes(_))) {
            return messages;
        }
    }
}
