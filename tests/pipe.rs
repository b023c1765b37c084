//! `--pipe`: blocks of records, each to the stdin of a command, as GNU parallel hands them out.

mod support;

use std::fs;
use std::process::{Command, Output};
use support::piped::{ran, text};

fn supervisor(args: &[&str], input: &[u8]) -> Output {
    ran(support::SUPERVISOR, args, input)
}

/// The numbers from 1 to `last`, a line each.
fn numbers(last: u32) -> Vec<u8> {
    (1..=last).map(|number| format!("{number}\n")).collect::<String>().into_bytes()
}

#[test]
fn the_cuts_are_those_of_parallel() {
    let has_parallel = Command::new("parallel").arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !has_parallel {
        eprintln!("skipped: no `parallel` is installed to compare with");
        return;
    }
    let fasta = b">one\nACGT\nAC\n>two\nGGT\n>three\nTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT\n>four\nA\n";
    let mut long = numbers(20_000);
    long.extend(b"x".repeat(300_000));
    long.extend(numbers(30_000));
    let lines = numbers(500);
    let table: [(&[&str], &[u8]); 17] = [
        (&[], &lines),
        (&["--block", "1"], &lines),
        (&["--block", "100"], &lines),
        (&["--block", "1892"], &lines),
        (&["--block", "1K"], &lines),
        (&["--block", "1k"], &lines),
        (&["--block", "64k"], &long),
        (&["--block", "7", "--recstart", ">"], fasta),
        (&["--block", "20", "--recend", "\\n", "--recstart", ">"], fasta),
        (&["--block", "20", "--recstart", "\\n>"], fasta),
        (&["--block", "30", "--recend", "T"], fasta),
        (&["--block", "9", "--recend", ""], fasta),
        (&["--block", "9", "--recend", "", "--recstart", ""], fasta),
        (&["--block", "2", "--recend", "\\0"], b"a\0bb\0cccccccccc\0\0\0d"),
        (&["--block", "2", "--recend", "\\x41"], b"a\\x41b\\x41cA"),
        (&["--block", "3", "--recend", "aa"], b"aaaaaaabaaaabaabaaaa"),
        (&["--block", "5"], b"no newline"),
    ];
    for (flags, input) in table {
        // Each block ends in a line of its own.
        let script = "cat; echo; echo --";
        let of_parallel = [&["--will-cite", "--pipe", "-k", "-j3"], flags, &[script]].concat();
        let own = [&["--pipe", "-k", "-j3", "--shell"], flags, &["--", script]].concat();
        let (expected, found) = (ran("parallel", &of_parallel, input), supervisor(&own, input));
        assert!(found.status.success(), "{flags:?}: {}", text(&found.stderr));
        assert!(found.stdout == expected.stdout, "{flags:?}: {} {}", text(&found.stdout), text(&expected.stdout));
        assert_eq!(text(&found.stderr), "", "{flags:?}");
    }
}

#[test]
fn nothing_runs_without_a_byte_and_a_file_may_be_the_input() {
    let found = supervisor(&["--pipe", "--", "echo", "ran"], b"");
    assert!(found.status.success() && found.stdout.is_empty(), "{found:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in");
    fs::write(&file, numbers(1000)).unwrap();
    let file = file.to_str().unwrap();
    let found = supervisor(&["--pipe", "--block", "2k", "-j2", "-k", "-a", file, "--", "wc", "-l"], b"");
    let counts: Vec<u32> = text(&found.stdout).lines().map(|count| count.parse().unwrap()).collect();
    assert_eq!((counts.len(), counts.iter().sum()), (2, 1000), "{counts:?}");
}

#[test]
fn placeholders_of_the_item_are_empty_and_those_of_its_number_are_not() {
    let found = supervisor(&["--pipe", "--block", "10", "-k", "--", "echo", "{#}", "<{}>", "<{/.}>"], &numbers(9));
    assert_eq!(text(&found.stdout), "1 <> <>\n2 <> <>\n");
    let found = supervisor(&["--pipe", "-I", ",,", "--shell", "--", "echo [,,]; cat"], b"x\n");
    assert_eq!(text(&found.stdout), "[]\nx\n");
    let found = supervisor(&["--pipe", "--dry-run", "--block", "4", "--", "sort", "-n"], &numbers(4));
    assert_eq!(text(&found.stdout), "sort -n\nsort -n\n");
}

#[test]
fn a_block_is_handed_out_again_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let log = log.to_str().unwrap();
    let script = "read first; [ $SUPERVISOR_ATTEMPT = 2 ] && { echo $first; cat; }";
    let args = ["--pipe", "--block", "200", "-k", "--retries", "1", "--joblog", log, "--shell", "--", script];
    let found = supervisor(&args, &numbers(300));
    assert_eq!((text(&found.stdout), found.status.code()), (text(&numbers(300)), Some(0)));
    let lines = fs::read_to_string(log).unwrap();
    assert_eq!(lines.lines().count(), 1 + 6, "{lines}");
    assert!(lines.lines().skip(1).all(|line| line.ends_with(script)), "{lines}");
}

#[test]
fn a_command_that_reads_nothing_is_no_error() {
    let found = supervisor(&["--pipe", "--block", "300k", "-j2", "--", "true"], &numbers(200_000));
    assert_eq!((found.status.code(), text(&found.stderr)), (Some(0), String::new()));
}

#[test]
fn what_makes_no_sense_is_refused_with_the_remedy() {
    let table: [(&[&str], &str); 9] = [
        (
            &["--recend", "x", "--", "wc"],
            "--recend says how --pipe cuts and shares out; add --pipe, or leave --recend out",
        ),
        (&["--pipe", "-a", "-"], "--pipe is for a command that runs once per item"),
        (&["--pipe", "--protocol", "lines", "--", "cat"], "--pipe is for a command that runs once per item"),
        (&["--pipe", "--", "wc", ":::", "a"], "--pipe is for items from a file or stdin"),
        (&["--pipe", "-n", "2", "--", "wc"], "--max-args makes items of what is read, and --pipe hands it out"),
        (&["--pipe", "-L", "2", "--", "wc"], "-L makes items of what is read, and --pipe hands it out"),
        (&["--pipe", "-0", "--", "wc"], "--null is for items of one line, and --pipe hands out blocks"),
        (&["--pipe", "--tag", "--", "wc"], "--tag is for items of one line, and --pipe hands out blocks"),
        (&["--pipe", "--block", "17M", "--", "wc"], "at most 16777216 bytes are possible"),
    ];
    for (args, expected) in table {
        let found = supervisor(args, b"x\n");
        assert_eq!(found.status.code(), Some(2), "{args:?}: {}", text(&found.stderr));
        assert!(text(&found.stderr).contains(expected), "{args:?}: {}", text(&found.stderr));
    }
}
