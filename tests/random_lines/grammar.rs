//! Draws a command line: a worker, a place of items, and flags with valid and odd values.

use super::line::{Input, Line, Output, Sent};
use clap::{ArgAction, CommandFactory};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;
use supervisor::cli::args::Flags;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn per_cent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// The kinds of workers; a set of them is a sum.
const PROCESSES: u8 = 1;
const THREADS: u8 = 2;
const COMMANDS: u8 = 4;
const PROGRAMS: u8 = 8;
const STAYING: u8 = PROCESSES | PROGRAMS;
const ANY: u8 = PROCESSES | THREADS | COMMANDS | PROGRAMS;

/// How a flag is drawn.
struct Rule {
    /// The flag, as the definition of the command line calls it.
    flag: &'static str,
    /// The workers that it makes sense for.
    kinds: u8,
    /// Only for items from a file or from stdin.
    needs_input: bool,
    /// Values; none for a flag without a value.
    good: &'static [&'static str],
    /// Valid values with which a run may take for ever.
    slow: &'static [&'static str],
    /// Values of the wrong form, or from the end of the range, which are over at once.
    odd: &'static [&'static [u8]],
}

const fn rule(flag: &'static str, kinds: u8, good: &'static [&'static str]) -> Rule {
    Rule { flag, kinds, needs_input: false, good, slow: &[], odd: &[] }
}

impl Rule {
    const fn slow(self, slow: &'static [&'static str]) -> Self {
        Self { slow, ..self }
    }

    const fn odd(self, odd: &'static [&'static [u8]]) -> Self {
        Self { odd, ..self }
    }

    const fn needs_input(self) -> Self {
        Self { needs_input: true, ..self }
    }
}

/// Each line whose seed is a multiple of it has one of the flags that make sense with no worker, each in its turn: by chance
/// some of them would be missing in a few hundred lines.
const SENSELESS_PERIOD: u64 = 10;

/// Values that no flag with a number takes.
const NO_NUMBERS: &[&[u8]] =
    &[b"", b"-1", b"1.5.5", b"abc", b"99999999999999999999", b"1\xff", "\u{661}".as_bytes(), b"0x10", b"+1", b" 1"];
const NO_DURATIONS: &[&[u8]] = &[b"", b"-1s", b"3x", b"s", b"1h30", b"99999999999999999999h", b"1\xc3", b"1e3", b"."];
const NO_WORDS: &[&[u8]] = &[b"", b"-", b"PIPE", b"nats", b"\xff", b"pipe,shm", b"a\nb"];

