//! Dead items: in a file of their own, from the journal, run again and given up. And runs that go by a joblog.

mod support;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Finished, SUPERVISOR, output, send};

/// A folder, in which the programs run.
struct Place {
    dir: tempfile::TempDir,
}

/// Notes its item in `ran`, and dies of those that begin with `b` until there is a file `healed`.
const SCRIPT: &str = "printf '%s\\n' \"$1\" >> ran; case $1 in b*) test -e healed || kill -SEGV $$;; esac";

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What ran since the last call.
    fn ran(&self) -> Vec<String> {
        let ran = self.read("ran");
        let _ = std::fs::remove_file(self.path("ran"));
        ran.lines().map(str::to_owned).collect()
    }

    fn command(&self, program: &str) -> Command {
        support::restore_default_signals();
        let beside = Path::new(SUPERVISOR).parent().unwrap().as_os_str().to_owned();
        let path = [beside, OsString::from(":"), std::env::var_os("PATH").unwrap()].into_iter().collect::<OsString>();
        let mut command = Command::new(program);
        command.current_dir(self.dir.path()).env("PATH", path).stdin(Stdio::null());
        command
    }

    fn finished(mut command: Command) -> Finished {
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Finished {
            status: output.status,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            events: Vec::new(),
        }
    }

    /// Runs to the end, one at a time.
    fn run(&self, words: &[&str]) -> Finished {
        let mut command = self.command(SUPERVISOR);
        command.args(words);
        Self::finished(command)
    }

    /// A run of the script on these items.
    fn run_script(&self, flags: &[&str], items: &[&str]) -> Finished {
        let script = ["--", "sh", "-c", SCRIPT, "x", "{}", ":::"];
        self.run(&[&["-q", "-j1"], flags, &script, items].concat())
    }

    /// Pastes a line into a shell.
    fn paste(&self, line: &str) -> Finished {
        let mut command = self.command("/bin/sh");
        command.args(["-c", line]);
        Self::finished(command)
    }
}

/// The line of a letter that runs its item alone.
fn line(letter: &Value) -> &str {
    letter["command"].as_str().unwrap_or_else(|| panic!("{letter}"))
}

#[test]
fn a_dead_item_is_written_with_its_causes_and_a_line_that_runs_it_alone() {
    let place = Place::new();
    let run = place.run_script(&["--retries", "1", "--dead-letters", "dead"], &["a", "b'c d", "b\n$(x)", "b"]);
    assert_eq!((run.code(), run.stderr.as_str()), (1, ""));
    place.ran();
    let letters = place.lines("dead");
    assert_eq!(letters.iter().map(|letter| &letter["item"]).collect::<Vec<_>>(), [1, 2, 3]);
    let first = &letters[0];
    assert_eq!((&first["input"], &first["attempts"]), (&json!("b'c d"), &json!(2)));
    assert_eq!((first["causes"].as_array().unwrap().len(), &first["causes"][1]["exit"]["name"]), (2, &json!("SEGV")));
    for letter in &letters {
        let pasted = place.paste(line(letter));
        let ran = place.ran().join("\n");
        assert_eq!((pasted.code(), ran.as_str()), (1, letter["input"].as_str().unwrap()), "{letter}");
    }
    assert_eq!(place.path("dead").metadata().unwrap().mode() & 0o777, 0o600);
    // The next run begins it anew.
    place.run_script(&["--dead-letters", "dead"], &["a"]);
    assert_eq!(place.read("dead"), "");
}

