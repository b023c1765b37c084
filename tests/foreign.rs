//! Foreign workers that stay: real programs that know nothing of this one and answer in text.
//!
//! A program that is not installed is left out, and the test says so.

mod support;

use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use support::{Finished, Run, output, pid_of, send};

/// Whether a program can be run; says so if not.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdin(Stdio::null()).output().is_ok();
    if !found {
        eprintln!("left out: {program} is not installed");
    }
    found
}

fn numbers(count: u64) -> String {
    (1..=count).map(|number| format!("{number}\n")).collect()
}

fn squares(count: u64) -> String {
    (1..=count).map(|number| format!("{}\n", number * number)).collect()
}

fn run(arguments: &str, program: &[&str], input: &str) -> Finished {
    let words: Vec<&str> = arguments.split_whitespace().chain(["--"]).chain(program.iter().copied()).collect();
    Run::start_with(&words, input.as_bytes(), |_| {}).finish()
}

/// The workers of `examples/`, and how they are started.
const WORKERS: [(&str, &str, &str); 3] = [
    ("lines", "sh", "examples/worker.sh"),
    ("json", "python3", "examples/worker.py"),
    ("json", "node", "examples/worker.mjs"),
];

#[test]
fn programs_that_write_each_line_at_once_are_workers_as_they_are() {
    let programs: [(&str, &[&str]); 6] = [
        ("gawk", &["gawk", "{print $1*$1; fflush()}"]),
        ("mawk", &["mawk", "-W", "interactive", "{print $1*$1}"]),
        ("jq", &["jq", "-c", "--unbuffered", ". * ."]),
        ("python3", &["python3", "-u", "-c", "import sys\nfor line in sys.stdin: print(int(line) ** 2)"]),
        ("perl", &["perl", "-ne", "$| = 1; print $_ * $_, qq{\\n}"]),
        ("sh", &["sh", "-c", "while read n; do echo $((n * n)); done"]),
    ];
    for (name, program) in programs {
        for credit in ["", "--credit 64", "--credit auto"] {
            if name == "sh" || has(name) {
                let finished = run(&format!("-k -j 2 --protocol lines {credit}"), program, &numbers(300));
                assert_eq!(
                    (finished.code(), finished.stdout),
                    (0, squares(300)),
                    "{program:?} {credit}: {}",
                    finished.stderr
                );
            }
        }
    }
    let finished = run("-k -j 2 --protocol lines", &["sed", "-u", "s/^/<&>/"], "a\n\nb c\n");
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, "<>a\n<>\n<>b c\n"), "{}", finished.stderr);
}

#[test]
fn the_workers_of_the_examples_work_and_survive_a_storm_of_kills() {
    const ITEMS: u64 = 400;
    for (protocol, program, file) in WORKERS {
        if program != "sh" && !has(program) {
            continue;
        }
        let arguments = format!("-k -j 3 --protocol {protocol} --credit 4");
        let finished = run(&arguments, &[program, file], &numbers(100));
        assert_eq!((finished.code(), &finished.stdout), (0, &squares(100)), "{file}: {}", finished.stderr);
        finished.assert_no_process_left();

        let arguments = format!("{arguments} --kill-limit never");
        let words: Vec<&str> = arguments.split_whitespace().chain(["--", program, file]).collect();
        let mut storm = Run::start_with(&words, numbers(ITEMS).as_bytes(), |_| {});
        let (mut living, mut settled, mut kills) = (BTreeSet::new(), 0, 0);
        while settled < ITEMS {
            let event = storm.wait_for(|_| true);
            match event["event"].as_str().unwrap() {
                "worker_spawned" => drop(living.insert(pid_of(&event))),
                "worker_exited" => drop(living.remove(&pid_of(&event))),
                "item_settled" => {
                    settled += 1;
                    // Each time another one.
                    if settled % 10 == 0
                        && let Some(pid) = living.iter().nth(kills % living.len().max(1))
                    {
                        send(*pid, Signal::SIGKILL);
                        kills += 1;
                    }
                }
                _ => {}
            }
        }
        let finished = storm.finish();
        assert_eq!((finished.code(), &finished.stdout), (0, &squares(ITEMS)), "{file}: {}", finished.stderr);
        assert!(kills >= 10, "{kills}");
        finished.assert_no_process_left();
    }
}

