//! Recorded runs, and the output of each reporter for them.

use super::results::Tag;
use super::*;
use crate::model::config::{OutputMode, OutputSpec, SummaryMode};
use crate::model::event::{EndReason, ItemFate, Stage};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome, RunOutcome, StopReason, Totals};
use crate::model::signal::Signal;
use crate::model::spec::{
    Backoff, Credit, Intensity, Policy, QueueOrder, RestartStrategy, RestartType, TermStep, WorkerContract,
};
use crate::sys::spill::SpillFile;
use snapbox::{Data, assert_data_eq, data::Inline, str};
use std::{path::PathBuf, sync::Arc};

pub(super) const KILLED: ExitStatus = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
pub(super) const CRASHED: ExitStatus = ExitStatus::Signal { signal: Signal(11), core_dumped: false };
pub(super) const TERMED: ExitStatus = ExitStatus::Signal { signal: Signal::TERM, core_dumped: false };
pub(super) const RESIDENT: WorkerContract = WorkerContract::resident(Credit::Auto);

fn policy(worker: WorkerContract) -> Policy {
    let step = |signal, wait_ms| TermStep { signal, wait: Duration::from_millis(wait_ms) };
    Policy {
        workers: 2,
        worker,
        first_item: ItemId(0),
        queue_order: QueueOrder::Fifo,
        queue_items_max: 1000,
        batch_max: 100,
        keep_order: false,
        start_together: false,
        retries: 0,
        hinted_retries: 0,
        exit_rules: Vec::new(),
        crash_limit: 2,
        kill_limit: Some(2),
        retry_delay: Duration::ZERO,
        dead_max: None,
        timeout: Some(Duration::from_secs(2)),
        timeout_percent: None,
        start_delay: None,
        hello_timeout: Duration::from_secs(5),
        start_exits_max: None,
        term_sequence: vec![step(Signal::TERM, 200), step(Signal::KILL, 25)],
        grace: Duration::from_secs(10),
        restart: RestartType::Permanent,
        strategy: RestartStrategy::OneForOne,
        intensity: Intensity { restarts_max: 5, period: Duration::from_secs(10) },
        backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_secs(10) },
        halt: None,
        stop_at_abort: false,
        run_timeout: None,
        report_starts: true,
        explains: false,
        seed: 1,
        in_hand: false,
        chaos: None,
    }
}

pub(super) fn output(mode: OutputMode) -> OutputSpec {
    OutputSpec::of_mode(mode)
}

/// The reporters of a run, and what they wrote.
pub(super) struct Recorder {
    reporters: Vec<Box<dyn Reporter>>,
    now: Instant,
    out: Outbox,
    err: Outbox,
}

impl Recorder {
    pub(super) fn new(output: &OutputSpec, worker: WorkerContract) -> Self {
        Self {
            reporters: open(output, &policy(worker), if output.tag { Tag::Item } else { Tag::None }, None).unwrap(),
            now: Instant::ZERO,
            out: Outbox::default(),
            err: Outbox::default(),
        }
    }

    pub(super) fn event(&mut self, event: RunEvent) {
        self.now = self.now + Duration::from_millis(1);
        for reporter in &mut self.reporters {
            reporter.event(self.now, &event, &mut self.out, &mut self.err).unwrap();
        }
    }

    fn settle(&mut self, settlement: &Settlement, inputs: &str, results: &[u8], errors: &str) {
        let exit = if settlement.incarnation == Some(Incarnation(9)) { Some(ExitStatus::Code(0)) } else { None };
        let times: Vec<ItemTime> =
            (0..settlement.count).map(|_| ItemTime { started: self.now, runtime: Duration::from_millis(2) }).collect();
        self.event(RunEvent::ItemsSettled(settlement.clone()));
        let (results, errors) = (Content::in_memory(results), Content::in_memory(errors.as_bytes()));
        let (inputs, times) = (inputs.as_bytes(), settlement.worker.is_some().then_some(times.as_slice()));
        let mut settled =
            Settled { settlement, inputs, arguments: None, delimiter: b'\n', results, errors, times, exit };
        for reporter in &mut self.reporters {
            reporter.settled(self.now, &mut settled, &mut self.out, &mut self.err).unwrap();
        }
    }

