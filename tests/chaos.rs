//! Random kills on the real program, over every transport. `CHAOS_SEED=N` repeats the random choices of a storm, though
//! not its timing; `CHAOS_ITEMS=N` changes its length.
//!
//! The events of the run are compared with what the workers wrote to their diaries (`examples/diary.rs`): a worker that
//! was killed in the middle of an item is blamed for that item and for no other.

mod support;

use nix::sys::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use supervisor::model::spec::TransportKind;
use support::random::{Random, number_of};
use support::{Finished, Run, example, pid_of, send};

const ITEMS: u64 = 10_000;
/// The time between two kills.
const PERIOD: Duration = Duration::from_millis(10);
/// Of a hundred new processes, this many are killed at once.
const YOUNG_PER_CENT: usize = 5;
/// Of a hundred kills, at most this many may hit a worker in the few microseconds of each item in which its progress
/// page names the item and its diary does not. Such a moment is called a seam.
const SEAMS_PER_CENT: usize = 15;

/// Kills a worker every [`PERIOD`] while the run lasts; returns the number of kills.
fn storm(run: &mut Run, items: u64, signals: &[Signal], random: &mut Random) -> usize {
    storm_with(run, items, signals, random, || {})
}

/// The same; `on_kill` is called after each kill.
fn storm_with(run: &mut Run, items: u64, signals: &[Signal], random: &mut Random, mut on_kill: impl FnMut()) -> usize {
    let mut alive = BTreeSet::new();
    let (mut kills, mut settled) = (0, 0);
    let mut due = Instant::now() + PERIOD;
    while settled < items {
        match run.next_before(due) {
            Some(event) => match event["event"].as_str().unwrap() {
                "worker_spawned" => {
                    alive.insert(pid_of(&event));
                    if random.below(100) < YOUNG_PER_CENT {
                        send(pid_of(&event), signals[random.below(signals.len())]);
                        kills += 1;
                    }
                }
                "worker_exited" => drop(alive.remove(&pid_of(&event))),
                "item_settled" => settled += 1,
                "stopping" => panic!("the run gives up: {event}"),
                _ => {}
            },
            None => {
                if let Some(pid) = alive.iter().nth(random.below(alive.len().max(1))) {
                    send(*pid, signals[random.below(signals.len())]);
                    kills += 1;
                    on_kill();
                }
                due += PERIOD;
            }
        }
    }
    kills
}

/// The diary of a worker: each item that it started, in order, and how many of them it finished.
struct Diary {
    started: Vec<u64>,
    ended: usize,
}

impl Diary {
    fn read(path: &Path) -> Self {
        let mut diary = Self { started: Vec::new(), ended: 0 };
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let (word, item) = line.split_once(' ').unwrap();
            let item = item.parse().unwrap();
            match word {
                "start" => diary.started.push(item),
                _ => {
                    diary.ended += 1;
                    assert_eq!((diary.started.last(), diary.ended), (Some(&item), diary.started.len()), "{line}");
                }
            }
        }
        diary
    }

    /// The item that was running when the worker was killed.
    fn running(&self) -> Option<u64> {
        self.started.get(self.ended).copied()
    }
}

