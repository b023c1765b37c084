//! Circles of files: files of one top-level module that need each other to be understood.
//!
//! The graph: an edge leads from file A to file B if A's code names an item that B *defines*.
//!
//! - Tests do not count, and neither does a path to a module that names no item of it: the uses of that path count.
//! - `pub use` and `mod` are no uses. A name that goes by a re-export, or by a private import of `mod.rs`, leads to
//!   the file that defines it. So `mod.rs` may list and re-export its children while they use each other.
//! - A child that names an item of its own `mod.rs` has an edge to it; `mod.rs` has one to the child if its own code
//!   names an item of the child, re-exported or not. Both together are a circle: the shared item belongs in a file
//!   of its own below both.
//! - Methods are not followed. An `impl` of one type that is spread over files is one thing in several files.

use super::source::{Source, Token, end_of_item};
use super::{full_paths, module_path};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One file of the package, without its tests.
pub struct File<'a> {
    /// Its path below the package's folder.
    pub place: &'a str,
    pub source: &'a Source<'a>,
}

/// A file on a circle, and the shortest circle that it is on: each file imports from the next, the last from the first.
#[derive(Debug, PartialEq, Eq)]
pub struct Circle<'a> {
    pub files: Vec<&'a str>,
}

/// What is needed to look up a path.
struct Module<'a> {
    place: &'a str,
    /// The code without its re-exports.
    code: Vec<Token<'a>>,
    /// Names that others reach through this module, with what they stand for.
    imports: BTreeMap<&'a str, Vec<&'a str>>,
    /// Modules of which all names are re-exported.
    globs: Vec<Vec<&'a str>>,
    /// Names that `pub use` re-exports.
    exports: BTreeSet<&'a str>,
    defines: BTreeSet<&'a str>,
}

/// All files on circles, each with its shortest one.
pub fn circles<'a>(files: &[File<'a>]) -> Vec<Circle<'a>> {
    let modules: BTreeMap<Vec<&str>, Module<'_>> =
        files.iter().map(|file| (module_path(file.place), module(file, files))).collect();
    let edges: BTreeMap<&str, BTreeSet<&str>> =
        modules.iter().map(|(path, module)| (module.place, targets(path, module, &modules))).collect();
    edges.keys().filter_map(|place| shortest_circle(place, &edges)).map(|files| Circle { files }).collect()
}

fn module<'a>(file: &File<'a>, files: &[File<'a>]) -> Module<'a> {
    let (code, exported) = without_exports(&file.source.code);
    let mut module = Module {
        place: file.place,
        imports: BTreeMap::new(),
        globs: Vec::new(),
        exports: BTreeSet::new(),
        defines: definitions(&code),
        code,
    };
    for (is_export, tokens) in [(true, &exported), (false, &module.code)] {
        for names in
            absolute_paths(file.place, tokens, |path| files.iter().any(|other| module_path(other.place) == path))
        {
            let Some((last, parent)) = names.split_last() else { continue };
            if *last == "*" {
                module.globs.push(parent.to_vec());
            } else if is_export {
                module.exports.insert(last);
                module.imports.insert(last, names);
            } else {
                module.imports.entry(last).or_insert(names);
            }
        }
    }
    module
}

/// The code without its re-exports, and the re-exports.
fn without_exports<'a>(code: &[Token<'a>]) -> (Vec<Token<'a>>, Vec<Token<'a>>) {
    let (mut rest, mut exported) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < code.len() {
        let text = |ahead: usize| code.get(at + ahead).map_or("", |token| token.text);
        // `pub use`, `pub(crate) use`, `pub(in a) use`.
        let close = if text(1) == "(" { (2..6).find(|ahead| text(*ahead) == ")").unwrap_or(0) } else { 0 };
        if text(0) == "pub" && text(close + 1) == "use" {
            let end = end_of_item(code, at);
            exported.extend(&code[at + close + 2..end]);
            at = end;
        } else {
            rest.push(code[at]);
            at += 1;
        }
    }
    (rest, exported)
}

fn definitions<'a>(code: &[Token<'a>]) -> BTreeSet<&'a str> {
    let words = ["fn", "struct", "enum", "union", "trait", "type", "const", "static"];
    code.windows(2).filter(|pair| words.contains(&pair[0].text)).map(|pair| pair[1].text).collect()
}