const RULES: &[Rule] = &[
    rule("workers", ANY, &["1", "2", "3", "5", "9", "auto", "200%", "1%", "+1", "-1"]).odd(&[
        b"0",
        b"-",
        b"0%",
        b"%",
        b"4294967295",
        b"4294967296",
        b"",
        b"two",
        b"\xff",
    ]),
    // Only instead of another input, so it is drawn with the input; here it is the second one.
    rule("jobs_max", ANY, &["5", "9", "64"]).odd(&[b"0", b"1", b"-1", b"auto", b"", b"4294967296"]),
    rule("items", 0, &["0", "3"]).odd(NO_NUMBERS),
    rule("arg_file", 0, &["items", "-", "/nonexistent/items", "."]).odd(&[b"", b"\xff\xfe", b"/dev/null"]),
    rule("null", ANY, &[]).needs_input(),
    rule("delimiter", ANY, &[",", "\\n", "\\x00", "\\0", ";"])
        .needs_input()
        .odd(&[b"", b"ab", b"\\", b"\\xfff", b"\xff"]),
    rule("block", ANY, &["1", "7", "1K", "64k", "16M"])
        .needs_input()
        .odd(&[b"0", b"17M", b"1Q", b"-1", b"", b"K", b"1.5"]),
    rule("pipe", COMMANDS, &[]).needs_input(),
    // Without --pipe they are refused, so they are drawn with it.
    rule("round_robin", 0, &[]).needs_input(),
    rule("recstart", 0, &["a", "\\n", ""]).needs_input().odd(&[b"\xff"]),
    rule("recend", 0, &["\\n", "7", "", "\\0"]).needs_input().odd(&[b"\xff"]),
    rule("colsep", COMMANDS, &[",", "\\s+", "(a)|b", ""]).odd(&[b"(", b"[", b"\xff", b"(?=x)", b"*"]),
    rule("csv", COMMANDS, &[]),
    rule("header", COMMANDS, &[":", "0"]).odd(&[b"", b"1", b"::", b"\xff"]),
    rule("max_args", COMMANDS, &["0", "1", "2", "7", "4294967295"]).odd(NO_NUMBERS),
    rule("repeat_words", COMMANDS, &[]),
    rule("join_words", COMMANDS, &[]),
    rule("max_lines", COMMANDS, &["1", "2", "4294967295"]).odd(NO_NUMBERS),
    rule("max_chars", COMMANDS, &["1", "20", "1k", "4K", "1G"]).odd(&[b"0", b"", b"K", b"-1", b"1Q", b"\xff"]),
    rule("replace", COMMANDS, &[",,", "{x}", "{", "a"]).odd(&[b"", b"\xff"]),
    rule("shuf", ANY, &[]),
    rule("no_run_if_empty", ANY, &[]),
    rule("eof", ANY, &["7", "abc", ""]).odd(&[b"\xff"]),
    // Its text would stand between the command and the items that the line has.
    rule("arg_sep", 0, &[":::", ",", "--"]).odd(&[b"", b"\xff", b"+"]),
    rule(
        "task",
        PROCESSES | THREADS,
        &["square", "cube", "echo", "hash", "countdown", "identity", "whoami", "panic", "sleep", "exit", "signal"],
    )
    .slow(&["hang"])
    .odd(&[b"", b"dance", b"SQUARE", b"\xff", b"-k"]),
    rule("delay", PROCESSES | THREADS, &["0", "1ms", "10us", "5ms", "0.002"])
        .slow(&["1h", "18446744073s"])
        .odd(NO_DURATIONS),
    rule("protocol", 0, &["exec", "frames", "lines", "json"]).odd(NO_WORDS),
    // Without an equals sign the value is a stray word.
    rule("wait_ready", PROGRAMS, &["1s", "50ms"]).odd(NO_DURATIONS),
    rule("start_timeout", STAYING | THREADS, &["20s", "1m"]).odd(NO_DURATIONS),
    rule("json_fd", PROGRAMS, &[]),
    rule("transport", STAYING, &["pipe", "socket", "shm", "file", "mqueue", "channel"]).odd(NO_WORDS),
    rule("spin", STAYING, &["0", "1us", "1ms"]).odd(NO_DURATIONS),
    rule("spool", STAYING, &["spool", "."]).odd(&[b"", b"/nonexistent/spool", b"items", b"\xff"]),
    rule("isolation", 0, &["process", "thread"]).odd(NO_WORDS),
    rule("threads_per_worker", ANY, &["1", "4", "4294967295"]).odd(NO_NUMBERS),
    rule("queue", ANY, &["fifo", "lifo", "priority"]).needs_input().odd(NO_WORDS),
    rule("queue_items_max", ANY, &["1", "2", "3", "100", "18446744073709551615"]).odd(NO_NUMBERS),
    rule("credit", STAYING | THREADS, &["1", "2", "7", "auto", "4294967295"]).odd(NO_NUMBERS),
    rule("batch_max", STAYING | THREADS, &["1", "2", "100", "4294967295"]).odd(NO_NUMBERS),
    rule("shell", COMMANDS, &[]),
    rule("stdin", COMMANDS, &[]),
    rule("merge", COMMANDS, &[]),
    rule("item_tmp", COMMANDS, &[]),
    rule("tmpdir", ANY, &[".", "/tmp"]).odd(&[b"", b"/nonexistent/folder", b"items", b"\xff", b"/proc"]),
    // The lines have no terminal.
    rule("tty", 0, &[]),
    rule("pty", COMMANDS | PROGRAMS, &[]),
    // There is nobody to answer.
    rule("interactive", 0, &[]),
    // They have no further descriptor, so each number is refused.
    rule("pass_fd", 0, &["3", "19", "4294967295"]).odd(&[b"0", b"2", b"-1", b"", b"x", b"99999999999999999999"]),
    rule("workdir", STAYING | COMMANDS, &[".", "/", "/tmp"]).odd(&[
        b"",
        b"/nonexistent/folder",
        b"items",
        b"{}",
        b"\xff",
    ]),
    rule("env", STAYING | COMMANDS, &["A=1", "A=", "PATH=/bin:/usr/bin", "A=b=c"]).odd(&[
        b"",
        b"A",
        b"=x",
        b"SUPERVISOR_ITEM=1",
        b"PARALLEL_SEQ=",
        b"PATH=",
        b"\xff=\xff",
    ]),
    rule("nice", STAYING | COMMANDS, &["0", "5", "19"]).odd(&[b"-21", b"20", b"", b"x", b"99999999999", b"+1"]),
    rule("leftovers", STAYING | COMMANDS, &["kill", "leave"]).odd(NO_WORDS),
    rule("retries", ANY, &["0", "1", "2", "5"]).slow(&["4294967295"]).odd(NO_NUMBERS),
    rule(
        "on",
        COMMANDS,
        &["3=retry", "1,3,255=fail", "SEGV=dead", "KILL,TERM=retry", "1=halt", "75=fail", "65=retry", "sigsegv,9=halt"],
    )
    .odd(&[b"", b"=", b"0=fail", b"256=dead", b"3=stop", b"3", b"SEGF=dead", b"3,=dead", b"-1=fail", b"3=\xff"]),
    rule("crash_limit", STAYING | COMMANDS, &["1", "2", "5"]).slow(&["4294967295"]).odd(NO_NUMBERS),
    rule("kill_limit", STAYING | COMMANDS, &["1", "2"]).slow(&["never", "4294967295"]).odd(NO_NUMBERS),
    rule("retry_delay", ANY, &["0", "1ms", "20ms"]).slow(&["1h", "18446744073s"]).odd(NO_DURATIONS),
    rule("max_dead", ANY, &["1", "2", "3", "never", "4294967295"]).odd(NO_NUMBERS),
    rule("start_delay", ANY, &["0", "1ms", "0..2ms", "5ms..5ms"])
        .slow(&["1h", "18446744073s..18446744073s"])
        .odd(&[b"", b"..", b"2s..1s", b"1..x", b"-1", b"1..", b"\xff..1", b"5%"]),
    rule("load", ANY, &["1000000", "100000%", "+1000000"])
        .slow(&["0", "1", "-100"])
        .odd(&[b"", b"%", b"x", b"1.5", b"-", b"\xff"]),
    rule("memfree", ANY, &["1", "1k", "4K"])
        .slow(&["1000000G", "18446744073709551615"])
        .odd(&[b"0", b"", b"K", b"-1", b"1Q", b"\xff"]),
    rule("memsuspend", STAYING | COMMANDS, &["1", "1k", "4K"])
        .slow(&["1000000G", "18446744073709551615"])
        .odd(&[b"0", b"", b"K", b"-1", b"1Q", b"\xff"]),
    rule("sem", ANY, &["random-lines"]).odd(&[b"", b".", b"a/b", b"\xff"]),
    rule("limit", ANY, &["true", "exit 0", "echo x", "load 1000000", "mem 1k"])
        .slow(&["false", "exit 2", "sleep 60", "", "load 0", "mem 1000000G"])
        .odd(&[b"io 10", b"load", b"load x", b"mem", b"mem 0", b"mem 1 2"]),
    rule("timeout", STAYING | COMMANDS, &["50ms", "0.2", "10s", "1h", "18446744073s", "1ns"]).odd(NO_DURATIONS),
    rule("term_seq", ANY, &["KILL,0", "TERM,20,KILL,5", "INT,0,TERM,0,KILL,1", "CONT,1,KILL,0", "9,25"])
        .slow(&["0,1,KILL,5", "TERM,4294967295,KILL,0", "STOP,4294967295,KILL,4294967295"])
        .odd(&[b"", b",", b"TERM,200", b"KILL", b"KILL,x", b"65,1,KILL,1", b"KILL,-1", b"TREM,1,KILL,1", b"KILL,\xff"]),
    rule("grace", ANY, &["0", "10ms", "10s"]).slow(&["18446744073s"]).odd(NO_DURATIONS),
    rule("restart", STAYING, &["permanent", "transient", "temporary"]).odd(NO_WORDS),
    rule("strategy", STAYING, &["one-for-one", "one-for-all", "rest-for-one"]).odd(NO_WORDS),
    rule("max_restarts", ANY, &["0/1s", "1/1s", "5/10s", "3/1h"])
        .slow(&["4294967295/1ns", "4294967295/1h"])
        .odd(&[b"5", b"/", b"5/", b"/5", b"5/0", b"-1/1s", b"5/10x", b"\xff/1"]),
    rule("backoff", ANY, &["0..0", "1ms..5ms", "0..1h"])
        .slow(&["1h..1h", "18446744073s..18446744073s"])
        .odd(&[b"..", b"1s", b"2s..1s", b"1..x", b"-1..1", b"\xff..1"]),
    rule(
        "halt",
        ANY,
        &[
            "never",
            "soon,fail=1",
            "now,fail=1",
            "soon,success=2",
            "now,success=1",
            "soon,done=50%",
            "now,done=3",
            "now,fail=10%",
        ],
    )
    .odd(&[b"", b"now", b"now,fail", b"now,fail=0", b"now,fail=101%", b"later,fail=1", b"=,", b"now,fail=\xff"]),
    rule("fail_fast", ANY, &[]),
    rule(
        "chaos",
        STAYING | COMMANDS,
        &["kill=5/s", "stop=2/s,seed=1", "segv=1/m", "slow=50%..1ms", "kill=20/s,slow=5%..5ms"],
    )
    .odd(&[
        b"",
        b"kill",
        b"kill=0/s",
        b"kill=1",
        b"hang=0%",
        b"slow=1%",
        b"kill=1/s,kill=1/s",
        b"seed=1",
        b"\xff=1/s",
    ]),
    rule("run_timeout", ANY, &["100ms", "0.3", "10s", "1h", "18446744073s"]).odd(NO_DURATIONS),
    rule("seed", ANY, &["0", "1", "18446744073709551615"]).odd(NO_NUMBERS),
    rule("journal", ANY, &["journal", "journal", "/dev/full", "/nonexistent/journal", "items"]).odd(&[b"", b"-", b"."]),
    // Without a journal they are refused, so they are drawn with neither.
    rule("resume", 0, &["journal"]),
    rule("resume_by", 0, &["position", "item"]),
    rule("retry_failed", 0, &[]),
    rule("retry_dead", 0, &[]),
    rule("force", 0, &[]),
    rule("keep_open", 0, &[]),
    rule("durability", 0, &["process", "power"]),
    rule("output_file", 0, &["output"]),
    rule("journal_results", 0, &[]),
    rule("output", ANY, &["narrate", "results", "json", "none"]).odd(NO_WORDS),
    rule("keep_order", ANY, &[]),
    rule("tag", ANY, &[]),
    rule("tagstring", ANY, &["x{}", "{#}\\t{%}", "", "{1}{2}"]).odd(&[b"\xff", b"{", b"-k"]),
    rule("group", ANY, &[]),
    rule("line_buffer", COMMANDS, &[]),
    rule("ungroup", COMMANDS, &[]),
    rule("show", COMMANDS, &["all", "failed", "never", "final"]).odd(NO_WORDS),
    rule("success_output", COMMANDS, &["immediate", "immediate-final", "final", "never"]).odd(NO_WORDS),
    rule("failure_output", COMMANDS, &["immediate", "immediate-final", "final", "never"]).odd(NO_WORDS),
    rule("events", ANY, &["/dev/null", "/dev/full", "/nonexistent/events", "items", "/dev/stderr"])
        .odd(&[b"", b"-", b".", b"\xff", b"/"]),
    rule(
        "joblog",
        ANY,
        &["/dev/null", "/dev/full", "/nonexistent/log", "items", "/dev/stderr", "log", "log", "log", "+log"],
    )
    .odd(&[b"", b"-", b".", b"+", b"\xff", b"/"]),
    rule("dead_letters", ANY, &["/dev/null", "/dev/full", "/nonexistent/dead", "items", "dead", "dead"])
        .odd(&[b"", b"-", b".", b"\xff", b"/"]),
    rule("worker_log", STAYING, &["prefix", "raw", "logs", "logs", "/nonexistent/logs", "items"])
        .odd(&[b"", b"-", b".", b"\xff", b"/"]),
    rule("worker_log_max", STAYING, &["1", "1K", "8M"]).odd(NO_NUMBERS),
    rule(
        "results",
        COMMANDS,
        &[
            "results",
            "results",
            "r/{}/",
            "r/{}/",
            "r-{#}",
            "r.json",
            "r.csv",
            "-.json",
            "/dev/full",
            "items",
            "/nonexistent/r.tsv",
        ],
    )
    .odd(&[b"", b"\xff", b"-.tsv"]),
    rule("trace", ANY, &["trace", "trace", "trace", "/dev/full", "/nonexistent/trace", "items"])
        .odd(&[b"", b"-", b"."]),
    // Without a trace it is refused, so it is drawn with neither.
    rule("trace_items", 0, &[]),
    rule("flow", ANY, &[]),
    rule("color", ANY, &["auto", "always", "never"]).odd(NO_WORDS),
    rule("summary", ANY, &["auto", "always", "never"]).odd(NO_WORDS),
    rule("progress", ANY, &["auto", "plain", "json", "none"]).odd(&[b"", b"-", b"BAR", b"bar", b"\xff", b"bar,plain"]),
    rule("quiet", ANY, &[]),
    rule("dry_run", ANY, &[]),
    rule("verbose", ANY, &[]),
    rule("no_control", ANY, &[]),
    rule("exit_code", ANY, &["own", "count", "xargs"]).odd(NO_WORDS),
    rule("help", 0, &[]),
    rule("version", 0, &[]),
];

