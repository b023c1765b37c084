//! `--chaos` on the real program: whatever a run does to its own workers, every item is done once, and what it tells of that
//! adds up. `CHAOS_SEED=N` repeats the seeds of the plans, though not the moments of a noisy machine.

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use support::random::Random;
use support::{Finished, Run, output};

/// A seed for each run of a test.
fn seeds() -> impl Iterator<Item = usize> {
    let mut random = Random::new("CHAOS_SEED");
    std::iter::repeat_with(move || random.below(1_000_000))
}

/// Runs with a plan of chaos: every item is done, and what is told adds up. Returns the run and its plan.
fn run(plan: &str, seed: usize, arguments: &[&str], stdin: &[u8]) -> Finished {
    let plan = format!("{plan},seed={seed}");
    println!("--chaos {plan} {arguments:?}");
    let all = [&["--chaos", &plan, "-k", "-v", "--output", "results", "--summary", "always"], arguments].concat();
    let finished = Run::start_with(&all, stdin, |_| {}).finish();
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    finished.assert_no_process_left();
    adds_up(&finished, &plan);
    finished
}

fn is_by_chaos(cause: &Value) -> bool {
    cause["error"].as_str().is_some_and(|error| error.starts_with("ended by chaos: "))
}

/// The numbers of the summary are those of the events, and each death by chaos was announced.
fn adds_up(finished: &Finished, plan: &str) {
    let ends = finished.events("worker_exited");
    let by_chaos: Vec<&&Value> = ends.iter().filter(|end| end["reason"] == "chaos").collect();
    let process = |event: &Value| (event["worker"].as_u64(), event["incarnation"].as_u64());
    let ended: BTreeSet<_> = by_chaos.iter().map(|end| process(end)).collect();
    let returned = finished.events("item_returned").into_iter().filter(|event| ended.contains(&process(event))).count();
    let again = finished.events("item_retried").into_iter().filter(|event| is_by_chaos(&event["cause"])).count();
    let deaths = by_chaos.len();
    let line = |count, one: &str, several: &str| format!("{count} {}", if count == 1 { one } else { several });
    let told = format!(
        "{} by chaos, {} returned or tried again, 0 lost\n",
        line(deaths, "death", "deaths"),
        line(returned + again, "item", "items")
    );
    assert!(finished.stderr.ends_with(&told), "{told} is not the end of {}", finished.stderr);
    let seed = plan.rsplit_once("seed=").unwrap().1;
    assert!(finished.stderr.contains(&format!("supervisor: chaos with seed {seed}: ")), "{}", finished.stderr);
    // Nobody else ends a process here, and chaos ends none without saying so.
    let own = ends.iter().find(|end| end["reason"] == "own" && end["exit"]["code"] != 0);
    assert!(own.is_none(), "{own:?}");
    let announced: BTreeSet<_> = finished
        .events("chaos")
        .into_iter()
        .filter(|event| ["kill", "segv", "hang", "torn"].contains(&event["kind"].as_str().unwrap()))
        .map(process)
        .collect();
    assert!(ended.is_subset(&announced), "{ended:?} of {announced:?}");
    let last = finished.events.last().unwrap();
    assert_eq!(last["chaos_deaths"].as_u64().unwrap_or(0), deaths as u64, "{last}");
    assert_eq!(last["deaths"], 0, "{last}");
}

fn squares(items: u64) -> String {
    (0..items).map(|item| format!("{}\n", item * item)).collect()
}

fn numbers(items: u64) -> String {
    (0..items).map(|item| format!("{item}\n")).collect()
}

#[test]
fn the_built_in_worker_is_killed_fifty_times_a_second_and_every_item_is_done_once_and_in_order() {
    let mut deaths = 0;
    for seed in seeds().take(2) {
        let finished = run("kill=50/s", seed, &["--items", "2000", "--delay", "1ms", "--workers", "4"], b"");
        assert_eq!(finished.settled("done"), 2000);
        assert!(finished.stdout == squares(2000), "the output is not the squares in order");
        deaths += finished.events.last().unwrap()["chaos_deaths"].as_u64().unwrap_or(0);
    }
    // Each of the two takes at least half a second, in which 25 kills are due on average.
    assert!(deaths > 0, "no worker was killed");
}