    /// The content of stdout and of stderr.
    pub(super) fn written(&mut self) -> String {
        for reporter in &mut self.reporters {
            reporter.flush().unwrap();
            if let Some(file) = reporter.file() {
                file.outbox.flush().unwrap();
            }
        }
        let text = |outbox: &mut Outbox| {
            outbox.flush().unwrap();
            String::from_utf8(std::mem::take(outbox.buffer())).unwrap()
        };
        format!("{}---\n{}", text(&mut self.out), text(&mut self.err))
    }
}

pub(super) fn worker(number: usize) -> WorkerId {
    WorkerId::from_index(number - 1)
}

pub(super) fn settlement(first: u64, count: u32, outcome: Outcome, slot: usize, causes: Vec<Cause>) -> Settlement {
    Settlement {
        attempts: (causes.len() as u32).max(1),
        outcome,
        worker: Some(worker(slot)),
        incarnation: Some(Incarnation(1)),
        pid: Some(100 + slot as u32),
        causes,
        ..Settlement::of_done(ItemId(first), count)
    }
}

pub(super) fn cause(attempt: u32, slot: usize, kind: CauseKind) -> Cause {
    Cause { attempt: Attempt(attempt), worker: Some(worker(slot)), pid: Some(100 + slot as u32), kind }
}

pub(super) fn exited(
    slot: usize,
    incarnation: u32,
    pid: u32,
    exit: ExitStatus,
    reason: EndReason,
    item: Option<(u64, ItemFate)>,
) -> RunEvent {
    RunEvent::WorkerExited {
        worker: worker(slot),
        incarnation: Incarnation(incarnation),
        pid,
        exit,
        reason,
        item: item.map(|(item, fate)| (ItemId(item), fate)),
        waiting: 0,
        items: 3,
        usage: Usage { user_us: 12_000, system_us: 500, rss_max_kib: 2150, ..Usage::default() },
        stderr: None,
    }
}

fn finished(reason: StopReason) -> RunEvent {
    let totals = Totals {
        accepted: 9,
        done: 3,
        failed: 1,
        dead: 1,
        skipped: 4,
        retried: 1,
        deaths: 2,
        spawned: 4,
        ..Totals::default()
    };
    RunEvent::RunFinished(RunOutcome { reason, totals, halted: None })
}

fn item_started(item: u64, slot: usize, pid: u32) -> RunEvent {
    let (attempt, incarnation) = (Attempt(1), Incarnation(1));
    RunEvent::ItemStarted { item: ItemId(item), attempt, worker: worker(slot), incarnation, pid }
}

fn items_returned(first: u64, count: u32, slot: usize, pid: u32) -> RunEvent {
    let (first, attempt, worker, incarnation) = (ItemId(first), Attempt(1), worker(slot), Incarnation(1));
    RunEvent::ItemsReturned { first, count, attempt, worker, incarnation, pid, running: None }
}

