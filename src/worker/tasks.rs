//! The built-in tasks: what the built-in worker does with an item. One table, one function each.
//!
//! Half of them are demonstrations; the others misbehave on purpose, to show how the supervisor reacts.
//!
//! Invariant: a task returns a result or a reason; a number that does not fit fails and never wraps.

#![deny(missing_docs)]

use super::error::WorkerError;
use super::parse::{self, NotInteger};
use super::serve::Server;
use super::{Failure, Item, Output};
use crate::model::durations;
use crate::model::signal::Signal;
use crate::sys::own_process;
use crate::sys::signals;
use std::io::Write;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// What a task does.
pub type TaskFn = fn(&Item<'_>, &mut Output) -> Result<(), Failure>;

/// A task.
#[derive(Clone, Copy)]
pub struct Task {
    /// As `--task` spells it.
    pub name: &'static str,
    /// Works on one item.
    pub run: TaskFn,
    /// The worker's loop with this task in it, where a call by reference would cost as much as the item.
    inlined: Option<fn(Server) -> Result<(), WorkerError>>,
}

impl Task {
    const fn new(name: &'static str, run: TaskFn) -> Self {
        Self { name, run, inlined: None }
    }

    /// The variant of the task for a thread of the supervisor.
    #[must_use]
    pub fn in_thread(self) -> Self {
        // A thread has no dispositions of signals of its own: those are the supervisor's.
        if self.name == "hang" { Self { run: wait_for_ever, ..self } } else { self }
    }

    /// Works until the input ends.
    pub(super) fn serve(&self, server: Server) -> Result<(), WorkerError> {
        match self.inlined {
            Some(serve) => serve(server),
            None => server.serve(self.run),
        }
    }
}

macro_rules! inlined {
    ($run:ident) => {
        Task { inlined: Some(|server| server.serve($run)), ..Task::new(stringify!($run), $run) }
    };
}

/// All tasks. `model/spec.rs` lists their names too, for the command line.
pub const ALL: [Task; 12] = [
    inlined!(square),
    Task::new("cube", cube),
    inlined!(echo),
    Task::new("sleep", sleep),
    Task::new("countdown", countdown),
    Task::new("identity", identity),
    Task::new("hash", hash),
    Task::new("exit", exit),
    Task::new("signal", signal),
    Task::new("panic", panic),
    Task::new("hang", hang),
    Task::new("leak", leak),
];

/// The task of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Task> {
    const { &ALL }.iter().find(|task| task.name == name)
}

/// The names, in the order of the table.
#[must_use]
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|task| task.name).collect()
}

/// The largest number that `countdown` counts from: its answer has 6 MB.
const COUNTDOWN_MAX: i64 = 1_000_000;

/// `leak` allocates this much at a time, and then waits this long: a gigabyte in ten seconds.
const LEAK_STEP_BYTES: usize = 1024 * 1024;
const LEAK_WAIT: Duration = Duration::from_millis(10);

#[inline]
fn integer(item: &Item<'_>) -> Result<i64, Failure> {
    parse::integer(item.bytes).map_err(|error| no_integer(item, error))
}

#[cold]
fn no_integer(item: &Item<'_>, error: NotInteger) -> Failure {
    Failure(match error {
        NotInteger::Form => format!("not an integer: {}", item.quoted()),
        NotInteger::Range => format!("more than 64 bits: {}", item.quoted()),
    })
}

/// The square of a 64-bit integer fits into 128 bits always.
#[inline(always)]
fn square(item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    let number = integer(item)?;
    match number.checked_mul(number) {
        Some(square) => out.number(square),
        None => out.number(i128::from(number) * i128::from(number)),
    }
    Ok(())
}

/// The cube of a 64-bit integer may need more than 128 bits: then the item fails.
fn cube(item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    let number = i128::from(integer(item)?);
    let cube = (number * number).checked_mul(number);
    out.number(cube.ok_or_else(|| Failure(format!("the cube has more than 128 bits: {}", item.quoted())))?);
    Ok(())
}

/// The item itself.
fn echo(item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    out.push(item.bytes);
    Ok(())
}

/// Waits as long as the item says.
fn sleep(item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    let length = std::str::from_utf8(item.bytes).ok().and_then(|text| durations::parse(text).ok());
    let length = length.ok_or_else(|| Failure(format!("not a duration: {}", item.quoted())))?;
    std::thread::sleep(Duration::from_nanos(length.0));
    out.push(b"slept ");
    out.push(item.bytes);
    Ok(())
}

/// Counts down from the item to 0.
fn countdown(item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    let from = integer(item)?;
    if !(0..=COUNTDOWN_MAX).contains(&from) {
        return Err(Failure(format!("not a number from 0 to {COUNTDOWN_MAX}: {}", item.quoted())));
    }
    for number in (1..=from).rev() {
        out.number(number);
        out.push(b" ");
    }
    out.push(b"0");
    Ok(())
}

/// The worker's identity: pid, parent, user, group, directory.
fn identity(_: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    let (user, group) = own_process::user_and_group();
    let cwd = std::env::current_dir().map_err(|error| format!("failed to read the working directory: {error}"))?;
    let (pid, parent) = (std::process::id(), std::os::unix::process::parent_id());
    write!(out, "pid {pid}, parent {parent}, uid {user}, gid {group}, cwd {}", cwd.display())?;
    Ok(())
}

/// XXH3 of the item, 64 bits in hex.
fn hash(item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    write!(out, "{:016x}", xxh3_64(item.bytes))?;
    Ok(())
}

/// Ends the worker with the item as its exit code.
fn exit(item: &Item<'_>, _: &mut Output) -> Result<(), Failure> {
    match u8::try_from(integer(item)?) {
        Ok(code) => std::process::exit(i32::from(code)),
        Err(_) => Err(Failure(format!("not an exit code from 0 to 255: {}", item.quoted()))),
    }
}