#[test]
fn every_part_of_a_plan_happens_to_the_built_in_worker_over_every_transport() {
    for (transport, seed) in ["pipe", "socket", "shm", "mqueue", "file"].into_iter().zip(seeds()) {
        let plan = "kill=5/s,stop=2/s,segv=5/s,slow=10%..5ms,hang=0.5%,torn=5%";
        let arguments = ["--items", "300", "--workers", "4", "--timeout", "2s", "--transport", transport];
        let finished = run(plan, seed, &arguments, b"");
        assert!(finished.stdout == squares(300), "{transport}: the output is not the squares in order");
        let mut kinds = BTreeMap::<&str, usize>::new();
        for event in finished.events("chaos") {
            *kinds.entry(event["kind"].as_str().unwrap()).or_default() += 1;
        }
        // Of 300 items about 30 are slow, and about 15 have their result torn.
        assert!(kinds.contains_key("slow") && kinds.contains_key("torn"), "{transport}: {kinds:?}");
        let torn = finished.events("worker_exited").into_iter().filter(|end| end["exit"]["code"] == 70).count();
        assert_eq!(torn, kinds["torn"], "{transport}");
    }
}

#[test]
fn a_command_that_chaos_kills_runs_again_without_a_retry_of_its_own() {
    let seed = seeds().next().unwrap();
    let items = numbers(150);
    let arguments = ["--workers", "4", "--", "sh", "-c", "sleep 0.02; echo {}"];
    let finished = run("kill=50/s,segv=5/s,slow=10%..10ms", seed, &arguments, items.as_bytes());
    assert_eq!(finished.settled("done"), 150);
    assert_eq!(finished.stdout, items);
}

#[test]
fn workers_of_lines_are_killed_and_stopped_and_answer_for_every_item_once() {
    let seed = seeds().next().unwrap();
    let items = numbers(1_000);
    let worker = "while read -r line; do sleep 0.002; echo \"$line\"; done";
    let arguments = ["--workers", "4", "--protocol", "lines", "--timeout", "5s", "--", "sh", "-c", worker];
    let finished = run("kill=50/s,stop=2/s,slow=1%..20ms", seed, &arguments, items.as_bytes());
    assert_eq!(finished.settled("done"), 1_000);
    assert_eq!(finished.stdout, items);
}

#[test]
fn an_item_that_hangs_by_chaos_ends_at_its_limit_and_its_next_attempt_is_done() {
    let seed = seeds().next().unwrap();
    let items = numbers(40);
    let exec = ["--workers", "4", "--timeout", "2s", "--", "sh", "-c", "sleep 0.05; echo {}"];
    let cat = ["--workers", "4", "--timeout", "2s", "--protocol", "lines", "--", "cat"];
    for arguments in [&exec[..], &cat] {
        let finished = run("hang=10%", seed, arguments, items.as_bytes());
        assert_eq!(finished.stdout, items);
        let hung = finished.events("chaos").len();
        let ended = finished.events("worker_exited").into_iter().filter(|end| end["reason"] == "chaos").count();
        // A command may have ended, or a worker answered, before it was stopped.
        assert!(ended <= hung, "{ended} of {hung}");
    }
}

#[test]
fn the_books_of_a_journal_balance_under_chaos() {
    let seed = seeds().next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let journal = journal.to_str().unwrap();
    let arguments = ["--items", "500", "--delay", "1ms", "--workers", "4", "--journal", journal];
    let finished = run("kill=50/s,torn=2%", seed, &arguments, b"");
    assert!(finished.stdout == squares(500));
    let audit = output(&["audit", "--output", "json", journal], b"");
    assert_eq!(audit.code(), 0, "{}{}", audit.stdout, audit.stderr);
    let told: Value = serde_json::from_str(&audit.stdout).unwrap();
    assert_eq!((told["done"].as_u64(), told["balanced"].as_bool()), (Some(500), Some(true)), "{told}");
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_starts() {
    let refused = |arguments: &[&str], words: &str| {
        let finished = output(arguments, b"");
        assert_eq!(finished.code(), 2, "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(words) && finished.stdout.is_empty(), "{}", finished.stderr);
    };
    refused(&["--chaos", "torn=1%", "--", "true", ":::", "1"], "leave torn out");
    refused(&["--chaos", "torn=1%", "--protocol", "lines", "--", "cat"], "leave torn out");
    refused(&["--chaos", "hang=1%"], "set a timeout");
    refused(&["--chaos", "kill=1/s", "--isolation", "thread"], "leave kill out");
    refused(&["--chaos", "kil=1/s"], "no part is called \"kil\"");
    refused(&["--chaos", "stop=1/s", "--timeout", "200%", "--", "true"], "leave stop out");
    refused(&["--chaos", "kill=1/s", "--tty", "--", "true"], "leave one of them out");
    refused(&["--chaos", ""], "give at least one");
}
