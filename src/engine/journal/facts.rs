//! What a run is, as its journal has it, and whether another run is the same.
//!
//! Invariant: a fact is named and written as `docs/journal.md` has it, and depends on no version of this program.

use crate::journal::record::RunFact;
use crate::model::config::{Config, ExecSpec, InputSpec, SourceSpec, Split, WorkerSpec};
use crate::model::journal_spec::ResumeBy;
use crate::model::spec::ProtocolKind;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

/// Facts whose name begins so say where the items came from. The items themselves are compared instead.
const OF_INPUT: &str = "input";

/// Facts of the output file, which has to go on looking as it does. Of a run that goes on by item, these alone have to stay.
const OF_OUTPUT: [&str; 4] = ["output file", "output", "order", "tag"];

/// What ends an item, and what kinds of items there are.
const DELIMITER: &str = "delimiter";
const ITEMS: &str = "items";
const WITH_PRIORITIES: &[u8] = b"with priorities";

/// How a run goes on.
const RESUME: &str = "resume";
const BY_ITEM: &[u8] = b"by item";

/// A value is shown up to here.
const SHOWN_CHARS: usize = 200;

/// A fact in which two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactDifference {
    pub name: String,
    /// `None`: the journal does not have it, or the run.
    pub recorded: Option<String>,
    pub present: Option<String>,
}

/// The facts of a run.
pub fn facts_of(config: &Config) -> Vec<RunFact<'static>> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Vec<u8>| {
        facts.push(RunFact { name: name.to_owned().into(), value: value.into() });
    };
    match &config.worker {
        WorkerSpec::BuiltIn { task, .. } | WorkerSpec::Thread { task, .. } => {
            add("worker", b"task".to_vec());
            add("task", task.clone().into_bytes());
        }
        WorkerSpec::Frames { argv, .. } => {
            add("worker", b"frames".to_vec());
            add("command", words(argv));
        }
        WorkerSpec::Foreign(spec) => {
            let is_json = spec.protocol == ProtocolKind::Json;
            add("worker", if is_json { b"json".to_vec() } else { b"lines".to_vec() });
            add("command", words(&spec.argv));
        }
        WorkerSpec::Exec(spec) => add_exec(spec, &mut add),
    }
    for (name, value) in &config.surroundings.variables {
        add(&format!("variable {}", name.to_string_lossy()), value.as_bytes().to_vec());
    }
    if let Some(folder) = &config.surroundings.workdir {
        add("folder", folder.as_bytes().to_vec());
    }
    if config.journal.as_ref().is_some_and(|journal| journal.resume_by == ResumeBy::Item) {
        add(RESUME, BY_ITEM.to_vec());
    }
    if let Some(file) = config.journal.as_ref().and_then(|journal| journal.output_file.as_ref()) {
        // Whatever the file looks like has to stay.
        add("output file", file.as_os_str().as_bytes().to_vec());
        add("output", format!("{:?}", config.output.mode).to_lowercase().into_bytes());
        add("order", if config.policy.keep_order { b"kept".to_vec() } else { b"any".to_vec() });
        let tag = config.output.tag_text.as_ref().map_or(&b"{}"[..], |text| text.as_bytes());
        add("tag", if config.output.tag { tag.to_vec() } else { Vec::new() });
    }
    add_items(&config.source, &mut add);
    facts
}

fn add_exec(spec: &ExecSpec, add: &mut impl FnMut(&str, Vec<u8>)) {
    add("worker", b"exec".to_vec());
    add("command", words(&spec.argv));
    let shell = match (&spec.quoting_shell, spec.shell) {
        (Some(quoting), _) => Some(quoting.shell.as_bytes().to_vec()),
        (None, true) => Some(b"/bin/sh".to_vec()),
        (None, false) => None,
    };
    shell.into_iter().for_each(|shell| add("shell", shell));
    if spec.stdin {
        add("item", b"stdin".to_vec());
    }
    if spec.merges {
        add("errors", b"merged".to_vec());
    }
    if let Some(text) = &spec.insertion.replace {
        add("placeholder", text.clone());
    }
    if spec.insertion.repeats {
        add("list", b"repeated".to_vec());
    }
}

fn add_items(source: &SourceSpec, add: &mut impl FnMut(&str, Vec<u8>)) {
    match source {
        SourceSpec::Generate { .. } => add("input", b"numbers".to_vec()),
        SourceSpec::Args { .. } => add("input", b"arguments".to_vec()),
        SourceSpec::Queue => add("input", b"queue".to_vec()),
        SourceSpec::Lines { input, split, priority } => {
            add_input(input, add);
            match split {
                Split::Delimiter(byte) => add(DELIMITER, vec![*byte]),
                Split::Block { .. } | Split::Records(_) => add(ITEMS, b"blocks".to_vec()),
            }
            if *priority {
                add(ITEMS, WITH_PRIORITIES.to_vec());
            }
        }
        SourceSpec::Arranged { inputs, .. } => {
            add(ITEMS, b"arranged".to_vec());
            for input in inputs {
                match &input.source {
                    SourceSpec::Lines { input, .. } => add_input(input, add),
                    SourceSpec::Generate { .. } => add("input", b"numbers".to_vec()),
                    SourceSpec::Args { .. } | SourceSpec::Queue | SourceSpec::Arranged { .. } => {
                        add("input", b"arguments".to_vec())
                    }
                }
            }
        }
    }
}

