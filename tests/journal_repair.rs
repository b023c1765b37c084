//! Journals of the real program that are compacted, damaged and repaired between sessions. `JOURNAL_SEED` repeats a test.

mod support;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use support::random::{Random, number_of};
use support::{Finished, SUPERVISOR, output, send, shell};

const ITEMS: u64 = 1500;

/// A folder with a list, a journal of it, and a file of results.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        let lines: String = (1..=ITEMS).map(|number| format!("item {number}\n")).collect();
        std::fs::write(place.path("list"), lines).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn journal_bytes(&self) -> u64 {
        std::fs::metadata(self.path("journal")).map_or(0, |metadata| metadata.len())
    }

    /// The words of a run that goes on with the journal.
    fn words(&self, flags: &[&str]) -> Vec<String> {
        let own = ["-q", "-a", &self.name("list"), "--journal", &self.name("journal"), "--resume"];
        own.into_iter().chain(flags.iter().copied()).map(str::to_owned).collect()
    }

    fn run(&self, flags: &[&str]) -> Finished {
        let words = self.words(flags);
        output(&words.iter().map(String::as_str).collect::<Vec<_>>(), b"")
    }

    fn tool(&self, name: &str, more: &[&str]) -> Finished {
        output(&[&[name, &self.name("journal")], more].concat(), b"")
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs until the journal has grown by so many bytes, and is killed then.
    fn run_and_kill(&self, flags: &[&str], more: u64) {
        let before = self.journal_bytes();
        let mut child = start(&self.words(flags));
        while self.journal_bytes() < before + more && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        send(child.id(), Signal::SIGKILL);
        child.wait().unwrap();
    }

    /// Writes zeros somewhere behind the first record.
    fn damage(&self, random: &mut Random) {
        let mut bytes = std::fs::read(self.path("journal")).unwrap();
        let opened = 22 + 9 + u32::from_le_bytes(bytes[22..26].try_into().unwrap()) as usize;
        let at = opened + random.below(bytes.len() - opened);
        let end = bytes.len().min(at + 1 + random.below(600));
        bytes[at..end].fill(0);
        std::fs::write(self.path("journal"), bytes).unwrap();
    }
}

fn start(words: &[String]) -> Child {
    support::restore_default_signals();
    let mut command = Command::new(SUPERVISOR);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

fn json_of(run: &Finished) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {} {}", run.stdout, run.stderr))
}

/// Killed, compacted, damaged, repaired and gone on with, again and again: the file of results is that of a run that nothing
/// disturbs, byte for byte.
#[test]
fn an_output_file_is_that_of_an_undisturbed_run_whatever_becomes_of_the_journal() {
    let mut random = Random::new("JOURNAL_SEED");
    for flags in [&["-j4", "--", "echo"][..], &["-j2", "--task", "echo", "--delay", "100us"]] {
        let place = Place::new();
        let file = place.name("output");
        let flags = [&["-k", "--output-file", &file], flags].concat();
        for _ in 0..number_of("JOURNAL_KILLS").unwrap_or(12) {
            place.run_and_kill(&flags, random.below(30_000) as u64);
            if place.journal_bytes() < 1000 {
                continue;
            }
            if random.below(2) == 0 {
                let compacted = place.tool("compact", &["--output", "json"]);
                assert_eq!(compacted.code(), 0, "{}", compacted.stderr);
            }
            if random.below(2) == 0 {
                place.damage(&mut random);
                let repaired = place.tool("audit", &["--repair", "--output", "json"]);
                assert_eq!(repaired.code(), 0, "{}", repaired.stderr);
                assert_eq!(place.tool("audit", &[]).code(), 0);
            }
        }
        let last = place.run(&flags);
        assert_eq!((last.code(), last.stdout.as_str()), (0, ""), "{}", last.stderr);
        assert!(std::fs::read(&file).unwrap() == std::fs::read(place.path("list")).unwrap(), "{flags:?}");
        let books = json_of(&place.tool("audit", &["--output", "json"]));
        assert_eq!((&books["done"], &books["balanced"]), (&json!(ITEMS), &json!(true)));
    }
}

