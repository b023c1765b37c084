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
use crate::model::config::QuotingShell;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// A script in which arguments are quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotedScript {
    shell: Vec<u8>,
    text: ScriptText,
    prints_quoted: u32,
}

/// Prints the word behind it.
const PRINTS: &[u8] = b"printf '%s\\n' ";

#[derive(Clone, Debug, PartialEq, Eq)]
enum ScriptText {
    /// Each argument is a script itself.
    Arguments(Word),
    /// Arguments are quoted.
    Script(Word),
    /// Words are quoted, with the arguments in them.
    Words(Vec<Word>),
}

impl QuotedScript {
    /// Joins the words of a command. `append`: without a placeholder the item goes to the end. `repeats`: what stands
    /// around a placeholder, up to blanks, is repeated with it. Without words the item is the script.
    #[must_use]
    pub fn new(shell: &QuotingShell, argv: &[OsString], append: bool, set: &PlaceholderSet, repeats: bool) -> Self {
        let (quotes_words, prints_quoted) = (shell.quotes_words, shell.prints_quoted);
        let shell = shell.shell.as_bytes().to_vec();
        let item = || Word::placeholder(Placeholder::Each(PathPart::Whole));
        if quotes_words {
            let mut words: Vec<Word> = argv.iter().map(|word| Word::parse(word.as_bytes(), set, repeats)).collect();
            if append && !words.iter().any(Word::varies) {
                words.push(item());
            }
            return Self { shell, prints_quoted, text: ScriptText::Words(words) };
        }
        if argv.is_empty() {
            return Self { shell, prints_quoted, text: ScriptText::Arguments(item()) };
        }
        let mut text = argv.iter().map(|word| word.as_bytes()).collect::<Vec<_>>().join(&b' ');
        if append && !Word::parse(&text, set, repeats).varies() {
            text.push(b' ');
            text.extend_from_slice(set.item_text());
        }
        Self { shell, prints_quoted, text: ScriptText::Script(Word::parse(&text, set, repeats)) }
    }

    /// Appends the shell, its option and the script for an item.
    pub fn fill(&self, values: &Values<'_>, line: &mut CommandLine) {
        line.push(&self.shell);
        line.push(b"-c");
        if self.prints_quoted == 0 {
            self.push_script(values, line.bytes());
        } else {
            self.push_printing(values, line.bytes());
        }
        line.end_argument();
    }

    /// Appends a script that prints the one for an item.
    fn push_printing(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.push_script(values, &mut text);
        for _ in 0..self.prints_quoted {
            let mut quoted = Vec::new();
            quote_as_parallel(&text, &mut quoted);
            text = quoted;
        }
        out.extend_from_slice(PRINTS);
        quote_as_parallel(&text, out);
    }

    /// Appends the script for an item.
    pub fn push_script(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        match &self.text {
            ScriptText::Arguments(text) => push_text(text, false, values, out),
            ScriptText::Script(text) => push_text(text, true, values, out),
            ScriptText::Words(words) => {
                let mut line = CommandLine::default();
                words.iter().for_each(|word| word.push(values, &mut line));
                for (index, word) in line.arguments().enumerate() {
                    if index > 0 {
                        out.push(b' ');
                    }
                    quote_as_parallel(word, out);
                }
            }
        }
    }
}

fn push_text(text: &Word, quotes: bool, values: &Values<'_>, out: &mut Vec<u8>) {
    for (parts, has_each) in text.groups() {
        let mut arguments = values.arguments().filter(|_| has_each);
        push_once(parts, arguments.next(), quotes, values, out);
        for argument in arguments {
            out.push(b' ');
            push_once(parts, Some(argument), quotes, values, out);
        }
    }
}

fn push_once(parts: &[WordPart], argument: Option<&[u8]>, quotes: bool, values: &Values<'_>, out: &mut Vec<u8>) {
    for part in parts {
        match part {
            WordPart::Literal(text) => out.extend_from_slice(text),
            WordPart::Placeholder(Placeholder::Each(_)) if argument.is_none() => {}
            WordPart::Placeholder(placeholder) if !quotes => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arrangement::ItemForm;

    fn script(words: &[&str], repeats: bool, arguments: &[&str]) -> String {
        script_of(false, words, repeats, arguments)
    }

    fn script_of(quotes_words: bool, words: &[&str], repeats: bool, arguments: &[&str]) -> String {
        let argv: Vec<OsString> = words.iter().map(OsString::from).collect();
        let item: Vec<u8> = arguments.iter().flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
        let values = Values { item: &item, form: ItemForm::List, sequence: 4, slot: 2 };
        let mut out = Vec::new();
        let shell =
            QuotingShell { shell: "/bin/sh".into(), quotes_words, slot_variable: "SLOT".into(), prints_quoted: 0 };
        let script = QuotedScript::new(&shell, &argv, true, &PlaceholderSet::default(), repeats);
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

    /// The expected texts are those of `parallel -q --dry-run`, 20221122.
    #[test]
    fn words_are_quoted_with_the_arguments_in_them() {
        for (words, repeats, arguments, expected) in [
            (&["echo", "{} x  y"][..], false, &["a  b"][..], "echo 'a  b x  y'"),
            (&["echo", "x{}y", "it's", ""], false, &["x\"y"], r#"echo 'xx"yy' 'it'"'"'s' ''"#),
            (&["echo a", "b"], false, &["1"], "'echo a' b 1"),
            (&[], false, &["echo a  b"], "'echo a  b'"),
            (&["echo"], false, &["it's"], r#"echo 'it'"'"'s'"#),
            (&["echo", "p{}q", "z"], true, &["a b", "2"], "echo 'pa bq' p2q z"),
            (&["echo", "p{}q{}r", "z w{}"], true, &["a b", "2"], "echo 'pa bqa br' p2q2r 'z wa b' w2"),
        ] {
            assert_eq!(script_of(true, words, repeats, arguments), expected, "{words:?} {arguments:?}");
        }
    }

    #[test]
    fn a_script_may_be_printed_instead() {
        let (shell, slot_variable) = (OsString::from("/bin/sh"), OsString::from("SLOT"));
        let shell = QuotingShell { shell, quotes_words: false, slot_variable, prints_quoted: 1 };
        let script = QuotedScript::new(&shell, &["echo".into()], true, &PlaceholderSet::default(), false);
        let mut line = CommandLine::default();
        script.fill(&Values { item: b"a", form: ItemForm::Whole, sequence: 1, slot: 1 }, &mut line);
        let words: Vec<_> = line.arguments().map(String::from_utf8_lossy).collect();
        assert_eq!(words, ["/bin/sh", "-c", r#"printf '%s\n' "'"'echo a'"'""#]);
    }
}
