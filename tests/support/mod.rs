//! Real runs of the real program. Tests wait for its events, by `--events` on a named pipe, and never
//! sleep; an event that does not come within [`PATIENCE`] fails the test with the events so far.
#![allow(dead_code, reason = "each test program uses its own part")]

mod balance;
pub mod piped;
pub mod random;
pub mod screen;
pub mod trace_events;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use supervisor::sys::pidfd::Process;

/// Longer than any event takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const SUPERVISOR: &str = env!("CARGO_BIN_EXE_supervisor");

/// Programs are started with the default action of these signals, also if the tests run under `nohup` or as a background
/// job of a script, which ignore them: the supervisor leaves an ignored signal ignored.
pub fn restore_default_signals() {
    use nix::sys::signal::{SigHandler, signal};
    for ignored in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        // SAFETY: the default action runs no code in this process.
        unsafe { signal(ignored, SigHandler::SigDfl) }.unwrap();
    }
}

/// A run in progress.
pub struct Run {
    child: Child,
    events: Receiver<Value>,
    seen: Vec<Value>,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
    pub dir: tempfile::TempDir,
}

/// A finished run.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub events: Vec<Value>,
}

impl Run {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, b"", |_| {})
    }

    /// With `stdin` as its standard input; `prepare` may change the command.
    pub fn start_with(arguments: &[&str], stdin: &[u8], prepare: impl FnOnce(&mut Command)) -> Self {
        restore_default_signals();
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("events");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut command = Command::new(SUPERVISOR);
        command.arg("--events").arg(&pipe).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        if let Some(mut input) = child.stdin.take() {
            let stdin = stdin.to_vec();
            // A run that stops early closes its stdin.
            std::thread::spawn(move || drop(input.write_all(&stdin)));
        }
        let stdout = child.stdout.take().map_or_else(|| std::thread::spawn(Vec::new), collect);
        let stderr = child.stderr.take().map_or_else(|| std::thread::spawn(Vec::new), collect);
        Self { child, events: read_events(pipe), seen: Vec::new(), stdout, stderr, dir }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// The next event that `wanted` accepts.
    pub fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if wanted(&event) {
                        return event;
                    }
                }
                Err(error) => self.give_up(&format!("the awaited event did not come ({error})")),
            }
        }
    }

    /// The next event, if one comes before `due`: for actions at a fixed time, whatever the run does.
    pub fn next_before(&mut self, due: Instant) -> Option<Value> {
        match self.events.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(event) => {
                self.seen.push(event.clone());
                Some(event)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => self.give_up("the run is over"),
        }
    }

    pub fn wait_for_event(&mut self, name: &str) -> Value {
        self.wait_for(|event| event["event"] == name)
    }

    /// Waits for the end of the run.
    pub fn finish(self) -> Finished {
        let finished = self.finish_session();
        balance::check(&finished.events);
        finished
    }

    /// Of a session with a journal: what it tells of an item may begin in an earlier one, and end in a later one.
    pub fn finish_session(mut self) -> Finished {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => self.seen.push(event),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.give_up("the run did not end"),
            }
        }
        let status = self.child.wait().unwrap();
        let text = |thread: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&thread.join().unwrap()).into_owned();
        Finished { status, stdout: text(self.stdout), stderr: text(self.stderr), events: self.seen }
    }

    fn give_up(&mut self, why: &str) -> ! {
        let _ = self.child.kill();
        panic!("{why}; seen: {:#?}", self.seen)
    }
}

impl Finished {
    /// The exit code, or 128 + the signal that ended it, as a shell shows it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap())
    }

    pub fn events(&self, name: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == name).collect()
    }

    /// How many items were settled with this outcome.
    pub fn settled(&self, outcome: &str) -> usize {
        self.events("item_settled").iter().filter(|event| event["outcome"] == outcome).count()
    }

    /// Every process that was started has ended and is gone.
    pub fn assert_no_process_left(&self) {
        for event in self.events("worker_spawned") {
            assert!(!alive(pid_of(event)), "process of {event} is left");
        }
    }
}

