//! Runs with a journal, of the real program: killed at any moment and gone on with, refused where they are not the same,
//! stopped by a disk that is full.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::random::{Random, number_of};
use support::{Finished, SUPERVISOR, output, send, shell, wait_until_gone};

/// A folder with a list of `items` lines.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(items: u64) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.list("list", 1..items + 1);
        place
    }

    fn list(&self, name: &str, numbers: impl Iterator<Item = u64>) {
        let lines: String = numbers.map(|number| format!("item {number}\n")).collect();
        std::fs::write(self.path(name), lines).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Runs to the end: flags, then what works.
    fn run(&self, words: &[&str]) -> Finished {
        output(words, b"")
    }
}

/// Starts a run whose stdout is read line by line.
fn start(words: &[String]) -> (Child, BufReader<std::process::ChildStdout>) {
    support::restore_default_signals();
    let mut child = Command::new(SUPERVISOR)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// The children of a process.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect()
}

/// Kills a run at random moments and goes on each time, until all items are done. In keep-order the output is that of a run
/// that nothing disturbs, but for lines that are repeated at a seam.
fn kill_and_go_on(flags: &[&str], items: u64, kills: u64, random: &mut Random) {
    let place = Place::new(items);
    let mut words: Vec<String> =
        ["-q", "-k", "-a", &place.name("list"), "--journal", &place.name("journal"), "--resume"]
            .into_iter()
            .chain(flags.iter().copied())
            .map(str::to_owned)
            .collect();
    let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.splice(at..at, ["--kill-limit".to_owned(), "never".to_owned()]);
    let mut next = 1;
    for session in 0..=kills {
        let (mut child, mut out) = start(&words);
        // In the last session all of it, before that about as much as leaves the same for each.
        let lines =
            if session == kills { u64::MAX } else { random.below((2 * items / (kills + 1) + 1) as usize) as u64 };
        let (mut line, mut read, mut begins_at) = (String::new(), 0, None);
        while read < lines && out.read_line(&mut line).unwrap() > 0 {
            let number: u64 =
                line.trim_end().rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{line:?}"));
            let expected = begins_at.map_or(number, |first: u64| first + read);
            begins_at.get_or_insert(number);
            assert!(number == expected && number <= next, "item {number} instead of {expected}, before {next}");
            next = next.max(number + 1);
            read += 1;
            if random.below(40) == 0 {
                let workers = children(child.id());
                if !workers.is_empty() {
                    send(workers[random.below(workers.len())], Signal::SIGKILL);
                }
            }
            line.clear();
        }
        if session < kills {
            send(child.id(), Signal::SIGKILL);
        } else {
            assert_eq!(child.wait().unwrap().code(), Some(0), "{flags:?}");
        }
        child.wait().unwrap();
        // What was in the pipe when it was killed was given away, too.
        while out.read_line(&mut line).unwrap() > 0 {
            if let Some(number) = line.strip_suffix('\n').and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            {
                assert!(number <= next, "item {number} before {next}");
                next = next.max(number + 1);
            }
            line.clear();
        }
    }
    assert_eq!(next, items + 1, "each item was shown");
    let audit = output(&["audit", "--output", "json", &place.name("journal")], b"");
    let books: Value = serde_json::from_str(&audit.stdout).unwrap();
    let numbers =
        ["accepted", "done", "failed", "dead", "skipped", "in_flight"].map(|name| books[name].as_u64().unwrap());
    assert_eq!(numbers, [items, items, 0, 0, 0, 0]);
    assert_eq!((&books["balanced"], audit.code()), (&Value::Bool(true), 0), "{books}");
}

/// `JOURNAL_KILLS`: how many times; 50.
fn kills() -> u64 {
    number_of("JOURNAL_KILLS").unwrap_or(50)
}

#[test]
fn a_run_of_commands_is_killed_again_and_again_and_each_item_is_recorded_once() {
    kill_and_go_on(&["-j4", "--", "echo"], 5000, kills(), &mut Random::new("JOURNAL_SEED"));
}

