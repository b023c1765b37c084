//! The rules of this package, as a test: which module may import which, what may be named where, how large things may
//! be, what a type name means. The report of a violation names the place and what to do instead.
//!
//! The rules are the tables below; `tidy/source.rs` and `tidy/types.rs` read the code, `tidy/circles.rs` finds circles
//! of files. A planted violation of each rule tests that the rule finds it.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/types.rs"]
mod types;

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

/// Most fields of a struct in `src/engine/`: more are two components. A limit may only tighten.
const ENGINE_FIELDS_MAX: usize = 12;
/// Most lines of the page that explains the architecture. A limit may only tighten.
const ARCHITECTURE_LINES_MAX: usize = 120;
const ARCHITECTURE: &str = "src/ARCHITECTURE.md";

/// Type names that several modules may declare, since they mean the same thing in each.
const SHARED_TYPE_NAMES: &[&str] = &[];

/// What the files below `place` may import of the package, apart from their own module.
struct Floor {
    place: &'static str,
    may: &'static [&'static str],
    /// Exceptions from `may`.
    never: &'static [&'static str],
}

/// A file belongs to the first entry whose `place` its path begins with.
const FLOORS: &[Floor] = &[
    Floor { place: "src/lib.rs", may: MODULES, never: &[] },
    Floor { place: "src/model/", may: &[], never: &[] },
    Floor { place: "src/exit_code.rs", may: &["model"], never: &[] },
    Floor { place: "src/host.rs", may: &["model", "sys::cores"], never: &[] },
    Floor { place: "src/wire/", may: &["model"], never: &[] },
    // Compiles to nothing in a release build.
    Floor { place: "src/mutant.rs", may: &[], never: &[] },
    Floor { place: "src/core/", may: &["model", "mutant"], never: &[] },
    Floor { place: "src/sys/", may: &["model::exit", "model::signal", "model::time"], never: &[] },
    Floor { place: "src/plot/", may: &[], never: &[] },
    Floor { place: "src/protocol/", may: &["model", "wire"], never: &[] },
    Floor { place: "src/transport/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/command/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/source/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/reporter/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/journal/", may: &["model", "wire", "sys", "mutant"], never: &[] },
    // Of the core, its vocabulary alone.
    Floor {
        place: "src/trace/",
        may: &["model", "wire", "sys", "core::input", "core::action", "core::reason"],
        never: &[],
    },
    Floor { place: "src/control/", may: &["model", "wire", "sys"], never: &[] },
    Floor { place: "src/net/", may: &["model", "wire", "sys", "source"], never: &[] },
    // Only the worker's end of a transport.
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
    Floor { place: "src/process/", may: &["model", "sys", "command"], never: &[] },
    Floor { place: "src/cli/", may: &["model"], never: &[] },
    // The composition root: the one place that starts workers on threads.
    Floor { place: "src/engine/assembly.rs", may: MODULES, never: &["process", "cli", "program", "compare", "tour"] },
    Floor { place: "src/engine/", may: MODULES, never: &["process", "cli", "program", "compare", "tour", "worker"] },
    // What the library shows; and to count, what a comparison is about.
    Floor {
        place: "src/compare/",
        may: &[
            "model",
            "sys",
            "worker",
            "transport::Copies",
            "transport::RoundTrip",
            "transport::copies",
            "transport::in_process",
            "plot",
        ],
        never: &["transport::in_process::open"],
    },
    Floor { place: "src/tour/", may: &["model", "sys", "worker", "process", "compare"], never: &[] },
    // What the library shows, and the command line.
    Floor {
        place: "src/program/",
        may: &[
            "model",
            "worker",
            "process",
            "engine",
            "cli",
            "exit_code",
            "compare",
            "plot",
            "tour",
            "trace",
            "journal",
            "control",
            "command::line",
            "reporter::dead_letters",
            "reporter::job_log",
            "reporter::object",
            "sys::clock",
            "sys::processes",
            "sys::record_lock",
            "sys::stdio",
            "sys::window",
        ],
        never: &[],
    },
    Floor { place: "bin/", may: &["program", "worker"], never: &[] },
];

/// All modules of the library.
const MODULES: &[&str] = &[
    "model",
    "exit_code",
    "host",
    "mutant",
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
    "process",
    "engine",
    "cli",
    "tour",
    "program",
    "compare",
    "plot",
];

/// In which part of a file a ban holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    /// Test files, and items behind `#[cfg(test)]`.
    Tests,
    Comments,
}

