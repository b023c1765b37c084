//! The real program with real processes: deaths, signals, stops, streams.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use support::{Run, output, pid_of, send, shell, wait_until_gone, wait_until_stopped};

/// For tests that kill workers which may not have begun their item yet: such a death counts as a failed start.
const MANY_RESTARTS: &[&str] = &["--max-restarts", "1000000/1s", "--backoff", "0..0"];

#[test]
fn the_demonstration_names_its_workers_and_reports_how_each_exited() {
    let run = Run::start(&["--workers", "5"]).finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 20);
    assert_eq!(run.settled("done"), 20);
    let mut squares = 0;
    for line in run.stdout.lines() {
        // worker 3 (pid 4123): item 7 -> 49
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!((words[0], words[2], words[4], words[6]), ("worker", "(pid", "item", "->"), "{line}");
        let (item, result): (u64, u64) = (words[5].parse().unwrap(), words[7].parse().unwrap());
        assert_eq!(result, item * item);
        squares += result;
    }
    assert_eq!(squares, 2470);
    let first = run.stderr.lines().next().unwrap_or_default();
    let spawned = run.events("worker_spawned");
    assert_eq!(spawned.len(), 5);
    for event in spawned {
        let pid = pid_of(event).to_string();
        assert!(first.contains(&pid), "the first line names pid {pid}: {first}");
        assert!(run.stderr.lines().filter(|line| line.contains(&pid) && line.contains("exit 0")).count() >= 1);
    }
    assert!(run.stderr.contains("20 done"), "{}", run.stderr);
    run.assert_no_process_left();
}

#[test]
fn every_item_is_done_however_often_workers_are_killed() {
    let mut run = Run::start(&["--workers", "4", "--items", "100", "--delay", "20ms", "--crash-limit", "100"]);
    for _ in 0..12 {
        let started = run.wait_for_event("item_started");
        send(pid_of(&started), Signal::SIGKILL);
        run.wait_for(|event| event["event"] == "worker_exited" && event["pid"] == started["pid"]);
    }
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert_eq!(run.settled("done"), 100);
    assert_eq!(run.stdout.lines().filter(|line| line.contains(" -> ")).count(), 100);
    let killed = |event: &&&Value| event["exit"]["signal"] == 9;
    assert_eq!(run.events("worker_exited").iter().filter(killed).count(), 12);
    assert!(run.stderr.contains("died: signal 9 (KILL)"), "{}", run.stderr);
    run.assert_no_process_left();
}

#[test]
fn a_death_is_reported_at_once_with_the_item_and_its_next_attempt() {
    let mut run = Run::start(&[&["--workers", "2", "--items", "8", "--delay", "200ms"], MANY_RESTARTS].concat());
    // A death between the dispatch of an item and its start charges no item: then try again.
    let started = loop {
        let started = run.wait_for_event("item_started");
        send(pid_of(&started), Signal::SIGKILL);
        let exited = run.wait_for(|event| event["event"] == "worker_exited" && event["pid"] == started["pid"]);
        if exited["item"] == started["item"] {
            break started;
        }
    };
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let item = &started["item"];
    let words = format!(
        "worker {} (pid {}) died: signal 9 (KILL) while at item {item}; item {item} will be tried again (attempt 2)",
        started["worker"], started["pid"]
    );
    assert!(run.stderr.contains(&words), "{words}\n{}", run.stderr);
}

#[test]
fn each_kind_of_death_has_its_own_message() {
    const CRASHED: &str = "item 0 has ended 1 worker: dead";
    const KILLED: &str = "item 0 was at a worker that was killed from outside 1 time: dead";
    for (signal, words, fate) in [
        (Signal::SIGSEGV, "signal 11 (SEGV)", CRASHED),
        (Signal::SIGTERM, "signal 15 (TERM)", KILLED),
        (Signal::SIGABRT, "signal 6 (ABRT)", CRASHED),
    ] {
        let limits = ["--crash-limit", "1", "--kill-limit", "1"];
        let mut run = Run::start(&[&["-j1", "--items", "1", "--delay", "1h"], &limits[..], MANY_RESTARTS].concat());
        // A death before the start of the item charges no item: then try again.
        loop {
            let started = run.wait_for_event("item_started");
            send(pid_of(&started), signal);
            let exited = run.wait_for(|event| event["event"] == "worker_exited" && event["pid"] == started["pid"]);
            if exited["item"] == started["item"] {
                break;
            }
        }
        let run = run.finish();
        assert_eq!((run.code(), run.settled("dead")), (1, 1), "{}", run.stderr);
        let words = format!("died: {words} while at item 0; {fate}");
        assert!(run.stderr.contains(&words), "{words}: {}", run.stderr);
    }
}

