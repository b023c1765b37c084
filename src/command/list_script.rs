//! A script of a shell for an item with any number of arguments.
//!
//! Each argument is an argument of the shell, and the script's first words store each in a variable of its own. Where a
//! placeholder stands outside quotes it becomes a word for each argument; in quotes and in a here-document the arguments are
//! joined by spaces there.
//!
//! Invariant: as in `script`, no argument becomes a part of the script.

use super::line::{CommandLine, QuoteWord, quote};
use super::placeholder::{Placeholder, Values};
use super::script::{Misplaced, Quoting, ScriptPart};
use super::words::WordPart;

/// The shell of `--shell`.
pub const SHELL: &str = "/bin/sh";

/// Bytes of a script around one argument of a list: its variable, set and used, with numbers of five digits.
pub const SCRIPT_BYTES_PER_ARGUMENT: usize = 80;

/// A piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ListPart {
    Text(Vec<u8>),
    /// What becomes a word, or one for each argument.
    Words(Vec<WordPart>),
    /// A placeholder that becomes a part of a word.
    Inline(Placeholder, Quoting),
}

/// A value that the script keeps in variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ScriptVariable {
    placeholder: Placeholder,
    /// One variable for each argument.
    per_argument: bool,
}

/// A script with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListScript {
    parts: Vec<ListPart>,
    variables: Vec<ScriptVariable>,
}

impl ListScript {
    /// Prepares a script. `repeats`: the word around a placeholder is repeated for each argument.
    ///
    /// # Errors
    /// `repeats`, and it is not clear what that word is.
    pub fn new(script: &[ScriptPart], repeats: bool) -> Result<Self, Misplaced> {
        let parts = if repeats { repeated_words(script)? } else { script.iter().map(ListPart::of).collect() };
        let mut variables = Vec::new();
        let mut add = |placeholder, per_argument| {
            let variable = ScriptVariable { placeholder, per_argument };
            if !variables.contains(&variable) {
                variables.push(variable);
            }
        };
        for part in &parts {
            match part {
                ListPart::Text(_) => {}
                ListPart::Inline(placeholder, _) => add(*placeholder, false),
                ListPart::Words(word) => word.iter().for_each(|part| {
                    if let WordPart::Placeholder(placeholder) = part {
                        add(*placeholder, is_each(*placeholder));
                    }
                }),
            }
        }
        Ok(Self { parts, variables })
    }

    /// If a placeholder is for one argument by its number.
    #[must_use]
    pub fn has_numbered(&self) -> bool {
        self.variables.iter().any(|variable| matches!(variable.placeholder, Placeholder::At(..)))
    }

    /// Appends the command for an item to `line`: the shell, the script, and the values for its variables.
    pub fn fill(&self, values: &Values<'_>, line: &mut CommandLine) {
        line.push(SHELL.as_bytes());
        line.push(b"-c");
        self.push_script(values, line.bytes());
        line.end_argument();
        // `$0`, as without further arguments.
        line.push(SHELL.as_bytes());
        for variable in &self.variables {
            if variable.per_argument {
                for argument in values.arguments() {
                    variable.placeholder.push_value(argument, values, line.bytes());
                    line.end_argument();
                }
            } else if is_there(variable.placeholder, values) {
                push_joined(variable.placeholder, values, line.bytes());
                line.end_argument();
            }
        }
    }

