//! Queues of journals, of the real program: items that other processes add before a run and while it goes on, what they ask
//! of items, and what is refused.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use support::random::{Random, number_of};
use support::{Finished, Run, SUPERVISOR, output, send, shell};

/// A folder with a journal that is still to be made.
struct Place {
    dir: tempfile::TempDir,
    journal: String,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal").to_str().unwrap().to_owned();
        Self { dir, journal }
    }

    fn name(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn queue(&self, words: &[&str]) -> Finished {
        self.queue_of(words, b"")
    }

    fn queue_of(&self, words: &[&str], stdin: &[u8]) -> Finished {
        output(&[&["queue", &self.journal], words].concat(), stdin)
    }

    /// What is asked can be recorded.
    fn asks(&self, words: &[&str]) -> String {
        let asked = self.queue(words);
        assert_eq!((asked.code(), asked.stderr.as_str()), (0, ""), "{words:?}");
        asked.stdout
    }

    /// Each item by its number: its state, and its text.
    fn items(&self) -> BTreeMap<u64, (String, String)> {
        let listed = self.asks(&["ls", "--all", "--output", "json"]);
        let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
        let items = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        items.map(|item| (item["item"].as_u64().unwrap(), (text(&item, "state"), text(&item, "text")))).collect()
    }

    fn states(&self) -> Vec<String> {
        self.items().into_values().map(|(state, _)| state).collect()
    }

    fn words<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["-q", "--journal", &self.journal, "--resume", "--keep-open"], more].concat()
    }

    fn start(&self, more: &[&str]) -> Run {
        Run::start(&self.words(more))
    }

    /// How many items are done, failed, skipped and in flight. The books balance.
    fn counts(&self) -> [u64; 4] {
        let audit = output(&["audit", "--output", "json", &self.journal], b"");
        let books: Value = serde_json::from_str(&audit.stdout).unwrap();
        assert_eq!((&books["balanced"], audit.code()), (&Value::Bool(true), 0), "{books}");
        ["done", "failed", "skipped", "in_flight"].map(|name| books[name].as_u64().unwrap())
    }
}

fn wait_for_outcome(run: &mut Run, item: u64, outcome: &str) -> Value {
    let settled = run.wait_for(|event| event["event"] == "item_settled" && event["item"] == item);
    assert_eq!(settled["outcome"], outcome, "{settled}");
    settled
}

/// So many more items are done, in any order.
fn wait_until_done(run: &mut Run, items: usize) {
    for _ in 0..items {
        let settled = run.wait_for_event("item_settled");
        assert_eq!(settled["outcome"], "done", "{settled}");
    }
}

/// A run that keeps its journal open ends by a signal.
fn stop(run: Run) -> Finished {
    stop_by(run, Run::finish)
}

/// One session of several.
fn stop_session(run: Run) -> Finished {
    stop_by(run, Run::finish_session)
}

fn stop_by(run: Run, finish: fn(Run) -> Finished) -> Finished {
    run.signal(Signal::SIGTERM);
    let finished = finish(run);
    assert_eq!(finished.code(), 128 + 15, "{}", finished.stderr);
    finished.assert_no_process_left();
    finished
}

#[test]
fn items_are_taken_that_were_added_before_the_run_and_while_it_goes_on() {
    for worker in [&["--", "printf", "[%s]\\n"][..], &["--task", "echo"], &["--protocol", "lines", "--", "cat"]] {
        let place = Place::new();
        assert_eq!(place.asks(&["add", "a", "b"]), "0-1\n");
        assert_eq!(place.queue_of(&["add"], b"c\nd").stdout, "2-3\n");
        let mut run = place.start(&[&["-k", "-j2"], worker].concat());
        wait_until_done(&mut run, 4);
        assert_eq!(place.asks(&["add", "--", "--late"]), "4\n");
        wait_for_outcome(&mut run, 4, "done");
        let finished = stop(run);
        let shown = finished.stdout.replace(['[', ']'], "");
        assert_eq!((shown.as_str(), finished.stderr.as_str()), ("a\nb\nc\nd\n--late\n", ""));
        assert_eq!((place.counts(), place.asks(&["ls"]).as_str()), ([5, 0, 0, 0], ""));
    }
}

