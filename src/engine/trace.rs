//! What a trace is told of the run at its start, and what is said of it at its end.

use super::error::EngineError;
use crate::command::line;
use crate::model::config::{Config, ExecSpec, WorkerSpec};
use crate::model::words::counted;
use crate::sys::{clock, stdio};
use crate::trace::file::{TraceEnd, TraceFile};
use crate::trace::lines::LineStyle;
use crate::trace::live::LiveFlow;
use crate::trace::record::{COMMAND_LINE_BYTES_MAX, TraceHeader};
use crate::trace::tracer::Tracer;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Begins to record, if anything is to be recorded.
pub fn start(config: &Config, file: Option<TraceFile>) -> Result<Tracer, EngineError> {
    if !config.trace.is_on() {
        return Ok(Tracer::default());
    }
    let recorder = file.map(TraceFile::start).transpose()?;
    let header = TraceHeader {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: config.run_id.clone(),
        started_unix_ns: clock::unix_ns(),
        pid: std::process::id(),
        command_line: command_line(std::env::args_os()),
        workers_run: workers_run(&config.worker),
        transport: config.worker.transport().map(|transport| transport.kind.name().to_owned()),
        traces_items: config.trace.items,
        common_fds: common_fds(config),
        policy: config.policy.clone(),
    };
    let live = config.trace.flow.then(|| {
        let color = config.trace.color.is_on(|| stdio::shows_color(&io::stderr()));
        LiveFlow::new(LineStyle { color, digits: 3 })
    });
    Ok(Tracer::new(recorder, live, header))
}

/// The words of a command line as one types them in a shell. Items may be among them, so there is no end to its length:
/// words that do not fit are left out.
fn command_line(words: impl Iterator<Item = OsString>) -> String {
    const LEFT_OUT: &str = "...";
    let mut line = String::new();
    for word in words {
        let mut quoted = Vec::new();
        line::quote(word.as_bytes(), &mut quoted);
        let quoted = String::from_utf8_lossy(&quoted);
        let space = if line.is_empty() { "" } else { " " };
        // Room for the sign that words are left out remains.
        if line.len() + space.len() + quoted.len() + " ".len() + LEFT_OUT.len() > COMMAND_LINE_BYTES_MAX {
            return line + space + LEFT_OUT;
        }
        line += space;
        line += &quoted;
    }
    line
}

/// What the workers are, for people.
fn workers_run(worker: &WorkerSpec) -> String {
    let words = |argv: &[OsString]| argv.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    match worker {
        WorkerSpec::BuiltIn { task, .. } => format!("the built-in worker, task {task}"),
        WorkerSpec::Thread { task, .. } => format!("threads of the built-in worker, task {task}"),
        WorkerSpec::Frames { argv, .. } => words(argv),
        WorkerSpec::Foreign(spec) => words(&spec.argv),
        WorkerSpec::Exec(spec) => format!("{}, once per item", words(&spec.argv)),
    }
}

/// With `--pty`.
const OWN_TERMINAL: &str = "a terminal of its own";

/// What the descriptors 0, 1 and 2 of each worker process are, and those that are passed on to it.
fn common_fds(config: &Config) -> Vec<(i32, String)> {
    let standard = match &config.worker {
        WorkerSpec::Thread { .. } => return Vec::new(),
        WorkerSpec::BuiltIn { .. } | WorkerSpec::Frames { .. } => {
            ["/dev/null", "the supervisor's stderr", "the supervisor's stderr"]
        }
        WorkerSpec::Exec(ExecSpec { stdin, .. }) if config.pty => {
            [if *stdin { "the item" } else { "/dev/null" }, OWN_TERMINAL, OWN_TERMINAL]
        }
        WorkerSpec::Foreign(spec) if config.pty && !spec.own_fds => {
            ["items, by a terminal of its own", "results, by that terminal", "the supervisor's stderr"]
        }
        WorkerSpec::Foreign(spec) if !spec.own_fds => ["items", "results", "the supervisor's stderr"],
        WorkerSpec::Foreign(_) => ["/dev/null", "the supervisor's stderr", "the supervisor's stderr"],
        WorkerSpec::Exec(ExecSpec { stdin, terminal, merges, .. }) => {
            let stdin = match (terminal, stdin) {
                (true, _) => "the terminal",
                (false, true) => "the item",
                (false, false) => "/dev/null",
            };
            [stdin, "a pipe", if *merges { "the pipe of its stdout" } else { "a pipe" }]
        }
    };
    let standard = (0..).zip(standard.map(str::to_owned));
    let passed = config.pass_fds.iter().map(|fd| (*fd, "passed on".to_owned()));
    standard.chain(passed).collect()
}

/// What to say of a trace that is not whole.
pub fn shortfall(end: &TraceEnd) -> Option<String> {
    let path = end.path.display();
    match (&end.failure, end.dropped) {
        (Some(error), dropped) => Some(format!(
            "supervisor: failed to write the trace {path}: {error}; it ends before the run, without up to {}",
            counted(dropped, "record", "records")
        )),
        (None, 0) => None,
        (None, dropped) => Some(format!(
            "supervisor: the trace {path} lacks {}: the disk did not take them in time",
            counted(dropped, "record", "records")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn line(words: &[&str]) -> String {
        command_line(words.iter().map(OsString::from))
    }

    #[test]
    fn a_command_line_is_what_one_types() {
        assert_eq!(line(&["supervisor", "-w", "2", "--", "echo", "a b", ""]), r"supervisor -w 2 -- echo a\ b ''");
        let bytes = OsString::from_vec(b"a\xff".to_vec());
        assert_eq!(command_line([bytes].into_iter()), "a\u{fffd}");
        assert_eq!(line(&[]), "");
    }

    #[test]
    fn words_that_do_not_fit_are_left_out() {
        let long = "x".repeat(COMMAND_LINE_BYTES_MAX);
        assert_eq!(line(&["supervisor", &long, "-w"]), "supervisor ...");
        assert_eq!(line(&[&long]), "...");
        let words = vec!["item"; COMMAND_LINE_BYTES_MAX];
        let many = line(&words);
        assert!(many.len() <= COMMAND_LINE_BYTES_MAX && many.len() > COMMAND_LINE_BYTES_MAX - 10, "{}", many.len());
        assert!(many.ends_with(" item ..."), "{many}");
        let all = line(&words[..COMMAND_LINE_BYTES_MAX / 5 - 1]);
        assert!(all.ends_with(" item item"), "{all}");
    }
}
