//! `--joblog`: the log of the real program, and beside it that of GNU parallel where it is installed.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{SUPERVISOR, shell};

const HEADER: &str = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand";

/// Runs a line of bash in a new folder, in which `$SUPERVISOR` is the program; what the file `log` has then.
fn log_of(line: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", line]).current_dir(&folder).env("HOME", folder.path()).env("SUPERVISOR", SUPERVISOR);
    let output = command.env_remove("PARALLEL").stdin(Stdio::null()).output().unwrap();
    let log = std::fs::read(folder.path().join("log"));
    let log = log.unwrap_or_else(|_| panic!("{line}: {}", String::from_utf8_lossy(&output.stderr)));
    String::from_utf8(log).unwrap()
}

/// The lines by Seq. Times are checked, and left out.
fn rows(log: &str) -> Vec<Vec<String>> {
    let mut lines = log.lines();
    assert_eq!(lines.next(), Some(HEADER));
    let mut rows: Vec<Vec<String>> = lines.map(|line| line.splitn(9, '\t').map(str::to_owned).collect()).collect();
    for row in &mut rows {
        for (at, bytes_min) in [(2, 14), (3, 10)] {
            let time = std::mem::replace(&mut row[at], "time".to_owned());
            let (whole, part) = time.split_once('.').unwrap();
            assert!(time.len() >= bytes_min && whole.trim_start().parse::<u64>().is_ok(), "{time:?}");
            assert!(part.len() == 3 && part.parse::<u16>().is_ok(), "{time:?}");
        }
    }
    rows.sort_by_key(|row| row[0].parse::<u64>().unwrap());
    rows
}

fn parallel() -> Option<PathBuf> {
    let found = ["/usr/bin/parallel", "/usr/local/bin/parallel"].map(Path::new).into_iter().find(|path| path.exists());
    if found.is_none() {
        println!("skipped: parallel is not installed");
    }
    found.map(Path::to_owned)
}

#[test]
fn the_columns_are_those_of_gnu_parallel() {
    let shell = ("--shell --crash-limit 1 --", "");
    let words = ("--", "-q");
    // Flags of both, how a command is given to each, the command and the items, and what is expected of the last columns.
    let table = [
        ("", shell, "'echo {}; exit {}' ::: 0 3 1", "2 0 0 echo 0; exit 0/2 3 0 echo 3; exit 3/2 1 0 echo 1; exit 1"),
        ("", shell, "'kill -9 $$; : {}' ::: 'a b'", "0 0 9 kill -9 $$; : 'a b'"),
        ("", shell, "no-such-command {} ::: x", "0 127 0 no-such-command x"),
        (
            "",
            words,
            r#"echo {} 'x y' '' ::: 'a b' "it's" '' '~'"#,
            r#"9 0 0 echo 'a b' 'x y' ''/10 0 0 echo 'it'"'"'s' 'x y' ''/6 0 0 echo '' 'x y' ''/7 0 0 echo '~' 'x y' ''"#,
        ),
        ("-n 2", words, "echo ::: a b c", "4 0 0 echo a b/2 0 0 echo c"),
        ("-0", words, r"echo :::: <(printf 'a\nb\0c\td\0')", "4 0 0 echo 'a\0b'/4 0 0 echo 'c\td'"),
        ("", words, "echo {#} {} ::: a ::: 1 2", "6 0 0 echo 1 a 1/6 0 0 echo 2 a 2"),
        ("--retries 2", words, "false ::: x", "0 1 0 false x"),
        ("--timeout 0.2", words, "sleep ::: 100", "0 -1 15 sleep 100"),
        ("", words, "echo :::: /dev/null", ""),
    ];
    for (flags, (ours, theirs), command, expected) in table {
        let own = rows(&log_of(&format!("$SUPERVISOR -q -j1 --joblog log {flags} {ours} {command}")));
        let last = |row: &Vec<String>| row[5..].join(" ");
        assert_eq!(own.iter().map(last).collect::<Vec<_>>().join("/"), expected, "{command}");
        if let Some(parallel) = parallel() {
            let line = format!("{} --will-cite -j1 --joblog log {flags} {theirs} {command}", parallel.display());
            assert_eq!(own, rows(&log_of(&line)), "{command}");
        }
    }
}