/// Two resident workers: done, failed and dead items, deaths, an INT.
fn resident(stage: &mut Recorder) {
    stage.event(RunEvent::RunStarted { workers: 2 });
    for slot in [1, 2] {
        let (worker, incarnation, pid) = (worker(slot), Incarnation(1), 100 + slot as u32);
        stage.event(RunEvent::WorkerSpawned { worker, incarnation, pid });
        stage.event(RunEvent::WorkerReady { worker, incarnation, pid });
    }
    stage.settle(&settlement(0, 2, Outcome::Done, 1, vec![]), "7\n\"x\"\n", b"49\na\x1b[1m\n", "");
    stage.settle(&settlement(2, 1, Outcome::Done, 2, vec![]), "3", b"9\n", "");
    let failed = CauseKind::Failed(FailReason::Message("not an integer: \"a\tb\"".to_owned()));
    stage.settle(&settlement(3, 1, Outcome::Failed, 2, vec![cause(1, 2, failed)]), "a\tb", b"", "");
    stage.event(item_started(4, 2, 102));
    stage.event(exited(2, 1, 102, CRASHED, EndReason::Own, Some((4, ItemFate::Again(Attempt(2))))));
    stage.event(items_returned(5, 2, 2, 102));
    stage.event(RunEvent::WorkerSpawned { worker: worker(2), incarnation: Incarnation(2), pid: 112 });
    stage.event(exited(1, 1, 101, ExitStatus::Code(3), EndReason::Own, Some((4, ItemFate::Settled))));
    let crashed = CauseKind::Crashed;
    let causes = vec![cause(1, 2, crashed(CRASHED)), cause(2, 1, crashed(ExitStatus::Code(3)))];
    stage.settle(&settlement(4, 1, Outcome::Dead, 1, causes), "4", b"", "");
    stage.event(RunEvent::WorkerRestarting {
        worker: worker(1),
        incarnation: Incarnation(2),
        delay: Duration::from_millis(200),
    });
    stage.event(RunEvent::SignalReceived { signal: Signal::INT, sender_pid: Some(55) });
    stage.event(RunEvent::Stopping { stage: Stage::Draining, reason: StopReason::Signal(Signal::INT) });
    let skipped = Settlement {
        attempts: 0,
        worker: None,
        incarnation: None,
        pid: None,
        ..settlement(5, 4, Outcome::Skipped, 1, vec![])
    };
    stage.settle(&skipped, "5\n6\n7\n8\n", b"", "");
    stage.event(exited(2, 2, 112, ExitStatus::Code(0), EndReason::Asked, None));
    stage.event(finished(StopReason::Signal(Signal::INT)));
}

/// A process for each item: output on both streams, a failure.
fn per_item(stage: &mut Recorder) {
    stage.event(RunEvent::RunStarted { workers: 2 });
    for slot in [1, 2] {
        stage.event(RunEvent::WorkerSpawned {
            worker: worker(slot),
            incarnation: Incarnation(1),
            pid: 100 + slot as u32,
        });
    }
    stage.event(exited(1, 1, 101, ExitStatus::Code(0), EndReason::Own, None));
    let done = Settlement { incarnation: Some(Incarnation(9)), ..settlement(0, 1, Outcome::Done, 1, vec![]) };
    stage.settle(&done, "a", b"one\ntwo\nthree", "warning\n");
    stage.event(exited(2, 1, 102, ExitStatus::Code(1), EndReason::Own, Some((1, ItemFate::Settled))));
    let failed = CauseKind::Failed(FailReason::Exited(1));
    stage.settle(&settlement(1, 1, Outcome::Failed, 2, vec![cause(1, 2, failed)]), "b", b"part\n", "");
    stage.event(finished(StopReason::SourceEnded));
}

fn played(output: &OutputSpec, worker: WorkerContract) -> String {
    let mut stage = Recorder::new(output, worker);
    match worker.starts_with_item() {
        false => resident(&mut stage),
        true => per_item(&mut stage),
    }
    stage.written()
}

/// Every byte counts, backslashes and the last newline too.
pub(super) fn check(written: String, expected: Inline) {
    assert_data_eq!(written, Data::from(expected).raw());
}

