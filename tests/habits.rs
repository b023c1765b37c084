//! What is answered to fingers that know GNU parallel and xargs: the real program, and the page that lists it.

use std::path::Path;
use std::process::{Command, Output};
use supervisor::cli::habits;

fn supervisor(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_supervisor")).args(words).output().unwrap()
}

#[track_caller]
fn refused(words: &[&str], code: i32, line: &str) {
    let output = supervisor(words);
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("supervisor: {line}\n"), "{words:?}");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{words:?}");
}

/// `SNAPSHOTS=overwrite` writes it.
#[test]
fn the_page_has_the_table_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/habits.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, shown) = page.split_once("\n## Options\n\n").expect("the heading of the table");
    if std::env::var("SNAPSHOTS").is_ok_and(|mode| mode == "overwrite") {
        std::fs::write(&path, format!("{before}\n## Options\n\n{}", habits::table())).unwrap();
        return;
    }
    assert_eq!(shown, habits::table());
}

#[test]
fn each_option_is_answered_by_the_program() {
    for option in habits::HABITS.iter().flat_map(|habit| habit.options) {
        refused(&[option], 2, &habits::answer(option).unwrap());
    }
    refused(&["--eta=x", "--", "true"], 2, "--eta: part of --progress; see docs/habits.md");
    refused(&["-x3"], 2, &habits::answer("-x").unwrap());
}

/// The long options that GNU parallel itself knows, by the table in its source.
#[test]
fn no_option_of_gnu_parallel_is_unknown() {
    let Ok(source) = std::fs::read("/usr/bin/parallel") else {
        println!("skipped: /usr/bin/parallel is not there");
        return;
    };
    let source = String::from_utf8_lossy(&source);
    let Some((_, table)) = source.split_once("sub options_completion_hash()") else {
        println!("skipped: this version of GNU parallel keeps its options elsewhere");
        return;
    };
    let (table, _) = table.split_once("\n}").unwrap();
    let mut unknown = Vec::new();
    for text in table.split(['"', '\'']).filter(|text| text.starts_with(|char: char| char.is_ascii_lowercase())) {
        let names = text.split(['=', ':', '[']).next().unwrap_or_default().split('|');
        for name in names.filter(|name| name.len() > 2 && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')) {
            let option = format!("--{name}");
            let stderr = String::from_utf8_lossy(&supervisor(&[&option]).stderr).into_owned();
            if stderr.contains("unexpected argument") {
                unknown.push(option);
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_command_without_its_separator_is_answered_with_the_line_that_was_meant() {
    let line = |corrected: &str, word: &str| {
        format!("unexpected word {word:?}; a command goes behind --: supervisor {corrected}")
    };
    refused(&["-j", "2", "echo", ":::", "a"], 2, &line("-j 2 -- echo ::: a", "echo"));
    refused(&["-j2", "ls", "-l", ":::", "a b", "c"], 2, &line("-j2 -- ls -l ::: 'a b' c", "ls"));
    refused(&["--task", "echo", "echo", "::::", "f"], 2, &line("--task echo -- echo :::: f", "echo"));
    refused(&["gzip -9 {}"], 2, &line("-- 'gzip -9 {}'", "gzip -9 {}"));
}

#[test]
fn a_command_in_one_word_is_answered_with_the_ways_to_mean_it() {
    let line = "failed to run echo {}: command not found in PATH; it is one word: give the program and its arguments as \
                words of their own (-- echo {}), or add --shell to run it as a script of the shell";
    refused(&["--", "echo {}", ":::", "a"], 127, line);
}
