//! `supervisor parallel` beside GNU parallel: the command lines of `beside/parallel.txt` print the same bytes, leave the same
//! files and end with the same code by both.

mod beside;

use beside::{is_installed, outcome};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Our own, by the name of theirs.
const OURS: &str = "parallel() { supervisor parallel \"$@\"; }; set -o pipefail; ";
const THEIRS: &str = "set -o pipefail; ";

/// Lines wait for processes most of the time.
const THREADS: usize = 4;

/// What differs between ours and theirs.
fn difference(line: &str) -> Option<String> {
    let is_ordered = [" -k", " -j1", "--keep", "--dry-run"].iter().any(|flag| line.contains(flag));
    let (ours, ours_stderr) = outcome(&format!("{OURS}{line}"), is_ordered);
    let (theirs, theirs_stderr) = outcome(&format!("{THEIRS}{line}"), is_ordered);
    let (own, other) = (ours.difference(&theirs), theirs.difference(&ours));
    (ours != theirs).then(|| format!("{line}\nours {own} {ours_stderr:?}\ntheirs {other} {theirs_stderr:?}"))
}

#[test]
fn each_line_does_what_it_does_by_gnu_parallel() {
    let lines: Vec<&str> = include_str!("beside/parallel.txt").trim_end().split("\n---\n").collect();
    assert!(lines.len() >= 150, "only {} lines", lines.len());
    if !is_installed("GNU parallel") {
        return println!("skipped: GNU parallel is not installed");
    }
    let next = AtomicUsize::new(0);
    let compare_some = || {
        let mut different = Vec::new();
        while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
            different.extend(difference(line));
        }
        different
    };
    let different: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(compare_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(different.is_empty(), "{} lines differ:\n{}", different.len(), different.join("\n\n"));
}
