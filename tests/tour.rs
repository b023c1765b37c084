//! The guided tour as a reader takes it: every lesson in both languages, its claims, its exit codes, and what it leaves.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, pipe};
use std::process::{Command, Stdio};
use std::time::Instant;
use supervisor::tour::LESSONS;
use supervisor::tour::language::Language;
use supervisor::tour::layout::columns;
use support::{PATIENCE, SUPERVISOR, output, send, shell};

/// A variable that every process of a tour inherits: by its value they are found.
const MARK: &str = "TOUR_OF_TEST";

fn tour(mark: &str, words: &[&str]) -> Command {
    let mut command = Command::new(SUPERVISOR);
    command.arg("tour").args(words).env(MARK, mark).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// The processes that have inherited this mark and have not ended.
fn marked(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // An ended process has no environment any more.
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(format!("{:?}: {}", entry.file_name(), String::from_utf8_lossy(&words).replace('\0', " ")));
        }
    }
    found
}

/// Waits until no process with this mark is left.
fn assert_none_left(mark: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left: {left:#?}");
        std::thread::yield_now();
    }
}

/// Holds all lessons as text, 40 columns wide.
fn every_lesson_holds(language: Language) {
    let mark = format!("text-{}-{}", language.code(), std::process::id());
    let output = tour(&mark, &["all", "--auto", "--lang", language.code()]).env("COLUMNS", "40").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    // The stops that a lesson asks for are told also by quiet runs.
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.lines().all(|line| line.starts_with("supervisor: stop requested: ")), "{errors}");
    let mut is_command = false;
    for line in text.lines() {
        // A word of a command is never cut.
        is_command = line.starts_with("$ ") || (is_command && line.starts_with("  "));
        assert!(is_command || columns(line) <= 40, "wider than 40 columns: {line}");
        assert!(is_command || !line.contains(['{', '}']), "a place that is not filled in: {line}");
    }
    assert_none_left(&mark);
}

#[test]
fn every_lesson_holds_in_english() {
    every_lesson_holds(Language::English);
}

#[test]
fn every_lesson_holds_in_korean() {
    every_lesson_holds(Language::Korean);
}

#[test]
fn the_measured_values_are_one_object_for_each_lesson_and_nothing_else() {
    let mark = format!("json-{}", std::process::id());
    let output = tour(&mark, &["all", "--lang", "ko", "--output", "json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), LESSONS.len());
    for (object, lesson) in objects.iter().zip(LESSONS) {
        assert_eq!((&object["lesson"], &object["lang"]), (&lesson.name.into(), &"ko".into()));
        let claims = object["claims"].as_array().unwrap();
        assert!(claims.iter().all(|claim| claim["holds"] != false), "{claims:#?}");
        let mut texts: Vec<&str> = claims.iter().map(|claim| claim["text"].as_str().unwrap()).collect();
        let mut expected: Vec<&str> = lesson.words.claims.iter().map(|claim| claim.ko).collect();
        texts.sort_unstable();
        expected.sort_unstable();
        assert_eq!(texts, expected, "each claim of {} once", lesson.name);
        for value in object["values"].as_array().unwrap() {
            assert!(value["name"].is_string() && !value["value"].is_null() && value["unit"].is_string(), "{value}");
        }
    }
    assert_none_left(&mark);
}

/// Ctrl-C reaches the whole group; here the signal goes to the tour alone, and still nothing is left.
#[test]
fn a_tour_that_is_interrupted_leaves_no_process() {
    let mark = format!("interrupted-{}", std::process::id());
    for (lesson, line, signal) in [
        ("ipc", "4. The same means", Signal::SIGKILL),
        ("daemon", "lives on", Signal::SIGINT),
        ("daemon", "worker_ready", Signal::SIGKILL),
        ("race", "holds B", Signal::SIGKILL),
        ("countdown", "item 1", Signal::SIGTERM),
    ] {
        let mut child = tour(&mark, &[lesson, "--auto", "--lang", "en"]).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen = lines.map(Result::unwrap).find(|shown| shown.contains(line));
        assert!(seen.is_some(), "{lesson} does not say {line:?}");
        send(child.id(), signal);
        child.wait().unwrap();
        assert_none_left(&mark);
    }
}

#[test]
fn the_language_is_that_of_the_environment() {
    let list = |locale: &str| {
        let output = tour("list", &[]).env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", locale).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(list("ko_KR.UTF-8").starts_with("프로세스와 스레드 둘러보기\n"));
    assert!(list("C").starts_with("A tour of processes and threads\n"));
    let list = output(&["tour", "--output", "json", "--lang", "en"], b"");
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["lessons"].as_array().unwrap().len(), LESSONS.len());
}

#[test]
fn wrong_words_are_refused_with_the_remedy() {
    let refused = output(&["tour", "quue"], b"");
    assert_eq!((refused.code(), refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.starts_with("supervisor: no lesson is called \"quue\"; there are "), "{}", refused.stderr);
    let refused = output(&["tour", "queue", "--lang", "fr"], b"");
    assert_eq!(refused.code(), 2, "{}", refused.stderr);
    assert!(output(&["tour", "--help"], b"").stdout.contains("supervisor tour [LESSON|all]"));
}

#[test]
fn a_stdout_that_takes_no_more_ends_the_tour() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut child = tour("closed", &["order", "--auto"]).stdout(Stdio::from(writer)).spawn().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(Signal::SIGPIPE as i32));
    for redirect in [">&-", ">/dev/full"] {
        let failed = shell(&format!("$SUPERVISOR tour order --auto {redirect}"));
        assert_eq!(failed.code(), 5, "{redirect}");
        assert!(failed.stderr.starts_with("supervisor: failed to write the lesson: "), "{}", failed.stderr);
    }
}
