//! Signals that steer a run: HUP, TTIN, TTOU, TSTP, CONT, USR1, WINCH; and `supervisor signals`.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use support::random::Random;
use support::screen::Screen;
use support::{Run, output, pid_of, wait_until_stopped};

fn ready_pids(run: &mut Run, count: usize) -> BTreeSet<u32> {
    (0..count).map(|_| pid_of(&run.wait_for_event("worker_ready"))).collect()
}

/// The pids of workers that are ready, after each event.
fn fewest_ready(events: &[Value], from: usize) -> usize {
    let (mut ready, mut fewest) = (BTreeSet::new(), usize::MAX);
    for event in events.iter().take_while(|event| event["event"] != "run_finished") {
        match event["event"].as_str() {
            Some("worker_ready") => drop(ready.insert(pid_of(event))),
            Some("worker_exited") if event["reason"] == "asked" => {
                ready.remove(&pid_of(event));
                fewest = fewest.min(ready.len());
            }
            Some("restart_finished") => return fewest,
            _ => {}
        }
    }
    panic!("the restart of {from} workers did not end: {events:#?}");
}

#[test]
fn hup_from_a_process_replaces_every_worker_and_nothing_is_lost() {
    let mut run = Run::start(&["-w", "3", "--items", "90", "--delay", "30ms", "--output", "results"]);
    let old = ready_pids(&mut run, 3);
    run.signal(Signal::SIGHUP);
    let received = run.wait_for_event("signal_received");
    assert_eq!(
        (received["name"].as_str(), received["sender_pid"].as_u64()),
        (Some("HUP"), Some(std::process::id().into()))
    );
    let ended = run.wait_for_event("restart_finished");
    assert_eq!(ended["replaced"], 3);
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done")), (0, 90), "{}", run.stderr);
    let finished = run.events("run_finished")[0];
    assert_eq!((&finished["deaths"], &finished["retried"]), (&0.into(), &0.into()), "{finished}");
    assert!(fewest_ready(&run.events, 3) >= 3, "{:#?}", run.events);
    let behind = run.events.iter().skip_while(|event| event["event"] != "restart_finished");
    let settled = behind.filter(|event| event["event"] == "item_settled").map(pid_of).collect::<BTreeSet<_>>();
    // The last item of an old worker may be settled with the event; none begins later.
    let begun = run.events.iter().skip_while(|event| event["event"] != "restart_finished");
    let begun = begun.filter(|event| event["event"] == "item_started").map(pid_of).collect::<BTreeSet<_>>();
    assert!(!settled.is_empty() && begun.is_disjoint(&old), "{begun:?} of {old:?}");
    assert!(run.stderr.contains("restarting 3 workers, one after another"), "{}", run.stderr);
}

#[test]
fn hup_to_a_run_of_commands_says_that_there_is_nothing_to_replace() {
    let run = output(&["-j1", "--shell", "--", "kill -HUP $PPID; sleep 0.1; :", ":::", "a", "b"], b"");
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert!(run.stderr.contains("nothing to restart: each item has a process of its own"), "{}", run.stderr);
}

#[test]
fn ttin_adds_a_worker_and_ttou_removes_one_but_the_last() {
    let mut run = Run::start(&["-w", "1", "--items", "200", "--delay", "20ms"]);
    ready_pids(&mut run, 1);
    run.signal(Signal::SIGTTIN);
    let grown = run.wait_for_event("scaled");
    assert_eq!((&grown["from"], &grown["to"]), (&1.into(), &2.into()));
    ready_pids(&mut run, 1);
    run.signal(Signal::SIGTTOU);
    let shrunk = run.wait_for_event("scaled");
    assert_eq!((&shrunk["from"], &shrunk["to"]), (&2.into(), &1.into()));
    run.wait_for(|event| event["event"] == "worker_exited" && event["reason"] == "asked");
    run.signal(Signal::SIGTTOU);
    run.wait_for_event("signal_received");
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done"), run.events("scaled").len()), (0, 200, 2), "{}", run.stderr);
}

/// How often a run is stopped.
const STOPS: usize = 50;

