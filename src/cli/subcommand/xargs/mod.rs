//! `supervisor xargs [OPTION]... [COMMAND [ARG]...]`: the command line of GNU xargs (findutils 4.9), read as that does.
//!
//! Later options win over earlier ones where two exclude each other, with xargs' warning.

mod delimiter;
mod getopt;

use super::super::error::UsageError;
use super::super::parser::Typed;
use crate::model::config::InputSpec;
use crate::model::xargs::{XargsCut, XargsSpec};
use getopt::{OptionRow, OptionValue, TypedOption};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub const NAME: &str = "xargs";
pub const ABOUT: &str = "In the place of xargs: its options, its output, its exit codes.";

const HELP: &str = "\
In the place of xargs: its options, its output, its exit codes.

Usage: supervisor xargs [OPTION]... [COMMAND [INITIAL-ARG]...]

COMMAND runs with INITIAL-ARGs and arguments from stdin, as many as its command line holds. Blanks
and newlines separate arguments; quotes and backslashes protect them. Without COMMAND: echo. A link
to this program under the name xargs is the same.

Options:
  -0, --null                  Arguments end with NUL; quotes and backslashes are nothing special
  -a, --arg-file=FILE         Read FILE, and leave stdin to COMMAND
  -d, --delimiter=CHARACTER   Arguments end with this byte: a character, \\n \\t \\0NNN \\xHH
  -E END, -e, --eof[=END]     The word END ends the input; with -e alone none does
  -I R, -i, --replace[=R]     A line of the input takes the place of R in INITIAL-ARGs [{} with -i]
  -L, -l, --max-lines[=N]     At most N lines for a command [1 with -l]
  -n, --max-args=N            At most N arguments for a command
  -o, --open-tty              The stdin of commands is the terminal
  -p, --interactive           Ask at the terminal before each command runs; y runs it
  -P, --max-procs=N           N commands at a time, 0: as many as possible [1]
      --process-slot-var=VAR  Commands have their slot in the variable VAR, from 0
  -r, --no-run-if-empty       Without arguments nothing runs, not even once
  -s, --max-chars=N           At most N bytes in a command line [131072]
      --show-limits           The limits of a command line, on stderr
  -t, --verbose               Print each command line on stderr before it runs
  -x, --exit                  Stop where a command line would not hold what -n or -L ask for
      --help                  This list
      --version               The version

Exit codes:
  0        every command exited with 0
  1        wrong usage or input
  123      some command exited with 1 to 125
  124      a command exited with 255, which ends the run
  125      a command was ended by a signal, which ends the run
  126,127  COMMAND cannot be executed, or is not found
";

/// In the order in which an ambiguous name lists its possibilities.
const OPTIONS: [OptionRow; 21] = [
    row('0', "null", OptionValue::None),
    row('a', "arg-file", OptionValue::Required),
    row('d', "delimiter", OptionValue::Required),
    row('e', "eof", OptionValue::Attached),
    row('i', "replace", OptionValue::Attached),
    row('l', "max-lines", OptionValue::Attached),
    row('n', "max-args", OptionValue::Required),
    row('o', "open-tty", OptionValue::None),
    row('p', "interactive", OptionValue::None),
    row('r', "no-run-if-empty", OptionValue::None),
    row('s', "max-chars", OptionValue::Required),
    row('t', "verbose", OptionValue::None),
    row(SHOW_LIMITS, "show-limits", OptionValue::None),
    row('x', "exit", OptionValue::None),
    row('P', "max-procs", OptionValue::Required),
    row(SLOT_VARIABLE, "process-slot-var", OptionValue::Required),
    row(VERSION, "version", OptionValue::None),
    row(SHOW_HELP, "help", OptionValue::None),
    row('E', "", OptionValue::Required),
    row('I', "", OptionValue::Required),
    row('L', "", OptionValue::Required),
];

/// Options without a letter.
const SHOW_LIMITS: char = '<';
const SLOT_VARIABLE: char = '%';
const VERSION: char = '=';
const SHOW_HELP: char = '?';

const fn row(letter: char, name: &'static str, value: OptionValue) -> OptionRow {
    OptionRow { letter, name, value }
}

/// What is said behind an error of usage. It has no prefix.
const SEE_HELP: &str = "Try 'xargs --help' for more information.";

/// Most processes of xargs.
const PROCESSES_MAX: i64 = i32::MAX as i64;

/// What xargs is asked for, and the lines that it says on stderr before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XargsCommand {
    pub said: Vec<String>,
    /// `None`: wrong usage, as was said.
    pub spec: Option<Box<XargsSpec>>,
}