#[test]
fn a_death_is_charged_to_the_oldest_item_alone() {
    // The worker ends at the item 3, and holds those after it.
    let script = "while read n; do [ $n != 3 ] || kill -9 $$; echo $n; done";
    let finished = run("-j 1 -k --protocol lines --credit 4 --crash-limit 2", &["sh", "-c", script], &numbers(8));
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, "1\n2\n4\n5\n6\n7\n8\n"), "{}", finished.stderr);
    assert_eq!((finished.settled("dead"), finished.settled("done")), (1, 7));
    let dead = finished.events.iter().find(|event| event["outcome"] == "dead").unwrap();
    assert_eq!((&dead["item"], &dead["attempt"]), (&2.into(), &2.into()), "{dead}");
    assert!(finished.events("item_settled").iter().all(|event| event["item"] == 2 || event["attempt"] == 1));
}

#[test]
fn too_many_lines_break_the_protocol_and_are_shown() {
    // Both lines leave in one write, so the second one never counts as the answer to the next item.
    let script = "while read n; do printf '%s\\nmore\\n' $n; done";
    let finished = run("-j 1 --protocol lines --crash-limit 1", &["sh", "-c", script], &numbers(3));
    let words =
        "it sent a line when it had answered every item: \"more\"; print one line for each item, and nothing else";
    let told = format!("{}{:?}", finished.stderr, finished.events);
    assert!(told.replace('\\', "").contains(words), "{told}");
}

#[test]
fn too_few_lines_are_named() {
    let words = ["-j", "1", "--protocol", "lines", "--crash-limit", "1", "--", "sh", "-c", "read n", ":::", "a"];
    let finished = output(&words, b"");
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    let told = "died: exit 0 while at item 0, which it has not answered (--protocol lines needs a line for each item";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
}

#[test]
fn an_item_that_contains_a_newline_fails_alone() {
    let words = ["-0", "-k", "--protocol", "lines", "--", "sed", "-u", "s/a/b/"];
    let finished = output(&words, b"a\0a\na\0ca\0");
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, "b\ncb\n"), "{}", finished.stderr);
    assert!(finished.stderr.contains("the item contains a newline"), "{}", finished.stderr);
    assert!(finished.stderr.contains("3 items: 2 done, 1 failed"), "{}", finished.stderr);
    if has("jq") {
        let words = ["-0", "-k", "--protocol", "json", "--", "jq", "-c", "--unbuffered", "{id, result: .item}"];
        let finished = Run::start_with(&words, b"a\0a\na\0", |_| {}).finish();
        assert_eq!((finished.code(), finished.stdout.as_str()), (0, "a\na\na\n"), "{}", finished.stderr);
    }
}

#[test]
fn a_worker_that_does_not_answer_is_told_of_once() {
    // It reads and never answers, as a program whose buffer is not full.
    let finished =
        run("-j 2 --protocol lines --timeout 1500ms --term-seq KILL,0", &["sh", "-c", "exec sleep 1000"], "a\nb\n");
    assert_eq!((finished.code(), finished.settled("failed")), (1, 2), "{}", finished.stderr);
    assert_eq!(
        finished.stderr.matches("has not answered for 1 s: a program that buffers").count(),
        1,
        "{}",
        finished.stderr
    );
    let quiet =
        run("-q -j 1 --protocol lines --timeout 1500ms --term-seq KILL,0", &["sh", "-c", "exec sleep 1000"], "a\n");
    assert!(!quiet.stderr.contains("has not answered"), "{}", quiet.stderr);
}

