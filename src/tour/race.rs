//! Lesson `race`: two writers of one counter, and two processes that lock each other out.

use super::actor::{Actor, number_argument, part_command, reply, told};
use super::error::TourError;
use super::processes::{LockWait, lock_waits};
use super::report::Unit;
use super::stage::LessonStage;
use super::text::race as text;
use crate::model::signal::Signal;
use crate::sys::memfd::SharedWords;
use crate::sys::record_lock;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;
use std::time::Duration;

/// Additions of each writer.
const TIMES: u64 = 5_000;
/// Words of the shared page: the counter, and how many writers are ready.
const COUNTER: usize = 0;
const READY: usize = 1;
/// How the counter is written, as the part `race-writer` is told.
const BARE: u64 = 0;
const LOCKED: u64 = 1;
const ATOMIC: u64 = 2;
/// Looks for the circle this often, 10 ms apart.
const LOOKS_MAX: u32 = 500;

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::WRITERS, &[("times", &TIMES)])?;
    let expected = 2 * TIMES;
    stage.value("additions", &text::EXPECTED, expected, Unit::Count)?;
    let bare = counted(BARE)?;
    stage.value("bare", &text::BARE, bare, Unit::Count)?;
    stage.value("lost", &text::LOST_COUNT, expected.saturating_sub(bare), Unit::Count)?;
    let locked = counted(LOCKED)?;
    stage.value("locked", &text::WITH_LOCK, locked, Unit::Count)?;
    let atomic = counted(ATOMIC)?;
    stage.value("atomic", &text::WITH_ATOMIC, atomic, Unit::Count)?;
    stage.claim(&text::LOST, bare < expected);
    stage.claim(&text::LOCKED, locked == expected);
    stage.claim(&text::ATOMIC, atomic == expected);
    stage.pause()?;
    deadlock(stage)?;
    stage.pause()?;
    refused_by_kernel(stage)?;
    stage.pause()?;
    in_the_same_order(stage)
}

/// What the counter says when two processes have written to it.
fn counted(how: u64) -> Result<u64, TourError> {
    let (words, fd) = SharedWords::create(2).map_err(TourError::system("share memory"))?;
    let mut writers = Vec::new();
    for _ in 0..2 {
        let mut command = part_command("race-writer", &[how.to_string()]);
        command.stdin(Stdio::from(fd.try_clone().map_err(TourError::system("share memory"))?));
        writers.push(Actor::of_command("race-writer", command)?);
    }
    for writer in &mut writers {
        if !writer.wait()?.is_success() {
            return Err(writer.problem("it failed"));
        }
    }
    Ok(words.word(COUNTER).load(SeqCst))
}

