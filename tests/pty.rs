//! `--pty`: a terminal of its own for each command.

mod support;

use std::process::Output;
use support::SUPERVISOR;
use support::piped::{ran, text};

fn supervisor(args: &[&str], input: &[u8]) -> Output {
    ran(SUPERVISOR, args, input)
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

#[test]
fn what_makes_no_sense_is_refused_with_the_remedy() {
    let table: [(&[&str], &str); 4] = [
        (&["--pty"], "--pty is for a command that runs once per item"),
        (&["--pty", "--protocol", "frames", "--", "w"], "--pty is for a command that runs once per item"),
        (&["--pty", "--protocol", "lines", "--", "w"], "--pty is for a command that runs once per item"),
        (&["--pty", "--tty", "--", "vi"], "--tty lends commands our terminal, and --pty gives each its own"),
    ];
    for (args, expected) in table {
        let found = supervisor(args, b"x\n");
        assert_eq!(found.status.code(), Some(2), "{args:?}: {}", text(&found.stderr));
        assert!(text(&found.stderr).contains(expected), "{args:?}: {}", text(&found.stderr));
    }
}
