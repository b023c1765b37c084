//! Lesson `daemon`: what becomes of workers when their parent ends.

use super::actor::{Actor, part_command, reply, surviving_part_command, told};
use super::error::TourError;
use super::flow::{pid_of, shown_command, start_program};
use super::processes::ProcessFacts;
use super::report::{Unit, millis};
use super::stage::LessonStage;
use super::text::daemon as text;
use crate::model::signal::Signal;
use crate::sys::clock;
use crate::sys::pidfd::Process;
use serde_json::Value;
use std::ffi::OsString;
use std::io;
use std::process::{ExitCode, Stdio};
use std::thread;
use std::time::Duration;

/// How long a process may take to end, before the lesson says that it did not.
const PATIENCE_MS: u16 = 10_000;
/// The work of the worker that is waited for.
const WORK: Duration = Duration::from_millis(100);
const SUPERVISED: usize = 3;

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    waited_for(stage)?;
    stage.pause()?;
    ended_with(stage)?;
    stage.pause()?;
    left_behind(stage)?;
    stage.pause()?;
    supervised(stage)
}

fn waited_for(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    let mut parent = Actor::start("parent", &["wait"])?;
    let worker = parent.hear_number()?;
    stage.say(&text::WAITS, &[("parent", &parent.pid()), ("worker", &worker)])?;
    let lines = parent.hear_all()?;
    for line in &lines {
        stage.show(&text::SAID, &[("line", line)])?;
    }
    let exit = parent.wait()?;
    let is_waited_for = lines.iter().any(|line| line.contains("exit status: 0"));
    stage.claim(&text::WAITED_FOR, is_waited_for && exit.is_success());
    Ok(())
}

fn ended_with(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    let (parent, worker) = parent_of("bind")?;
    stage.say(&text::BOUND, &[("parent", &parent.pid()), ("worker", &worker.pid)])?;
    let gone = killed_and_gone(&parent, &worker)?;
    if let Some(nanos) = gone {
        stage.value("bound_gone_ms", &text::GONE_AFTER, millis(nanos), Unit::Milliseconds)?;
    }
    stage.claim(&text::ENDED_WITH, gone.is_some());
    Ok(())
}

fn left_behind(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    let (mut parent, worker) = parent_of("leave")?;
    stage.say(&text::LEFT, &[("parent", &parent.pid()), ("worker", &worker.pid)])?;
    parent.signal(Signal::KILL)?;
    parent.wait()?;
    let facts = ProcessFacts::of(worker.pid);
    if let Some(facts) = &facts {
        let name = ProcessFacts::of(facts.parent).map_or_else(|| "?".to_owned(), |parent| parent.name);
        stage.show(&text::NEW_PARENT, &[("worker", &worker.pid), ("parent", &facts.parent), ("name", &name)])?;
    }
    stage.show(&text::ENDED_NOW, &[])?;
    let lives_on = !worker.wait_for_end(0).map_err(TourError::system("watch a process"))?;
    match facts {
        Some(facts) => {
            stage.claim(&text::LEFT_BEHIND, lives_on && facts.state != 'Z' && facts.parent != parent.pid());
        }
        None if lives_on => stage.cannot_check(&text::LEFT_BEHIND, &text::NO_PROC),
        None => stage.claim(&text::LEFT_BEHIND, false),
    }
    // Its input ends, also if this lesson is killed: then it leaves.
    parent.end_input();
    worker.wait_for_end(PATIENCE_MS).map_err(TourError::system("watch a process"))?;
    Ok(())
}

/// A parent in this mode, and a handle on the worker that it has started.
fn parent_of(mode: &str) -> Result<(Actor, Process), TourError> {
    let mut parent = Actor::start("parent", &[mode])?;
    let worker = u32::try_from(parent.hear_number()?).map_err(|_| parent.problem("no pid"))?;
    let worker = Process::open(worker).map_err(TourError::system("open the worker"))?;
    Ok((parent, worker))
}

/// Kills `parent`, and returns how long `worker` lived after that, in nanoseconds; `None`: longer than the patience.
fn killed_and_gone(parent: &Actor, worker: &Process) -> Result<Option<u64>, TourError> {
    let begin = clock::monotonic_ns();
    parent.signal(Signal::KILL)?;
    let gone = worker.wait_for_end(PATIENCE_MS).map_err(TourError::system("watch a process"))?;
    Ok(gone.then(|| clock::monotonic_ns() - begin))
}

fn supervised(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::SUPERVISED, &[])?;
    let arguments = ["--workers", "3", "--task", "sleep", ":::", "60", "60", "60"];
    stage.command(&shown_command(&arguments))?;
    let mut program = start_program(&arguments, Stdio::null())?;
    let mut workers = Vec::new();
    while workers.len() < SUPERVISED {
        let line = program.hear()?;
        let event: Value = serde_json::from_str(&line).map_err(|error| program.problem(&error.to_string()))?;
        if event["event"] == "worker_ready" {
            let pid = pid_of(&event).ok_or_else(|| program.problem("no pid"))?;
            workers.push(Process::open(pid).map_err(TourError::system("open a worker"))?);
            stage.line(&format!("worker_ready pid={pid}"))?;
        }
    }
    let begin = clock::monotonic_ns();
    program.signal(Signal::KILL)?;
    let mut left = 0;
    for worker in &workers {
        let gone = worker.wait_for_end(PATIENCE_MS).map_err(TourError::system("watch a worker"))?;
        left += u32::from(!gone);
        if !gone {
            worker.end();
        }
    }
    let nanos = clock::monotonic_ns() - begin;
    stage.value("all_gone_ms", &text::ALL_GONE_AFTER, millis(nanos), Unit::Milliseconds)?;
    stage.value("left", &text::WORKERS_LEFT, left, Unit::Count)?;
    stage.claim(&text::NONE_LEFT, left == 0);
    Ok(())
}

/// The part `parent MODE`: starts a worker and says its pid; then waits for the worker (`wait`), or for its own end.
pub fn parent_part(arguments: &[OsString]) -> io::Result<ExitCode> {
    let mode = arguments.first().and_then(|mode| mode.to_str()).unwrap_or_default();
    let mut command = match mode {
        "leave" => surviving_part_command("worker-of-parent", &["stay"]),
        "bind" => part_command("worker-of-parent", &["stay"]),
        _ => part_command("worker-of-parent", &["work"]),
    };
    // The lesson's end of our input is what a worker that is left behind watches.
    let mut worker = command.stdin(Stdio::inherit()).stdout(Stdio::piped()).spawn()?;
    // Only once it says so has it asked to be ended with us.
    let mut ready = io::BufReader::new(worker.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
    io::BufRead::read_line(&mut ready, &mut String::new())?;
    reply(worker.id())?;
    if mode == "wait" {
        let status = worker.wait()?;
        reply(format_args!("worker {} has ended, {status}", worker.id()))?;
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        thread::park();
    }
}

/// The part `worker-of-parent MODE`: works for a moment (`work`), or stays until its input ends.
pub fn worker_part(arguments: &[OsString]) -> io::Result<ExitCode> {
    reply("ready")?;
    if arguments.first().is_some_and(|mode| mode == "stay") {
        while told()?.is_some() {}
    } else {
        thread::sleep(WORK);
    }
    Ok(ExitCode::SUCCESS)
}
