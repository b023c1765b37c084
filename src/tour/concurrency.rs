//! Lesson `concurrency`: waiting and computing, one after another, in threads, in processes, each with its timeline.

use super::actor::{Actor, number_argument, reply, told};
use super::error::TourError;
use super::language::Text;
use super::report::{Unit, millis};
use super::stage::LessonStage;
use super::text::concurrency as text;
use super::timeline::{WorkStretch, length_ns, overlap_ns, rows};
use crate::sys::{clock, cores};
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

const WAITS: usize = 4;
const WAIT: Duration = Duration::from_millis(120);
/// A share of the time in turn that waiting at once stays below.
const AT_ONCE_SHARE: f64 = 0.6;
/// Numbers of one block: a fraction of a millisecond of work, so that most blocks keep their core.
const BLOCK: u64 = 250_000;
const BLOCKS: u64 = 640;
const WORKERS: u64 = 2;
/// A busy machine may give two workers never a core each; then it is tried again.
const TRIES: u32 = 6;
/// Power of each number, as the part `computer` is told.
const SQUARES: u64 = 2;
const CUBES: u64 = 3;

/// The stretches of each worker.
type Stretches = Vec<Vec<WorkStretch>>;

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.value("cores", &text::CORES, cores::usable().count, Unit::Count)?;
    waiting(stage)?;
    stage.pause()?;
    computing(stage)?;
    stage.pause()?;
    kinds(stage)
}

/// Runs `work` and notes when.
fn noted(work: impl FnOnce()) -> WorkStretch {
    let (start_ns, cpu_start) = (clock::monotonic_ns(), clock::thread_cpu_ns());
    work();
    let cpu_ns = clock::thread_cpu_ns() - cpu_start;
    WorkStretch { start_ns, end_ns: clock::monotonic_ns(), cpu_ns }
}

/// Starts a thread for each worker, all at one moment.
fn in_threads(count: usize, work: impl Fn(usize) -> Vec<WorkStretch> + Send + Sync + 'static) -> Stretches {
    let (work, begin) = (Arc::new(work), Arc::new(Barrier::new(count)));
    let start = |worker| {
        let (work, begin) = (Arc::clone(&work), Arc::clone(&begin));
        thread::spawn(move || {
            begin.wait();
            work(worker)
        })
    };
    let workers: Vec<_> = (0..count).map(start).collect();
    workers.into_iter().map(|worker| worker.join().unwrap_or_default()).collect()
}

/// Starts a process for each worker, and lets them begin once all are there.
fn in_processes(part: &'static str, arguments: &[Vec<String>]) -> Result<(Stretches, Vec<u64>), TourError> {
    let mut workers = arguments.iter().map(|words| Actor::start(part, words)).collect::<Result<Vec<_>, _>>()?;
    for worker in &mut workers {
        worker.hear()?;
    }
    for worker in &mut workers {
        worker.tell("go on")?;
    }
    let (mut stretches, mut sums) = (Vec::new(), Vec::new());
    for worker in &mut workers {
        let lines = worker.hear_all()?;
        stretches.push(lines.iter().filter_map(|line| WorkStretch::parse(line)).collect());
        sums.extend(lines.iter().filter_map(|line| line.strip_prefix("sum ")?.parse::<u64>().ok()));
    }
    Ok((stretches, sums))
}

/// Shows timelines below each other, all in the scale of the longest one.
fn show_rows(stage: &mut LessonStage<'_>, timelines: &[(&Text, &Stretches)]) -> Result<(), TourError> {
    let scale_ns = timelines.iter().map(|(_, stretches)| length_ns(stretches)).max().unwrap_or(0);
    let width = stage.width().saturating_sub(10).min(60);
    for (label, stretches) in timelines {
        stage.show(label, &[("ms", &millis(length_ns(stretches)))])?;
        for (at, row) in rows(stretches, scale_ns, width).iter().enumerate() {
            stage.line(&format!("  {} {row}", at + 1))?;
        }
    }
    Ok(())
}

