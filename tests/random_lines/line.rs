//! A command line that was drawn: how it is shown, and how it is run.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fmt::{Display, Formatter, Write as _};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use supervisor::sys::pidfd::Process;

/// Longer than any line takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// An endless line gets TERM this often, after its other signals. The same signal counts once within 0.1 s.
const TERM_PERIOD: Duration = Duration::from_millis(150);
/// How long the processes of a line may take to end after the supervisor.
const GONE_WITHIN_MS: u16 = 10_000;
/// The variable that the processes of a line inherit.
const MARK: &str = "SUPERVISOR_RANDOM_LINE";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    Closed,
    Folder,
    Null,
    /// A pipe that stays open.
    Open,
    File,
    Pipe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Closed,
    Full,
    /// A pipe without a reader.
    Gone,
    Read,
}

/// A signal to the supervisor, so long after the one before.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub after: Duration,
    pub signal: Signal,
}

pub struct Line {
    pub seed: u64,
    pub arguments: Vec<OsString>,
    /// What stdin and the file `items` hold.
    pub items: Vec<u8>,
    pub stdin: Input,
    pub stdout: Output,
    pub signals: Vec<Sent>,
    /// It may take for ever, and gets TERM until it ends.
    pub endless: bool,
    /// Its items may end the supervisor itself.
    pub is_wild: bool,
    /// Its events are in the file `events`, unless a later flag says otherwise.
    pub has_events: bool,
    /// The flags that were drawn.
    pub flags: Vec<&'static str>,
}

/// What came of a line.
pub struct Ran {
    /// `None`: it did not end.
    pub status: Option<ExitStatus>,
    pub sent: Vec<Signal>,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub events: Option<String>,
    /// Processes that were left, with their command lines.
    pub processes_left: Vec<String>,
    pub files_left: Vec<String>,
}

impl Line {
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            arguments: Vec::new(),
            items: Vec::new(),
            stdin: Input::Null,
            stdout: Output::Read,
            signals: Vec::new(),
            endless: false,
            is_wild: false,
            has_events: false,
            flags: Vec::new(),
        }
    }

    /// Runs it in a folder of its own.
    pub fn run(&self, program: &str) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        let temporary = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("items"), &self.items).unwrap();
        let mark = format!("{}-{}", std::process::id(), self.seed);
        let mut command = Command::new(program);
        command.args(&self.arguments).current_dir(folder.path()).env("TMPDIR", temporary.path()).env(MARK, &mark);
        // Semaphores leave their files there.
        let runtime = tempfile::tempdir().unwrap();
        command.env("XDG_RUNTIME_DIR", runtime.path());
        command.env_remove("COLUMNS").stderr(Stdio::piped());
        let kept_open = self.connect(&mut command, folder.path());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        if self.stdin == Input::Pipe
            && let Some(mut pipe) = stdin
        {
            let items = self.items.clone();
            // A run that stops early closes its stdin.
            std::thread::spawn(move || drop(pipe.write_all(&items)));
        }
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        let (status, sent) = self.wait(&mut child);
        drop(kept_open);
        let processes_left = processes_left(&format!("{MARK}={mark}"));
        let bytes = |thread: Option<std::thread::JoinHandle<Vec<u8>>>| {
            thread.map(|thread| thread.join().unwrap()).unwrap_or_default()
        };
        let left = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().path().display().to_string();
        Ran {
            status,
            sent,
            stdout: bytes(stdout),
            stderr: String::from_utf8_lossy(&bytes(stderr)).into_owned(),
            events: std::fs::read_to_string(folder.path().join("events")).ok(),
            processes_left,
            files_left: std::fs::read_dir(temporary.path()).unwrap().map(left).collect(),
        }
    }

    /// The style of exit codes that counts: the last one.
    pub fn exit_style(&self) -> Option<&str> {
        let words = || self.arguments.iter().map(|word| word.to_str().unwrap_or_default());
        let flags = words().take_while(|word| !["--", ":::", "::::"].contains(word));
        let values = flags.zip(words().skip(1)).filter_map(|(word, next)| match word {
            "--exit-code" => Some(next),
            word => word.strip_prefix("--exit-code="),
        });
        values.last()
    }

    /// Connects stdin and stdout; returns what must stay open until the end.
    fn connect(&self, command: &mut Command, folder: &Path) -> Option<std::io::PipeWriter> {
        let mut kept_open = None;
        match self.stdin {
            Input::Closed | Input::Null => command.stdin(Stdio::null()),
            Input::Folder => command.stdin(File::open(folder).unwrap()),
            Input::File => command.stdin(File::open(folder.join("items")).unwrap()),
            Input::Pipe => command.stdin(Stdio::piped()),
            Input::Open => {
                let (reader, writer) = std::io::pipe().unwrap();
                kept_open = Some(writer);
                command.stdin(reader)
            }
        };
        match self.stdout {
            Output::Closed => command.stdout(Stdio::null()),
            Output::Full => command.stdout(File::options().write(true).open("/dev/full").unwrap()),
            Output::Gone => command.stdout(std::io::pipe().unwrap().1),
            Output::Read => command.stdout(Stdio::piped()),
        };
        let (closes_stdin, closes_stdout) = (self.stdin == Input::Closed, self.stdout == Output::Closed);
        // SAFETY: the calls between fork and exec are system calls.
        unsafe {
            command.pre_exec(move || {
                for ignored in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
                    signal::signal(ignored, signal::SigHandler::SigDfl)?;
                }
                if closes_stdin {
                    libc::close(0);
                }
                if closes_stdout {
                    libc::close(1);
                }
                Ok(())
            });
        }
        kept_open
    }

    /// Waits for the end, sends the signals meanwhile, and kills what does not end.
    fn wait(&self, child: &mut Child) -> (Option<ExitStatus>, Vec<Signal>) {
        let process = Process::open(child.id()).unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let ends_within = |wait: Duration| {
            let timeout = PollTimeout::try_from(wait).unwrap();
            let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
            poll(&mut ended, timeout) == Ok(1)
        };
        let mut sent = Vec::new();
        let start = Instant::now();
        let mut signals = self.signals.iter().copied();
        let ended = loop {
            let next =
                signals.next().or_else(|| self.endless.then_some(Sent { after: TERM_PERIOD, signal: Signal::SIGTERM }));
            let wait = next.map_or(PATIENCE, |next| next.after);
            if ends_within(wait) {
                break true;
            }
            let Some(next) = next.filter(|_| start.elapsed() < PATIENCE) else { break false };
            sent.push(next.signal);
            signal::kill(pid, next.signal).unwrap();
        };
        if !ended {
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        (ended.then_some(status), sent)
    }
}