/// Reads the words behind `xargs`.
///
/// # Errors
/// None: what is wrong is among what is said, in the words of xargs.
pub fn read(words: &[OsString]) -> Result<Typed<XargsCommand>, UsageError> {
    let (options, end) = getopt::read(&OPTIONS, words);
    let mut typed = TypedOptions::new();
    for option in &options {
        match option.0 {
            SHOW_HELP => return Ok(Typed::Show(HELP.to_owned())),
            VERSION => {
                let version =
                    format!("xargs (supervisor) {}, as xargs (GNU findutils) 4.9.0\n", env!("CARGO_PKG_VERSION"));
                return Ok(Typed::Show(version));
            }
            _ => {}
        }
        if let Err(refusal) = typed.take(option) {
            return Ok(Typed::Flags(typed.refused(refusal)));
        }
    }
    Ok(Typed::Flags(match end {
        Ok(end) => typed.complete(&words[end..]),
        Err(error) => typed.refused(OptionRefusal { error, sees_help: true }),
    }))
}

/// Why an option ends it all.
struct OptionRefusal {
    error: String,
    sees_help: bool,
}

impl OptionRefusal {
    const fn plain(error: String) -> Self {
        Self { error, sees_help: false }
    }
}

/// The options so far.
struct TypedOptions {
    said: Vec<String>,
    spec: XargsSpec,
    delimiter: Option<u8>,
    end: Option<Vec<u8>>,
}

impl TypedOptions {
    fn new() -> Self {
        let spec = XargsSpec::of_command(Vec::new());
        Self { said: Vec::new(), spec, delimiter: None, end: None }
    }

    fn take(&mut self, (letter, value): &TypedOption) -> Result<(), OptionRefusal> {
        let text = value.as_deref().unwrap_or(OsStr::new(""));
        let spec = &mut self.spec;
        match letter {
            '0' => self.delimiter = Some(0),
            'd' => self.delimiter = Some(delimiter::read(text.as_bytes()).map_err(OptionRefusal::plain)?),
            'a' if text == "-" => spec.input = InputSpec::Stdin,
            'a' => spec.input = InputSpec::File(PathBuf::from(text)),
            'E' | 'e' => self.end = Some(text.as_bytes().to_vec()).filter(|end| !end.is_empty()),
            'I' | 'i' => self.take_replace(*letter, value.as_deref()),
            'L' | 'l' => self.take_lines(*letter, value.as_deref())?,
            'n' => self.take_args(text)?,
            's' => {
                let number = self.number('s', text, i64::MAX)?;
                self.spec.line_bytes_max = Some(number.max(1).unsigned_abs());
                if number < 1 {
                    self.say(&format!("value {number} for -s option should be >= 1"));
                }
            }
            'P' => {
                let number = self.number('P', text, PROCESSES_MAX)?;
                if number < 0 {
                    return Err(out_of_range('P', number, ">= 0"));
                }
                self.spec.processes_max = u32::try_from(number).unwrap_or(u32::MAX);
            }
            'o' => spec.opens_terminal = true,
            'p' => spec.asks = true,
            'r' => spec.skips_empty = true,
            't' => spec.prints = true,
            'x' => spec.exits_if_too_long = true,
            &SHOW_LIMITS => spec.shows_limits = true,
            &SLOT_VARIABLE if text.as_bytes().contains(&b'=') => {
                let error = "option --process-slot-var may not be set to a value which includes `='".to_owned();
                return Err(OptionRefusal::plain(error));
            }
            &SLOT_VARIABLE => spec.slot_variable = Some(text.to_owned()).filter(|name| !name.is_empty()),
            _ => {}
        }
        Ok(())
    }

    fn take_replace(&mut self, letter: char, value: Option<&OsStr>) {
        let value = value.filter(|text| letter == 'I' || !text.is_empty());
        let text = value.unwrap_or(OsStr::new("{}")).as_bytes().to_vec();
        self.exclude("--replace/-I/-i", &["max-args", "max-lines"]);
        self.spec.replace = Some(text);
    }

    fn take_lines(&mut self, letter: char, value: Option<&OsStr>) -> Result<(), OptionRefusal> {
        let lines = match value {
            None => 1,
            Some(text) => self.positive(letter, text)?,
        };
        self.exclude(if letter == 'L' { "-L" } else { "--max-lines/-l" }, &["max-args", "replace"]);
        self.spec.lines_max = Some(lines);
        Ok(())
    }

    fn take_args(&mut self, text: &OsStr) -> Result<(), OptionRefusal> {
        let args = self.positive('n', text)?;
        self.exclude("--max-args/-n", &["max-lines"]);
        // A line at a time is one argument at a time.
        if args == 1 && self.spec.replace.is_some() {
            return Ok(());
        }
        self.exclude("--max-args/-n", &["replace"]);
        self.spec.args_max = Some(args);
        Ok(())
    }

