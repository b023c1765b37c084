//! Parsers of the values of single flags: `200%`, `'\t'`, `now,fail=3`, `TERM,200,KILL,25`, `5/10s`, `100ms..10s`.
//!
//! Invariant: pure functions of a text. None panics, and each error says what would be right.

use super::sizes::{self, SizeError};
use crate::model::durations::{self, DurationError};
use crate::model::exit_rule::{ExitMatch, ExitRule};
use crate::model::numbers::{self, NumberError};
use crate::model::plot_file::PlotFile;
use crate::model::signal::Signal;
use crate::model::spec::{Backoff, Credit, Halt, HaltOn, ITEM_BYTES_MAX, Intensity, StartDelay, TermStep, Threshold};
use crate::model::time::Duration;
use crate::model::worker_count::{WorkerCount, WorkerCountError};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Why a text is not what its flag takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error(transparent)]
    Number(#[from] NumberError),
    #[error(transparent)]
    Duration(#[from] DurationError),
    #[error(transparent)]
    Size(#[from] SizeError),
    #[error(transparent)]
    Workers(#[from] WorkerCountError),
    #[error("give a number of threads, or 100% or +2 or -1 of the cores")]
    Load,
    #[error("give auto, or the most items that one worker may hold, at least 1")]
    Credit,
    #[error("give never, or a number of at least 1")]
    Limit,
    #[error("a delimiter is one byte: a character, or an escape such as \\n \\t \\0 \\x1F")]
    Delimiter,
    #[error("every variable is inherited already; NAME=VALUE sets one")]
    NoVariable,
    #[error("a variable has a name; give NAME=VALUE")]
    NoVariableName,
    #[error("give a whole number from -20 (the first turn) to 19 (the last turn)")]
    Nice,
    #[error("give never, or WHEN,WHAT=HOW_MANY such as soon,fail=3 or now,success=1 or soon,done=20%")]
    Halt,
    #[error("give at least 1, or a share from 1% to 100%")]
    HaltThreshold,
    #[error("give pairs of a signal and the ms to wait behind it, such as TERM,200,TERM,100,KILL,25")]
    TermSequence,
    #[error("no signal is called {name}; use a name such as TERM, or a number from 1 to 64")]
    NoSignal { name: String },
    #[error("it must end in KILL and a wait, so that every process does end; append ,KILL,25")]
    TermSequenceEnd,
    #[error("give CODE=RULE, such as 3=retry or 3,4=dead or SEGV=halt; the rules are retry, fail, dead, halt")]
    ExitRules,
    #[error("exit 0 is always done; give codes from 1 to 255, or names of signals")]
    ExitRuleOfSuccess,
    #[error("{code} is no exit code; give one from 1 to 255, or the name of a signal")]
    NoExitCode { code: String },
    #[error("no signal is called {name}; give an exit code from 1 to 255, or a name such as SEGV")]
    NoSignalOfRule { name: String },
    #[error("give NUMBER/DURATION, such as 5/10s; the duration is more than 0")]
    Intensity,
    #[error("give MIN..MAX, such as 100ms..10s")]
    Backoff,
    #[error("the shortest wait is longer than the longest; exchange them")]
    BackoffOrder,
}

/// `--workers`, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workers {
    Count(WorkerCount),
    /// The file that holds the number.
    File(PathBuf),
}

/// `--max-dead` or `--kill-limit`, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Never,
    After(u32),
}

/// `--timeout`, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    After(Duration),
    /// Percent of the median.
    OfMedian(u32),
}

/// `--load`, as typed: threads that run before no further process is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadMax(WorkerCount);

impl LoadMax {
    /// The number on a machine of so many cores, at least 1. A share is rounded up: fewer than 1.5 are 1.
    #[must_use]
    pub fn of(self, cores: u32) -> u32 {
        self.0.of(cores)
    }
}

/// `--semaphore-timeout`, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SemaphorePatience {
    pub wait: Duration,
    /// Go on then, instead of giving up.
    pub takes_anyway: bool,
}

/// `--delimiter`, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    Byte(u8),
    /// `''`: no byte ends an item; for blocks of an exact size.
    Nothing,
}