#[test]
fn a_stopped_worker_that_is_then_killed_gives_its_item_back() {
    let mut run = Run::start(&["--workers", "2", "--items", "6", "--delay", "50ms"]);
    let started = run.wait_for_event("item_started");
    send(pid_of(&started), Signal::SIGSTOP);
    // The others go on meanwhile.
    run.wait_for_event("item_settled");
    send(pid_of(&started), Signal::SIGKILL);
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert_eq!(run.settled("done"), 6);
}

#[test]
fn a_worker_that_exits_at_an_item_is_a_death_with_its_code() {
    let run = output(&["-j1", "--task", "exit", "--crash-limit", "1", "--output", "json", ":::", "3"], b"");
    assert_eq!(run.code(), 1, "{}", run.stderr);
    let item: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&item["outcome"], &item["causes"][0]["exit"]["code"]), (&"dead".into(), &3.into()), "{item}");
    assert!(run.stderr.contains("exit 3"), "{}", run.stderr);
}

#[test]
fn a_poison_item_is_dead_with_all_its_causes_and_the_others_are_untouched() {
    let run = output(&["-j2", "--task", "signal", "--output", "json", "-k", ":::", "17", "9", "17"], b"");
    assert_eq!(run.code(), 1, "{}", run.stderr);
    let items: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<&str> = items.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "dead", "done"]);
    let causes = items[1]["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 3);
    for (cause, attempt) in causes.iter().zip(1..) {
        assert_eq!((&cause["attempt"], &cause["exit"]["signal"]), (&attempt.into(), &9.into()));
    }
}

#[test]
fn one_signal_lets_running_items_finish_and_two_end_them() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut run = Run::start(&["--workers", "2", "--items", "1000", "--delay", "100ms"]);
        run.wait_for_event("item_settled");
        run.signal(signal);
        let run = run.finish();
        assert_eq!(run.code(), code, "{}", run.stderr);
        assert_eq!(run.settled("done") + run.settled("skipped"), run.events("item_settled").len());
        assert!(run.stderr.contains("again"), "the notice explains a second signal: {}", run.stderr);
        assert_eq!(run.events.last().unwrap()["event"], "run_finished");
        run.assert_no_process_left();
    }
    let mut run = Run::start(&["--workers", "2", "--items", "10", "--task", "sleep", "--delay", "1h"]);
    run.wait_for_event("item_started");
    run.signal(Signal::SIGINT);
    run.wait_for_event("stopping");
    // The same signal at once would count once.
    run.signal(Signal::SIGTERM);
    let run = run.finish();
    assert_eq!(run.code(), 130, "{}", run.stderr);
    run.assert_no_process_left();
}

#[test]
fn an_interrupted_run_has_a_summary_although_every_started_item_is_done() {
    // An endless input, and no item at a worker.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut run = Run::start_with(&["-j1", "-a", "-", "--task", "echo"], b"", |command| {
        command.stdin(reader);
    });
    writer.write_all(b"a\n").unwrap();
    run.wait_for_event("item_settled");
    run.signal(Signal::SIGINT);
    let run = run.finish();
    assert_eq!((run.code(), run.stdout.as_str()), (130, "a\n"), "{}", run.stderr);
    assert!(run.stderr.contains("\n1 item: 1 done, "), "{}", run.stderr);
}

#[test]
fn running_items_that_outlast_the_grace_are_ended_with_a_notice() {
    for stop in [&["--halt", "soon,fail=1"][..], &[]] {
        let rest = ["-j2", "--grace", "50ms", "--", "sh", "-c", "$0 1000", ":::", "false", "sleep"];
        let mut run = Run::start(&[stop, &rest].concat());
        run.wait_for(|event| event["event"] == "item_settled" && event["outcome"] == "failed");
        if !stop.is_empty() {
            // It waits for the running item without a limit, until a signal sets one.
            run.wait_for_event("stopping");
        }
        run.signal(Signal::SIGINT);
        let run = run.finish();
        assert_eq!(run.code(), 130, "{}", run.stderr);
        let waits = run.stderr.contains("an item failed: no new items; running ones may finish\n");
        assert_eq!(waits, !stop.is_empty(), "{}", run.stderr);
        assert!(run.stderr.contains("INT: no new items; waiting up to 0.05s for running ones"), "{}", run.stderr);
        let words = "supervisor: the running items have not ended within 0.05s: ending the workers (TERM, then KILL)";
        assert!(run.stderr.contains(words), "{}", run.stderr);
        let settled = run.events("item_settled");
        let skipped = settled.iter().find(|event| event["outcome"] == "skipped").unwrap();
        assert_eq!((&skipped["attempt"], &skipped["causes"][0]["exit"]["name"]), (&1.into(), &"TERM".into()));
        assert_eq!(run.events("run_finished")[0]["interrupted"], 1);
        assert!(run.stderr.contains("1 skipped; 2 processes, 0 deaths, 1 interrupted"), "{}", run.stderr);
    }
}