/// The worker sends itself the signal that the item names. An item that survives its signal is done.
fn signal(item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    let signal = std::str::from_utf8(item.bytes).ok().and_then(Signal::parse);
    let signal = signal.ok_or_else(|| Failure(format!("not a signal: {}", item.quoted())))?;
    signals::restore_and_raise(signal).map_err(|error| format!("failed to raise signal {signal}: {error}"))?;
    write!(out, "survived signal {signal}")?;
    Ok(())
}

/// Panics.
fn panic(item: &Item<'_>, _: &mut Output) -> Result<(), Failure> {
    panic!("{}", item.quoted());
}

/// Ignores SIGTERM and never ends.
fn hang(item: &Item<'_>, out: &mut Output) -> Result<(), Failure> {
    signals::ignore(Signal::TERM).map_err(|error| format!("failed to ignore signal {}: {error}", Signal::TERM))?;
    wait_for_ever(item, out)
}

fn wait_for_ever(_: &Item<'_>, _: &mut Output) -> Result<(), Failure> {
    loop {
        std::thread::park();
    }
}

/// Takes more and more memory until it is stopped.
fn leak(_: &Item<'_>, _: &mut Output) -> Result<(), Failure> {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut step: Vec<u8> = Vec::new();
        if step.try_reserve_exact(LEAK_STEP_BYTES).is_err() {
            return Err(Failure(format!("the system gives no more memory than {} MiB", held.len())));
        }
        // Not zeros: the system gives no memory for pages of zeros that are never touched.
        step.resize(LEAK_STEP_BYTES, 0xa5);
        held.push(step);
        std::thread::sleep(LEAK_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{Attempt, ItemId};
    use crate::model::spec::TASKS;
    use crate::sys::growable_buffer::GrowableBuffer;

    fn run(name: &str, bytes: &[u8]) -> Result<String, String> {
        let item = Item { bytes, id: ItemId(7), attempt: Attempt::FIRST };
        let mut out = Output::within(GrowableBuffer::new());
        (by_name(name).unwrap().run)(&item, &mut out).map_err(|failure| failure.0)?;
        Ok(String::from_utf8(out.present().to_vec()).unwrap())
    }

    #[test]
    fn each_task_answers_or_says_why_not() {
        let table: [(&str, &str, Result<&str, &str>); 26] = [
            ("square", "7", Ok("49")),
            ("square", "-3", Ok("9")),
            ("square", "9223372036854775807", Ok("85070591730234615847396907784232501249")),
            ("square", "-9223372036854775808", Ok("85070591730234615865843651857942052864")),
            ("square", "abc", Err("not an integer: \"abc\"")),
            ("square", "", Err("not an integer: \"\"")),
            ("square", "9223372036854775808", Err("more than 64 bits: \"9223372036854775808\"")),
            ("cube", "-4", Ok("-64")),
            ("cube", "5000000000000", Ok("125000000000000000000000000000000000000")),
            ("cube", "6000000000000", Err("the cube has more than 128 bits: \"6000000000000\"")),
            ("echo", "a b\tc", Ok("a b\tc")),
            ("echo", "", Ok("")),
            ("sleep", "0ms", Ok("slept 0ms")),
            ("sleep", "soon", Err("not a duration: \"soon\"")),
            ("countdown", "3", Ok("3 2 1 0")),
            ("countdown", "0", Ok("0")),
            ("countdown", "-1", Err("not a number from 0 to 1000000: \"-1\"")),
            ("countdown", "1000001", Err("not a number from 0 to 1000000: \"1000001\"")),
            ("hash", "", Ok("2d06800538d394c2")),
            ("hash", "abc", Ok("78af5f94892f3950")),
            ("exit", "256", Err("not an exit code from 0 to 255: \"256\"")),
            ("exit", "-1", Err("not an exit code from 0 to 255: \"-1\"")),
            ("exit", "x", Err("not an integer: \"x\"")),
            ("signal", "NOPE", Err("not a signal: \"NOPE\"")),
            ("signal", "URG", Ok("survived signal 23 (URG)")),
            ("signal", "SIGCONT", Ok("survived signal 18 (CONT)")),
        ];
        for (name, item, expected) in table {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(run(name, item.as_bytes()), expected, "{name} {item:?}");
        }
    }

    #[test]
    fn the_worker_says_who_it_is() {
        let text = run("identity", b"7").unwrap();
        assert!(text.starts_with(&format!("pid {}, parent ", std::process::id())), "{text}");
        assert!(text.ends_with(&format!(", cwd {}", std::env::current_dir().unwrap().display())), "{text}");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_and_long_ones_cut() {
        assert_eq!(run("square", b"\xff\n"), Err("not an integer: \"\u{fffd}\\n\"".to_owned()));
        let long = "x".repeat(100);
        assert_eq!(run("square", long.as_bytes()), Err(format!("not an integer: \"{}\"...", &long[..64])));
    }

    #[test]
    fn panic_panics_with_the_item() {
        let panicked = std::panic::catch_unwind(|| run("panic", b"oh"));
        assert_eq!(*panicked.unwrap_err().downcast::<String>().unwrap(), "\"oh\"");
    }

    #[test]
    fn a_thread_hangs_without_a_change_to_the_signals_of_the_process() {
        for task in &ALL {
            assert_eq!(std::ptr::fn_addr_eq(task.run, task.in_thread().run), task.name != "hang", "{}", task.name);
        }
    }

    #[test]
    fn the_command_line_knows_the_same_names() {
        assert_eq!(names(), TASKS);
        assert!(by_name("squares").is_none());
    }
}