/// Of each group two are refused together in most cases, so most lines have one.
const APART: &[&[&str]] = &[
    &["line_buffer", "ungroup", "show", "success_output", "failure_output", "results", "output", "keep_order"],
    &["line_buffer", "ungroup", "tag", "tagstring", "output", "block", "pipe"],
    &["pipe", "stdin", "delimiter", "null", "queue", "colsep", "csv", "header", "max_args", "max_lines", "replace"],
    &["pipe", "no_run_if_empty", "eof", "shuf", "max_chars", "repeat_words", "join_words"],
    &["pty", "merge", "ungroup"],
    &["item_tmp", "tmpdir", "env"],
];

/// Commands: their words are cut at `|`.
const COMMAND_LINES: &[&str] = &[
    "true",
    "false",
    "cat",
    "echo|{}",
    "echo|{#} {%} {/} {//} {.} {/.}",
    "sh|-c|exit 3",
    "sh|-c|exit 255",
    "sh|-c|exit ${1:-0}|sh",
    "sh|-c|kill -9 $$",
    "sh|-c|kill -SEGV $$",
    "sh|-c|kill -TERM $$",
    "sh|-c|kill -STOP $$",
    "sh|-c|sleep 0.01",
    "sh|-c|sleep 0.03",
    "no-such-program",
    "./items",
    "/",
    "",
    "sh|-c|sleep 60 & exit 0",
    "sh|-c|exec >&- 2>&-; exit 1",
    "sh|-c|head -c 3000000 /dev/zero",
    "sh|-c|echo out; echo error >&2",
    "sh|-c|printf 'no newline'",
    "printf|%s|{}",
    "env",
];
/// The same, for ever.
const SLOW_COMMAND_LINES: &[&str] =
    &["sleep|60", "sh|-c|trap '' TERM INT; sleep 60; sleep 60", "sh|-c|sleep 60 & wait"];