#[test]
fn a_halt_soon_lets_running_items_finish_however_long_they_take() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let wait = format!("cat {}", fifo.display());
    let arguments =
        ["-j2", "--grace", "0", "--halt", "soon,fail=1", "--", "sh", "-c", "$0", ":::", &wait, "false", "true"];
    // The item is one word, so a shell has to cut it.
    let arguments = arguments.map(|word| if word == "$0" { "eval \"$0\"" } else { word });
    let mut run = Run::start(&arguments);
    run.wait_for_event("stopping");
    // Opening blocks until the running item opens the FIFO; it ends when the FIFO is closed.
    std::fs::write(&fifo, "late\n").unwrap();
    let run = run.finish();
    assert_eq!((run.code(), run.stdout.as_str()), (1, "late\n"), "{}", run.stderr);
    assert_eq!((run.settled("done"), run.settled("failed"), run.settled("skipped")), (1, 1, 1), "{}", run.stderr);
}

#[test]
fn a_third_signal_kills_a_worker_that_ignores_term() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let line = format!("trap '' TERM; echo deaf > {}; while :; do sleep 1000; done", fifo.display());
    let mut run = Run::start(&["-j1", "--term-seq", "TERM,3600000,KILL,25", "--", "sh", "-c", &line, ":::", "x"]);
    run.wait_for_event("item_started");
    // Opening blocks until the command opens the FIFO; by then it ignores TERM.
    assert_eq!(std::fs::read_to_string(&fifo).unwrap(), "deaf\n");
    for (signal, stage) in
        [(Signal::SIGTERM, "draining"), (Signal::SIGINT, "terminating"), (Signal::SIGTERM, "killing")]
    {
        run.signal(signal);
        run.wait_for(|event| event["event"] == "stopping" && event["stage"] == stage);
    }
    let run = run.finish();
    assert_eq!(run.code(), 143, "{}", run.stderr);
    run.assert_no_process_left();
}

#[test]
fn quit_terminates_at_once_and_usr1_shows_the_state() {
    let mut run = Run::start(&["--workers", "2", "--items", "10", "--delay", "1h"]);
    run.wait_for_event("item_started");
    run.signal(Signal::SIGUSR1);
    run.signal(Signal::SIGQUIT);
    let run = run.finish();
    assert_eq!(run.code(), 131, "{}", run.stderr);
    assert!(run.stderr.contains("status: running"), "{}", run.stderr);
    run.assert_no_process_left();
}