/// The part `race-writer HOW`: adds to the counter in the shared page behind its stdin.
pub fn writer_part(arguments: &[OsString]) -> io::Result<ExitCode> {
    let how = number_argument(arguments, 0);
    let page = io::stdin().as_fd().try_clone_to_owned()?;
    let words = SharedWords::from_fd(&page)?;
    // Both begin together.
    words.word(READY).fetch_add(1, SeqCst);
    while words.word(READY).load(SeqCst) < 2 {
        thread::yield_now();
    }
    let counter = words.word(COUNTER);
    let add = || {
        let read = counter.load(Relaxed);
        thread::yield_now();
        counter.store(read + 1, Relaxed);
    };
    for _ in 0..TIMES {
        match how {
            LOCKED => {
                record_lock::lock_byte(&page, 0)?;
                add();
                record_lock::unlock_byte(&page, 0)?;
            }
            ATOMIC => {
                counter.fetch_add(1, Relaxed);
            }
            _ => add(),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Two files without a name, to be locked, and by which other processes open them.
struct TwoLocks {
    _files: [OwnedFd; 2],
    paths: [String; 2],
}

const LOCK_NAMES: [&str; 2] = ["A", "B"];

impl TwoLocks {
    fn new() -> Result<Self, TourError> {
        let file = || SharedWords::create(1).map(|(_, fd)| fd).map_err(TourError::system("make a lock"));
        let files = [file()?, file()?];
        let path = |fd: &OwnedFd| format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd());
        let paths = [path(&files[0]), path(&files[1])];
        Ok(Self { _files: files, paths })
    }

    /// A process that takes the lock `first`, says so, waits to be told, and takes the other one.
    fn taker(&self, kind: &str, first: usize) -> Result<Actor, TourError> {
        Actor::start("lock-taker", &[kind, &self.paths[first], &self.paths[1 - first]])
    }
}

/// Starts two processes that each have their first lock, and lets them ask for the second.
fn opposed(stage: &mut LessonStage<'_>, locks: &TwoLocks, kind: &str) -> Result<[Actor; 2], TourError> {
    let mut takers = [locks.taker(kind, 0)?, locks.taker(kind, 1)?];
    for (taker, name) in takers.iter_mut().zip(LOCK_NAMES) {
        taker.hear()?;
        let pid = taker.pid();
        stage.show(&text::HAS, &[("pid", &pid), ("lock", &name)])?;
    }
    for taker in &mut takers {
        taker.tell("go on")?;
    }
    Ok(takers)
}

fn deadlock(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::TWO_LOCKS, &[])?;
    let locks = TwoLocks::new()?;
    let [mut first, second] = opposed(stage, &locks, "flock")?;
    let Some(circle) = circle_of(first.pid(), second.pid()) else {
        stage.cannot_check(&text::CIRCLE, &text::NO_LOCKS);
        stage.cannot_check(&text::BROKEN, &text::NO_LOCKS);
        return Ok(());
    };
    for LockWait { waiter, holder } in &circle {
        stage.show(&text::WAITS, &[("waiter", waiter), ("holder", holder)])?;
    }
    stage.claim(&text::CIRCLE, circle.len() == 2);
    stage.say(&text::EXPLAINED, &[("victim", &second.pid())])?;
    second.signal(Signal::KILL)?;
    let is_done = first.hear()? == "both" && first.wait()?.is_success();
    if is_done {
        stage.show(&text::FINISHED, &[("pid", &first.pid())])?;
    }
    stage.claim(&text::BROKEN, is_done);
    Ok(())
}

/// Waits until each of two processes waits for the other. `None`: the system does not show it in time.
fn circle_of(first: u32, second: u32) -> Option<Vec<LockWait>> {
    for _ in 0..LOOKS_MAX {
        let mut waits = lock_waits()?;
        waits.retain(|wait| [(first, second), (second, first)].contains(&(wait.waiter, wait.holder)));
        if waits.len() == 2 {
            return Some(waits);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

fn refused_by_kernel(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::BY_KERNEL, &[])?;
    let locks = TwoLocks::new()?;
    let mut takers = opposed(stage, &locks, "record")?;
    let (mut refusals, mut done) = (0, 0);
    for taker in &mut takers {
        let said = taker.hear()?;
        let pid = taker.pid();
        if let Some(error) = said.strip_prefix("refused ") {
            refusals += 1;
            stage.show(&text::GOT_EDEADLK, &[("pid", &pid), ("error", &error)])?;
        } else {
            done += 1;
            stage.show(&text::FINISHED, &[("pid", &pid)])?;
        }
    }
    stage.value("refusals", &text::REFUSALS, refusals, Unit::Count)?;
    stage.claim(&text::REFUSED, (refusals, done) == (1, 1));
    Ok(())
}

fn in_the_same_order(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::IN_ORDER, &[])?;
    let locks = TwoLocks::new()?;
    let mut takers = [locks.taker("flock", 0)?, locks.taker("flock", 0)?];
    // The second one has to wait for its first lock until the first one is done.
    for taker in &mut takers {
        taker.tell("go on")?;
    }
    let mut done = 0;
    for taker in &mut takers {
        let lines = taker.hear_all()?;
        if lines.last().is_some_and(|line| line == "both") && taker.wait()?.is_success() {
            done += 1;
            stage.show(&text::FINISHED, &[("pid", &taker.pid())])?;
        }
    }
    stage.claim(&text::SAME_ORDER, done == 2);
    Ok(())
}

/// The part `lock-taker KIND FIRST SECOND`: takes the lock of one file, waits to be told, and takes that of another one.
pub fn lock_taker_part(arguments: &[OsString]) -> io::Result<ExitCode> {
    let [kind, first, second] = arguments else { return Ok(ExitCode::FAILURE) };
    let open = |path| File::options().read(true).write(true).open(path);
    let lock = |file: &File| if kind == "flock" { file.lock() } else { record_lock::lock_byte(file, 0) };
    let (first, second) = (open(first)?, open(second)?);
    lock(&first)?;
    reply("first")?;
    told()?;
    match lock(&second) {
        Ok(()) => reply("both")?,
        Err(error) if record_lock::is_deadlock(&error) => reply(format_args!("refused {error}"))?,
        Err(error) => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}