#[test]
fn json_errors_say_whether_they_are_worth_another_attempt() {
    if !has("jq") {
        return;
    }
    let program = [
        "jq",
        "-c",
        "--unbuffered",
        "{id, error: \"no\", retry: (if .item == \"a\" then true elif .item == \"b\" then false else null end)}",
    ];
    let attempts = |arguments: &str| {
        let finished = run(&format!("-j 1 {arguments} --protocol json"), &program, "a\nb\nc\n");
        assert_eq!(finished.code(), 1, "{}", finished.stderr);
        let mut attempts: Vec<(u64, u64)> = finished
            .events("item_settled")
            .iter()
            .map(|event| (event["item"].as_u64().unwrap(), event["attempt"].as_u64().unwrap()))
            .collect();
        attempts.sort_unstable();
        attempts
    };
    assert_eq!(attempts(""), [(0, 4), (1, 1), (2, 1)]);
    assert_eq!(attempts("--retries 1"), [(0, 2), (1, 1), (2, 2)]);
}

#[test]
fn json_workers_may_use_descriptors_of_their_own_and_print() {
    let script = r#"
        eval "exec 3<&$SUPERVISOR_FD_IN 4>&$SUPERVISOR_FD_OUT"
        echo '{"ready":true}' >&4
        while read -r line <&3; do
            echo "about $line"
            id=${line#*:}; id=${id%%,*}
            echo "{\"log\":\"at $id\"}" >&4
            echo "{\"id\":$id,\"progress\":0.5}" >&4
            echo "{\"id\":$id,\"result\":$((id * 2))}" >&4
        done"#;
    let finished = run("-j 1 -k --protocol json --json-fd --wait-ready=30s", &["bash", "-c", script], "a\nb\n");
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, "0\n2\n"), "{}", finished.stderr);
    assert!(finished.stderr.contains("worker 1: at 1") && finished.stderr.contains("about {"), "{}", finished.stderr);
    assert_eq!(finished.events("worker_ready").len(), 1);
}

#[test]
fn json_answers_come_in_any_order_and_the_item_that_was_named_is_charged() {
    // The first process takes three items, answers the last one, says that it is at the second, and dies. The others
    // answer what comes.
    let script = r#"
        if mkdir "$1" 2>/dev/null; then
            read -r a; read -r b; read -r c
            echo '{"id":2,"result":"z"}'
            echo '{"id":1,"progress":0.1}'
            kill -9 $$
        fi
        while read -r line; do
            id=${line#*:}; id=${id%%,*}
            echo "{\"id\":$id,\"result\":\"again\"}"
        done"#;
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("first").to_str().unwrap().to_owned();
    let words = "-j 1 --protocol json --credit 6 --crash-limit 1 -- bash -c";
    let words = words.split(' ').chain([script, "bash", &mark, ":::", "a", "b", "c"]);
    let finished = Run::start_with(&words.collect::<Vec<_>>(), b"", |_| {}).finish();
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, "z\nagain\n"), "{}", finished.stderr);
    let dead: Vec<_> =
        finished.events.iter().filter(|event| event["outcome"] == "dead").map(|event| &event["item"]).collect();
    assert_eq!(dead, [&serde_json::Value::from(1)], "{}", finished.stderr);
}

#[test]
fn what_a_protocol_cannot_heed_is_refused() {
    for (arguments, words) in [
        ("--protocol lines", "--protocol lines needs a command; give one behind --"),
        ("--protocol json -a -", "--protocol json needs a command; give one behind --"),
        ("--protocol lines --wait-ready -- cat", "--wait-ready is for workers of --protocol json"),
        ("--json-fd -- cat", "--json-fd is for workers of --protocol json"),
        ("--protocol json --batch-max 2 -- cat", "--batch-max is for workers of --protocol frames"),
        ("--protocol lines --transport shm -- cat", "--transport shm carries frames, and --protocol lines is text"),
        ("--protocol lines --block 1K -- cat", "an item of --block is many lines"),
        ("--protocol lines --stdin -- cat", "--stdin is for a command that runs once per item"),
    ] {
        let finished = output(&arguments.split_whitespace().collect::<Vec<_>>(), b"");
        assert_eq!(finished.code(), 2, "{arguments}: {}", finished.stderr);
        assert!(finished.stderr.contains(words), "{arguments}: {}", finished.stderr);
    }
}