#[test]
fn the_descendants_of_commands_and_workers_die_with_a_killed_supervisor() {
    let dir = tempfile::tempdir().unwrap();
    let notes = dir.path().join("pid");
    nix::unistd::mkfifo(&notes, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let line = format!("sleep 1000 & echo $! > {}; sleep 1000", notes.display());
    let mut run = Run::start(&["-j1", "--", "sh", "-c", &line, ":::", "x"]);
    let spawned = run.wait_for_event("worker_spawned");
    // Opening blocks until the command opens the FIFO.
    let grandchild: u32 = std::fs::read_to_string(&notes).unwrap().trim().parse().unwrap();
    run.signal(Signal::SIGKILL);
    wait_until_gone(&[pid_of(&spawned), grandchild]);
    let mut run = Run::start(&["--workers", "3", "--items", "10", "--delay", "1h"]);
    let workers: Vec<u32> = (0..3).map(|_| pid_of(&run.wait_for_event("worker_ready"))).collect();
    run.signal(Signal::SIGKILL);
    wait_until_gone(&workers);
}

#[test]
fn a_result_that_was_written_before_the_death_counts() {
    let worker = support::example("last_words");
    for transport in ["pipe", "socket"] {
        let arguments = ["-j1", "--protocol", "frames", "--crash-limit", "1", "--output", "results", "-k"];
        let worker = ["--transport", transport, "--", worker.to_str().unwrap(), ":::", "a", "b", "c"];
        let run = Run::start(&[&arguments[..], &worker].concat()).finish();
        assert_eq!((run.code(), run.stdout.as_str()), (0, "a\nb\nc\n"), "{}", run.stderr);
        assert!(run.events("worker_exited").len() >= 3);
    }
}

#[test]
fn a_grandchild_that_keeps_stdout_open_does_not_delay_the_item() {
    let mut run = Run::start(&["-j1", "--", "sh", "-c", "sleep 1000 & echo hi", ":::", "x"]);
    let exited = run.wait_for_event("worker_exited");
    let run = run.finish();
    assert_eq!((run.code(), run.stdout.as_str()), (0, "hi\n"), "{}", run.stderr);
    assert_eq!(exited["exit"]["code"], 0);
}

#[test]
fn a_timeout_ends_the_worker_and_fails_the_item() {
    for worker in [&["--task", "hang"][..], &["--task", "sleep"]] {
        let mut arguments = vec!["-j1", "--timeout", "200ms", "--output", "json", "-k"];
        arguments.extend(worker);
        arguments.extend([":::", "1h"]);
        let run = output(&arguments, b"");
        assert_eq!(run.code(), 1, "{}", run.stderr);
        let item: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(item["outcome"], "failed", "{item}");
        assert!(item["error"].as_str().unwrap().contains("timed out"), "{item}");
    }
    let run = output(&["--timeout", "0.2", "--", "sleep", "{}", ":::", "1000", "0"], b"");
    assert_eq!(run.code(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("timed out"), "{}", run.stderr);
}

#[test]
fn failed_items_are_retried_as_often_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    let line = format!("echo x >> {0}; test $(wc -l < {0}) -ge 3", marks.display());
    let run = Run::start(&["-j1", "--retries", "2", "--retry-delay", "10ms", "--", "sh", "-c", &line, ":::", "x"]);
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert_eq!(run.events("item_retried").len(), 2);
    assert_eq!(run.events("item_settled")[0]["attempt"], 3);
}

#[test]
fn keep_order_gives_the_input_order_byte_for_byte() {
    let numbers: String = (1..=50_000).map(|number| format!("{number}\n")).collect();
    let squares: String = (1..=50_000u64).map(|number| format!("{}\n", number * number)).collect();
    let arguments = ["-j", "2", "-a", "-", "--task", "square", "--output", "results"];
    let ordered = output(&[&arguments[..], &["-k"]].concat(), numbers.as_bytes());
    assert_eq!(ordered.code(), 0, "{}", ordered.stderr);
    assert!(ordered.stdout == squares, "not byte-identical");
    let mut unordered: Vec<u64> =
        output(&arguments, numbers.as_bytes()).stdout.lines().map(|line| line.parse().unwrap()).collect();
    unordered.sort_unstable();
    assert!(unordered.into_iter().eq((1..=50_000u64).map(|number| number * number)));
}

#[test]
fn a_closed_stdout_ends_the_run_by_sigpipe() {
    let run = shell(
        "seq 1000000 | $SUPERVISOR -j2 -a - --task square -k --output results | head -n 3; echo ${PIPESTATUS[1]}",
    );
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("1\n4\n9\n141\n", ""));
    // Also while nothing is written.
    let run = shell(
        "$SUPERVISOR -j2 -- sh -c 'echo $0; test $0 = a || sleep 1000' ::: a b c | head -n 1; echo ${PIPESTATUS[0]}",
    );
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("a\n141\n", ""));
}

#[test]
fn a_sink_that_is_full_or_closed_is_reported() {
    let run = shell("$SUPERVISOR --items 10 --output results > /dev/full");
    assert_eq!(run.code(), 5, "{}", run.stderr);
    assert!(run.stderr.contains("stdout"), "{}", run.stderr);
    let run = shell("$SUPERVISOR --items 10 --output results >&-");
    assert_ne!(run.code(), 0);
    assert!(run.stderr.contains("stdout is closed"), "{}", run.stderr);
    let run = shell("$SUPERVISOR --items 10 --output results 2>&- | wc -l");
    assert_eq!(run.stdout, "10\n");
    let run = shell("$SUPERVISOR -- echo {} <&-");
    assert_eq!((run.code(), run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("stdin"), "{}", run.stderr);
}

#[test]
fn a_signal_at_the_very_end_counts_while_results_wait_for_their_reader() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        // More than the pipe's buffer, without a reader.
        let (reader, writer) = std::io::pipe().unwrap();
        let mut run = Run::start_with(&["-j1", "--", "seq", ":::", "50000"], b"", |command| {
            command.stdout(writer);
        });
        run.wait_for_event("worker_exited");
        run.signal(Signal::SIGUSR1);
        run.signal(signal);
        let run = run.finish();
        assert_eq!(run.code(), code, "{}", run.stderr);
        drop(reader);
    }
}