#[test]
fn an_item_is_what_was_given_byte_for_byte() {
    let place = Place::new();
    assert_eq!(place.queue_of(&["add", "-0"], b"two\nlines\0\0last").stdout, "0-2\n");
    assert_eq!(place.asks(&["add", ""]), "3\n");
    assert_eq!(place.queue_of(&["add"], b"").stdout, "", "nothing is added");
    let large = "x".repeat(100_000);
    assert_eq!(place.queue_of(&["add"], large.as_bytes()).stdout, "4\n");
    let mut run = place.start(&["-k", "--", "printf", "[%s]\\n"]);
    wait_until_done(&mut run, 5);
    assert_eq!(stop(run).stdout, format!("[two\nlines]\n[]\n[last]\n[]\n[{large}]\n"));
}

/// The numbers that `add` has printed.
fn numbers(printed: &str) -> std::ops::RangeInclusive<u64> {
    let (first, last) = printed.trim_end().split_once('-').unwrap_or((printed.trim_end(), printed.trim_end()));
    first.parse().unwrap()..=last.parse().unwrap()
}

#[test]
fn eight_processes_that_add_at_once_add_each_item_once() {
    let place = Place::new();
    let mut run = place.start(&["-j2", "--task", "echo"]);
    let mut expected = BTreeMap::new();
    std::thread::scope(|scope| {
        let add = |adder: u64| {
            let mut added = Vec::new();
            for call in 0..6 {
                let items = [0, 1, 2].map(|item| format!("{adder} {call} {item}"));
                let printed = place.asks(&[&["add"], &items.each_ref().map(String::as_str)[..]].concat());
                added.extend(numbers(&printed).zip(items));
            }
            added
        };
        let adders: Vec<_> = (0..8).map(|adder| scope.spawn(move || add(adder))).collect();
        expected.extend(adders.into_iter().flat_map(|adder| adder.join().unwrap()));
    });
    assert!(expected.len() == 144 && expected.keys().copied().eq(0..144), "{expected:?}");
    let mut open = expected.clone();
    while !open.is_empty() {
        let settled = run.wait_for_event("item_settled");
        let item = settled["item"].as_u64().unwrap();
        assert!(settled["outcome"] == "done" && open.remove(&item).is_some(), "{settled}");
    }
    let finished = stop(run);
    let (mut shown, mut texts): (Vec<&str>, Vec<&String>) =
        (finished.stdout.lines().collect(), expected.values().collect());
    shown.sort_unstable();
    texts.sort_unstable();
    assert!(shown == texts, "{shown:?}");
    assert!(place.items() == expected.into_iter().map(|(item, text)| (item, ("done".into(), text))).collect());
    assert_eq!(place.counts(), [144, 0, 0, 0]);
}

