//! How one worker or command is started: its folder, variables, streams, priority and temporary folder.

mod support;

use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use support::{PATIENCE, Run, output, pid_of, shell, wait_until_gone};

/// Runs the program on these words, which are cut at blanks; then `more`.
fn run(typed: &str, more: &[&str]) -> support::Finished {
    output(&typed.split_whitespace().chain(more.iter().copied()).collect::<Vec<_>>(), b"")
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn script(path: &Path, text: &str) {
    // Another process writes it: a file that is open for writing here, or in a child of another test, is busy.
    let make = "printf '%s\\n' '#!/bin/sh' \"$1\" > \"$0\" && chmod +x \"$0\"";
    assert!(Command::new("/bin/sh").args(["-c", make]).arg(path).arg(text).status().unwrap().success());
}

#[test]
fn a_command_starts_in_the_folder_of_its_item() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for name in ["one", "a b"] {
        fs::create_dir(at(name)).unwrap();
        script(Path::new(&at(name)).join("tool").as_path(), "pwd");
    }
    let (one, blank) = (at("one"), at("a b"));
    let both = format!("{one}\n{blank}\n");
    for flag in ["--workdir", "--wd"] {
        assert_eq!(run("-k", &[flag, "{}", "--", "pwd", ":::", &one, &blank]).stdout, both);
    }
    let base = dir.path().to_str().unwrap();
    let parts = run("-k", &["--wd", "{2}/{1/}", "--", "pwd", ":::", "x/one", "x/a b", ":::", base]);
    assert_eq!(parts.stdout, both, "{}", parts.stderr);
    // A program with a slash is the one of that folder; PATH may have relative folders, too.
    let own = run("-k", &["--wd", "{}", "--", "./tool", ":::", &one, &blank]);
    assert_eq!((own.stdout.as_str(), own.code()), (both.as_str(), 0), "{}", own.stderr);
    let fixed = run("-k", &["--wd", &one, "--env", "PATH=.:/bin", "--", "tool", ":::", "x"]);
    assert_eq!(fixed.stdout, format!("{one}\n"), "{}", fixed.stderr);
    // What is shown of a command is the command.
    assert_eq!(run("--dry-run", &["--wd", "{}", "--", "echo", ":::", &one]).stdout, format!("echo {one}\n"));
}

#[test]
fn a_folder_that_is_missing_fails_its_item_alone_or_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let missing = format!("{folder}/none");
    let run_in = |words: &[&str]| run("-k -j1", words);
    for program in ["pwd", "./tool"] {
        script(&dir.path().join("tool"), "pwd");
        let one = run_in(&["--wd", "{}", "--", program, ":::", &missing, folder]);
        assert_eq!((one.code(), one.stdout.as_str()), (1, format!("{folder}\n").as_str()), "{}", one.stderr);
        assert!(one.stderr.contains(&missing) && one.stderr.contains("No such file or directory"), "{}", one.stderr);
    }
    for words in
        [&["--", "pwd", ":::", "x"][..], &["--task", "echo", ":::", "x"], &["--protocol", "lines", "--", "cat"]]
    {
        for (folder, why) in [(missing.as_str(), "No such file"), ("/etc/passwd", "not a directory")] {
            let none = run_in(&[&["--wd", folder], words].concat());
            assert_eq!((none.code(), none.stdout.as_str()), (2, ""), "{}", none.stderr);
            assert_eq!(none.stderr.lines().count(), 1, "{}", none.stderr);
            assert!(none.stderr.contains(folder) && none.stderr.contains(why), "{}", none.stderr);
        }
    }
    for (words, why) in [
        (
            &["--wd", "{}", "--task", "echo", ":::", "x"][..],
            "workers stay, so their --workdir cannot depend on an item",
        ),
        (&["--wd", "", "--", "true", ":::", "x"], "--workdir '': no folder has an empty name"),
        (&["--wd", "/", "--isolation", "thread", ":::", "1"], "--workdir is for worker processes"),
    ] {
        let refused = run_in(words);
        assert_eq!((refused.code(), refused.stderr.contains(why)), (2, true), "{}", refused.stderr);
    }
}

#[test]
fn workers_that_stay_have_one_folder_and_their_variables() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let identity = run("-j1 --task identity", &["--wd", folder, ":::", "x"]);
    assert!(identity.stdout.contains(folder), "{}{}", identity.stdout, identity.stderr);
    script(&dir.path().join("tool"), "while read x; do echo \"$PWD $A $OMP_NUM_THREADS\"; done");
    let flags = "-j1 --protocol lines --threads-per-worker 3 --env A=first --env A=b=c";
    let lines = run(flags, &["--wd", folder, "--", "./tool", ":::", "x"]);
    assert_eq!(lines.stdout, format!("{folder} b=c 3\n"), "{}", lines.stderr);
    let own = run(flags, &["--env", "OMP_NUM_THREADS=7", "--wd", folder, "--", "./tool", ":::", "x"]);
    assert_eq!(own.stdout, format!("{folder} b=c 7\n"), "{}", own.stderr);
    for transport in ["pipe", "socket", "shm", "file", "mqueue", "channel"] {
        let there = run("-k -j2", &["--wd", folder, "--transport", transport, ":::", "2", "3"]);
        assert_eq!((there.code(), there.stdout.as_str()), (0, "4\n9\n"), "{transport}: {}", there.stderr);
    }
}

