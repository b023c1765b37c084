//! `supervisor parallel` beside GNU parallel: the command lines of `beside/parallel.txt` print the same bytes, leave the same
//! files and end with the same code by both.

mod beside;

use beside::{is_installed, outcome};

/// Our own, by the name of theirs.
const OURS: &str = "parallel() { supervisor parallel \"$@\"; }; set -o pipefail; ";
const THEIRS: &str = "set -o pipefail; ";

#[test]
fn each_line_does_what_it_does_by_gnu_parallel() {
    let lines: Vec<&str> = include_str!("beside/parallel.txt").trim_end().split("\n---\n").collect();
    assert!(lines.len() >= 150, "only {} lines", lines.len());
    if !is_installed("GNU parallel") {
        return println!("skipped: GNU parallel is not installed");
    }
    let mut different = Vec::new();
    for line in lines {
        let is_ordered = [" -k", " -j1", "--keep", "--dry-run"].iter().any(|flag| line.contains(flag));
        let (ours, ours_stderr) = outcome(&format!("{OURS}{line}"), is_ordered);
        let (theirs, theirs_stderr) = outcome(&format!("{THEIRS}{line}"), is_ordered);
        if ours != theirs {
            let (ours, theirs) = (ours.difference(&theirs), theirs.difference(&ours));
            different.push(format!("{line}\nours {ours} {ours_stderr:?}\ntheirs {theirs} {theirs_stderr:?}"));
        }
    }
    assert!(different.is_empty(), "{} lines differ:\n{}", different.len(), different.join("\n\n"));
}