/// `--halt`, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltChoice {
    Never,
    At(Halt),
}

/// `--term-seq`: not empty, and its last signal is KILL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermSequence(pub Vec<TermStep>);

/// One `--on`, as typed: the same rule for each of these ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitRules(pub Vec<(ExitMatch, ExitRule)>);

/// A count that may be 0.
pub fn count_u64(text: &str) -> Result<u64, ValueError> {
    Ok(numbers::whole(text, 0, u64::MAX)?)
}

/// A count that may be 0.
pub fn count_u32(text: &str) -> Result<u32, ValueError> {
    Ok(numbers::whole(text, 0, u32::MAX)?)
}

/// A count of at least 1.
pub fn positive_u64(text: &str) -> Result<u64, ValueError> {
    Ok(numbers::whole(text, 1, u64::MAX)?)
}

/// A count of at least 1.
pub fn positive_u32(text: &str) -> Result<u32, ValueError> {
    Ok(numbers::whole(text, 1, u32::MAX)?)
}

/// A duration that may be 0.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    Ok(durations::parse(text)?)
}

/// A duration that is a limit, so more than 0.
pub fn limit(text: &str) -> Result<Duration, ValueError> {
    Ok(durations::parse_limit(text)?)
}

/// A limit, or a share of the median.
pub fn time_limit(text: &str) -> Result<TimeLimit, ValueError> {
    match text.strip_suffix('%') {
        Some(percent) => Ok(TimeLimit::OfMedian(numbers::whole(percent, 1, u32::MAX)?)),
        None => limit(text).map(TimeLimit::After),
    }
}

/// The size of a block, which is an item and so no larger than one may be.
pub fn block(text: &str) -> Result<u64, ValueError> {
    Ok(sizes::parse(text, ITEM_BYTES_MAX as u64)?)
}

/// A file for a plot.
pub fn plot_file(name: OsString) -> Result<PlotFile, &'static str> {
    if cfg!(not(feature = "plot")) {
        return Err("this program was built without plots; build it with `--features plot`");
    }
    PlotFile::of(name).ok_or("the name of a plot ends in .svg or .png")
}

/// A size in bytes of at least 1.
pub fn size(text: &str) -> Result<u64, ValueError> {
    Ok(sizes::parse(text, u64::MAX)?)
}

/// What has only characters of numbers is one, or none; anything else is the name of a file.
pub fn workers(text: OsString) -> Result<Workers, ValueError> {
    if text.as_bytes().iter().all(|byte| b"0123456789.+-%".contains(byte)) || text == "auto" {
        return Ok(Workers::Count(WorkerCount::parse(&text.to_string_lossy())?));
    }
    Ok(Workers::File(text.into()))
}

pub fn credit(text: &str) -> Result<Credit, ValueError> {
    if text == "auto" {
        return Ok(Credit::Auto);
    }
    numbers::whole(text, 1, u32::MAX).map(Credit::Items).map_err(|_| ValueError::Credit)
}

pub fn limit_or_never(text: &str) -> Result<Limit, ValueError> {
    if text == "never" {
        return Ok(Limit::Never);
    }
    numbers::whole(text, 1, u32::MAX).map(Limit::After).map_err(|_| ValueError::Limit)
}

/// One byte: itself, or an escape as xargs reads it. The byte need not be UTF-8.
pub fn delimiter(text: OsString) -> Result<Delimiter, ValueError> {
    let byte = match text.as_bytes() {
        [] => return Ok(Delimiter::Nothing),
        [byte] => Some(*byte),
        [b'\\', escape] if !escape.is_ascii_digit() => match escape {
            b'a' => Some(0x07),
            b'b' => Some(0x08),
            b'f' => Some(0x0c),
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            b't' => Some(b'\t'),
            b'v' => Some(0x0b),
            b'\\' => Some(b'\\'),
            _ => None,
        },
        [b'\\', b'x', digits @ ..] => radix(digits, 16, 2),
        // Four digits: `\0377`, as printf writes it.
        [b'\\', digits @ ..] => radix(digits, 8, if digits.starts_with(b"0") { 4 } else { 3 }),
        _ => None,
    };
    byte.map(Delimiter::Byte).ok_or(ValueError::Delimiter)
}