fn start_alone(words: &[&str]) -> (Child, BufReader<ChildStdout>) {
    support::restore_default_signals();
    let mut command = Command::new(SUPERVISOR);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Kills a run and its workers at random moments while items are added, goes on each time, and at last until all are done.
fn kill_while_items_are_added(worker: &[&str], kills: u64) {
    let (place, mut random) = (Place::new(), Random::new("QUEUE_SEED"));
    let words = place.words(&[&["-j3", "--kill-limit", "never"], worker].concat());
    let is_over = AtomicBool::new(false);
    let mut shown = Vec::new();
    let items = std::thread::scope(|scope| {
        let adder = scope.spawn(|| {
            let mut items = 0;
            while !is_over.load(Ordering::Relaxed) {
                let added = [items, items + 1, items + 2].map(|item| format!("item {item}"));
                let printed = place.asks(&[&["add"], &added.each_ref().map(String::as_str)[..]].concat());
                assert_eq!(numbers(&printed), items..=items + 2);
                items += 3;
            }
            items
        });
        let mut has_ended = false;
        for _ in 0..kills {
            let (mut child, mut out) = start_alone(&words);
            // More is added until this is over, so these lines come.
            for _ in 0..random.below(12) {
                let mut line = String::new();
                has_ended |= out.read_line(&mut line).unwrap() == 0;
                shown.push(line);
                let workers = children(child.id());
                if random.below(4) == 0 && !workers.is_empty() {
                    send(workers[random.below(workers.len())], Signal::SIGKILL);
                }
            }
            send(child.id(), Signal::SIGKILL);
            child.wait().unwrap();
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            shown.extend(rest.split_inclusive('\n').map(str::to_owned));
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(!has_ended, "a run that keeps its journal open has ended");
        adder.join().unwrap()
    });
    let (mut child, mut out) = start_alone(&words);
    let mut rest = String::new();
    std::thread::scope(|scope| {
        scope.spawn(|| out.read_to_string(&mut rest).unwrap());
        while !place.asks(&["ls"]).is_empty() {
            std::thread::yield_now();
        }
        send(child.id(), Signal::SIGTERM);
        child.wait().unwrap();
    });
    shown.extend(rest.split_inclusive('\n').map(str::to_owned));
    assert_eq!(place.counts(), [items, 0, 0, 0], "{worker:?}");
    assert!(place.items().into_iter().eq((0..items).map(|item| (item, ("done".to_owned(), format!("item {item}"))))));
    // At a kill the last line may be cut off, and what was shown since the last record is shown again.
    shown.sort_unstable();
    let lacking: Vec<u64> = (0..items).filter(|item| shown.binary_search(&format!("item {item}\n")).is_err()).collect();
    assert_eq!(lacking, [0; 0], "{worker:?}: results that were not shown");
}

#[test]
fn a_run_is_killed_again_and_again_while_items_are_added_and_each_is_done_once() {
    let kills = number_of("QUEUE_KILLS").unwrap_or(12);
    for worker in [&["--", "echo"][..], &["--task", "echo"], &["--protocol", "lines", "--", "cat"]] {
        kill_while_items_are_added(worker, kills);
    }
}

#[test]
fn an_item_that_is_removed_is_not_run_and_one_that_is_cancelled_is_ended() {
    let line = "while read -r item; do test \"$item\" != 100 || sleep 100; echo \"$item\"; done";
    for worker in [
        &["--", "sh", "-c", "test $1 != 100 || exec sleep 100; echo $1", "x"][..],
        &["--protocol", "lines", "--", "sh", "-c", line],
        &["--task", "sleep", "--output", "none"],
    ] {
        let place = Place::new();
        place.asks(&["add", "100", "0.01", "0.02"]);
        let mut run =
            place.start(&[&["-j1", "--credit", "1"][..usize::from(worker[0] != "--") * 2 + 1], worker].concat());
        run.wait_for(|event| event["event"] == "batch_dispatched" || event["event"] == "worker_spawned");
        while place.states()[0] != "in_flight" {
            std::thread::yield_now();
        }
        let refused = place.queue(&["rm", "1", "0"]);
        let expected = "supervisor: failed to give up item 0: it is in flight; cancel ends what works on it\n";
        assert_eq!((refused.code(), refused.stderr.as_str()), (2, expected));
        assert_eq!(place.states(), ["in_flight", "waiting", "waiting"], "nothing of it is recorded");
        place.asks(&["rm", "1"]);
        wait_for_outcome(&mut run, 1, "skipped");
        place.asks(&["cancel", "0"]);
        wait_for_outcome(&mut run, 0, "skipped");
        wait_for_outcome(&mut run, 2, "done");
        // A number that is still to come has no item.
        assert_eq!(place.queue(&["rm", "3"]).code(), 2);
        let finished = stop(run);
        assert!(["", "0.02\n"].contains(&finished.stdout.as_str()), "{}", finished.stdout);
        assert_eq!(
            (place.counts(), place.states()),
            ([1, 0, 2, 0], ["skipped", "skipped", "done"].map(str::to_owned).to_vec())
        );
    }
}

#[test]
fn what_is_asked_between_two_sessions_is_done_by_the_next_one() {
    let place = Place::new();
    let script =
        "echo \"$1 $SUPERVISOR_ATTEMPT\"; case $1$SUPERVISOR_ATTEMPT in bad[12]) exit 3;; slow1) exec sleep 100; esac";
    let worker = ["-k", "-j3", "--grace", "0", "--retries", "1", "--", "sh", "-c", script, "x"];
    place.asks(&["add", "bad", "removed", "back", "slow", "again"]);
    place.asks(&["rm", "1", "2", "4"]);
    assert_eq!(place.queue(&["cancel", "1"]).code(), 2, "it was given up");
    place.asks(&["retry", "4"]);
    let run = place.start(&worker);
    let is_settled = |place: &Place| place.states()[0] == "failed" && place.states()[4] == "done";
    while !is_settled(&place) {
        std::thread::yield_now();
    }
    place.asks(&["retry", "0", "2"]);
    assert_eq!(place.states(), ["waiting", "skipped", "waiting", "in_flight", "done"]);
    assert_eq!(place.queue(&["retry", "3"]).code(), 2, "its outcome is still to come");
    assert_eq!(place.queue(&["retry", "4"]).code(), 2, "it is done");
    stop_session(run);
    let mut run = place.start(&worker);
    wait_until_done(&mut run, 3);
    let shown = stop_session(run).stdout;
    for line in ["bad 3\n", "back 1\n", "slow 2\n"] {
        assert!(shown.contains(line) && !shown.contains("removed"), "{shown}");
    }
    assert_eq!((place.counts(), place.asks(&["ls"]).as_str()), ([4, 0, 1, 0], ""));
    // What was carried out is not carried out again.
    let mut run = place.start(&worker);
    place.asks(&["add", "last"]);
    wait_for_outcome(&mut run, 5, "done");
    assert_eq!(stop(run).events("item_settled").len(), 1);
}

#[test]
fn a_stop_leaves_what_was_not_begun_for_the_next_session() {
    let place = Place::new();
    let script = "test $1$SUPERVISOR_ATTEMPT != a1 || exec sleep 100; echo $1";
    let worker = ["-k", "-j1", "--grace", "0", "--", "sh", "-c", script, "x"];
    place.asks(&["add", "a", "b", "c"]);
    let mut run = place.start(&worker);
    run.wait_for_event("worker_spawned");
    assert_eq!(stop_session(run).stdout, "");
    assert_eq!(place.states()[1..], ["waiting", "waiting"]);
    place.asks(&["add", "d"]);
    let mut run = place.start(&worker);
    wait_for_outcome(&mut run, 3, "done");
    assert_eq!((stop_session(run).stdout.as_str(), place.counts()), ("a\nb\nc\nd\n", [4, 0, 0, 0]));
}

#[test]
fn what_is_no_journal_or_no_queue_is_refused_and_stays() {
    let place = Place::new();
    let refused = |words: &[&str], code, expected: &str| {
        let refused = output(words, b"x");
        assert_eq!((refused.code(), refused.stdout.as_str()), (code, ""), "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(expected) && refused.stderr.lines().count() == 1, "{}", refused.stderr);
    };
    refused(&["queue", &place.journal, "ls"], 2, "failed to find the queue");
    refused(&["queue", &place.journal, "rm", "0"], 2, "failed to find item 0 in the queue: it has no items");
    place.asks(&["add", "a"]);
    refused(&["queue", &place.journal, "cancel", "0", "1"], 2, "failed to find item 1 in the queue: it has items 0-0");
    refused(&["queue", &place.journal, "retry", "0"], 2, "it is waiting: its outcome is still to come");
    let (text, folder, link) = (place.name("text"), place.name("folder"), place.name("link"));
    std::fs::write(&text, "no journal\n").unwrap();
    std::fs::create_dir(&folder).unwrap();
    symlink(place.name("nowhere"), &link).unwrap();
    let own = place.name("journal.queue");
    for (name, expected) in [
        (&text, "is no journal"),
        (&folder, "is a folder"),
        (&link, "is a symbolic link"),
        (&own, "is the queue of a journal; give the name of the journal"),
    ] {
        for request in [&["add", "a"][..], &["add"], &["ls"], &["rm", "0"]] {
            refused(&[&["queue", name], request].concat(), 6, expected);
        }
        // Of a journal that is not there.
        let (journal, queue) = (place.name("other"), place.name("other.queue"));
        std::fs::rename(name, &queue).unwrap();
        if *name != own {
            refused(&["queue", &journal, "add", "a"], 6, "other.queue");
            refused(&["queue", &journal, "ls"], 6, "");
            refused(&["--journal", &journal, "--keep-open", "--", "echo"], 6, "other.queue");
        }
        std::fs::rename(&queue, name).unwrap();
    }
    assert_eq!(std::fs::read(&text).unwrap(), b"no journal\n");
    refused(&["queue", &place.name("none/journal"), "add", "a"], 6, "No such file");
    let run = ["--journal", &place.journal, "--keep-open"];
    for more in [
        &["-a", &text, "--", "echo"][..],
        &["--", "echo", ":::", "a"],
        &["--items", "3"],
        &["--", "echo", "::::", &text],
    ] {
        refused(&[&run, more].concat(), 2, "--keep-open takes the items of the journal's queue as they are; leave");
    }
    refused(&[&run[..], &["-n", "2", "--", "echo"]].concat(), 2, "leave --max-args or --keep-open out");
    refused(&["--keep-open", "--", "echo"], 2, "--keep-open is for a run with a journal; add --journal FILE");
    let closed = shell(&format!("$SUPERVISOR queue {} add b >&-; echo $?", place.journal));
    assert_eq!((closed.stdout.as_str(), closed.stderr.as_str()), ("0\n", ""), "it is added all the same");
    for (line, code) in
        [("ls >&-", 5), ("ls >/dev/full", 5), ("add <&-", 5), ("ls | head -c 0; exit ${PIPESTATUS[0]}", 0)]
    {
        let closed = shell(&format!("$SUPERVISOR queue {} {line}", place.journal));
        assert_eq!(
            (closed.code(), closed.stderr.lines().count()),
            (code, usize::from(code > 0)),
            "{line}: {}",
            closed.stderr
        );
    }
    assert_eq!(place.items().len(), 2);
}

#[test]
fn a_queue_on_a_full_disk_is_as_it_was() {
    let place = Place::new();
    let lines: String = (0..40_000).map(|number| format!("a line of the list with number {number}\n")).collect();
    let list = place.name("list");
    std::fs::write(&list, lines).unwrap();
    // Once the file is to be made, once it is there. What fits is not kept: the items come together, or not at all.
    for (limit_kib, items) in [(0, 0), (1, 0), (1200, 0), (1, 2), (1200, 2)] {
        if items > 0 && place.queue(&["ls"]).stdout.is_empty() {
            place.asks(&["add", "a", "b"]);
        }
        let before = std::fs::read(place.name("journal.queue")).unwrap_or_default();
        let full = shell(&format!(
            "ulimit -f {limit_kib}; $SUPERVISOR queue {} add < {list} | cat; exit ${{PIPESTATUS[0]}}",
            place.journal
        ));
        assert_eq!((full.code(), full.stdout.as_str()), (4, ""), "{}", full.stderr);
        assert!(full.stderr.contains("journal.queue: the file cannot be written: "), "{}", full.stderr);
        assert_eq!(std::fs::read(place.name("journal.queue")).unwrap(), before, "{limit_kib} {items}");
        assert_eq!(place.queue(&["ls"]).stdout.lines().count(), items);
    }
    assert_eq!(place.asks(&["add", "c"]), "2\n");
}
