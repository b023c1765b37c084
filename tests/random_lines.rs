//! Random command lines through the real program: no panic, no hang, no process and no file left, totals that add up,
//! and an exit code of the table.
//!
//! `random_lines/grammar.rs` draws the lines by seed, `random_lines/line.rs` runs them, `random_lines/verdict.rs` judges
//! them. `LINES=N` runs N lines, `LINE_SEED=N` begins with seed N. A failure prints the seed and the line.

#[path = "random_lines/grammar.rs"]
mod grammar;
#[path = "random_lines/line.rs"]
mod line;
#[path = "random_lines/verdict.rs"]
mod verdict;

use grammar::Generator;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use verdict::Reached;

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_supervisor");
const LINES: u64 = 500;
/// Of the lines, at least this many per cent must run, and be refused.
const RAN_PER_CENT: u64 = 35;
const REFUSED_PER_CENT: u64 = 10;
/// As many at a time.
const THREADS: usize = 2;

#[derive(Default)]
struct Tally {
    ran: u64,
    refused: u64,
    flags: BTreeSet<&'static str>,
    failures: Vec<String>,
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().expect("a number"))
}

#[test]
fn each_flag_has_a_rule_of_the_grammar() {
    grammar::assert_complete();
}

#[test]
fn every_line_ends_cleanly_with_totals_and_an_exit_code_that_fit() {
    let (first, lines) = (number_of("LINE_SEED").unwrap_or(0), number_of("LINES").unwrap_or(LINES));
    let generator = Generator::new(env!("CARGO_BIN_EXE_supervisor-worker"));
    let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= lines {
                        break;
                    }
                    run(&generator, first + index, &tally);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{} lines: {} ran, {} refused, {} flags", lines, tally.ran, tally.refused, tally.flags.len());
    assert!(tally.failures.is_empty(), "{} lines failed\n{}", tally.failures.len(), tally.failures.join("\n"));
    if lines >= LINES {
        assert!(tally.ran * 100 >= lines * RAN_PER_CENT, "only {} of {lines} lines ran", tally.ran);
        assert!(tally.refused * 100 >= lines * REFUSED_PER_CENT, "only {} of {lines} were refused", tally.refused);
        let never: Vec<_> = grammar::flags().filter(|flag| !tally.flags.contains(flag)).collect();
        assert!(never.is_empty(), "never drawn: {never:?}");
    }
}

fn run(generator: &Generator, seed: u64, tally: &Mutex<Tally>) {
    let line = generator.line(seed);
    let begun = Instant::now();
    let ran = line.run(SUPERVISOR);
    if std::env::var_os("LINES").is_some() {
        println!("seed {seed}, {:?}: {line}", begun.elapsed());
    }
    let (reached, faults) = verdict::judge(&line, &ran);
    let mut tally = tally.lock().unwrap();
    match reached {
        Reached::Ran => tally.ran += 1,
        Reached::Refused => tally.refused += 1,
        Reached::Other => {}
    }
    tally.flags.extend(&line.flags);
    if !faults.is_empty() {
        let mut text = format!("LINE_SEED={seed} LINES=1: {line}\n  {:?}", ran.status);
        for fault in &faults {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {fault}");
        }
        let stderr: String = ran.stderr.chars().take(2000).collect();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  stderr: {stderr}");
        tally.failures.push(text);
    }
}