#[test]
fn flags_that_matter_and_odd_items_are_in_the_line() {
    let place = Place::new();
    let check = |flags: &[&str], last: &str| {
        let run = place.run(&[&["-q", "-j1", "--dead-letters", "dead"], flags].concat());
        assert_eq!(run.code(), 1, "{flags:?}: {}", run.stderr);
        let letters = place.lines("dead");
        place.ran();
        let pasted = place.paste(line(&letters[0]));
        let mut ran = place.ran();
        // A worker that stays may die of it several times.
        ran.dedup();
        assert_eq!((pasted.code(), ran.join(" ").as_str()), (1, last), "{}", line(&letters[0]));
    };
    let die = "echo \"$0 $*\" >> ran; kill -SEGV $$";
    check(&["-n2", "--", "sh", "-c", die, "x", ":::", "a b", "c"], "x a b c");
    check(&["--", "sh", "-c", die, "{2}", "{1}", ":::", "a", ":::", "b"], "b a");
    check(&["-X", "-j1", "--", "sh", "-c", die, "x", "<{}>", ":::", "a", "b"], "x <a> <b>");
    check(
        &["--shell", "-I", "@", "--env", "V=1 2", "--", "echo \"$V\" @ >> ran; kill -SEGV $$", ":::", "a'b"],
        "1 2 a'b",
    );
    check(&["--stdin", "--", "sh", "-c", "cat >> ran; kill -SEGV $$", ":::", "a b"], "a b");
    let script = "while read line; do echo \"$line\" >> ran; kill -SEGV $$; done";
    check(&["--crash-limit", "1", "--protocol", "lines", "--", "sh", "-c", script, ":::", "a b"], "a b");
    std::fs::write(place.path("list"), ":::\n").unwrap();
    check(&["-a", "list", "--", "sh", "-c", die, "x"], "x :::");
    let task = place.run(&["-q", "--crash-limit", "1", "--dead-letters", "dead", "--task", "signal", ":::", "11"]);
    assert_eq!((task.code(), line(&place.lines("dead")[0])), (1, "supervisor --task signal ::: 11"));
    // A NUL is no part of a word.
    std::fs::write(place.path("list"), "a\0b\n").unwrap();
    place.run(&["-q", "--dead-letters", "dead", "-a", "list", "--stdin", "--", "sh", "-c", "kill -SEGV $$"]);
    let letter = &place.lines("dead")[0];
    assert_eq!((&letter["input"], letter.get("command")), (&json!("a\0b"), None));
    assert!(letter["no_command"].as_str().unwrap().contains("NUL"), "{letter}");
}

#[test]
fn a_file_of_dead_items_that_cannot_be_written_is_told() {
    let place = Place::new();
    let full = place.run_script(&["--dead-letters", "/dev/full"], &["b"]);
    assert!(full.code() == 4 && full.stderr.contains("write /dev/full: No space left"), "{}", full.stderr);
    symlink(place.path("goal"), place.path("link")).unwrap();
    let refused = |name: &str, code, text: &str| {
        let run = place.run_script(&["--dead-letters", name], &["b"]);
        assert!(run.code() == code && run.stderr.contains(text), "{name}: {}", run.stderr);
    };
    refused("link", 2, "it is a symbolic link");
    refused(".", 2, "Is a directory");
    refused("missing/file", 2, "No such file");
    refused("-", 2, "--dead-letters - would mix them into the results");
    assert!(!place.path("goal").exists());
    std::fs::write(place.path("list"), "b\n").unwrap();
    let input = place.run(&["--dead-letters", "list", "-a", "list", "--", "true"]);
    assert!(input.code() == 2 && input.stderr.contains("it is the input"), "{}", input.stderr);
    assert_eq!(place.read("list"), "b\n");
    let journal = place.run_script(&["--dead-letters", "new", "--journal", "new"], &["b"]);
    assert!(journal.code() == 6 && journal.stderr.contains("writes its dead letters to it"), "{}", journal.stderr);
}

#[test]
fn a_run_that_goes_on_appends_and_the_journal_lists_the_same_objects() {
    let place = Place::new();
    let items = ["a", "b 1", "c", "b\x1b2"];
    let flags = ["--journal", "journal", "--resume", "--dead-letters", "dead"];
    assert_eq!(place.run_script(&flags, &items).code(), 1);
    let listed = place.run(&["dead", "journal", "list", "--output", "json"]);
    let (listed, mut written) = (listed.stdout.lines().map(serde_json::from_str::<Value>), place.lines("dead"));
    let mut listed: Vec<Value> = listed.map(Result::unwrap).collect();
    for letter in listed.iter_mut().chain(&mut written) {
        // The session and the reporter have each taken the time of their start.
        assert!(letter.as_object_mut().unwrap().remove("time").is_some_and(|time| time.is_string()));
    }
    assert_eq!((listed.len(), &listed), (2, &written));
    let text = place.run(&["dead", "journal", "list"]);
    assert_eq!(text.stdout, "1\t1\tsignal 11 (SEGV)\t\"b 1\"\n3\t1\tsignal 11 (SEGV)\t\"b\\u{1b}2\"\n");
    // Nothing died, and what is there stays; then one dies again.
    assert_eq!(place.run_script(&flags, &items).code(), 1);
    assert_eq!(place.lines("dead").len(), 2);
    assert_eq!(place.run_script(&[&flags[..], &["--retry-dead"]].concat(), &items).code(), 1);
    assert_eq!(place.lines("dead").iter().map(|letter| &letter["attempts"]).collect::<Vec<_>>(), [1, 1, 2, 2]);
}

