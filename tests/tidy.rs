//! The rules of the house, as a test: who may import whom, what may be named where, how long things
//! may be. A violation is told with its place and with what to do instead.
//!
//! The rules are the tables below; `tidy/source.rs` reads the code. That the rules bite is tested too,
//! with a planted violation of each.

#[path = "tidy/source.rs"]
mod source;

use source::{Path, Source, Token};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path as FilePath;

/// Most lines of a file, tests aside. Longer ones are two files. A limit may only tighten.
const FILE_LINES_MAX: usize = 500;
/// Most lines of a function: a screenful and a half. A limit may only tighten.
const FUNCTION_LINES_MAX: usize = 70;
/// Most lines of a program: it parses, runs and exits; all else is the library's. A limit may only tighten.
const PROGRAM_LINES_MAX: usize = 40;

/// What the files below `place` may import of ours, apart from their own floor's module.
struct Floor {
    place: &'static str,
    may: &'static [&'static str],
    /// Exceptions from `may`.
    never: &'static [&'static str],
}

/// The first entry that a file lies below holds.
const FLOORS: &[Floor] = &[
    Floor { place: "src/lib.rs", may: MODULES, never: &[] },
    Floor { place: "src/model/", may: &[], never: &[] },
    Floor { place: "src/exit_code.rs", may: &["model"], never: &[] },
    Floor { place: "src/wire/", may: &["model"], never: &[] },
    Floor { place: "src/core/", may: &["model"], never: &[] },
    Floor { place: "src/sys/", may: &["model::exit", "model::signal", "model::time"], never: &[] },
    Floor { place: "src/protocol/", may: &["model", "wire"], never: &[] },
    Floor { place: "src/transport/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/command/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/source/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/reporter/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/journal/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/trace/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/control/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/net/", may: &["model", "wire", "sys", "source"], never: &[] },
    // Of a transport, the worker's end alone.
    Floor {
        place: "src/worker/",
        may: &["model", "wire", "protocol", "sys", "transport"],
        never: &[
            "protocol::Protocol",
            "transport::transport",
            "transport::Transport",
            "transport::Channel",
            "transport::progress_page::ProgressReader",
        ],
    },
    Floor { place: "src/cli/", may: &["model"], never: &[] },
    // The one place where a worker is made of threads instead of processes.
    Floor { place: "src/engine/ports.rs", may: MODULES, never: &["cli"] },
    Floor { place: "src/engine/", may: MODULES, never: &["cli", "worker"] },
    Floor { place: "bin/", may: &["cli", "engine", "worker", "exit_code"], never: &[] },
];

/// All modules of the library.
const MODULES: &[&str] = &[
    "model",
    "exit_code",
    "wire",
    "core",
    "sys",
    "protocol",
    "transport",
    "command",
    "source",
    "reporter",
    "journal",
    "trace",
    "control",
    "net",
    "worker",
    "engine",
    "cli",
];

/// In which part of a file a ban holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    /// Files of tests, and what stands behind `#[cfg(test)]`.
    Tests,
    Comments,
}

/// What must not be named, and what to do instead.
struct Ban {
    /// A path, by its beginning, or a word anywhere.
    what: &'static str,
    part: Part,
    /// Where it holds.
    within: &'static [&'static str],
    /// Where it does not, all the same.
    but: &'static [&'static str],
    instead: &'static str,
}

const EVERYWHERE: &[&str] = &[""];
const CORE: &[&str] = &["src/core/"];
const OURS: &[&str] = &["src/", "bin/"];

const fn of_core(what: &'static str, instead: &'static str) -> Ban {
    Ban { what, part: Part::Code, within: CORE, but: &[], instead }
}