#[test]
fn a_run_of_lines_is_killed_again_and_again_and_each_item_is_recorded_once() {
    kill_and_go_on(&["-j2", "--protocol", "lines", "--", "cat"], 5000, kills(), &mut Random::new("JOURNAL_SEED"));
}

#[test]
fn a_run_of_frames_is_killed_again_and_again_and_each_item_is_recorded_once() {
    kill_and_go_on(&["-j2", "--task", "echo", "--delay", "100us"], 5000, kills(), &mut Random::new("JOURNAL_SEED"));
}

#[test]
fn a_run_of_json_is_killed_again_and_again_and_each_item_is_recorded_once() {
    let worker = r#"while IFS= read -r line; do id=${line#*\"id\":}; id=${id%%[,\}]*}; item=${line#*\"item\":\"};
        printf '{"id":%s,"result":"%s"}\n' "$id" "${item%%\"*}"; done"#;
    kill_and_go_on(
        &["-j2", "--protocol", "json", "--", "bash", "-c", worker],
        5000,
        kills(),
        &mut Random::new("JOURNAL_SEED"),
    );
}

/// Workers that are killed again and again, and the supervisor with them: the file of results is that of a run that nothing
/// disturbs.
#[test]
fn an_output_file_is_byte_for_byte_that_of_an_undisturbed_run() {
    let mut random = Random::new("JOURNAL_SEED");
    for (flags, kills) in
        [(&["-j4", "--", "echo"][..], kills() / 2), (&["-j2", "--task", "echo", "--delay", "100us"], kills() / 2)]
    {
        let place = Place::new(3000);
        let (journal, file) = (place.name("journal"), place.name("output"));
        let own = ["-q", "-k", "-a", &place.name("list"), "--journal", &journal, "--resume", "--output-file", &file];
        let words: Vec<&str> = own.into_iter().chain(["--kill-limit", "never"]).chain(flags.iter().copied()).collect();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        for _ in 0..kills {
            // Until it has written so much to its journal. A worker is killed half way.
            let size = || std::fs::metadata(&journal).map_or(0, |metadata| metadata.len());
            let (before, more) = (size(), random.below(20_000) as u64);
            let (mut child, _out) = start(&words);
            for until in [before + more / 2, before + more] {
                while size() < until && child.try_wait().unwrap().is_none() {
                    std::thread::yield_now();
                }
                if let Some(worker) = children(child.id()).first() {
                    send(*worker, Signal::SIGKILL);
                }
            }
            send(child.id(), Signal::SIGKILL);
            child.wait().unwrap();
        }
        let last = output(&words.iter().map(String::as_str).collect::<Vec<_>>(), b"");
        assert_eq!((last.code(), last.stdout.as_str()), (0, ""), "{}", last.stderr);
        assert!(std::fs::read(&file).unwrap() == std::fs::read(place.path("list")).unwrap(), "{flags:?}");
        assert_eq!(output(&["audit", &journal], b"").code(), 0);
    }
}