/// A text with the escapes that GNU parallel knows in it: `\n`, `\r`, `\t`, `\0`, and a quote or a backslash behind
/// a backslash. Any other backslash stands for itself.
pub fn record_text(typed: &OsStr) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = typed.as_bytes();
    while let [byte, behind @ ..] = rest {
        let escaped = match (byte, behind.first()) {
            (b'\\', Some(b'n')) => Some(b'\n'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'0')) => Some(0),
            (b'\\', Some(own @ (b'\'' | b'"' | b'\\'))) => Some(*own),
            _ => None,
        };
        text.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &behind[1..] } else { behind };
    }
    text
}

/// A byte written in 1 to `digits_max` digits.
fn radix(digits: &[u8], radix: u32, digits_max: usize) -> Option<u8> {
    if digits.is_empty() || digits.len() > digits_max {
        return None;
    }
    let value = digits.iter().try_fold(0, |value, digit| Some(value * radix + char::from(*digit).to_digit(radix)?))?;
    u8::try_from(value).ok()
}

pub fn halt(text: &str) -> Result<HaltChoice, ValueError> {
    if text == "never" {
        return Ok(HaltChoice::Never);
    }
    let (when, rest) = text.split_once(',').ok_or(ValueError::Halt)?;
    let (what, how_many) = rest.split_once('=').ok_or(ValueError::Halt)?;
    let now = match when {
        "now" => true,
        "soon" => false,
        _ => return Err(ValueError::Halt),
    };
    let on = match what {
        "fail" => HaltOn::Fail,
        "success" => HaltOn::Success,
        "done" => HaltOn::Done,
        _ => return Err(ValueError::Halt),
    };
    let threshold = match how_many.strip_suffix('%') {
        Some(percent) => numbers::whole(percent, 1, 100).map(Threshold::Percent),
        None => numbers::whole(how_many, 1, u64::MAX).map(Threshold::Items),
    };
    let threshold = threshold.map_err(|_| ValueError::HaltThreshold)?;
    Ok(HaltChoice::At(Halt { on, threshold, now }))
}

pub fn term_sequence(text: &str) -> Result<TermSequence, ValueError> {
    let mut steps = Vec::new();
    let mut words = text.split(',').map(str::trim);
    while let Some(name) = words.next() {
        // A number in the place of a name is a signal; a wait follows each signal.
        let signal = Signal::parse(name).ok_or_else(|| ValueError::NoSignal { name: format!("{name:?}") })?;
        let wait_ms = match words.next() {
            Some(wait) => numbers::whole(wait, 0, u32::MAX).map_err(|_| ValueError::TermSequence)?,
            None => return Err(ValueError::TermSequence),
        };
        steps.push(TermStep { signal, wait: Duration::from_millis(wait_ms.into()) });
    }
    match steps.last() {
        Some(step) if step.signal == Signal::KILL => Ok(TermSequence(steps)),
        _ => Err(ValueError::TermSequenceEnd),
    }
}

/// The name and the value of a variable.
pub fn variable(text: OsString) -> Result<(OsString, OsString), ValueError> {
    let bytes = text.as_bytes();
    let at = memchr::memchr(b'=', bytes).ok_or(ValueError::NoVariable)?;
    if at == 0 {
        return Err(ValueError::NoVariableName);
    }
    Ok((OsStr::from_bytes(&bytes[..at]).to_owned(), OsStr::from_bytes(&bytes[at + 1..]).to_owned()))
}

/// What is added to a nice value.
pub fn nice(text: &str) -> Result<i32, ValueError> {
    let (digits, sign) = text.strip_prefix('-').map_or((text, 1), |digits| (digits, -1));
    let size: i32 = numbers::whole(digits, 0, 20_u32).map_err(|_| ValueError::Nice)?.cast_signed();
    if sign * size <= 19 { Ok(sign * size) } else { Err(ValueError::Nice) }
}