/// With `--shell`: one word.
const SCRIPTS: &[&str] =
    &["echo {} | cat", "exit 4", "kill -9 $$", "echo '{}' \"{}\"", "echo $(( {} ))", "cat <<E\n{}\nE\n", "("];
/// Programs behind `--protocol frames`, `lines` and `json`.
const PROGRAM_LINES: &[&str] = &[
    "WORKER",
    "WORKER",
    "WORKER",
    "WORKER",
    "cat",
    "true",
    "false",
    "sh|-c|exit 3",
    "no-such-program",
    "sh|-c|kill -9 $$",
];

const ITEMS: &[&[u8]] = &[
    b"1",
    b"2",
    b"7",
    b"-3",
    b"0",
    b"abc",
    b"",
    b"a b",
    b"dir/x.tar.gz",
    b"\xff\xfe",
    b"\r",
    "\u{e9}\u{202e}".as_bytes(),
    b"0.01",
    b"CONT",
    b"3",
    b"18446744073709551616",
    b"'",
    b"\"$(id)`",
    b"--help",
    b"{}",
    b"\x1b[31m",
];
/// Only in files and on stdin: arguments hold no NUL, and no 200 KiB.
const FILE_ITEMS: &[&[u8]] =
    &[b"a\0b", b"\0", &[b'x'; 200_000], b"9\t1", b"-5\tb", b"9999999999999999999999\tc", b"\t"];

