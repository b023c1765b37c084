//! Lesson `subprocess`: programs are run and waited for, and what comes back is looked at.

use super::actor::{COMMAND_PART, part_command};
use super::error::TourError;
use super::flow::show_flow;
use super::report::{Unit, millis};
use super::stage::LessonStage;
use super::text::subprocess as text;
use crate::outcomes::{ExitStatus, Usage};
use crate::sys::clock;
use crate::sys::pidfd::Process;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread;

/// How long a command may take.
const PATIENCE_MS: u16 = 30_000;
const SLEEP_NS: u64 = 300_000_000;

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::ONE_BY_ONE, &[])?;
    let echo = shown(stage, &["echo", "hello", "two words", "*"], "echo hello 'two words' '*'")?;
    stage.claim(&text::ARGUMENTS, echo.stdout == "hello two words *\n" && echo.exit.is_success());
    let code = shown(stage, &["sh", "-c", "exit 7"], "sh -c 'exit 7'")?;
    stage.claim(&text::CODE, code.exit == ExitStatus::Code(7));
    let both = shown(stage, &["sh", "-c", "echo good; echo bad >&2"], "sh -c 'echo good; echo bad >&2'")?;
    stage.claim(&text::STREAMS, (both.stdout.as_str(), both.stderr.as_str()) == ("good\n", "bad\n"));
    let sleep = shown(stage, &["sleep", "0.3"], "sleep 0.3")?;
    if let ExitStatus::Code(code) = code.exit {
        stage.value("exit_code", &text::EXIT_CODE, code, Unit::Count)?;
    }
    stage.value("sleep_ms", &text::SLEPT, millis(sleep.took_ns), Unit::Milliseconds)?;
    stage.value("sleep_cpu_ms", &text::CPU, millis(sleep.cpu_ns()), Unit::Milliseconds)?;
    stage.claim(&text::WAITED, sleep.took_ns >= SLEEP_NS && sleep.cpu_ns() < SLEEP_NS / 2);
    stage.command("no-such-command")?;
    let missing = Command::new("no-such-command-of-this-lesson").spawn();
    if let Err(error) = &missing {
        stage.show(&text::ERROR, &[("error", error)])?;
    }
    stage.claim(&text::NOT_STARTED, missing.is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
    stage.pause()?;
    stage.say(&text::MANY, &[])?;
    let flow = show_flow(stage, &["-j", "2", "--", "sleep", "{}", ":::", "0.1", "0.2", "0.1"])?;
    let processes = flow.worker_pids().len();
    stage.claim(&text::BY_SUPERVISOR, flow.settled("done") == 3 && processes == 3 && flow.exit.is_success());
    Ok(())
}

/// What came back from a process.
struct ReturnedProcess {
    pid: u32,
    exit: ExitStatus,
    usage: Usage,
    took_ns: u64,
    stdout: String,
    stderr: String,
}

impl ReturnedProcess {
    const fn cpu_ns(&self) -> u64 {
        (self.usage.user_us + self.usage.system_us) * 1000
    }
}

/// Runs a command and shows it and what came back.
fn shown(stage: &mut LessonStage<'_>, words: &[&str], line: &str) -> Result<ReturnedProcess, TourError> {
    stage.command(line)?;
    let ended = run(words)?;
    let ReturnedProcess { pid, exit, took_ns, stdout, stderr, .. } = &ended;
    let (ms, cpu, kib) = (millis(*took_ns), millis(ended.cpu_ns()), ended.usage.rss_max_kib);
    stage.show(&text::ENDED, &[("pid", pid), ("exit", exit), ("ms", &ms), ("cpu", &cpu), ("kib", &kib)])?;
    for (label, output) in [(&text::STDOUT, stdout), (&text::STDERR, stderr)] {
        if !output.is_empty() {
            stage.show(label, &[("text", &output.trim_end())])?;
        }
    }
    Ok(ended)
}

/// Starts, reads both outputs, waits, and asks for the cost.
fn run(words: &[&str]) -> Result<ReturnedProcess, TourError> {
    let failed = || TourError::system("run a command of the lesson");
    let mut command = part_command(COMMAND_PART, words);
    command.stderr(Stdio::piped());
    let begin = clock::monotonic_ns();
    let mut child = command.spawn().map_err(failed())?;
    let process = Process::open(child.id()).map_err(failed())?;
    let mut errors = child.stderr.take();
    // Both are read at once, or a full pipe would make the child wait.
    let errors = thread::spawn(move || text_of(errors.as_mut()));
    let stdout = text_of(child.stdout.as_mut());
    let stderr = errors.join().unwrap_or_default();
    process.wait_for_end(PATIENCE_MS).map_err(failed())?;
    // A process that has not ended in time ends now.
    let ended = process.reap().map_err(failed())?;
    let (exit, usage) = ended.unwrap_or_else(|| {
        process.end();
        (ExitStatus::Unknown, Usage::default())
    });
    let took_ns = clock::monotonic_ns() - begin;
    Ok(ReturnedProcess { pid: process.pid, exit, usage, took_ns, stdout, stderr })
}

fn text_of(output: Option<&mut impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(output) = output {
        // What could be read counts.
        let _ = output.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