fn add_input(input: &InputSpec, add: &mut impl FnMut(&str, Vec<u8>)) {
    let InputSpec::File(path) = input else { return add("input", b"stdin".to_vec()) };
    add("input", [b"file\0", path.as_os_str().as_bytes()].concat());
    if let Ok(metadata) = path.metadata().map_err(drop).and_then(|there| there.is_file().then_some(there).ok_or(())) {
        let changed_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        add("input size", metadata.len().to_string().into_bytes());
        add("input changed", changed_ns.to_string().into_bytes());
    }
}

/// Each with a NUL behind it.
fn words(argv: &[OsString]) -> Vec<u8> {
    argv.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect()
}

/// How the run of these facts goes on.
pub fn resumed_by(facts: &[RunFact<'_>]) -> ResumeBy {
    match facts.iter().any(|fact| fact.name == RESUME && *fact.value == *BY_ITEM) {
        true => ResumeBy::Item,
        false => ResumeBy::Position,
    }
}

/// What is run, by these facts: a part of the hash of each item. That items have priorities changes none of them.
pub fn of_command<'a>(facts: &'a [RunFact<'static>]) -> Vec<&'a RunFact<'static>> {
    let matters = |fact: &&RunFact<'_>| {
        let name = &*fact.name;
        !name.starts_with(OF_INPUT) && !OF_OUTPUT.contains(&name) && name != RESUME && name != DELIMITER
    };
    let is_priority = |fact: &&RunFact<'_>| fact.name == ITEMS && *fact.value == *WITH_PRIORITIES;
    facts.iter().filter(matters).filter(|fact| !is_priority(fact)).collect()
}

/// Those that have to stay where a run goes on by item.
pub fn of_output(facts: &[RunFact<'static>]) -> Vec<RunFact<'static>> {
    facts.iter().filter(|fact| OF_OUTPUT.contains(&&*fact.name)).cloned().collect()
}

/// The first fact in which the journal and the run differ.
pub fn difference(recorded: &[RunFact<'_>], present: &[RunFact<'_>]) -> Option<FactDifference> {
    let of = |facts: &[RunFact<'_>], name: &str| -> Vec<Vec<u8>> {
        facts.iter().filter(|fact| fact.name == name).map(|fact| fact.value.to_vec()).collect()
    };
    let names = recorded.iter().chain(present).map(|fact| &fact.name).filter(|name| !name.starts_with(OF_INPUT));
    let name = names.into_iter().find(|name| of(recorded, name) != of(present, name))?;
    let shown = |facts: &[RunFact<'_>]| {
        let values = of(facts, name);
        (!values.is_empty()).then(|| shown(&values.join(&b' ')))
    };
    Some(FactDifference { name: name.to_string(), recorded: shown(recorded), present: shown(present) })
}

/// A value as people read it.
fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value.strip_suffix(b"\0").unwrap_or(value)).replace('\0', " ");
    let text: String = text.escape_debug().collect();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(command: &str, items: [&str; 2]) -> Vec<RunFact<'static>> {
        let fact =
            |name: &'static str, value: &str| RunFact { name: name.into(), value: value.as_bytes().to_vec().into() };
        let [delimiter, input] = items;
        vec![fact("worker", "exec"), fact("command", command), fact("delimiter", delimiter), fact("input", input)]
    }

    #[test]
    fn what_is_run_is_a_part_of_the_hash_and_how_it_is_read_and_shown_is_not() {
        let fact =
            |(name, value): (&'static str, &'static str)| RunFact { name: name.into(), value: value.as_bytes().into() };
        let facts = [
            ("worker", "exec"),
            ("command", "x\0"),
            ("variable A", "b"),
            ("resume", "by item"),
            ("output file", "f"),
            ("output", "results"),
            ("order", "kept"),
            ("tag", ""),
            ("input", "stdin"),
            ("input size", "7"),
            ("delimiter", "\n"),
            ("items", "with priorities"),
            ("items", "arranged"),
        ]
        .map(fact);
        let values = |facts: Vec<&RunFact<'_>>| facts.iter().map(|fact| fact.name.to_string()).collect::<Vec<_>>();
        assert_eq!(values(of_command(&facts)), ["worker", "command", "variable A", "items"]);
        assert_eq!(values(of_output(&facts).iter().collect()), ["output file", "output", "order", "tag"]);
        assert_eq!((resumed_by(&facts), resumed_by(&facts[..3])), (ResumeBy::Item, ResumeBy::Position));
    }

    #[test]
    fn what_differs_is_named_and_where_items_lie_does_not_matter() {
        let recorded = facts("gzip\0-9\0{}\0", ["\n", "stdin"]);
        assert_eq!(difference(&recorded, &facts("gzip\0-9\0{}\0", ["\n", "file\0x"])), None);
        let differs = difference(&recorded, &facts("bzip2\0\x1b{}\0", ["\n", "stdin"])).unwrap();
        let (was, is) = (Some("gzip -9 {}".to_owned()), Some("bzip2 \\u{1b}{}".to_owned()));
        assert_eq!((differs.name.as_str(), differs.recorded, differs.present), ("command", was, is));
        let differs = difference(&recorded, &recorded[..2]).unwrap();
        assert_eq!((differs.name.as_str(), differs.present), ("delimiter", None));
    }
}
