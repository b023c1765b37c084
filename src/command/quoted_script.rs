//! The script of a command as GNU parallel runs it: its words joined by spaces, in which each placeholder became the quoted
//! text of an argument.
//!
//! It is what the drop-in for GNU parallel runs, and nothing else: inside quotes of the script the quotes of an argument
//! are characters like others, as they are there.
//!
//! Invariant: outside quotes of the script, a shell reads each argument as one word, whatever is in it.

use super::line::{CommandLine, quote_as_parallel};
use super::placeholder::{PathPart, Placeholder, PlaceholderSet, Values};
use super::words::{Word, WordPart};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// A script in which arguments are quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotedScript {
    shell: Vec<u8>,
    text: Word,
    /// Arguments are quoted; not where each of them is a script itself.
    quotes: bool,
}

impl QuotedScript {
    /// Joins the words of a command. `append`: without a placeholder the item goes to the end. `repeats`: what stands
    /// around a placeholder, up to blanks, is repeated with it. Without words the item is the script.
    #[must_use]
    pub fn new(shell: &OsStr, argv: &[OsString], append: bool, set: &PlaceholderSet, repeats: bool) -> Self {
        let shell = shell.as_bytes().to_vec();
        if argv.is_empty() {
            return Self { shell, text: Word::placeholder(Placeholder::Each(PathPart::Whole)), quotes: false };
        }
        let mut text = argv.iter().map(|word| word.as_bytes()).collect::<Vec<_>>().join(&b' ');
        if append && !Word::parse(&text, set, repeats).varies() {
            text.push(b' ');
            text.extend_from_slice(set.item_text());
        }
        Self { shell, text: Word::parse(&text, set, repeats), quotes: true }
    }

    /// Appends the shell, its option and the script for an item.
    pub fn fill(&self, values: &Values<'_>, line: &mut CommandLine) {
        line.push(&self.shell);
        line.push(b"-c");
        self.push_script(values, line.bytes());
        line.end_argument();
    }

    /// Appends the script for an item.
    pub fn push_script(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        for (parts, has_each) in self.text.groups() {
            let mut arguments = values.arguments().filter(|_| has_each);
            self.push_once(parts, arguments.next(), values, out);
            for argument in arguments {
                out.push(b' ');
                self.push_once(parts, Some(argument), values, out);
            }
        }
    }

    fn push_once(&self, parts: &[WordPart], argument: Option<&[u8]>, values: &Values<'_>, out: &mut Vec<u8>) {
        for part in parts {
            match part {
                WordPart::Literal(text) => out.extend_from_slice(text),
                WordPart::Placeholder(Placeholder::Each(_)) if argument.is_none() => {}
                WordPart::Placeholder(placeholder) if !self.quotes => {
                    placeholder.push_value(argument.unwrap_or_default(), values, out);
                }
                WordPart::Placeholder(placeholder) => {
                    let mut value = Vec::new();
                    if placeholder.push_value(argument.unwrap_or_default(), values, &mut value) {
                        quote_as_parallel(&value, out);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arrangement::ItemForm;

    fn script(words: &[&str], repeats: bool, arguments: &[&str]) -> String {
        let argv: Vec<OsString> = words.iter().map(OsString::from).collect();
        let item: Vec<u8> = arguments.iter().flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
        let values = Values { item: &item, form: ItemForm::List, sequence: 4, slot: 2 };
        let mut out = Vec::new();
        let script = QuotedScript::new(OsStr::new("/bin/sh"), &argv, true, &PlaceholderSet::default(), repeats);
        script.push_script(&values, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The expected texts are those of `parallel --dry-run`, 20221122.
    #[test]
    fn a_script_is_what_gnu_parallel_makes_of_it() {
        for (words, repeats, arguments, expected) in [
            (&["echo"][..], false, &["a b"][..], "echo 'a b'"),
            (&["echo {}; echo", "{#}"], false, &["it's"], r#"echo 'it'"'"'s'; echo 4"#),
            (&["echo \"{}\""], false, &["a b"], "echo \"'a b'\""),
            (&["echo", "x{}y"], false, &["a", "b"], "echo xa by"),
            (&["echo", "x{}y"], true, &["a", "b"], "echo xay xby"),
            (&["echo '<{}>'"], true, &["a", "b"], "echo '<a>' '<b>'"),
            (&["echo", "{2}-{1/}"], false, &["d/a", "$(id)"], "echo '$(id)'-a"),
            (&["echo", "{}"], false, &[""], "echo ''"),
            (&[], false, &["echo a; echo b"], "echo a; echo b"),
        ] {
            assert_eq!(script(words, repeats, arguments), expected, "{words:?} {arguments:?}");
        }
    }
}
