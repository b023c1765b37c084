//! `--pipe --round-robin`: a command per slot, and blocks of one input for whichever takes the next one.

mod support;

use nix::sys::signal::Signal;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use support::piped::{ran, text};
use support::{Run, SUPERVISOR};

fn supervisor(args: &[&str], input: &[u8]) -> Output {
    ran(SUPERVISOR, args, input)
}

fn shared(args: &[&str], script: &str, input: &[u8]) -> Output {
    let words = [&["--pipe", "--round-robin"], args, &["--", "bash", "-c", script]].concat();
    supervisor(&words, input)
}

/// The numbers from 1 to `last`, a line each.
fn numbers(last: u32) -> Vec<u8> {
    (1..=last).map(|number| format!("{number}\n")).collect::<String>().into_bytes()
}

/// The numbers of an output, in their order.
fn sorted(output: &[u8]) -> Vec<u32> {
    let mut numbers: Vec<u32> = text(output).lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn every_block_goes_to_one_of_the_commands() {
    for (slots, block) in [("1", "10k"), ("3", "10k"), ("4", "1"), ("5", "300k")] {
        let last = if block == "1" { 300 } else { 200_000 };
        let found = shared(&["-j", slots, "--block", block], "cat; echo 0", &numbers(last));
        assert!(found.status.success(), "{}", text(&found.stderr));
        let ends = slots.parse::<usize>().unwrap();
        let expected: Vec<u32> = std::iter::repeat_n(0, ends).chain(1..=last).collect();
        assert!(sorted(&found.stdout) == expected, "-j{slots} --block {block}");
        assert_eq!(text(&found.stderr), "");
    }
}

#[test]
fn no_more_commands_start_than_there_are_blocks() {
    let commands = |input: &[u8]| {
        let found = shared(&["-j4", "--block", "4", "-k"], "cat; echo \"end $PARALLEL_SEQ\"", input);
        assert!(found.status.success(), "{}", text(&found.stderr));
        text(&found.stdout)
    };
    assert_eq!(commands(b""), "");
    assert_eq!(commands(b"1\n2\n"), "1\n2\nend 1\n");
    assert_eq!(commands(b"1\n2\n3\n4\n"), "1\n2\nend 1\n3\n4\nend 2\n");
}

#[test]
fn a_slow_command_holds_nobody_up_and_its_stdin_ends_with_the_input() {
    // The first command reads on when another one has got the end of the input.
    let script = "if [ $PARALLEL_SEQ = 1 ]; then read -r x <pipe; cat; else cat; echo >pipe; fi";
    let folder = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let folder = folder.path().to_str().unwrap();
    let found = shared(&["-j2", "--block", "20k", "-k", "--workdir", folder], script, &numbers(300_000));
    assert!(found.status.success(), "{}", text(&found.stderr));
    assert!(sorted(&found.stdout) == (1..=300_000).collect::<Vec<_>>());
    let of_first = text(&found.stdout).lines().take_while(|line| *line != "4000").count();
    assert!(of_first < 100_000, "{of_first} lines for a command that reads nothing: more than a pipe holds");
}

#[test]
fn what_a_command_leaves_is_lost_and_the_others_get_the_rest() {
    // It has ended before it has read its block, which is larger than a pipe.
    let script = "if [ $PARALLEL_SEQ = 2 ]; then exit 3; fi; cat";
    let found = shared(&["-j3", "--block", "200k"], script, &numbers(200_000));
    let stderr = text(&found.stderr);
    assert_eq!(found.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the command of worker 2 has left ") && stderr.contains("exit 3"), "{stderr}");
    let (numbers, bytes) = (sorted(&found.stdout), 200 * 1000);
    let lost: usize =
        (1..=200_000_u32).filter(|n| numbers.binary_search(n).is_err()).map(|n| n.to_string().len() + 1).sum();
    assert!((bytes - 10..=bytes).contains(&lost), "one block is lost, and no more: {lost} bytes");
}

#[test]
fn a_signal_that_ends_a_command_is_told() {
    let script = "if [ $PARALLEL_SEQ = 1 ]; then kill -9 $$; fi; cat";
    let found = shared(&["-j2", "--block", "200k", "--output", "json"], script, &numbers(100_000));
    assert_eq!(found.status.code(), Some(1));
    assert!(text(&found.stdout).contains(r#""outcome":"dead""#) && text(&found.stderr).contains("signal 9 (KILL)"));
}

#[test]
fn an_input_that_no_command_reads_on_is_lost() {
    let found = shared(&["-j2", "--block", "100k"], "head -n 1 >/dev/null; exit 0", &numbers(1_000_000));
    let stderr = text(&found.stderr);
    assert_eq!(found.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("hand out the rest of the input: every command has ended"), "{stderr}");
}

#[test]
fn an_input_that_comes_slowly_is_handed_out_as_it_comes() {
    let mut command = Command::new(SUPERVISOR);
    command.args(["--pipe", "--round-robin", "-j2", "-u", "--block", "2", "--", "cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for line in [b"1\n", b"2\n", b"3\n", b"4\n"] {
        input.write_all(line).unwrap();
        let mut read = [0; 2];
        // A block that is complete may wait for the byte behind it, never for the end.
        if line != b"1\n" {
            std::io::Read::read_exact(&mut output, &mut read).unwrap();
        }
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_ends_the_input_and_lets_commands_finish() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Open for both, so that it neither waits nor ends.
    let mut input = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    input.write_all(b"1\n2\n3\n").unwrap();
    let flags = ["--pipe", "--round-robin", "-j2", "--block", "2", "-a", pipe.to_str().unwrap(), "--", "cat"];
    let mut run = Run::start(&flags);
    run.wait_for_event("item_started");
    run.signal(Signal::SIGTERM);
    let run = run.finish();
    assert_eq!(run.code(), 143, "{:#?}", run.events);
    assert_eq!((run.settled("failed"), run.settled("dead")), (0, 0));
    assert!(run.settled("done") >= 1, "{:#?}", run.events);
}

#[test]
fn what_would_hand_a_block_out_twice_is_refused() {
    let table: [(&[&str], &str); 6] = [
        (&["--round-robin", "--", "wc"], "--round-robin says how --pipe cuts and shares out; add --pipe"),
        (&["--pipe", "--round-robin", "--retries", "1", "--", "wc"], "leave --retries or --round-robin out"),
        (&["--pipe", "--round", "--crash-limit", "2", "--", "wc"], "leave --crash-limit or --round-robin out"),
        (&["--pipe", "--roundrobin", "--kill-limit", "never", "--", "wc"], "leave --kill-limit or --round-robin out"),
        (&["--pipe", "--round-robin", "--on", "3=retry", "--", "wc"], "leave --on or --round-robin out"),
        (&["--pipe", "--round-robin", "-j", "/dev/null", "--", "wc"], "leave --workers FILE or --round-robin out"),
    ];
    for (args, expected) in table {
        let found = supervisor(args, b"x\n");
        assert_eq!(found.status.code(), Some(2), "{args:?}: {}", text(&found.stderr));
        assert!(text(&found.stderr).contains(expected), "{args:?}: {}", text(&found.stderr));
    }
    let found = shared(&["-j2", "--block", "2"], "exit 75", b"1\n");
    assert!(
        text(&found.stderr).contains("exit 75") && !text(&found.stderr).contains("attempt 2"),
        "{}",
        text(&found.stderr)
    );
    let args = ["--pipe", "--round-robin", "-j2", "--block", "2", "--dry-run", "--", "sort", "-n"];
    assert_eq!(text(&supervisor(&args, &numbers(9)).stdout), "sort -n\nsort -n\n");
}