#[test]
fn a_variable_is_set_in_place_of_the_inherited_one() {
    let line = "A=inherited B=kept $SUPERVISOR -j1 --env A=set --env 'C=x y' --env D= -- \
         sh -c 'echo \"$A $B $C ${D-unset}.\"; env | grep -c ^A=' ::: x";
    assert_eq!(shell(line).stdout, "set kept x y .\n1\n");
    for (value, why) in [
        ("HOME", "every variable is inherited already; NAME=VALUE sets one"),
        ("=x", "a variable has a name"),
        ("SUPERVISOR_ITEM=3", "--env SUPERVISOR_ITEM: a run sets this variable itself"),
        ("PARALLEL_SEQ=3", "--env PARALLEL_SEQ: a run sets this variable itself"),
    ] {
        let refused = run("-j1", &["--env", value, "--", "true", ":::", "x"]);
        assert_eq!((refused.code(), refused.stderr.contains(why)), (2, true), "{}", refused.stderr);
    }
    let tmpdir = run("--item-tmp --env TMPDIR=/tmp -- true ::: x", &[]);
    assert_eq!((tmpdir.code(), tmpdir.stderr.contains("--env TMPDIR: a run sets")), (2, true), "{}", tmpdir.stderr);
}

#[test]
fn what_a_command_writes_to_either_stream_comes_in_its_order() {
    let both = "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done";
    let expected: String = (1..=5).map(|n| format!("out {n}\nerr {n}\n")).collect();
    let merged = run("-j1 --merge", &["--", "sh", "-c", both, "sh", ":::", "x"]);
    assert_eq!((merged.stdout.as_str(), merged.stderr.as_str()), (expected.as_str(), ""));
    let large = ": {}; head -c 200000 /dev/zero | tr '\\0' o; head -c 200000 /dev/zero | tr '\\0' e >&2; echo end >&2";
    let merged = run("-j1 --merge", &["--shell", "--", large, ":::", "x"]);
    assert_eq!(merged.stdout, format!("{}{}end\n", "o".repeat(200_000), "e".repeat(200_000)));
    let json = run("-j1 --merge --output json", &["--", "sh", "-c", both, "sh", ":::", "x"]);
    let object: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((object["result"].as_str(), json.stderr.as_str()), (Some(expected.as_str()), ""));
    let refused = run("--merge ::: 1", &[]);
    assert_eq!((refused.code(), refused.stderr.contains("--merge is for a command")), (2, true), "{}", refused.stderr);
}

#[test]
fn workers_are_nicer_by_what_is_asked_and_the_supervisor_is_not() {
    let ours: i32 = shell("nice").stdout.trim().parse().unwrap();
    let parent = "echo $(nice) $(ps -o ni= -p $PPID)";
    let command = run("-j1 --nice 3", &["--", "sh", "-c", parent, "sh", ":::", "x"]);
    assert_eq!(command.stdout, format!("{} {ours}\n", ours + 3), "{}", command.stderr);
    let stays = run("-j1 --nice 3 --protocol lines", &["--", "sh", "-c", "while read x; do nice; done", ":::", "x"]);
    assert_eq!(stays.stdout, format!("{}\n", ours + 3), "{}", stays.stderr);
    let last = run("-j1 --nice 19 -- sh -c nice ::: x", &[]);
    assert_eq!(last.stdout, "19\n", "{}", last.stderr);
    for flags in ["--nice 20", "--nice x", "--nice -21", "--nice 1 --isolation thread"] {
        assert_eq!(run(flags, &[":::", "1"]).code(), 2, "{flags}");
    }
}