    /// Forgets what another option excludes.
    fn exclude(&mut self, option: &str, others: &[&str]) {
        for other in others {
            let spec = &mut self.spec;
            let was_given = match *other {
                "max-args" => spec.args_max.take().is_some(),
                "max-lines" => spec.lines_max.take().is_some(),
                _ => spec.replace.take().is_some(),
            };
            if was_given {
                self.say(&format!(
                    "warning: options --{other} and {option} are mutually exclusive, ignoring previous --{other} value"
                ));
            }
        }
    }

    fn positive(&self, letter: char, text: &OsStr) -> Result<u64, OptionRefusal> {
        let number = self.number(letter, text, i64::MAX)?;
        if number < 1 { Err(out_of_range(letter, number, ">= 1")) } else { Ok(number.unsigned_abs()) }
    }

    #[allow(clippy::unused_self)]
    fn number(&self, letter: char, text: &OsStr, max: i64) -> Result<i64, OptionRefusal> {
        let number = decimal(text.as_bytes()).ok_or_else(|| OptionRefusal {
            error: format!("invalid number \"{}\" for -{letter} option", text.to_string_lossy()),
            sees_help: true,
        })?;
        if number > max { Err(out_of_range(letter, number, &format!("<= {max}"))) } else { Ok(number) }
    }

    fn say(&mut self, text: &str) {
        self.said.push(format!("xargs: {text}"));
    }

    fn refused(mut self, OptionRefusal { error, sees_help }: OptionRefusal) -> XargsCommand {
        self.say(&error);
        self.said.extend(sees_help.then(|| SEE_HELP.to_owned()));
        XargsCommand { said: self.said, spec: None }
    }

    /// All options have been read; `words` are the command.
    fn complete(mut self, words: &[OsString]) -> XargsCommand {
        if self.end.is_some() && self.delimiter.is_some() {
            self.say("warning: the -E option has no effect if -0 or -d is used.\n");
        }
        let Self { said, mut spec, delimiter, end } = self;
        spec.cut = delimiter.map_or(XargsCut::Words { end }, XargsCut::At);
        spec.exits_if_too_long |= spec.replace.is_some() || spec.lines_max.is_some();
        spec.command = match words {
            [] => vec![OsString::from("echo")],
            words => words.to_vec(),
        };
        XargsCommand { said, spec: Some(Box::new(spec)) }
    }
}

fn out_of_range(letter: char, number: i64, should_be: &str) -> OptionRefusal {
    OptionRefusal { error: format!("value {number} for -{letter} option should be {should_be}"), sees_help: true }
}

/// A number as `strtol(3)` reads it: white space, a sign, digits to the end; what is too large is the largest.
fn decimal(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (is_negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number =
        digits.iter().fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if is_negative { number.saturating_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(line: &str) -> XargsCommand {
        let words: Vec<OsString> = line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect();
        match read(&words) {
            Ok(Typed::Flags(command)) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_end_at_the_command_and_long_ones_may_be_short() {
        let read = read_words("-0rt -n2 --max-p=3 -s 99 --process-slot-var S -- grep -n x");
        let spec = read.spec.unwrap();
        assert_eq!(spec.command, ["grep", "-n", "x"]);
        assert_eq!((spec.cut, spec.args_max, spec.processes_max), (XargsCut::At(0), Some(2), 3));
        assert_eq!((spec.skips_empty, spec.prints, spec.line_bytes_max), (true, true, Some(99)));
        assert_eq!(spec.slot_variable, Some("S".into()));
        assert_eq!(read_words("").spec.unwrap().command, ["echo"]);
        assert_eq!(read_words("-i -e -l").spec.unwrap().lines_max, Some(1));
    }

    #[test]
    fn wrong_words_are_answered_as_by_xargs() {
        for (line, said) in [
            ("-z", "xargs: invalid option -- 'z'"),
            ("-S", "xargs: invalid option -- 'S'"),
            ("--foo=1", "xargs: unrecognized option '--foo=1'"),
            (
                "--max",
                "xargs: option '--max' is ambiguous; possibilities: '--max-lines' '--max-args' '--max-chars' '--max-procs'",
            ),
            ("--null=1", "xargs: option '--null' doesn't allow an argument"),
            ("-n", "xargs: option requires an argument -- 'n'"),
            ("-n0", "xargs: value 0 for -n option should be >= 1"),
            ("-P -1", "xargs: value -1 for -P option should be >= 0"),
            ("-L x", "xargs: invalid number \"x\" for -L option"),
        ] {
            let read = read_words(line);
            assert_eq!((read.said.join("\n"), read.spec), (format!("{said}\n{SEE_HELP}"), None), "{line}");
        }
    }
}