    fn push_script(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        let arguments = values.arguments().count();
        let mut used = 0;
        let mut assign = |name: String, out: &mut Vec<u8>| {
            used += 1;
            out.extend_from_slice(format!("{name}=${{{used}}} ").as_bytes());
        };
        for (index, variable) in self.variables.iter().enumerate() {
            if variable.per_argument {
                (0..arguments).for_each(|argument| assign(name(index, Some(argument)), out));
            } else if is_there(variable.placeholder, values) {
                assign(name(index, None), out);
            }
        }
        if used > 0 {
            out.extend_from_slice(format!("; shift {used}; ").as_bytes());
        }
        let expansion = |placeholder: Placeholder, argument: Option<usize>| {
            let variable = ScriptVariable { placeholder, per_argument: argument.is_some() };
            let index = self.variables.iter().position(|own| *own == variable).unwrap_or_default();
            format!("${{{}}}", name(index, argument))
        };
        for part in &self.parts {
            match part {
                ListPart::Text(text) => out.extend_from_slice(text),
                ListPart::Words(word) => push_words(word, values, out, &mut |placeholder, argument, out| {
                    let argument = argument.map(|(index, _)| index).filter(|_| is_each(placeholder));
                    out.extend_from_slice(format!("\"{}\"", expansion(placeholder, argument)).as_bytes());
                }),
                ListPart::Inline(placeholder, _) if !is_there(*placeholder, values) => {}
                ListPart::Inline(placeholder, place) => {
                    let (before, behind) = if *place == Quoting::Single { ("'\"", "\"'") } else { ("", "") };
                    out.extend_from_slice(format!("{before}{}{behind}", expansion(*placeholder, None)).as_bytes());
                }
            }
        }
    }

    /// The script with the arguments quoted in it; `None` where no quoting is right for every item.
    #[must_use]
    pub fn quoted(&self, values: &Values<'_>, quote_word: QuoteWord) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        for part in &self.parts {
            match part {
                ListPart::Text(own) => text.extend_from_slice(own),
                ListPart::Words(word) => push_words(word, values, &mut text, &mut |placeholder, argument, text| {
                    let mut value = Vec::new();
                    placeholder.push_value(argument.map_or(b"", |(_, bytes)| bytes), values, &mut value);
                    quote_word(&value, text);
                }),
                // A line of the item could be the delimiter.
                ListPart::Inline(_, Quoting::Document) => return None,
                ListPart::Inline(placeholder, place) => {
                    let mut value = Vec::new();
                    push_joined(*placeholder, values, &mut value);
                    push_inline(&value, *place, &mut text);
                }
            }
        }
        Some(text)
    }
}

impl ListPart {
    fn of(part: &ScriptPart) -> Self {
        match part {
            ScriptPart::Text(text) => Self::Text(text.clone()),
            ScriptPart::Placeholder(placeholder, Quoting::Bare) => {
                Self::Words(vec![WordPart::Placeholder(*placeholder)])
            }
            ScriptPart::Placeholder(placeholder, place) => Self::Inline(*placeholder, *place),
        }
    }
}

const fn is_each(placeholder: Placeholder) -> bool {
    matches!(placeholder, Placeholder::Each(_))
}

/// If it has a value for this item.
fn is_there(placeholder: Placeholder, values: &Values<'_>) -> bool {
    match placeholder {
        Placeholder::At(number, _) => values.argument(number).is_some(),
        Placeholder::Each(_) | Placeholder::Sequence | Placeholder::Slot => true,
    }
}

fn name(index: usize, argument: Option<usize>) -> String {
    match argument {
        Some(argument) => format!("_supervisor_{index}_{argument}"),
        None => format!("_supervisor_{index}"),
    }
}

/// Appends the value, that of each argument joined by spaces.
fn push_joined(placeholder: Placeholder, values: &Values<'_>, out: &mut Vec<u8>) {
    if !is_each(placeholder) {
        placeholder.push_value(b"", values, out);
        return;
    }
    for (index, argument) in values.arguments().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        placeholder.push_value(argument, values, out);
    }
}

/// Appends a placeholder for an argument, which has a number.
type PushValue<'a> = dyn FnMut(Placeholder, Option<(usize, &[u8])>, &mut Vec<u8>) + 'a;