#[test]
fn a_priority_that_is_not_allowed_is_refused_before_anything_starts() {
    let line = "setpriv --inh-caps -sys_nice --bounding-set -sys_nice prlimit --nice=0 \
         $SUPERVISOR --nice -5 -- echo ::: x";
    if !shell("setpriv --inh-caps -sys_nice --bounding-set -sys_nice prlimit --nice=0 true").status.success() {
        eprintln!("skipped: setpriv takes no capability away here");
        return;
    }
    let refused = shell(line);
    assert_eq!((refused.code(), refused.stdout.as_str()), (6, ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("start workers with --nice -5: Permission denied"), "{}", refused.stderr);
}

/// Prints the folder, its rights, how much is in it; and fills it with what is hard to remove.
const FILL: &str = "echo $TMPDIR $(stat -c %a $TMPDIR) $(ls -A $TMPDIR | wc -l); cd $TMPDIR; mkdir -p a/b/c empty; \
     echo x > a/b/file; ln -s \"$OUTSIDE\" a/link; ln -s / root; chmod 0 a/b/c a/b; chmod 500 a";

#[test]
fn each_attempt_has_a_folder_of_its_own_that_is_removed_behind_it() {
    let (parent, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("kept"), "").unwrap();
    let (dir, env) = (parent.path().to_str().unwrap(), format!("OUTSIDE={}", outside.path().display()));
    let items: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let script = format!("{FILL}; exit 3");
    let words = ["--tmpdir", dir, "--env", &env, "--output", "json", "--", "sh", "-c", &script, "sh", ":::"];
    let run = run("-j3 --item-tmp --retries 1 --max-dead never", &[&words[..], &items].concat());
    assert_eq!((run.code(), entries(parent.path())), (1, 0), "{}", run.stderr);
    assert!(outside.path().join("kept").exists(), "a link was followed");
    let objects = run.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let shown: BTreeSet<String> = objects.map(|object| object["result"].as_str().unwrap().to_owned()).collect();
    assert_eq!(shown.len(), 40);
    for line in shown {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[0].starts_with(dir) && words[1..] == ["700", "0"], "{line}");
    }
}

#[test]
fn no_temporary_folder_is_left_by_a_stop_or_a_kill() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGQUIT, 131), (Signal::SIGKILL, 137)] {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().to_str().unwrap();
        let script = format!("{FILL} >/dev/null; : > \"$OUTSIDE/$1\"; exec sleep 1000");
        let outside = tempfile::tempdir().unwrap();
        let env = format!("OUTSIDE={}", outside.path().display());
        let flags = ["-j2", "--grace", "0", "--item-tmp", "--tmpdir", dir, "--env", &env];
        let mut run = Run::start(&[&flags[..], &["--", "sh", "-c", &script, "sh", ":::", "a", "b"]].concat());
        let pids = [(); 2].map(|()| pid_of(&run.wait_for_event("worker_spawned")));
        let deadline = Instant::now() + PATIENCE;
        let wait_until = |is_so: &dyn Fn() -> bool| {
            while !is_so() {
                assert!(Instant::now() < deadline, "{signal}: {:?}", fs::read_dir(dir).unwrap().collect::<Vec<_>>());
                std::thread::yield_now();
            }
        };
        wait_until(&|| entries(outside.path()) == 2);
        run.signal(signal);
        assert_eq!(run.finish().code(), code);
        wait_until_gone(&pids);
        // The guard is another process, and goes on for a moment.
        wait_until(&|| entries(parent.path()) == 0);
    }
}

#[test]
fn the_folder_of_temporary_files_is_checked_and_told_to_workers() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().to_str().unwrap();
    assert_eq!(
        run("-j1", &["--tmpdir", dir, "--shell", "--", "echo $TMPDIR", ":::", "x"]).stdout,
        format!("{dir} x\n")
    );
    // Output that does not stay in memory.
    let large = run("-j1", &["--tmpdir", dir, "--shell", "--", "head -c 300000 /dev/zero; ls -A $TMPDIR", ":::", "."]);
    assert_eq!((large.code(), large.stdout.len() >= 300_000), (0, true), "{}", large.stderr);
    for flags in [&["--tmpdir", "/nonexistent/folder"][..], &["--tmpdir", "/etc/passwd", "--item-tmp"]] {
        let refused = run("-j1", &[flags, &["--", "true", ":::", "x"]].concat());
        assert_eq!((refused.code(), refused.stderr.contains(flags[1])), (2, true), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
}

#[test]
fn folders_are_as_of_gnu_parallel() {
    if !shell("parallel --version").status.success() {
        eprintln!("skipped: GNU parallel is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    script(&dir.path().join("tool"), "echo \"$(pwd) $*\"");
    fs::create_dir(dir.path().join("x")).unwrap();
    script(&dir.path().join("x/tool"), "echo \"x $(pwd) $*\"");
    let cd = format!("cd {}", dir.path().display());
    for (flags, command, items) in [
        ("--wd x", "./tool", "a 'b c'"),
        ("--wd {}", "pwd", "x ."),
        ("--wd {//}", "./tool {/}", "x/1 x/2"),
        ("--wd {2}", "./tool {1}", "a b ::: x ."),
        ("--wd {}", "./tool", "x ."),
        ("--wd x --tmpdir /tmp", "printenv", "TMPDIR"),
    ] {
        let ours = shell(&format!("{cd}; $SUPERVISOR -k {flags} -- {command} ::: {items}"));
        let theirs = shell(&format!("{cd}; parallel --will-cite -k {flags} {command} ::: {items}"));
        assert_eq!(ours.stdout, theirs.stdout, "{flags} {command}: {}{}", ours.stderr, theirs.stderr);
        assert!(!ours.stdout.is_empty(), "{flags} {command}");
    }
}