/// Every flag of the command line and no other has a rule.
pub fn assert_complete() {
    let command = Flags::command();
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.flag).collect();
    let flags: Vec<&str> = command.get_arguments().map(|flag| flag.get_id().as_str()).collect();
    assert_eq!(rules, flags, "each flag needs a rule, in the order of the definition");
    for (rule, flag) in RULES.iter().zip(command.get_arguments()) {
        let takes_value = matches!(flag.get_action(), ArgAction::Set | ArgAction::Append);
        assert_eq!(takes_value, !rule.good.is_empty(), "--{}", rule.flag);
    }
}

/// The flags of all rules.
pub fn flags() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.flag)
}

pub struct Generator {
    /// By flag: how it may be typed.
    spellings: BTreeMap<&'static str, Vec<String>>,
    worker_program: String,
}

impl Generator {
    pub fn new(worker_program: &str) -> Self {
        let command = Flags::command();
        let spellings = RULES.iter().zip(command.get_arguments()).map(|(rule, flag)| {
            let long = flag.get_long_and_visible_aliases().into_iter().flatten().map(|name| format!("--{name}"));
            let short = flag.get_short_and_visible_aliases().into_iter().flatten().map(|name| format!("-{name}"));
            let hidden = flag.get_all_aliases().into_iter().flatten().map(|name| format!("--{name}"));
            let hidden_short = flag.get_all_short_aliases().into_iter().flatten().map(|name| format!("-{name}"));
            (rule.flag, long.chain(short).chain(hidden).chain(hidden_short).collect())
        });
        Self { spellings: spellings.collect(), worker_program: worker_program.to_owned() }
    }