#[test]
fn the_stderr_of_a_command_precedes_the_notice_about_its_end() {
    let line = "$SUPERVISOR -j1 --summary always -- sh -c 'echo out; echo err >&2; exit 3' ::: a 2>&1";
    let run = shell(line);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[..3], ["out", "err", "supervisor: item 0 (\"a\") failed: exit 3"], "{}", run.stdout);
    assert!(lines[3].starts_with("worker "), "{}", run.stdout);
    // Also when the run goes on.
    let run = shell("$SUPERVISOR -j1 -q -- sh -c 'echo out $0; echo err $0 >&2' ::: a b 2>&1");
    assert_eq!(run.stdout, "out a\nerr a\nout b\nerr b\n");
}

#[test]
fn a_file_that_may_not_grow_is_a_lost_sink_and_no_death() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    let run = shell(&format!("ulimit -f 8; $SUPERVISOR --items 100000 --output results > {}", file.display()));
    assert_eq!(run.code(), 5, "{}", run.stderr);
    assert!(run.stderr.contains("failed to write results to stdout: File too large"), "{}", run.stderr);
}

#[test]
fn a_source_that_fails_is_reported_even_with_quiet() {
    // Its mode allows reading, and every read fails.
    let run = shell("$SUPERVISOR -q -a /proc/self/mem --output results");
    assert_eq!(run.code(), 5, "{}", run.stderr);
    assert!(run.stderr.contains("failed to read /proc/self/mem"), "{}", run.stderr);
}

#[test]
fn a_command_has_the_documented_streams_and_environment() {
    let line = r#"echo "out $SUPERVISOR_ITEM $SUPERVISOR_ATTEMPT $PARALLEL_SEQ $0"; echo "err $0" >&2"#;
    let run = output(&["-j1", "-k", "-q", "--", "sh", "-c", line, ":::", "a b", "$(x)"], b"");
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert_eq!(run.stdout, "out 0 1 1 a b\nout 1 1 2 $(x)\n");
    assert_eq!(run.stderr, "err a b\nerr $(x)\n");
}

#[test]
fn a_worker_inherits_only_its_own_descriptors() {
    let run = shell(
        "exec 7</dev/null 8</dev/null; trap '' HUP USR2; $SUPERVISOR -j1 -- sh -c \
         'ls /proc/self/fd | wc -l; grep -E \"SigBlk|SigIgn\" /proc/self/status; ps -o pgid= -p $$ >/dev/null; cat /proc/$$/stat' ::: x",
    );
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    // stdin, stdout, stderr, and the directory that ls reads.
    assert_eq!(lines[0], "4", "{}", run.stdout);
    assert!(lines[1].ends_with("0000000000000000") && lines[2].ends_with("0000000000000000"), "{}", run.stdout);
    let stat: Vec<&str> = lines.last().unwrap().split(' ').collect();
    assert_eq!(stat[0], stat[4], "it leads its own process group");
}

#[test]
fn big_output_is_whole_and_in_order() {
    let line = "$SUPERVISOR -j2 -k -- sh -c 'seq -f \"$0 %.0f\" 100000; echo e$0 >&2' ::: a b c 2>/dev/null | md5sum";
    let expected = "for x in a b c; do seq -f \"$x %.0f\" 100000; done | md5sum";
    assert_eq!(shell(line).stdout, shell(expected).stdout);
}

#[test]
fn few_descriptors_are_enough_or_refused_with_the_numbers() {
    let run = shell("ulimit -n 32; $SUPERVISOR -j2 --items 100 --output results | wc -l");
    assert_eq!(run.stdout, "100\n", "{}", run.stderr);
    let run = shell("ulimit -n 32; seq 50 | $SUPERVISOR -j2 -- echo {} | wc -l");
    assert_eq!(run.stdout, "50\n", "{}", run.stderr);
    let run = shell("ulimit -n 32; $SUPERVISOR -j50 --items 100");
    assert_eq!(run.code(), 6, "{}", run.stderr);
    assert!(run.stderr.contains("32") && run.stderr.contains("50 workers"), "{}", run.stderr);
    let run = shell("$SUPERVISOR -j1000000 --items 100");
    assert_eq!(run.code(), 6, "{}", run.stderr);
}