#[test]
fn an_output_file_that_is_not_the_one_of_the_journal_is_refused() {
    let place = Place::new(9);
    let (journal, file, list) = (place.name("journal"), place.name("output"), place.name("list"));
    let run = |more: &[&str]| {
        let own = ["-q", "-k", "-a", &list, "--journal", &journal, "--output-file", &file];
        place.run(&own.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    };
    std::fs::write(&file, "mine\n").unwrap();
    let refused = run(&["--", "echo"]);
    assert!(refused.code() == 6 && refused.stderr.contains("output: it holds something"), "{}", refused.stderr);
    assert_eq!((std::fs::read(&file).unwrap().as_slice(), place.path("journal").exists()), (&b"mine\n"[..], false));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(run(&["--durability", "power", "--", "echo"]).code(), 0);
    let refused = run(&["--resume", "--tag", "--", "echo"]);
    assert!(refused.code() == 6 && refused.stderr.contains("tag is `` there, and `{}` here"), "{}", refused.stderr);
    File::options().write(true).open(&file).unwrap().set_len(5).unwrap();
    let refused = run(&["--resume", "--", "echo"]);
    assert!(
        refused.code() == 6 && refused.stderr.contains("it has 5 bytes, and the journal says"),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_the_reader_of_stdout_did_not_take_is_shown_by_the_next_session() {
    let place = Place::new(40_000);
    let (journal, list) = (place.name("journal"), place.name("list"));
    let run = format!("$SUPERVISOR -q -k -j2 -a {list} --journal {journal} --resume --task echo");
    let first = shell(&format!("{run} | head -n 7"));
    let rest = shell(&run);
    assert_eq!(rest.code(), 0, "{}", rest.stderr);
    let lines: Vec<&str> = rest.stdout.lines().collect();
    let begins_at = 40_000 - lines.len();
    assert_eq!(first.stdout.lines().count(), 7);
    // What was in the pipe when its reader went is lost with it.
    assert!(begins_at < 12_000, "{begins_at}: more than a pipe and its reader hold");
    let expected: Vec<String> = (begins_at as u64 + 1..=40_000).map(|number| format!("item {number}")).collect();
    assert!(lines == expected);
}

/// Flags for a run of `echo` on the list of a place, with its journal.
fn echo(place: &Place) -> Vec<String> {
    let words = ["-q", "-k", "-a", &place.name("list"), "--journal", &place.name("journal")];
    words.map(str::to_owned).to_vec()
}

fn with<'a>(words: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    words.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn a_run_that_is_not_the_same_is_refused_and_says_what_differs() {
    let place = Place::new(20);
    let words = echo(&place);
    assert_eq!(place.run(&with(&words, &["--", "echo"])).code(), 0);
    let refused = |more: &[&str], expected: &str| {
        let before = std::fs::read(place.path("journal")).unwrap();
        let finished = place.run(&with(&words, more));
        assert_eq!((finished.code(), finished.stdout.as_str()), (6, ""), "{}", finished.stderr);
        assert!(finished.stderr.contains(expected) && finished.stderr.lines().count() == 1, "{}", finished.stderr);
        assert!(std::fs::read(place.path("journal")).unwrap() == before, "it is as it was");
    };
    refused(&["--", "echo"], "journal: the file is there; add --resume to go on with it, or give another name");
    refused(&["--resume", "--", "cat"], "command is `echo` there, and `cat` here; give --force");
    refused(&["--resume", "--env", "A=b", "--", "echo"], "variable A is `none` there, and `b` here");
    place.list("list", [1, 2, 99].into_iter().chain(4..21));
    refused(&["--resume", "--", "echo"], "the input is not the one of the journal: items 0 to 19 differ");
    place.list("list", 1..5);
    refused(&["--resume", "--", "echo"], "the input has ended before item 4, and the journal has items up to 19");
    let forced = place.run(&with(&words, &["--resume", "--force", "--", "cat"]));
    assert_eq!((forced.code(), forced.stdout.as_str()), (0, ""), "{}", forced.stderr);
    place.list("list", 1..23);
    let grown = place.run(&with(&words, &["--resume", "--", "echo"]));
    assert_eq!((grown.code(), grown.stdout.as_str()), (0, "item 21\nitem 22\n"), "{}", grown.stderr);
}

#[test]
fn what_is_no_journal_of_ours_is_refused_and_stays() {
    let place = Place::new(3);
    std::fs::write(place.path("text"), "no journal\n").unwrap();
    symlink(place.path("nowhere"), place.path("link")).unwrap();
    nix::unistd::mkfifo(&place.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::create_dir(place.path("folder")).unwrap();
    let cases = [
        ("text", "it is no journal"),
        ("link", "it is a symbolic link"),
        ("fifo", "it is a named pipe"),
        ("folder", "it is a folder"),
        ("list", "it is no journal"),
    ];
    for (name, expected) in cases {
        for more in [&["--", "echo"][..], &["--resume", "--", "echo"]] {
            let words = ["-a", &place.name("list"), "--journal", &place.name(name)].map(str::to_owned);
            let finished = place.run(&with(&words, more));
            assert_eq!((finished.code(), finished.stdout.as_str()), (6, ""), "{name}: {}", finished.stderr);
            assert!(finished.stderr.contains(expected), "{name}: {}", finished.stderr);
        }
    }
    assert_eq!(std::fs::read(place.path("text")).unwrap(), b"no journal\n");
    assert!(!place.path("nowhere").exists());
    // A run that does not begin leaves no file.
    let finished = place.run(&["--journal", &place.name("new"), "--", "./no-such-command", ":::", "a"]);
    assert_eq!((finished.code(), place.path("new").exists()), (127, false), "{}", finished.stderr);
    let same = place.run(&["--journal", &place.name("new"), "--joblog", &place.name("new"), "--", "echo", ":::", "a"]);
    assert!(same.code() == 6 && same.stderr.contains("writes its joblog to it"), "{}", same.stderr);
    // What others may read is ours alone from then on.
    File::create(place.path("empty")).unwrap().set_permissions(Permissions::from_mode(0o666)).unwrap();
    assert_eq!(place.run(&["-q", "--journal", &place.name("empty"), "--", "true", ":::", "a"]).code(), 0);
    assert_eq!(place.path("empty").metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn one_run_writes_a_journal_and_a_second_one_says_who() {
    let place = Place::new(1);
    let journal = place.name("journal");
    let words = ["-q", "--journal", &journal, "--resume", "--", "sh", "-c", "echo $$; exec sleep 100", ":::", "a"];
    let (mut child, mut out) = start(&words.map(str::to_owned));
    // In a pipe the line comes when the command has ended; its process is there before.
    let is_sleep = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n");
    let worker = loop {
        if let Some(worker) = children(child.id()).into_iter().find(is_sleep) {
            break worker;
        }
        std::thread::yield_now();
    };
    let second = place.run(&words);
    let expected = format!("the run of process {}, since ", child.id());
    assert!(second.code() == 6 && second.stderr.contains(&expected), "{}", second.stderr);
    // Its workers are gone before the next one begins.
    send(child.id(), Signal::SIGKILL);
    child.wait().unwrap();
    let next = place.run(&["-q", "--journal", &journal, "--resume", "--force", "--", "echo", ":::", "b"]);
    assert_eq!((next.code(), next.stdout.as_str()), (0, "b\n"), "{}", next.stderr);
    assert!(!support::alive(worker));
    wait_until_gone(&[worker]);
    let mut rest = String::new();
    while out.read_line(&mut rest).unwrap() > 0 {}
}

#[test]
fn attempts_go_on_counting_and_what_failed_is_tried_again_where_that_is_asked_for() {
    let place = Place::new(1);
    let journal = place.name("journal");
    let run = |flags: &[&str]| {
        let script = "echo $SUPERVISOR_ATTEMPT; case $1 in fail) exit 3;; die) kill -9 $$;; esac";
        let words = ["-q", "-k", "--journal", &journal];
        let words: Vec<&str> = words.into_iter().chain(flags.iter().copied()).collect();
        place.run(&[&words[..], &["--", "sh", "-c", script, "x", "{}", ":::", "done", "fail", "die"]].concat())
    };
    let first = run(&["--retries", "1"]);
    assert_eq!((first.code(), first.stdout.as_str()), (1, "1\n2\n2\n"), "{}", first.stderr);
    let nothing = run(&["--resume"]);
    assert_eq!((nothing.code(), nothing.stdout.as_str()), (1, ""), "{}", nothing.stderr);
    let dead = run(&["--resume", "--retry-dead"]);
    assert_eq!((dead.code(), dead.stdout.as_str()), (1, "3\n"), "{}", dead.stderr);
    let failed = run(&["--resume", "--retry-failed", "--retries", "1"]);
    assert_eq!((failed.code(), failed.stdout.as_str()), (1, "4\n5\n"), "{}", failed.stderr);
}

#[test]
fn a_stop_leaves_what_was_not_done_for_the_next_session_in_order() {
    let place = Place::new(1);
    let journal = place.name("journal");
    let script = "test $1 = 2 && test $SUPERVISOR_ATTEMPT = 1 && kill -TERM $PPID && sleep 100; echo $1";
    let words = ["-q", "-k", "-j3", "--grace", "0", "--journal", &journal, "--resume", "--", "sh", "-c", script, "x"];
    let words = [&words[..], &["{}", ":::", "0", "1", "2", "3", "4", "5", "6", "7"]].concat();
    let stopped = place.run(&words);
    let shown: Vec<&str> = stopped.stdout.lines().collect();
    assert!(shown.len() <= 2 && shown == ["0", "1"][..shown.len()], "{}", stopped.stdout);
    let rest = place.run(&words);
    let lines: String = (shown.len()..8).map(|number| format!("{number}\n")).collect();
    assert_eq!((rest.code(), rest.stdout), (0, lines), "{}", rest.stderr);
}

#[test]
fn a_disk_that_is_full_ends_the_run_with_its_name_and_nothing_that_was_shown_is_lost() {
    let place = Place::new(2000);
    let (journal, list) = (place.name("journal"), place.name("list"));
    for limit_kib in [1, 4, 12] {
        let line =
            format!("ulimit -f {limit_kib}; exec $SUPERVISOR -q -k -j2 -a {list} --journal {journal} --task echo");
        let full = shell(&line);
        assert_eq!(full.code(), 4, "{}", full.stderr);
        assert!(full.stderr.contains(&format!("failed to write the journal {journal}: ")), "{}", full.stderr);
        let rest = place.run(&["-q", "-k", "-j2", "-a", &list, "--journal", &journal, "--resume", "--task", "echo"]);
        assert_eq!(rest.code(), 0, "{}", rest.stderr);
        let (shown, rest): (Vec<&str>, Vec<&str>) = (full.stdout.lines().collect(), rest.stdout.lines().collect());
        let begins_at = 2000 - rest.len();
        assert!(begins_at <= shown.len(), "{} and {} of 2000", shown.len(), rest.len());
        let expected: Vec<String> = (1..=2000).map(|number| format!("item {number}")).collect();
        assert!(shown == expected[..shown.len()] && rest == expected[begins_at..]);
        std::fs::remove_file(Path::new(&journal)).unwrap();
    }
}

#[test]
fn a_journal_that_is_torn_loses_the_torn_record_alone() {
    let place = Place::new(30);
    let words = echo(&place);
    assert_eq!(place.run(&with(&words, &["--", "echo"])).code(), 0);
    let whole = std::fs::read(place.path("journal")).unwrap();
    for cut in (whole.len() - 300..whole.len()).step_by(37) {
        std::fs::write(place.path("journal"), [&whole[..cut], &[0; 90]].concat()).unwrap();
        let words: Vec<String> = words.iter().filter(|word| *word != "-q").cloned().collect();
        let finished = place.run(&with(&words, &["--resume", "--", "echo"]));
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
        assert!(finished.stderr.contains("were no whole record and are cut off"), "{}", finished.stderr);
        let again = place.run(&with(&words, &["--resume", "--", "echo"]));
        assert!(again.code() == 0 && again.stdout.is_empty() && !again.stderr.contains("cut off"), "{}", again.stderr);
    }
    let mut damaged = whole;
    damaged[100] ^= 1;
    std::fs::write(place.path("journal"), &damaged).unwrap();
    let refused = place.run(&with(&words, &["--resume", "--", "echo"]));
    assert!(refused.code() == 6 && refused.stderr.contains("it is damaged at byte "), "{}", refused.stderr);
    assert!(std::fs::read(place.path("journal")).unwrap() == damaged);
}

/// Stands for the file in which commands write down what they begin.
const BEGUN: &str = "BEGUN";

/// A run by item of commands that write down what they do, on a list that is put in another order for each session.
struct ShuffledRun {
    place: Place,
    items: u64,
    words: Vec<String>,
}

impl ShuffledRun {
    fn new(items: u64, flags: &[&str], command: &[&str]) -> Self {
        let place = Place::new(0);
        let (list, journal) = (place.name("list"), place.name("journal"));
        let own = ["-q", "-a", &list, "--journal", &journal, "--resume", "--resume-by", "item"];
        let words = own.into_iter().chain(flags.iter().copied()).chain(command.iter().copied());
        let begun = place.name("begun");
        let words = words.map(|word| if word == BEGUN { begun.clone() } else { word.to_owned() }).collect();
        Self { place, items, words }
    }

    fn shuffle(&self, random: &mut Random) {
        let mut numbers: Vec<u64> = (0..self.items).collect();
        for last in (1..numbers.len()).rev() {
            numbers.swap(last, random.below(last + 1));
        }
        self.place.list("list", numbers.into_iter());
    }

    fn audit(&self) -> Value {
        let audit = output(&["audit", "--output", "json", &self.place.name("journal")], b"");
        let books: Value = serde_json::from_str(&audit.stdout).unwrap();
        assert_eq!((&books["balanced"], audit.code()), (&Value::Bool(true), 0), "{books}");
        books
    }
}

/// How many times each item is named, of lines that end in its number.
fn times(items: u64, text: &str) -> Vec<u64> {
    let mut times = vec![0; items as usize];
    for number in text.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()) {
        times[number] += 1;
    }
    times
}

/// Kills a run at random moments, and goes on with its list in another order, until all items are done. No item is begun
/// again, but for those that were in flight at a kill; each result is given away, and each audit balances.
fn kill_and_shuffle(flags: &[&str], command: &[&str], items: u64, kills: u64) {
    let mut random = Random::new("JOURNAL_SEED");
    let run = ShuffledRun::new(items, flags, command);
    let mut shown = String::new();
    for session in 0..=kills {
        run.shuffle(&mut random);
        let (mut child, mut out) = start(&run.words);
        let lines = if session == kills { usize::MAX } else { random.below((2 * items / (kills + 1)) as usize) };
        let mut line = String::new();
        for _ in 0..lines {
            line.clear();
            if out.read_line(&mut line).unwrap() == 0 {
                break;
            }
            shown += &line;
        }
        if session < kills {
            send(child.id(), Signal::SIGKILL);
        } else {
            assert_eq!(child.wait().unwrap().code(), Some(0), "{flags:?}");
        }
        child.wait().unwrap();
        line.clear();
        while out.read_line(&mut line).unwrap() > 0 {
            // What is cut off was not given away whole.
            shown += if line.ends_with('\n') { &line } else { "" };
            line.clear();
        }
        // It may have been killed before it had begun to write.
        if run.place.path("journal").metadata().is_ok_and(|journal| journal.len() > 22) {
            run.audit();
        }
    }
    let books = run.audit();
    let numbers = ["accepted", "done", "in_flight", "waiting"].map(|name| books[name].as_u64().unwrap_or(0));
    assert_eq!(numbers, [items, items, 0, 0], "{books}");
    let shown = times(items, &shown);
    assert_eq!(shown.iter().position(|times| *times == 0), None, "an item whose result was not given away");
    let begun = std::fs::read_to_string(run.place.path("begun")).unwrap_or_default();
    let begun = times(items, &begun);
    let (again, twice) = (begun.iter().map(|times| times.saturating_sub(1)).sum::<u64>(), shown.iter().sum::<u64>());
    println!("begun again: {again}; given away again: {}", twice - items);
    // Four slots and what is in hand for them.
    assert!(again <= kills * 4 * 3, "{again} items were begun again after {kills} kills");
}

#[test]
fn a_run_by_item_is_killed_and_its_list_is_shuffled_and_each_item_is_done_once() {
    let script = "echo \"$1\" >> \"$0\"; echo \"$1\"";
    for order in [&["-j4"][..], &["-j4", "-k"]] {
        kill_and_shuffle(order, &["--", "sh", "-c", script, BEGUN, "{}"], 2000, kills() / 5);
    }
}

#[test]
fn workers_that_stay_are_killed_and_their_list_is_shuffled_and_each_item_is_done() {
    kill_and_shuffle(&["-j2", "-k"], &["--task", "echo", "--delay", "20us"], 20_000, kills() / 5);
}

#[test]
fn an_output_file_by_item_has_the_result_of_each_item_once() {
    let place = Place::new(3);
    let (list, journal, file) = (place.name("list"), place.name("journal"), place.name("output"));
    let run = |more: &[&str]| {
        let own = ["-q", "-k", "-a", &list, "--journal", &journal, "--resume", "--output-file", &file];
        place.run(&own.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let refused = |more: &[&str], expected: &str| {
        let refused = run(more);
        assert!(refused.code() == 6 && refused.stderr.contains(expected), "{}", refused.stderr);
    };
    assert_eq!(run(&["--resume-by", "item", "--", "echo"]).code(), 0);
    refused(&["--", "echo"], "by position: it was made with --resume-by item; add --resume-by item");
    refused(&["--resume-by", "item", "--tag", "--", "echo"], "tag is `` there, and `{}` here");
    place.list("list", [9, 3, 7, 1].into_iter());
    File::options().append(true).open(&file).unwrap().set_len(30).unwrap();
    let grown = run(&["--resume-by", "item", "--", "echo"]);
    assert_eq!((grown.code(), grown.stdout.as_str()), (0, ""), "{}", grown.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "item 1\nitem 2\nitem 3\nitem 9\nitem 7\n");
    let other = run(&["--resume-by", "item", "--", "echo", "other"]);
    assert_eq!(other.code(), 0, "{}", other.stderr);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .ends_with("item 7\nother item 9\nother item 3\nother item 7\nother item 1\n")
    );
    let status = output(&["status", &journal], b"");
    let expected = "5 items were done in 2 earlier lists; of the present list, 0 were recognised";
    assert!(status.stdout.contains(expected), "{}", status.stdout);
    std::fs::remove_file(&journal).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(run(&["--", "echo"]).code(), 0);
    refused(&["--resume-by", "item", "--", "echo"], "made without --resume-by item, so it has no hashes of its items");
    refused(&["--resume-by", "item", "--force", "--", "echo"], "so it has no hashes of its items");
}

/// Nothing is run after them, so the run ends in the turn in which they are due.
#[test]
fn results_behind_the_last_item_that_runs_are_shown_too() {
    for (by, list, expected) in [
        ("position", "slow\na\nb\nc\n", "slow\na\nb\nc\n"),
        ("item", "slow\na\nb\nc\n", "slow\na\nb\nc\n"),
        ("item", "c\nslow\nd\na\n", "c\nslow\nd\na\n"),
        ("item", "b\nc\na\n", "b\nc\na\n"),
    ] {
        let place = Place::new(1);
        let (journal, name) = (place.name("journal"), place.name("list"));
        std::fs::write(&name, "slow\na\nb\nc\n").unwrap();
        let script = "case $1$SUPERVISOR_ATTEMPT in slow1) exec sleep 100;; esac; echo $1";
        let words = ["-q", "-k", "-j4", "-a", &name, "--journal", &journal, "--resume", "--resume-by", by];
        let words = [&words[..], &["--", "sh", "-c", script, "x"]].concat();
        let (mut child, mut out) = start(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        while !output(&["audit", "--output", "json", &journal], b"").stdout.contains("\"done\":3") {
            std::thread::yield_now();
        }
        send(child.id(), Signal::SIGKILL);
        child.wait().unwrap();
        assert_eq!(out.read_line(&mut String::new()).unwrap(), 0);
        std::fs::write(&name, list).unwrap();
        let second = place.run(&words);
        assert_eq!((second.code(), second.stdout.as_str()), (0, expected), "{by} {list}: {}", second.stderr);
        let third = place.run(&words);
        assert_eq!((third.code(), third.stdout.as_str()), (0, ""), "{by} {list}: {}", third.stderr);
    }
}