const BANS: &[Ban] = &[
    of_core("std::time", "take the time as an argument, as a `model::time` value"),
    of_core("std::thread", "the core is a plain value; what waits is the engine's business"),
    of_core("std::io", "give an `Action` and let the engine carry it out"),
    of_core("std::fs", "give an `Action` and let the engine carry it out"),
    of_core("std::net", "give an `Action` and let the engine carry it out"),
    of_core("std::process", "give an `Action` and let the engine carry it out"),
    of_core("std::env", "take it as part of the `Policy`"),
    of_core("rand", "draw from the seed of the `Policy`, so that a run can be replayed"),
    of_core("HashMap", "use a BTreeMap or a Vec: the order of a HashMap differs from run to run"),
    of_core("HashSet", "use a BTreeSet or a Vec: the order of a HashSet differs from run to run"),
    Ban { what: "unsafe", part: Part::Code, within: OURS, but: &["src/sys/"], instead: "add a safe call to `sys`" },
    Ban {
        what: "process::exit",
        part: Part::Code,
        within: OURS,
        but: &["bin/", "src/worker/"],
        instead: "return an error, or an exit code, up to `bin`",
    },
    Ban {
        what: "bincode",
        part: Part::Code,
        within: OURS,
        but: &["src/wire/codec.rs"],
        instead: "call `wire::codec`, the only place that knows how messages are coded",
    },
    Ban {
        what: "tokio",
        part: Part::Code,
        within: OURS,
        but: &["src/net/"],
        instead: "put the fd into the one poll set of the engine",
    },
    Ban { what: "todo", part: Part::Code, within: EVERYWHERE, but: &[], instead: "write it, or leave it out" },
    Ban { what: "unimplemented", part: Part::Code, within: EVERYWHERE, but: &[], instead: "write it, or leave it out" },
    Ban { what: "dbg", part: Part::Code, within: EVERYWHERE, but: &[], instead: "take it out again" },
    Ban {
        what: concat!("TO", "DO"),
        part: Part::Comments,
        within: EVERYWHERE,
        but: &[],
        instead: "do it, or write an issue about it",
    },
    Ban {
        what: concat!("FIX", "ME"),
        part: Part::Comments,
        within: EVERYWHERE,
        but: &[],
        instead: "do it, or write an issue about it",
    },
    Ban {
        what: "thread::sleep",
        part: Part::Tests,
        within: EVERYWHERE,
        but: &[],
        instead: "wait for the event that the test is about",
    },
];

/// Where Rust lies, below the package's folder.
const FOLDERS: [&str; 5] = ["src", "bin", "tests", "benches", "examples"];

#[derive(Debug, PartialEq, Eq)]
struct Violation {
    line: usize,
    text: String,
}

/// All that is wrong with one file. `place` is its path below the package's folder, with `/`.
fn violations(place: &str, text: &str) -> Vec<Violation> {
    let mut source = Source::read(text);
    if is_test_file(place) {
        source.tests.append(&mut source.code);
        source.code_lines = 0;
    }
    let mut found = Vec::new();
    floors(place, &source.code, &mut found);
    bans(place, &source, &mut found);
    sizes(place, &source, &mut found);
    if place.starts_with("src/") && place != "src/lib.rs" && !is_test_file(place) && !text.starts_with("//!") {
        found.push(violation(1, "it does not say what it is for; begin it with a `//!` comment"));
    }
    found
}

fn violation(line: usize, text: impl Into<String>) -> Violation {
    Violation { line, text: text.into() }
}

fn is_test_file(place: &str) -> bool {
    place.starts_with("tests/") || place.contains("/tests/") || place.ends_with("/tests.rs")
}

