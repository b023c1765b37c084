//! How long the command line of a list of arguments gets, so that a list ends before the system refuses it. No I/O.
//!
//! Each word counts with the byte behind it, as xargs counts, and for words that no shell has to quote GNU parallel, too.

use super::line::{ARGUMENT_BYTES_MAX, quote_as_parallel};
use super::list_script::SCRIPT_BYTES_PER_ARGUMENT;
use super::placeholder::{PathPart, Placeholder, PlaceholderSet};
use super::words::{Word, WordPart};
use crate::model::arrangement::{ColumnName, ColumnNames};
use crate::model::config::ExecSpec;
use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;

/// The most digits of the number of an item or of a slot.
const NUMBER_BYTES: usize = 20;

/// A word takes a pointer in the argument list, beside its bytes.
const POINTER_BYTES: usize = size_of::<usize>();

/// The limits of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineLimits {
    /// Most bytes of the words, each with the byte behind it.
    pub line_bytes_max: usize,
    /// Most bytes of the argument list that the system takes beside the environment, pointers included.
    pub system_bytes_max: usize,
}

/// Measures the command line of one list of arguments after the other.
#[derive(Clone, Debug)]
pub struct CommandMeter {
    spec: ExecSpec,
    names: ColumnNames,
    limits: LineLimits,
    /// `None` until the names of the columns are known.
    shape: Option<CommandShape>,
    /// Arguments of this list.
    arguments: usize,
    /// Bytes of the placeholders for each argument.
    each_bytes: usize,
}

/// What the length of a command line depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CommandShape {
    words: usize,
    fixed_bytes: usize,
    /// Groups that are repeated for each argument: one word more for each argument behind the first.
    groups: usize,
    /// Bytes around the placeholder in a group that is repeated.
    group_bytes: usize,
    each: Vec<PathPart>,
    numbered: Vec<NumberedArgument>,
}

/// A placeholder for one argument by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NumberedArgument {
    number: i32,
    part: PathPart,
    /// It stands in a group that is repeated for each argument.
    is_repeated: bool,
    /// The lengths of the values that it may still have: the one of a number from the beginning, or the last ones.
    lengths: VecDeque<usize>,
}

impl CommandMeter {
    #[must_use]
    pub fn new(spec: &ExecSpec, names: ColumnNames, limits: LineLimits) -> Self {
        Self { spec: spec.clone(), names, limits, shape: None, arguments: 0, each_bytes: 0 }
    }

    /// Begins another list.
    pub fn begin(&mut self) {
        (self.arguments, self.each_bytes) = (0, 0);
        if let Some(shape) = &mut self.shape {
            shape.numbered.iter_mut().for_each(|numbered| numbered.lengths.clear());
        }
    }

    /// Adds an argument to the list. `false`: the command line is too long with it.
    pub fn push(&mut self, argument: &[u8]) -> bool {
        let shape =
            self.shape.get_or_insert_with(|| CommandShape::of(&self.spec, self.names.get().unwrap_or_default()));
        self.arguments += 1;
        let is_quoted = self.spec.quoting_shell.is_some();
        let bytes = |part: &PathPart| match is_quoted {
            true => {
                let mut quoted = Vec::new();
                quote_as_parallel(part.of(argument), &mut quoted);
                quoted.len()
            }
            false => part.of(argument).len(),
        };
        self.each_bytes += shape.each.iter().map(bytes).sum::<usize>();
        for numbered in &mut shape.numbered {
            numbered.push(self.arguments, argument);
        }
        let line_bytes = shape.fixed_bytes
            + self.arguments * (shape.group_bytes + shape.groups)
            + self.each_bytes
            + shape.numbered.iter().map(|numbered| numbered.bytes(self.arguments)).sum::<usize>()
            - shape.groups;
        let words = shape.words + (self.arguments - 1) * shape.groups;
        let script_bytes = match self.spec.shell {
            true => line_bytes - self.each_bytes + self.arguments * shape.each.len() * SCRIPT_BYTES_PER_ARGUMENT,
            false => 0,
        };
        line_bytes <= self.limits.line_bytes_max
            && line_bytes + script_bytes + words * POINTER_BYTES <= self.limits.system_bytes_max
            && script_bytes < ARGUMENT_BYTES_MAX
            // The whole line is one argument of the shell then.
            && (!is_quoted || line_bytes < ARGUMENT_BYTES_MAX)
    }
}

impl CommandShape {
    fn of(spec: &ExecSpec, names: &[ColumnName]) -> Self {
        let set = PlaceholderSet { replace: spec.insertion.replace.clone(), names: names.to_vec() };
        let parse = |word: &std::ffi::OsString| Word::parse(word.as_bytes(), &set, spec.insertion.repeats);
        let mut words: Vec<Word> = spec.argv.iter().map(parse).collect();
        if !spec.stdin && !words.iter().any(Word::varies) {
            words.push(Word::placeholder(Placeholder::Each(PathPart::Whole)));
        }
        let mut shape = Self { words: words.len(), fixed_bytes: words.len(), ..Self::default() };
        words.iter().flat_map(Word::groups).for_each(|(parts, has_each)| shape.add(parts, has_each));
        shape
    }