/// A number is an exit code, so a signal is given by its name.
pub fn exit_rules(text: &str) -> Result<ExitRules, ValueError> {
    let (ends, rule) = text.split_once('=').ok_or(ValueError::ExitRules)?;
    let rule = ExitRule::ALL.into_iter().find(|known| known.name() == rule).ok_or(ValueError::ExitRules)?;
    let ends = ends.split(',').map(|end| exit_match(end).map(|end| (end, rule)));
    ends.collect::<Result<_, _>>().map(ExitRules)
}

fn exit_match(text: &str) -> Result<ExitMatch, ValueError> {
    if text.is_empty() {
        return Err(ValueError::ExitRules);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'+') {
        let signal = Signal::parse(text).ok_or_else(|| ValueError::NoSignalOfRule { name: format!("{text:?}") })?;
        return Ok(ExitMatch::Signal(signal));
    }
    match numbers::whole(text, 0, u8::MAX) {
        Ok(0) => Err(ValueError::ExitRuleOfSuccess),
        Ok(code) => Ok(ExitMatch::Code(code)),
        Err(_) => Err(ValueError::NoExitCode { code: format!("{text:?}") }),
    }
}

pub fn intensity(text: &str) -> Result<Intensity, ValueError> {
    let (number, period) = text.split_once('/').ok_or(ValueError::Intensity)?;
    let restarts_max = numbers::whole(number, 0, u32::MAX).map_err(|_| ValueError::Intensity)?;
    match durations::parse(period)? {
        Duration::ZERO => Err(ValueError::Intensity),
        period => Ok(Intensity { restarts_max, period }),
    }
}

pub fn backoff(text: &str) -> Result<Backoff, ValueError> {
    let (min, max) = text.split_once("..").ok_or(ValueError::Backoff)?;
    let (min, max) = (durations::parse(min)?, durations::parse(max)?);
    if min <= max { Ok(Backoff { min, max }) } else { Err(ValueError::BackoffOrder) }
}

/// 0 is 0.01 in GNU parallel, so it means that nothing else may run, as 1 does.
pub fn load(text: &str) -> Result<LoadMax, ValueError> {
    let text = if text == "0" { "1" } else { text };
    WorkerCount::parse(text).map(LoadMax).map_err(|error| match error {
        WorkerCountError::NotACount => ValueError::Load,
        error => error.into(),
    })
}

/// A duration, with a minus in front if it is one after which to give up.
pub fn semaphore_patience(text: &str) -> Result<SemaphorePatience, ValueError> {
    let (wait, takes_anyway) = text.strip_prefix('-').map_or((text, true), |wait| (wait, false));
    Ok(SemaphorePatience { wait: durations::parse(wait)?, takes_anyway })
}