/// A run on a terminal, by a shell that continues it so often. A loop of the shell would end when its job stops.
fn on_terminal(arguments: &[&str]) -> (Run, Screen) {
    let (screen, terminal) = Screen::open();
    let script = format!("trap : TSTP; \"$@\"; {}echo \"ended: $?\"", "fg; ".repeat(STOPS));
    let run = Run::start_with(arguments, b"", |command| terminal.give_to_shell_of(command, &script));
    (run, screen)
}

#[test]
fn a_run_that_is_stopped_and_continued_fifty_times_at_random_is_complete() {
    for (kind, arguments) in [
        ("workers", &["-w", "3", "--items", "600", "--delay", "5ms", "--output", "none", "--progress", "bar"][..]),
        (
            "commands",
            &["-j", "3", "--output", "none", "--progress", "bar", "-a", "items", "--", "sh", "-c", "sleep 0.01"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let items = folder.path().join("items");
        fs::write(&items, (0..600).map(|item| format!("{item}\n")).collect::<String>()).unwrap();
        let path = items.to_str().unwrap();
        let arguments: Vec<&str> = arguments.iter().map(|word| if *word == "items" { path } else { *word }).collect();
        let mut random = Random::new("SIGNALS_SEED");
        let (mut run, mut screen) = on_terminal(&arguments);
        for _ in 0..STOPS {
            for _ in 0..=random.below(6) {
                run.wait_for_event("item_settled");
            }
            screen.press("\x1a");
            run.wait_for_event("run_paused");
            run.wait_for_event("run_continued");
        }
        screen.wait_for("ended: 0");
        let run = run.finish();
        assert_eq!((run.code(), run.settled("done")), (0, 600), "{kind}");
        let finished = run.events("run_finished")[0];
        assert_eq!((&finished["deaths"], &finished["retried"]), (&0.into(), &0.into()), "{kind}: {finished}");
        let named = |name| run.events("signal_received").iter().filter(|event| event["name"] == name).count();
        assert_eq!(named("TSTP"), STOPS, "{kind}");
    }
}

#[test]
fn the_workers_stop_with_the_supervisor_and_go_on_with_it() {
    for arguments in [&["-w", "1", "--task", "sleep", ":::", "1"][..], &["-j", "1", "--", "sleep", ":::", "1"]] {
        let (screen, terminal) = Screen::open();
        let mut run = Run::start_with(arguments, b"", |command| {
            terminal.give_to_shell_of(command, "\"$@\"; echo \"stopped: $?\"; read x; fg; echo \"ended: $?\"");
        });
        let mut screen = screen;
        let pid = pid_of(&run.wait_for_event("item_started"));
        screen.press("\x1a");
        wait_until_stopped(pid);
        screen.wait_for("stopped: 148");
        wait_until_stopped(pid);
        screen.press("go\n");
        screen.wait_for("ended: 0");
        assert_eq!(run.finish().settled("done"), 1);
    }
}

#[test]
fn a_cont_without_a_stop_changes_nothing() {
    let mut run = Run::start(&["-w", "2", "--items", "40", "--delay", "10ms"]);
    ready_pids(&mut run, 2);
    run.signal(Signal::SIGCONT);
    assert_eq!(run.wait_for_event("signal_received")["name"], "CONT");
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done"), run.events("run_continued").len()), (0, 40, 0));
}

#[test]
fn ten_thousand_harmless_signals_change_nothing_in_the_result() {
    let mut random = Random::new("SIGNALS_SEED");
    let mut run = Run::start(&["-w", "4", "--items", "3000", "--delay", "2ms", "-k", "--output", "results"]);
    run.wait_for_event("run_started");
    let harmless = [Signal::SIGUSR1, Signal::SIGWINCH, Signal::SIGCONT, Signal::SIGURG, Signal::SIGCHLD];
    for _ in 0..10_000 {
        run.signal(harmless[random.below(harmless.len())]);
    }
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done")), (0, 3000), "{}", run.stderr);
    assert!(run.stdout.lines().eq((0..3000_u64).map(|item| (item * item).to_string())));
    assert!(!run.events("signal_received").is_empty());
}

#[test]
fn with_verbose_it_is_said_who_sent_a_signal_and_the_status_says_for_how_long() {
    let mut run = Run::start(&["-v", "-w", "1", "--task", "sleep", ":::", "0.5"]);
    run.wait_for_event("item_started");
    run.signal(Signal::SIGUSR1);
    run.wait_for_event("signal_received");
    let run = run.finish();
    let said = format!("supervisor: received signal 10 (USR1) from pid {} (", std::process::id());
    assert!(run.stderr.contains(&said), "{}", run.stderr);
    assert!(run.stderr.contains(": busy, 0 settled, at item 0 for 0."), "{}", run.stderr);
}

#[test]
fn from_the_terminal_ttin_stops_the_job_as_any_other() {
    let (mut screen, terminal) = Screen::open();
    let script = "\"$@\" & wait %1; echo \"stopped\"; fg; echo \"ended: $?\"";
    let run = Run::start_with(&["-j1", "--", "echo", "got"], b"", |command| terminal.give_to_shell_of(command, script));
    screen.press("a\n");
    screen.wait_for("stopped");
    screen.press("\x04");
    screen.wait_for("got a");
    screen.wait_for("ended: 0");
    let run = run.finish();
    assert!(run.events("scaled").is_empty() && run.settled("done") == 1, "{:#?}", run.events);
}

#[test]
fn signals_shows_what_a_run_and_its_workers_do_with_them() {
    let worker = "trap '' USR2; trap : USR1; while read x; do read y <$x; echo $y; done";
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let item = fifo.to_str().unwrap();
    let mut run = Run::start(&["-w", "1", "--protocol", "lines", "--", "sh", "-c", worker, ":::", item]);
    let pid = pid_of(&run.wait_for_event("item_started"));
    let shown = output(&["signals", "--run", &run.pid().to_string(), "--output", "json"], b"");
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let has = |process: &Value, what: &str, name: &str| process[what].as_array().unwrap().contains(&name.into());
    let supervisor = &shown["runs"][0];
    assert_eq!(supervisor["pid"], run.pid());
    for name in ["HUP", "INT", "QUIT", "USR1", "TERM", "CONT", "TSTP", "TTIN", "TTOU", "WINCH"] {
        assert!(has(supervisor, "handled", name), "{name}: {supervisor}");
    }
    assert!(has(supervisor, "ignored", "PIPE") && has(supervisor, "blocked", "CHLD"), "{supervisor}");
    let worker = &supervisor["workers"][0];
    assert_eq!((worker["pid"].as_u64(), worker["worker"].as_u64()), (Some(pid.into()), Some(1)), "{shown}");
    let text = output(&["signals", "--run", &run.pid().to_string()], b"").stdout;
    assert!(text.contains(&format!("worker 1, pid {pid} (sh), S (sleeping)")), "{text}");
    fs::write(&fifo, "done\n").unwrap();
    assert_eq!(run.finish().code(), 0);
    let refused = output(&["signals", "--run", &std::process::id().to_string()], b"");
    assert_eq!(refused.code(), 6);
    assert!(refused.stderr.contains("no supervisor of this user has pid"), "{}", refused.stderr);
}

#[test]
fn the_readme_and_the_page_have_the_table_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [readme, page] = ["README.md", "docs/signals.md"].map(|name| fs::read_to_string(root.join(name)).unwrap());
    for row in supervisor::model::signal_table::ROWS {
        let line = format!("| {} | {} |", row.label(), row.does);
        assert!(page.contains(&line) && readme.contains(&line), "{line}");
    }
}

#[test]
fn in_the_place_of_xargs_hup_is_a_stop_whoever_sends_it() {
    let items: String = (0..200).map(|number| format!("{number} ")).collect();
    let stopped = output(&["xargs", "-n1", "sh", "-c", "test $0 = 0 && kill -HUP $PPID; :"], items.as_bytes());
    assert_eq!(stopped.status.signal(), Some(Signal::SIGHUP as i32), "{}", stopped.stderr);
}
