//! Commands as xargs starts them: the item is the whole command line, the streams are our own, and the environment is ours.
//!
//! A program is searched when its first item comes. `-t` prints from here, before the start, so that the line stands in
//! front of what the command writes to the same stderr: a stderr that takes nothing holds this thread, as it holds xargs.

use super::search::{self, CommandError};
use crate::model::arrangement::ItemForm;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;

/// What all of these commands have in common, and the one that is to start next.
#[derive(Clone, Debug)]
pub struct PlainCommands {
    /// In place of `/dev/null`.
    stdin: Option<Arc<File>>,
    prints: bool,
    environment: Vec<CString>,
    /// The name of the variable that holds the slot, from 0, as the last of the environment.
    slot_variable: Option<OsString>,
    path: Option<OsString>,
    argv: Vec<CString>,
    /// The program that was searched last, with its name.
    found: Option<(CString, CString)>,
}

/// A program that cannot be executed. `error`: in the system's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoProgramError {
    pub error: &'static str,
    pub is_missing: bool,
}

impl PlainCommands {
    /// `stdin`: what commands read from; `None`: nothing.
    #[must_use]
    pub fn new(stdin: Option<File>, prints: bool, slot_variable: Option<OsString>) -> Self {
        let kept = std::env::vars_os().filter(|(name, _)| slot_variable.as_ref() != Some(name));
        let mut environment: Vec<CString> =
            kept.filter_map(|(name, value)| entry(name.as_bytes(), value.as_bytes())).collect();
        environment.extend(slot_variable.as_ref().map(|_| CString::default()));
        let (argv, path) = (Vec::new(), std::env::var_os("PATH"));
        Self { stdin: stdin.map(Arc::new), prints, environment, slot_variable, path, argv, found: None }
    }

    /// Makes the command line of an item the next one. `slot`: from 0.
    ///
    /// # Errors
    /// There is no such program.
    pub fn prepare(&mut self, item: &[u8], slot: u64) -> Result<(), NoProgramError> {
        self.argv.clear();
        // No argument of a list holds a NUL.
        self.argv.extend(ItemForm::List.arguments(item).filter_map(|argument| CString::new(argument).ok()));
        if let (Some(name), Some(last)) = (&self.slot_variable, self.environment.last_mut()) {
            *last = entry(name.as_bytes(), slot.to_string().as_bytes()).unwrap_or_default();
        }
        if self.prints {
            // A stderr that is closed is no reason to stop.
            let line = [&shown(self.argv.iter().map(|word| word.to_bytes()))[..], b"\n"].concat();
            let _ = io::stderr().write_all(&line);
        }
        let name = self.argv.first().cloned().unwrap_or_default();
        if self.found.as_ref().is_some_and(|(known, _)| *known == name) {
            return Ok(());
        }
        let path = if name.to_bytes().contains(&b'/') {
            // The start says what is wrong with it.
            name.clone()
        } else {
            search::find(OsStr::from_bytes(name.to_bytes()), self.path.as_deref(), Path::new("")).map_err(|error| {
                match error {
                    CommandError::NotExecutable { .. } => {
                        NoProgramError { error: "Permission denied", is_missing: false }
                    }
                    _ => NoProgramError { error: "No such file or directory", is_missing: true },
                }
            })?
        };
        self.found = Some((name, path));
        Ok(())
    }

    /// The path of the program.
    #[must_use]
    pub fn program(&self) -> &CStr {
        self.found.as_ref().map_or(c"", |(_, path)| path)
    }

    #[must_use]
    pub fn argv(&self) -> &[CString] {
        &self.argv
    }

    #[must_use]
    pub fn environment(&self) -> &[CString] {
        &self.environment
    }

    /// The stdin of commands, if it is not `null`.
    #[must_use]
    pub fn stdin<'a>(&'a self, null: BorrowedFd<'a>) -> BorrowedFd<'a> {
        self.stdin.as_ref().map_or(null, |file| file.as_fd())
    }
}

/// `None` if it holds a NUL, which no variable can.
fn entry(name: &[u8], value: &[u8]) -> Option<CString> {
    CString::new(OsString::from_vec([name, value].join(&b'=')).into_vec()).ok()
}

