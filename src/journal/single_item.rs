//! A command line that runs one item of a run alone, for a person who pastes it into a shell.
//!
//! It is made of the facts of the run, so that a run and its journal tell the same. What only says how the whole run goes is
//! left out: the number of workers, limits, retries, the form of the output.
//!
//! Invariant: pure. Every word from outside is quoted, and a shell reads it back byte for byte.

use super::record::RunFact;
use crate::model::arrangement::ItemForm;
use crate::model::item_alone::ItemAlone;

/// Appends a text so that a POSIX shell reads one word.
pub type WordQuoting = fn(&[u8], &mut Vec<u8>);

/// What ends the command, and begins its items.
const SEPARATORS: [&[u8]; 4] = [b":::", b"::::", b":::+", b"::::+"];

/// Longer words are no arguments of a program (`MAX_ARG_STRLEN`, execve(2)): such an item goes through a pipe.
const WORD_BYTES_MAX: usize = 128 * 1024 - 1;

/// Why there is no such command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSingleItem {
    #[error("the item holds a NUL byte, which no word of a command line can")]
    Nul,
    #[error("the text of the item is not known")]
    NoText,
    #[error("the command runs in a shell of its own, as GNU parallel runs it")]
    QuotingShell,
    #[error("a word of the command is a separator of items")]
    Separator,
    #[error("what the workers are is not known")]
    Unknown,
}

/// Command lines of the items of one run.
#[derive(Clone, Debug)]
pub struct SingleItem {
    /// Flags, each with a blank before it.
    flags: Vec<u8>,
    /// The same with the command.
    command: Vec<u8>,
    /// An item may be a list of arguments.
    has_lists: bool,
    /// A word with a placeholder is repeated for each argument.
    repeats: bool,
    quote: WordQuoting,
}