/// Appends a word, or one for each argument. `push` appends a placeholder that has a value.
fn push_words(word: &[WordPart], values: &Values<'_>, out: &mut Vec<u8>, push: &mut PushValue<'_>) {
    let mut push_once = |argument: Option<(usize, &[u8])>, out: &mut Vec<u8>| {
        for part in word {
            match part {
                WordPart::Literal(text) => out.extend_from_slice(text),
                WordPart::Placeholder(placeholder) if is_each(*placeholder) && argument.is_none() => {}
                WordPart::Placeholder(placeholder) if !is_there(*placeholder, values) => {}
                WordPart::Placeholder(placeholder) => push(*placeholder, argument, out),
            }
        }
    };
    let has_each = word.iter().any(|part| matches!(part, WordPart::Placeholder(Placeholder::Each(_))));
    let mut arguments = values.arguments().enumerate().filter(|_| has_each);
    push_once(arguments.next(), out);
    for argument in arguments {
        out.push(b' ');
        push_once(Some(argument), out);
    }
}

/// Appends a value as it has to be written at a place inside a word.
fn push_inline(value: &[u8], place: Quoting, text: &mut Vec<u8>) {
    match place {
        Quoting::Single if value.contains(&b'\'') => {
            text.push(b'\'');
            quote(value, text);
            text.push(b'\'');
        }
        Quoting::Double => {
            for &byte in value {
                if b"\\$`\"".contains(&byte) {
                    text.push(b'\\');
                }
                text.push(byte);
            }
        }
        Quoting::Bare | Quoting::Single | Quoting::Document | Quoting::Arithmetic => text.extend_from_slice(value),
    }
}

/// Takes what stands around each placeholder into its word. That has to be plain: a quote or an operator in it would be
/// repeated, too.
fn repeated_words(script: &[ScriptPart]) -> Result<Vec<ListPart>, Misplaced> {
    let mut parts: Vec<ListPart> = Vec::new();
    // The last part is a word that may go on.
    let mut is_open = false;
    for part in script {
        match part {
            ScriptPart::Placeholder(placeholder, Quoting::Bare) => {
                if !is_open {
                    let before = match parts.last_mut() {
                        Some(ListPart::Text(text)) => {
                            let plain = text.iter().rev().take_while(|byte| is_plain(**byte)).count();
                            if text.len() > plain && !ends_word(text[text.len() - plain - 1]) {
                                return Err(Misplaced::of_repeated_word());
                            }
                            text.split_off(text.len() - plain)
                        }
                        Some(ListPart::Inline(..)) => return Err(Misplaced::of_repeated_word()),
                        Some(ListPart::Words(_)) | None => Vec::new(),
                    };
                    let before = (!before.is_empty()).then_some(WordPart::Literal(before));
                    parts.push(ListPart::Words(before.into_iter().collect()));
                }
                if let Some(ListPart::Words(word)) = parts.last_mut() {
                    word.push(WordPart::Placeholder(*placeholder));
                }
                is_open = true;
            }
            ScriptPart::Placeholder(placeholder, place) => {
                if is_open || is_each(*placeholder) {
                    return Err(Misplaced::of_repeated_word());
                }
                parts.push(ListPart::Inline(*placeholder, *place));
            }
            ScriptPart::Text(text) => {
                let plain = if is_open { text.iter().take_while(|byte| is_plain(**byte)).count() } else { 0 };
                if is_open && text.get(plain).is_some_and(|byte| !ends_word(*byte)) {
                    return Err(Misplaced::of_repeated_word());
                }
                if let (Some(ListPart::Words(word)), true) = (parts.last_mut(), plain > 0) {
                    word.push(WordPart::Literal(text[..plain].to_vec()));
                }
                is_open &= plain == text.len();
                if plain < text.len() {
                    parts.push(ListPart::Text(text[plain..].to_vec()));
                }
            }
        }
    }
    Ok(parts)
}

/// A byte that means itself wherever it stands in a word.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./,:+@%=".contains(&byte) || byte >= 0x80
}