/// The paths of `tokens` from `crate` on; one that begins with a child module is completed, too.
fn absolute_paths<'a>(place: &'a str, tokens: &[Token<'a>], is_module: impl Fn(&[&str]) -> bool) -> Vec<Vec<&'a str>> {
    let here = module_path(place);
    let mut paths = Vec::new();
    for path in full_paths(place, tokens) {
        let child: Vec<&str> = here.iter().copied().chain(path.names.first().copied()).collect();
        if path.names[0] == "crate" {
            paths.push(path.names);
        } else if is_module(&child) {
            paths.push(here.iter().copied().chain(path.names).collect());
        }
    }
    paths
}

/// The files that define what `module` names.
fn targets<'a>(
    here: &[&'a str],
    module: &Module<'a>,
    modules: &BTreeMap<Vec<&'a str>, Module<'a>>,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for names in absolute_paths(module.place, &module.code, |path| modules.contains_key(path)) {
        found.extend(definer(names, modules));
    }
    // Re-exported names that the module's own code uses, too.
    for (at, token) in module.code.iter().enumerate().filter(|(_, token)| module.exports.contains(token.text)) {
        let is_part = at > 0 && [".", "::"].contains(&module.code[at - 1].text);
        if !is_part && let Some(names) = module.imports.get(token.text) {
            found.extend(definer(names.clone(), modules));
        }
    }
    found.retain(|place| *place != module.place && is_one_floor(place, here));
    found
}

fn is_one_floor(place: &str, here: &[&str]) -> bool {
    module_path(place).get(1) == here.get(1)
}

/// The file that defines the item that `names` leads to; `None` if it leads out of the package or names no item.
fn definer<'a>(mut names: Vec<&'a str>, modules: &BTreeMap<Vec<&'a str>, Module<'a>>) -> Option<&'a str> {
    // Each turn follows one import; a circle of imports would not compile.
    for _ in 0..modules.len() {
        let length = (1..=names.len()).rev().find(|length| modules.contains_key(&names[..*length]))?;
        let module = &modules[&names[..length]];
        let item = *names.get(length)?;
        if item == "*" || module.defines.contains(item) {
            return Some(module.place);
        }
        let glob = || {
            let defines = |glob: &&Vec<&str>| modules.get(*glob).is_some_and(|module| module.defines.contains(item));
            module.globs.iter().find(defines).map(|glob| glob.iter().copied().chain([item]).collect())
        };
        // What is neither imported nor seen to be defined comes from a macro or a module within the file.
        let Some(import) = module.imports.get(item).cloned().or_else(glob) else { return Some(module.place) };
        names.splice(..=length, import);
    }
    None
}

/// The shortest way from `start` back to it.
fn shortest_circle<'a>(start: &'a str, edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let mut reached: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(place) = queue.pop_front() {
        for next in edges.get(place).into_iter().flatten() {
            if *next == start {
                let mut circle = vec![place];
                while *circle.last()? != start {
                    circle.push(reached[circle.last()?]);
                }
                circle.reverse();
                return Some(circle);
            }
            if !reached.contains_key(next) {
                reached.insert(next, place);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&[&str]]) {
        let sources: Vec<Source<'_>> = files.iter().map(|(_, text)| Source::read(text)).collect();
        let files: Vec<File<'_>> =
            files.iter().zip(&sources).map(|((place, _), source)| File { place, source }).collect();
        let found: Vec<Vec<&str>> = circles(&files).into_iter().map(|circle| circle.files).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn two_files_that_name_each_others_items_are_a_circle() {
        check(
            &[
                ("src/core/a.rs", "use super::b::B;\npub struct A(B);"),
                ("src/core/b.rs", "pub struct B;\nfn f() { crate::core::a::g() }"),
                ("src/core/c.rs", "use super::a::A;"),
                ("src/core/mod.rs", "mod a;\nmod b;\nmod c;"),
            ],
            &[&["src/core/a.rs", "src/core/b.rs"], &["src/core/b.rs", "src/core/a.rs"]],
        );
    }

    #[test]
    fn a_longer_circle_is_found_through_re_exports_and_nested_modules() {
        check(
            &[
                ("src/core/a.rs", "use super::B;\npub struct A;"),
                ("src/core/deep/b.rs", "use super::c;\npub struct B;\nfn f() { c::f() }"),
                ("src/core/deep/c.rs", "pub fn f(_: crate::core::A) {}"),
                ("src/core/deep/mod.rs", "mod b;\npub mod c;\npub use b::*;"),
                ("src/core/mod.rs", "mod a;\nmod deep;\npub use a::A;\npub(crate) use deep::{B, c::f};"),
            ],
            &[
                &["src/core/a.rs", "src/core/deep/b.rs", "src/core/deep/c.rs"],
                &["src/core/deep/b.rs", "src/core/deep/c.rs", "src/core/a.rs"],
                &["src/core/deep/c.rs", "src/core/a.rs", "src/core/deep/b.rs"],
            ],
        );
    }

    #[test]
    fn a_module_file_is_on_a_circle_only_by_items_of_its_own() {
        let child = ("src/core/a.rs", "use super::Core;\npub struct A;\nimpl Core {}");
        let both: &[&[&str]] = &[&["src/core/a.rs", "src/core/mod.rs"], &["src/core/mod.rs", "src/core/a.rs"]];
        check(&[child, ("src/core/mod.rs", "mod a;\npub use a::A;\npub struct Core;")], &[]);
        check(&[child, ("src/core/mod.rs", "mod a;\npub use a::A;\npub struct Core(A);")], both);
        check(&[child, ("src/core/mod.rs", "mod a;\nuse a::A;\npub struct Core(A);")], both);
        check(&[child, ("src/core/mod.rs", "mod a;\npub struct Core(a::A);")], both);
        // Here the child names nothing of `mod.rs`: what it imports is another child's.
        check(
            &[
                child,
                ("src/core/b.rs", "pub struct Core;"),
                ("src/core/mod.rs", "mod a;\nmod b;\nuse a::A;\nuse b::Core;"),
            ],
            &[],
        );
    }

    #[test]
    fn tests_and_other_floors_make_no_circle() {
        check(
            &[
                ("src/core/a.rs", "pub struct A;\n#[cfg(test)]\nmod tests { use super::super::b::B; }"),
                ("src/core/b.rs", "use super::a::A;\npub struct B;"),
                ("src/wire/c.rs", "use crate::core::b::B;\npub struct C;"),
                ("src/core/d.rs", "use crate::wire::c::C;\npub struct D;"),
            ],
            &[],
        );
    }
}
