//! The corpus of each fuzz target, seeds and finds, as an ordinary test. `fuzz/README.md` says how to find more.

#[path = "../fuzz/entries/mod.rs"]
mod entries;

use std::path::Path;

/// Calls a target with each file of its corpus.
fn run(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no files in {}", folder.display());
    for file in files {
        // The last line before a failure names the file.
        println!("{}", file.display());
        entry(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn frames() {
    run("frames", entries::frames);
}

#[test]
fn session() {
    run("session", entries::session);
}

#[test]
fn control() {
    run("control", entries::control);
}

#[test]
fn journal() {
    run("journal", entries::journal);
}

#[test]
fn ring() {
    run("ring", entries::ring);
}

#[test]
fn splitter() {
    run("splitter", entries::splitter);
}

#[test]
fn trace() {
    run("trace", entries::trace);
}