#[test]
fn the_second_in_which_a_background_process_may_write_on_counts_for_no_limit_and_is_told() {
    // The background process outlives that second; the command itself ends at once.
    for limit in ["--timeout 500ms --retries 2", "--run-timeout 500ms"] {
        let run =
            shell(&format!("$SUPERVISOR -j2 {limit} --events /dev/fd/3 -- sh -c 'sleep 1000 & echo x' ::: a 3>&2"));
        assert_eq!((run.code(), run.stdout.as_str()), (0, "x\n"), "{limit}: {}", run.stderr);
        let starts = run.stderr.lines().filter(|line| line.contains("\"item_started\""));
        assert_eq!(starts.count(), 1, "{limit}: {}", run.stderr);
        let told: Vec<&str> = run.stderr.lines().filter(|line| line.contains("held open")).collect();
        assert_eq!(told.len(), 1, "{limit}: {}", run.stderr);
        assert!(told[0].starts_with("supervisor: item 0 (\"a\"): its output was held open for 1"), "{}", told[0]);
        assert!(told[0].ends_with(", sleep), which is ended"), "{}", told[0]);
    }
    // One that closes the output at once costs no time, and nothing is said of it.
    let run = shell("$SUPERVISOR -j2 -- sh -c 'sleep 1000 >&- 2>&- & echo x' ::: a");
    assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (0, "x\n", ""));
}

#[test]
fn blocked_and_ignored_signals_of_the_caller_do_no_harm() {
    let run = shell("trap '' CHLD INT TERM; $SUPERVISOR -j2 --items 10 --output results | wc -l");
    assert_eq!(run.stdout, "10\n", "{}", run.stderr);
}

#[test]
fn a_terminals_interrupt_reaches_the_supervisor_alone() {
    // Ctrl-C signals the foreground group: the supervisor's, in which no worker is.
    let mut run = Run::start_with(&["--workers", "2", "--items", "1000", "--delay", "20ms"], b"", |command| {
        command.process_group(0);
    });
    run.wait_for_event("item_started");
    let group = nix::unistd::Pid::from_raw(run.pid().try_into().unwrap());
    nix::sys::signal::killpg(group, Signal::SIGINT).unwrap();
    let run = run.finish();
    assert_eq!(run.code(), 130, "{}", run.stderr);
    assert!(run.events("worker_exited").iter().all(|event| event["exit"]["code"] == 0), "{:#?}", run.events);
}

#[test]
fn every_process_has_a_start_event_and_an_exit_event() {
    let mut run = Run::start_with(&["-j3", "--", "true"], b"a\nb\nc\nd\ne\n", |_| {});
    run.wait_for_event("run_started");
    let run = run.finish();
    let mut balance = BTreeMap::new();
    for event in &run.events {
        match event["event"].as_str().unwrap() {
            "worker_spawned" => *balance.entry(pid_of(event)).or_insert(0) += 1,
            "worker_exited" => *balance.entry(pid_of(event)).or_insert(0) -= 1,
            _ => {}
        }
    }
    assert_eq!((balance.len(), balance.values().all(|count| *count == 0)), (5, true), "{balance:?}");
    assert_eq!(run.events.last().unwrap()["event"], "run_finished");
}

/// Each launcher has more ends to look at than its first wait has room for.
#[test]
fn more_commands_may_end_at_once_than_one_wait_reports() {
    const COMMANDS: usize = 600;
    let (slots, items) = (COMMANDS.to_string(), vec!["1000"; COMMANDS]);
    let line = [&["-j", &slots, "--", "sleep", "{}", ":::"][..], &items].concat();
    let mut run = Run::start(&line);
    let pids: Vec<u32> = items.iter().map(|_| pid_of(&run.wait_for_event("item_started"))).collect();
    run.signal(Signal::SIGSTOP);
    wait_until_stopped(run.pid());
    pids.iter().for_each(|pid| send(*pid, Signal::SIGTERM));
    wait_until_gone(&pids);
    run.signal(Signal::SIGCONT);
    let run = run.finish();
    // The run gives up at the first deaths; the end of every command is reported all the same.
    assert_eq!((run.code(), run.settled("dead") + run.settled("skipped")), (3, COMMANDS), "{}", run.stderr);
    assert_eq!(run.events("worker_exited").len(), COMMANDS);
    run.assert_no_process_left();
}