#[test]
fn dead_items_are_run_again_or_given_up_as_a_person_asks() {
    let place = Place::new();
    let items = ["a", "b1", "b2", "b3", "b4"];
    let flags = ["-k", "--journal", "journal", "--resume"];
    assert_eq!(place.run_script(&flags, &items).code(), 1);
    let dead = |words: &[&str]| place.run(&[&["dead", "journal"], words].concat());
    let counts = || {
        let status = place.run(&["status", "journal", "--output", "json"]).stdout;
        let status: Value = serde_json::from_str(&status).unwrap();
        ["done", "dead", "skipped", "in_flight"].map(|name| status[name].as_u64().unwrap())
    };
    let before = std::fs::read(place.path("journal")).unwrap();
    for (words, line) in [
        (&["retry", "1", "0"][..], "item 0 is done, and not dead; nothing was changed"),
        (&["drop", "2", "9"], "item 9 is not in it; nothing was changed"),
    ] {
        let refused = dead(words);
        let line = format!("supervisor: failed to change the journal journal: {line}\n");
        assert_eq!((refused.code(), refused.stdout.as_str(), refused.stderr), (2, "", line));
    }
    assert_eq!(dead(&["list", "1"]).code(), 2);
    assert!(std::fs::read(place.path("journal")).unwrap() == before, "nothing was changed");

    assert_eq!(dead(&["retry", "2", "1", "2"]).stdout, "2 items are run again by the next --resume\n");
    assert_eq!(dead(&["drop", "4"]).stdout, "1 item is dropped\n");
    assert_eq!((counts(), place.run(&["audit", "journal"]).code()), ([1, 1, 1, 2], 0));
    let shown = place.run(&["show", "journal", "4"]).stdout;
    assert!(shown.contains("It was dropped: it is given up, and counts as skipped."), "{shown}");
    assert!(
        shown.starts_with("item 4: \"b4\": skipped after 1 attempt") || shown.contains("skipped after 1 attempt"),
        "{shown}"
    );
    place.ran();
    std::fs::write(place.path("healed"), "").unwrap();
    assert_eq!(place.run_script(&flags, &items).code(), 1);
    assert_eq!((place.ran(), counts()), (vec!["b1".to_owned(), "b2".to_owned()], [3, 1, 1, 0]));
    let story = place.run(&["show", "journal", "1", "--output", "json"]).stdout;
    assert!(story.contains(r#""outcome":"done","attempts":2"#), "{story}");
    // What was dropped is not dead.
    assert_eq!(place.run_script(&[&flags[..], &["--retry-dead"]].concat(), &items).code(), 1);
    assert_eq!((place.ran(), counts()), (vec!["b3".to_owned()], [4, 0, 1, 0]));
    assert_eq!(dead(&["retry"]).stdout, "no item is dead\n");
    assert_eq!(dead(&["list"]).stdout, "");
}

/// A journal that a run writes is listed, and not changed.
#[test]
fn a_journal_in_use_is_not_changed() {
    let place = Place::new();
    let mut run = place.command(SUPERVISOR);
    let script = "case $1 in b) kill -SEGV $$;; esac; echo up; exec sleep 1000";
    run.args(["-q", "-j1", "--lb", "--journal", "journal", "--", "sh", "-c", script, "x", "{}", ":::", "b", "c"]);
    let mut run = run.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    // It stays open: a run whose stdout is closed ends.
    let mut stdout = BufReader::new(run.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    assert_eq!(place.run(&["dead", "journal", "list"]).stdout, "0\t1\tsignal 11 (SEGV)\t\"b\"\n");
    let refused = place.run(&["dead", "journal", "drop"]);
    let holder = format!("the run of process {}, since ", run.id());
    assert!(refused.code() == 6 && refused.stderr.contains(&holder), "{}", refused.stderr);
    send(run.id(), Signal::SIGKILL);
    run.wait().unwrap();
    // The guard ends the worker, and is waited for. A record that was begun is cut off.
    std::fs::File::options().append(true).open(place.path("journal")).unwrap().write_all(b"torn").unwrap();
    let dropped = place.run(&["dead", "journal", "drop"]);
    assert_eq!((dropped.code(), dropped.stdout.as_str()), (0, "1 item is dropped\n"), "{}", dropped.stderr);
    let audit = place.run(&["audit", "journal", "--output", "json"]).stdout;
    let audit: Value = serde_json::from_str(&audit).unwrap();
    assert_eq!((&audit["skipped"], &audit["balanced"], &audit["damage"]), (&json!(1), &json!(true), &json!([])));
}

#[test]
fn what_is_no_journal_has_no_dead_items() {
    let place = Place::new();
    std::fs::write(place.path("other"), "hello, this is no journal\n").unwrap();
    std::fs::write(place.path("empty"), "").unwrap();
    symlink(place.path("other"), place.path("link")).unwrap();
    for (name, what) in [
        ("missing", "the file cannot be opened: No such file"),
        (".", "the file is a folder; give the file itself"),
        ("link", "the file is a symbolic link; give the file itself"),
        ("other", "the file is no journal"),
        ("empty", "the file is empty"),
    ] {
        for action in ["list", "retry", "drop"] {
            let run = place.run(&["dead", name, action]);
            assert!(run.code() == 6 && run.stderr.contains(what), "{name} {action}: {}", run.stderr);
        }
    }
    assert_eq!(place.read("other"), "hello, this is no journal\n");
    assert!(!place.path("missing").exists());
    for words in [&["dead"][..], &["dead", "x"], &["dead", "x", "shoot"], &["dead", "x", "drop", "-1"]] {
        assert_eq!(output(words, b"").code(), 2, "{words:?}");
    }
}

#[test]
fn a_run_goes_by_a_joblog_as_gnu_parallel_does() {
    let place = Place::new();
    let script = ["--", "sh", "-c", "echo $1 >> ran; test -e healed || exit ${1#e}", "x", "{}"];
    let run = |flags: &[&str], items: &[&str]| {
        let run = place.run(&[&["-q", "-j1"], flags, &script, &[":::"], items].concat());
        (run.code(), place.ran().join(" "), run.stderr)
    };
    let numbers = || {
        let log = place.read("log");
        log.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(run(&["--joblog", "log"], &["e0", "e3"]), (1, "e0 e3".to_owned(), String::new()));
    assert_eq!(run(&["--resume", "log"], &["e0", "e3", "e4"]), (1, "e4".to_owned(), String::new()));
    assert_eq!(numbers(), "1 2 3");
    std::fs::write(place.path("healed"), "").unwrap();
    // The same file by both names, and again those that failed.
    assert_eq!(run(&["--resume", "log", "--joblog", "log"], &["e0", "e3", "e4"]), (0, String::new(), String::new()));
    let again = run(&["--resume", "log", "--retry-failed", "--joblog", "+log"], &["e0", "e3", "e4"]);
    assert_eq!(again, (0, "e3 e4".to_owned(), String::new()));
    assert_eq!(numbers(), "1 2 3 2 3");
    // A job is known by its number alone.
    assert_eq!(run(&["--resume", "log"], &["x", "y", "z", "new"]).1, "new");
    let log = place.read("log");
    let of_journal = "is for a journal, and log is a joblog; leave";
    for (flags, what) in [
        (&["--retry-dead"][..], of_journal),
        (&["--force"], of_journal),
        (&["--durability", "power"], of_journal),
        (&["--journal-results"], of_journal),
        (&["--output-file", "out"], of_journal),
        (&["--joblog", "other"], "--joblog other is another one"),
    ] {
        let (code, ran, line) = run(&[&["--resume", "log"], flags].concat(), &["e0"]);
        assert!(code == 2 && ran.is_empty() && line.contains(what), "{flags:?}: {line}");
    }
    assert_eq!(run(&["--journal", "log", "--resume"], &["e0"]).0, 6);
    assert_eq!(run(&["--journal", "journal", "--resume", "log"], &["e0"]).0, 2);
    assert_eq!(place.read("log"), log);
    std::fs::write(place.path("log"), "Seq\tHost\tbut this is none\nno line\n").unwrap();
    let (code, _, line) = run(&["--resume", "log"], &["e0"]);
    assert!(code == 2 && line.contains("--resume log is no joblog, because of its line \"no line\""), "{line}");
    // A file that is not there is a journal that is made.
    assert_eq!(run(&["--resume", "made"], &["e0"]).0, 0);
    assert!(std::fs::read(place.path("made")).unwrap().starts_with(b"SVJOURN\n"));
}
