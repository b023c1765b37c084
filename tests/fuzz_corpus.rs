//! What fuzzing has found, and what it began with, as ordinary tests: `fuzz/README.md` says how to find more.

#[path = "../fuzz/entries/mod.rs"]
mod entries;

use std::path::Path;

/// Calls a target with each file of its corpus.
fn run(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "nothing lies in {}", folder.display());
    for file in files {
        // The last line before a failure says where it was.
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
fn ring() {
    run("ring", entries::ring);
}

#[test]
fn splitter() {
    run("splitter", entries::splitter);
}