fn waiting(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::WAITING, &[("wait", &WAIT.as_millis())])?;
    let wait = || noted(|| thread::sleep(WAIT));
    let in_turn = vec![(0..WAITS).map(|_| wait()).collect()];
    let threads = in_threads(WAITS, move |_| vec![wait()]);
    let (processes, _) = in_processes("waiter", &vec![Vec::new(); WAITS])?;
    let timelines = [(&text::IN_TURN, &in_turn), (&text::IN_THREADS, &threads), (&text::IN_PROCESSES, &processes)];
    show_rows(stage, &timelines)?;
    let [of_turns, of_threads, of_processes] = timelines.map(|(_, stretches)| millis(length_ns(stretches)));
    stage.value("wait_in_turn_ms", &text::WAIT_IN_TURN, of_turns, Unit::Milliseconds)?;
    stage.value("wait_threads_ms", &text::WAIT_IN_THREADS, of_threads, Unit::Milliseconds)?;
    stage.value("wait_processes_ms", &text::WAIT_IN_PROCESSES, of_processes, Unit::Milliseconds)?;
    let are_there = processes.len() == WAITS && processes.iter().all(|worker| worker.len() == 1);
    let is_less = |ms: f64| ms < AT_ONCE_SHARE * of_turns;
    stage.claim(&text::WAITING_OVERLAPS, are_there && is_less(of_threads) && is_less(of_processes));
    Ok(())
}

/// The part `waiter`: waits once, when it is told to.
pub fn waiter_part(_: &[OsString]) -> io::Result<ExitCode> {
    reply("ready")?;
    told()?;
    reply(noted(|| thread::sleep(WAIT)).line())?;
    Ok(ExitCode::SUCCESS)
}

/// The blocks of a worker's half.
fn half(worker: u64) -> Range<u64> {
    let each = BLOCKS / WORKERS;
    worker * each..(worker + 1) * each
}

/// Numbers below this one, over and over: the sums stay below 2^64.
const NUMBERS: u64 = 1000;

/// The sum of the numbers of a block, each to this power.
fn block_sum(block: u64, power: u64) -> u64 {
    let numbers = (block * BLOCK..(block + 1) * BLOCK).map(|number| number % NUMBERS);
    // So that the compiler does not find the sum without computing it.
    let powered = |number: u64| std::hint::black_box(number * number * if power == CUBES { number } else { 1 });
    numbers.map(powered).sum()
}

/// Computes blocks one after another; `locked` is held during each, if there is one.
fn computed(blocks: Range<u64>, power: u64, locked: Option<&Mutex<()>>) -> (Vec<WorkStretch>, u64) {
    let mut sum = 0_u64;
    let block = |block| {
        let _held = locked.map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
        noted(|| sum += block_sum(block, power))
    };
    let stretches = blocks.map(block).collect();
    (stretches, sum)
}

fn computing(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::COMPUTING, &[("numbers", &(BLOCK * BLOCKS)), ("blocks", &BLOCKS)])?;
    let in_turn = (0..WORKERS).map(|worker| computed(half(worker), SQUARES, None).0).collect();
    let threads = tried(|| Ok(in_threads(2, |worker| computed(half(worker as u64), SQUARES, None).0)))?;
    let lock = Mutex::new(());
    let locked = in_threads(2, move |worker| computed(half(worker as u64), SQUARES, Some(&lock)).0);
    let words = |worker: u64| vec![SQUARES.to_string(), half(worker).start.to_string(), half(worker).end.to_string()];
    let processes = tried(|| Ok(in_processes("computer", &[words(0), words(1)])?.0))?;
    show_rows(
        stage,
        &[
            (&text::IN_TURN, &in_turn),
            (&text::IN_THREADS, &threads),
            (&text::UNDER_A_LOCK, &locked),
            (&text::IN_PROCESSES, &processes),
        ],
    )?;
    let overlap =
        |stretches: &Stretches| if stretches.len() == 2 { overlap_ns(&stretches[0], &stretches[1]) } else { 0 };
    let overlaps = [overlap(&threads), overlap(&locked), overlap(&processes)];
    let [of_threads, of_locked, of_processes] = overlaps.map(millis);
    stage.value("overlap_threads_ms", &text::OVERLAP_OF_THREADS, of_threads, Unit::Milliseconds)?;
    stage.value("overlap_locked_ms", &text::OVERLAP_UNDER_A_LOCK, of_locked, Unit::Milliseconds)?;
    stage.value("overlap_processes_ms", &text::OVERLAP_OF_PROCESSES, of_processes, Unit::Milliseconds)?;
    check_parallel(stage, &text::PARALLEL_THREADS, &threads, overlaps[0]);
    let are_there = locked.iter().all(|worker| worker.len() as u64 == BLOCKS / WORKERS);
    stage.claim(&text::ONE_LOCK, are_there && overlaps[1] == 0);
    check_parallel(stage, &text::PARALLEL_PROCESSES, &processes, overlaps[2]);
    Ok(())
}