#[test]
fn lines_come_as_items_end_also_where_results_wait_for_their_turn() {
    // `a` ends only when the line of `b` is in the file.
    let script = "if [ $1 = a ]; then until grep -q 'x b$' log; do :; done; fi; echo $1";
    let log =
        log_of(&format!(r#"$SUPERVISOR -k -j2 --joblog log -- bash -c "{}" x ::: a b"#, script.replace('$', r"\$")));
    let order: Vec<&str> = log.lines().skip(1).map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(order, ["2", "1"], "{log}");
}

#[test]
fn workers_that_stay_have_their_items_in_the_last_column() {
    let log = log_of("$SUPERVISOR -q -j1 -k --joblog log --task square ::: 7 abc 12");
    let last: Vec<String> = rows(&log).iter().map(|row| row[5..].join(" ")).collect();
    assert_eq!(last, ["3 0 0 7", "0 1 0 abc", "4 0 0 12"]);
    let log = log_of("$SUPERVISOR -q -j1 --crash-limit 1 --joblog log --task signal ::: 11");
    assert_eq!(rows(&log)[0][5..], ["0", "0", "11", "11"]);
    let log = log_of("$SUPERVISOR -q -j1 --joblog log --protocol lines -- sed -u s/^/x/ ::: a bc");
    let last: Vec<String> = rows(&log).iter().map(|row| row[5..].join(" ")).collect();
    assert_eq!(last, ["3 0 0 a", "4 0 0 bc"]);
    // Batches, of which some come out of turn: each item once.
    let log = log_of("seq 20000 | $SUPERVISOR -q -j3 -k -a - --joblog log --task square > out");
    let rows = rows(&log);
    assert_eq!(rows.len(), 20_000);
    for (number, row) in (1u64..).zip(&rows) {
        let bytes = (number * number).to_string().len() + 1;
        assert_eq!(
            (row[0].as_str(), row[5].as_str(), row[8].as_str()),
            (&*number.to_string(), &*bytes.to_string(), &*number.to_string())
        );
    }
}

#[test]
fn skipped_items_have_no_line() {
    let log = log_of("$SUPERVISOR -q -j1 --fail-fast --joblog log -- false ::: a b c");
    assert_eq!(rows(&log).len(), 1, "{log}");
}

#[test]
fn a_plus_appends_and_a_dry_run_writes_nothing() {
    let log = log_of("for i in 1 2; do $SUPERVISOR -q --joblog +log -- true ::: $i; done");
    let commands: Vec<&str> = log.lines().map(|line| line.rsplit('\t').next().unwrap()).collect();
    assert_eq!(commands, ["true 1", "true 2"]);
    assert_eq!(log_of("echo kept > log; $SUPERVISOR --dry-run --joblog log -- true ::: a"), "kept\n");
}

#[test]
fn a_log_that_cannot_be_written_is_exit_4_and_one_that_is_the_input_is_refused() {
    let run = shell("$SUPERVISOR -j1 --joblog /dev/full -- true ::: a");
    assert_eq!(run.code(), 4, "{}", run.stderr);
    assert!(run.stderr.contains("/dev/full"), "{}", run.stderr);
    let run = shell("$SUPERVISOR --joblog /nonexistent/log -- true ::: a");
    assert_eq!(run.code(), 2, "{}", run.stderr);
    assert!(run.stderr.contains("failed to create /nonexistent/log: "), "{}", run.stderr);
    for how in ["--joblog log -a log", "--joblog +log -a log", "--joblog log -a - < log"] {
        let kept =
            log_of(&format!("seq 3 > log; $SUPERVISOR --task echo {how} 2> error; echo $? >> log; cat error >> log"));
        let refused = "1\n2\n3\n2\nsupervisor: failed to write the joblog to log: it is the input ";
        assert!(kept.starts_with(refused), "{how}: {kept}");
    }
}