/// Each item is shown by one of the sessions, in order or not.
#[test]
fn a_journal_that_is_compacted_shows_the_same() {
    let script = "case $1 in *7) echo no >&2; exit 3;; esac; echo $1";
    let place = Place::new();
    let command = ["-j3", "--journal-results", "--", "sh", "-c", script, "x"];
    place.run_and_kill(&command, 60_000);
    assert_eq!(place.run(&command).code(), 1);
    let forms = ["jsonl", "csv", "joblog", "failed", "remaining", "junit"];
    let reports = || {
        let exported = forms.map(|form| place.tool("export", &["--format", form]).stdout);
        let shown = ["0", "6", "1499"].map(|item| json_of(&place.tool("show", &[item, "--output", "json"])));
        let shown = shown.map(|story| [&story["outcome"], &story["attempts"], &story["result"]].map(Value::clone));
        (exported, shown, place.tool("status", &[]).stdout, place.tool("audit", &[]).stdout)
    };
    let before = reports();
    let compacted = json_of(&place.tool("compact", &["--output", "json"]));
    assert_eq!(compacted["bytes"], json!(place.journal_bytes()));
    assert!(compacted["bytes"].as_u64() < compacted["bytes_before"].as_u64());
    assert!(before == reports(), "what was asked for is kept");
    // The next session knows what failed, and shows nothing else again.
    let again = place.run(&["-k", "--retry-failed", "--", "echo"]);
    assert_eq!(again.code(), 6, "another command: {}", again.stderr);
    let again = place.run(&[&["--retry-failed"][..], &command].concat());
    assert_eq!((again.code(), again.stdout.as_str()), (1, ""), "{}", again.stderr);
    let text = place.tool("compact", &[]).stdout;
    assert!(text.ends_with(" bytes now\n") && text.contains(" bytes before, "), "{text}");
    let mode = std::fs::metadata(place.path("journal")).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, place.names()), (0o600, vec!["journal".to_owned(), "list".to_owned()]));
}

#[test]
fn a_damage_is_repaired_and_the_damaged_file_is_kept() {
    let place = Place::new();
    let command = ["-k", "--", "echo"];
    assert_eq!(place.run(&command).code(), 0);
    let sound = std::fs::read(place.path("journal")).unwrap();
    let untouched = place.tool("audit", &["--repair"]);
    assert!(untouched.code() == 0 && untouched.stdout.contains("nothing to repair"), "{}", untouched.stdout);
    let mut damaged = sound.clone();
    let half = sound.len() / 2;
    damaged[half..half + 200].fill(0xff);
    std::fs::write(place.path("journal"), &damaged).unwrap();
    let refused = place.run(&command);
    assert!(refused.code() == 6 && refused.stderr.contains("audit --repair"), "{}", refused.stderr);
    let audit = place.tool("audit", &[]);
    assert!(audit.code() == 1 && audit.stderr.contains("audit --repair"), "{}", audit.stderr);
    std::fs::write(place.path("journal.damaged"), "mine").unwrap();
    let repaired = place.tool("audit", &["--repair"]);
    assert_eq!(repaired.code(), 0, "{}", repaired.stderr);
    let name = place.name("journal.damaged.2");
    assert!(repaired.stdout.contains(&name) && repaired.stdout.contains("lost: bytes "), "{}", repaired.stdout);
    assert!(std::fs::read(&name).unwrap() == damaged);
    assert_eq!(std::fs::read(place.path("journal.damaged")).unwrap(), b"mine");
    let next = place.run(&command);
    assert_eq!(next.code(), 0, "{}", next.stderr);
    let books = json_of(&place.tool("audit", &["--output", "json"]));
    assert_eq!((&books["done"], &books["balanced"]), (&json!(ITEMS), &json!(true)));
}

#[test]
fn what_cannot_be_written_anew_is_refused_and_stays() {
    let place = Place::new();
    assert_eq!(place.run(&["--", "echo"]).code(), 0);
    std::fs::write(place.path("text"), "no journal\n").unwrap();
    std::fs::write(place.path("empty"), "").unwrap();
    symlink(place.path("journal"), place.path("link")).unwrap();
    let (names, journal) = (place.names(), std::fs::read(place.path("journal")).unwrap());
    for words in [&["compact"][..], &["audit", "--repair"]] {
        let cases = [("missing", "No such file"), ("text", "is no journal"), ("empty", "is empty"), (".", "folder")];
        for (name, why) in cases.into_iter().chain([("link", "symbolic link")]) {
            let run = output(&[words, &[&place.name(name)]].concat(), b"");
            assert!(run.code() == 6 && run.stderr.contains(why), "{words:?} {name}: {} {}", run.code(), run.stderr);
        }
    }
    // A disk that takes no more.
    let run = shell(&format!("ulimit -f 8; $SUPERVISOR compact {}", place.name("journal")));
    assert!(run.code() == 4 && run.stderr.contains("File too large"), "{} {}", run.code(), run.stderr);
    let run = shell(&format!("$SUPERVISOR compact {} >&-", place.name("journal")));
    assert_eq!(run.code(), 5, "nobody could read the answer: {}", run.stderr);
    assert_eq!(place.names(), names, "nothing is left behind");
    assert!(std::fs::read(place.path("journal")).unwrap() == journal, "and nothing has changed");
    // A run that goes on.
    let used = place.name("used");
    let mut child = start(&["-q", "--journal", &used, "--", "sleep", ":::", "100"].map(str::to_owned));
    while std::fs::metadata(&used).map_or(0, |metadata| metadata.len()) == 0 {
        std::thread::yield_now();
    }
    for words in [&["compact"][..], &["audit", "--repair"]] {
        let run = output(&[words, &[&used]].concat(), b"");
        assert!(run.code() == 6, "{} {}", run.code(), run.stderr);
        let expected = format!("the run of process {}, since ", child.id());
        assert!(run.stderr.contains(&expected), "{}", run.stderr);
    }
    send(child.id(), Signal::SIGKILL);
    child.wait().unwrap();
}