/// The line as a shell reads it.
impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        match self.stdin {
            Input::Pipe => write!(text, "printf {} | ", quoted(&self.items).replace('%', "%%"))?,
            Input::Open => text.push_str("sleep 60 | "),
            _ => {}
        }
        text.push_str("supervisor");
        for argument in &self.arguments {
            write!(text, " {}", quoted(argument.as_bytes()))?;
        }
        text.push_str(match self.stdin {
            Input::Closed => " <&-",
            Input::Folder => " <.",
            Input::Null => " </dev/null",
            Input::File => " <items",
            Input::Open | Input::Pipe => "",
        });
        text.push_str(match self.stdout {
            Output::Closed => " >&-",
            Output::Full => " >/dev/full",
            Output::Gone => " | true",
            Output::Read => "",
        });
        write!(f, "{text}")?;
        if self.arguments.iter().any(|argument| argument.as_bytes().ends_with(b"items")) {
            write!(f, "\n  items: {}", quoted(&self.items))?;
        }
        for sent in &self.signals {
            write!(f, "\n  {} after {:?}", sent.signal, sent.after)?;
        }
        if self.endless {
            write!(f, "\n  then SIGTERM every {TERM_PERIOD:?}")?;
        }
        Ok(())
    }
}

/// A word as a shell reads it back; what is very long is cut.
fn quoted(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./,:+@%={}".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) && bytes.len() < 300 {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut text = String::from("$'");
    for byte in &bytes[..bytes.len().min(300)] {
        match byte {
            b'\'' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            // Writing to a string cannot fail.
            byte => drop(write!(text, "\\{byte:03o}")),
        }
    }
    text.push('\'');
    if bytes.len() > 300 {
        // Writing to a string cannot fail.
        let _ = write!(text, "... ({} bytes)", bytes.len());
    }
    text
}

fn collect(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// The processes with this variable that do not end within a time; they are killed.
fn processes_left(variable: &str) -> Vec<String> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let is_marked = || {
            let variables = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            variables.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
        };
        if !is_marked() {
            continue;
        }
        // A process that cannot be opened is gone.
        let Ok(process) = Process::open(pid) else { continue };
        let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        if is_marked() && poll(&mut ended, GONE_WITHIN_MS) != Ok(1) {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            left.push(format!("{pid}: {}", String::from_utf8_lossy(&line).replace('\0', " ")));
            process.end();
        }
    }
    left
}
