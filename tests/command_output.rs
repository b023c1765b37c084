//! What becomes of what commands write: `--tagstring`, `--ungroup`, `--line-buffer`, `--show`. Beside the real program GNU parallel, where it is
//! installed, whose output has to be the same.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use support::SUPERVISOR;

/// What a line of bash wrote to stdout and stderr, and its exit code. `$SUPERVISOR` is the program.
fn run(line: &str) -> (String, String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", line]).current_dir(&folder).env("HOME", folder.path()).env("SUPERVISOR", SUPERVISOR);
    let output = command.env_remove("PARALLEL").stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// What GNU parallel writes to stdout and stderr for these words behind its name; `None`: it is not installed.
fn of_parallel(words: &str) -> Option<(String, String)> {
    let path = "/usr/bin/parallel";
    if !Path::new(path).exists() {
        println!("skipped: parallel is not installed");
        return None;
    }
    let (out, err, _) = run(&format!("{path} --will-cite {words}"));
    Some((out, err))
}

/// Expects this of the program, and of parallel.
fn check(flags: &str, script: &str, items: &str, out: &str, err: &str) {
    let (own_out, own_err, _) = run(&format!("$SUPERVISOR -q -j1 {flags} --shell -- {script} {items}"));
    assert_eq!((own_out.as_str(), own_err.as_str()), (out, err), "{flags} {script} {items}");
    if let Some((their_out, their_err)) = of_parallel(&format!("-j1 {flags} {script} {items}")) {
        assert_eq!((their_out.as_str(), their_err.as_str()), (out, err), "parallel {flags} {script} {items}");
    }
}

/// The one line of a usage error.
fn refused(line: &str) -> String {
    let (out, err, code) = run(line);
    assert_eq!((code, out.as_str(), err.lines().count()), (Some(2), "", 1), "{line}: {err}");
    err
}

#[test]
fn a_tag_has_a_text_with_placeholders() {
    check(
        "--tagstring 'x{}-{#}-{%}'",
        "'echo {}; echo e >&2'",
        "::: 'a b' c",
        "xa b-1-1\ta b\nxc-2-1\tc\n",
        "xa b-1-1\te\nxc-2-1\te\n",
    );
    check(r"--tagstring '{1}:{2}\t\\'", "echo", "::: a b ::: c", "a:c\t\\\\\ta c\nb:c\t\\\\\tb c\n", "");
    check("-n2 --tagstring 'x{}y'", "echo", "::: a b c", "xa by\ta b\nxcy\tc\n", "");
    check("--tagstring ''", "echo", "::: a", "a\n", "");
    check("--tagstring fixed", "'echo {}; echo'", "::: a", "fixed\ta\nfixed\t\n", "");
    check("--tagstring '{/.}'", "echo", "::: d/a.b", "a\td/a.b\n", "");
    check("--header : --tagstring '{w}{v}'", "echo {v}", "::: v 1 ::: w 2", "21\t1\n", "");
    check("-I ,, --tagstring ',,-{}'", "echo ,,", "::: a", "a-{}\ta\n", "");
}

#[test]
fn results_of_workers_that_stay_have_such_a_tag_too() {
    let (out, ..) = run("seq 3 | $SUPERVISOR -k --output results --tagstring '{#}:{}' -a -");
    assert_eq!(out, "1:1\t1\n2:2\t4\n3:3\t9\n");
    let narrate = refused("$SUPERVISOR --tagstring x");
    assert!(narrate.contains("--tag"), "{narrate}");
}

#[test]
fn a_large_result_has_its_tag_on_each_line() {
    let (out, ..) = run("$SUPERVISOR -k --tagstring '<{}>' --shell -- 'seq {}' ::: 30000 2 | md5sum");
    let (expected, ..) = run("(seq 30000 | sed 's/^/<30000>\t/'; seq 2 | sed 's/^/<2>\t/') | md5sum");
    assert_eq!(out, expected);
}

#[test]
fn commands_that_are_not_grouped_write_themselves() {
    check("-u", "'echo {}; echo e{} >&2'", "::: a b", "a\nb\n", "ea\neb\n");
    // A command sees the stream itself: here it is a file, and each write is at its end.
    let (out, ..) = run("$SUPERVISOR -u --shell -- 'readlink /proc/$$/fd/1' ::: a > out; cat out");
    assert!(out.ends_with("/out\n"), "{out}");
    // While both run: the second line of the one comes after the first of the other.
    let (out, ..) =
        run("mkfifo a b; $SUPERVISOR -j2 -u --shell -- 'echo {}1; if [ {} = a ]; then echo >a; cat b; else cat a; \
         echo >b; fi; echo {}2' ::: a b | grep . | cut -c2 | tr -d '\\n'");
    assert_eq!(out, "1122");
}

#[test]
fn a_reader_that_leaves_ends_commands_that_write_themselves() {
    let (out, err, _) = run("$SUPERVISOR -u -- yes ::: a | head -n 1; echo ${PIPESTATUS[0]}");
    assert_eq!((out.as_str(), err.as_str()), ("a\n141\n", ""));
}

#[test]
fn what_output_that_is_not_grouped_cannot_heed_is_refused() {
    for flags in ["-k", "--tag", "--tagstring x", "--output json", "--output none", "--output narrate"] {
        let error = refused(&format!("$SUPERVISOR -u {flags} -- echo ::: a"));
        assert!(error.contains("--ungroup") && error.contains("leave one of them out"), "{flags}: {error}");
    }
    let error = refused("$SUPERVISOR -u --group -- echo ::: a");
    assert!(error.contains("--group"), "{error}");
    let error = refused("$SUPERVISOR -u --items 3");
    assert!(error.contains("--ungroup"), "{error}");
}

#[test]
fn whole_lines_leave_while_their_command_runs() {
    // The reader lets the command go on only once it has its first line.
    let (out, err, _) =
        run("mkfifo go; timeout 60 $SUPERVISOR -j1 --line-buffer --shell -- 'echo one; cat go; printf two' ::: a | \
         { read line; echo \"first $line\"; echo >go; cat; }");
    assert_eq!((out.as_str(), err.as_str()), ("first one\n\ntwo", ""));
    // A line that is not complete waits for its end, and lines of another command come before it.
    let (out, ..) = run(
        "mkfifo a b; timeout 60 $SUPERVISOR -j2 --lb --shell -- 'if [ {} = a ]; then printf half; echo >a; cat b >x; \
         echo \" end\"; else cat a >y; echo line; fi' ::: a b | \
         { read line; echo \"$line\"; echo >b; cat; }",
    );
    assert_eq!(out, "line\nhalf end\n");
}

#[test]
fn in_order_the_lines_of_the_first_running_item_leave() {
    let (out, err, _) = run(
        "mkfifo go; timeout 60 $SUPERVISOR -k -j2 --lb --tag --shell -- 'if [ {} = a ]; then echo one; cat go; echo two; \
         else echo {}; echo {} >&2; echo more; fi' ::: a b 2>err | { read line; echo \"first $line\"; echo >go; cat; }; cat err",
    );
    assert_eq!((out.as_str(), err.as_str()), ("first a\tone\na\t\na\ttwo\nb\tb\nb\tmore\nb\tb\n", ""));
}

#[test]
fn lines_have_the_bytes_of_gnu_parallel() {
    check("--lb --tag", "'echo {}; echo; echo x{}; echo e >&2'", "::: a", "a\ta\na\t\na\txa\n", "a\te\n");
    check("--lb --tagstring 't{#}'", "'echo {}; echo e >&2'", "::: a b", "t1\ta\nt2\tb\n", "t1\te\nt2\te\n");
    check("--lb -k", "'echo {}; printf end'", "::: a b", "a\nendb\nend", "");
    check("--linebuffer", "'printf {}'", "::: a b", "ab", "");
}

#[test]
fn lines_of_much_output_are_whole_and_complete() {
    let (expected, ..) = run("for i in 1 2 3; do seq 300000 | sed \"s/^/$i\\t/\"; done | sort | md5sum");
    let (out, ..) = run("$SUPERVISOR -j3 --lb --tag --shell -- 'seq 300000; : {}' ::: 1 2 3 | sort | md5sum");
    assert_eq!(out, expected);
    // The reader does not begin before all three commands have written everything: their output goes to the file.
    let (out, ..) =
        run("mkfifo go; timeout 120 $SUPERVISOR -j3 --lb --tag --shell -- 'seq 300000; echo >go; : {}' ::: 1 2 3 | \
         { exec 3<>go; read -u3 a; read -u3 b; read -u3 c; sort | md5sum; }");
    assert_eq!(out, expected);
    let (out, ..) = run("$SUPERVISOR -k -j3 --lb --shell -- 'seq {}' ::: 200000 3 100000 | md5sum");
    let (expected, ..) = run("(seq 200000; seq 3; seq 100000) | md5sum");
    assert_eq!(out, expected);
}

#[test]
fn lines_of_an_attempt_that_is_tried_again_were_shown() {
    let script = "--shell -- 'echo $SUPERVISOR_ATTEMPT; [ $SUPERVISOR_ATTEMPT = 2 ]' ::: a";
    assert_eq!(run(&format!("$SUPERVISOR -q --retries 1 {script}")).0, "2\n");
    assert_eq!(run(&format!("$SUPERVISOR -q --retries 1 --lb {script}")).0, "1\n2\n");
    // All of the output counts in the log.
    let (out, ..) = run("$SUPERVISOR --lb --joblog log -- printf 'ab\\nc' ::: x; tail -n 1 log | cut -f 6");
    assert_eq!(out, "ab\nc4\n");
}

#[test]
fn what_whole_lines_cannot_heed_is_refused() {
    for flags in ["--output json", "--output narrate", "--results x", "--show failed", "--failure-output final"] {
        let error = refused(&format!("$SUPERVISOR --lb {flags} -- echo ::: a"));
        assert!(error.contains("--line-buffer"), "{flags}: {error}");
    }
    for flags in ["-u", "--group"] {
        refused(&format!("$SUPERVISOR --lb {flags} -- echo ::: a"));
    }
}

#[test]
fn output_is_shown_by_how_its_command_ended() {
    const SCRIPT: &str = "--shell -- 'echo o{}; echo e{} >&2; exit {}' ::: 0 3";
    let table = [
        ("--show all", "o0\no3\n", "e0\ne3\n"),
        ("--show failed", "o3\n", "e3\n"),
        ("--show never", "", ""),
        ("--show final", "o0\no3\n", "e0\ne3\nsupervisor: item 1 (\"3\") wrote (exit 3):\no3\ne3\n"),
        ("--failure-output final", "o0\n", "e0\nsupervisor: item 1 (\"3\") wrote (exit 3):\no3\ne3\n"),
        ("--show never --success-output final", "", "supervisor: item 0 (\"0\") wrote:\no0\ne0\n"),
        ("--show failed --failure-output never", "", ""),
        ("--success-output immediate-final", "o0\no3\n", "e0\ne3\nsupervisor: item 0 (\"0\") wrote:\no0\ne0\n"),
        ("--tag --show failed", "3\to3\n", "3\te3\n"),
    ];
    for (flags, out, err) in table {
        let found = run(&format!("$SUPERVISOR -q -k -j1 {flags} {SCRIPT}"));
        assert_eq!((found.0.as_str(), found.1.as_str(), found.2), (out, err, Some(1)), "{flags}");
    }
    for flags in ["--output json", "--output none", "--output narrate"] {
        let error = refused(&format!("$SUPERVISOR --show failed {flags} -- echo ::: a"));
        assert!(error.contains("--show"), "{error}");
    }
    let error = refused("$SUPERVISOR --show failed --items 3");
    assert!(error.contains("--show"), "{error}");
}

#[test]
fn large_output_waits_for_the_end_in_a_file() {
    let (out, ..) = run(
        "$SUPERVISOR -q --failure-output final --shell -- 'seq {}; exit 1' ::: 300000 2>err; tail -n +2 err | md5sum",
    );
    assert_eq!(out, run("seq 300000 | md5sum").0);
    let (_, err, code) =
        run("TMPDIR=/nonexistent $SUPERVISOR -q -j1 --failure-output final --shell -- 'seq 9000; exit 1' ::: a b c");
    assert_eq!((code, err.lines().count()), (Some(4), 1), "{err}");
    assert!(err.contains("/nonexistent"), "{err}");
}