/// What must not be named, and what to do instead.
struct Ban {
    /// The beginning of a path, or a word.
    what: &'static str,
    part: Part,
    /// Where the ban holds.
    within: &'static [&'static str],
    /// Exceptions from `within`.
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
    of_core("std::thread", "the core is a plain value; let the engine wait"),
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
        instead: "return an error, or an exit code, up to `program` and `bin`",
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

/// The folders of the package that contain Rust.
const FOLDERS: [&str; 5] = ["src", "bin", "tests", "benches", "examples"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    Floor,
    Ban,
    Size,
    /// A file begins with a comment that says what it is for.
    Purpose,
    Circle,
    Fields,
    TypeName,
    SilentDefault,
    Architecture,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    rule: Rule,
    place: String,
    line: usize,
    text: String,
}

/// A Rust file of the package, read.
struct File {
    /// Its path below the package's folder, with `/`.
    place: String,
    text: String,
}

/// All violations of the rules that look at one file.
fn violations(place: &str, text: &str) -> Vec<Violation> {
    let source = read(place, text);
    let mut found = Vec::new();
    floors(place, &source.code, &mut found);
    bans(place, &source, &mut found);
    sizes(place, &source, &mut found);
    fields(place, &source.code, &mut found);
    silent_defaults(place, &source.code, &mut found);
    if place.starts_with("src/") && place != "src/lib.rs" && !is_test_file(place) && !text.starts_with("//!") {
        let text = "it does not say what it is for; begin it with a `//!` comment";
        found.push(violation(Rule::Purpose, place, 1, text));
    }
    found
}

/// A file's tokens; all those of a test file are tests.
fn read<'a>(place: &str, text: &'a str) -> Source<'a> {
    let mut source = Source::read(text);
    if is_test_file(place) {
        source.tests.append(&mut source.code);
        source.code_lines = 0;
    }
    source
}

fn violation(rule: Rule, place: &str, line: usize, text: impl Into<String>) -> Violation {
    Violation { rule, place: place.to_owned(), line, text: text.into() }
}

/// All violations of the rules that look at the library as a whole.
fn house_violations(files: &[File]) -> Vec<Violation> {
    let library = files.iter().filter(|file| file.place.starts_with("src/"));
    let mut sources: BTreeMap<&str, Source<'_>> =
        library.map(|file| (file.place.as_str(), read(&file.place, &file.text))).collect();
    let test_modules: Vec<Vec<&str>> =
        sources.iter().flat_map(|(place, source)| declared_modules(place, &source.tests)).collect();
    sources.retain(|place, _| !is_test_file(place) && !test_modules.contains(&module_path(place)));
    let mut found = Vec::new();
    type_names(&sources, &mut found);
    let files: Vec<circles::File<'_>> = sources.iter().map(|(place, source)| circles::File { place, source }).collect();
    for circle in circles::circles(&files) {
        let place = circle.files[0];
        let text = format!(
            "it is on a circle: {} -> {place}. Move what both need into a file below both",
            circle.files.join(" -> ")
        );
        found.push(violation(Rule::Circle, place, 1, text));
    }
    found
}