fn floors(place: &str, code: &[Token<'_>], found: &mut Vec<Violation>) {
    let Some(floor) = FLOORS.iter().find(|floor| place.starts_with(floor.place)) else {
        if OURS.iter().any(|folder| place.starts_with(folder)) {
            found.push(violation(1, "it lies on no floor; put it into a module, and a new module into FLOORS"));
        }
        return;
    };
    let own = place.strip_prefix("src/").and_then(|rest| rest.split(['/', '.']).next()).unwrap_or_default();
    for path in full_paths(place, code) {
        let [first @ ("crate" | "supervisor"), module, ..] = path.names[..] else { continue };
        if module == own || !MODULES.contains(&module) || (first == "supervisor" && !place.starts_with("bin/")) {
            continue;
        }
        let name = path.names[1..].join("::");
        let is_below = |allowed: &&&str| is_prefix(allowed, &name);
        if floor.never.iter().any(|never| is_below(&never)) || !floor.may.iter().any(|may| is_below(&may)) {
            let may = if floor.may.is_empty() { "nothing of ours".to_owned() } else { floor.may.join(", ") };
            let but =
                if floor.never.is_empty() { String::new() } else { format!(", but not {}", floor.never.join(", ")) };
            found.push(violation(
                path.line,
                format!(
                    "{} may not import {name}; it may import {may}{but}. Move the code up, or a plain value down",
                    floor.place
                ),
            ));
        }
    }
}

fn bans(place: &str, source: &Source<'_>, found: &mut Vec<Violation>) {
    let is_below = |folders: &[&str]| folders.iter().any(|folder| place.starts_with(folder));
    for ban in BANS.iter().filter(|ban| is_below(ban.within) && !is_below(ban.but)) {
        let lines: Vec<usize> = match ban.part {
            Part::Comments => {
                source.comments.iter().filter(|token| token.text.contains(ban.what)).map(|token| token.line).collect()
            }
            Part::Code => named(place, &source.code, ban.what),
            Part::Tests => named(place, &source.tests, ban.what),
        };
        found.extend(
            lines
                .into_iter()
                .map(|line| violation(line, format!("`{}` may not stand here; {}", ban.what, ban.instead))),
        );
    }
}

/// Where `what` is named, as a word or as part of a path.
fn named(place: &str, tokens: &[Token<'_>], what: &str) -> Vec<usize> {
    let mut lines: Vec<usize> = if what.contains("::") {
        let is_named = |path: &Path<'_>| {
            let name = path.names.join("::");
            is_prefix(what, &name) || is_prefix(what, name.strip_prefix("std::").unwrap_or_default())
        };
        full_paths(place, tokens).into_iter().filter(is_named).map(|path| path.line).collect()
    } else {
        tokens.iter().filter(|token| token.text == what).map(|token| token.line).collect()
    };
    lines.dedup();
    lines
}

/// Whether the path `name` is `start`, or lies within it.
fn is_prefix(start: &str, name: &str) -> bool {
    name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The paths in a file, from their root: `super::x` as `crate::...::x`, and what is named by the last
/// part of another path (`use std::process; process::exit(0)`) in full.
fn full_paths<'a>(place: &'a str, tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let inner = place.strip_prefix("src/").unwrap_or(place).trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    let here: Vec<&str> = std::iter::once("crate").chain(inner.split('/')).collect();
    let mut paths = source::paths(tokens);
    for path in &mut paths {
        let above = path.names.iter().take_while(|name| **name == "super").count();
        let is_relative = above > 0 || path.names[0] == "self";
        if is_relative {
            let rest = path.names.split_off(above.max(1));
            path.names = here[..here.len().saturating_sub(above).max(1)].to_vec();
            path.names.extend(rest);
        }
        // `use a::b::{self}` is `use a::b`.
        path.names.pop_if(|name| *name == "self");
    }
    let known: BTreeMap<&str, Vec<&str>> = paths
        .iter()
        .filter(|path| matches!(path.names[..], ["crate" | "supervisor" | "std", _, ..]))
        .filter_map(|path| path.names.last().map(|last| (*last, path.names.clone())))
        .collect();
    for path in &mut paths {
        if let Some(full) = known.get(path.names[0]) {
            path.names.splice(..1, full.iter().copied());
        }
    }
    paths
}

fn sizes(place: &str, source: &Source<'_>, found: &mut Vec<Violation>) {
    let lines_max = if place.starts_with("bin/") { PROGRAM_LINES_MAX } else { FILE_LINES_MAX };
    if source.code_lines > lines_max {
        let text =
            format!("the file has {} lines, tests aside; more than {lines_max} are two files", source.code_lines);
        found.push(violation(1, text));
    }
    for function in source::functions(&source.code).iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
        let (name, lines) = (function.name, function.lines);
        let text = format!("`{name}` has {lines} lines; more than {FUNCTION_LINES_MAX} are two functions");
        found.push(violation(function.line, text));
    }
}

