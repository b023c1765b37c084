//! The command line as a user meets it, through the real program: help, errors, exit codes.
//!
//! The help is pinned in `tests/cli/*.txt`; after an intended change, `SNAPSHOTS=overwrite cargo test --test cli`
//! rewrites them.

use snapbox::{Data, assert_data_eq, file};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use supervisor::exit_code;

fn supervisor<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
    // The width of the help depends on neither a terminal nor the caller's variables.
    command.args(arguments).stdin(Stdio::null()).env_remove("COLUMNS");
    command
}

/// The words of `line`, which is cut at blanks; `''` is the empty word.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().map(|word| if word == "''" { "" } else { word })
}

fn run(line: &str) -> Output {
    supervisor(words(line)).output().unwrap()
}

/// A pipe with `input`, then end-of-file.
fn piped(input: &str) -> PipeReader {
    let (reader, mut writer) = std::io::pipe().unwrap();
    // Shorter than the pipe's buffer, so the write returns without a reader.
    writer.write_all(input.as_bytes()).unwrap();
    reader
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Wrong usage: this one line on stderr, nothing on stdout, exit 2.
fn check_usage_error(output: &Output, line: &str) {
    assert_eq!(text(&output.stderr), format!("supervisor: {line}\n"));
    assert_eq!(text(&output.stdout), "", "{line}");
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{line}");
}

#[test]
fn the_short_help_is_the_pinned_one() {
    let output = run("-h");
    assert_data_eq!(text(&output.stdout), file!["cli/help_short.txt"].raw());
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn the_long_help_is_the_pinned_one() {
    let output = run("--help");
    assert_data_eq!(text(&output.stdout), file!["cli/help_long.txt"].raw());
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn the_help_of_each_subcommand_is_the_pinned_one() {
    for row in &supervisor::cli::subcommand::ROWS {
        let output = run(&format!("{} --help", row.name));
        let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/help_{}.txt", row.name));
        assert_data_eq!(text(&output.stdout), Data::read_from(&pinned, None).raw());
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{}", row.name);
    }
}

#[test]
fn help_has_a_line_for_each_flag_and_fits_a_terminal() {
    let help = run("--help").stdout;
    let help = text(&help);
    let (_, list) = help.split_once("Items, workers, protocol:").unwrap();
    let (list, _) = list.split_once("\nSubcommands").unwrap();
    for line in list.lines().filter(|line| line.starts_with(' ')) {
        assert!(line.trim_start().starts_with('-'), "a second line: {line}");
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn help_names_every_exit_code_once() {
    use exit_code as code;
    let codes = [code::DONE, code::ITEMS_NOT_DONE, code::USAGE, code::GAVE_UP, code::STORAGE, code::LOST];
    let more = [code::REFUSED, code::RUN_TIMEOUT, code::INTERNAL, code::NOT_EXECUTABLE, code::NOT_FOUND];
    let help = run("--help").stdout;
    let (_, list) = text(&help).split_once("Exit codes:").unwrap();
    for code in codes.into_iter().chain(more).map(|code| code.to_string()) {
        let first_words = list.lines().filter_map(|line| line.split_whitespace().next());
        assert_eq!(first_words.flat_map(|word| word.split(',')).filter(|word| *word == code).count(), 1, "{code}");
    }
}

#[test]
fn help_takes_precedence_over_the_flags_behind_it() {
    assert_eq!(run("--help --nonsense").status.code(), Some(0));
    assert_eq!(run("-j2 -h").status.code(), Some(0));
}

#[test]
fn version_is_the_packages() {
    let output = run("--version");
    assert_eq!(text(&output.stdout), concat!("supervisor ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(run("-V").stdout, output.stdout);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn help_into_a_closed_pipe_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = supervisor(["--help"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = supervisor(["--help"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(exit_code::LOST.into()));
    assert!(text(&output.stderr).starts_with("supervisor: "), "{}", text(&output.stderr));
}

#[test]
fn an_error_with_stderr_closed_still_has_its_code() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = supervisor(["--nonsense"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(exit_code::USAGE.into()));
}

#[test]
fn a_bad_value_is_an_error_with_the_remedy() {
    let workers = "give a number of at least 1, 200% or +2 or -1 of the cores, auto, or a file with one of these";
    for value in ["0", "-", "0%", "1.5"] {
        let line = format!("invalid value '{value}' for '--workers <N>': {workers}");
        check_usage_error(&run(&format!("--workers {value}")), &line);
        check_usage_error(&run(&format!("-j {value}")), &line);
    }
    let duration = "not a duration; write it as 200ms, 1.5s, 2m or 1h30m (a bare number is seconds)";
    let table = [
        ("-w 4294967296", "invalid value '4294967296' for '--workers <N>': at most 4294967295 is possible".into()),
        ("--items -3", "invalid value '-3' for '--items <N>': not a whole number of 0 or more".into()),
        ("--items 1e6", "invalid value '1e6' for '--items <N>': not a whole number of 0 or more".into()),
        ("--crash-limit 0", "invalid value '0' for '--crash-limit <N>': at least 1 is needed".into()),
        ("--timeout abc", format!("invalid value 'abc' for '--timeout <D>': {duration}")),
        ("--timeout -1s", format!("invalid value '-1s' for '--timeout <D>': {duration}")),
        (
            "--timeout 0",
            "invalid value '0' for '--timeout <D>': 0 would leave no time at all; give more, or leave the flag out \
             for no limit"
                .into(),
        ),
        (
            "--delay 3x",
            "invalid value '3x' for '--delay <D>': no unit of time is called \"x\"; use ns, us, ms, s, m, h or d"
                .into(),
        ),
        ("--block 0 -a -", "invalid value '0' for '--block <SIZE>': at least one byte is needed".into()),
        ("--block 17M -a -", "invalid value '17M' for '--block <SIZE>': at most 16777216 bytes are possible".into()),
        (
            "-d ab -a -",
            "invalid value 'ab' for '--delimiter <C>': a delimiter is one byte: a character, or an \
             escape such as \\n \\t \\0 \\x1F"
                .into(),
        ),
        (
            "--term-seq TERM,200",
            "invalid value 'TERM,200' for '--term-seq <SEQUENCE>': it must end in KILL and a wait, so that every \
             process does end; append ,KILL,25"
                .into(),
        ),
        (
            "--term-seq TREM,200,KILL,25",
            "invalid value 'TREM,200,KILL,25' for '--term-seq <SEQUENCE>': no signal is called \"TREM\"; use a name \
             such as TERM, or a number from 1 to 64"
                .into(),
        ),
        (
            "--halt later",
            "invalid value 'later' for '--halt <WHEN>': give never, or WHEN,WHAT=HOW_MANY such as soon,fail=3 or \
             now,success=1 or soon,done=20%"
                .into(),
        ),
        (
            "--max-restarts 5",
            "invalid value '5' for '--max-restarts <N/D>': give NUMBER/DURATION, such as 5/10s; the duration is more \
             than 0"
                .into(),
        ),
        (
            "--backoff 10s..1s",
            "invalid value '10s..1s' for '--backoff <MIN..MAX>': the shortest wait is longer than the longest; \
             exchange them"
                .into(),
        ),
        (
            "--output xml",
            "invalid value 'xml' for '--output <MODE>' [possible values: narrate, results, json, none]".into(),
        ),
        (
            "--task dance",
            "no task is called \"dance\"; use one of square, cube, echo, sleep, countdown, identity, hash, exit, \
             signal, panic, hang, leak"
                .into(),
        ),
    ];
    for (typed, line) in table {
        check_usage_error(&run(typed), &line);
    }
}

#[test]
fn flags_that_contradict_each_other_are_an_error() {
    let table = [
        ("--", "no command behind --; give one, or leave -- out"),
        ("-- ::: a", "no command behind --; give one, or leave -- out"),
        ("echo hello", "unexpected word \"echo\"; a command goes behind --: supervisor -- echo hello"),
        (
            "-j2 echo {} ::: a;b",
            "unexpected word \"echo\"; a command goes behind --: supervisor -j2 -- echo {} ::: 'a;b'",
        ),
        ("echo -- cat", "unexpected word \"echo\"; a command goes behind --, items go behind ::: (see --help)"),
        ("::::", ":::: needs the name of a file (- is stdin)"),
        ("-- x ::: a ::::+ ::: b", "::::+ needs the name of a file (- is stdin)"),
        ("--items 3 :::+ y", "--items and :::+ are both given, but items come from one place; leave one out"),
        ("-a - -- x :::: -", "stdin is read twice; give a file, or leave one of them out"),
        (
            "-n 2 -a -",
            "--max-args is for a command that runs once per item; leave it out, or use --protocol exec with a command",
        ),
        (
            "-X --protocol frames -- x",
            "-X is for a command that runs once per item; leave it out, or use --protocol exec with a command",
        ),
        (
            "--colsep , --block 1K -- x",
            "--colsep makes items of what is read, and --block hands it out as it is; leave one of them out",
        ),
        (
            "--shuf --queue priority -a -",
            "--shuf makes items of what is read, and --queue priority hands it out as it is; leave one of them out",
        ),
        (
            "--stdin -L 2 -- x",
            "--stdin hands one item over as it is, and -L makes lists of arguments; leave one of them out",
        ),
        (
            "--stdin -- x ::: a ::: b",
            "--stdin hands one item over as it is, and a second input makes lists of arguments; leave one of them out",
        ),
        ("-I '' -- x", "-I needs a text that stands for the item, such as -I ,,; leave it out for {}"),
        (
            "--csv --colsep ,, -- x",
            "--csv has fields between single bytes, and --colsep \",,\" is none; give one byte, or leave --csv out",
        ),
        ("-X -m -- x", "the argument '-X' cannot be used with '-m'"),
        ("--header x -- y", "invalid value 'x' for '--header <FROM>' [possible values: :, 0]"),
        ("-0 -d x -a -", "the argument '--null' cannot be used with '--delimiter <C>'"),
        ("-q -t -- x", "the argument '--quiet' cannot be used with '--verbose'"),
        ("--fail-fast --halt never", "the argument '--fail-fast' cannot be used with '--halt <WHEN>'"),
        ("--workers", "a value is required for '--workers <N>' but none was supplied"),
        ("--wrkers 3", "unexpected argument '--wrkers' found; tip: a similar argument exists: '--workers'"),
        ("--protocol exec", "--protocol exec needs a command; give one behind --"),
        ("--task echo -- x", "--task is for the built-in worker; leave it out, or leave the command out"),
        (
            "--credit 3 -- x",
            "--credit is for workers that stay, but a command runs once per item; leave it out, or add --protocol lines, json or frames",
        ),
        (
            "--shell",
            "--shell is for a command that runs once per item; leave it out, or use --protocol exec with a command",
        ),
        (
            "-0 ::: a",
            "--null is for items from a file or stdin; give one with -a FILE or :::: FILE (- is stdin), or leave \
             --null out",
        ),
        ("--tag", "--tag is for --output results; narrate names the item already, so leave --tag out"),
        ("--joblog -", "--joblog - would mix the log into the results; give a file, or /dev/stderr"),
        (
            "--journal j --keep-open --resume-by item",
            "--keep-open takes items that are known by their numbers; leave --resume-by item or --keep-open out",
        ),
        ("--events -", "--events - would mix events into the results; give a file, or /dev/stderr"),
    ];
    for (typed, line) in table {
        check_usage_error(&run(typed), line);
    }
}

#[test]
fn unknown_flags_are_refused() {
    let flags = ["--max-rss", "--max-lifetime", "--no-controls"];
    for flag in flags {
        let output = run(flag);
        let error = text(&output.stderr);
        assert!(error.starts_with(&format!("supervisor: unexpected argument '{flag}' found")), "{error}");
        assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
    }
    let values = [("--protocol", "xml"), ("--isolation", "container"), ("--transport", "carrier-pigeon")];
    for (flag, value) in values {
        let output = run(&format!("{flag} {value}"));
        assert!(text(&output.stderr).starts_with(&format!("supervisor: invalid value '{value}' for '{flag} ")));
        assert_eq!(output.status.code(), Some(2));
    }
    for subcommand in ["upgrade", "top", "kill", "audit", "man"] {
        assert_eq!(run(subcommand).status.code(), Some(2), "{subcommand}");
    }
}

#[test]
fn flags_that_are_not_utf8_are_refused_by_name() {
    let odd = OsString::from_vec(b"\xff".to_vec());
    let output = supervisor([odd]).output().unwrap();
    check_usage_error(
        &output,
        "unexpected word \"\u{fffd}\"; a command goes behind --, items go behind ::: (see --help)",
    );
    let output = supervisor([OsString::from("--items"), OsString::from_vec(b"3\xff".to_vec())]).output().unwrap();
    check_usage_error(&output, "invalid UTF-8 was detected in one or more arguments");
}

#[test]
fn each_end_of_a_run_has_its_exit_code() {
    let table = [
        ("--items 3", 0),
        ("-- echo :::", 0),
        ("::: 3 abc", 1),
        ("-- false ::: a", 1),
        ("--max-dead never --task signal ::: 9", 1),
        ("-w 1 --fail-fast -- false ::: a b", 1),
        ("-w 1 --halt soon,success=1 -- true ::: a b c", 0),
        ("-a /nonexistent/list", 2),
        ("-a /", 2),
        ("--events /nonexistent/events", 2),
        ("--max-dead 1 -w 1 --task exit ::: 1 2 3", 3),
        ("--protocol frames -w 1 --backoff 0..0 -- false ::: a", 3),
        ("--run-timeout 50ms -- sleep ::: 60", 124),
        ("-- / ::: a", 126),
        ("-- /etc/passwd ::: a", 126),
        ("-- no-such-program ::: a", 127),
        ("-- /no/such/program ::: a", 127),
        ("--exit-code count ::: x y 3 z", 3),
        ("--exit-code count ::: 3", 0),
        ("--exit-code xargs -- false ::: a", 123),
        ("--exit-code xargs --task signal --crash-limit 1 ::: 9", 125),
        ("--exit-code xargs -- no-such-program ::: a", 127),
    ];
    for (typed, code) in table {
        let output = run(typed);
        assert_eq!(output.status.code(), Some(code), "{typed}: {}", text(&output.stderr));
    }
    let many = vec!["x"; 101].join(" ");
    assert_eq!(run(&format!("-q --exit-code count ::: {many}")).status.code(), Some(101));
}

#[test]
fn a_worker_that_cannot_start_is_an_error_on_one_line_before_an_item_is_read() {
    let table = [
        ("-- no-such-program", "supervisor: failed to run no-such-program: "),
        ("-- /", "supervisor: failed to run /: "),
        ("--events /nonexistent/events -- cat", "supervisor: failed to create /nonexistent/events: "),
    ];
    for (typed, start) in table {
        let mut reader = piped("a\nb\n");
        let output = supervisor(words(typed)).stdin(reader.try_clone().unwrap()).output().unwrap();
        let error = text(&output.stderr);
        assert!(error.starts_with(start) && error.lines().count() == 1, "{typed}: {error}");
        let mut left = String::new();
        reader.read_to_string(&mut left).unwrap();
        assert_eq!((left.as_str(), output.stdout.as_slice()), ("a\nb\n", &b""[..]), "{typed}");
    }
}

#[test]
fn more_workers_than_the_limits_allow_are_refused_with_the_numbers() {
    // The test sets the limit; some machines would allow so many.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" -w 1000000"]).arg(env!("CARGO_BIN_EXE_supervisor"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = text(&output.stderr);
    assert!(error.starts_with("supervisor: failed to start 1000000 workers: ") && error.contains(" 64"), "{error}");
    assert_eq!((output.status.code(), error.lines().count()), (Some(exit_code::REFUSED.into()), 1), "{error}");
    // Some shells cannot set this limit.
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -q 8191; exec \"$0\" -w 4 --transport mqueue"]).arg(env!("CARGO_BIN_EXE_supervisor"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let expected = "supervisor: failed to carry frames by message queues: 4 workers need 8960 bytes of them and the \
                    limit is 8191; raise `ulimit -q`, give fewer workers or another --transport\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(exit_code::REFUSED.into()), expected));
}

#[test]
fn delimiters_and_placeholders_decide_the_arguments() {
    let table = [
        ("a\nb\n", "-k -- echo x", "x a\nx b\n"),
        ("a\n\nb", "-k -- echo [{}]", "[a]\n[]\n[b]\n"),
        ("a b\0c\0", "-k -0 -- echo {}.", "a b.\nc.\n"),
        ("a,b,c", "-k -d , -- echo {}", "a\nb\nc\n"),
        ("a;b;", r"-k -d \x3b -- echo {}", "a\nb\n"),
        ("1\n2\n3\n", "-k -a - --task cube", "1\n8\n27\n"),
        ("3\tlast\n1\tfirst\n2\tmiddle\n", "-w 1 --queue priority -- echo", "first\nmiddle\nlast\n"),
        ("a\nb\nc\n", "-w 1 --queue lifo -- echo", "c\nb\na\n"),
        ("a\nb\nc\n", "-k --block 4 --stdin -- tr a-z A-Z", "A\nB\nC\n"),
        ("abcdef", "-k --block 4 -d '' --stdin -- wc -c", "4\n2\n"),
        ("", "-k -- echo ::: a -x --", "a\n-x\n--\n"),
        ("", "-k --tag ::: 3 4", "3\t9\n4\t16\n"),
        ("", "-k --output none ::: 3 4", ""),
        ("", "-k --dry-run -- rm -rf {} ::: a b", "rm -rf a\nrm -rf b\n"),
        ("x\n", "--shell -- echo {} | tr x y", "y\n"),
        ("x\nid\n\0", "-0 --shell -- printf %s '{}'", "x\nid\n"),
        ("", "-j 2 -j 1 -k -k --output json --output results ::: 3", "9\n"),
        ("$HOME\n", "--shell -- printf %s \"{}\"", "$HOME"),
        ("dir/name.tar\n", "-- echo {.} {/} {//} {/.} {#} {%}", "dir/name name.tar dir name 1 1\n"),
    ];
    for (input, typed, expected) in table {
        let output = supervisor(words(typed)).stdin(piped(input)).output().unwrap();
        assert_eq!(text(&output.stdout), expected, "{typed}: {}", text(&output.stderr));
    }
}

#[test]
fn a_placeholder_where_a_shell_would_run_the_item_is_refused_before_anything_runs() {
    let output = supervisor(["--shell", "--", "echo `echo {}`", ":::", "x"]).output().unwrap();
    let line = "failed to replace {} in the script of --shell: it stands in `...`; write $( ); a placeholder may stand \
                outside quotes, in '...', in \"...\", in $( ) and in a here-document whose delimiter is not quoted";
    check_usage_error(&output, line);
}

/// The first line on stderr and the exit code, of a run of `words` with `input` on stdin.
fn first_line(words: &[&str], input: &str) -> (String, Option<i32>) {
    let output = supervisor(words).stdin(piped(input)).output().unwrap();
    let line = text(&output.stderr).lines().next().unwrap_or_default().to_owned();
    (line, output.status.code())
}

#[test]
fn a_newcomers_mistake_gets_a_line_with_the_remedy() {
    let unread = "supervisor: stdin holds input that is not read; add -a - to take the items from it";
    assert_eq!(first_line(&["--task", "cube", "-w", "1"], "1\n2\n"), (unread.to_owned(), Some(0)));
    assert_ne!(first_line(&["--task", "cube", "-w", "1"], "").0, unread);
    assert_eq!(first_line(&["-q", "-w", "1"], "1\n").0, "");
    let output = supervisor(words("--protocol frames -j2 -- true")).stdin(piped("1\n")).output().unwrap();
    let lines: Vec<&str> = text(&output.stderr).lines().collect();
    assert_eq!((lines.len(), output.status.code()), (1, Some(3)), "{lines:?}");
    assert!(lines[0].contains("cannot be kept running (exit 0 before its hello)"), "{lines:?}");
    assert!(lines[0].ends_with(
        "--protocol frames needs a program that speaks frames, and without it the command runs once per item"
    ));
    // Another exit code may be bad luck, so a few more starts are made, and a restart limit that is given alone decides.
    for (flags, starts) in [("", 3), ("--max-restarts 4/10s --backoff 0..0", 5)] {
        let output = run(&format!("--protocol frames -j1 --events /dev/stdout {flags} --output none -- false ::: a"));
        assert_eq!(text(&output.stdout).matches("worker_spawned").count(), starts, "{}", text(&output.stdout));
        let line = "supervisor: giving up: worker 1 cannot be kept running (exit 1 before its hello): ending the workers \
                    (TERM, then KILL); --protocol frames needs a program that speaks frames, and without it the command \
                    runs once per item\n";
        assert_eq!((text(&output.stderr), output.status.code()), (line, Some(3)));
    }
    let line = "supervisor: failed to run echo a; echo b: command not found in PATH; add --shell to run it as a script of the shell";
    assert_eq!(first_line(&["--", "echo a; echo b"], "x\n"), (line.to_owned(), Some(127)));
    let output = run("-j1 ::: a b");
    let advice = text(&output.stderr).lines().filter(|line| line.contains("a command goes behind --")).count();
    assert_eq!(advice, 1, "{}", text(&output.stderr));
    let (line, _) = first_line(&["-j1", "--fail-fast", "--", "false"], "a\"b\n");
    assert_eq!(line, r#"supervisor: item 0 ("a\"b") failed: exit 1"#);
    let output = supervisor(["-j1", "--fail-fast", "--", "false"]).stdin(piped("a\nb\n")).output().unwrap();
    assert!(text(&output.stderr).contains("supervisor: an item failed: "), "{}", text(&output.stderr));
    assert!(text(&run("--task whoami --items 1 -q").stdout).contains("uid"));
}

#[test]
fn of_an_option_that_is_given_twice_the_last_counts() {
    let output =
        run("--output none --summary always --output json --summary never --items 7 --items 1 --items=2 -w 9 -j1");
    assert_eq!(text(&output.stdout).lines().count(), 2);
    assert!(text(&output.stdout).starts_with("{\"item\":0,"), "{}", text(&output.stdout));
    assert_eq!((text(&output.stderr), output.status.code()), ("", Some(0)));
}

#[test]
fn the_help_and_the_readme_tell_failed_and_dead_apart_side_by_side() {
    let help = run("--help").stdout;
    let readme = include_str!("../README.md");
    for (name, page) in [("--help", text(&help)), ("README", readme)] {
        let lines: Vec<&str> = page.lines().collect();
        let defines =
            |line: &&str| line.contains("failed") && line.contains("last attempt") && line.contains("--retries");
        let failed = lines.iter().position(defines).unwrap_or_else(|| panic!("{name} does not say what failed means"));
        // In the same paragraph, or on the next line of the list.
        let dead = |line: &&str| line.contains("dead") || line.contains("--crash-limit");
        assert!(lines[failed..lines.len().min(failed + 2)].iter().any(dead), "{name}");
    }
}

#[test]
fn a_run_of_the_same_failure_is_told_in_about_a_line_for_each_item() {
    let items: String = (0..40).map(|number| format!("{number}\n")).collect();
    let dies = ["-j2", "--max-dead", "never", "--retries", "3", "--summary", "never"];
    for (worker, last) in [
        (["--", "sh", "-c", "kill -9 $$"].as_slice(), " died after 4 attempts: signal 9 (KILL) from outside"),
        (&["--", "false"], " failed after 4 attempts: exit 1"),
    ] {
        let told = |verbose: &[&str]| {
            let output = supervisor([verbose, &dies, worker].concat()).stdin(piped(&items)).output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            text(&output.stderr).to_owned()
        };
        let stderr = told(&[]);
        // Each item once, the first three further attempts, and the number of the others.
        assert_eq!(stderr.lines().count(), 40 + 3 + 1, "{stderr}");
        for number in 0..40 {
            assert!(stderr.contains(&format!("supervisor: item {number} (\"{number}\"){last}\n")), "{stderr}");
        }
        assert!(stderr.contains("supervisor: ... and 117 more like it: "), "{stderr}");
        assert!(stderr.contains(", tried again; -v shows each\n"), "{stderr}");
        for verbose in ["-v", "-t", "--verbose"] {
            let stderr = told(&[verbose]);
            assert_eq!(stderr.matches("; will be tried again (attempt ").count(), 120, "{stderr}");
            assert!(stderr.contains("item 7 (\"7\") "), "{stderr}");
        }
    }
    // Workers that stay, with the task that kills its worker.
    let output = supervisor(["-j2", "--max-dead", "never", "--summary", "never", "--task", "signal", "-a", "-"])
        .stdin(piped(&"KILL\n".repeat(40)))
        .output()
        .unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(stderr.lines().count(), 40 + 3 + 1, "{stderr}");
}

#[test]
fn a_script_without_its_interpreter_is_named_before_any_item_is_consumed() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    // Another process writes it: a file that is open for writing here, or in a child of another test, is busy.
    let make = format!(r"printf '#!/bin/sh\r\necho\r\n' > {0}; chmod +x {0}", script.display());
    assert!(Command::new("/bin/sh").args(["-c", &make]).status().unwrap().success());
    let (line, code) = first_line(&["--", script.to_str().unwrap()], "x\n");
    let expected = format!(
        "supervisor: failed to run {}: its first line names the interpreter \"/bin/sh\\r\", which does not exist; its lines \
         end in CR LF, so remove each CR: sed -i 's/\\r$//' FILE",
        script.display()
    );
    assert_eq!((line, code), (expected, Some(exit_code::NOT_FOUND.into())));
    let (line, _) = first_line(&["--", "no\rsuch\u{1b}[31m\u{feff}"], "x\n");
    assert_eq!(line, r"supervisor: failed to run no\rsuch\u{1b}[31m\u{feff}: command not found in PATH");
    assert_eq!(
        first_line(&["-a", "x\ry"], "").0,
        r"supervisor: failed to open x\ry: No such file or directory (os error 2)"
    );
}

#[test]
fn a_command_that_vanishes_ends_the_run_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    let make = format!("printf '#!/bin/sh\nrm -f \"$0\"\n' > {0}; chmod +x {0}", script.display());
    let path = script.to_str().unwrap();
    assert!(Command::new("/bin/sh").args(["-c", &make]).status().unwrap().success());
    let output =
        supervisor(["-j1", "--max-dead", "3", "--", path]).stdin(piped("1\n2\n3\n4\n5\n6\n")).output().unwrap();
    let error = text(&output.stderr);
    let reason = format!(
        "giving up: the command cannot be executed any more: failed to run {path}: the file does not exist any more"
    );
    assert!(error.contains(&reason), "{error}");
    assert!(error.contains("6 items: 1 done, 3 failed, 0 dead, 2 skipped"), "{error}");
    assert_eq!(output.status.code(), Some(exit_code::NOT_FOUND.into()));
}

#[test]
fn an_item_that_can_never_be_an_argument_is_tried_once() {
    let input = format!("{}\n", "x".repeat(130 * 1024));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), input).unwrap();
    let words =
        ["-q", "--output", "json", "--retries", "3", "--retry-delay", "1000s", "-a", file.path().to_str().unwrap()];
    let output = supervisor(words.iter().chain(&["--", "echo"])).output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((object["attempts"].as_u64(), output.status.code()), (Some(1), Some(1)), "{object}");
}

#[test]
fn variables_of_thread_libraries_are_set_only_if_asked_for() {
    let script = "echo $OMP_NUM_THREADS $RAYON_NUM_THREADS";
    for (flags, expected) in [("-j1", "7\n"), ("-j1 --threads-per-worker 2", "2 2\n")] {
        let mut command = supervisor(words(flags).chain(["--", "sh", "-c", script, ":::", "x"]));
        command.env("OMP_NUM_THREADS", "7").env_remove("RAYON_NUM_THREADS");
        assert_eq!(text(&command.output().unwrap().stdout), expected, "{flags}");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = format!("echo $OMP_NUM_THREADS > {}/seen", folder.path().display());
    let flags = words("-q -j1 --threads-per-worker 3 --protocol frames -- sh -c");
    supervisor(flags.chain([script.as_str(), ":::", "x"])).env("OMP_NUM_THREADS", "7").output().unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("seen")).unwrap(), "3\n");
    check_usage_error(
        &run("--isolation thread --threads-per-worker 2"),
        "--threads-per-worker is for worker processes, and --isolation thread has none; leave one of them out",
    );
}

#[test]
fn xargs_stops_at_255_and_at_a_signal() {
    for (script, code, done) in [("[ $0 != 2 ] || exit 255", 124, "1\n"), ("[ $0 != 2 ] || kill -9 $$", 125, "1\n")] {
        let script = format!("{script}; echo $0");
        let words = ["-q", "-j1", "--exit-code", "xargs", "--", "sh", "-c", &script];
        let output = supervisor(words).stdin(piped("1\n2\n3\n4\n")).output().unwrap();
        assert_eq!((text(&output.stdout), output.status.code()), (done, Some(code)), "{script}");
    }
}

#[test]
fn a_transport_without_its_folder_names_the_folder_and_the_variable() {
    for (transport, line, code) in [
        (
            "channel",
            "supervisor: failed to make sockets in /no/such, the temporary folder: No such file or directory (os error 2); \
             create it, or set TMPDIR to another",
            exit_code::REFUSED,
        ),
        (
            "file",
            "supervisor: failed to make a spool in /no/such: No such file or directory (os error 2); give --spool DIR, or set \
             TMPDIR to another folder",
            exit_code::STORAGE,
        ),
    ] {
        let words = ["--transport", transport, ":::", "3"];
        let output = supervisor(words).env("TMPDIR", "/no/such").output().unwrap();
        assert_eq!((text(&output.stderr).trim_end(), output.status.code()), (line, Some(code.into())));
    }
}

#[test]
fn items_that_are_not_utf8_pass_unchanged() {
    let odd = || OsString::from_vec(b"\xff{}".to_vec());
    let output = supervisor([OsString::from("--"), "echo".into(), odd(), ":::".into(), odd()]).output().unwrap();
    assert_eq!(output.stdout, b"\xff\xff{}\n");
    assert_eq!(output.status.code(), Some(0));
}

/// The names of an object's fields, sorted.
fn fields(object: &serde_json::Value) -> String {
    object.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn json_has_the_fields_that_fit_the_outcome() {
    let ran = "causes exit input item outcome pid result runtime started worker attempts";
    let table = [
        ("-- true", "x\n", ran.to_owned()),
        ("-- false", "x\n", ran.replace("result", "error")),
        ("-- echo", "\u{1}\n", ran.to_owned()),
        ("-a - --task echo", "x\n", ran.replace(" exit", "")),
        ("-a - --task square", "x\n", ran.replace(" exit", "").replace("result", "error")),
        (
            "-a - --task signal --crash-limit 1",
            "9\n",
            "attempts causes error exit input item outcome pid worker".into(),
        ),
        // The bytes of an item that the source rejects are never kept.
        ("--queue priority -- echo", "x\n", "attempts causes error item outcome".into()),
    ];
    for (typed, input, expected) in table {
        let output = supervisor(words(&format!("-j1 -q --output json {typed}"))).stdin(piped(input)).output().unwrap();
        let object = serde_json::from_slice(&output.stdout).unwrap();
        let mut expected: Vec<&str> = expected.split(' ').collect();
        expected.sort_unstable();
        assert_eq!(fields(&object).split(' ').collect::<Vec<_>>(), expected, "{typed}");
    }
}