/// The question before the command of an item.
#[must_use]
pub fn question(item: &[u8]) -> Vec<u8> {
    shown(ItemForm::List.arguments(item))
}

/// A command line, each word quoted as GNU tools quote for a shell.
fn shown<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words {
        if !line.is_empty() {
            line.push(b' ');
        }
        push_quoted(&mut line, word);
    }
    line
}

/// Appends a word in the style `shell-escape` of GNU tools.
fn push_quoted(line: &mut Vec<u8>, word: &[u8]) {
    let text = std::str::from_utf8(word);
    let is_escaped = |byte: u8| byte.is_ascii_control() || (byte >= 0x80 && text.is_err());
    let needs_quotes = |(at, byte): (usize, &u8)| match byte {
        b'#' | b'~' => at == 0,
        b'{' | b'}' => word.len() == 1,
        _ => is_escaped(*byte) || b" !\"$&()*;<=>?[\\^`|'".contains(byte),
    };
    if !word.is_empty() && !word.iter().enumerate().any(needs_quotes) {
        return line.extend_from_slice(word);
    }
    let is_fine_in_double_quotes = |byte: &u8| !is_escaped(*byte) && !b"!\"$\\`&()*;<>=?[^|".contains(byte);
    if word.contains(&b'\'') && word.iter().all(is_fine_in_double_quotes) {
        line.push(b'"');
        line.extend_from_slice(word);
        return line.push(b'"');
    }
    line.push(b'\'');
    let mut is_within_escape = false;
    for &byte in word {
        if is_escaped(byte) {
            if !std::mem::replace(&mut is_within_escape, true) {
                line.extend_from_slice(b"'$'");
            }
            let letter = b"\x07a\x08b\x0cf\nn\rr\tt\x0bv".chunks(2).find(|pair| pair[0] == byte);
            match letter {
                Some(pair) => line.extend_from_slice(&[b'\\', pair[1]]),
                None => line.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            }
            continue;
        }
        if std::mem::replace(&mut is_within_escape, false) {
            line.extend_from_slice(b"''");
        }
        match byte {
            b'\'' => line.extend_from_slice(b"'\\''"),
            _ => line.push(byte),
        }
    }
    line.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected words are those of xargs 4.9.0.
    #[test]
    fn words_are_shown_as_xargs_shows_them() {
        for (word, expected) in [
            ("", "''"),
            ("a-b_c.d/e,f:g%h@i]", "a-b_c.d/e,f:g%h@i]"),
            ("it's", "\"it's\""),
            ("it's $", "'it'\\''s $'"),
            ("a\"b", "'a\"b'"),
            ("{}", "{}"),
            ("{", "'{'"),
            ("#a", "'#a'"),
            ("a#", "a#"),
            ("a=b", "'a=b'"),
            ("\u{e9}", "\u{e9}"),
            ("\ta", "''$'\\t''a'"),
            ("a\nb", "'a'$'\\n''b'"),
            ("\u{1}", "''$'\\001'"),
            ("a\\b", "'a\\b'"),
            ("a?", "'a?'"),
        ] {
            let mut line = Vec::new();
            push_quoted(&mut line, word.as_bytes());
            assert_eq!(String::from_utf8(line).unwrap(), expected, "{word:?}");
        }
    }

    #[test]
    fn a_slot_is_a_variable_and_a_program_is_searched_once_it_is_needed() {
        let mut commands = PlainCommands::new(None, false, Some("A_SLOT".into()));
        commands.prepare(b"sh\0-c\0true\0", 3).unwrap();
        assert!(commands.program().to_bytes().ends_with(b"/sh") && commands.argv().len() == 3);
        assert_eq!(commands.environment().last().unwrap().as_c_str(), c"A_SLOT=3");
        let missing = NoProgramError { error: "No such file or directory", is_missing: true };
        assert_eq!(commands.prepare(b"no-such-program\0", 0), Err(missing));
        assert_eq!(commands.prepare(b"\0", 0), Err(missing));
        commands.prepare(b"/no/such/program\0", 0).unwrap();
        assert_eq!(commands.program(), c"/no/such/program");
    }
}
