//! Cuts what was typed at `--`, `:::`, `::::`, `:::+` and `::::+`, before flags are read: the words behind them belong to
//! the user, may look like flags, and need not be UTF-8.

use super::error::UsageError;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The flag that names another word for `:::`. It is looked for here: the words are cut before flags are read.
const ARG_SEP: &str = "--arg-sep";

/// The parts of what was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub flags: Vec<OsString>,
    /// Behind `--`. Empty if there is none.
    pub command: Vec<OsString>,
    /// In their order.
    pub inputs: Vec<Given>,
}

/// What follows one separator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub what: GivenInput,
    /// Behind `:::+` or `::::+`: its values go together with those of the input before.
    pub linked: bool,
}

/// The words behind a separator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenInput {
    /// Behind `:::`. May be empty: a pattern of the shell may match nothing.
    Items(Vec<OsString>),
    /// Behind `::::`, at least one; `-` is stdin. Each is an input of its own.
    Files(Vec<PathBuf>),
}

impl Given {
    /// The separator, as it is typed by default.
    #[must_use]
    pub const fn separator(&self) -> &'static str {
        match (&self.what, self.linked) {
            (GivenInput::Items(_), false) => ":::",
            (GivenInput::Items(_), true) => ":::+",
            (GivenInput::Files(_), false) => "::::",
            (GivenInput::Files(_), true) => "::::+",
        }
    }

    fn push(&mut self, word: OsString) {
        match &mut self.what {
            GivenInput::Items(items) => items.push(word),
            GivenInput::Files(files) => files.push(word.into()),
        }
    }
}

/// Cuts `typed` (without the program's name). The first of the separators ends the flags, and the first of those of inputs
/// ends the command.
///
/// # Errors
/// A part is empty that may not be.
pub fn split(typed: impl IntoIterator<Item = OsString>) -> Result<Parts, UsageError> {
    let mut parts = Parts::default();
    let mut in_command = false;
    let mut items_separator = OsString::from(":::");
    let mut typed = typed.into_iter();
    while let Some(word) = typed.next() {
        let is_flag = !in_command && parts.inputs.is_empty();
        if let Some(given) = separator(&word, &items_separator) {
            if in_command && parts.command.is_empty() {
                return Err(UsageError::NoCommand);
            }
            check_files(&parts)?;
            parts.inputs.push(given);
        } else if let Some(input) = parts.inputs.last_mut() {
            input.push(word);
        } else if in_command {
            parts.command.push(word);
        } else if word == "--" {
            in_command = true;
        } else {
            let named = word.as_bytes().strip_prefix(ARG_SEP.as_bytes());
            let attached =
                named.and_then(|rest| rest.strip_prefix(b"=")).map(|text| OsStr::from_bytes(text).to_owned());
            let is_alone = is_flag && named == Some(b"");
            parts.flags.push(word);
            // The word itself is no separator here.
            let next = if is_alone { typed.next() } else { None };
            parts.flags.extend(next.clone());
            if let Some(text) = attached.or(next).filter(|text| !text.is_empty()) {
                items_separator = text;
            }
        }
    }
    check_files(&parts)?;
    if in_command && parts.command.is_empty() { Err(UsageError::NoCommand) } else { Ok(parts) }
}

/// What a word begins, if it is a separator.
pub fn separator(word: &OsStr, items_separator: &OsStr) -> Option<Given> {
    let (plain, linked) = match word.as_bytes().strip_suffix(b"+") {
        Some(plain) if word != items_separator => (OsStr::from_bytes(plain), true),
        _ => (word, false),
    };
    let what = if plain == items_separator {
        GivenInput::Items(Vec::new())
    } else if plain == "::::" {
        GivenInput::Files(Vec::new())
    } else {
        return None;
    };
    Some(Given { what, linked })
}

fn check_files(parts: &Parts) -> Result<(), UsageError> {
    match parts.inputs.last() {
        Some(given) if given.what == GivenInput::Files(Vec::new()) => {
            Err(UsageError::NoFile { separator: given.separator() })
        }
        _ => Ok(()),
    }
}

/// A word as a shell reads it back.
pub fn quoted_word(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_-./,:+@%={}".contains(char);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn items(text: &str) -> Given {
        Given { what: GivenInput::Items(words(text)), linked: false }
    }

    fn files(text: &str) -> Given {
        Given { what: GivenInput::Files(text.split_whitespace().map(PathBuf::from).collect()), linked: false }
    }

    fn linked(given: Given) -> Given {
        Given { linked: true, ..given }
    }

    fn check(typed: &str, flags: &str, command: &str, inputs: Vec<Given>) {
        let expected = Parts { flags: words(flags), command: words(command), inputs };
        assert_eq!(split(words(typed)), Ok(expected), "{typed}");
    }

    #[test]
    fn the_separators_cut_the_parts() {
        check("", "", "", vec![]);
        check("-j 2 --items 9", "-j 2 --items 9", "", vec![]);
        check("-j 2 -- echo {} -n -- x", "-j 2", "echo {} -n -- x", vec![]);
        check("::: 3 -4 --", "", "", vec![items("3 -4 --")]);
        check("-k :::", "-k", "", vec![items("")]);
        check("-- gzip -t {} ::: a.gz b.gz", "", "gzip -t {}", vec![items("a.gz b.gz")]);
        check("-- wc :::: -", "", "wc", vec![files("-")]);
        check("-- c ::: a b ::: 1 :::+ x", "", "c", vec![items("a b"), items("1"), linked(items("x"))]);
        check("-- c :::: f g ::::+ h ::: :::", "", "c", vec![files("f g"), linked(files("h")), items(""), items("")]);
        check("-- c :::+ a", "", "c", vec![linked(items("a"))]);
    }

    #[test]
    fn another_word_may_separate_items() {
        check("--arg-sep , -- c ::: , a ,+ b :::: f", "--arg-sep ,", "c :::", {
            vec![items("a"), linked(items("b")), files("f")]
        });
        check("--arg-sep=,, -k -- c , ,, a", "--arg-sep=,, -k", "c ,", vec![items("a")]);
        check("--arg-sep -- -- c -- a", "--arg-sep --", "", vec![items("c"), items("a")]);
        check("--arg-sep x+ -- c x+ a x++ b", "--arg-sep x+", "c", vec![items("a"), linked(items("b"))]);
        check("--arg-sep", "--arg-sep", "", vec![]);
        // Behind `--` it belongs to the command.
        check("-- c --arg-sep , ::: a", "", "c --arg-sep ,", vec![items("a")]);
    }

    #[test]
    fn each_error_has_its_own_variant() {
        let table = [
            ("--", UsageError::NoCommand),
            ("-- ::: a", UsageError::NoCommand),
            ("::::", UsageError::NoFile { separator: "::::" }),
            ("-- x ::: a ::::+ ::: b", UsageError::NoFile { separator: "::::+" }),
        ];
        for (typed, error) in table {
            assert_eq!(split(words(typed)), Err(error), "{typed}");
        }
    }

    #[test]
    fn words_that_are_not_utf8_pass_unchanged() {
        let odd = OsString::from_vec(vec![0xff, b'{', b'}']);
        let parts = split([OsString::from("--"), odd.clone(), OsString::from(":::"), odd.clone()]).unwrap();
        assert_eq!(parts.command, std::slice::from_ref(&odd));
        assert_eq!(parts.inputs, [Given { what: GivenInput::Items(vec![odd]), linked: false }]);
    }
}
