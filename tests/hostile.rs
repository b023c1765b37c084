//! A worker that breaks the protocol is ended and replaced, nobody else notices, and nothing is lost;
//! if all do, the run gives up and says why.

mod support;

use support::{Run, example, output};

const ITEMS: usize = 300;

/// Rules that `examples/hostile.rs` breaks, and what is said of its end.
const BREACHES: [(&str, &str); 19] = [
    ("garbage", "it begins with version 72"),
    ("early", "it spoke before its hello"),
    ("token", "its hello shows a wrong token"),
    ("hello", "it said hello twice"),
    ("foreign", "not the next one it holds"),
    ("skipped", "not the next one it holds"),
    ("wrapped", "answered for item 18446744073709551615"),
    ("future", "not the next one it holds"),
    ("twice", "not the next one it holds"),
    ("endless", "results of 4294967295 items"),
    ("nothing", "it speaks of no items"),
    ("lines", "they are not a line each"),
    ("length", "its body of 4294967295 bytes is over the limit"),
    ("head", "its head of 65535 bytes is over the limit"),
    ("direction", "it travels the wrong way"),
    ("closes", "closed its channel and did not exit"),
    ("exits", "died: exit 0, while starting"),
    ("torn", "died: signal 6 (ABRT)"),
    ("deafens", "timed out"),
];

fn numbers() -> String {
    (0..ITEMS).map(|number| format!("{number}\n")).collect()
}

#[test]
fn a_worker_that_breaks_the_protocol_is_replaced_and_no_item_is_lost() {
    let program = example("hostile");
    for (rule, words) in BREACHES {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let mut arguments = vec!["-j3", "-k", "-a", "-", "--protocol", "frames", "--output", "results"];
        if rule == "deafens" {
            // It may be busy for all one knows.
            arguments.extend(["--timeout", "300ms", "--retries", "1"]);
        }
        arguments.extend(["--", program.to_str().unwrap(), rule, mark.to_str().unwrap()]);
        let run = output(&arguments, numbers().as_bytes());
        assert_eq!(run.code(), 0, "{rule}: {}", run.stderr);
        assert!(run.stdout == numbers(), "{rule}: {}", run.stdout);
        let ends = run.stderr.lines().filter(|line| line.contains(words)).count();
        assert_eq!(ends, 1, "{rule}: {}", run.stderr);
    }
}

#[test]
fn what_is_only_odd_is_no_breach() {
    let program = example("hostile");
    for rule in ["slow", "prints"] {
        let arguments = [
            "-j2",
            "-k",
            "-a",
            "-",
            "--protocol",
            "frames",
            "--output",
            "results",
            "--",
            program.to_str().unwrap(),
            rule,
        ];
        let run = Run::start_with(&arguments, b"1\n2\n3\n", |_| {}).finish();
        assert_eq!((run.code(), run.stdout.as_str()), (0, "1\n2\n3\n"), "{rule}: {}", run.stderr);
        assert_eq!(run.events("worker_exited").len(), 2);
    }
}

#[test]
fn a_run_of_nothing_but_such_workers_gives_up_and_says_why() {
    let program = example("hostile");
    for (rule, words) in BREACHES.into_iter().filter(|(rule, _)| !["closes", "twice", "torn", "deafens"].contains(rule))
    {
        let limits = ["--max-restarts", "2/10s", "--backoff", "1ms..1ms"];
        let worker = ["--protocol", "frames", "--", program.to_str().unwrap(), rule, ":::", "1", "2", "3"];
        let run = output(&[&["-j2"][..], &limits, &worker].concat(), b"");
        assert_eq!((run.code(), run.stdout.as_str()), (3, ""), "{rule}: {}", run.stderr);
        let last = words.trim_start_matches("died: ").trim_end_matches(", while starting");
        assert!(run.stderr.lines().any(|line| line.contains("giving up") && line.contains(last)), "{}", run.stderr);
    }
}
