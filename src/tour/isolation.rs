//! Lesson `isolation`: a counter, the memory maps and a crash, of a process and of a thread.

use super::actor::{Actor, part_command, reply, told};
use super::error::TourError;
use super::processes::{MemoryRegion, memory_regions, region_at};
use super::report::Unit;
use super::runs::{follow, quiet};
use super::stage::LessonStage;
use super::text::isolation as text;
use crate::events::RunEvent;
use crate::model::signal::Signal;
use crate::outcomes::{ExitStatus, Outcome};
use crate::start;
use crate::sys::signals;
use std::ffi::OsString;
use std::io;
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The counter of each process that runs this program.
static COUNTER: AtomicU64 = AtomicU64::new(10);

const OF_THREAD: u64 = 1000;
const OF_PROCESS: u64 = 500;
/// What the thread that does not crash counts to, and after how many steps the other one crashes.
const STEPS: u64 = 200;
const STEPS_BEFORE_CRASH: u64 = 5;
/// Items of the task `signal`: 17 (CHLD) does no harm, 11 (SEGV) crashes.
const ITEMS: [&str; 9] = ["17", "17", "17", "17", "11", "17", "17", "17", "17"];

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    counter(stage)?;
    stage.pause()?;
    layout(stage)?;
    stage.pause()?;
    crash_of_process(stage)?;
    stage.pause()?;
    crash_of_thread(stage)
}

fn counter(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::COUNTER, &[])?;
    COUNTER.store(10, SeqCst);
    let _ = thread::spawn(|| COUNTER.fetch_add(OF_THREAD, SeqCst)).join();
    let after_thread = COUNTER.load(SeqCst);
    let theirs = Actor::of_command("counter", part_command("counter", &[""; 0]))?.hear_number()?;
    let after_process = COUNTER.load(SeqCst);
    stage.value("after_thread", &text::OURS_AFTER_THREAD, after_thread, Unit::Count)?;
    stage.value("of_process", &text::THEIRS, theirs, Unit::Count)?;
    stage.value("after_process", &text::OURS_AFTER_PROCESS, after_process, Unit::Count)?;
    stage.claim(&text::THREAD_SEEN, after_thread == 10 + OF_THREAD);
    stage.claim(&text::PROCESS_UNSEEN, theirs == 10 + OF_PROCESS && after_process == after_thread);
    Ok(())
}

/// The part `counter`: adds to its own counter and says it.
pub fn counter_part(_: &[OsString]) -> io::Result<ExitCode> {
    COUNTER.fetch_add(OF_PROCESS, SeqCst);
    reply(COUNTER.load(SeqCst))?;
    Ok(ExitCode::SUCCESS)
}

const KINDS: [&str; 4] = ["stack", "heap", "data", "code"];

/// Addresses of a variable on the stack, of one on the heap, of a static one, and of code.
fn addresses() -> [u64; 4] {
    let on_stack = 0_u8;
    let on_heap = Box::new(0_u64);
    let address = |pointer: usize| pointer as u64;
    [
        address(std::ptr::from_ref(&on_stack).addr()),
        address(std::ptr::from_ref(&*on_heap).addr()),
        address(std::ptr::from_ref(&COUNTER).addr()),
        address((counter_part as fn(&[OsString]) -> io::Result<ExitCode> as *const ()).addr()),
    ]
}

/// The part `layout`: says its addresses, and stays until it is told to go.
pub fn layout_part(_: &[OsString]) -> io::Result<ExitCode> {
    reply(addresses().map(|address| address.to_string()).join(" "))?;
    told()?;
    Ok(ExitCode::SUCCESS)
}