/// The modules `mod name;` among the tokens of a file.
fn declared_modules<'a>(place: &'a str, tokens: &[Token<'a>]) -> Vec<Vec<&'a str>> {
    let declared = tokens.windows(3).filter(|tokens| tokens[0].text == "mod" && tokens[2].text == ";");
    declared.map(|tokens| module_path(place).into_iter().chain([tokens[1].text]).collect()).collect()
}

fn type_names(sources: &BTreeMap<&str, Source<'_>>, found: &mut Vec<Violation>) {
    let mut declared: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for (place, source) in sources {
        for name in types::type_names(&source.code) {
            declared.entry(name.name).or_default().push((place, name.line));
        }
    }
    declared.retain(|name, places| places.len() > 1 && !SHARED_TYPE_NAMES.contains(name));
    for (name, places) in declared {
        let (place, line) = places[0];
        let others: Vec<String> = places[1..].iter().map(|(place, line)| format!("{place}:{line}")).collect();
        let text = format!("`{name}` is declared in {} too; give each meaning a name of its own", others.join(", "));
        found.push(violation(Rule::TypeName, place, line, text));
    }
}

fn fields(place: &str, code: &[Token<'_>], found: &mut Vec<Violation>) {
    if !place.starts_with("src/engine/") {
        return;
    }
    for item in types::structs(code).iter().filter(|item| item.fields > ENGINE_FIELDS_MAX) {
        let (name, fields) = (item.name, item.fields);
        let text = format!("`{name}` has {fields} fields; more than {ENGINE_FIELDS_MAX} are two components");
        found.push(violation(Rule::Fields, place, item.line, text));
    }
}

fn silent_defaults(place: &str, code: &[Token<'_>], found: &mut Vec<Violation>) {
    if !place.starts_with("src/") {
        return;
    }
    for default in types::silent_defaults(code) {
        let name = format!("{}::{}", default.of_trait, default.method);
        let text = format!("`{name}` has a silent default; let each implementation say what it does");
        found.push(violation(Rule::SilentDefault, place, default.line, text));
    }
}

fn architecture(text: &str) -> Option<Violation> {
    let lines = text.lines().count();
    (lines > ARCHITECTURE_LINES_MAX).then(|| {
        let text = format!(
            "it has {lines} lines, more than {ARCHITECTURE_LINES_MAX}; move what is not the picture to `docs/`"
        );
        violation(Rule::Architecture, ARCHITECTURE, 1, text)
    })
}

fn is_test_file(place: &str) -> bool {
    place.starts_with("tests/") || place.contains("/tests/") || place.ends_with("/tests.rs")
}

fn floors(place: &str, code: &[Token<'_>], found: &mut Vec<Violation>) {
    let Some(floor) = FLOORS.iter().find(|floor| place.starts_with(floor.place)) else {
        if OURS.iter().any(|folder| place.starts_with(folder)) {
            let text = "it is on no floor; put it into a module, and a new module into FLOORS";
            found.push(violation(Rule::Floor, place, 1, text));
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
                Rule::Floor,
                place,
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
            lines.into_iter().map(|line| {
                violation(Rule::Ban, place, line, format!("`{}` is banned here; {}", ban.what, ban.instead))
            }),
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

/// Whether the path `name` is `start` or begins with it.
fn is_prefix(start: &str, name: &str) -> bool {
    name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The names from the package's root to the module of a file.
fn module_path(place: &str) -> Vec<&str> {
    let inner = place.strip_prefix("src/").unwrap_or(place).trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    std::iter::once("crate").chain(inner.split('/')).collect()
}

/// The paths in a file, from their root: `super::x` as `crate::...::x`, and a path that begins with the last name of
/// another path (`use std::process; process::exit(0)`) in full.
fn full_paths<'a>(place: &'a str, tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let here = module_path(place);
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
        found.push(violation(Rule::Size, place, 1, text));
    }
    for function in source::functions(&source.code).iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
        let (name, lines) = (function.name, function.lines);
        let text = format!("`{name}` has {lines} lines; more than {FUNCTION_LINES_MAX} are two functions");
        found.push(violation(Rule::Size, place, function.line, text));
    }
}

/// Adds each Rust file below `folder`.
fn read_files(package: &FilePath, folder: &FilePath, files: &mut Vec<File>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read_files(package, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let place = path.strip_prefix(package).unwrap().to_str().unwrap().to_owned();
            files.push(File { place, text: std::fs::read_to_string(&path).unwrap() });
        }
    }
}

#[test]
fn the_house_is_tidy() {
    let package = FilePath::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        read_files(package, &package.join(folder), &mut files);
    }
    assert!(files.len() > MODULES.len(), "only {} files found below {}", files.len(), package.display());
    let mut found: Vec<Violation> = files.iter().flat_map(|file| violations(&file.place, &file.text)).collect();
    found.extend(house_violations(&files));
    found.extend(architecture(&std::fs::read_to_string(package.join(ARCHITECTURE)).unwrap()));
    let mut report = String::new();
    for Violation { rule, place, line, text } in found {
        writeln!(report, "{place}:{line}: {text} [{rule:?}]").unwrap();
    }
    assert!(report.is_empty(), "the rules are broken:\n{report}");
}

/// Expects these violations, as `line: text`, in a file of these lines below a first line that says what it is for.
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
    check("bin/x.rs", "use supervisor::{program, cli};", &["2: bin/ may not import cli; it may import program,"]);
    check("src/program/x.rs", "use crate::core::Core;", &["2: src/program/ may not import core::Core; it may import"]);
    check("src/new.rs", "", &["1: it is on no floor"]);
}

#[test]
fn an_import_from_a_right_floor_is_none() {
    check("src/core/x.rs", "use super::queue::Q;\nuse crate::core::pool;\nuse crate::model::ids::{self, ItemId};", &[]);
    check("src/engine/assembly.rs", "use crate::worker::threads;", &[]);
    check("src/worker/x.rs", "use crate::transport::{self, Connection};\nfn f() { transport::connect() }", &[]);
    check("bin/x.rs", "use supervisor::{program, worker};", &[]);
    check("src/program/x.rs", "use crate::{cli, engine, exit_code, worker};", &[]);
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
        // A file directly in src/ is on no floor.
        let place = place.replace("src/x.rs", "src/command/x.rs");
        let line = match ban.part {
            Part::Code => format!("fn f() {{ {}::x() }}", ban.what),
            Part::Tests => format!("#[cfg(test)] mod tests {{ fn f() {{ std::{}(x) }} }}", ban.what),
            Part::Comments => format!("// {}: more", ban.what),
        };
        check(&place, &format!("\n{line}"), &[&format!("3: `{}` is banned here; {}", ban.what, ban.instead)]);
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
    let text = "it does not say what it is for; begin it with a `//!` comment";
    assert_eq!(found, [violation(Rule::Purpose, "src/core/x.rs", 1, text)]);
}

/// Expects these violations, as `place:line: text`, of the library as a whole.
#[track_caller]
fn check_house(files: &[(&str, &str)], expected: &[&str]) {
    let files: Vec<File> =
        files.iter().map(|(place, text)| File { place: (*place).to_owned(), text: (*text).to_owned() }).collect();
    let found = house_violations(&files);
    let found: Vec<String> =
        found.iter().map(|found| format!("{}:{}: {}", found.place, found.line, found.text)).collect();
    let is_as_expected = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
    assert!(is_as_expected, "found {found:#?}\nand not {expected:#?}");
}

#[test]
fn a_circle_of_files_is_found() {
    check_house(
        &[
            ("src/core/a.rs", "use super::b::B;\npub struct A(B);"),
            ("src/core/b.rs", "use super::a::A;\npub struct B;"),
            ("src/core/mod.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod rig;"),
            ("src/core/rig.rs", "use super::other::Other;\npub struct Rig;"),
            ("src/core/other.rs", "use super::rig::Rig;\npub struct Other;"),
        ],
        &[
            "src/core/a.rs:1: it is on a circle: src/core/a.rs -> src/core/b.rs -> src/core/a.rs. Move",
            "src/core/b.rs:1: it is on a circle: src/core/b.rs -> src/core/a.rs -> src/core/b.rs. Move",
        ],
    );
}

#[test]
fn a_type_name_that_means_two_things_is_found() {
    check_house(
        &[
            ("src/core/a.rs", "pub enum Kind {}\n#[cfg(test)]\nmod tests { struct Rig; }"),
            ("src/sys/b.rs", "pub struct Rig;\nimpl Iterator for Rig { type Item = u8; }"),
            ("src/wire/c.rs", "\ntype Kind = u8;\nstruct Item;"),
            ("tests/d.rs", "struct Kind;"),
        ],
        &["src/core/a.rs:1: `Kind` is declared in src/wire/c.rs:2 too; give each"],
    );
}

#[test]
fn a_struct_of_the_engine_with_too_many_fields_is_found() {
    let text = |fields: usize| format!("struct Loop {{ {}}}", "a: u8, ".repeat(fields));
    check("src/engine/x.rs", &text(ENGINE_FIELDS_MAX), &[]);
    check("src/engine/x.rs", &text(ENGINE_FIELDS_MAX + 1), &["2: `Loop` has 13 fields; more than 12 are two"]);
    check("src/model/x.rs", &text(ENGINE_FIELDS_MAX + 1), &[]);
}

#[test]
fn a_silent_default_of_a_trait_is_found() {
    let text = "pub trait Channel {\n    fn ended(&mut self) {}\n    fn next(&mut self) -> u8;\n}";
    check("src/transport/x.rs", text, &["3: `Channel::ended` has a silent default; let each"]);
}

#[test]
fn an_architecture_page_that_is_too_long_is_found() {
    let found = architecture(&"line\n".repeat(ARCHITECTURE_LINES_MAX + 1)).expect("one line too many");
    assert!(found.text.starts_with("it has 121 lines, more than 120; move"), "{found:?}");
    assert_eq!(architecture(&"line\n".repeat(ARCHITECTURE_LINES_MAX)), None);
}