    /// The line of a seed. The same seed gives the same line.
    pub fn line(&self, seed: u64) -> Line {
        let mut random = Random(seed);
        let random = &mut random;
        let kind = [PROCESSES, PROCESSES, THREADS, COMMANDS, COMMANDS, COMMANDS, PROGRAMS][random.below(7)];
        let mut line = Line::new(seed);
        let source = random.below(5);
        if kind == THREADS {
            self.push(&mut line, "isolation", b"thread", random);
        }
        if kind == PROGRAMS {
            let protocol: &[u8] = random.one(&[b"frames".as_slice(), b"frames", b"lines", b"json"]);
            self.push(&mut line, "protocol", protocol, random);
        }
        for _ in 0..random.below(7) {
            self.push_random_flag(&mut line, kind, source, random);
        }
        if seed.is_multiple_of(SENSELESS_PERIOD) {
            let senseless: Vec<&Rule> = RULES.iter().filter(|rule| rule.kinds == 0).collect();
            let turn = seed / SENSELESS_PERIOD % senseless.len() as u64;
            self.push_rule(&mut line, senseless[turn as usize], kind, true, random);
        }
        if random.per_cent(90) {
            self.push(&mut line, "events", b"events", random);
            line.has_events = true;
        }
        self.push_input_flag(&mut line, source, random);
        self.push_command(&mut line, kind, random);
        push_items(&mut line, source, random);
        choose_streams(&mut line, random);
        choose_signals(&mut line, random);
        line
    }