/// A byte between two words.
fn ends_word(byte: u8) -> bool {
    b" \t\n;&|()<>".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::super::placeholder::PlaceholderSet;
    use super::super::script;
    use super::*;
    use crate::model::arrangement::ItemForm;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    fn list_script(text: &str, repeats: bool) -> Result<ListScript, Misplaced> {
        ListScript::new(&script::parse(text.as_bytes(), false, &PlaceholderSet::default())?, repeats)
    }

    /// What the script prints for the arguments, and for what is shown of it.
    fn printed(text: &str, repeats: bool, arguments: &[&str]) -> (String, String) {
        let script = list_script(text, repeats).unwrap();
        let item: Vec<u8> = arguments.iter().flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
        let values = Values { item: &item, form: ItemForm::List, sequence: 4, slot: 2 };
        let mut line = CommandLine::default();
        script.fill(&values, &mut line);
        let run = |words: Vec<&OsStr>| {
            let output = std::process::Command::new(words[0]).args(&words[1..]).output().unwrap();
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
        };
        let shown = script.quoted(&values, quote).unwrap_or_else(|| b"printf document".to_vec());
        let of_script = run(line.arguments().map(OsStr::from_bytes).collect());
        (of_script, run(vec![OsStr::new(SHELL), OsStr::new("-c"), OsStr::from_bytes(&shown)]))
    }

    const PRINT: &str = "p() { printf '<%s>' \"$@\"; }; ";

    #[test]
    fn each_argument_is_a_word_of_its_own() {
        let two = ["a b", "$(id)'\"\n"];
        for (text, repeats, arguments, expected) in [
            ("p {}", false, &two[..], "<a b><$(id)'\"\n>"),
            ("p x{}y", false, &two, "<xa b><$(id)'\"\ny>"),
            ("p x{}y", true, &two, "<xa by><x$(id)'\"\ny>"),
            ("p {1}-{}", true, &["a", "b"], "<a-a><a-b>"),
            ("p {1}-{} {#} {%}", false, &["a", "b"], "<a-a><b><4><2>"),
            ("p {2} {1} {3} {-1.}", false, &["x.c", "y.h"], "<y.h><x.c><y>"),
            ("p \"{}\" '{}' \"{3}\"", false, &["a", "it's"], "<a it's><a it's><>"),
            ("p {.} {/}", false, &["d/x.c", "y.h"], "<d/x><y><x.c><y.h>"),
            ("set -- other; f() { p {}; }; f z", false, &["a", "b"], "<a><b>"),
            ("for x in {}; do p \"$x\"; done", false, &["a", ""], "<a><>"),
            ("p {}", false, &[], "<>"),
            ("p x{}y z", true, &[], "<xy><z>"),
            ("p $(printf %s {})", false, &["a", "b"], "<ab>"),
            ("p {};p {}", true, &["a", "b"], "<a><b><a><b>"),
        ] {
            let text = format!("{PRINT}{text}");
            let (run, shown) = printed(&text, repeats, arguments);
            assert_eq!((run.as_str(), shown.as_str()), (expected, expected), "{text} {repeats}");
        }
        let (document, _) = printed("cat <<E\n{}\nE\n", false, &["a", "E"]);
        assert_eq!(document, "a E\n");
    }

    #[test]
    fn a_long_list_has_more_variables_than_digits() {
        let arguments: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (run, _) = printed("printf '%s\\n' {} | tail -n 1", false, &arguments);
        assert_eq!(run, "999\n");
        let script = list_script("p {}", false).unwrap();
        let item: Vec<u8> = (0..1500).flat_map(|number: u32| format!("{number}\0").into_bytes()).collect();
        let mut text = Vec::new();
        script.push_script(&Values { item: &item, form: ItemForm::List, sequence: 1, slot: 1 }, &mut text);
        assert!(text.len() < 1500 * SCRIPT_BYTES_PER_ARGUMENT, "{}", text.len());
    }

    #[test]
    fn a_word_that_is_repeated_has_to_be_plain() {
        for text in
            ["p \"{}\"", "p '{}'", "p \"x\"{}", "p {}'x'", "p {}$x", "p $x{}", "p *{}", "p {}\"{1}\"", "p \"{1}\"{}"]
        {
            let error = list_script(text, true).expect_err(text).to_string();
            assert!(error.contains("-X or -L") && error.contains("use -m or -n"), "{error}");
        }
        for text in ["p {}", "p a-{}.c|cat", "(p {})", "p \"{1}\" {}", "p {}{.}x", "p {}\n", "p '{#}' {}"] {
            list_script(text, true).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
}
