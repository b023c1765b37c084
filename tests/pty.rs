//! `--pty`: a terminal of its own for each command, and for each worker that answers in text.

mod support;

use std::process::{Command, Output};
use support::SUPERVISOR;
use support::piped::{ran, text};

fn supervisor(args: &[&str], input: &[u8]) -> Output {
    ran(SUPERVISOR, args, input)
}

/// Whether a program is there to test with.
fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$1\" >/dev/null", "sh", program]).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: no `{program}` is installed");
    }
    is_there
}

#[test]
fn a_command_writes_to_one_terminal_and_its_stdin_is_none() {
    let script =
        "[ -t 0 ] || [ ! -t 1 ] || [ ! -t 2 ] && exit 9; echo out; echo err >&2; printf 'tab\\tend'; stty size <&1";
    let found = supervisor(&["--pty", "--", "sh", "-c", script, "sh", ":::", "x"], b"");
    assert_eq!((found.status.code(), text(&found.stderr)), (Some(0), String::new()));
    assert_eq!(text(&found.stdout), "out\nerr\ntab\tend24 80\n", "in order, and no carriage return is added");
    let found = supervisor(&["--", "sh", "-c", "[ -t 1 ]", "sh", ":::", "x"], b"");
    assert_eq!(found.status.code(), Some(1), "without the flag there is none");
}

#[test]
fn colors_stay() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    let path = folder.path().to_str().unwrap();
    let list = |flags: &[&str]| {
        let args = [flags, &["--shell", "--", "TERM=xterm LS_COLORS='di=01;34' ls --color=auto", ":::", path]].concat();
        text(&supervisor(&args, b"").stdout)
    };
    assert_eq!(list(&[]), "inner\n");
    assert!(list(&["--pty"]).contains("\x1b[01;34minner"), "{}", list(&["--pty"]));
}

#[test]
fn all_that_a_command_writes_arrives_and_its_item_may_be_its_stdin() {
    let script = "head -c 3000000 /dev/zero | tr '\\0' x; echo end";
    let found = supervisor(&["--pty", "-j2", "-k", "--shell", "--", script, "{#}", ":::", "a", "b"], b"");
    assert_eq!(found.stdout.len(), 2 * 3_000_006, "{:?} {}", found.status, text(&found.stderr));
    let args = ["--pty", "--pipe", "--block", "100k", "-k", "--", "cat"];
    let lines: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    assert!(supervisor(&args, lines.as_bytes()).stdout == lines.as_bytes());
}

#[test]
fn a_failure_is_one_as_ever() {
    let found = supervisor(&["--pty", "--output", "json", "--", "sh", "-c", "echo no; exit 3", "sh", ":::", "x"], b"");
    assert_eq!(found.status.code(), Some(1));
    let object: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&object["exit"]["code"], &object["outcome"]), (&3.into(), &"failed".into()), "{object}");
    let found = supervisor(&["--pty", "--timeout", "100ms", "--", "sleep", "60", ":::", "x"], b"");
    assert_eq!(found.status.code(), Some(1), "{}", text(&found.stderr));
}

/// Workers that answer with each number doubled, and buffer their output unless they see a terminal.
fn check_doubling(program: &[&str]) {
    let args = [&["--pty", "--protocol", "lines", "-j2", "-k", "--summary", "always", "--"], program].concat();
    let input: String = (1..=200).map(|number| format!("{number}\n")).collect();
    let found = supervisor(&args, input.as_bytes());
    let expected: String = (1..=200).map(|number| format!("{}\n", 2 * number)).collect();
    assert_eq!((found.status.code(), text(&found.stdout)), (Some(0), expected), "{}", text(&found.stderr));
    // They read the end of their input, and were not ended.
    let summary = text(&found.stderr);
    assert!(!summary.contains("signal") && summary.contains("exit 0"), "{summary}");
}

#[test]
fn python_answers_at_once_and_reads_the_end_of_its_input() {
    if has("python3") {
        check_doubling(&["python3", "-c", "import sys\nfor line in sys.stdin: print(2 * int(line))"]);
    }
}

#[test]
fn mawk_answers_at_once_and_reads_the_end_of_its_input() {
    if has("mawk") {
        check_doubling(&["mawk", "{ print 2 * $1 }"]);
    }
}

#[test]
fn a_line_goes_through_whole_whatever_its_bytes() {
    let all: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let long = [&all[..], &b"x".repeat(200_000)].concat();
    let input = [&all[..], b"\n", &long, b"\n\nend\n"].concat();
    let found = supervisor(&["--pty", "-q", "--protocol", "lines", "-j1", "--", "cat"], &input);
    assert_eq!((found.status.code(), text(&found.stderr)), (Some(0), String::new()));
    assert!(found.stdout == input, "{}", found.stdout.len());
}

#[test]
fn a_worker_of_json_has_a_terminal_too() {
    let script = "[ -t 0 ] && [ -t 1 ] || exit 9; while read -r line; do \
        echo \"{\\\"id\\\":$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/'),\\\"result\\\":\\\"seen\\\"}\"; done";
    let found = supervisor(&["--pty", "--protocol", "json", "-j1", "--", "sh", "-c", script], b"a\nb\n");
    assert_eq!((found.status.code(), text(&found.stderr)), (Some(0), String::new()), "{}", text(&found.stdout));
}

#[test]
fn what_makes_no_sense_is_refused_with_the_remedy() {
    let table: [(&[&str], &str); 5] = [
        (&["--pty"], "--pty is for commands and for workers that answer in text"),
        (&["--pty", "--protocol", "frames", "--", "w"], "--pty is for commands and for workers that answer in text"),
        (&["--pty", "--tty", "--", "vi"], "--pty is a terminal in place of what --tty chooses; leave one of them out"),
        (&["--pty", "--protocol", "json", "--json-fd", "--", "w"], "in place of what --json-fd chooses"),
        (&["--pty", "--protocol", "lines", "--transport", "socket", "--", "w"], "what --transport chooses"),
    ];
    for (args, expected) in table {
        let found = supervisor(args, b"x\n");
        assert_eq!(found.status.code(), Some(2), "{args:?}: {}", text(&found.stderr));
        assert!(text(&found.stderr).contains(expected), "{args:?}: {}", text(&found.stderr));
    }
}