    /// A flag that makes sense with this worker and this input, as a rule; with a good value, as a rule.
    fn push_random_flag(&self, line: &mut Line, kind: u8, source: usize, random: &mut Random) {
        let any = random.per_cent(5);
        let makes_sense = |rule: &Rule| rule.kinds & kind != 0 && (!rule.needs_input || source >= 2);
        let drawn = line.flags.clone();
        let clashes = |rule: &Rule| {
            let of_rule = APART.iter().filter(|group| group.contains(&rule.flag));
            of_rule.flat_map(|group| group.iter()).any(|other| drawn.contains(other))
        };
        let fits = |rule: &&Rule| any || (makes_sense(rule) && !clashes(rule));
        let fitting: Vec<&Rule> = RULES.iter().filter(fits).collect();
        // Few lines can have it, and it brings three flags of its own.
        let pipe = fitting.iter().find(|rule| rule.flag == "pipe" && makes_sense(rule)).filter(|_| random.per_cent(5));
        let rule = pipe.copied().unwrap_or_else(|| random.one(&fitting));
        self.push_rule(line, rule, kind, any, random);
    }

    /// The flag of a rule; `any`: it need not make sense with this worker and this input.
    fn push_rule(&self, line: &mut Line, rule: &Rule, kind: u8, any: bool, random: &mut Random) {
        let value: Option<&[u8]> = if rule.good.is_empty() {
            None
        } else if !rule.odd.is_empty() && random.per_cent(7) {
            Some(random.one(rule.odd))
        } else if !rule.slow.is_empty() && random.per_cent(20) {
            line.endless = true;
            Some(random.one(rule.slow).as_bytes())
        } else {
            Some(random.one(rule.good).as_bytes())
        };
        if rule.flag == "spool" && random.per_cent(80) {
            self.push(line, "transport", b"file", random);
        }
        if rule.flag == "pipe" {
            if random.per_cent(40) {
                line.arguments.push(random.one(&self.spellings_of("round_robin")).into());
                line.flags.push("round_robin");
            }
            for flag in ["recstart", "recend"] {
                let texts = RULES.iter().find(|rule| rule.flag == flag).map_or(&[""][..], |rule| rule.good);
                if random.per_cent(50) {
                    let text = random.one(texts);
                    self.push(line, flag, text.as_bytes(), random);
                    line.flags.push(flag);
                }
            }
        }
        if rule.flag == "journal" {
            for flag in [
                "resume",
                "resume_by",
                "retry_failed",
                "retry_dead",
                "force",
                "durability",
                "output_file",
                "journal_results",
            ] {
                if random.per_cent(35) {
                    match RULES.iter().find(|rule| rule.flag == flag).map_or(&[][..], |rule| rule.good) {
                        [] => line.arguments.push(random.one(&self.spellings_of(flag)).into()),
                        words if flag != "resume" => self.push(line, flag, random.one(words).as_bytes(), random),
                        // Alone: the one that is named.
                        _ => line.arguments.push("--resume".into()),
                    }
                    line.flags.push(flag);
                }
            }
            if random.per_cent(10) {
                line.arguments.push("--keep-open".into());
                line.flags.push("keep_open");
            }
        }
        // An item of the task may be a signal or an exit code; in a thread it ends the supervisor.
        if let ("task", Some(b"exit" | b"signal")) = (rule.flag, value) {
            line.is_wild |= kind == THREADS || any;
        }
        line.is_wild |= any && rule.flag == "isolation";
        // There is always another item to come.
        line.endless |= line.flags.contains(&"keep_open") || rule.flag == "keep_open";
        match value {
            Some(value) => self.push(line, rule.flag, value, random),
            None => line.arguments.push(random.one(&self.spellings_of(rule.flag)).into()),
        }
        line.flags.push(rule.flag);
    }

    fn place(flag: &str) -> usize {
        RULES.iter().position(|rule| rule.flag == flag).expect("a flag with a rule")
    }

    fn spellings_of(&self, flag: &str) -> Vec<&str> {
        self.spellings[flag].iter().map(String::as_str).collect()
    }

    /// `--flag value`, `--flag=value`, `-f value` or `-fvalue`.
    fn push(&self, line: &mut Line, flag: &str, value: &[u8], random: &mut Random) {
        line.flags.push(RULES[Self::place(flag)].flag);
        let mut typed = random.one(&self.spellings_of(flag)).as_bytes().to_vec();
        if random.per_cent(50) {
            line.arguments.push(OsString::from_vec(typed));
            line.arguments.push(OsString::from_vec(value.to_vec()));
            return;
        }
        if typed.starts_with(b"--") {
            typed.push(b'=');
        }
        typed.extend_from_slice(value);
        line.arguments.push(OsString::from_vec(typed));
    }

