//! What the README and the pages on output, chaos and signals show is what the program prints: every `console` block is run and compared. The
//! Rust of the README is an example that is built. What differs from run to run (pids, times, the worker of an
//! item) is blanked out on both sides, and lines are compared as a set.

mod support;

use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");
const LIBRARY_PAGE: &str = include_str!("../docs/library.md");
const OUTPUT_PAGE: &str = include_str!("../docs/output.md");
const CHAOS_PAGE: &str = include_str!("../docs/chaos.md");
const SIGNALS_PAGE: &str = include_str!("../docs/signals.md");

/// The blocks fenced as `language`.
fn blocks(page: &'static str, language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    page.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The commands of a block, each with the output shown below it.
fn commands(block: &str) -> Vec<(&str, Vec<&str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, output))) => output.push(line),
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    commands
}

/// Blanks out what differs from run to run, then sorts. A number differs if it follows
/// one of these words, is in a row of the summary's table, or is a time.
fn comparable<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let blank = |line: &str| {
        let table = line.contains("MiB") || line.contains("ended by");
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        for at in 0..words.len() {
            let number = words[at].chars().all(|c| c.is_ascii_digit() || ".,():".contains(c));
            let named = at > 0 && ["worker", "(pid", "pid"].contains(&words[at - 1].as_str());
            let another_pid = at > 0 && words[at - 1] == "#" && line.contains("started");
            let time = words.get(at + 1).is_some_and(|next| next == "s") && words[at].contains('.');
            if number && (table || named || another_pid || time) {
                words[at] = "#".to_owned();
            }
        }
        words.join(" ")
    };
    let mut lines: Vec<String> = lines.into_iter().map(blank).collect();
    lines.sort();
    lines
}

#[test]
fn every_output_shown_is_real() {
    support::restore_default_signals();
    let program = Path::new(env!("CARGO_BIN_EXE_supervisor"));
    let folder = program.parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut compared = 0;
    let pages = [README, OUTPUT_PAGE, CHAOS_PAGE, SIGNALS_PAGE];
    for (command, shown) in pages.into_iter().flat_map(|page| blocks(page, "console")).flat_map(commands) {
        let run = || {
            let output = Command::new("/bin/bash")
                .args(["-c", &format!("({command}) 2>&1")])
                .env("PATH", format!("{folder}:{path}"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        let mut real = run();
        // What a person does at a moment is a pause in a line here, which a loaded machine may miss once.
        if command.contains("sleep") && comparable(real.lines()) != comparable(shown.iter().copied()) {
            real = run();
        }
        assert_eq!(comparable(real.lines()), comparable(shown), "$ {command}\n{real}");
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} commands were found");
}

#[test]
fn the_programs_shown_are_examples_that_are_built() {
    let example = include_str!("../examples/upper.rs");
    let shown = blocks(README, "rust");
    assert_eq!(shown.len(), 2);
    assert!(example.ends_with(shown[0]), "{}", shown[0]);
    // A documentation test compiles and runs the examples of that page.
    assert_eq!(blocks(LIBRARY_PAGE, "rust")[0], shown[1]);
}

#[test]
fn every_flag_of_the_help_is_in_the_readme_and_the_other_way_round() {
    // The options of GNU parallel are left to the help of the subcommand that has them.
    let rows = supervisor::cli::subcommand::ROWS.iter().filter(|row| row.name != "parallel");
    let subcommands = rows.map(|row| vec![row.name, "-h"]);
    let mut help = String::new();
    for arguments in subcommands.chain([vec!["-h"]]) {
        let output = Command::new(env!("CARGO_BIN_EXE_supervisor")).args(arguments).output().unwrap();
        help.push_str(&String::from_utf8(output.stdout).unwrap());
    }
    let flags = |text: &str| -> std::collections::BTreeSet<String> {
        text.split(|c: char| !c.is_ascii_lowercase() && c != '-')
            .filter(|word| word.len() > 3 && word.starts_with("--"))
            .map(str::to_owned)
            .collect()
    };
    // Flags of other programs, and those that the table leaves to the help.
    let others = [
        "--release",
        "--init",
        "--target",
        "--bin",
        "--pipe",
        "--readme",
        "--arg-file",
        "--null",
        "--delimiter",
        "--workers",
        "--jobs",
        "--keep-order",
        "--quiet",
    ];
    let known = |flag: &String| !others.contains(&flag.as_str());
    let (in_help, in_readme) = (flags(&help), flags(README));
    let missing: Vec<_> = in_help
        .difference(&in_readme)
        .filter(|flag| known(flag) && !["--help", "--version", "--seed"].contains(&flag.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
    let unknown: Vec<_> = in_readme.difference(&in_help).filter(|flag| known(flag)).collect();
    assert!(unknown.is_empty(), "not in the help: {unknown:?}");
}