/// A duration, or the shortest and the longest one.
pub fn start_delay(text: &str) -> Result<StartDelay, ValueError> {
    if text.contains("..") {
        return backoff(text).map(|Backoff { min, max }| StartDelay { min, max });
    }
    Ok(durations::parse(text)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_and_credit_take_numbers_and_words() {
        let workers = |text: &str| workers(text.into());
        assert_eq!(workers("auto"), Ok(Workers::Count(WorkerCount::Cores)));
        assert_eq!(workers("200%"), Ok(Workers::Count(WorkerCount::Percent(200_000_000))));
        assert_eq!(workers("-1"), Ok(Workers::Count(WorkerCount::Fewer(1))));
        assert_eq!(workers("1000000"), Ok(Workers::Count(WorkerCount::Exactly(1_000_000))));
        for text in ["0", "-", "0%", "", "%", "1.5"] {
            assert_eq!(workers(text), Err(ValueError::Workers(WorkerCountError::NotACount)), "{text:?}");
        }
        for file in ["two", "./2", "jobs%"] {
            assert_eq!(workers(file), Ok(Workers::File(file.into())));
        }
        assert!(matches!(workers("4294967296"), Err(ValueError::Workers(WorkerCountError::Number(_)))));
        assert_eq!(credit("7"), Ok(Credit::Items(7)));
        assert_eq!(credit("0"), Err(ValueError::Credit));
        assert_eq!(limit_or_never("never"), Ok(Limit::Never));
        assert_eq!(limit_or_never("0"), Err(ValueError::Limit));
    }

    #[test]
    fn a_delimiter_is_one_byte_or_an_escape() {
        let table: [(&[u8], u8); 12] = [
            (b",", b','),
            (b"0", b'0'),
            (b"\n", b'\n'),
            (b"\\", b'\\'),
            (b"\\n", b'\n'),
            (b"\\t", b'\t'),
            (b"\\0", 0),
            (b"\\\\", b'\\'),
            (b"\\x1F", 0x1f),
            (b"\\xa", 0x0a),
            (b"\\0377", 0xff),
            (b"\xff", 0xff),
        ];
        let of = |bytes: &[u8]| delimiter(std::ffi::OsStr::from_bytes(bytes).to_owned());
        for (bytes, byte) in table {
            assert_eq!(of(bytes), Ok(Delimiter::Byte(byte)), "{bytes:?}");
        }
        assert_eq!(of(b""), Ok(Delimiter::Nothing));
        for bytes in [&b"ab"[..], "é".as_bytes(), b"\\q", b"\\x", b"\\x123", b"\\400", b"\\8", b"\\12345", b"\\\xff"] {
            assert_eq!(of(bytes), Err(ValueError::Delimiter), "{bytes:?}");
        }
    }

    #[test]
    fn the_text_of_a_record_has_the_escapes_of_parallel() {
        let table: [(&str, &[u8]); 9] = [
            ("", b""),
            (r"\n", b"\n"),
            (r"a\tb\r\0", b"a\tb\r\0"),
            (r"\\n", br"\n"),
            (r#"\'\""#, b"'\""),
            (r"\x41", br"\x41"),
            (r"\", br"\"),
            (r"\012", b"\x0012"),
            ("é", "é".as_bytes()),
        ];
        for (typed, text) in table {
            assert_eq!(record_text(OsStr::new(typed)), text, "{typed}");
        }
        assert_eq!(record_text(OsStr::from_bytes(b"\xff")), b"\xff");
    }

    #[test]
    fn halt_takes_a_moment_an_outcome_and_a_threshold() {
        let at = |on, threshold, now| Ok(HaltChoice::At(Halt { on, threshold, now }));
        assert_eq!(halt("never"), Ok(HaltChoice::Never));
        assert_eq!(halt("now,fail=1"), at(HaltOn::Fail, Threshold::Items(1), true));
        assert_eq!(halt("soon,success=7"), at(HaltOn::Success, Threshold::Items(7), false));
        assert_eq!(halt("soon,done=20%"), at(HaltOn::Done, Threshold::Percent(20), false));
        for text in ["", "now", "now,fail", "later,fail=1", "now,error=1", "fail=1"] {
            assert_eq!(halt(text), Err(ValueError::Halt), "{text:?}");
        }
        for text in ["now,fail=0", "now,fail=0%", "now,fail=101%", "now,fail=x", "now,fail="] {
            assert_eq!(halt(text), Err(ValueError::HaltThreshold), "{text:?}");
        }
    }

    #[test]
    fn a_term_sequence_ends_in_kill() {
        let step = |signal, ms| TermStep { signal, wait: Duration::from_millis(ms) };
        let expected = vec![step(Signal::TERM, 200), step(Signal::INT, 0), step(Signal::KILL, 25)];
        assert_eq!(term_sequence("TERM,200,sigint,0,9,25"), Ok(TermSequence(expected)));
        assert_eq!(term_sequence("KILL,0"), Ok(TermSequence(vec![step(Signal::KILL, 0)])));
        for text in ["TERM,200", "KILL,25,TERM,5"] {
            assert_eq!(term_sequence(text), Err(ValueError::TermSequenceEnd), "{text:?}");
        }
        for text in ["TERM", "TERM,200,INT", "TERM,x,KILL,25", "TERM,200,KILL", "KILL,-1", "KILL,99999999999"] {
            assert_eq!(term_sequence(text), Err(ValueError::TermSequence), "{text:?}");
        }
        for text in ["", "FOO,1,KILL,1", "0,1,KILL,1", "65,1,KILL,1", "TERM,1,,KILL,1"] {
            assert!(matches!(term_sequence(text), Err(ValueError::NoSignal { .. })), "{text:?}");
        }
    }

    #[test]
    fn exit_rules_take_codes_and_names_of_signals() {
        let rules = |ends: &[ExitMatch], rule| Ok(ExitRules(ends.iter().map(|end| (*end, rule)).collect()));
        let (three, four) = (ExitMatch::Code(3), ExitMatch::Code(4));
        assert_eq!(exit_rules("3=retry"), rules(&[three], ExitRule::Retry));
        assert_eq!(exit_rules("3,4=dead"), rules(&[three, four], ExitRule::Dead));
        let (segv, kill) = (ExitMatch::Signal(Signal::SEGV), ExitMatch::Signal(Signal::KILL));
        assert_eq!(exit_rules("SEGV,3,sigkill=halt"), rules(&[segv, three, kill], ExitRule::Halt));
        assert_eq!(exit_rules("255=fail"), rules(&[ExitMatch::Code(255)], ExitRule::Fail));
        for text in ["", "3", "=", "3=", "=retry", "3=stop", "3=RETRY", "3=retry=dead", ",=dead", "3,=dead", "3=\u{e9}"]
        {
            assert_eq!(exit_rules(text), Err(ValueError::ExitRules), "{text:?}");
        }
        assert_eq!(exit_rules("0=dead"), Err(ValueError::ExitRuleOfSuccess));
        for text in ["256=fail", "-1=fail", "+3=fail", "99999999999999999999=fail", "3-5=fail"] {
            assert!(matches!(exit_rules(text), Err(ValueError::NoExitCode { .. })), "{text:?}");
        }
        for text in ["SEGF=fail", "3, 4=fail", "1.5=fail", "0x3=fail", "\u{663}=fail"] {
            assert!(matches!(exit_rules(text), Err(ValueError::NoSignalOfRule { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_variable_is_a_name_and_any_value() {
        let of = |bytes: &[u8]| variable(OsStr::from_bytes(bytes).to_owned());
        for (text, name, value) in [
            (&b"A=1"[..], &b"A"[..], &b"1"[..]),
            (b"A=", b"A", b""),
            (b"A==", b"A", b"="),
            (b"\xff=\xfe", b"\xff", b"\xfe"),
        ] {
            assert_eq!(of(text), Ok((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value).to_owned())));
        }
        assert_eq!((of(b"HOME"), of(b"")), (Err(ValueError::NoVariable), Err(ValueError::NoVariable)));
        assert_eq!(of(b"=x"), Err(ValueError::NoVariableName));
    }

    #[test]
    fn nice_values_have_a_sign_and_two_ends() {
        for (text, value) in [("0", 0), ("19", 19), ("-20", -20), ("-0", 0), ("7", 7)] {
            assert_eq!(nice(text), Ok(value), "{text}");
        }
        for text in ["20", "-21", "", "-", "--1", "+1", " 1", "1.5", "x", "99999999999"] {
            assert_eq!(nice(text), Err(ValueError::Nice), "{text:?}");
        }
    }

    #[test]
    fn intensity_and_back_off_take_pairs() {
        let ten_seconds = Duration::from_secs(10);
        assert_eq!(intensity("5/10s"), Ok(Intensity { restarts_max: 5, period: ten_seconds }));
        assert_eq!(intensity("0/10"), Ok(Intensity { restarts_max: 0, period: ten_seconds }));
        for text in ["5", "/", "x/10s", "-1/10s", "5/0"] {
            assert_eq!(intensity(text), Err(ValueError::Intensity), "{text:?}");
        }
        assert_eq!(intensity("5/x"), Err(ValueError::Duration(DurationError::NotADuration)));
        assert_eq!(backoff("100ms..10s"), Ok(Backoff { min: Duration::from_millis(100), max: ten_seconds }));
        assert_eq!(backoff("0..0"), Ok(Backoff { min: Duration::ZERO, max: Duration::ZERO }));
        assert_eq!(backoff("10s"), Err(ValueError::Backoff));
        assert_eq!(backoff("10s..1s"), Err(ValueError::BackoffOrder));
        assert!(matches!(backoff("..10s"), Err(ValueError::Duration(_))));
        assert!(matches!(backoff("0.5..1.5.."), Err(ValueError::Duration(_))));
    }
}
