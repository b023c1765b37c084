//! Reads options as `getopt_long(3)` of the GNU C library does, with its words: clusters of letters, attached values,
//! abbreviated names. Options end at the first word that is none, and at `--`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionValue {
    None,
    Required,
    /// Attached, or none: `-e`, `-eEND`, `--eof=END`.
    Attached,
}

/// A row of a table of options.
#[derive(Clone, Copy, Debug)]
pub struct OptionRow {
    /// For an option without a letter, a character that is neither a letter nor a digit.
    pub letter: char,
    /// Empty if there is none.
    pub name: &'static str,
    pub value: OptionValue,
}

/// An option that was typed, by its letter.
pub type TypedOption = (char, Option<OsString>);

/// The options, and how many of `words` they are; or what is wrong with the first bad one, with those before it.
pub fn read(table: &[OptionRow], words: &[OsString]) -> (Vec<TypedOption>, Result<usize, String>) {
    let mut options = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at).map(|word| word.as_bytes()) {
        if word == b"--" {
            return (options, Ok(at + 1));
        }
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        at += 1;
        let next = words.get(at).map(OsString::as_os_str);
        let taken = match word.strip_prefix(b"--") {
            Some(long) => read_long(table, long, next, &mut options),
            None => read_letters(table, &word[1..], next, &mut options),
        };
        match taken {
            Ok(taken) => at += usize::from(taken),
            Err(error) => return (options, Err(error)),
        }
    }
    (options, Ok(at))
}

/// Whether the next word is the value of an option.
type TakesNext = bool;

fn read_letters(
    table: &[OptionRow],
    letters: &[u8],
    next: Option<&OsStr>,
    options: &mut Vec<TypedOption>,
) -> Result<TakesNext, String> {
    for (at, byte) in letters.iter().enumerate() {
        let row = table.iter().find(|row| byte.is_ascii_alphanumeric() && row.letter == char::from(*byte));
        let Some(row) = row else {
            return Err(format!("invalid option -- '{}'", String::from_utf8_lossy(&[*byte])));
        };
        let rest = Some(&letters[at + 1..]).filter(|rest| !rest.is_empty());
        let attached = rest.map(|rest| OsString::from_vec(rest.to_vec()));
        match (row.value, attached, next) {
            (OptionValue::None, ..) => options.push((row.letter, None)),
            (OptionValue::Attached, attached, _) => {
                options.push((row.letter, attached));
                return Ok(false);
            }
            (OptionValue::Required, Some(attached), _) => {
                options.push((row.letter, Some(attached)));
                return Ok(false);
            }
            (OptionValue::Required, None, Some(next)) => {
                options.push((row.letter, Some(next.to_owned())));
                return Ok(true);
            }
            (OptionValue::Required, None, None) => {
                return Err(format!("option requires an argument -- '{}'", row.letter));
            }
        }
    }
    Ok(false)
}

fn read_long(
    table: &[OptionRow],
    long: &[u8],
    next: Option<&OsStr>,
    options: &mut Vec<TypedOption>,
) -> Result<TakesNext, String> {
    let (name, value) = match memchr::memchr(b'=', long) {
        Some(at) => (&long[..at], Some(OsString::from_vec(long[at + 1..].to_vec()))),
        None => (long, None),
    };
    let typed = String::from_utf8_lossy(long);
    let row = named(table, name, &typed)?;
    let takes_next = match (row.value, &value, next) {
        (OptionValue::None, Some(_), _) => return Err(format!("option '--{}' doesn't allow an argument", row.name)),
        (OptionValue::Required, None, None) => return Err(format!("option '--{}' requires an argument", row.name)),
        (OptionValue::Required, None, Some(_)) => true,
        _ => false,
    };
    options.push((row.letter, if takes_next { next.map(OsStr::to_owned) } else { value }));
    Ok(takes_next)
}

/// The option of a name, or of its unambiguous beginning.
fn named(table: &[OptionRow], name: &[u8], typed: &str) -> Result<OptionRow, String> {
    let exact = table.iter().find(|row| !row.name.is_empty() && row.name.as_bytes() == name);
    let begun: Vec<&OptionRow> =
        table.iter().filter(|row| !row.name.is_empty() && row.name.as_bytes().starts_with(name)).collect();
    match (exact, begun.as_slice()) {
        (Some(row), _) => Ok(*row),
        (None, []) => Err(format!("unrecognized option '--{typed}'")),
        (None, [row]) => Ok(**row),
        (None, rows) => {
            let names: Vec<String> = rows.iter().map(|row| format!("'--{}'", row.name)).collect();
            Err(format!("option '--{typed}' is ambiguous; possibilities: {}", names.join(" ")))
        }
    }
}