/// Computes until two were on a core at once, a few times at most.
fn tried(mut compute: impl FnMut() -> Result<Stretches, TourError>) -> Result<Stretches, TourError> {
    let mut stretches = compute()?;
    for _ in 1..TRIES {
        if cores::usable().count < 2 || (stretches.len() == 2 && overlap_ns(&stretches[0], &stretches[1]) > 0) {
            break;
        }
        stretches = compute()?;
    }
    Ok(stretches)
}

/// A machine that gave the workers together no more than a core's time was busy with other things.
fn check_parallel(stage: &mut LessonStage<'_>, claim: &Text, stretches: &Stretches, overlap_ns: u64) {
    let cpu_ns: u64 = stretches.iter().flatten().map(|stretch| stretch.cpu_ns).sum();
    if cores::usable().count < 2 {
        stage.cannot_check(claim, &text::ONE_CORE);
    } else if overlap_ns == 0 && cpu_ns <= length_ns(stretches) && !stretches.iter().any(Vec::is_empty) {
        stage.cannot_check(claim, &text::TOO_BUSY);
    } else {
        stage.claim(claim, overlap_ns > 0);
    }
}

/// The part `computer POWER FIRST END`: computes these blocks when it is told to, and says when it did and the sum.
pub fn computer_part(arguments: &[OsString]) -> io::Result<ExitCode> {
    let [power, first, end] = [0, 1, 2].map(|at| number_argument(arguments, at));
    reply("ready")?;
    told()?;
    let (stretches, sum) = computed(first..end, power, None);
    for stretch in stretches {
        reply(stretch.line())?;
    }
    reply(format_args!("sum {sum}"))?;
    Ok(ExitCode::SUCCESS)
}

fn kinds(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::KINDS, &[])?;
    let words =
        |power: u64, blocks: Range<u64>| vec![power.to_string(), blocks.start.to_string(), blocks.end.to_string()];
    let (_, halves) = in_processes("computer", &[words(SQUARES, half(0)), words(SQUARES, half(1))])?;
    let (_, tasks) = in_processes("computer", &[words(SQUARES, 0..BLOCKS), words(CUBES, 0..BLOCKS)])?;
    let of_halves: u64 = halves.iter().sum();
    let [whole, cubes] = tasks[..] else {
        stage.claim(&text::DATA, false);
        return Ok(());
    };
    stage.value("sum_of_halves", &text::SUM_OF_HALVES, of_halves, Unit::Count)?;
    stage.value("sum_of_whole", &text::SUM_OF_WHOLE, whole, Unit::Count)?;
    stage.value("sum_of_cubes", &text::SUM_OF_CUBES, cubes, Unit::Count)?;
    stage.claim(&text::DATA, halves.len() == 2 && of_halves == whole);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_right() {
        let rounds = BLOCK / NUMBERS;
        assert_eq!(block_sum(7, SQUARES), rounds * (0..NUMBERS).map(|number| number * number).sum::<u64>());
        let (stretches, sum) = computed(0..2, CUBES, None);
        assert_eq!((stretches.len(), sum), (2, 2 * rounds * (0..NUMBERS).map(|n| n * n * n).sum::<u64>()));
    }
}