/// Checks that the blamed items are those that were running, and that item events and worker events agree.
/// Returns how many workers were blamed, and how many of them at a seam.
fn check_blame(run: &Finished, diaries: &Path) -> (usize, usize) {
    let (mut blamed, mut seams) = (BTreeSet::new(), 0);
    for event in run.events("worker_exited") {
        let diary = Diary::read(&diaries.join(pid_of(event).to_string()));
        let at = event["item"].as_u64();
        let distinct: BTreeSet<_> = diary.started.iter().collect();
        assert_eq!(distinct.len(), diary.started.len(), "the worker started an item twice: {event}");
        if at.is_some() && diary.running() == at {
        } else if let Some(running) = diary.running() {
            panic!("item {running} was running: {event}");
        } else if let Some(at) = at {
            // The line in the diary was not written yet, or had just been written.
            let is_last = diary.started.last() == Some(&at);
            assert!(is_last || !diary.started.contains(&at), "item {at} was long over: {event}");
            seams += 1;
        }
        blamed.extend(at.map(|item| (item, pid_of(event))));
    }
    let mut in_items = BTreeSet::new();
    for event in run.events("item_settled") {
        let item = event["item"].as_u64().unwrap();
        let causes = event["causes"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(event["attempt"].as_u64().unwrap(), 1 + causes.len() as u64, "{event}");
        in_items.extend(causes.iter().map(|cause| (item, pid_of(cause))));
    }
    assert_eq!(in_items, blamed, "item events and worker events blame different items");
    (blamed.len(), seams)
}

/// How many items all workers finished.
fn ended_by_all(diaries: &Path) -> usize {
    let files = std::fs::read_dir(diaries).unwrap();
    files.map(|file| Diary::read(&file.unwrap().path()).ended).sum()
}

/// One storm over one transport: no item is lost or repeated, and no item is blamed without cause.
fn survive(kind: TransportKind, signals: &[Signal], more: &[&str], random: &mut Random) {
    let items = number_of("CHAOS_ITEMS").unwrap_or(ITEMS);
    let (count, diaries) = (items.to_string(), tempfile::tempdir().unwrap());
    let program = example("diary");
    let worker = ["--protocol", "frames", "--", program.to_str().unwrap(), diaries.path().to_str().unwrap()];
    let storm_proof = ["-j", "8", "--items", &count, "--crash-limit", "1000", "--output", "results", "-q"];
    let transport = ["--transport", kind.name()];
    let mut run = Run::start(&[&storm_proof[..], &transport, more, &worker].concat());
    let began = Instant::now();
    let kills = storm(&mut run, items, signals, random);
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let mut numbers: Vec<u64> = run.stdout.lines().map(|line| line.parse().unwrap()).collect();
    if !more.contains(&"-k") {
        numbers.sort_unstable();
    }
    assert!(numbers.into_iter().eq(0..items), "lost or repeated");
    let mut settled = BTreeMap::<u64, usize>::new();
    for event in run.events("item_settled") {
        *settled.entry(event["item"].as_u64().unwrap()).or_default() += 1;
    }
    assert!(settled.values().all(|times| *times == 1) && settled.keys().copied().eq(0..items));
    assert_eq!(run.settled("done") as u64, items);
    let exits = run.events("worker_exited");
    let died = exits.iter().filter(|event| event["exit"]["signal"].is_number()).count();
    // Some kills hit a process that was already dead.
    assert!(died > kills / 2 && died <= kills, "{died} died of {kills} kills");
    assert_eq!(exits.len(), run.events("worker_spawned").len());
    run.assert_no_process_left();
    let (blamed, seams) = check_blame(&run, diaries.path());
    let again = ended_by_all(diaries.path()) as u64 - items;
    println!(
        "{} {more:?}: {kills} kills, {died} died, {blamed} blamed, {seams} of them at a seam, {again} again, {:?}",
        kind.name(),
        began.elapsed()
    );
    if kind == TransportKind::Shm || more.contains(&"--batch-max") {
        // A finished item counts even if its result was not sent yet, except for kills between the line in the diary
        // and the note in the staging area.
        assert!(again as usize * 100 <= SEAMS_PER_CENT * kills.max(20), "{again} items were run again");
    }
    assert!(blamed > died / 4, "{blamed} blamed of {died}: were they working?");
    assert!(seams * 100 <= SEAMS_PER_CENT * kills.max(20), "{seams} of {kills}");
}

#[test]
fn a_storm_of_kills_over_every_transport_loses_nothing_and_blames_the_right_items() {
    let mut random = Random::new("CHAOS_SEED");
    for kind in TransportKind::ALL {
        survive(kind, &[Signal::SIGKILL], &[], &mut random);
    }
}

#[test]
fn storms_of_other_signals_single_items_and_keep_order_lose_nothing() {
    let mut random = Random::new("CHAOS_SEED");
    let mixed = [Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGTERM, Signal::SIGABRT];
    for kind in TransportKind::ALL {
        survive(kind, &[Signal::SIGKILL], &["-k", "--batch-max", "1"], &mut random);
        survive(kind, &mixed, &["--credit", "64"], &mut random);
    }
}

#[test]
fn idle_workers_are_killed_as_often_as_they_come_and_the_run_ends_well() {
    let flags = ["-j", "5", "--task", "sleep", "--backoff", "1ms..5ms", "--output", "results", "-q", ":::", "1", "1"];
    let mut run = Run::start(&flags);
    let (mut ready, mut busy, mut kills) = (Vec::new(), Vec::new(), 0);
    loop {
        let event = run.wait_for(|_| true);
        match event["event"].as_str().unwrap() {
            "item_started" => busy.push(pid_of(&event)),
            "worker_ready" => ready.push(pid_of(&event)),
            "stopping" => panic!("the run gives up: {event}"),
            "run_finished" => break,
            _ => {}
        }
        if busy.len() == 2 {
            for pid in ready.drain(..).filter(|pid| !busy.contains(pid)) {
                send(pid, Signal::SIGKILL);
                kills += 1;
            }
        }
    }
    let run = run.finish();
    assert_eq!((run.code(), &run.stdout[..]), (0, "slept 1\nslept 1\n"), "{}", run.stderr);
    // Three slots, each of which may fail to start five times in ten seconds.
    assert!(kills > 50, "{kills}");
}

/// Workers that nothing kills by themselves, and that the run never gives up.
const STORM_PROOF: [&str; 9] = ["-j", "4", "--task", "echo", "-k", "--crash-limit", "1000", "--kill-limit", "never"];

#[test]
fn workers_that_are_idle_because_stdout_is_not_read_may_be_killed_as_often_as_one_likes() {
    const ITEMS: u64 = 2_000;
    let input: String = (0..ITEMS).map(|item| format!("{item:02000}\n")).collect();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (allow, allowed) = std::sync::mpsc::channel();
    let mut run = Run::start_with(&[&STORM_PROOF[..], &["-a", "-"]].concat(), input.as_bytes(), |command| {
        command.stdout(writer);
    });
    // Each kill lets the reader take a part, so that workers are killed while they wait for it.
    let output = std::thread::spawn(move || {
        let (mut output, mut part) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let _ = allowed.recv();
            match reader.read(&mut part).unwrap() {
                0 => return output,
                count => output.extend_from_slice(&part[..count]),
            }
        }
    });
    let kills =
        storm_with(&mut run, ITEMS, &[Signal::SIGKILL], &mut Random::new("CHAOS_SEED"), || allow.send(()).unwrap());
    drop(allow);
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert!(output.join().unwrap() == input.as_bytes(), "lost, repeated or out of order");
    // Six deaths of one worker before its hello would end the run.
    assert!(kills > 30, "{kills}");
    run.assert_no_process_left();
}

#[test]
fn workers_that_are_idle_because_the_input_stalls_may_be_killed_as_often_as_one_likes() {
    const ITEMS: u64 = 100;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut run = Run::start_with(&[&STORM_PROOF[..], &["-a", "-"]].concat(), b"", |command| {
        command.stdin(reader);
    });
    let mut lines = (0..ITEMS).map(|item| format!("{item}\n"));
    let kills = storm_with(&mut run, ITEMS, &[Signal::SIGKILL], &mut Random::new("CHAOS_SEED"), || {
        // After the last line, its own item may still be at a worker.
        if let Some(line) = lines.next() {
            writer.write_all(line.as_bytes()).unwrap();
        }
    });
    drop(writer);
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert!(run.stdout.lines().eq((0..ITEMS).map(|item| item.to_string())), "{}", run.stdout);
    assert!(kills as u64 >= ITEMS, "{kills}");
    run.assert_no_process_left();
}
