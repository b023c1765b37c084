//! Lesson `queue`: put, get, the sentinel, `task_done` and `join`, with threads, with processes, and by one command.

use super::actor::{Actor, number_argument, part_command, reply};
use super::error::TourError;
use super::flow::show_flow;
use super::report::{Unit, millis};
use super::stage::LessonStage;
use super::text::queue as text;
use crate::sys::{clock, socket};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

const WORKERS: u64 = 5;
const ITEMS: u64 = 20;
/// What a worker spends on an item: long enough that every worker gets some.
const WORK: Duration = Duration::from_millis(10);
/// The packet that is the sentinel; items are numbers.
const SENTINEL: &str = "stop";

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    with_threads(stage)?;
    stage.pause()?;
    with_processes(stage)?;
    stage.pause()?;
    stage.say(&text::BY_COMMAND, &[])?;
    let flow = show_flow(stage, &["--workers", "5", "--items", "20", "--delay", "10ms"])?;
    stage.value("command_done", &text::DONE_BY_COMMAND, flow.settled("done"), Unit::Count)?;
    let is_done = flow.settled("done") as u64 == ITEMS && flow.worker_pids().len() as u64 == WORKERS;
    stage.claim(&text::ONE_COMMAND, is_done && flow.exit.is_success());
    Ok(())
}

/// A queue whose `join` waits for every item that was put.
#[derive(Default)]
struct JoinableQueue {
    state: Mutex<JoinableState>,
    not_empty: Condvar,
    all_done: Condvar,
}

#[derive(Default)]
struct JoinableState {
    entries: VecDeque<Option<u64>>,
    unfinished: u64,
    task_dones: u64,
}

impl JoinableQueue {
    /// Nothing below panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, JoinableState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An item, or `None` for a sentinel, which counts for nothing.
    fn put(&self, entry: Option<u64>) {
        let mut state = self.state();
        state.unfinished += u64::from(entry.is_some());
        state.entries.push_back(entry);
        drop(state);
        self.not_empty.notify_one();
    }