/// Calls `visit` with the place and the text of each Rust file below `folder`.
fn for_each_file(package: &FilePath, folder: &FilePath, visit: &mut impl FnMut(&str, &str)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            for_each_file(package, &path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let place = path.strip_prefix(package).unwrap().to_str().unwrap();
            visit(place, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_house_is_tidy() {
    let package = FilePath::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut report) = (0, String::new());
    for folder in FOLDERS {
        for_each_file(package, &package.join(folder), &mut |place, text| {
            files += 1;
            for Violation { line, text } in violations(place, text) {
                writeln!(report, "{place}:{line}: {text}").unwrap();
            }
        });
    }
    assert!(files > MODULES.len(), "only {files} files found below {}", package.display());
    assert!(report.is_empty(), "the rules of the house are broken:\n{report}");
}

/// What is wrong with a file of this content, each as `line: text`; a first line is put in front.
#[track_caller]
fn check(place: &str, lines: &str, expected: &[&str]) {
    let found = violations(place, &format!("//! For a test.\n{lines}"));
    let found: Vec<String> = found.iter().map(|found| format!("{}: {}", found.line, found.text)).collect();
    let is_as_expected = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
    assert!(is_as_expected, "in {place} of\n{lines}\nfound {found:#?}\nand not {expected:#?}");
}

#[test]
fn an_import_from_a_wrong_floor_is_found() {
    check("src/model/x.rs", "use crate::sys::fd;", &["2: src/model/ may not import sys::fd; it may import nothing of"]);
    check("src/core/x.rs", "use crate::wire::frame::{A, B};", &["2: src/core/ may not", "2: src/core/ may not"]);
    check("src/sys/x.rs", "use crate::model::{exit, ids};", &["2: src/sys/ may not import model::ids; it may import"]);
    check("src/command/x.rs", "\nfn f() { crate::source::f() }", &["3: src/command/ may not import source::f"]);
    check("src/command/a/x.rs", "use super::super::super::core::Core;", &["2: src/command/ may not"]);
    check(
        "src/protocol/x.rs",
        "use crate::transport::Channel;",
        &["2: src/protocol/ may not import transport::Channel"],
    );
    check("src/transport/mod.rs", "use super::{\n    core::Core,\n    model::ids,\n};", &["3: src/transport/ may not"]);
    check(
        "src/worker/x.rs",
        "use crate::transport;\nfn f() { transport::transport() }",
        &["3: src/worker/ may not import"],
    );
    check("src/engine/x.rs", "use crate::{cli, worker};", &["2: src/engine/ may", "2: src/engine/ may"]);
    check("bin/x.rs", "use supervisor::{cli, core::Core};", &["2: bin/ may not import core::Core; it may import cli,"]);
    check("src/new.rs", "", &["1: it lies on no floor"]);
}

#[test]
fn an_import_from_a_right_floor_is_none() {
    check("src/core/x.rs", "use super::queue::Q;\nuse crate::core::pool;\nuse crate::model::ids::{self, ItemId};", &[]);
    check("src/engine/ports.rs", "use crate::worker::threads;", &[]);
    check("src/worker/x.rs", "use crate::transport::{self, Connection};\nfn f() { transport::connect() }", &[]);
    check("bin/x.rs", "use supervisor::{cli, engine, exit_code, worker};", &[]);
    check("src/core/x.rs", "//! Like crate::sys.\nconst A: &str = \"crate::sys::fd \\\" \"; // crate::sys::fd", &[]);
    check("src/core/x.rs", "#[cfg(test)]\nmod tests {\n    use crate::sys::fd;\n}", &[]);
    check("src/core/x.rs", "const A: char = '\"';\nconst B: &str = r#\"a\" crate::sys::fd\"#;", &[]);
}

#[test]
fn each_ban_is_found_where_it_holds_and_only_there() {
    for ban in BANS {
        let place = match ban.within {
            [folder, ..] if !folder.is_empty() => format!("{}x.rs", folder.replace("src/core/", "src/core/deep/")),
            _ => "src/core/x.rs".to_owned(),
        };
        // A file directly in src/ lies on no floor.
        let place = place.replace("src/x.rs", "src/command/x.rs");
        let line = match ban.part {
            Part::Code => format!("fn f() {{ {}::x() }}", ban.what),
            Part::Tests => format!("#[cfg(test)] mod tests {{ fn f() {{ std::{}(x) }} }}", ban.what),
            Part::Comments => format!("// {}: more", ban.what),
        };
        check(&place, &format!("\n{line}"), &[&format!("3: `{}` may not stand here; {}", ban.what, ban.instead)]);
        for allowed in ban.but {
            check(&format!("{}{}", allowed, if allowed.ends_with('/') { "x.rs" } else { "" }), &line, &[]);
        }
    }
}

#[test]
fn a_ban_is_found_behind_other_names_too() {
    check("src/core/x.rs", "use std::{fmt, time::Duration};", &["2: `std::time`"]);
    check("src/core/x.rs", "use std::{\n    fmt,\n    env as e,\n};", &["4: `std::env`"]);
    check("src/engine/x.rs", "use std::process;\nfn f() {\n    process::exit(1)\n}", &["4: `process::exit`"]);
    check("tests/x.rs", "use std::thread;\nfn f() { thread::sleep(d) }", &["3: `thread::sleep`"]);
    check("src/core/x.rs", "use std::collections::HashMap;", &["2: `HashMap`"]);
}

#[test]
fn what_is_too_long_is_found() {
    let lines = |count: usize| "const A: u8 = 1;\n".repeat(count);
    check("src/core/x.rs", &lines(FILE_LINES_MAX - 1), &[]);
    check("src/core/x.rs", &lines(FILE_LINES_MAX), &["1: the file has 501 lines, tests aside; more than 500 are two"]);
    check("src/core/x.rs", &format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(FILE_LINES_MAX)), &[]);
    check("tests/x.rs", &lines(FILE_LINES_MAX), &[]);
    check(
        "bin/x.rs",
        &lines(PROGRAM_LINES_MAX),
        &["1: the file has 41 lines, tests aside; more than 40 are two files"],
    );
    let function = |count: usize| format!("\nfn long<'a>() {{\n{}}}\n", "    g('{');\n".repeat(count));
    check("src/core/x.rs", &function(FUNCTION_LINES_MAX - 2), &[]);
    check("src/core/x.rs", &function(FUNCTION_LINES_MAX - 1), &["3: `long` has 71 lines; more than 70 are two"]);
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_found() {
    let found = violations("src/core/x.rs", "const A: u8 = 1;\n");
    assert_eq!(found, [violation(1, "it does not say what it is for; begin it with a `//!` comment")]);
}