fn layout(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::LAYOUT, &[])?;
    let here = addresses();
    // The maps are read while the thread lives: its stack goes with it.
    let (to_go, go) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let second = thread::spawn(move || {
        let _ = tell.send(addresses());
        let _ = go.recv();
    });
    let in_thread = told.recv().unwrap_or_default();
    let own_maps = memory_regions(std::process::id());
    drop(to_go);
    let _ = second.join();
    let mut other = Actor::start("layout", &[""; 0])?;
    let line = other.hear()?;
    let mut in_process = [0; 4];
    for (address, word) in in_process.iter_mut().zip(line.split(' ')) {
        *address = word.parse().map_err(|_| other.problem(&format!("no addresses: {line:?}")))?;
    }
    let other_maps = memory_regions(other.pid());
    if own_maps.is_empty() || other_maps.is_empty() {
        stage.cannot_check(&text::THREAD_SHARES, &text::NO_MAPS);
        stage.cannot_check(&text::PROCESS_OWN, &text::NO_MAPS);
        return stage.show(&text::NO_MAPS, &[]);
    }
    show_layout(stage, &text::HERE, std::process::id(), &own_maps, here)?;
    show_layout(stage, &text::THREAD, std::process::id(), &own_maps, in_thread)?;
    show_layout(stage, &text::PROCESS, other.pid(), &other_maps, in_process)?;
    let own = |address| region_at(&own_maps, address);
    let has_own_stack = own(in_thread[0]).is_some() && own(in_thread[0]) != own(here[0]);
    stage.claim(&text::THREAD_SHARES, in_thread[2..] == here[2..] && has_own_stack && own(in_thread[1]).is_some());
    let all_there = in_process.iter().all(|address| region_at(&other_maps, *address).is_some());
    let file = |region: Option<&MemoryRegion>| region.map(|region| (region.inode, region.access.clone()));
    let code = file(own(here[3]));
    let is_same_code = code == file(region_at(&other_maps, in_process[3])) && code.is_some_and(|(inode, _)| inode != 0);
    stage.claim(&text::PROCESS_OWN, all_there && is_same_code);
    Ok(())
}

fn show_layout(
    stage: &mut LessonStage<'_>,
    label: &super::language::Text,
    pid: u32,
    maps: &[MemoryRegion],
    addresses: [u64; 4],
) -> Result<(), TourError> {
    stage.show(label, &[("pid", &pid)])?;
    for (kind, address) in KINDS.iter().zip(addresses) {
        let Some(MemoryRegion { start, end, access, name, .. }) = region_at(maps, address) else { continue };
        // The program's folder says nothing here.
        let name = name.rsplit('/').next().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| text::NAMELESS.in_language(stage.language()));
        stage.line(&format!("  {kind:5} {address:#014x} {start:x}-{end:x} {access} {name}"))?;
    }
    Ok(())
}

fn crash_of_process(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::CRASH_PROCESSES, &[])?;
    let config = quiet().task("signal").workers(2).crash_limit(1).items(ITEMS).build()?;
    let run = follow(start(config)?, |_, _| Ok(()))?;
    let of_crash = run.events.iter().find_map(|(_, event)| match event {
        RunEvent::WorkerExited { exit, item: Some((item, _)), .. } if !exit.is_success() => Some((*exit, *item)),
        _ => None,
    });
    let totals = &run.outcome.totals;
    stage.value("crash_done", &text::DONE, totals.done, Unit::Count)?;
    stage.value("crash_deaths", &text::DEATHS, totals.deaths, Unit::Count)?;
    let exit = of_crash.map_or_else(|| "-".to_owned(), |(exit, _)| exit.to_string());
    stage.value("crash_exit", &text::DIED_BY, exit, Unit::Words)?;
    let only_one_is_dead = run.items.iter().all(|report| (report.outcome == Outcome::Done) == (report.item.0 != 4));
    let is_charged = of_crash.is_some_and(|(_, item)| item.0 == 4);
    stage.claim(&text::CRASH_OF_PROCESS, only_one_is_dead && is_charged && totals.done == ITEMS.len() as u64 - 1);
    Ok(())
}

fn crash_of_thread(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::CRASH_THREADS, &[("steps", &STEPS)])?;
    let mut command = part_command("crash-of-thread", &[""; 0]);
    command.stderr(Stdio::null());
    let mut process = Actor::of_command("crash-of-thread", command)?;
    let steps = process.hear_all()?.len() as u64;
    let exit = process.wait()?;
    stage.value_of("thread_steps", &text::STEPS, &[("steps", &STEPS)], steps, Unit::Count)?;
    stage.value("thread_exit", &text::PROCESS_ENDED, exit.to_string(), Unit::Words)?;
    let is_by_signal = matches!(exit, ExitStatus::Signal { signal: Signal::SEGV, .. });
    stage.claim(&text::CRASH_OF_THREAD, is_by_signal && (STEPS_BEFORE_CRASH..STEPS).contains(&steps));
    Ok(())
}

/// The part `crash-of-thread`: one thread counts, the other one crashes.
pub fn crash_part(_: &[OsString]) -> io::Result<ExitCode> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    thread::spawn(|| {
        while MADE.load(SeqCst) < STEPS_BEFORE_CRASH {
            thread::yield_now();
        }
        signals::raise_default(Signal::SEGV)
    });
    for step in 1..=STEPS {
        reply(step)?;
        MADE.store(step, SeqCst);
        thread::sleep(Duration::from_millis(5));
    }
    Ok(ExitCode::SUCCESS)
}