    fn add(&mut self, parts: &[WordPart], is_repeated: bool) {
        self.groups += usize::from(is_repeated);
        for part in parts {
            let bytes = match part {
                WordPart::Literal(text) => text.len(),
                WordPart::Placeholder(Placeholder::Sequence | Placeholder::Slot) => NUMBER_BYTES,
                WordPart::Placeholder(Placeholder::Each(part)) => {
                    self.each.push(*part);
                    0
                }
                WordPart::Placeholder(Placeholder::At(number, part)) => {
                    let (number, part, lengths) = (*number, *part, VecDeque::new());
                    self.numbered.push(NumberedArgument { number, part, is_repeated, lengths });
                    0
                }
            };
            if is_repeated {
                self.group_bytes += bytes;
            } else {
                self.fixed_bytes += bytes;
            }
        }
    }
}

impl NumberedArgument {
    /// `arguments`: the number of this one.
    fn push(&mut self, arguments: usize, argument: &[u8]) {
        let length = self.part.of(argument).len();
        if self.number > 0 {
            if usize::try_from(self.number) == Ok(arguments) {
                self.lengths.push_back(length);
            }
            return;
        }
        self.lengths.push_back(length);
        if self.lengths.len() > self.number.unsigned_abs() as usize {
            self.lengths.pop_front();
        }
    }

    fn bytes(&self, arguments: usize) -> usize {
        let is_there = self.number > 0 || self.lengths.len() == self.number.unsigned_abs() as usize;
        let length = self.lengths.front().copied().filter(|_| is_there).unwrap_or(0);
        if self.is_repeated { length * arguments } else { length }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::CommandLine;
    use super::super::placeholder::Values;
    use super::super::template::Template;
    use super::*;
    use crate::model::arrangement::{Insertion, ItemForm};

    fn spec(words: &[&str], repeats: bool, shell: bool) -> ExecSpec {
        let insertion = Insertion { form: ItemForm::List, repeats, ..Insertion::default() };
        let argv = words.iter().map(std::ffi::OsString::from).collect();
        ExecSpec {
            argv,
            shell,
            quoting_shell: None,
            stdin: false,
            merges: false,
            item_tmp: false,
            terminal: false,
            insertion,
        }
    }

    /// The bytes of the command line that the template makes, each word with the byte behind it.
    fn real_bytes(spec: &ExecSpec, arguments: &[String]) -> usize {
        let item: Vec<u8> = arguments.iter().flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
        let template = Template::new(&spec.argv, (false, true), &spec.insertion, &[]).unwrap();
        let mut line = CommandLine::default();
        template.fill(&Values { item: &item, form: ItemForm::List, sequence: 1, slot: 1 }, &mut line);
        line.arguments().map(|word| word.len() + 1).sum()
    }

    #[test]
    fn the_length_is_that_of_the_command() {
        let arguments: Vec<String> = ["a", "dir/file.c", "", "x y", "longer.than.that", "z"].map(String::from).into();
        for words in [
            &["echo"][..],
            &["c", "{}", "x{.}y{/}"],
            &["c", "{1}-{}", "{-2}", "{3}"],
            &["c", "{-1}{}", "p q{}r"],
            &["c", "{6}", "{-6/}", "plain"],
            &["{1}", ""],
        ] {
            for repeats in [false, true] {
                let spec = spec(words, repeats, false);
                for count in 1..=arguments.len() {
                    let list = &arguments[..count];
                    let real = real_bytes(&spec, list);
                    let fits = |line_bytes_max| {
                        let limits = LineLimits { line_bytes_max, system_bytes_max: 1 << 20 };
                        let mut meter = CommandMeter::new(&spec, ColumnNames::default(), limits);
                        // What was before does not count.
                        meter.push(b"other");
                        meter.begin();
                        list.iter().map(|argument| meter.push(argument.as_bytes())).last()
                    };
                    // A word for an argument that is not there counts as an empty one.
                    let absent = words.iter().filter(|word| ["{3}", "{6}", "{-2}", "{-6/}"].contains(*word)).count();
                    assert_eq!(fits(real + absent), Some(true), "{words:?} {repeats} {count}");
                    assert_eq!(fits(real - 1), Some(false), "{words:?} {repeats} {count}");
                }
            }
        }
    }

    #[test]
    fn the_system_counts_pointers_and_a_shell_the_variables_of_its_script() {
        let most = |spec: &ExecSpec, system_bytes_max| {
            let limits = LineLimits { line_bytes_max: usize::MAX, system_bytes_max };
            let mut meter = CommandMeter::new(spec, ColumnNames::default(), limits);
            (0..).find(|_| !meter.push(b"x")).unwrap_or_default()
        };
        // "echo" and its byte, two bytes for each argument, eight for each pointer.
        assert_eq!(most(&spec(&["echo"], false, false), 5 + 8 + 100 * 10), 100);
        assert_eq!(most(&spec(&["echo"], false, true), 1 << 30), (ARGUMENT_BYTES_MAX - 5) / 81);
    }

    #[test]
    fn a_column_is_measured_by_its_name() {
        let mut spec = spec(&["c", "{name}"], false, false);
        spec.insertion.has_names = true;
        let names = ColumnNames::default();
        let limits = LineLimits { line_bytes_max: 2 + 4, system_bytes_max: 1 << 20 };
        let mut meter = CommandMeter::new(&spec, names.clone(), limits);
        names.set(vec![(b"name".to_vec(), 2)]);
        assert!(meter.push(b"long enough"));
        assert!(meter.push(b"abc"));
        meter.begin();
        assert!(meter.push(b""));
        assert!(!meter.push(b"abcd"));
    }
}
