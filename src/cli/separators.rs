//! Cuts what was typed at `--`, `:::` and `::::`, before flags are read: the words behind them belong to the user,
//! may look like flags, and need not be UTF-8.

use super::error::UsageError;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The three parts of what was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub flags: Vec<OsString>,
    /// Behind `--`. Empty if there is none.
    pub command: Vec<OsString>,
    pub input: Option<Given>,
}

/// Items behind a separator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Behind `:::`. May be empty: a pattern of the shell may match nothing.
    Items(Vec<OsString>),
    /// Behind `::::`; `-` is stdin.
    File(PathBuf),
}

/// Cuts `typed` (without the program's name). The first of the separators ends the flags, and the
/// first of `:::` and `::::` ends the command.
///
/// # Errors
/// A part is empty that may not be, or there are two inputs.
pub fn split(typed: impl IntoIterator<Item = OsString>) -> Result<Parts, UsageError> {
    let mut parts = Parts::default();
    let mut typed = typed.into_iter();
    let mut in_command = false;
    while let Some(word) = typed.next() {
        if word == ":::" || word == "::::" {
            if in_command && parts.command.is_empty() {
                return Err(UsageError::NoCommand);
            }
            parts.input = Some(given(word == "::::", typed.collect())?);
            return Ok(parts);
        }
        if in_command {
            parts.command.push(word);
        } else if word == "--" {
            in_command = true;
        } else {
            parts.flags.push(word);
        }
    }
    if in_command && parts.command.is_empty() { Err(UsageError::NoCommand) } else { Ok(parts) }
}

fn given(from_file: bool, mut words: Vec<OsString>) -> Result<Given, UsageError> {
    if words.iter().any(|word| word == ":::" || word == "::::") {
        return Err(UsageError::InputsCombined);
    }
    if !from_file {
        return Ok(Given::Items(words));
    }
    match (words.pop(), words.is_empty()) {
        (Some(file), true) => Ok(Given::File(file.into())),
        (None, _) => Err(UsageError::NoFile),
        (Some(_), false) => Err(UsageError::ManyFiles),
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

    fn check(typed: &str, flags: &str, command: &str, input: Option<Given>) {
        let expected = Parts { flags: words(flags), command: words(command), input };
        assert_eq!(split(words(typed)), Ok(expected), "{typed}");
    }

    #[test]
    fn the_separators_cut_three_parts() {
        check("", "", "", None);
        check("-j 2 --items 9", "-j 2 --items 9", "", None);
        check("-j 2 -- echo {} -n -- x", "-j 2", "echo {} -n -- x", None);
        check("::: 3 -4 --", "", "", Some(Given::Items(words("3 -4 --"))));
        check("-k :::", "-k", "", Some(Given::Items(vec![])));
        check("-- gzip -t {} ::: a.gz b.gz", "", "gzip -t {}", Some(Given::Items(words("a.gz b.gz"))));
        check("-- wc :::: -", "", "wc", Some(Given::File("-".into())));
    }

    #[test]
    fn each_error_has_its_own_variant() {
        let table = [
            ("--", UsageError::NoCommand),
            ("-- ::: a", UsageError::NoCommand),
            ("::::", UsageError::NoFile),
            (":::: a b", UsageError::ManyFiles),
            ("::: a ::: b", UsageError::InputsCombined),
            ("-- x ::: a :::: b", UsageError::InputsCombined),
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
        assert_eq!(parts.input, Some(Given::Items(vec![odd])));
    }
}