#[test]
fn narrate_shows_a_line_for_each_item_and_each_worker() {
    check(
        played(&output(OutputMode::Narrate), RESIDENT),
        str![[r#"
worker 1 (pid 101): item 0 -> 49
worker 1 (pid 101): item 1 -> a\u{1b}[1m
worker 2 (pid 102): item 2 -> 9
worker 2 (pid 102): item 3 failed: not an integer: "a\tb"
worker 1 (pid 101): item 4 is dead after 2 attempts: exit 3
items 5 to 8 skipped
---
supervisor: started 2 workers: pid 101, 102
supervisor: worker 2 (pid 102) died: signal 11 (SEGV) while at item 4; item 4 will be tried again (attempt 2)
supervisor: worker 2 has a new process: pid 112
supervisor: worker 1 (pid 101) died: exit 3 while at item 4; item 4 has ended 2 workers: dead
supervisor: worker 1 starts again in 0.2s
supervisor: INT: no new items; waiting up to 10s for running ones; again to terminate them
worker  pid  items      cpu   memory  ended by
     1  101      3  0.012 s  2.0 MiB  exit 3
     2  102      3  0.012 s  2.0 MiB  signal 11 (SEGV)
     2  112      3  0.012 s  2.0 MiB  exit 0
item 3 failed: attempt 1, worker 2 (pid 102): not an integer: "a\tb"
item 4 is dead: attempt 1, worker 2 (pid 102): signal 11 (SEGV); attempt 2, worker 1 (pid 101): exit 3
9 items: 3 done, 1 failed, 1 dead, 4 skipped; 4 processes, 2 deaths, 1 more attempt; 0.020 s

"#]],
    );
}

#[test]
fn narrate_of_commands_does_not_announce_processes() {
    check(
        played(&output(OutputMode::Narrate), WorkerContract::per_item()),
        str![[r#"
worker 1 (pid 101): item 0 -> one\ntwo\nthree
worker 2 (pid 102): item 1 failed: exit 1 -> part
---
warning
worker  processes  items      cpu   memory  ended by
     1          1      3  0.012 s  2.0 MiB  exit 0
     2          1      3  0.012 s  2.0 MiB  exit 1
item 1 failed: attempt 1, worker 2 (pid 102): exit 1
9 items: 3 done, 1 failed, 1 dead, 4 skipped; 4 processes, 2 deaths, 1 more attempt; 0.008 s

"#]],
    );
}

#[test]
fn results_shows_the_bytes_of_results_alone() {
    check(
        played(&OutputSpec { tag: true, ..output(OutputMode::Results) }, WorkerContract::per_item()),
        str![[r#"
a	one
a	two
a	threeb	part
---
a	warning
supervisor: item 1 failed: exit 1
worker  processes  items      cpu   memory  ended by
     1          1      3  0.012 s  2.0 MiB  exit 0
     2          1      3  0.012 s  2.0 MiB  exit 1
item 1 failed: attempt 1, worker 2 (pid 102): exit 1
9 items: 3 done, 1 failed, 1 dead, 4 skipped; 4 processes, 2 deaths, 1 more attempt; 0.008 s

"#]],
    );
    let quiet = OutputSpec { quiet: true, ..output(OutputMode::Results) };
    check(
        played(&quiet, WorkerContract::per_item()),
        str![[r#"
one
two
threepart
---
warning

"#]],
    );
}

#[test]
fn each_result_is_tagged_however_many_come_together() {
    let tagged = OutputSpec { tag: true, quiet: true, ..output(OutputMode::Results) };
    let mut stage = Recorder::new(&tagged, RESIDENT);
    stage.settle(&settlement(0, 3, Outcome::Done, 1, vec![]), "7\n\n9\n", b"49\n\n81\n", "");
    stage.settle(&settlement(3, 1, Outcome::Done, 1, vec![]), "", b"\n", "");
    check(
        stage.written(),
        str![[r#"
7	49
	
9	81
	
---

"#]],
    );
}

#[test]
fn json_shows_an_object_for_each_item() {
    let json = OutputSpec { summary: SummaryMode::Never, ..output(OutputMode::Json) };
    check(
        played(&json, RESIDENT),
        str![[r#"
{"item":0,"input":"7","outcome":"done","result":"49","attempts":1,"worker":1,"pid":101,"started":0.005000000,"runtime":0.002000000,"causes":[]}
{"item":1,"input":"\"x\"","outcome":"done","result":"a\u001b[1m","attempts":1,"worker":1,"pid":101,"started":0.005000000,"runtime":0.002000000,"causes":[]}
{"item":2,"input":"3","outcome":"done","result":"9","attempts":1,"worker":2,"pid":102,"started":0.006000000,"runtime":0.002000000,"causes":[]}
{"item":3,"input":"a\tb","outcome":"failed","attempts":1,"worker":2,"pid":102,"started":0.007000000,"runtime":0.002000000,"error":"not an integer: \"a\tb\"","causes":[{"attempt":1,"worker":2,"pid":102,"error":"not an integer: \"a\tb\""}]}
{"item":4,"input":"4","outcome":"dead","attempts":2,"worker":1,"pid":101,"started":0.013000000,"runtime":0.002000000,"exit":{"code":3},"error":"exit 3","causes":[{"attempt":1,"worker":2,"pid":102,"exit":{"signal":11,"name":"SEGV","core":false}},{"attempt":2,"worker":1,"pid":101,"exit":{"code":3}}]}
{"item":5,"input":"5","outcome":"skipped","attempts":0,"causes":[]}
{"item":6,"input":"6","outcome":"skipped","attempts":0,"causes":[]}
{"item":7,"input":"7","outcome":"skipped","attempts":0,"causes":[]}
{"item":8,"input":"8","outcome":"skipped","attempts":0,"causes":[]}
---
supervisor: item 3 failed: not an integer: "a\tb"
supervisor: worker 2 (pid 102) died: signal 11 (SEGV) while at item 4; item 4 will be tried again (attempt 2)
supervisor: worker 1 (pid 101) died: exit 3 while at item 4; item 4 has ended 2 workers: dead
supervisor: worker 1 starts again in 0.2s
supervisor: INT: no new items; waiting up to 10s for running ones; again to terminate them

"#]],
    );
    check(
        played(&json, WorkerContract::per_item()),
        str![[r#"
{"item":0,"input":"a","outcome":"done","result":"one\ntwo\nthree","attempts":1,"worker":1,"pid":101,"started":0.004000000,"runtime":0.002000000,"exit":{"code":0},"causes":[]}
{"item":1,"input":"b","outcome":"failed","result":"part\n","attempts":1,"worker":2,"pid":102,"started":0.006000000,"runtime":0.002000000,"exit":{"code":1},"error":"exit 1","causes":[{"attempt":1,"worker":2,"pid":102,"exit":{"code":1}}]}
---
warning
supervisor: item 1 failed: exit 1

"#]],
    );
}

#[test]
fn each_event_is_a_json_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    std::fs::write(&path, "from an earlier run\n").unwrap();
    let none = OutputSpec { events: Some(path.clone()), quiet: true, ..output(OutputMode::None) };
    assert_eq!(played(&none, RESIDENT), "---\n");
    check(
        std::fs::read_to_string(path).unwrap(),
        str![[r#"
{"event":"run_started","t":0.001000000,"workers":2}
{"event":"worker_spawned","t":0.002000000,"worker":1,"incarnation":1,"pid":101}
{"event":"worker_ready","t":0.003000000,"worker":1,"incarnation":1,"pid":101}
{"event":"worker_spawned","t":0.004000000,"worker":2,"incarnation":1,"pid":102}
{"event":"worker_ready","t":0.005000000,"worker":2,"incarnation":1,"pid":102}
{"event":"item_settled","t":0.006000000,"item":0,"outcome":"done","attempt":1,"worker":1,"incarnation":1,"pid":101}
{"event":"item_settled","t":0.006000000,"item":1,"outcome":"done","attempt":1,"worker":1,"incarnation":1,"pid":101}
{"event":"item_settled","t":0.007000000,"item":2,"outcome":"done","attempt":1,"worker":2,"incarnation":1,"pid":102}
{"event":"item_settled","t":0.008000000,"item":3,"outcome":"failed","attempt":1,"worker":2,"incarnation":1,"pid":102,"causes":[{"attempt":1,"worker":2,"pid":102,"error":"not an integer: \"a\tb\""}]}
{"event":"item_started","t":0.009000000,"item":4,"attempt":1,"worker":2,"incarnation":1,"pid":102}
{"event":"worker_exited","t":0.010000000,"worker":2,"incarnation":1,"pid":102,"exit":{"signal":11,"name":"SEGV","core":false},"reason":"own","item":4,"next_attempt":2,"items":3,"user":0.012000000,"system":0.000500000,"rss_max_kib":2150}
{"event":"item_returned","t":0.011000000,"item":5,"attempt":1,"worker":2,"incarnation":1,"pid":102,"running":false}
{"event":"item_returned","t":0.011000000,"item":6,"attempt":1,"worker":2,"incarnation":1,"pid":102,"running":false}
{"event":"worker_spawned","t":0.012000000,"worker":2,"incarnation":2,"pid":112}
{"event":"worker_exited","t":0.013000000,"worker":1,"incarnation":1,"pid":101,"exit":{"code":3},"reason":"own","item":4,"items":3,"user":0.012000000,"system":0.000500000,"rss_max_kib":2150}
{"event":"item_settled","t":0.014000000,"item":4,"outcome":"dead","attempt":2,"worker":1,"incarnation":1,"pid":101,"causes":[{"attempt":1,"worker":2,"pid":102,"exit":{"signal":11,"name":"SEGV","core":false}},{"attempt":2,"worker":1,"pid":101,"exit":{"code":3}}]}
{"event":"worker_restarting","t":0.015000000,"worker":1,"incarnation":2,"delay":0.200000000}
{"event":"signal_received","t":0.016000000,"signal":2,"name":"INT","sender_pid":55}
{"event":"stopping","t":0.017000000,"stage":"draining","reason":"signal","signal":2}
{"event":"item_settled","t":0.018000000,"item":5,"outcome":"skipped"}
{"event":"item_settled","t":0.018000000,"item":6,"outcome":"skipped"}
{"event":"item_settled","t":0.018000000,"item":7,"outcome":"skipped"}
{"event":"item_settled","t":0.018000000,"item":8,"outcome":"skipped"}
{"event":"worker_exited","t":0.019000000,"worker":2,"incarnation":2,"pid":112,"exit":{"code":0},"reason":"asked","items":3,"user":0.012000000,"system":0.000500000,"rss_max_kib":2150}
{"event":"run_finished","t":0.020000000,"reason":"signal","signal":2,"items":9,"done":3,"failed":1,"dead":1,"skipped":4,"interrupted":0,"declined":0,"retried":1,"deaths":2,"spawned":4,"stale":0}

"#]],
    );
}

#[test]
fn events_that_cannot_be_written_are_an_error_with_the_name() {
    let missing = OutputSpec { events: Some(PathBuf::from("/nonexistent/events")), ..output(OutputMode::None) };
    let error = open(&missing, &policy(RESIDENT), Tag::None, None).err().unwrap();
    assert_eq!(error.to_string(), "create /nonexistent/events: No such file or directory (os error 2)");
    let full = OutputSpec { events: Some(PathBuf::from("/dev/full")), ..output(OutputMode::None) };
    let mut stage = Recorder::new(&full, RESIDENT);
    stage.event(RunEvent::RunStarted { workers: 1 });
    let file = stage.reporters.iter_mut().find_map(|reporter| reporter.file()).unwrap();
    let error = file.outbox.flush().unwrap_err();
    let error = file.lose(error);
    assert_eq!(file.buffer(), None);
    assert!(!file.is_behind());
    assert_eq!(error.to_string(), "write /dev/full: No space left on device (os error 28)");
}

/// Spilled content in each output mode, also with a tag in the line that continues from the file into memory.
#[test]
fn spilled_content_is_shown_and_freed() {
    let shown = |output: &OutputSpec| {
        let mut stage = Recorder::new(output, WorkerContract::per_item());
        let spill = Arc::new(SpillFile::new());
        let (mut spilled, mut errors) = (SpilledContent::default(), SpilledContent::default());
        spilled.push(&spill, b"one\nt").unwrap();
        errors.push(&spill, b"warning\n").unwrap();
        spilled.push(&spill, b"w").unwrap();
        let done = settlement(0, 1, Outcome::Done, 1, vec![]);
        let mut settled = Settled {
            settlement: &done,
            inputs: b"item",
            arguments: None,
            delimiter: b'\n',
            results: Content { spilled, memory: b"o\nthree", before: 0 },
            errors: Content { spilled: errors, ..Content::default() },
            times: None,
            exit: None,
        };
        for reporter in &mut stage.reporters {
            reporter.settled(stage.now, &mut settled, &mut stage.out, &mut stage.err).unwrap();
        }
        drop(settled);
        let written = stage.written();
        assert_eq!(spill.live_bytes(), 0);
        written
    };
    assert_eq!(shown(&output(OutputMode::Results)), "one\ntwo\nthree---\nwarning\n");
    let tagged = OutputSpec { tag: true, ..output(OutputMode::Results) };
    assert_eq!(shown(&tagged), "item\tone\nitem\ttwo\nitem\tthree---\nitem\twarning\n");
    assert_eq!(shown(&output(OutputMode::None)), "---\nwarning\n");
    assert_eq!(shown(&output(OutputMode::Narrate)), "worker 1 (pid 101): item 0 -> one\\ntwo\\nthree\n---\nwarning\n");
    assert!(shown(&output(OutputMode::Json)).contains("\"result\":\"one\\ntwo\\nthree\""));
}