#[test]
fn text_travels_over_sockets_too() {
    for program in [&["sed", "-u", "s/$/!/"][..], &["sh", "-c", "while read n; do echo $n!; done"]] {
        let finished = run("-k -j 2 --protocol lines --transport socket --credit 8", program, "a\nb\nc\n");
        assert_eq!((finished.code(), finished.stdout.as_str()), (0, "a!\nb!\nc!\n"), "{}", finished.stderr);
    }
}

#[test]
fn messages_of_text_are_in_the_flow() {
    let finished = output(&["-j", "1", "--flow", "--protocol", "lines", "--", "sed", "-u", "s/$/!/", ":::", "a"], b"");
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, "a!\n"));
    assert!(finished.stderr.contains("item 0"), "{}", finished.stderr);
}

#[test]
fn check_worker_says_in_words_whether_a_program_is_a_worker() {
    let check = |line: &str, script: &str| {
        let words = line.split_whitespace().map(|word| if word == "SCRIPT" { script } else { word });
        let finished = output(&["check-worker"].into_iter().chain(words).collect::<Vec<_>>(), b"");
        assert_eq!(finished.stderr, "", "{line}");
        (finished.code(), finished.stdout)
    };
    let (code, report) = check("-- sed -u s/^/x/", "");
    let expected = "ok  it answers items one at a time: 10 results\n\
        ok  it answers items that are sent ahead, 8 of them in flight: 10 results\n\
        ok  it ends when its input ends: exit 0\n\
        sed -u s/^/x/ keeps the protocol lines\n";
    assert_eq!((code, report.as_str()), (0, expected));
    for (line, script, words) in [
        (
            "-- sh -c SCRIPT",
            "while read n; do echo $n; echo $n; done",
            "no  it answers items one at a time: it sent a line",
        ),
        ("-- sh -c SCRIPT", "exit 3", "it ended (exit 3) while it had to answer item \"1\""),
        (
            "--timeout 300ms -- sh -c SCRIPT",
            "exec sleep 1000",
            "no answer to item \"1\" within 0.3s: it has to print one line",
        ),
        (
            "-- sh -c SCRIPT",
            "while read n; do echo $n; done; exit 7",
            "no  it ends when its input ends: it ended with exit 7",
        ),
        (
            "--protocol json -- sh -c SCRIPT",
            "echo hello; cat",
            "it sent a line that is no JSON object of this protocol: \"hello\"",
        ),
    ] {
        let (code, report) = check(line, script);
        assert_eq!(code, 1, "{script}: {report}");
        assert!(report.contains(words) && report.contains(" does not keep the protocol "), "{script}: {report}");
    }
    for (protocol, program, file) in WORKERS {
        if program == "sh" || has(program) {
            let (code, report) = check(&format!("--protocol {protocol} -- {program} {file}"), "");
            assert_eq!(code, 0, "{report}");
        }
    }
    let finished = output(&["check-worker", "--", "no-such-program"], b"");
    assert_eq!((finished.code(), finished.stdout.as_str()), (127, ""), "{}", finished.stderr);
}

#[test]
fn the_status_shows_how_far_a_json_worker_is() {
    let script = r#"while read -r line; do
        id=${line#*:}; id=${id%%,*}
        echo "{\"id\":$id,\"progress\":0.407}"; until read -r x <pipe; do :; done; echo "{\"id\":$id,\"result\":1}"
    done"#;
    // It may find the pipe open yet, and at its end, from the line before.
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let folder = folder.path().to_str().unwrap();
    let arguments = ["-j1", "--credit", "1", "--protocol", "json", "--workdir", folder, "--", "bash", "-c", script];
    let mut run = Run::start_with(&arguments, b"a\nb\n", |_| {});
    for _ in 0..2 {
        run.wait_for_event("item_started");
        // The worker opens it when it has said how far it is.
        let mut gate = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        support::wait_until_idle(run.pid());
        run.signal(Signal::SIGUSR1);
        support::wait_until_idle(run.pid());
        std::io::Write::write_all(&mut gate, b"on\n").unwrap();
    }
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert!(run.stderr.contains("at item 0 (40 %)") && run.stderr.contains("at item 1 (40 %)"), "{}", run.stderr);
}