impl SingleItem {
    /// Of a run with these facts.
    ///
    /// # Errors
    /// None of its items has one.
    pub fn new(facts: &[RunFact<'_>], quote: WordQuoting) -> Result<Self, NoSingleItem> {
        let value = |name: &str| facts.iter().find(|fact| fact.name == name).map(|fact| &*fact.value);
        let (mut flags, mut command) = (Vec::new(), Vec::new());
        let mut flag = |name: &str, value: &[u8]| {
            flags.push(b' ');
            flags.extend_from_slice(name.as_bytes());
            if !value.is_empty() {
                flags.push(b' ');
                quote(value, &mut flags);
            }
        };
        match value("worker") {
            Some(b"task") => flag("--task", value("task").ok_or(NoSingleItem::Unknown)?),
            Some(protocol @ (b"frames" | b"json" | b"lines")) => flag("--protocol", protocol),
            Some(b"exec") => {}
            _ => return Err(NoSingleItem::Unknown),
        }
        match value("shell") {
            None => {}
            Some(b"/bin/sh") => flag("--shell", b""),
            Some(_) => return Err(NoSingleItem::QuotingShell),
        }
        let given = [("item", &b"stdin"[..], "--stdin"), ("errors", b"merged", "--merge")];
        given.iter().filter(|(name, set, _)| value(name) == Some(set)).for_each(|(_, _, name)| flag(name, b""));
        if let Some(text) = value("placeholder") {
            flag("-I", text);
        }
        for fact in facts {
            if let Some(name) = fact.name.strip_prefix("variable ") {
                flag("--env", &[name.as_bytes(), b"=", &fact.value].concat());
            }
        }
        if let Some(folder) = value("folder") {
            flag("--workdir", folder);
        }
        let words = value("command").unwrap_or_default().split_inclusive(|byte| *byte == 0);
        for word in words.map(|word| word.strip_suffix(b"\0").unwrap_or(word)) {
            if SEPARATORS.contains(&word) {
                return Err(NoSingleItem::Separator);
            }
            command.extend_from_slice(if command.is_empty() { b" -- " } else { b" " });
            quote(word, &mut command);
        }
        if command.is_empty() && value("task").is_none() {
            return Err(NoSingleItem::QuotingShell);
        }
        let has_lists = value("items") == Some(b"arranged");
        Ok(Self { flags, command, has_lists, repeats: value("list").is_some(), quote })
    }

    /// The arguments of an item that is a list of them; each ends with a NUL.
    #[must_use]
    pub fn arguments<'a>(&self, item: &'a [u8]) -> Option<Vec<&'a [u8]>> {
        let is_list = self.has_lists && item.last().is_none_or(|last| *last == 0);
        is_list.then(|| ItemForm::List.arguments(item).collect())
    }

    /// How to run this item alone. `single`: of its run.
    #[must_use]
    pub fn alone(single: &Result<Self, NoSingleItem>, item: &[u8]) -> ItemAlone {
        let arguments = single.as_ref().ok().and_then(|single| single.arguments(item));
        let line = single.as_ref().map_err(|why| *why).and_then(|single| single.line(item));
        ItemAlone {
            arguments: arguments.map(|words| words.into_iter().map(<[u8]>::to_vec).collect()),
            line: line.map_err(|why| why.to_string()),
        }
    }

    /// The command line of an item.
    ///
    /// # Errors
    /// It has none.
    pub fn line(&self, item: &[u8]) -> Result<Vec<u8>, NoSingleItem> {
        let (mut words, is_list) = match self.arguments(item) {
            Some(arguments) => (arguments, true),
            None => (vec![item], false),
        };
        if words.iter().any(|word| word.contains(&0)) {
            return Err(NoSingleItem::Nul);
        }
        let mut list = Vec::new();
        if is_list && self.repeats {
            // Several slots would share them.
            list.extend_from_slice(b" -j 1 -X");
        } else if is_list && words.len() != 1 {
            list.extend_from_slice(format!(" -n {}", words.len()).as_bytes());
        }
        // A command that gets none of its list is for one item all the same.
        if words.is_empty() {
            words.push(b"");
        }
        let mut line = Vec::new();
        let is_word = |word: &&[u8]| !SEPARATORS.contains(word) && word.len() < WORD_BYTES_MAX;
        if words.iter().all(is_word) {
            line.extend([b"supervisor", &self.flags[..], &list, &self.command, b" :::"].concat());
            self.push_words(&words, &mut line);
        } else {
            line.extend_from_slice(b"printf '%s\\0'");
            self.push_words(&words, &mut line);
            line.extend([b" | supervisor -0 -a -", &self.flags[..], &list, &self.command].concat());
        }
        Ok(line)
    }

    fn push_words(&self, words: &[&[u8]], line: &mut Vec<u8>) {
        for word in words {
            line.push(b' ');
            (self.quote)(word, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a shell with nothing but single quotes.
    fn quote(text: &[u8], out: &mut Vec<u8>) {
        out.extend([b"'", text, b"'"].concat());
    }

    fn single(facts: &[(&'static str, &'static str)]) -> Result<SingleItem, NoSingleItem> {
        let facts: Vec<RunFact<'_>> = facts
            .iter()
            .map(|(name, value)| RunFact { name: (*name).into(), value: value.as_bytes().into() })
            .collect();
        SingleItem::new(&facts, quote)
    }

    fn line(facts: &[(&'static str, &'static str)], item: &str) -> String {
        String::from_utf8(single(facts).unwrap().line(item.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn the_flags_that_matter_and_the_command_are_in_front_of_the_item() {
        let exec = [("worker", "exec"), ("command", "sh\0-c\0echo {}\0"), ("delimiter", "\n"), ("input", "stdin")];
        assert_eq!(line(&exec, "a b"), "supervisor -- 'sh' '-c' 'echo {}' ::: 'a b'");
        let more = [
            ("worker", "exec"),
            ("command", "cat\0"),
            ("shell", "/bin/sh"),
            ("item", "stdin"),
            ("errors", "merged"),
            ("placeholder", "@"),
            ("variable A", "x y"),
            ("variable B", ""),
            ("folder", "/tmp"),
        ];
        let expected =
            "supervisor --shell --stdin --merge -I '@' --env 'A=x y' --env 'B=' --workdir '/tmp' -- 'cat' ::: ''";
        assert_eq!(line(&more, ""), expected);
        assert_eq!(line(&[("worker", "task"), ("task", "square")], "-7"), "supervisor --task 'square' ::: '-7'");
        let lines = [("worker", "lines"), ("command", "sed\0s/a/b/\0")];
        assert_eq!(line(&lines, "a"), "supervisor --protocol 'lines' -- 'sed' 's/a/b/' ::: 'a'");
    }

    #[test]
    fn a_list_keeps_its_arguments_and_odd_words_go_through_a_pipe() {
        let lists = [("worker", "exec"), ("command", "echo\0"), ("items", "arranged")];
        assert_eq!(line(&lists, "a\0b c\0"), "supervisor -n 2 -- 'echo' ::: 'a' 'b c'");
        assert_eq!(line(&lists, "a\0"), "supervisor -- 'echo' ::: 'a'");
        assert_eq!(line(&lists, "a"), "supervisor -- 'echo' ::: 'a'");
        assert_eq!(line(&lists, ""), "supervisor -n 0 -- 'echo' ::: ''");
        let repeated = [lists[0], lists[1], lists[2], ("list", "repeated")];
        assert_eq!(line(&repeated, "a\0b\0"), "supervisor -j 1 -X -- 'echo' ::: 'a' 'b'");
        assert_eq!(line(&lists[..2], ":::"), "printf '%s\\0' ':::' | supervisor -0 -a - -- 'echo'");
        let long = "x".repeat(128 * 1024);
        assert!(line(&lists[..2], &long).starts_with("printf "));
    }

    #[test]
    fn what_has_no_command_line_says_why() {
        let echo = ("command", "echo\0");
        let nul = single(&[("worker", "exec"), echo]).unwrap().line(b"a\0b").unwrap_err();
        assert_eq!(nul, NoSingleItem::Nul);
        let refused = |facts: &[(&'static str, &'static str)]| single(facts).unwrap_err();
        assert_eq!(refused(&[("worker", "exec"), echo, ("shell", "/bin/zsh")]), NoSingleItem::QuotingShell);
        assert_eq!(refused(&[("worker", "exec"), ("command", "")]), NoSingleItem::QuotingShell);
        assert_eq!(refused(&[("worker", "exec"), ("command", "a\0:::\0b\0")]), NoSingleItem::Separator);
        assert_eq!(refused(&[]), NoSingleItem::Unknown);
        assert_eq!(refused(&[("worker", "task")]), NoSingleItem::Unknown);
    }
}