    fn get(&self) -> Option<u64> {
        let mut state = self.state();
        loop {
            if let Some(entry) = state.entries.pop_front() {
                return entry;
            }
            state = self.not_empty.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn task_done(&self) {
        let mut state = self.state();
        state.unfinished -= 1;
        state.task_dones += 1;
        if state.unfinished == 0 {
            self.all_done.notify_all();
        }
    }

    /// Waits for all items, and returns how many calls of `task_done` there were then.
    fn join(&self) -> u64 {
        let mut state = self.state();
        while state.unfinished > 0 {
            state = self.all_done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.task_dones
    }
}

fn with_threads(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::THREADS, &[])?;
    let queue = Arc::new(JoinableQueue::default());
    let work = |queue: Arc<JoinableQueue>| {
        let (mut taken, mut last_done) = (Vec::new(), 0);
        while let Some(item) = queue.get() {
            thread::sleep(WORK);
            taken.push(item);
            last_done = clock::monotonic_ns();
            queue.task_done();
        }
        (taken, last_done)
    };
    let workers: Vec<_> =
        (0..WORKERS).map(|_| Arc::clone(&queue)).map(|queue| thread::spawn(move || work(queue))).collect();
    (0..ITEMS).for_each(|item| queue.put(Some(item)));
    (0..WORKERS).for_each(|_| queue.put(None));
    stage.show(&text::PUT, &[("items", &ITEMS), ("sentinels", &WORKERS)])?;
    let begin = clock::monotonic_ns();
    let task_dones = queue.join();
    let joined = clock::monotonic_ns();
    let (mut taken, mut ended, mut last_done) = (Vec::new(), 0, 0);
    for (at, worker) in workers.into_iter().enumerate() {
        // A thread leaves its loop by a sentinel alone.
        let (items, done) = worker.join().unwrap_or_default();
        ended += 1;
        last_done = last_done.max(done);
        stage.show(&text::WORKER, &[("worker", &(at + 1)), ("items", &listed(&items))])?;
        taken.extend(items);
    }
    stage.value("threads_task_done", &text::TASK_DONE, task_dones, Unit::Count)?;
    stage.value("threads_join_ms", &text::JOIN_WAITED, millis(joined - begin), Unit::Milliseconds)?;
    stage.claim(&text::EACH_ONCE, is_each_once(taken));
    stage.claim(&text::JOIN_IS_LAST, task_dones == ITEMS && joined >= last_done);
    stage.claim(&text::SENTINELS, ended == WORKERS && queue.state().entries.is_empty());
    Ok(())
}

fn with_processes(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::PROCESSES, &[])?;
    let (ours, theirs) = socket::packet_pair().map_err(TourError::system("make the queue"))?;
    let (answers, answer_end) = io::pipe().map_err(TourError::system("make a pipe"))?;
    let shared = || TourError::system("share the queue");
    let mut workers = Vec::new();
    for worker in 1..=WORKERS {
        let mut command = part_command("queue-worker", &[worker.to_string()]);
        command.stdin(Stdio::from(theirs.try_clone().map_err(shared())?));
        command.stdout(Stdio::from(answer_end.try_clone().map_err(shared())?));
        workers.push(Actor::of_command("queue-worker", command)?);
    }
    // The workers alone hold their ends now, so that the pipe ends with them.
    drop((theirs, answer_end));
    let mut queue = File::from(ours);
    let packets = (0..ITEMS).map(|item| item.to_string()).chain((0..WORKERS).map(|_| SENTINEL.to_owned()));
    for packet in packets {
        queue.write_all(packet.as_bytes()).map_err(TourError::system("put an item"))?;
    }
    stage.show(&text::PUT, &[("items", &ITEMS), ("sentinels", &WORKERS)])?;
    let mut taken = vec![Vec::new(); workers.len()];
    let (mut sentinels, mut task_dones) = (vec![0; workers.len()], 0_u64);
    for line in BufReader::new(answers).lines() {
        let line = line.map_err(TourError::system("read an answer"))?;
        let Some((worker, entry)) = line.split_once(' ') else { continue };
        let at = worker.parse::<usize>().unwrap_or(0).wrapping_sub(1);
        match (entry.parse(), taken.get_mut(at), sentinels.get_mut(at)) {
            (Ok(item), Some(items), _) => {
                items.push(item);
                task_dones += 1;
            }
            (Err(_), _, Some(sentinels)) => *sentinels += 1,
            _ => {}
        }
    }
    let mut exits_well = true;
    for (at, worker) in workers.iter_mut().enumerate() {
        exits_well &= worker.wait()?.is_success();
        let pid = worker.pid();
        stage.show(&text::WORKER_PROCESS, &[("worker", &(at + 1)), ("pid", &pid), ("items", &listed(&taken[at]))])?;
    }
    stage.value("processes_task_done", &text::TASK_DONE, task_dones, Unit::Count)?;
    stage.claim(&text::EACH_ONCE_OF_PROCESSES, is_each_once(taken.concat()));
    stage.claim(&text::SENTINELS_OF_PROCESSES, exits_well && sentinels.iter().all(|count| *count == 1));
    Ok(())
}

/// The part `queue-worker NUMBER`: takes packets from stdin until the sentinel, and says each after its work.
pub fn worker_part(arguments: &[OsString]) -> io::Result<ExitCode> {
    let number = number_argument(arguments, 0);
    // A file of its own, because std's stdin reads ahead.
    let mut queue = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut packet = [0; 64];
    loop {
        let bytes = queue.read(&mut packet)?;
        let entry = String::from_utf8_lossy(&packet[..bytes]).into_owned();
        if bytes == 0 {
            return Ok(ExitCode::FAILURE);
        }
        if entry == SENTINEL {
            reply(format_args!("{number} {SENTINEL}"))?;
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(WORK);
        reply(format_args!("{number} {entry}"))?;
    }
}

fn listed(items: &[u64]) -> String {
    if items.is_empty() {
        return "-".to_owned();
    }
    items.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn is_each_once(mut taken: Vec<u64>) -> bool {
    taken.sort_unstable();
    taken.into_iter().eq(0..ITEMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_is_missing_or_taken_twice_is_found() {
        assert!(is_each_once((0..ITEMS).rev().collect()));
        assert!(!is_each_once((1..ITEMS).collect()));
        assert!(!is_each_once((0..ITEMS).chain([3]).collect()));
    }
}