pub fn pid_of(event: &Value) -> u32 {
    u32::try_from(event["pid"].as_u64().unwrap()).unwrap()
}

pub fn send(pid: u32, signal: Signal) {
    // It may be gone already.
    let _ = signal::kill(Pid::from_raw(pid.try_into().unwrap()), signal);
}

/// Whether a process with this pid exists and is no zombie.
pub fn alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z'))
}

/// Waits until a process only sleeps: in a long series of probes it never runs and is never scheduled. A busy loop
/// never gets there.
pub fn wait_until_idle(pid: u32) {
    let deadline = Instant::now() + PATIENCE;
    let (mut before, mut quiet_probes) = (String::new(), 0);
    while quiet_probes < 1000 {
        assert!(Instant::now() < deadline, "process {pid} does not become idle: {before}");
        let now =
            ["State", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"].map(|name| status(pid, name)).concat();
        quiet_probes = if now == before && now.contains("S (sleeping)") { quiet_probes + 1 } else { 0 };
        before = now;
    }
}

/// Waits until a stopped process is seen to be one.
pub fn wait_until_stopped(pid: u32) {
    let deadline = Instant::now() + PATIENCE;
    while !status(pid, "State").starts_with('T') {
        assert!(Instant::now() < deadline, "process {pid} does not stop");
        std::thread::yield_now();
    }
}

/// Waits until a process has gone to sleep this many more times.
pub fn wait_for_wakes(pid: u32, wakes: u64) {
    let count = || status(pid, "voluntary_ctxt_switches").parse::<u64>().unwrap();
    let (deadline, until) = (Instant::now() + PATIENCE, count() + wakes);
    while count() < until {
        assert!(Instant::now() < deadline, "process {pid} does not wake");
        std::thread::yield_now();
    }
}

/// Memory in use: `VmRSS` now, `VmHWM` at most.
pub fn memory_kib(pid: u32, name: &str) -> u64 {
    status(pid, name).split(' ').next().unwrap().parse().unwrap()
}

/// A field of `/proc/PID/status`.
fn status(pid: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

/// Waits by their pidfds until none of these processes exists.
pub fn wait_until_gone(pids: &[u32]) {
    for pid in pids {
        // A process that cannot be opened is gone.
        let Ok(process) = Process::open(*pid) else { continue };
        let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        let patience_ms = PollTimeout::try_from(PATIENCE).unwrap();
        assert_eq!(poll(&mut ended, patience_ms), Ok(1), "process {pid} is left");
    }
}

/// Runs the program with these arguments and this stdin to its end.
pub fn output(arguments: &[&str], stdin: &[u8]) -> Finished {
    restore_default_signals();
    let mut child = Command::new(SUPERVISOR)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    std::thread::spawn(move || drop(input.write_all(&stdin)));
    let output = child.wait_with_output().unwrap();
    Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        events: Vec::new(),
    }
}

/// Runs a shell command line in which `$SUPERVISOR` is the program.
pub fn shell(line: &str) -> Finished {
    restore_default_signals();
    let output = Command::new("/bin/bash")
        .args(["-c", line])
        .env("SUPERVISOR", SUPERVISOR)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        events: Vec::new(),
    }
}

/// An example program of this package, built beside the tests.
pub fn example(name: &str) -> PathBuf {
    let path = Path::new(SUPERVISOR).with_file_name("examples").join(name);
    assert!(path.is_file(), "{} is not built: `cargo test` builds it, `cargo build --examples` too", path.display());
    path
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn read_events(pipe: PathBuf) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(File::open(pipe).unwrap()).lines() {
            let event = serde_json::from_str(&line.unwrap()).unwrap();
            if sender.send(event).is_err() {
                break;
            }
        }
    });
    receiver
}