    /// 0: none, or generated items; 1: `:::`; 2: `-a FILE`; 3: stdin; 4: `::::`.
    fn push_input_flag(&self, line: &mut Line, source: usize, random: &mut Random) {
        match source {
            0 if random.per_cent(70) => {
                let count: &[u8] = random.one(&[b"0".as_slice(), b"1", b"3", b"20", b"300", b"18446744073709551615"]);
                line.endless |= count.len() > 3;
                self.push(line, "items", count, random);
            }
            2 => self.push(line, "arg_file", b"items", random),
            3 if random.per_cent(60) => self.push(line, "arg_file", b"-", random),
            _ => {}
        }
    }

    fn push_command(&self, line: &mut Line, kind: u8, random: &mut Random) {
        let words: Vec<&str> = match kind {
            PROGRAMS => random.one(PROGRAM_LINES).split('|').collect(),
            COMMANDS if line.flags.contains(&"shell") && random.per_cent(80) => vec![random.one(SCRIPTS)],
            COMMANDS if random.per_cent(8) => {
                line.endless = true;
                random.one(SLOW_COMMAND_LINES).split('|').collect()
            }
            COMMANDS => random.one(COMMAND_LINES).split('|').collect(),
            _ => return,
        };
        // A process that stops itself waits for a CONT that never comes.
        line.endless |= words.iter().any(|word| word.contains("-STOP"));
        // Each item waits a second for the output that such a process holds open.
        line.endless |= words.iter().any(|word| word.contains("sleep 60 &"));
        if random.per_cent(97) {
            line.arguments.push("--".into());
        }
        line.arguments.extend(words.iter().map(|word| match *word {
            "WORKER" => OsString::from(&self.worker_program),
            word => word.into(),
        }));
    }
}

fn push_items(line: &mut Line, source: usize, random: &mut Random) {
    let count = [0, 1, 2, 3, 5, 9, 40][random.below(7)];
    match source {
        1 => {
            line.arguments.push(":::".into());
            line.arguments.extend((0..count).map(|_| OsString::from_vec(random.one(ITEMS).to_vec())));
        }
        2..=4 => {
            let end: &[u8] = random.one(&[b"\n".as_slice(), b"\n", b"\n", b"\0", b",", b"\r\n"]);
            let mut bytes = Vec::new();
            for _ in 0..count {
                let item: &[u8] = if random.per_cent(10) { random.one(FILE_ITEMS) } else { random.one(ITEMS) };
                if line.flags.contains(&"queue") && random.per_cent(80) {
                    bytes.extend_from_slice(format!("{}\t", random.below(9)).as_bytes());
                }
                bytes.extend_from_slice(item);
                bytes.extend_from_slice(end);
            }
            if random.per_cent(30) {
                bytes.truncate(bytes.len().saturating_sub(end.len()));
            }
            line.items = bytes;
            if source == 4 {
                line.arguments
                    .extend(["::::".into(), random.one(&["items", "items", "items", "-", "/nonexistent"]).into()]);
            }
        }
        _ => {}
    }
}

fn choose_streams(line: &mut Line, random: &mut Random) {
    line.stdin = match random.below(20) {
        0 => Input::Closed,
        1 => Input::Folder,
        2..=4 => Input::Null,
        5 => {
            line.endless = true;
            Input::Open
        }
        6..=10 => Input::File,
        _ => Input::Pipe,
    };
    line.stdout = match random.below(25) {
        0 => Output::Full,
        1 => Output::Gone,
        2 => Output::Closed,
        _ => Output::Read,
    };
}

/// An endless line is ended by signals; into some of the others they come too.
fn choose_signals(line: &mut Line, random: &mut Random) {
    const SIGNALS: [Signal; 8] = [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGUSR1,
        Signal::SIGCONT,
        Signal::SIGKILL,
    ];
    if line.endless || random.per_cent(15) {
        for _ in 0..=random.below(3) {
            let limit_us = if random.per_cent(50) { 8_000 } else { 120_000 };
            let after = Duration::from_micros(random.below(limit_us) as u64);
            line.signals.push(Sent { after, signal: SIGNALS[random.below(SIGNALS.len())] });
        }
    }
}
