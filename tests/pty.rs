//! `--pty`: a terminal of its own for each command, and for workers that answer in text.

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
    let table: [(&[&str], &str); 5] = [
        (&["--pty"], "--pty is for a command that runs once per item, or with --protocol lines or json"),
        (&["--pty", "--protocol", "frames", "--", "w"], "--pty is for a command that runs once per item, or with"),
        (&["--pty", "--protocol", "json", "--json-fd", "--", "w"], "by a terminal, and --json-fd is another way"),
        (&["--pty", "--protocol", "lines", "--transport", "pipe", "--", "w"], "and --transport is another way"),
        (&["--pty", "--tty", "--", "vi"], "--tty lends commands our terminal, and --pty gives each its own"),
    ];
    for (args, expected) in table {
        let found = supervisor(args, b"x\n");
        assert_eq!(found.status.code(), Some(2), "{args:?}: {}", text(&found.stderr));
        assert!(text(&found.stderr).contains(expected), "{args:?}: {}", text(&found.stderr));
    }
}

/// Programs that fill a buffer before they write to a pipe: without a terminal they would not answer the first line.
#[test]
fn workers_that_buffer_answer_each_line_at_once() {
    let numbers: String = (1..=300).map(|number| format!("{number}\n")).collect();
    let squares: String = (1..=300).map(|number| format!("{}\n", number * number)).collect();
    let python = "import sys\nfor line in sys.stdin: print(int(line) ** 2)";
    let json = "import sys, json\nfor line in sys.stdin:\n  asked = json.loads(line)\n  \
        print(json.dumps({'id': asked['id'], 'result': int(asked['item']) ** 2}))";
    let programs: [(&str, &[&str]); 6] = [
        ("lines", &["mawk", "{print $1*$1}"]),
        ("lines", &["gawk", "{print $1*$1}"]),
        ("lines", &["python3", "-c", python]),
        ("lines", &["sed", "-E", "s/^/(/; s/$/)^2/"]),
        ("json", &["python3", "-c", json]),
        ("lines", &["sh", "-c", "while read -r number; do echo $((number * number)); done"]),
    ];
    for (protocol, program) in programs {
        if std::process::Command::new(program[0]).arg("--version").output().is_err() {
            eprintln!("left out: {} is not installed", program[0]);
            continue;
        }
        let flags = ["--pty", "--protocol", protocol, "-j2", "-k", "--"];
        let found = supervisor(&[&flags[..], program].concat(), numbers.as_bytes());
        assert_eq!(found.status.code(), Some(0), "{program:?}: {}", text(&found.stderr));
        let expected = match program[0] {
            "sed" => numbers.lines().map(|number| format!("({number})^2\n")).collect(),
            _ => squares.clone(),
        };
        assert!(text(&found.stdout) == expected, "{program:?}: {}", text(&found.stdout));
    }
}

#[test]
fn a_worker_reads_from_and_writes_to_a_terminal_and_its_stderr_is_none() {
    let script = "[ -t 0 ] && [ -t 1 ] && [ ! -t 2 ] && cat";
    let items = ["plain".into(), "tab\there \u{1}\u{3}\u{11}\u{7f}\r \u{e9}".into(), "x".repeat(4094)];
    let input: String = items.iter().map(|item: &String| format!("{item}\n")).collect();
    for credit in ["1", "3"] {
        let flags = ["--pty", "--protocol", "lines", "-j1", "--credit", credit, "--", "sh", "-c", script];
        let found = supervisor(&flags, input.as_bytes());
        assert_eq!((found.status.code(), text(&found.stderr)), (Some(0), String::new()));
        assert!(text(&found.stdout) == input, "{:?}", text(&found.stdout));
    }
}

#[test]
fn an_item_that_a_terminal_cannot_carry_fails_alone() {
    let input = format!("a\n{}\nb\u{4}c\nd\n", "x".repeat(4095));
    let run = |protocol: &str, program: &[&str]| {
        let flags = ["--pty", "--protocol", protocol, "-j1", "--"];
        supervisor(&[&flags[..], program].concat(), input.as_bytes())
    };
    let found = run("lines", &["cat"]);
    let stderr = text(&found.stderr);
    assert_eq!((found.status.code(), text(&found.stdout).as_str()), (Some(1), "a\nd\n"), "{stderr}");
    assert!(
        stderr.contains("longer than a line of a terminal may be, which is 4094 bytes; leave --pty out"),
        "{stderr}"
    );
    assert!(stderr.contains("contains the byte 4 (Ctrl-D), which ends the input of a terminal"), "{stderr}");
    let echo = r#"while IFS= read -r line; do
        id=${line#*:}; id=${id%%,*}; item=${line#*\"item\":}; printf '{"id":%s,"result":%s\n' "$id" "$item"; done"#;
    let found = run("json", &["sh", "-c", echo]);
    let stderr = text(&found.stderr);
    assert_eq!((found.status.code(), text(&found.stdout).as_str()), (Some(1), "a\nb\u{4}c\nd\n"), "{stderr}");
    assert!(stderr.contains("line of JSON is longer than a line of a terminal may be"), "{stderr}");
}

/// More lines are sent ahead than a terminal holds.
#[test]
fn a_full_terminal_is_waited_for() {
    let numbers: String = (0..40_000).map(|number| format!("{number}\n")).collect();
    let flags = ["--pty", "--protocol", "lines", "-j1", "--credit", "30000", "--", "cat"];
    let found = supervisor(&flags, numbers.as_bytes());
    assert_eq!((found.status.code(), text(&found.stderr)), (Some(0), String::new()));
    assert!(found.stdout == numbers.as_bytes());
}
